"""Files appear under their name when they are complete, or not at all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from fatwheel.atomic import new_file
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
from fatwheel.atomic import new_file
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
