"""Measure `fatwheel fuse` beside what else there is, on real pairs from 0.1 MB up, in one run.

For every pair, in turns: `fatwheel fuse`; `delocate-merge`, with llvm's tools standing in for Apple's
(tests/support/standins); and the read-once line, `python -m zipfile -t` on both inputs. All are whole processes, from
start to exit, and every figure is a median. Run it with the Python of .venv (scripts/setup makes it); the plot needs
matplotlib (`.venv/bin/pip install --group bench`). The pairs (pairs.toml, 2 GB) are downloaded once, into
the tests' cache folder.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.benchmark.pairs import Subject, download, of_wheels
from scripts.benchmark.report import FATWHEEL, MERGE, OTHER, READ, Report, Row, Samples
from tests.support.corpus import ROOT

STANDINS = ROOT / "tests" / "support" / "standins"
QUIET = 0.5  # load average below which other programs hardly disturb


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One whole process: wall time in seconds, and the most memory that it or a child of it held, in bytes."""

    seconds: float
    peak: int


class FailedError(Exception):
    """A program failed; the message is the end of what it printed."""


@dataclass(kw_only=True)
class Bench:
    """Where and how to measure: the interpreter, a scratch folder, the seconds that one program may take for a pair."""

    scratch: Path
    budget: float
    other: Path | None = None
    env: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str | Path, cores: set[int] | None = None, path: str = "") -> Sample:
        """Run a program to its end; raises `FailedError` where it fails."""
        env = {**self.env, "PATH": os.pathsep.join(filter(None, [path, self.env["PATH"]]))}
        confine = None if cores is None else lambda: os.sched_setaffinity(0, cores)
        with tempfile.TemporaryFile(dir=self.scratch) as output:
            started = time.perf_counter()
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=self.scratch,
                preexec_fn=confine,  # noqa: PLW1509  (one thread here)
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                output.seek(0)
                text = output.read().decode("utf-8", "replace")
                raise FailedError(f"{' '.join(map(str, command))} failed:\n{text[-2000:]}")
        unit = 1 if sys.platform == "darwin" else 1024
        return Sample(seconds=seconds, peak=usage.ru_maxrss * unit)

    def out(self) -> Path:
        """Return an empty folder."""
        folder = self.scratch / "out"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder


def main(words: Sequence[str]) -> None:
    """Measure, print, write."""
    arguments = parse_arguments(words)
    subjects = [of_wheels(arguments.wheels)] if arguments.wheels else download(arguments.pairs)
    with tempfile.TemporaryDirectory(prefix="fatwheel-bench-", dir=arguments.scratch) as folder:
        env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        other = arguments.against and arguments.against.resolve() / "bin" / "python"
        bench = Bench(scratch=Path(folder), budget=arguments.budget, other=other, env=env)
        load = os.getloadavg()[0]
        if load > QUIET:
            print(f"bench: the machine is busy (load {load:.1f}); the figures will be noisy")
        report = Report(machine=machine(), load=load, runs=arguments.runs)
        report.start = start_up(bench, 4 * arguments.runs)
        report.rows, report.left_out = by_size(
            bench, [s for s in subjects if "size" in s.uses], arguments.runs
        )
        if many := [s for s in subjects if "many" in s.uses]:
            report.many = at_once(bench, many, arguments.runs)
        add_limits(report, subjects)
    print(report.markdown())
    if arguments.json:
        arguments.json.write_text(json.dumps(report.document(), indent=1) + "\n")
    if arguments.plot:
        report.plot(arguments.plot)
    if arguments.write:
        report.write(arguments.write)


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="bench.py", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--runs", type=int, default=5, help="of each program on each pair")
    parser.add_argument("--pairs", help="names of pairs, with commas; all of pairs.toml")
    parser.add_argument(
        "--wheels", nargs=2, type=Path, metavar="WHEEL", help="measure these two instead"
    )
    parser.add_argument("--against", type=Path, metavar="VENV", help="with another fatwheel")
    parser.add_argument(
        "--budget", type=float, default=90, help="seconds after which a slow program rests"
    )
    parser.add_argument("--scratch", type=Path, help="folder to write wheels to")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples here")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the plot (.svg, .png)")
    parser.add_argument(
        "--write", type=Path, metavar="FILE.md", help="put figures, FILE.json and FILE.svg there"
    )
    given = parser.parse_args(words)
    if (given.plot or given.write) and importlib.util.find_spec("matplotlib") is None:
        parser.error("the plot needs matplotlib: pip install --group bench")
    return given


