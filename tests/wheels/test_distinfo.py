"""WHEEL, and the wheel's own two folders."""

from __future__ import annotations

import re
from email.parser import HeaderParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.tags import parse_tag

from fatwheel.errors import WheelError
from fatwheel.wheels.distinfo import (
    WheelMetadata,
    find_data,
    find_dist_info,
    format_wheel_metadata,
    parse_name_and_version,
    parse_wheel_metadata,
    read_headers,
)
from fatwheel.wheels.tags import WheelName, parse_wheel_name

NAME = parse_wheel_name("Foo_Bar-1.0-cp312-cp312-macosx_11_0_arm64.whl")


def parse(text: str) -> WheelMetadata:
    return parse_wheel_metadata(text, wheel=NAME.filename, member="foo_bar-1.0.dist-info/WHEEL")


def test_reads_what_a_backend_and_delocate_wrote() -> None:
    text = (
        "Wheel-Version: 1.0\n"
        "Generator: setuptools (84.0.0)\n"
        "Root-Is-Purelib: false\n"
        "Tag: py2.py3-none-macosx_11_0_arm64\n"
        "Build: 1a\n"
        "Generator: delocate 0.13.0\n\n"
    )
    assert parse(text) == WheelMetadata(
        wheel_version=(1, 0),
        generators=("setuptools (84.0.0)", "delocate 0.13.0"),
        root_is_purelib=False,
        tags=("py2-none-macosx_11_0_arm64", "py3-none-macosx_11_0_arm64"),
        build="1a",
    )


def test_reads_like_installers_do() -> None:
    sparse = parse("wheel-version: 1.9\r\nROOT-IS-PURELIB: True\r\nTag: py3-none-any\r\n")
    assert sparse.wheel_version == (1, 9)
    assert sparse.root_is_purelib
    assert not parse("Wheel-Version: 1.0\n").root_is_purelib


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has nothing as its Wheel-Version"),
        ("\nWheel-Version: 1.0\n", "has nothing as its Wheel-Version"),
        ("Wheel-Version: 1.0\nWheel-Version: 1.0\n", "has 1.0, 1.0 as its Wheel-Version"),
        ("Wheel-Version: one\n", "has one as its Wheel-Version"),
        ("Wheel-Version: 2.0\n", "has Wheel-Version 2.0; fatwheel knows 1.0"),
        ("Wheel-Version: 1.0\nRoot-Is-Purelib: maybe\n", "has maybe as Root-Is-Purelib"),
        ("Wheel-Version: 1.0\nTag: py3-none\n", "has 'py3-none' as a Tag"),
        ("Wheel-Version: 1.0\nTag: py3..py2-none-any\n", "has 'py3..py2-none-any' as a Tag"),
        (
            f"Wheel-Version: 1.0\nTag: {'.'.join('a' * 101)}-{'.'.join('b' * 101)}-c\n",
            "its Tag lines stand for more than 10000 tags; no real wheel's do",
        ),
        (
            "Wheel-Version: 1.0\n" + f"Tag: {'.'.join('a' * 60)}-{'.'.join('b' * 60)}-c\n" * 3,
            "its Tag lines stand for more than 10000 tags; no real wheel's do",
        ),
        ("a:\n" * 25_001, "has more than 25000 headers; no real wheel's has"),
        ("Wheel-Version: 1.0\nBuild: 1\nBuild: 2\n", "has several Build lines: 1, 2"),
    ],
)
def test_refuses(text: str, problem: str) -> None:
    with pytest.raises(WheelError, match=re.escape(problem)):
        parse(text)


