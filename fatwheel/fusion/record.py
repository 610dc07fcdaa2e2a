"""RECORD of the fused wheel: neither wheel's, but made anew of what was written (PEP 376)."""

from __future__ import annotations

from collections.abc import Mapping

from fatwheel.values import valueclass
from fatwheel.wheels.record import RecordHash, RecordRow, format_record
from fatwheel.wheels.wheel import Content

__all__ = ["Written", "fused_record"]


@valueclass
class Written:
    """What is known of a member that was written: SHA-256 (32 bytes), size (bytes) and what it holds."""

    sha256: bytes
    size: int
    content: Content


def fused_record(name: str, written: Mapping[str, Written]) -> bytes:
    """Return RECORD, which is called `name`, for everything that was written before it."""
    rows = [
        RecordRow(path, RecordHash("sha256", facts.sha256), facts.size)
        for path, facts in written.items()
    ]
    return format_record([*rows, RecordRow(name)])
