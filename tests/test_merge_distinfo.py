"""entry_points.txt and top_level.txt."""

from __future__ import annotations

import pytest

from fatwheel.merge import Merged, Unmergeable
from fatwheel.merge.distinfo import merge_entry_points, merge_top_level

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
