"""Compare two SQLite databases: a program of its own, since a database from a stranger is code for SQLite to run.

`merge/sqlite` starts it with two paths, as `python -I`. It opens both read-only and as immutable, with all limits that
the system and SQLite have, prints one line that says how they differ (nothing where they do not), and exits with 0. Any
other exit code means that it could not tell. It imports nothing of fatwheel.

Specification: sqlite.org, "Defense Against The Dark Arts", for the settings.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

_MOST_STEPS = 100  # millions of steps of SQLite's virtual machine, for each database
_CPU = 30  # seconds
_MEMORY = 1 << 30  # bytes
_HEAP = 128 << 20  # bytes that SQLite may allocate
_SETTINGS = (
    "trusted_schema = OFF",
    "query_only = ON",
    "cell_size_check = ON",
    "mmap_size = 0",
    "temp_store = MEMORY",
    f"hard_heap_limit = {_HEAP}",
)
_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"


class _CannotTellError(Exception):
    """Carries why two databases cannot be compared."""


def main() -> int:
    """Compare the two databases that the arguments name."""
    _limit()
    try:
        print(_difference(sys.argv[1], sys.argv[2]))
    except (_CannotTellError, sqlite3.Error, MemoryError) as error:
        print(f"cannot be compared ({type(error).__name__}: {str(error)[:200]!r})")
    return 0


def _limit() -> None:
    with contextlib.suppress(ImportError):  # Windows has none
        import resource

        limits = (
            (resource.RLIMIT_CPU, _CPU),
            (resource.RLIMIT_AS, _MEMORY),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_CORE, 0),
        )
        for kind, most in limits:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(kind, (most, most))


def _difference(x_path: str, a_path: str) -> str:
    """Return how two databases differ; empty where each query has the same answer from both."""
    if _head(x_path) != _head(a_path):
        return "the settings in their headers differ"
    x_base, a_base = _opened(x_path), _opened(a_path)
    x_schema, a_schema = ([*base.execute(_SCHEMA)] for base in (x_base, a_base))
    if x_schema != a_schema:
        return "their schemas differ"
    found = []
    for kind, name, _, sql in a_schema:
        if kind[1] != b"table":
            continue
        if sql is None or b"VIRTUAL" in sql[1].upper():
            raise _CannotTellError("it has virtual tables")
        rows, first = _differing_rows(x_base, a_base, name[1].decode())
        if rows:
            count = "one row" if rows == 1 else f"{rows:d} rows"
            found.append(f"{count} of {name[1].decode()} (first {first})")
    if not found:
        for base in (x_base, a_base):
            if [*base.execute("PRAGMA integrity_check(1)")] != [(("text", b"ok"),)]:
                raise _CannotTellError("its indexes are damaged")
        return ""
    return f"they differ in {', '.join(found[:3])}" + (" and more" if found[3:] else "")


def _head(path: str) -> bytes:
    """Return what the header says besides counters: page size, journal, encoding, the application's two numbers."""
    with Path(path).open("rb") as stream:
        head = stream.read(100)
    return head[:24] + head[44:52] + head[56:72]


def _opened(path: str) -> sqlite3.Connection:
    uri = f"{Path(path).resolve().as_uri()}?mode=ro&immutable=1"
    base = sqlite3.connect(uri, uri=True, isolation_level=None)
    base.text_factory = lambda text: ("text", text)  # so that it is no blob
    steps = iter(range(_MOST_STEPS))
    base.set_progress_handler(lambda: next(steps, None) is None, 1_000_000)
    for setting in _SETTINGS:
        base.execute(f"PRAGMA {setting}").fetchall()
    return base


def _differing_rows(
    x_base: sqlite3.Connection, a_base: sqlite3.Connection, table: str
) -> tuple[int, str]:
    """Return how many rows differ, in the order that the table has, and the first two values that do."""
    rows, first = 0, ""
    for x_row, a_row in zip_longest(_rows(x_base, table), _rows(a_base, table)):
        if x_row == a_row:
            continue
        rows += 1
        if not first:
            pairs = zip_longest(x_row or (), a_row or ())
            x_value, a_value = next((x, a) for x, a in pairs if x != a)
            first = f"{_shown(x_value)} for x86_64 and {_shown(a_value)} for arm64"
    return rows, first


def _rows(base: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    quoted = '"' + table.replace('"', '""') + '"'
    hidden = [row[-1] for row in base.execute(f"PRAGMA table_xinfo({quoted})")]
    if not hidden or any(hidden):
        raise _CannotTellError("it has columns that are computed")
    try:
        found = base.execute(f"SELECT rowid, * FROM {quoted} NOT INDEXED")  # noqa: S608  (quoted)
    except sqlite3.OperationalError:  # WITHOUT ROWID
        found = base.execute(f"SELECT * FROM {quoted}")  # noqa: S608
    for row in found:
        yield tuple(map(_exact, row))


def _exact(value: object) -> object:
    """Return a value that is equal to none of another type, and to itself alone."""
    if isinstance(value, float):
        return "real", struct.pack(">d", value), value
    return ("integer", value) if isinstance(value, int) else value


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        value = value[-1]
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return ascii(text)[:60]


if __name__ == "__main__":
    sys.exit(main())
