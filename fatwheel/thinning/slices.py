"""Which slice of a file is taken, and when a file stays whole."""

from __future__ import annotations

from fatwheel.arch import Arch
from fatwheel.macho.cpu import arch_name
from fatwheel.macho.image import Image
from fatwheel.macho.staticlib import StaticLibrary
from fatwheel.macho.universal import Slice, Universal
from fatwheel.printable import counted
from fatwheel.values import valueclass
from fatwheel.wheels.wheel import Content

__all__ = ["Choice", "choose_slice"]


@valueclass
class Choice:
    """The slice that is taken; None where the file stays whole, and then `why` says what else would be lost.

    `left_out` are lipo's names of the slices that neither architecture of a universal2 wheel picks.
    """

    taken: Slice | None
    left_out: tuple[str, ...] = ()
    why: str = ""


def choose_slice(content: Content, arch: Arch) -> Choice | None:
    """Return which slice of a file is `arch`'s; None where it has no macOS code for it, or no other slice.

    A program finds data of its own at the end of its file (`macho.payload`): where they lie behind all slices, or in
    another slice, the file must stay whole.
    """
    if not isinstance(content, Universal):
        return None
    own = [piece for piece in content.slices if _mac_arch(piece) is arch]
    if not own or len(content.slices) == 1:
        return None
    taken = own[0]
    if content.payload is not None:
        size = content.payload.size
        return Choice(taken=None, why=f"{counted(size, 'byte')} of its own after its last slice")
    for piece in content.slices:
        if _has_payload(piece) and not _has_payload(taken):
            name = arch_name(piece.cputype, piece.cpusubtype)
            return Choice(taken=None, why=f"the data at its end lie in its {name} slice")
    others = [piece for piece in content.slices if _mac_arch(piece) is None]
    return Choice(
        taken=taken,
        left_out=tuple(arch_name(piece.cputype, piece.cpusubtype) for piece in others),
    )


def _mac_arch(piece: Slice) -> Arch | None:
    content = piece.content
    return content.mac_arch if isinstance(content, Image | StaticLibrary) else None


def _has_payload(piece: Slice) -> bool:
    return isinstance(piece.content, Image) and piece.content.payload is not None
