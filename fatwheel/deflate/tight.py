"""A tighter deflate encoder, some ten times as slow: for texts where every byte counts.

Of all ways to write a text as bytes and matches (RFC 1951, 3.2.4) it takes the shortest by what codes of the
round before cost, for some rounds, as zopfli does. The result is the same on every machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from fatwheel.archive.format import Method
from fatwheel.archive.writer import MemberData
from fatwheel.deflate.fixedcodes import (
    END_OF_BLOCK,
    Token,
    distance_code,
    encode_fixed,
    length_code,
    packed,
)
from fatwheel.deflate.splice import new_text
from fatwheel.deflate.textcodes import encode_dynamic

__all__ = ["deflate_tight", "tight_text"]

_LARGEST = 256 * 1024  # bytes of content, in one block; that takes some seconds
_WINDOW, _SHORTEST, _LONGEST = 32768, 3, 258
_CHAIN = 48  # earlier places that are looked at
_ROUNDS = 4
_SPLIT = 32  # longer matches are taken whole
_BIT = 16  # costs are in sixteenths of a bit
_NEVER = 1 << 60


def tight_text(content: bytes) -> MemberData:
    """Return a text that is in no wheel as `splice.new_text` does, but in fewer bytes, where it is not too large."""
    plain = new_text(content)
    if len(content) > _LARGEST:
        return plain
    stream = deflate_tight(content)
    if len(stream) >= plain.compressed_size:
        return plain
    return MemberData(
        method=Method.DEFLATED, compressed_size=len(stream), size=len(content), pieces=(stream,)
    )


def deflate_tight(content: bytes) -> bytes:
    """Return a deflate stream of `content`, as short as this encoder knows, in one block."""
    matches = list(_matches(content))
    literals, lengths, distances = [8 * _BIT] * 256, [7 * _BIT] * 259, [5 * _BIT] * 30
    best = packed("1" + encode_fixed([content] if content else []))
    for _ in range(_ROUNDS):
        tokens = _shortest(content, matches, literals, lengths, distances)
        for bits in (encode_dynamic(tokens), encode_fixed(tokens)):
            stream = packed("1" + bits)
            if len(stream) < len(best):
                best = stream
        literals, lengths, distances = _costs(tokens)
    return best


def _matches(data: bytes) -> Iterator[list[tuple[int, int]]]:
    """Yield for each place its matches, each longer and farther away than the one before: lengths and distances."""
    places: dict[bytes, list[int]] = {}
    for at in range(len(data)):
        found: list[tuple[int, int]] = []
        longest = _SHORTEST - 1
        most = min(_LONGEST, len(data) - at)
        chain = places.setdefault(data[at : at + _SHORTEST], [])
        for before in chain[: -_CHAIN - 1 : -1]:
            if at - before > _WINDOW or longest >= most:
                break
            if data[before + longest] != data[at + longest]:
                continue
            length = _common(data, before, at, most)
            if length > longest:
                longest = length
                found.append((length, at - before))
        chain.append(at)
        yield found


def _common(data: bytes, before: int, at: int, most: int) -> int:
    here, there = data[at : at + most], data[before : before + most]
    if here == there:
        return most
    differing = int.from_bytes(here, "little") ^ int.from_bytes(there, "little")
    return (differing & -differing).bit_length() - 1 >> 3


def _shortest(
    data: bytes,
    matches: Sequence[Sequence[tuple[int, int]]],
    literals: Sequence[int],
    lengths: Sequence[int],
    distances: Sequence[int],
) -> list[Token]:
    """Return the tokens that cost the fewest bits, found from the start on."""
    costs = [0, *[_NEVER] * len(data)]
    steps: list[tuple[int, int]] = [(0, 0)] * (len(data) + 1)  # length, and distance or 0
    for at, byte in enumerate(data):
        cost = costs[at]
        if cost + literals[byte] < costs[at + 1]:
            costs[at + 1], steps[at + 1] = cost + literals[byte], (1, 0)
        shortest = _SHORTEST
        for longest, distance in matches[at]:
            symbol, _, extra = distance_code(distance)
            start = cost + distances[symbol] + extra * _BIT
            for length in (*range(shortest, min(longest, _SPLIT) + 1), longest):
                total = start + lengths[length]
                if total < costs[at + length]:
                    costs[at + length], steps[at + length] = total, (length, distance)
            shortest = longest + 1
    return _tokens(data, steps)


def _tokens(data: bytes, steps: Sequence[tuple[int, int]]) -> list[Token]:
    tokens: list[Token] = []
    at = end = len(data)  # what lies between is literal
    while at:
        length, distance = steps[at]
        at -= length
        if distance:
            tokens += [data[at + length : end]] if at + length < end else []
            tokens.append((length, distance))
            end = at
    tokens += [data[:end]] if end else []
    return tokens[::-1]


def _costs(tokens: Sequence[Token]) -> tuple[list[int], list[int], list[int]]:
    """Return what each byte, length and symbol of distances costs in a code made for `tokens`."""
    literals = Counter(b"".join(token for token in tokens if isinstance(token, bytes)))
    matches = [token for token in tokens if isinstance(token, tuple)]
    symbols = Counter({END_OF_BLOCK: 1}) + literals
    symbols.update(length_code(length)[0] for length, _ in matches)
    places = Counter(distance_code(distance)[0] for _, distance in matches)
    lengths = [0] * _SHORTEST
    for length in range(_SHORTEST, _LONGEST + 1):
        symbol, _, extra = length_code(length)
        lengths.append(_cost(symbols, symbol) + extra * _BIT)
    return (
        [_cost(symbols, byte) for byte in range(256)],
        lengths,
        [_cost(places, place) for place in range(30)],
    )


def _cost(counts: Counter[int], symbol: int) -> int:
    """Return the entropy of a symbol, in whole numbers, since logarithms are not the same on every machine."""
    share: int = counts.total() ** _BIT // max(counts[symbol], 1) ** _BIT
    return share.bit_length() + (0 if counts[symbol] else _BIT)
