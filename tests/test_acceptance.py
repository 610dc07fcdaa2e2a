"""Real wheels through the command line, judged by what shares no code with fatwheel."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import oracles
from tests.support.corpus import ROOT, SMALL_PAIR, Pair, Run, acceptance_pairs
from tests.support.oracles import Fusion, Judge
from tests.support.required import require_pair, require_tool

STANDINS = ROOT / "tests" / "support" / "standins"
PAIRS = acceptance_pairs()
RUNS = {
    " ".join([name, *run.options]): (name, run) for name, pair in PAIRS.items() for run in pair.runs
}
FUSIONS = {label: case for label, case in RUNS.items() if case[1].output is not None}
# Members that differ on purpose, by project: settled by the rule book, the run's --rule or a guard.
SETTLED = {
    "numpy": {
        "numpy/__config__.py": "keep-arm64",
        "numpy/_core/include/numpy/_numpyconfig.h": "guard",
    },
    "scipy": {"scipy/__config__.py": "keep-arm64"},
    "pyproj": {"pyproj/proj_dir/share/proj/proj.db": "keep-arm64"},
    "polars": {"polars/_cpu_check.py": "dispatch", "polars/_cpu_check.py''": "keep-arm64"},
}
# Projects with a universal2 wheel of their own; kiwisolver links its one anew.
UPSTREAM_FUSES = {"kiwisolver": "same files", "yarl": "same slices", "cramjam": "same slices"}
DELOCATE_FUSES = ["kiwisolver", "yarl", "cramjam", "pydantic-core", "numpy", "pillow", "uv"]
ENGINE_FUSES = ["kiwisolver", "yarl", "cramjam", "pydantic-core", "pillow"]


WITHOUT_ZLIB_NG = """
import sys
sys.modules["zlib_ng"] = None
from fatwheel.cli.main import main
main()
"""


def fatwheel(
    *argv: str | Path, path: str = "", start: Sequence[str] = ("-m", "fatwheel")
) -> subprocess.CompletedProcess[str]:
    """Run the command line as `python START ARGV`, with the folder `path` first on PATH."""
    return subprocess.run(
        [sys.executable, *start, *map(str, argv)],
        env={**os.environ, "PATH": os.pathsep.join(filter(None, [path, os.environ["PATH"]]))},
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one run of `fatwheel fuse` on a pair did."""

    pair: Pair
    run: Run
    done: subprocess.CompletedProcess[str]
    out: Path

    @property
    def fusion(self) -> Fusion:
        """What the judges look at."""
        assert self.done.returncode == 0, self.done.stderr
        assert self.run.output is not None
        return Fusion(
            fused=self.out / self.run.output,
            x86_64=self.pair.x86_64.path,
            arm64=self.pair.arm64.path,
            settled=SETTLED.get(self.pair.name, {}),
        )


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """What ran already."""
    return {}


