"""What a PEP 517 and PEP 660 backend does where the target is macOS; for every other, maturin's own hooks serve.

The environment, the interpreter and the settings come in as values; `fatwheel.backend` reads them.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Protocol

from fatwheel.arch import Arch
from fatwheel.building.arguments import ConfigSettings
from fatwheel.building.build import BuildFailedError, run_build
from fatwheel.building.inplace import InPlace
from fatwheel.building.maturin import ThinBuild, maturin_command
from fatwheel.building.plan import Build, BuildPlan, BuildRequest, plan_build
from fatwheel.building.project import Project
from fatwheel.errors import RefusedError, ToolError, UsageError
from fatwheel.fusion.fuse import FuseOptions
from fatwheel.process import Runner
from fatwheel.targets.decision import Decision, PythonFacts, Wishes, fall_back
from fatwheel.targets.interpreter import RunningPython, choose_interpreters
from fatwheel.toolchain.lookup import (
    OLDEST_MATURIN,
    Host,
    MissingToolsError,
    Toolchain,
    inspect_toolchain,
)
from fatwheel.values import valueclass
from fatwheel.version import __version__
from fatwheel.wheels.distinfo import format_wheel_metadata, parse_wheel_metadata
from fatwheel.wheels.tags import TagStyle, WheelName, claims, fused_platforms, with_platforms

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "MATURIN",
    "AppleHooks",
    "Hooks",
    "announcement",
    "build_requirements",
    "hook_build",
    "look_for_tools",
    "needs_cffi",
    "wishes",
]

Settings = Mapping[str, Any] | None
"""What frontends hand over with `-C`; the values are texts, or lists of them."""

MATURIN = f"maturin>={'.'.join(map(str, OLDEST_MATURIN))}"
"""The requirement for maturin."""


class Hooks(Protocol):
    """The hooks that depend on the target (PEP 517, PEP 660); the module `maturin` has them, too."""

    def get_requires_for_build_wheel(self, config_settings: Settings = None) -> list[str]:
        """Return what to install before the other hooks are called."""

    def prepare_metadata_for_build_wheel(
        self, metadata_directory: str, config_settings: Settings = None
    ) -> str:
        """Write the dist-info folder of the wheel to be, and return its name."""

    def build_wheel(
        self,
        wheel_directory: str,
        config_settings: Settings = None,
        metadata_directory: str | None = None,
    ) -> str:
        """Build the wheel and return its file name."""

    def build_editable(
        self,
        wheel_directory: str,
        config_settings: Settings = None,
        metadata_directory: str | None = None,
    ) -> str:
        """Build the editable wheel and return its file name."""


def wishes(settings: ConfigSettings, environ: Mapping[str, str], universal2: bool | None) -> Wishes:
    """Return what asks for architectures."""
    return Wishes(
        option=settings.option,
        cargo_build_target=environ.get("CARGO_BUILD_TARGET"),
        archflags=environ.get("ARCHFLAGS"),
        host_platform=environ.get("_PYTHON_HOST_PLATFORM"),
        universal2=universal2,
    )


def announcement(decision: Decision, python: PythonFacts) -> Iterator[str]:
    """Yield the lines that say what is built for, and why."""
    if not decision.archs:
        yield f"the target is not macOS, so maturin builds as it always does. {decision.why}"
        return
    archs = " and ".join(arch.value for arch in decision.archs)
    kind = "universal2, " if decision.is_universal2 else ""
    yield f"BUILDING FOR macOS ({kind}{archs}). {decision.why}"
    cross = decision.is_cross(python)
    for line in decision.overruled:
        yield f"{'WARNING' if cross else 'note'}: {line}"
    for line in decision.contradictions:
        yield f"WARNING: {line}"


def build_requirements(host: Host, archs: Sequence[Arch]) -> list[str]:
    """Return what a build needs from PyPI besides fatwheel: zig only for a cross build that finds none."""
    has_zig = host.environ.get("CARGO_ZIGBUILD_ZIG_PATH") or shutil.which(
        "zig", path=host.environ.get("PATH", "")
    )
    return [MATURIN] if host.is_macos or has_zig or not archs else [MATURIN, "ziglang"]


def needs_cffi(pyproject: str, cargo: str) -> bool:
    """Return whether maturin will make cffi bindings, by the texts of pyproject.toml and Cargo.toml.

    As it chooses where `[tool.maturin] bindings` is not set: for a cdylib that depends on no other bindings.
    """
    try:
        settings, crate = tomllib.loads(pyproject), tomllib.loads(cargo)
    except tomllib.TOMLDecodeError:
        return False  # maturin will say what is wrong
    bindings = _at(settings, "tool", "maturin").get("bindings")
    if isinstance(bindings, str):
        return bindings == "cffi"
    kinds = _at(crate, "lib").get("crate-type", [])
    dependencies = _at(crate, "dependencies")
    packages = {_at(dependencies, key).get("package", key) for key in dependencies}
    return "cdylib" in kinds and not packages & {"pyo3", "pyo3-ffi", "uniffi", "rust-cpython"}


def _at(table: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        inner = table.get(key)
        table = inner if isinstance(inner, dict) else {}
    return table


@valueclass
class AppleHooks:
    """The hooks for macOS: a thin wheel of maturin's, or two of them fused.

    `folder` is the project's. `python` says what the interpreter is, `running` which program and version it is.
    `fuse` are the options for a universal2 wheel. `maturin` are maturin's own hooks, for what is the same
    everywhere. `say` takes a line for the user, `output` what programs print.
    """

    folder: Path
    project: Project
    settings: ConfigSettings
    decision: Decision
    host: Host
    python: PythonFacts
    running: RunningPython
    runner: Runner
    maturin: Hooks
    say: Callable[[str], None]
    output: Callable[[bytes], None]
    fuse: FuseOptions = field(default_factory=FuseOptions)

    def get_requires_for_build_wheel(self, config_settings: Settings = None) -> list[str]:
        """Return maturin, what it asks for, zig for a cross build, and cffi where maturin will import it."""
        required = build_requirements(self.host, self.decision.archs)
        required += self.maturin.get_requires_for_build_wheel(config_settings)
        manifest = self.settings.words.manifest_path or self.project.maturin.manifest_path
        cargo = self.folder / (manifest or "Cargo.toml")
        if cargo.is_file() and needs_cffi(self.project.text, cargo.read_text("utf-8", "replace")):
            required.append("cffi")
        return list(dict.fromkeys(required))

    def prepare_metadata_for_build_wheel(
        self, metadata_directory: str, config_settings: Settings = None
    ) -> str:
        """Write the dist-info folder, whose WHEEL has the tags that the wheel will have; return its name.

        With `floor = "binaries"` the wheel's own may be higher, which nobody knows before it is built.
        """
        with self._work() as work:
            plan = self._plan(self.host, work, Path(metadata_directory))
            folders = {
                build.arch: self._dist_info(_write_dist_info(build, self.host, work))
                for build in plan.builds
            }
        name, files = folders.get(Arch.ARM64) or next(iter(folders.values()))
        target = Path(metadata_directory, name)
        target.mkdir(exist_ok=True)
        for path, content in files.items():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_bytes(content)
        if len(folders) > 1:
            texts = {arch: found[1]["WHEEL"].decode() for arch, found in folders.items()}
            (target / "WHEEL").write_bytes(_fused_wheel_text(name, texts, self._tag_style))
        return name

    def build_wheel(
        self,
        wheel_directory: str,
        config_settings: Settings = None,
        metadata_directory: str | None = None,
    ) -> str:
        """Build the wheel and return its file name."""
        with self._work() as work:
            host = _with_metadata(self.host, metadata_directory)
            plan = self._plan(host, work, Path(wheel_directory))
            return self._run(_hook(plan, host), work, None)

    def build_editable(
        self,
        wheel_directory: str,
        config_settings: Settings = None,
        metadata_directory: str | None = None,
    ) -> str:
        """Build the editable wheel and return its file name.

        What maturin writes into the source tree for both architectures is fused there.
        """
        with self._work() as work:
            host = _with_metadata(self.host, metadata_directory)
            plan = self._plan(host, work, Path(wheel_directory))
            tree = InPlace(self.project.source_folders, work)
            name = self._run(_hook(plan, host, "--editable"), work, tree)
            if len(plan.builds) > 1:
                for path in tree.fuse():
                    self.say(f"fused {path} in place, for both architectures")
            return name

    @contextmanager
    def _work(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="fatwheel-") as folder:
            yield Path(folder)

    @property
    def _tag_style(self) -> TagStyle:
        return self.fuse.plan.tag_style

    def _plan(self, host: Host, work: Path, out: Path) -> BuildPlan:
        """Look for the tools, say what will be built for, and plan it."""
        decision, toolchain = self._inspect(host)
        for line in announcement(decision, self.python):
            self.say(line)
        plan = plan_build(self._request(decision, host, out), host, toolchain, work)
        for note in plan.notes:
            self.say(f"note: {note}")
        return plan

    def _inspect(self, host: Host) -> tuple[Decision, Toolchain]:
        def look(archs: tuple[Arch, ...]) -> Toolchain:
            return inspect_toolchain(host, self.folder, self._linker, self.runner, archs)

        return look_for_tools(self.decision, self.python, look, self.say)

    @property
    def _linker(self) -> str:
        by_words = "zig" if self.settings.words.zig and not self.host.is_macos else None
        return self.settings.linker or by_words or self.project.config.linker or "auto"

    def _request(self, decision: Decision, host: Host, out: Path) -> BuildRequest:
        words, config = self.settings.words, self.project.config
        if len(words.interpreters) > 1:
            raise UsageError(
                f"--interpreter {' '.join(words.interpreters)}: a frontend asks for one wheel; leave one of them"
            )
        manifest = words.manifest_path
        if manifest is None and config.manifest_path is not None:
            manifest = self.project.pyproject.parent / config.manifest_path
        return BuildRequest(
            project=self.folder,
            source=self.project.name,
            out=out,
            # arm64 first, as `fatwheel build` does it.
            archs=tuple(reversed(decision.archs)),
            manifest_path=manifest,
            interpreters=choose_interpreters(
                words.interpreters, self.running, on_macos=host.is_macos
            ),
            features=(*config.features, *words.features),
            profile=words.profile or config.profile,
            repair=self._repair(),
            arguments=words.rest,
            config=config,
            maturin=self.project.maturin,
        )

    def _repair(self) -> str:
        """Return who grafts dylibs: nobody unless told so, for frontends and cibuildwheel have steps of their own."""
        mode = self.settings.words.auditwheel
        if mode is not None and mode not in ("repair", "skip"):
            raise UsageError(f"--auditwheel {mode} is for Linux; macOS has repair and skip")
        by_words = {None: None, "repair": "maturin", "skip": "none"}[mode]
        wanted = by_words or self.project.config.repair or "none"
        if wanted == "delocate" and not self.host.is_macos:
            self.say(
                'note: repair = "delocate" needs a Mac; dylibs from outside stay outside the wheel'
            )
            return "none"
        return wanted

    def _run(self, plan: BuildPlan, work: Path, tree: InPlace | None) -> str:
        """Carry out the plan and return the file name of the one wheel."""
        after = tree.keep if tree is not None and len(plan.builds) > 1 else None
        try:
            built = run_build(
                plan, work, self.fuse, self.runner, say=self.say, output=self.output, after=after
            )
        except BuildFailedError as error:
            if "-m pip install cffi" in error.output:
                raise ToolError(_cffi_is_missing(self.host.python)) from error
            raise
        for line in built.external:
            self.say(f"WARNING: {line}")
        names = [fused.path.name for fused in built.wheels] or [path.name for path in built.thin]
        if len(names) != 1:
            raise RefusedError(f"one wheel was to come, and maturin made {', '.join(names)}")
        return names[0]

    def _dist_info(self, run: tuple[Build, Path]) -> tuple[str, dict[str, bytes]]:
        """Let maturin write the metadata; return the folder's name and its files by path."""
        build, folder = run
        completed = self.runner.stream(build.command, self.output)
        if completed.exit_code:
            raise BuildFailedError(
                f"writing the metadata for {build.arch.value}",
                completed.exit_code,
                completed.stdout,
            )
        (made,) = folder.glob("*.dist-info")
        files: dict[str, bytes] = {
            path.relative_to(made).as_posix(): path.read_bytes()
            for path in sorted(made.rglob("*"))
            if path.is_file()
        }
        return made.name, files


