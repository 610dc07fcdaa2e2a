"""`fatwheel develop`: maturin's own command, for the architecture of the environment's Python, or for both."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from fatwheel.arch import Arch
from fatwheel.building.announcement import announcement
from fatwheel.building.arguments import ConfigSettings, MaturinWords, parse_maturin_words
from fatwheel.building.build import BuildFailedError
from fatwheel.building.develop import (
    check_target,
    check_words,
    find_environment,
    pass_on,
    plan_develop,
    run_develop,
)
from fatwheel.building.project import Project
from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.failure import say_failure
from fatwheel.cli.here import read_project, terminal_settings, this_host
from fatwheel.cli.pulse import Pulse
from fatwheel.cli.terminal import announce, exit_code, is_live, print_bytes, tell
from fatwheel.printable import shell_line
from fatwheel.process import Command, SubprocessRunner
from fatwheel.targets.decision import Decision, PythonFacts, Wishes, decide_targets
from fatwheel.targets.pythonfacts import ask_python
from fatwheel.toolchain.host import Host
from fatwheel.toolchain.lookup import Toolchain, inspect_toolchain, look_for_tools

__all__ = ["develop_command"]


class _PassingOn(CommandWithPage):
    """A command that keeps the `--`, after which maturin takes options for rustc."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        tail = tuple(args[at:])
        left = super().parse_args(ctx, args[:at])
        ctx.params["arguments"] = (*ctx.params["arguments"], *tail)
        return left


@click.command(
    "develop",
    cls=_PassingOn,
    sections={
        "Environment": (
            ("VIRTUAL_ENV, CONDA_PREFIX", "the environment; else .venv here or above"),
            ("CARGO_BUILD_TARGET, ARCHFLAGS, _PYTHON_HOST_PLATFORM", "may decide what is built"),
            ("MACOSX_DEPLOYMENT_TARGET", "the oldest macOS to build for"),
            ("NO_COLOR, FORCE_COLOR", "no colours from cargo; colours"),
        ),
        "Settings": "[tool.fatwheel] in pyproject.toml: universal2, linker, x86_64, arm64.",
        "Exit codes": exit_codes(
            {
                1: "what maturin made cannot be fused",
                3: "a tool is missing, or the compilation failed; for a target that is not macOS, maturin's own code",
                130: "interrupted",
            }
        ),
        "Examples": (
            ("fatwheel develop --release", "optimised"),
            ("fatwheel develop --target universal2 -E test", "both slices, and an extra"),
            ("fatwheel develop --dry-run", "what would be run"),
        ),
        "More": "docs/backend.md, docs/architectures.md, and `maturin develop --help`.",
    },
    context_settings={"ignore_unknown_options": True},
)
@click.option(
    "--target",
    metavar="TARGET",
    help="x86_64, arm64, universal2 or a Rust target.  [default: as the environment's Python needs]",
)
@click.option("--dry-run", is_flag=True, help="Print what would be run.")
@click.argument("arguments", nargs=-1, metavar="[MATURIN-ARGUMENTS]", type=click.UNPROCESSED)
def develop_command(**given: Any) -> None:
    """Install the crate into the virtual environment, for the architecture that its Python runs as.

    All other options are those of maturin develop, -q and -v included. With --target universal2, ARCHFLAGS for
    both, or universal2 = true in pyproject.toml the module has both slices and loads natively and under Rosetta 2.
    """
    arguments: tuple[str, ...] = given["arguments"]
    words = parse_maturin_words(arguments)
    target: str | None = given["target"]
    folder = Path.cwd()
    environ = dict(os.environ)
    runner = SubprocessRunner()
    project = read_project(folder, words.manifest_path)
    program = find_environment(environ, folder, windows=sys.platform == "win32")
    python = ask_python(program, environ, folder, runner)
    settings = ConfigSettings(target=target, words=words)
    wishes = Wishes.read(settings.option, environ, project.config.universal2)
    decision = decide_targets(wishes, python)
    host = this_host({**environ, **terminal_settings(environ)})
    if not decision.archs:
        own = ("--target", target) if target is not None else ()
        command = pass_on((*own, *arguments), host, folder)
        _run_alone(command, runner, dry_run=given["dry_run"])
        return
    check_target(decision, python)
    check_words(words)
    _develop(
        words,
        decision=decision,
        python=python,
        project=project,
        host=host,
        folder=folder,
        runner=runner,
        dry_run=given["dry_run"],
    )


def _develop(
    words: MaturinWords,
    *,
    decision: Decision,
    python: PythonFacts,
    project: Project,
    host: Host,
    folder: Path,
    runner: SubprocessRunner,
    dry_run: bool,
) -> None:
    def look(archs: tuple[Arch, ...]) -> Toolchain:
        return inspect_toolchain(host, folder, project.config.linker or "auto", runner, archs)

    decision, toolchain = look_for_tools(decision, python, look, announce)
    for line in announcement(decision, python):
        announce(line)
    with tempfile.TemporaryDirectory(prefix="fatwheel-") as name:
        work = Path(name)
        plan = plan_develop(
            words,
            decision,
            python,
            project=project,
            host=host,
            toolchain=toolchain,
            folder=folder,
            work=work,
        )
        for note in plan.notes:
            announce(f"note: {note}")
        if dry_run:
            for command in plan.commands:
                _print(command, host.environ)
            return
        try:
            with Pulse(announce, print_bytes, live=is_live(os.environ, sys.stderr)) as pulse:
                run_develop(plan, work, runner, say=pulse.say, output=pulse.output)
        except BuildFailedError as error:
            say_failure(error)
            raise click.exceptions.Exit(exit_code(error)) from error


def _run_alone(command: Command, runner: SubprocessRunner, *, dry_run: bool) -> None:
    if dry_run:
        _print(command, command.env)
        return
    code = runner.stream(command, print_bytes).exit_code
    if code:
        raise click.exceptions.Exit(code if code > 0 else 1)


def _print(command: Command, environ: Mapping[str, str]) -> None:
    """Print a command line as a shell takes it, with what its environment has that `environ` has not."""
    removed = [name for name in environ if name not in command.env]
    words = [word for name in removed for word in ("-u", name)]
    words += [f"{k}={v}" for k, v in command.env.items() if environ.get(k) != v]
    prefix = ["env", *words] if words else []
    tell(shell_line([*prefix, command.program, *command.arguments]))
