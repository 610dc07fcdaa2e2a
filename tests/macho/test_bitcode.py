from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest

from fatwheel.errors import FormatError
from fatwheel.macho.bitcode import Bitcode, is_bitcode, parse_bitcode
from fatwheel.macho.probe import Parser, run
from tests.support import macho as build
from tests.support.bitcode import MAGIC, Bits, module
from tests.support.corpus import ROOT
from tests.support.macho import parsed

CASE = ROOT / "fixtures" / "lipo-cases" / "valid" / "bc_thumb"


def parser_of(data: bytes) -> Callable[[], Parser[Bitcode]]:
    return partial(parse_bitcode, "x.bc", len(data))


@pytest.mark.parametrize(
    ("triple", "cpu"),
    [
        pytest.param(b"arm64-apple-macosx11.0.0", (0x0100000C, 0), id="arm64"),
        pytest.param(b"aarch64-apple-darwin", (0x0100000C, 0), id="aarch64"),
        pytest.param(b"i686-apple-darwin", (7, 3), id="i686"),
        pytest.param(b"thumbv7s-apple-ios9", (0x0C, 11), id="thumbv7s"),
        pytest.param(b"x86_64h-apple-macosx", (0x01000007, 8), id="x86_64h"),
    ],
)
def test_target_triple(triple: bytes, cpu: tuple[int, int]) -> None:
    data = module(triple).data()
    expected = Bitcode(cputype=cpu[0], cpusubtype=cpu[1], size=len(data))
    assert is_bitcode(data)
    assert parsed(parser_of(data), data) == expected
    assert parsed(parser_of(data), data, 1) == expected


def test_blocks_before_the_triple_are_not_read() -> None:
    bits = Bits().block(8, 0)
    for _ in range(3):
        bits.block(17, 100_000).skip(100_000)
    data = bits.record(2, b"x86_64-apple-darwin").data()
    asked = []

    def read(offset: int, size: int) -> bytes:
        asked.append(size)
        return data[offset : offset + size]

    assert run(parse_bitcode("x", len(data)), read).cputype == 0x01000007
    assert sum(asked) < 32_000


@pytest.mark.parametrize("name", ["thumbv7s.bc", "armv7.bc", "arm64e.bc"])
def test_real_files(name: str) -> None:
    data = (CASE / name).read_bytes()
    names = {"thumbv7s": 11, "armv7": 9, "arm64e": 2}
    assert parsed(parser_of(data), data, 100).cpusubtype == names[name[:-3]]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(module(b"x86_64-linux-gnu").data(), "no target of Mach-O", id="linux"),
        pytest.param(module(b"wasm32-apple").data(), "'wasm32-apple', which is no", id="wasm"),
        pytest.param(MAGIC, "no target triple where one is expected", id="magic-alone"),
        pytest.param(Bits().block(13, 0).data(), "no target triple", id="no-module"),
        pytest.param(Bits().block(8, 1).skip(1).data(), "abbreviation 0 comes", id="end-block"),
        pytest.param(Bits().block(8, 0).fixed(2, 3).data(), "abbreviation 2", id="abbreviation"),
        pytest.param(
            Bits().block(8, 0).record(1, b"\1" * 200_000).data(),
            "no target triple",
            id="far-too-long",
        ),
        pytest.param(
            Bits().fixed(1, 2).variable(8, 8).variable(0, 4).align().fixed(0, 32).data(),
            "a bit field of 0 bits",
            id="width-0",
        ),
        pytest.param(
            Bits().block(8, 0).fixed(3, 3).fixed((1 << 120) - 1, 120).data(),
            "more than 64 bits",
            id="endless-number",
        ),
        pytest.param(
            b"\xde\xc0\x17\x0b" + bytes(4) + b"\0\0\0\0" + bytes(40),
            "was read already",
            id="wrapper",
        ),
    ],
)
def test_refused(data: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        parsed(parser_of(data), data)


def test_damaged_files_raise_nothing_but_format_errors() -> None:
    rng = random.Random(2)
    original = (CASE / "arm64e.bc").read_bytes()
    for _ in range(500):
        data = bytearray(original)
        for _ in range(rng.randrange(1, 8)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        made = bytes(data)
        assert build.outcome(parser_of(made), made) == build.outcome(parser_of(made), made, 333)
