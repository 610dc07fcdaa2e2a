"""Machines to build on that are only pretended, and what their Pythons say of themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.targets.decision import PythonFacts
from fatwheel.toolchain.lookup import Host, MissingToolsError, Toolchain, inspect_toolchain
from tests.support.fake_runner import FakeRunner, says

RUST_HOST = "x86_64-unknown-linux-gnu"
STUB = "--- !tapi-tbd\ntbd-version: 4\ntargets: [ x86_64-macos, arm64e-macos ]\n"


class Machine:
    """A Linux machine that has everything, under a folder; tests take things away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sysroot = folder / "toolchains" / "stable-x86_64-unknown-linux-gnu"
        self.tools = self.sysroot / "lib" / "rustlib" / RUST_HOST / "bin"
        for arch in Arch:
            self.file(self.library(arch))
        self.program(self.tools / "rust-objcopy")
        self.lld = self.program(self.tools / "rust-lld")
        self.ziglang = folder / "ziglang"
        self.zig = self.program(self.ziglang / "zig")
        self.stub = self.ziglang / "lib" / "libc" / "darwin" / "libSystem.tbd"
        self.file(self.stub, STUB)
        self.path = folder / "bin"
        self.path.mkdir()
        self.program(self.path / "rustup")
        self.runner = FakeRunner(
            {
                "python -m maturin --version": says("maturin 1.16.0\n"),
                "cargo --version": says("cargo 1.95.0\n"),
                "rustc -vV": says(f"rustc 1.95.0 (x)\nbinary: rustc\nhost: {RUST_HOST}\n"),
                "rustc --print sysroot": says(f"{self.sysroot}\n"),
            }
        )
        self.host = Host(
            platform="linux",
            environ={"PATH": str(self.path)},
            python="/venv/bin/python",
            ziglang=self.ziglang,
            cache=folder / "cache",
        )

    def file(self, path: Path, text: str = "") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def program(self, path: Path) -> Path:
        self.file(path, "#!/bin/sh\n").chmod(0o755)
        return path

    def library(self, arch: Arch) -> Path:
        return self.sysroot / "lib" / "rustlib" / arch.rust_target / "lib" / "libstd-1a2b.rlib"

    def look(self, linker: str = "auto") -> Toolchain:
        return inspect_toolchain(self.host, self.folder, linker, self.runner)

    def missing(self, linker: str = "auto") -> list[str]:
        with pytest.raises(MissingToolsError) as caught:
            self.look(linker)
        for item in caught.value.missing:
            assert item.what in str(caught.value)
            assert item.how in str(caught.value)
        return [f"{item.what} | {item.how}" for item in caught.value.missing]

    def put_on_macos(self, version: str) -> None:
        self.host = replace(self.host, platform="darwin")
        self.runner.answers |= {
            "xcrun --sdk macosx --show-sdk-path": says("/Xcode/MacOSX.sdk\n"),
            "xcrun --sdk macosx --show-sdk-version": says(f"{version}\n"),
        }


LINUX = PythonFacts(
    system="linux",
    platform="linux-x86_64",
    machine="x86_64",
    executable="/venv/bin/python",
    version="3.12.4",
)
MAC = PythonFacts(
    system="darwin",
    platform="macosx-11.0-universal2",
    machine="arm64",
    slices=frozenset(Arch),
    executable="/venv/bin/python",
    version="3.12.4",
)
