"""Inputs that change while they are fused or checked: what is written is what was verified, or nothing is."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

from fatwheel.archive.ranges import RangeFile, file_sha256
from fatwheel.archive.writer import ZipWriter
from fatwheel.check import verdict
from fatwheel.check.verdict import check_wheel
from fatwheel.deflate.inflaters import Inflater, python_zlib
from fatwheel.errors import ChangedError
from fatwheel.fusion import fuse as fuse_module
from fatwheel.fusion.fuse import FuseOptions, fuse_wheels
from fatwheel.fusion.write import write_wheel
from fatwheel.wheels.scan import scan_file
from tests.support.changes import data_of, replaced, through_memory
from tests.support.corpus import ROOT
from tests.support.required import require_pair
from tests.support.wheels import NATIVE, A, X, code, contents, make_pair, universal

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


def fuse_with(
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[], object],
    wheels: tuple[Path, Path],
    out: Path,
    inflater: Inflater | None = None,
) -> None:
    """Fuse, with `change` done when all was read and verified and nothing is written yet."""
    real: Any = write_wheel

    def changed_first(*args: Any, **options: Any) -> Any:
        change()
        return real(*args, **options)

    monkeypatch.setattr(fuse_module, "write_wheel", changed_first)
    fuse_wheels(*wheels, out, FuseOptions(inflater=inflater))


@pytest.mark.parametrize(
    "victim",
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
@pytest.mark.parametrize("inflater", [None, python_zlib()], ids=["spliced", "deflated anew"])
def test_a_changed_byte_of_any_member_is_noticed(
    victim: tuple[int, str],
    where: str,
    inflater: Inflater | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wheels = pair(tmp_path / "in")
    side, member = victim
    offset, size = data_of(wheels[side], member)
    at = offset + {"first": 0, "middle": size // 2, "last": size - 1}[where]
    with pytest.raises(
        ChangedError, match=f"^{wheels[side].name}: {member}: changed while it was read"
    ):
        fuse_with(
            monkeypatch,
            lambda: through_memory(wheels[side], at),
            wheels,
            tmp_path / "out",
            inflater,
        )
    assert list((tmp_path / "out").iterdir()) == []


def test_the_pair_itself_fuses(tmp_path: Path) -> None:
    """The judge of the test above: without a change there is a wheel."""
    assert fuse_wheels(*pair(tmp_path), tmp_path / "out", FuseOptions()).path.is_file()


@pytest.mark.parametrize("side", [0, 1], ids=["x86_64", "arm64"])
def test_whenever_it_changes_the_wheel_is_right_or_there_is_none(
    side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All data of one wheel change when so many members are written: what was copied before counts."""
    wheels = pair(tmp_path / "in")
    original = wheels[side].read_bytes()
    right = fuse_wheels(*wheels, tmp_path / "right", FuseOptions()).path
    real = ZipWriter.add
    outcomes = []
    for moment in range(len(contents(right)) + 1):
        wheels[side].write_bytes(original)
        done = 0

        def add(self: ZipWriter, *args: Any, moment: int = moment, **options: Any) -> None:
            nonlocal done
            if done == moment:
                for member in contents(wheels[side]):
                    through_memory(wheels[side], data_of(wheels[side], member)[0])
            done += 1
            real(self, *args, **options)

        monkeypatch.setattr(ZipWriter, "add", add)
        out = tmp_path / f"out-{moment}"
        with suppress(ChangedError):
            fuse_wheels(*wheels, out, FuseOptions())
        made = list(out.iterdir())
        assert [path.read_bytes() for path in made] in ([], [right.read_bytes()])
        outcomes.append(made != [])
    assert outcomes == sorted(
        outcomes
    )  # never before the last member that is copied, always after it
    assert set(outcomes) == {True, False}


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (os.utime, "it was written to"),
        (lambda path: os.truncate(path, path.stat().st_size + 1), "bytes, now"),
        (replaced, "another file has its name"),
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


