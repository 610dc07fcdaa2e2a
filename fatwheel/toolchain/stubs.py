"""Stubs of macOS's own libraries, for linking without an SDK.

A `.tbd` file (text-based dylib stub, version 4) says what a dylib exports and under which name it is loaded.
zig comes with one for libSystem; the other libraries and the frameworks are not free to copy, but what a
program needs of them is known once it is linked, and a stub that exports just that binds the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from fatwheel.values import valueclass

__all__ = [
    "SystemLibrary",
    "format_stub",
    "known_libraries",
    "make_stub_sdk",
    "rewrite_targets",
    "share_symbols",
]

_TARGETS = re.compile(r"(?<=targets:)(\s*)\[([^\]]*)\]")
# Names under which programs ask for libSystem; on a Mac these are links to it.
_LIBSYSTEM_NAMES = ("System", "System.B", "c", "m", "dl", "pthread", "dbm", "poll", "proc", "info")
_ICONV = tuple(
    f"_{prefix}iconv{rest}"
    for prefix in ("", "lib")
    for rest in ("", "_open", "_close", "ctl", "list", "_canonicalize", "_set_relocation_prefix")
)


@valueclass
class SystemLibrary:
    """A dylib of macOS that can be stubbed: its install name and how the names that it exports begin.

    The prefixes are those of C names, without the leading underscore.
    """

    install_name: str
    prefixes: tuple[str, ...]


def _framework(name: str, *prefixes: str, version: str = "A") -> tuple[str, SystemLibrary]:
    install_name = f"/System/Library/Frameworks/{name}.framework/Versions/{version}/{name}"
    return name, SystemLibrary(install_name=install_name, prefixes=prefixes)


_OBJC = "OBJC_CLASS_$_", "OBJC_METACLASS_$_", "OBJC_EHTYPE_$_"
_LIBRARIES: Mapping[str, SystemLibrary] = dict(
    (
        _framework("CoreFoundation", "CF", "kCF", "__CF"),
        _framework("Security", "Sec", "kSec", "SSL", "Authorization", "CMS", "CSSM", "cssm"),
        _framework("SystemConfiguration", "SC", "kSC"),
        _framework("IOKit", "IO", "kIO"),
        _framework("CoreServices", "FSEvent", "kFSEvent", "LS", "kLS", "UT", "kUT", "MD", "kMD"),
        _framework("Foundation", "NS", *(f"{prefix}NS" for prefix in _OBJC), version="C"),
        _framework("CoreGraphics", "CG", "kCG"),
        _framework("CoreText", "CT", "kCT"),
        _framework("CoreVideo", "CV", "kCV"),
        _framework("CoreMedia", "CM", "kCM"),
        _framework("CoreAudio", "Audio", "kAudio"),
        _framework("DiskArbitration", "DA", "kDA"),
        _framework("Network", "nw_", "_nw_", "kNW"),
        _framework("OpenDirectory", "OD", "kOD"),
        _framework("Metal", "MTL", *(f"{prefix}MTL" for prefix in _OBJC)),
        _framework("Accelerate", "cblas_", "vDSP_", "vv", "BNNS", "vImage", "catlas_"),
        (
            "objc",
            SystemLibrary(
                install_name="/usr/lib/libobjc.A.dylib",
                prefixes=(
                    *("objc_", "_objc_", "sel_", "class_", "method_", "object_", "protocol_"),
                    *("ivar_", "property_", "imp_", "OBJC_CLASS_$_NSObject", "OBJC_EHTYPE_id"),
                ),
            ),
        ),
        (
            "resolv",
            SystemLibrary(
                install_name="/usr/lib/libresolv.9.dylib", prefixes=("res_", "dn_", "ns_")
            ),
        ),
    )
)


def known_libraries() -> Mapping[str, SystemLibrary]:
    """Return the frameworks and libraries that can be stubbed, by the name that `-framework` or `-l` takes."""
    return _LIBRARIES


def format_stub(install_name: str, symbols: Iterable[str]) -> str:
    """Return the text of a stub that exports `symbols` (as in a symbol table) for both architectures."""
    names = ", ".join(f"'{symbol}'" for symbol in sorted(set(symbols)))
    exports = (
        f"exports:\n  - targets: [ x86_64-macos, arm64-macos ]\n    symbols: [ {names} ]\n"
        if names
        else ""
    )
    return (
        "--- !tapi-tbd\ntbd-version: 4\ntargets: [ x86_64-macos, arm64-macos ]\n"
        f"install-name: '{install_name}'\n{exports}...\n"
    )


def rewrite_targets(stub: str) -> str:
    """Return zig's stub with each `arm64e…` target as `arm64`: the linker takes no other name for it."""

    def plain(match: re.Match[str]) -> str:
        targets = dict.fromkeys(
            re.sub(r"^arm64e(\.x1)?", "arm64", target.strip()) for target in match[2].split(",")
        )
        return f"{match[1]}[ {', '.join(target for target in targets if target)} ]"

    return _TARGETS.sub(plain, stub)


def share_symbols(undefined: Iterable[str], names: Iterable[str]) -> dict[str, set[str]]:
    """Return which of the `undefined` symbols each of the libraries `names` is taken to export.

    A symbol goes to the library with the longest matching prefix. Unknown libraries get none.
    """
    shared: dict[str, set[str]] = {name: set() for name in names}
    known = [
        (prefix, name)
        for name in shared
        if name in _LIBRARIES
        for prefix in _LIBRARIES[name].prefixes
    ]
    for symbol in undefined:
        plain = symbol.removeprefix("_")
        matching = [(len(prefix), name) for prefix, name in known if plain.startswith(prefix)]
        if matching:
            shared[max(matching)[1]].add(symbol)
    return shared


def make_stub_sdk(libsystem: str, cache: Path) -> Path:
    """Return a folder, laid out like an SDK, with stubs made from the text of zig's `libSystem.tbd`.

    It is made under `cache` where it is not there yet; its name depends on its content.
    """
    text = rewrite_targets(libsystem)
    files = {f"lib{name}.tbd": text for name in _LIBSYSTEM_NAMES}
    files["libiconv.tbd"] = format_stub("/usr/lib/libiconv.2.dylib", _ICONV)
    digest = sha256("\0".join(f"{name}\0{files[name]}" for name in sorted(files)).encode())
    sdk = cache / f"stubs-{digest.hexdigest()[:16]}"
    folder = sdk / "usr" / "lib"
    if (sdk / "complete").exists():
        return sdk
    folder.mkdir(parents=True, exist_ok=True)
    (sdk / "System" / "Library" / "Frameworks").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content, "utf-8")
    (sdk / "complete").touch()  # last: two builds may be at it, and both write the same
    return sdk
