"""Compare `fatwheel build` with maturin's own universal2 build of the same crate, in one run.

    python scripts/bench.py build [PROJECT] [--linker zig] [--rounds 3]

PROJECT is a folder with a pyproject.toml and a crate; by default, the sources of rpds-py are taken from PyPI.
Both build in target folders of their own. "Clean" starts from an empty one, "incremental" after a change to the
crate's own sources. The order changes with each round, and the best of each counts. The goals are ratios of at most
1.0 (clean) and 1.1 (incremental). On a machine that does other things, too, the processor time (user and system, of
all that was started) is the steadier figure.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

RPDS = "rpds-py==2026.9.1"
GOALS = {"clean": 1.0, "incremental": 1.1}


def main(words: Sequence[str]) -> None:
    """Measure and print."""
    description = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="bench.py build", description=description)
    parser.add_argument("project", nargs="?", type=Path)
    parser.add_argument("--linker", default="auto", help="fatwheel's linker; maturin takes zig")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="bench-build-") as folder:
        project = copy(given.project, Path(folder)) if given.project else download(Path(folder))
        times = measure(project, Path(folder), given.linker, given.rounds)
    print(f"{project.name}, best of {given.rounds}, {os.cpu_count()} cores, linker {given.linker}")
    for kind, goal in GOALS.items():
        for index, what in enumerate(("elapsed", "processor")):
            ours = min(run[index] for run in times["fatwheel", kind])
            theirs = min(run[index] for run in times["maturin", kind])
            ratio = ours / theirs
            print(
                f"  {kind:<12} {what:<10} fatwheel {ours:6.2f} s   maturin {theirs:6.2f} s   "
                f"ratio {ratio:.2f} (goal {goal}: {'met' if ratio <= goal else 'missed'})"
            )


def copy(project: Path, folder: Path) -> Path:
    ignore = shutil.ignore_patterns("target", "dist", ".git", ".venv")
    return Path(shutil.copytree(project.resolve(), folder / project.resolve().name, ignore=ignore))


def download(folder: Path) -> Path:
    pip = [
        sys.executable,
        "-I",
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        ":all:",
    ]
    subprocess.run([*pip, "--dest", str(folder), RPDS], check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def measure(
    project: Path, folder: Path, linker: str, rounds: int
) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Return (elapsed, processor) seconds of each run, by (tool, kind)."""
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    commands = {
        "fatwheel": [
            *(sys.executable, "-I", "-m", "fatwheel", "build", "--quiet", "--force"),
            *("-o", str(folder / "out"), "--linker", linker),
        ],
        "maturin": [
            *(sys.executable, "-I", "-m", "maturin", "build", "--release", "--quiet", "-i", python),
            *("-o", str(folder / "out"), "--target", "universal2-apple-darwin"),
        ],
    }
    if sys.platform != "darwin":
        commands["maturin"].append("--zig")
    times: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for number in range(rounds):
        for tool in sorted(commands, reverse=number % 2 == 1):
            target = folder / "target" / tool
            shutil.rmtree(target, ignore_errors=True)
            times.setdefault((tool, "clean"), []).append(run(commands[tool], project, target))
            touch(project)
            times.setdefault((tool, "incremental"), []).append(run(commands[tool], project, target))
    return times


def touch(project: Path) -> None:
    """Make every Rust source of the project look changed."""
    for path in project.rglob("*.rs"):
        path.touch()


def run(command: list[str], project: Path, target: Path) -> tuple[float, float]:
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environ = {**os.environ, "CARGO_TARGET_DIR": str(target), "PATH": search}
    started, used = time.perf_counter(), processor()
    done = subprocess.run(
        command, cwd=project, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - started, processor() - used


def processor() -> float:
    """Return the processor time (seconds) that ended children, and theirs, have used."""
    times = os.times()
    return times.children_user + times.children_system
