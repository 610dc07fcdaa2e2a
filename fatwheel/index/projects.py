"""Projects as this index offers them: the first upstream that has one, its page as listed here, and METADATA."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from fatwheel.index.cache import Cache
from fatwheel.index.listing import Entry, Listing, ListingOptions, make_listing
from fatwheel.index.metadata import MetadataReader, merged_metadata
from fatwheel.index.page import File, Page
from fatwheel.index.upstream import (
    LONGEST_FRESH,
    Fetched,
    NotModified,
    Upstream,
    UpstreamError,
)
from fatwheel.index.work import Work

__all__ = ["Complete", "Project", "Projects"]

_FRESH = 10.0  # seconds for which a page is not asked for again
_PATIENCE = 6.0  # seconds that a page waits for METADATA; pip gives up after 15 without a byte
_READERS = 24  # wheels whose METADATA are read at the same time
_MOST_READ = 240  # pairs of a project whose METADATA are read
_MOST_VERSIONS = 12  # of a project, the newest: a pair costs a quarter of a megabyte


Complete = Callable[[Work, Upstream, Page, Listing], Awaitable[Listing]]
"""Returns the listing of a page with what is offered besides."""


@dataclass(kw_only=True)
class Project:
    """A project: where it comes from, what is offered, and what is known of METADATA, by key of the entry.

    `reading` goes on after the first page was served.
    """

    name: str
    upstream: Upstream
    page: Fetched
    listing: Listing
    asked: float
    metadata: dict[str, str | None] = field(default_factory=dict)
    reading: asyncio.Task[None] | None = None


class Projects:
    """All projects that were asked for."""

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        cache: Cache,
        options: ListingOptions,
        work: Work,
        *,
        offline: bool,
        say: Callable[[str], None],
        complete: Complete | None = None,
        wanted: Callable[[Entry], bool] = lambda _entry: True,
    ) -> None:
        """A project comes from the first of `upstreams` that has it, whatever others have (dependency confusion).

        METADATA that cost requests for ranges are read of `wanted` files only.
        """
        self._wanted = wanted
        self._upstreams = tuple(upstreams)
        self._cache = cache
        self._options = options
        self._work = work
        self._offline = offline
        self._say = say
        self._complete = complete
        self._reader = MetadataReader(cache, offline=offline)
        self._locks: dict[str, asyncio.Lock] = {}
        self.known: dict[str, Project] = {}

    async def get(self, name: str, *, fresh: bool = True) -> Project | None:
        """Return a project by its normalised name; None where no upstream has it.

        With `fresh`, a page that is older than a few seconds is asked for again. Raises `UpstreamError`.
        """
        async with self._locks.setdefault(name, asyncio.Lock()):
            known = self.known.get(name)
            if known is not None and (not fresh or time.monotonic() - known.asked < _FRESH):
                return known
            found = await self._find(name, known)
            if found is None:
                self.known.pop(name, None)
                return None
            upstream, page = found
            if known is not None and known.upstream is upstream and _same(known.page, page):
                known.page, known.asked = page, time.monotonic()
                return known
            listing = await asyncio.to_thread(self._list, upstream, page, name)
            if self._complete is not None:
                files = await asyncio.to_thread(upstream.files, page, name)
                listing = await self._complete(self._work, upstream, files, listing)
            project = Project(
                name=name, upstream=upstream, page=page, listing=listing, asked=time.monotonic()
            )
            if known is not None:
                project.metadata.update(known.metadata)
            self.known[name] = project
            return project

    def forget(self, name: str) -> None:
        """List the project anew the next time: something was learnt of its files."""
        self.known.pop(name, None)

    async def _find(self, name: str, known: Project | None) -> tuple[Upstream, Fetched] | None:
        for upstream in self._upstreams:
            last = known.page if known is not None and known.upstream is upstream else None
            kept = last or self._cache.page(upstream.name, name)
            page = await self._page(upstream, name, kept)
            if page is not None:
                return upstream, page
        return None

    async def _page(self, upstream: Upstream, name: str, kept: Fetched | None) -> Fetched | None:
        if self._offline or (kept is not None and 0 < kept.until - time.time() <= LONGEST_FRESH):
            return kept
        try:
            page = await upstream.page(name, kept.etag if kept is not None else None)
        except NotModified as answer:
            if kept is not None and kept.until != answer.until:
                kept = replace(kept, until=answer.until)
                self._cache.keep_page(upstream.name, name, kept)
            return kept
        except UpstreamError as error:
            if kept is None or error.status == 404:
                raise
            self._say(f"note: {error}; the page of {name} is the one in the cache")
            return kept
        if page is not None and page.body:
            self._cache.keep_page(upstream.name, name, page)
        return page

    def _list(self, upstream: Upstream, page: Fetched, name: str) -> Listing:
        return make_listing(upstream.files(page, name), self._options, self._cache.held())

    async def read_metadata(self, project: Project) -> None:
        """Find out which METADATA can be served without fusing; what takes long goes on behind the page."""
        if project.reading is None:
            project.reading = asyncio.create_task(self._read_all(project))
        await asyncio.wait([project.reading], timeout=_PATIENCE)

    async def _read_all(self, project: Project) -> None:
        waiting = []
        newest: set[str] = set()
        for entry in reversed(project.listing.entries):
            key = self._work.key(entry)
            if entry.halves is None or key in project.metadata:
                continue
            if (digest := _same_beside(entry)) is not None:
                project.metadata[key] = digest
            elif len(newest | {entry.version}) <= _MOST_VERSIONS and self._wanted(entry):
                newest.add(entry.version)
                waiting.append((key, entry))
        readers = asyncio.Semaphore(_READERS)

        async def read(key: str, entry: Entry) -> None:
            async with readers:
                text = await self.metadata(project, entry)
                project.metadata[key] = text[1] if text is not None else None

        tasks = [read(*one) for one in waiting[:_MOST_READ]]
        for done in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(done, Exception) and not isinstance(done, UpstreamError):
                raise done

    async def metadata(self, project: Project, entry: Entry) -> tuple[bytes, str] | None:
        """Return METADATA that the file has or will have, and its SHA-256; None where the halves do not agree.

        Raises `UpstreamError` where it cannot be had.
        """
        files = entry.files[-1:] if _same_beside(entry) is not None else entry.files
        texts = [await self._reader.read(project.upstream, file) for file in files]
        return await asyncio.to_thread(merged_metadata, texts[0], texts[-1])

    def as_file(self, project: Project, entry: Entry) -> File:
        """Return the entry as our page lists it; size and hash of a fused wheel are told once they are known."""
        key = self._work.key(entry)
        if entry.source is not None:
            hashes, size, metadata = (
                dict(entry.source.hashes),
                entry.source.size,
                entry.source.metadata,
            )
        else:
            made = self._work.ready(entry)
            hashes = {"sha256": made.sha256} if made else {}
            size = made.size if made else None
            digest = project.metadata.get(key)
            metadata = {"sha256": digest} if digest else None
        return File(
            filename=entry.filename,
            url=f"../../files/{key}/{entry.filename}",
            hashes=hashes,
            requires_python=entry.requires_python,
            yanked=entry.yanked,
            size=size,
            upload_time=entry.upload_time,
            metadata=metadata,
        )


def _same(one: Fetched, other: Fetched) -> bool:
    """Return whether two pages list the same; a folder's have no text, and are listed each time."""
    return one is other or (bool(one.body) and (one.body, one.url) == (other.body, other.url))


def _same_beside(entry: Entry) -> str | None:
    """Return the SHA-256 that upstream names for METADATA of both halves, where it is one."""
    digests = {(file.metadata or {}).get("sha256") for file in entry.files}
    return digests.pop() if len(digests) == 1 else None
