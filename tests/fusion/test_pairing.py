"""Which wheels belong together, and what is refused outright, one sentence each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.arch import Arch
from fatwheel.errors import FatwheelError, RefusedError, WheelError
from fatwheel.fusion.pairing import (
    Candidate,
    held_architectures,
    inspect,
    later_build,
    match,
    pair_up,
)
from fatwheel.wheels.tags import parse_wheel_name
from fatwheel.wheels.wheel import open_wheel
from tests.support.wheels import (
    NATIVE,
    PLATFORMS,
    A,
    X,
    code,
    make_pair,
    make_wheel,
    static,
    universal,
)

UNIVERSAL2 = "macosx_10_9_universal2"


def touch(folder: Path, *names: str) -> list[Path]:
    """Files with the names of wheels: what a name says is known without opening them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return [folder / name for name in names]


def named(platform: str, stem: str = "pkg-1.0-cp312-cp312") -> str:
    return f"{stem}-{platform}.whl"


# ---- one wheel ----


@pytest.mark.parametrize(
    ("platform", "arch", "floor"),
    [
        ("macosx_10_13_x86_64", X, (10, 13)),
        ("macosx_11_0_arm64", A, (11, 0)),
        ("macosx_10_9_arm64", A, (11, 0)),
        ("macosx_10_6_intel", X, (10, 6)),
        ("macosx_10_9_x86_64.macosx_10_6_intel", X, (10, 6)),
        ("macosx_12_0_arm64.macosx_11_0_arm64", A, (11, 0)),
        ("macosx_10_6_i386.macosx_10_9_x86_64", X, (10, 9)),
    ],
)
def test_what_a_name_promises(
    platform: str, arch: Arch, floor: tuple[int, int], tmp_path: Path
) -> None:
    (path,) = touch(tmp_path, named(platform))
    assert inspect(path) == Candidate(
        path=path, name=parse_wheel_name(path.name), arch=arch, floor=floor
    )


@pytest.mark.parametrize(
    ("name", "error", "problem"),
    [
        (named("any", "pkg-1.0-py3-none"), RefusedError, "is for any platform and serves both"),
        (
            named("manylinux_2_28_x86_64"),
            RefusedError,
            "not for macOS but for manylinux_2_28_x86_64",
        ),
        (named("win_amd64"), RefusedError, "is not for macOS but for win_amd64"),
        (
            named("macosx_10_9_x86_64.manylinux1_x86_64"),
            RefusedError,
            "is not for macOS but for macosx_10_9_x86_64, manylinux1_x86_64",
        ),
        (
            named("macosx_10_6_i386"),
            RefusedError,
            "is for neither x86_64 nor arm64 but for macosx_",
        ),
        (
            named("macosx_12_3_arm64"),
            WheelError,
            "no installer matches the platform tag macosx_12_3",
        ),
        ("pkg.zip", WheelError, "not a wheel: the file name does not end in .whl"),
        ("pkg-1.0.whl", WheelError, "the file name has 2 parts between dashes"),
    ],
    ids=["any", "Linux", "Windows", "mixed", "i386", "minor version", "no wheel", "too few parts"],
)
def test_names_that_are_no_half_of_a_pair(
    name: str, error: type[FatwheelError], problem: str, tmp_path: Path
) -> None:
    (path,) = touch(tmp_path, name)
    with pytest.raises(error, match=f"{re.escape(name)}.*{re.escape(problem)}"):
        inspect(path)


@pytest.mark.parametrize("platform", [UNIVERSAL2, "macosx_10_9_x86_64.macosx_11_0_arm64"])
@pytest.mark.parametrize("arch", Arch, ids=lambda arch: arch.value)
@pytest.mark.parametrize(
    "make", [code, static, lambda arch: universal(code(arch))], ids=["thin", "archive", "fat"]
)
def test_a_wheel_that_says_universal2_is_what_it_holds(
    platform: str, arch: Arch, make: Any, tmp_path: Path
) -> None:
    path = make_wheel(tmp_path, platform, {"pkg/a": make(arch), "pkg/b": b"text"})
    found = inspect(path)
    assert (found.arch, found.claimed_universal2) == (arch, True)
    assert found.floor == {X: (10, 9), A: (11, 0)}[arch]


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {NATIVE: universal(code(X), code(A))},
            "holds code for x86_64 and arm64, so it is universal2",
        ),
        ({"pkg/a.so": code(X), "pkg/b.so": code(A)}, "holds code for x86_64 and arm64"),
        ({"pkg/a.py": b""}, "says universal2 and holds no code, so there is nothing to fuse"),
        ({"pkg/a": code(X, cpu=(7, 3))}, "says universal2 and holds no code"),
    ],
    ids=["universal files", "both architectures", "no code", "i386 only"],
)
def test_a_wheel_that_says_universal2_and_is_no_half(
    files: dict[str, bytes], problem: str, tmp_path: Path
) -> None:
    path = make_wheel(tmp_path, UNIVERSAL2, files)
    with pytest.raises(RefusedError, match=f"{path.name} {problem}"):
        inspect(path)


