"""What was fetched and made, on disk: each file appears whole or not at all, under a key of what it was made of.

Two indexes may share a cache: whoever comes first makes a file, and the same key means the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from fatwheel.arch import Arch
from fatwheel.atomic import new_file
from fatwheel.index.page import File
from fatwheel.index.upstream import Fetched
from fatwheel.values import valueclass

__all__ = ["Cache", "Made", "input_key"]


@valueclass
class Made:
    """A file that can be served: where it lies, its size in bytes, its SHA-256 in hexadecimal."""

    path: Path
    size: int
    sha256: str


def input_key(file: File) -> str:
    """Return what tells a file of upstream from all others: its SHA-256, or else its address."""
    return file.sha256 or "url-" + hashlib.sha256(file.url.encode()).hexdigest()


class Cache:
    """A folder with pages, upstream's files, their metadata, and fused wheels."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which is made where it is missing."""
        self.folder = folder

    @contextlib.contextmanager
    def new(self, path: Path) -> Iterator[BinaryIO]:
        """Yield a file that becomes `path` when the block ends well; who came first in the meantime is replaced.

        Nothing waits for the disk. File systems give a file its size once its bytes are there, so what a power cut
        takes away does not have the size that its facts name, and is fetched again.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path, replace=True, durable=False) as file:
            yield file

    def input_path(self, file: File) -> Path:
        """Return where a file of upstream lies or will lie; its name is upstream's."""
        return self.folder / "files" / input_key(file) / file.filename

    def fused_path(self, key: str, filename: str) -> Path:
        """Return where the wheel that is fused under `key` lies or will lie."""
        return self.folder / "fused" / key / filename

    def made(self, path: Path) -> Made | None:
        """Return the file at `path` with its facts; None where it is not there."""
        try:
            status = path.stat()
        except OSError:  # nearly always, where a page is made
            return None
        facts = self._read_json(path.with_name(path.name + ".json"))
        if not isinstance(facts, dict) or facts.get("size") != status.st_size:
            return None
        with contextlib.suppress(
            OSError
        ):  # for `prune`; the time of change is part of what servers answer
            os.utime(path, ns=(time.time_ns(), status.st_mtime_ns))
        return Made(path=path, size=status.st_size, sha256=str(facts.get("sha256")))

    def remember(self, made: Made, **facts: Any) -> None:
        """Write the facts of a file beside it, which makes it count as there."""
        document = {"size": made.size, "sha256": made.sha256, **facts}
        with self.new(made.path.with_name(made.path.name + ".json")) as file:
            file.write(json.dumps(document, indent=1).encode())

    def facts(self, path: Path) -> dict[str, Any]:
        """Return what was remembered of the file at `path`."""
        facts = self._read_json(path.with_name(path.name + ".json"))
        return facts if isinstance(facts, dict) else {}

    def page(self, upstream: str, project: str) -> Fetched | None:
        """Return the page of a project as it came last."""
        folder = self._page_folder(upstream)
        head = self._read_json(folder / f"{project}.json")
        try:
            body = (folder / f"{project}.page").read_bytes()
            assert isinstance(head, dict)
            if head["sha256"] != hashlib.sha256(body).hexdigest():
                return None  # another index is writing it
            return Fetched(
                body=body,
                content_type=head["content_type"],
                url=head["url"],
                etag=head["etag"],
                until=float(head["until"]),
            )
        except (OSError, AssertionError, KeyError, TypeError, ValueError):
            return None

    def keep_page(self, upstream: str, project: str, page: Fetched) -> None:
        """Keep a project's page."""
        folder = self._page_folder(upstream)
        head = {
            "content_type": page.content_type,
            "url": page.url,
            "etag": page.etag,
            "until": page.until,
            "sha256": hashlib.sha256(page.body).hexdigest(),
        }
        with self.new(folder / f"{project}.page") as file:
            file.write(page.body)
        with self.new(folder / f"{project}.json") as file:
            file.write(json.dumps(head).encode())

    def _page_folder(self, upstream: str) -> Path:
        return self.folder / "pages" / hashlib.sha256(upstream.encode()).hexdigest()[:32]

    def metadata(self, file: File) -> bytes | None:
        """Return METADATA of one of upstream's wheels, where it is known."""
        try:
            return self._metadata_path(file).read_bytes() or None
        except OSError:
            return None

    def keep_metadata(self, file: File, text: bytes) -> None:
        """Keep METADATA of one of upstream's wheels."""
        with self.new(self._metadata_path(file)) as out:
            out.write(text)

    def _metadata_path(self, file: File) -> Path:
        key = input_key(file)  # thousands in one folder would be slow to look through
        return self.folder / "metadata" / key[-2:] / f"{key}.txt"

    def held(self) -> dict[str, frozenset[Arch]]:
        """Return what universal2 wheels that were looked into hold, by SHA-256: those that lie."""
        found = {}
        for path in self.folder.glob("held/*.json"):
            words = self._read_json(path)
            if isinstance(words, list):
                with contextlib.suppress(ValueError):
                    found[path.stem] = frozenset(Arch(word) for word in words)
        return found

    def keep_held(self, sha256: str, archs: frozenset[Arch]) -> None:
        """Keep which architectures a wheel that says universal2 really holds."""
        with self.new(self.folder / "held" / f"{sha256}.json") as file:
            file.write(json.dumps(sorted(arch.value for arch in archs)).encode())

    def _read_json(self, path: Path) -> object:
        try:
            found: object = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return None
        return found

    def size(self) -> int:
        """Return the bytes that all of it takes."""
        return sum(path.stat().st_size for path in self._files())

    def prune(self, days: float) -> int:
        """Remove what was not used for so many days; return the bytes that became free."""
        oldest = time.time() - days * 86400
        freed = 0
        for path in list(self._files()):
            with contextlib.suppress(OSError):
                status = path.stat()
                if status.st_atime <= oldest:
                    path.unlink()
                    freed += status.st_size
        for folder in sorted(self.folder.rglob("*"), reverse=True):
            with contextlib.suppress(OSError):
                if folder.is_dir():
                    folder.rmdir()  # fails where something is left
        return freed

    def _files(self) -> Iterator[Path]:
        return (path for path in self.folder.rglob("*") if path.is_file())
