"""Texts that fatwheel made of two, turned back into one architecture's own."""

from __future__ import annotations

from fatwheel.arch import Arch
from fatwheel.deflate.inflaters import Inflater
from fatwheel.fusion.differences import TEXT_BUDGET, largest_text
from fatwheel.fusion.mergers import split_merged
from fatwheel.wheels.distinfo import REPORT_NAME
from fatwheel.wheels.scan import content_chunks
from fatwheel.wheels.wheel import OpenWheel, Wheel

__all__ = ["split_texts"]

_FRAME = 4096  # bytes that a merger adds, and more


def split_texts(
    opened: OpenWheel, wheel: Wheel, arch: Arch, inflater: Inflater
) -> dict[str, bytes]:
    """Return what `arch`'s own text was, by member, of each text that fatwheel made of two.

    They are looked for in wheels that fatwheel fused alone: what else begins like one is somebody's file.
    """
    if not wheel.text(REPORT_NAME):
        return {}
    found: dict[str, bytes] = {}
    budget = 2 * TEXT_BUDGET
    for name, member in wheel.members.items():
        size = member.entry.size
        if member.content is not None or size > min(2 * largest_text(name) + _FRAME, budget):
            continue
        split = split_merged(name)
        if split is None:
            continue
        content = b"".join(map(bytes, content_chunks(opened, member.entry, inflater)))
        if (text := split(content, arch)) is not None:
            found[name] = text
            budget -= size
    return found
