"""Which linker a build gets: Apple's on macOS; elsewhere LLVM's behind fatwheel's C driver, zig, or the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.toolchain.cc import LinkSettings, wrapper_environment, write_wrapper
from fatwheel.toolchain.host import Look, Missing, Search
from fatwheel.toolchain.probes import cmake_variables
from fatwheel.toolchain.rust import Rust, cargo_variable
from fatwheel.toolchain.sdk import Sdk, need_named_sdk, need_xcode_sdk
from fatwheel.toolchain.stubs import make_stub_sdk
from fatwheel.toolchain.zig import libsystem_stub, need_zig, zig_variables
from fatwheel.values import valueclass

__all__ = ["Linker", "choose_linker", "find_lld"]


@valueclass
class Linker:
    """The linker of a build: "lld", "zig" or "system"; `zig` says that maturin sets zig up, too.

    `variables` are the environment variables that choose it, by architecture. `note` is a sentence where it
    is not the best that could be had.
    """

    kind: str
    zig: bool = False
    variables: Mapping[Arch, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    note: str = ""


def choose_linker(
    look: Look, wanted: str, rust: Rust | None, archs: Sequence[Arch]
) -> Search[Linker | None]:
    """Choose the linker for `archs`; None where what it needs is missing.

    `wanted` is "auto", "lld", "zig" or "system". auto is Apple's on macOS. Elsewhere it is the user's own where the
    environment names one for each target, else LLVM's, else zig.
    """
    sdk: Sdk | None
    if look.host.is_macos:
        sdk = yield from need_xcode_sdk(look)
        own = wanted in ("auto", "system")
    else:
        sdk = yield from need_named_sdk(look)
        own = wanted == "system" or (wanted == "auto" and _is_set_up(look, archs))
    if own:
        return Linker(kind="system")
    zig = yield from need_zig(look)
    if wanted == "zig" or look.host.platform == "win32":
        if wanted == "lld":
            yield Missing(
                what="a shell for the linker's wrapper", how="use --linker zig on Windows"
            )
        return _zig_linker(look, zig)
    lld = find_lld(look, rust)
    if lld is not None:
        return (yield from _lld_linker(look, lld, zig, sdk))
    if wanted == "auto":
        note = "LLVM's Mach-O linker was not found, so zig links; modules are larger that way"
        return _zig_linker(look, zig, note)
    yield Missing(
        what="LLVM's Mach-O linker (rust-lld or ld64.lld)",
        how="take a Rust toolchain from rustup, or: apt-get install lld-19",
    )
    return None


def _is_set_up(look: Look, archs: Sequence[Arch]) -> bool:
    """Return whether the user has set up a cross linker, as for osxcross."""
    return all(cargo_variable(arch, "LINKER") in look.host.environ for arch in archs)


def _zig_linker(look: Look, zig: Path | None, note: str = "") -> Linker | None:
    if zig is None:
        return None
    sdk = look.host.environ.get("SDKROOT") or str(look.host.cache / "nothing")
    shared = zig_variables(zig, look.host.cache)
    variables = {arch: (*shared, *_cmake(look, arch, sdk)) for arch in Arch}
    return Linker(kind="zig", zig=True, variables=variables, note=note)


def _cmake(look: Look, arch: Arch, root: str) -> tuple[tuple[str, str], ...]:
    """Keep the crate cmake from the libraries of this machine, where there is a cmake and a shell."""
    if look.which("cmake") is None or look.host.platform in {"darwin", "win32"}:
        return ()
    return cmake_variables(arch, look.host.environ, look.host.cache, root)


def find_lld(look: Look, rust: Rust | None) -> tuple[str, ...] | None:
    """Return the words that start LLVM's linker for Mach-O: rustc's own, else one on PATH."""
    own = rust and rust.tools / "rust-lld"
    if own and own.exists():
        return (str(own), "-flavor", "darwin")
    lld = look.which("ld64.lld", *(f"ld64.lld-{version}" for version in range(30, 14, -1)))
    if lld is not None:
        return (str(lld),)
    lld = look.which("rust-lld")
    return None if lld is None else (str(lld), "-flavor", "darwin")


def _lld_linker(
    look: Look, lld: tuple[str, ...], zig: Path | None, sdk: Sdk | None
) -> Search[Linker | None]:
    if zig is None:
        return None
    stubs = ""
    if sdk is None:
        libsystem = yield from libsystem_stub(look, zig)
        if libsystem is None:
            return None
        stubs = str(make_stub_sdk(libsystem, look.host.cache))
    root = sdk.root if sdk else stubs
    settings = LinkSettings(
        lld=lld,
        stubs=stubs,
        sdk=sdk.root if sdk else None,
        sdk_version=sdk.version if sdk else None,
    )
    shared = (
        *zig_variables(zig, look.host.cache),
        *wrapper_environment(settings, look.host.python).items(),
        # Without it, rustc warns in every run that it found no Xcode.
        ("SDKROOT", root),
    )
    wrapper = str(write_wrapper(look.host.cache))
    variables = {
        arch: (*shared, (cargo_variable(arch, "LINKER"), wrapper), *_cmake(look, arch, root))
        for arch in Arch
    }
    return Linker(kind="lld", zig=True, variables=variables)
