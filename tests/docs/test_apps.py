"""docs/apps.md and README: what is marked as tried is run here, with wheels from the cache in place of PyPI."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import lief
import pytest

from tests.support.corpus import ROOT
from tests.support.required import require_pair, require_tool
from tests.support.wheels import NATIVE, A, X, code, make_wheel, universal

PAGE = (ROOT / "docs" / "apps.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
POSIX = pytest.mark.skipif(os.name != "posix", reason="the page's lines are for a POSIX shell")
BOTH = code(X), code(A)


def block(mark: str, page: str = PAGE) -> str:
    """The indented block behind the comment `mark`."""
    _, found, rest = page.partition(f"<!-- {mark} -->\n\n")
    assert found, f"the page has no block {mark!r}"
    lines = re.match(r"(?:    .*\n|\n)+", rest)
    assert lines is not None
    return re.sub(r"(?m)^    ", "", lines[0]).strip("\n") + "\n"


def behind(script: str, index: Path) -> str:
    """The page's lines, with the folder `index` in place of PyPI, and a cache and a port of the test's own."""
    own = f"--upstream '{index}' --cache '{index.parent / 'cache'}'"
    script = script.replace("fatwheel wheelhouse", f"fatwheel wheelhouse {own}")
    return script.replace("fatwheel index", f"fatwheel index {own} --port 0")


def wheel(folder: Path, stem: str, platform: str, files: Mapping[str, bytes] | None = None) -> Path:
    """A small wheel in place of a real one."""
    name, version, python, abi = stem.split("-")
    return make_wheel(
        folder, platform, files or {}, name=name, version=version, python=python, abi=abi,
        purelib=platform == "any",
    )  # fmt: skip


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A folder that takes the place of PyPI."""
    (folder := tmp_path / "index").mkdir()
    return folder


def shell(script: str, folder: Path, index: Path) -> subprocess.CompletedProcess[str]:
    """Run the page's lines in `folder`; pip and uv see `index` and nothing else."""
    (settings := folder.parent / "uv.toml").write_text(
        f'no-index = true\nfind-links = ["{index}"]\n', "utf-8"
    )
    dropped = ("PIP_", "UV_", "MACOSX_DEPLOYMENT_TARGET")
    env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    env |= {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]]),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_CONFIG_FILE": str(settings),
        "UV_CACHE_DIR": str(folder.parent / "uv"),
    }
    bash = [require_tool("bash"), "-euo", "pipefail", "-c", script]
    return subprocess.run(bash, cwd=folder, env=env, capture_output=True, text=True, check=False)


def succeed(script: str, folder: Path, index: Path) -> str:
    """Run the page's lines, which must succeed, and return what they print on standard output."""
    done = shell(script, folder, index)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def real(index: Path) -> Path:
    """The wheels of the page's requirements, and others among which pip has to choose."""
    for name in ("numpy", "pillow", "kiwisolver"):
        for published in require_pair(name).wheels:
            (index / published.file).symlink_to(published.path)
    wheel(index, "packaging-25.0-py3-none", "any", {"packaging/__init__.py": b""})
    return index


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (folder := tmp_path / "project").mkdir()
    (folder / "requirements.txt").write_text(block("requirements.txt"))
    return folder


