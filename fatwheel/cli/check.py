"""`fatwheel check`: what can be said of a finished wheel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from fatwheel.check.finding import Finding, Severity
from fatwheel.check.report import document, finding_line, findings_by_folder
from fatwheel.check.severities import severities
from fatwheel.check.verdict import check_wheel
from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.options import WheelPath, quiet_option, verbose_option
from fatwheel.cli.terminal import print_json, tell
from fatwheel.cli.wheelfiles import find_wheels
from fatwheel.config import CheckConfig, parse_config, read_pyproject
from fatwheel.errors import UsageError
from fatwheel.printable import counted
from fatwheel.version import __version__

__all__ = ["check_command"]

_FORMATS = ("text", "json", "github", "sarif")
_PYPROJECT = Path("pyproject.toml")


@click.command(
    "check",
    cls=CommandWithPage,
    groups={
        "What is asked for": "--universal2 --ignore --error",
        "The report": "--format --json --quiet --verbose",
    },
    sections={
        "Settings": "[tool.fatwheel.check] in the pyproject.toml of the current folder: universal2, ignore, error.",
        "Exit codes": exit_codes(
            {0: "no errors; there may be warnings and notes", 1: "errors were found"}
        ),
        "Examples": (
            ("fatwheel check dist/", "all findings in all wheels of a folder"),
            ("fatwheel check --universal2 dist/*.whl", "thin wheels are errors, too"),
            ("fatwheel check -q dist/*.whl", "errors only; silence is good news"),
            ("fatwheel check --error FW203 --ignore FW408 dist/", "what matters to a project"),
            ("fatwheel check --json dist/*.whl | jq .wheels", "for scripts"),
            ("fatwheel check --format sarif dist/ > f.sarif", "for code scanning"),
        ),
        "More": "docs/checks.md says of each code why it matters and what to do.",
    },
)
@click.argument("wheels", nargs=-1, required=True, type=WheelPath())
@click.option("--universal2", is_flag=True, help="Ask each wheel to promise both architectures.")
@click.option("--ignore", metavar="CODE", multiple=True, help="Leave this finding out. Repeatable.")
@click.option(
    "--error", metavar="CODE", multiple=True, help="Take this finding for an error. Repeatable."
)
@click.option(
    "--format",
    "style",
    type=click.Choice(_FORMATS),
    help="Text, JSON, annotations of a GitHub workflow, or SARIF 2.1.0.  [default: text]",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@quiet_option("Print errors only; the exit code is the same.")
@verbose_option("List every finding, however many are alike.")
def check_command(
    *,
    wheels: tuple[Path, ...],
    universal2: bool,
    ignore: tuple[str, ...],
    error: tuple[str, ...],
    style: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Check finished wheels, thin or universal2: every byte is read, every finding has a code.

    WHEELS are wheels, folders of wheels, and patterns. Each is held to what its own name promises. Findings are
    errors, warnings and notes: RECORD, tags and names, the architectures that each binary holds, where macOS would
    find what it loads, signatures, and the macOS that it needs. Only errors make the exit code 1.
    """
    if as_json and style not in (None, "json"):
        raise UsageError(f"--json and --format {style}: take one of the two")
    config = _settings()
    wanted = severities(ignore, error, settings=(config.ignore, config.error))
    results: dict[Path, tuple[Finding, ...]] = {}
    tell_one = _tellers(quiet=quiet, verbose=verbose).get("json" if as_json else style or "text")
    for wheel in find_wheels(wheels):
        findings = wanted.of(check_wheel(wheel, universal2=universal2 or bool(config.universal2)))
        results[wheel] = findings
        if tell_one is not None:
            tell_one(wheel, findings)
    if as_json or style == "json":
        print_json(document(_shown(results, quiet=quiet), __version__))
    elif style == "sarif":
        from fatwheel.check.annotations import sarif

        print_json(sarif(_shown(results, quiet=quiet), __version__))
    if any(found.severity is Severity.ERROR for findings in results.values() for found in findings):
        raise click.exceptions.Exit(1)


def _settings() -> CheckConfig:
    """Return the settings of the current folder's pyproject.toml."""
    return parse_config(read_pyproject(_PYPROJECT), str(_PYPROJECT)).check


_Teller = Callable[[Path, Sequence[Finding]], None]


def _tellers(*, quiet: bool, verbose: bool) -> Mapping[str, _Teller]:
    """Return what prints one wheel's findings, for the formats that are printed wheel by wheel."""

    def text(wheel: Path, findings: Sequence[Finding]) -> None:
        errors = sum(found.severity is Severity.ERROR for found in findings)
        if errors or not quiet:
            others = counted(len(findings) - errors, "other finding")
            tell(f"{wheel}: {counted(errors, 'error')}, {others}")
            shown = _errors(findings) if quiet else findings
            for line in map(finding_line, shown) if verbose else findings_by_folder(shown):
                tell(f"  {line}")

    def github(wheel: Path, findings: Sequence[Finding]) -> None:
        from fatwheel.check.annotations import github_lines

        for line in github_lines(wheel, _errors(findings) if quiet else findings):
            tell(line)

    return {"text": text, "github": github}


def _shown(
    results: Mapping[Path, Sequence[Finding]], *, quiet: bool
) -> Mapping[Path, Sequence[Finding]]:
    """Return what is printed in one piece; with `quiet` the errors of each wheel."""
    return {wheel: _errors(found) for wheel, found in results.items()} if quiet else results


def _errors(findings: Sequence[Finding]) -> Sequence[Finding]:
    return [found for found in findings if found.severity is Severity.ERROR]
