"""`fatwheel inspect`: what a wheel, a file, a folder or an app holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fatwheel.arch import Arch
from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.options import WheelPath, json_option, verbose_option
from fatwheel.cli.terminal import describe_error, print_json, say, say_error, tell, tell_drawn
from fatwheel.errors import FatwheelError, UsageError
from fatwheel.inspection.folders import inspect_path
from fatwheel.inspection.inspection import Inspection, lacking
from fatwheel.printable import counted

if TYPE_CHECKING:
    from fatwheel.inspection.comparison import Comparison

__all__ = ["inspect_command"]

_REQUIRED = {
    "universal2": tuple(Arch),
    "x86_64": (Arch.X86_64,),
    "arm64": (Arch.ARM64,),
}
_SHOWN = 10  # files that lack what is required


@click.command(
    "inspect",
    cls=CommandWithPage,
    sections={
        "Exit codes": exit_codes(
            {1: "something could not be read, or --require names what is not there"}
        ),
        "Examples": (
            ("fatwheel inspect numpy-*.whl", "one screen about each wheel"),
            ("fatwheel inspect old.whl new.whl", "what differs, and what fuse says"),
            ("fatwheel inspect --why libomp.dylib a.whl", "who loads it, through whom"),
            ("fatwheel inspect --require universal2 My.app", "which parts are thin?"),
        ),
        "More": "docs/inspect.md; `fatwheel check` judges what is wrong, with codes.",
    },
)
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    metavar="WHEEL|FILE|FOLDER|APP...",
    type=WheelPath(exists=True),
)
@click.option("--loads", is_flag=True, help="List what each file loads, and who loads it.")
@click.option(
    "--why", metavar="FILE", help="Tell who loads a file or library, and through which chain."
)
@click.option(
    "--require",
    type=click.Choice([*_REQUIRED]),
    help="Exit with 1, and a list, where a file with code lacks it.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write one self-contained page, with a picture of the megabytes.",
)
@json_option("facts")
@verbose_option("Tell every fact of every file.")
def inspect_command(
    paths: tuple[Path, ...],
    loads: bool,
    why: str | None,
    require: str | None,
    html: Path | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Show what wheels, Mach-O files, static archives, folders and apps hold: facts, no verdicts.

    For each architecture: the macOS that is promised and needed, the size of the code, its SDK, linker and signature; a
    tree of the code; what is loaded from elsewhere. Two wheels of one project are compared.
    """
    found: list[Inspection] = []
    failed: list[tuple[Path, FatwheelError | OSError]] = []
    for path in paths:
        try:
            found.append(inspect_path(path))
        except (FatwheelError, OSError) as error:
            failed.append((path, error))
            if not as_json:
                say_error(error)
    comparison = _compare(found) if why is None else None
    if html is not None:
        _write_page(html, found, comparison)
    if as_json:
        _print_document(found, failed, comparison, require)
    elif html is None:
        if why is not None and found:
            _tell_why(found, why, verbose=verbose)
        elif require is None or verbose or loads:
            _tell(found, comparison, verbose=verbose, loads=loads)
    lacks = require is not None and _lacks(found, require, quiet=as_json, verbose=verbose)
    if failed or lacks:
        raise click.exceptions.Exit(1)


def _compare(found: list[Inspection]) -> Comparison | None:
    """Return what differs between two wheels of one project; None for anything else."""
    return None


def _tell(
    found: list[Inspection], comparison: Comparison | None, *, verbose: bool, loads: bool
) -> None:
    from fatwheel.inspection.screen import screen

    for index, inspection in enumerate(found):
        if index:
            tell()
        tell_drawn(screen(inspection, verbose=verbose, loads=loads))


def _tell_why(found: list[Inspection], why: str, *, verbose: bool) -> None:
    from fatwheel.inspection.screen import why_screen

    drawings = [why_screen(inspection, why, verbose=verbose) for inspection in found]
    if not any(drawings):
        raise UsageError(
            f"--why {why}: no file with code is called so, and nothing loads it; `fatwheel inspect --loads` lists all"
        )
    for drawing in drawings:
        if drawing is not None:
            tell_drawn(drawing)


def _lacks(found: list[Inspection], require: str, *, quiet: bool, verbose: bool) -> bool:
    """Tell which files lack what is required; return whether any does."""
    any_lacks = False
    for inspection in found:
        missing = lacking(inspection, _REQUIRED[require])
        any_lacks = any_lacks or bool(missing)
        if quiet:
            continue
        if not missing:
            count = sum(bool(file.arches) for file in inspection.files)
            tell(f"{inspection.path}: {require}, in {counted(count, 'file')} with code")
    return any_lacks


def _write_page(html: Path, found: list[Inspection], comparison: Comparison | None) -> None:
    pass


def _print_document(
    found: list[Inspection],
    failed: list[tuple[Path, FatwheelError | OSError]],
    comparison: Comparison | None,
    require: str | None,
) -> None:
    pass