def code_in(folder: Path) -> Iterator[tuple[str, set[str]]]:
    """Names of the Mach-O files below `folder`, and their architectures, as LIEF reads them."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".so", ".dylib"} and path.is_file():
            images = lief.MachO.parse(str(path))
            assert images is not None
            yield path.name, {image.header.cpu_type.name.lower() for image in images}


HOUSE = [
    "kiwisolver-1.5.1-cp312-cp312-macosx_10_13_universal2.whl",
    "numpy-2.2.6-cp312-cp312-macosx_10_13_universal2.whl",
    "packaging-25.0-py3-none-any.whl",
    "pillow-11.2.1-cp312-cp312-macosx_10_13_universal2.whl",
]


def wheels_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.whl"))


@POSIX
def test_from_requirements_to_an_app_s_folder(real: Path, project: Path) -> None:
    require_tool("uv")
    succeed(behind(block("tried: wheels"), real), project, real)
    house, lib = project / "wheelhouse", project / "app" / "lib"
    assert wheels_in(house) == HOUSE
    own = require_pair("kiwisolver").universal2
    assert own is not None
    assert (house / own.file).read_bytes() == own.path.read_bytes()  # as published
    (nothing := project.parent / "nothing").mkdir()
    by: dict[str, set[Path]] = {}
    for tool in ("uv", "pip"):
        succeed(f"rm -rf app/lib\n{block(f'tried: {tool}')}", project, nothing)
        assert {path.name for path in lib.iterdir()} >= {"numpy", "PIL", "kiwisolver", "packaging"}
        by[tool] = {p.relative_to(lib) for p in lib.rglob("*") if p.suffix in {".so", ".dylib"}}
    assert by["pip"] == by["uv"]
    found = dict(code_in(lib))
    thin = {name for name, architectures in found.items() if len(architectures) < 2}
    assert len(found) > 40
    assert thin == {"libz.1.3.1.dylib", "libz.1.3.1.zlib-ng.dylib"}
    assert all(found[name] == {"x86_64", "arm64"} for name in found.keys() - thin)

    printed = succeed(block("tried: check"), project, real)
    expected = block("printed by: check").splitlines()
    assert sorted(line.rstrip() for line in printed.splitlines()[-2:]) == sorted(expected)
    assert printed.count(": 0 errors") == 3
    assert printed.count("FW302") == 2


@POSIX
def test_the_index_for_one_command(real: Path, project: Path) -> None:
    succeed(behind(block("tried: index"), real), project, real)
    found = dict(code_in(project / "app" / "lib"))
    assert len(found) > 40
    assert sum(len(architectures) < 2 for architectures in found.values()) == 2  # zlib and zlib-ng


@POSIX
def test_the_first_page_s_example(real: Path, project: Path) -> None:
    """It prints what it says, whichever wheel is done first, and pip installs it."""
    require_tool("uv")
    done = shell(behind(block("tried: wheelhouse", README), real), project, real)
    assert done.returncode == 0, done.stderr
    expected = block("printed by: wheelhouse", README)
    assert sorted(done.stderr.splitlines()) == sorted(expected.splitlines())
    assert wheels_in(project / "wheelhouse") == [name for name in HOUSE if "packaging" not in name]
    succeed(block("tried: install", README), project, real)
    assert (project / "app" / "lib" / "numpy").is_dir()


@POSIX
def test_what_is_not_there_is_not_called_complete(tmp_path: Path, index: Path) -> None:
    _, _, files = block("tried: check").partition("\n")
    done = shell(files, tmp_path, index)
    assert done.returncode != 0
    assert "both architectures" not in done.stdout


@POSIX
def test_a_pure_wheel_serves_both_where_one_architecture_has_no_other(
    index: Path, tmp_path: Path
) -> None:
    """And what has no wheel in the index comes from a folder of one's own, which is named first."""
    require_tool("uv")
    (project := tmp_path / "project").mkdir()
    (project / "requirements.txt").write_text("fast\npure\nthin\n")
    wheel(project / "own", "pure-1.0-py3-none", "any", {"pure.py": b""})
    for arch, content in zip(("x86_64", "arm64"), BOTH, strict=True):
        wheel(index, "thin-1.0-cp312-cp312", f"macosx_11_0_{arch}", {NATIVE: content})
    wheel(index, "fast-1.0-cp312-cp312", "macosx_11_0_arm64", {NATIVE: BOTH[1]})
    wheel(index, "fast-1.0-py3-none", "any", {"fast.py": b""})
    script = block("tried: wheels")
    assert shell(behind(script, index), project, index).returncode != 0
    succeed(
        behind(script, index).replace("--upstream", "--upstream own --upstream", 1), project, index
    )
    assert wheels_in(project / "wheelhouse") == [
        "fast-1.0-py3-none-any.whl",
        "pure-1.0-py3-none-any.whl",
        "thin-1.0-cp312-cp312-macosx_11_0_universal2.whl",
    ]


