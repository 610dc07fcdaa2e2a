"""The recipes of docs/ci.md and the action, really run as far as Linux goes: pip installs, cargo builds, bash fuses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.corpus import ROOT, SMALL_PAIR, wheel_cache
from tests.support.hostile import assert_nothing_ran, hostile
from tests.support.projects import (
    TARGETS,
    BuiltWheel,
    build_environment,
    copy_project,
    require_rust,
)
from tests.support.required import require_pair
from tests.support.workflows import (
    ACTION,
    BASH,
    Runner,
    action_runner,
    fenced_blocks,
    parse_yaml,
    read_outputs,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a Mac has docs/ci.md's own runs")

RECIPES: dict[str, Any] = {
    block.heading: parse_yaml(block.text)
    for block in fenced_blocks((ROOT / "docs" / "ci.md").read_text("utf-8"))
    if block.language == "yaml"
}
INTEL, ARM = SMALL_PAIR
FUSED = "markupsafe-3.0.4-cp312-cp312-macosx_10_13_universal2.whl"


@pytest.fixture(scope="module")
def environ(index: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a runner: a Python of its own, packages from the index folder only, a stand-in for rustup."""
    folder = tmp_path_factory.mktemp("runner")
    venv.create(folder / "python", symlinks=True, with_pip=True)
    (folder / "bin").mkdir()
    wanted = " ".join(["target", "add", TARGETS["arm64"], TARGETS["x86_64"]])
    write_program(folder / "bin" / "rustup", f'[ "$*" = "{wanted}" ]')
    write_program(
        folder / "bin" / "apt-get", 'case "$*" in update*|*python3-venv) ;; *) exit 64 ;; esac'
    )
    found = build_environment(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(index))
    found |= {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    found["PATH"] = os.pathsep.join(
        [str(folder / "bin"), str(folder / "python" / "bin"), os.environ["PATH"]]
    )
    return found


def write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def retag(wheel: Path, folder: Path, **tags: str) -> Path:
    """Write a copy of the wheel with other tags, in its name and in WHEEL; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = Path(shutil.copy2(wheel, folder))
    options = [f"--{name.replace('_', '-')}={value}" for name, value in tags.items()]
    command = [sys.executable, "-m", "wheel", "tags", "--remove", *options, str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return folder / done.stdout.strip()


def put(*wheels: Path) -> Callable[[Path], None]:
    """Return what copies the wheels into a folder."""

    def copy(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for wheel in wheels:
            shutil.copy2(wheel, folder)

    return copy


def publish(runner: Runner, recipe: Mapping[str, Any]) -> list[str]:
    """Run the job that publishes; return the names of the files that would be uploaded."""
    uploaded: list[str] = []

    def upload(inputs: Mapping[str, str], workspace: Path) -> None:
        uploaded.extend(path.name for path in (workspace / "dist").iterdir())
        assert inputs == {}

    runner.workspace = runner.workspace.parent / "publish"
    runner.workspace.mkdir()
    runner.actions = {"pypa/gh-action-pypi-publish": upload}
    assert runner.run(recipe["jobs"]["publish"]["steps"]) == 0
    return sorted(uploaded)


# ---- building ----


def test_one_linux_runner(tmp_path: Path, environ: Mapping[str, str]) -> None:
    require_rust()
    recipe = RECIPES["One Linux runner"]
    project = copy_project("abi3", tmp_path)
    runner = Runner(project, tmp_path / "artifacts", environ)
    assert runner.run(recipe["jobs"]["build"]["steps"]) == 0, runner.said
    assert publish(runner, recipe) == ["fixture_abi3-0.1.0-cp310-abi3-macosx_10_12_universal2.whl"]
    (wheel,) = (tmp_path / "artifacts" / "dist").iterdir()
    assert list(BuiltWheel(wheel).images()) == ["x86_64", "arm64"]


def test_one_macos_runner_runs_the_same_commands() -> None:
    """So that what was tried on Linux says something about them."""

    def commands(name: str) -> list[str]:
        return [step["run"] for step in RECIPES[name]["jobs"]["build"]["steps"] if "run" in step]

    linux, macos = commands("One Linux runner"), commands("One macOS runner")
    assert linux[1] == 'pip install "fatwheel[zig]"'
    assert macos[:4] == [linux[0], "pip install fatwheel", *linux[2:]]
    assert len(macos) == 5


def test_gitlab(tmp_path: Path, environ: Mapping[str, str]) -> None:
    require_rust()
    job = RECIPES["GitLab"]["build"]
    project = copy_project("abi3", tmp_path)
    done = subprocess.run(
        [*BASH, "-c", "\n".join(job["script"])],
        cwd=project,
        env={**environ, "CI_PROJECT_DIR": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (pattern,) = job["artifacts"]["paths"]
    (wheel,) = project.glob(pattern)
    assert list(BuiltWheel(wheel).images()) == ["x86_64", "arm64"]


# ---- fusing ----


def fan_in(tmp_path: Path, environ: Mapping[str, str], **folders: Callable[[Path], None]) -> Runner:
    """Return a runner whose artifacts are those that the two Macs would have uploaded."""
    (tmp_path / "workspace").mkdir()
    for name, fill in folders.items():
        fill(tmp_path / "artifacts" / name)
    return Runner(tmp_path / "workspace", tmp_path / "artifacts", environ)


@pytest.mark.parametrize("same_name", [False, True])
def test_two_runners(tmp_path: Path, environ: Mapping[str, str], same_name: bool) -> None:
    intel, arm = INTEL, ARM
    if same_name:
        both = {"platform_tag": "macosx_10_13_universal2"}
        intel, arm = (retag(wheel, tmp_path / wheel.stem[-6:], **both) for wheel in (INTEL, ARM))
        assert intel.name == arm.name == FUSED
    recipe = RECIPES["Two runners"]
    uploads = [step["with"] for step in recipe["jobs"]["thin"]["steps"] if "artifact" in str(step)]
    names = [row["name"] for row in recipe["jobs"]["thin"]["strategy"]["matrix"]["include"]]
    assert (uploads[-1]["name"], names) == ("${{ matrix.name }}", ["intel", "arm"])
    runner = fan_in(tmp_path, environ, intel=put(intel), arm=put(arm))
    assert runner.run(recipe["jobs"]["fuse"]["steps"]) == 0, runner.said
    assert publish(runner, recipe) == [FUSED]


def test_two_runners_notice_what_is_missing(tmp_path: Path, environ: Mapping[str, str]) -> None:
    runner = fan_in(tmp_path, environ, intel=put(INTEL), arm=put())
    assert runner.run(RECIPES["Two runners"]["jobs"]["fuse"]["steps"]) != 0
    assert not (tmp_path / "artifacts" / "dist").exists()


def test_two_runners_notice_a_wheel_too_few(tmp_path: Path, environ: Mapping[str, str]) -> None:
    more = retag(ARM, tmp_path / "more", python_tag="cp313", abi_tag="cp313")
    runner = fan_in(tmp_path, environ, intel=put(INTEL), arm=put(more))
    assert runner.run(RECIPES["Two runners"]["jobs"]["fuse"]["steps"]) == 1
    assert "--expect 1: 1 universal2 wheel expected, and the wheels given make 0" in runner.said
    assert not (tmp_path / "artifacts" / "dist").exists()


def test_cibuildwheel(tmp_path: Path, environ: Mapping[str, str]) -> None:
    later = [
        retag(wheel, tmp_path / "later", python_tag="cp313", abi_tag="cp313")
        for wheel in (INTEL, ARM)
    ]
    recipe = RECIPES["cibuildwheel"]
    runner = fan_in(tmp_path, environ)
    runner.actions = {
        "pypa/cibuildwheel": lambda inputs, workspace: put(INTEL, ARM, *later)(
            workspace / inputs["output-dir"]
        )
    }
    assert runner.run(recipe["jobs"]["build"]["steps"]) == 0, runner.said
    assert publish(runner, recipe) == [FUSED, FUSED.replace("cp312", "cp313")]


def test_maturin_action(tmp_path: Path, environ: Mapping[str, str]) -> None:
    wheels = {"x86_64": INTEL, "aarch64": ARM}

    def build(inputs: Mapping[str, str], workspace: Path) -> None:
        words = inputs["args"].split()
        put(wheels[inputs["target"]])(workspace / words[words.index("--out") + 1])

    recipe = RECIPES["maturin-action"]
    runner = fan_in(tmp_path, environ)
    runner.actions = {"PyO3/maturin-action": build}
    assert runner.run(recipe["jobs"]["build"]["steps"]) == 0, runner.said
    assert publish(runner, recipe) == [FUSED]


# ---- the action ----


@dataclass
class Called:
    """What a call of the action came to."""

    code: int
    said: str
    outputs: dict[str, str]
    workspace: Path


@pytest.fixture(scope="module")
def installed(
    environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What the action's first steps put out: they install fatwheel, once for all tests."""
    workspace = tmp_path_factory.mktemp("install") / "workspace"
    workspace.mkdir()
    runner = action_runner(workspace, environ, command="build")
    assert runner.run(ACTION["runs"]["steps"][:2]) == 0, runner.said
    assert Path(runner.values["steps.install.outputs.bin"], "fatwheel").is_file()
    return {name: value for name, value in runner.values.items() if name.startswith("steps.")}


@pytest.fixture
def call(
    tmp_path_factory: pytest.TempPathFactory,
    environ: Mapping[str, str],
    installed: Mapping[str, str],
) -> Callable[..., Called]:
    """Run the action's last step with the inputs given, in a workspace that has the folders intel and arm."""

    def run(
        prepare: Callable[[Path], object] | None = None, programs: Path | None = None, **inputs: str
    ) -> Called:
        workspace = tmp_path_factory.mktemp("action") / "workspace"
        put(INTEL)(workspace / "intel")
        put(ARM)(workspace / "arm")
        if prepare is not None:
            prepare(workspace)
        runner = action_runner(workspace, environ, **inputs)
        runner.values |= installed
        if programs is not None:
            runner.values["steps.install.outputs.bin"] = str(programs)
        code = runner.run(ACTION["runs"]["steps"][2:])
        outputs = (
            {name: runner.expand(entry["value"]) for name, entry in ACTION["outputs"].items()}
            if code == 0
            else {}
        )
        return Called(code, runner.said, outputs, workspace)

    return run


def test_the_action_knows_its_commands(tmp_path: Path, environ: Mapping[str, str]) -> None:
    (tmp_path / "workspace").mkdir()
    runner = action_runner(tmp_path / "workspace", environ, command="develop")
    assert runner.run(ACTION["runs"]["steps"]) == 2
    assert runner.said == (
        "::error::fatwheel: the input 'command' is 'develop'; it must be fuse, build or check\n"
    )


def test_the_action_fuses(call: Callable[..., Called]) -> None:
    called = call(wheels="intel\narm\n", expect="1")
    assert called.code == 0, called.said
    assert called.outputs == {"wheels": f"dist/{FUSED}"}
    with zipfile.ZipFile(called.workspace / "dist" / FUSED) as archive:
        assert archive.testzip() is None


def test_the_action_s_snippet_is_what_was_tried(call: Callable[..., Called]) -> None:
    (step, _) = RECIPES["As an action"]
    called = call(**{name: str(value) for name, value in step["with"].items()})
    assert called.code == 0, called.said
    assert called.outputs == {"wheels": f"dist/{FUSED}"}
    assert "--rule 'your_package/_build.py' matched nothing" in called.said


def test_the_action_checks(call: Callable[..., Called]) -> None:
    called = call(command="check", wheels="intel/*.whl", args="--universal2")
    assert called.code == 1
    assert "FW202" in called.said


def test_the_action_builds(call: Callable[..., Called], tmp_path: Path) -> None:
    require_rust()
    copy_project("abi3", tmp_path)
    called = call(
        lambda workspace: shutil.copytree(tmp_path / "abi3", workspace / "crate"),
        command="build",
        working_directory="crate",
        args="--quiet\n\n--keep-thin\n--\n--locked\n",
    )
    assert called.code == 0, called.said
    written = called.outputs["wheels"].splitlines()
    assert written[-1] == "dist/fixture_abi3-0.1.0-cp310-abi3-macosx_10_12_universal2.whl"
    assert len(written) == 3
    assert all((called.workspace / "crate" / path).is_file() for path in written)


def test_the_action_fails_as_fatwheel_does(call: Callable[..., Called]) -> None:
    called = call(wheels="intel\narm", expect="2")
    assert called.code == 1
    assert "2 universal2 wheels expected, and the wheels given make 1" in called.said
    assert call(wheels="intel\nnowhere").code == 2


EVIL = ("$(touch pwned)", "`touch pwned`", '"; touch pwned; "', "'; touch pwned #")


@pytest.mark.parametrize("name", ["wheels", "output", "expect", "args", "command"])
def test_no_input_is_run(call: Callable[..., Called], name: str) -> None:
    for evil in EVIL:
        called = call(**{"wheels": "intel\narm", name: evil})
        assert not list(called.workspace.rglob("pwned")), evil
        assert called.code == (0 if name == "output" else 2), (evil, called.said)


def test_no_wheel_is_an_option(call: Callable[..., Called]) -> None:
    called = call(wheels="intel\narm\n--on-conflict=keep-arm64\n")
    assert called.code == 2
    assert "--on-conflict=keep-arm64" in called.said


def test_names_with_spaces_and_patterns(call: Callable[..., Called]) -> None:
    called = call(
        lambda workspace: (workspace / "intel").rename(workspace / "an intel"),
        wheels="  an intel/*.whl\r\n\r\narm/*.whl",
        output="the output",
    )
    assert called.code == 0, called.said
    assert called.outputs == {"wheels": f"the output/{FUSED}"}


def test_lines_of_a_windows_program(call: Callable[..., Called], tmp_path: Path) -> None:
    write_program(tmp_path / "python", r"printf 'intel/%s\r\n' " + INTEL.name)
    called = call(programs=tmp_path, wheels="intel\r\narm\r\n")
    assert called.code == 0, called.said
    assert called.outputs == {"wheels": f"intel/{INTEL.name}"}


def test_outputs_are_read_as_github_reads_them() -> None:
    assert read_outputs("a=1\nb<<end-1\nx=y\n\nz\nend-1\nc=\n") == {
        "a": "1",
        "b": "x=y\n\nz",
        "c": "",
    }


def test_the_action_runs_no_modules_of_the_job(environ: Mapping[str, str], tmp_path: Path) -> None:
    """In a job whose PYTHONPATH names the folder, as well."""
    folder = tmp_path / "work"
    folder.mkdir()
    hostile(folder)
    runner = action_runner(
        folder, {**environ, "PYTHONPATH": str(folder)}, wheels="\n".join(map(str, SMALL_PAIR))
    )
    code = runner.run(ACTION["runs"]["steps"])
    assert_nothing_ran(folder)
    assert code == 0, runner.said
    assert (folder / "dist" / FUSED).is_file()


# ---- wheels for the Macs ----


def test_the_wheels_for_the_macs_are_made(tmp_path: Path) -> None:
    require_rust()
    require_pair("numpy")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheel_cache())}
    script = str(ROOT / "scripts" / "try-on-mac")
    done = subprocess.run(
        [script, "--make", "wheels"],
        cwd=tmp_path,
        env=build_environment(**offline),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "wheels").iterdir()) == [
        "fixture_abi3-0.1.0-cp310-abi3-macosx_10_12_universal2.whl",
        "fixture_exercise-0.1.0-cp310-abi3-macosx_10_12_universal2.whl",
        FUSED,
        "numpy-2.2.6-cp312-cp312-macosx_10_13_universal2.whl",
        "programs",
    ]
    uses = ["exercise_use.py", "exercise_use.txt", "markupsafe_use.py", "markupsafe_use.txt"]
    assert sorted(path.name for path in (tmp_path / "wheels" / "programs").iterdir()) == uses
    refused = subprocess.run(
        [script, "wheels"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "this is no Mac" in refused.stderr
