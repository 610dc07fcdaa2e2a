"""Real crates, really built: the fixture projects, and what has to be on the machine for them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import lief

from tests.support.corpus import ROOT
from tests.support.required import require_tool, unavailable

PROJECTS = ROOT / "fixtures" / "projects"
TARGETS = {"x86_64": "x86_64-apple-darwin", "arm64": "aarch64-apple-darwin"}
_CPU = {"x86_64": lief.MachO.Header.CPU_TYPE.X86_64, "arm64": lief.MachO.Header.CPU_TYPE.ARM64}
CDYLIB = '[lib]\ncrate-type = ["cdylib"]\n'
FATWHEEL = "import sys; from fatwheel.cli.main import main; main(sys.argv[1:])"


def require_rust() -> None:
    """Skip the test where cargo, an Apple target or zig is missing."""
    rustc = os.environ.get("RUSTC") or require_tool("rustc", "see scripts/apple-targets")
    said = subprocess.run([rustc, "--print", "sysroot"], capture_output=True, text=True, check=True)
    for target in TARGETS.values():
        if not any(Path(said.stdout.strip()).glob(f"lib/rustlib/{target}/lib/libstd-*.rlib")):
            unavailable(f"Rust's library for {target}", "see scripts/apple-targets")
    if importlib.util.find_spec("ziglang") is None:
        unavailable("ziglang", "scripts/setup installs it")


def copy_project(name: str, folder: Path) -> Path:
    """Return a copy of the fixture project in `folder`, to be built there."""
    return Path(shutil.copytree(PROJECTS / name, folder / name))


def target_folder() -> Path:
    """Return the folder for what all builds of this process compile.

    It is not shared between processes: maturin copies each module to one place in it before it packs it.
    """
    return ROOT / ".cache" / "cargo" / os.environ.get("PYTEST_XDIST_WORKER", "alone")


def build_environment(**changes: str) -> dict[str, str]:
    """Return the environment for builds: this one's, with one folder for what all of them compile."""
    traps = ("RUSTFLAGS", "SDKROOT", "MACOSX_DEPLOYMENT_TARGET", "CARGO_BUILD_TARGET")
    environ = {name: value for name, value in os.environ.items() if name not in traps}
    environ["CARGO_TARGET_DIR"] = str(target_folder())
    environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environ["PATH"]])
    return {**environ, **changes}


def run_fatwheel(
    project: Path, *arguments: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run fatwheel in the project's folder."""
    return subprocess.run(
        [sys.executable, "-c", FATWHEEL, *arguments],
        cwd=project,
        env=build_environment(**{"TMPDIR": str(project.parent), **environ}),
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass(frozen=True)
class BuiltWheel:
    """A wheel that a build made."""

    path: Path

    def names(self) -> list[str]:
        """The members, sorted."""
        with zipfile.ZipFile(self.path) as archive:
            assert archive.testzip() is None
            return sorted(archive.namelist())

    def read(self, suffix: str) -> bytes:
        """The content of the one member whose name ends in `suffix`."""
        with zipfile.ZipFile(self.path) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith(suffix)]
            return archive.read(name)

    def binary(self) -> bytes:
        """The content of the one Mach-O member."""
        with zipfile.ZipFile(self.path) as archive:
            members = [archive.read(name) for name in archive.namelist()]
        (found,) = [
            data for data in members if data[:4] in (b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe")
        ]
        return found

    def slices(self, folder: Path) -> dict[str, bytes]:
        """The bytes of both slices, taken apart by LLVM's lipo."""
        lipo = require_tool("llvm-lipo-19", "apt-get install llvm-19")
        (folder / "fat").write_bytes(self.binary())
        for arch in TARGETS:
            command = [lipo, str(folder / "fat"), "-thin", arch, "-output", str(folder / arch)]
            subprocess.run(command, check=True)
        said = subprocess.run(
            [lipo, str(folder / "fat"), "-archs"], capture_output=True, text=True, check=True
        )
        assert said.stdout.split() == ["x86_64", "arm64"]
        return {arch: (folder / arch).read_bytes() for arch in TARGETS}

    def images(self) -> dict[str, lief.MachO.Binary]:
        """Both slices as LIEF reads them."""
        fat = lief.MachO.parse(list(self.binary()))
        assert fat is not None
        found = {arch: fat.take(cpu) for arch, cpu in _CPU.items()}
        return {arch: image for arch, image in found.items() if image is not None}
