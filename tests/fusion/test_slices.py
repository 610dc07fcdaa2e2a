"""Which slices a fused file gets, from which wheel, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.arch import Arch
from fatwheel.fusion.slices import Selection, select_slices
from tests.support.macho import ARM64, ARM64E, I386, X86_64, X86_64H
from tests.support.wheels import A, X, code, content_of, static, universal

OTHERS = {"i386": (X, I386), "x86_64h": (X, X86_64H), "arm64e": (A, ARM64E)}
PLAIN = {"x86_64": (X, X86_64), "arm64": (A, ARM64)}
CPUS = PLAIN | OTHERS


def thin(name: str, text: bytes = b"") -> bytes:
    """An image for one of the processors above."""
    arch, cpu = CPUS[name]
    return code(arch, text or name.encode(), cpu=cpu)


def select(x86_64: bytes, arm64: bytes) -> Selection:
    return select_slices(content_of(x86_64), content_of(arm64))


def origins(chosen: Selection) -> list[str]:
    """Each slice as processor@wheel, in file order."""
    names = {cpu: name for name, (_, cpu) in CPUS.items()}
    return [
        f"{names[piece.content.cputype, piece.content.cpusubtype]}@{piece.source.value}"
        for piece in chosen.slices
    ]


@pytest.mark.parametrize(
    ("x86_64", "arm64", "slices", "left_out"),
    [
        (["x86_64"], ["arm64"], ["x86_64@x86_64", "arm64@arm64"], []),
        (
            ["x86_64"],
            ["x86_64", "arm64"],
            ["x86_64@x86_64", "arm64@arm64"],
            ["the x86_64 slice of the arm64 wheel"],
        ),
        (
            ["x86_64", "arm64"],
            ["arm64"],
            ["x86_64@x86_64", "arm64@arm64"],
            ["the arm64 slice of the x86_64 wheel"],
        ),
        (
            ["x86_64", "arm64"],
            ["x86_64", "arm64"],
            ["x86_64@x86_64", "arm64@arm64"],
            ["the x86_64 slice of the arm64 wheel", "the arm64 slice of the x86_64 wheel"],
        ),
        (["x86_64", "arm64"], ["x86_64"], ["x86_64@x86_64", "arm64@x86_64"], ["x86_64@arm64"]),
        (["arm64"], ["x86_64"], ["x86_64@arm64", "arm64@x86_64"], []),
        (["x86_64"], ["x86_64"], ["x86_64@x86_64"], ["the x86_64 slice of the arm64 wheel"]),
        (["i386", "x86_64"], ["arm64"], ["i386@x86_64", "x86_64@x86_64", "arm64@arm64"], []),
        (["x86_64"], ["arm64", "arm64e"], ["x86_64@x86_64", "arm64@arm64", "arm64e@arm64"], []),
        (
            ["x86_64", "x86_64h"],
            ["arm64"],
            ["x86_64@x86_64", "x86_64h@x86_64", "arm64@arm64"],
            [],
        ),
        (
            ["i386", "x86_64"],
            ["i386", "arm64"],
            ["i386@x86_64", "x86_64@x86_64", "arm64@arm64"],
            ["the cputype 0x7 slice of the arm64 wheel"],
        ),
    ],
    ids=[
        "thin meets thin",
        "thin meets fat",
        "fat meets thin",
        "fat meets fat",
        "the other wheel has what its own lacks",
        "each has the other's",
        "one architecture",
        "i386 is kept",
        "arm64e is kept",
        "x86_64h is kept",
        "i386 on both sides",
    ],
)
def test_which_slices(
    x86_64: list[str], arm64: list[str], slices: list[str], left_out: list[str]
) -> None:
    sides = []
    for side, names in (("X", x86_64), ("A", arm64)):
        pieces = [thin(name, f"{name} of {side}".encode()) for name in names]
        sides.append(universal(*pieces) if len(pieces) > 1 else pieces[0])
    chosen = select(sides[0], sides[1])
    assert sorted(origins(chosen)) == sorted(slices)
    left_out = [
        "the x86_64 slice of the arm64 wheel" if text == "x86_64@arm64" else text
        for text in left_out
    ]
    assert sorted(chosen.left_out) == sorted(left_out)
    assert [place.source.size for place in chosen.layout.placed] == [
        piece.content.size for piece in chosen.slices
    ]


@pytest.mark.parametrize(
    ("x86_64", "arm64", "note"),
    [
        (["x86_64"], ["arm64"], ""),
        (["i386", "x86_64"], ["arm64", "arm64e"], ""),
        (["x86_64", "arm64e"], ["arm64"], ""),
        (["x86_64"], ["x86_64", "arm64"], "left out the x86_64 slice of the arm64 wheel"),
        (
            ["arm64"],
            ["i386", "x86_64", "arm64"],
            "took the x86_64 slice of the arm64 wheel, since its",
        ),
        (
            ["x86_64", "arm64"],
            ["arm64e"],
            "took the arm64 slice of the x86_64 wheel, since its own has",
        ),
    ],
)
def test_what_is_said_of_them(x86_64: list[str], arm64: list[str], note: str) -> None:
    chosen = select(universal(*map(thin, x86_64)), universal(*map(thin, arm64)))
    assert chosen.note.startswith(note)
    assert bool(chosen.note) == bool(note)


def test_the_slice_of_a_one_slice_universal_file_is_cut_out() -> None:
    inner = thin("x86_64")
    chosen = select(universal(inner, align=12), thin("arm64"))
    x86_64, arm64 = chosen.slices
    assert (x86_64.whole, x86_64.offset, x86_64.content.size) == (False, 4096, len(inner))
    assert (arm64.whole, arm64.offset) == (True, 0)


@pytest.mark.parametrize("align", [12, 13, 15])
def test_a_slice_out_of_a_universal_file_keeps_its_alignment(align: int) -> None:
    chosen = select(universal(thin("x86_64"), align=align), thin("arm64"))
    aligns = [place.source.align for place in chosen.layout.placed]
    sources = [piece.source for piece in chosen.slices]
    assert dict(zip(sources, aligns, strict=True)) == {X: align, A: 14}


def test_static_libraries() -> None:
    chosen = select(static(X), static(A))
    assert [piece.source for piece in chosen.slices] == [X, A]
    assert [place.source.align for place in chosen.layout.placed] == [3, 3]


def test_what_is_no_code_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="no Mach-O: None"):
        select_slices(None, content_of(thin("arm64")))


NAMES = st.lists(st.sampled_from(sorted(CPUS)), min_size=1, max_size=4, unique=True)


@given(NAMES, NAMES)
def test_law_each_processor_once_and_from_its_own_wheel_if_it_has_it(
    x86_64: list[str], arm64: list[str]
) -> None:
    chosen = select(universal(*map(thin, x86_64)), universal(*map(thin, arm64)))
    names = {X: x86_64, A: arm64}
    found = origins(chosen)
    assert sorted(origin.split("@")[0] for origin in found) == sorted({*x86_64, *arm64})
    assert len(chosen.left_out) == len(x86_64) + len(arm64) - len(found)
    for origin in found:
        name, _, source = origin.partition("@")
        home = CPUS[name][0]
        assert Arch(source) is home or name not in names[home]
