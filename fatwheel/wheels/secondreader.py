"""A second opinion on a finished wheel: the `wheel` package's own reader, which shares no code with fatwheel's."""

from __future__ import annotations

from pathlib import Path

from fatwheel.archive.ranges import CHUNK

__all__ = ["wheel_package_problem"]


def wheel_package_problem(path: Path) -> str | None:
    """Return what keeps `wheel.wheelfile.WheelFile` from reading every file in the wheel at `path`; None if nothing.

    `WheelFile` verifies each file against RECORD while it is read (PEP 427).
    """
    from zipfile import BadZipFile

    from wheel.wheelfile import WheelError, WheelFile

    try:
        with WheelFile(path) as wheel:
            for info in wheel.infolist():
                if not info.is_dir():
                    with wheel.open(info) as file:
                        while file.read(CHUNK):
                            pass
    except (WheelError, BadZipFile, ValueError, NotImplementedError) as error:
        return str(error)
    return None
