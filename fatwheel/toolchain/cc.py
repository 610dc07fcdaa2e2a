"""The C compiler driver that cargo calls to link for an Apple target off macOS: LLVM's linker does the work.

rustc, maturin and build scripts speak to a C compiler (`-Wl,…`, `-dynamiclib`, `-isysroot`). `parse_link` reads
that language, and `main` runs `ld64.lld` with what it means and with stubs in the place of an SDK. zig's own
linker would ignore `-exported_symbols_list`, so that a module of twice the size exports all of Rust's names.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn

from fatwheel.toolchain.advice import advice
from fatwheel.toolchain.programs import write_program
from fatwheel.toolchain.stubs import format_stub, known_libraries, share_symbols
from fatwheel.values import valueclass

__all__ = [
    "Link",
    "LinkSettings",
    "link",
    "link_command",
    "main",
    "parse_link",
    "wrapper_environment",
    "write_wrapper",
]

# Through the environment, not as part of the wrapper: cargo compiles everything anew when its linker changes.
_VARIABLE = "FATWHEEL_LINK"

# What a program was "linked on or after" tells macOS which of its older ways to keep for it; for a module the main
# program counts, which is Python. Without an SDK it is the version that most wheels on PyPI name, in the binaries of
# both architectures: 175 of 469 slices looked at have 15, 101 have 14 and 129 have 26. zig's stub of
# libSystem is newer (27.0 in zig 0.17), so it has all that 15.0 has.
_SDK_VERSION = "15.0"

_WITH_VALUE = frozenset({"-arch", "-target", "-isysroot", "-o", "-framework", "-weak_framework"})
_PASSED_WITH_VALUE = frozenset(
    {
        *("-undefined", "-install_name", "-compatibility_version", "-current_version", "-rpath"),
        *("-exported_symbols_list", "-unexported_symbols_list", "-exported_symbol", "-order_file"),
        *("-force_load", "-filelist", "-u", "-U", "-e", "-L", "-F"),
    }
)
# What only concerns compiling, or says again what is so anyway.
_DROPPED = re.compile(r"-(nodefaultlibs|nostdlib|nostartfiles|pthread|pipe|v|O.|g.*|m.*|f.*|W.*)")
_TRANSLATED = {
    "-dynamiclib": "-dylib",
    "-shared": "-dylib",
    "-rdynamic": "-export_dynamic",
    "-fapplication-extension": "-application_extension",
}
_TRIPLE = re.compile(r"(?P<arch>[a-z0-9_]+)-apple-macosx?(?P<version>[0-9.]*)")


@valueclass
class LinkSettings:
    """What a build tells the wrapper: the linker as the words that start it, and where the stubs are.

    `sdk` is a real SDK and `sdk_version` its version; both are None without one.
    """

    lld: tuple[str, ...]
    stubs: str
    sdk: str | None = None
    sdk_version: str | None = None

    def to_json(self) -> str:
        """Return the value of the environment variable."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LinkSettings:
        """Read what `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "lld": tuple(values["lld"])})


@dataclass(kw_only=True)
class Link:
    """What a C driver's command line asks the linker for.

    `arguments` are the linker's own, in order, with inputs among them; `frameworks` and `libraries` are the
    names after `-framework` and `-l`; `version` is the deployment target as written.
    """

    arch: str = ""
    version: str = ""
    sysroot: str | None = None
    output: str = "a.out"
    arguments: list[str] = field(default_factory=list)
    frameworks: list[str] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)


def parse_link(arguments: Sequence[str]) -> Link:
    """Read the command line of a C driver that is asked to link.

    What only concerns compiling is dropped, and all that is not known goes to the linker as it is. Raises
    `ValueError` where an option lacks its value.
    """
    link = Link()
    words = iter(_expand(arguments))
    for word, for_linker in words:
        if for_linker:
            link.arguments.append(word)
        elif word in _WITH_VALUE:
            _take(link, word, _value(words, word))
        elif word in _PASSED_WITH_VALUE:
            link.arguments += [word, _value(words, word)]
        elif word.startswith("--target="):
            _take(link, "-target", word.removeprefix("--target="))
        elif word.startswith("-mmacosx-version-min="):
            link.version = word.partition("=")[2]
        elif word in _TRANSLATED:
            link.arguments.append(_TRANSLATED[word])
        elif word.startswith("-l"):
            link.libraries.append(word[2:])
            link.arguments.append(word)
        elif not _DROPPED.fullmatch(word):
            link.arguments.append(word)
    return link


def _expand(arguments: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Yield the words, response files read, and whether each is the linker's own (`-Wl,a,b`, `-Xlinker a`)."""
    words = iter(arguments)
    for word in words:
        if word.startswith("@") and Path(word[1:]).is_file():
            yield from _expand(shlex.split(Path(word[1:]).read_text("utf-8")))
        elif word.startswith("-Wl,"):
            yield from ((own, True) for own in word.split(",")[1:])
        elif word == "-Xlinker":
            yield next(words, ""), True
        else:
            yield word, False