INSTALL = (
    "pip install --quiet --target lib --no-deps --no-index --only-binary=:all: "
    "--python-version 3.12 --platform macosx_12_0_universal2 pkg"
)


@POSIX
@pytest.mark.parametrize(
    ("platform", "taken"),
    [
        ("macosx_10_9_universal2", True),
        ("macosx_10_13_universal2", True),
        ("macosx_11_0_universal2", True),
        ("macosx_12_0_universal2", True),
        ("macosx_10_13_x86_64.macosx_12_0_universal2", True),
        ("macosx_11_0_arm64.macosx_12_0_universal2", True),
        ("any", True),
        ("macosx_13_0_universal2", False),
        ("macosx_10_13_x86_64.macosx_14_0_universal2", False),
        ("macosx_12_0_arm64", False),
        ("macosx_10_13_x86_64", False),
    ],
)
def test_one_platform_is_enough(platform: str, taken: bool, index: Path, tmp_path: Path) -> None:
    files = {} if platform == "any" else {NATIVE: universal(*BOTH)}
    stem = "pkg-1.0-py3-none" if platform == "any" else "pkg-1.0-cp312-cp312"
    wheel(index, stem, platform, files)
    done = shell(INSTALL, tmp_path, index)
    assert (done.returncode == 0) == taken, done.stderr
    assert (tmp_path / "lib").exists() == taken


DOWNLOAD = "pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 -d got"


def got(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "got").iterdir())


@POSIX
def test_pip_prefers_thin_wheels_to_fused_ones(index: Path, tmp_path: Path) -> None:
    wheel(index, "pkg-1.0-cp312-cp312", "macosx_10_13_universal2", {NATIVE: universal(*BOTH)})
    wheel(index, "pkg-1.0-cp312-cp312", "macosx_14_0_arm64", {NATIVE: BOTH[1]})
    succeed(f"{DOWNLOAD} --platform macosx_15_0_arm64 pkg", tmp_path, index)
    assert got(tmp_path) == ["pkg-1.0-cp312-cp312-macosx_14_0_arm64.whl"]


@POSIX
def test_the_version_that_both_have_is_taken_and_the_newer_one_named(
    index: Path, tmp_path: Path
) -> None:
    require_tool("uv")
    for version, platform, content in (
        ("0.45.1", "macosx_10_15_x86_64", BOTH[0]),
        ("0.45.1", "macosx_11_0_arm64", BOTH[1]),
        ("0.50.0", "macosx_12_0_arm64", BOTH[1]),
    ):
        wheel(index, f"llvmlite-{version}-cp312-cp312", platform, {NATIVE: content})
    (project := tmp_path / "project").mkdir()
    (project / "requirements.txt").write_text("llvmlite\n")
    done = shell(behind(block("tried: wheels"), index), project, index)
    assert done.returncode == 0, done.stderr
    assert block("printed by: versions") in done.stderr
    succeed(block("tried: pip"), project, index)
    assert "every file holds both" in succeed(block("tried: check"), project, index)
    assert wheels_in(project / "wheelhouse") == [
        "llvmlite-0.45.1-cp312-cp312-macosx_10_15_universal2.whl"
    ]


def test_every_recipe_says_whether_it_was_tried() -> None:
    for section in PAGE.split("\n## ")[1:]:
        if re.search(r"(?m)^    \S", section):
            assert re.search(r"\*\*(Tried|tried|Not tried)", section), section.splitlines()[0]