def test_a_damaged_wheel_that_says_universal2(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, named(UNIVERSAL2))
    with pytest.raises(WheelError, match=re.escape(path.name)):
        inspect(path)


def test_which_architectures_a_wheel_holds(tmp_path: Path) -> None:
    files = {"pkg/a.so": code(A), "pkg/b.so": code(A)[:40], "pkg/c": b""}
    assert held_architectures(open_wheel(make_wheel(tmp_path, PLATFORMS[A], files))) == {A}


# ---- two wheels ----

X86_64, ARM64 = named(PLATFORMS[X]), named(PLATFORMS[A])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (X86_64, ARM64),
        (ARM64, X86_64),
        (named(PLATFORMS[X], "Pkg-1.0.0-cp312-cp312"), ARM64),
        (named(PLATFORMS[X], "pkg-1.0-1-cp312-cp312"), ARM64),
        (named(PLATFORMS[X], "pkg-1.0-py2.py3-none"), named(PLATFORMS[A], "pkg-1.0-py3.py2-none")),
    ],
    ids=["in order", "swapped", "spelled otherwise", "build tags", "order of Python tags"],
)
def test_two_halves(a: str, b: str, tmp_path: Path) -> None:
    first, second = (inspect(path) for path in touch(tmp_path, a, b))
    assert [candidate.arch for candidate in match(first, second)] == [X, A]


@pytest.mark.parametrize(
    ("stem", "problem"),
    [
        ("other-1.0-cp312-cp312", "different projects: other and pkg"),
        ("pkg-1.1-cp312-cp312", "different versions: 1.1 and 1.0"),
        ("pkg-1.0-cp39-cp312", "different Python tags: cp39 and cp312"),
        ("pkg-1.0-cp312-abi3", "different ABI tags: abi3 and cp312"),
        (
            "pkg-1.0-cp39-abi3",
            "different Python tags: cp39 and cp312, and different ABI tags: abi3 and cp312",
        ),
        ("pkg-1.0-cp311.cp312-cp312", "different Python tags: cp311.cp312 and cp312"),
    ],
)
def test_halves_of_different_wheels(stem: str, problem: str, tmp_path: Path) -> None:
    first, second = (inspect(p) for p in touch(tmp_path, named(PLATFORMS[X], stem), ARM64))
    with pytest.raises(RefusedError, match=f"have {problem}; take two wheels that agree"):
        match(first, second)


@pytest.mark.parametrize("arch", Arch, ids=lambda arch: arch.value)
def test_two_wheels_of_one_architecture(arch: Arch, tmp_path: Path) -> None:
    paths = touch(tmp_path / "a", named(PLATFORMS[arch])) + touch(
        tmp_path / "b", named(PLATFORMS[arch])
    )
    with pytest.raises(
        RefusedError,
        match=f"are both for {arch.value}; take one for {arch.other.value} as well",
    ):
        match(inspect(paths[0]), inspect(paths[1]))


@pytest.mark.parametrize("how", ["same path", "symbolic link"])
def test_one_wheel_twice(how: str, tmp_path: Path) -> None:
    (path,) = touch(tmp_path, X86_64)
    again = path
    if how == "symbolic link":
        again = tmp_path / "link" / X86_64
        again.parent.mkdir()
        again.symlink_to(path)
    with pytest.raises(RefusedError, match="was given twice; fuse needs the other architecture's"):
        match(inspect(path), inspect(again))


# ---- many wheels ----


def test_what_there_is_of_the_same_project_is_named(tmp_path: Path) -> None:
    paths = touch(
        tmp_path,
        named("macosx_10_13_x86_64", "Pkg_a-1.0-cp312-cp312"),
        named("macosx_11_0_arm64", "pkg_a-1.1-cp312-cp312"),
        named("any", "pkg_a-1.2-py3-none"),
        named("macosx_10_13_x86_64", "pkg_a-1.0-cp311-cp311"),  # these two are a pair
        named("macosx_11_0_arm64", "pkg_a-1.0-cp311-cp311"),
        named("macosx_11_0_arm64", "other-1.0-cp312-cp312"),
        "no-wheel.whl",
    )
    reasons = {left.paths[0]: left.reason for left in pair_up(paths).unpaired}
    assert reasons[paths[0]].endswith(
        f"no arm64 wheel of the same name and tags, only {paths[1].name}, {paths[2].name}"
    )
    assert reasons[paths[1]].endswith(
        f"no x86_64 wheel of the same name and tags, only {paths[0].name}, {paths[2].name}"
    )
    assert reasons[paths[5]].endswith("no x86_64 wheel of the same name and tags")


