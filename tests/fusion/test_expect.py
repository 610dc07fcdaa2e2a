"""What --expect asks for, held against the pairs that were found."""

from __future__ import annotations

from pathlib import Path

import pytest

from fatwheel.errors import UsageError
from fatwheel.fusion.expect import Expected, read_expected, unmet
from fatwheel.fusion.plan import PlanOptions
from fatwheel.wheels.tags import TagStyle

OPTIONS = PlanOptions()


def pair(python: str, intel: str = "10_13", arm: str = "11_0") -> tuple[Path, Path]:
    return (
        Path(f"intel/pkg-1.0-{python}-{python}-macosx_{intel}_x86_64.whl"),
        Path(f"arm/pkg-1.0-{python}-{python}-macosx_{arm}_arm64.whl"),
    )


def listed(*patterns: str) -> Expected:
    return Expected(origin="release.txt", count=len(patterns), patterns=patterns)


def fused(python: str) -> str:
    return f"pkg-1.0-{python}-{python}-macosx_10_13_universal2.whl"


def test_a_number_is_the_number_of_pairs() -> None:
    two = read_expected("2")
    assert unmet(two, [pair("cp311"), pair("cp312")], OPTIONS) == ()
    (sentence,) = unmet(two, [pair("cp311")], OPTIONS)
    assert sentence == "--expect 2: 2 universal2 wheels expected, and the wheels given make 1"
    (sentence,) = unmet(read_expected("1"), [pair("cp311"), pair("cp312")], OPTIONS)
    assert sentence == "--expect 1: 1 universal2 wheel expected, and the wheels given make 2"


def test_each_pattern_is_one_wheel() -> None:
    pairs = [pair("cp311"), pair("cp312"), pair("cp313", arm="14_0")]
    both = "pkg-1.0-cp313-cp313-macosx_10_13_x86_64.macosx_14_0_universal2.whl"
    assert unmet(listed(fused("cp311"), fused("cp312"), both), pairs, OPTIONS) == ()
    assert unmet(listed("pkg-*.whl", "pkg-*-cp313-*.whl", fused("cp311")), pairs, OPTIONS) == ()
    assert unmet(listed("pkg-*.whl", "other-*.whl", fused("cp311")), pairs, OPTIONS) == (
        "release.txt: other-*.whl is expected, and no two of the wheels given make it",
        f"release.txt: {both} would be made, and is not expected",
    )
    assert unmet(listed("pkg-*.whl", "pkg-*.whl"), pairs, OPTIONS) == (
        f"release.txt: {both} would be made, and is not expected",
    )


def test_the_name_is_the_one_that_the_options_make() -> None:
    compressed = PlanOptions(tag_style=TagStyle.COMPRESSED, build_tag="3")
    name = "pkg-1.0-3-cp311-cp311-macosx_10_13_universal2.macosx_10_13_x86_64.macosx_11_0_arm64.whl"
    assert unmet(listed(name), [pair("cp311")], compressed) == ()


def test_a_floor_that_binaries_raise_is_not_known_beforehand() -> None:
    raised = PlanOptions(raise_floor=True)
    assert (
        unmet(listed("pkg-1.0-cp311-cp311-macosx_12_0_universal2.whl"), [pair("cp311")], raised)
        == ()
    )
    assert unmet(listed(fused("cp312")), [pair("cp311")], raised)


@pytest.mark.parametrize(
    "pattern", ["pkg-*.whl", "*.whl", "pkg-1.0-cp31?-*", "pkg-*-cp311-cp311-*universal2.whl"]
)
def test_a_pattern_goes_for_the_platform_too(pattern: str) -> None:
    raised = PlanOptions(raise_floor=True)
    assert unmet(listed(pattern), [pair("cp311")], raised) == ()
    assert unmet(listed(pattern), [pair("cp311")], OPTIONS) == ()
    assert unmet(listed(pattern.replace("p", "q", 1).replace("*.", "q*.")), [pair("cp311")], raised)


def test_a_pattern_leaves_a_wheel_to_the_one_that_needs_it() -> None:
    pairs = [pair("cp311"), pair("cp312"), pair("cp313")]
    assert unmet(listed("pkg-*.whl", "*-cp311-*.whl", "*-cp31[12]-*.whl"), pairs, OPTIONS) == ()
    assert unmet(listed("pkg-*.whl", "*-cp311-*.whl", "*-cp311*-*.whl"), pairs, OPTIONS) == (
        "release.txt: *-cp311*-*.whl is expected, and no two of the wheels given make it",
        f"release.txt: {fused('cp313')} would be made, and is not expected",
    )


def test_two_wheels_named_one_by_one_come_in_any_order() -> None:
    x86_64, arm64 = pair("cp311")
    assert unmet(listed(fused("cp311")), [(arm64, x86_64)], OPTIONS) == ()


def test_what_makes_no_wheel_is_named_by_one_of_the_two() -> None:
    name = "pkg-1.0-py3-none-any.whl"
    assert unmet(listed(fused("cp311")), [(Path("a/pkg.whl"), Path(name))], OPTIONS)[1] == (
        f"release.txt: {name} would be made, and is not expected"
    )


def test_a_file_lists_one_wheel_a_line(tmp_path: Path) -> None:
    file = tmp_path / "release.txt"
    file.write_text(
        "# every Python\n\npkg-*-cp311-*.whl\n  pkg-*-cp312-*.whl  # the last\n", "utf-8"
    )
    assert read_expected(str(file)) == Expected(
        origin=str(file), count=2, patterns=("pkg-*-cp311-*.whl", "pkg-*-cp312-*.whl")
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "lists no wheels; write one file name or pattern a line"),
        (b"# nothing\n", "lists no wheels; write one file name or pattern a line"),
        (b"\xff", "is not UTF-8 at byte 0"),
        (b"pkg-1.0\n", "'pkg-1.0' does not end in .whl"),
        (b"[a" * 300 + b".whl\n", "a line has 604 characters, more than 512"),
        (None, "No such file or directory; give a number, or a file with one wheel's name a line"),
    ],
)
def test_a_file_that_lists_no_wheels_is_refused(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    file = tmp_path / "release.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_expected(str(file))
    assert str(file) in str(caught.value)
    assert problem in str(caught.value)


def test_a_folder_lists_no_wheels(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory; give a number"):
        read_expected(str(tmp_path))


@pytest.mark.parametrize("value", ["0", "00", "-1", "1.5", "²"])
def test_no_number_of_wheels(value: str) -> None:
    with pytest.raises(UsageError):
        read_expected(value)


def test_a_list_from_windows_is_the_same_list(tmp_path: Path) -> None:
    path = tmp_path / "release.txt"
    path.write_bytes(b"\xef\xbb\xbfpkg-1.0-*.whl\r\nother-*.whl\r\n")
    assert read_expected(str(path)).patterns == ("pkg-1.0-*.whl", "other-*.whl")


def test_a_number_of_thousands_of_digits() -> None:
    with pytest.raises(UsageError, match="give a number, or a file"):
        read_expected("9" * 5000)
