"""A builder of LLVM bitcode: as much of a module as a reader of its target triple needs."""

from __future__ import annotations

__all__ = ["MAGIC", "Bits", "module"]

MAGIC = b"BC\xc0\xde"


class Bits:
    """A writer of bit fields, the counterpart of what bitcode files are read with."""

    def __init__(self) -> None:
        self.value = self.count = 0

    def fixed(self, value: int, width: int) -> Bits:
        self.value |= value << self.count
        self.count += width
        return self

    def variable(self, value: int, width: int) -> Bits:
        high = 1 << (width - 1)
        while value >= high:
            self.fixed(value & (high - 1) | high, width)
            value >>= width - 1
        return self.fixed(value, width)

    def align(self) -> Bits:
        self.count += -self.count % 32
        return self

    def block(self, number: int, words: int) -> Bits:
        """Enter a block of this many words whose abbreviation ids have 3 bits."""
        self.fixed(1, 2 if self.count < 32 else 3).variable(number, 8).variable(3, 4).align()
        return self.fixed(words, 32)

    def record(self, code: int, operands: bytes) -> Bits:
        self.fixed(3, 3).variable(code, 6).variable(len(operands), 6)
        for operand in operands:
            self.variable(operand, 6)
        return self

    def skip(self, words: int) -> Bits:
        self.count += words * 32
        return self

    def data(self) -> bytes:
        return MAGIC + self.align().value.to_bytes(self.count // 8, "little")


def module(triple: bytes) -> Bits:
    """A module's head, as far as its target triple."""
    return Bits().block(8, 0).record(1, b"\2").record(2, triple)