WORDS = ["Tag", "tag", "Wheel-Version", ":", "From", "1.0", "ä", "\x00", "\x7f"]
BREAKS = ["\n", "\r", "\r\n", "\n\n", "\n ", " ", "\t", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"]
HEADER_TEXTS = st.lists(st.sampled_from(WORDS + BREAKS) | st.text(max_size=3)).map("".join)


@pytest.mark.parametrize("version", ["9" * 5_000, "1." * 200 + "1", "one", ""])
def test_a_version_that_is_none(version: str) -> None:
    text = f"Name: a\nVersion: {version}\n"
    assert parse_name_and_version(text, wheel="a.whl", member="METADATA") is None


@given(HEADER_TEXTS)
@example("Tag: a\n b\n:x\n c\nTag:\nFrom me\n d\n\nTag: body\n")
@example(" first\nTag: a\nTag : no header\nTag: b\n")
@example("From me\nTag: a\nFrom me")
@example("Tag: " + "a" * 8187 + "\r\n b")  # email reads 8192 characters at a time
def test_law_headers_are_those_that_email_reads(text: str) -> None:
    parsed = HeaderParser().parsestr(text)
    headers, description = read_headers(text, wheel="a.whl", member="METADATA")
    assert headers == [(n.lower(), str(value).strip()) for n, value in parsed.items()]
    assert description == parsed.get_payload()


@given(
    st.text("aB1_.-+ é\n", max_size=20)
    | st.from_regex(r"[a-c.]{1,9}-[a-c.]{1,9}-[a-c.]{1,9}", fullmatch=True)
)
@example("Py2.py3-None-Any")
@example("B-\n-1")  # the second line is no header, nor a part of the first
@example("B-B-1\n 1")
@example("B-B-1\n\nB")
def test_law_tags_are_those_that_packaging_expands(tag: str) -> None:
    text = f"Wheel-Version: 1.0\nTag: {tag}\n"
    value = str(HeaderParser().parsestr(text)["Tag"]).strip()
    try:
        expected = sorted(map(str, parse_tag(value)))
    except ValueError:
        with pytest.raises(WheelError, match="as a Tag"):
            parse(text)
    else:
        assert list(parse(text).tags) == expected


def test_writes_a_tag_for_each_expanded_tag() -> None:
    name = parse_wheel_name("a-1-2x-cp312-cp312-macosx_10_13_x86_64.macosx_12_0_universal2.whl")
    assert format_wheel_metadata(
        name, generator="fatwheel 0.1", root_is_purelib=False
    ).decode() == (
        "Wheel-Version: 1.0\n"
        "Generator: fatwheel 0.1\n"
        "Root-Is-Purelib: false\n"
        "Tag: cp312-cp312-macosx_10_13_x86_64\n"
        "Tag: cp312-cp312-macosx_12_0_universal2\n"
        "Build: 2x\n"
    )


TAGS = st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True), min_size=1, max_size=3)


@given(TAGS, TAGS, TAGS, st.sampled_from(["", "1", "2x"]), st.booleans())
def test_law_parse_gives_back_what_was_formatted(
    pythons: list[str], abis: list[str], platforms: list[str], build: str, purelib: bool
) -> None:
    name = WheelName(
        distribution="a",
        version="1",
        build=build,
        pythons=tuple(pythons),
        abis=tuple(abis),
        platforms=tuple(platforms),
    )
    text = format_wheel_metadata(name, generator="fatwheel 0.1", root_is_purelib=purelib).decode()
    assert parse(text) == WheelMetadata(
        wheel_version=(1, 0),
        generators=("fatwheel 0.1",),
        root_is_purelib=purelib,
        tags=name.expanded_tags,
        build=build,
    )


@pytest.mark.parametrize(
    "folder",
    ["Foo_Bar-1.0", "foo_bar-1.0", "foo.bar-1.0", "foo-bar-1.0", "foo_bar-1", "FOO_BAR-1.0.0"],
)
def test_finds_the_folders_however_they_are_spelled(folder: str) -> None:
    members = [
        "foo_bar/__init__.py",
        "foo_bar/vendored-2.dist-info/METADATA",
        "foo_bar.data",
        f"{folder}.dist-info/METADATA",
        f"{folder}.dist-info/RECORD",
        f"{folder}.data/scripts/x",
    ]
    assert find_dist_info(members, NAME) == f"{folder}.dist-info"
    assert find_data(members, NAME) == f"{folder}.data"


def test_finds_a_folder_whose_version_is_escaped() -> None:
    name = parse_wheel_name("a-1.0+b_c-py3-none-any.whl")
    assert find_dist_info(["a-1.0+b.c.dist-info/RECORD"], name) == "a-1.0+b.c.dist-info"


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        (["foo/__init__.py", "x.dist-info", ".dist-info/RECORD"], "has no .dist-info folder"),
        (["foo_bar-1.0.dist-info/A", "x-1.dist-info/A"], "several .dist-info folders: foo_bar-1.0"),
        (["foo_bar-1.1.dist-info/A"], "foo_bar-1.1.dist-info: the file name says Foo_Bar 1.0"),
        (["foo_baz-1.0.dist-info/A"], "foo_baz-1.0.dist-info: the file name says Foo_Bar 1.0"),
        (["foo_bar.dist-info/A"], "foo_bar.dist-info: the file name says Foo_Bar 1.0"),
    ],
)
def test_refuses_dist_info(members: list[str], problem: str) -> None:
    with pytest.raises(WheelError, match=re.escape(problem)):
        find_dist_info(members, NAME)


def test_most_wheels_have_no_data_folder() -> None:
    assert find_data(["foo/__init__.py", "foo/x.data/y", "x.data"], NAME) is None


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        (
            ["foo_bar-1.0.data/x", "Foo_Bar-1.0.data/y"],
            "several .data folders: Foo_Bar-1.0.data, foo",
        ),
        (
            ["x.data/y"],
            "x.data: installers disagree about a .data folder that is not Foo_Bar 1.0's",
        ),
    ],
)
def test_refuses_data(members: list[str], problem: str) -> None:
    with pytest.raises(WheelError, match=re.escape(problem)):
        find_data(members, NAME)
