"""What keeps build scripts from the libraries of the machine that builds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fatwheel.toolchain.probes import cmake_variables, pkg_config_variables, write_cmake
from tests.support.wheels import A, X

REFUSED = {"PKG_CONFIG_SYSROOT_DIR": "", "PKG_CONFIG_ALLOW_CROSS": "0"}
NO_PREFIX = {"PKG_CONFIG_SYSROOT_DIR": ""}


@pytest.mark.parametrize(
    ("environ", "own", "expected"),
    [
        ({}, (), REFUSED),
        # set up for this machine
        ({"PKG_CONFIG_PATH": "/opt/lib/pkgconfig", "PKG_CONFIG": "pkgconf"}, (), REFUSED),
        ({"PKG_CONFIG_LIBDIR_x86_64_unknown_linux_gnu": "/x"}, (), REFUSED),
        ({"PKG_CONFIG_LIBDIR_x86_64_apple_darwin": "/x"}, (), REFUSED),  # the other target's
        ({"PKG_CONFIG_ALLOW_CROSS": ""}, (), REFUSED),
        # set up for macOS
        ({"PKG_CONFIG_SYSROOT_DIR": "/macos"}, (), {}),
        ({"PKG_CONFIG_ALLOW_CROSS": "1"}, (), NO_PREFIX),
        ({"PKG_CONFIG_LIBDIR_aarch64_apple_darwin": "/macos"}, (), NO_PREFIX),
        ({"PKG_CONFIG_aarch64-apple-darwin": "own-pkg-config"}, (), NO_PREFIX),
        ({"TARGET_PKG_CONFIG_PATH": "/macos"}, (), NO_PREFIX),
        ({}, ("PKG_CONFIG_LIBDIR",), NO_PREFIX),
        ({}, ("PKG_CONFIG_SYSROOT_DIR", "OTHER"), {}),
        ({}, ("OTHER",), REFUSED),
    ],
)
def test_pkg_config(
    environ: dict[str, str], own: tuple[str, ...], expected: dict[str, str]
) -> None:
    assert pkg_config_variables(A, environ, own) == expected


@pytest.mark.parametrize(
    "name", ["CMAKE", "TARGET_CMAKE", "CMAKE_x86_64_apple_darwin", "CMAKE_x86_64-apple-darwin"]
)
def test_a_cmake_of_ones_own_stays(name: str, tmp_path: Path) -> None:
    assert cmake_variables(X, {name: "/opt/cmake"}, tmp_path, "/stubs") == ()


def test_cmake(tmp_path: Path) -> None:
    variables = dict(cmake_variables(X, {}, tmp_path, "/stubs"))
    program = str(write_cmake(tmp_path))
    assert variables == {"CMAKE_x86_64_apple_darwin": program, "FATWHEEL_CMAKE_ROOT": "/stubs"}


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
@pytest.mark.parametrize(
    ("words", "allow", "expected"),
    [
        (["c", "-DX=a b"], "0", ["/nowhere", "-DCMAKE_FIND_ROOT_PATH=/st ubs", "c", "-DX=a b"]),
        (["c"], "1", ["/own", "-DCMAKE_FIND_ROOT_PATH=/st ubs", "c"]),
        (["--build", "."], "0", ["/own", "--build", "."]),
        (["--version"], "0", ["/own", "--version"]),
        (["-E", "env"], "0", ["/own", "-E", "env"]),
    ],
)
def test_what_cmake_is_told(
    words: list[str], allow: str, expected: list[str], tmp_path: Path
) -> None:
    fake = tmp_path / "bin" / "cmake"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$PKG_CONFIG_LIBDIR" "$@"\n')
    fake.chmod(0o755)
    environ = {
        "PATH": f"{fake.parent}:{os.environ['PATH']}",
        "FATWHEEL_CMAKE_ROOT": "/st ubs",
        "PKG_CONFIG_LIBDIR": "/own",
        "PKG_CONFIG_ALLOW_CROSS": allow,
    }
    done = subprocess.run(
        [write_cmake(tmp_path), *words], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == expected
