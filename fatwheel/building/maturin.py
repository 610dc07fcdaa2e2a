"""One run of `maturin build` for one architecture: its settings read, its command line and environment made.

Pure functions of values. Each thing done here that maturin's manual does not ask for keeps out of a trap that
was met in real builds; the comments name it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from fatwheel.arch import Arch
from fatwheel.building.deployment import Deployment
from fatwheel.config import ArchConfig
from fatwheel.errors import UsageError
from fatwheel.process import Command
from fatwheel.toolchain.probes import pkg_config_variables
from fatwheel.toolchain.rust import cargo_variable
from fatwheel.values import valueclass

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "MaturinSettings",
    "ThinBuild",
    "check_arguments",
    "check_environment_settings",
    "environment_changes",
    "maturin_arguments",
    "maturin_command",
    "parse_maturin_settings",
    "sdist_command",
    "union_features",
]

HOW = "pip install 'maturin>=1.9'"

# maturin copies the first into the wheel's tag as it stands, so that both wheels get one name; the second makes
# it build for what it says; cargo obeys the third where `--target` is not given (build scripts' own cargo runs).
_REMOVED = ("_PYTHON_HOST_PLATFORM", "ARCHFLAGS", "CARGO_BUILD_TARGET")
_RUSTFLAGS = ("CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS")

# What fatwheel sets itself, by maturin's spellings, with what to use instead.
_OWN_OPTIONS: Mapping[str, str] = {
    "--target": "fatwheel builds for both Apple targets",
    "--zig": "use --linker zig",
    "-o": "use -o before the --",
    "--out": "use -o before the --",
    "-m": "use -m before the --",
    "--manifest-path": "use -m before the --",
    "-i": "use -i before the --",
    "--interpreter": "use -i before the --",
    "-f": "use -i before the --",
    "--find-interpreter": "use -i before the --",
    "-F": "use --features before the --",
    "--features": "use --features before the --",
    "-r": "the release profile is the default",
    "--release": "the release profile is the default",
    "--profile": "use --profile before the --",
    "--sdist": "use --sdist before the --",
    "--auditwheel": "use --repair",
    "--skip-auditwheel": "use --repair",
}


@valueclass
class MaturinSettings:
    """What matters here of `[tool.maturin]`.

    `features` are the plain ones; `conditional` tells whether there are others, bound to a Python version.
    `editable_profile` is for editable wheels; `use_base_python` wants the interpreter behind a virtual environment
    where a frontend asks for a wheel. `deployment` has the deployment targets as written, by architecture.
    """

    features: tuple[str, ...] = ()
    conditional: bool = False
    profile: str | None = None
    manifest_path: str | None = None
    editable_profile: str | None = None
    use_base_python: bool = False
    deployment: Mapping[Arch, str] = field(default_factory=dict)


def parse_maturin_settings(text: str) -> MaturinSettings:
    """Return what a pyproject.toml's text (known to be TOML) says under `[tool.maturin]`.

    What is not as maturin wants it is left to maturin to refuse.
    """
    table = _subtable(_subtable(tomllib.loads(text), "tool"), "maturin")
    features = table.get("features", [])
    items = features if isinstance(features, list) else []
    targets = _subtable(table, "target")
    deployment = {
        arch: str(_subtable(targets, arch.rust_target)["macos-deployment-target"])
        for arch in Arch
        if "macos-deployment-target" in _subtable(targets, arch.rust_target)
    }
    return MaturinSettings(
        features=tuple(item for item in items if isinstance(item, str)),
        conditional=any(not isinstance(item, str) for item in items),
        profile=_text(table.get("profile")),
        manifest_path=_text(table.get("manifest-path")),
        editable_profile=_text(table.get("editable-profile")),
        use_base_python=table.get("use-base-python") is True,
        deployment=deployment,
    )


def _subtable(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


@valueclass
class ThinBuild:
    """One architecture's build.

    `subcommand` is maturin's: `pep517 build-wheel` takes all that `build` takes. `out` is a folder of its own, so
    that no wheel can overwrite the other's. `interpreters` are Python versions ("3.12", "3.13t", "pypy3.11"); none
    leaves the choice to maturin. `features` are all of them, or none to leave those of pyproject.toml in force.
    `profile` None leaves it to maturin. `linker` are the variables that choose the linker; `zig` lets maturin set
    zig up as the C compiler (and as the linker, where `linker` names none). `arguments` are the user's own for
    maturin, with those for rustc after a `--`.
    """

    arch: Arch
    project: Path
    out: Path
    subcommand: tuple[str, ...] = ("build",)
    manifest_path: Path | None = None
    interpreters: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    profile: str | None = "release"
    deployment: Deployment
    settings: ArchConfig = field(default_factory=ArchConfig)
    zig: bool = False
    linker: tuple[tuple[str, str], ...] = ()
    repair: bool = False
    arguments: tuple[str, ...] = ()


def union_features(
    settings: MaturinSettings, shared: Sequence[str], own: Sequence[str]
) -> tuple[str, ...]:
    """Return the features to pass: none where pyproject's `[tool.maturin] features` may stay in force.

    On maturin's command line they replace those of the file, so all are passed or none is. Raises
    `UsageError` where the file's depend on the Python version, since no command line can say that.
    """
    added = [*shared, *own]
    if not added:
        return ()
    if settings.conditional:
        raise UsageError(
            f"the features {', '.join(added)} cannot be added to [tool.maturin] features, where some depend on "
            "the Python version; list them there instead"
        )
    return tuple(dict.fromkeys([*settings.features, *added]))


def check_arguments(arguments: Sequence[str], origin: str) -> None:
    """Raise `UsageError` where arguments meant for maturin name an option that fatwheel sets itself."""
    for argument in arguments:
        if argument == "--":  # what follows is rustc's
            return
        name = argument.partition("=")[0] if argument.startswith("--") else argument[:2]
        if name in _OWN_OPTIONS:
            raise UsageError(f"{origin}: {name} is fatwheel's to set; {_OWN_OPTIONS[name]}")


def maturin_arguments(build: ThinBuild) -> tuple[str, ...]:
    """Return the command line of `maturin`, without the program."""
    arguments = [*build.subcommand, "--target", build.arch.rust_target, "--out", str(build.out)]
    if build.profile is not None:
        arguments += ["--profile", build.profile]
    if build.manifest_path is not None:
        arguments += ["--manifest-path", str(build.manifest_path)]
    for interpreter in build.interpreters:
        arguments += ["--interpreter", interpreter]
    if build.features:
        arguments += ["--features", ",".join(build.features)]
    if build.zig:
        arguments.append("--zig")
    # `[tool.maturin] auditwheel = "repair"` would graft dylibs, and delocate then graft them again.
    arguments += ["--auditwheel", "repair" if build.repair else "skip"]
    shared, shared_rustc = _split(build.arguments)
    own, rustc = _split(build.settings.maturin_args)
    own, rustc = [*shared, *own], [*shared_rustc, *rustc]
    if not any(argument.startswith("--compression-") for argument in own):
        arguments += ["--compression-level", "9"]
    # cargo does not link anew when only the deployment target changed, and the old binary would get the new
    # tag. A flag of the last crate's that does nothing makes it.
    marker = f'fatwheel_deployment_target="{build.deployment}"'
    return (*arguments, *own, "--", "--cfg", marker, *rustc)


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the arguments for maturin, and those for rustc, which follow a `--`."""
    if "--" not in arguments:
        return arguments, ()
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def environment_changes(build: ThinBuild, environ: Mapping[str, str]) -> dict[str, str | None]:
    """Return how the environment of the run differs from `environ`; None removes a variable.

    Raises `UsageError` where `RUSTFLAGS` is set along with flags for one architecture: cargo would silently
    take the former instead of the latter, and apply it to build scripts of the host, too.
    """
    changes: dict[str, str | None] = {name: None for name in _REMOVED if name in environ}
    changes |= dict(build.settings.env)
    if build.settings.rustflags:
        for name in _RUSTFLAGS:
            if {**environ, **changes}.get(name):
                raise UsageError(
                    f"{name} is set, and cargo would take it instead of [tool.fatwheel.{build.arch.value}] "
                    "rustflags; unset it, and put its flags into .cargo/config.toml"
                )
        variable = cargo_variable(build.arch, "RUSTFLAGS")
        flags = environ.get(variable, "").split() + list(build.settings.rustflags)
        changes[variable] = " ".join(flags)
    changes |= dict(build.linker)
    if build.zig:  # else nobody sets pkg-config up for cross-compiling, and its crate finds nothing
        own = [name for name, _ in build.settings.env]
        changes |= pkg_config_variables(build.arch, environ, own)
    changes["MACOSX_DEPLOYMENT_TARGET"] = str(build.deployment)
    return changes


