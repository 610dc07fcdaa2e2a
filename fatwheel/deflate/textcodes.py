"""A small deflate encoder for new texts, the same on every machine: a zlib's version shows in what it writes.

Texts repeat words, so matches are looked for where a word begins, and where a match has ended (paths of RECORD
go on differently after the same folder). That takes a tenth of the steps that trying every byte does, and for RECORD
and JSON comes near zlib's level 6. Code has no words, and every byte is tried. Blocks have dynamic codes (RFC 1951,
3.2.7).
"""

from __future__ import annotations

import heapq
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fatwheel.deflate.fixedcodes import (
    CODE_LENGTH_ORDER,
    END_OF_BLOCK,
    LENGTH,
    Token,
    by_symbol,
    distance_texts,
    extra_bits,
    length_code,
    packed,
)

__all__ = ["deflate_text", "dynamic_block", "encode_dynamic"]

_BLOCK = 256 * 1024
"""Bytes of content in one block. Each is encoded by itself, so that memory does not grow with the text."""
_SHORTEST = 256
"""Shorter texts are hardly longer than the description of the codes."""
_BEGINS = bytes(not chr(byte).isalnum() or byte >= 128 for byte in range(256))
"""For each byte whether a word may begin there: all but letters and digits of ASCII."""
_WINDOW = 32768
_MIN_MATCH, _MAX_MATCH = 6, 258
"""Shorter matches than 6 would be found more often, and make the result larger."""
_NEAR_MATCH = 64  # bytes that are compared first: few matches are longer
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
        last = int(start + _BLOCK >= len(content))
        bits = f"{bits}{last}{dynamic_block(tokens(block))}"
        stream += packed(bits)
        bits = bits[len(bits) // 8 * 8 :]
        if bits and not last:
            stream.pop()  # it is not whole
    return bytes(stream) if len(stream) < len(content) else None


def _tokens(data: bytes) -> list[int]:
    """Return `data` as new bytes and matches; they are numbers, as `LENGTH` says."""
    tokens: list[int] = []
    literal, add = tokens.extend, tokens.append
    last: dict[bytes, int] = {}  # where bytes stood that begin like what follows
    find, begins, number = last.get, data.translate(_BEGINS).find, int.from_bytes
    end = len(data)
    data += bytes(_MAX_MATCH)  # so that no match meets the end, where the last one is cut
    written = at = length = 0
    while 0 <= at < end:
        key = data[at : at + _MIN_MATCH]
        before = find(key)
        last[key] = at
        if before is None or at - before > _WINDOW:
            at = begins(1, at + 1)
            continue
        # As `_match_length` does it, without a call.
        near = number(data[at : at + _NEAR_MATCH], "big")
        differing = near ^ number(data[before : before + _NEAR_MATCH], "big")
        length = _NEAR_MATCH - (differing.bit_length() + 7 >> 3)
        if not differing:
            length = _match_length(data, before, at)
        if written < at:
            literal(data[written:at])
        add(LENGTH + length)
        add(before - at)
        written = at = at + length
    if at > end:
        tokens[-2] -= at - end
        if tokens[-2] < LENGTH + _MIN_MATCH:
            del tokens[-2:]
            written = at - length
    literal(data[written:end])
    return tokens


def _tokens_at_every_byte(data: bytes) -> list[int]:
    tokens: list[int] = []
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
        length = _match_length(data, before, at)
        tokens += data[written:at]
        tokens += (LENGTH + length, before - at)
        for inner in range(at + 1, min(at + length, end + 1)):
            last[data[inner : inner + _MIN_MATCH_IN_CODE]] = inner
        written = at = at + length
    tokens += data[written:]
    return tokens


def _match_length(data: bytes, before: int, at: int) -> int:
    """Return how many bytes from `at` on are those from `before` on."""
    here = data[at : at + _MAX_MATCH]
    there = data[before : before + len(here)]
    differing = int.from_bytes(here, "big") ^ int.from_bytes(there, "big")
    return len(here) - (differing.bit_length() + 7 >> 3)


def encode_dynamic(tokens: Iterable[Token]) -> str:
    """Return a block of dynamic codes (3.2.7) as bits in the order of the stream, behind BFINAL."""
    numbers: list[int] = []
    for token in tokens:
        numbers += token if isinstance(token, bytes) else (LENGTH + token[0], -token[1])
    return dynamic_block(numbers)


def dynamic_block(numbers: Sequence[int]) -> str:
    """Return what `encode_dynamic` returns of tokens that are numbers, as `LENGTH` says."""
    counts = Counter(numbers)
    values = sorted(counts)
    zero = bisect_left(values, 0)
    symbols = Counter({END_OF_BLOCK: 1})
    lengths = []
    for value in values[zero:]:
        symbol, extra = value, ""
        if value >= LENGTH:
            symbol, rest, bits = length_code(value - LENGTH)
            extra = extra_bits(rest, bits)
        symbols[symbol] += counts[value]
        lengths.append((value, symbol, extra))
    distances = dict(by_symbol(values[:zero]))
    literal_bits = _code_lengths(symbols, _MAX_CODE)
    places = {symbol: sum(map(counts.__getitem__, same)) for symbol, same in distances.items()}
    distance_bits = _code_lengths(places, _MAX_CODE)
    codes, distance_codes = _codes(literal_bits), _codes(distance_bits)
    # How each number is written: a list, as it is faster than a dictionary; distances stand from the end on.
    texts = [""] * (LENGTH + _MAX_MATCH + 1 + _WINDOW)
    for value, symbol, extra in lengths:
        texts[value] = codes[symbol] + extra
    for symbol, same in distances.items():
        for value, text in distance_texts(distance_codes[symbol], same):
            texts[value] = text
    written = map(texts.__getitem__, numbers)
    return "".join(["01", *_header(literal_bits, distance_bits), *written, codes[END_OF_BLOCK]])


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
