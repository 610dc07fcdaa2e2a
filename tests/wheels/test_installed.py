"""Where members land, as an installer puts them there, and which cannot lie side by side."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fatwheel.wheels.installed import collisions, describe, installed_path, scheme_of
from tests.support.wheels import make_wheel


@pytest.mark.parametrize(
    ("member", "path"),
    [
        ("pkg/a.py", "pkg/a.py"),
        ("pkg-1.0.data/purelib/pkg/a.py", "pkg/a.py"),
        ("pkg-1.0.data/platlib/a.so", "a.so"),
        ("pkg-1.0.data/scripts/tool", "../../../bin/tool"),
        ("pkg-1.0.data/data/share/x", "../../../share/x"),
        ("pkg-1.0.data/data/bin/tool", "../../../bin/tool"),
        ("pkg-1.0.data/headers/sub/x.h", "../../../include/site/python/pkg/sub/x.h"),
        ("My_Pkg-1.0.data/headers/x.h", "../../../include/site/python/my-pkg/x.h"),
        (
            "my_pkg-1.0.data/data/include/site/python3.12/my.pkg/x.h",
            "../../../include/site/python/my-pkg/x.h",
        ),
        (
            "my_pkg-1.0.data/data/include/python3.12/My-Pkg/x.h",
            "../../../include/site/python/my-pkg/x.h",
        ),
        ("pkg-1.0.data/data/include/x.h", "../../../include/x.h"),
        ("pkg-1.0.data/data/lib/python3.12/site-packages/pkg/a.py", "pkg/a.py"),
        ("pkg-1.0.data/data/lib/python3.14t/site-packages/a.py", "a.py"),
        ("pkg-1.0.data/data/lib/python/site-packages/a.py", "a.py"),
        ("pkg-1.0.data/data/lib/python2.7/x.py", "../../../lib/python2.7/x.py"),
        ("pkg-1.0.data/other/x", "pkg-1.0.data/other/x"),
        ("pkg-1.0.data/purelib", "pkg-1.0.data/purelib"),
        ("pkg/x.data/purelib/a.py", "pkg/x.data/purelib/a.py"),
        ("x.data", "x.data"),
    ],
)
def test_where_a_member_lands(member: str, path: str) -> None:
    assert installed_path(member) == path


def test_an_installer_puts_members_there(tmp_path: Path) -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    members = [
        "pkg/a.txt",
        "pkg-1.0.data/purelib/pkg/b.txt",
        "pkg-1.0.data/platlib/c.txt",
        "pkg-1.0.data/scripts/tool",
        "pkg-1.0.data/headers/sub/x.h",
        "pkg-1.0.data/data/share/d.txt",
        f"pkg-1.0.data/data/lib/python{python}/site-packages/pkg/e.txt",
        f"pkg-1.0.data/data/include/site/python{python}/pkg/y.h",
    ]
    files = {name: name.encode() for name in members}
    wheel = make_wheel(tmp_path, "any", files, python="py3", abi="none")
    prefix = tmp_path / "prefix"
    uv = [sys.executable, "-m", "uv", "--offline", "--no-cache", "-q"]
    commands = [["venv", "-p", sys.executable, prefix], ["pip", "install", "-p", prefix, wheel]]
    for command in commands:
        subprocess.run(
            [*uv, *map(str, command)], check=True, env={**os.environ, "UV_NO_CONFIG": "1"}
        )
    site = prefix / "lib" / f"python{python}" / "site-packages"
    for name in members:
        landed = os.path.normpath(site / installed_path(name))
        landed = landed.replace("/site/python/", f"/site/python{python}/")
        assert Path(landed).read_text() == name


@pytest.mark.parametrize(
    ("member", "scheme"),
    [
        ("pkg/a.py", None),
        ("pkg/x.data/purelib/a.py", None),
        ("pkg-1.0.data/purelib/a.py", "purelib"),
        ("pkg-1.0.data/Purelib/a.py", "Purelib"),
        ("pkg-1.0.data/purelib", ""),
        ("x.data", None),
    ],
)
def test_schemes(member: str, scheme: str | None) -> None:
    assert scheme_of(member) == scheme


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        (
            ["pkg-1.0.data/purelib/pkg/D.txt", "pkg/d.txt"],
            "pkg/d.txt is the same file as pkg-1.0.data/purelib/pkg/D.txt on macOS once both are installed",
        ),
        (
            ["pkg/d.txt", "pkg-1.0.data/platlib/pkg/d.txt"],
            "pkg-1.0.data/platlib/pkg/d.txt is installed in the same place as pkg/d.txt",
        ),
        (
            ["pkg-1.0.data/purelib/pkg/E", "pkg/e/e.txt"],
            "pkg-1.0.data/purelib/pkg/E is installed as a file where pkg/e/e.txt needs a folder",
        ),
        (
            ["pkg/\xe9/a", "pkg-1.0.data/purelib/PKG/E\u0301"],
            "pkg-1.0.data/purelib/PKG/E\u0301 is installed as a file where pkg/\xe9/a needs a folder",
        ),
        (
            ["pkg-1.0.data/scripts/x", "pkg-1.0.data/data/bin/X"],
            "pkg-1.0.data/data/bin/X is the same file as pkg-1.0.data/scripts/x on macOS",
        ),
        (
            ["pkg-1.0.data/headers/x.h", "pkg-1.0.data/data/include/site/python3.12/Pkg/x.h"],
            "is installed in the same place as pkg-1.0.data/headers/x.h",
        ),
        (
            ["pkg/a", "pkg-1.0.data/data/lib/python3.12/site-packages/pkg/a/b"],
            "pkg/a is installed as a file where pkg-1.0.data/data/lib/python3.12/site-packages/pkg/a/b",
        ),
        (
            ["pkg-1.0.data/data/lib", "pkg-1.0.data/data/Lib/a"],
            "pkg-1.0.data/data/lib is installed as a file where pkg-1.0.data/data/Lib/a needs a folder",
        ),
    ],
)
def test_members_that_cannot_lie_side_by_side(members: list[str], problem: str) -> None:
    (found,) = collisions(members)
    assert problem in f"{found.member} {describe(found)}"


def test_several_at_one_place_are_named_once_each() -> None:
    members = ["a", "x.data/purelib/a", "x.data/platlib/A", "x.data/purelib/a.b", "a/b", "a/c"]
    found = [(one.member, one.other, one.kind) for one in collisions(members)]
    assert found == [
        ("x.data/purelib/a", "a", "same path"),
        ("x.data/platlib/A", "a", "same file"),
        ("a", "a/b", "file and folder"),
    ]


@pytest.mark.parametrize(
    "members",
    [
        [],
        ["pkg/a", "pkg/b", "Pkg/c", "pkg-1.0.data/purelib/PKG/d"],
        ["pkg/a", "pkg-1.0.data/data/pkg/a", "pkg-1.0.data/scripts/a", "pkg-1.0.data/headers/a"],
        ["pkg/a", "pkg/a.b", "pkg/ab/c", "pkg-1.0.data/purelib/pkg/a-b/c"],
        # Two Pythons have a site-packages each.
        [f"x.data/data/lib/python3.{minor}/site-packages/a" for minor in (11, 12)],
    ],
    ids=["none", "folders", "schemes", "prefixes", "Pythons"],
)
def test_members_that_lie_side_by_side(members: list[str]) -> None:
    assert list(collisions(members)) == []


def test_of_several_pythons_each_is_looked_at() -> None:
    members = [f"x.data/data/lib/python3.{minor}/site-packages/a" for minor in (11, 12)]
    assert [one.member for one in collisions(["a", *members])] == members
