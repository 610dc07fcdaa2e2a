"""The backend's parts with pretended tools: what frontends ask for, what is said, and what comes of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import fatwheel.backend
from fatwheel.arch import Arch
from fatwheel.building.arguments import (
    MaturinWords,
    parse_config_settings,
    parse_maturin_words,
    without_options,
)
from fatwheel.building.inplace import InPlace, fuse_files
from fatwheel.building.pep517 import (
    AppleHooks,
    announcement,
    build_requirements,
    needs_cffi,
    wishes,
)
from fatwheel.building.project import parse_project
from fatwheel.errors import RefusedError, ToolError, UsageError
from fatwheel.fusion.fuse import FuseOptions
from fatwheel.process import Command, Completed
from fatwheel.targets.decision import Decision, PythonFacts, Wishes, decide_targets
from fatwheel.targets.interpreter import RunningPython
from fatwheel.toolchain.lookup import Host, MissingToolsError
from tests.support.fake_runner import says
from tests.support.machines import LINUX, MAC, Machine
from tests.support.wheels import FUSED_NAME, NATIVE, PLATFORMS, A, X, code, make_wheel, slices_of

BOTH = "-arch x86_64 -arch arm64"


# ---- words and settings ----


@pytest.mark.parametrize(
    ("words", "parsed"),
    [
        ("", MaturinWords()),
        ("--locked --strip", MaturinWords(rest=("--locked", "--strip"))),
        ("--target=aarch64-apple-darwin", MaturinWords(target="aarch64-apple-darwin")),
        ("--target a --target b", MaturinWords(target="b")),
        ("-i python3.12 --interpreter 3.13", MaturinWords(interpreters=("python3.12", "3.13"))),
        ("-F a,b --features=c", MaturinWords(features=("a", "b", "c"))),
        ("-Fa -F=b", MaturinWords(features=("a", "b"))),
        ("-m py/Cargo.toml", MaturinWords(manifest_path=Path("py/Cargo.toml"))),
        ("-r", MaturinWords(profile="release")),
        ("--profile dist", MaturinWords(profile="dist")),
        ("--zig --skip-auditwheel", MaturinWords(zig=True, auditwheel="skip")),
        ("--auditwheel repair", MaturinWords(auditwheel="repair")),
        ("--locked --target", MaturinWords(rest=("--locked", "--target"))),
        ("-q -- -C x --target y", MaturinWords(rest=("-q", "--", "-C", "x", "--target", "y"))),
    ],
    ids=lambda value: value or "none" if isinstance(value, str) else "",
)
def test_words_of_maturin(words: str, parsed: MaturinWords) -> None:
    assert parse_maturin_words(words.split()) == parsed


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("-E test --locked", "--locked"),
        ("-Etest --extras=a,b -q", "-q"),
        ("--skip-install --uv -r", "-r"),
        ("--group dev -- --uv", "-- --uv"),
    ],
)
def test_options_are_taken_out(words: str, left: str) -> None:
    options = {"-E": True, "--extras": True, "--group": True, "--skip-install": False}
    assert without_options(words.split(), {**options, "--uv": False}) == tuple(left.split())


@pytest.mark.parametrize(
    ("settings", "rest"),
    [
        (None, ["--frozen"]),
        ({"build-args": "--locked -v"}, ["--frozen", "--locked", "-v"]),
        ({"maturin.build-args": "--locked"}, ["--frozen", "--locked"]),
        ({"build-args": ["--locked", "-Z x"]}, ["--frozen", "--locked", "-Z", "x"]),
        ({"--build-option": "-j4", "other.key": ["x"]}, ["--frozen"]),
    ],
    ids=["none", "text", "maturin's new name", "list", "keys of others"],
)
def test_config_settings_join_the_variable(
    settings: dict[str, object] | None, rest: list[str]
) -> None:
    parsed = parse_config_settings(settings, "--frozen")
    assert list(parsed.words.rest) == rest


def test_the_setting_has_precedence_over_maturins_own_option() -> None:
    settings = {"fatwheel.target": "universal2", "fatwheel.linker": "zig"}
    parsed = parse_config_settings(settings, "--target x86_64-apple-darwin")
    assert (parsed.option, parsed.linker) == ("universal2", "zig")
    assert parse_config_settings({}, "--target x86_64-apple-darwin").option == "x86_64-apple-darwin"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fatwheel.targets": "arm64"}, r"fatwheel\.targets is unknown; fatwheel\.target and"),
        ({"fatwheel.target": ["arm64", "x86_64"]}, r"fatwheel\.target was given more than once"),
        ({"fatwheel.linker": "gold"}, r"fatwheel\.linker is 'gold'; it is one of auto, lld"),
        ({"build-args": 3}, r"build-args is 3; it must be a text or a list"),
        ({"build-args": "'x"}, r"build-args is \"'x\", which has no closing quotation"),
    ],
    ids=["unknown", "twice", "linker", "number", "quote"],
)
def test_settings_that_are_none(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_config_settings(settings, "")


# ---- what is needed, what is said ----


@pytest.mark.parametrize(
    ("platform", "environ", "archs", "needed"),
    [
        ("linux", {}, (X, A), ["maturin>=1.9", "ziglang"]),
        ("win32", {}, (A,), ["maturin>=1.9", "ziglang"]),
        ("darwin", {}, (X, A), ["maturin>=1.9"]),
        ("linux", {}, (), ["maturin>=1.9"]),
        ("linux", {"CARGO_ZIGBUILD_ZIG_PATH": "/zig"}, (A,), ["maturin>=1.9"]),
    ],
    ids=["cross", "cross on Windows", "on a Mac", "no macOS", "zig is there"],
)
def test_zig_is_required_only_where_it_is_needed(
    platform: str, environ: dict[str, str], archs: tuple[Arch, ...], needed: list[str]
) -> None:
    host = Host(platform=platform, environ=environ, python="", ziglang=None, cache=Path())
    assert build_requirements(host, archs) == needed


CDYLIB = '[lib]\ncrate-type = ["cdylib"]\n'


@pytest.mark.parametrize(
    ("pyproject", "cargo", "needed"),
    [
        ('[tool.maturin]\nbindings = "cffi"', "", True),
        ('[tool.maturin]\nbindings = "bin"', CDYLIB, False),
        ("", CDYLIB, True),
        ("", CDYLIB + '[dependencies]\npyo3 = "1"', False),
        ("", CDYLIB + '[dependencies]\npy = { package = "pyo3", version = "1" }', False),
        ("", "[package]", False),
        ("", "no toml", False),
    ],
    ids=["said", "others", "found", "pyo3", "pyo3 renamed", "program", "broken"],
)
def test_cffi_is_required_where_maturin_will_need_it(
    pyproject: str, cargo: str, needed: bool
) -> None:
    assert needs_cffi(pyproject, cargo) is needed


def decided(python: PythonFacts, **values: str | bool) -> Decision:
    return decide_targets(Wishes(**values), python)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("python", "asked", "lines"),
    [
        (
            LINUX,
            {},
            [
                (
                    "the target is not macOS, so maturin builds as it always does. Nothing asks for macOS, and this "
                    "Python runs on linux."
                )
            ],
        ),
        (
            LINUX,
            {"archflags": "-arch arm64"},
            [
                "BUILDING FOR macOS (arm64). ARCHFLAGS='-arch arm64' asks for macOS arm64.",
                "WARNING: This Python runs on linux and cannot load what is built for macOS arm64.",
            ],
        ),
        (
            MAC,
            {"universal2": True, "option": "arm64"},
            [
                "BUILDING FOR macOS (arm64). The option arm64 asks for macOS arm64.",
                (
                    "note: The setting universal2 = true asks for universal2 (x86_64 and arm64); the option arm64 has "
                    "precedence."
                ),
            ],
        ),
        (
            MAC,
            {"cargo_build_target": "aarch64-apple-darwin", "archflags": BOTH},
            [
                "BUILDING FOR macOS (arm64). CARGO_BUILD_TARGET=aarch64-apple-darwin asks for macOS arm64.",
                (
                    f"note: ARCHFLAGS='{BOTH}' asks for universal2 (x86_64 and arm64); "
                    "CARGO_BUILD_TARGET=aarch64-apple-darwin has precedence."
                ),
                (
                    "WARNING: CARGO_BUILD_TARGET=aarch64-apple-darwin asks for macOS arm64 and "
                    f"ARCHFLAGS='{BOTH}' for universal2 (x86_64 and arm64); change or unset one of them."
                ),
            ],
        ),
    ],
    ids=["not macOS", "stray ARCHFLAGS on Linux", "overruled", "contradiction"],
)
def test_what_is_built_is_said_with_its_reason(
    python: PythonFacts, asked: dict[str, str | bool], lines: list[str]
) -> None:
    assert list(announcement(decided(python, **asked), python)) == lines


# ---- the hooks, with a maturin that pretends ----


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


def thin_wheel(arch: Arch, out: Path) -> Path:
    return make_wheel(out, PLATFORMS[arch], {NATIVE: code(arch)})


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
        self.machine = Machine(folder / "machine")
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
        self.machine.runner.answers[f"python -m maturin pep517 {subcommand}"] = pretend(write)

    def on_a_mac(self) -> None:
        self.machine.put_on_macos("14.5")
        self.python = MAC

    def hooks(self) -> AppleHooks:
        project = parse_project(self.pyproject, self.folder / "pyproject.toml", "pyproject.toml")
        settings = parse_config_settings(self.settings, "")
        asked = wishes(settings, self.environ, project.config.universal2)
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
        assert run.arguments[2:5] == ("pep517", "build-wheel", "--target")
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


# ---- editable wheels and modules in the source tree ----


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


class Tree:
    """A source tree that builds write into."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        self.root.mkdir()
        self.write("pkg/__init__.py", b"")
        self.write("pkg/old.so", code(A))
        self.places = InPlace([self.root], folder / "aside")

    def write(self, name: str, content: bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def build(self, arch: Arch, **files: bytes) -> None:
        for name, content in files.items():
            self.write(f"pkg/{name}", content)
        self.places.keep(arch)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_other_files_are_left_alone(tree: Tree) -> None:
    tree.write("target/CACHEDIR.TAG", b"")
    tree.write("env/pyvenv.cfg", b"")
    for arch in (A, X):
        for name in ("target/x.so", "env/x.so", ".git/x.so", "pkg/__pycache__/x.pyc"):
            tree.write(name, code(arch))
        tree.build(arch, native=code(arch), ffi=b"same")
    assert tree.places.fuse() == ((tree.root / "pkg" / "native").resolve(),)
    assert (tree.root / "pkg" / "old.so").read_bytes() == code(A)
    assert (tree.root / "target" / "x.so").read_bytes() == code(X)


def test_a_module_of_one_build_only(tree: Tree) -> None:
    tree.build(A, native=code(A), notes=b"by an editor")
    tree.build(X)
    with pytest.raises(RefusedError, match=r"native was written by the build for arm64 only"):
        tree.places.fuse()


def test_a_text_that_differs(tree: Tree) -> None:
    tree.build(A, ffi=b"arm64")
    tree.build(X, ffi=b"x86_64")
    with pytest.raises(RefusedError, match=r"ffi was written by both builds, and differently"):
        tree.places.fuse()


def test_two_files_of_one_architecture(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(code(A))
    with pytest.raises(RefusedError, match=r"out cannot be fused .*same architecture"):
        fuse_files(tmp_path / "a", tmp_path / "a", tmp_path / "out")


# ---- the edge ----


@pytest.mark.parametrize(
    "name",
    [
        "get_requires_for_build_wheel",
        "get_requires_for_build_editable",
        "get_requires_for_build_sdist",
        "prepare_metadata_for_build_wheel",
        "prepare_metadata_for_build_editable",
        "build_wheel",
        "build_editable",
        "build_sdist",
    ],
)
def test_every_hook_is_there(name: str) -> None:
    assert callable(getattr(fatwheel.backend, name))
    assert name in fatwheel.backend.__all__


def test_an_error_is_one_sentence_and_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^2$"):
        fatwheel.backend.build_wheel(str(tmp_path), {"fatwheel.target": "x86_64-pc-windows-msvc"})
    assert capsys.readouterr().err == (
        "fatwheel: the config setting fatwheel.target is 'x86_64-pc-windows-msvc', which is not macOS; give other "
        "targets to maturin: build-args=--target=x86_64-pc-windows-msvc\n"
    )


def test_the_interpreter_behind_a_virtual_environment(tmp_path: Path) -> None:
    def choose(text: str, **environ: str) -> str:
        project = parse_project(text, tmp_path / "pyproject.toml", "pyproject.toml")
        return fatwheel.backend.interpreter(environ, project)

    base = str(Path(sys._base_executable).resolve())  # type: ignore[attr-defined]
    assert choose("") == sys.executable
    assert choose("[tool.maturin]\nuse-base-python = true\n") == base
    assert choose("", MATURIN_PEP517_USE_BASE_PYTHON="1") == base


def test_rust_comes_from_puccinialin_only_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "puccinialin.py").write_text("def setup_rust(): return {'CARGO_HOME': '/own'}")
    monkeypatch.syspath_prepend(str(tmp_path))
    bare = {"PATH": str(tmp_path)}
    assert fatwheel.backend.with_rust(bare) == {**bare, "CARGO_HOME": "/own"}
    assert "puccinialin installs it into a folder of its own" in capsys.readouterr().err
    refusing = {**bare, "MATURIN_NO_INSTALL_RUST": "1"}
    assert fatwheel.backend.with_rust(refusing) == refusing
    cargo = tmp_path / ("cargo.exe" if sys.platform == "win32" else "cargo")
    cargo.touch(0o755)
    assert fatwheel.backend.with_rust(bare) == bare
