"""Which files a project has here: the table of names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import Tag, mac_platforms

from fatwheel.arch import Arch
from fatwheel.index.listing import Listing, ListingOptions, make_listing
from fatwheel.index.page import File, Page
from fatwheel.wheels.tags import parse_wheel_name

X, A = "x86_64", "arm64"


def listing(
    names: Sequence[str],
    options: ListingOptions | None = None,
    held: dict[str, frozenset[Arch]] | None = None,
) -> Listing:
    files = tuple(
        File(filename=name, url=f"https://i.test/{name}", hashes={"sha256": f"{i:064x}"})
        for i, name in enumerate(names)
    )
    project = names[0].partition("-")[0]
    return make_listing(Page(name=project, files=files), options or ListingOptions(), held)


def offered(names: Sequence[str], options: ListingOptions | None = None) -> list[str]:
    return [entry.filename for entry in listing(names, options).entries]


def thin(*floors: str, project: str = "p-1-cp312-cp312") -> list[str]:
    return [f"{project}-macosx_{floor}.whl" for floor in floors]


@pytest.mark.parametrize(
    ("floors", "fused"),
    [
        (["10_13_x86_64", "11_0_arm64"], ["macosx_10_13_universal2"]),
        (["10_13_x86_64", "12_0_arm64"], ["macosx_10_13_x86_64.macosx_12_0_universal2"]),
        (["12_0_x86_64", "11_0_arm64"], ["macosx_11_0_arm64.macosx_12_0_universal2"]),
        # numpy 2.x: two of each, which equal floors and then the lowest tell apart
        (
            ["10_13_x86_64", "14_0_x86_64", "11_0_arm64", "14_0_arm64"],
            ["macosx_10_13_universal2", "macosx_14_0_universal2"],
        ),
        # numpy 2.5.5 cp314t: nothing says whether arm64's 11.0 has a partner
        (["14_0_x86_64", "11_0_arm64", "14_0_arm64"], ["macosx_14_0_universal2"]),
        (["10_9_x86_64", "11_0_arm64", "12_0_arm64"], []),
        (["10_9_x86_64"], []),
        # one wheel with compressed tags
        (
            ["10_6_intel.macosx_10_9_intel.macosx_10_9_x86_64", "11_0_arm64"],
            ["macosx_10_6_universal2"],
        ),
        # two x86_64 wheels of one floor
        (["10_9_x86_64", "10_9_intel", "11_0_arm64"], []),
        # tags that no installer matches
        (["11_1_x86_64", "11_0_arm64"], []),
    ],
)
def test_thin_wheels_become_universal2(floors: list[str], fused: list[str]) -> None:
    assert offered(thin(*floors)) == [f"p-1-cp312-cp312-{name}.whl" for name in fused]


def test_what_serves_both_stays_and_thin_wheels_are_hidden() -> None:
    whole = "p-1-cp312-cp312-macosx_10_13_universal2.whl"
    pure = "p-1-py3-none-any.whl"
    assert offered([whole, *thin("10_13_x86_64", "11_0_arm64"), pure]) == [whole, pure]


@pytest.mark.parametrize(
    ("own", "listed"),
    [
        # numpy 1.22.1: the fused wheel would have upstream's own name
        ("macosx_10_9_universal2", ["macosx_10_9_universal2"]),
        # upstream's own is for newer Macs only
        ("macosx_12_0_universal2", ["macosx_10_9_universal2", "macosx_12_0_universal2"]),
        # scipy 1.9.1: mixed tags
        (
            "macosx_10_9_x86_64.macosx_12_0_universal2",
            ["macosx_10_9_universal2", "macosx_10_9_x86_64.macosx_12_0_universal2"],
        ),
    ],
)
def test_upstream_s_own_universal2_wheel(own: str, listed: list[str]) -> None:
    names = [f"p-1-cp312-cp312-{own}.whl", *thin("10_9_x86_64", "11_0_arm64")]
    assert offered(names) == [f"p-1-cp312-cp312-{name}.whl" for name in listed]


def test_a_build_tag_on_one_half_only() -> None:
    found = listing(
        [
            "scipy-1.7.3-1-cp310-cp310-macosx_12_0_arm64.whl",
            "scipy-1.7.3-cp310-cp310-macosx_10_9_x86_64.whl",
        ]
    )
    assert found.entries == ()
    assert {left.why for left in found.left_out} == {
        "no x86_64 wheel with this build tag (there is one with no build tag)",
        "no arm64 wheel with this build tag (there is one with build tag 1)",
    }


def test_a_version_that_one_architecture_lacks_is_said_in_one_line() -> None:
    found = listing(
        [
            *(f"cryptography-50.0.2-cp{v}-abi3-macosx_11_0_arm64.whl" for v in (39, 311)),
            "cryptography-50.0.2.tar.gz",
            "cryptography-48.0.1-cp39-abi3-macosx_10_9_universal2.whl",
        ]
    )
    assert found.versions == ("48.0.1",)
    assert [(left.version, left.what, left.why) for left in found.left_out] == [
        ("50.0.2", "", "no x86_64 wheel")
    ]


def test_uneven_groups_are_said() -> None:
    (left,) = listing(thin("14_0_x86_64", "11_0_arm64", "14_0_arm64")).left_out
    assert left.what == "p-1-cp312-cp312-macosx_11_0_arm64.whl"
    assert left.why == (
        "1 x86_64 wheel and 2 arm64 wheels (x86_64 from macOS 14.0; arm64 from macOS 11.0, 14.0), "
        "and their names do not say which belong together"
    )


def test_sdists_and_other_systems() -> None:
    mac = [*thin("10_13_x86_64", "11_0_arm64"), "p-1.tar.gz", "p-1-cp312-cp312-win_amd64.whl"]
    fused = "p-1-cp312-cp312-macosx_10_13_universal2.whl"
    assert offered(mac) == [fused]
    assert offered(mac, ListingOptions(sdists=True)) == [fused, "p-1.tar.gz"]
    assert offered(mac, ListingOptions(all_systems=True)) == [fused, mac[-1]]
    assert offered(mac, ListingOptions(keep_thin=True)) == sorted([fused, *mac[:2]])


def test_a_project_that_never_had_a_mac_wheel_keeps_its_sdists() -> None:
    assert offered(
        ["p-1.tar.gz", "p-2.zip", "p-1-cp312-cp312-manylinux1_x86_64.whl", "p-1.exe"]
    ) == [
        "p-1.tar.gz",
        "p-2.zip",
    ]


def test_macos_hides_what_needs_a_newer_one() -> None:
    names = thin("10_13_x86_64", "14_0_x86_64", "11_0_arm64", "14_0_arm64")
    found = listing(names, ListingOptions(macos=(12, 0)))
    assert [entry.filename for entry in found.entries] == [
        "p-1-cp312-cp312-macosx_10_13_universal2.whl"
    ]
    assert [left.why for left in found.left_out] == ["it needs macOS 14.0, newer than 12.0"]


def test_files_of_other_projects_and_odd_names_are_left_out() -> None:
    found = listing(
        [
            "p-1-py3-none-any.whl",
            "q-1-py3-none-any.whl",
            "p-nonsense-py3-none-any.whl",
            "p-1-any.whl",
        ]
    )
    assert [entry.filename for entry in found.entries] == ["p-1-py3-none-any.whl"]
    assert {left.what for left in found.left_out} == {"p-nonsense-py3-none-any.whl", "p-1-any.whl"}


def test_a_wheel_that_lies_counts_as_the_half_that_it_is() -> None:
    names = ["p-1-cp312-cp312-macosx_10_9_universal2.whl", *thin("10_9_x86_64")]
    held = {f"{0:064x}": frozenset({Arch.ARM64})}
    (entry,) = listing(names, held=held).entries
    assert entry.filename == names[0]
    assert [file.filename for file in entry.files] == [names[1], names[0]]


def test_an_entry_has_what_both_halves_have() -> None:
    def half(arch: str, **values: Any) -> File:
        name = f"p-1-cp312-cp312-macosx_{'10_13' if arch == X else '11_0'}_{arch}.whl"
        return File(filename=name, url=f"https://i.test/{name}", **values)

    files = (
        half(X, requires_python=">=3.9", upload_time="2024-01-02T00:00:00Z"),
        half(A, requires_python=">=3.10", upload_time="2024-01-03T00:00:00.5Z", yanked=""),
    )
    (entry,) = make_listing(Page(name="p", files=files), ListingOptions()).entries
    assert entry.requires_python == ">=3.9,>=3.10"
    assert entry.upload_time == "2024-01-03T00:00:00.5Z"
    assert entry.yanked == ""


@given(
    st.lists(st.sampled_from(["10_9", "10_13", "11_0", "12_0", "14_0"]), unique=True, max_size=4),
    st.lists(st.sampled_from(["11_0", "12_0", "14_0"]), unique=True, max_size=3),
)
def test_no_mac_is_offered_what_its_thin_wheel_did_not_promise(
    x86_64: list[str], arm64: list[str]
) -> None:
    """Law: each entry is accepted, by packaging's rules, on a Mac only where its half for that Mac was."""
    names = thin(*(f"{floor}_{X}" for floor in x86_64), *(f"{floor}_{A}" for floor in arm64))
    if not names:
        return
    for entry in listing(names).entries:
        assert entry.halves is not None
        for arch, half in zip((X, A), entry.halves, strict=True):
            for macos in ((10, 9), (10, 13), (11, 0), (12, 0), (14, 0)):
                ours, theirs = (
                    accepted(name, arch, macos) for name in (entry.filename, half.filename)
                )
                assert ours == theirs, (entry.filename, half.filename, arch, macos)


def accepted(filename: str, arch: str, macos: tuple[int, int]) -> bool:
    if arch == A and macos < (11, 0):
        return False
    platforms = set(mac_platforms(macos, arch))
    tags = {Tag("cp312", "cp312", platform) for platform in platforms}
    return any(Tag(*tag.split("-")) in tags for tag in parse_wheel_name(filename).expanded_tags)
