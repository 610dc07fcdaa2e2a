"""The Pythons that modules are loaded into, and the shim compiled for each architecture."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.corpus import ROOT
from tests.support.required import unavailable

PROGRAMS = Path(__file__).parent / "programs"
NATIVE = Path(__file__).parent / "native"
TRAPPED = 70  # the exit code of a process that used what the shim lacks
BOOT = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.machorun.run import main; main()"
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


@dataclass(frozen=True)
class Interpreter:
    """A CPython for Linux: the architecture that it runs as, its version, and how it is started."""

    arch: str
    version: str
    command: tuple[str, ...]

    def run(
        self, program: Path, folders: Sequence[Path], *, native: bool = False, limit: int = 200
    ) -> subprocess.CompletedProcess[str]:
        """Run the program with the macOS modules of the folders; `native`: with Linux modules.

        It may take `limit` seconds, then `subprocess.TimeoutExpired` is raised.
        """
        shim = "-" if native else str(compiled_shim(self.arch))
        words = [*self.command, "-I", "-B", "-c", BOOT, self.arch, shim, str(program)]
        return subprocess.run(
            [*words, *map(str, folders)],
            env={
                "PATH": os.environ["PATH"],
                "LANG": "C.UTF-8",
                "MACHORUN_TEST": "ü",
                "RUST_BACKTRACE": "0",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
        )

    def output(self, program: Path, folders: Sequence[Path], *, native: bool = False) -> str:
        """Return what the program prints; it must succeed."""
        done = self.run(program, folders, native=native)
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout
        return done.stdout


def require_linux() -> None:
    """Skip the test where the machine is another than those that modules can be run on."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        unavailable("Linux on x86_64", "macOS modules are run there alone")


@functools.cache
def pythons() -> dict[str, Interpreter]:
    """Return the machine's Pythons for x86_64 by version: on PATH, or in pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    asks = "import ctypes, sys; print('%d.%d' % sys.version_info[:2])"
    found = {}
    for version in VERSIONS:
        candidates = [f"python{version}", *map(str, sorted(pyenv.glob(f"{version}.*/bin/python3")))]
        if "{}.{}".format(*sys.version_info) == version:
            candidates.insert(0, sys.executable)
        for candidate in candidates:
            if shutil.which(candidate) is None:
                continue
            said = subprocess.run(
                [candidate, "-I", "-c", asks], capture_output=True, text=True, check=False
            )
            if said.stdout.strip() == version:
                found[version] = Interpreter("x86_64", version, (candidate,))
                break
    return found


def require_python(arch: str) -> Interpreter:
    """Return a Python 3.11 that runs as `arch`, which published wheels are taken for."""
    require_linux()
    if arch == "x86_64":
        if "3.11" not in pythons():
            unavailable("Python 3.11", "install it, on PATH or with pyenv")
        return pythons()["3.11"]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fatwheel"
    roots = sorted(caches.glob("arm64-python/bookworm-*/usr/bin/python3.11"))
    qemu = shutil.which("qemu-aarch64-static")
    if not roots or qemu is None:
        unavailable("Debian's Python for arm64 and qemu", "scripts/machorun brings them")
    root = roots[-1].parents[2]
    return Interpreter("arm64", "3.11", (qemu, "-L", str(root), str(roots[-1])))


@functools.cache
def compiled_shim(arch: str) -> Path:
    """Compile the shim for `arch` and return its path; it stays below .cache until its sources change."""
    sources = sorted(NATIVE.glob("*.c"))
    if arch == "x86_64":
        if shutil.which("cc") is None:
            unavailable("a C compiler", "apt-get install gcc libc6-dev")
        compiler = ["cc"]
    else:
        compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-linux-gnu.2.36"]
    options = ["-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
    content = b"".join(path.read_bytes() for path in (*sources, NATIVE / "machorun.h"))
    digest = hashlib.sha256(content + " ".join(options).encode()).hexdigest()[:16]
    shim = ROOT / ".cache" / "machorun" / f"shim-{arch}-{digest}.so"
    if not shim.exists():
        shim.parent.mkdir(parents=True, exist_ok=True)
        part = shim.with_name(f"{shim.name}.{os.getpid()}.part")
        words = [*compiler, *options, "-o", str(part), *map(str, sources), "-lm"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        part.replace(shim)
    return shim
