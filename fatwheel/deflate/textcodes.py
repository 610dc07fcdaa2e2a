"""A small deflate encoder for new texts, the same on every machine: a zlib's version shows in what it writes.

Texts repeat words, so matches are looked for where a word begins, and where a match has ended (paths of RECORD
go on differently after the same folder). That takes a tenth of the steps that trying every byte does, and for RECORD
and JSON comes near zlib's level 6. Code has no words, and every byte is tried. Blocks have dynamic codes (RFC 1951,
3.2.7).
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from fatwheel.deflate.fixedcodes import (
    CODE_LENGTH_ORDER,
    END_OF_BLOCK,
    Token,
    distance_code,
    extra_bits,
    length_code,
    packed,
)

__all__ = ["deflate_text", "encode_dynamic"]

_BLOCK = 256 * 1024
"""Bytes of content in one block. Each is encoded by itself, so that memory does not grow with the text."""
_SHORTEST = 256
"""Shorter texts are hardly longer than the description of the codes."""
_BEGINS = bytes(not chr(byte).isalnum() or byte >= 128 for byte in range(256))
"""For each byte whether a word may begin there: all but letters and digits of ASCII."""
_WINDOW = 32768
_MIN_MATCH, _MAX_MATCH = 6, 258
"""Shorter matches than 6 would be found more often, and make the result larger."""
_NEAR_MATCH = 32  # bytes that are compared first: few matches are longer
_MIN_MATCH_IN_CODE = 4
_MAX_CODE, _MAX_LENGTH_CODE = 15, 7  # bits


def deflate_text(content: bytes, *, words: bool = True) -> bytes | None:
    """Return a deflate stream of `content`; None where it would not be shorter than the content.

    Without `words`, matches are looked for at every byte.
    """
    if len(content) < _SHORTEST:
        return None
    stream = bytearray()
    bits = ""  # in the order of the stream
    tokens = _tokens if words else _tokens_at_every_byte
    for start in range(0, len(content), _BLOCK):
        block = content[start : start + _BLOCK]
        bits += str(int(start + _BLOCK >= len(content))) + encode_dynamic(tokens(block))
        whole = len(bits) // 8
        stream += packed(bits[: 8 * whole])
        bits = bits[8 * whole :]
    stream += packed(bits)
    return bytes(stream) if len(stream) < len(content) else None


def _tokens(data: bytes) -> list[Token]:
    """Return `data` as new bytes and matches."""
    tokens: list[Token] = []
    last: dict[bytes, int] = {}  # where bytes stood that begin like what follows
    add, find, begins = tokens.append, last.get, data.translate(_BEGINS).find
    written = at = 0
    while at >= 0:
        key = data[at : at + _MIN_MATCH]
        before = find(key)
        last[key] = at
        if (
            before is not None
            and at - before <= _WINDOW
            and (length := _match_length(data, before, at)) >= _MIN_MATCH
        ):
            if written < at:
                add(data[written:at])
            add((length, at - before))
            written = at = at + length
        else:
            at = begins(1, at + 1)
    if written < len(data):
        add(data[written:])
    return tokens


def _tokens_at_every_byte(data: bytes) -> list[Token]:
    tokens: list[Token] = []
    last: dict[bytes, int] = {}
    written = at = 0
    end = len(data) - _MIN_MATCH_IN_CODE
    while at <= end:
        key = data[at : at + _MIN_MATCH_IN_CODE]
        before = last.get(key)
        last[key] = at
        if before is None or at - before > _WINDOW:
            at += 1
            continue
        if written < at:
            tokens.append(data[written:at])
        length = _match_length(data, before, at)
        tokens.append((length, at - before))
        for inner in range(at + 1, min(at + length, end + 1)):
            last[data[inner : inner + _MIN_MATCH_IN_CODE]] = inner
        written = at = at + length
    if written < len(data):
        tokens.append(data[written:])
    return tokens


def _match_length(data: bytes, before: int, at: int) -> int:
    """Return how many bytes from `at` on are those from `before` on."""
    here = data[at : at + _NEAR_MATCH]
    there = data[before : before + len(here)]
    if here == there:
        here = data[at : at + _MAX_MATCH]
        there = data[before : before + len(here)]
        if here == there:
            return len(here)
    differing = int.from_bytes(here, "little") ^ int.from_bytes(there, "little")
    return (differing & -differing).bit_length() - 1 >> 3


def encode_dynamic(tokens: Sequence[Token]) -> str:
    """Return a block of dynamic codes (3.2.7) as bits in the order of the stream, behind BFINAL."""
    matches = [token for token in tokens if isinstance(token, tuple)]
    lengths = {length: length_code(length) for length, _ in matches}
    distances = {distance: distance_code(distance) for _, distance in matches}
    symbols = Counter(b"".join([token for token in tokens if isinstance(token, bytes)]))
    symbols.update([lengths[length][0] for length, _ in matches])
    symbols[END_OF_BLOCK] = 1
    bits = _code_lengths(symbols, _MAX_CODE)
    distance_bits = _code_lengths(Counter([distances[d][0] for _, d in matches]), _MAX_CODE)
    codes, distance_codes = _codes(bits), _codes(distance_bits)
    length_texts = _with_extra(lengths, codes)
    distance_texts = _with_extra(distances, distance_codes)
    literal = [codes.get(byte, "") for byte in range(256)].__getitem__
    written = ["01", *_header(bits, distance_bits)]
    for token in tokens:
        if isinstance(token, bytes):
            written += map(literal, token)
        else:
            written += (length_texts[token[0]], distance_texts[token[1]])
    written.append(codes[END_OF_BLOCK])
    return "".join(written)


def _with_extra(
    values: Mapping[int, tuple[int, int, int]], codes: Mapping[int, str]
) -> dict[int, str]:
    """Return how each value is written: its symbol's code and its extra bits."""
    return {
        value: codes[symbol] + extra_bits(extra, count)
        for value, (symbol, extra, count) in values.items()
    }


