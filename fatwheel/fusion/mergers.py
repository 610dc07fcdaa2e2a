"""Which merger serves which member, and what takes its work apart again.

Each is imported when a member asks for it: most pairs of wheels need none, and together they load much.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from fatwheel.action import Action
from fatwheel.arch import Arch
from fatwheel.fusion.differences import largest_text
from fatwheel.fusion.merge import MergeResult, Unmergeable

__all__ = ["find_merger", "merge_by_rule", "split_merged"]

_C_SOURCES = (".c", ".cc", ".cpp", ".cxx", ".m", ".mm", ".inc", ".def")

Merger = Callable[[bytes, bytes], MergeResult]
Splitter = Callable[[bytes, Arch], bytes | None]


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


def split_merged(name: str) -> Splitter | None:
    """Return what finds one architecture's text in a member that a merger made; None where none makes such members.

    It returns None for a text that no merger made.
    """
    if name.endswith(".py"):
        from fatwheel.fusion.merge.python import undispatch

        return lambda content, arch: (undispatch(content, name) or {}).get(arch)
    from fatwheel.fusion.merge.cheader import is_c_header, unguard

    if is_c_header(name) or name.endswith(_C_SOURCES):
        return lambda content, arch: (unguard(content) or {}).get(arch)
    if ".dist-info/sboms/" in name:
        from fatwheel.fusion.merge.sbom import split_sbom

        return split_sbom
    return None
