"""Starting and stopping the index, as a context: the server, its client, its processes."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import field
from pathlib import Path

from fatwheel.errors import ToolError, UsageError
from fatwheel.fusion.fuse import FuseOptions
from fatwheel.index.cache import Cache
from fatwheel.index.listing import Entry, ListingOptions
from fatwheel.index.pool import Pool
from fatwheel.index.projects import Complete, Projects
from fatwheel.index.upstream import FolderUpstream, HttpUpstream, Upstream, client_session
from fatwheel.index.work import Work
from fatwheel.values import valueclass

__all__ = ["PYPI", "IndexOptions", "Running", "serve"]

PYPI = "https://pypi.org/simple"


@valueclass
class IndexOptions:
    """What the index is to be.

    `upstreams` are addresses and folders, the first that has a project counts. `host` and `port` are what it listens
    on; port 0 takes a free one, and so does `any_port` where the port is taken. `cache` is the folder for all that is
    fetched and made.
    """

    cache: Path
    upstreams: tuple[str, ...] = (PYPI,)
    host: str = "127.0.0.1"
    port: int = 8418
    any_port: bool = False
    offline: bool = False
    listing: ListingOptions = field(default_factory=ListingOptions)
    fuse: FuseOptions = field(default_factory=FuseOptions)


@valueclass
class Running:
    """An index that answers at `url` (with `/simple/` at its end)."""

    url: str
    projects: Projects
    work: Work


@contextlib.asynccontextmanager
async def serve(
    options: IndexOptions,
    pool: Pool,
    say: Callable[[str], None],
    notes: Sequence[str] = (),
    *,
    complete: Complete | None = None,
    wanted: Callable[[Entry], bool] = lambda _entry: True,
) -> AsyncIterator[Running]:
    """Yield the running index; when the block ends, what is under way is ended, too.

    `complete` may add to what is listed of a project; what is not `wanted` gets no METADATA that cost much.

    Raises `UsageError` for upstreams that are none and an address that is taken, `ToolError` without the extra `index`.
    """
    try:
        from aiohttp import web

        from fatwheel.index.server import IndexServer
    except ImportError:
        raise ToolError(
            "fatwheel index needs a web server; install it with: pip install 'fatwheel[index]'"
        ) from None
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(client_session())
        upstreams: list[Upstream] = [
            HttpUpstream(one, session) if "://" in one else FolderUpstream(Path(one))
            for one in options.upstreams
        ]
        cache = Cache(options.cache)
        work = Work(cache, options.fuse, pool, offline=options.offline, say=say)
        stack.push_async_callback(work.close)
        projects = Projects(
            upstreams,
            cache,
            options.listing,
            work,
            offline=options.offline,
            say=say,
            complete=complete,
            wanted=wanted,
        )
        server = IndexServer(
            projects, work, hosts=frozenset({options.host.lower()}), notes=tuple(notes)
        )
        runner = web.AppRunner(
            server.app(), access_log=None, handle_signals=False, shutdown_timeout=1
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        listening = _listen(options)
        await web.SockSite(runner, listening).start()
        host, port = listening.getsockname()[:2]
        place = f"[{host}]" if ":" in host else host
        yield Running(url=f"http://{place}:{port}/simple/", projects=projects, work=work)


def _listen(options: IndexOptions) -> socket.socket:
    host, port = options.host, options.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        if options.any_port:
            return socket.create_server((host, 0), family=family, backlog=128)
        hint = "is another index running there? Stop it, or choose another --port"
        raise UsageError(
            f"{host}:{port} cannot be listened on ({error.strerror or error}); {hint}"
        ) from None
