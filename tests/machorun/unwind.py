"""Apple's compact unwind tables as DWARF, which libgcc's unwinder reads.

`__unwind_info` says for each function how its frame is left; what it cannot say lies in `__eh_frame`. Both become
one table with plain 8-byte pointers: libgcc (of GCC 12) asks the first table that begins at or before an address.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tests.machorun.fixups import sleb, uleb
from tests.machorun.reader import BadImageError

HAS_LSDA, PERSONALITY = 0x40000000, 0x30000000
# The registers that x86_64's encodings name, as DWARF numbers them: rbx, r12 to r15, rbp.
X86_64_REGISTERS = (3, 12, 13, 14, 15, 6)
RBP, RSP, FP, SP = 6, 7, 29, 31


@dataclass(frozen=True)
class Function:
    """A function's range (offsets from the image's base), encoding and language-specific data (offset, or 0)."""

    start: int
    end: int
    encoding: int
    lsda: int


class Memory:
    """The image's bytes as they lie in memory, by offset from its base, which is at `base`."""

    def __init__(self, data: bytes | bytearray, base: int) -> None:
        """Take what was fixed up already."""
        self.data = data
        self.base = base


def table(arch: str, memory: Memory, compact: int | None, frames: tuple[int, int] | None) -> bytes:
    """Return an `.eh_frame` section for the image; `compact` and `frames` (start, end) are its sections' offsets."""
    writer = _Writer(memory.base, 16 if arch == "x86_64" else 30)
    dwarf = {entry.start: entry for entry in _dwarf(memory, *frames)} if frames else {}
    by_place = {entry.place: entry for entry in dwarf.values()}
    covered: set[int] = set()
    if compact is not None:
        mode_for_dwarf = 4 if arch == "x86_64" else 3
        personalities = _personalities(memory, compact)
        for function in _functions(memory.data, compact):
            covered.add(function.start)
            mode = function.encoding >> 24 & 0xF
            if function.encoding == 0:
                continue
            if mode == mode_for_dwarf:
                place = function.encoding & 0xFFFFFF
                first = frames[0] if frames else 0
                entry = by_place.get(first + place) if place else dwarf.get(function.start)
                if entry is None:
                    raise BadImageError(f"no entry of __eh_frame lies at {place:#x}")
                writer.copy(entry)
                continue
            which = (function.encoding & PERSONALITY) >> 28
            rules = (_x86_64 if arch == "x86_64" else _arm64)(function, memory)
            writer.add(
                function.start,
                function.end - function.start,
                personalities[which - 1] if which else 0,
                memory.base + function.lsda if function.lsda else 0,
                rules,
            )
    for entry in dwarf.values():
        if entry.start not in covered:
            writer.copy(entry)
    return writer.finish()


# --- compact


def _personalities(memory: Memory, at: int) -> list[int]:
    offset, count = struct.unpack_from("<2I", memory.data, at + 12)
    slots = struct.unpack_from(f"<{count}I", memory.data, at + offset)
    return [struct.unpack_from("<Q", memory.data, slot)[0] for slot in slots]


def _functions(data: bytes | bytearray, at: int) -> Iterator[Function]:
    version, common_at, common_count, _, _, index_at, index_count = struct.unpack_from(
        "<7I", data, at
    )
    if version != 1:
        raise BadImageError(f"__unwind_info of version {version} is unknown")
    common = struct.unpack_from(f"<{common_count}I", data, at + common_at)
    index = [struct.unpack_from("<3I", data, at + index_at + 12 * i) for i in range(index_count)]
    lsda_at, lsda_end = at + index[0][2], at + index[-1][2]
    lsda = dict(struct.iter_unpack("<2I", data[lsda_at:lsda_end]))
    entries: list[tuple[int, int]] = []
    for start, page, _ in index[:-1]:
        if page:
            entries.extend(_page(data, at + page, start, common))
    ends = [start for start, _ in entries[1:]] + [index[-1][0]]
    for (start, encoding), end in zip(entries, ends, strict=True):
        yield Function(start, end, encoding, lsda[start] if encoding & HAS_LSDA else 0)


def _page(
    data: bytes | bytearray, at: int, base: int, common: tuple[int, ...]
) -> Iterator[tuple[int, int]]:
    kind, entries_at, count, encodings_at, encodings = struct.unpack_from("<I4H", data, at)
    if kind == 2:
        yield from struct.iter_unpack("<2I", data[at + entries_at : at + entries_at + 8 * count])
    elif kind == 3:
        known = common + struct.unpack_from(f"<{encodings}I", data, at + encodings_at)
        for word in struct.unpack_from(f"<{count}I", data, at + entries_at):
            yield base + (word & 0xFFFFFF), known[word >> 24]
    else:
        raise BadImageError(f"a page of __unwind_info has the unknown kind {kind}")


