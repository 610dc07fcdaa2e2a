"""`fatwheel wheelhouse` as a process, with real uv, and what pip and uv make of the folder."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.pylock import Pylock

from fatwheel.index.pool import pool
from fatwheel.index.serve import IndexOptions, serve
from tests.support.corpus import ROOT
from tests.support.projects import (
    BuiltWheel,
    copy_project,
    require_rust,
    run_fatwheel,
    target_folder,
)
from tests.support.required import require_tool
from tests.support.terminals import NEEDS_TERMINAL, on_terminal
from tests.support.upstream import FakeIndex, Handler, fake_index
from tests.support.wheels import (
    NATIVE,
    PLATFORMS,
    A,
    code,
    make_pair,
    make_wheel,
    read_whole,
    slices_of,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FUSED = "{}-{}-cp312-cp312-macosx_10_13_universal2.whl"
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("PIP_", "UV_"))
    and name.lower() not in {"http_proxy", "https_proxy", "all_proxy"}
}


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[FakeIndex]:
    """Fused: app and tool (needed by Intel only). As it is: pure. Left out: app 2.0, which has no Intel wheel."""
    require_tool("uv")
    needs = (
        b"Metadata-Version: 2.1\nName: app\nVersion: 1.0\nRequires-Dist: pure>=1\n"
        b"Requires-Dist: tool; platform_machine == 'x86_64'\n"
    )
    folder = tmp_path / "upstream"
    with fake_index() as index:
        index.add("app", *make_pair(folder, name="app", metadata=needs))
        index.add(
            "app", make_wheel(folder, PLATFORMS[A], {NATIVE: code(A)}, name="app", version="2.0")
        )
        index.add("tool", *make_pair(folder, name="tool"))
        index.add(
            "pure",
            make_wheel(folder, "any", {"pure.py": b""}, name="pure", python="py3", abi="none"),
        )
        yield index


def words(behind: FakeIndex, *arguments: str) -> list[str]:
    own = [
        "--python",
        "3.12",
        "--macos",
        "12.0",
        "--cache",
        "cache",
        "--upstream",
        behind.url,
        "-j",
        "1",
    ]
    return [sys.executable, "-m", "fatwheel", "wheelhouse", *own, *arguments]


def run(command: list[str], cwd: Path, code: int = 0) -> tuple[str, str]:
    env = {**CLEAN, "UV_CACHE_DIR": str(cwd / "uv")}
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def test_a_tree(behind: FakeIndex, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("app\n")
    _, said = run(words(behind, "-r", "requirements.txt"), tmp_path)
    house = tmp_path / "wheelhouse"
    names = [FUSED.format("app", "1.0"), "pure-1.0-py3-none-any.whl", FUSED.format("tool", "1.0")]
    assert sorted(path.name for path in house.iterdir()) == sorted(
        [*names, "pylock.toml", "report.html", "wheelhouse.json"]
    )
    assert len(slices_of(read_whole(house / names[0])[NATIVE])) == 2
    assert "note: app 1.0; 2.0 has no x86_64 wheel" in said
    assert "note: tool 1.0 is needed by x86_64 only" in said
    assert said.rstrip().splitlines()[-1].startswith("wheelhouse: 3 of 3 wheels, ")
    report = json.loads((house / "wheelhouse.json").read_text("utf-8"))
    assert [(row["project"], row["source"]) for row in report["wheels"]] == [
        ("app", "fused"),
        ("pure", "pure"),
        ("tool", "fused"),
    ]
    assert report["missing"] == []


def test_pip_and_uv_install_from_it(behind: FakeIndex, tmp_path: Path) -> None:
    run(words(behind, "app"), tmp_path)
    where = ["--no-index", "--find-links", "wheelhouse", "--only-binary", ":all:"]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--python-version", "3.12"]
    run(
        [*pip, *where, "--platform", "macosx_12_0_universal2", "--target", "by-pip", "app"],
        tmp_path,
    )
    assert (tmp_path / "by-pip" / "app-1.0.dist-info").is_dir()
    lock = tomllib.loads((tmp_path / "wheelhouse" / "pylock.toml").read_text("utf-8"))
    Pylock.from_dict(lock).validate()
    if sys.version_info >= (3, 12):  # uv holds requires-python against the Python that runs
        target = [
            "--python-platform",
            "x86_64-apple-darwin",
            "--target",
            "by-uv",
            "--python",
            sys.executable,
        ]
        run([require_tool("uv"), "pip", "sync", *target, "wheelhouse/pylock.toml"], tmp_path)


def test_uv_syncs_from_the_lock_file(behind: FakeIndex, tmp_path: Path) -> None:
    """The tree is for the Python that runs, since uv holds requires-python against it."""
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    folder = tmp_path / "own"
    make_pair(folder, name="own", python=tag, abi=tag)
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    run(words(behind, "--python", python, "--upstream", str(folder), "own", "pure"), tmp_path)
    for platform in ("x86_64", "aarch64"):
        target = [
            "--python-platform",
            f"{platform}-apple-darwin",
            "--target",
            platform,
            "--python",
            sys.executable,
        ]
        run([require_tool("uv"), "pip", "sync", *target, "wheelhouse/pylock.toml"], tmp_path)
        assert (tmp_path / platform / "own-1.0.dist-info").is_dir()
        assert (tmp_path / platform / "pure.py").is_file()


def test_the_same_inputs_give_the_same_bytes_and_nothing_is_fetched_twice(
    behind: FakeIndex, tmp_path: Path
) -> None:
    run(words(behind, "app", "-o", "one"), tmp_path)
    fetched = len(behind.asked(r"/packages/"))
    run(words(behind, "app", "-o", "other"), tmp_path)
    assert len(behind.asked(r"/packages/")) == fetched
    shutil.rmtree(tmp_path / "cache")
    run(words(behind, "app", "-o", "third"), tmp_path)
    for folder in ("other", "third"):
        for path in (tmp_path / "one").iterdir():
            assert path.read_bytes() == (tmp_path / folder / path.name).read_bytes(), path.name


def test_a_second_run_says_what_changed(behind: FakeIndex, tmp_path: Path) -> None:
    run(words(behind, "app"), tmp_path)
    (tmp_path / "wheelhouse" / "mine.whl").write_bytes(b"somebody's own")
    behind.add("app", *make_pair(tmp_path / "newer", name="app", version="1.1"))
    _, said = run(words(behind, "app"), tmp_path)
    assert f"new: {FUSED.format('app', '1.1')}" in said
    assert f"gone: {FUSED.format('app', '1.0')}" in said
    assert sorted(path.name for path in (tmp_path / "wheelhouse").glob("*.whl")) == [
        FUSED.format("app", "1.1"),
        "mine.whl",
    ]
    _, said = run(words(behind, "app"), tmp_path)
    assert "new:" not in said


def test_one_project_that_fails_stops_no_other(behind: FakeIndex, tmp_path: Path) -> None:
    sides: dict[str, Any] = {"x86_64": {"bad/data.bin": b"1"}, "arm64": {"bad/data.bin": b"2"}}
    behind.add("bad", *make_pair(tmp_path / "bad", name="bad", **sides))
    _, said = run(words(behind, "app", "bad"), tmp_path, code=1)
    assert f"not to be had: {FUSED.format('bad', '1.0')}: 1 conflict" in said
    assert said.rstrip().splitlines()[-4:-1] == [
        "rules that settle the conflicts, for pyproject.toml (read above what each one keeps):",
        "  [tool.fatwheel.rules]",
        '  "bad/data.bin" = "keep-arm64"',
    ]
    assert "3 of 4 wheels" in said
    house = tmp_path / "wheelhouse"
    assert (house / FUSED.format("app", "1.0")).is_file()
    assert not (house / "pylock.toml").exists()
    (missing,) = json.loads((house / "wheelhouse.json").read_text("utf-8"))["missing"]
    assert missing["rules"] == [{"glob": "bad/data.bin", "action": "keep-arm64"}]
    run(words(behind, "app", "bad", "--rule", "bad/data.bin=keep-arm64"), tmp_path)
    assert (house / "pylock.toml").is_file()


def test_a_kind_that_is_switched_off(behind: FakeIndex, tmp_path: Path) -> None:
    """What an earlier run fused with the kind is not taken out of the cache."""
    sides: dict[str, Any] = {"x86_64": {"one/a.py": b"A = 1\n"}, "arm64": {"one/a.py": b"A = 2\n"}}
    behind.add("one", *make_pair(tmp_path / "one", name="one", **sides))
    run(words(behind, "one"), tmp_path)
    _, said = run(words(behind, "one", "--no-kind", "literals"), tmp_path, code=1)
    assert f"not to be had: {FUSED.format('one', '1.0')}: 1 conflict" in said


def test_a_dry_run_fetches_no_wheel_and_writes_nothing(behind: FakeIndex, tmp_path: Path) -> None:
    out, _ = run(words(behind, "app", "--dry-run", "--json"), tmp_path)
    assert json.loads(out)["planned"] == [
        FUSED.format("app", "1.0"),
        "pure-1.0-py3-none-any.whl",
        FUSED.format("tool", "1.0"),
    ]
    assert not (tmp_path / "wheelhouse").exists()
    assert not (tmp_path / "cache" / "fused").exists()


def test_uv_keeps_what_it_learns_in_our_cache(behind: FakeIndex, tmp_path: Path) -> None:
    run(words(behind, "app", "--dry-run"), tmp_path)
    assert not (tmp_path / "uv").exists()
    assert list((tmp_path / "cache" / "uv").glob("simple-*/index/*/app.*"))


def test_a_port_that_is_taken_is_no_hindrance(behind: FakeIndex, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        options = IndexOptions(cache=tmp_path, upstreams=(behind.url,), port=port, any_port=True)

        async def url() -> str:
            with pool(1) as workers:
                async with serve(options, workers, print) as running:
                    return running.url

        assert f":{port}/" not in asyncio.run(url())
    assert f":{port}/" in asyncio.run(url())


def test_constraints_and_offline(behind: FakeIndex, tmp_path: Path) -> None:
    behind.add("app", *make_pair(tmp_path / "newer", name="app", version="1.1"))
    (tmp_path / "constraints.txt").write_text("app<1.1\n")
    run(words(behind, "app", "-c", "constraints.txt"), tmp_path)
    count = len(behind.requests)
    _, said = run(
        words(behind, "app", "-c", "constraints.txt", "--offline", "-o", "again"), tmp_path
    )
    assert len(behind.requests) == count
    assert "again: 3 of 3 wheels" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "name requirements, or a file of them with -r"),
        (["--python", "3", "app"], 2, "--python 3: write the version as 3.12"),
        (["nosuch"], 1, "there are no versions that fit together for x86_64; uv says:"),
        (["app==2.0"], 1, "there are no versions that fit together"),
        (["./app"], 1, "uv says:"),
    ],
)
def test_what_cannot_be(
    arguments: list[str], code: int, said: str, behind: FakeIndex, tmp_path: Path
) -> None:
    _, text = run(words(behind, *arguments), tmp_path, code=code)
    assert said in text
    assert "Traceback" not in text
    assert not (tmp_path / "wheelhouse").exists()


@NEEDS_TERMINAL
def test_progress_on_a_terminal(behind: FakeIndex, tmp_path: Path) -> None:
    def slow(handler: Handler, body: bytes) -> None:
        if handler.headers.get("Range") is None:
            time.sleep(1)
        handler.answer(200, body)

    for name in behind.files["app"]:
        behind.faults[f"/packages/{name}"] = slow
    behind.metadata = True
    env = {**CLEAN, "TERM": "xterm", "UV_CACHE_DIR": str(tmp_path / "uv")}
    seen = on_terminal(words(behind, "app"), env=env, cwd=tmp_path, size=(24, 100))
    assert seen.exit_code == 0
    assert "fetching" in seen.text
    assert "wheelhouse: 3 of 3 wheels" in seen.text


def test_ctrl_c_and_the_next_run_goes_on(behind: FakeIndex, tmp_path: Path) -> None:
    behind.metadata = True
    slow = next(name for name in behind.files["app"] if "arm64" in name)

    over = threading.Event()

    def never(handler: Handler, _: bytes) -> None:
        over.wait(300)

    behind.faults[f"/packages/{slow}"] = never
    env = {**CLEAN, "UV_CACHE_DIR": str(tmp_path / "uv")}
    process = subprocess.Popen(
        words(behind, "app"), cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    cache = tmp_path / "cache"
    # The other files come in the meantime.
    while not (behind.asked(slow + "$") and any(cache.rglob("pure-*.whl"))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    over.set()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert not (tmp_path / "wheelhouse").exists()
    behind.faults.clear()
    before = len(behind.asked(r"pure.*whl$"))
    run(words(behind, "app"), tmp_path)
    assert len(behind.asked(r"pure.*whl$")) == before


def test_the_report_is_one_file(behind: FakeIndex, tmp_path: Path) -> None:
    run(words(behind, "app"), tmp_path)
    text = (tmp_path / "wheelhouse" / "report.html").read_text("utf-8")
    for outside in ("<script", "src=", "href=", "@import", "url("):
        assert outside not in text
    assert str(tmp_path) not in text
    assert str(ROOT) not in text


@pytest.fixture
def lacking(tmp_path: Path) -> Iterator[FakeIndex]:
    """A project whose newest version has a wheel for arm64 only, and an sdist of maturin's."""
    require_rust()
    project = copy_project("bin", tmp_path)
    done = run_fatwheel(project, "build", "--arch", "arm64", "--sdist", "-o", "dist", "-q")
    assert done.returncode == 0, done.stderr
    with fake_index() as index:
        index.add("fixture-bin", *(project / "dist").iterdir())
        index.add("fixture-bin", *make_pair(tmp_path / "old", name="fixture_bin", version="0.0.1"))
        yield index


