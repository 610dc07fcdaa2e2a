"""A wheelhouse from beginning to end: resolved, fetched and fused, built, laid out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from packaging.tags import Tag

from fatwheel.arch import Arch
from fatwheel.errors import UsageError
from fatwheel.fusion.fuse import FuseOptions
from fatwheel.index.cache import Cache, Made
from fatwheel.index.listing import Entry, ListingOptions
from fatwheel.index.pool import Pool, pool
from fatwheel.index.serve import PYPI, IndexOptions, Running, serve
from fatwheel.printable import counted
from fatwheel.process import SubprocessRunner
from fatwheel.values import valueclass
from fatwheel.wheelhouse.build import Builder
from fatwheel.wheelhouse.choose import choose_entry, supported_tags
from fatwheel.wheelhouse.collect import (
    Ingredients,
    Item,
    Unavailable,
    build_items,
    collect,
    fetch_ingredients,
    lay_out,
    plan_items,
)
from fatwheel.wheelhouse.documents import documents, report_json
from fatwheel.wheelhouse.resolve import Pin, Requirements, combine_pins, resolve
from fatwheel.wheelhouse.sdists import Builds, pinned_versions
from fatwheel.wheels.tags import Floor, format_floor

__all__ = ["MACOS", "PYTHON", "Wheelhouse", "WheelhouseOptions", "make_wheelhouse"]

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
"""The app's, if nothing is said: the running one."""
MACOS: Floor = (13, 0)
"""The oldest that the app is for, if nothing is said."""
_VERSION = re.compile(r"3\.([0-9]{1,2})", re.ASCII)
_PORT = 8419
"""Where the index is for uv, if it is free: what uv keeps of an index counts for one address only."""


@valueclass
class WheelhouseOptions:
    """For what the wheels are, and where they come from.

    `cache` is the folder for all that is fetched and fused. `python` is the app's (such as "3.12"), `macos` the oldest
    that it is for, as (major, minor). `constraints` are files of versions to keep to. `upstreams` are addresses and
    folders; the first that has a project counts. `offline` asks none of them. `build` builds what an architecture lacks
    from the project's sdist, which runs its code. With `dry_run` nothing is fetched but pages and METADATA, and
    nothing is written. `fuse` says how wheels are fused, `environ` are the variables for uv and for builds.
    """

    cache: Path
    python: str = PYTHON
    macos: Floor = MACOS
    constraints: tuple[Path, ...] = ()
    upstreams: tuple[str, ...] = (PYPI,)
    offline: bool = False
    build: bool = False
    dry_run: bool = False
    fuse: FuseOptions = field(default_factory=FuseOptions)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def tags(self) -> dict[Arch, dict[Tag, int]]:
        """What that Python takes on that macOS, with ranks; raises `UsageError` for a Python that is none."""
        match = _VERSION.fullmatch(self.python)
        if match is None:
            raise UsageError(f"--python {self.python}: write the version as 3.12, for example")
        return {arch: supported_tags((3, int(match[1])), self.macos, arch) for arch in Arch}

    @property
    def index(self) -> IndexOptions:
        """The index that uv is pointed to, and that fetches and fuses."""
        return IndexOptions(
            cache=self.cache.absolute(),
            upstreams=self.upstreams,
            port=_PORT,
            any_port=True,
            offline=self.offline,
            listing=ListingOptions(macos=self.macos),
            fuse=self.fuse,
        )


@valueclass
class Wheelhouse:
    """What became of it.

    `items` are the projects of the tree with the files that serve them, `made` the wheels by project, `missing` what
    cannot be had or is in conflict. `report` is the document of wheelhouse.json.
    """

    items: tuple[Item, ...]
    made: Mapping[str, Made]
    missing: tuple[Unavailable, ...]
    report: Mapping[str, Any] = field(default_factory=dict)


@valueclass
class _Work:
    """What is asked for, and how people are told of it."""

    requirements: Requirements
    options: WheelhouseOptions
    tags: Mapping[Arch, Mapping[Tag, int]]
    say: Callable[[str], None]
    watching: Callable[[Running], AbstractAsyncContextManager[None]] | None