def check_environment_settings(settings: ArchConfig, arch: Arch, source: str) -> None:
    """Raise `UsageError` where `[tool.fatwheel.ARCH] env` sets what fatwheel sets itself."""
    own = dict.fromkeys(_REMOVED, "fatwheel builds for both architectures")
    own |= dict.fromkeys((*_RUSTFLAGS, cargo_variable(arch, "RUSTFLAGS")), "use rustflags")
    own["MACOSX_DEPLOYMENT_TARGET"] = "use deployment-target"
    for name, _ in settings.env:
        if name in own:
            raise UsageError(
                f"{source}: [tool.fatwheel.{arch.value}] env.{name} is fatwheel's to set; {own[name]}"
            )


def maturin_command(build: ThinBuild, environ: Mapping[str, str], *maturin: str) -> Command:
    """Return the run; `maturin` are the words that start maturin."""
    changed = {**environ, **environment_changes(build, environ)}
    return Command(
        program=maturin[0],
        arguments=(*maturin[1:], *maturin_arguments(build)),
        env={name: value for name, value in changed.items() if value is not None},
        cwd=build.project,
        how=HOW,
    )


def sdist_command(
    project: Path, manifest_path: Path | None, out: Path, environ: Mapping[str, str], *maturin: str
) -> Command:
    """Return the run that makes the source distribution; `maturin` are the words that start maturin.

    Once, by itself: with `maturin build --sdist` each run would compile everything from a temporary folder.
    """
    manifest = ("--manifest-path", str(manifest_path)) if manifest_path is not None else ()
    return Command(
        program=maturin[0],
        arguments=(*maturin[1:], "sdist", "--out", str(out), *manifest),
        env=dict(_without(environ, _REMOVED)),
        cwd=project,
        how=HOW,
    )


def _without(environ: Mapping[str, str], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in environ.items() if name not in names)
