"""zig, which off macOS compiles C for Apple's targets and brings a stub of libSystem."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from fatwheel.toolchain.host import Look, Missing, Search

__all__ = ["VARIABLE", "find_zig", "libsystem_stub", "need_zig", "zig_variables"]

VARIABLE = "CARGO_ZIGBUILD_ZIG_PATH"
"""The environment variable that names zig's program to maturin."""


def find_zig(look: Look) -> Path | None:
    """Return the program: as the variable names it, of PyPI's ziglang, or on PATH."""
    return next((path for path in _places(look) if path.is_file()), None)


def _places(look: Look) -> Iterator[Path]:
    host = look.host
    named = host.environ.get(VARIABLE)
    if named:
        yield Path(named)
    if host.ziglang is not None:
        yield host.ziglang / ("zig.exe" if host.platform == "win32" else "zig")
    on_path = look.which("zig")
    if on_path is not None:
        yield on_path.resolve()


def zig_variables(zig: Path, cache: Path) -> tuple[tuple[str, str], ...]:
    """Return the environment variables by which maturin takes this very program.

    Before the one that is named, it would ask the `python3` on PATH for `-m ziglang`, in the project's folder: another
    zig than was looked at, or a file of the project's. A Python that is nowhere is not asked. Its scripts around zig
    lie in fatwheel's own `cache`: in everybody's, another build may write the same files for another zig meanwhile.
    """
    return (
        (VARIABLE, str(zig)),
        ("CARGO_ZIGBUILD_PYTHON_PATH", "/nowhere/python"),
        ("CARGO_ZIGBUILD_CACHE_DIR", str(cache / "zigbuild")),
    )


def need_zig(look: Look) -> Search[Path | None]:
    """Look for the program."""
    zig = find_zig(look)
    if zig is None:
        yield Missing(
            what="zig, which compiles C and brings libSystem's stub",
            how=f"{look.host.python} -m pip install 'fatwheel[zig]'",
        )
    return zig


def libsystem_stub(look: Look, zig: Path) -> Search[str | None]:
    """Look for the text of zig's stub; zig says where its files are when they are not beside it."""
    beside = zig.parent / "lib"
    if not beside.is_dir():
        match = re.search(r'\.?"?lib_dir"?\s*[:=]\s*"([^"]+)"', look.answer(str(zig), "env"))
        beside = Path(match[1]) if match else beside
    stub = beside / "libc" / "darwin" / "libSystem.tbd"
    if not stub.is_file():
        yield Missing(
            what=f"zig's stub of libSystem ({stub})",
            how=f"{look.host.python} -m pip install --upgrade ziglang",
        )
        return None
    return stub.read_text("utf-8")
