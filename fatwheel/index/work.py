"""What is done when a file is asked for: both halves are fetched, fused once however many ask, checked and kept."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.archive.ranges import RangeFile, file_sha256
from fatwheel.check.report import finding_lines
from fatwheel.errors import FatwheelError
from fatwheel.fusion.conflicts import conflict_lines, conflicts_counted
from fatwheel.fusion.fuse import FuseOptions
from fatwheel.fusion.many import fuse_many
from fatwheel.fusion.pairing import held_architectures
from fatwheel.fusion.report import plan_lines
from fatwheel.fusion.settle import group_conflicts
from fatwheel.index.cache import Cache, Made, input_key
from fatwheel.index.listing import Entry
from fatwheel.index.page import File
from fatwheel.index.pool import Pool
from fatwheel.index.upstream import Upstream, UpstreamError
from fatwheel.printable import size_text
from fatwheel.values import valueclass
from fatwheel.version import __version__
from fatwheel.wheels.tags import claims, parse_wheel_name
from fatwheel.wheels.wheel import open_wheel

__all__ = ["FuseResult", "Job", "UnservedError", "Work", "fuse_pair", "recipe_of"]

_DOWNLOADS = 8  # at the same time
_DIGITS = 32  # hexadecimal, of a key


class UnservedError(FatwheelError):
    """A file that is listed and cannot be served: its halves are in conflict, damaged, or not what they say."""

    def __init__(self, filename: str, lines: Sequence[str]) -> None:
        super().__init__(
            f"{filename} cannot be served: {lines[0] if lines else 'no reason is known'}"
        )
        self.lines = tuple(lines)


@valueclass
class FuseResult:
    """What a fusion came to, in words: it travels between processes. `lines` are the report."""

    size: int = 0
    sha256: str = ""
    name: str = ""
    problem: str = ""
    lines: tuple[str, ...] = ()
    count: str = ""
    conflicts: tuple[str, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()


@dataclass(kw_only=True)
class Job:
    """One file that was asked for, as the page at `/` shows it.

    `state` is "fetching", "fusing", "ready", "conflict" or "failed". `received` of `expected` bytes have come.
    `count` says how many conflicts there are, and `rules` are (glob, action) that would settle them.
    """

    project: str
    entry: Entry
    state: str = "fetching"
    received: int = 0
    expected: int = 0
    size: int = 0
    seconds: float = 0.0
    lines: tuple[str, ...] = ()
    count: str = ""
    conflicts: tuple[str, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()
    asked: float = field(default_factory=time.time)


def recipe_of(options: FuseOptions) -> str:
    """Return a digest of all but the inputs that the bytes of a fused wheel depend on."""
    parts = [__version__, repr(options.plan), options.date_time, type(options.engine).__name__]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class Work:
    """Files of entries: out of the cache, or made while all who ask for them wait for the same."""

    def __init__(
        self,
        cache: Cache,
        options: FuseOptions,
        pool: Pool,
        *,
        offline: bool,
        say: Callable[[str], None],
    ) -> None:
        """`say` takes lines for the console; `pool` runs what takes a processor's time."""
        self._cache = cache
        self._options = replace(options, replace=True, durable=False)
        self._recipe = recipe_of(options)
        self._pool = pool
        self._offline = offline
        self._say = say
        self._tasks: dict[str, asyncio.Task[Made]] = {}
        self._downloads = asyncio.Semaphore(_DOWNLOADS)
        self.jobs: dict[str, Job] = {}

    def key(self, entry: Entry) -> str:
        """Return what the file is made of, as a word for addresses: its inputs, and for a fused wheel the recipe."""
        parts = [input_key(file) for file in entry.files]
        parts += [self._recipe] if entry.halves else ["as it is"]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_DIGITS]

    def path(self, entry: Entry) -> Path:
        """Return where the file lies or will lie."""
        if entry.halves is not None:
            return self._cache.fused_path(self.key(entry), entry.filename)
        return self._cache.input_path(entry.files[0])

    def ready(self, entry: Entry) -> Made | None:
        """Return the file where it lies in the cache."""
        return self._cache.made(self.path(entry))

    def make(self, upstream: Upstream, project: str, entry: Entry) -> asyncio.Task[Made]:
        """Return the task that makes the file; whoever asks for the same gets the same.

        It raises `UpstreamError` or `UnservedError`.
        """
        key = self.key(entry)
        task = self._tasks.get(key)
        if task is None:
            self.jobs[key] = Job(project=project, entry=entry)
            task = asyncio.create_task(self._made(upstream, key, self.jobs[key]))
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        return task

    def _forget(self, key: str, task: asyncio.Task[Made]) -> None:
        """Let the next one who asks try again; that nobody waited for a failure is no fault."""
        self._tasks.pop(key, None)
        if not task.cancelled():
            task.exception()

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _made(self, upstream: Upstream, key: str, job: Job) -> Made:
        started = time.monotonic()
        try:
            made = self.ready(job.entry)
            if made is None:
                make = self._fused if job.entry.halves else self._taken
                made = await make(upstream, key, job)
            job.state, job.size = "ready", made.size
            return made
        except UnservedError as error:
            job.state = "conflict" if job.conflicts else "failed"
            job.lines = error.lines
            raise
        except FatwheelError as error:
            job.state, job.lines = "failed", (str(error),)
            self._say(f"failed: {job.entry.filename}: {error}")
            raise
        finally:
            job.seconds = time.monotonic() - started

    async def _taken(self, upstream: Upstream, _key: str, job: Job) -> Made:
        """Fetch a file that is served as it is; one that says universal2 must be it."""
        entry = job.entry
        made = await self._fetched(upstream, entry.files[0], job)
        if entry.filename.endswith(".whl") and len(claims(parse_wheel_name(entry.filename))) == 2:
            held = await self._pool.run(_held, made.path)
            if len(held) == 1:
                (arch,) = held
                self._cache.keep_held(input_key(entry.files[0]), held)
                line = (
                    f"{entry.filename} says universal2, and all its code is for {arch.value}; from now on it counts "
                    f"as that half, so ask again: it is offered fused, where there is a wheel for {arch.other.value}"
                )
                self._say(f"not served: {line}")
                raise UnservedError(entry.filename, [line])
        return made

    async def _fused(self, upstream: Upstream, key: str, job: Job) -> Made:
        entry = job.entry
        halves = await asyncio.gather(
            *(self._fetched(upstream, file, job) for file in entry.files), return_exceptions=True
        )
        for half in halves:
            if isinstance(half, BaseException):
                raise half
        job.state = "fusing"
        paths = [half.path for half in halves if isinstance(half, Made)]
        target = self._cache.fused_path(key, entry.filename)
        weight = sum(half.size for half in halves if isinstance(half, Made))
        result = await self._pool.run(
            fuse_pair, paths[0], paths[1], target.parent, self._options, weight=weight
        )
        job.lines, job.conflicts, job.rules = result.lines, result.conflicts, result.rules
        job.count = result.count
        if result.problem or result.conflicts:
            lines = result.conflicts or (result.problem,)
            self._say(f"not fused: {entry.filename}")
            for line in lines:
                self._say(f"  {line}" if line else "")
            raise UnservedError(entry.filename, lines)
        if result.name != entry.filename:
            raise UnservedError(entry.filename, [f"it came out as {result.name}"])
        made = Made(path=target, size=result.size, sha256=result.sha256)
        self._cache.remember(made, inputs=[{"url": f.url, "sha256": f.sha256} for f in entry.files])
        sizes = " + ".join(size_text(half.size) for half in halves if isinstance(half, Made))
        self._say(f"fused {entry.filename} ({sizes} → {size_text(made.size)})")
        return made

    async def _fetched(self, upstream: Upstream, file: File, job: Job) -> Made:
        path = self._cache.input_path(file)
        job.expected += file.size or 0
        made = self._cache.made(path)
        if made is not None:
            job.received += made.size
            return made
        if self._offline:
            raise UpstreamError(f"{file.filename} is not in the cache, and this is --offline")

        def count(size: int) -> None:
            job.received += size

        async with self._downloads:
            with self._cache.new(path) as out:
                await upstream.fetch(file, out, count)
                size = out.tell()
            digest = file.sha256
            if digest is None:
                digest = await asyncio.to_thread(_sha256, path)
        made = Made(path=path, size=size, sha256=digest)
        self._cache.remember(made, url=file.url)
        return made


