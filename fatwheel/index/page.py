"""A project's page in the simple API: read from JSON or HTML as values, and written as both.

Specifications: simple repository API (PEP 503, PEP 691), yanked files (PEP 592), sizes and upload times (PEP 700),
metadata files (PEP 658, PEP 714).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from fatwheel.errors import FatwheelError
from fatwheel.values import valueclass

__all__ = [
    "HTML",
    "JSON",
    "File",
    "Page",
    "PageError",
    "chosen_type",
    "format_html",
    "format_json",
    "parse_page",
]

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
_PLAIN_HTML = "text/html"
_ACCEPTED = {
    JSON: JSON,
    "application/vnd.pypi.simple.latest+json": JSON,
    HTML: HTML,
    "application/vnd.pypi.simple.latest+html": HTML,
    _PLAIN_HTML: _PLAIN_HTML,
    "*/*": _PLAIN_HTML,
    "text/*": _PLAIN_HTML,
}
_HASH = re.compile(r"[0-9a-f]{32,128}", re.ASCII)
_PLAIN = re.compile(r"https?://[a-z0-9.-]+/[A-Za-z0-9/_+~%-][A-Za-z0-9/._+~%-]*", re.ASCII)
_MOST_FILES = 200_000


class PageError(FatwheelError):
    """A page that is none: neither JSON nor HTML of the simple API."""


@valueclass
class File:
    """One file of a project.

    `url` is absolute. `hashes` are hexadecimal, by the names of `hashlib`. `size` is in bytes, `upload_time` as the
    index wrote it (ISO 8601, UTC). `yanked` is the reason, "" where none is given, None where the file is not yanked.
    `metadata` are the hashes of the metadata file beside it: empty where none is given, None where there is no such
    file.
    """

    filename: str
    url: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    requires_python: str | None = None
    yanked: str | None = None
    size: int | None = None
    upload_time: str | None = None
    metadata: Mapping[str, str] | None = None

    @property
    def sha256(self) -> str | None:
        """The SHA-256 in hexadecimal, where the index names it."""
        return self.hashes.get("sha256")


@valueclass
class Page:
    """A project's page: its name as the index spells it, and its files in the index's order."""

    name: str
    files: tuple[File, ...]


def parse_page(body: bytes, content_type: str, url: str, project: str) -> Page:
    """Return the page that the index answered with at `url`, by its content type.

    Raises `PageError` for what is no page. A file whose entry cannot be used is left out.
    """
    kind = content_type.partition(";")[0].strip().lower()
    text = body.decode("utf-8", "replace")
    if kind.endswith("json"):
        return _from_json(text, url, project)
    if kind in {HTML, _PLAIN_HTML, "application/xhtml+xml", ""}:
        return _from_html(text, url, project)
    raise PageError(f"{url} answered with {kind}, which is no page of a package index (PEP 691)")


def _from_json(text: str, url: str, project: str) -> Page:
    try:
        document = json.loads(text)
        entries = document["files"]
        major = str(document.get("meta", {}).get("api-version", "1.0")).partition(".")[0]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PageError(
            f"{url} is not the JSON of a package index ({type(error).__name__})"
        ) from None
    if major != "1":
        raise PageError(
            f"{url} speaks version {major[:20]} of the index API; fatwheel knows version 1"
        )
    if not isinstance(entries, list) or len(entries) > _MOST_FILES:
        raise PageError(f"{url} lists no files, or more than {_MOST_FILES:,}")
    files = [file for entry in entries if (file := _file_of_json(entry, url)) is not None]
    name = document.get("name")
    return Page(name=name if isinstance(name, str) else project, files=tuple(files))


def _file_of_json(entry: object, base: str) -> File | None:
    if not isinstance(entry, dict):
        return None
    filename, address = entry.get("filename"), entry.get("url")
    if not isinstance(filename, str) or not isinstance(address, str):
        return None
    url = _absolute(base, address)
    if url is None or "/" in filename or "\\" in filename:
        return None
    yanked, size = entry.get("yanked"), entry.get("size")
    return File(
        filename=filename,
        url=url,
        hashes=_hashes(entry.get("hashes")),
        requires_python=_text(entry.get("requires-python")),
        yanked=(yanked if isinstance(yanked, str) else "") if yanked else None,
        size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
        upload_time=_text(entry.get("upload-time")),
        metadata=_metadata(entry.get("core-metadata", entry.get("dist-info-metadata"))),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _hashes(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {
        str(name).lower(): digest.lower()
        for name, digest in value.items()
        if isinstance(digest, str) and _HASH.fullmatch(digest.lower())
    }


def _metadata(value: object) -> dict[str, str] | None:
    if isinstance(value, dict):
        return _hashes(value)
    return {} if value is True else None


def _absolute(base: str, address: str) -> str | None:
    """Return the file's address without its fragment; None for what is no address of the web."""
    if _PLAIN.fullmatch(address):  # most of them, and a page has thousands
        return address
    try:
        parts = urlsplit(urljoin(base, address))
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return None
    return parts._replace(fragment="").geturl()


