"""`make_wheelhouse`: whoever fuses, the wheelhouse is the same."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

import fatwheel
from fatwheel.errors import UsageError
from fatwheel.fusion.workers import processes
from fatwheel.wheelhouse.make import Wheelhouse, WheelhouseOptions, make_wheelhouse
from tests.support.clusters import dask_client, dask_cluster
from tests.support.corpus import ROOT
from tests.support.required import require_tool
from tests.support.upstream import FakeIndex, fake_index
from tests.support.wheels import make_pair, make_wheel

FUSED = "{}-1.0-cp312-cp312-macosx_10_13_universal2.whl"
EXECUTORS: dict[str, Callable[[], AbstractContextManager[Executor]]] = {
    "threads": lambda: ThreadPoolExecutor(2),
    "processes": lambda: processes(2),
    "dask": dask_cluster,
}


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[FakeIndex]:
    """Two to be fused, one of which needs a pure one, and one in conflict."""
    require_tool("uv")
    needs = b"Metadata-Version: 2.1\nName: app\nVersion: 1.0\nRequires-Dist: pure>=1\n"
    folder = tmp_path / "upstream"
    sides: dict[str, Any] = {"x86_64": {"bad/a.bin": b"1"}, "arm64": {"bad/a.bin": b"2"}}
    with fake_index() as index:
        index.add("app", *make_pair(folder, name="app", metadata=needs))
        index.add("tool", *make_pair(folder, name="tool"))
        index.add("bad", *make_pair(folder, name="bad", **sides))
        index.add(
            "pure",
            make_wheel(folder, "any", {"pure.py": b""}, name="pure", python="py3", abi="none"),
        )
        yield index


def options(behind: FakeIndex, cache: Path, **more: Any) -> WheelhouseOptions:
    kept = {n: v for n, v in os.environ.items() if not n.startswith("UV_")}
    return WheelhouseOptions(
        cache=cache, python="3.12", macos=(12, 0), upstreams=(behind.url,), environ=kept, **more
    )


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("start", EXECUTORS.values(), ids=EXECUTORS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed")
def test_every_executor_makes_the_same_wheelhouse(
    start: Callable[[], AbstractContextManager[Executor]], behind: FakeIndex, tmp_path: Path
) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("app\nbad\n")
    made: list[Wheelhouse] = []
    for name, executor in (("alone", nullcontext()), ("shared", start())):
        with executor as one:
            given = options(behind, tmp_path / name / "cache")
            made.append(
                make_wheelhouse(
                    [requirements, "tool"], tmp_path / name / "house", given, executor=one, jobs=1
                )
            )
    assert content(tmp_path / "alone" / "house") == content(tmp_path / "shared" / "house")
    assert sorted(made[1].made) == ["app", "pure", "tool"]
    assert made[0].report == made[1].report
    (lost,) = made[1].missing
    assert (lost.pin.name, lost.why, lost.rules) == (
        "bad",
        "1 conflict",
        (("bad/a.bin", "keep-arm64"),),
    )


class _Lost(Executor):
    """Gives up all work, as a cluster does whose workers die of it."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(RuntimeError("KilledWorker: too often\nmore"))
        return future


def test_a_lost_worker_stops_no_other(behind: FakeIndex, tmp_path: Path) -> None:
    said: list[str] = []
    house = make_wheelhouse(
        ["app"],
        tmp_path / "house",
        options(behind, tmp_path / "cache"),
        executor=_Lost(),
        say=said.append,
    )
    (lost,) = house.missing
    assert lost.why == (
        "its worker gave no answer (KilledWorker: too often); it may have run out of memory"
    )
    assert sorted(house.made) == ["pure"]
    assert any(line.startswith(f"failed: {FUSED.format('app')}: its worker") for line in said)
    assert not list((tmp_path / "cache").rglob("*.part"))
    again = make_wheelhouse(
        ["app"], tmp_path / "house", options(behind, tmp_path / "cache"), jobs=1
    )
    assert sorted(again.made) == ["app", "pure"]


def test_a_dry_run_writes_nothing(behind: FakeIndex, tmp_path: Path) -> None:
    given = options(behind, tmp_path / "cache", dry_run=True)
    house = make_wheelhouse(["app"], tmp_path / "house", given, jobs=1)
    assert house.items[0].entry.filename == FUSED.format("app")
    assert not (tmp_path / "house").exists()
    assert not (tmp_path / "cache" / "fused").exists()


def test_metadata_of_other_pythons_wheels_are_not_read(behind: FakeIndex, tmp_path: Path) -> None:
    for python in ("cp311", "cp313"):
        behind.add("app", *make_pair(tmp_path / "more", name="app", python=python, abi=python))
    make_wheelhouse(["app"], tmp_path / "house", options(behind, tmp_path / "cache"), jobs=1)
    asked = {path.split("-")[2] for path in behind.asked(r"/packages/app-")}
    assert asked == {"cp312"}


def test_a_python_that_is_none(tmp_path: Path) -> None:
    given = WheelhouseOptions(cache=tmp_path, python="3")
    with pytest.raises(UsageError, match="--python 3: write the version as"):
        make_wheelhouse(["app"], tmp_path / "house", given)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed")
def test_the_lines_for_a_cluster_work(
    behind: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "package-index.md").read_text("utf-8")
    (lines,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "requirements.txt").write_text("app\nbad\n")
    with dask_client() as client:
        lines = lines.replace("/shared", str(tmp_path))
        lines = lines.replace(
            "WheelhouseOptions(", f"WheelhouseOptions(upstreams=({behind.url!r},), "
        )
        exec(lines.replace("tcp://scheduler:8786", client.scheduler.address), {})
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in said] == [
        ["app", FUSED.format("app")],
        ["pure", "pure-1.0-py3-none-any.whl"],
        ["bad", "1"],
    ]
    assert (tmp_path / "wheelhouse" / FUSED.format("app")).is_file()


def test_the_package_offers_the_api() -> None:
    assert fatwheel.make_wheelhouse is make_wheelhouse
    assert (fatwheel.Wheelhouse, fatwheel.WheelhouseOptions) == (Wheelhouse, WheelhouseOptions)
