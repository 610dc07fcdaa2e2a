"""Findings about what a wheel says it is (FW2xx): file name, WHEEL and METADATA."""

from __future__ import annotations

from collections.abc import Iterator

from fatwheel.arch import Arch
from fatwheel.check.finding import Finding, Severity
from fatwheel.wheels.distinfo import parse_name_and_version, parse_wheel_metadata
from fatwheel.wheels.tags import claims
from fatwheel.wheels.wheel import Wheel

__all__ = ["check_identity", "check_tags"]


def check_tags(wheel: Wheel) -> Iterator[Finding]:
    """Check WHEEL's tags against the file name's, and these for a promise on each architecture."""
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
