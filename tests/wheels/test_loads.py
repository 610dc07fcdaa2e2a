"""Which member loads which, as dyld resolves it in the installed wheel."""

from __future__ import annotations

import pytest

from fatwheel.macho.image import Image
from fatwheel.wheels.loads import LoadGraph, missing_loads
from tests.support.wheels import A, X, code, content_of

MEMBERS = [
    "pkg/mod.so",
    "pkg/.dylibs/libz.dylib",
    "pkg/sub/libz.dylib",
    "pkg/libonly.dylib",
    "pkg-1.0.data/platlib/pkg/liblate.dylib",
    "pkg-1.0.data/scripts/tool",
    "pkg-1.0.data/data/lib/libdata.dylib",
]


def image(loads: list[str], rpaths: list[str]) -> Image:
    found = content_of(code(X, loads=loads, rpaths=rpaths))
    assert isinstance(found, Image)
    return found


@pytest.mark.parametrize(
    ("load", "rpaths", "found"),
    [
        ("@loader_path/libonly.dylib", [], ["pkg/libonly.dylib"]),
        ("@loader_path/.dylibs/libz.dylib", [], ["pkg/.dylibs/libz.dylib"]),
        ("@loader_path/../pkg/./sub/libz.dylib", [], ["pkg/sub/libz.dylib"]),
        ("@loader_path/liblate.dylib", [], ["pkg-1.0.data/platlib/pkg/liblate.dylib"]),
        ("@loader_path/libz.dylib", [], []),
        ("@loader_path/../../../libdata.dylib", [], []),
        ("@loader_path/../../../../lib/libdata.dylib", [], [MEMBERS[6]]),
        ("@rpath/libdata.dylib", ["@loader_path/../../../../lib"], [MEMBERS[6]]),
        ("@rpath/../sub/libz.dylib", ["@loader_path/.dylibs"], ["pkg/sub/libz.dylib"]),
        ("@rpath/libz.dylib", ["@loader_path/sub"], ["pkg/sub/libz.dylib"]),
        ("@rpath/libz.dylib", ["@loader_path/none", "@loader_path/.dylibs"], [MEMBERS[1]]),
        ("@rpath/libonly.dylib", ["@loader_path"], ["pkg/libonly.dylib"]),
        ("@rpath/libonly.dylib", ["@loader_path/"], ["pkg/libonly.dylib"]),
        ("@rpath/libz.dylib", ["/opt/lib"], [MEMBERS[1], MEMBERS[2]]),
        ("@rpath/libz.dylib", [], [MEMBERS[1], MEMBERS[2]]),
        ("@executable_path/libz.dylib", [], [MEMBERS[1], MEMBERS[2]]),
        ("libonly.dylib", [], ["pkg/libonly.dylib"]),
        ("/usr/lib/libz.dylib", [], []),
        ("@rpath/libnone.dylib", ["@loader_path/sub"], []),
    ],
)
def test_what_a_load_command_means(load: str, rpaths: list[str], found: list[str]) -> None:
    graph = LoadGraph.of([("pkg/mod.so", X, image([load], rpaths))], MEMBERS)
    assert graph.loaded_by == dict.fromkeys(found, frozenset({X}))


def test_rpaths_without_end_leave_it_to_dyld() -> None:
    """A million pairs of rpath and load are not tried: then every file of that name can be meant."""
    rpaths = [f"@loader_path/{n}" for n in range(1000)]
    loads = [f"@rpath/lib{n}.dylib" for n in range(1000)]
    members = [*MEMBERS, "pkg/999/lib999.dylib", "other/lib999.dylib"]
    graph = LoadGraph.of([("pkg/mod.so", X, image(loads, rpaths))], members)
    assert set(graph.loaded_by) == {"pkg/999/lib999.dylib", "other/lib999.dylib"}
    few = LoadGraph.of([("pkg/mod.so", X, image(loads[-1:], rpaths))], members)
    assert set(few.loaded_by) == {"pkg/999/lib999.dylib"}


def test_both_architectures_are_told_apart() -> None:
    both, one = (
        image(["@loader_path/libonly.dylib"], []),
        image(["@loader_path/sub/libz.dylib"], []),
    )
    graph = LoadGraph.of(
        [("pkg/mod.so", X, both), ("pkg/mod.so", A, both), ("pkg/mod.so", A, one)], MEMBERS
    )
    assert graph.loaded_by == {
        "pkg/libonly.dylib": frozenset({X, A}),
        "pkg/sub/libz.dylib": frozenset({A}),
    }


def test_loads_that_lead_to_nothing_in_the_wheel() -> None:
    loads = [
        "@loader_path/libonly.dylib",
        "@loader_path/libgone.dylib",
        "@loader_path/../../elsewhere.dylib",
        "@rpath/libgone.dylib",
        "/usr/lib/libgone.dylib",
    ]
    found = list(missing_loads([("pkg/mod.so", A, image(loads, []))], MEMBERS))
    assert found == [("pkg/mod.so", A, "@loader_path/libgone.dylib")]
