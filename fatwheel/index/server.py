"""The server in front: pages, files and METADATA for pip and uv, and the page at `/` for people.

A wheel that is not there yet is fused while its client waits. How long clients wait was measured: without a byte pip
gives up after 15 s and uv after 30 s, a 503 breaks uv, a slow body hides errors. A redirect to the same address,
counted, works in all of them: pip follows 30, so the last ones are held without a limit.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from fatwheel.errors import FatwheelError
from fatwheel.index.cache import Made
from fatwheel.index.listing import Entry
from fatwheel.index.page import HTML, JSON, chosen_type, format_html, format_json
from fatwheel.index.projects import Project, Projects
from fatwheel.index.statuspage import status_html, status_json
from fatwheel.index.upstream import UpstreamError
from fatwheel.index.work import UnservedError, Work
from fatwheel.wheels.tags import normalise

__all__ = ["IndexServer"]

HOLD = 12.0
"""Seconds for which an answer is held before the client is sent round."""
MOST_ROUNDS = 27
"""Redirects after which an answer is held until it is there; pip follows 30."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_WHEEL = "application/octet-stream"


class IndexServer:
    """The routes over `Projects` and `Work`."""

    def __init__(
        self,
        projects: Projects,
        work: Work,
        *,
        hosts: frozenset[str] = frozenset(),
        notes: tuple[str, ...] = (),
        hold: float = HOLD,
    ) -> None:
        """`hosts` are names besides loopback addresses that a request may name; `notes` stand on the page at `/`."""
        self._projects = projects
        self._work = work
        self._hosts = hosts
        self._notes = notes
        self._hold = hold

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application(middlewares=[self._guarded], client_max_size=1024)
        app.router.add_get("/", self._status)
        app.router.add_get("/status.json", self._status_json)
        app.router.add_get("/simple/", self._list)
        app.router.add_get("/simple", _to_simple)
        app.router.add_get("/simple/{project}/", self._page)
        app.router.add_get("/simple/{project}", self._page)
        app.router.add_get("/files/{key}/{filename}", self._file)
        return app

    @web.middleware
    async def _guarded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Refuse requests that name another host (DNS rebinding), and turn errors into answers."""
        if not self._is_ours(request.host):
            return _text(
                403, f"this index answers for its own address only, not for {request.host[:80]!r}"
            )
        try:
            return await handler(request)
        except UpstreamError as error:
            return _text(error.status, str(error))
        except UnservedError as error:
            return _text(409, "\n".join([str(error), *error.lines]))
        except FatwheelError as error:
            return _text(500, str(error))

    def _is_ours(self, host: str) -> bool:
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        name = name.strip("[]").lower()
        if name in self._hosts or name == "localhost":
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False

    async def _status(self, request: web.Request) -> web.Response:
        page = status_html(self._projects, self._work, self._notes, str(request.url.origin()))
        headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return web.Response(text=page, content_type="text/html", headers=headers)

    async def _status_json(self, _request: web.Request) -> web.Response:
        return web.json_response(status_json(self._projects, self._work, self._notes))

    async def _list(self, request: web.Request) -> web.Response:
        """List the projects that were asked for; the whole list of upstream helps no installer."""
        kind = _wanted(request)
        names = sorted(self._projects.known)
        if kind == JSON:
            document = {
                "meta": {"api-version": "1.1"},
                "projects": [{"name": name} for name in names],
            }
            return _page(json.dumps(document), kind)
        rows = "".join(f'<a href="{name}/">{name}</a><br>\n' for name in names)
        return _page(
            f"<!DOCTYPE html>\n<html><head><title>Simple index</title></head><body>\n{rows}</body></html>\n",
            kind,
        )

    async def _page(self, request: web.Request) -> web.Response:
        kind = _wanted(request)
        name = normalise(request.match_info["project"])
        if not name.replace("-", "").isalnum() or not name.isascii():
            return _text(404, "that is no project's name")
        if request.path != f"/simple/{name}/":
            raise web.HTTPMovedPermanently(f"/simple/{name}/")
        project = await self._projects.get(name)
        if project is None:
            return _text(404, f"no upstream index has a project {name}")
        await self._projects.read_metadata(project)
        files = [self._projects.as_file(project, entry) for entry in project.listing.entries]
        if kind == JSON:
            text = format_json(project.listing.name, files, project.listing.versions)
        else:
            text = format_html(project.listing.name, files)
        return _validated(request, _page(text, kind), text)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        key, filename = request.match_info["key"], request.match_info["filename"]
        wants_metadata = filename.endswith(".metadata")
        project, entry = await self._entry(key, filename.removesuffix(".metadata"))
        if wants_metadata:
            found = await self._projects.metadata(project, entry)
            if found is None:
                return _text(409, f"the two halves of {entry.filename} do not agree on METADATA")
            return web.Response(body=found[0], content_type="text/plain", charset="utf-8")
        made = self._work.ready(entry)
        if made is None and request.method == "HEAD":
            return _not_yet(entry)  # it fuses nothing
        if made is None:
            task = self._work.make(project.upstream, project.name, entry)
            rounds = _rounds(request)
            limit = self._hold if rounds < MOST_ROUNDS else None
            await asyncio.wait([task], timeout=limit)
            if not task.done():
                raise web.HTTPTemporaryRedirect(f"{request.path}?round={rounds + 1}")
            try:
                made = task.result()
            except UnservedError:
                self._projects.forget(project.name)
                raise
        return _served(made)

    async def _entry(self, key: str, filename: str) -> tuple[Project, Entry]:
        """Return the entry of that address; also of one that an index before this one named."""
        name = normalise(_project_part(filename))
        for fresh in (False, True):
            project = await self._projects.get(name, fresh=fresh)
            if project is None:
                break
            for entry in project.listing.find(filename):
                if self._work.key(entry) == key:
                    return project, entry
        raise UpstreamError(
            f"{filename[:120]} is not offered under this address (any more); ask for /simple/{name[:80]}/ again",
            404,
        )


def _project_part(filename: str) -> str:
    if filename.endswith(".whl"):
        return filename.partition("-")[0]
    return filename.removesuffix(".tar.gz").removesuffix(".zip").rpartition("-")[0]


def _rounds(request: web.Request) -> int:
    text = request.query.get("round", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


async def _to_simple(_request: web.Request) -> web.Response:
    raise web.HTTPMovedPermanently("/simple/")


def _wanted(request: web.Request) -> str:
    """Return the content type to answer with, by the address (`?format=`) or the header (PEP 691)."""
    named = request.query.get("format", "").replace(" ", "+")
    kind = chosen_type(named or ", ".join(request.headers.getall("Accept", [])))
    if kind is None:
        raise web.HTTPNotAcceptable(text=f"this index speaks {JSON}, {HTML} and text/html\n")
    return kind


def _page(text: str, kind: str) -> web.Response:
    headers = {"Content-Type": f"{kind}; charset=utf-8" if kind != JSON else kind, "Vary": "Accept"}
    return web.Response(body=text.encode(), headers={**headers, "Cache-Control": "no-cache"})


def _validated(request: web.Request, answer: web.Response, text: str) -> web.Response:
    """Give the answer a validator, or send nothing where the client has the same (RFC 9110, section 13)."""
    validator = hashlib.sha256(text.encode()).hexdigest()[:32]
    answer.etag = validator
    if any(tag.value in {validator, "*"} for tag in request.if_none_match or ()):
        answer = web.Response(status=304, headers=answer.headers)
        del answer.headers["Content-Type"]
    return answer


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n", content_type="text/plain")


def _not_yet(entry: Entry) -> web.Response:
    """Answer to HEAD for a file that is not here: what is known of it without fetching or fusing."""
    headers = {"Content-Type": _WHEEL, "Accept-Ranges": "none"}
    if entry.source is not None and entry.source.size is not None:
        headers["Content-Length"] = str(entry.source.size)
    return web.Response(headers=headers)


def _served(made: Made) -> web.StreamResponse:
    """Send a file: ranges, conditions, HEAD and the validator are the framework's."""
    headers = {"Content-Type": _WHEEL, "Cache-Control": "max-age=31536000, immutable"}
    return web.FileResponse(made.path, headers=headers)
