"""Undefined symbols of images: by hand, in pieces, and as LLVM's linker writes them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fatwheel.macho.exports import Lookups
from fatwheel.macho.image import Image, Symbols
from fatwheel.macho.undefined import ANYWHERE, Names, Undefined
from fatwheel.macho.universal import parse
from tests.support.linkers import find_lld
from tests.support.macho import nlist, parsed, trie
from tests.support.required import require_tool
from tests.support.wheels import A, X, code

LIBRARY = "@loader_path/liba.dylib"


def symbols_of(data: bytes, chunk: int = 0) -> Symbols | None:
    found = parsed(lambda: parse("test", len(data), symbols=True), data, chunk)
    assert isinstance(found, Image)
    return found.symbols


WANTED = [("_preadv", 1), ("_gone", 2), ("_nowhere", ANYWHERE)]  # macOS has the first since 11.0
LEFT = [
    ("_malloc", 1),
    ("_PyList_New", ANYWHERE),
    ("__Py_Dealloc", ANYWHERE),
    ("___cxa_throw", ANYWHERE),
    ("_self", 0),
]


@pytest.mark.parametrize("chunk", [0, 1, 7, 100_000])
def test_what_comes_from_other_images(chunk: int) -> None:
    data = code(X, loads=["/usr/lib/libSystem.B.dylib", LIBRARY], undefined=[*LEFT, *WANTED])
    found = symbols_of(data, chunk)
    assert found is not None
    assert found.undefined is not None
    assert set(found.undefined) == {Undefined(name.encode(), n) for name, n in WANTED}


def test_weak_symbols_may_be_undefined() -> None:
    data = code(X, loads=[LIBRARY], undefined=[("_a", 0x4001), ("_b", 0x8001), ("_c", ANYWHERE)])
    assert symbols_of(data) == Symbols((Undefined(b"_c", ANYWHERE),), None)


def test_weak_definitions_of_macos_are_gathered_and_what_may_be_missing_is_not() -> None:
    abort = "__ZNSt3__122__libcpp_verbose_abortEPKcz"
    names = [(abort, 0x8001), (abort + "2", 0x4001), (abort + "3", 0xC001), ("__Znwm", 0x8001)]
    data = code(X, loads=["/usr/lib/libc++.1.dylib"], undefined=names)
    assert symbols_of(data) == Symbols((Undefined(abort.encode(), 1),), None)


def test_symbols_of_macos_far_from_the_others_hide_none_of_these() -> None:
    """The strings between them are not looked through; what libraries of the wheel lack matters more."""
    far, near = ("x" * (9 << 20), 0), ("x" * 1000, 0)
    loads = ["/usr/lib/libSystem.B.dylib", LIBRARY]
    data = code(X, loads=loads, undefined=[("_preadv", 1), far, ("_gone", 2)])
    assert symbols_of(data) == Symbols((Undefined(b"_gone", 2),), None)
    data = code(X, loads=loads, undefined=[("_preadv", 1), near, ("_gone", 2)])
    assert symbols_of(data) == Symbols((Undefined(b"_preadv", 1), Undefined(b"_gone", 2)), None)


def test_an_image_without_a_two_level_namespace_says_nothing() -> None:
    assert symbols_of(code(X, loads=[LIBRARY], undefined=WANTED, flags=0)) == Symbols((), None)


def test_symbols_are_gathered_where_they_are_asked_for() -> None:
    data = code(X, undefined=WANTED)
    found = parsed(lambda: parse("test", len(data)), data)
    assert isinstance(found, Image)
    assert found.symbols is None


def names(*places: int) -> Names:
    gathering = Names(frozenset({1}))
    gathering.see(
        b"".join(nlist(place, kind=1).replace(b"\1\1\0\0", b"\1\0\0\1") for place in places)
    )
    return gathering  # fmt: skip


def test_strings_across_pieces_and_in_any_order() -> None:
    table = b"\0_first\0_second\0_third\0"
    for size in range(1, len(table)):
        gathering = names(16, 1, 8)
        at = gathering.first_string(16)
        assert at == 1
        for start in range(at, len(table), size):
            gathering.read(start, table[start : start + size])
        found = gathering.result()
        assert found is not None
        assert [one.name for one in found] == [b"_first", b"_second", b"_third"]


def test_strings_that_are_not_there() -> None:
    gathering = names(1, 100)
    gathering.read(gathering.first_string(1), b"_first\0")
    assert gathering.result() is None


def test_more_than_any_image_has() -> None:
    few, many, wide = names(*range(1, 100)), names(*[1] * 50_001), names(1, 9 << 20)
    assert (few.first_string(99), many.first_string(1), wide.first_string(7)) == (1, 1, 7)
    assert many.result() is wide.result() is None
    endless = names(1)
    endless.first_string(1)
    endless.read(1, b"x" * 5000)
    endless.read(5001, b"\0")
    assert endless.result() is None


@pytest.mark.parametrize(
    ("name", "known"),
    [
        (b"_a", True),
        (b"_ab", True),
        (b"_abc", False),
        (b"_", False),
        (b"", False),
        (b"_b", False),
        (b"_b_c", True),
    ],
)
def test_names_in_a_trie(name: bytes, known: bool) -> None:
    assert Lookups().has(trie(["_a", "_ab", "_b_c"]), name) is known


def test_edges_without_a_letter() -> None:
    """ld64 wrote them: `_a` ends in a node that says nothing, from which `` leads to what is said."""
    told = b"\0\1_a\0\6" + b"\0\2_b\0\x0e\0\x12" + b"\2\0\x10\0" + b"\2\0\x20\0"
    assert [Lookups().has(told, name) for name in (b"_a", b"_a_b", b"_a_", b"_")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("data", [b"\xff", b"\0\5_a", b"\0\1\0\0", b"\0\2\0\0\0\0"])
def test_damaged_tries_end(data: bytes) -> None:
    assert Lookups().has(data, b"_a") is None


def test_lookups_end() -> None:
    made = trie(f"_{n:04}" for n in range(1000))
    lookups = Lookups(edges=100)
    assert lookups.has(made, b"_0999") is True
    assert [lookups.has(made, b"_0999") for _ in range(9)][-1] is None
    loop = b"\0\1\0\0"  # an edge without a letter that leads back
    assert Lookups(edges=1000).has(loop, b"_a") is None


@pytest.mark.parametrize("arch", ["arm64", "x86_64"])
def test_what_a_linker_writes(arch: str, tmp_path: Path) -> None:
    clang = require_tool("clang-19", "apt-get install clang-19")
    lld = find_lld()

    def built(name: str, text: str, *words: str) -> Path:
        source, made = tmp_path / f"{name}.c", tmp_path / name
        source.write_text(text)
        obj = f"{made}.o"
        subprocess.run(
            [clang, "-target", f"{arch}-apple-macos11", "-c", str(source), "-o", obj], check=True
        )
        version = ["-arch", arch, "-platform_version", "macos", "11.0", "11.0"]
        subprocess.run([*lld, *version, obj, *words, "-o", str(made)], check=True)
        return made

    library = built(
        "liba.dylib",
        "int given(void) { return 1; } int given_2(void) { return 2; }",
        *("-dylib", "-install_name", LIBRARY),
    )
    module = built(
        "m.so",
        "int given(void), nowhere(void), PyList_New(void);\n"
        "int weak(void) __attribute__((weak_import));\n"
        "int PyInit_m(void) { return given() + nowhere() + PyList_New() + (weak ? weak() : 0); }",
        *("-bundle", str(library), "-undefined", "dynamic_lookup"),
    )
    found = symbols_of(module.read_bytes())
    assert found is not None
    assert found.undefined is not None
    assert set(found.undefined) == {Undefined(b"_given", 1), Undefined(b"_nowhere", ANYWHERE)}
    assert found.exported is not None
    assert Lookups().has(found.exported, b"_PyInit_m")
    given = symbols_of(library.read_bytes())
    assert given is not None
    assert given.exported is not None
    assert [Lookups().has(given.exported, name) for name in (b"_given", b"_given_2", b"_give")] == [
        True,
        True,
        False,
    ]


def test_both_architectures_by_hand() -> None:
    for arch in (X, A):
        found = symbols_of(code(arch, loads=[LIBRARY], undefined=[("_a", 1)], exports=["_b"]))
        assert found == Symbols((Undefined(b"_a", 1),), trie(["_b"]))
