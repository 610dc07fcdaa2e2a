"""`fatwheel develop` with pretended tools, as on a Mac; and what it refuses, really run, elsewhere."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import subprocess
import sys
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.building.arguments import parse_maturin_words
from fatwheel.building.build import BuildFailedError
from fatwheel.building.develop import (
    DevelopPlan,
    check_target,
    check_words,
    find_environment,
    fuse_installed,
    plan_develop,
    run_develop,
)
from fatwheel.building.project import parse_project
from fatwheel.errors import RefusedError, ToolError, UsageError
from fatwheel.process import Command, Completed
from fatwheel.targets.decision import PythonFacts, Wishes, decide_targets
from fatwheel.toolchain.lookup import inspect_toolchain
from tests.support.fake_runner import says
from tests.support.interpreters import LINUX, PYTHON_ORG, under_rosetta
from tests.support.machines import complete_linux
from tests.support.projects import copy_project, run_fatwheel
from tests.support.wheels import PLATFORMS, A, X, code, make_wheel, program, slices_of

MAC = replace(PYTHON_ORG, executable="/venv/bin/python")
ROSETTA = under_rosetta(MAC)
ARM_ONLY = replace(MAC, platform="macosx-11.0-arm64", slices=frozenset({A}))


# ---- into which environment ----


def environment(root: Path, program: str = "bin/python") -> Path:
    (root / program).parent.mkdir(parents=True)
    (root / program).touch()
    return root


def test_the_environment_is_found_as_maturin_finds_it(tmp_path: Path) -> None:
    named = environment(tmp_path / "named")
    above = environment(tmp_path / ".venv")
    project = tmp_path / "crates" / "py"
    project.mkdir(parents=True)
    python = str(named / "bin" / "python")
    assert find_environment({"VIRTUAL_ENV": str(named)}, project) == python
    assert find_environment({"CONDA_PREFIX": str(named), "VIRTUAL_ENV": ""}, project) == python
    both = {"CONDA_PREFIX": str(named), "VIRTUAL_ENV": str(named)}
    assert find_environment(both, project) == python
    assert find_environment({}, project) == str(above / "bin" / "python")


def test_the_environment_on_windows(tmp_path: Path) -> None:
    root = environment(tmp_path / "env", "Scripts/python.exe")
    found = find_environment({"VIRTUAL_ENV": str(root)}, tmp_path, windows=True)
    assert Path(found) == root / "Scripts" / "python.exe"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"VIRTUAL_ENV": "/a", "CONDA_PREFIX": "/b"}, r"VIRTUAL_ENV is /a and CONDA_PREFIX is /b"),
        ({"VIRTUAL_ENV": "/nowhere"}, r"/nowhere has no Python; make the virtual environment anew"),
        ({}, r"there is no virtual environment .*python3 -m venv \.venv"),
    ],
    ids=["two", "broken", "none"],
)
def test_environments_that_are_none(environ: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        find_environment(environ, tmp_path)


# ---- for which architecture ----


@pytest.mark.parametrize(
    ("python", "option", "message"),
    [
        (LINUX, "universal2", r"runs on linux and cannot load .*build makes wheels for x86_64 and"),
        (
            ARM_ONLY,
            "x86_64",
            r"which runs as arm64; start it as x86_64 \(arch -x86_64 …\), or take",
        ),
        (ROSETTA, "arm64", r"which runs as x86_64; start it as arm64"),
    ],
    ids=["on Linux", "arm64 only", "under Rosetta"],
)
def test_what_would_not_load_is_refused(python: PythonFacts, option: str, message: str) -> None:
    decision = decide_targets(Wishes(option=option), python)
    with pytest.raises(UsageError, match=message):
        check_target(decision, python)


def test_what_loads_is_not_refused() -> None:
    for python in (MAC, ROSETTA, LINUX):
        check_target(decide_targets(Wishes(), python), python)
    check_target(decide_targets(Wishes(option="universal2"), ROSETTA), ROSETTA)


def test_words_that_maturin_develop_does_not_have() -> None:
    check_words(parse_maturin_words(["-r", "-E", "test"]))
    with pytest.raises(UsageError, match=r"develop has no --interpreter and no --zig; leave"):
        check_words(parse_maturin_words(["-i", "3.12", "--zig"]))


# ---- what is run ----


class Developing:
    """A crate on a Mac with pretended tools; the project is mixed unless its wheel has the module."""

    def __init__(self, folder: Path) -> None:
        self.machine = complete_linux(folder / "machine")
        self.machine.xcode()
        self.folder = folder / "project"
        self.module = self.folder / "pkg" / "_native.abi3.so"
        self.module.parent.mkdir(parents=True)
        self.site = folder / "venv" / "lib" / "python3.12" / "site-packages"
        self.work = folder / "work"
        self.pyproject = ""
        self.python = MAC
        self.said: list[str] = []
        self.in_wheel: dict[str, str] = {}  # names in wheels, and where they are installed
        self.installed: dict[str, str] = {}
        answers = self.machine.runner.answers
        answers["python -I -m maturin pep517 build-wheel"] = self._build
        answers["python -I -m maturin develop"] = self._develop
        answers["python -I -c"] = lambda _: says(json.dumps(self.installed))

    def _arch(self, command: Command) -> Arch:
        target = command.arguments[command.arguments.index("--target") + 1]
        return next(arch for arch in Arch if arch.rust_target == target)

    def _members(self, arch: Arch) -> dict[str, bytes]:
        return {name: program(arch) for name in self.in_wheel} or {"pkg.pth": b"/project"}

    def _build(self, command: Command) -> Completed:
        arch = self._arch(command)
        if not self.in_wheel:
            self.module.write_bytes(code(arch))
        out = Path(command.arguments[command.arguments.index("--out") + 1])
        make_wheel(out, PLATFORMS[arch], self._members(arch))
        return says("built")

    def _develop(self, command: Command) -> Completed:
        arch = self._arch(command)
        if not self.in_wheel:
            self.module.write_bytes(code(arch))
        rows = []
        for member, name in self.in_wheel.items():
            path = self.site / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._members(arch)[member])
            self.installed[name] = str(path)
            rows.append(f'"{name}",sha256={"A" * 43},1')
        record = self.site / "pkg-1.0.dist-info" / "RECORD"
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text("\n".join([*rows, "pkg-1.0.dist-info/RECORD,,", ""]))
        self.installed["pkg-1.0.dist-info/RECORD"] = str(record)
        return says("installed")

    def plan(self, *arguments: str, **asked: str) -> DevelopPlan:
        project = parse_project(self.pyproject, self.folder / "pyproject.toml", "pyproject.toml")
        decision = decide_targets(Wishes(**asked), self.python)  # type: ignore[arg-type]
        machine = self.machine
        return plan_develop(
            parse_maturin_words(arguments),
            decision,
            self.python,
            project=project,
            host=machine.host,
            toolchain=inspect_toolchain(machine.host, self.folder, "auto", machine.runner),
            folder=self.folder,
            work=self.work,
        )

    def run(self, *arguments: str, **asked: str) -> tuple[Path, ...]:
        plan = self.plan(*arguments, **asked)
        return run_develop(
            plan,
            self.work,
            self.machine.runner,
            say=self.said.append,
            output=lambda piece: None,
        )


@pytest.fixture
def developing(tmp_path: Path) -> Developing:
    return Developing(tmp_path)


@pytest.mark.parametrize(
    ("python", "target"),
    [(MAC, "aarch64-apple-darwin"), (ROSETTA, "x86_64-apple-darwin")],
    ids=["native", "under Rosetta"],
)
def test_one_architecture(developing: Developing, python: PythonFacts, target: str) -> None:
    developing.python = python
    plan = developing.plan("-E", "test", "--locked", "--", "-C", "opt-level=1")
    (command,) = plan.commands
    assert command.arguments == (
        *("-I", "-m", "maturin", "develop", "--target", target, "--profile", "dev"),
        *("-E", "test", "--locked", "--", "-C", "opt-level=1"),
    )
    assert developing.run() == ()


def test_options_and_settings(developing: Developing) -> None:
    developing.pyproject = """
