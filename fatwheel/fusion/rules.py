"""What may differ and why: rules for members that the design cannot settle by itself.

A rule is a glob over member names and an action. Rules come from three places, the later winning: the rule
book that fatwheel ships (`rulebook`), `[tool.fatwheel.rules]` in pyproject.toml, and `--rule` on the
command line. Within one place the last rule that matches wins.
"""

from __future__ import annotations

import re

from fatwheel.action import Action
from fatwheel.errors import UsageError
from fatwheel.fusion.glob import compile_glob
from fatwheel.values import valueclass

__all__ = ["Rule", "RuleSet", "escape_glob", "parse_rule"]


@valueclass
class Rule:
    """One rule.

    `glob` is matched against the whole member name (see `fatwheel.fusion.glob`).
    `origin` says where the rule was written, for reports ("rule book", "pyproject.toml", "--rule").
    `project` limits the rule to wheels of one project, by normalised name; `seen` are versions in which an entry of the
    rule book was found right.
    """

    glob: str
    action: Action
    reason: str
    origin: str
    project: str | None = None
    seen: tuple[str, ...] = ()

    def matches(self, member: str, project: str) -> bool:
        """Return whether the rule speaks of `member` in a wheel of `project` (normalised name)."""
        if self.project is not None and self.project != project:
            return False
        return compile_glob(self.glob).matches(member)


@valueclass
class RuleSet:
    """All rules in force, in rising order of precedence, and the `kinds` (`fusion/kinds`) that settle the rest."""

    rules: tuple[Rule, ...] = ()
    kinds: tuple[str, ...] = ()

    def of(self, project: str) -> RuleSet:
        """Return it without the rules that speak of other projects, which are most of the rule book."""
        rules = tuple(rule for rule in self.rules if rule.project in (None, project))
        return RuleSet(rules=rules, kinds=self.kinds)

    def find(self, member: str, project: str) -> Rule | None:
        """Return the rule that decides on `member`, or None where no rule speaks of it."""
        for rule in reversed(self.rules):
            if rule.matches(member, project):
                return rule
        return None


def escape_glob(name: str) -> str:
    """Return the glob that matches the member `name` and nothing else."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def parse_action(word: str, where: str) -> Action:
    """Return the action named `word`; raises `UsageError` that says where it was read."""
    try:
        return Action(word)
    except ValueError:
        known = ", ".join(action.value for action in Action)
        raise UsageError(f"{where}: {word!r} is not an action; use one of {known}") from None


def parse_rule(text: str) -> Rule:
    """Parse `GLOB=ACTION` as `--rule` takes it; the last `=` separates."""
    glob, equals, word = text.rpartition("=")
    if not equals or not glob:
        raise UsageError(
            f"--rule {text!r} is not GLOB=ACTION; for example --rule 'pkg/data.db=keep-arm64'"
        )
    return make_rule(glob, word, origin="--rule")


def make_rule(glob: str, word: str, *, origin: str) -> Rule:
    """Return a user's rule; raises `UsageError` for a bad glob or action, naming `origin`."""
    try:
        compile_glob(glob)
    except re.error as error:
        raise UsageError(
            f"rule {glob!r} is not a usable pattern ({error}); check its [...]"
        ) from error
    action = parse_action(word, f"{origin} {glob!r}")
    return Rule(glob=glob, action=action, reason=f"asked for by {origin}", origin=origin)
