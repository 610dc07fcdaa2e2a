"""Files, folders and apps: what is found in them, and what cannot be read."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.errors import WheelError
from fatwheel.inspection.facts import Group
from fatwheel.inspection.folders import inspect_path
from fatwheel.inspection.inspection import lacking
from tests.support.wheels import (
    NATIVE,
    A,
    X,
    code,
    contents,
    dylib,
    make_wheel,
    program,
    static,
    stub,
    universal,
)

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes of POSIX")
FAT = universal(code(X), code(A))


def fill(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def unpack(folder: Path, *wheels: Path) -> Path:
    for wheel in wheels:
        fill(folder, contents(wheel))
    return folder


@pytest.mark.parametrize(
    ("name", "data", "kind", "arches"),
    [
        ("a.so", FAT, "bundle", {X, A}),
        ("liba.a", static(A), "static library", {A}),
        ("liba.a", universal(static(X), static(A), align=3), "static library", {X, A}),
        ("tool", program(X), "program", {X}),
        ("a.tbd", stub("arm64-macos"), "text stub", set()),
    ],
)
def test_a_file(name: str, data: bytes, kind: str, arches: set[Arch], tmp_path: Path) -> None:
    found = inspect_path(fill(tmp_path, {name: data}) / name)
    (file,) = found.files
    assert (found.kind, found.size, found.count) == ("file", len(data), 1)
    assert (file.path, file.kind, file.packed) == (name, kind, None)
    assert file.arches == arches


@pytest.mark.parametrize("data", [b"", b"text", b"\xca\xfe\xba\xbe\0\0\0\x34class", b"\x7fELF" * 9])
def test_a_file_without_code(data: bytes, tmp_path: Path) -> None:
    found = inspect_path(fill(tmp_path, {"a": data}) / "a")
    assert (found.files, found.held, found.size) == ((), (), len(data))


def test_a_cut_file_says_what_is_wrong(tmp_path: Path) -> None:
    found = inspect_path(fill(tmp_path, {"a.so": FAT[:-3000]}) / "a.so")
    (file,) = found.files
    assert file.problem is not None
    assert (file.slices, found.problems) == ((), ())


def test_site_packages_are_told_by_project(tmp_path: Path) -> None:
    thin = make_wheel(tmp_path, "macosx_11_0_arm64", {NATIVE: code(A), "pkg/a.py": b"a"})
    fat = make_wheel(
        tmp_path, "macosx_10_13_universal2", {"other/n.so": FAT, "beside.so": FAT}, name="other"
    )
    folder = unpack(tmp_path / "sp", thin, fat)
    fill(folder, {"loose/m.so": code(X), "pure/a.py": b"", ".hidden/h.so": code(X)})
    found = inspect_path(folder)
    told = {one.name: (one.version, one.platforms, one.files) for one in found.projects}
    assert told == {
        "pkg": ("1.0", ("macosx_11_0_arm64",), (NATIVE,)),
        "other": ("1.0", ("macosx_10_13_universal2",), ("beside.so", "other/n.so")),
        "loose": (None, (), ("loose/m.so",)),
        "pure": (None, (), ()),
        ".hidden": (None, (), (".hidden/h.so",)),
    }
    assert sum(one.size for one in found.projects) == found.size
    assert [file.path for file, _ in lacking(found, (X, A))] == [
        ".hidden/h.so",
        "loose/m.so",
        NATIVE,
    ]


def test_an_installed_record_climbs_to_scripts(tmp_path: Path) -> None:
    folder = fill(
        tmp_path / "lib/python3.12/site-packages",
        {
            "pkg/n.so": FAT,
            "pkg-1.0.dist-info/RECORD": b"../../../bin/tool,,\n/etc/x,,\npkg/n.so,,\n",
        },
    )
    (one,) = inspect_path(folder).projects
    assert (one.name, one.platforms) == ("pkg", ())
    assert one.members == ("pkg-1.0.dist-info/RECORD", "pkg/n.so")


def test_an_app(tmp_path: Path) -> None:
    loads = ["@executable_path/../Frameworks/libb.dylib"]
    app = fill(
        tmp_path / "My.app",
        {
            "Contents/MacOS/My": program(A),
            "Contents/Frameworks/libb.dylib": dylib(A),
            "Contents/Resources/lib/python3.12/pkg/n.so": code(A, loads=loads),
            "Contents/Resources/lib/python3.12/lib-dynload/m.so": code(A),
        },
    )
    found = inspect_path(app)
    assert found.kind == "app"
    assert {one.name for one in found.projects} == {
        "Contents/MacOS",
        "Contents/Frameworks",
        "Contents/Resources/lib/python3.12/lib-dynload",
        "pkg",
    }
    by_path = {file.path: file for file in found.files}
    (load,) = by_path["Contents/Resources/lib/python3.12/pkg/n.so"].slices[0].loads
    assert (load.group, load.targets) == (Group.INSIDE, ("Contents/Frameworks/libb.dylib",))


@POSIX
def test_links_are_not_followed(tmp_path: Path) -> None:
    fill(tmp_path / "out", {"o.so": code(A)})
    folder = fill(tmp_path / "in", {"a.so": FAT})
    (folder / "o.so").symlink_to(tmp_path / "out/o.so")
    (folder / "out").symlink_to(tmp_path / "out")
    (folder / "loop").symlink_to(folder)
    (folder / "gone").symlink_to("nowhere")
    found = inspect_path(folder)
    assert ([file.path for file in found.files], found.links) == (["a.so"], 4)
    (tmp_path / "link").symlink_to(folder)  # but what was asked for is
    assert [file.path for file in inspect_path(tmp_path / "link").files] == ["a.so"]


@POSIX
def test_what_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"a.so": FAT, "bad.so": code(A)[:100], "s/b.so": FAT})
    os.mkfifo(folder / "pipe")
    (folder / "s/b.so").chmod(0)
    closed = folder / "closed"
    closed.mkdir(mode=0)
    found = inspect_path(folder)
    expected = {"pipe: is no regular file"}
    if os.geteuid():  # root reads all
        expected |= {"s/b.so: Permission denied", "closed: Permission denied"}
    assert set(found.problems) == expected
    assert {file.path for file in found.files if file.problem} == {"bad.so"}
    closed.chmod(0o700)


@POSIX
def test_a_file_that_vanishes_or_cannot_be_opened_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path, {"a.so": FAT, "b.so": FAT})
    opened = os.open

    def failing(path: str | os.PathLike[str], *args: int, **options: int) -> int:
        if os.fspath(path).endswith("b.so"):
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *args, **options)

    monkeypatch.setattr(os, "open", failing)
    found = inspect_path(folder)
    if not found.problems:  # opened in another way
        pytest.fail("the reader opens files in a way that this test does not reach")
    assert found.problems == ("b.so: Permission denied",)
    assert [file.path for file in found.files] == ["a.so"]


@POSIX
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WheelError, match=r"^pipe: is not a regular file"):
        inspect_path(tmp_path / "pipe")


def test_code_that_costs_too_much_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fatwheel.wheels.effort._LEAST", -100_000)
    found = inspect_path(fill(tmp_path, {"a.so": FAT, "b.a": static(A) + bytes(100), "c": b"text"}))
    assert [problem.partition(": ")[0] for problem in found.problems] == ["a.so", "b.a"]
    assert "more load commands" in found.problems[0]


def test_wheels_in_a_folder_are_counted(tmp_path: Path) -> None:
    make_wheel(tmp_path, "macosx_11_0_arm64", {NATIVE: code(A)})
    found = inspect_path(tmp_path)
    assert (found.wheels, found.files) == (1, ())
