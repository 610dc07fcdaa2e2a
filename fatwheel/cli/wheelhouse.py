"""`fatwheel wheelhouse`: the whole dependency tree of an app as universal2 wheels."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from packaging.tags import Tag

from fatwheel.arch import Arch
from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.here import cache_folder
from fatwheel.cli.index import index_options, macos_floor
from fatwheel.cli.options import (
    jobs_option,
    json_option,
    no_kind_option,
    no_rulebook_option,
    on_conflict_option,
    output_option,
    quiet_option,
    rule_option,
)
from fatwheel.cli.terminal import is_live, print_bytes, print_json, say, wants_colour
from fatwheel.errors import UsageError
from fatwheel.index.cache import Cache, Made
from fatwheel.index.pool import Pool, pool
from fatwheel.index.serve import IndexOptions, Running, serve
from fatwheel.printable import counted, printable, size_text, toml_string
from fatwheel.process import SubprocessRunner
from fatwheel.values import valueclass
from fatwheel.wheelhouse.build import Builder
from fatwheel.wheelhouse.choose import supported_tags
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
from fatwheel.wheelhouse.documents import documents, report_json, sources
from fatwheel.wheelhouse.resolve import Pin, Requirements, combine_pins, resolve
from fatwheel.wheelhouse.sdists import Builds, pinned_versions
from fatwheel.wheels.tags import Floor, format_floor

__all__ = ["wheelhouse_command"]

_PYTHON = re.compile(r"3\.([0-9]{1,2})", re.ASCII)
_MACOS: Floor = (13, 0)
_PORT = 8419
"""Where the index is for uv, if it is free: what uv keeps of an index counts for one address only."""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@valueclass
class _Wanted:
    requirements: Requirements
    python: str
    macos: Floor
    folder: Path
    build: bool
    dry_run: bool
    as_json: bool
    quiet: bool

    @property
    def tags(self) -> dict[Arch, dict[Tag, int]]:
        """What that Python takes on that macOS, with ranks."""
        python = (3, int(self.python.partition(".")[2]))
        return {arch: supported_tags(python, self.macos, arch) for arch in Arch}

    def tell(self, line: str) -> None:
        """Print a line of the report as it goes on."""
        if not self.quiet and not self.as_json:
            say(line)


@click.command(
    "wheelhouse",
    cls=CommandWithPage,
    groups={
        "What to get": "--requirement --constraint --python --macos --upstream --build --offline",
        "Files that differ": "--rules --rule --on-conflict --no-rulebook --no-kind",
        "The result": "--output --dry-run --json --quiet",
        "How": "--cache --jobs",
    },
    sections={
        "Settings": "[tool.fatwheel] in the pyproject.toml of the current folder (or --rules): rules, on-conflict.",
        "Exit codes": exit_codes(
            {
                1: "a project cannot be had, or is in conflict; the others are there all the same",
                3: "the extra is not installed: pip install 'fatwheel[index]'",
                130: "interrupted; the next run goes on from what was fetched",
            }
        ),
        "Examples": (
            ("fatwheel wheelhouse -r requirements.txt --macos 12.0", "into ./wheelhouse"),
            ("fatwheel wheelhouse numpy 'pillow>=11' --dry-run", "what it would consist of"),
        ),
        "Afterwards": "pip install --no-index --find-links wheelhouse -r requirements.txt, or: uv pip sync "
        "wheelhouse/pylock.toml",
        "More": "docs/package-index.md.",
    },
)
@click.argument("words", nargs=-1, metavar="[REQUIREMENT]...")
@click.option(
    "-r",
    "--requirement",
    "files",
    multiple=True,
    type=_FILE,
    help="A requirements file; repeatable.",
)
@click.option(
    "-c",
    "--constraint",
    "constraints",
    multiple=True,
    type=_FILE,
    help="A file of versions to keep to; repeatable.",
)
@click.option(
    "--python",
    metavar="VERSION",
    help="The app's Python, such as 3.12.  [default: the running one's]",
)
@click.option(
    "--macos", metavar="VERSION", help="The oldest macOS that the app is for.  [default: 13.0]"
)
@click.option(
    "--build",
    is_flag=True,
    help="Build what an architecture lacks from the project's sdist, if maturin builds it. That runs its code.",
)
@output_option("Folder to fill.", "wheelhouse")
@click.option(
    "--dry-run", is_flag=True, help="Resolve and print; fetch no wheels and write nothing."
)
@json_option()
@quiet_option("Print errors and conflicts only.")
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="URL|FOLDER",
    help="As for fatwheel index; repeatable.",
)
@click.option(
    "--rules",
    "settings",
    metavar="FILE",
    type=_FILE,
    help="A pyproject.toml with [tool.fatwheel.rules].",
)
@rule_option("Settle members, as for fuse. Repeatable.")
@on_conflict_option()
@no_rulebook_option()
@no_kind_option()
@click.option("--offline", is_flag=True, help="Take what is in the cache, and ask no upstream.")
@click.option("--cache", type=_FOLDER, help="As for fatwheel index.")
@jobs_option("Wheels fused at the same time.  [default: one for each core]")
def wheelhouse_command(  # noqa: PLR0917  (click hands everything over by name)
    words: tuple[str, ...],
    files: tuple[Path, ...],
    constraints: tuple[Path, ...],
    python: str | None,
    macos: str | None,
    build: bool,
    folder: Path,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    cache: Path | None,
    jobs: int | None,
    **given: Any,
) -> None:
    """Fill a folder with wheels for both architectures: all that the requirements need.

    uv resolves for Intel and for Apple silicon against an index in which every project has universal2 wheels; the
    versions are the same on both. The folder holds the wheels, pylock.toml for installers, wheelhouse.json for
    programs and report.html to look at. A second run fetches only what changed.
    """
    if not words and not files:
        raise UsageError("name requirements, or a file of them with -r")
    wanted = _Wanted(
        requirements=Requirements(files=files, words=words, constraints=constraints),
        python=_python(python),
        macos=macos_floor(macos) or _MACOS,
        folder=folder,
        build=build,
        dry_run=dry_run,
        as_json=as_json,
        quiet=quiet,
    )
    options = index_options(
        cache or cache_folder(os.environ) / "index",
        macos=format_floor(wanted.macos),
        keep_thin=False,
        sdists=False,
        all_systems=False,
        port=_PORT,
        any_port=True,
        **given,
    )
    with pool(jobs or os.cpu_count() or 1) as workers:
        house = asyncio.run(_fetch(wanted, options, workers))
    # Out of the loop, so that Ctrl-C ends a compiler at once.
    house = _build(house, wanted, options)
    _finish(house, wanted)
    if house.missing:
        raise click.exceptions.Exit(1)


def _python(text: str | None) -> str:
    if text is None:
        return f"{sys.version_info[0]}.{sys.version_info[1]}"
    if not _PYTHON.fullmatch(text):
        raise UsageError(f"--python {text}: write the version as 3.12, for example")
    return text


@valueclass
class _House:
    """What there is: of `items`, those to be built with their `ingredients`, and what was `made`, by project."""

    items: tuple[Item, ...]
    made: Mapping[str, Made]
    missing: tuple[Unavailable, ...]
    ingredients: Mapping[str, Ingredients]


async def _fetch(wanted: _Wanted, options: IndexOptions, workers: Pool) -> _House:
    """Resolve, fetch and fuse."""
    live = is_live(os.environ, sys.stderr) and not wanted.quiet and not wanted.as_json
    builds = None
    if wanted.build:
        builds = Builds(
            Cache(options.cache),
            wanted.tags,
            wanted.python,
            pinned_versions(_texts(wanted.requirements)),
            offline=options.offline,
        )
    complete = builds.complete if builds is not None else None
    say_ = _silent if live else wanted.tell
    async with serve(options, workers, say_, complete=complete) as running:
        pins = await _resolve(wanted, running, options.cache)
        known = builds.known if builds is not None else {}
        items, missing = await plan_items(pins, running, wanted.tags, known)
        what = counted(len(pins), "project")
        wanted.tell(f"{what} for CPython {wanted.python} on macOS {format_floor(wanted.macos)}")
        for item in items:
            for note in item.notes:
                wanted.tell(f"note: {note}")
            if item.build is not None:
                wanted.tell(f"warning: {item.build.sentence}")
        made: dict[str, Made] = {}
        ingredients: dict[str, Ingredients] = {}
        if not wanted.dry_run:
            async with _bars(running, show=live):
                made, failed = await collect([one for one in items if not one.build], running)
                to_build = [one for one in items if one.build]
                ingredients, lost = await fetch_ingredients(to_build, running)
            missing += failed + lost
    return _House(items=tuple(items), made=made, missing=tuple(missing), ingredients=ingredients)


def _build(house: _House, wanted: _Wanted, options: IndexOptions) -> _House:
    """Build what upstream lacks."""
    if not house.ingredients:
        return house
    builder = Builder(
        python=wanted.python,
        cache=Cache(options.cache),
        fuse=options.fuse,
        runner=SubprocessRunner(),
        environ=dict(os.environ),
        say=wanted.tell,
        output=None if wanted.quiet or wanted.as_json else print_bytes,
        offline=options.offline,
    )
    made, failed = build_items(house.items, house.ingredients, builder, wanted.tags)
    return replace(house, made={**house.made, **made}, missing=(*house.missing, *failed))


def _finish(house: _House, wanted: _Wanted) -> None:
    """Lay out the folder, and tell what there is."""
    items, made, missing = house.items, house.made, house.missing
    if not wanted.dry_run:
        files = documents(items, made, missing, python=wanted.python, macos=wanted.macos)
        lay_out(wanted.folder, made, files, wanted.tell)
    if wanted.as_json:
        report = report_json(items, made, missing, python=wanted.python, macos=wanted.macos)
        print_json({**report, "planned": [item.entry.filename for item in items]})
    else:
        for line in _lines(items, made, missing, wanted):
            say(line)


def _texts(requirements: Requirements) -> Iterator[str]:
    """Yield the texts of all that is asked for; a file that cannot be read is uv's to refuse."""
    yield from requirements.words
    for path in (*requirements.files, *requirements.constraints):
        yield path.read_text("utf-8", "replace")


