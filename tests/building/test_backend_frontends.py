"""pip, build and uv really drive the backend: for this machine, and for macOS."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from fatwheel.wheels.tags import parse_wheel_name
from tests.support import hostile
from tests.support.corpus import ROOT
from tests.support.projects import BuiltWheel, build_environment, copy_project, require_rust

BOTH = "-arch x86_64 -arch arm64"
UNIVERSAL2 = "fixture_backend-0.1.0-cp310-abi3-macosx_10_12_universal2.whl"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux",
    reason="what is built where is told apart by this machine not being a Mac",
)


@pytest.fixture(scope="module", autouse=True)
def _rust() -> None:
    require_rust()


def run(folder: Path, *words: str, index: Path | None = None, **environ: str) -> str:
    """Run a module of this Python and return what it says; frontends find packages in the folder `index` only."""
    own = build_environment(**environ)
    own["PIP_CONFIG_FILE"] = os.devnull
    own["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    if index is not None:
        own |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}
        own["UV_FIND_LINKS"] = str(index)  # and uv is told --no-index, for which it has no variable
        own["UV_CACHE_DIR"] = str(index / "uv-cache")
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """The Python of an empty virtual environment."""
    venv.create(tmp_path / "venv", symlinks=True)
    return tmp_path / "venv" / "bin" / "python"


def link_packages(environment: Path, without: str = "-") -> Path:
    """Give the environment this Python's packages but for one, and fatwheel; return its site-packages."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site = environment.parent.parent / "lib" / version / "site-packages"
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith((without, f"_{without}", "__pycache__")):
            (site / path.name).symlink_to(path)
    (site / "fatwheel.pth").write_text(str(ROOT))
    return site


def arch_by(python: Path, module: str) -> str:
    code = f"import {module}; print({module}.arch())"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def only_wheel(folder: Path) -> BuiltWheel:
    (path,) = folder.glob("*.whl")
    return BuiltWheel(path)


def tags_of(wheel_text: str) -> list[str]:
    return [line for line in wheel_text.splitlines() if line.startswith("Tag: ")]


def test_pip_installs_for_this_machine(tmp_path: Path, index: Path, environment: Path) -> None:
    project = copy_project("backend-pure", tmp_path)
    said = run(project, "pip", "--python", str(environment), "install", "-v", ".", index=index)
    assert arch_by(environment, "fixture_backend") == os.uname().machine
    assert "fatwheel: the target is not macOS, so maturin builds as it always does" in said
    assert "ziglang" not in said


def test_build_makes_a_universal2_wheel_from_the_sdist(tmp_path: Path, index: Path) -> None:
    project = copy_project("backend-pure", tmp_path)
    said = run(project, "build", index=index, ARCHFLAGS=BOTH)
    assert f"Successfully built fixture_backend-0.1.0.tar.gz and {UNIVERSAL2}" in said
    assert "ziglang" in said
    wheel = only_wheel(project / "dist")
    assert wheel.path.name == UNIVERSAL2
    assert list(wheel.images()) == ["x86_64", "arm64"]


def test_pip_builds_for_macos_and_says_so(tmp_path: Path, index: Path) -> None:
    project = copy_project("backend-pure", tmp_path)
    zig = importlib.util.find_spec("ziglang")
    assert zig is not None
    assert zig.origin is not None
    said = run(
        project,
        *("pip", "wheel", "-v", "--no-deps", "-w", "wheels", "."),
        index=index,
        ARCHFLAGS=BOTH,
        CARGO_ZIGBUILD_ZIG_PATH=str(Path(zig.origin).with_name("zig")),
    )
    wheel = only_wheel(project / "wheels")
    assert wheel.path.name == UNIVERSAL2
    reason = f"ARCHFLAGS='{BOTH}' asks for"
    assert f"fatwheel: BUILDING FOR macOS (universal2, x86_64 and arm64). {reason}" in said
    assert "fatwheel: WARNING: This Python runs on linux and cannot load what is" in said
    assert "ziglang" not in said  # zig is there already


def test_uv_builds_for_this_machine(tmp_path: Path, index: Path) -> None:
    project = copy_project("backend-pure", tmp_path)
    run(project, "uv", "build", "--no-index", "--python", sys.executable, index=index)
    name = parse_wheel_name(only_wheel(project / "dist").path.name)
    assert name.platforms == (f"linux_{os.uname().machine}",)
    assert (project / "dist" / "fixture_backend-0.1.0.tar.gz").exists()


def test_uv_builds_for_macos_by_config_setting(tmp_path: Path, index: Path) -> None:
    project = copy_project("backend-pure", tmp_path)
    settings = ("-C", "fatwheel.target=arm64", "-C", "build-args=--profile dev")
    words = ("uv", "build", "--no-index", "--wheel", "--python", sys.executable, *settings)
    run(project, *words, index=index)
    name = "fixture_backend-0.1.0-cp310-abi3-macosx_11_0_arm64.whl"
    assert only_wheel(project / "dist").path.name == name