def _header(literals: Mapping[int, int], distances: Mapping[int, int]) -> Iterator[str]:
    """Yield the description of both codes (3.2.7), each given as the length of every symbol's code."""
    counts = max(literals) + 1, max(distances) + 1
    lengths = [
        code.get(symbol, 0)
        for code, count in zip((literals, distances), counts, strict=True)
        for symbol in range(count)
    ]
    shortened = list(_shortened(lengths))
    bits = _code_lengths(Counter(symbol for symbol, _, _ in shortened), _MAX_LENGTH_CODE)
    codes = _codes(bits)
    order = [bits.get(symbol, 0) for symbol in CODE_LENGTH_ORDER]
    while not order[-1]:
        order.pop()
    order += [0] * (4 - len(order))
    yield (
        extra_bits(counts[0] - 257, 5)
        + extra_bits(counts[1] - 1, 5)
        + extra_bits(len(order) - 4, 4)
    )
    yield from (extra_bits(count, 3) for count in order)
    yield from (codes[symbol] + extra_bits(extra, count) for symbol, extra, count in shortened)


_RUN = re.compile(rb"(.)\1*", re.DOTALL)


def _shortened(lengths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield symbols of the code length alphabet, each with its extra bits and their number."""
    for run in _RUN.finditer(bytes(lengths)):
        length, left = run[1][0], run.end() - run.start()
        if length:
            yield length, 0, 0
            left -= 1
        while left >= 3:
            if length:
                symbol, bits, most = 16, 2, 6
            elif left < 11:
                symbol, bits, most = 17, 3, 10
            else:
                symbol, bits, most = 18, 7, 138
            count = min(left, most)
            yield symbol, count - (11 if symbol == 18 else 3), bits
            left -= count
        yield from [(length, 0, 0)] * left


def _code_lengths(counts: Mapping[int, int], longest: int) -> dict[int, int]:
    """Return how many bits each symbol's code has in Huffman's code for these counts, at most `longest`.

    There are two codes at least: readers differ about codes with fewer (3.2.7 on distance codes).
    """
    weights = {symbol: counts[symbol] for symbol in sorted(counts)}
    for symbol in range(2):
        if len(weights) < 2:
            weights.setdefault(symbol, 1)
    while True:
        lengths = dict.fromkeys(weights, 0)
        # The second value settles ties: every machine makes the same code.
        heap = [(weight, order, [symbol]) for order, (symbol, weight) in enumerate(weights.items())]
        heapq.heapify(heap)
        order = len(heap)
        while len(heap) > 1:
            weight, _, symbols = heapq.heappop(heap)
            more, _, others = heap[0]
            symbols += others
            for symbol in symbols:
                lengths[symbol] += 1
            heapq.heapreplace(heap, (weight + more, order, symbols))
            order += 1
        if max(lengths.values()) <= longest:
            return lengths
        weights = {symbol: weight + 1 >> 1 for symbol, weight in weights.items()}


def _codes(lengths: Mapping[int, int]) -> dict[int, str]:
    """Return the canonical code (3.2.2) of each symbol, first bit first."""
    codes = {}
    code = before = 0
    for length, symbol in sorted((length, symbol) for symbol, length in lengths.items()):
        code <<= length - before
        before = length
        codes[symbol] = f"{code:0{length}b}"
        code += 1
    return codes