def _value(words: Iterator[tuple[str, bool]], option: str) -> str:
    try:
        return next(words)[0]
    except StopIteration:
        raise ValueError(f"{option} lacks its value") from None


def _take(link: Link, option: str, value: str) -> None:
    if option == "-arch":
        link.arch = value
    elif option == "-target":
        match = _TRIPLE.match(value)
        if match:
            link.arch = {"aarch64": "arm64"}.get(match["arch"], match["arch"])
            link.version = match["version"] or link.version
    elif option == "-isysroot":
        link.sysroot = value
    elif option == "-o":
        link.output = value
    else:  # -framework, -weak_framework
        link.frameworks.append(value)
        link.arguments += [option, value]


def link_command(
    link: Link, settings: LinkSettings, *, output: str, extra: Sequence[str] = ()
) -> list[str]:
    """Return the linker's command line."""
    sysroot = settings.sdk or link.sysroot or settings.stubs
    sdk_version = settings.sdk_version or max(link.version, _SDK_VERSION, key=_numbers)
    return [
        *settings.lld,
        *("-arch", link.arch, "-platform_version", "macos", link.version, sdk_version),
        *("-syslibroot", sysroot),
        # As Apple's linker does it, functions that are equal are kept once.
        "--icf=safe",
        *_name(link),
        *extra,
        *link.arguments,
        *("-o", output),
    ]


def _name(link: Link) -> Iterator[str]:
    """Yield the install name of a dylib that was given none; the linker would take the path of the output for it."""
    given = {"-install_name", "-dylib_install_name"} & set(link.arguments)
    if not given and {"-dylib", "-dynamic_library"} & set(link.arguments):
        yield from ("-install_name", f"@rpath/{Path(link.output).name}")


def _numbers(version: str) -> tuple[int, ...]:
    # What is no version is for the linker to refuse.
    return tuple(int(number) for number in re.findall(r"[0-9]{1,4}", version))


def _stub_arguments(link: Link, settings: LinkSettings, folder: Path) -> list[str]:
    """Make stubs in `folder` for what the link names and the stubs lack; return the arguments to find them.

    Which symbols they must export is asked of the linker, which says what is undefined without them.
    """
    known = known_libraries()
    wanted = [name for name in dict.fromkeys([*link.frameworks, *link.libraries]) if name in known]
    if not wanted or settings.sdk or link.sysroot:
        return []
    arguments = ["-L", str(folder), "-F", str(folder)]
    _write_stubs(folder, {name: set() for name in wanted})
    trial = link_command(link, settings, output=str(folder / "trial"), extra=arguments)
    said = _run([*trial, "-undefined", "error", "--error-limit=0"])[1]
    undefined = re.findall(r"undefined symbol: (\S+)", said)
    _write_stubs(folder, share_symbols(undefined, wanted))
    return arguments


