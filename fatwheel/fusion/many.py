"""Many pairs, one after the other or side by side: each stands alone, and its outcome is a value.

The work of a pair is one call with values that can be pickled, so any executor of `concurrent.futures` does
it: threads, processes, or a farm's (dask's `Client.get_executor()`).
"""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from fatwheel.archive.ranges import Progress
from fatwheel.errors import FatwheelError
from fatwheel.fusion.fuse import ConflictsError, Fused, FuseOptions, fuse_wheels, plan_fuse
from fatwheel.fusion.plan import FusePlan
from fatwheel.values import valueclass
from fatwheel.wheels.sharing import result_of

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    from fatwheel.fusion.existing import Existing

__all__ = [
    "FailedError",
    "Outcome",
    "WheelPair",
    "fuse_many",
    "pair_size",
]

WheelPair = tuple[Path, Path]


class FailedError(FatwheelError):
    """A pair was given up for a reason that lies in no wheel: a mistake of fatwheel's own, or a lost worker."""


@valueclass
class Outcome:
    """What became of one pair.

    `plan` is None where reading or planning failed, `fused` where nothing was written, and both where a wheel that was
    made so before is left as it is: `existing`. `seconds` is the time
    that the pair's own work took, without waiting for its turn.
    """

    paths: WheelPair
    plan: FusePlan | None
    fused: Fused | None
    error: FatwheelError | OSError | None
    seconds: float
    existing: Existing | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the pair was fused, planned without a conflict, or needed nothing."""
        if self.existing is not None:
            return True
        return self.error is None and self.plan is not None and not self.plan.conflicts

    @property
    def status(self) -> str:
        """One word for scripts."""
        if self.existing is not None:
            return "unchanged"
        if self.plan is not None and self.plan.conflicts:
            return "conflict"
        if self.error is not None:
            return "failed"
        return "fused" if self.fused is not None else "planned"


def fuse_many(
    pairs: Iterable[WheelPair],
    folder: Path,
    options: FuseOptions,
    *,
    executor: Executor | None = None,
    dry_run: bool = False,
    skip_existing: bool = False,
    progress: Progress | None = None,
) -> Iterator[Outcome]:
    """Fuse pairs of wheels into `folder`, or plan it (`dry_run`), and yield the outcomes in the order of `pairs`.

    A pair that fails is an outcome as any other, and stops no other pair. With an `executor` all pairs are handed
    to it at once, the largest first, and the outcomes are the same as without; where it works on other machines, the
    paths must be absolute and lead to the same files there. With `skip_existing` a wheel in `folder` that would come
    out as it is (`existing.find_existing`) is left, and its pair is not read. No two pairs may make the same wheel.
    When the iterator is closed, or the caller is interrupted, the pairs that have not begun are cancelled.

    `progress` is called, in any thread, with the bytes of the archives that were worked through since the last call:
    piece by piece; with an executor ten times a second where that tells it (`workers.processes` does), else once for
    each pair.
    """
    work = functools.partial(_fuse_one, dry_run=dry_run, skip_existing=skip_existing)
    if executor is None:
        return (work(pair, folder, options, progress) for pair in pairs)
    tells = executor if isinstance(executor, _Telling) else None
    inside = None if tells is None else tells.tell_progress
    pairs = list(pairs)
    sizes = [pair_size(pair) for pair in pairs]
    begun: dict[int, Future[Outcome]] = {}
    # The largest first, or one worker may have it alone in the end.
    for i in sorted(range(len(pairs)), key=lambda i: -sizes[i]):
        begun[i] = future = executor.submit(work, pairs[i], folder, options, inside)
        if progress is not None and tells is None:
            future.add_done_callback(functools.partial(_report, progress, sizes[i]))
    futures = deque((pair, begun[i]) for i, pair in enumerate(pairs))
    if progress is None or tells is None:
        return _in_order(futures, lambda: None)
    return _in_order(futures, _Told(tells, progress).tell)


def pair_size(pair: WheelPair) -> int:
    """Return the bytes of both archives; a file that is missing has none."""
    return sum(path.stat().st_size for path in pair if path.is_file())


@runtime_checkable
class _Telling(Protocol):
    """An executor that knows what its workers have read, as far as they call `tell_progress`."""

    tell_progress: Progress
    bytes_read: int


class _Told:
    """Passes on what an executor's workers have read."""

    def __init__(self, executor: _Telling, progress: Progress) -> None:
        self._executor, self._progress = executor, progress
        self._before = executor.bytes_read

    def tell(self) -> None:
        """Tell of what was read since the last call."""
        now = self._executor.bytes_read
        self._progress(now - self._before)
        self._before = now


def _report(progress: Progress, size: int, _: Future[Outcome]) -> None:
    progress(size)


def _in_order(
    futures: deque[tuple[WheelPair, Future[Outcome]]], meanwhile: Callable[[], None]
) -> Iterator[Outcome]:
    """Yield the outcomes as they come, forgetting each; what has not begun is cancelled in the end."""
    try:
        while futures:
            outcome = _answer(*futures[0], meanwhile)
            meanwhile()
            yield outcome
            futures.popleft()
    finally:
        for _, future in futures:
            future.cancel()


def _answer(pair: WheelPair, future: Future[Outcome], meanwhile: Callable[[], None]) -> Outcome:
    """Wait for a pair's outcome; a lost worker is one, too."""
    try:
        return result_of(future, meanwhile)
    except Exception as failure:
        error = FailedError(
            f"{pair[0].name} and {pair[1].name}: their worker gave no answer ({_words(failure)}); it may have run "
            "out of memory, so try them by themselves"
        )
        return Outcome(paths=pair, plan=None, fused=None, error=error, seconds=0.0)


def _fuse_one(
    pair: WheelPair,
    folder: Path,
    options: FuseOptions,
    progress: Progress | None,
    *,
    dry_run: bool,
    skip_existing: bool,
) -> Outcome:
    """Fuse or plan one pair; what goes wrong is part of the outcome."""
    started = time.monotonic()
    plan: FusePlan | None = None
    fused: Fused | None = None
    error: FatwheelError | OSError | None = None
    existing: Existing | None = None
    try:
        if skip_existing:
            from fatwheel.fusion.existing import find_existing

            existing = find_existing(*pair, folder, options)
        if existing is not None:
            if progress is not None:
                progress(pair_size(pair))
        elif dry_run:
            plan = plan_fuse(*pair, options, progress)
        else:
            fused = fuse_wheels(*pair, folder, options, progress)
            plan = fused.plan
    except ConflictsError as conflicts:
        plan, error = conflicts.plan, conflicts
    except (FatwheelError, OSError) as failure:
        error = failure
    except Exception as failure:
        error = _own_fault(pair, failure)
    seconds = time.monotonic() - started
    return Outcome(
        paths=pair, plan=plan, fused=fused, error=error, seconds=seconds, existing=existing
    )


def _own_fault(pair: WheelPair, failure: Exception) -> FailedError:
    """Return the error for what should not happen, with the place where it did."""
    import traceback

    frame = traceback.extract_tb(failure.__traceback__)[-1]
    place = f"{Path(frame.filename).name}, line {frame.lineno}"
    error = FailedError(
        f"{pair[0].name} and {pair[1].name}: fatwheel failed by its own fault ({_words(failure)}; {place}); "
        "please report it"
    )
    error.__cause__ = failure
    return error


def _words(failure: Exception) -> str:
    import traceback

    text = traceback.format_exception_only(failure)[-1].strip()
    return text.partition("\n")[0]