def machine() -> dict[str, str | int]:
    """Return what the figures depend on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "python": platform.python_version(),
    }


def start_up(bench: Bench, runs: int) -> dict[str, Samples]:
    """Measure bare Python and what `fatwheel --version` adds to it."""
    commands = {
        "python": [sys.executable, "-c", "pass"],
        FATWHEEL: [sys.executable, "-m", "fatwheel", "--version"],
    }
    samples = {name: Samples() for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            found = bench.run(*command)
            samples[name].add(found.seconds, found.peak)
    return samples


def by_size(
    bench: Bench, subjects: Sequence[Subject], runs: int
) -> tuple[list[Row], tuple[str, ...]]:
    """Measure all programs on all pairs in turns; also return the pairs on which one of them failed."""
    standins, calls = counting_standins(bench.scratch / "standins")
    names = list(_programs(bench))
    rows = {
        one.name: Row(
            name=one.name,
            version=one.version,
            size=one.size,
            samples={name: Samples() for name in names},
        )
        for one in subjects
    }
    for turn in range(runs):
        shift = turn % len(names)
        for one in subjects:
            if one.name not in rows:
                continue
            try:
                for name in names[shift:] + names[:shift]:
                    _measure(bench, one, name, rows[one.name].samples[name], (standins, calls))
            except FailedError as failure:
                print(f"bench: {one.name} is left out: {failure}", file=sys.stderr, flush=True)
                del rows[one.name]
            print(f"  {turn + 1}/{runs} {one.name}", file=sys.stderr, flush=True)
    lasting = {tool: _idle_seconds(bench, standins / tool) for tool in ("lipo", "codesign")}
    for row in rows.values():
        made = row.samples[MERGE].calls
        row.standins = sum(made.count(tool[0]) * seconds for tool, seconds in lasting.items())
    return list(rows.values()), tuple(s.name for s in subjects if s.name not in rows)


def _measure(
    bench: Bench, one: Subject, name: str, samples: Samples, standins: tuple[Path, Path]
) -> None:
    """Run one program on one pair, unless it had its time."""
    if sum(samples.seconds) > bench.budget:
        return
    folder, calls = standins
    out = bench.out()
    calls.write_text("")
    found = _programs(bench)[name](bench, one, out, str(folder))
    samples.add(sum(s.seconds for s in found), max(s.peak for s in found))
    samples.output = sum(path.stat().st_size for path in out.iterdir())
    samples.calls = calls.read_text()
    bench.out()


Program = Callable[[Bench, Subject, Path, str], list[Sample]]


def _programs(bench: Bench) -> dict[str, Program]:
    programs: dict[str, Program] = {FATWHEEL: _fuse, MERGE: _merge, READ: _read}
    if bench.other is not None:
        programs[OTHER] = _fuse_other
    return programs


def _fuse(
    bench: Bench, one: Subject, out: Path, _: str, python: str | Path = sys.executable
) -> list[Sample]:
    words: tuple[str | Path, ...] = ("fuse", *one.wheels, "-q", "-o", out, *one.options)
    return [bench.run(python, "-m", "fatwheel", *words)]


def _fuse_other(bench: Bench, one: Subject, out: Path, standins: str) -> list[Sample]:
    assert bench.other is not None
    return _fuse(bench, one, out, standins, bench.other)


def _merge(bench: Bench, one: Subject, out: Path, standins: str) -> list[Sample]:
    words = ("-m", "delocate.cmd.delocate_merge", *one.wheels, "-w", out)
    return [bench.run(sys.executable, *words, path=standins)]


def _read(bench: Bench, one: Subject, _out: Path, _standins: str) -> list[Sample]:
    return [bench.run(sys.executable, "-m", "zipfile", "-t", path) for path in one.wheels]


def counting_standins(folder: Path) -> tuple[Path, Path]:
    """Make stand-ins for Apple's tools that also note their calls, a letter for each: their folder, and the notes."""
    folder.mkdir()
    calls = folder / "calls"
    for tool in ("lipo", "codesign"):
        text = (STANDINS / tool).read_text()
        first, _, rest = text.partition("\n")
        path = folder / tool
        path.write_text(f"{first}\nprintf {tool[0]} >>'{calls}'\n{rest}")
        path.chmod(0o755)
    return folder, calls


def _idle_seconds(bench: Bench, tool: Path) -> float:
    """Return the seconds that one call takes which has nothing to do."""
    samples = Samples()
    for _ in range(20):
        samples.add(bench.run(tool, "-version").seconds, 0)
    return samples.median


def at_once(bench: Bench, subjects: Sequence[Subject], runs: int) -> dict[str, Samples]:
    """Measure one process and two on many pairs, and what two cores are worth when they only hash."""
    wheels = [path for one in subjects for path in one.wheels]
    fuse: list[str | Path] = [sys.executable, "-m", "fatwheel", "fuse", *wheels, "-q", "--force"]
    burn = [sys.executable, "-c", "import hashlib; hashlib.sha256(bytes(1 << 30))"]
    cores = sorted(os.sched_getaffinity(0))[:1] if hasattr(os, "sched_getaffinity") else []
    samples: dict[str, Samples] = {}

    def add(name: str, work: Callable[[], Sample]) -> None:
        found = work()
        samples.setdefault(name, Samples()).add(found.seconds, found.peak)

    for _ in range(runs):
        add("-j 1", lambda: bench.run(*fuse, "-j", "1", "-o", bench.out()))
        add("-j 2", lambda: bench.run(*fuse, "-j", "2", "-o", bench.out()))
        if cores:
            add(
                "-j 1, one core",
                lambda: bench.run(*fuse, "-j", "1", "-o", bench.out(), cores=set(cores)),
            )
        add("one hashes", lambda: bench.run(*burn))
        add("two hash", lambda: bench.run("/bin/sh", "-c", '"$@" & "$@"; wait', "sh", *burn))
    return samples


def add_limits(report: Report, subjects: Sequence[Subject]) -> None:
    """Work out what this machine allows; last, since what it imports would count as the programs' memory."""
    from scripts.benchmark.limits import measure_speeds, pair_work

    speeds = measure_speeds()
    report.speeds = {"sha256": speeds.sha256, "crc32": speeds.crc32}
    report.machine["inflater"] = speeds.inflater
    by_name = {one.name: one for one in subjects}
    inflated = seconds = 0.0
    for row in report.rows:
        work = pair_work(*by_name[row.name].wheels)
        row.limit = report.start["python"].median + work.seconds(speeds, 2)
        inflated += work.content
        seconds += work.inflating
    if seconds:
        report.speeds["inflate"] = inflated / seconds
