"""What may exist for one architecture only: the rule that the plan follows and the check repeats.

A dynamic library that only code of its own architecture loads changes nothing for the other one. A module, a
script or a program that appears where it did not exist before does.
"""

from __future__ import annotations

import re

from fatwheel.arch import Arch
from fatwheel.macho.image import FileType, Image
from fatwheel.wheels.installed import installed_path
from fatwheel.wheels.loads import LoadGraph
from fatwheel.wheels.wheel import Content, images

__all__ = [
    "importable",
    "named_after",
    "named_like_a_module",
    "one_sided_problem",
    "unusable_problem",
]

_MODULE_SUFFIXES = (".py", ".pyc", ".so")
_ROOTS = ("site-packages", "dist-packages")
_NAMES = {
    Arch.X86_64: r"(?<![a-z0-9])(x86_64|x86-64|x64|amd64|intel)(?![a-z0-9])",
    Arch.ARM64: r"(?<![a-z0-9])(arm64|aarch64)(?![a-z0-9])",
}


def importable(member: str, content: Content = None) -> bool:
    """Return whether Python would import `member` as a module, or run it (`.pth`) once it is installed.

    Code that exports the function by which Python initialises a module is one, wherever it lies: whoever put
    it there makes Python look there (cmeel's `.pth`, for one). Where that is not known, and for all other files,
    their names decide.
    """
    if member.endswith(".so"):
        known = [image.init_functions for image in images(content) if isinstance(image, Image)]
        if any(known):
            return True
        if known and None not in known:
            return False
    return named_like_a_module(member)


def named_like_a_module(member: str) -> bool:
    """Return whether `member` lies where Python looks for modules, under a name that one can have."""
    *folders, base = installed_path(member).split("/")
    roots = [index for index, folder in enumerate(folders) if folder in _ROOTS]
    if roots:
        folders = folders[roots[-1] + 1 :]
    elif folders[:1] == [".."]:  # scripts, headers, data
        return False
    if base.endswith(".pth"):
        return not folders
    if not base.endswith(_MODULE_SUFFIXES):
        return False
    return all(part.isidentifier() for part in [*folders, base.split(".")[0]])


def one_sided_problem(member: str, content: Content, arch: Arch, graph: LoadGraph) -> str | None:
    """Return why `member`, which only `arch` has code or a file for, must not stay as it is; None if it may.

    The answer is a clause that continues "only the x86_64 wheel has it, ".
    """
    if importable(member, content):
        return f"and on {arch.other.value} it would become importable where it did not exist"
    if _is_script(member):
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


def unusable_problem(member: str, content: Content, graph: LoadGraph) -> str | None:
    """Return who would use `member`, whose code no Mac of either architecture runs; None where nobody would.

    Templates and test data are such code. The answer is a clause that continues "holds no code for …, ".
    """
    if importable(member, content):
        return "and Python would import it"
    if _is_script(member):
        return "and it would be a command"
    if loading := sorted(arch.value for arch in graph.loaded_by.get(member, ())):
        return f"and code for {' and '.join(loading)} loads it"
    return None


def named_after(member: str, arch: Arch) -> bool:
    """Return whether the file's path says that it is for `arch`, so that it is not for the other on purpose."""
    return re.search(_NAMES[arch], member, re.IGNORECASE) is not None


def _is_script(member: str) -> bool:
    return ".data/scripts/" in member