def _uleb(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def _frame(register: int, offset: int) -> bytes:
    return bytes([0x0C, register]) + _uleb(offset)  # DW_CFA_def_cfa


def _saved(register: int, below: int) -> bytes:
    """`register` is saved `below` bytes below the frame's address."""
    slots = _uleb(below // 8)
    if register < 64:
        return bytes([0x80 | register]) + slots  # DW_CFA_offset
    return bytes([0x05]) + _uleb(register) + slots  # DW_CFA_offset_extended


def _x86_64(function: Function, memory: Memory) -> bytes:
    encoding = function.encoding
    mode = encoding >> 24 & 0xF
    if mode == 1:
        rules = [_frame(RBP, 16), _saved(RBP, 16), _saved(16, 8)]
        first = (encoding >> 16 & 0xFF) * 8
        for slot in range(5):
            which = encoding >> 3 * slot & 7
            if which:
                rules.append(_saved(X86_64_REGISTERS[which - 1], 16 + first - 8 * slot))
        return b"".join(rules)
    if mode not in (2, 3):
        raise BadImageError(f"the unwind encoding {encoding:#x} is unknown")
    size = (encoding >> 16 & 0xFF) * 8
    if mode == 3:  # the size stands in the function's own `sub rsp, …`
        (size,) = struct.unpack_from("<I", memory.data, function.start + (encoding >> 16 & 0xFF))
        size += 8 * (encoding >> 13 & 7)
    count = encoding >> 10 & 7
    rules = [_frame(RSP, size), _saved(16, 8)]
    for slot, which in enumerate(_permutation(encoding & 0x3FF, count)):
        rules.append(_saved(X86_64_REGISTERS[which], 8 + 8 * (count - slot)))
    return b"".join(rules)


def _permutation(number: int, count: int) -> list[int]:
    """Return which `count` of the six registers were saved, in the order of their addresses."""
    digits = []
    base = 1
    for place in range(count - 1, -1, -1):  # the last digit is the smallest
        choices = 6 - place
        if count == 6 and place == 5:
            choices = 1
        digits.append(number // base % choices)
        base *= choices
    left = list(range(6))
    return [left.pop(digit) for digit in reversed(digits)]


def _arm64(function: Function, memory: Memory) -> bytes:
    encoding = function.encoding
    mode = encoding >> 24 & 0xF
    if mode == 4:
        rules = [_frame(FP, 16), _saved(FP, 16), _saved(30, 8)]
        below = 24
    elif mode == 2:
        rules = [_frame(SP, (encoding >> 12 & 0xFFF) * 16)]
        below = 8
    else:
        raise BadImageError(f"the unwind encoding {encoding:#x} is unknown")
    pairs = [(0x1, 19), (0x2, 21), (0x4, 23), (0x8, 25), (0x10, 27)]
    pairs += [(0x100, 72), (0x200, 74), (0x400, 76), (0x800, 78)]
    for bit, register in pairs:
        if encoding & bit:
            rules += [_saved(register, below), _saved(register + 1, below + 8)]
            below += 16
    return b"".join(rules)


# --- __eh_frame


@dataclass(frozen=True)
class Common:
    """What the entries of one CIE share."""

    head: bytes  # alignment factors and the return address's column
    personality: int
    pointers: int
    lsda: int
    augmented: bool
    signal: bool
    rules: bytes


@dataclass(frozen=True)
class Entry:
    """An FDE: its own offset and its function's (from the image's base), and what unwinds it."""

    place: int
    start: int
    size: int
    common: Common
    lsda: int
    rules: bytes


class _Pointers:
    """Reads encoded pointers; all are addresses in this process."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def read(self, at: int, encoding: int) -> tuple[int, int]:
        data, start = self.memory.data, at
        if encoding == 0xFF:
            return 0, at
        kind = encoding & 0xF
        if kind == 1:
            value, at = uleb(data, at)
        elif kind == 9:
            value, at = sleb(data, at)
        else:
            layout = {0: "<Q", 2: "<H", 3: "<I", 4: "<Q", 0xA: "<h", 0xB: "<i", 0xC: "<q"}[kind]
            (value,) = struct.unpack_from(layout, data, at)
            at += struct.calcsize(layout)
        if value == 0:
            return 0, at
        if encoding & 0x70 == 0x10:
            value = value + self.memory.base + start & 0xFFFFFFFFFFFFFFFF
        elif encoding & 0x70:
            raise BadImageError(f"the pointer encoding {encoding:#x} is unknown")
        if encoding & 0x80:
            (value,) = struct.unpack_from("<Q", data, value - self.memory.base)
        return value, at


def _dwarf(memory: Memory, at: int, end: int) -> Iterator[Entry]:
    pointers, known = _Pointers(memory), dict[int, Common]()
    data = memory.data
    while at + 4 <= end:
        (length,) = struct.unpack_from("<I", data, at)
        if length == 0:
            return
        if length == 0xFFFFFFFF or at + 4 + length > end:
            raise BadImageError(f"__eh_frame is damaged at {at:#x}")
        place, body, at = at, at + 4, at + 4 + length
        (back,) = struct.unpack_from("<I", data, body)
        if back == 0:
            known[place] = _common(memory, pointers, body + 4, at)
            continue
        common = known[body - back]
        start, next_ = pointers.read(body + 4, common.pointers)
        size, next_ = pointers.read(next_, common.pointers & 0xF)
        lsda = 0
        if common.augmented:
            extra, next_ = uleb(data, next_)
            if common.lsda != 0xFF:
                lsda, _ = pointers.read(next_, common.lsda)
            next_ += extra
        rules = bytes(data[next_:at])
        yield Entry(place, start - memory.base, size, common, lsda, rules)


def _common(memory: Memory, pointers: _Pointers, at: int, end: int) -> Common:
    data = memory.data
    version = data[at]
    close = data.index(0, at + 1)
    augmentation = bytes(data[at + 1 : close]).decode()
    start = close + 1
    _, at = uleb(data, start)
    _, at = sleb(data, at)
    if version == 1:
        at += 1
    else:
        _, at = uleb(data, at)
    head = bytes(data[start:at]) if version == 1 else b""
    if not head:
        raise BadImageError(f"__eh_frame has entries of version {version}")
    personality, encoding, lsda, signal = 0, 0, 0xFF, False
    if augmentation.startswith("z"):
        size, at = uleb(data, at)
        rules_at = at + size
        for letter in augmentation[1:]:
            if letter == "P":
                personality, at = pointers.read(at + 1, data[at])
            elif letter == "L":
                lsda, at = data[at], at + 1
            elif letter == "R":
                encoding, at = data[at], at + 1
            elif letter == "S":
                signal = True
            else:
                raise BadImageError(f"__eh_frame has the unknown augmentation {augmentation}")
        at = rules_at
    elif augmentation:
        raise BadImageError(f"__eh_frame has the unknown augmentation {augmentation}")
    rules = bytes(data[at:end])
    return Common(head, personality, encoding, lsda, augmentation.startswith("z"), signal, rules)


# --- what libgcc reads


class _Writer:
    def __init__(self, base: int, return_column: int) -> None:
        self.base = base
        self.made = bytearray()
        self.commons: dict[tuple[bytes, int, bool, bytes], int] = {}
        self.plain = bytes([1, 0x78, return_column])  # factors 1 and -8

    def add(self, start: int, size: int, personality: int, lsda: int, rules: bytes) -> None:
        self._entry(self._common(self.plain, personality, False, b""), start, size, lsda, rules)

    def copy(self, entry: Entry) -> None:
        common = entry.common
        at = self._common(common.head, common.personality, common.signal, common.rules)
        self._entry(at, entry.start, entry.size, entry.lsda, entry.rules)

    def _common(self, head: bytes, personality: int, signal: bool, rules: bytes) -> int:
        key = (head, personality, signal, rules)
        if key not in self.commons:
            letters = b"z" + (b"P" if personality else b"") + b"LR" + (b"S" if signal else b"")
            values = (b"\0" + struct.pack("<Q", personality) if personality else b"") + b"\0\0"
            body = b"\1" + letters + b"\0" + head + _uleb(len(values)) + values + rules
            self.commons[key] = self._put(struct.pack("<I", 0) + body)
        return self.commons[key]

    def _entry(self, common: int, start: int, size: int, lsda: int, rules: bytes) -> None:
        here = len(self.made) + 4
        body = struct.pack("<IQQBQ", here - common, self.base + start, size, 8, lsda)
        self._put(body + rules)

    def _put(self, body: bytes) -> int:
        at = len(self.made)
        body += b"\0" * (-(len(body) + 4) % 8)  # DW_CFA_nop
        self.made += struct.pack("<I", len(body)) + body
        return at

    def finish(self) -> bytes:
        return bytes(self.made) + b"\0" * 8
