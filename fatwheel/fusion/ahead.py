"""The one place that overlaps: members are decided on and made ready while others are still read.

What becomes of two files that differ depends on these two alone, so whoever has read both can decide on them at once,
and do what takes long besides: unite two texts, deflate the result, cut a slice out of a universal file. Another thread
inflates or hashes meanwhile, for which it needs no interpreter. The plan is made of all members as ever, with what was
decided before; what was made ready is written where the plan still has that very decision, and is forgotten otherwise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from fatwheel.arch import Arch
from fatwheel.deflate.cut import Allowance
from fatwheel.deflate.inflaters import Inflater
from fatwheel.fusion.actions import Decided, Fuse, Merge, Planned
from fatwheel.fusion.bundles import find_bundles
from fatwheel.fusion.decide import Decider
from fatwheel.fusion.plan import PlanOptions
from fatwheel.fusion.readpair import renaming
from fatwheel.fusion.ready import Maker, Ready, ready_text
from fatwheel.fusion.write import allowance_for
from fatwheel.macho.universal import Universal
from fatwheel.wheels.loads import LoadGraph
from fatwheel.wheels.pair import MemberPair
from fatwheel.wheels.wheel import OpenWheel

__all__ = ["Ahead"]

_LARGE = 16 << 10  # bytes of two texts; the plan has shorter ones done at once
_ROOM = 4 << 20  # bytes that wait to be written; what real wheels have made ready is 0.3 MB at most


class Ahead:
    """What was `decided` and made ready so far; threads may `look` at members side by side."""

    def __init__(
        self,
        options: PlanOptions,
        wheels: Mapping[Arch, OpenWheel],
        inflater: Inflater,
        *,
        fuses: bool,
    ) -> None:
        """Nothing is decided yet. `fuses` says that universal files are fatwheel's own work and not an engine's."""
        arm64, project = wheels[Arch.ARM64], wheels[Arch.ARM64].name.key[0]
        self._decider = Decider(
            project=project,
            dist_info=arm64.dist_info,
            rules=options.rules.of(project),
            graph=LoadGraph.of((), ()),  # it is for files that are equal, or on one side only
            bundles=_bundles(wheels[Arch.X86_64], arm64),
            on_conflict=options.on_conflict,
        )
        self._maker = Maker(wheels=wheels, inflater=inflater)
        self._fuses = fuses
        self._left = allowance_for(wheels.values()).left
        self._room = _ROOM
        self.decided: dict[str, Decided] = {}
        self._ready: dict[str, tuple[Planned, Ready, int]] = {}

    @property
    def waiting(self) -> frozenset[str]:
        """The members that were made ready and not taken yet."""
        return frozenset(self._ready)

    def look(self, pair: MemberPair) -> None:
        """Decide on a member that was read, and make it ready, where that takes long.

        What fails is left to the plan and the writer, which meet the same error in their own order.
        """
        if _takes_long(pair):
            with contextlib.suppress(Exception):
                self.decided[pair.name] = decided = self._decider.decide(pair)
                self._make(decided[0])

    def take(self, planned: Planned, allowance: Allowance) -> Ready | None:
        """Return the member as this very decision made it ready; None where none did, or too little is left."""
        made, ready, bits = self._ready.pop(planned.name, (None, None, 0))
        if made is not planned or allowance.left < bits:
            return None
        allowance.take(bits)
        return ready

    def _make(self, planned: Planned) -> None:
        allowance = Allowance.of(self._left)
        ready = None
        if isinstance(planned, Merge):
            ready = ready_text(planned.content)
        elif isinstance(planned, Fuse) and self._fuses:
            ready = self._maker.fused(planned, allowance)
        bits = self._left - allowance.left
        self._left -= bits
        if ready is not None and allowance.left >= 0 and ready.data.in_memory <= self._room:
            self._room -= ready.data.in_memory
            self._ready[planned.name] = planned, ready, bits


def _takes_long(pair: MemberPair) -> bool:
    x86_64, arm64 = pair.x86_64, pair.arm64
    if x86_64 is None or arm64 is None or x86_64.sha256 == arm64.sha256:
        return False
    if pair.x86_64_text is not None and pair.arm64_text is not None:
        return len(pair.x86_64_text) + len(pair.arm64_text) >= _LARGE
    return isinstance(x86_64.content, Universal) or isinstance(arm64.content, Universal)


def _bundles(x86_64: OpenWheel, arm64: OpenWheel) -> frozenset[str]:
    """Return the signed bundles of both wheels, with members named as in arm64's."""
    rename = renaming(x86_64, arm64)
    found = find_bundles(x86_64.entries)
    return find_bundles(arm64.entries) | frozenset(map(rename, found) if rename else found)
