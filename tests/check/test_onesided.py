"""What may exist for one architecture only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from fatwheel.arch import Arch
from fatwheel.check.onesided import (
    importable,
    named_after,
    one_sided_problem,
    unusable_problem,
)
from fatwheel.wheels.loads import LoadGraph
from tests.support.wheels import A, X, code, content_of, dylib, program, static, universal

NOTHING = LoadGraph.of([], [])


@pytest.mark.parametrize(
    ("member", "answer"),
    [
        ("pkg/a.py", True),
        ("a.py", True),
        ("pkg/a.pyc", True),
        ("pkg/a.cpython-312-darwin.so", True),
        ("pkg/a.abi3.so", True),
        ("pkg-1.0.data/purelib/pkg/a.py", True),
        ("pkg-1.0.data/platlib/a.so", True),
        ("a.pth", True),
        ("pkg-1.0.data/purelib/a.pth", True),
        ("include/a.py", True),
        ("pkg/a.pth", False),
        ("pkg/a-b.py", False),
        ("pkg/my-data/a.py", False),
        ("pkg-1.0.dist-info/a.py", False),
        ("pkg/a.pyi", False),
        ("pkg/liba.dylib", False),
        ("pkg/a.py.txt", False),
        ("pkg/py", False),
        ("pkg-1.0.data/data/etc/a.py", False),
        ("pkg-1.0.data/scripts/a.py", False),
        ("pkg-1.0.data/headers/a.py", False),
        ("pkg-1.0.data/data/a.pth", False),
        ("cmeel.prefix/lib/python3.12/site-packages/a.py", True),
        ("cmeel.prefix/lib/python3.12/site-packages/pkg/a.cpython-312-darwin.so", True),
        ("cmeel.prefix/lib/python3.12/site-packages/a.pth", True),
        ("cmeel.prefix/lib/python3.12/site-packages/pkg/a.pth", False),
        ("cmeel.prefix/lib/python3.12/site-packages/my-pkg/a.py", False),
        ("cmeel.prefix/lib/python3.12/a.py", False),
        ("pkg-1.0.data/data/lib/python3.12/site-packages/pkg/a.py", True),
        ("pkg-1.0.data/data/lib/python3/dist-packages/a.py", True),
        ("a-b/site-packages/c-d/site-packages/a.py", True),
        ("site-packages/a-b/a.py", False),
        ("my-site-packages/a.py", False),
    ],
)
def test_what_python_would_import(member: str, answer: bool) -> None:
    assert importable(member) is answer


NONE: list[str] = []
MODULE = ["_PyInit_a", "_other"]


@pytest.mark.parametrize(
    ("member", "exports", "answer"),
    [
        ("pkg/a.cpython-312-darwin.so", MODULE, True),
        ("pkg/a.abi3.so", MODULE, True),
        ("pkg/a.so", MODULE, True),
        ("pkg/a.so", ["_PyInitU_a"], True),
        ("pkg/b.so", MODULE, True),
        ("pkg/plug-ins/a.so", MODULE, True),
        ("any.where/lib/a.cpython-312-darwin.so", MODULE, True),
        ("pkg-1.0.data/data/lib/a.so", MODULE, True),
        ("pkg/a.so", None, True),
        ("pkg/plug-ins/a.so", None, False),
        ("pkg/a.so", NONE, False),
        ("pkg/a.cpython-312-darwin.so", ["_other", "_initialise"], False),
        ("pkg/a.abi3.so", ["_PyInit"], False),
        ("pkg/libpython3.12.dylib", MODULE, False),
        ("pkg/Python", MODULE, False),
        ("pkg/a.py", NONE, True),
    ],
)
@pytest.mark.parametrize("make", [dylib, code], ids=["dylib", "bundle"])
def test_code_is_a_module_if_python_could_initialise_it(
    make: Callable[..., bytes], member: str, exports: list[str] | None, answer: bool
) -> None:
    assert importable(member, content_of(make(X, exports=exports))) is answer
    fat = content_of(universal(make(X, exports=exports), make(A, exports=exports)))
    assert importable(member, fat) is answer


@pytest.mark.parametrize(
    ("exports", "answer"),
    [((NONE, MODULE), True), ((NONE, None), True), ((None, MODULE), True), ((NONE, NONE), False)],
)
def test_one_slice_is_enough(exports: tuple[list[str], list[str]], answer: bool) -> None:
    fat = content_of(universal(code(X, exports=exports[0]), code(A, exports=exports[1])))
    assert importable("pkg/a.so", fat) is answer


IMPORTABLE = "and on {other} it would become importable where it did not exist"
COMMAND = "and on {other} it would become a command where there was none"
LOADED = "and code for {other} loads it"


@pytest.mark.parametrize(
    ("member", "make", "problem"),
    [
        ("pkg/a.py", None, IMPORTABLE),
        ("a.pth", None, IMPORTABLE),
        ("pkg/a.so", code, IMPORTABLE),
        ("pkg-1.0.data/scripts/tool", program, COMMAND),
        ("pkg-1.0.data/scripts/tool.py", None, COMMAND),
        ("pkg-1.0.dist-info/entry_points.txt", None, "and {other} would get entry points that it"),
        ("pkg/bin/tool", program, "and {other} could not run that program"),
        ("pkg/libz.dylib", dylib, None),
        ("pkg/plug-in.so", code, None),
        ("pkg/libplugin.so", partial(code, exports=NONE), None),
        ("pkg/plug-in.so", partial(code, exports=MODULE), IMPORTABLE),
        ("a.prefix/site-packages/a.so", partial(code, exports=MODULE), IMPORTABLE),
        ("a.prefix/lib/site-packages/a.py", None, IMPORTABLE),
        ("pkg/libz.a", static, None),
        ("pkg/data.txt", None, None),
        ("pkg-1.0.dist-info/top_level.txt", None, None),
        ("pkg/a.pyi", None, None),
    ],
)
@pytest.mark.parametrize("arch", Arch, ids=lambda arch: arch.value)
def test_what_may_stay_on_one_side(
    member: str, make: object, problem: str | None, arch: Arch
) -> None:
    content = content_of(make(arch)) if callable(make) else None
    found = one_sided_problem(member, content, arch, NOTHING)
    expected = problem and problem.format(other=arch.other.value)
    assert found == expected or (expected and found and found.startswith(expected))


@pytest.mark.parametrize("make", [dylib, code], ids=["dylib", "bundle"])
@pytest.mark.parametrize("arch", Arch, ids=lambda arch: arch.value)
@pytest.mark.parametrize("loader", Arch, ids=lambda arch: f"loaded by {arch.value}")
def test_code_that_the_other_architecture_loads_may_not(
    make: object, arch: Arch, loader: Arch
) -> None:
    assert callable(make)
    graph = LoadGraph({"pkg/lib-z.dylib": frozenset({loader})})
    found = one_sided_problem("pkg/lib-z.dylib", content_of(make(arch)), arch, graph)
    assert found == (None if loader is arch else LOADED.format(other=loader.value))


def test_a_data_file_that_is_named_like_a_library_may_be_loaded_by_nobody() -> None:
    graph = LoadGraph({"pkg/x.dylib": frozenset({X, A})})
    assert one_sided_problem("pkg/x.dylib", None, X, graph) is None


def test_a_program_hides_in_no_universal_file() -> None:
    content = content_of(universal(program(X), program(X, cpu=(7, 3))))
    found = one_sided_problem("pkg/tool", content, X, NOTHING)
    assert found == "and arm64 could not run that program"


@pytest.mark.parametrize(
    ("member", "make", "problem"),
    [
        ("pkg/a.so", code, "and Python would import it"),
        ("pkg/plug-in.so", partial(code, exports=MODULE), "and Python would import it"),
        ("pkg-1.0.data/scripts/tool", program, "and it would be a command"),
        ("pkg/liba.dylib", dylib, None),
        ("pkg/template.in", program, None),
        ("pkg/liba.a", static, None),
        ("pkg/plugin.so", partial(code, exports=NONE), None),
    ],
)
def test_code_that_no_mac_runs_may_be_data(
    member: str, make: Callable[..., bytes], problem: str | None
) -> None:
    assert unusable_problem(member, content_of(make(X)), NOTHING) == problem


def test_code_that_is_loaded_is_no_data() -> None:
    content = content_of(dylib(X))
    for loaders, said in (({X}, "x86_64"), ({A}, "arm64"), ({X, A}, "arm64 and x86_64")):
        graph = LoadGraph({"pkg/liba.dylib": frozenset(loaders)})
        assert unusable_problem("pkg/liba.dylib", content, graph) == f"and code for {said} loads it"


@pytest.mark.parametrize(
    ("member", "arch"),
    [
        ("pkg/attach_x86_64.dylib", X),
        ("pkg/lib-X64.dylib", X),
        ("pkg/ffmpeg-macos-x86_64-v7.1", X),
        ("pkg/libplugin_intel_cpu.so", X),
        ("pkg/attach_arm64.dylib", A),
        ("pkg/tool-aarch64", A),
        ("pkg/x86_64/liba.dylib", X),
        ("pkg/macos-arm64/liba.dylib", A),
        ("pkg/libmax64.dylib", None),
        ("pkg/libarm64e.dylib", None),
        ("pkg/intelligence.dylib", None),
    ],
)
def test_files_that_are_named_after_their_architecture(member: str, arch: Arch | None) -> None:
    assert [one for one in Arch if named_after(member, one)] == ([] if arch is None else [arch])
