"""Rust as a build needs it: cargo, the compiler, its libraries for Apple's targets, and rust-objcopy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.toolchain.host import Look, Missing, Search
from fatwheel.values import valueclass

__all__ = ["Rust", "ask_cargo", "cargo_variable", "find_rust", "need_rust"]

_HOW = "install Rust from https://rustup.rs, or Debian's with fatwheel's scripts/apple-targets"


@valueclass
class Rust:
    """The compiler: its first line about itself, the target that it runs on, and the folder of its libraries."""

    version: str
    host: str
    sysroot: Path

    @property
    def tools(self) -> Path:
        """The folder of the programs that come with it (rust-lld, rust-objcopy)."""
        return self._of(self.host) / "bin"

    def has_target(self, arch: Arch) -> bool:
        """Whether the standard library for Apple's target is installed."""
        return any((self._of(arch.rust_target) / "lib").glob("libstd-*.rlib"))

    def _of(self, target: str) -> Path:
        return self.sysroot / "lib" / "rustlib" / target


def cargo_variable(arch: Arch, setting: str) -> str:
    """Return the environment variable of a setting that cargo has for each target, such as LINKER or RUSTFLAGS."""
    return f"CARGO_TARGET_{arch.rust_target.upper().replace('-', '_')}_{setting}"


def ask_cargo(look: Look) -> str:
    """Return what cargo says of its version, "" where there is none; the variable CARGO names another."""
    return look.answer(look.host.environ.get("CARGO", "cargo"), "--version")


def find_rust(look: Look) -> Rust | None:
    """Return the compiler, which the variable RUSTC may name; None where it is missing or says too little."""
    rustc = look.host.environ.get("RUSTC", "rustc")
    version = look.answer(rustc, "-vV")
    sysroot = look.answer(rustc, "--print", "sysroot")
    host = re.search(r"^host: (\S+)$", version, re.MULTILINE)
    if host is None or not sysroot:
        return None
    return Rust(version=version.splitlines()[0], host=host[1], sysroot=Path(sysroot))


def need_rust(look: Look, archs: Sequence[Arch]) -> Search[Rust | None]:
    """Look for all that compiling for `archs` takes."""
    if not ask_cargo(look):
        yield Missing(what="cargo", how=_HOW)
    rust = find_rust(look)
    if rust is None:
        yield Missing(what="rustc", how=_HOW)
        return None
    by_rustup = "toolchains" in rust.sysroot.parts and look.which("rustup") is not None
    yield from _targets(rust, archs, by_rustup=by_rustup)
    if not look.host.is_macos:
        yield from _objcopy(rust, look, by_rustup=by_rustup)
    return rust


def _targets(rust: Rust, archs: Sequence[Arch], *, by_rustup: bool) -> Iterator[Missing]:
    lacking = [arch.rust_target for arch in archs if not rust.has_target(arch)]
    if not lacking:
        return
    if by_rustup:
        how = f"rustup target add --toolchain {rust.sysroot.name} {' '.join(lacking)}"
    else:
        how = (
            'eval "$(scripts/apple-targets)", from fatwheel\'s source, compiles them for this rustc'
        )
    yield Missing(what=f"Rust's standard library for {' and '.join(lacking)}", how=how)


def _objcopy(rust: Rust, look: Look, *, by_rustup: bool) -> Iterator[Missing]:
    # rustc strips with it whenever the profile says so, and cargo's release profile does.
    if any(rust.tools.glob("rust-objcopy*")) or look.which("rust-objcopy"):
        return
    debian = "apt-get install rust-web-llvm"
    yield Missing(
        what="rust-objcopy, with which rustc strips what it linked",
        how=f"rustup toolchain install {rust.sysroot.name}" if by_rustup else debian,
    )
