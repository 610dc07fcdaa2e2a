"""Texts that fatwheel made of two, turned back into one architecture's own."""

from __future__ import annotations

from fatwheel.arch import Arch
from fatwheel.deflate.inflaters import Inflater
from fatwheel.fusion.differences import largest_text, text_work
from fatwheel.fusion.mergers import split_merged
from fatwheel.wheels.distinfo import REPORT_NAME
from fatwheel.wheels.scan import content_chunks
from fatwheel.wheels.wheel import OpenWheel, Wheel

__all__ = ["split_texts"]

_MARK = b"fatwheel"  # in all that a merger writes
_FRAME = 4096  # bytes that a merger adds, and more
_LEAST_WORK, _WORK_FOR_EACH = 12 << 20, 4
"""Bytes of plain text that are taken apart, in all and for each byte of the wheel: twice what fusing makes of two."""


def split_texts(
    opened: OpenWheel, wheel: Wheel, arch: Arch, inflater: Inflater
) -> dict[str, bytes]:
    """Return what `arch`'s own text was, by member, of each text that fatwheel made of two.

    They are looked for in wheels that fatwheel fused alone: what else begins like one is somebody's file.
    """
    if not wheel.text(REPORT_NAME):
        return {}
    found: dict[str, bytes] = {}
    work = _LEAST_WORK + _WORK_FOR_EACH * opened.file.size
    for name, member in wheel.members.items():
        size = member.entry.size
        if member.content is not None or size > 2 * largest_text(name) + _FRAME:
            continue
        split = split_merged(name)
        if split is None:
            continue
        content = b"".join(map(bytes, content_chunks(opened, member.entry, inflater)))
        if _MARK in content and (work := work - text_work(name, size)) >= 0:
            text = split(content, arch)
            if text is not None:
                found[name] = text
    return found
