"""What Python would call in a module: found in real export tries, in any small one, and in no hostile one."""

from __future__ import annotations

import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.macho.exports import LARGEST_TRIE, find_init_functions
from fatwheel.macho.image import Image, parse_image
from fatwheel.macho.probe import Parser, run
from tests.support import macho as build
from tests.support.corpus import SMALL_PAIR
from tests.support.macho import ARM64, parsed, trie

WHEELS = {path.name.split("-macosx_")[1]: path for path in SMALL_PAIR}


@pytest.mark.parametrize("label", WHEELS)
def test_real_modules_export_one_and_the_one_they_are_named_after(label: str) -> None:
    with zipfile.ZipFile(WHEELS[label]) as opened:
        modules = [name for name in opened.namelist() if name.endswith(".so")]
        assert modules
        for name in modules:
            data = opened.read(name)
            found = parsed(lambda data=data: parse_image("x", len(data)), data, 4096)  # type: ignore[misc]
            stem = name.rpartition("/")[2].partition(".")[0]
            assert found.init_functions == (f"PyInit_{stem}",)


NAMES = st.text("_PyInitUab", min_size=1, max_size=12) | st.sampled_from(
    ["_PyInit_a", "_PyInit_ab", "_PyInitU_a", "_PyInit", "_PyInit_", "__PyInit_a", "_PyInitX"]
)


@given(st.sets(NAMES, max_size=20))
def test_law_all_names_with_the_prefix_are_found_and_no_others(names: set[str]) -> None:
    wanted = [name[1:] for name in names if name.startswith(("_PyInit_", "_PyInitU_"))]
    assert find_init_functions(trie(names)) == tuple(sorted(wanted))


@given(st.binary(max_size=300))
def test_law_any_bytes_give_an_answer(data: bytes) -> None:
    found = find_init_functions(data)
    assert found is None or list(found) == sorted(set(found))


def edge(label: bytes, node: int) -> bytes:
    assert node < 0x80
    return label + b"\0" + bytes([node])


MANY = [f"_PyInit_{number:04}" for number in range(4000)]
HOSTILE = {
    "a node that leads to itself": b"\0\1" + edge(b"_", 0),
    "two ways to one node": b"\0\2" + edge(b"_", 8) + edge(b"_P", 8),
    "an edge to outside": b"\0\1" + edge(b"_PyInit_a", 99),
    "an edge without an end": b"\0\1_PyInit_a",
    "an edge that is too long": b"\0\1" + b"_PyInit_" + b"a" * 5000 + b"\0\7",
    "a number without an end": b"\xff" * 20,
    "a size that leads outside": b"\x80\x80\x80\x80\x01\0",
    "a tangle of nodes without a name": b"\0\1"
    + edge(b"_PyInit_", 12)
    + b"".join(b"\0\1" + edge(b"a", 12 + 5 * at) for at in range(1, 20))
    + b"\0\1"
    + edge(b"a", 12),
    "a chain of names that grow": b"".join(
        b"\0\1" + (b"_PyInit_" if at == 0 else b"a" * 90) + b"\0" + bytes([at + 1])
        for at in range(100)
    ),
}


@pytest.mark.parametrize("label", HOSTILE)
def test_a_hostile_trie_says_nothing(label: str) -> None:
    assert find_init_functions(HOSTILE[label]) is None


@pytest.mark.parametrize("cut", range(1, len(trie(["_PyInit_a", "_b"]))))
def test_a_trie_that_is_cut_short_says_nothing_or_the_truth(cut: int) -> None:
    found = find_init_functions(trie(["_PyInit_a", "_b"])[:cut])
    assert found in (None, (), ("PyInit_a",))


def test_of_very_many_names_some_are_found() -> None:
    found = find_init_functions(trie(MANY))
    assert found
    assert {f"_{name}" for name in found} < set(MANY)


def test_a_wide_trie_without_any_has_none() -> None:
    for stem in ("_", "_PyInit", "_PyInitV"):
        wide = [f"{stem}{chr(33 + a)}{chr(33 + b)}" for a in range(60) for b in range(60)]
        assert find_init_functions(trie(name for name in wide if "_" not in name[7:])) == ()


