"""Bytes of its own that a program carries at the end of its file.

Self-extracting programs (PyInstaller's one-file mode and others like it) look for their data at the
end of the file that they were started from. In a universal file only the last slice ends there, so
a fused program whose slices carry such data would be broken for the other architecture. The data
show in one of two ways:

- bytes after everything that the load commands describe;
- a string table (`LC_SYMTAB`, mach-o/loader.h) that goes on after the last string that a symbol
  names: so that a program with data can be signed, PyInstaller stretches `strsize` and `__LINKEDIT`
  over them.
"""

from __future__ import annotations

import sys
from array import array

from fatwheel.errors import FormatError
from fatwheel.macho.probe import LARGEST_RANGE, Parser, Range, pieces
from fatwheel.macho.undefined import Names
from fatwheel.macho.wire import NLIST, NLIST_64
from fatwheel.values import valueclass

__all__ = ["LARGEST_STRING_TABLE_PADDING", "Payload", "SymbolTable", "find_payload"]

LARGEST_STRING_TABLE_PADDING = 16
"""Bytes after the last string that linkers leave; at most 7 in 892 string tables from PyPI."""

_N_INDR_TYPES = b"\x0a\x0b\x1a\x1b"  # N_INDR with every N_EXT and N_PEXT (mach-o/nlist.h)
_HOST_ORDER = "<" if sys.byteorder == "little" else ">"


@valueclass
class Payload:
    """Where the data lie: `offset` from the start of the image (of the slice), `size` in bytes."""

    offset: int
    size: int


@valueclass
class SymbolTable:
    """`LC_SYMTAB` (mach-o/loader.h): offsets from the start of the image, sizes in bytes."""

    order: str
    is64: bool
    symoff: int
    nsyms: int
    stroff: int
    strsize: int

    @property
    def entry_size(self) -> int:
        """Bytes of one nlist."""
        return NLIST_64.size if self.is64 else NLIST.size

    @property
    def start(self) -> int:
        """The first byte of both tables; 0 where both are empty."""
        return min((start for start, _ in self.areas), default=0)

    @property
    def end(self) -> int:
        """The first byte after both tables; 0 where both are empty."""
        return max((end for _, end in self.areas), default=0)

    @property
    def areas(self) -> list[tuple[int, int]]:
        """Where both tables lie, from first byte to the one after the last, but for an empty one."""
        both = (self.symoff, self.symbols_end), (self.stroff, self.strings_end)
        return sorted((start, end) for start, end in both if end > start)

    @property
    def symbols_end(self) -> int:
        """The first byte after the nlists."""
        return self.symoff + self.nsyms * self.entry_size

    @property
    def strings_end(self) -> int:
        """The first byte after the string table."""
        return self.stroff + self.strsize


def find_payload(
    source: str,
    *,
    base: int,
    size: int,
    read: int,
    described: int,
    table: SymbolTable | None,
    names: Names | None = None,
) -> Parser[Payload | None]:
    """Look for data of its own at the end of the image at byte `base` of the source.

    `size` is the image's, the first `read` bytes of it were asked for already, and `described` is
    the end of everything that its load commands describe. `names` gets to see both tables, where the
    strings lie behind the symbols. Raises `FormatError` where symbols and strings overlap each other
    or the load commands, or the source ends too soon.
    """
    if table is not None and table.strsize:
        end = yield from _strings_used(source, base, read, table, names)
        if table.strings_end - end > LARGEST_STRING_TABLE_PADDING:
            return Payload(offset=end, size=table.strings_end - end)
    return Payload(offset=described, size=size - described) if size > described else None


def _strings_used(
    source: str, base: int, read: int, table: SymbolTable, names: Names | None
) -> Parser[int]:
    """Return where in the image the last string ends that a symbol names."""
    position = read
    for start, end in table.areas:
        if start < position:
            problem = (
                f"LC_SYMTAB: the table at {start} overlaps the load commands or the table"
                f" that end at {position}; the file is damaged"
            )
            raise FormatError(source, base + start, problem)
        position = end
    if table.stroff < table.symoff and table.nsyms:
        return (yield from _strings_first(source, base, table))
    last = yield from _last_string(source, base, table, names)
    if last is None or last >= table.strsize:
        return table.stroff if last is None else table.strings_end
    strings = base + table.stroff
    start = strings + (last if names is None else names.first_string(last))
    for piece in pieces(start, base + table.strings_end - start):
        data = yield piece
        if names is not None:
            names.read(piece.offset - strings, data)
        if (nul := data.find(0, max(0, strings + last - piece.offset))) >= 0:
            return piece.offset + nul + 1 - base
        _check_length(source, piece, data)
    return table.strings_end


def _strings_first(source: str, base: int, table: SymbolTable) -> Parser[int]:
    """The string table lies before the symbols, so only its tail can be kept until they are known.

    Where no symbol names a string within the tail, all of the tail counts as unused.
    """
    size = min(table.strsize, LARGEST_RANGE)
    tail_at = table.strings_end - size
    piece = Range(base + tail_at, size)
    tail = yield piece
    _check_length(source, piece, tail)
    last = yield from _last_string(source, base, table)
    start = table.stroff if last is None else table.stroff + last
    if start < tail_at:
        return tail_at
    nul = tail.find(0, start - tail_at)
    return tail_at + nul + 1 if nul >= 0 else table.strings_end


def _last_string(
    source: str, base: int, table: SymbolTable, names: Names | None = None
) -> Parser[int | None]:
    """Return the largest index into the string table that a symbol names, or None."""
    entry = table.entry_size
    words_per_entry = entry // 4
    last = None
    for piece in pieces(base + table.symoff, table.nsyms * entry, unit=entry):
        data = yield piece
        _check_length(source, piece, data)
        if names is not None:
            names.see(data)
        words = array("I", data)
        if table.order != _HOST_ORDER:
            words.byteswap()
        named = max(words[::words_per_entry])
        last = named if last is None else max(last, named)
        types = data[4::entry]
        if any(kind in types for kind in _N_INDR_TYPES):  # n_value is another index
            low = 2 if table.order == "<" or not table.is64 else 3
            last = max(
                last,
                *(
                    words[index * words_per_entry + low]
                    for index, kind in enumerate(types)
                    if kind in _N_INDR_TYPES
                ),
            )
    return last


def _check_length(source: str, piece: Range, data: bytes) -> None:
    if len(data) < piece.size:
        at = piece.offset + len(data)
        raise FormatError(source, at, f"the data end here, within a table that ends at {piece.end}")
