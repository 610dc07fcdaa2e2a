"""Many pairs: each stands alone, and whoever does the work, the outcomes are the same."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import fatwheel
from fatwheel.arch import Arch
from fatwheel.deflate.inflaters import Inflater, python_zlib
from fatwheel.errors import (
    FatwheelError,
    FormatError,
    OutputExistsError,
    RefusedError,
    ToolError,
    UsageError,
    WheelError,
)
from fatwheel.fusion.actions import Fuse
from fatwheel.fusion.engine import DelocateEngine
from fatwheel.fusion.fuse import ConflictsError, FuseOptions, plan_fuse
from fatwheel.fusion.many import FailedError, Outcome, WheelPair, fuse_many, pair_size
from fatwheel.fusion.workers import processes
from fatwheel.wheels.wheel import OpenWheel
from tests.support.clusters import dask_cluster
from tests.support.corpus import ROOT
from tests.support.required import require_package
from tests.support.wheels import NATIVE, code, edit, make_pair

Pairs = list[tuple[Path, Path]]


@pytest.fixture
def pairs(tmp_path: Path) -> Pairs:
    """Sound ones, one with a conflict, one with a damaged wheel, one whose wheel is missing."""
    inputs = tmp_path / "in"
    made = [
        make_pair(inputs, name="alpha", both={"pkg/data.bin": os.urandom(3 << 20)}),
        make_pair(inputs, x86_64={"pkg/a.db": b"1"}, arm64={"pkg/a.db": b"2"}, name="beta"),
        make_pair(inputs, name="gamma"),
        make_pair(inputs, name="delta"),
        make_pair(inputs, name="epsilon"),
    ]
    edit(made[2][0], lambda data: data.__delitem__(slice(-40, None)))
    made[3][1].unlink()
    return made


STATUSES = ["fused", "conflict", "failed", "failed", "fused"]


class _Backwards(Executor):
    """Does all work when the first answer is asked for, the last that was submitted first."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        wait = future.result

        def result(timeout: float | None = None) -> Any:
            while self._waiting:
                other, work = self._waiting.pop()
                other.set_result(work())
            return wait(timeout)

        future.result = result  # type: ignore[method-assign]
        self._waiting.append((future, lambda: fn(*args, **kwargs)))
        return future


EXECUTORS: dict[str, Callable[[], AbstractContextManager[Executor]]] = {
    "threads": lambda: ThreadPoolExecutor(2),
    "processes": lambda: processes(2),
    "backwards": _Backwards,
    "dask": dask_cluster,
}


def comparable(outcome: Outcome) -> tuple[object, ...]:
    """What must be the same, whoever did the work and whatever folder was written to."""
    fused, error = outcome.fused, outcome.error
    return (
        outcome.paths,
        outcome.status,
        outcome.plan,
        None if fused is None else replace(fused, path=Path(fused.path.name)),
        type(error),
        str(error),
    )


@pytest.mark.parametrize("start", EXECUTORS.values(), ids=EXECUTORS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed")
def test_every_executor_gives_the_same_outcomes_in_order(
    start: Callable[[], AbstractContextManager[Executor]], pairs: Pairs, tmp_path: Path
) -> None:
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    expected = list(fuse_many(pairs, alone, FuseOptions()))
    with start() as executor:
        found = list(fuse_many(pairs, shared, FuseOptions(), executor=executor))
    assert [outcome.status for outcome in expected] == STATUSES
    assert [comparable(outcome) for outcome in found] == list(map(comparable, expected))
    written = {path.name: path.read_bytes() for path in alone.iterdir()}
    assert {path.name: path.read_bytes() for path in shared.iterdir()} == written
    assert len(written) == 2
    assert [outcome.succeeded for outcome in found] == [word == "fused" for word in STATUSES]


@pytest.mark.parametrize("start", [None, lambda: processes(2)], ids=["alone", "processes"])
def test_a_dry_run_plans_and_writes_nothing(
    start: Callable[[], AbstractContextManager[Executor]] | None, pairs: Pairs, tmp_path: Path
) -> None:
    with contextlib.nullcontext() if start is None else start() as executor:
        found = list(
            fuse_many(pairs, tmp_path / "out", FuseOptions(), executor=executor, dry_run=True)
        )
    statuses = ["planned" if word == "fused" else word for word in STATUSES]
    assert [outcome.status for outcome in found] == statuses
    assert found[0].plan == plan_fuse(*pairs[0], FuseOptions())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "start",
    [None, lambda: ThreadPoolExecutor(1), lambda: processes(2)],
    ids=["alone", "threads", "processes"],
)
def test_progress_adds_up(
    start: Callable[[], AbstractContextManager[Executor]] | None, pairs: Pairs, tmp_path: Path
) -> None:
    sound = [pairs[0], pairs[4]]
    seen: list[int] = []
    with contextlib.nullcontext() if start is None else start() as executor:
        list(
            fuse_many(
                sound, tmp_path / "out", FuseOptions(), executor=executor, progress=seen.append
            )
        )
    assert sum(seen) == sum(map(pair_size, sound))
    assert len(seen) >= len(sound)


