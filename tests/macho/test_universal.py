from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.errors import FormatError
from fatwheel.macho import universal
from fatwheel.macho.probe import Parser
from fatwheel.macho.universal import SliceSource, Universal
from tests.support import macho as build
from tests.support.macho import ARM64, ARM64E, I386, X86_64, X86_64H, obj, parsed
from tests.support.required import require_member, require_tool


def parser_of(data: bytes) -> Callable[[], Parser[Universal | universal.Content | None]]:
    return partial(universal.parse, "x", len(data))


def universal_of(data: bytes) -> Universal:
    found = parsed(parser_of(data), data)
    assert isinstance(found, Universal)
    assert parsed(parser_of(data), data, 1000) == found
    return found


def fused(contents: list[bytes], *, aligns: list[int] | None = None, fat64: bool = False) -> bytes:
    """The universal file that `universal.layout` says."""
    sources = []
    for index, data in enumerate(contents):
        found = parsed(parser_of(data), data)
        assert found is not None
        assert not isinstance(found, Universal)
        align = aligns[index] if aligns else universal.natural_align(found)
        one = SliceSource(
            cputype=found.cputype, cpusubtype=found.cpusubtype, size=len(data), align=align
        )
        sources.append(one)
    plan = universal.layout(sources, fat64=fat64)
    made = bytearray(plan.header)
    for where in plan.placed:
        made += bytes(where.offset - len(made)) + contents[where.index]
    assert len(made) == plan.size
    return bytes(made)


def source(cpu: tuple[int, int], size: int = 10, align: int = 12) -> SliceSource:
    return SliceSource(cputype=cpu[0], cpusubtype=cpu[1], size=size, align=align)


# Writing.


@pytest.mark.parametrize(
    ("sources", "order"),
    [
        pytest.param([X86_64, ARM64], [0, 1], id="x86_64-arm64"),
        pytest.param([ARM64, X86_64], [1, 0], id="arm64-x86_64"),
        pytest.param([X86_64H, X86_64], [1, 0], id="same-cputype-by-subtype"),
        pytest.param([ARM64E, ARM64], [1, 0], id="arm64e-arm64"),
        pytest.param([I386, ARM64, X86_64], [0, 2, 1], id="equal-alignments-as-given"),
    ],
)
def test_order(sources: list[tuple[int, int]], order: list[int]) -> None:
    plan = universal.layout(
        [source(cpu, align=14 if cpu[0] == ARM64[0] else 12) for cpu in sources]
    )
    assert [one.index for one in plan.placed] == order


def test_layout_of_the_usual_pair() -> None:
    plan = universal.layout([source(ARM64, 100, 14), source(X86_64, 300, 12)])
    assert [one.offset for one in plan.placed] == [4096, 16384]
    assert plan.size == 16484
    assert plan.header == build.raw_fat([(*X86_64, 4096, 300, 12), (*ARM64, 16384, 100, 14)])


@pytest.mark.parametrize(
    ("sizes", "fat64"),
    [
        pytest.param([1, 1], False, id="small"),
        pytest.param([0xFFFFFFFF, 1], True, id="offset-past-4-GiB"),
        pytest.param([1 << 32, 1], True, id="size-of-4-GiB"),
        pytest.param([1, 1 << 32], True, id="last-size"),
        pytest.param([0xFFFFFFFF - 8191, 1], False, id="just-below"),
    ],
)
def test_64_bit_offsets_where_they_must_be(sizes: list[int], fat64: bool) -> None:
    plan = universal.layout([source(X86_64, sizes[0], 12), source(ARM64, sizes[1], 12)])
    assert plan.fat64 is fat64
    assert len(plan.header) == 8 + (32 if fat64 else 20) * 2
    assert plan.header[:4] == (b"\xca\xfe\xba\xbf" if fat64 else b"\xca\xfe\xba\xbe")


def test_the_same_architecture_twice() -> None:
    with pytest.raises(FormatError, match="slices 1 and 3 have the same architecture, arm64e"):
        universal.layout([source(ARM64E), source(X86_64), source((ARM64[0], 2))])


