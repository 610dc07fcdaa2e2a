"""What all of this folder's tests share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.machorun import crates


@pytest.fixture(scope="session", autouse=True)
def _builds() -> Iterator[None]:
    """Remove what was built when the tests are through."""
    yield
    if crates.folder.cache_info().currsize:
        shutil.rmtree(crates.folder())
