"""METADATA and the two small files beside it, entry_points.txt and top_level.txt.

Two METADATA files are compared as values: their headers as a multiset, in which order, spelling
and line ends do not count, and the description. Of equal values arm64's spelling is kept, byte
for byte.

What counts as the same:

- a field's name in any case; a value without the white space around it;
- `Name` and `Provides-Extra` normalised (PEP 503, PEP 685), `Version` as a version (PEP 440);
- `Requires-Dist` as a parsed requirement (PEP 508), `Requires-Python` and `Obsoletes-Dist` and
the like
  as far as they parse; what does not parse is compared as text;
- the description (the text after the headers) exactly, except for line ends and for white space
at its
  very end, which backends add and remove.

`License-File` alone may differ: the result names the files of both, since the fused wheel has
them all.

Specifications: core metadata (PEP 566, PEP 639), in RFC 822's syntax; entry points, "File format";
top_level.txt is setuptools' own.
"""

from __future__ import annotations

import configparser
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from fatwheel.errors import WheelError
from fatwheel.fusion.merge import Merged, MergeResult, Unmergeable
from fatwheel.printable import counted
from fatwheel.wheels.distinfo import read_headers
from fatwheel.wheels.tags import parse_version

__all__ = ["merge_entry_points", "merge_license", "merge_metadata", "merge_top_level"]

_BLANKS = re.compile(r"(?<=\S)[^\S\n]{2,}")
_Entry = tuple[str, str]  # (group, name)
_Header = tuple[str, Hashable]  # (field name in lower case, value)
_LICENSE_FILE = "license-file"
_LONGEST_SHOWN = 120
_LONGEST_PARSED = (
    10_000  # characters of a requirement or of specifiers; longer ones are compared as text
)
_MOST_ENTRIES = 20_000  # lines of entry_points.txt


def merge_metadata(x86_64: bytes, arm64: bytes, *, spelling: bool = True) -> MergeResult:
    """Merge two METADATA files (core metadata); see the module for what counts as the same.

    Without `spelling`, the rule book's kind `metadata-spelling` decides besides: a field that is UNKNOWN, as old
    setuptools write what is not known, counts as one that is missing, and of two versions of the format that differ,
    the higher is taken, where the fields of either file are those that both versions have.
    `Unmergeable` names the first field that differs and both values.
    """
    try:
        x_text, a_text = x86_64.decode("utf-8"), arm64.decode("utf-8")
    except UnicodeDecodeError as error:
        return Unmergeable(
            why=f"one of the two is not UTF-8 ({error.reason} at byte {error.start})"
        )
    try:
        x_fields, x_body = read_headers(x_text, wheel="x86_64's", member="METADATA")
        a_fields, a_body = read_headers(a_text, wheel="arm64's", member="METADATA")
    except WheelError as error:
        return Unmergeable(why=str(error))
    x_body, a_body = _unix(x_body).rstrip(), _unix(a_body).rstrip()
    version = None
    if not spelling:
        x_fields, a_fields = _known(x_fields, a_fields), _known(a_fields, x_fields)
        version = _higher_version(x_fields, a_fields)
        if version is not None:
            x_fields, a_fields = _without_version(x_fields), _without_version(a_fields)
    same = Counter(x_fields) & Counter(a_fields)  # most are, and need not be parsed
    x_headers, a_headers = _grouped(x_fields, same), _grouped(a_fields, same)
    only_x = _without(x_headers, a_headers)
    only_a = _without(a_headers, x_headers)
    differing = {field for field, _ in (*only_x, *only_a)} - {_LICENSE_FILE}
    if differing:
        # The format's version first: it explains all other differences.
        field = "metadata-version" if "metadata-version" in differing else min(differing)
        return Unmergeable(
            why=f"{field.title()} is {_values(field, only_x)} for x86_64"
            f" and {_values(field, only_a)} for arm64"
        )
    if x_body != a_body:
        return Unmergeable(why=f"the description differs: {_first_difference(x_body, a_body)}")
    if not spelling:
        return _respelled(arm64, version, only_x, a_fields)
    if not only_x:
        how = "arm64's License-File lines include x86_64's" if only_a else "equal as values"
        return Merged(content=arm64, how=f"{how}; arm64's spelling kept")
    missing = [text for texts in only_x.values() for text in texts]
    return Merged(
        content=_with_license_files(arm64, missing),
        how=f"arm64's spelling, and License-File {', '.join(missing)} of x86_64",
    )


