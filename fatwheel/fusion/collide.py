"""Members of two wheels that cannot lie side by side once they are installed: conflicts of the plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from fatwheel.action import Action
from fatwheel.arch import Arch
from fatwheel.archive.names import Collision
from fatwheel.fusion.actions import Conflict, Decision, Drop, Planned
from fatwheel.fusion.rules import escape_glob
from fatwheel.printable import shell_quoted
from fatwheel.wheels.installed import collisions, describe

__all__ = ["settle_collisions"]


def settle_collisions(
    planned: Sequence[Planned],
    needed: Collection[str],
    only: Mapping[str, Arch | None],
    on_conflict: Action | None,
) -> tuple[list[Planned], list[Decision]]:
    """Return the plan with a conflict for each two members that collide, and what `on_conflict` decided on them.

    `needed` are names that every fused wheel has besides; `only` says which wheel alone has a member. With
    `on_conflict` the member goes that the wheel to be kept does not have.
    """
    members = {member.name: member for member in planned}
    decisions: list[Decision] = []
    while True:
        there = [name for name, member in members.items() if not isinstance(member, Drop)]
        found = list(collisions([*there, *sorted(needed)]))
        going = _going(found, only, on_conflict)
        for name, collision in going.items():
            why = f"{collision.member} {describe(collision)}"
            members[name] = Drop(name=name, why=f"by --on-conflict, as {why}")
            assert on_conflict is not None
            decisions.append(
                Decision(member=name, action=on_conflict, by="--on-conflict", reason=why)
            )
        if not going:
            break
    for collision in found:
        name = collision.other if collision.member in needed else collision.member
        members[name] = _conflict(name, collision)
    return [*members.values()], decisions


def _going(
    found: Sequence[Collision], only: Mapping[str, Arch | None], on_conflict: Action | None
) -> dict[str, Collision]:
    """Return the members that the wheel to be kept does not have, each with the collision that it is part of."""
    if on_conflict is None:
        return {}
    other = Arch.ARM64 if on_conflict is Action.KEEP_X86_64 else Arch.X86_64
    return {
        name: collision
        for collision in found
        for name in (collision.member, collision.other)
        if only.get(name) is other
    }


def _conflict(name: str, collision: Collision) -> Conflict:
    if name != collision.member:
        problem = f"cannot lie beside {collision.member}, which {describe(collision)}"
        choice = "leave it out"
    else:
        problem = describe(collision)
        other = f"{escape_glob(collision.other)}=drop"
        choice = f"leave it out, or the other one (--rule {shell_quoted(other)})"
    lost = "installers keep one of the two, and not all of them the same one"
    fails = "installers fail where a file stands in a folder's place"
    return Conflict(
        name=name,
        kind="collision",
        problem=problem,
        matters=f"{fails if collision.kind == 'file and folder' else lost}; {choice}",
        remedies=(Action.DROP,),
    )
