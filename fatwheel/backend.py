"""The build backend: `build-backend = "fatwheel.backend"` (PEP 517, PEP 660).

Where the target is macOS, fatwheel builds for the architecture of the running Python, or for both; everywhere
else these are maturin's own hooks. `docs/backend.md` tells what decides.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import maturin

from fatwheel.building.announcement import announcement
from fatwheel.building.arguments import ConfigSettings, parse_config_settings
from fatwheel.building.hooks import AppleHooks, Hooks
from fatwheel.building.project import Project
from fatwheel.building.requirements import MATURIN
from fatwheel.cli.failure import say_failure
from fatwheel.cli.here import read_project, running_python, this_host
from fatwheel.cli.pulse import Pulse
from fatwheel.cli.terminal import announce, exit_code, print_bytes
from fatwheel.errors import FatwheelError, UsageError
from fatwheel.fusion.request import Request, fuse_options
from fatwheel.process import SubprocessRunner
from fatwheel.targets.decision import Wishes, decide_targets
from fatwheel.targets.pythonfacts import own_facts
from fatwheel.toolchain.host import Host

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

_Settings = Mapping[str, Any] | None
_MATURIN: Hooks = maturin
# Otherwise each run of maturin warns that it is not the build backend itself.
_NO_WARNING = "MATURIN_NO_MISSING_BUILD_BACKEND_WARNING"


def get_requires_for_build_wheel(config_settings: _Settings = None) -> list[str]:
    """Return what the other hooks need (PEP 517)."""
    with _hooks(config_settings, works=False) as hooks:
        return list(dict.fromkeys([MATURIN, *hooks.get_requires_for_build_wheel(config_settings)]))


get_requires_for_build_editable = get_requires_for_build_wheel


def get_requires_for_build_sdist(config_settings: _Settings = None) -> list[str]:
    """Return what `build_sdist` needs (PEP 517)."""
    return [MATURIN, *maturin.get_requires_for_build_sdist(config_settings)]


def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: _Settings = None
) -> str:
    """Write the dist-info folder of the wheel to be, and return its name (PEP 517)."""
    with _hooks(config_settings) as hooks:
        return hooks.prepare_metadata_for_build_wheel(metadata_directory, config_settings)


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_wheel(
    wheel_directory: str,
    config_settings: _Settings = None,
    metadata_directory: str | None = None,
) -> str:
    """Build the wheel and return its file name (PEP 517)."""
    with _hooks(config_settings) as hooks:
        return hooks.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(
    wheel_directory: str,
    config_settings: _Settings = None,
    metadata_directory: str | None = None,
) -> str:
    """Build the editable wheel and return its file name (PEP 660)."""
    with _hooks(config_settings) as hooks:
        return hooks.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory: str, config_settings: _Settings = None) -> str:
    """Build the source distribution, which is for every target, and return its file name (PEP 517)."""
    os.environ.setdefault(_NO_WARNING, "1")
    return str(maturin.build_sdist(sdist_directory, config_settings))


@contextlib.contextmanager
def _hooks(config_settings: _Settings, *, works: bool = True) -> Iterator[Hooks]:
    """Yield the hooks for the target; `works` says that more is to be done than to name requirements.

    Errors are said in a sentence and end the process, as maturin's do.
    """
    os.environ.setdefault(_NO_WARNING, "1")
    try:
        with contextlib.ExitStack() as ends:
            yield _choose(config_settings, Path.cwd(), dict(os.environ), ends, works=works)
    except (FatwheelError, OSError) as error:
        say_failure(error)
        raise SystemExit(exit_code(error)) from None


def _choose(
    config_settings: _Settings,
    folder: Path,
    environ: Mapping[str, str],
    ends: contextlib.ExitStack,
    *,
    works: bool,
) -> Hooks:
    settings = parse_config_settings(config_settings, environ.get("MATURIN_PEP517_ARGS", ""))
    project = read_project(folder, settings.words.manifest_path)
    runner = SubprocessRunner()
    python = own_facts(environ, folder, runner)
    wishes = Wishes.read(settings.option, environ, project.config.universal2)
    decision = decide_targets(wishes, python)
    if not decision.archs:
        _refuse_own_settings(settings)
        if works:
            for line in announcement(decision, python):
                announce(line)
        return _MATURIN
    environ = with_rust(_without_pip(environ)) if works else environ
    # cargo draws no bar here, since frontends read what it prints: where it is silent, a line a minute.
    pulse = Pulse(announce, print_bytes, live=False)
    if works:
        ends.enter_context(pulse)
    return AppleHooks(
        folder=folder,
        project=project,
        settings=settings,
        decision=decision,
        host=_host(environ),
        python=python,
        running=running_python(interpreter(environ, project)),
        runner=runner,
        maturin=_MATURIN,
        say=pulse.say,
        output=pulse.output,
        fuse=fuse_options(Request(force=True), project.config),
    )


def _host(environ: Mapping[str, str]) -> Host:
    """Return this machine with the maturin that the frontend put first on PATH: in its isolated build, its own."""
    host = this_host(environ)
    return replace(host, maturin=shutil.which("maturin", path=environ.get("PATH")) or host.maturin)


def _refuse_own_settings(settings: ConfigSettings) -> None:
    if settings.target is not None:
        raise UsageError(
            f"the config setting fatwheel.target is {settings.target!r}, which is not macOS; give other targets "
            f"to maturin: build-args=--target={settings.target}"
        )


def interpreter(environ: Mapping[str, str], project: Project) -> str:
    """Return the program that the wheel is for: maturin has a setting that looks behind virtual environments."""
    wanted = environ.get("MATURIN_PEP517_USE_BASE_PYTHON") in ("1", "true")
    base = getattr(sys, "_base_executable", None)
    if (wanted or project.maturin.use_base_python) and base and Path(base).exists():
        return str(Path(base).resolve())
    return sys.executable


def _without_pip(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which maturin's own `pip install cffi` finds nothing to install.

    It tries that where cffi is missing, and in a virtual environment without asking.
    """
    if importlib.util.find_spec("cffi") is not None:
        return dict(environ)
    return {
        **environ,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": os.devnull,
    }


def with_rust(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment that has cargo, as maturin's hooks see to it with puccinialin."""
    found = shutil.which("cargo", path=environ.get("PATH"))
    if found or environ.get("MATURIN_NO_INSTALL_RUST"):
        return dict(environ)
    if importlib.util.find_spec("puccinialin") is None:
        return dict(environ)
    announce("Rust was not found; puccinialin installs it into a folder of its own")
    return {**environ, **importlib.import_module("puccinialin").setup_rust()}