def _write_stubs(folder: Path, exports: Mapping[str, set[str]]) -> None:
    for name, symbols in exports.items():
        library = known_libraries()[name]
        text = format_stub(library.install_name, symbols)
        if "/Frameworks/" in library.install_name:
            (folder / f"{name}.framework").mkdir(exist_ok=True)
            (folder / f"{name}.framework" / f"{name}.tbd").write_text(text, "utf-8")
        else:
            (folder / f"lib{name}.tbd").write_text(text, "utf-8")


def _run(command: Sequence[str]) -> tuple[int, str]:
    # Not through `fatwheel.process`: this is a program of its own, which cargo starts and ends.
    completed = subprocess.run(  # noqa: S603
        command, check=False, capture_output=True, text=True, errors="replace"
    )
    return completed.returncode, completed.stdout + completed.stderr


def link(settings: LinkSettings, arguments: Sequence[str], cxx: Mapping[str, str]) -> int:
    """Link as a C driver's `arguments` say, and return the exit code.

    `cxx` has the C++ driver by architecture ("arm64"); it links what needs libc++.
    """
    wanted = parse_link(arguments)
    if not settings.sdk and {"c++", "stdc++"} & set(wanted.libraries):
        return _link_with_zig(cxx.get(wanted.arch), arguments)
    with tempfile.TemporaryDirectory(prefix="fatwheel-stubs-") as folder:
        stubs = _stub_arguments(wanted, settings, Path(folder))
        command = link_command(wanted, settings, output=wanted.output, extra=stubs)
        code, said = _run(command)
    told = advice(said) if code else ""
    sys.stderr.write(said + (f"{told}\n" if told else ""))
    return code


def _link_with_zig(cxx: str | None, arguments: Sequence[str]) -> int:
    """zig brings libc++ as a static library; macOS's own would need headers of just its version."""
    if cxx is None:
        sys.stderr.write(
            "fatwheel: this links libc++, which only zig brings: pip install 'fatwheel[zig]'\n"
        )
        return 1
    return subprocess.run([cxx, *arguments], check=False).returncode  # noqa: S603


def main() -> NoReturn:
    """Be the driver: settings from the environment, the link from the command line."""
    settings = LinkSettings.from_json(os.environ[_VARIABLE])
    names = {"arm64": "CXX_aarch64_apple_darwin", "x86_64": "CXX_x86_64_apple_darwin"}
    cxx = {arch: os.environ[name] for arch, name in names.items() if name in os.environ}
    try:
        sys.exit(link(settings, sys.argv[1:], cxx))
    except ValueError as error:
        sys.exit(f"fatwheel: {error}")


# Isolated, and without the environment's packages: cargo calls it in the project's folder, whose modules are not
# what is asked for, and another fatwheel may be installed for this Python than the one that builds.
_WRAPPER = f"""\
#!/bin/sh
exec "${{{_VARIABLE}_PYTHON:?}}" -IS -c "${{{_VARIABLE}_CODE:?}}" "$@"
"""


def write_wrapper(cache: Path) -> Path:
    """Return the path of the program that cargo calls as its linker; it is written where it is not there.

    rustc guesses from its name that it is a C compiler's driver. The content depends on nothing and the path on the
    content alone, so that cargo takes what it compiled before, in whatever environment fatwheel is installed, and
    that a fatwheel with another wrapper leaves this one alone.
    """
    return write_program(cache, "cc", "fatwheel-cc", _WRAPPER)


def wrapper_environment(settings: LinkSettings, python: str) -> dict[str, str]:
    """Return the variables that `write_wrapper`'s program reads; `python` is the interpreter that runs it."""
    packages = str(Path(__file__).parents[2])
    code = f"import sys; sys.path.append({packages!r}); from {__name__} import main; main()"
    return {
        _VARIABLE: settings.to_json(),
        f"{_VARIABLE}_PYTHON": python,
        f"{_VARIABLE}_CODE": code,
    }
