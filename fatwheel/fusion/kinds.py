"""Rules for kinds of files: what settles a text that differs in any project, by what the file is.

They belong to the rule book as its entries for projects do, and come last: an entry, and each rule of the user's,
decides before them. Each is a merger (`fusion/merge`) with an argument why what it writes can hurt nobody
(docs/fusing.md, "Kinds of files"). A merger is imported when a member asks for it.
"""

from __future__ import annotations

import posixpath

from fatwheel.errors import UsageError
from fatwheel.fusion.merge import MergeResult
from fatwheel.values import valueclass

__all__ = ["KINDS", "Kind", "all_kinds", "kinds_of", "kinds_without", "merge_kind"]


@valueclass
class Kind:
    """A kind of file: its `name`, which `files` it means, what it `settles` and how, and `why` that is harmless."""

    name: str
    files: str
    settles: str
    why: str


KINDS = (
    Kind(
        name="build-folders",
        files="*.pc, *.la, *.cmake, *.pri, *.prl, *.pyx",
        settles="equal but for temporary folders and CI's (/var/folders/…/T, /tmp, /Users/runner/work): arm64's",
        why="these folders were gone when the build had ended, on either machine, and no user's machine has them",
    ),
    Kind(
        name="cmake-policy",
        files="*.cmake that CMake generated",
        settles="equal but for the upper bound in cmake_policy(VERSION a...b): the lower one",
        why="the same text has the lower bound in the other wheel, and CMake asks no more of it",
    ),
    Kind(
        name="cython-source",
        files="*.c, *.cpp, *.cc, *.cxx that begin with Cython's mark, of one release of Cython",
        settles="arm64's",
        why="the module made of it is in the wheel and fused; nothing reads the source at run time",
    ),
    Kind(
        name="literals",
        files="*.py",
        settles="equal but for literals in the values of the module's constants: os.uname().machine chooses each",
        why="each architecture evaluates what its own wheel says, and all else stays visible to what reads sources",
    ),
    Kind(
        name="import-order",
        files="*.py, *.pyi",
        settles="equal but for the order of plain imports that stand one behind the other: arm64's",
        why="the same modules are imported and the same names bound",
    ),
    Kind(
        name="text-stub",
        files="*.tbd for one architecture in each wheel",
        settles="one stub with both wheels' targets, each with its own symbols, as llvm-readtapi --merge does",
        why="a linker reads what stands behind its own target alone",
    ),
    Kind(
        name="notices",
        files="LICENSE, COPYING, NOTICE and the like, as text",
        settles="the longer where it holds the other, else both under a heading each",
        why="nothing that either wheel says gets lost, and people alone read it",
    ),
    Kind(
        name="sqlite",
        files="*.db, *.db3, *.sqlite, *.sqlite3 that are SQLite databases, up to 16 MiB",
        settles="the same schema and the same rows by value, type and order: arm64's",
        why="every query has the same answer from both; only how pages lie differs, which SQLite's release decides",
    ),
    Kind(
        name="metadata-spelling",
        files="METADATA",
        settles="a field that is UNKNOWN in one wheel and missing in the other: missing; Metadata-Version: the higher",
        why="UNKNOWN is what old setuptools write for nothing; a higher version only adds fields, and none is lost",
    ),
    Kind(
        name="metadata-license",
        files="METADATA",
        settles="License is a text that holds the other's, and all else agrees: the longer",
        why="nothing that either wheel says of its licence gets lost, and installers do not read it",
    ),
    Kind(
        name="sbom-scope",
        files="SBOMs in .dist-info/sboms/",
        settles="components that differ in scope alone: the stronger one, and a property with each architecture's",
        why="what one architecture requires is required, and what the other says is still there",
    ),
)
"""All kinds, in the order in which they are tried."""


def all_kinds() -> tuple[str, ...]:
    """Return the names of all kinds."""
    return tuple(kind.name for kind in KINDS)


def kinds_without(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of all kinds but those that are switched off; raises `UsageError` for one that is none."""
    if unknown := [name for name in names if name not in all_kinds()]:
        raise UsageError(
            f"--no-kind {unknown[0]}: there is no such kind; they are {', '.join(all_kinds())}"
        )
    return tuple(name for name in all_kinds() if name not in names)


def kinds_of(name: str, dist_info: str, enabled: tuple[str, ...]) -> tuple[Kind, ...]:
    """Return those of the enabled kinds that a member's name may belong to."""
    return tuple(
        kind for kind in KINDS if kind.name in enabled and _means(kind.name, name, dist_info)
    )


def _means(kind: str, name: str, dist_info: str) -> bool:
    folder, base = posixpath.split(name)
    if kind in ("metadata-spelling", "metadata-license"):
        return folder == dist_info and base == "METADATA"
    if kind == "sbom-scope":
        return folder == f"{dist_info}/sboms"
    if kind == "build-folders":
        return base.endswith((".pc", ".la", ".cmake", ".pri", ".prl", ".pyx"))
    if kind == "cmake-policy":
        return base.endswith(".cmake")
    if kind == "cython-source":
        included = {"include", "headers"} & {*folder.split("/")}
        return base.endswith((".c", ".cpp", ".cc", ".cxx")) and not included
    if kind == "import-order":
        return base.endswith((".py", ".pyi"))
    if kind == "sqlite":
        return base.endswith((".db", ".db3", ".sqlite", ".sqlite3"))
    if kind == "text-stub":
        return base.endswith(".tbd")
    if kind == "literals":
        from fatwheel.fusion.merge.statements import has_constants

        return base.endswith(".py") and has_constants(base)
    from fatwheel.fusion.merge.notices import is_notice

    return is_notice(base)


def merge_kind(kind: str, x86_64: bytes, arm64: bytes) -> MergeResult:
    """Merge two texts as a kind does."""
    if kind in ("build-folders", "cmake-policy"):
        from fatwheel.fusion.merge import buildtext

        merge = {
            "build-folders": buildtext.merge_build_folders,
            "cmake-policy": buildtext.merge_cmake_policy,
        }[kind]
        return merge(x86_64, arm64)
    if kind in ("literals", "import-order"):
        from fatwheel.fusion.merge import statements

        merge = {
            "literals": statements.merge_literals,
            "import-order": statements.merge_import_order,
        }[kind]
        return merge(x86_64, arm64)
    if kind == "cython-source":
        from fatwheel.fusion.merge.cython import merge_cython

        return merge_cython(x86_64, arm64)
    if kind == "text-stub":
        from fatwheel.fusion.merge.stubs import merge_stubs

        return merge_stubs(x86_64, arm64)
    if kind == "metadata-spelling":
        from fatwheel.fusion.merge.metadata import merge_metadata

        return merge_metadata(x86_64, arm64, spelling=False)
    if kind == "sqlite":
        from fatwheel.fusion.merge.sqlite import merge_sqlite

        return merge_sqlite(x86_64, arm64)
    if kind == "metadata-license":
        from fatwheel.fusion.merge.metadata import merge_license

        return merge_license(x86_64, arm64)
    if kind == "sbom-scope":
        from fatwheel.fusion.merge.sbom import merge_sbom

        return merge_sbom(x86_64, arm64, scopes=True)
    if kind == "notices":
        from fatwheel.fusion.merge.notices import merge_notices

        return merge_notices(x86_64, arm64)
    raise ValueError(f"no kind: {kind}")
