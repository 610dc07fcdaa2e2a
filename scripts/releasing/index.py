"""A package index on this machine, for `release.py`: what it takes by upload, and what pip gets from it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from packaging.specifiers import InvalidSpecifier, SpecifierSet

__all__ = ["Index", "IndexFailedError", "Wanted", "platforms_to_try"]

_MACOS = re.compile(r"macosx_(\d+)_(\d+)_(x86_64|arm64|universal2|intel)")
_PYTHON = re.compile(r"([a-z]+)(\d)(\d*)")
_FIRST = {"x86_64": (10, 4), "arm64": (11, 0)}  # the first macOS that pip knows for each
_NEWEST = 40  # minor and patch versions of Python to look through
_SECONDS = 30  # to wait for the index to answer
# What installs a wheel for any platform: one of each system.
_ANYWHERE = ("macosx_11_0_arm64", "macosx_10_13_x86_64", "manylinux_2_17_x86_64", "win_amd64")


class IndexFailedError(Exception):
    """The index did not take a file, or pip did not get what it should."""


@dataclass(frozen=True)
class Wanted:
    """One machine that looks for a release: whether the wheel is for it, by the wheel's own tags."""

    wheel: str
    platform: str
    python: str
    abi: str
    picked: bool

    def document(self) -> dict[str, object]:
        """Return it for the manifest."""
        return {
            "wheel": self.wheel,
            "platform": self.platform,
            "python": f"{self.python}-{self.abi}",
            "picked": self.picked,
        }


def platforms_to_try(wheel: str) -> Iterator[Wanted]:
    """Yield the machines to look at a wheel from: for each architecture its oldest macOS, and the one before.

    `wheel` is a file name. A wheel of another system is tried on each platform that its tags name.
    """
    pythons, abis, platforms = (
        part.split(".") for part in wheel.removesuffix(".whl").split("-")[-3:]
    )
    for python in pythons:
        for abi in abis:
            for platform, picked in _machines(platforms):
                yield Wanted(wheel, platform, python, abi, picked)


def _machines(platforms: Sequence[str]) -> Iterator[tuple[str, bool]]:
    floors: dict[str, tuple[int, int]] = {}
    for platform in platforms:
        match = _MACOS.fullmatch(platform)
        if match is None:
            yield from ((name, True) for name in ([platform] if platform != "any" else _ANYWHERE))
            continue
        floor, kind = (int(match[1]), int(match[2])), match[3]
        for arch in {"universal2": ("x86_64", "arm64"), "intel": ("x86_64",)}.get(kind, (kind,)):
            promised = max(floor, _FIRST[arch])
            floors[arch] = min(promised, floors.get(arch, promised))
    for arch, floor in floors.items():
        yield f"macosx_{floor[0]}_{floor[1]}_{arch}", True
        if floor > _FIRST[arch]:
            major, minor = _before(floor)
            yield f"macosx_{major}_{minor}_{arch}", False


def _oldest(major: str, minor: str, abi: str, requires: str) -> str:
    """Return the oldest Python of a wheel's tags that its Requires-Python allows, or just the oldest where none is."""
    first = int(minor or 0)
    # `py3` is every Python 3, and `cp39-abi3` every one from 3.9 on.
    last = _NEWEST if abi == "abi3" or not minor else first
    with contextlib.suppress(InvalidSpecifier):
        allowed = SpecifierSet(requires)
        # With the tags py2.py3, the metadata may have left Python 2 behind.
        for line in [major] if minor else [major, "3"]:
            for number in range(first, last + 1):
                for patch in range(_NEWEST):
                    if allowed.contains(f"{line}.{number}.{patch}"):
                        return f"{line}.{number}.{patch}"
    return f"{major}.{first}"


def _before(floor: tuple[int, int]) -> tuple[int, int]:
    """Return the macOS before `floor`, as platform tags count them."""
    major, minor = floor
    if major == 10:
        return 10, minor - 1
    return (major - 1, 0) if major > 11 else (10, 15)


