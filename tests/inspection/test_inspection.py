"""What is true of a whole wheel: promises, sums, what it was made of."""

from __future__ import annotations

from pathlib import Path

import pytest

import fatwheel
from fatwheel.errors import WheelError
from fatwheel.fusion.fuse import FuseOptions, fuse_wheels
from fatwheel.fusion.plan import PlanOptions
from fatwheel.fusion.rules import RuleSet, parse_rule
from fatwheel.inspection.facts import CodeFile
from fatwheel.inspection.inspection import Inspection, lacking
from fatwheel.inspection.wheels import inspect_wheel
from tests.support.corpus import SMALL_PAIR
from tests.support.wheels import (
    NATIVE,
    A,
    Side,
    X,
    code,
    contents,
    dylib,
    make_pair,
    make_wheel,
    program,
    static,
    universal,
)

FAT = "macosx_10_13_universal2"


def inspected(folder: Path, files: Side, platform: str = FAT) -> Inspection:
    return inspect_wheel(make_wheel(folder, platform, files))


def file_of(inspection: Inspection, path: str) -> CodeFile:
    (found,) = (file for file in inspection.files if file.path == path)
    return found


def test_the_api_has_it() -> None:
    found = fatwheel.inspect_wheel(SMALL_PAIR[1])
    assert isinstance(found, fatwheel.Inspection)
    assert found == fatwheel.inspect_path(SMALL_PAIR[1])


def test_what_tags_promise_and_what_code_allows(tmp_path: Path) -> None:
    found = inspected(
        tmp_path,
        {
            NATIVE: universal(code(X, minos=(10, 15)), code(A)),
            "pkg/b.dylib": dylib(A, minos=(13, 1)),
        },
        "macosx_10_13_universal2.macosx_12_0_arm64",
    )
    assert found.wheel is not None
    assert found.wheel.floors == {X: (10, 13), A: (11, 0)}
    assert [(p.tag, p.floors) for p in found.wheel.promises] == [
        ("macosx_10_13_universal2", {X: (10, 13), A: (11, 0)}),
        ("macosx_12_0_arm64", {A: (12, 0)}),
    ]
    assert (found.allows(X), found.allows(A)) == ((10, 15), (13, 1))
    assert found.counts(A, lambda one: one.minos) == [((11, 0), 1), ((13, 1), 1)]
    assert (found.held, found.expected) == ((X, A), (X, A))


def test_a_tag_that_no_installer_matches_is_a_problem(tmp_path: Path) -> None:
    found = inspected(tmp_path, {NATIVE: code(A)}, "macosx_11_3_arm64")
    assert found.wheel is not None
    assert found.wheel.floors == {}
    assert found.expected == (A,)
    assert "macosx_11_3_arm64" in found.problems[0]


def test_sizes_are_those_of_the_files(tmp_path: Path) -> None:
    files = {NATIVE: universal(code(X), code(A, b"x" * 5000)), "pkg/data.TXT": b"1" * 100}
    path = make_wheel(tmp_path, FAT, files)
    found = inspect_wheel(path)
    all_ = contents(path)
    assert found.installed == sum(map(len, all_.values()))
    assert found.size == path.stat().st_size
    assert found.count == len(all_)
    by_name = {one.extension: one for one in found.extensions}
    assert (by_name[".txt"].files, by_name[".txt"].size) == (1, 100)
    assert sum(one.size for one in found.extensions) == found.installed
    assert found.sizes == {name: len(data) for name, data in all_.items()}
    native = file_of(found, NATIVE)
    assert (native.size_of(X), native.size_of(A)) == (len(code(X)), len(code(A, b"x" * 5000)))


