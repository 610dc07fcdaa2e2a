"""Files with code, but none for the architecture: what stays all the same, and why.

A dynamic library or bundle that nothing loads and no text names is of no use any more. A program is: Rosetta 2 runs
one for Intel on Apple silicon, with the libraries that it loads. What is not known to be useless stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fatwheel.arch import Arch
from fatwheel.check.code import described
from fatwheel.check.onesided import importable
from fatwheel.macho.image import FileType, Image
from fatwheel.values import valueclass
from fatwheel.wheels.loads import LoadGraph
from fatwheel.wheels.wheel import Content, Wheel, architectures, images, slices

__all__ = ["OneSided", "find_one_sided"]


@valueclass
class OneSided:
    """What holds no code for the architecture.

    `stays` says of each such file why it stays; of the empty ones only a text that names them can tell. `running` are
    the programs among them that Rosetta 2 runs, and `whole` the files with code for both that these load: they need the
    other architecture's slice.
    """

    stays: Mapping[str, str]
    running: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()

    @property
    def open(self) -> tuple[str, ...]:
        """The files that stay only where a text names them."""
        return tuple(name for name, why in self.stays.items() if not why)


def find_one_sided(wheel: Wheel, arch: Arch, is_dropped: Callable[[str], bool]) -> OneSided:
    """Judge every file with code in which `arch` finds none; those that `is_dropped` load nothing."""
    lacking = {
        name: member.content
        for name, member in wheel.members.items()
        if member.content is not None
        and any(images(member.content))
        and arch not in architectures(member.content)
    }
    if not lacking:
        return OneSided(stays={})
    programs = {name for name, content in lacking.items() if _is_program(content)}
    running = {name for name in programs if arch is Arch.ARM64 and not is_dropped(name)}
    graph = LoadGraph.of(
        ((name, one, image) for name, one, image in slices(wheel) if one is arch), wheel.members
    )
    needed = _needed(wheel, arch.other, running)

    def why(name: str, content: Content) -> str:
        if name in programs:
            return "Rosetta 2 runs it" if name in running else "a program"
        if name in needed:
            return "a program that Rosetta 2 runs loads it"
        if arch in graph.loaded_by.get(name, ()):
            return f"{arch.value} code loads it"
        if importable(name, content):
            return "Python would import it"
        kinds = {image.filetype for image in images(content) if isinstance(image, Image)}
        if not kinds & {FileType.DYLIB, FileType.BUNDLE}:
            return "no dynamic library"
        return "" if arch.other in architectures(content) else f"for {described(content)}"

    return OneSided(
        stays={name: why(name, content) for name, content in lacking.items()},
        running=frozenset(running),
        whole=frozenset(needed - lacking.keys()),
    )


def _is_program(content: Content) -> bool:
    return any(
        image.filetype is FileType.EXECUTE for image in images(content) if isinstance(image, Image)
    )


def _needed(wheel: Wheel, arch: Arch, programs: set[str]) -> set[str]:
    """Return all files that `programs` load with their code for `arch`, directly or not."""
    code = [(name, one, image) for name, one, image in slices(wheel) if one is arch]
    needed: set[str] = set()
    added = programs
    while added:
        graph = LoadGraph.of((piece for piece in code if piece[0] in added), wheel.members)
        added = {name for name in graph.loaded_by if name not in needed}
        needed |= added
    return needed
