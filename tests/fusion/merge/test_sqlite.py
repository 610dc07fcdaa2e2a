"""SQLite databases: what is equal for every query, and what a hostile one may do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from fatwheel.fusion.merge import Merged, Unmergeable
from fatwheel.fusion.merge.sqlite import merge_sqlite

# pyproj 3.7.2, proj.db: the same rows in pages of two releases of SQLite; with a few rows here
ROWS = [("EPSG", code, f"unit {code}", code / 3, None, b"\0\1") for code in range(1, 300)]
SCHEMA = (
    "CREATE TABLE unit (auth TEXT, code INTEGER, name TEXT, factor FLOAT, none ANY, raw BLOB)",
    "CREATE INDEX by_name ON unit (name)",
    "CREATE VIEW units AS SELECT name FROM unit",
)
ADD = "INSERT INTO unit VALUES (?, ?, ?, ?, ?, ?)"


def database(
    path: Path, *more: str, change: Callable[[sqlite3.Connection], None] | None = None
) -> bytes:
    path.unlink(missing_ok=True)
    base = sqlite3.connect(path, isolation_level=None)
    for command in ("PRAGMA synchronous = OFF", "PRAGMA journal_mode = MEMORY", "BEGIN", *SCHEMA):
        base.execute(command)
    base.executemany(ADD, ROWS)
    if change is not None:
        change(base)
    base.execute("COMMIT")
    for command in more:
        base.execute(command)
    base.close()
    return path.read_bytes()


@pytest.fixture
def plain(tmp_path: Path) -> bytes:
    return database(tmp_path / "plain.db")


def test_the_same_rows_in_other_pages(tmp_path: Path, plain: bytes) -> None:
    def refill(base: sqlite3.Connection) -> None:
        base.execute("DELETE FROM unit WHERE code > 100")
        base.executemany(ADD, ROWS[100:])

    other = database(tmp_path / "other.db", change=refill)
    assert other != plain
    merged = merge_sqlite(plain, other)
    assert isinstance(merged, Merged), merged
    assert merged.content == other


CHANGES = {
    "the last bit of a float": (
        "UPDATE unit SET factor = factor * (1 + 2.3e-16) WHERE code = 7",
        "they differ in one row of unit (first 2.3333333333333335 for x86_64 and 2.33333333333333",
    ),
    "a text for a blob": (
        "UPDATE unit SET raw = CAST(raw AS TEXT) WHERE code < 3",
        "they differ in 2 rows of unit",
    ),
    "an integer for a text": ("UPDATE unit SET none = 1 WHERE code = 1", "one row of unit"),
    "a row more": ("INSERT INTO unit (code) VALUES (1)", "one row of unit"),
    "another order": (
        "UPDATE unit SET rowid = 1000 WHERE rowid = 1",
        "they differ in 299 rows of unit",
    ),
    "a table more": ("CREATE TABLE more (a)", "their schemas differ"),
    "another view": ("CREATE VIEW v AS SELECT 1", "their schemas differ"),
    "what an application says of it": (
        "PRAGMA user_version = 7",
        "the settings in their headers differ",
    ),
    "another journal": ("PRAGMA journal_mode = WAL", "the settings in their headers differ"),
    "statistics": ("ANALYZE", "their schemas differ"),
}


@pytest.mark.parametrize(("command", "why"), CHANGES.values(), ids=CHANGES)
def test_what_a_query_can_tell_apart(tmp_path: Path, plain: bytes, command: str, why: str) -> None:
    other = database(tmp_path / "other.db", command)
    for one, two in ((plain, other), (other, plain)):
        result = merge_sqlite(one, two)
        assert isinstance(result, Unmergeable)
    assert isinstance(result := merge_sqlite(plain, other), Unmergeable)
    assert why in result.why


def test_an_index_that_does_not_agree_with_its_table(tmp_path: Path, plain: bytes) -> None:
    damaged = plain.replace(b"unit 250", b"unit 251", 2).replace(b"unit 251", b"unit 250", 1)
    assert damaged != plain  # one of the two, the table's or the index's
    assert isinstance(merge_sqlite(damaged, damaged + b""), Unmergeable)


HOSTILE = {
    "a virtual table": "CREATE VIRTUAL TABLE v USING fts5(a)",
    "a computed column": "CREATE TABLE c (a, b AS (zeroblob(1000000000)))",
}


@pytest.mark.parametrize("command", HOSTILE.values(), ids=HOSTILE)
def test_what_would_run_code_of_the_database(tmp_path: Path, command: str) -> None:
    one = database(tmp_path / "a.db", command)
    two = database(tmp_path / "b.db", command, "INSERT INTO unit (code) VALUES (1)")
    result = merge_sqlite(one, two)
    assert isinstance(result, Unmergeable)
    assert "cannot be compared (_CannotTellError: 'it has " in result.why


@pytest.mark.parametrize("end", [100, 4096, 10_000])
def test_a_database_that_is_cut_off(plain: bytes, end: int) -> None:
    assert isinstance(merge_sqlite(plain[:end], plain), Unmergeable)
    assert isinstance(merge_sqlite(plain, plain[:end]), Unmergeable)
    assert isinstance(merge_sqlite(plain[:end], plain[:end]), Unmergeable)


def test_what_is_no_database(plain: bytes) -> None:
    assert merge_sqlite(b"text", plain) == Unmergeable(why="one of the two is no SQLite database")