def test_many_wheels(tmp_path: Path) -> None:
    pairs = touch(tmp_path, X86_64, ARM64) + touch(
        tmp_path,
        named("macosx_10_9_x86_64", "pkg-1.0-cp313-cp313"),
        named("macosx_11_0_arm64", "pkg-1.0-cp313-cp313"),
    )
    alone = touch(tmp_path, named(PLATFORMS[X], "alone-1.0-cp312-cp312"))
    several = touch(
        tmp_path,
        named("macosx_10_13_x86_64", "two-1.0-cp312-cp312"),
        named("macosx_14_0_x86_64", "two-1.0-cp312-cp312"),
        named("macosx_14_0_arm64", "two-1.0-cp312-cp312"),
    )
    one_side = touch(
        tmp_path,
        named("macosx_11_0_arm64", "arm-1.0-cp312-cp312"),
        named("macosx_14_0_arm64", "arm-1.0-cp312-cp312"),
    )
    skipped = touch(
        tmp_path,
        named("any", "pkg-1.0-py3-none"),
        named("manylinux1_x86_64", "pkg-1.0-cp312-cp312"),
    )
    broken = touch(tmp_path, named(UNIVERSAL2, "broken-1.0-cp312-cp312"), "pkg.whl")
    found = pair_up([*broken, *skipped, *one_side, *several, *alone, *reversed(pairs)])
    assert found.pairs == ((pairs[0], pairs[1]), (pairs[2], pairs[3]))
    failed = {left.paths: left.failed for left in found.unpaired}
    assert failed == {
        (broken[0],): True,
        (broken[1],): True,
        (skipped[0],): False,
        (skipped[1],): False,
        tuple(one_side): True,
        tuple(several): True,
        tuple(alone): True,
    }
    reasons = {left.paths: left.reason for left in found.unpaired}
    assert reasons[tuple(alone)] == (
        f"{alone[0].name} has no partner: there is no arm64 wheel of the same name and tags"
    )
    assert reasons[tuple(one_side)].startswith("there is no x86_64 wheel for ")
    listed = ", ".join(map(str, several))
    assert reasons[tuple(several)] == (
        f"several wheels of one architecture match each other: {listed}; name the two to fuse"
    )


def test_build_tags_separate_wheels_unless_the_result_gets_its_own(tmp_path: Path) -> None:
    paths = touch(
        tmp_path,
        named(PLATFORMS[X], "pkg-1.0-1-cp312-cp312"),
        named(PLATFORMS[A], "pkg-1.0-2-cp312-cp312"),
    )
    assert pair_up(paths).pairs == ()
    assert pair_up(paths, ignore_build=True).pairs == ((paths[0], paths[1]),)


def test_thin_wheels_that_say_universal2_pair_up(tmp_path: Path) -> None:
    paths = [make_wheel(tmp_path / arch.value, UNIVERSAL2, {NATIVE: code(arch)}) for arch in (A, X)]
    assert pair_up(paths).pairs == ((paths[1], paths[0]),)


@given(
    st.lists(
        st.sampled_from(
            [
                named(platform, f"{project}-{version}-cp312-cp312")
                for project in "ab"
                for version in ("1.0", "1")
                for platform in ("macosx_10_9_x86_64", "macosx_11_0_arm64", "linux_x86_64")
            ]
        ),
        unique=True,
        max_size=8,
    )
)
def test_law_every_wheel_is_in_one_pair_or_among_the_rest(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "law"
    paths = touch(folder, *names)
    found = pair_up(paths)
    everywhere = [path for pair in found.pairs for path in pair]
    everywhere += [path for left in found.unpaired for path in left.paths]
    assert sorted(everywhere) == sorted(paths)
    assert {pair[0].name.count("x86_64") for pair in found.pairs} <= {1}


@pytest.mark.parametrize(
    ("builds", "later"),
    [
        (("", "1"), "1"),
        (("2", "10"), "10"),
        (("1a", "1b"), "1b"),
        (("09", "1_x"), "09"),
        (("", ""), ""),
    ],
)
def test_the_later_build(builds: tuple[str, str], later: str) -> None:
    names = [
        parse_wheel_name(
            "-".join(filter(None, ("pkg", "1.0", build, "cp312-cp312-macosx_11_0_arm64.whl")))
        )
        for build in builds
    ]
    assert later_build(*names) == later_build(*reversed(names)) == later


def test_halves_of_different_builds_are_told_the_option(tmp_path: Path) -> None:
    first, second = make_pair(tmp_path, arm64_options={"build": "2"})
    reasons = [left.reason for left in pair_up([first, second]).unpaired]
    begin = f"{first.name} has no partner: there is no arm64 wheel of the same name and tags, only {second.name}"
    assert reasons[0] == f"{begin}; --build-tag 2 makes a pair of other builds"
    assert reasons[1].endswith(f"only {first.name}; --build-tag 2 makes a pair of other builds")
    assert pair_up([first, second], ignore_build=True).pairs == ((first, second),)
