"""Which merger serves which member.

Each is imported when a member asks for it: most pairs of wheels need none, and together they load much.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from fatwheel.action import Action
from fatwheel.fusion.differences import largest_text
from fatwheel.fusion.merge import MergeResult, Unmergeable

__all__ = ["find_merger", "merge_by_rule"]

_C_SOURCES = (".c", ".cc", ".cpp", ".cxx", ".m", ".mm", ".inc", ".def")

Merger = Callable[[bytes, bytes], MergeResult]


def find_merger(name: str, dist_info: str) -> Merger | None:
    """Return what merges a member without any rule asking for it; None where nothing does."""
    folder, base = posixpath.split(name)
    if folder == dist_info and base in ("METADATA", "entry_points.txt", "top_level.txt"):
        from fatwheel.fusion.merge import metadata

        return {
            "METADATA": metadata.merge_metadata,
            "entry_points.txt": metadata.merge_entry_points,
            "top_level.txt": metadata.merge_top_level,
        }[base]
    if folder == f"{dist_info}/sboms":
        from fatwheel.fusion.merge.sbom import merge_sbom

        return merge_sbom
    if base.endswith((".py", ".pyi")):
        from fatwheel.fusion.merge.python import merge_python

        return merge_python
    from fatwheel.fusion.merge.cheader import guard, is_c_header

    return guard if is_c_header(name) else None


def merge_by_rule(action: Action, name: str, x86_64: bytes, arm64: bytes) -> MergeResult:
    """Merge as a rule asks for: `guard` or `dispatch`."""
    if action is Action.GUARD:
        from fatwheel.fusion.merge.cheader import guard, is_c_header

        if not is_c_header(name) and not name.endswith(_C_SOURCES):
            return Unmergeable(why="only text that a C or C++ compiler reads can be guarded")
        if max(len(x86_64), len(arm64)) > largest_text(name):
            return Unmergeable(why="it is not a text of at most 1 MiB")
        return guard(x86_64, arm64)
    from fatwheel.fusion.merge.python import dispatch

    if not name.endswith(".py"):
        return Unmergeable(why="only a Python module can choose its own source")
    return dispatch(x86_64, arm64, name)