# cibuildwheel's own values: deployment target, _PYTHON_HOST_PLATFORM, ARCHFLAGS.
CIBUILDWHEEL = {
    "arm64": ("11.0", "macosx-11.0-arm64", "-arch arm64"),
    "x86_64": ("10.13", "macosx-10.9-x86_64", "-arch x86_64"),
    "universal2": ("10.13", "macosx-10.9-universal2", "-arch arm64 -arch x86_64"),
}


@pytest.mark.parametrize(
    ("kind", "tag"),
    [
        ("arm64", "macosx_11_0_arm64"),
        ("x86_64", "macosx_10_13_x86_64"),
        ("universal2", "macosx_10_13_universal2"),
    ],
)
def test_the_environment_of_cibuildwheel(tmp_path: Path, kind: str, tag: str) -> None:
    project = copy_project("backend-pure", tmp_path)
    deployment, platform, flags = CIBUILDWHEEL[kind]
    words = ("build", "--wheel") if kind == "x86_64" else ("pip", "wheel", "-w", "dist")
    alone = ("--no-isolation",) if kind == "x86_64" else ("--no-build-isolation", "--no-deps")
    run(
        project,
        *(*words, *alone, "."),
        MACOSX_DEPLOYMENT_TARGET=deployment,
        _PYTHON_HOST_PLATFORM=platform,
        ARCHFLAGS=flags,
    )
    wheel = only_wheel(project / "dist")
    assert wheel.path.name == f"fixture_backend-0.1.0-cp310-abi3-{tag}.whl"
    archs = ["x86_64", "arm64"] if kind == "universal2" else [kind]
    assert list(wheel.images()) == archs


def test_an_editable_installation_on_this_machine(tmp_path: Path, environment: Path) -> None:
    project = copy_project("backend-mixed", tmp_path)
    link_packages(environment)
    words = ("install", "--no-build-isolation", "-e", ".")
    run(project, "pip", "--python", str(environment), *words)
    assert arch_by(environment, "fixture_backend_mixed") == os.uname().machine
    assert list(project.rglob("_native*.so"))


def call(
    python: Path, project: Path, name: str, *arguments: str | None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Call a hook in the project's folder."""
    code = f"from fatwheel import backend; print(backend.{name}{arguments!r})"
    return subprocess.run(
        [python, "-c", code],
        cwd=project,
        env=build_environment(**environ),
        capture_output=True,
        text=True,
        check=False,
    )


def hook(project: Path, name: str, *arguments: str | None, **environ: str) -> str:
    done = call(Path(sys.executable), project, name, *arguments, **environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_an_editable_wheel_for_macos(tmp_path: Path) -> None:
    project = copy_project("backend-mixed", tmp_path)
    name = hook(project, "build_editable", str(tmp_path), ARCHFLAGS=BOTH)
    assert name == "fixture_backend_mixed-0.1.0-cp310-abi3-macosx_10_12_universal2.whl"
    with zipfile.ZipFile(tmp_path / name) as archive:
        assert "fixture_backend_mixed.pth" in archive.namelist()
    (module,) = project.rglob("_native*.so")
    with zipfile.ZipFile(tmp_path / "as.whl", "w") as archive:
        archive.write(module, "module.so")
    assert list(BuiltWheel(tmp_path / "as.whl").images()) == ["x86_64", "arm64"]


def test_metadata_and_wheel_agree(tmp_path: Path) -> None:
    project = copy_project("backend-pure", tmp_path)
    dist_info = hook(project, "prepare_metadata_for_build_wheel", str(tmp_path), ARCHFLAGS=BOTH)
    prepared = tmp_path / dist_info
    name = hook(project, "build_wheel", str(tmp_path), None, str(prepared), ARCHFLAGS=BOTH)
    wheel = BuiltWheel(tmp_path / name)
    text = wheel.read("/WHEEL").decode()
    assert tags_of((prepared / "WHEEL").read_text()) == tags_of(text)
    assert tags_of(text) == ["Tag: cp310-abi3-macosx_10_12_universal2"]
    assert (prepared / "METADATA").read_bytes() == wheel.read("/METADATA")


def test_a_missing_cffi_is_not_installed(tmp_path: Path, environment: Path) -> None:
    """maturin would, in a virtual environment, without asking."""
    site = link_packages(environment, without="cffi")
    project = copy_project("cffi", tmp_path)
    done = call(environment, project, "build_wheel", str(tmp_path), ARCHFLAGS="-arch arm64")
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"maturin needs cffi in {environment} to make these bindings" in done.stderr
    assert not list(site.glob("cffi*"))
    required = call(environment, project, "get_requires_for_build_wheel", ARCHFLAGS="-arch arm64")
    assert "'cffi'" in required.stdout


def test_modules_of_the_project_are_not_run(tmp_path: Path) -> None:
    project = hostile.hostile(
        copy_project("backend-mixed", tmp_path), but=hostile.asked_by_maturin()
    )
    words = ["-I", "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path / "out")]
    done = hostile.run([sys.executable, *words], project, ARCHFLAGS=BOTH)
    assert done.returncode == 0, done.stderr
    assert parse_wheel_name(only_wheel(tmp_path / "out").path.name).platforms == (
        "macosx_10_12_universal2",
    )
