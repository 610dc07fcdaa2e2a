"""`fatwheel index`: serve until Ctrl-C, or for one command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.here import cache_folder
from fatwheel.cli.options import (
    jobs_option,
    no_kind_option,
    no_rulebook_option,
    on_conflict_option,
    quiet_option,
    rule_option,
)
from fatwheel.cli.terminal import say
from fatwheel.errors import ToolError, UsageError
from fatwheel.fusion.request import Request, fuse_options, read_settings
from fatwheel.index.cache import Cache
from fatwheel.index.client import client_environment, warnings_for
from fatwheel.index.listing import ListingOptions
from fatwheel.index.pool import Pool, pool
from fatwheel.index.serve import PYPI, IndexOptions, Running, serve
from fatwheel.printable import size_text

if TYPE_CHECKING:
    from fatwheel.fusion.fuse import FuseOptions
    from fatwheel.wheels.tags import Floor

__all__ = ["index_command", "index_fusing", "macos_floor"]

_VERSION = re.compile(r"([0-9]{2})(?:\.([0-9]{1,2}))?(?:\.[0-9]{1,2})?", re.ASCII)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.command(
    "index",
    cls=CommandWithPage,
    context_settings={"allow_interspersed_args": False},
    groups={
        "What is offered": "--upstream --macos --keep-thin --sdists --all-systems",
        "Files that differ": "--rules --rule --on-conflict --no-rulebook --no-kind",
        "The server": "--host --port --jobs --offline --quiet",
        "The cache": "--cache --prune",
    },
    sections={
        "Environment": (
            (
                "PIP_INDEX_URL, UV_DEFAULT_INDEX, …",
                "set for COMMAND, so that pip, uv and PDM come here",
            ),
        ),
        "Settings": "[tool.fatwheel] in the pyproject.toml of the current folder (or --rules): rules, on-conflict.",
        "Exit codes": (
            *exit_codes(
                {3: "the extra is not installed: pip install 'fatwheel[index]'", 130: "interrupted"}
            ),
            ("others", "with COMMAND, the command's own"),
        ),
        "Examples": (
            ("fatwheel index", "serve http://127.0.0.1:8418/simple/"),
            ("fatwheel index -- pip install -r requirements.txt", "for one command"),
            ("fatwheel index --macos 12.0", "only what runs on macOS 12"),
            ("fatwheel index --upstream https://… --upstream ./wheels", "your own, then a folder"),
        ),
        "More": "docs/package-index.md.",
    },
)
@click.argument("command", nargs=-1, metavar="[-- COMMAND]")
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="URL|FOLDER",
    help=f"Index or folder of wheels behind this one; repeatable, the first with a project counts.  [default: {PYPI}]",
)
@click.option("--macos", metavar="VERSION", help="Hide what needs a newer macOS, such as 12.0.")
@click.option("--keep-thin", is_flag=True, help="Offer thin Mac wheels as well.")
@click.option("--sdists", is_flag=True, help="Offer source distributions as well.")
@click.option("--all-systems", is_flag=True, help="Offer other systems' wheels as well.")
@click.option(
    "--rules",
    "settings",
    metavar="FILE",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="A pyproject.toml with [tool.fatwheel.rules].  [default: that of the current folder]",
)
@rule_option("Settle members, as for fuse. Repeatable.")
@on_conflict_option()
@no_rulebook_option()
@no_kind_option()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8418,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@jobs_option("Wheels fused at the same time.  [default: one for each core]")
@click.option("--offline", is_flag=True, help="Serve what is in the cache, and ask no upstream.")
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for what is fetched and fused.  [default: fatwheel/index in your cache folder]",
)
@click.option(
    "--prune",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Remove what was not used for so many days from the cache, and end.",
)
@quiet_option("Print errors and conflicts only.")
def index_command(command: tuple[str, ...], **given: Any) -> None:
    """Serve a package index in which every project has universal2 wheels.

    It stands in front of PyPI. Where a project has a thin wheel for each architecture, the index lists one universal2
    wheel, and fuses it when it is asked for. Versions that one architecture lacks are not listed, so pip and uv
    choose one that both have.

    With COMMAND the index runs for that command only, with variables set so that pip, uv and PDM use it, and its exit
    code is handed on. http://127.0.0.1:8418/ shows what was fused, what could not be, and why.
    """
    folder = given.pop("cache") or cache_folder(os.environ) / "index"
    if (days := given.pop("prune")) is not None:
        freed = Cache(folder).prune(days)
        say(f"{size_text(freed)} removed from {folder}; {size_text(Cache(folder).size())} are left")
        return
    quiet, jobs = given.pop("quiet"), given.pop("jobs")
    options = _options(folder, **given)
    with pool(jobs or os.cpu_count() or 1) as workers:
        code = asyncio.run(_run(options, workers, command, quiet=quiet))
    if code:
        raise click.exceptions.Exit(code)


def index_fusing(
    *,
    settings: Path | None,
    rules: tuple[str, ...],
    on_conflict: str | None,
    no_rulebook: bool,
    no_kind: tuple[str, ...],
) -> FuseOptions:
    """Return how wheels are fused, from the options as they were given; raises `UsageError`."""
    request = Request(
        rules=rules, on_conflict=on_conflict, no_rulebook=no_rulebook, no_kind=no_kind
    )
    return fuse_options(request, read_settings(settings or Path("pyproject.toml")))


def _options(
    cache: Path,
    *,
    upstreams: tuple[str, ...],
    macos: str | None,
    offline: bool,
    host: str,
    port: int,
    keep_thin: bool,
    sdists: bool,
    all_systems: bool,
    **fusing: Any,
) -> IndexOptions:
    """Return what the index is to be, from the options as they were given; raises `UsageError`."""
    return IndexOptions(
        cache=cache,
        upstreams=upstreams or (PYPI,),
        host=host,
        port=port,
        offline=offline,
        listing=ListingOptions(
            macos=macos_floor(macos), keep_thin=keep_thin, sdists=sdists, all_systems=all_systems
        ),
        fuse=index_fusing(**fusing),
    )


def macos_floor(text: str | None) -> Floor | None:
    """Return the macOS version that --macos names; raises `UsageError` for what is none."""
    if text is None:
        return None
    match = _VERSION.fullmatch(text)
    if match is None or not 10 <= int(match[1]) <= 99:
        raise UsageError(f"--macos {text}: that is no macOS version; write 12.0, for example")
    major, minor = int(match[1]), int(match[2] or 0)
    return (major, minor) if major == 10 else (major, 0)


async def _run(
    options: IndexOptions, workers: Pool, command: tuple[str, ...], *, quiet: bool
) -> int:
    def tell(line: str) -> None:
        if not quiet or not line.startswith(("fused ", "note: ")):
            say(line)

    notes = []
    if options.host not in _LOOPBACK:
        notes.append(
            f"It listens on {options.host}, so everybody who reaches this machine can use it, and what it fetches with "
            "your credentials."
        )
    async with serve(options, workers, tell, notes) as running:
        for note in notes:
            say(f"warning: {note}")
        if not quiet:
            upstreams = ", ".join(one.rpartition("@")[2] for one in options.upstreams)
            say(f"index: {running.url} in front of {upstreams}")
            cached = size_text(Cache(options.cache).size())
            say(f"cache: {options.cache} ({cached})")
        if not command:
            if not quiet:
                say(f"what it does: {running.url.removesuffix('simple/')}    (Ctrl-C ends it)")
            await asyncio.Event().wait()
        return await _with_command(running, options, command)


async def _with_command(running: Running, options: IndexOptions, command: tuple[str, ...]) -> int:
    for line in warnings_for(command, os.environ, Path.cwd()):
        say(f"warning: {line}")
    program = shutil.which(command[0])
    if program is None:
        raise ToolError(f"{command[0]} is not installed, or not on PATH")
    environ = client_environment(os.environ, running.url, sdists=options.listing.sdists)
    process = await asyncio.create_subprocess_exec(program, *command[1:], env=environ)
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        raise
    if code:
        for line in _unserved(running):
            say(line)
    return code if code >= 0 else 128 - code


def _unserved(running: Running) -> Iterator[str]:
    """Yield again what could not be served: installers show no more of it than a status."""
    for job in running.work.jobs.values():
        if job.state in {"conflict", "failed"}:
            yield f"not served: {job.entry.filename}"
            yield from (f"  {line}" if line else "" for line in job.conflicts or job.lines)
