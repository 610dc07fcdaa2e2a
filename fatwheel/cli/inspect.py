"""`fatwheel inspect`: what a wheel, a file, a folder or an app holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fatwheel.arch import Arch
from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.options import WheelPath, json_option, verbose_option
from fatwheel.cli.terminal import (
    announce,
    describe_error,
    print_json,
    say_error,
    tell,
    tell_drawn,
)
from fatwheel.cli.wheelfiles import expanded
from fatwheel.errors import FatwheelError, UsageError
from fatwheel.inspection.comparison import comparable, compare
from fatwheel.inspection.folders import inspect_path
from fatwheel.inspection.inspection import Inspection, lacking
from fatwheel.printable import counted
from fatwheel.values import valueclass

if TYPE_CHECKING:
    from fatwheel.fusion.plan import FusePlan

__all__ = ["inspect_command"]

_REQUIRED = {
    "universal2": tuple(Arch),
    "x86_64": (Arch.X86_64,),
    "arm64": (Arch.ARM64,),
}
_SHOWN = 10  # files of one input that lack what is required


@valueclass
class _Wishes:
    """What is asked for, besides the inputs."""

    loads: bool
    why: str | None
    require: str | None
    html: Path | None
    as_json: bool
    verbose: bool

    @property
    def required(self) -> tuple[Arch, ...]:
        """The architectures that all code must have."""
        return () if self.require is None else _REQUIRED[self.require]


@click.command(
    "inspect",
    cls=CommandWithPage,
    sections={
        "Exit codes": exit_codes(
            {1: "something could not be read, or some code lacks what --require names"}
        ),
        "Examples": (
            ("fatwheel inspect a.whl", "one screen about a wheel"),
            ("fatwheel inspect old.whl new.whl", "what differs, and what fuse says"),
            ("fatwheel inspect --why libomp.dylib a.whl", "who loads it, and through whom"),
            ("fatwheel inspect --require universal2 My.app", "which of its parts are thin?"),
        ),
        "More": "docs/inspect.md. `fatwheel check` says what is wrong with a wheel.",
    },
)
@click.argument(
    "arguments",
    nargs=-1,
    required=True,
    metavar="WHEEL|FILE|FOLDER|APP...",
    type=WheelPath(),
)
@click.option("--loads", is_flag=True, help="List what each file loads, and who loads it.")
@click.option("--why", metavar="FILE", help="Tell who loads a file or a library, and through whom.")
@click.option(
    "--require",
    type=click.Choice([*_REQUIRED]),
    help="Exit with 1, and list the files, where code lacks it.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a page with a picture of the megabytes instead.",
)
@json_option("facts")
@verbose_option("Tell every fact of every file.")
def inspect_command(arguments: tuple[Path, ...], **wished: Any) -> None:
    """Show what wheels, Mach-O files, static archives, folders and apps hold: facts, no verdicts.

    For each architecture: the macOS that is promised and needed, the size of the code, SDK, linker and signature; then
    a tree of the code, and what it loads from elsewhere. Two wheels of one project are compared.
    """
    wishes = _Wishes(**wished)
    paths = [path for argument in arguments for path in expanded(argument)]
    if wishes.html is not None and any(_is_same(wishes.html, path) for path in paths):
        raise UsageError(
            f"--html {wishes.html}: is an input and would be overwritten; name another file"
        )
    found: list[Inspection] = []
    errors: list[tuple[str, str]] = []
    for path in paths:
        try:
            found.append(inspect_path(path))
        except (FatwheelError, OSError) as error:
            errors.append((str(path), describe_error(error)))
            if not wishes.as_json:
                say_error(error)
    if wishes.as_json:
        _print_document(found, errors, wishes)
    elif found:
        _tell(found, wishes)
    if wishes.html is not None and found:
        _write_page(wishes.html, found)
    if errors or any(lacking(one, wishes.required) for one in found):
        raise click.exceptions.Exit(1)


def _is_same(path: Path, other: Path) -> bool:
    return path.exists() and path.samefile(other)


def _tell(found: list[Inspection], wishes: _Wishes) -> None:
    """Print what was found for people: what is lacking, who loads what, or all."""
    if wishes.why is not None:
        _tell_why(found, wishes.why, verbose=wishes.verbose)
    elif wishes.require is not None:
        for inspection in found:
            _tell_lacking(inspection, wishes)
    elif wishes.html is None:
        from fatwheel.inspection.screen import screen
        from fatwheel.inspection.versus import comparison_screen

        for index, inspection in enumerate(found):
            if index:
                tell()
            tell_drawn(screen(inspection, verbose=wishes.verbose, loads=wishes.loads))
        if comparable(found):
            tell()
            tell_drawn(comparison_screen(compare(*found), verbose=wishes.verbose))
            tell()
            for line in _fuse_lines(*_planned(found), verbose=wishes.verbose):
                tell(line)


def _tell_why(found: list[Inspection], why: str, *, verbose: bool) -> None:
    from fatwheel.inspection.why import why_screen

    drawings = [why_screen(inspection, why, verbose=verbose) for inspection in found]
    drawn = [drawing for drawing in drawings if drawing is not None]
    if not drawn:
        raise UsageError(
            f"--why {why}: no file with code ends so, and none loads a library of that name;"
            " `fatwheel inspect --loads` lists all"
        )
    for drawing in drawn:
        tell_drawn(drawing)


def _tell_lacking(inspection: Inspection, wishes: _Wishes) -> None:
    """Print the files that lack what is required, by dependency where there are any."""
    missing = lacking(inspection, wishes.required)
    coded = sum(bool(file.arches) for file in inspection.files)
    if not missing:
        words = f"{wishes.require} in {counted(coded, 'file')} with code" if coded else "no code"
        tell(f"{inspection.path}: {words}")
        return
    lack = f"with code lack{'s' * (len(missing) == 1)} {wishes.require}"
    tell(f"{inspection.path}: {len(missing)} of {counted(coded, 'file')} {lack}")
    owners = {path: project for project in inspection.projects for path in project.files}
    groups: dict[str, list[str]] = {}
    for file, arches in missing:
        owner = owners.get(file.path)
        name = "" if owner is None else owner.title
        words = " and ".join(arch.value for arch in arches)
        groups.setdefault(name, []).append(f"{file.path}  no {words}")
    for name, lines in sorted(groups.items(), key=lambda group: group[0].lower()):
        if name:
            tell(f"  {name}: {counted(len(lines), 'file')}")
        shown = lines if wishes.verbose or len(lines) <= _SHOWN + 1 else lines[:_SHOWN]
        for line in shown:
            tell(f"    {line}")
        if len(lines) > len(shown):
            tell(f"    ... and {len(lines) - len(shown)} more (-v lists them)")


# ---- Two wheels ----


def _planned(found: list[Inspection]) -> tuple[FusePlan | None, str]:
    """Return what `fatwheel fuse` would do with two wheels, here; or None, and why it refuses them."""
    from fatwheel.fusion.fuse import plan_fuse
    from fatwheel.fusion.request import Request, fuse_options, read_settings

    one, other = (Path(inspection.path) for inspection in found)
    try:
        options = fuse_options(Request(), read_settings(Path("pyproject.toml")))
        return plan_fuse(one, other, options), ""
    except (FatwheelError, OSError) as error:
        return None, describe_error(error)


def _fuse_lines(plan: FusePlan | None, refusal: str, *, verbose: bool) -> list[str]:
    from fatwheel.fusion.conflicts import conflict_lines, conflicts_counted
    from fatwheel.fusion.report import plan_lines

    if plan is None:
        return ["fatwheel fuse refuses them:", *(f"  {line}" for line in refusal.splitlines())]
    if plan.conflicts:
        lines = [f"fatwheel fuse finds {conflicts_counted(plan.conflicts)}:"]
        return [*lines, *conflict_lines(plan.members, every=verbose)]
    return [f"fatwheel fuse makes {plan.name.filename}", *plan_lines(plan, every=verbose)]


def _fuse_json(plan: FusePlan | None, refusal: str) -> dict[str, Any]:
    from fatwheel.fusion.report import plan_json

    status = "refused" if plan is None else "conflicts" if plan.conflicts else "fuses"
    return {
        "status": status,
        "error": refusal or None,
        "plan": None if plan is None else plan_json(plan),
    }


# ---- Documents ----


def _print_document(
    found: list[Inspection], errors: list[tuple[str, str]], wishes: _Wishes
) -> None:
    from fatwheel.inspection.document import document

    both = comparable(found)
    print_json(
        document(
            found,
            errors=errors,
            required=wishes.required,
            comparison=compare(*found) if both else None,
            fuse=_fuse_json(*_planned(found)) if both else None,
        )
    )


def _write_page(path: Path, found: list[Inspection]) -> None:
    from fatwheel.atomic import new_file
    from fatwheel.inspection.report import report_html

    both = comparable(found)
    page = report_html(
        found,
        comparison=compare(*found) if both else None,
        fuse=_fuse_lines(*_planned(found), verbose=False) if both else (),
    )
    with new_file(path, replace=True) as file:
        file.write(page.encode())
    announce(f"{path}: written")