class _Links(HTMLParser):
    """The anchors of a page: attributes and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.base: str | None = None
        self.links: list[tuple[dict[str, str | None], str]] = []
        self._open: dict[str, str | None] | None = None
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "base" and self.base is None:
            self.base = dict(attrs).get("href")
        elif tag == "a":
            self._open, self._text = dict(attrs), []

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._open is not None:
            if len(self.links) >= _MOST_FILES:
                raise PageError(f"the page lists more than {_MOST_FILES:,} files")
            self.links.append((self._open, "".join(self._text).strip()))
            self._open = None


def _from_html(text: str, url: str, project: str) -> Page:
    parser = _Links()
    parser.feed(text)
    parser.close()
    base = urljoin(url, parser.base) if parser.base else url
    files = [file for link in parser.links if (file := _file_of_link(*link, base)) is not None]
    return Page(name=project, files=tuple(files))


def _file_of_link(attributes: Mapping[str, str | None], text: str, base: str) -> File | None:
    address = attributes.get("href")
    if not address:
        return None
    url = _absolute(base, address)
    if url is None:
        return None
    # The text is the file's name (PEP 503); some indexes shorten it, and the address has it, too.
    filename = unquote(urlsplit(url).path.rpartition("/")[2]) or text
    if "/" in filename or "\\" in filename:
        return None
    fragment = urlsplit(address).fragment
    name, _, digest = fragment.partition("=")
    metadata = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata"))
    has_metadata = "data-core-metadata" in attributes or "data-dist-info-metadata" in attributes
    kind, _, value = (metadata or "").partition("=")
    return File(
        filename=filename,
        url=url,
        hashes=_hashes({name: digest}),
        requires_python=_text(attributes.get("data-requires-python")),
        yanked=(attributes["data-yanked"] or "") if "data-yanked" in attributes else None,
        metadata=_hashes({kind: value}) if has_metadata and metadata != "false" else None,
    )


def chosen_type(accept: str) -> str | None:
    """Return the content type to answer with, by the header Accept (PEP 691); None where none is taken.

    Of types that are wanted equally, JSON comes first; who takes anything gets HTML.
    """
    best: tuple[float, int, str] | None = None
    order = [JSON, HTML, _PLAIN_HTML]
    for part in (accept or "*/*").split(","):
        words = [word.strip() for word in part.split(";")]
        kind = _ACCEPTED.get(words[0].lower())
        if kind is None:
            continue
        weight = 1.0
        for word in words[1:]:
            if word.startswith("q="):
                try:
                    weight = float(word[2:])
                except ValueError:
                    weight = 0.0
        candidate = (weight, -order.index(kind), kind)
        if 0 < weight <= 1 and (best is None or candidate > best):
            best = candidate
    return None if best is None else best[2]


def format_json(name: str, files: Iterable[File], versions: Iterable[str]) -> str:
    """Return the page as JSON (PEP 691).

    METADATA has its new name alone (PEP 714): pip 23.0 gives a traceback where the old one, dist-info-metadata, has a
    mapping.

    Version 1.1 demands the size of each file (PEP 700); where one is not known yet, the page says 1.0 and still tells
    upload times and versions, which clients read whatever the version is.
    """
    entries: list[dict[str, Any]] = []
    for file in files:
        entry: dict[str, Any] = {
            "filename": file.filename,
            "url": file.url,
            "hashes": dict(file.hashes),
        }
        if file.requires_python is not None:
            entry["requires-python"] = file.requires_python
        if file.size is not None:
            entry["size"] = file.size
        if file.upload_time is not None:
            entry["upload-time"] = file.upload_time
        entry["yanked"] = False if file.yanked is None else file.yanked or True
        entry["core-metadata"] = False if file.metadata is None else dict(file.metadata) or True
        entries.append(entry)
    version = "1.1" if all("size" in entry for entry in entries) else "1.0"
    document = {
        "meta": {"api-version": version},
        "name": name,
        "versions": list(versions),
        "files": entries,
    }
    return json.dumps(document, separators=(",", ":"))


def format_html(name: str, files: Iterable[File]) -> str:
    """Return the page as HTML (PEP 503)."""
    title = html.escape(f"Links for {name}")
    rows = []
    for file in files:
        fragment = next((f"#{kind}={digest}" for kind, digest in file.hashes.items()), "")
        attributes = {"href": file.url + fragment}
        if file.requires_python is not None:
            attributes["data-requires-python"] = file.requires_python
        if file.yanked is not None:
            attributes["data-yanked"] = file.yanked
        if file.metadata is not None:
            digest = next((f"{kind}={value}" for kind, value in file.metadata.items()), "true")
            attributes["data-core-metadata"] = attributes["data-dist-info-metadata"] = digest
        words = " ".join(f'{key}="{html.escape(value)}"' for key, value in attributes.items())
        rows.append(f"<a {words}>{html.escape(file.filename)}</a><br>\n")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="pypi:repository-version" content="1.0">\n'
        f"<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n{''.join(rows)}</body>\n</html>\n"
    )
