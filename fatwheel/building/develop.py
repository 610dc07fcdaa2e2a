"""`maturin develop` with the right target, and for a universal2 Python with both.

maturin installs for the running architecture only: pip refuses a wheel for the other one. So that one is built
as an editable wheel first, kept aside, and fused into what `maturin develop` writes, wherever that is.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from fatwheel.arch import Arch
from fatwheel.atomic import new_file
from fatwheel.building.arguments import MaturinWords, without_options
from fatwheel.building.build import call_maturin
from fatwheel.building.inplace import InPlace, fuse_files, is_macho
from fatwheel.building.plan import Build, BuildRequest, hook_build, plan_build
from fatwheel.building.project import Project
from fatwheel.config import Config
from fatwheel.errors import RefusedError, ToolError, UsageError
from fatwheel.process import Command, Runner
from fatwheel.targets.decision import Decision, PythonFacts, running_arch
from fatwheel.toolchain.host import Host
from fatwheel.toolchain.lookup import Toolchain
from fatwheel.values import valueclass
from fatwheel.wheels.record import RecordHash
from fatwheel.wheels.tags import parse_wheel_name

__all__ = [
    "DevelopPlan",
    "check_target",
    "check_words",
    "find_environment",
    "fuse_installed",
    "installed_files",
    "pass_on",
    "plan_develop",
    "run_develop",
]

# What only `maturin develop` knows, and whether a value follows.
_DEVELOP_ONLY: Mapping[str, bool] = {
    "-E": True,
    "--extras": True,
    "-G": True,
    "--group": True,
    "--skip-install": False,
    "--pip-path": True,
    "--uv": False,
}
_QUESTION = """\
import importlib.metadata, json, sys
files = importlib.metadata.distribution(sys.argv[1]).files or ()
print(json.dumps({str(file): str(file.locate()) for file in files}))
"""


@valueclass
class DevelopPlan:
    """What is run: `other` makes the editable wheel for the architecture that does not run here, if both are wanted.

    `develop` is `maturin develop` for `arch`. `installs` is false with `--skip-install`. `python` is the program of
    the environment that is installed into. `notes` are sentences about settings that were changed.
    """

    arch: Arch
    develop: Command
    other: Build | None
    python: str
    project: Project
    installs: bool
    notes: tuple[str, ...]

    @property
    def commands(self) -> tuple[Command, ...]:
        """All that is run, in order."""
        return (self.develop,) if self.other is None else (self.other.command, self.develop)


def find_environment(environ: Mapping[str, str], folder: Path, *, windows: bool = False) -> str:
    """Return the Python of the virtual environment that maturin installs into.

    As maturin finds it: VIRTUAL_ENV, CONDA_PREFIX, else a folder `.venv` here or above. Raises `UsageError`
    where there is none, or two.
    """
    named = {name: environ.get(name) for name in ("VIRTUAL_ENV", "CONDA_PREFIX")}
    found = {value for value in named.values() if value}
    if len(found) > 1:
        raise UsageError(
            f"VIRTUAL_ENV is {named['VIRTUAL_ENV']} and CONDA_PREFIX is {named['CONDA_PREFIX']}; unset the one "
            "that is not meant"
        )
    above = (parent / ".venv" for parent in (folder, *folder.parents))
    root = Path(found.pop()) if found else next(filter(Path.is_dir, above), None)
    if root is None:
        raise UsageError(
            "there is no virtual environment to install into; activate one, or make one here: python3 -m venv .venv"
        )
    for name in ("Scripts/python.exe", "python.exe") if windows else ("bin/python",):
        if (root / name).exists():
            return str(root / name)
    raise UsageError(f"{root} has no Python; make the virtual environment anew")


def check_target(decision: Decision, python: PythonFacts) -> None:
    """Raise `UsageError` where what would be built does not load in `python`, into which it would be installed."""
    if not decision.is_cross(python):
        return
    asked = " and ".join(arch.value for arch in decision.archs)
    arch = running_arch(python)
    if arch is None:
        raise UsageError(
            f"{decision.why} But develop installs into {python.executable}, which runs on {python.system} and "
            f"cannot load code for macOS; fatwheel build makes wheels for {asked} here"
        )
    raise UsageError(
        f"{decision.why} But develop installs into {python.executable}, which runs as {arch.value}; start it as "
        f"{asked} (arch -{asked} …), or take --target universal2 if it is built for both"
    )


def check_words(words: MaturinWords) -> None:
    """Raise `UsageError` for options of `maturin build` that `maturin develop` does not have."""
    foreign = [
        *(["--interpreter"] if words.interpreters else []),
        *(["--zig"] if words.zig else []),
        *(["--auditwheel"] if words.auditwheel else []),
    ]
    if foreign:
        raise UsageError(f"maturin develop has no {' and no '.join(foreign)}; leave it out")


def pass_on(words: tuple[str, ...], host: Host, folder: Path) -> Command:
    """Return `maturin develop` as it was asked for, for a target that is not macOS."""
    return Command(
        program=host.maturin_words[0],
        arguments=(*host.maturin_words[1:], "develop", *words),
        env=host.environ,
        cwd=folder,
        how="pip install maturin",
    )


def plan_develop(
    words: MaturinWords,
    decision: Decision,
    python: PythonFacts,
    *,
    project: Project,
    host: Host,
    toolchain: Toolchain,
    folder: Path,
    work: Path,
) -> DevelopPlan:
    """Return what to run in `folder` for the decision; `python` is the Python that is installed into.

    Of `[tool.fatwheel]`, features, flags, variables and deployment targets count, and no maturin-args: they are
    for `maturin build`.
    """
    arch = running_arch(python)
    if arch is None or arch not in decision.archs:
        raise ValueError("see check_target")
    config = _without_maturin_args(project.config)
    request = BuildRequest(
        project=folder,
        source=project.name,
        out=work,
        archs=decision.archs,
        manifest_path=words.manifest_path,
        interpreters=(python.executable,),
        features=(*config.features, *words.features),
        profile=words.profile or project.maturin.editable_profile or "dev",
        arguments=without_options(words.rest, _DEVELOP_ONLY),
        config=config,
        maturin=project.maturin,
    )
    plan = plan_build(request, host, toolchain, work)
    builds = {build.arch: build for build in plan.builds}
    other = builds.get(arch.other)
    return DevelopPlan(
        arch=arch,
        develop=_develop_command(builds[arch], words, host),
        other=None if other is None else hook_build(other, host, request.profile, "--editable"),
        python=python.executable,
        project=project,
        installs="--skip-install" not in words.rest,
        notes=plan.notes,
    )


def _without_maturin_args(config: Config) -> Config:
    return replace(
        config,
        maturin_args=(),
        x86_64=replace(config.x86_64, maturin_args=()),
        arm64=replace(config.arm64, maturin_args=()),
    )


def _develop_command(build: Build, words: MaturinWords, host: Host) -> Command:
    thin = build.thin
    arguments = ["develop", "--target", build.arch.rust_target, "--profile", thin.profile or "dev"]
    if thin.manifest_path is not None:
        arguments += ["--manifest-path", str(thin.manifest_path)]
    if thin.features:
        arguments += ["--features", ",".join(thin.features)]
    return replace(build.command, arguments=(*host.maturin_words[1:], *arguments, *words.rest))


def run_develop(
    plan: DevelopPlan,
    work: Path,
    runner: Runner,
    *,
    say: Callable[[str], None],
    output: Callable[[bytes], None],
) -> tuple[Path, ...]:
    """Carry out the plan and return the files that have both architectures now.

    Raises `BuildFailedError`, and `RefusedError` where the two builds did not make two halves of the same.
    """
    call = partial(call_maturin, runner=runner, output=output)
    if plan.other is None:
        say(f"installing {plan.arch.value}")
        call(plan.develop, f"maturin develop for {plan.arch.value}")
        return ()
    tree = InPlace(plan.project.source_folders, work)
    other = plan.other.arch
    say(f"building {other.value}, to be fused into what is installed")
    call(plan.other.command, f"building {other.value}")
    tree.keep(other)
    say(f"installing {plan.arch.value}")
    call(plan.develop, f"maturin develop for {plan.arch.value}")
    tree.keep(plan.arch)
    fused = tree.fuse()
    if plan.installs:
        (wheel,) = plan.other.thin.out.glob("*.whl")
        name = parse_wheel_name(wheel.name).distribution
        files = installed_files(plan.python, name, plan.develop, runner)
        fused += fuse_installed(wheel, files, work)
    for path in fused:
        say(f"fused {path}, for both architectures")
    return fused


def installed_files(python: str, name: str, like: Command, runner: Runner) -> dict[str, Path]:
    """Return the files of the installed project `name` by their names in RECORD, asked of `python`."""
    command = replace(like, program=python, arguments=("-I", "-c", _QUESTION, name), how="")
    completed = runner.capture(command)
    if completed.exit_code:
        said = completed.stderr.strip().splitlines()
        raise ToolError(
            f"{python} does not know what maturin installed as {name}: {said[-1] if said else 'it says nothing'}"
        )
    return {file: Path(path) for file, path in json.loads(completed.stdout).items()}


def fuse_installed(wheel: Path, files: Mapping[str, Path], work: Path) -> tuple[Path, ...]:
    """Fuse the Mach-O files of `wheel` into those installed under the same names, and correct RECORD.

    `files` are the installed ones by their names in RECORD. Raises `RefusedError` where one is missing.
    """
    fused = []
    with zipfile.ZipFile(wheel) as archive:
        for number, member in enumerate(_machos(archive)):
            name = _installed_name(member, files)
            if name is None:
                raise RefusedError(
                    f"{member} of {wheel.name} has no counterpart among the installed files"
                )
            half = work / f"half-{number}"
            half.write_bytes(archive.read(member))
            fuse_files(half, files[name], files[name])
            fused.append(name)
    if fused:
        (record,) = [path for name, path in files.items() if name.endswith(".dist-info/RECORD")]
        text = _corrected(record.read_text("utf-8"), {name: files[name] for name in fused})
        with new_file(record, replace=True) as file:
            file.write(text.encode())
    return tuple(files[name] for name in fused)


def _machos(archive: zipfile.ZipFile) -> Iterator[str]:
    for info in archive.infolist():
        with archive.open(info) as member:
            if is_macho(member):
                yield info.filename


def _installed_name(member: str, files: Mapping[str, Path]) -> str | None:
    """Return the name in RECORD of what a wheel's member became (binary distribution format, "Spreading")."""
    parts = PurePosixPath(member).parts
    if not parts[0].endswith(".data"):
        return member if member in files else None
    if parts[1] in ("purelib", "platlib"):
        inner = "/".join(parts[2:])
        return inner if inner in files else None
    tail = "/" + "/".join(parts[2:])
    outside = [name for name in files if name.startswith("../") and name.endswith(tail)]
    return outside[0] if len(outside) == 1 else None


def _corrected(record: str, changed: Mapping[str, Path]) -> str:
    """Return RECORD's text with hash and size of the changed files."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in csv.reader(record.splitlines()):
        if row and row[0] in changed:
            content = changed[row[0]].read_bytes()
            digest = RecordHash("sha256", hashlib.sha256(content).digest())
            writer.writerow([row[0], str(digest), str(len(content))])
        else:
            writer.writerow(row)
    return out.getvalue()
