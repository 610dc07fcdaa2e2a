"""Deployment targets: the oldest macOS that a build's code runs on (`MACOSX_DEPLOYMENT_TARGET`).

It goes into every binary as `minos` and into the wheel's platform tag. Whoever links has ideas of their own
about a value that is too low, has no minor version, or is empty, so it is put into one form before anything
is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from fatwheel.arch import Arch
from fatwheel.errors import UsageError
from fatwheel.values import valueclass
from fatwheel.wheels.tags import Floor, format_floor

__all__ = ["Deployment", "Wish", "choose_deployment", "lowest_deployment"]

_VERSION = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,3}))?(?:\.[0-9]{1,3})?", re.ASCII)


@valueclass
class Wish:
    """A deployment target that somebody asked for: the text as written, and where."""

    text: str
    origin: str


@valueclass
class Deployment:
    """The deployment target of one build.

    `version` is (major, minor), `origin` says where it comes from. `note` is a sentence where the value is
    not the one that was asked for, else empty.
    """

    version: Floor
    origin: str
    note: str = ""

    def __str__(self) -> str:
        """Return the version as the environment variable takes it: `11.0`."""
        return format_floor(self.version)


def lowest_deployment(arch: Arch) -> Floor:
    """Return the oldest macOS that rustc's standard library supports (The rustc book, "*-apple-darwin")."""
    return {Arch.X86_64: (10, 12), Arch.ARM64: (11, 0)}[arch]


def choose_deployment(arch: Arch, wishes: Iterable[Wish | None]) -> Deployment:
    """Return the deployment target for `arch`.

    `wishes` stand in rising order of precedence; one that is missing or empty does not count. What is below
    the lowest that rustc supports is raised to it: the linkers don't agree on what to do with it.

    Raises `UsageError` for a text that is no version, and for a minor version from macOS 11 on: a wheel's
    tag cannot say it, so installers would offer the wheel to systems that are too old.
    """
    lowest = lowest_deployment(arch)
    made = [wish for wish in wishes if wish is not None and wish.text.strip()]
    if not made:
        return Deployment(version=lowest, origin="rustc's default")
    wish = made[-1]
    version = _parse(arch, wish)
    if version < lowest:
        note = (
            f"{arch.value}: deployment target {wish.text.strip()} ({wish.origin}) is raised to "
            f"{format_floor(lowest)}, the oldest macOS that Rust supports"
        )
        return Deployment(version=lowest, origin="rustc's minimum", note=note)
    return Deployment(version=version, origin=wish.origin)


def _parse(arch: Arch, wish: Wish) -> Floor:
    match = _VERSION.fullmatch(wish.text.strip())
    if match is None:
        raise UsageError(
            f"{wish.origin}: the deployment target {wish.text!r} is no macOS version; write {arch.value}'s "
            f"as {format_floor(lowest_deployment(arch))}"
        )
    major, minor = int(match[1]), int(match[2] or 0)
    if (major, minor) == (10, 16):  # what macOS 11 calls itself to old programs
        return (11, 0)
    if major > 10 and minor:
        raise UsageError(
            f"{wish.origin}: the deployment target {major}.{minor} cannot be said by a wheel's tag, whose minor "
            f"version is 0 from macOS 11 on; use {major}.0 or {major + 1}.0 for {arch.value}"
        )
    return (major, minor)