[tool.maturin]
features = ["a"]
editable-profile = "edit"
[tool.fatwheel]
maturin-args = ["--sbom-include", "x"]
[tool.fatwheel.arm64]
features = ["neon"]
deployment-target = "12.0"
"""
    plan = developing.plan("--features=b", "-m", "py/Cargo.toml")
    line = " ".join(plan.develop.arguments)
    assert "--profile edit --manifest-path py/Cargo.toml --features a,b,neon" in line
    assert "sbom" not in line
    assert plan.develop.env["MACOSX_DEPLOYMENT_TARGET"] == "12.0"
    assert "--profile release" in " ".join(developing.plan("-r").develop.arguments)


@pytest.mark.parametrize("python", [MAC, ROSETTA], ids=["native", "under Rosetta"])
def test_both_in_the_source_tree(developing: Developing, python: PythonFacts) -> None:
    developing.python = python
    fused = developing.run("-E", "test", "--uv", option="universal2")
    assert fused == (developing.module.resolve(),)
    assert sorted(slices_of(developing.module.read_bytes()).values()) == sorted([code(A), code(X)])
    runs = [call for call in developing.machine.runner.calls if "--target" in call.arguments]
    assert [call.arguments[3] for call in runs] == ["pep517", "develop"]
    first = " ".join(runs[0].arguments)
    assert "-E" not in first
    assert "--uv" not in first
    assert "build-wheel --editable" in first
    assert "--profile dev" in first
    assert first.count("x86_64-apple-darwin") == (1 if python is MAC else 0)


def test_both_in_site_packages(developing: Developing) -> None:
    developing.in_wheel = {
        "pkg/_native.abi3.so": "pkg/_native.abi3.so",
        "pkg-1.0.data/platlib/pkg/other.so": "pkg/other.so",
        "pkg-1.0.data/scripts/tool": "../../../bin/tool",
    }
    fused = developing.run(option="universal2")
    assert {path.name for path in fused} == {"_native.abi3.so", "other.so", "tool"}
    record = (developing.site / "pkg-1.0.dist-info" / "RECORD").read_text()
    rows = {name: (digest, size) for name, digest, size in csv.reader(record.splitlines())}
    for name in developing.in_wheel.values():
        content = (developing.site / name).read_bytes()
        assert sorted(slices_of(content).values()) == sorted([program(A), program(X)])
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        assert rows[name] == (f"sha256={digest}", str(len(content)))


def test_without_installation_only_the_tree_is_touched(developing: Developing) -> None:
    assert developing.run("--skip-install", option="universal2") == (developing.module.resolve(),)
    assert not [call for call in developing.machine.runner.calls if "-c" in call.arguments]


def test_a_build_that_fails(developing: Developing) -> None:
    developing.machine.runner.answers["python -I -m maturin pep517"] = says("error: no", 1)
    del developing.machine.runner.answers["python -I -m maturin pep517 build-wheel"]
    with pytest.raises(BuildFailedError, match=r"^building x86_64 failed"):
        developing.run(option="universal2")
    assert not [call for call in developing.machine.runner.calls if "develop" in call.arguments]


def test_a_project_that_nobody_knows(developing: Developing) -> None:
    developing.machine.runner.answers["python -I -c"] = says("", 1)
    with pytest.raises(ToolError, match=r"python does not know what maturin installed as pkg"):
        developing.run(option="universal2")


def test_a_module_that_is_not_installed(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, PLATFORMS[A], {"pkg/x.so": code(A)})
    with pytest.raises(RefusedError, match=r"pkg/x\.so of pkg-1\.0.* has no counterpart"):
        fuse_installed(wheel, {}, tmp_path)


# ---- the command line, on a machine that is no Mac ----


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("venv")
    venv.create(root, symlinks=sys.platform != "win32")
    return str(root)


off_macos = pytest.mark.skipif(sys.platform == "darwin", reason="there, macOS is the target")


def run(
    folder: Path, root: str, *arguments: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    project = copy_project("backend-mixed", folder)
    names = {"VIRTUAL_ENV": root, "CONDA_PREFIX": "", **environ}
    return run_fatwheel(project, "develop", *arguments, **names)


@off_macos
@pytest.mark.parametrize(
    ("arguments", "environ", "reason"),
    [
        (["--target", "universal2"], {}, "The option universal2 asks for universal2"),
        ([], {"ARCHFLAGS": "-arch arm64"}, "ARCHFLAGS='-arch arm64' asks for macOS arm64."),
    ],
    ids=["option", "variable"],
)
def test_an_apple_target_is_refused_off_macos(
    arguments: list[str],
    environ: dict[str, str],
    reason: str,
    tmp_path: Path,
    empty_environment: str,
) -> None:
    done = run(tmp_path, empty_environment, *arguments, **environ)
    assert done.returncode == 2
    assert done.stderr.startswith(f"fatwheel: {reason}")
    assert "cannot load code for macOS; fatwheel build makes wheels" in done.stderr


@off_macos
def test_for_other_targets_all_is_passed_on(tmp_path: Path, empty_environment: str) -> None:
    words = ["-r", "--uv", "-E", "a,b", "--", "-C", "opt-level=1"]
    done = run(tmp_path, empty_environment, "--dry-run", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f" -I -m maturin develop {' '.join(words)}\n")


@off_macos
def test_maturins_exit_code_is_passed_on(tmp_path: Path, empty_environment: str) -> None:
    done = run(tmp_path, empty_environment, "--no-such-option")
    assert done.returncode == 2
    assert "--no-such-option" in done.stderr
