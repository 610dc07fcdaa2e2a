"""Which file of a version: pip's order of tags, for both architectures."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fatwheel.arch import Arch
from fatwheel.index.listing import Entry
from fatwheel.index.page import File
from fatwheel.wheelhouse.choose import choose_entry, supported_tags

BOTH = {arch: supported_tags((3, 12), (12, 0), arch) for arch in Arch}


def chosen(names: Sequence[str], archs: Sequence[Arch] = tuple(Arch)) -> str | None:
    entries = [
        Entry(
            filename=f"p-{name}.whl",
            version=name.partition("-")[0],
            source=File(filename="f", url="u"),
        )
        for name in names
    ]
    entry = choose_entry(entries, "1", {arch: BOTH[arch] for arch in archs})
    return None if entry is None else entry.filename.removeprefix("p-").removesuffix(".whl")


@pytest.mark.parametrize(
    ("names", "best"),
    [
        (["1-py3-none-any", "1-cp312-cp312-macosx_10_13_universal2"], 1),
        (["1-cp39-abi3-macosx_10_9_universal2", "1-cp312-cp312-macosx_10_13_universal2"], 1),
        (["1-cp312-cp312-macosx_10_13_universal2", "1-cp312-cp312-macosx_12_0_universal2"], 1),
        (["1-cp312-cp312-macosx_12_0_universal2", "1-cp312-cp312-macosx_14_0_universal2"], 0),
        (["1-cp312-cp312-macosx_10_13_universal2", "1-2-cp312-cp312-macosx_10_13_universal2"], 1),
        (["1-cp311-cp311-macosx_10_9_universal2"], None),
        (["1-cp312-cp312-macosx_11_0_arm64"], None),
        (["2-py3-none-any"], None),
        (["1-cp312-cp312-macosx_10_13_x86_64.macosx_12_0_universal2"], 0),
        (["1-cp312-cp312-macosx_10_13_x86_64.macosx_14_0_universal2"], None),
    ],
)
def test_the_best_that_both_take(names: list[str], best: int | None) -> None:
    assert chosen(names) == (None if best is None else names[best])


def test_one_architecture_alone() -> None:
    name = "1-cp312-cp312-macosx_10_13_x86_64.macosx_14_0_universal2"
    assert chosen([name], [Arch.X86_64]) == name
