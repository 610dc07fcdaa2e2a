"""The tools on this machine, each asked what it is; nothing is demanded of it.

`lookup` is about one build and refuses what is missing; here everything is looked at and told, by the same searches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from fatwheel.arch import Arch
from fatwheel.process import Runner
from fatwheel.toolchain.host import Host, Look, Missing, MissingToolsError
from fatwheel.toolchain.linker import find_lld
from fatwheel.toolchain.lookup import inspect_toolchain
from fatwheel.toolchain.rust import Rust, ask_cargo, find_rust
from fatwheel.toolchain.sdk import Sdk, read_sdk, xcode_root
from fatwheel.toolchain.zig import find_zig
from fatwheel.values import valueclass

__all__ = ["Readiness", "Tool", "check_readiness", "look_at_tools"]

_COMPILING = "compiling Rust; fusing needs no compiler"
_HARDWARE = "running the x86_64 half of a wheel on this machine"


@valueclass
class Tool:
    """One tool: what was found (a version, a path), and "" where it is missing.

    `needed_for` completes the sentence "It is needed for …"; it is "" where nothing on this machine needs it.
    """

    name: str
    found: str
    needed_for: str

    @property
    def is_missed(self) -> bool:
        """Whether it is missing and of use here."""
        return not self.found and bool(self.needed_for)


@valueclass
class Readiness:
    """Whether `fatwheel build` can build here: with which linker, or what it misses.

    `linker` is "lld", "zig" or "system", and "" where something is missing; `note` is a sentence about it.
    """

    linker: str
    note: str = ""
    missing: tuple[Missing, ...] = ()


def check_readiness(host: Host, project: Path, linker: str, runner: Runner) -> Readiness:
    """Return what a build in the folder `project` would find; `linker` is as for `inspect_toolchain`."""
    with TemporaryDirectory(prefix="fatwheel-") as cache:
        looking = replace(host, cache=Path(cache))  # a look leaves nothing behind
        try:
            found = inspect_toolchain(looking, project, linker, runner).linker
        except MissingToolsError as error:
            return Readiness(linker="", missing=error.missing)
    return Readiness(linker=found.kind, note=found.note)


def look_at_tools(
    host: Host, project: Path, runner: Runner, *, apple_silicon: bool
) -> tuple[Tool, ...]:
    """Return all tools that fatwheel can make use of, as they are found from the folder `project`.

    `apple_silicon` says that the machine itself is an arm64 Mac, whatever runs translated on it.
    """
    look = Look(host=host, project=project, runner=runner)
    rust = find_rust(look)
    tools = [
        *_builders(look, rust),
        *_rust_targets(rust),
        *_linkers(look, rust),
        _sdk(look),
        *_apples(look),
    ]
    return (*tools, _rosetta(look)) if apple_silicon else tuple(tools)


def _builders(look: Look, rust: Rust | None) -> Iterator[Tool]:
    yield Tool(
        name="maturin",
        found=look.answer(*look.host.maturin_words, "--version").removeprefix("maturin "),
        needed_for="fatwheel build, fatwheel develop and the build backend",
    )
    yield Tool(name="cargo", found=_version(ask_cargo(look)), needed_for=_COMPILING)
    found = f"{_version(rust.version)}, host {rust.host}" if rust else ""
    yield Tool(name="rustc", found=found, needed_for=_COMPILING)


def _rust_targets(rust: Rust | None) -> Iterator[Tool]:
    for arch in (Arch.ARM64, Arch.X86_64):
        there = rust is not None and rust.has_target(arch)
        yield Tool(
            name=arch.rust_target,
            found="Rust's standard library is installed" if there else "",
            needed_for=f"{arch.value} and universal2 wheels",
        )


def _linkers(look: Look, rust: Rust | None) -> Iterator[Tool]:
    away = not look.host.is_macos
    with_shell = away and look.host.platform != "win32"
    zig = find_zig(look)
    version = look.answer(str(zig), "version") if zig else ""
    builds = "builds from this system: it compiles C and brings libSystem's stub"
    yield Tool(
        name="zig",
        found=f"{version}, {zig}" if version else "",
        needed_for=builds if away else "",
    )
    exports = "modules that export what they should only; else zig links"
    yield Tool(
        name="lld",
        found=(find_lld(look, rust) or [""])[0],
        needed_for=exports if with_shell else "",
    )


def _sdk(look: Look) -> Tool:
    if look.host.is_macos:
        root = xcode_root(look)
        needed_for = "linking; it comes with Apple's command line tools (xcode-select --install)"
    else:
        root = look.host.environ.get("SDKROOT", "")
        needed_for = "libraries and frameworks that fatwheel has no stub of (set SDKROOT)"
    sdk = read_sdk(root) if root else None
    return Tool(name="macOS SDK", found=_sdk_text(sdk) if sdk else "", needed_for=needed_for)


def _sdk_text(sdk: Sdk) -> str:
    ends = sdk.lowest and sdk.highest
    between = f", deployment targets {sdk.lowest} to {sdk.highest}" if ends else ""
    return f"{sdk.version}{between}, {sdk.root}"


def _apples(look: Look) -> Iterator[Tool]:
    uses = {
        "lipo": "--engine delocate; fatwheel fuse and fatwheel lipo do without",
        "codesign": "--engine and --repair delocate, which sign anew",
    }
    for name, needed_for in uses.items():
        found = str(look.which(name) or "")
        yield Tool(name=name, found=found, needed_for=needed_for if look.host.is_macos else "")


def _rosetta(look: Look) -> Tool:
    works = look.ask("/usr/bin/arch", "-x86_64", "/usr/bin/true")
    return Tool(
        name="Rosetta 2",
        found="" if works is None else "installed",
        needed_for=f"{_HARDWARE} (softwareupdate --install-rosetta)",
    )


def _version(said: str) -> str:
    """Return the version in `cargo 1.95.0 (f2d3ce0bd 2026-03-21)`."""
    words = said.split()
    return words[1] if len(words) > 1 else ""