def test_thinned_is_what_is_left_for_one_architecture(tmp_path: Path) -> None:
    files = {
        NATIVE: universal(code(X), code(A)),
        "pkg/data": b"d" * 300,
        "pkg/x.dylib": dylib(X),  # nothing of arm64 loads it
        "pkg/tool": program(X),  # Rosetta runs it
    }
    path = make_wheel(tmp_path, FAT, files)
    found = inspect_wheel(path)
    all_ = contents(path)
    rest = sum(len(data) for name, data in all_.items() if name not in files) + 300
    x86_64 = rest + len(code(X)) + len(dylib(X)) + len(program(X))
    assert found.thinned[X][0] == x86_64
    assert found.thinned[A][0] == rest + len(code(A)) + len(program(X))
    assert 0 < found.thinned[A][1] < found.size


def test_a_thin_wheel_stays_as_large_as_it_is() -> None:
    found = inspect_wheel(SMALL_PAIR[0])
    assert found.thinned == {X: (found.installed, found.size)}


@pytest.mark.parametrize(
    ("files", "required", "lacks"),
    [
        ({NATIVE: universal(code(X), code(A))}, (X, A), {}),
        ({NATIVE: code(A)}, (X, A), {NATIVE: (X,)}),
        ({NATIVE: code(A)}, (A,), {}),
        ({"pkg/a.dylib": dylib(A)}, (X,), {"pkg/a.dylib": (X,)}),
        ({"pkg/a_arm64.dylib": dylib(A)}, (X, A), {}),
        ({"pkg/a_x86_64.dylib": dylib(A)}, (X, A), {"pkg/a_x86_64.dylib": (X,)}),
        ({"pkg/a_arm64.so": code(A)}, (X, A), {"pkg/a_arm64.so": (X,)}),
        ({"pkg/a.a": static(X)}, (X, A), {"pkg/a.a": (A,)}),
        ({"pkg/ios.dylib": dylib(A, platform=2)}, (X, A), {}),
        ({"pkg/a.txt": b"text"}, (X, A), {}),
    ],
    ids=[
        "both",
        "thin",
        "thin, that alone",
        "library",
        "named after its own",
        "named after the other",
        "a module",
        "archive",
        "for another system",
        "no code",
    ],
)
def test_what_lacks_an_architecture(
    files: Side, required: tuple[fatwheel.arch.Arch, ...], lacks: object, tmp_path: Path
) -> None:
    found = inspected(tmp_path, files)
    assert {file.path: missing for file, missing in lacking(found, required)} == lacks


def test_what_a_wheel_was_made_of(tmp_path: Path) -> None:
    wheels = make_pair(tmp_path, x86_64={"pkg/a.py": b"a = 1\n"}, arm64={"pkg/a.py": b"a = 2\n"})
    rules = RuleSet(rules=(parse_rule("pkg/a.py=keep-arm64"),))
    options = FuseOptions(plan=PlanOptions(rules=rules, generator="fatwheel 9"))
    found = inspect_wheel(fuse_wheels(*wheels, tmp_path / "out", options).path)
    assert found.wheel is not None
    made = found.wheel.made_of
    assert made is not None
    assert made.generator == "fatwheel 9"
    assert made.inputs == {"x86_64": wheels[0].name, "arm64": wheels[1].name}
    assert [(one.member, one.action) for one in made.decisions] == [("pkg/a.py", "keep-arm64")]
    assert inspect_wheel(wheels[0]).wheel is not None
    assert inspect_wheel(wheels[0]).wheel.made_of is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b'{"decisions": []}', b'{"decisions": [], "inputs": [], "generator": 1}']
)
def test_a_foreign_fatwheel_json_is_a_problem(text: bytes, tmp_path: Path) -> None:
    found = inspected(tmp_path, {NATIVE: code(A), "pkg-1.0.dist-info/fatwheel.json": text})
    assert found.wheel is not None
    assert found.wheel.made_of is None
    assert "is not what fatwheel writes" in found.problems[0]


def test_wheels_for_any_platform_are_told_too(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "any", {"pkg/a.dylib": dylib(A)}, python="py3", abi="none")
    found = inspect_wheel(path)
    assert found.wheel is not None
    assert (found.wheel.floors, found.expected) == ({}, (A,))


def test_a_damaged_wheel_is_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, FAT, {NATIVE: code(A)})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(WheelError, match=r"pkg-1\.0-"):
        inspect_wheel(path)