def _silent(_line: str) -> None:
    pass


async def _resolve(wanted: _Wanted, running: Running, cache: Path) -> tuple[Pin, ...]:
    """Return all projects with their versions; uv is asked for both architectures at the same time."""

    async def one(arch: Arch, scratch: Path) -> dict[str, str]:
        return await resolve(
            wanted.requirements,
            arch,
            url=running.url,
            python=wanted.python,
            macos=wanted.macos,
            environ=os.environ,
            folder=Path.cwd(),
            scratch=scratch,
            cache=cache / "uv",
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


@contextlib.asynccontextmanager
async def _bars(running: Running, *, show: bool) -> AsyncIterator[None]:
    """Show a bar for each file that is under way, on a terminal."""
    if not show:
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    console = Console(stderr=True, no_color=not wants_colour(os.environ, sys.stderr))
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        rows: dict[str, Any] = {}

        async def draw() -> None:
            while True:
                for key, job in list(running.work.jobs.items()):
                    if key not in rows:
                        label = printable(job.entry.filename.partition("-macosx")[0][:32])
                        rows[key] = progress.add_task(label, total=None, state="")
                    progress.update(
                        rows[key],
                        completed=job.received,
                        total=max(job.expected, 1),
                        state=job.state,
                        visible=job.state in {"fetching", "fusing"},
                    )
                await asyncio.sleep(0.2)

        task = asyncio.create_task(draw())
        try:
            yield
        finally:
            task.cancel()


def _lines(
    items: Sequence[Item], made: Mapping[str, Made], missing: Sequence[Unavailable], wanted: _Wanted
) -> Iterator[str]:
    """Yield the table at the end: what there is, and what is missing, with the lines to paste."""
    if not wanted.quiet:
        width = max((len(f"{item.pin.name} {item.pin.version}") for item in items), default=0)
        kinds = max((len(sources(item)) for item in items), default=0) + 1
        for item in items:
            one = made.get(item.pin.name)
            if one is not None or wanted.dry_run:
                size = f"{size_text(one.size):>9}" if one is not None else ""
                name = f"{item.pin.name} {item.pin.version}"
                yield f"  {name:<{width}}  {sources(item):<{kinds}}{size}".rstrip()
    for lost in missing:
        what = lost.filename or f"{lost.pin.name} {lost.pin.version}"
        yield f"not to be had: {what}: {lost.why}"
        yield from (f"  {line}" if line else "" for line in lost.lines)
    rules = [rule for lost in missing for rule in lost.rules]
    if rules:
        yield "rules that settle the conflicts, for pyproject.toml (read above what each one keeps):"
        yield "  [tool.fatwheel.rules]"
        yield from (f'  {toml_string(glob)} = "{action}"' for glob, action in rules)
    if not wanted.dry_run and not wanted.quiet:
        total = size_text(sum(one.size for one in made.values()))
        projects = len({item.pin.name for item in items} | {lost.pin.name for lost in missing})
        yield f"{wanted.folder}: {len(made)} of {counted(projects, 'wheel')}, {total}"
