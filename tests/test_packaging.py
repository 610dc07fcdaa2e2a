"""fatwheel's own sdist and wheel: what is in them, and that they work."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from fatwheel.version import __version__
from tests.support.corpus import ROOT, SMALL_PAIR
from tests.support.required import require_tool, unavailable

NAME = f"fatwheel-{__version__}"


def tracked() -> list[str]:
    """The files of the repository, which must be one, those of the next commit included."""
    if not (ROOT / ".git").exists():
        unavailable("fatwheel's repository", "run the tests in a clone of it")
    git = [require_tool("git", "apt-get install git"), "-C", str(ROOT), "ls-files", "-z"]
    command = [*git, "--cached", "--others", "--exclude-standard"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [name for name in said.split("\0") if name and (ROOT / name).exists()]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    if find_spec("build") is None:
        unavailable("the package build", "scripts/setup installs it")
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_sdist_is_the_repository(built: Path) -> None:
    """So whatever passes in a clone passes in the unpacked sdist."""
    expected = set(tracked())
    with tarfile.open(built / f"{NAME}.tar.gz") as sdist:
        found = {entry.name.removeprefix(f"{NAME}/"): entry for entry in sdist if entry.isfile()}
        assert set(found) == expected | {"PKG-INFO"}
        for name in expected:
            file = sdist.extractfile(found[name])
            assert file is not None
            assert file.read() == (ROOT / name).read_bytes(), name
            assert bool(found[name].mode & 0o100) == os.access(ROOT / name, os.X_OK), name


def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    package = {name for name in tracked() if name.startswith("fatwheel/")}
    assert {"fatwheel/py.typed", "fatwheel/schema/fatwheel.schema.json"} <= package
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
    assert {name for name in names if not name.startswith(f"{NAME}.dist-info/")} == package
    info = {name.partition("/")[2] for name in names - package}
    assert info == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def test_the_metadata_is_valid_and_says_what_a_user_looks_for(built: Path) -> None:
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as wheel:
        raw = wheel.read(f"{NAME}.dist-info/METADATA")
    metadata = Metadata.from_email(raw)  # raises for what the specification forbids
    assert metadata.license_expression == "MIT"
    assert metadata.description == (ROOT / "README.md").read_text("utf-8")
    assert metadata.provides_extra == ["index", "release", "zig"]
    assert metadata.requires_python is not None
    classifiers = metadata.classifiers or []
    for minor in range(10, 14):
        assert f"Programming Language :: Python :: 3.{minor}" in classifiers
        assert metadata.requires_python.contains(f"3.{minor}")
    assert not metadata.requires_python.contains("3.9")
    assert "Typing :: Typed" in classifiers


def test_the_wheel_installs_and_runs_without_the_repository(built: Path, tmp_path: Path) -> None:
    """With what it requires lent by the environment that runs the tests."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = str(tmp_path / "venv" / "bin" / "python")
    wheel = built / f"{NAME}-py3-none-any.whl"
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    lent = [path for path in sys.path if path.endswith("site-packages")]
    (site / "lent.pth").write_text("\n".join(lent) + "\n")
    fatwheel = str(tmp_path / "venv" / "bin" / "fatwheel")
    command = [fatwheel, "fuse", *map(str, SMALL_PAIR), "-o", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_file()
    where = [python, "-c", "import fatwheel; print(fatwheel.__file__)"]
    said = subprocess.run(where, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said.startswith(str(site))


def test_its_types_are_seen_by_users(built: Path, tmp_path: Path) -> None:
    if find_spec("mypy") is None:
        unavailable("the package mypy", "scripts/setup installs it")
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as wheel:
        wheel.extractall(tmp_path / "site")
    (tmp_path / "use.py").write_text(
        "from pathlib import Path\nfrom fatwheel import FuseOptions, fuse_wheels\n"
        "size: str = fuse_wheels(Path('a'), Path('b'), Path('c'), FuseOptions()).size\n"
    )
    environ = {**os.environ, "MYPYPATH": ""}
    # As an installed package: its own errors are not reported, its types count only with py.typed.
    venv.create(tmp_path / "venv", with_pip=False)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    for path in (tmp_path / "site").iterdir():
        path.rename(site / path.name)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    command += ["--python-executable", str(tmp_path / "venv" / "bin" / "python"), "use.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert 'expression has type "int", variable has type "str"' in done.stdout, done.stdout
    assert done.stdout.count("error:") == 1, done.stdout
