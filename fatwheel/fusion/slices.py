"""Which slices a fused file gets, and from which wheel.

Each architecture's slice comes from its own wheel, and from the other wheel only where its own lacks it, so
that every user gets what the thin wheel gave them. Slices of further architectures are kept.
"""

from __future__ import annotations

from fatwheel.arch import Arch
from fatwheel.fusion.actions import SliceOf
from fatwheel.macho.image import Image
from fatwheel.macho.staticlib import StaticLibrary
from fatwheel.macho.universal import Layout, SliceSource, Universal, layout, natural_align
from fatwheel.values import valueclass
from fatwheel.wheels.wheel import Content

__all__ = ["Selection", "select_slices"]

_SUBTYPE = 0x00FFFFFF
_CPU_FAMILY = 0x00FFFFFF
_ARM = 12


@valueclass
class Selection:
    """The slices of one fused file in file order, and their layout.

    `left_out` names slices of which the other wheel had the better right.
    """

    slices: tuple[SliceOf, ...]
    layout: Layout
    left_out: tuple[str, ...]

    @property
    def note(self) -> str:
        """What is not plain about the choice, as a clause; empty where each wheel gave its own and all."""
        borrowed = [
            f"the {piece.content.arch.value} slice of the {piece.source.value} wheel"
            for piece in self.slices
            if piece.content.arch is piece.source.other and piece.content.arch is not None
        ]
        notes = [f"took {name}, since its own has none" for name in borrowed]
        if self.left_out:
            notes.append(f"left out {', '.join(self.left_out)}")
        return "; ".join(notes)


@valueclass
class _Candidate:
    source: Arch
    offset: int
    align: int
    whole: bool
    content: Image | StaticLibrary


def select_slices(x86_64: Content, arm64: Content) -> Selection:
    """Choose and lay out the slices of a fused file; both contents are Mach-O or static libraries."""
    chosen: dict[tuple[int, int], _Candidate] = {}
    left_out: list[str] = []
    candidates = [*_candidates(Arch.X86_64, x86_64), *_candidates(Arch.ARM64, arm64)]
    for candidate in sorted(candidates, key=lambda c: not _at_home(c)):
        image = candidate.content
        key = (image.cputype, image.cpusubtype & _SUBTYPE)
        if key in chosen:
            name = image.arch.value if image.arch else f"cputype {image.cputype:#x}"
            left_out.append(f"the {name} slice of the {candidate.source.value} wheel")
        else:
            chosen[key] = candidate
    sources = [
        SliceSource(
            cputype=c.content.cputype,
            cpusubtype=c.content.cpusubtype,
            size=c.content.size,
            align=c.align,
        )
        for c in chosen.values()
    ]
    placed = layout(sources)
    ordered = [list(chosen.values())[place.index] for place in placed.placed]
    return Selection(
        slices=tuple(
            SliceOf(source=c.source, offset=c.offset, whole=c.whole, content=c.content)
            for c in ordered
        ),
        layout=placed,
        left_out=tuple(left_out),
    )


def _candidates(side: Arch, content: Content) -> list[_Candidate]:
    if isinstance(content, Universal):
        return [
            _Candidate(
                source=side,
                offset=piece.offset,
                align=piece.align,
                whole=False,
                content=piece.content,
            )
            for piece in content.slices
            if isinstance(piece.content, Image | StaticLibrary)
        ]
    if not isinstance(content, Image | StaticLibrary):
        raise ValueError(f"no Mach-O: {content!r}")
    align = natural_align(content)
    return [_Candidate(source=side, offset=0, align=align, whole=True, content=content)]


def _at_home(candidate: _Candidate) -> bool:
    """Return whether the slice lies in the wheel of its own CPU family."""
    is_arm = candidate.content.cputype & _CPU_FAMILY == _ARM
    return is_arm == (candidate.source is Arch.ARM64)
