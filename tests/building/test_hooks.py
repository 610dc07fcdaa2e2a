"""The hooks for macOS, with a maturin that pretends: what frontends ask for, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.building.arguments import parse_config_settings
from fatwheel.building.hooks import AppleHooks
from fatwheel.building.project import parse_project
from fatwheel.errors import ToolError, UsageError
from fatwheel.fusion.fuse import FuseOptions
from fatwheel.process import Command, Completed
from fatwheel.targets.decision import Wishes, decide_targets
from fatwheel.targets.interpreter import RunningPython
from fatwheel.toolchain.host import MissingToolsError
from tests.support.fake_runner import says
from tests.support.interpreters import ARCHFLAGS_FOR_BOTH as BOTH
from tests.support.interpreters import LINUX
from tests.support.interpreters import PYTHON_ORG as MAC
from tests.support.machines import complete_linux
from tests.support.projects import CDYLIB
from tests.support.wheels import (
    FUSED_NAME,
    PLATFORMS,
    A,
    X,
    code,
    make_wheel,
    slices_of,
    thin_wheel,
)


class MaturinHooks:
    """maturin's own hooks, where they are asked."""

    def get_requires_for_build_wheel(self, config_settings: object = None) -> list[str]:
        return ["puccinialin"]

    def prepare_metadata_for_build_wheel(self, *_: object) -> str:
        raise AssertionError("not for macOS")

    build_wheel = build_editable = prepare_metadata_for_build_wheel


def pretend(write: Callable[[Arch, Path], object]) -> Callable[[Command], Completed]:
    """A maturin that writes into the folder after `--out` or `--metadata-directory`."""

    def answer(command: Command) -> Completed:
        words = list(command.arguments)
        target = words[words.index("--target") + 1]
        (arch,) = [arch for arch in Arch if arch.rust_target == target]
        option = "--metadata-directory" if "--metadata-directory" in words else "--out"
        out = Path(words[words.index(option) + 1])
        out.mkdir(parents=True, exist_ok=True)
        made = write(arch, out)
        return made if isinstance(made, Completed) else says(f"{arch.value} done\n")

    return answer


def dist_info(arch: Arch, out: Path) -> None:
    folder = out / "pkg-1.0.dist-info"
    (folder / "licenses").mkdir(parents=True)
    (folder / "licenses" / "LICENSE").write_text("MIT")
    (folder / "METADATA").write_text(f"Name: pkg\nDescription: {arch.value}\n")
    tag = f"cp312-cp312-{PLATFORMS[arch]}"
    (folder / "WHEEL").write_text(
        f"Wheel-Version: 1.0\nGenerator: maturin\nRoot-Is-Purelib: false\nTag: {tag}\n"
    )


class Frontend:
    """A project in a folder on a machine whose tools are pretended."""

    def __init__(self, folder: Path) -> None:
        self.machine = complete_linux(folder / "machine")
        self.folder = folder / "project"
        self.source = self.folder / "pkg"
        self.source.mkdir(parents=True)
        self.out = folder / "dist"
        self.said: list[str] = []
        self.pyproject = ""
        self.settings: dict[str, object] = {}
        self.python = LINUX
        self.environ = {"ARCHFLAGS": BOTH}
        self.makes("build-wheel", thin_wheel)
        self.makes("write-dist-info", dist_info)

    def makes(self, subcommand: str, write: Callable[[Arch, Path], object]) -> None:
        self.machine.runner.answers[f"python -I -m maturin pep517 {subcommand}"] = pretend(write)

    def on_a_mac(self) -> None:
        self.machine.xcode()
        self.python = MAC

    def hooks(self) -> AppleHooks:
        project = parse_project(self.pyproject, self.folder / "pyproject.toml", "pyproject.toml")
        settings = parse_config_settings(self.settings, "")
        asked = Wishes.read(settings.option, self.environ, project.config.universal2)
        return AppleHooks(
            folder=self.folder,
            project=project,
            settings=settings,
            decision=decide_targets(asked, self.python),
            host=replace(self.machine.host, environ={**self.machine.host.environ, **self.environ}),
            python=self.python,
            running=RunningPython(implementation="cpython", version=(3, 12)),
            runner=self.machine.runner,
            maturin=MaturinHooks(),
            say=self.said.append,
            output=lambda piece: None,
            fuse=FuseOptions(replace=True),
        )

    def wheel(self, metadata: str | None = None) -> str:
        return self.hooks().build_wheel(str(self.out), None, metadata)

    def runs(self) -> list[Command]:
        return [call for call in self.machine.runner.calls if "pep517" in call.arguments]

    def results(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir())


