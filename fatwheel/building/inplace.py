"""Modules that maturin writes into the source tree, as it does for editable wheels: both slices in one file.

The second run overwrites what the first one wrote, so that is kept aside, and then both are fused in place.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

from fatwheel.arch import Arch
from fatwheel.errors import RefusedError
from fatwheel.lipo import run as lipo

__all__ = ["InPlace", "fuse_files", "is_macho"]

_MACHO = (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf")
_NEVER = ("node_modules", "__pycache__")
# Files that mark a folder as somebody's cache (cargo's target folder) or as a virtual environment.
_MARKERS = ("CACHEDIR.TAG", "pyvenv.cfg")

_Stamp = tuple[int, int, int]


def is_macho(file: IO[bytes]) -> bool:
    """Return whether a file, open at its start, begins as a 64-bit Mach-O image or a universal file does."""
    return file.read(4) in _MACHO


def _is_macho_at(path: Path) -> bool:
    with path.open("rb") as file:
        return is_macho(file)


def fuse_files(one: Path, other: Path, output: Path) -> None:
    """Write the universal file of two thin ones; `output` may exist and appears whole.

    Raises `RefusedError` where they are not two Mach-O files of different architectures.
    """
    said = io.StringIO()
    command = ["-create", str(one), str(other), "-output", str(output)]
    if lipo.main(command, io.StringIO(), said):
        reason = said.getvalue().strip().removeprefix(f"fatal error: {lipo.PROGRAM}: ")
        raise RefusedError(f"{output} cannot be fused from its two builds: {reason}")


class InPlace:
    """What each of several builds wrote below some folders.

    Version control, caches, virtual environments and cargo's target folder are left out of account.
    """

    def __init__(self, roots: Iterable[Path], aside: Path) -> None:
        """Look at the folders as they are before the first build; `aside` is a folder for copies."""
        self._roots = tuple(dict.fromkeys(root.resolve() for root in roots))
        self._aside = aside
        self._seen = _stamps(self._roots)
        self._kept: dict[Arch, dict[Path, Path]] = {}

    def keep(self, arch: Arch) -> None:
        """Keep aside what was written since the last look: the build for `arch` did."""
        now = _stamps(self._roots)
        folder = self._aside / f"kept-{arch.value}"
        folder.mkdir(parents=True)
        written = sorted(path for path, stamp in now.items() if self._seen.get(path) != stamp)
        self._kept[arch] = {
            path: Path(shutil.copy2(path, folder / str(number)))
            for number, path in enumerate(written)
        }
        self._seen = now

    def fuse(self) -> tuple[Path, ...]:
        """Fuse what both builds wrote, in place, and return these files.

        Raises `RefusedError` where a build wrote a Mach-O file that the other did not, or both wrote a file of
        another kind that differs.
        """
        arm64, x86_64 = self._kept[Arch.ARM64], self._kept[Arch.X86_64]
        fused = []
        for path in sorted(arm64.keys() | x86_64.keys()):
            one, other = arm64.get(path), x86_64.get(path)
            if one is None or other is None:
                _refuse_one_sided(path, arm64=one)
            elif _is_macho_at(one) and _is_macho_at(other):
                fuse_files(one, other, path)
                fused.append(path)
            elif one.read_bytes() != other.read_bytes():
                raise RefusedError(
                    f"{path} was written by both builds, and differently, and only Mach-O files can be fused in "
                    "place; take one architecture, for example with ARCHFLAGS='-arch arm64'"
                )
        return tuple(fused)


def _refuse_one_sided(path: Path, *, arm64: Path | None) -> None:
    """Refuse code that only one build wrote; other files may be anybody's."""
    if path.exists() and _is_macho_at(path):
        arch = Arch.X86_64 if arm64 is None else Arch.ARM64
        raise RefusedError(
            f"{path} was written by the build for {arch.value} only, so there is nothing to fuse it with"
        )


def _stamps(roots: Iterable[Path]) -> Mapping[Path, _Stamp]:
    return dict(found for root in roots for found in _walk(root))


def _walk(root: Path) -> Iterator[tuple[Path, _Stamp]]:
    """Yield the regular files below a folder, with what changes when one is written."""
    for folder, folders, files in os.walk(root):
        if Path(folder) != root and any(marker in files for marker in _MARKERS):
            folders.clear()
            continue
        folders[:] = [name for name in folders if name[0] != "." and name not in _NEVER]
        for name in files:
            path = Path(folder, name)
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                yield path, (status.st_mtime_ns, status.st_size, status.st_ino)