@pytest.fixture
def outcome(
    label: str, outcomes: dict[str, Outcome], tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """The outcome of the run `label`, which is carried out once."""
    if label not in outcomes:
        name, run = RUNS[label]
        pair = require_pair(name)
        out = tmp_path_factory.mktemp("out")
        done = fatwheel("fuse", pair.x86_64.path, pair.arm64.path, "-o", out, *run.options)
        outcomes[label] = Outcome(pair=pair, run=run, done=done, out=out)
    return outcomes[label]


@pytest.mark.parametrize("label", RUNS)
def test_exit_code_output_and_report(label: str, outcome: Outcome) -> None:
    done, run = outcome.done, outcome.run
    assert done.returncode == run.exit, done.stderr
    assert [path.name for path in outcome.out.iterdir()] == ([run.output] if run.output else [])
    assert done.stdout == (f"{outcome.out / run.output}\n" if run.output else "")
    missing = [text for text in run.says if text not in done.stderr]
    assert missing == [], done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("label", FUSIONS)
@pytest.mark.parametrize("judge", oracles.JUDGES, ids=lambda judge: judge.__name__[6:])
def test_judges_find_nothing(label: str, judge: Judge, outcome: Outcome) -> None:
    assert list(judge(outcome.fusion)) == []


@pytest.mark.parametrize("label", FUSIONS)
def test_check_finds_no_error(label: str, outcome: Outcome) -> None:
    done = fatwheel("check", outcome.fusion.fused)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("label", FUSIONS)
def test_neither_the_wheels_order_nor_the_inflater_matters(
    label: str, outcome: Outcome, tmp_path: Path
) -> None:
    pair, fused = outcome.pair, outcome.fusion.fused
    options: list[str | Path] = ["-o", tmp_path, *outcome.run.options]
    start = ["-c", WITHOUT_ZLIB_NG]
    done = fatwheel("fuse", pair.arm64.path, pair.x86_64.path, *options, start=start)
    assert done.returncode == 0, done.stderr
    assert "(libz " in done.stderr
    assert (tmp_path / fused.name).read_bytes() == fused.read_bytes()


@pytest.mark.parametrize("label", UPSTREAM_FUSES)
def test_upstreams_own_universal2_wheel_agrees(label: str, outcome: Outcome) -> None:
    upstream = outcome.pair.universal2
    assert upstream is not None
    ours, theirs = map(oracles.members, (outcome.fusion.fused, upstream.path))
    assert outcome.fusion.fused.name == upstream.file
    assert {name for name in ours if not name.endswith("/fatwheel.json")} == theirs.keys()
    if UPSTREAM_FUSES[label] == "same slices":
        for name in filter(lambda name: oracles.is_object(theirs[name]), theirs):
            assert oracles.slices(ours[name]) == oracles.slices(theirs[name]), name


@pytest.mark.parametrize("label", DELOCATE_FUSES)
def test_delocate_merge_makes_the_same_binaries(
    label: str, outcome: Outcome, tmp_path: Path
) -> None:
    require_tool("llvm-lipo-19")
    pair = outcome.pair
    merge = [sys.executable, "-m", "delocate.cmd.delocate_merge"]
    subprocess.run(
        [*merge, pair.x86_64.path, pair.arm64.path, "-w", tmp_path],
        env={**os.environ, "PATH": os.pathsep.join([str(STANDINS), os.environ["PATH"]])},
        check=True,
    )
    ours = oracles.members(outcome.fusion.fused)
    theirs = oracles.members(next(tmp_path.glob("*.whl")))
    binaries = [name for name, content in theirs.items() if oracles.is_object(content)]
    assert binaries
    assert [name for name in binaries if ours[name] != theirs[name]] == []


@pytest.mark.parametrize("label", ENGINE_FUSES)
def test_both_engines_make_the_same_members(label: str, outcome: Outcome, tmp_path: Path) -> None:
    require_tool("llvm-lipo-19")
    pair = outcome.pair
    options: list[str | Path] = ["-o", tmp_path, "--engine", "delocate", *outcome.run.options]
    done = fatwheel("fuse", pair.x86_64.path, pair.arm64.path, *options, path=str(STANDINS))
    assert done.returncode == 0, done.stderr
    ours = oracles.members(outcome.fusion.fused)
    theirs = oracles.members(tmp_path / outcome.fusion.fused.name)
    assert list(ours) == list(theirs)
    differing = {name for name in ours if ours[name] != theirs[name]}
    assert {name for name in differing if not oracles.is_generated(name)} == set()


@pytest.mark.parametrize("label", ["polars --rule polars/_cpu_check.py=dispatch"])
@pytest.mark.parametrize("machine", ["x86_64", "arm64"])
def test_dispatch_runs_the_source_of_the_running_architecture(
    label: str, machine: str, outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine), raising=False)
    ran: dict[str, dict[str, Any]] = {}
    for wheel in (outcome.fusion.fused, outcome.fusion.thin()[machine]):
        module = tmp_path / wheel.name / "_cpu_check.py"
        module.parent.mkdir()
        module.write_bytes(oracles.members(wheel)["polars/_cpu_check.py"])
        ran[wheel.name] = runpy.run_path(str(module), run_name="polars._cpu_check")
    fused, thin = ran.values()
    constants = {name: value for name, value in thin.items() if isinstance(value, str)}
    assert constants["_POLARS_ARCH"] == {"x86_64": "x86-64", "arm64": "aarch64"}[machine]
    paths = {"__file__", "__cached__"}
    assert {name: fused.get(name) for name in constants if name not in paths} == {
        name: value for name, value in constants.items() if name not in paths
    }
    assert {name for name in thin if callable(thin[name])} <= fused.keys()
    assert fused["get_lts_cpu"]() == thin["get_lts_cpu"]()
    if machine == "arm64":  # the other one asks the processor that runs this test
        assert fused["check_cpu_flags"]() is thin["check_cpu_flags"]() is None


def written(path: Path, content: bytes) -> Path:
    """Write `content` to `path` and return that."""
    path.write_bytes(content)
    return path


X86_64, ARM64 = SMALL_PAIR
LINUX = X86_64.name.replace("macosx_10_13", "manylinux_2_17")
# What a new user may try: the wheels (given an empty folder), the exit code and a part of the answer.
MISTAKES: dict[str, tuple[Callable[[Path], list[Path]], int, str]] = {
    "one wheel twice": (lambda _: [X86_64, X86_64], 1, "given twice"),
    "one wheel alone": (lambda _: [X86_64], 2, "needs the other architecture's wheel"),
    "a folder without wheels": (lambda folder: [folder], 2, "holds no wheels"),
    "no such file": (lambda folder: [folder / "none.whl", ARM64], 2, "no such file"),
    "a Linux wheel": (
        lambda folder: [written(folder / LINUX, X86_64.read_bytes()), ARM64],
        1,
        "is not for macOS",
    ),
    "a truncated wheel": (
        lambda folder: [written(folder / X86_64.name, X86_64.read_bytes()[:9000]), ARM64],
        1,
        "is truncated",
    ),
}


@pytest.mark.parametrize(("wheels", "code", "answer"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_get_one_sentence(
    wheels: Callable[[Path], list[Path]], code: int, answer: str, tmp_path: Path
) -> None:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    done = fatwheel("fuse", *wheels(inputs), "-o", tmp_path / "out")
    assert done.returncode == code
    assert done.stdout == ""
    assert re.fullmatch(r"fatwheel: [^\n]+\n", done.stderr)
    assert answer in done.stderr
    assert not list(tmp_path.glob("out/*"))


def test_an_output_that_is_there_stays(tmp_path: Path) -> None:
    assert fatwheel("fuse", *SMALL_PAIR, "-o", tmp_path).returncode == 0
    (wheel,) = tmp_path.iterdir()
    wheel.write_bytes(b"mine")
    done = fatwheel("fuse", *SMALL_PAIR, "-o", tmp_path)
    assert done.returncode == 1
    assert "exists; replace it with --force" in done.stderr
    assert wheel.read_bytes() == b"mine"
    assert fatwheel("fuse", *SMALL_PAIR, "-o", tmp_path, "--force").returncode == 0
    assert wheel.read_bytes() != b"mine"


def test_folders_are_paired(tmp_path: Path) -> None:
    done = fatwheel("fuse", SMALL_PAIR[0].parent, "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.iterdir()
    assert done.stdout == f"{wheel}\n"
    fusion = Fusion(fused=wheel, x86_64=X86_64, arm64=ARM64)
    assert [finding for judge in oracles.JUDGES for finding in judge(fusion)] == []
