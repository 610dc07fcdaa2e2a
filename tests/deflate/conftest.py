"""What the tests of streams share."""

from __future__ import annotations

import pytest

from fatwheel.deflate.inflaters import Inflater, best_inflater


@pytest.fixture(scope="module")
def inflater() -> Inflater:
    found = best_inflater()
    if not found.finds_blocks:
        pytest.skip("this machine has no libz that reports block boundaries")
    return found
