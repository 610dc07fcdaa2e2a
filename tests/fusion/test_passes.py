"""Progress through bytes that are read more than once."""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fatwheel.archive.ranges import CHUNK
from fatwheel.fusion.fuse import FuseOptions, fuse_wheels
from fatwheel.fusion.passes import InPasses
from tests.support.wheels import make_pair


@given(st.lists(st.integers(0, 1000), max_size=30), st.integers(0, 5000), st.integers(1, 4))
def test_law_what_is_told_rises_to_the_total(sizes: list[int], total: int, passes: int) -> None:
    told: list[int] = []
    progress = InPasses(told.append, total, passes)
    for size in sizes:
        progress(size)
    assert sum(told) == min(sum(sizes) // passes, total)
    progress.finish()
    assert sum(told) == total
    assert all(size > 0 for size in told)


def test_fusing_a_large_member_is_told_piece_by_piece(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, {"pkg/large.bin": random.Random(1).randbytes(6 << 20)})
    told: list[int] = []
    fuse_wheels(*pair, tmp_path / "out", FuseOptions(), told.append)
    total = sum(path.stat().st_size for path in pair)
    assert sum(told) == total
    *before, last = told
    assert max(before) <= CHUNK
    # One wheel's file is kept, so that the other's is read twice only.
    assert last < total * 0.2
