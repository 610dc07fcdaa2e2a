"""Findings about code (FW3xx): the slices of each Mach-O file, against what the file name promises."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fatwheel.action import Action
from fatwheel.arch import Arch
from fatwheel.check.finding import Finding, Severity
from fatwheel.check.onesided import one_sided_problem
from fatwheel.errors import FormatError, WheelError
from fatwheel.macho.image import FileType, Image
from fatwheel.wheels.distinfo import REPORT_NAME
from fatwheel.wheels.jsontext import load_json
from fatwheel.wheels.loads import LoadGraph
from fatwheel.wheels.tags import Floor, claims, format_floor
from fatwheel.wheels.wheel import Member, Wheel, architectures, images, slices

__all__ = ["check_code"]

_CODE = (FileType.EXECUTE, FileType.DYLIB, FileType.BUNDLE)


def check_code(wheel: Wheel) -> Iterator[Finding]:
    """Check each Mach-O file and static library against what the file name promises."""
    promised = claims(wheel.name)
    coded = {
        n: m for n, m in wheel.members.items() if m.content is not None and any(images(m.content))
    }
    held = {arch for member in coded.values() for arch in architectures(member.content)}
    if not coded and len(promised) == 2:
        yield Finding(
            code="FW305",
            severity=Severity.WARNING,
            member=None,
            message="no file in it holds code, so that one wheel for any platform may do",
        )
    decided = _decisions(wheel)
    # What fatwheel fused is judged file by file: one wheel may have had code, and the other none.
    one_architecture = len(promised) == 2 and len(held) == 1 and not wheel.text(REPORT_NAME)
    if one_architecture:
        (arch,) = held
        yield Finding(
            code="FW304",
            severity=Severity.ERROR,
            member=None,
            message=(
                f"its file name promises universal2, and all its code is for {arch.value} only; fuse it "
                f"with the {arch.other.value} wheel"
            ),
        )
    graph = LoadGraph.of(slices(wheel), wheel.members)
    for name, member in wheel.members.items():
        if isinstance(member.content, FormatError):
            yield Finding(
                code="FW306",
                severity=Severity.WARNING,
                member=name,
                message=f"begins like a Mach-O file or archive, but {member.content.problem}",
            )
    for name, member in coded.items():
        if not one_architecture:
            yield from _check_slices(name, member, promised, graph, decided)
        yield from _check_images(name, member, promised)


def _check_slices(
    name: str,
    member: Member,
    promised: Mapping[Arch, Floor],
    graph: LoadGraph,
    decided: Mapping[str, _Decided],
) -> Iterator[Finding]:
    have = architectures(member.content)
    for arch in promised:
        if arch in have:
            continue
        lacks = f"holds no code for {arch.value}"
        if (decision := decided.get(name)) is not None:
            meant = decision.action == Action.ALLOW.value
            code, severity = ("FW303", Severity.NOTE) if meant else ("FW309", Severity.WARNING)
            message = f"{lacks}, as {decision.by} decided ({decision.reason})"
        elif (
            arch.other in have
            and one_sided_problem(name, member.content, arch.other, graph) is None
        ):
            code, severity = "FW302", Severity.NOTE
            message = f"{lacks}, and no {arch.value} code in the wheel loads it"
        else:
            code, severity, message = "FW301", Severity.ERROR, lacks
        yield Finding(code=code, severity=severity, member=name, message=message)


def _check_images(name: str, member: Member, promised: Mapping[Arch, Floor]) -> Iterator[Finding]:
    found = [image for image in images(member.content) if isinstance(image, Image)]
    for image in found:
        floor = promised.get(image.arch) if image.arch is not None else None
        if floor is None or image.arch is None:
            continue
        if image.minos is not None and image.minos > floor:
            yield Finding(
                code="FW203",
                severity=Severity.WARNING,
                member=name,
                message=(
                    f"its {image.arch.value} code needs macOS {format_floor(image.minos)}, the tags promise "
                    f"{format_floor(floor)}"
                ),
            )
        if image.arch is Arch.ARM64 and not image.signed and image.filetype in _CODE:
            yield Finding(
                code="FW307",
                severity=Severity.ERROR,
                member=name,
                message="its arm64 code is not signed, and macOS runs no unsigned arm64 code; sign the thin wheel",
            )
        if image.payload is not None and len(found) > 1:
            yield Finding(
                code="FW308",
                severity=Severity.ERROR,
                member=name,
                message=(
                    f"its {image.arch.value} program carries {image.payload.size} bytes of its own at the end, "
                    "which it cannot find in a universal file"
                ),
            )


class _Decided(NamedTuple):
    """What `fatwheel.json` says of a member: the action, who decided, and why."""

    action: str
    by: str
    reason: str


def _decisions(wheel: Wheel) -> dict[str, _Decided]:
    """Return, for each member that a rule or an option decided on, what was decided (`fatwheel.json`)."""
    text = wheel.text(REPORT_NAME)
    if not text:
        return {}
    try:
        return {
            str(d["member"]): _Decided(str(d["action"]), str(d["by"]), str(d["reason"]))
            for d in load_json(text)["decisions"]
        }
    except (ValueError, KeyError, TypeError) as error:
        name = posixpath.join(wheel.dist_info, REPORT_NAME)
        raise WheelError(
            wheel.name.filename, name, f"is not what fatwheel writes ({error!r})"
        ) from error