def test_a_missing_wheel_has_no_size(pairs: Pairs) -> None:
    assert pair_size(pairs[3]) == pairs[3][0].stat().st_size


class _FailingEngine:
    """Fails as nothing of fatwheel should."""

    name = "failing"

    def make(
        self, members: tuple[Fuse, ...], wheels: Mapping[Arch, OpenWheel], inflater: Inflater
    ) -> AbstractContextManager[Mapping[str, Path]]:
        if wheels[Arch.ARM64].name.key[0] == "alpha":
            raise AssertionError("never so\nat all")
        return contextlib.nullcontext({})


@pytest.mark.parametrize("start", [None, lambda: processes(1)], ids=["alone", "processes"])
def test_a_mistake_of_our_own_stops_no_other_pair(
    start: Callable[[], AbstractContextManager[Executor]] | None, pairs: Pairs, tmp_path: Path
) -> None:
    options = FuseOptions(engine=_FailingEngine())
    with contextlib.nullcontext() if start is None else start() as executor:
        found = list(fuse_many(pairs, tmp_path / "out", options, executor=executor))
    assert [outcome.status for outcome in found] == ["failed", *STATUSES[1:]]
    error = found[0].error
    assert type(error) is FailedError
    for part in (pairs[0][0].name, "AssertionError: never so;", "test_many.py, line ", "report it"):
        assert part in str(error)


