"""What an index behind ours may do wrong, and what it must not get to know."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import pytest

from fatwheel.errors import UsageError
from fatwheel.index import upstream as module
from fatwheel.index.page import File
from fatwheel.index.upstream import (
    FolderUpstream,
    HttpUpstream,
    NotModified,
    UpstreamError,
    client_session,
    strongest_hash,
)
from tests.support.upstream import JSON, FakeIndex, Handler, fake_index
from tests.support.wheels import make_pair

T = TypeVar("T")


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[FakeIndex]:
    with fake_index() as index:
        index.add("pkg", *make_pair(tmp_path))
        yield index


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.01)


def with_upstream(url: str, use: Callable[[HttpUpstream], Awaitable[T]]) -> T:
    async def run() -> T:
        async with client_session() as session:
            return await use(HttpUpstream(url, session))

    return asyncio.run(run())


def files(index: FakeIndex) -> tuple[File, ...]:
    async def use(upstream: HttpUpstream) -> tuple[File, ...]:
        page = await upstream.page("pkg", None)
        assert page is not None
        return upstream.files(page, "pkg").files

    return with_upstream(index.url, use)


def fetch(index: FakeIndex, file: File, url: str | None = None) -> bytes:
    out = io.BytesIO()

    async def use(upstream: HttpUpstream) -> None:
        await upstream.fetch(file, out, lambda _: None)

    with_upstream(url or index.url, use)
    return out.getvalue()


def fault(index: FakeIndex, file: File, answer: Callable[[Handler, bytes], None]) -> None:
    index.faults[f"/packages/{file.filename}"] = answer


def test_pages_and_files_come_as_they_are(behind: FakeIndex) -> None:
    file, other = files(behind)
    assert fetch(behind, file) == behind.files["pkg"][file.filename]
    assert fetch(behind, other) == behind.files["pkg"][other.filename]


def test_a_project_that_is_not_there_is_none(behind: FakeIndex) -> None:
    async def use(upstream: HttpUpstream) -> object:
        return await upstream.page("nothing", None)

    assert with_upstream(behind.url, use) is None


def test_a_page_that_did_not_change_is_not_sent_again(behind: FakeIndex) -> None:
    behind.faults["/simple/pkg/"] = lambda handler, body: (
        handler.answer(304, b"")
        if handler.headers.get("If-None-Match") == '"1"'
        else handler.answer(200, body, JSON, {"ETag": '"1"'})
    )

    async def use(upstream: HttpUpstream) -> None:
        page = await upstream.page("pkg", None)
        assert page is not None
        assert page.etag == '"1"'
        with pytest.raises(NotModified):
            await upstream.page("pkg", page.etag)

    with_upstream(behind.url, use)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Cache-Control": "max-age=600, public"}, 600),
        ({"Cache-Control": "max-age=600", "Age": "500"}, 100),
        ({"Cache-Control": "max-age=600", "Age": "600"}, 0),
        ({"Cache-Control": "max-age=31536000"}, 600),
        ({"Cache-Control": "s-maxage=600"}, 0),
        ({"Cache-Control": "no-cache, max-age=600"}, 0),
        ({"Cache-Control": "max-age=soon"}, 0),
        ({}, 0),
    ],
)
@pytest.mark.parametrize("status", [200, 304])
def test_a_page_is_fresh_for_as_long_as_upstream_says(
    behind: FakeIndex, headers: dict[str, str], seconds: int, status: int
) -> None:
    behind.faults["/simple/pkg/"] = lambda handler, body: handler.answer(
        status, body if status == 200 else b"", JSON, headers
    )

    async def use(upstream: HttpUpstream) -> float:
        try:
            page = await upstream.page("pkg", '"1"')
        except NotModified as answer:
            return answer.until
        assert page is not None
        return page.until

    before = time.time()
    until = with_upstream(behind.url, use)
    if not seconds:
        assert until == 0
    else:
        assert before + seconds <= until <= time.time() + seconds


def test_a_page_without_end_is_refused(behind: FakeIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_PAGE", 1 << 20)
    behind.faults["/simple/pkg/"] = lambda handler, _: handler.answer(200, b" " * (2 << 20), JSON)
    with pytest.raises(UpstreamError, match="has a page of more than 1 MiB"):
        files(behind)


def test_what_may_pass_is_tried_again(behind: FakeIndex) -> None:
    answers = [503, 429, 200]
    behind.faults["/simple/pkg/"] = lambda handler, body: handler.answer(answers.pop(0), body, JSON)
    assert len(files(behind)) == 2
    assert answers == []


@pytest.mark.parametrize(("status", "words"), [(500, "answers 500"), (418, "answers 418")])
def test_what_stays_wrong_is_said(behind: FakeIndex, status: int, words: str) -> None:
    behind.faults["/simple/pkg/"] = lambda handler, _: handler.answer(status, b"")
    with pytest.raises(UpstreamError, match=words):
        files(behind)


def test_another_hash_is_refused(behind: FakeIndex) -> None:
    file = files(behind)[0]
    fault(behind, file, lambda handler, body: handler.answer(200, bytes(len(body))))
    with pytest.raises(
        UpstreamError, match=r"has the sha256 [0-9a-f]{64}, and the index says [0-9a-f]{64}"
    ):
        fetch(behind, file)


def test_another_size_is_refused(behind: FakeIndex) -> None:
    file = files(behind)[0]
    fault(behind, file, lambda handler, body: handler.answer(200, body + b"more"))
    with pytest.raises(
        UpstreamError, match=r"sends more than the [0-9,]+ bytes that the index names"
    ):
        fetch(behind, file)
    fault(behind, file, lambda handler, body: handler.answer(200, body[:-1]))
    with pytest.raises(UpstreamError, match=r"has [0-9,]+ bytes, and the index says"):
        fetch(behind, file)


def test_a_body_without_end_is_cut_off(behind: FakeIndex) -> None:
    def endless(handler: Handler, _: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        try:
            while True:
                handler.wfile.write(bytes(65536))
        except OSError:
            pass

    file = files(behind)[0]
    fault(behind, file, endless)
    with pytest.raises(UpstreamError, match="sends more than"):
        fetch(behind, file)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on(behind: FakeIndex, *, ranges: bool) -> None:
    file = files(behind)[0]
    behind.ranges = ranges
    cuts = [100, 60]

    def cut(handler: Handler, body: bytes) -> None:
        start = 0
        if ranges and (span := handler.headers.get("Range")):
            start = int(span.removeprefix("bytes=").rstrip("-"))
        if not cuts:
            status = 206 if start else 200
            handler.answer(status, body[start:])
            return
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        handler.wfile.write(body[start : start + cuts.pop()])
        handler.wfile.flush()
        handler.close_connection = True

    fault(behind, file, cut)
    assert fetch(behind, file) == behind.files["pkg"][file.filename]
    assert cuts == []


def test_redirects_leave_neither_the_web_nor_secrets_behind(behind: FakeIndex) -> None:
    file = files(behind)[0]
    fault(
        behind,
        file,
        lambda handler, _: handler.answer(302, b"", headers={"Location": "file:///etc/passwd"}),
    )
    with pytest.raises(UpstreamError, match=r"could not be fetched|cannot be reached"):
        fetch(behind, file)
    with fake_index() as other:
        other.files["pkg"] = behind.files["pkg"]
        target = f"{other.url.removesuffix('simple')}packages/{file.filename}"
        fault(
            behind, file, lambda handler, _: handler.answer(302, b"", headers={"Location": target})
        )
        with_secret = behind.url.replace("http://", "http://user:secret@")
        assert fetch(behind, file, with_secret) == behind.files["pkg"][file.filename]
        assert "Authorization" in behind.requests[-1][2]
        assert all("Authorization" not in headers for _, _, headers in other.requests)


def test_credentials_stay_with_their_host(behind: FakeIndex) -> None:
    with fake_index() as other:
        other.files["pkg"] = behind.files["pkg"]
        file = files(other)[0]
        fetch(behind, file, behind.url.replace("http://", "http://user:secret@"))
        assert all("Authorization" not in headers for _, _, headers in other.requests)


def test_credentials_come_from_netrc(
    behind: FakeIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    files(behind)
    assert behind.requests[-1][2]["Authorization"] == "Basic dXNlcjpzZWNyZXQ="


def test_keyring_is_asked_when_the_index_wants_credentials(
    behind: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str | None]] = []

    def get_credential(service: str, user: str | None) -> SimpleNamespace | None:
        asked.append((service, user))
        known = service == "127.0.0.1"
        return SimpleNamespace(username="user", password="secret") if known else None

    ring = SimpleNamespace(get_credential=get_credential)
    monkeypatch.setitem(sys.modules, "keyring", ring)
    files(behind)
    assert asked == []  # looking for a keyring takes a tenth of a second

    def guarded(handler: Handler, body: bytes) -> None:
        right = handler.headers.get("Authorization") == "Basic dXNlcjpzZWNyZXQ="
        handler.answer(*((200, body, JSON) if right else (401, b"")))

    behind.faults["/simple/pkg/"] = guarded

    async def use(upstream: HttpUpstream) -> None:
        pages = await asyncio.gather(*(upstream.page("pkg", None) for _ in range(3)))
        assert len({page.body for page in pages if page}) == 1

    with_upstream(behind.url, use)
    assert asked == [(behind.url, None), ("127.0.0.1", None)]


def test_wrong_credentials_are_said_without_showing_them(behind: FakeIndex) -> None:
    behind.faults["/simple/pkg/"] = lambda handler, _: handler.answer(401, b"")

    async def use(upstream: HttpUpstream) -> None:
        with pytest.raises(
            UpstreamError, match="answers 401: it wants other credentials"
        ) as caught:
            await upstream.page("pkg", None)
        assert "secret" not in str(caught.value)
        assert "secret" not in upstream.name

    with_upstream(behind.url.replace("http://", "http://user:secret@"), use)


@pytest.mark.parametrize("url", ["ftp://host/simple", "https://", "http://[x/simple"])
def test_an_address_that_is_none_is_wrong_usage(url: str) -> None:
    async def use(_: HttpUpstream) -> None:
        raise AssertionError

    with pytest.raises(UsageError, match="--upstream"):
        with_upstream(url, use)


def test_a_folder_is_an_upstream_too(tmp_path: Path) -> None:
    paths = make_pair(tmp_path / "deep" / "down")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / paths[0].name).write_bytes(b"")

    async def run() -> None:
        folder = FolderUpstream(tmp_path)
        assert await folder.page("other", None) is None
        page = await folder.page("pkg", None)
        assert page is not None
        found = folder.files(page, "pkg").files
        assert sorted(file.filename for file in found) == sorted(path.name for path in paths)
        out = io.BytesIO()
        await folder.fetch(found[0], out, lambda _: None)
        data, size = await folder.read(found[0], None, 10)
        assert (out.getvalue()[-10:], len(out.getvalue())) == (data, size)

    asyncio.run(run())
    with pytest.raises(UsageError, match="there is no such folder"):
        FolderUpstream(tmp_path / "missing")


def test_the_strongest_hash_is_verified() -> None:
    assert strongest_hash({"md5": "1", "sha512": "2", "sha256": "3"}) == ("sha256", "3")
    assert strongest_hash({"md5": "1"}) is None
