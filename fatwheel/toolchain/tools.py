"""The tools on this machine, each asked what it is; nothing is demanded of it.

`fatwheel.toolchain.lookup` is about one build and refuses what is missing; here everything is looked at and told.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from fatwheel.arch import Arch
from fatwheel.process import Completed, Runner, ask
from fatwheel.toolchain.lookup import Host, Missing, MissingToolsError, inspect_toolchain
from fatwheel.values import valueclass

__all__ = ["Readiness", "Tool", "check_readiness", "look_at_tools"]

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
        looking = Host(
            platform=host.platform,
            environ=host.environ,
            python=host.python,
            ziglang=host.ziglang,
            cache=Path(cache),  # a look leaves nothing behind
        )
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
    look = _Look(host=host, project=project, runner=runner)
    tools = [*look.builders(), *look.rust_targets(), *look.linkers(), look.sdk(), *look.apples()]
    if apple_silicon:
        tools.append(look.rosetta())
    return tuple(tools)


@valueclass
class _Look:
    host: Host
    project: Path
    runner: Runner

    def ask(self, program: str, *arguments: str) -> str:
        """Return what a program prints, or "" where it is missing or fails."""
        said = self._ask(program, *arguments)
        return "" if said is None else said.stdout.strip()

    def _ask(self, program: str, *arguments: str) -> Completed | None:
        return ask(self.runner, program, *arguments, env=self.host.environ, cwd=self.project)

    def which(self, *programs: str) -> str:
        """Return the path of the first of these that is on PATH, or ""."""
        path = self.host.environ.get("PATH", "")
        return next((found for name in programs if (found := shutil.which(name, path=path))), "")

    def builders(self) -> Iterator[Tool]:
        maturin = self.ask(self.host.python, "-m", "maturin", "--version")
        yield Tool(
            name="maturin",
            found=maturin.removeprefix("maturin "),
            needed_for="fatwheel build, fatwheel develop and the build backend",
        )
        cargo = self.ask(self.host.environ.get("CARGO", "cargo"), "--version")
        yield Tool(
            name="cargo",
            found=_version(cargo),
            needed_for="compiling Rust; fusing needs no compiler",
        )
        rustc = self.ask(self.rustc, "-vV")
        host = _rust_host(rustc)
        yield Tool(
            name="rustc",
            found=f"{_version(rustc)}, host {host}" if host else "",
            needed_for="compiling Rust; fusing needs no compiler",
        )

    @property
    def rustc(self) -> str:
        return self.host.environ.get("RUSTC", "rustc")

    def rust_targets(self) -> Iterator[Tool]:
        sysroot = self.ask(self.rustc, "--print", "sysroot")
        for arch in (Arch.ARM64, Arch.X86_64):
            libraries = Path(sysroot) / "lib" / "rustlib" / arch.rust_target / "lib"
            there = bool(sysroot) and any(libraries.glob("libstd-*.rlib"))
            yield Tool(
                name=arch.rust_target,
                found="Rust's standard library is installed" if there else "",
                needed_for=f"{arch.value} and universal2 wheels",
            )

    def linkers(self) -> Iterator[Tool]:
        away = not self.host.is_macos
        zig = next((path for path in self._zigs() if Path(path).is_file()), "")
        version = self.ask(zig, "version") if zig else ""
        yield Tool(
            name="zig",
            found=f"{version}, {zig}" if version else "",
            needed_for="builds from this system: it compiles C and brings libSystem's stub"
            if away
            else "",
        )
        with_shell = away and self.host.platform != "win32"
        yield Tool(
            name="lld",
            found=self._lld(),
            needed_for="modules that export what they should only; else zig links"
            if with_shell
            else "",
        )

    def _zigs(self) -> Iterator[str]:
        """Yield where a build looks for zig."""
        yield self.host.environ.get("CARGO_ZIGBUILD_ZIG_PATH", "")
        if self.host.ziglang is not None:
            yield str(self.host.ziglang / ("zig.exe" if self.host.platform == "win32" else "zig"))
        yield self.which("zig")

    def _lld(self) -> str:
        """Return the path of LLVM's linker for Mach-O: rustc's own, else one on PATH."""
        host = _rust_host(self.ask(self.rustc, "-vV"))
        sysroot = self.ask(self.rustc, "--print", "sysroot")
        own = Path(sysroot) / "lib" / "rustlib" / host / "bin" / "rust-lld"
        if host and own.exists():
            return str(own)
        versions = (f"ld64.lld-{number}" for number in range(30, 14, -1))
        return self.which("ld64.lld", *versions, "rust-lld")

    def sdk(self) -> Tool:
        if self.host.is_macos:
            root = self.ask("xcrun", "--sdk", "macosx", "--show-sdk-path")
            needed_for = (
                "linking; it comes with Apple's command line tools (xcode-select --install)"
            )
        else:
            root = self.host.environ.get("SDKROOT", "")
            needed_for = "libraries and frameworks that fatwheel has no stub of (set SDKROOT)"
        return Tool(name="macOS SDK", found=_sdk(Path(root)) if root else "", needed_for=needed_for)

    def apples(self) -> Iterator[Tool]:
        on_macos = self.host.is_macos
        yield Tool(
            name="lipo",
            found=self.which("lipo"),
            needed_for="--engine delocate; fatwheel fuse and fatwheel lipo do without"
            if on_macos
            else "",
        )
        yield Tool(
            name="codesign",
            found=self.which("codesign"),
            needed_for="--engine and --repair delocate, which sign anew" if on_macos else "",
        )

    def rosetta(self) -> Tool:
        works = self._ask("/usr/bin/arch", "-x86_64", "/usr/bin/true")
        return Tool(
            name="Rosetta 2",
            found="" if works is None else "installed",
            needed_for=f"{_HARDWARE} (softwareupdate --install-rosetta)",
        )


def _version(said: str) -> str:
    """Return the version in `cargo 1.95.0 (f2d3ce0bd 2026-03-21)`."""
    words: Sequence[str] = said.split()
    return words[1] if len(words) > 1 else ""


def _rust_host(said: str) -> str:
    """Return rustc's own target out of what `rustc -vV` prints."""
    match = re.search(r"^host: (\S+)$", said, re.MULTILINE)
    return match[1] if match else ""


def _sdk(root: Path) -> str:
    """Return version and deployment range of an SDK as its SDKSettings.json says; "" where it is none."""
    try:
        settings = json.loads((root / "SDKSettings.json").read_text("utf-8"))
        version = str(settings["Version"])
        macos = settings.get("SupportedTargets", {}).get("macosx", {})
        lowest, highest = macos.get("MinimumDeploymentTarget"), macos.get("MaximumDeploymentTarget")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
    between = f", deployment targets {lowest} to {highest}" if lowest and highest else ""
    return f"{version}{between}, {root}"
