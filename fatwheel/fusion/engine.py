"""Who makes the universal files: fatwheel itself, or delocate with Apple's own tools.

The plan before and the finish after are the same for both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from fatwheel.arch import Arch
from fatwheel.deflate.inflaters import Inflater
from fatwheel.errors import ToolError
from fatwheel.fusion.actions import Fuse
from fatwheel.wheels.scan import content_chunks
from fatwheel.wheels.wheel import OpenWheel, images

__all__ = ["DelocateEngine", "Engine", "NativeEngine"]


class Engine(Protocol):
    """A way to make the universal files of a plan."""

    @property
    def name(self) -> str:
        """What `--engine` calls it."""

    def make(
        self,
        members: tuple[Fuse, ...],
        wheels: Mapping[Arch, OpenWheel],
        inflater: Inflater,
    ) -> AbstractContextManager[Mapping[str, Path]]:
        """Make universal files, which are there while the context is open, and return them by member name.

        What is not among them is fused by splicing, while the wheel is written.
        """


class NativeEngine:
    """fatwheel's own: slices are joined as they lie in the wheels, and no slice is ever edited."""

    name = "native"

    def make(
        self,
        members: tuple[Fuse, ...],
        wheels: Mapping[Arch, OpenWheel],
        inflater: Inflater,
    ) -> AbstractContextManager[Mapping[str, Path]]:
        """Leave all members to splicing."""
        return contextlib.nullcontext({})


class DelocateEngine:
    """`delocate.fuse`, with the `lipo` and `codesign` found on PATH; it signs every fused file anew, ad hoc."""

    name = "delocate"

    @contextlib.contextmanager
    def make(
        self,
        members: tuple[Fuse, ...],
        wheels: Mapping[Arch, OpenWheel],
        inflater: Inflater,
    ) -> Iterator[Mapping[str, Path]]:
        """Unpack the members that will be fused into two trees and let delocate fuse the trees.

        lipo refuses files that hold the same architecture twice, so members of which a slice is left out are not
        among them. Raises `ToolError` where `lipo` or `codesign` is missing or fails.
        """
        import shutil
        import tempfile

        for tool in ("lipo", "codesign"):
            if shutil.which(tool) is None:
                raise ToolError(
                    f"--engine delocate needs {tool}, which is not on PATH; it comes with Apple's command line "
                    "tools (xcode-select --install), or leave --engine away"
                )
        from delocate.fuse import fuse_trees

        members = tuple(filter(_takes_all_slices, members))
        with tempfile.TemporaryDirectory(prefix="fatwheel-") as folder:
            trees = {arch: Path(folder, arch.value) for arch in Arch}
            for arch, tree in trees.items():
                tree.mkdir()
                _unpack(members, arch, wheels[arch], tree, inflater)
            try:
                fuse_trees(trees[Arch.ARM64], trees[Arch.X86_64])
            except (RuntimeError, OSError) as error:
                raise ToolError(
                    f"delocate could not fuse the files: {str(error).strip()}"
                ) from error
            yield {member.name: trees[Arch.ARM64] / member.name for member in members}


def _takes_all_slices(member: Fuse) -> bool:
    held = (list(images(member.member(arch).content)) for arch in Arch)
    return sum(map(len, held)) == len(member.slices)


def _unpack(
    members: tuple[Fuse, ...], arch: Arch, wheel: OpenWheel, tree: Path, inflater: Inflater
) -> None:
    """Write the `arch` wheel's files of `members` below `tree`."""
    for member in members:
        path = tree / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for chunk in content_chunks(wheel, member.member(arch).entry, inflater):
                file.write(chunk)
        path.chmod(member.mode | 0o600)