def test_a_half_that_upstream_lacks_is_built(
    lacking: FakeIndex, index: Path, tmp_path: Path
) -> None:
    env = {**CLEAN, "UV_FIND_LINKS": str(index), "UV_NO_INDEX": "1", "FIXTURE_NOTE": "x"}
    env["CARGO_TARGET_DIR"] = str(target_folder())

    def wheelhouse(*arguments: str) -> str:
        command = words(lacking, "fixture-bin", *arguments)
        done = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stderr

    assert "fixture-bin 0.0.1" in wheelhouse()  # what there is without building
    planned = wheelhouse("--build", "--dry-run")
    assert "fixture-bin 0.1.0  built for x86_64" in planned
    warning = "warning: fixture_bin 0.1.0: the x86_64 half is built here from the sdist"
    assert warning in planned
    said = wheelhouse("--build")
    assert warning in said
    assert "building fixture_bin-0.1.0.tar.gz for x86_64" in said
    house = tmp_path / "wheelhouse"
    (row,) = json.loads((house / "wheelhouse.json").read_text("utf-8"))["wheels"]
    assert (row["source"], row["built"], row["version"]) == ("built", ["x86_64"], "0.1.0")
    inputs = [entry["url"].rpartition("/")[2] for entry in row["inputs"]]
    assert [name.rpartition("-")[2] for name in inputs] == ["macosx_11_0_arm64.whl", "0.1.0.tar.gz"]
    assert "built for x86_64" in (house / "report.html").read_text("utf-8")
    wheel = BuiltWheel(house / row["filename"])
    assert set(wheel.images()) == {"x86_64", "arm64"}
    before = wheel.path.read_bytes()
    again = wheelhouse("--build")  # out of the cache
    assert "building" not in again
    assert wheel.path.read_bytes() == before


def test_a_half_that_cannot_be_built_stops_no_other(
    lacking: FakeIndex, index: Path, tmp_path: Path
) -> None:
    lacking.add("other", *make_pair(tmp_path / "other", name="other"))
    env = {**CLEAN, "UV_FIND_LINKS": str(index), "UV_NO_INDEX": "1", "CARGO": "/nowhere/cargo"}
    done = subprocess.run(
        words(lacking, "fixture-bin", "other", "--build"),
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert (
        "not to be had: fixture-bin 0.1.0: fixture_bin-0.1.0.tar.gz could not be built for x86_64"
        in done.stderr
    )
    assert "other 1.0" in done.stderr
    assert list((tmp_path / "wheelhouse").glob("other-*.whl"))
