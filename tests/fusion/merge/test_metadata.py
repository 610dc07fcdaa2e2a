"""METADATA, entry_points.txt and top_level.txt compared as values."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.metadata import parse_email

from fatwheel.fusion.merge import Merged, MergeResult, Unmergeable
from fatwheel.fusion.merge.metadata import (
    merge_entry_points,
    merge_license,
    merge_metadata,
    merge_top_level,
)

DIGITS = "9" * 5_000
DEEP = "(" * 2_000 + 'extra == "x"' + ")" * 2_000
HEAD = "Metadata-Version: 2.4\nName: Foo_Bar\nVersion: 1.0\n"
TEXT = (
    HEAD + "Requires-Dist: numpy>=1.2; extra == 'all'\nLicense-File: LICENSE\n\n# Foo\n\nHello.\n"
)


def merge(x86_64: str, arm64: str) -> MergeResult:
    return merge_metadata(x86_64.encode(), arm64.encode())


@pytest.mark.parametrize(
    ("x86_64", "arm64"),
    [
        (TEXT, TEXT),
        (TEXT.replace("\n", "\r\n"), TEXT),
        (TEXT + "\n\n", TEXT.rstrip()),
        (TEXT.replace("Name: Foo_Bar", "name: foo.bar"), TEXT),
        (TEXT.replace("1.0", "1.0.0"), TEXT),
        (TEXT.replace("numpy>=1.2; extra == 'all'", 'NumPy (>=1.2) ; (extra=="all")'), TEXT),
        (
            HEAD + "Requires-Python: >=3.10,<4\nRequires-Dist: a[y,X_z]<3,>1\nRequires-Dist: b\n",
            HEAD
            + "Requires-Dist: b\nRequires-Dist: a [x-z,y] >1,<3\nRequires-Python: <4, >=3.10\n",
        ),
        (HEAD + "Requires-Dist: not a requirement\n", HEAD + "Requires-Dist:not a requirement\n"),
        # What cannot be parsed is compared as text: versions of 5,000 digits, parentheses without end.
        (HEAD + f"Requires-Dist: a=={DIGITS}\n", HEAD + f"requires-dist:a=={DIGITS}\n"),
        (HEAD + f"Requires-Python: >{DIGITS}\n", HEAD + f"requires-python:>{DIGITS}\n"),
        (HEAD + f"Requires-Dist: a; {DEEP}\n", HEAD + f"requires-dist:a; {DEEP}\n"),
        (HEAD + "Provides-Extra: a_b\n", HEAD + "Provides-Extra: A.B\n"),
        (HEAD + "License: a\n\tb\n", HEAD + "License: a\n\tb\n"),
        (TEXT.replace("Foo\n", "Foo é\n"), TEXT.replace("Foo\n", "Foo é\n")),
    ],
    ids=[
        "same",
        "line-ends",
        "end-of-description",
        "name",
        "version",
        "requirement",
        "order",
        "unparsable-requirement",
        "digits",
        "digits-of-python",
        "parentheses",
        "extra",
        "folded",
        "utf-8",
    ],
)
def test_equal_values_keep_the_spelling_of_arm64(x86_64: str, arm64: str) -> None:
    assert merge(x86_64, arm64) == Merged(
        content=arm64.encode(), how="equal as values; arm64's spelling kept"
    )
    assert isinstance(merge(arm64, x86_64), Merged)


@pytest.mark.parametrize(
    ("x86_64", "arm64", "why"),
    [
        (
            TEXT.replace("2.4", "2.1"),
            TEXT,
            "Metadata-Version is '2.1' for x86_64 and '2.4' for arm64",
        ),
        (TEXT.replace("1.0", "1.1"), TEXT, "Version is '1.1' for x86_64 and '1.0' for arm64"),
        (
            TEXT.replace("numpy>=1.2", "numpy>=1.3"),
            TEXT,
            'Requires-Dist is "numpy>=1.3; extra == \'all\'" for x86_64 and "numpy>=1.2; extra',
        ),
        (
            HEAD + "Requires-Dist: a\nRequires-Dist: a\nRequires-Dist: b\n",
            HEAD + "Requires-Dist: a\nRequires-Dist: b\nRequires-Dist: b\n",
            "Requires-Dist is 'a' for x86_64 and 'b' for arm64",
        ),
        (
            HEAD,
            HEAD + "Platform: arm64\n",
            "Platform is not there for x86_64 and 'arm64' for arm64",
        ),
        (HEAD + "X-Y: " + "z" * 500 + "\n", HEAD, f"X-Y is '{'z' * 119}… for x86_64"),
        (
            TEXT.replace("Hello.", "Hullo."),
            TEXT,
            "the description differs: line 3 is 'Hullo.' for x86_64 and 'Hello.' for arm64",
        ),
        (TEXT.replace("# Foo", "#  Foo"), TEXT, "line 1 is '#  Foo' for x86_64 and '# Foo'"),
        (TEXT, TEXT + "More.\n", "the description differs: 3 lines for x86_64 and 4 for arm64"),
        (HEAD + f"Requires-Dist: a=={DIGITS}\n", HEAD, "Requires-Dist is 'a==99999999"),
        (HEAD + f"Requires-Dist: a; {DEEP}\n", HEAD, "Requires-Dist is 'a; (((((("),
        (HEAD.replace("1.0", DIGITS), HEAD, "Version is '999999999"),
        (HEAD + "a:\n" * 25_000, HEAD, "has more than 25000 headers; no real wheel's has"),
    ],
)
def test_what_differs_is_named_with_both_values(x86_64: str, arm64: str, why: str) -> None:
    result = merge(x86_64, arm64)
    assert isinstance(result, Unmergeable)
    assert why in result.why


OLD = "Metadata-Version: 2.1\nName: a\nVersion: 1.0\nSummary: x\n"


@pytest.mark.parametrize(
    ("x86_64", "arm64", "merged"),
    [
        # SimpleITK 2.2.1
        (OLD + "Platform: UNKNOWN\n\nText\n", OLD + "\nText\n", OLD + "\nText\n"),
        (OLD + "\nText\n", OLD + "Platform: UNKNOWN\n\nText\n", OLD + "\nText\n"),
        (OLD + "License: UNKNOWN\n", OLD + "Author: UNKNOWN\n", OLD),
        # cmeel-octomap
        (OLD, OLD.replace("2.1", "2.3"), OLD.replace("2.1", "2.3")),
        (OLD.replace("2.1", "2.4"), OLD, OLD.replace("2.1", "2.4")),
        (OLD.replace("2.1", "1.2"), OLD.replace("2.1", "1.1"), OLD.replace("2.1", "1.2")),
        (
            OLD.replace("2.1", "2.2").replace("\n", "\r\n"),
            OLD.replace("\n", "\r\n"),
            OLD.replace("2.1", "2.2").replace("\n", "\r\n"),
        ),
    ],
)
def test_what_old_setuptools_write_for_nothing_and_the_formats_version(
    x86_64: str, arm64: str, merged: str
) -> None:
    result = merge_metadata(x86_64.encode(), arm64.encode(), spelling=False)
    assert isinstance(result, Merged), result
    assert result.content == merged.encode()


@pytest.mark.parametrize(
    ("x86_64", "arm64"),
    [
        (OLD + "License: MIT\n", OLD + "License: UNKNOWN\n"),
        (OLD + "License: MIT\n", OLD),
        (OLD + "Requires-Dist: UNKNOWN\n", OLD),
        (OLD + "Provides-Extra: UNKNOWN\n", OLD),
        (OLD.replace("2.1", "2.4") + "License-Expression: MIT\n", OLD),
        (
            OLD.replace("2.1", "2.4") + "License-File: A\n",
            OLD + "License-File: A\n",
        ),
        (OLD.replace("2.1", "2.2") + "Dynamic: a\n", OLD + "Dynamic: a\n"),
        (OLD.replace("2.1", "1.0") + "Requires-Dist: b\n", OLD + "Requires-Dist: b\n"),
        (OLD.replace("2.1", "3.0"), OLD),
        (OLD.replace("2.1", "2.3") + "Requires-Dist: b\n", OLD),
    ],
)
def test_what_the_formats_version_may_explain(x86_64: str, arm64: str) -> None:
    for one, other in ((x86_64, arm64), (arm64, x86_64)):
        result = merge_metadata(one.encode(), other.encode(), spelling=False)
        assert isinstance(result, Unmergeable)


def test_a_line_that_goes_on_is_no_field() -> None:
    arm64 = OLD + "Keywords: a\n author: UNKNOWN\nPlatform: UNKNOWN\n"
    x86_64 = OLD + "Keywords: a\n author: UNKNOWN\n"
    result = merge_metadata(x86_64.encode(), arm64.encode(), spelling=False)
    assert isinstance(result, Merged)
    assert result.content == x86_64.encode()


def test_bytes_that_are_no_text() -> None:
    result = merge_metadata(b"Name: \xff\n", b"Name: a\n")
    assert result == Unmergeable(why="one of the two is not UTF-8 (invalid start byte at byte 6)")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("x86_64", "arm64", "merged"),
    [
        (
            "License-File: A\nLicense-File: B\n",
            "License-File: A\n",
            "License-File: A\nLicense-File: B\n",
        ),
        ("License-File: B\n", "", "License-File: B\n"),
        (
            "License-File: é\n",
            "License-File: A\nKeywords: a,\n  b\n\nText\n",
            "License-File: A\nLicense-File: é\nKeywords: a,\n  b\n\nText\n",
        ),
        (
            "License-File: B\n",
            "License-File: A\n  folded\n",
            "License-File: A\n  folded\nLicense-File: B\n",
        ),
        ("License-File: B\n", "License-File: A", "License-File: A\nLicense-File: B\n"),
    ],
    ids=["more", "none", "between", "folded", "no-last-line-end"],
)
def test_license_files_are_united(x86_64: str, arm64: str, merged: str, end: str) -> None:
    if "Keywords" in arm64:
        x86_64 += "Keywords: a,\n  b\n\nText\n"
    sides = [(HEAD + side).replace("\n", end) for side in (x86_64, arm64)]
    result = merge(sides[0], sides[1])
    assert isinstance(result, Merged)
    assert result.content.decode() == (HEAD + merged).replace("\n", end)
    assert "of x86_64" in result.how


def test_license_files_that_only_arm64_has_are_there_already() -> None:
    more = HEAD + "License-File: A\nLicense-File: B\nLicense-File: A\n"
    assert merge(HEAD + "License-File: A\n", more) == Merged(
        content=more.encode(),
        how="arm64's License-File lines include x86_64's; arm64's spelling kept",
    )


REQUIREMENTS = st.lists(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["a", "b.c", "D_e"]),
        st.sampled_from(["", ">=1", "==2.*,>1"]),
        st.sampled_from(["", "; extra == 'all'", '; python_version < "3.12" and extra == "x"']),
    ),
    max_size=6,
)


@given(
    REQUIREMENTS,
    REQUIREMENTS,
    st.lists(st.sampled_from("ABC"), max_size=3, unique=True),
    st.randoms(),
)
def test_law_merging_loses_nothing(
    x_needs: list[str], a_needs: list[str], licenses: list[str], shuffle: random.Random
) -> None:
    def text(needs: list[str]) -> str:
        lines = [f"Requires-Dist: {need}" for need in needs]
        lines += [f"License-File: {name}" for name in licenses if shuffle.random() < 0.7]
        shuffle.shuffle(lines)
        return HEAD + "\n".join(lines) + ("\n" if lines else "") + "\nText\n"

    x_text, a_text = text(x_needs), text(a_needs)
    result = merge(x_text, a_text)
    if isinstance(result, Unmergeable):
        assert sorted(map(_loose, x_needs)) != sorted(map(_loose, a_needs))
        return
    raws = [parse_email(raw)[0] for raw in (x_text, a_text, result.content)]
    files = [set(raw.get("license_files", [])) for raw in raws]
    assert files[2] == files[0] | files[1]
    assert raws[2].get("requires_dist") == raws[1].get("requires_dist")
    assert raws[2].get("description") == raws[1].get("description")


def _loose(need: str) -> str:
    return re.sub("[ '\"]", "", need)


POINTS = "[console_scripts]\nf2py = numpy.f2py:main\nx = a:b [c, d]\n\n[array_api]\nnumpy = numpy\n"


@pytest.mark.parametrize(
    "x86_64",
    [
        POINTS,
        POINTS.replace("\n", "\r\n"),
        "# x\n[array_api]\nnumpy=numpy\n[console_scripts]\nx=a:b[c,d]\n; x\nf2py=numpy.f2py:main",
    ],
)
def test_equal_entry_points_keep_the_spelling_of_arm64(x86_64: str) -> None:
    assert merge_entry_points(x86_64.encode(), POINTS.encode()) == Merged(
        content=POINTS.encode(), how="the same entry points; arm64's spelling kept"
    )


@pytest.mark.parametrize(
    ("x86_64", "why"),
    [
        (
            POINTS.replace("f2py:main", "f2py:run"),
            "[console_scripts] f2py is numpy.f2py:run for x86_64 and numpy.f2py:main for arm64",
        ),
        (
            POINTS.replace("f2py =", "F2py ="),
            "[console_scripts] F2py is numpy.f2py:main for x86_64 and",
        ),
        (
            POINTS.replace("[array_api]", "[b]"),
            "[array_api] numpy is not there for x86_64 and numpy",
        ),
        (
            POINTS + "[gui_scripts]\ng = a:g\n",
            "[gui_scripts] g is a:g for x86_64 and not there for",
        ),
        (POINTS + "numpy = b\n", "x86_64's is no entry_points.txt: While reading"),
        (POINTS + "\n" * 20_000, "x86_64's is no entry_points.txt: it has more than 20000 lines"),
        ("x = y\n", "x86_64's is no entry_points.txt: File contains no section headers"),
        ("[DEFAULT]\nx = y\n" + POINTS, "[DEFAULT] x is y for x86_64 and not there for arm64"),
    ],
)
def test_other_entry_points_are_named(x86_64: str, why: str) -> None:
    result = merge_entry_points(x86_64.encode(), POINTS.encode())
    assert isinstance(result, Unmergeable)
    assert result.why.startswith(why)


def test_entry_points_that_are_no_text() -> None:
    result = merge_entry_points(POINTS.encode(), b"\xff")
    assert isinstance(result, Unmergeable)
    assert result.why.startswith("arm64's is no entry_points.txt")


@pytest.mark.parametrize(
    ("x86_64", "arm64", "content", "how"),
    [
        ("a\nb\n", "b\na", "b\na", "arm64's names include x86_64's"),
        ("a\n", "a\nb\n", "a\nb\n", "arm64's names include x86_64's"),
        ("c\r\na\r\n", "b\na\n\n", "a\nb\nc\n", "union; only x86_64 has c"),
    ],
)
def test_top_level_is_a_union(x86_64: str, arm64: str, content: str, how: str) -> None:
    result = merge_top_level(x86_64.encode(), arm64.encode())
    assert result == Merged(content=content.encode(), how=how)


def test_top_level_that_is_no_text() -> None:
    assert isinstance(merge_top_level(b"\xff", b"a"), Unmergeable)


# numpy 2.3.0: only the arm64 wheel bundles gfortran's libraries
SHORT = "License: Copyright (c) NumPy Developers.\n         All rights reserved.\n"
LONG = SHORT + "         ----\n         This distribution also bundles the following software:\n"


@pytest.mark.parametrize("end", ["", "Requires-Python: >=3.11\n\nText\n"])
def test_the_license_that_holds_the_other(end: str) -> None:
    short, long = ((OLD + text + end).encode() for text in (SHORT, LONG))
    for x86_64, arm64 in ((short, long), (long, short)):
        result = merge_license(x86_64, arm64)
        assert isinstance(result, Merged), result
        assert result.content == long


@pytest.mark.parametrize(
    ("x86_64", "arm64"),
    [
        (SHORT, LONG + "Requires-Dist: a\n"),
        (SHORT + "License-File: A\n", LONG),
        (SHORT, LONG.replace("NumPy", "SciPy")),
        (SHORT, LONG + SHORT),
        (SHORT, ""),
        ("License: MIT\n", "License: BSD\n"),
    ],
)
def test_licenses_of_which_neither_holds_the_other(x86_64: str, arm64: str) -> None:
    for one, other in ((x86_64, arm64), (arm64, x86_64)):
        result = merge_license((OLD + one).encode(), (OLD + other).encode())
        assert isinstance(result, Unmergeable)
