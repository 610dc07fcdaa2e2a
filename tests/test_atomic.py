"""Files appear under their name when they are complete, or not at all."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from fatwheel import atomic
from fatwheel.atomic import new_file, written_back
from fatwheel.errors import OutputExistsError
from tests.support.corpus import ROOT


def write(target: Path, *, replace: bool = False, then: Callable[[BinaryIO], object] = id) -> None:
    """Write a new file, and do something else before it is complete."""
    with new_file(target, replace=replace) as file:
        file.write(b"new")
        then(file)


def failing(error: BaseException) -> Callable[[object], None]:
    def fail(_: object) -> None:
        raise error

    return fail


def test_nothing_is_there_before_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.whl"
    with new_file(target, replace=False) as file:
        file.write(b"new")
        assert not target.exists()
        (part,) = tmp_path.iterdir()
        assert re.fullmatch(r"\.fatwheel-[0-9a-f]{16}\.part", part.name)
        file.seek(0)
        assert file.read() == b"new"
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, OSError])
@pytest.mark.parametrize("old", [None, b"old"], ids=["no file", "an old file"])
def test_after_a_failure_nothing_has_changed(
    error: type[BaseException], old: bytes | None, tmp_path: Path
) -> None:
    target = tmp_path / "a.whl"
    if old is not None:
        target.write_bytes(old)
    with pytest.raises(error, match="why"):
        write(target, replace=True, then=failing(error("why")))
    assert [path.name for path in tmp_path.iterdir()] == ([] if old is None else ["a.whl"])
    assert old is None or target.read_bytes() == old


def test_an_old_file_is_replaced_on_demand_only(tmp_path: Path) -> None:
    target = tmp_path / "a.whl"
    target.write_bytes(b"old")
    with pytest.raises(
        OutputExistsError, match=r"a\.whl exists; replace it with --force, or write"
    ):
        write(target)
    assert target.read_bytes() == b"old"
    write(target, replace=True)
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_came_up_in_the_meantime_stays(tmp_path: Path) -> None:
    target = tmp_path / "a.whl"
    with pytest.raises(OutputExistsError, match="exists"):
        write(target, then=lambda _: target.write_bytes(b"theirs"))
    assert target.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(os.name != "posix", reason="symbolic links need rights on Windows")
@pytest.mark.parametrize("replace", [False, True])
def test_a_link_that_leads_nowhere_is_a_name_that_is_taken(replace: bool, tmp_path: Path) -> None:
    target, elsewhere = tmp_path / "a.whl", tmp_path / "elsewhere"
    target.symlink_to(elsewhere)
    if replace:
        write(target, replace=True)
        assert not target.is_symlink()
    else:
        with pytest.raises(OutputExistsError, match="exists"):
            write(target)
    assert not elsewhere.exists()


@pytest.mark.parametrize("taken", [True, False])
def test_a_file_system_without_hard_links(
    taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    target = tmp_path / "a.whl"
    if not taken:
        write(target)
        assert target.read_bytes() == b"new"
        return
    with pytest.raises(OutputExistsError, match="exists"):
        write(target, then=lambda _: target.write_bytes(b"theirs"))
    assert target.read_bytes() == b"theirs"


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a.whl").mkdir()
    with pytest.raises(OutputExistsError, match="exists"):
        write(tmp_path / "a.whl")
    with pytest.raises(OSError, match=r"a\.whl"):
        write(tmp_path / "a.whl", replace=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.whl"]


def test_a_missing_folder_is_named_and_not_the_partial_file(tmp_path: Path) -> None:
    target = tmp_path / "none" / "a.whl"
    with pytest.raises(FileNotFoundError, match="No such file") as caught:
        write(target)
    assert caught.value.filename == str(target)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_names_the_target(tmp_path: Path) -> None:
    def fill(file: BinaryIO) -> None:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, file.fileno())
        os.close(full)
        file.write(b"x" * 100_000)

    target = tmp_path / "a.whl"
    with pytest.raises(OSError, match="No space left") as caught:
        write(target, then=fill)
    assert caught.value.filename == str(target)
    assert list(tmp_path.iterdir()) == []


ORPHAN = """\
import os, sys, time
from pathlib import Path
from fatwheel import atomic
from fatwheel.atomic import new_file, written_back
with new_file(Path(sys.argv[1]), replace=True) as file:
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_what_a_killed_writer_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    words = [sys.executable, "-c", ORPHAN, str(tmp_path / "a.whl")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        (part,) = tmp_path.glob(".fatwheel-*.part")
        write(tmp_path / "b.whl")
        assert part.exists()  # its writer lives
        writer.kill()
    assert part.exists()
    write(tmp_path / "c.whl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.whl", "c.whl"]


def part_of(kernel: str, folder: Path, age: float = 0) -> Path:
    """An unfinished file that nobody has locked."""
    part = folder / f".fatwheel-{kernel}00000000.part"
    part.write_bytes(b"half")
    then = time.time() - age
    os.utime(part, (then, then))
    return part


@pytest.mark.parametrize(
    ("ours", "hours", "stays"),
    [(True, 0, False), (False, 0, True), (False, 23, True), (False, 25, False)],
    ids=["of this kernel", "of another machine", "of yesterday", "of the day before"],
)
def test_whose_unfinished_files_are_removed(
    ours: bool, hours: float, stays: bool, tmp_path: Path
) -> None:
    """Another machine's locks may not be seen on a shared disk, so its files have a day."""
    kernel = atomic._kernel() if ours else "0123abcd"
    part = part_of(kernel, tmp_path, hours * 3600)
    write(tmp_path / "a.whl")
    assert part.exists() == stays


def test_without_locks_only_age_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows removes no file that is open; one that was closed to get its name is not open."""
    monkeypatch.setattr(atomic, "_LOCKS", False)
    part = part_of(atomic._kernel(), tmp_path)
    write(tmp_path / "a.whl")
    assert part.exists()
    part_of(atomic._kernel(), tmp_path, 25 * 3600)
    write(tmp_path / "b.whl")
    assert not part.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_what_only_looks_like_an_unfinished_file_stays(tmp_path: Path) -> None:
    names = [tmp_path / f".fatwheel-{atomic._kernel()}{n}.part" for n in range(3)]
    kept = tmp_path / "kept"
    kept.write_bytes(b"mine")
    os.mkfifo(names[0])
    names[1].symlink_to(kept)
    names[2].mkdir()
    write(tmp_path / "a.whl")
    assert all(name.is_symlink() or name.exists() for name in names)
    assert kept.read_bytes() == b"mine"


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("what", ["removed", "replaced"])
def test_the_name_is_given_to_what_was_written_and_nothing_else(
    replace: bool, what: str, tmp_path: Path
) -> None:
    target = tmp_path / "a.whl"

    def interfere(file: BinaryIO) -> None:
        Path(file.name).unlink()
        if what == "replaced":
            Path(file.name).write_bytes(b"theirs")

    with pytest.raises(OSError, match="somebody removed or replaced it before") as caught:
        write(target, replace=replace, then=interfere)
    assert caught.value.filename == str(target)
    assert list(tmp_path.iterdir()) == []


def test_many_writers_in_one_folder_leave_each_other_alone(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as executor:
        list(executor.map(lambda n: write(tmp_path / f"{n}.whl"), range(200)))
    assert len(list(tmp_path.iterdir())) == 200


def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[list[str]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(sorted(path.suffix for path in tmp_path.iterdir()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write(tmp_path / "a.whl")
    assert synced[0] == [".part"]
    assert all(".whl" in names for names in synced[1:])
    with new_file(tmp_path / "b.whl", replace=False, durable=False) as file:
        file.write(b"new")
    assert len(synced) <= 2


def test_the_disk_writes_while_the_file_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, looked_at = threading.Event(), threading.Event()

    def fsync(_: int) -> None:
        begun.set()
        assert looked_at.wait(60)

    with new_file(tmp_path / "a.whl", replace=False) as file:
        file.write(b"new")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            with written_back(file):
                assert begun.wait(60)
                assert Path(file.name).read_bytes() == b"new"
                looked_at.set()
        with written_back(file, durable=False):
            assert "fatwheel-written-back" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(
    ("block", "said"), [(None, "[Errno 5]"), (ValueError("is not right"), "is not right")]
)
def test_a_disk_that_fails_meanwhile_is_told_of_unless_the_file_is_wrong(
    block: Exception | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [OSError(errno.EIO, os.strerror(errno.EIO))]  # Linux tells of one once

    def fsync(_: int) -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(os, "fsync", fsync)

    def look(file: BinaryIO) -> None:
        with written_back(file):
            if block is not None:
                raise block

    with pytest.raises((OSError, ValueError), match=re.escape(said)) as caught:
        write(tmp_path / "a.whl", then=look)
    if block is None:
        assert str(tmp_path / "a.whl") in str(caught.value)
    assert not list(tmp_path.iterdir())