class _Scripted(Executor):
    """Hands out futures that the test completes."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []
        self.pairs: list[WheelPair] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.futures.append(Future())
        self.pairs.append(args[0])
        return self.futures[-1]


def test_the_largest_pair_begins_first_and_outcomes_keep_their_order(tmp_path: Path) -> None:
    """Two workers would end with one of them alone on the largest."""
    pairs: list[WheelPair] = []
    for size in (10, 3000, 20, 3000, 500):
        wheels = tuple(tmp_path / f"{len(pairs)}-{side}.whl" for side in "xa")
        for path in wheels:
            path.write_bytes(bytes(size))
        pairs.append((wheels[0], wheels[1]))
    executor = _Scripted()
    outcomes = fuse_many(pairs, tmp_path, FuseOptions(), executor=executor)
    assert executor.pairs == [pairs[i] for i in (1, 3, 4, 2, 0)]
    for pair, future in zip(executor.pairs, executor.futures, strict=True):
        future.set_result(Outcome(paths=pair, plan=None, fused=None, error=None, seconds=0.0))
    assert [outcome.paths for outcome in outcomes] == pairs


def test_a_lost_worker_is_the_outcome_of_its_pair_alone(pairs: Pairs, tmp_path: Path) -> None:
    executor = _Scripted()
    outcomes = fuse_many(pairs[:2], tmp_path, FuseOptions(), executor=executor)
    lost, other = executor.futures
    lost.set_exception(BrokenProcessPool("a process ended"))
    expected = Outcome(paths=pairs[1], plan=None, fused=None, error=UsageError("x"), seconds=1.0)
    other.set_result(expected)
    first, second = outcomes
    assert first.paths == pairs[0]
    assert first.status == "failed"
    assert "gave no answer" in str(first.error)
    assert "BrokenProcessPool: a process ended" in str(first.error)
    assert second is expected


@pytest.mark.parametrize("how", ["interrupted", "closed"])
def test_what_has_not_begun_is_cancelled(how: str, pairs: Pairs, tmp_path: Path) -> None:
    executor = _Scripted()
    outcomes = fuse_many(pairs, tmp_path, FuseOptions(), executor=executor)
    assert len(executor.futures) == len(pairs)
    begun, waiting = executor.futures[:2], executor.futures[2:]
    for future in begun:
        assert future.set_running_or_notify_cancel()
    if how == "interrupted":
        begun[0].set_exception(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            next(outcomes)
    else:
        begun[0].set_result(None)
        next(outcomes)
        assert isinstance(outcomes, Iterator)
        outcomes.close()  # type: ignore[attr-defined]
    assert [future.cancelled() for future in begun] == [False, False]
    assert all(future.cancelled() for future in waiting)


def test_leaving_processes_by_an_exception_leaves_no_partial_file(
    pairs: Pairs, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with contextlib.suppress(KeyboardInterrupt), processes(1) as executor:
        fuse_many([pairs[0]] * 20, out, FuseOptions(replace=True), executor=executor)
        raise KeyboardInterrupt
    assert not list(out.glob(".fatwheel-*"))


ERRORS: list[FatwheelError] = [
    FatwheelError("a"),
    UsageError("a"),
    ToolError("a"),
    RefusedError("a"),
    OutputExistsError("a"),
    FormatError("a.so", 7, "is odd"),
    WheelError("a.whl", None, "is odd"),
    WheelError("a.whl", "b", "is odd"),
    FailedError("a"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_travel_with_their_fields(error: FatwheelError) -> None:
    found = pickle.loads(pickle.dumps(error))
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert vars(found) == vars(error)


def test_a_conflict_travels_with_its_plan(pairs: Pairs) -> None:
    plan = plan_fuse(*pairs[1], FuseOptions())
    found = pickle.loads(pickle.dumps(ConflictsError(plan)))
    assert found.plan == plan
    assert str(found) == str(ConflictsError(plan))


def test_a_plan_with_malformed_code_travels(tmp_path: Path) -> None:
    broken = code(Arch.ARM64)[:40]
    pair = make_pair(tmp_path, both={"pkg/broken.so": broken})
    plan = plan_fuse(*pair, FuseOptions())
    kept = {m.name: m for m in pickle.loads(pickle.dumps(plan)).members}["pkg/broken.so"]
    assert isinstance(kept.member.content, FormatError)


@pytest.mark.parametrize(
    "options",
    [FuseOptions(), FuseOptions(engine=DelocateEngine()), FuseOptions(inflater=python_zlib())],
    ids=["defaults", "delocate", "Python's zlib"],
)
def test_options_travel(options: FuseOptions) -> None:
    found = pickle.loads(pickle.dumps(options))
    assert found.plan == options.plan
    assert type(found.engine) is type(options.engine)
    assert found.chosen_inflater.name == options.chosen_inflater.name


@pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed")
def test_the_lines_for_a_cluster_work(
    pairs: Pairs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    distributed = require_package("distributed")
    text = (ROOT / "docs" / "performance.md").read_text("utf-8")
    (lines,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "in").rename(tmp_path / "thin")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=None
    ) as cluster:
        lines = lines.replace("/shared", str(tmp_path))
        exec(lines.replace("tcp://scheduler:8786", cluster.scheduler_address), {})
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(" ")[0] for line in said] == ["fused", "conflict", "fused", "failed"]
    assert len(list((tmp_path / "dist").iterdir())) == 2


def test_the_package_offers_the_api() -> None:
    assert fatwheel.fuse_many is fuse_many
    assert fatwheel.Outcome is Outcome


def command_line(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fatwheel", "fuse", *map(str, argv)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("jobs", ["2", "9"])
def test_the_command_line_says_the_same_with_any_number_of_jobs(
    jobs: str, pairs: Pairs, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options: list[str | Path] = ["-o", out, "--force", "--rule", f"{NATIVE}x=allow"]
    runs = {}
    for j in ("1", jobs):
        as_json = command_line(tmp_path / "in", *options, "-j", j, "--json")
        written = {path.name: path.read_bytes() for path in out.iterdir()}
        quiet = command_line(tmp_path / "in", *options, "-j", j, "-q")
        runs[j] = (
            as_json.returncode,
            json.loads(as_json.stdout),
            as_json.stderr,
            written,
            quiet.returncode,
            quiet.stdout,
            quiet.stderr,
        )
    assert runs["1"] == runs[jobs]
    code, report = runs["1"][:2]
    assert code == 1
    statuses = [pair["status"] for pair in report["pairs"]]
    assert statuses == ["fused", "conflict", "fused", "failed"]  # by name: epsilon before gamma
    assert [len(left["paths"]) for left in report["unpaired"]] == [1]


@pytest.mark.parametrize("jobs", ["0", "-1", "two"])
def test_a_number_of_jobs_is_at_least_one(jobs: str, pairs: Pairs, tmp_path: Path) -> None:
    done = command_line(tmp_path / "in", "-o", tmp_path / "out", "-j", jobs)
    assert done.returncode == 2
    assert "'-j'" in done.stderr
