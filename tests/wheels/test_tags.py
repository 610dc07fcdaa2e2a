"""Wheel names, and the law that a fused name is accepted exactly where the thin ones were."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from fatwheel.arch import Arch
from fatwheel.errors import WheelError
from fatwheel.wheels.tags import (
    Family,
    Floor,
    MacPlatform,
    TagStyle,
    claims,
    family,
    fused_platforms,
    normalise,
    parse_mac_platform,
    parse_wheel_name,
    with_platforms,
)

LETTERS = ".".join("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ")
FLOORS = [(10, minor) for minor in range(4, 17)] + [(major, 0) for major in range(11, 16)]
ARM_FLOORS = [floor for floor in FLOORS if floor >= (11, 0)]
# What runs: every macOS 10, every 11 and up with a few of its minor versions, and the one after 15.
SYSTEMS = [*FLOORS, (11, 7), (12, 3), (13, 6), (14, 2), (15, 5), (26, 0), (26, 1)]


@given(st.text("aB1-_. é", max_size=12) | st.text(max_size=6))
def test_law_names_are_normalised_as_packaging_does(project: str) -> None:
    assert normalise(project) == canonicalize_name(project)


def test_takes_a_name_apart_as_it_is_written() -> None:
    name = parse_wheel_name("Pydantic_Core-2.50.4-1a-cp312.cp39-abi3-macosx_11_0_arm64.any.whl")
    assert (name.distribution, name.version, name.build) == ("Pydantic_Core", "2.50.4", "1a")
    assert name.pythons == ("cp312", "cp39")
    assert name.abis == ("abi3",)
    assert name.platforms == ("macosx_11_0_arm64", "any")
    assert name.key == (
        canonicalize_name("pydantic-core"),
        Version("2.50.4"),
        "1a",
        frozenset({"cp39", "cp312"}),
        frozenset({"abi3"}),
    )


def test_two_spellings_of_one_project_are_a_pair() -> None:
    one = parse_wheel_name("Foo.Bar-1.0-cp38.cp39-none-macosx_11_0_arm64.whl")
    two = parse_wheel_name("foo_bar-1.0.0-cp39.cp38-none-macosx_10_9_x86_64.whl")
    assert one.key == two.key
    assert one.key != parse_wheel_name("foo_bar-1.0-1-cp39.cp38-none-any.whl").key


@pytest.mark.parametrize(
    ("filename", "problem"),
    [
        ("a-1-py3-none-any.zip", "does not end in .whl"),
        ("a-1-none-any.whl", "has 4 parts"),
        ("a-1-1-py3-none-any-x.whl", "has 7 parts"),
        ("dir/a-1-py3-none-any.whl", "'dir/a' in the file name is no escaped project name"),
        ("a__b-1-py3-none-any.whl", "'a__b' in the file name is no escaped"),
        ("-1-py3-none-any.whl", "'' in the file name is no escaped"),
        ("é-1-py3-none-any.whl", "'é' in the file name is no escaped"),
        ("a-one-py3-none-any.whl", "'one' in the file name is no version"),
        ("a-1--py3-none-any.whl", "build tag '' in the file name does not start"),
        ("a-1-b1-py3-none-any.whl", "build tag 'b1' in the file name does not start"),
        ("a-1-py3--any.whl", "has '' as a ABI tag"),
        ("a-1-py3-none-any..x.whl", "has '' as a platform tag"),
        ("a-1-py3 -none-any.whl", "has 'py3 ' as a Python tag"),
        ("a-1-py3-none-any\n.whl", "platform tag"),
        ("a" * 300 + "-1-py3-none-any.whl", "has 319 characters"),
        ("a-1-2_a-py3-any.whl", "has '2_a' as Python tags, which do not start with a letter"),
        (
            f"a-1-{LETTERS}-{LETTERS}-{'.'.join('stuvwxyz')}.whl",
            "stands for 10368 tags; at most 10000",
        ),
    ],
)
def test_refuses_what_is_no_wheel_name(filename: str, problem: str) -> None:
    with pytest.raises(WheelError, match=problem):
        parse_wheel_name(filename)


TAG = st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True)
TAG_SET = st.lists(TAG, min_size=1, max_size=3).map(".".join)


@given(
    st.from_regex(r"[A-Za-z0-9]+([._][A-Za-z0-9]+)?", fullmatch=True).filter(lambda s: len(s) < 40),
    st.sampled_from(["1", "1.0", "2!1.0rc1", "1.0+local.1", "1.0.post1"]),
    st.sampled_from(["", "1", "2_x"]),
    st.tuples(st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True), TAG_SET, TAG_SET),
)
def test_format_gives_back_what_was_parsed(
    distribution: str, version: str, build: str, tags: tuple[str, str, str]
) -> None:
    filename = "-".join([distribution, version, *([build] if build else []), *tags]) + ".whl"
    name = parse_wheel_name(filename)
    assert name.filename == filename
    _, _, _, expanded = parse_wheel_filename(filename)
    assert name.expanded_tags == tuple(sorted(map(str, expanded)))


@pytest.mark.parametrize(
    ("tag", "arches"),
    [
        ("macosx_11_0_arm64", {Arch.ARM64}),
        ("macosx_10_9_x86_64", {Arch.X86_64}),
        ("macosx_10_9_universal2", {Arch.X86_64, Arch.ARM64}),
        ("macosx_10_6_intel", {Arch.X86_64}),
        ("macosx_10_6_fat64", {Arch.X86_64}),
        ("macosx_10_6_fat3", {Arch.X86_64}),
        ("macosx_10_6_universal", {Arch.X86_64}),
        ("macosx_10_6_i386", set()),
        ("macosx_10_6_fat", set()),
        ("macosx_11_0_arm64e", set()),
    ],
)
def test_reads_a_mac_platform(tag: str, arches: set[Arch]) -> None:
    platform = parse_mac_platform(tag)
    assert platform is not None
    assert str(platform) == tag
    assert platform.arches == arches


def test_suffixes_promise_the_architectures_that_packaging_grants() -> None:
    for suffix in ("x86_64", "arm64", "universal2", "intel", "fat64", "fat3", "universal", "i386"):
        granted = {arch for arch in Arch if _accepted({f"macosx_11_0_{suffix}"}, (11, 0), arch)}
        assert MacPlatform(floor=(11, 0), suffix=suffix).arches == granted


@pytest.mark.parametrize(
    "tag", ["any", "linux_x86_64", "win_amd64", "macosx_11_arm64", "macosx_11_00_arm64", "macosx"]
)
def test_other_platforms_are_not_macs(tag: str) -> None:
    assert parse_mac_platform(tag) is None


@pytest.mark.parametrize(
    ("platforms", "expected"),
    [
        ("macosx_11_0_arm64.macosx_10_9_x86_64", Family.MACOS),
        ("any", Family.ANY),
        ("any.macosx_11_0_arm64", Family.ANY),
        ("manylinux_2_17_x86_64.manylinux2014_x86_64", Family.OTHER),
        ("macosx_11_0_arm64.win_arm64", Family.OTHER),
    ],
)
def test_family(platforms: str, expected: Family) -> None:
    assert family(parse_wheel_name(f"a-1-py3-none-{platforms}.whl")) is expected


@pytest.mark.parametrize(
    ("platforms", "expected"),
    [
        ("macosx_10_13_x86_64", {Arch.X86_64: (10, 13)}),
        ("macosx_14_0_arm64", {Arch.ARM64: (14, 0)}),
        ("macosx_10_9_arm64", {Arch.ARM64: (11, 0)}),
        ("macosx_10_0_intel", {Arch.X86_64: (10, 4)}),
        ("macosx_10_9_universal2", {Arch.X86_64: (10, 9), Arch.ARM64: (11, 0)}),
        ("macosx_12_0_universal2", {Arch.X86_64: (12, 0), Arch.ARM64: (12, 0)}),
        ("macosx_10_6_intel.macosx_10_9_intel.macosx_10_9_x86_64", {Arch.X86_64: (10, 6)}),
        (
            "macosx_10_12_universal2.macosx_10_12_x86_64.macosx_11_0_arm64",
            {Arch.X86_64: (10, 12), Arch.ARM64: (11, 0)},
        ),
        ("macosx_10_6_i386", {}),
        ("any", {}),
        ("linux_x86_64", {}),
    ],
)
def test_claims(platforms: str, expected: dict[Arch, Floor]) -> None:
    assert claims(parse_wheel_name(f"a-1-py3-none-{platforms}.whl")) == expected


@pytest.mark.parametrize(
    ("tag", "problem"),
    [
        ("macosx_12_3_arm64", "tag macosx_12_3_arm64: .* retag the wheel as macosx_12_0_arm64"),
        ("macosx_10_17_x86_64", "tag macosx_10_17_x86_64: macOS 10 ends with 10.16"),
        ("macosx_9_0_x86_64", "tag macosx_9_0_x86_64: macOS starts with 10.0"),
    ],
)
def test_claims_refuses_tags_that_nothing_matches(tag: str, problem: str) -> None:
    with pytest.raises(WheelError, match=problem):
        claims(parse_wheel_name(f"a-1-py3-none-{tag}.whl"))


@pytest.mark.parametrize(
    ("x86_64", "arm64", "exact", "compressed"),
    [
        (
            (10, 12),
            (11, 0),
            "macosx_10_12_universal2",
            "macosx_10_12_universal2.macosx_10_12_x86_64.macosx_11_0_arm64",
        ),
        (
            (13, 0),
            (13, 0),
            "macosx_13_0_universal2",
            "macosx_13_0_arm64.macosx_13_0_universal2.macosx_13_0_x86_64",
        ),
        (
            (10, 13),
            (12, 0),
            "macosx_10_13_x86_64.macosx_12_0_universal2",
            "macosx_10_13_x86_64.macosx_12_0_arm64.macosx_12_0_universal2",
        ),
        (
            (12, 0),
            (11, 0),
            "macosx_11_0_arm64.macosx_12_0_universal2",
            "macosx_11_0_arm64.macosx_12_0_universal2.macosx_12_0_x86_64",
        ),
    ],
    ids=["usual", "equal", "arm64-above", "arm64-below"],
)
def test_fused_platforms(x86_64: Floor, arm64: Floor, exact: str, compressed: str) -> None:
    assert ".".join(fused_platforms(x86_64, arm64, TagStyle.EXACT)) == exact
    assert ".".join(fused_platforms(x86_64, arm64, TagStyle.COMPRESSED)) == compressed


def test_an_arm64_floor_below_11_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match=r"never ran on macOS 10\.15"):
        fused_platforms((10, 9), (10, 15), TagStyle.EXACT)


@cache
def _offered(system: Floor, arch: Arch) -> frozenset[str]:
    return frozenset(mac_platforms(system, arch.value))


def _accepted(platforms: set[str], system: Floor, arch: Arch) -> bool:
    return not platforms.isdisjoint(_offered(system, arch))


@pytest.mark.parametrize("style", TagStyle)
@pytest.mark.parametrize("x86_64", FLOORS, ids=str)
def test_law_accepted_exactly_where_the_thin_wheels_were(x86_64: Floor, style: TagStyle) -> None:
    thin_x = {str(MacPlatform(floor=x86_64, suffix="x86_64"))}
    for arm64 in ARM_FLOORS:
        thin_a = {str(MacPlatform(floor=arm64, suffix="arm64"))}
        fused = set(fused_platforms(x86_64, arm64, style))
        for system in SYSTEMS:
            here = (x86_64, arm64, system)
            on_intel = _accepted(thin_x, system, Arch.X86_64)
            assert _accepted(fused, system, Arch.X86_64) == on_intel, here
            if system >= (11, 0):
                on_arm = _accepted(thin_a, system, Arch.ARM64)
                assert _accepted(fused, system, Arch.ARM64) == on_arm, here


@given(st.sampled_from(FLOORS), st.sampled_from(ARM_FLOORS), st.sampled_from(TagStyle))
def test_law_the_fused_name_claims_what_went_in(
    x86_64: Floor, arm64: Floor, style: TagStyle
) -> None:
    name = parse_wheel_name("a-1-cp312-cp312-any.whl")
    fused = with_platforms(name, fused_platforms(x86_64, arm64, style))
    assert claims(fused) == {Arch.X86_64: x86_64, Arch.ARM64: arm64}
    assert fused.key == name.key
    assert list(fused.platforms) == sorted(fused.platforms)
    assert parse_wheel_name(fused.filename) == fused