_Fields = list[tuple[str, str]]
_UNKNOWN = "UNKNOWN"
_MAYBE_UNKNOWN = frozenset(
    [
        "platform",
        "summary",
        "description",
        "keywords",
        "home-page",
        "download-url",
        "author",
        "author-email",
        "maintainer",
        "maintainer-email",
        "license",
    ]
)
_COMMON_FIELDS = {
    "1.0": "metadata-version name version platform summary description keywords home-page author author-email license",
    "1.1": "supported-platform download-url classifier requires provides obsoletes",
    "1.2": "maintainer maintainer-email requires-python requires-external requires-dist provides-dist obsoletes-dist "
    "project-url",
    "2.1": "provides-extra description-content-type",
    "2.2": "",
    "2.3": "",
    "2.4": "",
}
"""Fields by the version that brought them and mean the same ever since, as far as wheels are concerned.

`Dynamic` (2.2), `License-Expression` and `License-File` (2.4) and what follows are left out on purpose: what they
mean depends on the version.
"""


def _known(fields: Iterable[tuple[str, str]], others: Iterable[tuple[str, str]]) -> _Fields:
    """Return the fields without those that are UNKNOWN and that the other file lacks."""
    present = {name for name, _ in others}
    return [
        (name, text)
        for name, text in fields
        if text != _UNKNOWN or name in present or name not in _MAYBE_UNKNOWN
    ]


def _higher_version(x_fields: _Fields, a_fields: _Fields) -> str | None:
    """Return the higher Metadata-Version where both can be read by it; None where they are equal, or cannot."""
    versions = [
        [text for name, text in fields if name == "metadata-version"]
        for fields in (x_fields, a_fields)
    ]
    order = [*_COMMON_FIELDS]
    if any(len(found) != 1 or found[0] not in order for found in versions):
        return None
    (x_version,), (a_version,) = versions
    if x_version == a_version:
        return None
    lower, higher = sorted((x_version, a_version), key=order.index)
    common = " ".join(
        _COMMON_FIELDS[version] for version in order[: order.index(lower) + 1]
    ).split()
    if {name for name, _ in (*x_fields, *a_fields)} - {*common}:
        return None
    return higher


def _without_version(fields: _Fields) -> _Fields:
    return [(name, text) for name, text in fields if name != "metadata-version"]


def _respelled(
    arm64: bytes, version: str | None, only_x: Mapping[_Header, list[str]], a_fields: _Fields
) -> MergeResult:
    """Return arm64's text without UNKNOWN fields that only it has, in the higher version."""
    if only_x:
        return Unmergeable(why="License-File differs")
    kept = {name for name, _ in a_fields}
    lines = arm64.splitlines(keepends=True)
    end = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
    headers = []
    for line in lines[:end]:
        name, _, text = line.partition(b":")
        word = name.decode().lower()
        if text.strip() == _UNKNOWN.encode() and word in _MAYBE_UNKNOWN - kept:
            continue
        if word == "metadata-version" and version is not None:
            line = name + b": " + version.encode() + line[len(line.rstrip()) :]  # noqa: PLW2901
        headers.append(line)
    content = b"".join([*headers, *lines[end:]])
    what = "equal but for UNKNOWN" if version is None else f"Metadata-Version {version}, the higher"
    return Merged(content=content, how=f"{what}; else arm64's spelling")


