"""From a Rust crate to universal2 wheels: maturin once for each architecture, then fuse, then check.

What is run is planned in `plan`. Wheels get their place in the output folder only when they are complete and
checked.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.atomic import new_file
from fatwheel.building.faults import refuse_misplaced_thread_locals, refuse_newer_code
from fatwheel.building.plan import ORDER, Build, BuildPlan, describe
from fatwheel.check.verdict import check_wheel
from fatwheel.errors import RefusedError, ToolError
from fatwheel.fusion.actions import Fuse, Keep
from fatwheel.fusion.fuse import Fused, FuseOptions, fuse_wheels
from fatwheel.fusion.plan import FusePlan
from fatwheel.macho.image import Image
from fatwheel.process import Command, Runner
from fatwheel.toolchain.advice import advice
from fatwheel.values import valueclass
from fatwheel.wheels.tags import WheelKey, claims, parse_wheel_name
from fatwheel.wheels.wheel import images

__all__ = [
    "BuildFailedError",
    "Built",
    "ThinWheels",
    "call_maturin",
    "compiler_errors",
    "external_loads",
    "made_wheels",
    "run_build",
]


@valueclass
class ThinWheels:
    """What one run of maturin made, each wheel with its size (bytes), and how long it took (seconds)."""

    arch: Arch
    wheels: Mapping[Path, int]
    seconds: float


@valueclass
class Built:
    """The outcome: the universal2 wheels, the source distribution, and the thin wheels where they were kept.

    `external` are warnings about dylibs that the wheels load and that lie outside of macOS and of the wheel.
    """

    wheels: tuple[Fused, ...]
    sdist: Path | None
    runs: tuple[ThinWheels, ...]
    thin: tuple[Path, ...]
    external: tuple[str, ...]


class BuildFailedError(ToolError):
    """maturin failed; `output` is what it printed, or the end of it."""

    def __init__(self, what: str, exit_code: int, output: str) -> None:
        super().__init__(f"{what} failed (maturin's exit code is {exit_code})")
        self.output = output


def call_maturin(
    command: Command,
    what: str,
    *,
    runner: Runner,
    output: Callable[[bytes], None] | None,
) -> None:
    """Run maturin to do `what`; `output` gets what it prints. Raises `BuildFailedError` where it fails."""
    completed = runner.stream(command, output)
    if completed.exit_code:
        raise BuildFailedError(what, completed.exit_code, completed.stdout)


def run_build(
    plan: BuildPlan,
    work: Path,
    options: FuseOptions,
    runner: Runner,
    *,
    say: Callable[[str], None],
    output: Callable[[bytes], None] | None,
    after: Callable[[Arch], None] | None = None,
) -> Built:
    """Carry out the plan whose thin wheels lie in `work`, a folder of the caller's.

    `say` is told what is going on, `output` gets what maturin prints, as it comes. `after` is called when the
    run for an architecture ended well. Raises `BuildFailedError`,
    `RefusedError` where maturin's wheels are not two halves of one or cannot be fused, and all that
    `fuse_wheels` raises. Then nothing is in the output folder that was not complete.
    """
    request = plan.request
    request.out.mkdir(parents=True, exist_ok=True)
    with _staging(request.out) as stage:
        source = _make_sdist(plan, work, runner, output)
        runs = []
        for build in plan.builds:
            say(describe(build, plan))
            runs.append(_run_maturin(build, runner, output))
            if after is not None:
                after(build.arch)
        halves = [_graft(run, plan, work, runner) for run in runs] if plan.repair else runs
        alone = len(plan.builds) == 1
        pairs = [] if alone else _pairs(halves)
        fused = [fuse_wheels(*pair, stage, options) for pair in pairs]
        _refuse_faults(fused, halves if alone else (), plan.linker)
        thin: tuple[Path, ...] = ()
        if alone or request.keep_thin:
            thin = _keep(halves, request.out if alone else request.out / "thin")
        sdist = _place(source, request.out) if source is not None else None
        return Built(
            wheels=tuple(
                replace(wheel, path=wheel.path.replace(request.out / wheel.path.name))
                for wheel in fused
            ),
            sdist=sdist,
            runs=tuple(runs),
            thin=thin,
            external=tuple(line for wheel in fused for line in external_loads(wheel.plan)),
        )


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """Yield a folder in which results wait for their place; it lies beside it, so that a move is one step."""
    with tempfile.TemporaryDirectory(prefix=".fatwheel-", dir=out) as folder:
        yield Path(folder)


def _run_maturin(
    build: Build, runner: Runner, output: Callable[[bytes], None] | None
) -> ThinWheels:
    """Run maturin and return its wheels, which must be for this architecture."""
    started = time.monotonic()
    call_maturin(build.command, f"building {build.arch.value}", runner=runner, output=output)
    seconds = time.monotonic() - started
    wheels = tuple(sorted(build.thin.out.glob("*.whl")))
    if not wheels:
        raise RefusedError(
            f"maturin ended well for {build.arch.value} and made no wheel; see its output above"
        )
    for wheel in wheels:
        promised = claims(parse_wheel_name(wheel.name))
        if set(promised) != {build.arch}:
            raise RefusedError(
                f"maturin made {wheel.name} where {build.arch.value}'s wheel was to come; a wheel that is not "
                "for macOS cannot be half of a universal2 one, and needs none"
            )
    sizes = {wheel: wheel.stat().st_size for wheel in wheels}
    return ThinWheels(arch=build.arch, wheels=sizes, seconds=seconds)


def _make_sdist(
    plan: BuildPlan, work: Path, runner: Runner, output: Callable[[bytes], None] | None
) -> Path | None:
    if plan.sdist is None:
        return None
    call_maturin(plan.sdist, "making the sdist", runner=runner, output=output)
    made = sorted((work / "sdist").glob("*.tar.gz"))
    if not made:
        raise RefusedError("maturin ended well and made no sdist; see its output above")
    return made[-1]


def _graft(run: ThinWheels, plan: BuildPlan, work: Path, runner: Runner) -> ThinWheels:
    """Copy dylibs from outside into the thin wheels, as delocate does it on a Mac."""
    env = plan.builds[0].command.env
    grafted: dict[Path, int] = {}
    for wheel in run.wheels:
        out = work / "grafted" / run.arch.value
        command = Command(
            program=plan.python,
            arguments=(
                *("-m", "delocate.cmd.delocate_wheel", "--require-archs", run.arch.value),
                *("-w", str(out), str(wheel)),
            ),
            env=env,
            # A folder of ours: `python -m` looks in the current one first, and in a frontend's isolated build only
            # PYTHONPATH, which -I leaves out, may lead to delocate.
            cwd=work,
            how="pip install delocate",
        )
        completed = runner.capture(command)
        if completed.exit_code:
            raise ToolError(
                f"delocate could not graft what {wheel.name} loads; --repair none leaves it as it is, and "
                "delocate says:",
                [f"  {line}" for line in completed.stderr.strip().splitlines()],
            )
        result = out / wheel.name if (out / wheel.name).exists() else wheel
        grafted[result] = result.stat().st_size
    return ThinWheels(arch=run.arch, wheels=grafted, seconds=run.seconds)


def _pairs(runs: Sequence[ThinWheels]) -> list[tuple[Path, Path]]:
    """Return the wheels that belong together, by parsed name; each must have its partner."""
    by_key: dict[WheelKey, list[Path]] = {}
    for run in runs:
        for wheel in run.wheels:
            by_key.setdefault(parse_wheel_name(wheel.name).key, []).append(wheel)
    alone = [wheel.name for wheels in by_key.values() if len(wheels) != 2 for wheel in wheels]
    if alone:
        raise RefusedError(
            "maturin's wheels for the two architectures do not pair up by name, version, Python and ABI: "
            f"{', '.join(alone)}; features or settings of one architecture must have changed what is built"
        )
    return [(wheels[0], wheels[1]) for wheels in by_key.values()]


def _refuse_faults(fused: Iterable[Fused], alone: Iterable[ThinWheels], linker: str) -> None:
    """Refuse what a build must not make; thin wheels of one architecture `alone` are read for it.

    But not those that the system's linker made: that takes time, and Apple's is right.
    """
    for wheel in fused:
        refuse_newer_code(wheel.path.name, wheel.findings)
        refuse_misplaced_thread_locals(wheel.path.name, wheel.findings, linker)
    for path in (path for run in alone if linker != "system" for path in run.wheels):
        refuse_misplaced_thread_locals(path.name, check_wheel(path), linker)


def external_loads(plan: FusePlan) -> Iterator[str]:
    """Yield a line for each dylib that code in the wheel loads from outside of it and of macOS."""
    for planned in plan.members:
        if isinstance(planned, Fuse):
            found = [piece.content for piece in planned.slices]
        elif isinstance(planned, Keep):
            found = list(images(planned.member.content))
        else:
            continue
        loads = {load for image in found if isinstance(image, Image) for load in image.loads}
        for load in sorted(loads):
            if load.startswith("/") and not load.startswith(("/usr/lib/", "/System/")):
                yield (
                    f"{planned.name} loads {load}, which other machines lack; graft it on a Mac "
                    "(--repair delocate), or link it statically"
                )


def _keep(runs: Iterable[ThinWheels], folder: Path) -> tuple[Path, ...]:
    folder.mkdir(exist_ok=True)
    return tuple(_place(wheel, folder) for run in runs for wheel in run.wheels)


def _place(path: Path, folder: Path) -> Path:
    """Copy a finished file into `folder`, where it appears whole."""
    target = folder / path.name
    with path.open("rb") as source, new_file(target, replace=True) as out:
        shutil.copyfileobj(source, out)
    return target


def made_wheels(work: Path) -> tuple[Path, ...]:
    """Return the thin wheels that a build, however it ended, left in the folder `work`."""
    return tuple(sorted(path for arch in ORDER for path in (work / arch.value).glob("*.whl")))


_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ERROR = re.compile(r"error(\[E[0-9]+\])?: ")


def compiler_errors(output: str) -> str:
    """Return the end of maturin's output that says why: from the first error on, without maturin's own tail.

    The output may be coloured. Where no error is found, its last lines are returned. What to do about it follows
    where fatwheel knows it, and its own linker has not said it already.
    """
    lines = output.splitlines()
    plain = [_COLOUR.sub("", line) for line in lines]
    ends = [i for i, line in enumerate(plain) if line.startswith("💥")]
    end = ends[-1] if ends else len(lines)
    starts = [i for i, line in enumerate(plain[:end]) if _ERROR.match(line)]
    start = starts[0] if starts else max(0, end - 30)
    # Without a compiler's error, maturin's own words are the reason.
    reason = "\n".join(lines[start : end if starts else len(lines)]).strip("\n")
    told = advice("\n".join(plain))
    return f"{reason}\n{told}" if told not in reason else reason
