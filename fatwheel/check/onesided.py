"""What may exist for one architecture only: the rule that the plan follows and the check repeats.

A dynamic library that only code of its own architecture loads changes nothing for the other one. A module, a
script or a program that appears where it did not exist before does.
"""

from __future__ import annotations

import posixpath

from fatwheel.arch import Arch
from fatwheel.macho.image import FileType, Image
from fatwheel.wheels.installed import installed_path
from fatwheel.wheels.loads import LoadGraph
from fatwheel.wheels.wheel import Content, images

__all__ = ["importable", "one_sided_problem"]

_MODULE_SUFFIXES = (".py", ".pyc", ".so")
_ELSEWHERE = ("scripts", "data", "headers")  # schemes that do not land on the import path


def importable(member: str) -> bool:
    """Return whether Python would import `member` as a module, or run it (`.pth`) once it is installed."""
    first, scheme, *_ = [*member.split("/"), ""]
    if first.endswith(".data") and scheme in _ELSEWHERE:
        return False
    folder, base = posixpath.split(installed_path(member))
    if base.endswith(".pth"):
        return not folder
    if not base.endswith(_MODULE_SUFFIXES):
        return False
    return all(part.isidentifier() for part in [*folder.split("/"), base.split(".")[0]] if part)


def one_sided_problem(member: str, content: Content, arch: Arch, graph: LoadGraph) -> str | None:
    """Return why `member`, which only `arch` has code or a file for, must not stay as it is; None if it may.

    The answer is a clause that continues "only the x86_64 wheel has it, ".
    """
    if importable(member):
        return f"and on {arch.other.value} it would become importable where it did not exist"
    if ".data/scripts/" in member:
        return f"and on {arch.other.value} it would become a command where there was none"
    if member.endswith(".dist-info/entry_points.txt"):
        return f"and {arch.other.value} would get entry points that it did not have"
    kinds = {image.filetype for image in images(content) if isinstance(image, Image)}
    if FileType.EXECUTE in kinds:
        return f"and {arch.other.value} could not run that program"
    others = graph.loaded_by.get(member, frozenset()) - {arch}
    if kinds & {FileType.DYLIB, FileType.BUNDLE} and others:
        return f"and code for {arch.other.value} loads it"
    return None
