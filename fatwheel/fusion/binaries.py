"""What becomes of files that hold code: those that both wheels have and that differ, and text stubs."""

from __future__ import annotations

from typing import Literal

from fatwheel.action import Action
from fatwheel.arch import Arch
from fatwheel.check.code import described
from fatwheel.check.onesided import one_sided_problem, unusable_problem
from fatwheel.fusion.actions import KEEP_EITHER, Conflict, Fuse, Planned
from fatwheel.fusion.slices import Selection, select_slices
from fatwheel.macho.image import Image
from fatwheel.macho.textstub import TextStub
from fatwheel.macho.universal import Universal
from fatwheel.printable import counted
from fatwheel.wheels.loads import LoadGraph
from fatwheel.wheels.pair import MemberPair
from fatwheel.wheels.wheel import Content, Member, architectures, images

__all__ = ["equal_code", "fuse_code", "mixed_platforms", "stub_conflict", "unlike"]

_LOSS = "one file has to serve both architectures; keeping one wheel's takes it from the other architecture"
_NO_CODE = (
    "either wheel's file leaves an architecture without code; get or build wheels that are right"
)


def fuse_code(pair: MemberPair, x86_64: Member, arm64: Member) -> Planned:
    """Fuse two files that hold code, slice by slice, or return the conflict."""
    chosen = select_slices(x86_64.content, arm64.content)
    if len({isinstance(piece.content, Image) for piece in chosen.slices}) == 2:
        return unlike(pair, "is a static library in one wheel and an image in the other")
    if (problem := _missing(pair, chosen, x86_64, arm64)) is not None:
        return problem
    if (payload := _payload(pair, chosen, x86_64, arm64)) is not None:
        return payload
    known = pair.fused if pair.fused is not None and pair.fused.layout == chosen.layout else None
    return Fuse(
        name=pair.name,
        mode=pair.mode,
        x86_64=x86_64,
        arm64=arm64,
        slices=chosen.slices,
        layout=chosen.layout,
        sha256=known.sha256 if known else None,
        note=chosen.note,
    )


def unlike(pair: MemberPair, problem: str) -> Conflict:
    """Return the conflict of two files that are of different kinds."""
    return Conflict(
        name=pair.name, kind="unlike", problem=problem, matters=_LOSS, remedies=KEEP_EITHER
    )


def _missing(pair: MemberPair, chosen: Selection, x86_64: Member, arm64: Member) -> Conflict | None:
    """Return the conflict of a file that would lack macOS code for an architecture, or has it swapped."""
    sources = {piece.content.mac_arch: piece.source for piece in chosen.slices}
    missing = [arch.value for arch in Arch if arch not in sources]
    if any(piece.content.mac_arch is not piece.content.arch for piece in chosen.slices):
        return Conflict(
            name=pair.name,
            kind="platform",
            problem=(
                f"holds no macOS code for {' or '.join(missing)}: in the x86_64 wheel it is for "
                f"{described(x86_64.content)}, in the arm64 wheel for {described(arm64.content)}"
            ),
            matters="no Mac loads code for another platform",
            remedies=KEEP_EITHER,
            warning=_NO_CODE,
        )
    if missing:
        return Conflict(
            name=pair.name,
            kind="one-architecture",
            problem=f"holds no code for {' or '.join(missing)} in either wheel",
            matters=_LOSS,
            remedies=KEEP_EITHER,
        )
    if all(sources[arch] is arch.other for arch in Arch):
        return Conflict(
            name=pair.name,
            kind="swapped",
            problem=(
                f"is for {described(x86_64.content)} in the x86_64 wheel and for {described(arm64.content)} "
                "in the arm64 wheel"
            ),
            matters="neither wheel can load its own, so at least one was put together from other builds",
            remedies=KEEP_EITHER,
            warning=_NO_CODE,
        )
    return None


def _payload(pair: MemberPair, chosen: Selection, x86_64: Member, arm64: Member) -> Conflict | None:
    """Return the conflict of a program that carries data of its own at the end, if it does."""
    carried = [
        (piece.source, piece.content.payload)
        for piece in chosen.slices
        if isinstance(piece.content, Image)
    ] + [
        (arch, member.content.payload)
        for arch, member in zip(Arch, (x86_64, arm64), strict=True)
        if isinstance(member.content, Universal)
    ]
    for arch, payload in carried:
        if payload is not None:
            return Conflict(
                name=pair.name,
                kind="payload",
                problem=(
                    f"in the {arch.value} wheel it carries {counted(payload.size, 'byte')} of its own at its end "
                    f"(from byte {payload.offset})"
                ),
                matters=(
                    "in a fused file, a program that is not last cannot find what it carries at its end; "
                    "keeping one wheel's file takes it from the other architecture"
                ),
                remedies=KEEP_EITHER,
            )
    return None


def equal_code(pair: MemberPair, content: Content, graph: LoadGraph) -> Conflict | str:
    """Judge a file of code that is the same in both wheels: the conflict, or the note with which it is kept.

    It must be for both architectures, or be of no use to the other anyway.
    """
    held = architectures(content)
    missing = " or ".join(arch.value for arch in Arch if arch not in held)
    if not missing:
        return ""
    problem = f"is the same file in both wheels and holds no code for {missing}"
    if (mixed := mixed_platforms(content)) is not None:
        problem = problem.replace("no code", "no macOS code")
        return _unusable(pair, f"{problem}, but {mixed}", missing, kind="platform")
    if not held:
        used = unusable_problem(pair.name, content, graph)
        if used is not None:
            return _unusable(pair, f"{problem}, but for {described(content)}, {used}", missing)
        return f"holds code for {described(content)} only, and nothing uses it as code"
    if any(one_sided_problem(pair.name, content, arch, graph) is not None for arch in held):
        return _unusable(pair, problem, missing)
    return f"holds no code for {missing}, and no {missing} code loads it"


def _unusable(
    pair: MemberPair,
    problem: str,
    missing: str,
    *,
    kind: Literal["one-architecture", "platform"] = "one-architecture",
) -> Conflict:
    return Conflict(
        name=pair.name,
        kind=kind,
        problem=problem,
        matters=f"it cannot be loaded or run on {missing}",
        remedies=(Action.ALLOW, Action.DROP),
    )


def mixed_platforms(content: Content) -> str | None:
    """Return what a file holds code for, where one slice is macOS code, and another architecture's is not."""
    held = architectures(content)
    foreign = {image.arch for image in images(content) if image.mac_arch is not image.arch}
    return f"for {described(content)}" if held and foreign - held else None


def stub_conflict(pair: MemberPair, x86_64: Content, arm64: Content) -> Conflict | None:
    """Return the conflict of two text stubs for different targets; None where a text differs elsewhere."""
    if not isinstance(x86_64, TextStub) or not isinstance(arm64, TextStub):
        return None
    if set(x86_64.targets) == set(arm64.targets):
        return None
    named = [", ".join(target.name for target in stub.targets) for stub in (x86_64, arm64)]
    return Conflict(
        name=pair.name,
        kind="stub",
        problem=(
            f"is a text stub for {named[0]} in the x86_64 wheel and for {named[1]} in the arm64 wheel"
        ),
        matters="a linker takes it for the dynamic library, and links for its targets only",
        remedies=KEEP_EITHER,
        warning=(
            "with one wheel's stub nothing links for the other architecture; without one, a linker looks for "
            "the dynamic library itself"
        ),
    )
