"""Text stubs (`.tbd`): one for both architectures out of two for one each, as `llvm-readtapi --merge` makes it.

Version 4 says for each list of symbols, clients and libraries for which targets it holds. So the merged stub names
both wheels' targets and holds both wheels' lists; where both have one that is equal but for its targets, it stands
once. What holds for the whole library (install name, versions, flags) must be equal.

Read is what `tapi`, `ld` and LLVM write, and nothing else of YAML: one document, keys at the beginning of lines, and
entries that begin with their targets.

Specification: LLVM's TextStub.cpp, "TBDv4".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from fatwheel.fusion.merge import Merged, MergeResult, Unmergeable

__all__ = ["merge_stubs"]

_HEAD, _END = "--- !tapi-tbd", "..."
_LISTS = frozenset(
    {
        *("uuids", "parent-umbrella", "allowable-clients", "reexported-libraries"),
        *("exports", "reexports", "undefineds"),
    }
)
_SCALARS = frozenset(
    {
        *("tbd-version", "targets", "flags", "install-name", "current-version"),
        *("compatibility-version", "swift-abi-version"),
    }
)
_KEY = re.compile(r"([a-z-]+):(?:[ ]+(\S.*))?")
_TARGETS = re.compile(r"\[ *((?:x86_64|arm64e?)-macos(?:, *(?:x86_64|arm64e?)-macos)*) *\]")
_ENTRY = re.compile(r"  - targets:[ ]+(\[[^\]]*\])")
_INSIDE = re.compile(r"    +\S.*")
_ODD = re.compile(r"""[#&*!|>%@`\t{}'\"]|[^\x20-\x7e]""")


class _Entry(NamedTuple):
    """One entry of a list: its targets, and its other lines as they stand."""

    targets: tuple[str, ...]
    lines: tuple[str, ...]


class _Stub(NamedTuple):
    """A stub: what holds for all of it, in its own order, and its lists."""

    targets: tuple[str, ...]
    scalars: dict[str, str]
    lists: dict[str, list[_Entry]]


class _UnreadError(Exception):
    """Carries the clause of an `Unmergeable`."""


def merge_stubs(x86_64: bytes, arm64: bytes) -> MergeResult:
    """Merge two stubs of version 4 for different architectures of macOS; see the module for how."""
    try:
        x_stub, a_stub = _parse(x86_64, "x86_64"), _parse(arm64, "arm64")
        return Merged(content=_merged(x_stub, a_stub), how=_how(x_stub, a_stub))
    except _UnreadError as error:
        return Unmergeable(why=str(error))


def _how(x_stub: _Stub, a_stub: _Stub) -> str:
    return f"one stub for {', '.join((*x_stub.targets, *a_stub.targets))}"


def _parse(text: bytes, arch: str) -> _Stub:
    scalars: dict[str, str] = {}
    lists: dict[str, list[_Entry]] = {}
    section: list[_Entry] | None = None
    for line in _lines(text, arch):
        if (found := _KEY.fullmatch(line)) and found[1] not in scalars and found[1] not in lists:
            key, value = found.groups()
            section = None if value is not None else lists.setdefault(key, [])
            if value is not None:
                scalars[key] = value
        elif section is not None and (found := _ENTRY.fullmatch(line)):
            section.append(_Entry(_targets(found[1], arch), ()))
        elif section and _INSIDE.fullmatch(line):
            section[-1] = section[-1]._replace(lines=(*section[-1].lines, line))
        else:
            raise _UnreadError(f"{arch}'s stub has a line that is not read here: {line[:60]!r}")
    if not scalars.keys() <= _SCALARS or not lists.keys() <= _LISTS:
        raise _UnreadError(f"{arch}'s stub has keys that are not read here")
    targets = _targets(scalars.pop("targets", ""), arch)
    for entries in lists.values():
        if any(not {*entry.targets} <= {*targets} for entry in entries):
            raise _UnreadError(f"{arch}'s stub has an entry for a target that it does not name")
    return _Stub(targets, scalars, lists)


def _lines(text: bytes, arch: str) -> list[str]:
    """Return the lines between the head and the end of a stub of version 4."""
    try:
        lines = [line.rstrip() for line in text.decode("ascii").splitlines()]
    except UnicodeDecodeError:
        raise _UnreadError(f"{arch}'s stub is not ASCII") from None
    lines = [line for line in lines if line]
    if lines[:1] != [_HEAD] or lines[-1:] != [_END] or "tbd-version:     4" not in lines[:3]:
        raise _UnreadError(f"{arch}'s stub is not one document of version 4")
    for line in lines[1:-1]:
        if _ODD.search(re.sub(r"'[^']*'", "", line)):
            raise _UnreadError(f"{arch}'s stub has a line that is not read here: {line[:60]!r}")
    return lines[1:-1]


def _targets(text: str, arch: str) -> tuple[str, ...]:
    found = _TARGETS.fullmatch(text)
    if found is None:
        raise _UnreadError(f"{arch}'s stub is for {text[:60]!r}")
    return tuple(re.split(r", *", found[1]))


def _merged(x_stub: _Stub, a_stub: _Stub) -> bytes:
    if both := {*x_stub.targets} & {*a_stub.targets}:
        raise _UnreadError(f"both stubs are for {', '.join(sorted(both))}")
    for key in sorted({*x_stub.scalars, *a_stub.scalars}):
        x_value, a_value = (s.scalars.get(key, "not there") for s in (x_stub, a_stub))
        if x_value != a_value:
            raise _UnreadError(f"{key} is {x_value} for x86_64 and {a_value} for arm64")
    version = a_stub.scalars["tbd-version"]
    targets = f"[ {', '.join((*x_stub.targets, *a_stub.targets))} ]"
    scalars = {"tbd-version": version, "targets": targets, **a_stub.scalars}
    lines = [_HEAD, *(f"{key + ':':<16} {value}" for key, value in scalars.items())]
    for key in dict.fromkeys((*a_stub.lists, *x_stub.lists)):
        lines.append(f"{key}:")
        entries: dict[tuple[str, ...], tuple[str, ...]] = {}
        for entry in (*x_stub.lists.get(key, ()), *a_stub.lists.get(key, ())):
            entries[entry.lines] = (*entries.get(entry.lines, ()), *entry.targets)
        for inside, named in entries.items():
            lines += [f"  - targets:         [ {', '.join(named)} ]", *inside]
    return ("\n".join([*lines, _END]) + "\n").encode()
