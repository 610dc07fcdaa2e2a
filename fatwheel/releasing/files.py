"""What a release's file says of itself: its project and version, the Pythons that it is for."""

from __future__ import annotations

import re
from pathlib import Path
from zipfile import ZipFile

from packaging.metadata import parse_email
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from fatwheel.releasing.programs import FailedError

__all__ = ["is_tag_of", "name_and_version", "requires_python"]


def name_and_version(path: Path) -> tuple[str, str]:
    """Return the project and version in a file's name."""
    try:
        if path.suffix == ".whl":
            name, version, _, _ = parse_wheel_filename(path.name)
        else:
            name, version = parse_sdist_filename(path.name)
    except (InvalidSdistFilename, InvalidWheelFilename):
        raise FailedError(
            f"{path.name} is no name of a wheel or of an sdist; no index takes it"
        ) from None
    return name, str(version)


def requires_python(wheel: Path) -> str:
    """Return the wheel's Requires-Python, empty where it has none."""
    with ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.count("/") == 1 and name.endswith(".dist-info/METADATA"):
                return parse_email(archive.read(name))[0].get("requires_python", "")
    return ""


def is_tag_of(tag: str, version: str) -> bool:
    """Return whether a tag such as `v1.0` or `pkg-1.0` ends in the version, however that is spelled."""
    for match in re.finditer(r"(?<![\d.])\d", tag):
        try:
            if Version(tag[match.start() :]) == Version(version):
                return True
        except InvalidVersion:
            continue
    return False
