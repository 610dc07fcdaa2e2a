"""Faults that a linker might make, planted into a slice that is right: what the oracle must notice.

Each takes the slice's bytes and changes them in place. The slice is that of fixtures/projects/exercise for x86_64,
linked by LLD with opcodes (LC_DYLD_INFO).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from tests.machorun.fixups import uleb

Fault = Callable[[bytearray], None]
NOTICED: dict[str, Fault] = {}
UNNOTICED: dict[str, Fault] = {}  # what the oracle is blind to
FIRST_ORDINAL, SEGMENT_OF_REBASE, SEGMENT_OF_BIND = 0x10, 0x20, 0x70


def noticed(fault: Fault) -> Fault:
    """Register a fault that must show."""
    NOTICED[fault.__name__.replace("_", " ")] = fault
    return fault


def unnoticed(fault: Fault) -> Fault:
    """Register a fault that does not show, as README.md says."""
    UNNOTICED[fault.__name__.replace("_", " ")] = fault
    return fault


# --- where things are


def commands(data: bytearray, kind: int) -> Iterator[int]:
    """Yield the offset of each load command of this kind."""
    at = 32
    for _ in range(struct.unpack_from("<I", data, 16)[0]):
        command, size = struct.unpack_from("<2I", data, at)
        if command & ~0x80000000 == kind:
            yield at
        at += size


def part(data: bytearray, name: str) -> tuple[int, int]:
    """Return offset and size of one of LC_DYLD_INFO's parts."""
    (at,) = commands(data, 0x22)
    index = ["rebase", "bind", "weak", "lazy", "exports"].index(name)
    offset, size = struct.unpack_from("<2I", data, at + 8 + 8 * index)
    return offset, size


def segment(data: bytearray, name: bytes) -> int:
    """Return the offset of a segment's load command."""
    (found,) = (at for at in commands(data, 0x19) if data[at + 8 : at + 24].rstrip(b"\0") == name)
    return found


def section(data: bytearray, name: bytes) -> int:
    """Return the offset of a section's header."""
    for at in commands(data, 0x19):
        for index in range(struct.unpack_from("<I", data, at + 64)[0]):
            header = at + 72 + 80 * index
            if data[header : header + 16].rstrip(b"\0") == name:
                return header
    raise LookupError(name)


def content(data: bytearray, name: bytes) -> tuple[int, int]:
    """Return the file offset and size of a section."""
    header = section(data, name)
    size, offset = struct.unpack_from("<QI", data, header + 40)
    return offset, size


def add(data: bytearray, layout: str, at: int, number: int) -> None:
    """Add to the number at an offset."""
    (value,) = struct.unpack_from(layout, data, at)
    struct.pack_into(layout, data, at, value + number)


def retype(data: bytearray, name: bytes, kind: int) -> None:
    """Give a section another type."""
    data[section(data, name) + 64] = kind


def rename(data: bytearray, name: bytes) -> None:
    """Give a section a name that nothing asks for."""
    at = section(data, name)
    data[at : at + 16] = b"__nothing".ljust(16, b"\0")


def opcode(data: bytearray, name: str, wanted: int) -> int:
    """Return the offset of the first opcode of this kind in a part of LC_DYLD_INFO."""
    at, size = part(data, name)
    end = at + size
    numbers = {0x20: 1, 0x30: 1, 0x60: 1, 0x70: 1, 0x80: 2} if name == "rebase" else {}
    numbers = numbers or {0x20: 1, 0x60: 1, 0x70: 1, 0x80: 1, 0xA0: 1, 0xC0: 2}
    while at < end:
        kind = data[at] & 0xF0
        if kind == wanted:
            return at
        at += 1
        if name != "rebase" and kind == 0x40:
            at = data.index(0, at) + 1
        for _ in range(numbers.get(kind, 0)):
            _, at = uleb(data, at)
    raise LookupError(hex(wanted))


def symbol(data: bytearray, name: str, imported: bytes, instead: bytes) -> None:
    """Let a bind name another symbol of the same length."""
    at, size = part(data, name)
    where = data.index(b"\0", data.index(imported + b"\0", at, at + size)) - len(imported)
    data[where : where + len(instead)] = instead


# --- relocations


@noticed
def no_rebases(data: bytearray) -> None:
    at, _ = part(data, "rebase")
    data[at] = 0


