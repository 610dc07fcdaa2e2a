"""Compare `fatwheel wheelhouse` with `pip download` for both architectures, from a mirror on loopback, in one run.

    python -m scripts.benchmark.wheelhouse [--rounds 3] [--json FILE]

The tree is that of wheelhouse.txt (62 projects; numpy, scipy, pandas, pyarrow, …). Its files, 600 MB at most, are
downloaded from PyPI once, into ~/.cache/fatwheel/index-bench; from then on nothing outside this machine is asked. The
mirror says what PyPI says: JSON, METADATA beside the wheels, ranges, validators, ten minutes of freshness.

"pip" is `pip download` without a cache, once for each architecture. "Cold" starts with empty caches; it fetches the
same files, fuses, checks, writes the lock and the report. "Warm" is the same command again. Memory is the most that the
process of the index held, and the most that one of the processes that fuse held. Figures are medians. On a machine
that does other things, too, the ratio counts, not the seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scripts.benchmark.mirror import mirror

HERE = Path(__file__).parent
ROOTS, PINS = HERE / "wheelhouse.txt", HERE / "wheelhouse.lock.txt"
PYTHON, MACOS = "3.12", "13.0"
ARCHS = ("x86_64", "arm64")
RULE = "pyproj/proj_dir/share/proj/proj.db=keep-arm64"
"""Settles the tree's one conflict: databases that were made on two machines."""
LARGEST = 600 << 20  # bytes of the mirror
COLD, WARM, MEMORY = 1.25, 2.0, 150.0
"""The goals: times pip's seconds; seconds; MiB of the index's process."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scratch", type=Path, help="where to write; a folder on the same disk")
    parser.add_argument("--json", type=Path, help="write the samples there")
    given = parser.parse_args()
    files = download(cache_folder())
    size = sum(path.stat().st_size for path in files)
    print(f"{len(files)} files, {size / 1e6:.0f} MB, {os.cpu_count()} cores")
    samples: list[dict[str, float]] = []
    with mirror(files) as url:
        for number in range(given.rounds):
            with tempfile.TemporaryDirectory(prefix="bench-wheelhouse-", dir=given.scratch) as one:
                samples.append(measure(url, Path(one), pip_first=number % 2 == 0))
            print("  " + "  ".join(f"{name} {value:.2f}" for name, value in samples[-1].items()))
    usual = {name: statistics.median(sample[name] for sample in samples) for name in samples[0]}
    worst = {name: max(sample[name] for sample in samples) for name in samples[0]}
    ratio = statistics.median(sample["cold"] / sample["pip"] for sample in samples)
    judge("cold, times pip's two downloads", ratio, COLD)
    judge("warm, seconds", usual["warm"], WARM)
    judge("memory of the index, MiB", worst["index_mib"], MEMORY)
    print(f"  memory of a process that fuses: {worst['fuse_mib']:.0f} MiB")
    if given.json:
        given.json.write_text(json.dumps(samples, indent=1) + "\n")
    return 0


def judge(what: str, value: float, goal: float) -> None:
    """Print a figure beside its goal."""
    print(f"  {what}: {value:.2f} (goal {goal:g}: {'met' if value <= goal else 'missed'})")


def cache_folder() -> Path:
    """Return where the mirror's files are kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "fatwheel" / "index-bench"


def download(folder: Path) -> list[Path]:
    """Return the tree's files for both architectures, each once; those that are missing come from PyPI."""
    found: dict[str, Path] = {}
    for arch in ARCHS:
        place = folder / f"files-{arch}"
        complete = place / ".complete"
        if not complete.is_file() or complete.read_bytes() != PINS.read_bytes():
            shutil.rmtree(place, ignore_errors=True)
            print(f"downloading the tree for {arch} …", flush=True)
            subprocess.run([*pip(arch, place), "--no-deps", "-q", "-r", PINS], check=True)
            complete.write_bytes(PINS.read_bytes())
        found |= {path.name: path for path in sorted(place.glob("*.whl"))}
    if (size := sum(path.stat().st_size for path in found.values())) > LARGEST:
        raise SystemExit(f"{folder} has {size >> 20} MiB, more than {LARGEST >> 20}")
    return list(found.values())


