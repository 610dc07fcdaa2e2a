r"""Wheels as inputs that survive being changed: their files one after the other, readable, with RECORD made right.

A bundle is a list of parts (`target.SEPARATOR`). A part is a line `WHERE MODE NAME` and the content of one file:

    b 644 pkg/__init__.py
    x = 1

WHERE is `x` (the x86_64 wheel), `a` (arm64's) or `b` (both); `X`, `A` and `B` store the file instead of deflating it.
MODE is octal. NAME `*` stands for the file name of the wheel, which the content is then. RECORD is that of the files,
unless the bundle has one, and so are METADATA and WHEEL.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fatwheel.arch import Arch
from tests.fuzz.target import SEPARATOR
from tests.support.wheels import DATE, DIST_INFO, METADATA, PLATFORMS, A, X

__all__ = ["Bundle", "part"]

_LINE = re.compile(rb"([xabXAB]) ([0-7]{1,6}) ([^\n]*)\n?", re.DOTALL)
_MOST = 40  # parts
_SIDES = {"x": (X,), "a": (A,), "b": (X, A)}


def part(where: str, name: str, content: bytes | str, mode: int = 0o644) -> bytes:
    """Return one part of a bundle."""
    data = content.encode() if isinstance(content, str) else content
    return f"{where} {mode:o} {name}\n".encode() + data


@dataclass
class _Side:
    name: str
    files: dict[str, bytes] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)


class Bundle:
    """The two wheels that an input stands for."""

    def __init__(self, data: bytes) -> None:
        """Take the input apart; parts that are none are left out."""
        self._sides = {arch: _Side(f"pkg-1.0-cp312-cp312-{PLATFORMS[arch]}.whl") for arch in Arch}
        for piece in data.split(SEPARATOR)[:_MOST]:
            if match := _LINE.match(piece):
                where, mode, name = (
                    match[1].decode(),
                    int(match[2], 8),
                    match[3].decode(errors="replace"),
                )
                for arch in _SIDES[where.lower()]:
                    self._add(self._sides[arch], where, mode & 0o7777, name, piece[match.end() :])

    @staticmethod
    def _add(side: _Side, where: str, mode: int, name: str, content: bytes) -> None:
        if name == "*":
            shown = re.sub(r"[^A-Za-z0-9_.+!-]", "_", content.decode("ascii", "replace"))
            side.name = f"{shown[:150]}.whl"
            return
        side.files[name] = content
        side.modes[name] = mode
        if where.isupper():
            side.stored.add(name)

    def write(self, arch: Arch, folder: Path) -> Path:
        """Write one of the wheels into `folder`."""
        side = self._sides[arch]
        files = dict(side.files)
        files.setdefault(f"{DIST_INFO}/METADATA", METADATA)
        tags = side.name.removesuffix(".whl").split("-")[-3:]
        lines = ["Wheel-Version: 1.0", "Root-Is-Purelib: false", f"Tag: {'-'.join(tags)}", ""]
        files.setdefault(f"{DIST_INFO}/WHEEL", "\n".join(lines).encode())
        record = f"{DIST_INFO}/RECORD"
        files.setdefault(record, _record(files, record))
        folder.mkdir(exist_ok=True)
        path = folder / side.name
        _write(path, files, side.modes, side.stored)
        return path


def _record(files: Mapping[str, bytes], own: str) -> bytes:
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.writerow((name, f"sha256={digest}", len(data)))
    rows.writerow((own, "", ""))
    return text.getvalue().encode()


def _write(
    path: Path, files: Mapping[str, bytes], modes: Mapping[str, int], stored: Iterable[str]
) -> None:
    with zipfile.ZipFile(path, "w") as out:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, DATE)
            info.external_attr = (0o100000 | modes.get(name, 0o644)) << 16
            info.compress_type = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            out.writestr(info, data)