class Index:
    """A running pypiserver that serves and fills `folder`, reachable from this machine only. A context manager."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder = folder
        self._log = log
        self._server: subprocess.Popen[bytes] | None = None
        self._url = ""

    def __enter__(self) -> Index:
        """Start it, and wait until it answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}/"
        command = [sys.executable, "-m", "pypiserver", "run", "--interface", "127.0.0.1"]
        # No passwords, no files from elsewhere.
        command += [
            "--port",
            str(port),
            "-a",
            ".",
            "-P",
            ".",
            "--disable-fallback",
            str(self._folder),
        ]
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + _SECONDS
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise IndexFailedError(f"pypiserver did not start; {self._log} says why")
            time.sleep(0.05)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        if self._server is not None:
            self._server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(10)
            self._server.kill()
            self._server.wait()

    def _answers(self) -> bool:
        # Past any proxy, which knows nothing of this machine's ports.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self._url}simple/", timeout=5):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def upload(self, files: Sequence[Path]) -> None:
        """Upload the files as to any index. Raises `IndexFailedError`."""
        command = [
            sys.executable,
            "-m",
            "twine",
            "upload",
            "--non-interactive",
            "--disable-progress-bar",
        ]
        command += [
            "--config-file",
            os.devnull,
            "--repository-url",
            self._url,
            "-u",
            "x",
            "-p",
            "x",
        ]
        done = subprocess.run(
            [*command, *map(str, files)], stdout=sys.stderr, env=_environment(), check=False
        )
        if done.returncode:
            raise IndexFailedError(
                f"twine could not upload to the index on this machine (exit code {done.returncode})"
            )

    def try_to_download(
        self, project: str, version: str, wanted: Wanted, requires: str = ""
    ) -> None:
        """Let pip look for the release as on the machine `wanted`.

        `requires` is the wheel's Requires-Python: a wheel for every Python 3, or from one on, is looked for with the
        oldest that it allows. Raises `IndexFailedError` where it gets another file than the tags promise.
        """
        match = _PYTHON.fullmatch(wanted.python)
        if match is None:
            raise IndexFailedError(f"{wanted.wheel}: {wanted.python!r} is no Python tag")
        options = ["--only-binary=:all:", "--no-deps", "--no-cache-dir", "--isolated", "--quiet"]
        options += ["--disable-pip-version-check", "--index-url", f"{self._url}simple/"]
        options += ["--platform", wanted.platform, "--abi", wanted.abi]
        options += ["--python-version", _oldest(match[2], match[3], wanted.abi, requires)]
        if match[1] in {"cp", "pp"}:
            options += ["--implementation", match[1]]
        scratch = Path(tempfile.mkdtemp(dir=self._log.parent, prefix="download-"))
        try:
            done = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "pip",
                    "download",
                    *options,
                    "-d",
                    str(scratch),
                    f"{project}=={version}",
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=_environment(),
                text=True,
                check=False,
            )
            got = sorted(path.name for path in scratch.iterdir())
        finally:
            shutil.rmtree(scratch)
        machine = f"{wanted.platform} with {wanted.python}-{wanted.abi}"
        if done.returncode and "No matching distribution found" not in done.stdout:
            raise IndexFailedError(f"pip failed for {machine}: {done.stdout.strip()}")
        if wanted.picked and got != [wanted.wheel]:
            what = got[0] if got else "nothing"
            raise IndexFailedError(f"pip gets {what} for {machine}, and {wanted.wheel} promises it")
        if not wanted.picked and wanted.wheel in got:
            raise IndexFailedError(
                f"pip gets {wanted.wheel} for {machine}, which it does not promise"
            )


def _environment() -> dict[str, str]:
    """Return this environment without what would lead twine or pip elsewhere."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "TWINE_"))}
    return {**kept, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "PIP_CONFIG_FILE": os.devnull}