@pytest.mark.parametrize(
    ("sources", "problem"),
    [
        pytest.param([], "1 to 42 slices, not 0", id="none"),
        pytest.param([source((7, n)) for n in range(43)], "not 43", id="too-many"),
        pytest.param([source(ARM64, align=16)], "0 to 15", id="alignment"),
    ],
)
def test_layouts_that_nobody_may_ask_for(sources: list[SliceSource], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        universal.layout(sources)


@pytest.mark.parametrize(
    ("cpu", "align"),
    [
        pytest.param(X86_64, 12, id="x86_64"),
        pytest.param((X86_64[0], 0x80000003), 12, id="x86_64-lib64"),
        pytest.param(ARM64, 14, id="arm64"),
        pytest.param(X86_64H, None, id="x86_64h"),
        pytest.param(ARM64E, None, id="arm64e"),
        pytest.param(I386, None, id="i386"),
        pytest.param((99, 0), None, id="unknown"),
    ],
)
def test_thin_head(cpu: tuple[int, int], align: int | None) -> None:
    expected = None if align is None else source(cpu, 0, align)
    head = build.image(cpu)[:32]
    assert universal.thin_head(head) == expected
    assert universal.thin_head(head[:31]) is None


CPUS = st.sampled_from(
    [X86_64, X86_64H, ARM64, ARM64E, I386, (0x12, 0), (0x0C, 9), (0x0C, 11), (0x0200000C, 1)]
)


@st.composite
def contents(draw: st.DrawFn, *, one_of_a_family: bool = False) -> list[bytes]:
    """Images and libraries of different architectures."""
    key = (lambda cpu: cpu[0]) if one_of_a_family else (lambda cpu: cpu)
    cpus = draw(st.lists(CPUS, min_size=1, max_size=5, unique_by=key))
    made = []
    for cpu in cpus:
        one = obj(cpu, draw(st.integers(0, 50)))
        made.append(build.archive(build.member("a.o", one)) if draw(st.booleans()) else one)
    return made


@given(made=contents(), fat64=st.booleans())
def test_slices_of_a_layout_are_its_sources(made: list[bytes], fat64: bool) -> None:
    data = fused(made, fat64=fat64)
    found = universal_of(data)
    assert found.fat64 is fat64
    slices = [data[one.offset : one.offset + one.size] for one in found.slices]
    assert sorted(slices) == sorted(made)
    for one in found.slices:
        assert one.offset % (1 << one.align) == 0
        assert one.align == universal.natural_align(one.content)


@given(made=contents(one_of_a_family=True), fat64=st.booleans())
def test_parsing_and_formatting_again_is_the_identity(made: list[bytes], fat64: bool) -> None:
    # With several of a family lipo's order is not transitive, and sorting again may change it.
    data = fused(made, fat64=fat64)
    found = universal_of(data)
    again = [data[one.offset : one.offset + one.size] for one in found.slices]
    aligns = [one.align for one in found.slices]
    assert fused(again, aligns=aligns, fat64=found.fat64) == data


@given(sizes=st.tuples(st.integers(0, 5000), st.integers(0, 5000)))
def test_the_order_of_the_usual_pair_does_not_matter(sizes: tuple[int, int]) -> None:
    pair = [obj(X86_64, sizes[0]), obj(ARM64, sizes[1])]
    assert fused(pair) == fused(pair[::-1])


# Reading.


GOOD = [(*X86_64, 4096, 32, 12), (*ARM64, 16384, 32, 14)]


def placed(
    entries: list[tuple[int, int, int, int, int]], *, magic: int = 0xCAFEBABE, count: int = -1
) -> bytes:
    """A universal file with this table, and an image wherever an entry points."""
    made = bytearray(max(16416, *(entry[2] + entry[3] for entry in entries if entry[2] < 1 << 20)))
    table = build.raw_fat(entries, magic=magic, count=count)
    made[: len(table)] = table
    for cputype, subtype, offset, size, _ in entries:
        if len(table) <= offset < 1 << 20 and size >= 32:
            made[offset : offset + 32] = obj((cputype, subtype))
    return bytes(made)


@pytest.mark.parametrize(
    ("data", "at", "problem"),
    [
        pytest.param(placed(GOOD, count=0), 4, "nfat_arch is 0", id="none"),
        pytest.param(placed(GOOD, magic=0xCAFEBABF, count=43), 4, "nfat_arch is 43", id="fat64-43"),
        pytest.param(build.raw_fat(GOOD)[:-1], 8, "table of 2 slices ends at 48", id="table"),
        pytest.param(
            placed(GOOD)[:-1], 28, "arm64 at 16384 to 16416 extends past the end", id="cut"
        ),
        pytest.param(
            placed([GOOD[0], (*ARM64, 1 << 63, 1 << 63, 14)], magic=0xCAFEBABF),
            40,
            "extends past the end",
            id="sum-past-64-bits",
        ),
        pytest.param(
            placed([GOOD[0], (*ARM64, 16384, 32, 16)]),
            28,
            r"2\^16, it must be 2\^15",
            id="align-16",
        ),
        pytest.param(
            placed([GOOD[0], (*ARM64, 8192, 32, 14)]), 28, r"not aligned on 2\^14", id="misaligned"
        ),
        pytest.param(
            placed([(*X86_64, 32, 32, 0), GOOD[1]]),
            8,
            "overlaps the table, which ends at 48",
            id="in-table",
        ),
        pytest.param(
            placed([GOOD[0], (X86_64[0], 0x80000003, 8192, 32, 12)]),
            28,
            "second slice of the same architecture, x86_64",
            id="twice",
        ),
        pytest.param(
            placed([(*X86_64, 4096, 64, 12), (*ARM64, 4128, 32, 0)]),
            28,
            "arm64 at 4128 to 4160 overlaps the slice for x86_64 at 4096 to 4160",
            id="overlap",
        ),
        pytest.param(
            build.raw_fat([(*X86_64, 28, 32, 0)]) + obj(ARM64),
            8,
            "the table says x86_64, the slice arm64",
            id="cputype",
        ),
        pytest.param(
            build.raw_fat([(*X86_64, 28, 32, 0)]) + bytes(32),
            28,
            "no Mach-O image and no",
            id="zeros",
        ),
        pytest.param(
            build.raw_fat([(*X86_64, 28, 28, 0)]) + build.raw_fat([(*X86_64, 28, 0, 0)]),
            28,
            "no Mach-O image and no static library",
            id="universal-in-universal",
        ),
        pytest.param(
            build.raw_fat([(*X86_64, 28, 8, 0)]) + build.archive(),
            28,
            "archive is empty",
            id="archive",
        ),
    ],
)
def test_refused(data: bytes, at: int, problem: str) -> None:
    with pytest.raises(FormatError, match=problem) as caught:
        parsed(parser_of(data), data)
    assert caught.value.offset == at


def test_names_come_from_the_slice_and_not_from_the_table() -> None:
    data = build.raw_fat([(*X86_64H, 28, 32, 0)]) + obj(X86_64)
    (one,) = universal_of(data).slices
    assert (one.cpusubtype, one.align) == (3, 0)


def test_slices_may_lie_in_any_order() -> None:
    data = placed(GOOD[::-1])
    assert [one.offset for one in universal_of(data).slices] == [16384, 4096]


def test_bytes_after_the_last_slice_are_a_payload() -> None:
    found = universal_of(placed(GOOD) + b"xyz")
    assert found.payload == universal.Payload(offset=16416, size=3)
    assert universal_of(placed(GOOD)).payload is None


JAVA_8 = struct.pack(">IHH", 0xCAFEBABE, 0, 52) + bytes(100)


@pytest.mark.parametrize(
    ("data", "looks"),
    [
        pytest.param(b"", False, id="empty"),
        pytest.param(b"\xca\xfe\xba\xbe", False, id="magic-alone"),
        pytest.param(JAVA_8, False, id="java-class"),
        pytest.param(struct.pack(">II", 0xCAFEBABE, 43) + bytes(99), False, id="43-slices"),
        pytest.param(b"\x7fELF" + bytes(99), False, id="elf"),
        pytest.param(b"!<thin>\n" + bytes(99), False, id="thin-archive"),
        pytest.param(build.archive(build.member("a.obj", b"\x64\x86")), True, id="coff-archive"),
        pytest.param(build.archive(), True, id="empty-archive"),
        pytest.param(b"BC\xc0\xde" + bytes(40), False, id="bitcode"),
    ],
)
def test_other_files_are_none(data: bytes, looks: bool) -> None:
    assert parsed(parser_of(data), data) is None
    assert universal.looks_like(data) is looks


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(obj(X86_64), id="image"),
        pytest.param(build.image((0x12, 0), order=">", is64=False), id="big-endian"),
        pytest.param(placed(GOOD), id="universal"),
        pytest.param(placed(GOOD, magic=0xCAFEBABF), id="universal-64"),
        pytest.param(build.archive(build.member("a.o", obj(ARM64))), id="library"),
    ],
)
def test_known_files_look_like_it(data: bytes) -> None:
    assert universal.looks_like(data[:8])
    assert parsed(parser_of(data), data) is not None


