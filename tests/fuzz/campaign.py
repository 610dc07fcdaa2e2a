"""Fuzzing several targets side by side, each in a process of its own: what `scripts/fuzz` and the tests call.

    scripts/fuzz                            an hour, all targets, on all cores
    scripts/fuzz --seconds 600 fuse check   ten minutes for two targets

What is found lies in `.cache/fuzz/TARGET/findings`; each run goes on with the corpus of the one before.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.findings import minimised
from tests.fuzz.known import is_known
from tests.fuzz.table import TARGETS
from tests.fuzz.target import REGRESSIONS, SEPARATOR, Target
from tests.support.corpus import ROOT

__all__ = ["Limits", "Outcome", "fuzz", "main"]

_FOLDER = ROOT / ".cache" / "fuzz"
_MEGABYTES = 1024  # resident, with the corpus and what is traced
_PER_INPUT = 30  # seconds; code that is traced takes several times as long
_MINIMISING = 30  # seconds for one finding
_FATAL = ("timeout-", "oom-", "crash-", "leak-", "slow-unit-")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long: `runs` inputs or `seconds`, whatever comes first; 0 is no limit. `seed` makes runs alike."""

    runs: int = 0
    seconds: int = 0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one target.

    `coverage` counts the places in fatwheel's code that were reached, `features` those with their neighbours and
    counts, as libFuzzer has it. `findings` are the inputs that failed in a new way, `known` is the number of those that
    failed in a known one. `slowest` is the most seconds that an input took (traced code takes several times as long),
    `megabytes` the most memory. `log` is what the process printed.
    """

    name: str
    executions: int
    coverage: int
    features: int
    findings: tuple[Path, ...]
    known: int
    slowest: int
    megabytes: int
    log: str

    def __str__(self) -> str:
        """Return it as a line."""
        figures = (
            f"{self.executions:>12,} executions, coverage {self.coverage}, features {self.features}"
        )
        known = f" ({self.known} known)" if self.known else ""
        costs = f"slowest {self.slowest} s, {self.megabytes} MB"
        return f"{self.name:<16}{figures}, {costs}, {len(self.findings)} faults{known}"


def fuzz(target: Target, folder: Path, limits: Limits) -> Outcome:
    """Fuzz a target with what `folder` holds of it, and leave there what was found.

    Raises `RuntimeError` where atheris cannot be started.
    """
    own = folder / target.name
    end = time.monotonic() + limits.seconds
    executions, logs = 0, list[str]()
    seed = limits.seed
    while True:
        left = max(1, int(end - time.monotonic())) if limits.seconds else 0
        runs = max(1, limits.runs - executions) if limits.runs else -1
        log, code = _process(target, own, runs, left, seed)
        logs.append(log)
        if "Loaded" not in log and "INITED" not in log:
            raise RuntimeError(f"fuzzing {target.name} did not start:\n{log[-2000:]}")
        executions += _last(r"stat::number_of_executed_units:\s*(\d+)", log) or _last(
            r"#(\d+)\t", log
        )
        # An input that takes too much ends the process; with another seed it goes on behind it.
        if code == 0 or not limits.seconds or time.monotonic() + 2 > end:
            break
        seed += 1
    found = [path for path in (own / "findings").iterdir() if path.suffix != ".txt"]
    new = [path for path in found if not is_known(target.name, path)]
    return Outcome(
        name=target.name,
        executions=executions,
        coverage=_last(r"cov: (\d+)", logs[-1]),
        features=_last(r"ft: (\d+)", logs[-1]),
        findings=tuple(sorted(new)),
        known=len(found) - len(new),
        slowest=max(_all(r"stat::slowest_unit_time_sec:\s*(\d+)", logs), default=0),
        megabytes=max(_all(r"stat::peak_rss_mb:\s*(\d+)", logs), default=0),
        log="\n".join(logs),
    )


def _process(target: Target, own: Path, runs: int, seconds: int, seed: int) -> tuple[str, int]:
    words = [
        f"-runs={runs}",
        f"-max_total_time={seconds}",
        f"-seed={seed + 1}",
        f"-timeout={_PER_INPUT}",
        f"-rss_limit_mb={_MEGABYTES}",
        "-report_slow_units=1000",
        "-print_final_stats=1",
        "-reload=0",  # what time it is does not count
        "-close_fd_mask=1",  # what targets print
        *_dictionary(target, own),
    ]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.fuzz.engine",
            target.run.__module__,
            target.name,
            str(own),
            *words,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        errors="backslashreplace",
        check=False,
        timeout=seconds + 10 * _PER_INPUT,
    )
    return done.stderr, done.returncode


def _dictionary(target: Target, own: Path) -> list[str]:
    """Write the words of the target for libFuzzer, which puts them into inputs."""
    own.mkdir(parents=True, exist_ok=True)
    path = own / "dictionary"
    words = [*target.words, SEPARATOR]
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in words)
    path.write_text("".join(f'"{word}"\n' for word in escaped), "ascii")
    return [f"-dict={path}"]


def _all(pattern: str, logs: Iterable[str]) -> list[int]:
    return [int(digits) for log in logs for digits in re.findall(pattern, log)]


def _last(pattern: str, log: str) -> int:
    return next(reversed(_all(pattern, [log])), 0)


def _shares(names: Sequence[str], seconds: int, jobs: int) -> dict[str, int]:
    """Share out what so many processes can do in this time."""
    whole = sum(TARGETS[name].share for name in names)
    seconds *= min(jobs, len(names))
    return {name: max(5, seconds * TARGETS[name].share // whole) for name in names}


def _outcomes(names: Sequence[str], seconds: int, seed: int, jobs: int) -> Iterator[Outcome]:
    shares = _shares(names, seconds, jobs)
    longest_first = sorted(names, key=lambda name: -shares[name])
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(
            lambda name: fuzz(TARGETS[name], _FOLDER, Limits(seconds=shares[name], seed=seed)),
            longest_first,
        )


def _told(outcome: Outcome) -> Iterator[str]:
    yield str(outcome)
    for path in outcome.findings:
        if not path.name.startswith(_FATAL):
            path.write_bytes(minimised(TARGETS[outcome.name], path.read_bytes(), _MINIMISING))
        reason = path.with_suffix(".txt")
        kind = reason.read_text("utf-8").partition("\n")[0] if reason.exists() else "takes too much"
        yield f"    {path.relative_to(ROOT)}: {kind}"


def main() -> int:
    """Run what the command line asks for, and tell one line for each target."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description="Fuzz fatwheel.")
    parser.add_argument(
        "--seconds", type=int, default=3600, help="how long in all (default: an hour)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="makes a run repeatable, as far as time allows"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="processes (default: one for each core)"
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(
            f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}"
        )
    executions = faults = 0
    for outcome in _outcomes(
        options.targets or list(TARGETS), options.seconds, options.seed, options.jobs
    ):
        executions += outcome.executions
        faults += len(outcome.findings)
        for line in _told(outcome):
            print(line, flush=True)
    print(f"fuzz: {executions:,} executions, {faults} faults")
    if faults:
        print(
            "Mend each, and copy its input to "
            f"{REGRESSIONS.relative_to(ROOT)}/TARGET/NAME, which tests/fuzz/test_replay.py runs from then on."
        )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
