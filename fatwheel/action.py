"""What a rule may do with a member: the word that rules, settings, reports and findings share."""

from __future__ import annotations

from enum import Enum

__all__ = ["Action"]


class Action(Enum):
    """What a rule does with a member; the value is its spelling in rules and options."""

    KEEP_X86_64 = "keep-x86_64"
    KEEP_ARM64 = "keep-arm64"
    GUARD = "guard"
    DISPATCH = "dispatch"
    DROP = "drop"
    ALLOW = "allow"
