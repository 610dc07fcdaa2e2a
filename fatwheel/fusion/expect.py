"""What a release must consist of: `--expect`, held against the pairs that were found before any is fused."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.errors import FatwheelError, UsageError
from fatwheel.fusion.plan import PlanOptions, fused_name
from fatwheel.printable import counted
from fatwheel.values import valueclass
from fatwheel.wheels.tags import claims, parse_wheel_name

__all__ = ["Expected", "read_expected", "unmet"]

_LONGEST = 512  # characters of a pattern; file names have 255, and a longer pattern takes time without bound


@valueclass
class Expected:
    """The wheels to be made: their number, or one pattern of a file name for each; `origin` is for messages."""

    origin: str
    count: int
    patterns: tuple[str, ...] = ()


def read_expected(value: str) -> Expected:
    """Return what `--expect VALUE` asks for: a number, or a file with one file name or pattern (`*`, `?`) a line.

    Empty lines and what follows a `#` do not count. Raises `UsageError` for 0, for a file that is not there or lists
    nothing, and for a line that is too long or ends in something else than `.whl`.
    """
    if value.isascii() and value.isdigit() and len(value) < 10:
        if not int(value):
            raise UsageError("--expect 0: a release has at least one wheel")
        return Expected(origin=f"--expect {value}", count=int(value))
    path = Path(value)
    try:
        text = path.read_text("utf-8-sig")  # as Windows PowerShell writes it
    except OSError as error:
        raise UsageError(
            f"--expect {value}: {error.strerror}; give a number, or a file with one wheel's name a line"
        ) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 at byte {error.start}") from None
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    patterns = tuple(line for line in lines if line)
    if not patterns:
        raise UsageError(f"{path} lists no wheels; write one file name or pattern a line")
    for pattern in patterns:
        if len(pattern) > _LONGEST:
            raise UsageError(
                f"{path}: a line has {counted(len(pattern), 'character')}, more than {_LONGEST}; "
                "a line is a wheel's file name, or a pattern of it"
            )
        if not pattern.endswith(".whl"):
            raise UsageError(
                f"{path}: {pattern!r} does not end in .whl; a line is a wheel's file name, or a pattern of it"
            )
    return Expected(origin=str(path), count=len(patterns), patterns=patterns)


def unmet(
    expected: Expected, pairs: Sequence[tuple[Path, Path]], options: PlanOptions
) -> tuple[str, ...]:
    """Return one sentence for each way in which the pairs are not what was expected.

    Each pattern stands for one wheel. Where `options` raise the floor to what the binaries need, the platform tags are
    not known before the wheels are read, so what stands before them is compared.
    """
    if not expected.patterns:
        if len(pairs) == expected.count:
            return ()
        wanted = f"{counted(expected.count, 'universal2 wheel')} expected"
        return (f"{expected.origin}: {wanted}, and the wheels given make {len(pairs)}",)
    names = [_name(pair, options) for pair in pairs]
    # The most particular pattern takes its wheel first, so that `pkg-*` is what is missing and not a whole name.
    patterns = sorted(expected.patterns, key=lambda pattern: (_jokers(pattern), pattern))
    fitting = [
        [place for place, name in enumerate(names) if _fits(name, pattern, options)]
        for pattern in patterns
    ]
    taken: dict[int, int] = {}
    missing = [
        pattern
        for number, pattern in enumerate(patterns)
        if not _take(number, fitting, taken, set())
    ]
    return (
        *(
            f"{expected.origin}: {pattern} is expected, and no two of the wheels given make it"
            for pattern in missing
        ),
        *(
            f"{expected.origin}: {name} would be made, and is not expected"
            for place, name in enumerate(names)
            if place not in taken
        ),
    )


def _take(
    pattern: int, fitting: Sequence[Sequence[int]], taken: dict[int, int], tried: set[int]
) -> bool:
    """Give the pattern one of the wheels that fit it, if need be one of a pattern that can have another."""
    for wheel in fitting[pattern]:
        if wheel not in taken:
            taken[wheel] = pattern
            return True
    for wheel in fitting[pattern]:
        if wheel not in tried:
            tried.add(wheel)
            if _take(taken[wheel], fitting, taken, tried):
                taken[wheel] = pattern
                return True
    return False


def _jokers(pattern: str) -> int:
    return sum(pattern.count(joker) for joker in "*?[")


def _fits(name: str, pattern: str, options: PlanOptions) -> bool:
    if not options.raise_floor:
        return fnmatchcase(name, pattern)
    begin = name.rpartition("-")[0] + "-"  # whatever the platform will be
    return any(fnmatchcase(begin, pattern[:end]) for end in range(1, len(pattern) + 1))


def _name(pair: tuple[Path, Path], options: PlanOptions) -> str:
    """Return the file name of what the pair makes, or of one of the two where they make nothing."""
    try:
        first, second = (parse_wheel_name(path.name) for path in pair)
        if Arch.X86_64 not in claims(first):  # two wheels named one by one come in any order
            first, second = second, first
        names = {Arch.X86_64: first, Arch.ARM64: second}
        floors = {arch: claims(name)[arch] for arch, name in names.items()}
        return fused_name(names, floors, options).filename
    except (FatwheelError, KeyError):
        return pair[1].name  # fusing says what is wrong with them
