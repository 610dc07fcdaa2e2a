"""What may exist for one architecture only."""

from __future__ import annotations

import pytest

from fatwheel.arch import Arch
from fatwheel.check.onesided import importable, one_sided_problem
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
    ],
)
def test_what_python_would_import(member: str, answer: bool) -> None:
    assert importable(member) is answer


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
