"""What must be true of a finished wheel, as findings with codes.

Pure: it looks at a `Wheel` that was read, or at the facts that a fusion gathered, and answers with values.
`docs/checks.md` explains every code.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from fatwheel.arch import Arch
from fatwheel.distinfo import REPORT_NAME, parse_name_and_version, parse_wheel_metadata
from fatwheel.errors import FormatError, WheelError
from fatwheel.loads import LoadGraph, missing_loads
from fatwheel.macho import FileType, Image
from fatwheel.onesided import one_sided_problem
from fatwheel.rules import Action
from fatwheel.tags import Floor, claims, format_floor
from fatwheel.values import valueclass
from fatwheel.wheels import Member, Wheel, architectures, images

__all__ = ["Finding", "Severity", "check", "disagreement", "unreadable", "worse_than"]

_CODE = (FileType.EXECUTE, FileType.DYLIB, FileType.BUNDLE)
_RECORD_CODES: Mapping[str, str] = {
    "differs": "FW101",
    "unlisted": "FW102",
    "absent": "FW103",
    "unhashed": "FW104",
    "malformed": "FW105",
}


class Severity(Enum):
    """How bad a finding is: errors make `fatwheel check` fail, notes only explain."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@valueclass
class Finding:
    """One fact about a wheel. `code` is stable; `member` is None where the whole wheel is meant."""

    code: str
    severity: Severity
    member: str | None
    message: str


def unreadable(error: WheelError) -> Finding:
    """Return the finding for a wheel that could not be read at all."""
    return Finding(
        code="FW001", severity=Severity.ERROR, member=error.member, message=error.problem
    )


def disagreement(problem: str) -> Finding:
    """Return the finding for a wheel that the `wheel` package's reader refuses."""
    return Finding(
        code="FW002",
        severity=Severity.WARNING,
        member=None,
        message=f"the wheel package's own reader refuses it: {problem}",
    )


def worse_than(findings: Iterable[Finding], inherited: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the errors among `findings` that are not among the `inherited` ones (by code and member)."""
    known = {(finding.code, finding.member) for finding in inherited}
    return tuple(
        finding
        for finding in findings
        if finding.severity is Severity.ERROR and (finding.code, finding.member) not in known
    )


def check(wheel: Wheel) -> tuple[Finding, ...]:
    """Return everything to be said about `wheel`, errors first.

    Raises `WheelError` where WHEEL or `fatwheel.json` cannot be read.
    """
    findings = [
        *_check_record(wheel),
        *_check_tags(wheel),
        *_check_identity(wheel),
        *_check_code(wheel),
        *_check_loads(wheel),
    ]
    ranks = list(Severity)
    return tuple(
        sorted(findings, key=lambda f: (ranks.index(f.severity), f.code, f.member or "", f.message))
    )


def _check_record(wheel: Wheel) -> Iterator[Finding]:
    for problem in wheel.record_problems:
        code = _RECORD_CODES[problem.kind]
        yield Finding(
            code=code, severity=Severity.ERROR, member=problem.member, message=problem.detail
        )


def _check_tags(wheel: Wheel) -> Iterator[Finding]:
    name = f"{wheel.dist_info}/WHEEL"
    metadata = parse_wheel_metadata(
        wheel.text("WHEEL").decode("utf-8", "replace"), wheel=wheel.name.filename, member=name
    )
    listed, promised = set(metadata.tags), set(wheel.name.expanded_tags)
    if listed != promised:
        differing = ", ".join(sorted(listed ^ promised))
        yield Finding(
            code="FW201",
            severity=Severity.ERROR,
            member=name,
            message=f"its tags are not those of the file name; in one of the two only: {differing}",
        )
    missing = [arch.value for arch in Arch if arch not in claims(wheel.name)]
    if missing:
        yield Finding(
            code="FW202",
            severity=Severity.ERROR,
            member=None,
            message=f"its file name promises nothing for {' and '.join(missing)} on macOS",
        )


def _check_identity(wheel: Wheel) -> Iterator[Finding]:
    """Check that METADATA speaks of the project and version that the file name does."""
    text = wheel.text("METADATA").decode("utf-8", "replace")
    found, named = parse_name_and_version(text), wheel.name.key[:2]
    if found != named:
        shown = "no name and version" if found is None else f"{found[0]} {found[1]}"
        yield Finding(
            code="FW204",
            severity=Severity.ERROR,
            member=f"{wheel.dist_info}/METADATA",
            message=f"speaks of {shown}, the file name of {named[0]} {named[1]}",
        )


def _check_code(wheel: Wheel) -> Iterator[Finding]:
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
    graph = _graph(wheel)
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


def _check_loads(wheel: Wheel) -> Iterator[Finding]:
    for name, arch, load in missing_loads(_slices(wheel), wheel.members):
        yield Finding(
            code="FW401",
            severity=Severity.WARNING,
            member=name,
            message=f"its {arch.value} code loads {load}, which is not in the wheel",
        )


def _slices(wheel: Wheel) -> Iterator[tuple[str, Arch, Image]]:
    for name, member in wheel.members.items():
        for image in images(member.content):
            if isinstance(image, Image) and image.arch is not None:
                yield name, image.arch, image


def _graph(wheel: Wheel) -> LoadGraph:
    return LoadGraph.of(_slices(wheel), wheel.members)


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
            for d in json.loads(text)["decisions"]
        }
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        name = posixpath.join(wheel.dist_info, REPORT_NAME)
        raise WheelError(
            wheel.name.filename, name, f"is not what fatwheel writes ({error!r})"
        ) from error
