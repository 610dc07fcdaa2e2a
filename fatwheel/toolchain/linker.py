"""What a build needs on the machine, looked at before anything is compiled.

Everything that is missing is told at once, each thing with the command that brings it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.errors import ToolError
from fatwheel.process import Completed, Runner, ask
from fatwheel.toolchain.linker import LinkSettings, wrapper_environment, write_wrapper
from fatwheel.toolchain.sdk import make_stub_sdk
from fatwheel.values import valueclass

__all__ = ["Host", "Linker", "Missing", "MissingToolsError", "Toolchain", "inspect_toolchain"]

OLDEST_MATURIN = (1, 9)
_OLDEST_SDK = (11, 0)  # the first that knows arm64


@valueclass
class Host:
    """The machine: `sys.platform`, the environment, and the Python that has maturin.

    `ziglang` is the folder of PyPI's ziglang where that Python has it. `cache` is where stubs are kept. `maturin`
    is the program's path where `python -m maturin` would not find it or would find another.
    """

    platform: str
    environ: Mapping[str, str]
    python: str
    ziglang: Path | None
    cache: Path
    maturin: str | None = None

    @property
    def is_macos(self) -> bool:
        """Whether Apple's own tools are to be expected."""
        return self.platform == "darwin"

    @property
    def maturin_words(self) -> tuple[str, ...]:
        """The words that start maturin."""
        return (self.maturin,) if self.maturin else (self.python, "-m", "maturin")


@valueclass
class Missing:
    """One thing that a build needs and that is not there, and the command or the step that brings it."""

    what: str
    how: str


class MissingToolsError(ToolError):
    """The machine lacks what the build needs; `missing` says what, all of it."""

    def __init__(self, missing: Sequence[Missing]) -> None:
        lines = [f"  {item.what}\n      {item.how}" for item in missing]
        count = "one thing" if len(missing) == 1 else f"{len(missing)} things"
        super().__init__("\n".join([f"to build here, {count} must be installed first:", *lines]))
        self.missing = tuple(missing)


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


@valueclass
class Toolchain:
    """What was found: versions as the programs print them, and the linker."""

    maturin: str
    rustc: str
    sysroot: Path
    linker: Linker


def inspect_toolchain(
    host: Host, project: Path, linker: str, runner: Runner, archs: Sequence[Arch] = tuple(Arch)
) -> Toolchain:
    """Look at the tools as they are in the folder `project` and choose the linker.

    `linker` is "auto", "lld", "zig" or "system"; `archs` are those to build for. Raises `MissingToolsError` that
    lists all that is missing.
    """
    look = _Look(host=host, project=project, runner=runner, archs=tuple(archs))
    maturin = look.maturin()
    rust = look.rust()
    chosen = look.linker(linker, rust)
    if look.missing or rust is None or chosen is None:
        raise MissingToolsError(look.missing)
    return Toolchain(maturin=maturin, rustc=rust.version, sysroot=rust.sysroot, linker=chosen)


@valueclass
class _Rust:
    version: str
    host: str
    sysroot: Path

    def target_folder(self, target: str) -> Path:
        return self.sysroot / "lib" / "rustlib" / target