@pytest.mark.parametrize("member", [NATIVE, "pkg/small.txt"])
def test_the_digest_of_an_input_is_that_of_what_was_verified(
    member: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fatwheel.json names the inputs by it, and the members were read before."""
    wheels = pair(tmp_path / "in")
    real = file_sha256

    def changed_first(file: RangeFile) -> str:
        if file.name == wheels[0].name:
            through_memory(wheels[0], data_of(wheels[0], member)[0])
        return real(file)

    monkeypatch.setattr("fatwheel.wheels.sharing.file_sha256", changed_first)
    with pytest.raises(ChangedError, match=f"^{wheels[0].name}: {member}: changed"):
        fuse_wheels(*wheels, tmp_path / "out", FuseOptions())
    assert not (tmp_path / "out").exists()


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    wheels = pair(tmp_path / "in")
    fused = fuse_wheels(*wheels, tmp_path / "out", FuseOptions()).path
    (report,) = (text for name, text in contents(fused).items() if name.endswith("/fatwheel.json"))
    said = {one["sha256"] for one in json.loads(report)["inputs"].values()}
    assert said == {hashlib.sha256(path.read_bytes()).hexdigest() for path in wheels}


def test_a_file_of_an_engine_is_written_as_it_was_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "made"
    made.write_bytes(universal(code(X, RANDOM), code(A, RANDOM)))
    real = scan_file

    def changed_afterwards(file: RangeFile, name: str) -> Any:
        found = real(file, name)
        through_memory(made, 400_000)
        return found

    class Engine:
        name = "made"

        def make(self, *_: object) -> AbstractContextManager[Mapping[str, Path]]:
            return nullcontext({NATIVE: made})

    monkeypatch.setattr("fatwheel.fusion.write.scan_file", changed_afterwards)
    with pytest.raises(ChangedError, match="changed while it was read"):
        fuse_wheels(*pair(tmp_path / "in"), tmp_path / "out", FuseOptions(engine=Engine()))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "pread"), reason="reads otherwise")
def test_an_input_that_cannot_be_read_any_more_is_named_and_not_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = pair(tmp_path / "in")

    def broken(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(OSError, match="Input/output error") as caught:
        fuse_with(
            monkeypatch,
            lambda: monkeypatch.setattr(os, "pread", broken),
            wheels,
            tmp_path / "out",
        )
    assert caught.value.filename in map(str, wheels)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "member", "how"),
    [
        (replaced, None, "another file has its name"),
        (
            lambda path: through_memory(path, sum(data_of(path, NATIVE)) - 1000),
            NATIVE,
            "its bytes are others now",
        ),
    ],
    ids=["replaced", "through memory"],
)
def test_check_reads_one_wheel_not_two(
    change: Callable[[Path], None],
    member: str | None,
    how: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wheel = fuse_wheels(*pair(tmp_path), tmp_path / "out", FuseOptions()).path
    monkeypatch.setattr(verdict, "wheel_package_problem", change)
    (finding,) = check_wheel(wheel)
    assert (finding.code, finding.member) == ("FW001", member)
    assert how in finding.message


@pytest.mark.skipif(
    sys.platform == "win32", reason="a file that is open cannot be written to there"
)
def test_half_of_an_input_zeroed_by_another_program(tmp_path: Path) -> None:
    """As it was found: zeroed in place once the output's unfinished file is there; real processes, ten tries.

    Not the end of it, where the small files lie that are read once more: they would give it away.
    """
    real = require_pair("pydantic-core")
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
            file.seek(size // 8)
            file.write(bytes(size // 2))
        _, said = process.communicate(timeout=120)
        codes.append(process.returncode)
        made = list(out.glob("*.whl"))
        if process.returncode:
            assert made == []
            assert wheels[1].name in said
            assert ".part" not in said
        else:  # it was faster
            assert not [f for f in check_wheel(made[0]) if f.severity.value == "error"]
    assert 1 in codes