@pytest.fixture
def frontend(tmp_path: Path) -> Frontend:
    return Frontend(tmp_path)


def test_a_wheel_for_both(frontend: Frontend) -> None:
    assert frontend.wheel() == FUSED_NAME
    assert frontend.results() == [FUSED_NAME]
    assert frontend.said[0].startswith("BUILDING FOR macOS (universal2, x86_64 and arm64). ARCHFL")
    for run in frontend.runs():
        assert "ARCHFLAGS" not in run.env
        assert run.arguments[3:6] == ("pep517", "build-wheel", "--target")
        assert "--profile" not in run.arguments
        assert run.arguments[run.arguments.index("--interpreter") + 1] == "python3.12"


def test_a_wheel_for_one(frontend: Frontend) -> None:
    frontend.environ = {"CARGO_BUILD_TARGET": "x86_64-apple-darwin"}
    frontend.machine.library(A).unlink()
    assert frontend.wheel() == "pkg-1.0-cp312-cp312-macosx_10_13_x86_64.whl"
    assert frontend.results() == ["pkg-1.0-cp312-cp312-macosx_10_13_x86_64.whl"]
    assert len(frontend.runs()) == 1


def test_words_reach_maturin_once(frontend: Frontend) -> None:
    words = "--target universal2-apple-darwin --locked -F fast --profile dist -i python3.11"
    frontend.settings = {"build-args": f"{words} --auditwheel skip --zig"}
    frontend.environ = {}
    frontend.wheel()
    for run in frontend.runs():
        line = " ".join(run.arguments)
        assert "--profile dist --interpreter 3.11 --features fast --zig --auditwheel skip" in line
        assert "--locked" in run.arguments
        assert all(run.arguments.count(word) == 1 for word in ("--target", "--zig", "--locked"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-i 3.11 -i 3.12", r"--interpreter 3\.11 3\.12: a frontend asks for one wheel"),
        ("--auditwheel check", r"--auditwheel check is for Linux; macOS has repair and skip"),
        ("--out x", r"--: --out is fatwheel's to set"),
    ],
)
def test_words_that_make_no_sense_here(frontend: Frontend, words: str, message: str) -> None:
    frontend.settings = {"build-args": words}
    with pytest.raises(UsageError, match=message):
        frontend.wheel()


def test_metadata_has_the_final_tags(frontend: Frontend, tmp_path: Path) -> None:
    frontend.out.mkdir()
    assert frontend.hooks().prepare_metadata_for_build_wheel(str(frontend.out)) == (
        "pkg-1.0.dist-info"
    )
    folder = frontend.out / "pkg-1.0.dist-info"
    assert (folder / "licenses" / "LICENSE").read_text() == "MIT"
    assert "arm64" in (folder / "METADATA").read_text()
    tags = [line for line in (folder / "WHEEL").read_text().splitlines() if "Tag" in line]
    assert tags == ["Tag: cp312-cp312-macosx_10_13_universal2"]
    assert frontend.wheel(str(folder)) == FUSED_NAME
    builds = [run for run in frontend.runs() if "build-wheel" in run.arguments]
    assert {run.env["MATURIN_PEP517_METADATA_DIR"] for run in builds} == {str(folder)}


def test_metadata_for_one_is_maturins(frontend: Frontend) -> None:
    frontend.environ = {"ARCHFLAGS": "-arch arm64"}
    frontend.out.mkdir()
    name = frontend.hooks().prepare_metadata_for_build_wheel(str(frontend.out))
    text = (frontend.out / name / "WHEEL").read_text()
    assert "Generator: maturin" in text
    assert "Tag: cp312-cp312-macosx_11_0_arm64" in text


