"""What a frontend installs before a build."""

from __future__ import annotations

from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.building.requirements import build_requirements, is_for_any_python, needs_cffi
from fatwheel.toolchain.host import Host
from tests.support.projects import CDYLIB
from tests.support.wheels import A, X


@pytest.mark.parametrize(
    ("platform", "environ", "archs", "needed"),
    [
        ("linux", {}, (X, A), ["maturin>=1.9", "ziglang"]),
        ("win32", {}, (A,), ["maturin>=1.9", "ziglang"]),
        ("darwin", {}, (X, A), ["maturin>=1.9"]),
        ("linux", {}, (), ["maturin>=1.9"]),
        ("linux", {"CARGO_ZIGBUILD_ZIG_PATH": "/zig"}, (A,), ["maturin>=1.9"]),
    ],
    ids=["cross", "cross on Windows", "on a Mac", "no macOS", "zig is there"],
)
def test_zig_is_required_only_where_it_is_needed(
    platform: str, environ: dict[str, str], archs: tuple[Arch, ...], needed: list[str]
) -> None:
    host = Host(platform=platform, environ=environ, python="", ziglang=None, cache=Path())
    assert build_requirements(host, archs) == needed


@pytest.mark.parametrize(
    ("pyproject", "cargo", "needed"),
    [
        ('[tool.maturin]\nbindings = "cffi"', "", True),
        ('[tool.maturin]\nbindings = "bin"', CDYLIB, False),
        ("", CDYLIB, True),
        ("", CDYLIB + '[dependencies]\npyo3 = "1"', False),
        ("", CDYLIB + '[dependencies]\npy = { package = "pyo3", version = "1" }', False),
        ("", "[package]", False),
        ("", "no toml", False),
    ],
    ids=["said", "others", "found", "pyo3", "pyo3 renamed", "program", "broken"],
)
def test_cffi_is_required_where_maturin_will_need_it(
    pyproject: str, cargo: str, needed: bool
) -> None:
    assert needs_cffi(pyproject, cargo) is needed


@pytest.mark.parametrize(
    ("pyproject", "cargo", "expected"),
    [
        ('[tool.maturin]\nbindings = "bin"', "", True),
        ('[tool.maturin]\nbindings = "pyo3"', "[package]\n", False),
        ("", "[package]\n[dependencies]\nlibc = '1'", True),
        ("", "[package]\n[dependencies]\npyo3 = '1'", False),
        ("", "[package]\n[dependencies]\np = { package = 'pyo3', version = '1' }", False),
        ("", "[workspace]\n", False),
        ("no toml [", "", False),
    ],
)
def test_wheels_for_any_python(pyproject: str, cargo: str, expected: bool) -> None:
    assert is_for_any_python(pyproject, cargo) is expected
