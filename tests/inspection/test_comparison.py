"""Two wheels side by side."""

from __future__ import annotations

from pathlib import Path

from fatwheel.inspection.comparison import Comparison, comparable, compare
from fatwheel.inspection.wheels import inspect_wheel
from tests.support.wheels import NATIVE, A, X, code, make_pair, make_wheel, universal


def compared(left: Path, right: Path) -> Comparison:
    return compare(inspect_wheel(left), inspect_wheel(right))


def test_files_of_thin_halves(tmp_path: Path) -> None:
    wheels = make_pair(
        tmp_path,
        both={"pkg/same.txt": b"1"},
        x86_64={"pkg/x.txt": b"1", "pkg/other.txt": b"1"},
        arm64={"pkg/a.txt": b"1", "pkg/other.txt": b"2"},
    )
    found = compared(*wheels)
    assert (found.left, found.right) == tuple(map(str, wheels))
    assert (found.only_left, found.only_right) == (("pkg/x.txt",), ("pkg/a.txt",))
    assert found.differing == ("*.dist-info/WHEEL", "pkg/other.txt")
    assert found.code == (NATIVE,)
    assert found.equal == 3  # __init__.py, same.txt, METADATA
    assert [(one.fact, one.left, one.right) for one in found.facts] == [("macOS", "10.13", "11.0")]


def test_versions_are_paired_and_slices_of_one_architecture_compared(tmp_path: Path) -> None:
    made = [
        make_wheel(
            tmp_path,
            "macosx_10_13_universal2",
            {
                NATIVE: universal(code(X, loads=["/usr/lib/a", load]), code(A, sdk=sdk)),
                "pkg/b.so": universal(code(X), code(A, sdk=sdk)),
            },
            version=version,
        )
        for version, sdk, load in (("1.0", (14, 0), "/usr/lib/b"), ("2.0", (15, 0), "/opt/c"))
    ]
    found = compared(*made)
    assert (found.only_left, found.only_right) == ((), ())
    assert [(one.fact, one.left, one.right, one.paths) for one in found.facts] == [
        ("SDK", "14.0", "15.0", (NATIVE, "pkg/b.so")),
        ("loads", "/usr/lib/b", "/opt/c", (NATIVE,)),
    ]


def test_what_is_equal_has_no_difference(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "macosx_11_0_arm64", {NATIVE: code(A)})
    found = compared(path, path)
    assert (found.code, found.facts, found.differing, found.only_left) == ((), (), (), ())


def test_which_are_compared(tmp_path: Path) -> None:
    one, other = map(inspect_wheel, make_pair(tmp_path))
    third = inspect_wheel(make_wheel(tmp_path, "any", {}, name="third"))
    assert comparable([one, other])
    assert not comparable([one])
    assert not comparable([one, third])
    assert not comparable([one, other, other])
