"""A wheel's own folders, `*.dist-info` and `*.data`, and the WHEEL file in the first of them.

Specification: binary distribution format, "File contents" and "File format" (PEP 427).
"""

from __future__ import annotations

import io
import itertools
import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fatwheel.errors import WheelError
from fatwheel.values import valueclass
from fatwheel.wheels.tags import MOST_TAGS, WheelName, normalise, parse_version

if TYPE_CHECKING:
    from packaging.version import Version

__all__ = [
    "MOST_HEADERS",
    "REPORT_NAME",
    "WheelMetadata",
    "find_data",
    "find_dist_info",
    "format_wheel_metadata",
    "parse_name_and_version",
    "parse_wheel_metadata",
    "read_headers",
]

REPORT_NAME = "fatwheel.json"
"""The file in `.dist-info` that says how a fused wheel was made."""

_WHEEL_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})", re.ASCII)
_HEADER_NAME = re.compile(r"[!-9;-~]*")  # RFC 5322, 2.2: printable ASCII without the colon
MOST_HEADERS = 25_000
"""Headers of METADATA or WHEEL; projects with hundreds of extras have some 1,500."""


@valueclass
class WheelMetadata:
    """The WHEEL file as a value (binary distribution format, "File contents").

    `wheel_version` is (major, minor); `generators` all `Generator` lines in order (delocate adds
    one of its own); `tags` each single tag `python-abi-platform`, compressed lines expanded,
    sorted; `build` is "" where there is no `Build` line.
    """

    wheel_version: tuple[int, int]
    generators: tuple[str, ...]
    root_is_purelib: bool
    tags: tuple[str, ...]
    build: str = ""


def parse_wheel_metadata(text: str, *, wheel: str, member: str) -> WheelMetadata:
    """Return the value of a WHEEL file. `wheel` and `member` name the file in errors.

    As installers do, a file without `Root-Is-Purelib` is read as false, and a blank line ends the
    file.

    Raises `WheelError` for no or another `Wheel-Version` than 1.x (later minor versions are
    compatible, PEP 427), a `Root-Is-Purelib` that is neither true nor false, a `Tag` that is
    none, more tags or headers than any wheel has, or several `Build` lines.
    """

    def refuse(problem: str) -> WheelError:
        return WheelError(wheel, member, problem)

    headers, _ = read_headers(text, wheel=wheel, member=member)

    def values(header: str) -> list[str]:
        return [value for name, value in headers if name == header.lower()]

    versions = values("Wheel-Version")
    match = _WHEEL_VERSION.fullmatch(versions[0]) if len(versions) == 1 else None
    if match is None:
        raise refuse(f"has {', '.join(versions) or 'nothing'} as its Wheel-Version; 1.0 is known")
    if match[1] != "1":
        raise refuse(f"has Wheel-Version {versions[0]}; fatwheel knows 1.0")
    purelib = {value.lower() for value in values("Root-Is-Purelib")} or {"false"}
    if purelib not in ({"true"}, {"false"}):
        raise refuse(f"has {', '.join(sorted(purelib))} as Root-Is-Purelib; true or false is known")
    tags: set[str] = set()
    count = 0
    for tag in values("Tag"):
        sets = _tag_sets(tag)
        if not sets:
            raise refuse(f"has {tag!r} as a Tag, which is not python-abi-platform (PEP 425)")
        if (count := count + math.prod(map(len, sets))) > MOST_TAGS:
            raise refuse(f"its Tag lines stand for more than {MOST_TAGS} tags; no real wheel's do")
        tags.update(map("-".join, itertools.product(*sets)))
    builds = values("Build")
    if len(set(builds)) > 1:
        raise refuse(f"has several Build lines: {', '.join(builds)}")
    return WheelMetadata(
        wheel_version=(int(match[1]), int(match[2])),
        generators=tuple(values("Generator")),
        root_is_purelib=purelib == {"true"},
        tags=tuple(sorted(tags)),
        build=builds[0] if builds else "",
    )


def parse_name_and_version(text: str, *, wheel: str, member: str) -> tuple[str, Version] | None:
    """Return Name and Version of a METADATA file, normalised (core metadata); None where it has none.

    Raises `WheelError` as `read_headers` does.
    """
    headers, _ = read_headers(text, wheel=wheel, member=member)
    first = dict(reversed(headers))
    version = parse_version(first.get("version", ""))
    return None if version is None else (normalise(first.get("name", "")), version)


