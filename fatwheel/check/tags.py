"""Findings about what a wheel says it is (FW2xx): file name, WHEEL and METADATA."""

from __future__ import annotations

from collections.abc import Iterator

from fatwheel.arch import Arch
from fatwheel.check.finding import Finding, Severity
from fatwheel.printable import counted
from fatwheel.wheels.distinfo import parse_name_and_version, parse_wheel_metadata, read_headers
from fatwheel.wheels.tags import Family, claims, family, parse_mac_platform
from fatwheel.wheels.wheel import Wheel, architectures

__all__ = ["check_identity", "check_tags"]


def check_tags(wheel: Wheel, *, universal2: bool) -> Iterator[Finding]:
    """Check WHEEL's tags against the file name's, and these for what they promise on macOS.

    `universal2` asks for a promise on each architecture.
    """
    yield from _check_wheel_file(wheel)
    yield from _check_order(wheel)
    missing = [arch.value for arch in Arch if arch not in claims(wheel.name)]
    if universal2 and missing:
        yield Finding(
            code="FW202",
            severity=Severity.ERROR,
            member=None,
            message=f"its file name promises nothing for {' and '.join(missing)} on macOS",
        )
    elif len(missing) == 2:
        yield from _elsewhere(wheel)


def _check_wheel_file(wheel: Wheel) -> Iterator[Finding]:
    """Check the Tag lines of WHEEL: they are the file name's tags, one each."""
    name, text = f"{wheel.dist_info}/WHEEL", wheel.text("WHEEL").decode("utf-8", "replace")
    metadata = parse_wheel_metadata(text, wheel=wheel.name.filename, member=name)
    listed, promised = set(metadata.tags), set(wheel.name.expanded_tags)
    if listed != promised:
        less = _promise_less(listed, promised)
        differing = ", ".join(sorted(listed ^ promised))
        yield Finding(
            code="FW201",
            severity=Severity.WARNING if less else Severity.ERROR,
            member=name,
            message=(
                f"its tags are {'fewer' if listed < promised else 'others'} than those of the file name, by which pip "
                f"goes; in one of the two only: {differing}"
                if less
                else f"its tags are not those of the file name; in one of the two only: {differing}"
            ),
        )
    headers, _ = read_headers(text, wheel=wheel.name.filename, member=name)
    if compressed := [value for header, value in headers if header == "tag" and "." in value]:
        yield Finding(
            code="FW206",
            severity=Severity.WARNING,
            member=name,
            message=(
                f"has {compressed[0]} in one Tag line, which stands for several tags: write a line for each, or "
                "`pip check` takes the wheel for another system's"
            ),
        )


def _promise_less(listed: set[str], promised: set[str]) -> bool:
    """Return whether tags are for the same Pythons as others, and for macOS on no further architecture."""
    tags = [tag.rpartition("-") for tag in listed]
    others = [tag.rpartition("-") for tag in promised]
    pythons = {tag[0] for tag in others}
    any_abi = {python.partition("-")[0] for python in pythons if python.endswith("-none")}
    if not tags or any(
        tag[0] not in pythons and tag[0].partition("-")[0] not in any_abi for tag in tags
    ):
        return False
    arches: list[set[Arch]] = []
    for platforms in ([tag[2] for tag in tags], [tag[2] for tag in others]):
        found = [parse_mac_platform(platform) for platform in platforms]
        if None in found:
            return False
        arches.append({arch for one in found if one is not None for arch in one.arches})
    return arches[0] <= arches[1]


def _check_order(wheel: Wheel) -> Iterator[Finding]:
    """Check that the tags of the file name are sorted (PEP 425, "Compressed Tag Sets")."""
    for tags in (wheel.name.pythons, wheel.name.abis, wheel.name.platforms):
        if list(tags) != sorted(tags):
            yield Finding(
                code="FW205",
                severity=Severity.WARNING,
                member=None,
                message=(
                    f"its file name has the tags {'.'.join(tags)}, which are not sorted as PEP 425 asks; "
                    f"rename it to {'.'.join(sorted(tags))}"
                ),
            )


def _elsewhere(wheel: Wheel) -> Iterator[Finding]:
    """Yield what is said of a wheel that promises nothing to either architecture: nothing of one without code."""
    kind, tags = family(wheel.name), ", ".join(wheel.name.platforms)
    held = [architectures(member.content) for member in wheel.members.values()]
    found = [
        f"{counted(count, 'file')} with {arch.value} code"
        for arch in Arch
        if (count := sum(arch in one for one in held))
    ]
    if kind is Family.ANY and not found:
        return
    told = {
        Family.ANY: "is for any platform, and so installed on every Mac",
        Family.MACOS: f"is for neither x86_64 nor arm64 but for {tags}",
        Family.OTHER: f"is not for macOS but for {tags}",
    }
    holds = f"it holds {' and '.join(found)}" if found else "it holds no macOS code"
    yield Finding(
        code="FW207", severity=Severity.NOTE, member=None, message=f"{told[kind]}; {holds}"
    )


def check_identity(wheel: Wheel) -> Iterator[Finding]:
    """Check that METADATA speaks of the project and version that the file name does."""
    name = f"{wheel.dist_info}/METADATA"
    text = wheel.text("METADATA").decode("utf-8", "replace")
    found = parse_name_and_version(text, wheel=wheel.name.filename, member=name)
    named = wheel.name.key[:2]
    if found != named:
        shown = "no name and version" if found is None else f"{found[0]} {found[1]}"
        yield Finding(
            code="FW204",
            severity=Severity.ERROR,
            member=name,
            message=f"speaks of {shown}, the file name of {named[0]} {named[1]}",
        )