@pytest.mark.parametrize("seed", range(3))
def test_damaged_universal_files_raise_nothing_but_format_errors(seed: int) -> None:
    rng = random.Random(seed)
    original = require_member("pyinstaller", "PyInstaller/bootloader/Darwin-64bit/run")
    found = universal_of(original)
    places = [0, *(one.offset for one in found.slices)]
    for _ in range(150):
        data = bytearray(original)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        for _ in range(rng.randrange(1, 5)):
            at = rng.choice(places) + rng.randrange(rng.choice([48, 2000]))
            if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
        made = bytes(data)
        assert build.outcome(parser_of(made), made) == build.outcome(parser_of(made), made, 9999)


def test_layouts_equal_those_of_llvm_lipo(tmp_path: Path) -> None:
    lipo = require_tool("llvm-lipo-19", "apt-get install llvm-19")
    rng = random.Random(11)
    pool = [
        X86_64,
        X86_64H,
        ARM64,
        ARM64E,
        I386,
        (7, 4),
        (7, 5),
        (0x12, 0),
        (0x12, 100),
        (0x01000012, 0),
        (0x0C, 6),
        (0x0C, 9),
        (0x0C, 11),
        (0x0200000C, 1),
        (0x63, 7),
        (0x64, 1),
    ]
    for round_ in range(40):
        cpus = rng.sample(pool, rng.randrange(1, 14))
        made = [obj(cpu, rng.randrange(40)) for cpu in cpus]
        paths = [tmp_path / f"{index}.o" for index in range(len(made))]
        for path, data in zip(paths, made, strict=True):
            path.write_bytes(data)
        fat64 = round_ % 5 == 0
        words = [lipo, "-create", *map(str, paths), "-output", str(tmp_path / "out")]
        subprocess.run(words + ["-fat64"] * fat64, check=True)
        assert fused(made, fat64=fat64) == (tmp_path / "out").read_bytes(), cpus
