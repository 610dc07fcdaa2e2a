"""What fatwheel builds off macOS, by each linker: both slices of the fused wheel are imported and used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.machorun.crates import built, built_for_linux, built_sdist
from tests.machorun.published import module_in, require_project, unpacked
from tests.machorun.pythons import PROGRAMS, TRAPPED, pythons, require_linux, require_python
from tests.machorun.reader import read

ARCHS = ("x86_64", "arm64")
EXERCISE = PROGRAMS / "exercise_use.py"
KINDS = ["lld", "zig, no strict thread-locals", "lld, chained fixups"]
OF_RUST = {"x86_64": "x86_64", "arm64": "aarch64"}
# The crates that say for which architecture they were compiled: package, and what is asked.
SAYS_ARCH = {
    "abi3": "fixture_abi3.arch()",
    "mixed": "fixture_mixed.arch()",
    "generated": "__import__('fixture_generated._native')._native.arch()",
    "workspace": "fixture_workspace.arch()",
    "version": "fixture_version.arch()",
}


@pytest.fixture(scope="module", autouse=True)
def _linux() -> None:
    require_linux()


def test_every_kind_is_linked_as_it_says() -> None:
    infos = {kind: read(module_in(built("exercise", kind)).read_bytes(), "arm64") for kind in KINDS}
    assert ["chains" in image.info for image in infos.values()] == [False, False, True]
    for image in infos.values():
        assert image.sections(0x9, 0x16), "it has an initialiser"
        assert image.sections(0x11)
        assert image.sections(0x12)
        assert image.section("__unwind_info")
        assert image.section("__eh_frame")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("arch", ARCHS)
def test_the_exercise(arch: str, kind: str) -> None:
    expected = require_python("x86_64").output(EXERCISE, [built_for_linux("exercise")], native=True)
    assert expected == EXERCISE.with_suffix(".txt").read_text(
        "utf-8"
    )  # what scripts/try-on-mac takes
    assert "\naligned [" in expected
    if kind.startswith("zig"):
        expected = "".join(x for x in expected.splitlines(True) if not x.startswith("aligned "))
    assert require_python(arch).output(EXERCISE, [built("exercise", kind)]) == expected


@pytest.mark.parametrize("version", ["3.10", "3.12", "3.13", "3.14"])
def test_the_same_abi3_module_under_every_python(version: str) -> None:
    if version not in pythons():
        pytest.skip(f"not here: Python {version}; on PATH, or installed by pyenv")
    python = pythons()[version]
    expected = python.output(EXERCISE, [built_for_linux("exercise")], native=True)
    assert python.output(EXERCISE, [built("exercise", "lld")]) == expected


def said(arch: str, folder: Path, text: str, tmp_path: Path) -> str:
    program = tmp_path / "program.py"
    program.write_text(text)
    return require_python(arch).output(program, [folder]).strip()


@pytest.mark.parametrize(
    ("crate", "kind"),
    [(crate, linker) for linker in ("lld", "zig") for crate in SAYS_ARCH],
)
def test_each_slice_was_compiled_for_its_architecture(
    crate: str, kind: str, tmp_path: Path
) -> None:
    folder = built(crate, kind, *(["-i", "3.11"] if crate == "version" else []))
    asks = f"import fixture_{crate}\nprint({SAYS_ARCH[crate]})"
    for arch in ARCHS:
        assert said(arch, folder, asks, tmp_path) == OF_RUST[arch]


def test_each_architecture_has_its_own_settings(tmp_path: Path) -> None:
    asks = "import fixture_each\nprint(*fixture_each.facts())"
    told = {arch: said(arch, built("each", "lld"), asks, tmp_path) for arch in ARCHS}
    assert told == {
        "x86_64": "feature:shared feature:intel flag:avx2 flag:config env:x86_64",
        "arm64": "feature:shared feature:apple flag:config flag:pyproject env:arm64",
    }


def test_an_aligned_thread_local(tmp_path: Path) -> None:
    asks = "import fixture_threadlocal as m\nprint(m.count(), m.count())"
    for arch in ARCHS:
        assert said(arch, built("threadlocal", "lld"), asks, tmp_path) == "1 2"


def test_a_library_for_cffi(tmp_path: Path) -> None:
    library = module_in(built("cffi", "lld"))
    asks = "import ctypes\nfrom pathlib import Path\nfrom tests.machorun import run\n"
    asks += f"found = run.loader.load(Path({str(library)!r})).exports['_fixture_bits']\n"
    asks += "print(ctypes.CFUNCTYPE(ctypes.c_uint32)(found)())"
    for arch in ARCHS:
        assert said(arch, tmp_path, asks, tmp_path) == "64"


def test_a_symbol_that_is_not_provided_is_a_trap_that_names_it(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import fixture_native\nprint('imported', flush=True)\nfixture_native.answer()"
    )
    for arch in ARCHS:
        done = require_python(arch).run(program, [built("native", "lld")])
        assert (done.returncode, done.stdout) == (TRAPPED, "imported\n"), done.stderr
        assert "trap: the module used a symbol that is not provided: _CFString" in done.stderr
        assert "/CoreFoundation.framework/" in done.stderr


@pytest.mark.parametrize("arch", ARCHS)
def test_a_project_from_pypi_by_fatwheel_does_what_upstream_s_linux_wheel_does(
    arch: str, tmp_path: Path
) -> None:
    upstream = require_project("rpds-py")
    uses = PROGRAMS / "rpds_use.py"
    linux = unpacked(upstream.linux.path, tmp_path)
    expected = require_python("x86_64").output(uses, [linux], native=True)
    made = built_sdist("rpds-py", upstream.version, "lld")
    assert require_python(arch).output(uses, [made]) == expected
