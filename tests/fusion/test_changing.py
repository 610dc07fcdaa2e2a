"""Inputs that change while they are fused or checked: what is written is what was verified, or nothing is."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fatwheel.check.verdict import check_wheel
from fatwheel.errors import ChangedError
from fatwheel.fusion import fuse as fuse_module
from fatwheel.fusion.fuse import FuseOptions, fuse_wheels
from fatwheel.fusion.write import write_wheel
from tests.support.corpus import ROOT
from tests.support.required import require_pair
from tests.support.wheels import NATIVE, A, X, code, make_pair, universal

RANDOM = bytes((i * i * 31 + i // 7) % 251 for i in range(600_000))
DYLIB = "pkg/.dylibs/libboth.dylib"


def pair(folder: Path) -> tuple[Path, Path]:
    """Members of every kind: copied small and large, spliced, cut out of a universal one, stored."""
    both = {"pkg/small.txt": b"text " * 50, "pkg/large.bin": RANDOM}
    own = {arch: code(arch, RANDOM + arch.value.encode()) for arch in (X, A)}
    cut = universal(code(X, RANDOM[::-1]), code(A, RANDOM[::-1]), align=14)
    return make_pair(
        folder,
        both,
        x86_64={NATIVE: own[X], DYLIB: cut, "pkg/x.bin": b"x" * 70_000},
        arm64={NATIVE: own[A], DYLIB: code(A, RANDOM[1:]), "pkg/a.bin": RANDOM[5:90_000]},
        stored=("pkg/a.bin",),
    )


def data_of(path: Path, member: str) -> tuple[int, int]:
    """Where a member's data lie: offset and size in bytes."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(member)
    raw = path.read_bytes()[info.header_offset :]
    start = info.header_offset + 30 + int.from_bytes(raw[26:28], "little")
    return start + int.from_bytes(raw[28:30], "little"), info.compress_size


def through_memory(path: Path, offset: int) -> None:
    """Change a byte as a program does that has the file mapped: neither size nor times need to change."""
    before = path.stat()
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[offset] ^= 0x55
        mapped.flush()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def fuse_with(
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[], object],
    wheels: tuple[Path, Path],
    out: Path,
) -> None:
    """Fuse, with `change` done when all was read and verified and nothing is written yet."""
    real: Any = write_wheel

    def write(*args: Any, **options: Any) -> Any:
        change()
        return real(*args, **options)

    monkeypatch.setattr(fuse_module, "write_wheel", write)
    fuse_wheels(*wheels, out, FuseOptions())


@pytest.mark.parametrize(
    ("side", "member"),
    [
        (1, "pkg/small.txt"),
        (1, "pkg/large.bin"),
        (0, NATIVE),
        (1, NATIVE),
        (0, DYLIB),
        (1, DYLIB),
        (0, "pkg/x.bin"),
        (1, "pkg/a.bin"),
    ],
)
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_a_changed_byte_of_any_member_is_noticed(
    side: int, member: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = pair(tmp_path / "in")
    offset, size = data_of(wheels[side], member)
    at = offset + {"first": 0, "middle": size // 2, "last": size - 1}[where]
    with pytest.raises(
        ChangedError, match=f"^{wheels[side].name}: {member}: changed while it was read"
    ):
        fuse_with(monkeypatch, lambda: through_memory(wheels[side], at), wheels, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_pair_itself_fuses(tmp_path: Path) -> None:
    """The judge of the test above: without a change there is a wheel."""
    assert fuse_wheels(*pair(tmp_path), tmp_path / "out", FuseOptions()).path.is_file()


def _replaced(path: Path) -> None:
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (os.utime, "it was written to"),
        (lambda path: os.truncate(path, path.stat().st_size + 1), "bytes, now"),
        (_replaced, "another file has its name"),
        (Path.unlink, "the file is gone"),
    ],
    ids=["touched", "longer", "replaced", "removed"],
)
def test_what_happens_to_the_file_is_noticed(
    change: Callable[[Path], object], how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = pair(tmp_path / "in")
    with pytest.raises(
        ChangedError, match=rf"^{wheels[0].name}: changed while it was read \(.*{how}"
    ):
        fuse_with(monkeypatch, lambda: change(wheels[0]), wheels, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_check_reads_one_wheel_not_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = fuse_wheels(*pair(tmp_path), tmp_path / "out", FuseOptions()).path
    from fatwheel.check import verdict

    monkeypatch.setattr(verdict, "wheel_package_problem", _replaced)
    (finding,) = check_wheel(wheel)
    assert (finding.code, finding.member) == ("FW001", None)
    assert "another file has its name" in finding.message


@pytest.mark.skipif(
    sys.platform == "win32", reason="a file that is open cannot be written to there"
)
def test_half_of_an_input_zeroed_by_another_program(tmp_path: Path) -> None:
    """As it was found: zeroed in place once the output's unfinished file is there; real processes, ten tries."""
    real = require_pair("numpy")
    codes = []
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        wheels = [folder / wheel.path.name for wheel in real.wheels]
        for wheel, published in zip(wheels, real.wheels, strict=True):
            wheel.write_bytes(published.path.read_bytes())
        out = folder / "out"
        command = [sys.executable, "-m", "fatwheel", "fuse", *map(str, wheels), "-o", str(out)]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        while process.poll() is None and not list(out.glob(".fatwheel-*")):
            time.sleep(0.001)
        with wheels[1].open("r+b") as file:
            size = wheels[1].stat().st_size
            file.seek(size // 2)
            file.write(bytes(size // 2))
        _, said = process.communicate(timeout=60)
        codes.append(process.returncode)
        made = list(out.glob("*.whl"))
        if process.returncode:
            assert made == []
            assert wheels[1].name in said
            assert ".part" not in said
        else:  # it was faster
            assert not [f for f in check_wheel(made[0]) if f.severity.value == "error"]
    assert 1 in codes
