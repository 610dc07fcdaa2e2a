"""`fatwheel doctor`: one screen about this machine."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.here import read_project, this_host
from fatwheel.cli.options import json_option
from fatwheel.cli.terminal import print_json, tell
from fatwheel.errors import ToolError, UsageError
from fatwheel.process import Runner, SubprocessRunner
from fatwheel.targets.decision import PythonFacts, Wishes, decide_targets
from fatwheel.targets.pythonfacts import ask_python, own_facts
from fatwheel.toolchain.doctor import (
    Diagnosis,
    diagnose,
    diagnosis_json,
    diagnosis_lines,
    is_apple_silicon,
)
from fatwheel.toolchain.tools import check_readiness, look_at_tools
from fatwheel.version import __version__

__all__ = ["doctor_command"]


@click.command(
    "doctor",
    cls=CommandWithPage,
    sections={
        "Environment": (
            (
                "CARGO_BUILD_TARGET, ARCHFLAGS, _PYTHON_HOST_PLATFORM",
                "each may decide what is built",
            ),
        ),
        "Exit codes": exit_codes({3: "this Python itself cannot be asked"}),
        "Examples": (
            ("fatwheel doctor", "this Python"),
            ("fatwheel doctor -i 3.11 -i /usr/bin/python3", "others, too"),
            ("fatwheel doctor --target universal2", "what would be needed for both"),
        ),
        "More": "docs/architectures.md: what decides, and recipes for what goes wrong.",
    },
)
@click.option(
    "-i",
    "--interpreter",
    "interpreters",
    multiple=True,
    metavar="PYTHON",
    help="Another Python to ask: a path, a name or a version. Repeatable.",
)
@click.option(
    "--target",
    metavar="TARGET",
    help="Judge as if this were asked for: x86_64, arm64, universal2 or a Rust target triple.",
)
@json_option()
def doctor_command(interpreters: tuple[str, ...], target: str | None, as_json: bool) -> None:
    """Tell what this machine is, what its Pythons would build for and why, and which tools there are.

    The environment and the pyproject.toml of the folder count as for a build. What is missing is no error.
    """
    environ, cwd = dict(os.environ), Path.cwd()
    runner = SubprocessRunner()
    config = read_project(cwd).config
    wishes = Wishes.read(target, environ, config.universal2)
    own = own_facts(environ, cwd, runner)
    if target is not None:
        decide_targets(Wishes(option=target), own)
    pythons = [own, *(_ask(text, environ, cwd, runner) for text in interpreters)]
    host = this_host(environ)
    apple_silicon = is_apple_silicon(own)
    diagnosis = Diagnosis(
        version=__version__,
        system=_system(),
        machine="arm64" if apple_silicon else own.machine,
        wishes=wishes,
        patients=tuple(diagnose(python, wishes) for python in pythons),
        tools=look_at_tools(host, cwd, runner, apple_silicon=apple_silicon),
        readiness=check_readiness(host, cwd, config.linker or "auto", runner),
    )
    if as_json:
        print_json(diagnosis_json(diagnosis))
        return
    for line in diagnosis_lines(diagnosis):
        tell(line)


def _ask(text: str, environ: Mapping[str, str], cwd: Path, runner: Runner) -> PythonFacts:
    """Return the facts of the interpreter that `-i` names."""
    program = f"python{text}" if re.fullmatch(r"[0-9]+(\.[0-9]+)?t?", text) else text
    try:
        return ask_python(program, environ, cwd, runner)
    except ToolError as error:
        raise UsageError(f"-i {text}: {error}") from error


def _system() -> str:
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return f"{platform.system()} {platform.release()}"
