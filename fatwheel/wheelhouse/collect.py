"""The wheelhouse itself: every file is fetched or fused by the index, and the folder holds what the lock file names."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from packaging.tags import Tag

from fatwheel.arch import Arch
from fatwheel.atomic import new_file
from fatwheel.errors import FatwheelError
from fatwheel.index.cache import Made
from fatwheel.index.listing import Entry
from fatwheel.index.page import File
from fatwheel.index.serve import Running
from fatwheel.index.work import Job, UnservedError
from fatwheel.values import valueclass
from fatwheel.wheelhouse.build import Builder, BuiltConflictError, build_wheel
from fatwheel.wheelhouse.choose import choose_entry
from fatwheel.wheelhouse.resolve import Pin, newer_versions
from fatwheel.wheelhouse.sdists import ToBuild

__all__ = [
    "Ingredients",
    "Item",
    "Unavailable",
    "build_items",
    "collect",
    "fetch_ingredients",
    "lay_out",
    "plan_items",
]

REPORT = "wheelhouse.json"
"""The file that says what the folder holds; by it the next run knows which wheels are its own."""


@valueclass
class Item:
    """A project of the tree and the file that serves it; `notes` are sentences on it.

    With `build`, the file is to be built, and `entry` stands for it until then.
    """

    pin: Pin
    upstream: str
    entry: Entry
    notes: tuple[str, ...] = ()
    build: ToBuild | None = None

    @property
    def files(self) -> tuple[File, ...]:
        """Those of upstream that it is made of."""
        return self.entry.files if self.build is None else self.build.files


@valueclass
class Ingredients:
    """What a wheel that is to be built needs of upstream: the sdist, and the half that is there."""

    sdist: Made
    half: Made | None


@valueclass
class Unavailable:
    """A project of the tree that cannot be had, and why; `rules` would settle a conflict."""

    pin: Pin
    why: str
    lines: tuple[str, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()
    filename: str = ""


async def plan_items(
    pins: Sequence[Pin],
    running: Running,
    tags: Mapping[Arch, Mapping[Tag, int]],
    builds: Mapping[str, ToBuild],
) -> tuple[list[Item], list[Unavailable]]:
    """Return the file for each pin, and the pins that have none; `builds` are those to be built, by file name."""
    items: list[Item] = []
    missing: list[Unavailable] = []
    for pin in pins:
        project = await running.projects.get(pin.name, fresh=False)
        entries = project.listing.entries if project is not None else ()
        wanted = {arch: tags[arch] for arch in pin.archs}
        entry = choose_entry(entries, pin.version, wanted)
        if project is None or entry is None:
            why = f"{pin.name} {pin.version} has no wheel for {' and '.join(a.value for a in pin.archs)} that fits"
            missing.append(Unavailable(pin=pin, why=why))
            continue
        notes = list(newer_versions(pin, project.listing.left_out))
        if len(pin.archs) == 1:
            notes.append(f"{pin.name} {pin.version} is needed by {pin.archs[0].value} only")
        items.append(
            Item(
                pin=pin,
                upstream=project.upstream.name,
                entry=entry,
                notes=tuple(notes),
                build=builds.get(entry.filename),
            )
        )
    return items, missing


async def collect(
    items: Sequence[Item], running: Running
) -> tuple[dict[str, Made], list[Unavailable]]:
    """Fetch and fuse all files at the same time, by name of the project; one that fails stops no other.

    What is to be built is not among `items`.

    The largest come first, so that no core waits at the end for one that began late.
    """
    items = sorted(items, key=lambda item: -sum(file.size or 0 for file in item.entry.files))

    async def one(item: Item) -> Made:
        project = await running.projects.get(item.pin.name, fresh=False)
        assert project is not None
        return await running.work.make(project.upstream, item.pin.name, item.entry)

    answers = await asyncio.gather(*map(one, items), return_exceptions=True)
    made: dict[str, Made] = {}
    failed: list[Unavailable] = []
    for item, answer in zip(items, answers, strict=True):
        if isinstance(answer, Made):
            made[item.pin.name] = answer
        elif isinstance(answer, UnservedError):
            job = running.work.jobs[running.work.key(item.entry)]
            failed.append(_unserved(item, job, answer))
        elif isinstance(answer, FatwheelError | OSError):
            failed.append(Unavailable(pin=item.pin, why=str(answer), filename=item.entry.filename))
        else:
            raise answer
    return made, failed


async def fetch_ingredients(
    items: Sequence[Item], running: Running
) -> tuple[dict[str, Ingredients], list[Unavailable]]:
    """Fetch what is needed to build the `items`, by name of the project; one that fails stops no other."""
    found: dict[str, Ingredients] = {}
    failed: list[Unavailable] = []
    for item in items:
        project = await running.projects.get(item.pin.name, fresh=False)
        assert project is not None
        assert item.build is not None
        build = item.build
        entries = [build.sdist] if build.half is None else [build.sdist, build.half]
        try:
            made = [await running.work.make(project.upstream, item.pin.name, e) for e in entries]
        except (FatwheelError, OSError) as error:
            failed.append(Unavailable(pin=item.pin, why=str(error)))
        else:
            found[item.pin.name] = Ingredients(sdist=made[0], half=made[1] if made[1:] else None)
    return found, failed


def build_items(
    items: Sequence[Item],
    ingredients: Mapping[str, Ingredients],
    builder: Builder,
    tags: Mapping[Arch, Mapping[Tag, int]],
) -> tuple[dict[str, Made], list[Unavailable]]:
    """Build and fuse what upstream lacks, one after the other, by name of the project."""
    made: dict[str, Made] = {}
    failed: list[Unavailable] = []
    for item in items:
        parts = ingredients.get(item.pin.name)
        if parts is None or item.build is None:
            continue
        try:
            one = build_wheel(builder, parts.sdist, parts.half, item.build.archs)
        except BuiltConflictError as error:
            found = error.result
            lines = found.conflicts
            why = found.count if lines else f"what was built is no other half: {found.problem}"
            failed.append(Unavailable(pin=item.pin, why=why, lines=lines, rules=found.rules))
        except FatwheelError as error:
            failed.append(Unavailable(pin=item.pin, why=error.sentence, lines=error.details))
        except OSError as error:
            failed.append(Unavailable(pin=item.pin, why=str(error)))
        else:
            entry = Entry(filename=one.path.name, version=item.pin.version)
            if choose_entry([entry], item.pin.version, tags) is None:
                why = (
                    f"it came out as {one.path.name}, which that Python or that macOS does not take"
                )
                failed.append(Unavailable(pin=item.pin, why=why))
            else:
                made[item.pin.name] = one
    return made, failed


def _unserved(item: Item, job: Job, error: UnservedError) -> Unavailable:
    why = job.count or str(error)
    return Unavailable(
        pin=item.pin, why=why, lines=error.lines, rules=job.rules, filename=item.entry.filename
    )


def lay_out(
    folder: Path,
    made: Mapping[str, Made],
    documents: Mapping[str, bytes],
    say: Callable[[str], None],
) -> None:
    """Put the files into `folder`, then the documents; remove an earlier run's wheels that are not wanted any more.

    What changed is said. Files that no run of ours made are left alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = _own_files(folder)
    wanted = {one.path.name: one for one in made.values()}
    new = [
        name
        for name, one in sorted(wanted.items())
        if before.get(name) != one.sha256 or not _has_size(folder / name, one.size)
    ]
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        copied = executor.map(lambda name: _copy(wanted[name].path, folder / name), new)
        for name, _ in zip(new, copied, strict=True):
            if before:
                say(f"{'changed' if name in before else 'new'}: {name}")
    for name in sorted(before.keys() - wanted.keys()):
        if name.endswith(".whl"):
            with contextlib.suppress(FileNotFoundError):
                (folder / name).unlink()
                say(f"gone: {name}")
    for name, content in documents.items():
        with new_file(folder / name, replace=True) as out:
            out.write(content)


def _copy(path: Path, target: Path) -> None:
    """Copy a wheel. Waiting for the disk takes seconds; what a power cut takes away, the next run sees by its size."""
    with path.open("rb") as source, new_file(target, replace=True, durable=False) as out:
        shutil.copyfileobj(source, out, 1 << 20)


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _own_files(folder: Path) -> dict[str, str]:
    """Return the wheels that the last run put into the folder, with their SHA-256."""
    try:
        document: Any = json.loads((folder / REPORT).read_bytes())
        rows = document["wheels"]
        return {
            str(row["filename"]): str(row["sha256"])
            for row in rows
            if "/" not in row["filename"] and "\\" not in row["filename"]
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}
