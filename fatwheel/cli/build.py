"""`fatwheel build`: options in, progress and reports out."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from fatwheel.arch import Arch
from fatwheel.building.build import BuildFailedError, Built, made_wheels, run_build
from fatwheel.building.plan import ORDER, BuildPlan, BuildRequest, plan_build
from fatwheel.building.pythons import refuse_unknown_pythons
from fatwheel.building.reason import Quieted
from fatwheel.building.report import build_plan_json, built_json, built_lines, command_lines
from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.failure import say_failure
from fatwheel.cli.here import read_project, running_python, terminal_settings, this_host
from fatwheel.cli.options import (
    allow_option,
    floor_option,
    force_option,
    json_option,
    on_conflict_option,
    output_option,
    quiet_option,
    rule_option,
    tags_option,
    verbose_option,
)
from fatwheel.cli.pulse import Pulse
from fatwheel.cli.terminal import (
    announce,
    exit_code,
    is_live,
    print_bytes,
    print_json,
    say,
    tell,
    tell_path,
)
from fatwheel.errors import FatwheelError, UsageError
from fatwheel.fusion.fuse import FuseOptions
from fatwheel.fusion.request import Request, fuse_options
from fatwheel.process import Runner, SubprocessRunner
from fatwheel.targets.interpreter import choose_interpreters
from fatwheel.toolchain.host import Host
from fatwheel.toolchain.lookup import inspect_toolchain
from fatwheel.values import valueclass
from fatwheel.version import __version__

__all__ = ["build_command"]


@valueclass
class Options:
    """The options of `fatwheel build` as they were given; None where an option was not."""

    manifest_path: Path | None
    arch: str | None
    interpreters: tuple[str, ...]
    folder: Path | None
    features: tuple[str, ...]
    profile: str | None
    linker: str | None
    repair: str | None
    tags: str | None
    floor: str | None
    rules: tuple[str, ...]
    on_conflict: str | None
    allow: tuple[str, ...]
    force: bool
    keep_thin: bool
    sdist: bool
    dry_run: bool
    as_json: bool
    quiet: bool
    verbose: bool
    arguments: tuple[str, ...]


@click.command(
    "build",
    cls=CommandWithPage,
    groups={
        "What to build": "--manifest-path --arch --interpreter --features --profile --sdist",
        "How": "--linker --repair",
        "The wheels": "--output --force --keep-thin --tags --floor --rule --on-conflict --allow",
        "The report": "--dry-run --json --quiet --verbose",
    },
    sections={
        "Environment": (
            ("MACOSX_DEPLOYMENT_TARGET", "the oldest macOS to build for"),
            ("SDKROOT", "a macOS SDK, for libraries that fatwheel has no stub of (off macOS)"),
            ("CARGO_TARGET_<TARGET>_LINKER", "a linker of your own"),
            (
                "CARGO_TARGET_<TARGET>_RUSTFLAGS",
                "flags for one architecture; with them in pyproject.toml, RUSTFLAGS is refused",
            ),
            ("SOURCE_DATE_EPOCH", "time stamp of all members, for the same bytes every time"),
            ("NO_COLOR, FORCE_COLOR", "no colours from cargo; colours"),
        ),
        "Settings": "[tool.fatwheel] in the pyproject.toml beside Cargo.toml: out, features, interpreter, profile, "
        "linker, repair, tags, floor, rules, on-conflict, keep-thin, maturin-args; for each architecture features, "
        "rustflags, deployment-target, env, maturin-args. Options win over settings.",
        "Exit codes": exit_codes(
            {
                1: "the two wheels cannot be fused; they are kept, and named",
                3: "a tool is missing, or the compilation failed; the compiler's error is printed last",
                130: "interrupted; the output folder is as it was",
            }
        ),
        "Examples": (
            ("fatwheel build", "the crate here, into dist/"),
            ("fatwheel build -i 3.11 -i 3.12 --sdist", "two wheels and the source distribution"),
            ("fatwheel build -m crates/py/Cargo.toml -- --locked", "--locked is maturin's"),
            ("fatwheel build --arch x86_64", "the Intel half, for upstream's arm64 wheel"),
            ("fatwheel build --dry-run", "the commands, to be copied into a shell"),
        ),
        "More": "docs/building.md. `fatwheel doctor` tells which tools are there.",
    },
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
)
@click.option(
    "-m",
    "--manifest-path",
    type=click.Path(path_type=Path),
    help="Cargo.toml of the crate.  [default: the one here]",
)
@click.option(
    "--arch",
    type=click.Choice([arch.value for arch in Arch]),
    help="Build for this architecture only: its thin wheel, as half of a universal2 one.",
)
@click.option(
    "-i",
    "--interpreter",
    "interpreters",
    multiple=True,
    metavar="VERSION",
    help="Python version to build for; one wheel each. Repeatable.  [default: the running one]",
)
@output_option("Folder for the wheels.  [default: dist]")
@click.option(
    "-F",
    "--features",
    multiple=True,
    metavar="NAMES",
    help="Cargo features, added to those of pyproject.toml. Comma separated, repeatable.",
)
@click.option("--profile", metavar="NAME", help="Cargo profile.  [default: release]")
@click.option(
    "--linker",
    type=click.Choice(["auto", "lld", "zig", "system"]),
    help="Linker; auto takes Apple's on macOS and LLVM's elsewhere, or zig where there is none.",
)
@click.option(
    "--repair",
    type=click.Choice(["delocate", "maturin", "none"]),
    help="Who copies dylibs from outside into the wheels.  [default: delocate on macOS, else none]",
)
@tags_option("One exact platform tag, or maturin's compressed set.  [default: exact]")
@floor_option(
    "Oldest macOS: as the thin wheels say, or raised to what every binary needs.  [default: tags]"
)
@rule_option("Settle members that differ, as `fatwheel fuse --rule` does. Repeatable.")
@on_conflict_option()
@allow_option()
@force_option("Replace wheels of the same name in the output folder.")
@click.option(
    "--keep-thin", is_flag=True, help="Keep the thin wheels, too, in the output folder's thin/."
)
@click.option("--sdist", is_flag=True, help="Make the source distribution, too.")
@click.option("--dry-run", is_flag=True, help="Print what would be run; build nothing.")
@json_option()
@quiet_option("Print errors and warnings only, and the paths written; cargo's output if it fails.")
@verbose_option("Show the commands run, every member and every finding.")
@click.argument("arguments", nargs=-1, metavar="[-- MATURIN-ARGUMENTS]", type=click.UNPROCESSED)
def build_command(**given: Any) -> None:
    """Build a Rust crate with maturin for both architectures, and fuse the two wheels into one.

    With --arch it builds for one architecture, and its thin wheel is the result.

    It works on a Mac, and on Linux with LLVM's linker or zig. What stands after `--` goes to maturin, and after a
    second `--` to rustc.

    The path of each wheel written is printed on standard output, all else on standard error. With --json a build
    that succeeds prints one document on standard output, and one that fails prints none.
    """
    options = Options(**{**given, "features": _names(given["features"])})
    if options.arguments and not options.arguments[0].startswith("-"):
        raise UsageError(
            f"{options.arguments[0]}: the crate is named with -m; maturin's options follow a --"
        )
    environ = dict(os.environ)
    _refuse_needless(options)
    request, linker = _request(options, Path.cwd())
    host = _host(environ, show=not options.quiet)
    fuse = fuse_options(_fuse_request(options), request.config)
    runner = SubprocessRunner()
    request = replace(request, repair=_repair(request, options, host))
    toolchain = inspect_toolchain(host, request.project, linker, runner, request.archs)
    if options.interpreters or request.config.interpreter:
        refuse_unknown_pythons(request, host, runner)
    work = Path(tempfile.mkdtemp(prefix="fatwheel-"))
    kept: tuple[Path, ...] = ()
    try:
        plan = plan_build(request, host, toolchain, work)
        if options.dry_run:
            _print_plan(plan, host, options)
            return
        for note in () if options.quiet else plan.notes:
            say(f"note: {note}")
        if options.verbose:
            for line in command_lines(plan, host):
                say(line)
        started = time.monotonic()
        built = _run(plan, work, fuse, runner, options)
        _print_built(plan, built, time.monotonic() - started, options)
    except FatwheelError as error:
        kept = made_wheels(work)
        for wheel in kept:
            announce(f"kept {wheel}")
        if options.quiet and isinstance(error, BuildFailedError):
            quieted = Quieted(print_bytes)
            quieted(f"{error.output}\n".encode())
            quieted.close()
        say_failure(error)
        raise click.exceptions.Exit(exit_code(error)) from error
    finally:
        if not kept:
            shutil.rmtree(work, ignore_errors=True)


def _run(plan: BuildPlan, work: Path, fuse: FuseOptions, runner: Runner, options: Options) -> Built:
    if options.quiet:
        return run_build(plan, work, fuse, runner, say=_say_nothing, output=None)
    with Pulse(announce, print_bytes, live=is_live(os.environ, sys.stderr)) as pulse:
        return run_build(plan, work, fuse, runner, say=pulse.say, output=pulse.output)


def _names(texts: Sequence[str]) -> tuple[str, ...]:
    """Split features as cargo does, at commas and white space."""
    return tuple(name for text in texts for name in text.replace(",", " ").split())


def _request(options: Options, cwd: Path) -> tuple[BuildRequest, str]:
    """Return what to build, and the linker that was asked for: options over pyproject.toml over defaults."""
    project = read_project(cwd, options.manifest_path)
    pyproject, config, maturin = project.pyproject, project.config, project.maturin
    manifest = project.manifest(options.manifest_path)
    if manifest is not None:
        _refuse_other_files(manifest)
    if manifest is None and not ((cwd / "Cargo.toml").is_file() or maturin.manifest_path):
        raise UsageError(f"{cwd} has no Cargo.toml; go to the crate's folder, or name it with -m")
    wanted = options.interpreters or config.interpreter
    out = options.folder or (pyproject.parent / config.out if config.out else Path("dist"))
    request = BuildRequest(
        project=cwd,
        source=project.name,
        out=out,
        archs=ORDER if options.arch is None else (Arch(options.arch),),
        manifest_path=manifest,
        interpreters=choose_interpreters(
            wanted, running_python(), on_macos=sys.platform == "darwin"
        ),
        features=(*config.features, *options.features),
        profile=options.profile or config.profile,
        sdist=options.sdist,
        keep_thin=options.keep_thin or bool(config.keep_thin),
        arguments=options.arguments,
        config=config,
        maturin=maturin,
    )
    return request, options.linker or config.linker or "auto"


def _refuse_other_files(manifest: Path) -> None:
    """Raise `UsageError` for what cannot be a crate's Cargo.toml, with the one that was probably meant."""
    if manifest.is_file() and manifest.suffix == ".toml" and manifest.name != "pyproject.toml":
        return
    beside = (manifest if manifest.is_dir() else manifest.parent) / "Cargo.toml"
    meant = f", here {beside}" if beside.is_file() else ""
    what = "is no Cargo.toml" if manifest.exists() else "there is no such file"
    if manifest.is_dir():
        what = "is a folder"
    raise UsageError(f"{manifest}: {what}; -m takes the crate's Cargo.toml{meant}")


