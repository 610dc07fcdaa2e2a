"""RECORD: a wheel's list of its files, each with hash and size.

Specifications: recording installed projects, "The RECORD file" (PEP 376); binary distribution
format, "Signed wheel files" (PEP 427), which forbids md5, sha1 and sha224.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fatwheel.values import valueclass

__all__ = ["BadRow", "RecordHash", "RecordRow", "format_record", "parse_record"]

_DIGEST_SIZES = {  # bytes; "sha256 or better" (PEP 427)
    "sha256": 32,
    "sha384": 48,
    "sha512": 64,
    "sha3_256": 32,
    "sha3_384": 48,
    "sha3_512": 64,
    "blake2b": 64,
    "blake2s": 32,
}
_SIZE = r"[0-9]{1,19}"
_CONTROL = r"[\x00-\x1f\x7f]"
_SHA256 = r"sha256=[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"
"""A SHA-256 in URL-safe base64 as it must be: the two bits that its last character has over are zero."""
_STANDARD, _URL_SAFE = bytes.maketrans(b"-_", b"+/"), bytes.maketrans(b"+/", b"-_")
_QUOTE, _QUOTED = '"', frozenset(',"\r\n')
_PLAIN_ROW = re.compile(
    r"""([^\x00-\x1f\x7f",\\:/][^\x00-\x1f\x7f",\\:]{0,1023}),
    (?:sha256=([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]))?,([0-9]{1,19})?(?:\r?\n|\Z)""",
    re.ASCII | re.VERBOSE,
)
"""A row without quotes, with a path that is fine unless it has dots, and the usual hash or none."""
_LINE = r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+"
_LONGEST_SHOWN = 120


class RecordHash(NamedTuple):
    """A hash as RECORD states it: `algorithm` in `hashlib`'s spelling, `digest` the raw bytes."""

    algorithm: str
    digest: bytes

    def __str__(self) -> str:
        """Return it in RECORD's spelling: `sha256=` and URL-safe base64 without padding."""
        standard = binascii.b2a_base64(self.digest, newline=False).rstrip(b"=")
        digest = standard.translate(_URL_SAFE).decode("ascii")
        return f"{self.algorithm}={digest}"


class RecordRow(NamedTuple):
    """One row of RECORD (PEP 376).

    `path` is relative to the wheel's root, with `/`. `hash` and `size` (bytes) are None where the
    row leaves them out, as those of RECORD itself and of its signatures do.
    """

    path: str
    hash: RecordHash | None = None
    size: int | None = None


@valueclass
class BadRow:
    """A row of RECORD that is none: why, with its line; `path` is what it speaks of, if that can be told."""

    path: str | None
    problem: str


def parse_record(text: str) -> tuple[tuple[RecordRow, ...], tuple[BadRow, ...]]:
    """Return the rows of RECORD in the order of the file, and those that are none.

    Blank lines are skipped. A bad row has other than three fields, a path that is absolute, climbs
    with `..` or stands there twice, a hash that PEP 427 forbids or that is damaged, or a size that
    is no number.
    """
    rows: dict[str, RecordRow] = {}
    at = _parse_plain_rows(text, rows)
    bad = _parse_rows(text, at, rows) if at < len(text) else ()
    return tuple(rows.values()), tuple(bad)


def _parse_rows(text: str, at: int, rows: dict[str, RecordRow]) -> list[BadRow]:
    """Parse the rows from `at` on, whatever they look like; return those that are none."""
    import csv

    bad: list[BadRow] = []
    lines = text.count("\n", 0, at)
    reader = csv.reader(_lines(text, at), strict=True)
    try:
        for fields in reader:
            if not fields:
                continue
            try:
                row = _parse_row(fields)
                if row.path in rows:
                    raise ValueError(f"{_shown(row.path)} is listed twice")
            except ValueError as error:
                bad.append(
                    BadRow(path=fields[0], problem=f"line {lines + reader.line_num}: {error}")
                )
            else:
                rows[row.path] = row
    except csv.Error as error:
        bad.append(BadRow(path=None, problem=f"line {lines + reader.line_num}: not CSV ({error})"))
    return bad


