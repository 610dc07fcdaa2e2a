"""Which symbols an image takes from other images, by the library that it expects each from.

An undefined symbol's nlist (mach-o/nlist.h) has the number of a load command in the high byte of `n_desc`
(GET_LIBRARY_ORDINAL), counted from 1; 254 (DYNAMIC_LOOKUP_ORDINAL) stands for whatever is loaded. An
image without MH_TWOLEVEL has no such numbers. Weak symbols may stay undefined, and of those that refer
to a weak definition dyld takes the first that it meets, so neither is gathered. What comes from macOS is gathered
where macOS did not always have it (`fatwheel.macho.newcomers`), weak definitions included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

__all__ = ["ANYWHERE", "Names", "Undefined"]

ANYWHERE = 254
"""The ordinal of what may come from any image (DYNAMIC_LOOKUP_ORDINAL)."""

_UNDEFINED = 0x01  # N_UNDF | N_EXT
_WEAK_REF, _REF_TO_WEAK = 0x40, 0x80
_EVERYWHERE = (
    *(b"_Py", b"__Py"),  # what the interpreter exports
    *(
        b"dyld_stub_binder",
        b"_objc_",
        b"_OBJC_",
    ),  # libSystem and Objective-C, which every process has
    *(
        b"___cxa_",
        b"___gxx_",
        b"__Zn",
        b"__Zd",
        b"__ZSt",
        b"__ZNSt",
        b"__ZNKSt",
        b"__ZTVNSt",
        b"__ZTISt",
    ),  # C++
)
"""How symbols begin that are found in every process of Python, whoever asks."""
_MOST, _WIDEST = (
    50_000,
    8 << 20,
)  # names, and bytes of the string table that are looked through for them
_LONGEST = 4096  # bytes of a name


class Undefined(NamedTuple):
    """A symbol that must come from elsewhere: its name as it stands in the file, and from where (see above)."""

    name: bytes
    ordinal: int


class Names:
    """Gathers undefined symbols while the symbol table and the strings behind it pass by.

    `wanted` are the ordinals that matter, and `system` says which symbols do for some of macOS's libraries.
    """

    def __init__(
        self, wanted: frozenset[int], system: Mapping[int, Callable[[bytes], bool]] | None = None
    ) -> None:
        self._system = system or {}
        self._unlike = dict.fromkeys(wanted, _WEAK_REF | _REF_TO_WEAK)  # bits that others have
        self._unlike |= dict.fromkeys(self._system, _WEAK_REF)
        self._places: list[tuple[int, int]] = []  # index into the string table, ordinal
        self._next = 0
        self._carry = b""
        self._carry_at = 0
        self._found: list[Undefined] | None = []

    def see(self, nlists: bytes) -> None:
        """Look at some nlist_64 of a little-endian image."""
        if self._found is None:
            return
        types, lows, highs = nlists[4::16], nlists[6::16], nlists[7::16]
        index = types.find(_UNDEFINED)
        while index >= 0:
            ordinal = highs[index]
            if not lows[index] & self._unlike.get(ordinal, 0xFF) and ordinal in self._unlike:
                at = index * 16
                self._places.append((int.from_bytes(nlists[at : at + 4], "little"), ordinal))
            index = types.find(_UNDEFINED, index + 1)
        if len(self._places) > _MOST:
            self._found = None

    def first_string(self, last: int) -> int:
        """Return from which index of the string table on strings are wanted; `last` where none is."""
        if self._found is None or not self._places:
            return last
        self._places.sort()
        if self._spread() > _WIDEST:
            self._places = [place for place in self._places if place[1] not in self._system]
        if self._spread() > _WIDEST:
            self._found = None
        if self._found is None or not self._places:
            return last
        return min(self._places[0][0], last)

    def _spread(self) -> int:
        """Return how far the strings lie from each other, in bytes."""
        return self._places[-1][0] - self._places[0][0] if self._places else 0

    def read(self, at: int, data: bytes) -> None:
        """Take the strings' bytes from index `at` on; pieces follow each other."""
        if self._found is None or self._next == len(self._places):
            return
        if self._carry:
            at, data = self._carry_at, self._carry + data
        while self._next < len(self._places):
            place, ordinal = self._places[self._next]
            start = place - at
            if start < 0:
                self._found = None
                return
            end = data.find(0, start)
            if end < 0:
                self._carry, self._carry_at = data[start:], at + start
                if len(self._carry) > _LONGEST:
                    self._found = None
                if start > len(data):
                    self._carry = b""
                return
            name = data[start:end]
            if self._matters(name, ordinal):
                self._found.append(Undefined(name, ordinal))
            self._next += 1
        self._carry = b""

    def _matters(self, name: bytes, ordinal: int) -> bool:
        if ordinal == ANYWHERE:
            return not name.startswith(_EVERYWHERE)
        return ordinal not in self._system or self._system[ordinal](name)

    def result(self) -> tuple[Undefined, ...] | None:
        """Return what was found; None where there are too many, or the strings were not where they should be."""
        complete = self._found is not None and self._next == len(self._places)
        return tuple(self._found or ()) if complete else None
