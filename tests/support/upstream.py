"""A package index on loopback, made of files in memory: what stands behind `fatwheel index` in tests.

It is written on the standard library alone, so that it shares nothing with the index under test.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

JSON = "application/vnd.pypi.simple.v1+json"
Fault = Callable[["Handler", bytes], None]
"""Answers a request in another way; the bytes are those that would have been sent."""


class Handler(BaseHTTPRequestHandler):
    """Serves `/simple/NAME/` and `/packages/FILE`, with ranges, as PyPI does."""

    protocol_version = "HTTP/1.1"
    index: FakeIndex

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.index.requests.append((self.command, path, dict(self.headers)))
        found = self.index.content(path, self.headers)
        if found is None:
            self.answer(404, b"")
            return
        body, kind = found
        if (fault := self.index.faults.get(path)) is not None:
            fault(self, body)
            return
        span = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if span and self.index.ranges:
            start = len(body) - int(span[2]) if not span[1] else int(span[1])
            end = len(body) if not span[1] or not span[2] else int(span[2]) + 1
            start, end = max(0, start), min(end, len(body))
            self.answer(
                206,
                body[start:end],
                kind,
                {"Content-Range": f"bytes {start}-{end - 1}/{len(body)}"},
            )
            return
        self.answer(200, body, kind, {"Accept-Ranges": "bytes"} if self.index.ranges else {})

    def answer(
        self,
        status: int,
        body: bytes,
        kind: str = "text/plain",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@dataclass
class FakeIndex:
    """Projects and their files. `metadata` serves METADATA beside the wheels, `ranges` parts of files.

    `faults` are by path; `requests` are method, path and headers of all that came.
    """

    url: str = ""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    extra: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    metadata: bool = False
    ranges: bool = True
    html: bool = False

    def add(self, project: str, *paths: Path, **extra: Any) -> None:
        """Offer files of a project; `extra` are keys of their entries in JSON."""
        for path in paths:
            self.files.setdefault(project, {})[path.name] = path.read_bytes()
            self.extra[path.name] = extra

    def asked(self, pattern: str) -> list[str]:
        """Return the paths that were asked for and match."""
        return [path for _, path, _ in self.requests if re.search(pattern, path)]

    def content(self, path: str, headers: Any) -> tuple[bytes, str] | None:
        """Return what lies at a path, and its content type."""
        if match := re.fullmatch(r"/simple/([^/]+)/", path):
            if match[1] not in self.files:
                return None
            return (
                (self._html(match[1]), "text/html") if self.html else (self._json(match[1]), JSON)
            )
        name = path.removeprefix("/packages/")
        for files in self.files.values():
            if name in files:
                return files[name], "application/zip"
            if (
                self.metadata
                and name.removesuffix(".metadata") in files
                and name.endswith(".metadata")
            ):
                return metadata_of(files[name.removesuffix(".metadata")]), "text/plain"
        return None

    def _json(self, project: str) -> bytes:
        entries = []
        for name, data in self.files[project].items():
            entry: dict[str, Any] = {
                "filename": name,
                "url": f"../../packages/{name}",
                "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
                "size": len(data),
                "upload-time": "2024-05-06T07:08:09.123456Z",
            }
            if self.metadata and name.endswith(".whl"):
                entry["core-metadata"] = {"sha256": hashlib.sha256(metadata_of(data)).hexdigest()}
            entries.append({**entry, **self.extra.get(name, {})})
        return json.dumps(
            {"meta": {"api-version": "1.1"}, "name": project, "files": entries}
        ).encode()

    def _html(self, project: str) -> bytes:
        rows = "".join(
            f'<a href="../../packages/{name}#sha256={hashlib.sha256(data).hexdigest()}">{name}</a>\n'
            for name, data in self.files[project].items()
        )
        return f"<!DOCTYPE html><html><body>{rows}</body></html>".encode()


def metadata_of(wheel: bytes) -> bytes:
    """Return METADATA of a wheel."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        return archive.read(name)


@contextlib.contextmanager
def fake_index() -> Iterator[FakeIndex]:
    """Yield an index that answers on a free port of loopback."""
    index = FakeIndex()
    handler = type("BoundHandler", (Handler,), {"index": index})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    index.url = f"http://127.0.0.1:{server.server_address[1]}/simple"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
