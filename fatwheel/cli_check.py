"""`fatwheel check` and `fatwheel rules`: what can be said of a finished wheel, and of the rule book."""

from __future__ import annotations

from pathlib import Path

import click

from fatwheel import __version__
from fatwheel.check import Severity
from fatwheel.fuse import check_wheel
from fatwheel.report import finding_json, finding_line
from fatwheel.rules import rule_book
from fatwheel.terminal import EXIT_CODES, print_json

__all__ = ["check_command", "rules_command"]


@click.command("check", epilog=EXIT_CODES, short_help="Check finished wheels.")
@click.argument(
    "wheels", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check_command(wheels: tuple[Path, ...], as_json: bool) -> None:
    """Check finished universal2 wheels: every byte is read, every finding has a code.

    Errors make the exit code 1. docs/checks.md explains every code.
    """
    failed = False
    documents = []
    for wheel in wheels:
        findings = check_wheel(wheel)
        errors = sum(finding.severity is Severity.ERROR for finding in findings)
        failed = failed or errors > 0
        documents.append({"wheel": str(wheel), "findings": [finding_json(f) for f in findings]})
        if not as_json:
            click.echo(f"{wheel}: {errors} errors, {len(findings) - errors} other findings")
            for finding in findings:
                click.echo(f"  {finding_line(finding)}")
    if as_json:
        print_json({"fatwheel": __version__, "wheels": documents})
    if failed:
        raise click.exceptions.Exit(1)


@click.command("rules", epilog=EXIT_CODES, short_help="Print the shipped rule book.")
@click.option("--json", "as_json", is_flag=True, help="Print the rule book as JSON.")
def rules_command(as_json: bool) -> None:
    """Print the shipped rule book, each entry with its reason.

    A rule of your own overrides it: --rule, or [tool.fatwheel.rules] in pyproject.toml.
    """
    entries = [
        {
            "project": rule.project,
            "member": rule.glob,
            "action": rule.action.value,
            "reason": rule.reason,
        }
        for rule in rule_book()
    ]
    if as_json:
        print_json({"fatwheel": __version__, "rules": entries})
        return
    for entry in entries:
        click.echo(f"{entry['project']}: {entry['member']} = {entry['action']}")
        click.echo(f"    {entry['reason']}")
