"""Pages of the simple API, read and written."""

from __future__ import annotations

import contextlib
import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.index.page import (
    HTML,
    JSON,
    File,
    Page,
    PageError,
    chosen_type,
    format_html,
    format_json,
    parse_page,
)

URL = "https://index.test/simple/pkg/"
SHA = "a" * 64


def page(body: str, kind: str = JSON) -> Page:
    return parse_page(body.encode(), kind, URL, "pkg")


def page_of(*files: object) -> Page:
    return page(json.dumps({"meta": {"api-version": "1.1"}, "name": "Pkg", "files": files}))


def test_json_is_read() -> None:
    found = page_of(
        {
            "filename": "pkg-1.whl",
            "url": "../../files/pkg-1.whl#sha256=0",
            "hashes": {"sha256": SHA.upper(), "md5": "nonsense"},
            "requires-python": ">=3.9",
            "size": 7,
            "upload-time": "2024-01-02T03:04:05Z",
            "yanked": "broken",
            "core-metadata": {"sha256": SHA},
        }
    )
    assert found == Page(
        name="Pkg",
        files=(
            File(
                filename="pkg-1.whl",
                url="https://index.test/files/pkg-1.whl",
                hashes={"sha256": SHA},
                requires_python=">=3.9",
                yanked="broken",
                size=7,
                upload_time="2024-01-02T03:04:05Z",
                metadata={"sha256": SHA},
            ),
        ),
    )


@pytest.mark.parametrize(
    ("given_", "yanked"),
    [({}, None), ({"yanked": False}, None), ({"yanked": True}, ""), ({"yanked": "why"}, "why")],
)
def test_yanked_in_all_its_forms(given_: dict[str, object], yanked: str | None) -> None:
    (file,) = page_of({"filename": "f", "url": "f", **given_}).files
    assert file.yanked == yanked


@pytest.mark.parametrize(
    ("given_", "metadata"),
    [
        ({}, None),
        ({"core-metadata": False, "dist-info-metadata": True}, None),
        ({"dist-info-metadata": True}, {}),
        ({"core-metadata": {"sha256": SHA}}, {"sha256": SHA}),
    ],
)
def test_core_metadata_comes_before_its_older_name(
    given_: dict[str, object], metadata: object
) -> None:
    (file,) = page_of({"filename": "f", "url": "f", **given_}).files
    assert file.metadata == metadata


def test_html_is_read() -> None:
    text = f"""<!DOCTYPE html><base href="/mirror/"><a href="x/pkg-1%2B2.whl#sha256={SHA}"
        data-requires-python="&gt;=3.9" data-yanked data-dist-info-metadata="sha256={SHA}">pkg-1+2.whl</a>
        <a>no address</a> <a href="mailto:someone@example.org">not a file</a>"""
    (file,) = page(text, "text/html; charset=utf-8").files
    assert file == File(
        filename="pkg-1+2.whl",
        url="https://index.test/mirror/x/pkg-1%2B2.whl",
        hashes={"sha256": SHA},
        requires_python=">=3.9",
        yanked="",
        metadata={"sha256": SHA},
    )


@pytest.mark.parametrize(
    "entry",
    [
        "text",
        {},
        {"filename": 1, "url": "f"},
        {"filename": "../../etc/passwd", "url": "f"},
        {"filename": "a\\b", "url": "f"},
        {"filename": "f", "url": "file:///etc/passwd"},
        {"filename": "f", "url": "http://[broken/f"},
        {"filename": "f", "url": "javascript:alert(1)"},
    ],
)
def test_an_entry_that_cannot_be_used_is_left_out(entry: object) -> None:
    assert [
        file.filename for file in page_of(entry, {"filename": "good", "url": "good"}).files
    ] == ["good"]


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ("<html>", JSON, "is not the JSON of a package index"),
        ("[]", JSON, "is not the JSON"),
        ('{"files": 1}', JSON, "lists no files"),
        ('{"meta": {"api-version": "2.0"}, "files": []}', JSON, "speaks version 2"),
        ("[" * 100_000, JSON, "is not the JSON"),
        ("{}", "image/png", "answered with image/png"),
    ],
)
def test_what_is_no_page_is_refused(body: str, kind: str, words: str) -> None:
    with pytest.raises(PageError, match=words):
        page(body, kind)


@given(st.binary(max_size=300), st.sampled_from([JSON, HTML, "text/html", ""]))
def test_any_bytes_are_a_page_or_an_error(body: bytes, kind: str) -> None:
    with contextlib.suppress(PageError):
        parse_page(body, kind, URL, "pkg")


FILE = File(
    filename="pkg-1.whl",
    url="../../files/k/pkg-1.whl",
    hashes={"sha256": SHA},
    requires_python=">=3.9,<4",
    yanked='"quoted" & <odd>',
    size=7,
    upload_time="2024-01-02T03:04:05Z",
    metadata={"sha256": SHA},
)


def test_json_has_the_new_name_of_metadata_alone() -> None:
    """With the old one beside it, pip 23.0.1 ended with "unhashable type: 'dict'" (seen)."""
    (entry,) = json.loads(format_json("pkg", [FILE], ["1"]))["files"]
    assert [key for key in entry if "metadata" in key] == ["core-metadata"]
    assert entry["core-metadata"] == {"sha256": SHA}


def test_json_says_1_1_where_all_sizes_are_known() -> None:
    document = json.loads(format_json("pkg", [FILE], ["1"]))
    assert document["meta"] == {"api-version": "1.1"}
    assert document["versions"] == ["1"]
    assert document["files"][0]["yanked"] == FILE.yanked
    without = json.loads(format_json("pkg", [File(filename="f", url="u")], ["1"]))
    assert without["meta"] == {"api-version": "1.0"}
    assert "size" not in without["files"][0]


def test_what_is_written_is_read_again() -> None:
    text = format_json("Pkg", [FILE], ["1"])
    (file,) = parse_page(text.encode(), JSON, URL, "pkg").files
    assert (file.requires_python, file.yanked, file.upload_time) == (
        FILE.requires_python,
        FILE.yanked,
        FILE.upload_time,
    )
    (link,) = parse_page(format_html("Pkg", [FILE]).encode(), HTML, URL, "pkg").files
    assert (link.filename, link.yanked, link.hashes, link.metadata) == (
        FILE.filename,
        FILE.yanked,
        FILE.hashes,
        FILE.metadata,
    )


def test_html_is_escaped() -> None:
    tags: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            tags.append(tag)

    Tags().feed(format_html("<script>", [File(filename='"><script>', url='"><script>')]))
    assert "script" not in tags


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/html"),
        ("*/*", "text/html"),
        ("text/html", "text/html"),
        (JSON, JSON),
        ("application/vnd.pypi.simple.latest+json", JSON),
        (f"{JSON}, {HTML}; q=0.1, text/html; q=0.01", JSON),  # pip
        (f"{JSON}, {HTML};q=0.2, text/html;q=0.01", JSON),  # uv
        (f"{HTML}, {JSON};q=0.5", HTML),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),  # a browser
        (f"{JSON};q=0", None),
        (f"{JSON};q=nan", None),
        ("image/png", None),
    ],
)
def test_content_types_are_negotiated(accept: str, kind: str | None) -> None:
    assert chosen_type(accept) == kind
