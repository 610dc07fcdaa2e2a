"""RECORD: rows in, rows out, and what is refused."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fatwheel.wheels import record
from fatwheel.wheels.record import RecordHash, RecordRow, format_record, parse_record

DIGEST = hashlib.sha256(b"").digest()
HASH = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
RECORD = "a-1.dist-info/RECORD"


def parse(text: str) -> tuple[RecordRow, ...]:
    rows, bad = parse_record(text)
    assert bad == ()
    return rows


def test_rows_keep_their_order() -> None:
    text = f'b.py,{HASH},0\n"a,""b.py",{HASH},12\n\nc.pyc,,\n{RECORD},,\n'
    assert parse(text) == (
        RecordRow("b.py", RecordHash("sha256", DIGEST), 0),
        RecordRow('a,"b.py', RecordHash("sha256", DIGEST), 12),
        RecordRow("c.pyc"),
        RecordRow(RECORD),
    )
    assert format_record(parse(text)).decode() == text.replace("\n\n", "\n")


LINES = [
    f"a.py,{HASH},0",
    f"pkg/é b.py,{HASH},12",
    f'"pkg/a,b.py",{HASH},3',
    f"pkg/..a/b..,{HASH},3",
    f"{RECORD},,",
    "c.pyc,,7",
    f"../up,{HASH},1",
    f"/root,{HASH},1",
    f"c:/drive,{HASH},1",
    f"a\\b,{HASH},1",
    f"d,{HASH}=,1",
    f"e,{HASH[:-1]}V,1",
    f"f,{HASH},-1",
    f"g,{HASH},01",
    "h,sha512=AA,1",
    f"i,{HASH}",
    f"{'j' * 2000},{HASH},1",
    "",
    '"k',
    "l\rm,,",
]


@given(st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(["\n", "\r\n"]))))
def test_unusual_rows_change_nothing_for_the_others(lines: list[tuple[str, str]]) -> None:
    """What is read at once where it is plain is read as it is field by field."""
    text = "".join(line + end for line, end in lines)
    with mock.patch.object(record, "_PLAIN_ROW", re.compile("(?!)")):
        expected = parse_record(text)
    assert parse_record(text) == expected


def test_line_ends_of_dos_and_a_missing_last_one_are_read() -> None:
    assert parse(f"a,{HASH},0\r\nb,{HASH},0") == parse(f"a,{HASH},0\nb,{HASH},0\n")


def test_padding_that_the_format_forbids_but_installers_read_is_read() -> None:
    assert parse(f"a,{HASH}=,0\n") == parse(f"a,{HASH},0\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"a,{HASH}\n", "line 1: 2 fields instead of path, hash, size"),
        (f"a,{HASH},0,\n", "line 1: 4 fields"),
        (f"a,{HASH},0\na,,\n", "line 2: 'a' is listed twice"),
        (f",{HASH},0\n", "the path '' is empty"),
        (f"/a,{HASH},0\n", "the path '/a' is absolute"),
        (f"c:/a,{HASH},0\n", "the path 'c:/a' is absolute"),
        (f"a/../../b,{HASH},0\n", "the path 'a/../../b' leaves the wheel"),
        (f"a\\b,{HASH},0\n", r"the path 'a\\b' has a backslash"),
        (f"a\tb,{HASH},0\n", r"the path 'a\tb' has a control character"),
        (f"a,{HASH},-1\n", "'a' has '-1' as its size"),
        (f"a,{HASH},1_0\n", "'a' has '1_0' as its size"),
        (f"a,{HASH},\N{ARABIC-INDIC DIGIT ONE}\n", "'a' has"),
        ("a,md5=1B2M2Y8AsgTpgAmY7PhCfg,0\n", "'a' has a hash of kind 'md5'; allowed are sha256"),
        ("a,sha1=2jmj7l5rSw0yVb_vlWAYkK_YBwk,0\n", "hash of kind 'sha1'"),
        ("a,sha224=0UoCjCo6K8lHYQK7KII0xBWisB-CjqYqxbPkLw,0\n", "hash of kind 'sha224'"),
        ("a,47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n", "hash of kind '47DEQ"),
        (f"a,{HASH[:-1]},0\n", "which is no sha256 in URL-safe base64"),
        (f"a,{HASH[:-1]}!,0\n", "which is no sha256 in URL-safe base64"),
        (f"a,{HASH[:-1]}V,0\n", "which is no sha256 in URL-safe base64"),
        (f"a,{HASH.replace('_', '/')},0\n", "which is no sha256 in URL-safe base64"),
        ("a,sha256=é,0\n", "which is no sha256 in URL-safe base64"),
        (f'"a"b,{HASH},0\n', "line 1: not CSV"),
        (f'"a,{HASH},0\n', "line 1: not CSV"),
        ("x" * 200_000, "not CSV"),
    ],
)
def test_what_is_no_row(text: str, problem: str) -> None:
    _, (first, *_) = parse_record(text)
    assert problem in first.problem


def test_all_are_told_and_good_rows_kept() -> None:
    rows, bad = parse_record(f"x\na,{HASH},0\nb,md5=x,1\n")
    assert rows == (RecordRow("a", RecordHash("sha256", DIGEST), 0),)
    assert [(row.path, row.problem.partition(":")[0]) for row in bad] == [
        ("x", "line 1"),
        ("b", "line 3"),
    ]


ALGORITHMS = {"sha256": 32, "sha384": 48, "sha512": 64, "sha3_256": 32, "blake2b": 64}
PATHS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\:"), min_size=1
)


@st.composite
def rows(draw: st.DrawFn) -> RecordRow:
    path = draw(PATHS.filter(lambda path: path[0] != "/" and ".." not in path))
    algorithm = draw(st.sampled_from(sorted(ALGORITHMS)))
    size = ALGORITHMS[algorithm]
    digest = st.binary(min_size=size, max_size=size).map(lambda raw: RecordHash(algorithm, raw))
    return RecordRow(path, draw(st.none() | digest), draw(st.none() | st.integers(0, 2**60)))


@given(st.lists(rows(), max_size=5, unique_by=lambda row: row.path))
def test_law_parse_gives_back_what_was_formatted(table: list[RecordRow]) -> None:
    assert parse(format_record(table).decode("utf-8")) == tuple(table)


IN_FILE_NAMES = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@given(st.lists(st.text(IN_FILE_NAMES, min_size=1), max_size=5))
@example(["a,b", 'a"b', "a\nb", "a\rb", " a", "'a'"])
def test_csv_reads_the_paths_that_were_written(paths: list[str]) -> None:
    """Those of an installed tree may hold anything that a file's name can."""
    written = format_record(RecordRow(path, None, None) for path in paths).decode()
    assert list(csv.reader(io.StringIO(written, newline=""), strict=True)) == [
        [path, "", ""] for path in paths
    ]


def test_paths_are_quoted_where_csv_quotes_them() -> None:
    paths = ["a,b", 'a"b', "a\nb", " a", "'a'", "é", "a\x85b"]
    wanted = io.StringIO(newline="")
    csv.writer(wanted, lineterminator="\n").writerows((path, "", "") for path in paths)
    found = format_record(RecordRow(path, None, None) for path in paths)
    assert found.decode() == wanted.getvalue()