def pip(arch: str, folder: Path) -> list[str | Path]:
    """Return the command that downloads one architecture's files, the requirements left out."""
    platforms = [
        f"--platform=macosx_{MACOS.replace('.', '_')}_{kind}" for kind in ("universal2", arch)
    ]
    options = [
        "--only-binary=:all:",
        "--progress-bar=off",
        f"--python-version={PYTHON}",
        *platforms,
    ]
    return [sys.executable, "-I", "-m", "pip", "download", *options, "-d", folder]


def measure(url: str, scratch: Path, *, pip_first: bool) -> dict[str, float]:
    """Return the seconds and MiB of one round; the order changes with the rounds."""
    parts = [_pip, _house] if pip_first else [_house, _pip]
    found: dict[str, float] = {}
    for part in parts:
        found |= part(url, scratch)
    return found


def _pip(url: str, scratch: Path) -> dict[str, float]:
    started = time.perf_counter()
    for arch in ARCHS:
        command = [
            *pip(arch, scratch / arch),
            "-r",
            ROOTS,
            "--no-cache-dir",
            "-q",
            "--index-url",
            url,
        ]
        run(command, scratch)
    return {"pip": time.perf_counter() - started}


def _house(url: str, scratch: Path) -> dict[str, float]:
    options: list[str | Path] = [
        "--python",
        PYTHON,
        "--macos",
        MACOS,
        "-q",
        "--cache",
        scratch / "cache",
        "--rule",
        RULE,
    ]
    command: list[str | Path] = [sys.executable, "-I", "-m", "fatwheel", "wheelhouse", "-r", ROOTS]
    command += [*options, "--upstream", url, "-o", scratch / "wheelhouse"]
    found: dict[str, float] = {}
    peaks: dict[str, float] = {}
    for name in ("cold", "warm"):
        started = time.perf_counter()
        peaks |= {
            kind: max(mib, peaks.get(kind, 0.0)) for kind, mib in run(command, scratch).items()
        }
        found[name] = time.perf_counter() - started
    return found | peaks


def run(command: Sequence[str | Path], scratch: Path) -> Mapping[str, float]:
    """Run a program to its end; return the most memory, in MiB, of itself and of a process that it forked."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("PIP_", "UV_", "PYTHON"))}
    env = {**kept, "UV_CACHE_DIR": str(scratch / "uv"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=scratch,
        )
        with memory_of(process.pid) as peaks:
            process.wait()
        if process.returncode:
            output.seek(0)
            text = output.read().decode("utf-8", "replace")
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{text[-3000:]}")
    return peaks


@contextlib.contextmanager
def memory_of(pid: int) -> Iterator[dict[str, float]]:
    """Yield what is filled, until the block ends, with the peaks of a process and of the worst of its children."""
    peaks = {"index_mib": 0.0, "fuse_mib": 0.0}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            peaks["index_mib"] = max(peaks["index_mib"], peak(pid))
            for child in children(pid):
                peaks["fuse_mib"] = max(peaks["fuse_mib"], peak(child))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        ended.set()
        thread.join()


def peak(pid: int) -> float:
    """Return the most memory that a process held so far, in MiB; 0 where it has ended (Linux only)."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def children(pid: int) -> list[int]:
    """Return the Python processes that a process started, and those that they started (uv is not ours)."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(word) for word in (task / "children").read_text().split()]
    with contextlib.suppress(OSError):
        found = [one for one in found if "python" in Path(f"/proc/{one}/cmdline").read_text()[:200]]
    return found + [grandchild for child in found for grandchild in children(child)]


if __name__ == "__main__":
    sys.exit(main())
