"""All targets by name."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fuzz.target import Target
from tests.fuzz.targets import archives, binaries, kinds, streams, texts, wheels, words

__all__ = ["TARGETS"]

TARGETS: Mapping[str, Target] = {
    target.name: target
    for room in (archives, binaries, kinds, streams, texts, wheels, words)
    for target in room.TARGETS
}
