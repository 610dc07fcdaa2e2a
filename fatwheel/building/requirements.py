"""What a frontend must install before fatwheel can build (PEP 517, `get_requires_for_build_wheel`)."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from fatwheel.arch import Arch
from fatwheel.toolchain.host import Host
from fatwheel.toolchain.lookup import OLDEST_MATURIN
from fatwheel.toolchain.zig import VARIABLE as ZIG_VARIABLE

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["MATURIN", "build_requirements", "is_for_any_python", "needs_cffi"]

MATURIN = f"maturin>={OLDEST_MATURIN}"
"""The requirement for maturin."""


def build_requirements(host: Host, archs: Sequence[Arch]) -> list[str]:
    """Return what a build needs from PyPI besides fatwheel: zig only for a cross build that finds none."""
    has_zig = host.environ.get(ZIG_VARIABLE) or shutil.which(
        "zig", path=host.environ.get("PATH", "")
    )
    return [MATURIN] if host.is_macos or has_zig or not archs else [MATURIN, "ziglang"]


def needs_cffi(pyproject: str, cargo: str) -> bool:
    """Return whether maturin will make cffi bindings, by the texts of pyproject.toml and Cargo.toml.

    As it chooses where `[tool.maturin] bindings` is not set: for a cdylib that depends on no other bindings.
    """
    try:
        settings, crate = tomllib.loads(pyproject), tomllib.loads(cargo)
    except (ValueError, RecursionError):
        return False  # maturin will say what is wrong
    bindings = _at(settings, "tool", "maturin").get("bindings")
    if isinstance(bindings, str):
        return bindings == "cffi"
    kinds = _at(crate, "lib").get("crate-type", [])
    others = {"pyo3", "pyo3-ffi", "uniffi", "rust-cpython"}
    return "cdylib" in kinds and not _packages(crate) & others


def is_for_any_python(pyproject: str, cargo: str) -> bool:
    """Return whether the wheel is for any Python 3, as a program's is; maturin needs no version then."""
    try:
        settings, crate = tomllib.loads(pyproject), tomllib.loads(cargo)
    except (ValueError, RecursionError):
        return False  # maturin will say what is wrong
    bindings = _at(settings, "tool", "maturin").get("bindings")
    if isinstance(bindings, str):
        return bindings in {"bin", "cffi", "uniffi"}
    return "package" in crate and not _packages(crate) & {"pyo3", "pyo3-ffi", "rust-cpython"}


def _packages(crate: Mapping[str, Any]) -> set[object]:
    dependencies = _at(crate, "dependencies")
    return {_at(dependencies, key).get("package", key) for key in dependencies}


def _at(table: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        inner = table.get(key)
        table = inner if isinstance(inner, dict) else {}
    return table