@valueclass
class _Look:
    """One look at the machine; what is missing is collected."""

    host: Host
    project: Path
    runner: Runner
    archs: tuple[Arch, ...]
    missing: list[Missing] = field(default_factory=list)

    def _lacks(self, what: str, how: str) -> None:
        self.missing.append(Missing(what=what, how=how))

    def _ask(self, program: str, *arguments: str) -> Completed | None:
        """Return what a program says of itself, or None where it is missing or fails."""
        return ask(self.runner, program, *arguments, env=self.host.environ, cwd=self.project)

    def _which(self, program: str) -> str | None:
        return shutil.which(program, path=self.host.environ.get("PATH", ""))

    def maturin(self) -> str:
        """Return maturin's version."""
        wanted = ".".join(map(str, OLDEST_MATURIN))
        how = f"{self.host.python} -m pip install --upgrade 'maturin>={wanted}'"
        said = self._ask(*self.host.maturin_words, "--version")
        match = re.search(r"maturin ([0-9]+)\.([0-9]+)\S*", said.stdout) if said else None
        if match is None:
            self._lacks(f"maturin {wanted} or later", how)
            return ""
        if (int(match[1]), int(match[2])) < OLDEST_MATURIN:
            self._lacks(f"maturin {wanted} or later (found {match[0]})", how)
        return match[0]

    def rust(self) -> _Rust | None:
        """Return the compiler, having looked for cargo, the targets' libraries and rust-objcopy."""
        environ = self.host.environ
        how = (
            "install Rust from https://rustup.rs, or Debian's with fatwheel's scripts/apple-targets"
        )
        if self._ask(environ.get("CARGO", "cargo"), "--version") is None:
            self._lacks("cargo", how)
        rustc = environ.get("RUSTC", "rustc")
        version = self._ask(rustc, "-vV")
        sysroot = self._ask(rustc, "--print", "sysroot")
        host = re.search(r"^host: (\S+)$", version.stdout, re.MULTILINE) if version else None
        if version is None or sysroot is None or host is None:
            self._lacks("rustc", how)
            return None
        folder = Path(sysroot.stdout.strip())
        rust = _Rust(version=version.stdout.splitlines()[0], host=host[1], sysroot=folder)
        self._targets(rust)
        if not self.host.is_macos:
            self._objcopy(rust)
        return rust

    def _by_rustup(self, rust: _Rust) -> bool:
        return "toolchains" in rust.sysroot.parts and self._which("rustup") is not None

    def _targets(self, rust: _Rust) -> None:
        lacking = [
            arch.rust_target
            for arch in self.archs
            if not any((rust.target_folder(arch.rust_target) / "lib").glob("libstd-*.rlib"))
        ]
        if not lacking:
            return
        if self._by_rustup(rust):
            how = f"rustup target add --toolchain {rust.sysroot.name} {' '.join(lacking)}"
        else:
            how = 'eval "$(scripts/apple-targets)", from fatwheel\'s source, compiles them for this rustc'
        self._lacks(f"Rust's standard library for {' and '.join(lacking)}", how)

    def _objcopy(self, rust: _Rust) -> None:
        # rustc strips with it whenever the profile says so, and cargo's release profile does.
        tools = rust.target_folder(rust.host) / "bin"
        if any(tools.glob("rust-objcopy*")) or self._which("rust-objcopy"):
            return
        debian = "apt-get install rust-web-llvm"
        self._lacks(
            "rust-objcopy, with which rustc strips what it linked",
            f"rustup toolchain install {rust.sysroot.name}" if self._by_rustup(rust) else debian,
        )

    def linker(self, wanted: str, rust: _Rust | None) -> Linker | None:
        """Return the linker to use, or None where what it needs is missing."""
        if self.host.is_macos:
            sdk = self._xcode_sdk()
            if wanted in ("auto", "system"):
                return Linker(kind="system")
        else:
            sdk = self._named_sdk()
            if wanted == "system" or (wanted == "auto" and self._has_own_linker()):
                return Linker(kind="system")
        zig = self._zig()
        if wanted == "zig" or self.host.platform == "win32":
            if wanted == "lld":
                self._lacks("a shell for the linker's wrapper", "use --linker zig on Windows")
            return self._zig_linker(zig)
        lld = self._lld(rust)
        if lld is None:
            if wanted == "lld":
                self._lacks(
                    "LLVM's Mach-O linker (rust-lld or ld64.lld)",
                    "take a Rust toolchain from rustup, or: apt-get install lld-19",
                )
                return None
            linker = self._zig_linker(zig)
            note = "LLVM's Mach-O linker was not found, so zig links; modules are larger that way"
            return linker and Linker(kind="zig", zig=True, variables=linker.variables, note=note)
        return self._lld_linker(lld, zig, sdk)

    def _has_own_linker(self) -> bool:
        """Return whether the user has set up a cross linker, as for osxcross."""
        return all(linker_variable(arch) in self.host.environ for arch in self.archs)

    def _xcode_sdk(self) -> tuple[str, str] | None:
        path = self._ask("xcrun", "--sdk", "macosx", "--show-sdk-path")
        version = self._ask("xcrun", "--sdk", "macosx", "--show-sdk-version")
        if path is None or version is None:
            self._lacks("Apple's command line tools with an SDK", "xcode-select --install")
            return None
        if _numbers(version.stdout) < _OLDEST_SDK:
            self._lacks(
                f"a macOS SDK of 11.0 or later (found {version.stdout.strip()}, which has no arm64)",
                "update Xcode or its command line tools, and choose it with xcode-select",
            )
        return path.stdout.strip(), version.stdout.strip()

    def _named_sdk(self) -> tuple[str, str] | None:
        """Return the SDK that SDKROOT names, with its version; it counts only where it is one."""
        root = self.host.environ.get("SDKROOT")
        if not root:
            return None
        how = "set SDKROOT to a folder MacOSX.sdk of version 11.0 or later, or unset it"
        try:
            text = (Path(root) / "SDKSettings.json").read_text("utf-8")
            version = str(json.loads(text)["Version"])
        except (OSError, ValueError, KeyError, TypeError):
            self._lacks(f"a macOS SDK at {root}, which SDKROOT names", how)
            return None
        if _numbers(version) < _OLDEST_SDK:
            self._lacks(f"a macOS SDK that knows arm64 (SDKROOT names {version})", how)
        return root, version

    def _zig(self) -> Path | None:
        """Return the program zig, from PyPI's ziglang or PATH."""
        for path in self._zig_paths():
            if path.is_file():
                return path
        self._lacks(
            "zig, which compiles C and brings libSystem's stub",
            f"{self.host.python} -m pip install ziglang",
        )
        return None

    def _zig_paths(self) -> Iterator[Path]:
        named = self.host.environ.get("CARGO_ZIGBUILD_ZIG_PATH")
        if named:
            yield Path(named)
        if self.host.ziglang is not None:
            yield self.host.ziglang / ("zig.exe" if self.host.platform == "win32" else "zig")
        on_path = self._which("zig")
        if on_path is not None:
            yield Path(on_path).resolve()

    def _zig_linker(self, zig: Path | None) -> Linker | None:
        if zig is None:
            return None
        variables = (("CARGO_ZIGBUILD_ZIG_PATH", str(zig)),)
        return Linker(kind="zig", zig=True, variables=dict.fromkeys(Arch, variables))

    def _lld(self, rust: _Rust | None) -> tuple[str, ...] | None:
        """Return the words that start LLVM's linker for Mach-O: rustc's own, else one on PATH."""
        if rust is not None:
            own = rust.target_folder(rust.host) / "bin" / "rust-lld"
            if own.exists():
                return (str(own), "-flavor", "darwin")
        for name in ("ld64.lld", *(f"ld64.lld-{version}" for version in range(30, 14, -1))):
            path = self._which(name)
            if path is not None:
                return (path,)
        path = self._which("rust-lld")
        return (path, "-flavor", "darwin") if path is not None else None

    def _lld_linker(
        self, lld: tuple[str, ...], zig: Path | None, sdk: tuple[str, str] | None
    ) -> Linker | None:
        stubs = self._stubs(zig) if sdk is None else ""
        if zig is None or stubs is None:
            return None
        settings = LinkSettings(
            lld=lld, stubs=stubs, sdk=sdk and sdk[0], sdk_version=sdk and sdk[1]
        )
        wrapper = str(write_wrapper(self.host.cache))
        shared = (
            ("CARGO_ZIGBUILD_ZIG_PATH", str(zig)),
            *wrapper_environment(settings, self.host.python).items(),
            # Without it, rustc warns in every run that it found no Xcode.
            ("SDKROOT", sdk[0] if sdk else str(stubs)),
        )
        variables = {
            arch: (
                *shared,
                (linker_variable(arch), wrapper),
            )
            for arch in Arch
        }
        return Linker(kind="lld", zig=True, variables=variables)

    def _stubs(self, zig: Path | None) -> str | None:
        if zig is None:
            return None
        try:
            return str(make_stub_sdk(self._libsystem(zig), self.host.cache))
        except FileNotFoundError as error:
            self._lacks(
                f"zig's stub of libSystem ({error.filename})",
                f"{self.host.python} -m pip install --upgrade ziglang",
            )
            return None

    def _libsystem(self, zig: Path) -> str:
        """Return the text of zig's stub; zig says where its files are when they are not beside it."""
        beside = zig.parent / "lib"
        if not beside.is_dir():
            said = self._ask(str(zig), "env")
            match = re.search(r'\.?"?lib_dir"?\s*[:=]\s*"([^"]+)"', said.stdout) if said else None
            beside = Path(match[1]) if match else beside
        return (beside / "libc" / "darwin" / "libSystem.tbd").read_text("utf-8")


def linker_variable(arch: Arch) -> str:
    """Return the variable that names cargo's linker for the target."""
    return f"CARGO_TARGET_{arch.rust_target.upper().replace('-', '_')}_LINKER"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"[0-9]+", version)[:2])
