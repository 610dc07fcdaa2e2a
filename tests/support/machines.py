"""Machines whose tools are pretended: files under a folder, and a runner that knows what programs would say."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.toolchain.host import Host, MissingToolsError
from fatwheel.toolchain.lookup import Toolchain, inspect_toolchain
from tests.support.fake_runner import FakeRunner, says

LINUX_RUST = "x86_64-unknown-linux-gnu"
# As Apple's SDKs have it, without what nobody reads here.
SDK_SETTINGS = {
    "Version": "14.5",
    "SupportedTargets": {
        "macosx": {"MinimumDeploymentTarget": "10.13", "MaximumDeploymentTarget": "14.5.99"}
    },
}


@dataclass
class Machine:
    """A machine under a folder, with nothing on it; its methods put tools there."""

    folder: Path
    platform: str = "linux"
    environ: dict[str, str] = field(default_factory=dict)
    runner: FakeRunner = field(default_factory=FakeRunner)
    ziglang: Path | None = None
    sysroot: Path = Path()
    """The folder of Rust's libraries, once it is installed."""

    def __post_init__(self) -> None:
        self.path.mkdir(parents=True)
        self.environ["PATH"] = str(self.path)

    @property
    def path(self) -> Path:
        """The one folder on PATH."""
        return self.folder / "bin"

    @property
    def host(self) -> Host:
        return Host(
            platform=self.platform,
            environ=self.environ,
            python="/venv/bin/python",
            ziglang=self.ziglang,
            cache=self.folder / "cache",
        )

    def file(self, path: Path, text: str = "") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def program(self, path: Path) -> Path:
        self.file(path, "#!/bin/sh\n").chmod(0o755)
        return path

    def maturin(self) -> None:
        self.runner.answers["python -I -m maturin --version"] = says("maturin 1.16.0\n")

    def rust(self, host: str, *archs: Arch) -> None:
        """Install Rust by rustup, for `host` and with the libraries for these of Apple's targets."""
        self.sysroot = self.folder / "toolchains" / f"stable-{host}"
        for arch in archs:
            self.file(self.library(arch))
        self.program(self.path / "rustup")
        self.runner.answers |= {
            "cargo --version": says("cargo 1.95.0 (f2d3ce0bd 2026-03-21)\n"),
            "rustc -vV": says(
                f"rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: {host}\n"
            ),
            "rustc --print sysroot": says(f"{self.sysroot}\n"),
        }

    def library(self, arch: Arch) -> Path:
        return self.sysroot / "lib" / "rustlib" / arch.rust_target / "lib" / "libstd-1a2b.rlib"

    def rust_tool(self, name: str) -> Path:
        """The path of a program that comes with Rust for Linux."""
        return self.sysroot / "lib" / "rustlib" / LINUX_RUST / "bin" / name

    def zig(self) -> None:
        """Install PyPI's ziglang."""
        self.ziglang = self.program(self.zig_program).parent
        self.file(self.stub, "--- !tapi-tbd\ntargets: [ x86_64-macos, arm64e-macos ]\n")
        self.runner.answers["zig version"] = says("0.17.1\n")

    @property
    def zig_program(self) -> Path:
        """The program of PyPI's ziglang."""
        return self.folder / "ziglang" / "zig"

    @property
    def stub(self) -> Path:
        """zig's stub of libSystem."""
        return self.folder / "ziglang" / "lib" / "libc" / "darwin" / "libSystem.tbd"

    def sdk(self, settings: object = SDK_SETTINGS) -> Path:
        """Make an SDK; `settings` None leaves its description out."""
        root = self.folder / "MacOSX.sdk"
        root.mkdir()
        if settings is not None:
            (root / "SDKSettings.json").write_text(json.dumps(settings))
        return root

    def xcode(self, version: str = "14.5") -> None:
        """Be a Mac with Apple's command line tools."""
        self.platform = "darwin"
        self.runner.answers |= {
            "xcrun --sdk macosx --show-sdk-path": says(f"{self.sdk()}\n"),
            "xcrun --sdk macosx --show-sdk-version": says(f"{version}\n"),
        }
        self.program(self.path / "lipo")
        self.program(self.path / "codesign")

    def look(self, linker: str = "auto") -> Toolchain:
        """Return what a build in the machine's folder finds."""
        return inspect_toolchain(self.host, self.folder, linker, self.runner)

    def missing(self, linker: str = "auto") -> list[str]:
        """Return what such a build misses: what, and how it is had."""
        with pytest.raises(MissingToolsError) as caught:
            self.look(linker)
        for item in caught.value.missing:
            assert item.what in str(caught.value)
            assert item.how in str(caught.value)
        return [f"{item.what} | {item.how}" for item in caught.value.missing]


def complete_linux(folder: Path) -> Machine:
    """A Linux machine that has everything; tests take things away."""
    machine = Machine(folder)
    machine.maturin()
    machine.rust(LINUX_RUST, *Arch)
    machine.program(machine.rust_tool("rust-lld"))
    machine.program(machine.rust_tool("rust-objcopy"))
    machine.zig()
    return machine
