"""The machine and the project that fatwheel runs in, read once at the edge and handed down as values."""

from __future__ import annotations

import importlib.util
import os
import shutil
import site
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fatwheel.building.project import Project, parse_project
from fatwheel.cli.pulse import ROOM
from fatwheel.cli.terminal import is_live, wants_colour
from fatwheel.config import read_pyproject
from fatwheel.targets.interpreter import RunningPython
from fatwheel.toolchain.host import Host

__all__ = ["cache_folder", "read_project", "running_python", "terminal_settings", "this_host"]


def read_project(folder: Path, manifest: Path | None = None) -> Project:
    """Read the pyproject.toml that maturin reads, too: beside `manifest` (Cargo.toml), else in `folder`.

    Raises `UsageError` for what is no TOML and for settings that are none.
    """
    beside = manifest.parent if manifest is not None else folder
    if not (beside / "pyproject.toml").exists():
        beside = folder
    path = beside / "pyproject.toml"
    name = str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
    return parse_project(read_pyproject(path), path, name)


def running_python(executable: str = sys.executable) -> RunningPython:
    """Return the Python that runs; its program is looked for beside `executable`."""
    running = RunningPython(
        implementation=sys.implementation.name,
        version=(sys.version_info[0], sys.version_info[1]),
        free_threaded="t" in getattr(sys, "abiflags", ""),
    )
    folder = Path(executable).parent
    return replace(running, folder=folder) if (folder / running.program).exists() else running


def this_host(environ: Mapping[str, str]) -> Host:
    """Return this machine, whose programs get `environ`."""
    spec = importlib.util.find_spec("ziglang")
    origin = spec.origin if spec is not None else None
    return Host(
        platform=sys.platform,
        environ=environ,
        python=sys.executable,
        ziglang=Path(origin).parent if origin else None,
        cache=cache_folder(environ),
        maturin=_maturin_elsewhere(environ),
    )


def _maturin_elsewhere(environ: Mapping[str, str]) -> str | None:
    """Return the program of a maturin that an isolated Python does not find: the user's own, or on PYTHONPATH."""
    spec = importlib.util.find_spec("maturin")
    if spec is None or spec.origin is None:
        return None
    places = [*environ.get("PYTHONPATH", "").split(os.pathsep), site.getusersitepackages()]
    folder = Path(spec.origin).parents[1]
    if folder not in [Path(place) for place in places if place]:
        return None
    from importlib.metadata import distribution

    files = distribution("maturin").files or ()
    programs = [file for file in files if file.parent.name in ("bin", "Scripts")]
    return str(programs[0].locate()) if programs else None


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder for what fatwheel makes once."""
    home = Path.home()
    if sys.platform == "darwin":
        base = home / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    else:
        base = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "fatwheel"


def terminal_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what makes cargo, which writes into a pipe, look as it does on a terminal.

    Left alone, cargo writes no colours and no progress bar into a pipe. Its own variables win where they are set.
    """
    settings = {}
    if wants_colour(environ, sys.stderr):
        settings["CARGO_TERM_COLOR"] = "always"
    elif environ.get("NO_COLOR"):
        settings["CARGO_TERM_COLOR"] = "never"  # its configuration file may say "always"
    if is_live(environ, sys.stderr):
        settings["CARGO_TERM_PROGRESS_WHEN"] = "always"
        columns = shutil.get_terminal_size().columns
        settings["CARGO_TERM_PROGRESS_WIDTH"] = str(max(columns - ROOM, 1))
    return {name: value for name, value in settings.items() if name not in environ}
