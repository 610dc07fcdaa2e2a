"""The index behind ours: pages and files of an index on the web, or of a folder of wheels.

What is fetched is bounded in size and time. Credentials go to the index that they were given for and to no other host.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import netrc
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from fatwheel.errors import FatwheelError, UsageError
from fatwheel.index.page import JSON, File, Page, parse_page
from fatwheel.values import valueclass
from fatwheel.version import __version__
from fatwheel.wheels.tags import normalise

if TYPE_CHECKING:
    import aiohttp

__all__ = [
    "Fetched",
    "FolderUpstream",
    "HttpUpstream",
    "Upstream",
    "UpstreamError",
    "client_session",
    "strongest_hash",
]

LARGEST_PAGE = 64 << 20
"""Bytes of a project's page; numpy's has 2 MB."""
LARGEST_FILE = 8 << 30
"""Bytes of a file; PyPI's largest are near 1 GB."""
LONGEST_FRESH = 600
"""Seconds for which a page is kept without a question, whatever upstream allows; PyPI allows as many."""
_MAX_AGE = re.compile(r"(?<![\w-])max-age=([0-9]{1,9})(?![0-9])", re.ASCII)
_TRIES = 4
_PAUSE = 0.5  # seconds before the second try; doubled for each that follows
_CHUNK = 256 * 1024
_ACCEPT = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_STRONG = ("sha256", "sha512", "sha384", "sha224", "blake2b", "blake2s", "sha3_256")
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class UpstreamError(FatwheelError):
    """The index behind did not give what it was asked for. `status` is what ours answers with."""

    def __init__(self, message: str, status: int = 502) -> None:
        super().__init__(message)
        self.status = status


@valueclass
class Fetched:
    """A page as it came: its bytes, content type and address, and the validator for the next time.

    Until `until` (seconds of the clock) upstream need not be asked again.
    """

    body: bytes
    content_type: str
    url: str
    etag: str | None
    until: float = 0.0


class Upstream(Protocol):
    """An index behind ours."""

    name: str

    async def page(self, project: str, etag: str | None) -> Fetched | None:
        """Return the page of a project (normalised name), or None where it has none.

        Raises `NotModified` where it is still the one with that validator, `UpstreamError` where it cannot be had.
        """

    def files(self, page: Fetched, project: str) -> Page:
        """Return what the page says."""

    async def fetch(self, file: File, out: BinaryIO, progress: Callable[[int], None]) -> None:
        """Write the file's content to `out` and verify it; `progress` is told of bytes as they come."""

    async def read(self, file: File, start: int | None, size: int) -> tuple[bytes, int]:
        """Return `size` bytes from byte `start` on (None: the last ones), and the file's size.

        Raises `UpstreamError` where the index serves no ranges.
        """


class NotModified(Exception):  # noqa: N818  (HTTP's own word)
    """The page is the one that is known already, and is it until `until` (seconds of the clock)."""

    def __init__(self, until: float = 0.0) -> None:
        super().__init__(until)
        self.until = until


def strongest_hash(hashes: Mapping[str, str]) -> tuple[str, str] | None:
    """Return name and hexadecimal digest of the hash to verify with; None where there is none worth it."""
    return next(((name, hashes[name]) for name in _STRONG if name in hashes), None)


@contextlib.asynccontextmanager
async def client_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a client that takes proxies from the environment."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=20, sock_read=60)
    agent = f"fatwheel/{__version__}"
    connector = aiohttp.TCPConnector(limit_per_host=16)
    async with aiohttp.ClientSession(
        timeout=timeout, trust_env=True, headers={"User-Agent": agent}, connector=connector
    ) as session:
        yield session


