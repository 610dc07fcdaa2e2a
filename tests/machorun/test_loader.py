"""The loader's own pieces: what it reads, and that what it cannot know is refused."""

from __future__ import annotations

import ast
import ctypes
import struct
import sys
from itertools import permutations
from pathlib import Path

import lief
import pytest

from tests.machorun.exports import exports
from tests.machorun.fixups import Bind, Rebase, fixups, sleb, uleb
from tests.machorun.published import module_in, projects, require_project, unpacked
from tests.machorun.pythons import compiled_shim, require_python
from tests.machorun.reader import BadImageError, Image, read
from tests.machorun.symbols import CXX, LIBCXX, LIBGCC, LIBSYSTEM, SAME, Symbols
from tests.machorun.unwind import _permutation

LOADER = ("reader", "fixups", "exports", "unwind", "symbols", "loader", "importer", "run")


@pytest.mark.parametrize("name", LOADER)
def test_it_shares_no_code_with_fatwheel(name: str) -> None:
    """And needs no package, since Debian's Python for arm64 has none."""
    tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_text("utf-8"))
    imported = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    for node in imported:
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
        for module in names:
            ours = module.startswith("tests.machorun")
            assert ours or module.partition(".")[0] in sys.stdlib_module_names, module


@pytest.mark.parametrize("count", range(1, 7))
def test_the_permutation_of_saved_registers(count: int) -> None:
    """As libunwind's encoder numbers them: each register by its place among those not yet named."""
    chosen = {tuple(_permutation(number, count)) for number in range(720)}
    assert chosen == set(permutations(range(6), count))
    if count == 6:  # the last one follows from the others
        assert _permutation(0, 6) == [0, 1, 2, 3, 4, 5]
        assert _permutation(719, 6) == [5, 4, 3, 2, 1, 0]
    else:
        assert _permutation(1, count)[-1] == count


@pytest.mark.parametrize(
    ("library", "names"), [(LIBSYSTEM, SAME | LIBGCC | {"atexit"}), (LIBCXX, CXX)]
)
def test_what_is_said_to_be_provided_is_there(library: str, names: frozenset[str]) -> None:
    arch = require_python("x86_64").arch
    symbols = Symbols(ctypes.CDLL(str(compiled_shim(arch))), arch)
    assert not [name for name in names if symbols.in_library(library, f"_{name}") is None]


@pytest.mark.parametrize(
    ("raw", "unsigned", "signed"),
    [
        (b"\x00", 0, 0),
        (b"\x7f", 127, -1),
        (b"\x80\x01", 128, 128),
        (b"\xc0\xbb\x78", 1973696, -123456),
    ],
)
def test_leb128(raw: bytes, unsigned: int, signed: int) -> None:
    assert uleb(raw, 0) == (unsigned, len(raw))
    assert sleb(raw, 0) == (signed, len(raw))


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
@pytest.mark.parametrize("name", projects())
def test_lief_reads_the_same(name: str, arch: str, tmp_path: Path) -> None:
    module = module_in(unpacked(require_project(name).mac(arch).path, tmp_path)).read_bytes()
    image = read(module, arch)
    fat = lief.MachO.parse(list(module))
    assert fat is not None
    cpu = lief.MachO.Header.CPU_TYPE
    other = fat.take(cpu.X86_64 if arch == "x86_64" else cpu.ARM64)
    assert other is not None
    ours = {(f.address, f.symbol, f.ordinal) for f in fixups(image) if isinstance(f, Bind)}
    theirs = {
        (bind.address, str(bind.symbol.name), bind.library_ordinal)
        for bind in other.bindings
        if isinstance(bind, lief.MachO.DyldBindingInfo) and bind.symbol is not None
    }
    assert {bind[:2] for bind in ours} == {bind[:2] for bind in theirs}
    weak = {
        address for address, _, ordinal in ours | theirs if ordinal == -3
    }  # LIEF keeps one of two
    assert {b for b in ours if b[0] not in weak} == {b for b in theirs if b[0] not in weak}
    assert set(exports(image)) == {
        str(symbol.name) for symbol in other.symbols if symbol.has_export_info
    }
    rebased = {f.address for f in fixups(image) if isinstance(f, Rebase)}
    assert rebased == {
        r.address for r in other.relocations if isinstance(r, lief.MachO.RelocationDyld)
    }


REFUSED = {
    "no Mach-O": (b"\x7fELF" + bytes(60), "no 64-bit Mach-O"),
    "another architecture": (
        struct.pack("<4s7I", b"\xcf\xfa\xed\xfe", 12, 0, 6, 0, 0, 0, 0),
        "for x86_64",
    ),
    "a program": (
        struct.pack("<4s7I", b"\xcf\xfa\xed\xfe", 0x01000007, 3, 2, 0, 0, 0, 0),
        "file type is 2",
    ),
    "nothing for dyld": (
        struct.pack("<4s7I", b"\xcf\xfa\xed\xfe", 0x01000007, 3, 6, 0, 0, 0, 0),
        "neither LC_DYLD_INFO_ONLY",
    ),
}


@pytest.mark.parametrize(("data", "answer"), REFUSED.values(), ids=REFUSED)
def test_what_dyld_would_not_load_is_refused(data: bytes, answer: str) -> None:
    with pytest.raises(BadImageError, match=answer):
        read(data, "x86_64")


@pytest.mark.parametrize(
    ("part", "raw", "answer"),
    [
        ("rebase", b"\x12\x20\x00\x51", "rebase type 2"),
        ("rebase", b"\x90", "rebase opcode 0x90"),
        ("bind", b"\x53\x70\x00\x90", "bind type 3"),
        ("bind", b"\xd0", "bind opcode 0xd0"),
    ],
)
def test_opcodes_that_are_unknown(part: str, raw: bytes, answer: str) -> None:
    right = read_exercise_like()
    right.info.update({"rebase": b"", "bind": b"", "weak": b"", "lazy": b"", part: raw})
    with pytest.raises(BadImageError, match=answer):
        list(fixups(right))


def read_exercise_like() -> Image:
    from tests.machorun.reader import Segment

    return Image("x86_64", [Segment("__DATA", 0x1000, 0x1000, b"\0" * 64, 3, False, ())])


def test_the_shim_compiles_without_a_warning_and_python_starts() -> None:
    for arch, machine in (("x86_64", "x86_64"), ("arm64", "arm64")):
        python = require_python(arch)
        program = Path(__file__).with_name("programs") / "machine_use.py"
        assert python.output(program, []).strip() == machine
