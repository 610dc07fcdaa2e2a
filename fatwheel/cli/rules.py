"""`fatwheel rules`: the rule book that fatwheel ships."""

from __future__ import annotations

import click

from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.options import json_option
from fatwheel.cli.terminal import print_json, tell
from fatwheel.fusion.rules import rule_book
from fatwheel.version import __version__

__all__ = ["rules_command"]


@click.command(
    "rules",
    cls=CommandWithPage,
    sections={
        "Exit codes": exit_codes({}),
        "More": 'docs/fusing.md, "Conflicts and rules".',
    },
)
@json_option("rule book")
def rules_command(as_json: bool) -> None:
    """Print the shipped rule book, each entry with its reason.

    It settles files of well-known projects that differ between the architectures. A rule of your own overrides it:
    --rule, or [tool.fatwheel.rules] in pyproject.toml; `fatwheel fuse --no-rulebook` leaves it out.
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
        tell(f"{entry['project']}: {entry['member']} = {entry['action']}")
        tell(f"    {entry['reason']}")
