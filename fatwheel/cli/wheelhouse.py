"""`fatwheel wheelhouse`: the whole dependency tree of an app as universal2 wheels."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import click

from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.here import cache_folder
from fatwheel.cli.index import index_fusing, macos_floor
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
from fatwheel.index.serve import PYPI, Running
from fatwheel.printable import counted, printable, size_text, toml_string
from fatwheel.wheelhouse.documents import sources
from fatwheel.wheelhouse.make import MACOS, PYTHON, Wheelhouse, WheelhouseOptions, make_wheelhouse

__all__ = ["wheelhouse_command"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


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
    upstreams: tuple[str, ...],
    offline: bool,
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

    def tell(line: str) -> None:
        if not quiet and not as_json:
            say(line)

    live = is_live(os.environ, sys.stderr) and not quiet and not as_json
    options = WheelhouseOptions(
        cache=cache or cache_folder(os.environ) / "index",
        python=python or PYTHON,
        macos=macos_floor(macos) or MACOS,
        constraints=constraints,
        upstreams=upstreams or (PYPI,),
        offline=offline,
        build=build,
        dry_run=dry_run,
        fuse=index_fusing(**given),
    )
    house = make_wheelhouse(
        [*files, *words],
        folder,
        options,
        jobs=jobs,
        say=tell,
        output=None if quiet or as_json else print_bytes,
        watching=_bars if live else None,
    )
    if as_json:
        print_json({**house.report, "planned": [item.entry.filename for item in house.items]})
    else:
        for line in _lines(house, folder, dry_run=dry_run, quiet=quiet):
            say(line)
    if house.missing:
        raise click.exceptions.Exit(1)


@contextlib.asynccontextmanager
async def _bars(running: Running) -> AsyncIterator[None]:
    """Show a bar for each file that is under way, on a terminal."""
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


def _lines(house: Wheelhouse, folder: Path, *, dry_run: bool, quiet: bool) -> Iterator[str]:
    """Yield the table at the end: what there is, and what is missing, with the lines to paste."""
    items, made, missing = house.items, house.made, house.missing
    if not quiet:
        width = max((len(f"{item.pin.name} {item.pin.version}") for item in items), default=0)
        kinds = max((len(sources(item)) for item in items), default=0) + 1
        for item in items:
            one = made.get(item.pin.name)
            if one is not None or dry_run:
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
    if not dry_run and not quiet:
        total = size_text(sum(one.size for one in made.values()))
        projects = len({item.pin.name for item in items} | {lost.pin.name for lost in missing})
        yield f"{folder}: {len(made)} of {counted(projects, 'wheel')}, {total}"
