"""Upstream's macOS modules, imported and used: as published, fused, and cut apart again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from wheel.wheelfile import WheelFile

from tests.machorun.published import module_in, needed, projects, require_project, unpacked
from tests.machorun.pythons import PROGRAMS, require_linux, require_python
from tests.machorun.reader import FAT_MAGIC, thin
from tests.support.projects import FATWHEEL
from tests.support.wheels import universal

ARCHS = ("x86_64", "arm64")
PROJECTS = projects()
PAIRS = [name for name, project in PROJECTS.items() if project.arm64]


def program(name: str) -> Path:
    return PROGRAMS / f"{name.replace('-', '_').removesuffix('_py')}_use.py"


def fatwheel(*words: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", FATWHEEL, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("published")


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, str]:
    """What each program printed with the Linux module, run once."""
    return {}


def expect(name: str, folder: Path, expected: dict[str, str]) -> str:
    require_linux()
    if name not in expected:
        linux = unpacked(require_project(name).linux.path, folder)
        expected[name] = require_python("x86_64").output(
            program(name), [linux, *extras(name, folder)], native=True
        )
    return expected[name]


def extras(name: str, folder: Path) -> list[Path]:
    needs = PROJECTS[name].needs
    return [unpacked(needed()[needs].any.path, folder)] if needs else []


def run(name: str, arch: str, wheel: Path, folder: Path) -> str:
    """Return what the project's program prints with the macOS module of `wheel`."""
    folders = [unpacked(wheel, folder), *extras(name, folder)]
    return require_python(arch).output(program(name), folders)


@pytest.mark.parametrize("name", PROJECTS)
@pytest.mark.parametrize("arch", ARCHS)
def test_as_published(name: str, arch: str, folder: Path, expected: dict[str, str]) -> None:
    wheel = require_project(name).mac(arch).path
    assert run(name, arch, wheel, folder) == expect(name, folder, expected)


def test_what_scripts_try_on_mac_compares_with(folder: Path, expected: dict[str, str]) -> None:
    said = program("markupsafe").with_suffix(".txt").read_text("utf-8")
    assert expect("markupsafe", folder, expected) == said


@pytest.mark.parametrize("name", PAIRS)
def test_fused(name: str, folder: Path, tmp_path: Path, expected: dict[str, str]) -> None:
    project = require_project(name)
    wheels = {arch: project.mac(arch).path for arch in ARCHS}
    fused = Path(fatwheel("fuse", *wheels.values(), "-o", tmp_path))
    content = module_in(unpacked(fused, tmp_path)).read_bytes()
    assert content[:4] == FAT_MAGIC
    for arch, wheel in wheels.items():
        assert thin(content, arch) == module_in(unpacked(wheel, folder)).read_bytes()
        assert run(name, arch, fused, tmp_path) == expect(name, folder, expected)


def rewrapped(wheel: Path, folder: Path) -> Path:
    """Return the wheel with its module as a universal file of one slice, as numpy's libgcc is one."""
    made = folder / wheel.name
    with WheelFile(wheel) as old, WheelFile(made, "w") as new:
        for name in old.namelist():
            if not name.endswith((".dist-info/RECORD", "/")):
                data = old.read(name)
                new.writestr(name, universal(data) if name.endswith(".so") else data)
    return made


@pytest.mark.parametrize("name", ["rpds-py"])
def test_recut(name: str, folder: Path, tmp_path: Path, expected: dict[str, str]) -> None:
    """A slice that is cut out of a universal member's stream (`deflate/recut`) runs as it did."""
    project = require_project(name)
    wheels = [rewrapped(project.mac(arch).path, tmp_path) for arch in ARCHS]
    fused = Path(fatwheel("fuse", *wheels, "-o", tmp_path / "out"))
    for arch in ARCHS:
        assert run(name, arch, fused, tmp_path / "out") == expect(name, folder, expected)


@pytest.mark.parametrize("name", ["orjson", "rpds-py"])
def test_thinned(name: str, folder: Path, tmp_path: Path, expected: dict[str, str]) -> None:
    """What `fatwheel thin` takes out of a universal2 wheel, upstream's or a fused one, runs as it did."""
    project = require_project(name)
    whole = project.x86_64.path
    if name in PAIRS:
        wheels = [project.mac(arch).path for arch in ARCHS]
        whole = Path(fatwheel("fuse", *wheels, "-o", tmp_path / "whole"))
    content = module_in(unpacked(whole, tmp_path / "whole")).read_bytes()
    made = fatwheel("thin", whole, "-o", tmp_path / "thin").splitlines()
    assert len(made) == 2
    for arch in ARCHS:
        (wheel,) = [Path(path) for path in made if path.endswith(f"_{arch}.whl")]
        module = module_in(unpacked(wheel, tmp_path / "thin")).read_bytes()
        assert module == thin(content, arch)
        assert run(name, arch, wheel, tmp_path / "thin") == expect(name, folder, expected)


@pytest.mark.parametrize("name", ["orjson"])
def test_lipo(name: str, folder: Path, tmp_path: Path, expected: dict[str, str]) -> None:
    """Upstream's universal2 module taken apart by `fatwheel lipo -thin`, and put together by `-create`."""
    published = unpacked(require_project(name).x86_64.path, folder)
    module = module_in(published)
    slices = []
    for arch in ARCHS:
        part = Path(shutil.copytree(published, tmp_path / arch))
        slices.append(module_in(part))
        fatwheel("lipo", module, "-thin", arch, "-output", slices[-1])
        ran = require_python(arch).output(program(name), [part])
        assert ran == expect(name, folder, expected)
    fatwheel("lipo", "-create", *reversed(slices), "-output", tmp_path / "both")
    for arch in ARCHS:
        assert thin((tmp_path / "both").read_bytes(), arch) == thin(module.read_bytes(), arch)
    module_in(tmp_path / "x86_64").write_bytes((tmp_path / "both").read_bytes())
    ran = require_python("arm64").output(program(name), [tmp_path / "x86_64"])
    assert ran == expect(name, folder, expected)
