"""`fatwheel check`: what can be said of a finished wheel."""

from __future__ import annotations

from pathlib import Path

import click

from fatwheel.check.finding import Severity
from fatwheel.check.report import finding_json, finding_line, findings_by_folder
from fatwheel.check.verdict import check_wheel
from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.options import WheelPath, json_option, quiet_option, verbose_option
from fatwheel.cli.terminal import print_json, tell
from fatwheel.printable import counted
from fatwheel.version import __version__

__all__ = ["check_command"]


@click.command(
    "check",
    cls=CommandWithPage,
    sections={
        "Exit codes": exit_codes(
            {0: "no errors; there may be warnings and notes", 1: "errors were found"}
        ),
        "Examples": (
            ("fatwheel check dist/*.whl", "all findings"),
            ("fatwheel check -q dist/*.whl", "errors only; silence is good news"),
            ("fatwheel check --json dist/*.whl | jq .wheels", "for scripts"),
        ),
        "More": "docs/checks.md says of each code why it matters and what to do.",
    },
)
@click.argument("wheels", nargs=-1, required=True, type=WheelPath(exists=True, dir_okay=False))
@json_option("findings")
@quiet_option("Print errors only; the exit code is the same.")
@verbose_option("List every finding, however many are alike.")
def check_command(wheels: tuple[Path, ...], as_json: bool, quiet: bool, verbose: bool) -> None:
    """Check finished universal2 wheels: every byte is read, every finding has a code.

    Findings are errors, warnings and notes: RECORD, tags and names, the architectures that each binary holds, what
    it loads, signatures, and the macOS that it needs. Only errors make the exit code 1.
    """
    failed = False
    documents = []
    for wheel in wheels:
        findings = check_wheel(wheel)
        errors = sum(finding.severity is Severity.ERROR for finding in findings)
        failed = failed or errors > 0
        documents.append({"wheel": str(wheel), "findings": [finding_json(f) for f in findings]})
        if not as_json and (errors or not quiet):
            others = counted(len(findings) - errors, "other finding")
            tell(f"{wheel}: {counted(errors, 'error')}, {others}")
            shown = [f for f in findings if f.severity is Severity.ERROR or not quiet]
            for line in map(finding_line, shown) if verbose else findings_by_folder(shown):
                tell(f"  {line}")
    if as_json:
        print_json({"fatwheel": __version__, "wheels": documents})
    if failed:
        raise click.exceptions.Exit(1)
