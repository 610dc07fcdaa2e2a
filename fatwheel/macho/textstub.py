"""Text stubs (`.tbd`): a linker takes one for the dynamic library that it describes (LLVM's TextAPI).

Version 5 is JSON, the earlier ones are YAML. What they export is not read: only for which targets
they stand, which they name at their beginning (YAML), or in `target_info` (JSON).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from fatwheel.arch import Arch
from fatwheel.errors import FormatError
from fatwheel.macho.probe import LARGEST_RANGE, Parser, take
from fatwheel.values import valueclass

__all__ = ["LARGEST_STUB", "Target", "TextStub", "looks_like_stub", "parse_text_stub"]

LARGEST_STUB = 4 << 20
"""Bytes above which JSON is not looked at; a stub of the whole of libSystem has 340 kB."""

_YAML = rb"\s*---\s*(?:!tapi-tbd(?:-v[1-3])?\s|archs:)"
_JSON = rb'\s*\{\s*"(?:tapi_tbd_version|main_library|libraries)"\s*:'
_KEY = rb"(?m)^%s[ \t]*:[ \t]*"
_FLOW = rb"\[([^\[\]]*)\]"
_BLOCK = rb"(?:(?:[ \t]*(?:#[^\n]*)?\r?\n)+[ \t]*-[ \t]+[^\s#]+)+"
_WORD = rb"""[^\s,'"\[\]#-][^\s,'"\[\]#]*"""
_INFO = rb'"target_info"\s*:\s*\[([^\[\]]*)\]'
_TARGET = rb'"target"\s*:\s*"([^"\\]*)"'
_VERSION_5 = rb'"tapi_tbd_version"\s*:\s*5\b'
_WELL_FORMED = r"([A-Za-z0-9_.]{1,30})-([A-Za-z0-9_<>-]{1,30})"
_MOST_TARGETS = 100
_OLD_PLATFORMS = {
    "macosx": ("macos",),
    "zippered": ("macos", "maccatalyst"),
    "iosmac": ("maccatalyst",),
}


class Target(NamedTuple):
    """One target: processor and platform as stubs write them (`arm64e`, `macos`)."""

    processor: str
    platform: str

    @property
    def mac_arch(self) -> Arch | None:
        """The architecture that macOS code is linked for with it, or None.

        Apple's own libraries are arm64e, and its linker takes their stubs for arm64 code as well.
        """
        processor = "arm64" if self.processor == "arm64e" else self.processor
        found = [arch for arch in Arch if arch.value == processor]
        return found[0] if found and self.platform == "macos" else None

    @property
    def name(self) -> str:
        """Its name as stubs write it (`arm64e-macos`)."""
        return f"{self.processor}-{self.platform}"


@valueclass
class TextStub:
    """A text stub: its targets, in its own order."""

    targets: tuple[Target, ...]

    @property
    def mac_arches(self) -> frozenset[Arch]:
        """The architectures that macOS code is linked for with it."""
        return frozenset(arch for target in self.targets if (arch := target.mac_arch) is not None)


def looks_like_stub(head: bytes) -> bool:
    """Say whether a file with these first bytes (32 or more) could be one that `parse_text_stub` knows."""
    start = head.lstrip(b" \t\r\n")
    expected = {b"-": _YAML, b"{": _JSON}.get(start[:1])
    return expected is not None and re.match(expected, start) is not None


def parse_text_stub(source: str, size: int) -> Parser[TextStub | None]:
    """Parse a file of `size` bytes that looks like a text stub, or return None for other JSON.

    Raises `FormatError` where it names no target.
    """
    head = yield from take(0, min(size, LARGEST_RANGE))
    if re.match(_YAML, head):
        words = _yaml_targets(head)
    elif size > LARGEST_STUB:
        return None
    else:
        text = head + (yield from take(len(head), size - len(head)))
        if not re.search(_VERSION_5, text):
            return None
        words = _json_targets(text)
    named = [re.fullmatch(_WELL_FORMED, word) for word in dict.fromkeys(words)]
    targets = tuple(Target(*match.groups()) for match in named if match is not None)
    if not targets:
        raise FormatError(source, 0, "names no target, so nothing links with it")
    if len(targets) > _MOST_TARGETS:
        raise FormatError(source, 0, f"names {len(targets)} targets, more than {_MOST_TARGETS}")
    return TextStub(targets=targets)


def _yaml_targets(text: bytes) -> list[str]:
    """Return the targets of the first document, whose later parts only repeat them."""
    document = re.split(rb"(?m)^(?:---|\.\.\.)", text.lstrip()[3:], maxsplit=1)[0]
    if targets := _values(document, b"targets"):
        return targets
    platforms = _values(document, b"platform")[:1]
    return [
        f"{arch}-{name}"
        for arch in _values(document, b"archs")
        for platform in platforms
        for name in _OLD_PLATFORMS.get(platform, (platform,))
    ]


def _values(document: bytes, key: bytes) -> list[str]:
    """Return the words that stand behind the first `key`: one, or a list in either of YAML's styles."""
    found = re.search(_KEY % key, document)
    if found is None:
        return []
    rest = document[found.end() :]
    if listed := re.match(rb"%s|%s" % (_FLOW, _BLOCK), rest):
        words = re.findall(_WORD, re.sub(rb"#[^\n]*", b"", listed[0]))
    else:
        words = re.findall(_WORD, rest.partition(b"\n")[0])[:1]
    return [word.decode("ascii", "backslashreplace") for word in words]


def _json_targets(text: bytes) -> list[str]:
    """Return the targets of the main library; libraries that it passes on stand under `libraries`."""
    main, others = text.find(b'"main_library"'), text.find(b'"libraries"')
    end = others if others > main >= 0 else len(text)
    found = re.search(_INFO, text[max(main, 0) : end])
    names = re.findall(_TARGET, found[1]) if found else []
    return [name.decode("ascii", "backslashreplace") for name in names]
