"""Hashes of pages, taken as bytes pass by in any pieces."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.arch import Arch
from fatwheel.macho.pagehashes import PageHash, PageSums, SignedImage, likely_hashes


def pages_of(data: bytes, kind: PageHash) -> list[bytes]:
    """The hashes, taken at leisure."""
    size = kind.page_size or len(data) or 1
    pages = [data[at : at + size] for at in range(0, len(data), size)]
    return [hashlib.new(kind.algorithm, page).digest() for page in pages]


@given(
    length=st.integers(0, 40_000),
    cuts=st.lists(st.integers(0, 40_000), max_size=8),
    algorithm=st.sampled_from(["sha1", "sha256", "sha384"]),
    page_size=st.sampled_from([0, 4096, 16384]),
    as_view=st.booleans(),
)
def test_pieces_do_not_matter(
    length: int, cuts: list[int], algorithm: str, page_size: int, as_view: bool
) -> None:
    data = bytes(at * 31 % 251 for at in range(length))
    kind = PageHash(algorithm, page_size)
    sums = PageSums(kind)
    edges = sorted({0, length, *(min(cut, length) for cut in cuts)})
    for start, end in pairwise(edges):
        memory = bytearray(data[start:end])
        sums.feed(memoryview(memory) if as_view else bytes(memory))
        memory[:] = bytes(len(memory))  # the next piece lies in the same memory
    expected = pages_of(data, kind) or ([hashlib.new(algorithm).digest()] if not page_size else [])
    assert sums.finish() == b"".join(expected)


def signed(limit: int, size: int, minos: tuple[int, int] | None = (11, 0)) -> SignedImage:
    return SignedImage(arch=Arch.ARM64, base=0, limit=limit, size=size, minos=minos)


@pytest.mark.parametrize(
    ("image", "algorithms", "page_size"),
    [
        pytest.param(signed(90_879_200, 710_176), ["sha256"], 4096, id="linker-signed"),
        pytest.param(signed(28_236_272, 72_784, (11, 0)), ["sha256"], 16384, id="developer-id"),
        pytest.param(signed(4_000_000, 50_260), ["sha256"], 4096, id="codesign"),
        pytest.param(signed(700_000, 28_112, (10, 9)), ["sha256", "sha1"], 4096, id="old-macos"),
        pytest.param(signed(700_000, 28_112), ["sha256"], 4096, id="small-tells-nothing"),
        pytest.param(
            signed(11_733_824, 168_176), ["sha256", "sha1"], 4096, id="beside-an-old-slice"
        ),
        pytest.param(signed(700_000, 28_112, None), ["sha256"], 4096, id="no-macos"),
        pytest.param(signed(0, 0), ["sha256"], 4096, id="nothing"),
    ],
)
def test_what_is_likely(image: SignedImage, algorithms: list[str], page_size: int) -> None:
    expected = [PageHash(algorithm, page_size) for algorithm in algorithms]
    assert list(likely_hashes(image)) == expected
