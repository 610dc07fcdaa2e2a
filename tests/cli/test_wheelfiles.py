"""Files, folders and patterns on a command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fatwheel.cli.wheelfiles import find_wheels
from fatwheel.errors import UsageError


def touch(folder: Path, *names: str) -> list[Path]:
    """Make empty files."""
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_arguments_are_files_and_folders(tmp_path: Path) -> None:
    one, two = touch(tmp_path / "d" / "deep", "b.whl", "a.whl")
    (three,) = touch(tmp_path, "z.whl")
    touch(tmp_path / "d", "notes.txt")
    (tmp_path / "d" / "folder.whl").mkdir()
    assert find_wheels([three, tmp_path / "d", one, three]) == (three, two, one)


def test_what_is_hidden_is_found_by_its_own_name_only(tmp_path: Path) -> None:
    (seen,) = touch(tmp_path / "d", "a.whl")
    (cached,) = touch(tmp_path / "d" / ".cache" / "deep", "a.whl")
    (double,) = touch(
        tmp_path / "d", "._a.whl"
    )  # macOS leaves such a file beside each on a foreign disk
    assert find_wheels([tmp_path / "d"]) == (seen,)
    assert find_wheels([tmp_path / "d" / ".cache"]) == (cached,)
    assert find_wheels([double]) == (double,)


def test_a_pattern_is_expanded_where_no_shell_did(tmp_path: Path) -> None:
    one, two = touch(tmp_path, "a-1.whl", "a-2.whl")
    (deep,) = touch(tmp_path / "a-d" / "e", "c.whl")
    touch(tmp_path, "b.whl", ".a.whl")
    assert find_wheels([tmp_path / "a-*"]) == (one, two, deep)
    assert find_wheels([tmp_path / "**" / "c.whl"]) == (deep,)


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path: Path) -> None:
    (odd,) = touch(tmp_path, "a[1].whl")
    touch(tmp_path, "a1.whl")
    assert find_wheels([odd]) == (odd,)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("empty", "the folder holds no wheels"),
        ("hidden", "the folder holds no wheels"),
        ("none", "there is no such file or folder"),
        ("*.none", "no file or folder matches this pattern"),
        ("dangling", "there is no such file or folder"),
    ],
)
def test_arguments_without_wheels(name: str, problem: str, tmp_path: Path) -> None:
    touch(tmp_path / "empty", "a.txt")
    touch(tmp_path / "hidden" / ".git", "a.whl")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=f"{problem}$|{problem} "):
        find_wheels([tmp_path / name])


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="whoever runs this may read all folders"
)
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    touch(tmp_path / "d", "a.whl")
    touch(tmp_path / "d" / "closed", "b.whl")
    (tmp_path / "d" / "closed").chmod(0)
    try:
        with pytest.raises(PermissionError, match="closed"):
            find_wheels([tmp_path / "d"])
    finally:
        (tmp_path / "d" / "closed").chmod(0o700)