def read_headers(text: str, *, wheel: str, member: str) -> tuple[list[tuple[str, str]], str]:
    """Return the headers of METADATA or WHEEL, and the text behind them, which is METADATA's description.

    Names are in lower case, values without the white space around them. They are read as Python's `email` and
    so installers read them: up to the first line that is none, folded lines with the breaks in them, what is
    malformed left out. Importing `email` takes longer than fusing a small wheel.

    Raises `WheelError`, which names `wheel` and `member`, for more headers than any wheel has.
    """
    headers: list[tuple[str, list[str]]] = []
    lines: list[str] = []  # of the header that may go on
    at = 0
    start = ""  # of a mailbox, which begins the text where it stands before it
    for line in io.StringIO(text, newline=""):  # lines end with \n, \r or \r\n, and nothing else
        at += len(line)
        if line[0] in " \t":
            lines.append(line)
            start = ""
            continue
        lines = []
        if line.startswith("From "):  # mbox's, no header
            start = line if at > len(line) else ""
            continue
        name, colon, value = line.partition(":")
        if not colon or not _HEADER_NAME.fullmatch(name):
            if line.strip("\r\n"):
                at -= len(line)  # no empty line parts them: this one belongs to the text
            break
        start = ""
        if name:
            if len(headers) == MOST_HEADERS:
                problem = f"has more than {MOST_HEADERS} headers; no real wheel's has"
                raise WheelError(wheel, member, problem)
            lines.append(value)
            headers.append((name.lower(), lines))
    return [(name, "".join(lines).strip()) for name, lines in headers], start + text[at:]


def _tag_sets(tag: str) -> list[list[str]]:
    """Return the three sets of a compressed tag (PEP 425) in lower case, or none where it is no tag."""
    sets = [part.split(".") for part in tag.lower().split("-")]
    if len(sets) != 3 or not all(map(all, sets)):
        return []
    if not all(map(str.isidentifier, sets[0])):  # as `packaging.tags.parse_tag` has it
        return []
    return sets


def format_wheel_metadata(name: WheelName, *, generator: str, root_is_purelib: bool) -> bytes:
    """Return the WHEEL file of a wheel with this name: Wheel-Version 1.0, a `Tag` for each
    expanded tag.

    `generator` is a name and a version, `fatwheel 0.1.0`. The order of lines is that of the
    specification's example.
    """
    lines = [
        "Wheel-Version: 1.0",
        f"Generator: {generator}",
        f"Root-Is-Purelib: {'true' if root_is_purelib else 'false'}",
        *(f"Tag: {tag}" for tag in name.expanded_tags),
    ]
    if name.build:
        lines.append(f"Build: {name.build}")
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def find_dist_info(names: Iterable[str], name: WheelName) -> str:
    """Return the `.dist-info` folder among a wheel's members (`names`, with `/`), spelled as there.

    Its name and version are compared normalised with the file name's: real wheels spell them
    differently in the two places.

    Raises `WheelError` when there is none, when there are several, or when it is another project's.
    """
    folders = _top_folders(names, ".dist-info")
    if not folders:
        raise WheelError(name.filename, None, "has no .dist-info folder")
    if len(folders) > 1:
        raise WheelError(name.filename, None, f"has several .dist-info folders: {_list(folders)}")
    if not _belongs(folders[0].removesuffix(".dist-info"), name):
        raise WheelError(
            name.filename,
            folders[0],
            f"the file name says {name.distribution} {name.version}; rename the wheel if the folder"
            " is right",
        )
    return folders[0]


def find_data(names: Iterable[str], name: WheelName) -> str | None:
    """Return the `.data` folder among a wheel's members, spelled as there, or None where there is
    none.

    Compared like `find_dist_info`. Raises `WheelError` for several, and for one of another name:
    pip installs it as this wheel's data, uv as a folder among the packages.
    """
    folders = _top_folders(names, ".data")
    if not folders:
        return None
    if len(folders) > 1:
        raise WheelError(name.filename, None, f"has several .data folders: {_list(folders)}")
    if not _belongs(folders[0].removesuffix(".data"), name):
        raise WheelError(
            name.filename,
            folders[0],
            f"installers disagree about a .data folder that is not {name.distribution}"
            f" {name.version}'s",
        )
    return folders[0]


def _top_folders(names: Iterable[str], suffix: str) -> list[str]:
    tops = {name.partition("/")[0] for name in names if "/" in name}
    return sorted(top for top in tops if _ends(top, suffix))


def _ends(folder: str, suffix: str) -> bool:
    return len(folder) > len(suffix) and folder.endswith(suffix)


def _list(folders: list[str]) -> str:
    return ", ".join(folders[:5]) + (f" and {len(folders) - 5} more" if len(folders) > 5 else "")


def _belongs(stem: str, name: WheelName) -> bool:
    """Tell whether `name-version` is this wheel's; old tools left dashes in either half."""
    wanted = normalise(name.distribution), parse_version(name.version)
    for dash in (match.start() for match in re.finditer("-", stem[:300])):
        version = parse_version(stem[dash + 1 :].replace("_", "-"))
        if (normalise(stem[:dash]), version) == wanted:
            return True
    return False
