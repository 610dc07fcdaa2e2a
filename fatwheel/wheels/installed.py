"""Where a wheel's members land when it is installed, and which of them cannot lie side by side there.

Specification: binary distribution format, "Installing a wheel" and "The .data directory" (PEP 427). The folders
are those of macOS and of pip, which uv and virtual environments share: site-packages is `lib/pythonX.Y/site-packages`
below the prefix, scripts lie in `bin`, headers in `include/site/pythonX.Y/PROJECT` (outside of a virtual environment
in `include/pythonX.Y/PROJECT`), and data in the prefix itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fatwheel.archive.names import Collision, find_collisions
from fatwheel.wheels.tags import normalise

__all__ = ["SCHEMES", "collisions", "describe", "installed_path", "scheme_of"]

SCHEMES = ("purelib", "platlib", "scripts", "headers", "data")
"""What folders of `.data` may be called; installers refuse a wheel that has others."""

_PREFIX = "../../../"  # of site-packages
_VERSION = r"(?:3\.(?:[7-9]|[12][0-9])t?)?"  # a framework's folder of the user's own names none
_HEADERS = rf"include/(?:site/)?python{_VERSION}/([^/]+)/(.+)"
_SITE_PACKAGES = rf"lib/python({_VERSION})/site-packages/(.+)"


def scheme_of(member: str) -> str | None:
    """Return the folder of `.data` that `member` lies in, "" where it lies beside them all; None elsewhere."""
    if ".data/" not in member:  # nearly every member there is
        return None
    first, _, rest = member.partition("/")
    scheme, slash, _ = rest.partition("/")
    return (scheme if slash else "") if first.endswith(".data") else None


def installed_path(member: str, python: str | None = None) -> str:
    """Return where `member` lands, relative to site-packages.

    What the data scheme puts into the site-packages of `python` ("3.12"), or of any Python where it is None, lands
    beside the other modules; no path names a version of Python otherwise.
    """
    scheme = scheme_of(member)
    if scheme not in SCHEMES:
        return member
    folder, _, path = member.split("/", 2)
    if scheme in ("purelib", "platlib"):
        return path
    if scheme == "scripts":
        return f"{_PREFIX}bin/{path}"
    project = folder.partition("-")[0]
    if scheme == "data":
        found = re.fullmatch(_SITE_PACKAGES, path)
        if found and python in (None, found[1]):
            return found[2]
        if (header := re.fullmatch(_HEADERS, path)) is None:
            return _PREFIX + path
        project, path = header.groups()
    return f"{_PREFIX}include/site/python/{normalise(project)}/{path}"


def collisions(members: Iterable[str]) -> Iterator[Collision]:
    """Yield which members cannot lie side by side on macOS once they are installed.

    Of two files that are one there, installers keep one, and do not agree which; for a file where another member
    needs a folder they fail.
    """
    members = list(members)
    named = {
        found[1]
        for member in members
        if scheme_of(member) == "data"
        and (found := re.fullmatch(_SITE_PACKAGES, member.split("/", 2)[2]))
    }
    seen = set()
    for python in sorted(named) or [None]:
        paths = [installed_path(member, python) for member in members]
        for collision in find_collisions(paths, members):
            if collision not in seen:
                seen.add(collision)
                yield collision


def describe(collision: Collision) -> str:
    """Return the clause about a collision's member that names the other one."""
    return {
        "same path": f"is installed in the same place as {collision.other}",
        "same file": f"is the same file as {collision.other} on macOS once both are installed",
        "file and folder": f"is installed as a file where {collision.other} needs a folder",
    }[collision.kind]