def _parse_plain_rows(text: str, rows: dict[str, RecordRow]) -> int:
    """Parse rows up to the first that is anything unusual; return where that begins.

    Most RECORDs have no unusual row, and this takes a fifth of the time that looking at fields one by one does.
    """
    # Hashes are as they are in ASCII; a copy of other texts may take four times as much memory.
    standard = text.encode("ascii", "replace").translate(_STANDARD)
    may_climb = ".." in text
    at = 0
    while (row := _PLAIN_ROW.match(text, at)) is not None:
        path, digest, size = row.groups()
        if path in rows or (may_climb and ".." in path):
            break
        hash_ = None
        if digest:
            first, last = row.span(2)
            hash_ = RecordHash("sha256", binascii.a2b_base64(standard[first:last] + b"="))
        rows[path] = RecordRow(path, hash_, int(size) if size else None)
        at = row.end()
    return at


def format_record(rows: Iterable[RecordRow]) -> bytes:
    r"""Return RECORD's bytes: UTF-8, `\n` line ends, quoted as the `wheel` package quotes."""
    lines = []
    for path, hash_, size in rows:
        plain = _QUOTED.isdisjoint(path)
        written = path if plain else f'"{path.replace(_QUOTE, 2 * _QUOTE)}"'
        lines.append(f"{written},{hash_ or ''},{'' if size is None else size}\n")
    return "".join(lines).encode()


def _lines(text: str, at: int) -> Iterator[str]:
    """Yield the lines from `at` on with their ends, one by one: copies of a large RECORD would add up."""
    return (line[0] for line in re.compile(_LINE).finditer(text, at))


def _shown(text: str) -> str:
    """Return a text of RECORD for a message."""
    return repr(text) if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]!r}…"


def _parse_row(fields: list[str]) -> RecordRow:
    if len(fields) != 3:
        raise ValueError(f"{len(fields)} fields instead of path, hash, size")
    path, hash_, size = fields
    problem = _path_problem(path)
    if problem:
        raise ValueError(f"the path {_shown(path)} {problem}")
    if size and not re.fullmatch(_SIZE, size):
        raise ValueError(f"{_shown(path)} has {_shown(size)} as its size")
    return RecordRow(path, _parse_hash(path, hash_) if hash_ else None, int(size) if size else None)


def _path_problem(path: str) -> str:
    if not path:
        return "is empty"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "is absolute"
    if "\\" in path:
        return "has a backslash"
    if ".." in path and ".." in path.split("/"):
        return "leaves the wheel"
    if not path.isprintable() and re.search(_CONTROL, path):
        return "has a control character"
    return ""


def _parse_hash(path: str, text: str) -> RecordHash:
    if re.fullmatch(_SHA256, text):  # nearly every row there is
        return RecordHash(
            "sha256", binascii.a2b_base64(text[7:].encode().translate(_STANDARD) + b"=")
        )
    algorithm, _, encoded = text.partition("=")
    size = _DIGEST_SIZES.get(algorithm)
    if size is None:
        strong = ", ".join(_DIGEST_SIZES)
        raise ValueError(
            f"{_shown(path)} has a hash of kind {_shown(algorithm)}; allowed are {strong}"
        )
    import base64

    unpadded = encoded.rstrip("=")
    try:
        # The alphabet of base64 that is not URL-safe would pass for it otherwise.
        digest = base64.b64decode(unpadded + "=" * (-len(unpadded) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    parsed = RecordHash(algorithm, digest)
    if len(digest) != size or str(parsed) != f"{algorithm}={unpadded}":
        raise ValueError(
            f"{_shown(path)} has {_shown(text)}, which is no {algorithm} in URL-safe base64"
        )
    return parsed