def _refuse_needless(options: Options) -> None:
    """Raise `UsageError` for options about fusing where one architecture is built for and nothing is fused."""
    given = {
        "--keep-thin": options.keep_thin,
        "--tags": options.tags,
        "--floor": options.floor,
        "--rule": options.rules,
        "--on-conflict": options.on_conflict,
        "--allow": options.allow,
    }
    for option in (name for name, value in given.items() if value and options.arch is not None):
        raise UsageError(
            f"{option} is about fusing, and with --arch {options.arch} nothing is fused; leave one of them"
        )


def _repair(request: BuildRequest, options: Options, host: Host) -> str:
    wanted = options.repair or request.config.repair
    if wanted == "delocate" and not host.is_macos:
        raise UsageError(
            "--repair delocate needs macOS's own tools; build on a Mac, or take --repair none"
        )
    return wanted or ("delocate" if host.is_macos else "none")


def _host(environ: Mapping[str, str], *, show: bool) -> Host:
    return this_host({**environ, **(terminal_settings(environ) if show else {})})


def _fuse_request(options: Options) -> Request:
    return Request(
        rules=options.rules,
        on_conflict=options.on_conflict,
        tags=options.tags,
        floor=options.floor,
        allow=options.allow,
        force=options.force,
    )


def _say_nothing(_line: str) -> None:
    pass


def _print_plan(plan: BuildPlan, host: Host, options: Options) -> None:
    if options.as_json:
        print_json({"fatwheel": __version__, **build_plan_json(plan, host)})
        return
    for note in plan.notes:
        say(f"note: {note}")
    for line in command_lines(plan, host):
        tell(line)
    if len(plan.builds) > 1:
        tell(f"# then fuse each pair of wheels into {plan.request.out}")


def _print_built(plan: BuildPlan, built: Built, seconds: float, options: Options) -> None:
    if options.as_json:
        print_json({"fatwheel": __version__, **built_json(plan, built, seconds)})
        return
    if not options.quiet:
        for line in built_lines(built, seconds, every=options.verbose):
            say(f"  {line}")
    for line in built.external:
        say(f"warning: {line}")
    for path in (*built.thin, *([built.sdist] if built.sdist else [])):
        tell_path(path)
    for made in built.results:
        tell_path(made.path)