def _sha256(path: Path) -> str:
    with RangeFile(path) as file:
        return file_sha256(file)


def _held(path: Path) -> frozenset[Arch]:
    """Return what a wheel holds code for; of one that cannot be read, everything: the installer will say so."""
    try:
        wheel = open_wheel(path)
    except FatwheelError:
        return frozenset(Arch)
    try:
        return held_architectures(wheel)
    except FatwheelError:
        return frozenset(Arch)
    finally:
        wheel.close()


def fuse_pair(x86_64: Path, arm64: Path, folder: Path, options: FuseOptions) -> FuseResult:
    """Fuse two wheels into `folder`, in whatever process this runs."""
    (outcome,) = fuse_many([(x86_64, arm64)], folder, options)
    if outcome.plan is not None and outcome.plan.conflicts:
        members = outcome.plan.members
        groups = group_conflicts(members)
        return FuseResult(
            count=conflicts_counted(outcome.plan.conflicts),
            conflicts=tuple(conflict_lines(members)),
            rules=tuple((glob, g.actions[0].value) for g in groups for glob in g.globs),
        )
    if outcome.fused is None:
        return FuseResult(problem=str(outcome.error))
    plan = outcome.fused.plan
    lines = [line.strip() for line in plan_lines(plan, every=False)]
    lines += finding_lines(outcome.fused.findings, every=False)
    return FuseResult(
        size=outcome.fused.size,
        sha256=_sha256(outcome.fused.path),
        name=outcome.fused.path.name,
        lines=tuple(lines),
    )
