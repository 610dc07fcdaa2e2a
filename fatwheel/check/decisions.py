"""What `fatwheel.json` in a wheel says was decided when it was fused."""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from fatwheel.action import Action
from fatwheel.errors import WheelError
from fatwheel.wheels.distinfo import REPORT_NAME
from fatwheel.wheels.jsontext import load_json
from fatwheel.wheels.wheel import Wheel

__all__ = ["Decided", "decisions"]


class Decided(NamedTuple):
    """What was decided on a member: the action, who decided, and why."""

    action: str
    by: str
    reason: str

    @property
    def allowed(self) -> bool:
        """Whether a file for one architecture only is meant to be there."""
        return self.action == Action.ALLOW.value

    @property
    def clause(self) -> str:
        """The clause that names who decided, and why."""
        return f"as {self.by} decided ({self.reason})"


def decisions(wheel: Wheel) -> dict[str, Decided]:
    """Return, for each member that a rule or an option decided on, what was decided.

    Raises `WheelError` where `fatwheel.json` is not what fatwheel writes.
    """
    text = wheel.text(REPORT_NAME)
    if not text:
        return {}
    try:
        return {
            str(d["member"]): Decided(str(d["action"]), str(d["by"]), str(d["reason"]))
            for d in load_json(text)["decisions"]
        }
    except (ValueError, KeyError, TypeError) as error:
        name = posixpath.join(wheel.dist_info, REPORT_NAME)
        raise WheelError(
            wheel.name.filename, name, f"is not what fatwheel writes ({error!r})"
        ) from error
