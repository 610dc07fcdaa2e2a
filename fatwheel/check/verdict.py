"""All that is to be said of a wheel: the subjects in turn, over a `Wheel` that was read or a file.

`docs/checks.md` explains every code.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fatwheel.check.code import check_code
from fatwheel.check.finding import Finding, Severity, disagreement, unreadable
from fatwheel.check.images import check_images
from fatwheel.check.loads import check_loads
from fatwheel.check.modules import check_modules
from fatwheel.check.names import check_names
from fatwheel.check.newcomers import check_newcomers
from fatwheel.check.record import check_record
from fatwheel.check.signatures import check_signatures
from fatwheel.check.symbols import check_symbols
from fatwheel.check.tags import check_identity, check_tags
from fatwheel.check.textstubs import check_text_stubs
from fatwheel.deflate.inflaters import Inflater, best_inflater
from fatwheel.errors import WheelError
from fatwheel.wheels.dyld import resolve_loads
from fatwheel.wheels.read import read_wheel
from fatwheel.wheels.secondreader import wheel_package_problem
from fatwheel.wheels.sharing import readers
from fatwheel.wheels.wheel import Wheel, open_wheel, slices

__all__ = ["check", "check_wheel"]


def check(wheel: Wheel, *, universal2: bool = False) -> tuple[Finding, ...]:
    """Return everything to be said about `wheel`, errors first.

    It is held to what its file name promises; `universal2` asks it to promise both architectures.

    Raises `WheelError` where WHEEL or `fatwheel.json` cannot be read.
    """
    loads = resolve_loads(slices(wheel), wheel.members)
    findings = [
        *check_record(wheel),
        *check_names(wheel),
        *check_tags(wheel, universal2=universal2),
        *check_identity(wheel),
        *check_code(wheel),
        *check_images(wheel, loads),
        *check_modules(wheel),
        *check_text_stubs(wheel),
        *check_loads(wheel, loads),
        *check_symbols(wheel, loads),
        *check_newcomers(wheel),
        *check_signatures(wheel),
    ]
    ranks = list(Severity)
    return tuple(
        sorted(findings, key=lambda f: (ranks.index(f.severity), f.code, f.member or "", f.message))
    )


def check_wheel(
    path: Path, *, universal2: bool = False, inflater: Inflater | None = None
) -> tuple[Finding, ...]:
    """Read the wheel at `path` whole and return everything to be said about it, errors first.

    It is held to what its file name promises, a thin wheel to one architecture; `universal2` asks it to promise
    both. It is read twice, by fatwheel and by the `wheel` package. A wheel that cannot be read is a finding, too.
    Raises `OSError` where the file cannot be opened.
    """
    try:
        wheel = open_wheel(path)
        try:
            with (
                readers(2, [wheel]) as shared,
                shared.beside(partial(wheel_package_problem, path)) as second,
            ):
                read = read_wheel(wheel, shared, inflater=inflater or best_inflater())
                findings = check(read, universal2=universal2)
                problem = second()
            wheel.file.check_content()  # or the two have not read the same
        finally:
            wheel.close()
    except WheelError as error:
        return (unreadable(error),)
    return findings if problem is None else (*findings, disagreement(problem))
