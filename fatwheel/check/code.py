"""Findings about code (FW301 to FW305, FW309 to FW311): what each file holds, against what the file name promises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fatwheel.arch import Arch
from fatwheel.check.decisions import Decided, decisions
from fatwheel.check.finding import Finding, Severity
from fatwheel.check.onesided import named_after, one_sided_problem, unusable_problem
from fatwheel.macho.cpu import arch_name
from fatwheel.macho.platforms import is_foreign, platform_name
from fatwheel.values import valueclass
from fatwheel.wheels.distinfo import REPORT_NAME
from fatwheel.wheels.loads import LoadGraph
from fatwheel.wheels.tags import claims
from fatwheel.wheels.wheel import Content, Member, Wheel, architectures, images, slices

__all__ = ["check_code", "described"]


def check_code(wheel: Wheel) -> Iterator[Finding]:
    """Check each Mach-O file and static library against what the file name promises."""
    promised = tuple(claims(wheel.name))
    coded = {
        n: m for n, m in wheel.members.items() if m.content is not None and any(images(m.content))
    }
    if not coded and len(promised) == 2:
        yield Finding(
            code="FW305",
            severity=Severity.WARNING,
            member=None,
            message="no file in it holds code, so that one wheel for any platform may do",
        )
    graph = LoadGraph.of(slices(wheel), wheel.members)
    context = _Context(
        promised=promised,
        graph=graph,
        decided=decisions(wheel),
        held=frozenset().union(*(architectures(m.content) for m in coded.values())),
        served=_served(coded, graph),
    )
    # What fatwheel fused is judged file by file: one wheel may have had code, and the other none.
    wrong = None if wheel.text(REPORT_NAME) else _wrong_architecture(coded, promised, graph)
    if wrong is not None:
        yield wrong
        return
    for name, member in coded.items():
        yield from _check_file(name, member.content, context)


@valueclass
class _Context:
    """What is known of the wheel: the architectures that are promised, who loads what, and what was decided.

    `held` are the architectures that any file has code for, `served` those that a library, archive or object has.
    """

    promised: tuple[Arch, ...]
    graph: LoadGraph
    decided: Mapping[str, Decided]
    held: frozenset[Arch]
    served: frozenset[Arch]


def _served(coded: Mapping[str, Member], graph: LoadGraph) -> frozenset[Arch]:
    """Return the architectures for which the wheel holds libraries, archives or objects."""
    found: set[Arch] = set()
    for name, member in coded.items():
        held = architectures(member.content)
        if any(one_sided_problem(name, member.content, arch, graph) is None for arch in held):
            found |= held
    return frozenset(found)


def _wrong_architecture(
    coded: Mapping[str, Member], promised: tuple[Arch, ...], graph: LoadGraph
) -> Finding | None:
    """Return the finding for a wheel whose code is all for one architecture, where another is promised."""
    held = {
        arch
        for name, member in coded.items()
        for arch in architectures(member.content)
        if not _is_meant(name, member.content, arch, graph)
    }
    missing = [arch for arch in promised if arch not in held]
    if len(held) != 1 or not missing:
        return None
    (arch,) = held
    promise = "universal2" if len(promised) == 2 else missing[0].value
    remedy = (
        f"fuse it with the {missing[0].value} wheel"
        if len(promised) == 2
        else f"build it anew for {missing[0].value}"
    )
    return Finding(
        code="FW304",
        severity=Severity.ERROR,
        member=None,
        message=f"its file name promises {promise}, and all its code is for {arch.value} only; {remedy}",
    )


def _is_meant(name: str, content: Content, arch: Arch, graph: LoadGraph) -> bool:
    """Return whether a file for `arch` alone is so on purpose: debuggers bring libraries for other programs."""
    return (
        named_after(name, arch)
        and architectures(content) == {arch}
        and one_sided_problem(name, content, arch, graph) is None
    )


def _check_file(name: str, content: Content, context: _Context) -> Iterator[Finding]:
    held = architectures(content)
    missing = [arch for arch in context.promised if arch not in held]
    if missing:
        code, severity, message = _judge(name, content, missing, context)
        yield Finding(code=code, severity=severity, member=name, message=message)


def _judge(
    name: str, content: Content, missing: list[Arch], context: _Context
) -> tuple[str, Severity, str]:
    """Judge a file that holds no code for what is promised: for `missing`."""
    foreign, held = _is_foreign(content, missing), architectures(content)
    kind = "macOS code" if foreign else "code"
    lacks = f"holds no {kind} for {' or '.join(arch.value for arch in missing)}"
    if (decision := context.decided.get(name)) is not None:
        code, severity = (
            ("FW303", Severity.NOTE) if decision.allowed else ("FW309", Severity.WARNING)
        )
        return code, severity, f"{lacks}, {decision.clause}"
    if held and not foreign:
        return _judge_one_sided(name, content, missing[0], context, lacks)
    lacks += f", but for {described(content)}"
    error = "FW310" if foreign else "FW301"
    if (problem := unusable_problem(name, content, context.graph)) is not None:
        return error, Severity.ERROR, f"{lacks}, {problem}"
    if held or (foreign and context.held.isdisjoint(missing)):
        return error, Severity.ERROR, lacks
    return "FW311", Severity.WARNING, f"{lacks}, and nothing in the wheel uses it as code"


def _judge_one_sided(
    name: str, content: Content, missing: Arch, context: _Context, lacks: str
) -> tuple[str, Severity, str]:
    """Judge a file that holds code for the other architecture than `missing`."""
    if one_sided_problem(name, content, missing.other, context.graph) is not None:
        return "FW301", Severity.ERROR, lacks
    alone = context.promised == (missing,) and missing not in context.served
    if alone and not named_after(name, missing.other):
        return "FW301", Severity.ERROR, f"{lacks}, as no library in the wheel does"
    return "FW302", Severity.NOTE, f"{lacks}, and no {missing.value} code in the wheel loads it"


def _is_foreign(content: Content, arches: list[Arch]) -> bool:
    """Return whether a file holds code for one of `arches` that another platform than macOS runs."""
    return any(image.arch in arches and image.mac_arch is None for image in images(content))


def described(content: Content) -> str:
    """Return for which processors, and for which platforms other than macOS, a file holds code, in words."""
    found = {}
    for image in images(content):
        processor = arch_name(image.cputype, image.cpusubtype)
        platform = image.platform if is_foreign(image.platform) else None
        where = "" if platform is None else f" on {platform_name(platform)}"
        found[processor + where] = True
    return " and ".join(found)
