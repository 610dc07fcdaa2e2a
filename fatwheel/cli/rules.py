"""`fatwheel rules`: the rule book that fatwheel ships, and what it says of one file of two wheels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.options import WheelPath, json_option, no_kind_option, no_rulebook_option
from fatwheel.cli.terminal import print_json, tell
from fatwheel.errors import UsageError
from fatwheel.fusion.kinds import KINDS
from fatwheel.fusion.rulebook import rule_book
from fatwheel.version import __version__

__all__ = ["rules_command"]


@click.command(
    "rules",
    cls=CommandWithPage,
    sections={
        "Exit codes": exit_codes({1: "--explain: the two wheels cannot be fused at all"}),
        "Examples": (
            ("fatwheel rules", "the whole book"),
            (
                "fatwheel rules --explain pkg/config.py a.whl b.whl",
                "who settles that file, and why",
            ),
        ),
        "More": 'docs/fusing.md, "Conflicts and rules".',
    },
)
@click.argument("wheels", nargs=-1, type=WheelPath())
@click.option(
    "--explain",
    metavar="MEMBER",
    help="Tell what settles this file of two wheels, or why nothing does.",
)
@no_rulebook_option()
@no_kind_option()
@json_option("rule book")
def rules_command(
    wheels: tuple[Path, ...],
    explain: str | None,
    no_rulebook: bool,
    no_kind: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print the shipped rule book: entries for projects, and kinds of files, each with its reason.

    It settles files that differ between the architectures. Entries name files of well-known projects; kinds are for
    files of any project, and settle what is left. A rule of your own overrides both: --rule, or [tool.fatwheel.rules]
    in pyproject.toml; `fatwheel fuse --no-rulebook` leaves them out, `--no-kind NAME` one of the kinds.
    """
    if explain is not None:
        _explain(wheels, explain, as_json, no_rulebook=no_rulebook, no_kind=no_kind)
        return
    if wheels:
        raise UsageError(f"{wheels[0]}: with wheels, name the file: --explain MEMBER")
    entries = [
        {
            "project": rule.project,
            "member": rule.glob,
            "action": rule.action.value,
            "reason": rule.reason,
            "seen": list(rule.seen),
        }
        for rule in rule_book()
    ]
    kinds = [
        {"kind": kind.name, "files": kind.files, "settles": kind.settles, "reason": kind.why}
        for kind in KINDS
    ]
    if as_json:
        print_json({"fatwheel": __version__, "rules": entries, "kinds": kinds})
        return
    for entry in entries:
        tell(f"{entry['project']}: {entry['member']} = {entry['action']}")
        tell(f"    {entry['reason']}")
    for kind in kinds:
        tell(f"kind {kind['kind']}: {kind['files']}")
        tell(f"    {kind['settles']}")
        tell(f"    {kind['reason']}")


def _explain(wheels: tuple[Path, ...], member: str, as_json: bool, **given: Any) -> None:
    from fatwheel.fusion.explain import explain_json, explain_lines, explain_member
    from fatwheel.fusion.fuse import read_and_plan
    from fatwheel.fusion.request import Request, fuse_options, read_settings

    if len(wheels) != 2:
        raise UsageError(f"--explain takes two wheels, and {len(wheels)} are named")
    options = fuse_options(Request(**given), read_settings(Path("pyproject.toml")))
    pair, plan = read_and_plan(wheels[0], wheels[1], options)
    explained = explain_member(member, pair, plan, options.plan.rules)
    if as_json:
        print_json(explain_json(explained))
        return
    for line in explain_lines(explained):
        tell(line)