class HttpUpstream:
    """An index on the web (PEP 503, PEP 691), such as https://pypi.org/simple."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        """Take the address, with or without credentials; raises `UsageError` for what is no such address."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise UsageError(f"--upstream {url.rpartition('@')[2]} is no address") from None
        if parts.scheme not in {"http", "https"} or not host:
            raise UsageError(
                f"--upstream {url.rpartition('@')[2]} is neither an address nor a folder"
            )
        self._origin = (parts.scheme, host, port)
        place = f"[{host}]" if ":" in host else host
        netloc = place if port is None else f"{place}:{port}"
        self._url = parts._replace(netloc=netloc, query="", fragment="").geturl().rstrip("/")
        self.name = self._url
        self._session = session
        self._host, self._user = host, parts.username
        self._credentials = _credentials(parts.username, parts.password, host)
        self._keyring = asyncio.Lock()
        self._has_asked_keyring = False

    async def page(self, project: str, etag: str | None) -> Fetched | None:
        """Return a project's page; see `Upstream`."""
        url = f"{self._url}/{project}/"
        headers = {"Accept": _ACCEPT} | ({"If-None-Match": etag} if etag else {})
        async with self._get(url, headers, {200, 304, 404, 410}) as answer:
            if answer.status == 304:
                raise NotModified(_until(answer.headers))
            if answer.status in {404, 410}:
                return None
            body = bytearray()
            async for chunk in answer.content.iter_chunked(_CHUNK):
                body += chunk
                if len(body) > LARGEST_PAGE:
                    raise UpstreamError(f"{url} has a page of more than {LARGEST_PAGE >> 20} MiB")
            return Fetched(
                body=bytes(body),
                content_type=answer.headers.get("Content-Type", ""),
                url=str(answer.url),
                etag=answer.headers.get("ETag"),
                until=_until(answer.headers),
            )

    def files(self, page: Fetched, project: str) -> Page:
        """Return what the page says."""
        return parse_page(page.body, page.content_type, page.url, project)

    async def fetch(self, file: File, out: BinaryIO, progress: Callable[[int], None]) -> None:
        """Download a file, going on where a broken connection stopped, and verify size and hash."""
        known = strongest_hash(file.hashes)
        digest = hashlib.new(known[0] if known else "sha256")
        size = 0
        errors: tuple[type[Exception], ...] = (_BrokenError, *_client_errors())
        for attempt in range(_TRIES):
            headers = {"Accept-Encoding": "identity"} | (
                {"Range": f"bytes={size}-"} if size else {}
            )
            try:
                async with self._get(file.url, headers, {200, 206}, tries=1) as answer:
                    if size and answer.status == 200:  # no ranges here: from the start
                        out.seek(0)
                        out.truncate()
                        digest, size = hashlib.new(digest.name), 0
                    async for chunk in answer.content.iter_chunked(_CHUNK):
                        size += len(chunk)
                        if size > (file.size if file.size is not None else LARGEST_FILE):
                            raise _TooLargeError
                        digest.update(chunk)
                        out.write(chunk)
                        progress(len(chunk))
                break
            except _TooLargeError:
                raise UpstreamError(
                    f"{file.url} sends more than the {file.size or LARGEST_FILE:,} bytes that the index names"
                ) from None
            except errors as error:
                if attempt + 1 == _TRIES:
                    raise UpstreamError(
                        f"{file.url} could not be fetched: {_words(error)}"
                    ) from None
                await asyncio.sleep(_PAUSE * 2**attempt)
        if file.size is not None and size != file.size:
            raise UpstreamError(f"{file.url} has {size:,} bytes, and the index says {file.size:,}")
        if known is not None and digest.hexdigest() != known[1]:
            raise UpstreamError(
                f"{file.url} has the {known[0]} {digest.hexdigest()}, and the index says {known[1]}"
            )

    async def read(self, file: File, start: int | None, size: int) -> tuple[bytes, int]:
        """Return a range of a file; see `Upstream`."""
        span = f"bytes=-{size}" if start is None else f"bytes={start}-{start + size - 1}"
        headers = {"Range": span, "Accept-Encoding": "identity"}
        async with self._get(file.url, headers, {206}) as answer:
            total = answer.headers.get("Content-Range", "").rpartition("/")[2]
            data = await answer.content.read(size + 1)
            while len(data) <= size and (more := await answer.content.read(size + 1 - len(data))):
                data += more
            if not total.isascii() or not total.isdigit() or len(total) > 15 or len(data) > size:
                raise UpstreamError(f"{file.url} answered with another range than it was asked for")
            return data, int(total)

    @contextlib.asynccontextmanager
    async def _get(
        self, url: str, headers: Mapping[str, str], wanted: set[int], tries: int = _TRIES
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield an answer with a wanted status; what may pass is tried again."""
        errors = _client_errors()
        attempt = 0
        while True:
            last = attempt + 1 == tries
            ours = self._authorization(url)
            try:
                answer = await self._session.get(url, headers={**headers, **ours}, max_redirects=10)
            except errors as error:
                if last:
                    raise self._unreachable(url, error, tries) from None
            else:
                async with answer:
                    if answer.status in wanted:
                        yield answer
                        return
                    if answer.status == 401 and await self._has_others(url, ours):
                        continue
                    if last or answer.status not in _RETRIED:
                        raise self._refused(url, answer.status, tries)
            await asyncio.sleep(_PAUSE * 2**attempt)
            attempt += 1

    async def _has_others(self, url: str, sent: Mapping[str, str]) -> bool:
        """Return whether there are other credentials than those that were sent: keyring is asked once, and only now."""
        if not self._is_own(url):
            return False
        async with self._keyring:
            if not self._has_asked_keyring:
                self._has_asked_keyring = True
                found = await asyncio.to_thread(
                    _from_keyring, self._url, self._host, self._user and unquote(self._user)
                )
                self._credentials = found or self._credentials
        return self._authorization(url) != sent

    def _unreachable(self, url: str, error: BaseException, tries: int) -> Exception:
        text = f"{url} cannot be reached: {_words(error)}"
        return UpstreamError(text) if tries > 1 else _BrokenError(text)

    def _refused(self, url: str, status: int, tries: int) -> Exception:
        if status in {401, 403}:
            return UpstreamError(
                f"{url} answers {status}: it wants other credentials; give them in the address of --upstream, "
                "in .netrc or through keyring"
            )
        text = f"{url} answers {status}"
        if tries == 1 and status in _RETRIED:
            return _BrokenError(text)
        return UpstreamError(text, 404 if status in {404, 410} else 502)

    def _authorization(self, url: str) -> dict[str, str]:
        """Return the header with the index's credentials, for its own host only (RFC 7617)."""
        if self._credentials is None or not self._is_own(url):
            return {}
        words = ":".join(self._credentials).encode()
        return {"Authorization": f"Basic {base64.b64encode(words).decode()}"}

    def _is_own(self, url: str) -> bool:
        parts = urlsplit(url)
        return (parts.scheme, parts.hostname, parts.port) == self._origin


def _until(headers: Mapping[str, str]) -> float:
    """Return until when an answer is fresh (RFC 9111, 4.2), in seconds of the clock; 0 where it says nothing."""
    words = headers.get("Cache-Control", "").lower()
    match = _MAX_AGE.search(words)
    if match is None or "no-cache" in words or "no-store" in words:
        return 0.0
    age = headers.get("Age", "0")
    left = int(match[1]) - (int(age) if age.isascii() and age.isdigit() else 0)
    return time.time() + min(left, LONGEST_FRESH) if left > 0 else 0.0


class _TooLargeError(Exception):
    """More bytes came than were announced."""


class _BrokenError(Exception):
    """A connection or an answer that another try may mend."""


def _client_errors() -> tuple[type[Exception], ...]:
    import aiohttp

    return (aiohttp.ClientError, asyncio.TimeoutError, OSError)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _credentials(user: str | None, password: str | None, host: str) -> tuple[str, str] | None:
    """Return user and password as pip finds them first: in the address, in .netrc."""
    if user is not None and password is not None:
        return unquote(user), unquote(password)
    with contextlib.suppress(OSError, netrc.NetrcParseError):
        found = netrc.netrc().authenticators(host)
        if found is not None and user in {None, found[0]}:
            return found[0], found[2] or ""
    return (unquote(user), "") if user else None


def _from_keyring(url: str, host: str, user: str | None) -> tuple[str, str] | None:
    """Return user and password as keyring knows them, where it is installed."""
    try:
        import keyring  # type: ignore[import-not-found, unused-ignore]

        found = keyring.get_credential(url, user) or keyring.get_credential(host, user)
    except Exception:
        return None
    return None if found is None else (found.username, found.password)


class FolderUpstream:
    """A folder that is searched through for wheels and source distributions."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; raises `UsageError` where there is none."""
        if not folder.is_dir():
            raise UsageError(f"--upstream {folder}: there is no such folder")
        self._folder = folder.resolve()
        self.name = str(folder)

    async def page(self, project: str, etag: str | None) -> Fetched | None:
        """Say whether there are files of the project; the folder is looked through each time."""
        if not self._paths(project):
            return None
        return Fetched(body=b"", content_type="", url=self._folder.as_uri(), etag=None)

    def files(self, page: Fetched, project: str) -> Page:
        """Return the project's files, each with its SHA-256."""
        files = [
            File(
                filename=path.name,
                url=path.as_uri(),
                hashes={"sha256": _sha256_of(path)},
                size=path.stat().st_size,
            )
            for path in self._paths(project)
        ]
        return Page(name=project, files=tuple(files))

    def _paths(self, project: str) -> Sequence[Path]:
        return [
            path
            for path in sorted(self._folder.rglob("*"))
            if path.name.endswith((".whl", ".tar.gz"))
            and not any(part.startswith(".") for part in path.relative_to(self._folder).parts)
            and _project_of(path.name) == project
            and path.is_file()
        ]

    async def fetch(self, file: File, out: BinaryIO, progress: Callable[[int], None]) -> None:
        """Copy the file."""
        with self._path(file).open("rb") as source:
            digest = hashlib.sha256()
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
                progress(len(chunk))
        if digest.hexdigest() != file.sha256:
            raise UpstreamError(f"{file.filename} changed while it was copied; try again")

    async def read(self, file: File, start: int | None, size: int) -> tuple[bytes, int]:
        """Return a range of the file."""
        path = self._path(file)
        total = path.stat().st_size
        with path.open("rb") as source:
            source.seek(max(0, total - size) if start is None else start)
            return source.read(size), total

    def _path(self, file: File) -> Path:
        return Path(unquote(urlsplit(file.url).path))


def _project_of(filename: str) -> str:
    if filename.endswith(".whl"):
        return normalise(filename.partition("-")[0])
    return normalise(filename.removesuffix(".tar.gz").rpartition("-")[0])


def _sha256_of(path: Path) -> str:
    from fatwheel.archive.ranges import RangeFile, file_sha256

    with RangeFile(path) as file:
        return file_sha256(file)