# ---- where an image has its trie ----

SYMBOLS = build.nlist(1)
STRINGS = b"\0_name\0\0"
TRIE = trie(["_PyInit_a"])


def image(order: str, *, kind: int = 8, info: bool = False, cmd: int = 0x80000033) -> bytes:
    """A bundle whose trie, symbols and strings lie in this order (t, y, s)."""
    areas = {"t": TRIE, "y": SYMBOLS, "s": STRINGS}
    others = [build.text_command(0x0C, b"/usr/lib/libSystem.B.dylib")]
    trie_size = 48 if info else 16
    start = 32 + 72 + 24 + sum(map(len, others)) + (trie_size if "t" in order else 0)
    places, body = {}, b""
    for key in order:
        places[key] = start + len(body)
        body += areas[key]
    commands = [build.segment(b"__LINKEDIT", start, len(body)), *others]
    if "t" in order:
        place = (places["t"], len(TRIE))
        if info:
            commands.append(build.command(0x80000022, struct.pack("<10I", *(0,) * 8, *place)))
        else:
            commands.append(build.command(cmd, struct.pack("<2I", *place)))
    table = (
        places.get("y", 0),
        int("y" in order),
        places.get("s", 0),
        len(STRINGS) * ("s" in order),
    )
    commands.append(build.command(2, struct.pack("<4I", *table)))
    return build.image(ARM64, commands, body, filetype=kind)


def functions(data: bytes) -> tuple[str, ...] | None:
    """What is found at random and forward, which must agree."""

    def parser() -> Parser[Image]:
        return parse_image("x", len(data))

    found = parsed(parser, data)
    for chunk in (1, 7, 4096):
        assert parsed(parser, data, chunk) == found
    return found.init_functions


@pytest.mark.parametrize("info", [False, True], ids=["trie", "dyld info"])
@pytest.mark.parametrize("order", ["tys", "tsy", "yst", "syt", "t", "ts", "st"])
def test_it_is_read_before_and_after_the_symbols(order: str, info: bool) -> None:
    assert functions(image(order, info=info)) == ("PyInit_a",)


@pytest.mark.parametrize("kind", [6, 8], ids=["dylib", "bundle"])
def test_modules_are_bundles_or_dylibs(kind: int) -> None:
    assert functions(image("tys", kind=kind)) == ("PyInit_a",)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(image("yts"), id="between symbols and strings"),
        pytest.param(image("ys"), id="none"),
        pytest.param(image("tys", kind=2), id="a program"),
        pytest.param(image("tys", kind=1), id="an object"),
    ],
)
def test_it_is_not_known(data: bytes) -> None:
    assert functions(data) is None


def test_a_payload_is_found_wherever_the_trie_lies() -> None:
    for order in ("tys", "yst", "yts"):
        data = image(order) + b"0123456789"
        payload = parsed(lambda data=data: parse_image("x", len(data)), data).payload  # type: ignore[misc]
        assert payload is not None
        assert payload.size == 10


def test_what_another_library_exports_for_it_is_not_known() -> None:
    commands = [
        build.text_command(0x8000001F, b"@rpath/other.dylib"),
        build.command(0x80000033, struct.pack("<2I", 0, 0)),
    ]
    assert functions(build.image(ARM64, commands[1:], filetype=8)) == ()
    assert functions(build.image(ARM64, commands, filetype=8)) is None
    assert functions(build.image(ARM64, [*commands[1:], *commands[1:]], filetype=8)) is None


def test_a_trie_that_is_too_large_is_not_read() -> None:
    data = b"text" * (LARGEST_TRIE // 4 + 1)
    start = 32 + 72 + 16
    commands = [
        build.segment(b"__LINKEDIT", start, len(data)),
        build.command(0x80000033, struct.pack("<2I", start, len(data))),
    ]
    asked = []

    def read(offset: int, size: int) -> bytes:
        asked.append(size)
        return whole[offset : offset + size]

    whole = build.image(ARM64, commands, data, filetype=8)
    assert run(parse_image("x", len(whole)), read).init_functions is None
    assert sum(asked) < 1000