def make_wheelhouse(
    requirements: Sequence[str | Path],
    folder: Path,
    options: WheelhouseOptions,
    *,
    executor: Executor | None = None,
    jobs: int | None = None,
    say: Callable[[str], None] = lambda _line: None,
    output: Callable[[bytes], None] | None = None,
    watching: Callable[[Running], AbstractAsyncContextManager[None]] | None = None,
) -> Wheelhouse:
    """Fill `folder` with wheels for both architectures: all that the requirements need.

    `requirements` are words as pip takes them ("numpy>=2"), or paths of requirements files. Wheels are fused by
    `executor`, any of `concurrent.futures` or a cluster's; where it works on other machines, `options.cache` must lead
    to the same folder there. Without one, `jobs` processes of this machine do it (one for each core). What is built, is
    built here. A project that cannot be had stops no other.

    `say` takes a line for each thing that happens, `output` what builds print. `watching` is entered with the running
    index while files are fetched and fused; then there are no lines on these. An event loop runs meanwhile, so where
    there is one already (a notebook), call this with `asyncio.to_thread`.

    Raises `UsageError` for requirements, versions and upstreams that are none, `RefusedError` where there are no
    versions that fit together, `ToolError` without the extra `index`.
    """
    work = _Work(
        requirements=Requirements(
            files=tuple(one for one in requirements if isinstance(one, Path)),
            words=tuple(one for one in requirements if isinstance(one, str)),
            constraints=options.constraints,
        ),
        options=options,
        tags=options.tags,
        say=say,
        watching=watching,
    )
    if executor is not None:
        house, ingredients = asyncio.run(_fetch(work, Pool(lambda: executor)))
    else:
        with pool(jobs or os.cpu_count() or 1) as workers:
            house, ingredients = asyncio.run(_fetch(work, workers))
    # Out of the loop, so that Ctrl-C ends a compiler at once.
    house = _build(house, ingredients, work, output)
    parts = house.items, house.made, house.missing
    if not options.dry_run:
        files = documents(*parts, python=options.python, macos=options.macos)
        lay_out(folder, house.made, files, say)
    report = report_json(*parts, python=options.python, macos=options.macos)
    return replace(house, report=report)


async def _fetch(work: _Work, workers: Pool) -> tuple[Wheelhouse, Mapping[str, Ingredients]]:
    """Resolve, fetch and fuse; return what there is, and what the wheels that are to be built are made of."""
    options, say = work.options, work.say
    builds = None
    if options.build:
        builds = Builds(
            Cache(options.cache),
            work.tags,
            options.python,
            pinned_versions(_texts(work.requirements)),
            offline=options.offline,
        )
    complete = builds.complete if builds is not None else None
    say_ = say if work.watching is None else _silent

    def wanted(entry: Entry) -> bool:
        return choose_entry([entry], entry.version, work.tags) is not None

    async with serve(options.index, workers, say_, complete=complete, wanted=wanted) as running:
        pins = await _resolve(work, running)
        known = builds.known if builds is not None else {}
        items, missing = await plan_items(pins, running, work.tags, known)
        what = counted(len(pins), "project")
        say(f"{what} for CPython {options.python} on macOS {format_floor(options.macos)}")
        for item in items:
            for note in item.notes:
                say(f"note: {note}")
            if item.build is not None:
                say(f"warning: {item.build.sentence}")
        made: dict[str, Made] = {}
        ingredients: dict[str, Ingredients] = {}
        if not options.dry_run:
            async with work.watching(running) if work.watching else contextlib.nullcontext():
                made, failed = await collect([one for one in items if not one.build], running)
                to_build = [one for one in items if one.build]
                ingredients, lost = await fetch_ingredients(to_build, running)
            missing += failed + lost
    return Wheelhouse(items=tuple(items), made=made, missing=tuple(missing)), ingredients


def _build(
    house: Wheelhouse,
    ingredients: Mapping[str, Ingredients],
    work: _Work,
    output: Callable[[bytes], None] | None,
) -> Wheelhouse:
    """Build what upstream lacks."""
    if not ingredients:
        return house
    options = work.options
    builder = Builder(
        python=options.python,
        cache=Cache(options.cache),
        fuse=options.fuse,
        runner=SubprocessRunner(),
        environ=dict(options.environ),
        say=work.say,
        output=output,
        offline=options.offline,
    )
    made, failed = build_items(house.items, ingredients, builder, work.tags)
    return replace(house, made={**house.made, **made}, missing=(*house.missing, *failed))


def _texts(requirements: Requirements) -> Iterator[str]:
    """Yield the texts of all that is asked for; a file that cannot be read is uv's to refuse."""
    yield from requirements.words
    for path in (*requirements.files, *requirements.constraints):
        yield path.read_text("utf-8", "replace")


def _silent(_line: str) -> None:
    pass


async def _resolve(work: _Work, running: Running) -> tuple[Pin, ...]:
    """Return all projects with their versions; uv is asked for both architectures at the same time."""
    options = work.options

    async def one(arch: Arch, scratch: Path) -> dict[str, str]:
        return await resolve(
            work.requirements,
            arch,
            url=running.url,
            python=options.python,
            macos=options.macos,
            environ=options.environ,
            folder=Path.cwd(),
            scratch=scratch,
            cache=options.cache / "uv",
            runner=SubprocessRunner(),
        )

    with tempfile.TemporaryDirectory(prefix="fatwheel-") as scratch:
        answers = [one(arch, Path(scratch)) for arch in Arch]
        found: dict[Arch, dict[str, str]] = {}
        for arch, pins in zip(
            Arch, await asyncio.gather(*answers, return_exceptions=True), strict=True
        ):
            if isinstance(pins, BaseException):
                raise pins  # of two errors always the same one
            found[arch] = pins
    return combine_pins(found)