def look_for_tools(
    decision: Decision,
    python: PythonFacts,
    look: Callable[[tuple[Arch, ...]], Toolchain],
    say: Callable[[str], None],
) -> tuple[Decision, Toolchain]:
    """Return what `look` finds for the architectures, and the decision, which falls back where it may and must.

    Raises `MissingToolsError` where even for the running architecture something is missing.
    """
    try:
        return decision, look(decision.archs)
    except MissingToolsError as error:
        if not decision.universal2_is_optional:
            raise
        own = fall_back(decision, python)
        toolchain = look(own.archs)
        say(f"WARNING: universal2 = true cannot be had here; {error}")
        return own, toolchain


def _hook(plan: BuildPlan, host: Host, *options: str) -> BuildPlan:
    """Return the plan with the subcommand for frontends, which leaves the profile to pyproject.toml."""
    builds = tuple(hook_build(build, host, plan.request.profile, *options) for build in plan.builds)
    return replace(plan, builds=builds)


def hook_build(build: Build, host: Host, profile: str | None, *options: str) -> Build:
    """Return a build as `maturin pep517 build-wheel` does it; without a profile, pyproject.toml's counts."""
    thin: ThinBuild = replace(
        build.thin, subcommand=("pep517", "build-wheel", *options), profile=profile
    )
    return Build(thin=thin, command=maturin_command(thin, host.environ, *host.maturin_words))


