"""From a Rust crate to universal2 wheels: maturin once for each architecture, then fuse, then check.

What is run is planned in `plan`. Wheels get their place in the output folder only when they are complete and
checked.
"""

from __future__ import annotations

import posixpath
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.atomic import new_file
from fatwheel.building.crates import ask_crates, described
from fatwheel.building.faults import refuse_misplaced_thread_locals, refuse_newer_code
from fatwheel.building.plan import ORDER, Build, BuildPlan, describe
from fatwheel.building.reason import Quieted
from fatwheel.check.finding import Finding
from fatwheel.check.verdict import check
from fatwheel.deflate.inflaters import best_inflater
from fatwheel.errors import OutputExistsError, RefusedError, ToolError
from fatwheel.fusion.actions import Fuse, Keep
from fatwheel.fusion.fuse import Fused, FuseOptions, fuse_wheels
from fatwheel.fusion.plan import FusePlan
from fatwheel.macho.image import Image
from fatwheel.process import Command, Runner
from fatwheel.values import valueclass
from fatwheel.wheels.read import read_wheel
from fatwheel.wheels.tags import (
    WheelKey,
    claims,
    fused_platforms,
    parse_wheel_name,
    with_platforms,
)
from fatwheel.wheels.wheel import images, open_wheel

__all__ = [
    "BuildFailedError",
    "Built",
    "OneArch",
    "ThinWheels",
    "call_maturin",
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
class OneArch:
    """A finished wheel for one architecture: its size (bytes), what is true of it, and what it loads from outside."""

    path: Path
    size: int
    findings: tuple[Finding, ...]
    external: tuple[str, ...]


@valueclass
class Built:
    """The outcome: the universal2 wheels, the source distribution, and the thin wheels where they were kept.

    `alone` are the wheels of a build for one architecture, which has no universal2 ones. `external` are warnings about
    dylibs that the wheels load and that lie outside of macOS and of the wheel.
    """

    wheels: tuple[Fused, ...]
    alone: tuple[OneArch, ...]
    sdist: Path | None
    runs: tuple[ThinWheels, ...]
    thin: tuple[Path, ...]
    external: tuple[str, ...]

    @property
    def results(self) -> tuple[Fused | OneArch, ...]:
        """The wheels that were asked for."""
        return (*self.wheels, *self.alone)


class BuildFailedError(ToolError):
    """maturin failed; `output` is what it printed, or the end of it, `arch` what was built for, if it was one."""

    def __init__(self, what: str, exit_code: int, output: str, arch: Arch | None = None) -> None:
        super().__init__(f"{what} failed (maturin's exit code is {exit_code})")
        self.output = output
        self.arch = arch


def call_maturin(
    command: Command,
    what: str,
    *,
    runner: Runner,
    output: Callable[[bytes], None] | None,
    arch: Arch | None = None,
) -> None:
    """Run maturin to do `what`; `output` gets what it prints. Raises `BuildFailedError` where it fails."""
    quieted = Quieted(output) if output is not None else None
    completed = runner.stream(command, quieted)
    if quieted is not None:
        quieted.close()
    if completed.exit_code:
        raise BuildFailedError(what, completed.exit_code, completed.stdout, arch)


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
    with _output_folder(request.out), _staging(request.out) as stage:
        source = _make_sdist(plan, work, runner, output)
        runs: list[ThinWheels] = []
        told = False
        for build in plan.builds:
            say(describe(build, plan))
            # Before the first build of all, cargo may not have what it needs for an answer.
            if output is not None and not told and (crates := ask_crates(plan, runner)):
                say(described(crates, plan))
                told = True
            runs.append(_run_maturin(build, runner, output))
            if len(runs) == 1:  # the names are known now; another architecture may take minutes
                _refuse_taken(_names_to_be(runs[0], plan, options), request.out, options)
            if after is not None:
                after(build.arch)
        halves = [_graft(run, plan, work, runner) for run in runs] if plan.repair else runs
        single = len(plan.builds) == 1
        fused = [] if single else [fuse_wheels(*pair, stage, options) for pair in _pairs(halves)]
        alone = [_look_at(path) for run in halves for path in run.wheels] if single else []
        results: list[Fused | OneArch] = [*fused, *alone]
        for made in results:
            refuse_newer_code(made.path.name, made.findings)
            refuse_misplaced_thread_locals(made.path.name, made.findings, plan.linker)
        keeps = request.keep_thin and not single
        kept = [path for run in halves for path in run.wheels] if keeps else []
        _refuse_taken((made.path.name for made in results), request.out, options)
        _refuse_taken((path.name for path in kept), request.out / "thin", options)
        _refuse_taken((source.name,) if source is not None else (), request.out, options)
        return Built(
            wheels=tuple(
                replace(wheel, path=wheel.path.replace(request.out / wheel.path.name))
                for wheel in fused
            ),
            alone=tuple(replace(one, path=_place(one.path, request.out)) for one in alone),
            sdist=_place(source, request.out) if source is not None else None,
            runs=tuple(runs),
            thin=tuple(_place(path, request.out / "thin") for path in kept),
            external=(
                *(line for wheel in fused for line in external_loads(wheel.plan)),
                *(line for one in alone for line in one.external),
            ),
        )


@contextmanager
def _output_folder(out: Path) -> Iterator[None]:
    """Make the folder for the results before anything is compiled: one that cannot be written is known at once.

    Where the build does not end well, folders that were made for it and hold nothing are removed.
    """
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    out.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for folder in made:
            with suppress(OSError):  # somebody put something in
                folder.rmdir()
        raise


def _names_to_be(run: ThinWheels, plan: BuildPlan, options: FuseOptions) -> Iterator[str]:
    """Yield the names of the results by the first architecture's wheels, as far as these tell them."""
    floors = {build.arch: build.thin.deployment.version for build in plan.builds}
    for wheel in run.wheels:
        if len(floors) == 1:
            yield wheel.name
        elif not options.plan.raise_floor:
            style = options.plan.tag_style
            platforms = fused_platforms(floors[Arch.X86_64], floors[Arch.ARM64], style)
            yield with_platforms(parse_wheel_name(wheel.name), platforms).filename


def _refuse_taken(names: Iterable[str], folder: Path, options: FuseOptions) -> None:
    """Raise `OutputExistsError` where a result's name is taken and nothing allows to replace that file."""
    for target in (folder / name for name in names):
        if not options.replace and target.exists():
            raise OutputExistsError(
                f"{target} exists; replace it with --force, or write elsewhere with -o"
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
    what = f"building {build.arch.value}"
    call_maturin(build.command, what, runner=runner, output=output, arch=build.arch)
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


def _look_at(path: Path) -> OneArch:
    """Read a wheel that is for one architecture, and say what is true of it."""
    with closing(open_wheel(path)) as wheel:
        read = read_wheel(wheel, inflater=best_inflater())
    return OneArch(
        path=path,
        size=path.stat().st_size,
        # That it is for one architecture only is what was asked for.
        findings=tuple(found for found in check(read) if found.code != "FW202"),
        external=tuple(
            line
            for name, member in read.members.items()
            for line in _external(name, images(member.content))
        ),
    )


def external_loads(plan: FusePlan) -> Iterator[str]:
    """Yield a line for each dylib that code in the wheel loads from outside of it and of macOS."""
    for planned in plan.members:
        if isinstance(planned, Fuse):
            yield from _external(planned.name, (piece.content for piece in planned.slices))
        elif isinstance(planned, Keep):
            yield from _external(planned.name, images(planned.member.content))


def _external(name: str, code: Iterable[object]) -> Iterator[str]:
    """Yield a line for each path of a machine that the code of a member names."""
    found = [image for image in code if isinstance(image, Image)]
    for load in sorted({load for image in found for load in image.loads if _is_of_a_machine(load)}):
        yield (
            f"{name} loads {load}, which other machines lack; graft it on a Mac "
            "(--repair delocate), or link it statically"
        )
    names = {image.install_name for image in found if image.install_name}
    for own in sorted(filter(_is_of_a_machine, names)):
        yield (
            f"{name} has the install name {own}, a path of the machine that built it; link it with "
            f"-Wl,-install_name,@rpath/{posixpath.basename(own)}"
        )
    rpaths = {rpath for image in found for rpath in image.rpaths}
    for rpath in sorted(filter(_is_of_a_machine, rpaths)):
        yield (
            f"{name} looks for libraries in {rpath}, a folder of the machine that built it; give an rpath that begins "
            "with @loader_path, or none"
        )


def _is_of_a_machine(path: str) -> bool:
    """Return whether a path is neither relative nor macOS's, nor one that delocate makes up."""
    return path.startswith("/") and not path.startswith(("/usr/lib/", "/System/", "/DLC/"))


def _place(path: Path, folder: Path) -> Path:
    """Copy a finished file into `folder`, where it appears whole."""
    folder.mkdir(exist_ok=True)
    target = folder / path.name
    with path.open("rb") as source, new_file(target, replace=True) as out:
        shutil.copyfileobj(source, out)
    return target


def made_wheels(work: Path) -> tuple[Path, ...]:
    """Return the thin wheels that a build, however it ended, left in the folder `work`."""
    return tuple(sorted(path for arch in ORDER for path in (work / arch.value).glob("*.whl")))