def test_requirements_of_a_cross_build(frontend: Frontend) -> None:
    (frontend.folder / "Cargo.toml").write_text(CDYLIB)
    required = frontend.hooks().get_requires_for_build_wheel()
    assert required == ["maturin>=1.9", "ziglang", "puccinialin", "cffi"]


def test_universal2_by_setting_falls_back_where_a_rust_target_is_missing(
    frontend: Frontend,
) -> None:
    frontend.on_a_mac()
    frontend.environ = {}
    frontend.pyproject = "[tool.fatwheel]\nuniversal2 = true\n"
    assert frontend.wheel() == FUSED_NAME
    frontend.machine.library(X).unlink()
    frontend.said.clear()
    assert frontend.wheel() == "pkg-1.0-cp312-cp312-macosx_11_0_arm64.whl"
    assert frontend.said[0].startswith("WARNING: universal2 = true cannot be had here; to build")
    assert "rustup target add" in frontend.said[0]
    assert frontend.said[1].startswith("BUILDING FOR macOS (arm64).")


def test_both_by_archflags_do_not_fall_back(frontend: Frontend) -> None:
    frontend.on_a_mac()
    frontend.machine.library(X).unlink()
    with pytest.raises(MissingToolsError, match=r"x86_64-apple-darwin"):
        frontend.wheel()


def test_without_the_running_architecture_there_is_nothing_to_fall_back_to(
    frontend: Frontend,
) -> None:
    frontend.on_a_mac()
    frontend.environ = {}
    frontend.pyproject = "[tool.fatwheel]\nuniversal2 = true\n"
    frontend.machine.library(A).unlink()
    with pytest.raises(MissingToolsError, match=r"aarch64-apple-darwin"):
        frontend.wheel()


def test_maturin_may_not_install_cffi(frontend: Frontend) -> None:
    said = 'Installing cffi with `"/venv/bin/python" -m pip install cffi` failed'
    frontend.makes("build-wheel", lambda arch, out: says(said, 1))
    with pytest.raises(ToolError, match=r"needs cffi in /venv/bin/python .* -m pip install cffi"):
        frontend.wheel()


def test_grafting_waits_for_a_mac(frontend: Frontend) -> None:
    frontend.pyproject = '[tool.fatwheel]\nrepair = "delocate"\n'
    assert frontend.wheel() == FUSED_NAME
    assert [line for line in frontend.said if "needs a Mac" in line]


def test_an_editable_wheel_for_both_has_a_universal_module_in_the_tree(frontend: Frontend) -> None:
    module = frontend.source / "_native.abi3.so"

    def write(arch: Arch, out: Path) -> None:
        module.write_bytes(code(arch))
        make_wheel(out, PLATFORMS[arch], {"pkg.pth": b"/project"})

    frontend.makes("build-wheel", write)
    assert frontend.hooks().build_editable(str(frontend.out)) == FUSED_NAME
    assert sorted(slices_of(module.read_bytes()).values()) == sorted([code(X), code(A)])
    assert all("--editable" in run.arguments for run in frontend.runs())
    assert f"fused {module} in place, for both architectures" in frontend.said
    # and once more, now that a universal module is there
    assert frontend.hooks().build_editable(str(frontend.out)) == FUSED_NAME
    assert len(slices_of(module.read_bytes())) == 2


def test_an_editable_wheel_for_one_leaves_the_tree_to_maturin(frontend: Frontend) -> None:
    module = frontend.source / "_native.abi3.so"
    frontend.environ = {"ARCHFLAGS": "-arch arm64"}

    def write(arch: Arch, out: Path) -> None:
        module.write_bytes(code(arch))
        make_wheel(out, PLATFORMS[arch], {"pkg.pth": b"/project"})

    frontend.makes("build-wheel", write)
    frontend.hooks().build_editable(str(frontend.out))
    assert module.read_bytes() == code(A)