def _write_dist_info(build: Build, host: Host, work: Path) -> tuple[Build, Path]:
    """Return the run that writes the metadata for one architecture, and the folder it writes into."""
    folder = work / f"metadata-{build.arch.value}"
    folder.mkdir()
    words = ("pep517", "write-dist-info", "--metadata-directory", str(folder))
    thin = replace(build.thin, subcommand=words)
    command = maturin_command(thin, host.environ, *host.maturin_words)
    return Build(thin=thin, command=command), folder


def _with_metadata(host: Host, folder: str | None) -> Host:
    """Return the host whose maturin takes the metadata that it prepared before (PEP 517)."""
    if folder is None:
        return host
    return replace(host, environ={**host.environ, "MATURIN_PEP517_METADATA_DIR": folder})


def _fused_wheel_text(dist_info: str, texts: Mapping[Arch, str], style: TagStyle) -> bytes:
    """Return the WHEEL of the universal2 wheel to be, from those of both thin ones."""
    names = {arch: _wheel_name(dist_info, text) for arch, text in texts.items()}
    metadata = parse_wheel_metadata(texts[Arch.ARM64], wheel=dist_info, member="WHEEL")
    floors = {arch: claims(name)[arch] for arch, name in names.items()}
    platforms = fused_platforms(floors[Arch.X86_64], floors[Arch.ARM64], style)
    return format_wheel_metadata(
        with_platforms(names[Arch.ARM64], platforms),
        generator=f"fatwheel {__version__}",
        root_is_purelib=metadata.root_is_purelib,
    )


def _wheel_name(dist_info: str, text: str) -> WheelName:
    """Return the file name that the tags of a WHEEL file make."""
    tags = parse_wheel_metadata(text, wheel=dist_info, member="WHEEL").tags
    parts = [tuple(dict.fromkeys(part)) for part in zip(*(t.split("-") for t in tags), strict=True)]
    distribution, _, version = dist_info.removesuffix(".dist-info").partition("-")
    return WheelName(
        distribution=distribution,
        version=version,
        pythons=parts[0],
        abis=parts[1],
        platforms=parts[2],
    )


def _cffi_is_missing(python: str) -> str:
    return (
        f"maturin needs cffi in {python} to make these bindings, and fatwheel keeps it from installing anything "
        f'there; {python} -m pip install cffi, or add "cffi" to [build-system] requires'
    )