@noticed
def the_second_half_of_the_rebases_missing(data: bytearray) -> None:
    at, size = part(data, "rebase")
    data[at + size // 2] = 0


@noticed
def rebases_eight_bytes_off(data: bytearray) -> None:
    data[opcode(data, "rebase", SEGMENT_OF_REBASE) + 1] ^= 8


@noticed
def rebases_in_another_segment(data: bytearray) -> None:
    data[opcode(data, "rebase", SEGMENT_OF_REBASE)] ^= 3


@noticed
def a_pointer_to_a_neighbour(data: bytearray) -> None:
    at, size = content(data, b"__const")
    header = section(data, b"__const")
    if data[header + 16 : header + 22] == b"__TEXT":  # the one with pointers comes second
        header = data.index(b"__const\0", header + 16)
        at, size = (
            struct.unpack_from("<I", data, header + 48)[0],
            struct.unpack_from("<Q", data, header + 40)[0],
        )
    for place in range(at, at + size, 8):  # each pointer into the image
        if 0x1000 < struct.unpack_from("<Q", data, place)[0] < 0x200000:
            add(data, "<Q", place, 4)


# --- bindings


@noticed
def no_binds(data: bytearray) -> None:
    at, _ = part(data, "bind")
    data[at] = 0


@noticed
def no_lazy_binds(data: bytearray) -> None:
    (at,) = commands(data, 0x22)
    struct.pack_into("<I", data, at + 36, 0)


@noticed
def lazy_binds_eight_bytes_off(data: bytearray) -> None:
    data[opcode(data, "lazy", SEGMENT_OF_BIND) + 1] ^= 8


@noticed
def a_bind_to_another_library(data: bytearray) -> None:
    at, size = part(data, "lazy")
    (first,) = (
        i
        for i in range(at, at + size)
        if data[i : i + 1] == b"\x40" and data[i + 1 :].startswith(b"_memcpy\0")
    )
    data[first - 1] = FIRST_ORDINAL | (data[first - 1] & 0xF) + 1


@noticed
def python_bound_to_a_library(data: bytearray) -> None:
    at, size = part(data, "bind")
    where = data.index(b"\x3e", at, at + size)  # BIND_OPCODE_SET_DYLIB_SPECIAL_IMM, flat
    data[where] = FIRST_ORDINAL | 1


@noticed
def a_bind_to_a_symbol_that_nobody_has(data: bytearray) -> None:
    symbol(data, "lazy", b"_memcpy", b"_memcpz")


@noticed
def a_bind_to_another_function(data: bytearray) -> None:
    symbol(data, "lazy", b"_memcpy", b"_memcmp")


@noticed
def a_bind_to_another_exception(data: bytearray) -> None:
    symbol(data, "bind", b"_PyExc_ValueError", b"_PyExc_IndexError")


@noticed
def a_library_that_is_not_there(data: bytearray) -> None:
    at = data.index(b"/usr/lib/libSystem.B.dylib")
    data[at : at + 26] = b"/usr/lib/libSystem.C.dylib"


# --- unwind tables


@noticed
def no_compact_unwind_tables(data: bytearray) -> None:
    rename(data, b"__unwind_info")


@noticed
def no_dwarf_for_frames_that_need_it(data: bytearray) -> None:
    rename(data, b"__eh_frame")


def frames(data: bytearray) -> Iterator[tuple[int, int, bool]]:
    """Yield offset, end and whether it is a CIE of each entry of __eh_frame."""
    at, size = content(data, b"__eh_frame")
    end = at + size
    while at + 8 <= end:
        length, back = struct.unpack_from("<2I", data, at)
        if length == 0:
            return
        yield at, at + 4 + length, back == 0
        at += 4 + length


@noticed
def another_personality(data: bytearray) -> None:
    for at, _, common in frames(data):
        if common and data[at + 9 : at + 14] == b"zPLR\0":
            add(data, "<i", at + 19, 8)


@noticed
def language_specific_data_of_a_neighbour(data: bytearray) -> None:
    places = [at + 25 for at, _, common in frames(data) if not common and data[at + 24] == 8]
    values = [struct.unpack_from("<q", data, at)[0] + at for at in places]
    for at, value in zip(places, [*values[1:], values[0]], strict=True):
        struct.pack_into("<q", data, at, value - at)


@noticed
def saved_registers_exchanged_in_dwarf(data: bytearray) -> None:
    exchanged = {0x83: 0x8E, 0x8E: 0x83}  # DW_CFA_offset of rbx and r14
    for at, end, common in frames(data):
        for place in range(at + 25 + data[at + 24], end) if not common else ():
            data[place] = exchanged.get(data[place], data[place])


@noticed
def functions_in_dwarf_begin_elsewhere(data: bytearray) -> None:
    for at, _, common in frames(data):
        if not common:
            add(data, "<q", at + 8, 0x100000)


def encodings(data: bytearray) -> Iterator[int]:
    """Yield the offset of each compact encoding with a frame pointer."""
    at, _ = content(data, b"__unwind_info")
    common, count, _, _, index_at, index_count = struct.unpack_from("<6I", data, at + 4)
    places = [at + common + 4 * i for i in range(count)]
    for entry in range(index_count - 1):
        (page,) = struct.unpack_from("<I", data, at + index_at + 12 * entry + 4)
        kind, first, entries, own, own_count = struct.unpack_from("<I4H", data, at + page)
        if kind == 2:
            places += [at + page + first + 8 * i + 4 for i in range(entries)]
        else:
            places += [at + page + own + 4 * i for i in range(own_count)]
    yield from (p for p in places if struct.unpack_from("<I", data, p)[0] >> 24 & 0xF == 1)


@noticed
def saved_registers_in_another_order(data: bytearray) -> None:
    for place in encodings(data):
        (value,) = struct.unpack_from("<I", data, place)
        slots = [value >> 3 * i & 7 for i in range(5)]
        used = [s for s in slots if s]
        turned = iter(used[1:] + used[:1])
        slots = [next(turned) if s else 0 for s in slots]
        value = value & ~0x7FFF | sum(s << 3 * i for i, s in enumerate(slots))
        struct.pack_into("<I", data, place, value)


@noticed
def frames_of_another_kind(data: bytearray) -> None:
    for place in encodings(data):
        (value,) = struct.unpack_from("<I", data, place)
        struct.pack_into("<I", data, place, value & ~0x0F000000 | 0x02000000)


@noticed
def functions_begin_elsewhere(data: bytearray) -> None:
    at, _ = content(data, b"__unwind_info")
    index_at, count = struct.unpack_from("<2I", data, at + 20)
    for entry in range(count):
        add(data, "<I", at + index_at + 12 * entry, 64)


# --- thread-locals


@noticed
def thread_locals_begin_elsewhere(data: bytearray) -> None:
    """What zig's linker does: the first section is not where the strictest alignment wants it."""
    at, size = content(data, b"__thread_vars")
    for place in range(at + 16, at + size, 24):
        add(data, "<Q", place, 8)


@noticed
def all_thread_locals_at_one_place(data: bytearray) -> None:
    at, size = content(data, b"__thread_vars")
    for place in range(at + 16, at + size, 24):
        struct.pack_into("<Q", data, place, 0)


@noticed
def descriptors_that_are_not_marked(data: bytearray) -> None:
    retype(data, b"__thread_vars", 0)


@noticed
def initial_values_that_are_not_marked(data: bytearray) -> None:
    retype(data, b"__thread_data", 0)


@noticed
def zeros_that_are_not_marked(data: bytearray) -> None:
    retype(data, b"__thread_bss", 1)


# --- exports, initialisers, segments


@noticed
def an_export_under_another_name(data: bytearray) -> None:
    at, size = part(data, "exports")
    where = data.index(b"_PyInit", at, at + size)
    data[where : where + 7] = b"_PyUnit"


@noticed
def an_export_at_another_address(data: bytearray) -> None:
    offset, size = part(data, "exports")
    name = data.index(b"\0", data.index(b"_PyInit", offset, offset + size)) + 1
    node, _ = uleb(data, name)
    data[offset + node + 2] ^= 0x10


@noticed
def no_exports(data: bytearray) -> None:
    (at,) = commands(data, 0x22)
    struct.pack_into("<2I", data, at + 40, 0, 0)


@noticed
def initialisers_that_are_not_marked(data: bytearray) -> None:
    retype(data, b"__mod_init_func", 0)


@noticed
def code_that_may_not_run(data: bytearray) -> None:
    struct.pack_into("<I", data, segment(data, b"__TEXT") + 60, 1)


@noticed
def data_that_may_not_be_written(data: bytearray) -> None:
    struct.pack_into("<I", data, segment(data, b"__DATA") + 60, 1)


@noticed
def another_architecture(data: bytearray) -> None:
    struct.pack_into("<I", data, 4, 0x0100000C)


@noticed
def a_segment_that_is_cut_off(data: bytearray) -> None:
    del data[-4096:]


# --- what does not show


@unnoticed
def a_newer_macos(data: bytearray) -> None:
    for kind, offset in ((0x24, 8), (0x32, 12)):
        for at in commands(data, kind):
            struct.pack_into("<I", data, at + offset, 99 << 16)


@unnoticed
def a_library_of_a_newer_version(data: bytearray) -> None:
    for at in commands(data, 0xC):
        struct.pack_into("<I", data, at + 20, 9999 << 16)


@unnoticed
def another_install_name(data: bytearray) -> None:
    for at in commands(data, 0xD):
        (offset,) = struct.unpack_from("<I", data, at + 8)
        data[at + offset + 1] ^= 1


@unnoticed
def a_symbol_that_may_be_missing(data: bytearray) -> None:
    at, size = part(data, "lazy")
    data[data.index(b"\x40_memcpy\0", at, at + size)] |= 1


@unnoticed
def a_symbol_table_that_names_nothing(data: bytearray) -> None:
    (at,) = commands(data, 2)
    struct.pack_into("<I", data, at + 12, 0)


@unnoticed
def code_that_may_be_written(data: bytearray) -> None:
    struct.pack_into("<2I", data, segment(data, b"__TEXT") + 56, 7, 7)


@unnoticed
def a_uuid_of_zeros(data: bytearray) -> None:
    for at in commands(data, 0x1B):
        data[at + 8 : at + 24] = bytes(16)
