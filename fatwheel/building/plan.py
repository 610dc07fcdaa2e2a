"""What building a Rust crate for both architectures means: the runs of maturin, as a value made beforehand.

So `--dry-run` prints the truth, and the choices can be tested without a compiler.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.building.deployment import Wish, choose_deployment
from fatwheel.building.maturin import (
    MaturinSettings,
    ThinBuild,
    check_arguments,
    check_environment_settings,
    maturin_command,
    sdist_command,
    union_features,
)
from fatwheel.config import Config
from fatwheel.process import Command
from fatwheel.toolchain.host import Host
from fatwheel.toolchain.lookup import Toolchain
from fatwheel.values import valueclass

__all__ = ["ORDER", "Build", "BuildPlan", "BuildRequest", "describe", "hook_build", "plan_build"]

ORDER = (Arch.ARM64, Arch.X86_64)
"""The architectures as they are built: arm64 is what most users have, so its errors are what to see first."""


@valueclass
class BuildRequest:
    """What is to be built; every choice is made, the command line having won over pyproject.toml.

    `archs` are built one after the other; of one alone, the thin wheels are the outcome.
    `project` is the folder in which maturin runs, `source` the name of the pyproject.toml for messages. `out`
    is where the wheels go. `interpreters` and `features` are as maturin takes them, the latter without those
    of `[tool.maturin]` and of the architectures' tables. `profile` None leaves the choice to `[tool.maturin]`,
    else release. `repair` is "delocate", "maturin" or "none". `arguments` are for maturin.
    """

    project: Path
    source: str
    out: Path
    archs: tuple[Arch, ...] = ORDER
    manifest_path: Path | None = None
    interpreters: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    profile: str | None = None
    repair: str = "none"
    sdist: bool = False
    keep_thin: bool = False
    arguments: tuple[str, ...] = ()
    config: Config = field(default_factory=Config)
    maturin: MaturinSettings = field(default_factory=MaturinSettings)


@valueclass
class Build:
    """One run of maturin: what it builds, and how it is called."""

    thin: ThinBuild
    command: Command

    @property
    def arch(self) -> Arch:
        """The architecture."""
        return self.thin.arch


@valueclass
class BuildPlan:
    """All that will be run, in order. `notes` are sentences about settings that were changed.

    `python` is the interpreter that has delocate, for `repair`.
    """

    request: BuildRequest
    python: str
    linker: str
    builds: tuple[Build, ...]
    sdist: Command | None
    repair: bool
    notes: tuple[str, ...]


def plan_build(request: BuildRequest, host: Host, toolchain: Toolchain, work: Path) -> BuildPlan:
    """Return what to run for `request`; `work` is the folder for the thin wheels.

    Raises `UsageError` for settings and arguments that contradict each other.
    """
    check_arguments(request.arguments, "--")
    check_arguments(request.config.maturin_args, f"{request.source}: maturin-args")
    notes = [toolchain.linker.note] if toolchain.linker.note else []
    builds = []
    for arch in request.archs:
        settings = request.config.of(arch)
        table = f"[tool.fatwheel.{arch.value}]"
        check_arguments(settings.maturin_args, f"{request.source}: {table} maturin-args")
        check_environment_settings(settings, arch, request.source)
        deployment = choose_deployment(arch, _wishes(request, host.environ, arch))
        if deployment.note:
            notes.append(deployment.note)
        thin = ThinBuild(
            arch=arch,
            project=request.project,
            out=work / arch.value,
            manifest_path=request.manifest_path,
            interpreters=request.interpreters,
            features=union_features(request.maturin, request.features, settings.features),
            profile=request.profile or request.maturin.profile or "release",
            deployment=deployment,
            settings=settings,
            zig=toolchain.linker.zig,
            linker=toolchain.linker.variables.get(arch, ()),
            repair=request.repair == "maturin",
            arguments=(*request.config.maturin_args, *request.arguments),
        )
        builds.append(
            Build(thin=thin, command=maturin_command(thin, host.environ, *host.maturin_words))
        )
    return BuildPlan(
        request=request,
        python=host.python,
        linker=toolchain.linker.kind,
        builds=tuple(builds),
        sdist=_sdist(request, host, work) if request.sdist else None,
        repair=request.repair == "delocate" and host.is_macos,
        notes=tuple(notes),
    )


def _wishes(
    request: BuildRequest, environ: Mapping[str, str], arch: Arch
) -> tuple[Wish | None, ...]:
    """Return what asks for a deployment target, in rising order of precedence."""

    def wish(text: str | None, origin: str) -> Wish | None:
        return None if text is None else Wish(text=text, origin=origin)

    target = arch.rust_target
    return (
        wish(environ.get("MACOSX_DEPLOYMENT_TARGET"), "MACOSX_DEPLOYMENT_TARGET"),
        wish(
            request.maturin.deployment.get(arch),
            f"{request.source}: [tool.maturin.target.{target}]",
        ),
        wish(
            request.config.of(arch).deployment_target,
            f"{request.source}: [tool.fatwheel.{arch.value}]",
        ),
    )


def _sdist(request: BuildRequest, host: Host, work: Path) -> Command:
    return sdist_command(
        request.project, request.manifest_path, work / "sdist", host.environ, *host.maturin_words
    )


def hook_build(build: Build, host: Host, profile: str | None, *options: str) -> Build:
    """Return a build as `maturin pep517 build-wheel` does it; without a profile, pyproject.toml's counts."""
    words = ("pep517", "build-wheel", *options)
    thin: ThinBuild = replace(build.thin, subcommand=words, profile=profile)
    return Build(thin=thin, command=maturin_command(thin, host.environ, *host.maturin_words))


def describe(build: Build, plan: BuildPlan) -> str:
    """Return the line that announces a run."""
    thin = build.thin
    pythons = f" for Python {', '.join(thin.interpreters)}" if thin.interpreters else ""
    return (
        f"building {build.arch.value} ({build.arch.rust_target}, macOS {thin.deployment}, "
        f"profile {thin.profile or 'as maturin chooses'}, linker {plan.linker}){pythons}"
    )