def merge_license(x86_64: bytes, arm64: bytes) -> MergeResult:
    """Keep the METADATA whose `License` holds the other's whole text, where all else agrees as values.

    `License-File` must agree as well: this is for wheels from before it, which have the text of their licence, and of
    those of bundled libraries, in that field.
    """
    from fatwheel.fusion.merge.notices import merge_notices

    (x_license, x_rest), (a_license, a_rest) = _parted(x86_64), _parted(arm64)
    if not x_license or not a_license:
        return Unmergeable(why="one of the two has no License")
    longer = merge_notices(x_license, a_license)
    if isinstance(longer, Unmergeable):
        return longer
    kept, rest, other = arm64, a_rest, x_rest
    if longer.content == x_license:
        kept, rest, other = x86_64, x_rest, a_rest
    elif longer.content != a_license:
        return Unmergeable(why="neither License holds the other's text")
    agree = merge_metadata(other, rest)
    if isinstance(agree, Merged) and agree.content != rest:
        return Unmergeable(why="License-File differs, too")
    if isinstance(agree, Unmergeable):
        return agree
    return Merged(content=kept, how="the longer License, which holds the other's text")


def _parted(text: bytes) -> tuple[bytes, bytes]:
    """Return the only `License` field with its lines, and all else; nothing where there is none, or several."""
    lines = text.splitlines(keepends=True)
    end = next((i for i, line in enumerate(lines) if not line.strip(b"\r\n")), len(lines))
    starts = [i for i, line in enumerate(lines[:end]) if line.lower().startswith(b"license:")]
    if len(starts) != 1:
        return b"", text
    stop = starts[0] + 1
    while stop < end and lines[stop][:1] in (b" ", b"\t"):
        stop += 1
    field = lines[starts[0] : stop]
    own = b"".join(
        [field[0].partition(b":")[2].lstrip(), *(line.lstrip(b" \t") for line in field[1:])]
    )
    return own, b"".join([*lines[: starts[0]], *lines[stop:]])


def _grouped(
    fields: Iterable[tuple[str, str]], same: Mapping[tuple[str, str], int]
) -> dict[_Header, list[str]]:
    """Return all spellings of each header as (name, value), as many of `same` left out as stand there."""
    left = dict(same)
    headers: dict[_Header, list[str]] = {}
    for name, text in fields:
        if left.get((name, text), 0) and name != _LICENSE_FILE:
            left[name, text] -= 1
        else:
            headers.setdefault((name, _value(name, text)), []).append(text)
    return headers


def _value(field: str, text: str) -> Hashable:
    """Return a value that is equal for all spellings of one meaning; what cannot be parsed stands for itself."""
    value: Hashable = None
    if len(text) > _LONGEST_PARSED:
        return _unix(text)
    try:
        if field in {"name", "provides-extra"}:
            value = canonicalize_name(text)
        elif field == "version":
            value = parse_version(text)
        elif field == "requires-python":
            value = SpecifierSet(text)
        elif field in {"requires-dist", "provides-dist", "obsoletes-dist"}:
            value = _requirement(Requirement(text))
        hash(value)  # some versions are parsed only now
    except (
        ValueError,
        RecursionError,
    ):  # what is invalid, has 5,000 digits, or parentheses without end
        value = None
    return _unix(text) if value is None else value


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _requirement(parsed: Requirement) -> Hashable:
    return (
        canonicalize_name(parsed.name),
        frozenset(map(canonicalize_name, parsed.extras)),
        parsed.specifier,
        parsed.url,
        str(parsed.marker) if parsed.marker is not None else None,
    )


def _without(
    headers: dict[_Header, list[str]], others: dict[_Header, list[str]]
) -> dict[_Header, list[str]]:
    """Return the headers that `others` lacks; License-File counts once, however often it stands."""
    counts = Counter({header: len(texts) for header, texts in headers.items()})
    counts.subtract({header: len(texts) for header, texts in others.items()})
    return {
        header: texts[: 1 if header[0] == _LICENSE_FILE else counts[header]]
        for header, texts in headers.items()
        if counts[header] > 0 and not (header[0] == _LICENSE_FILE and header in others)
    }


def _values(field: str, headers: dict[_Header, list[str]]) -> str:
    texts = sorted(
        text for header, found in headers.items() if header[0] == field for text in found
    )
    return _short(", ".join(repr(text) for text in texts)) if texts else "not there"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


