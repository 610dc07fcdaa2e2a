"""A real cluster on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from tests.support.required import require_package

__all__ = ["dask_client", "dask_cluster"]


@contextlib.contextmanager
def dask_client() -> Iterator[Any]:
    """Yield the client of two worker processes."""
    distributed = require_package("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@contextlib.contextmanager
def dask_cluster() -> Iterator[Any]:
    """Yield these workers as an executor."""
    with dask_client() as client:
        yield client.get_executor(pure=False)
