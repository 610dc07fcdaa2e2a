"""What a PEP 517 and PEP 660 backend does where the target is macOS; for every other, maturin's own hooks serve.

The environment, the interpreter and the settings come in as values; `fatwheel.backend` reads them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from fatwheel.arch import Arch
from fatwheel.building.announcement import announcement
from fatwheel.building.arguments import ConfigSettings
from fatwheel.building.build import BuildFailedError, call_maturin, run_build
from fatwheel.building.inplace import InPlace
from fatwheel.building.metadata import write_dist_info
from fatwheel.building.plan import BuildPlan, BuildRequest, hook_build, plan_build
from fatwheel.building.project import Project
from fatwheel.building.requirements import build_requirements, needs_cffi
from fatwheel.errors import RefusedError, ToolError, UsageError
from fatwheel.fusion.fuse import FuseOptions
from fatwheel.process import Runner
from fatwheel.targets.decision import Decision, PythonFacts
from fatwheel.targets.interpreter import RunningPython, choose_interpreters
from fatwheel.toolchain.host import Host
from fatwheel.toolchain.lookup import Toolchain, inspect_toolchain, look_for_tools
from fatwheel.values import valueclass

__all__ = ["AppleHooks", "BuildHook", "Hooks", "Settings"]

Settings = Mapping[str, Any] | None
"""What frontends hand over with `-C`; the values are texts, or lists of them."""


class BuildHook(Protocol):
    """`build_wheel` (PEP 517), or `build_editable` (PEP 660)."""

    def __call__(
        self,
        wheel_directory: str,
        config_settings: Settings = None,
        metadata_directory: str | None = None,
    ) -> str:
        """Build the wheel and return its file name."""


class Hooks(Protocol):
    """The hooks that depend on the target (PEP 517, PEP 660); the module `maturin` has them, too."""

    def get_requires_for_build_wheel(self, config_settings: Settings = None) -> list[str]:
        """Return what to install before the other hooks are called."""

    def prepare_metadata_for_build_wheel(
        self, metadata_directory: str, config_settings: Settings = None
    ) -> str:
        """Write the dist-info folder of the wheel to be, and return its name."""

    @property
    def build_wheel(self) -> BuildHook:
        """Builds the wheel."""

    @property
    def build_editable(self) -> BuildHook:
        """Builds the editable wheel."""


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
        with _work() as work:
            plan = self._plan(self.host, work, Path(metadata_directory))
            run = partial(call_maturin, runner=self.runner, output=self.output)
            return write_dist_info(plan, self.host, work, self.fuse.plan.tag_style, run)

    def build_wheel(
        self,
        wheel_directory: str,
        config_settings: Settings = None,
        metadata_directory: str | None = None,
    ) -> str:
        """Build the wheel and return its file name."""
        return self._build(wheel_directory, metadata_directory)

    def build_editable(
        self,
        wheel_directory: str,
        config_settings: Settings = None,
        metadata_directory: str | None = None,
    ) -> str:
        """Build the editable wheel and return its file name.

        What maturin writes into the source tree for both architectures is fused there.
        """
        return self._build(wheel_directory, metadata_directory, "--editable")

    def _build(self, out: str, metadata: str | None, *options: str) -> str:
        with _work() as work:
            host = _with_metadata(self.host, metadata)
            plan = self._plan(host, work, Path(out))
            builds = (hook_build(b, host, plan.request.profile, *options) for b in plan.builds)
            plan = replace(plan, builds=tuple(builds))
            if not options or len(plan.builds) == 1:
                return self._run(plan, work)
            tree = InPlace(self.project.source_folders, work)
            name = self._run(plan, work, after=tree.keep)
            for path in tree.fuse():
                self.say(f"fused {path} in place, for both architectures")
            return name

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
        return BuildRequest(
            project=self.folder,
            source=self.project.name,
            out=out,
            # arm64 first, as `fatwheel build` does it.
            archs=tuple(reversed(decision.archs)),
            manifest_path=self.project.manifest(words.manifest_path),
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

    def _run(self, plan: BuildPlan, work: Path, after: Callable[[Arch], None] | None = None) -> str:
        """Carry out the plan and return the file name of the one wheel."""
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
        names = [made.path.name for made in built.results]
        if len(names) != 1:
            raise RefusedError(f"one wheel was to come, and maturin made {', '.join(names)}")
        return names[0]


@contextmanager
def _work() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fatwheel-") as folder:
        yield Path(folder)


def _with_metadata(host: Host, folder: str | None) -> Host:
    """Return the host whose maturin takes the metadata that it prepared before (PEP 517)."""
    if folder is None:
        return host
    return replace(host, environ={**host.environ, "MATURIN_PEP517_METADATA_DIR": folder})


def _cffi_is_missing(python: str) -> str:
    return (
        f"maturin needs cffi in {python} to make these bindings, and fatwheel keeps it from installing anything "
        f'there; {python} -m pip install cffi, or add "cffi" to [build-system] requires'
    )