def _first_difference(x_body: str, a_body: str) -> str:
    x_lines, a_lines = x_body.split("\n"), a_body.split("\n")
    for number, (x_line, a_line) in enumerate(zip(x_lines, a_lines, strict=False), start=1):
        if x_line != a_line:
            return (
                f"line {number} is {_short(repr(x_line))} for x86_64"
                f" and {_short(repr(a_line))} for arm64"
            )
    return f"{counted(len(x_lines), 'line')} for x86_64 and {len(a_lines)} for arm64"


def _with_license_files(content: bytes, paths: list[str]) -> bytes:
    """Return the metadata with more License-File headers, after its last one or after all."""
    lines = content.splitlines(keepends=True)
    place = 0
    seen = False
    for index, line in enumerate(lines):
        if not line.strip(b"\r\n"):
            break
        if line.lower().startswith(b"license-file:"):
            place, seen = index + 1, True
        elif not seen or (line[:1] in b" \t" and place == index):
            place = index + 1
    end = b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"
    if place and not lines[place - 1].endswith((b"\n", b"\r")):
        lines[place - 1] += end
    added = [b"License-File: " + path.encode("utf-8") + end for path in paths]
    return b"".join([*lines[:place], *added, *lines[place:]])


# ---- entry_points.txt and top_level.txt ----


def merge_entry_points(x86_64: bytes, arm64: bytes) -> MergeResult:
    """Merge two entry_points.txt that declare the same: groups, names and object references.

    Order, comments and white space do not count; arm64's text is kept. A command or plug-in that
    only one architecture has can't be declared for one alone: `Unmergeable` names the first.
    """
    x_entries, a_entries = _parse_entry_points(x86_64), _parse_entry_points(arm64)
    if isinstance(x_entries, str):
        return Unmergeable(why=f"x86_64's is no entry_points.txt: {x_entries}")
    if isinstance(a_entries, str):
        return Unmergeable(why=f"arm64's is no entry_points.txt: {a_entries}")
    for entry in sorted({*x_entries, *a_entries}):
        x_value, a_value = x_entries.get(entry), a_entries.get(entry)
        if x_value != a_value:
            group, name = entry
            return Unmergeable(
                why=f"[{group}] {name} is {x_value or 'not there'} for x86_64"
                f" and {a_value or 'not there'} for arm64"
            )
    return Merged(content=arm64, how="the same entry points; arm64's spelling kept")


def _parse_entry_points(content: bytes) -> dict[_Entry, str] | str:
    """Return the object references without white space, or what is wrong."""
    parser = configparser.ConfigParser(
        delimiters=("=",), interpolation=None, default_section="\n", empty_lines_in_values=False
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    if content.count(b"\n") > _MOST_ENTRIES:
        return f"it has more than {_MOST_ENTRIES} lines"
    try:
        # A run of blanks takes the parser as many steps as it is long, squared.
        parser.read_string(_BLANKS.sub(" ", content.decode("utf-8")))
    except (configparser.Error, ValueError) as error:
        return _short(str(error).splitlines()[0])
    return {
        (group, name): "".join(value.split())
        for group, entries in parser.items()
        for name, value in entries.items()
    }


def merge_top_level(x86_64: bytes, arm64: bytes) -> MergeResult:
    """Merge two top_level.txt: the union of their lines, sorted.

    Where arm64's text has them all, it is kept as it is.
    """
    try:
        x_names, a_names = _lines(x86_64), _lines(arm64)
    except UnicodeDecodeError as error:
        return Unmergeable(
            why=f"one of the two is not UTF-8 ({error.reason} at byte {error.start})"
        )
    missing = sorted(x_names - a_names)
    if not missing:
        return Merged(content=arm64, how="arm64's names include x86_64's")
    union = "".join(f"{name}\n" for name in sorted(x_names | a_names))
    return Merged(
        content=union.encode("utf-8"), how=f"union; only x86_64 has {', '.join(missing[:5])}"
    )


def _lines(content: bytes) -> set[str]:
    return {line.strip() for line in content.decode("utf-8").split("\n")} - {""}
