"""Findings about single images (FW203, FW306 to FW308, FW313, FW314, FW317 to FW319): what each slice says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fatwheel.arch import Arch
from fatwheel.check.finding import Finding, Severity
from fatwheel.check.onesided import importable
from fatwheel.check.threadlocals import check_thread_locals
from fatwheel.errors import FormatError
from fatwheel.macho.cpu import arch_name
from fatwheel.macho.image import FileType, Image
from fatwheel.macho.platforms import is_foreign
from fatwheel.macho.universal import Universal
from fatwheel.printable import counted
from fatwheel.wheels.dyld import Loads
from fatwheel.wheels.tags import Floor, claims, format_floor
from fatwheel.wheels.wheel import Wheel, images

__all__ = ["check_images"]

_PAGE = {Arch.X86_64: 1 << 12, Arch.ARM64: 1 << 14}  # bytes of a page, which slices are mapped by
_CODE = (FileType.EXECUTE, FileType.DYLIB, FileType.BUNDLE)


def check_images(wheel: Wheel, loads: Loads) -> Iterator[Finding]:
    """Check each image by itself, and against the macOS that the file name promises.

    `loads` are the load commands, resolved: they tell which files are meant to be libraries.
    """
    promised = claims(wheel.name)
    loaded = {load.target for load in loads.loads}
    for name, member in wheel.members.items():
        if member.content is None:  # nearly every member there is
            continue
        if isinstance(member.content, FormatError):
            yield _malformed(name, member.content, is_loaded=name in loaded)
        if isinstance(member.content, Universal):
            yield from _check_slices(name, member.content, promised)
        found = [image for image in images(member.content) if isinstance(image, Image)]
        for image in found:
            if (arch := image.mac_arch) in promised and arch is not None:
                yield from _check_image(name, image, arch, promised, alone=len(found) == 1)


def _malformed(name: str, error: FormatError, *, is_loaded: bool) -> Finding:
    """Return what is said of a file that is no code, though it begins so: it matters where something would use it."""
    use = (
        "code of the wheel loads it"
        if is_loaded
        else "Python would import it"
        if name.endswith(".so") and importable(name)
        else ""
    )
    return Finding(
        code="FW306",
        severity=Severity.ERROR if use else Severity.WARNING,
        member=name,
        message=(
            f"begins like a Mach-O file, archive or text stub, but {error.problem}"
            + (f", and {use}: macOS refuses such a file" if use else "")
        ),
    )


def _check_image(
    name: str, image: Image, arch: Arch, promised: Mapping[Arch, Floor], *, alone: bool
) -> Iterator[Finding]:
    """Check the image for `arch`, which may be `alone` in its file."""
    if image.minos is not None and image.minos > promised[arch]:
        yield Finding(
            code="FW203",
            severity=Severity.WARNING,
            member=name,
            message=(
                f"its {arch.value} code needs macOS {format_floor(image.minos)}, the tags promise "
                f"{format_floor(promised[arch])}"
            ),
        )
    if arch is Arch.ARM64 and not image.signed and image.filetype in _CODE:
        yield Finding(
            code="FW307",
            severity=Severity.ERROR,
            member=name,
            message="its arm64 code is not signed, and macOS runs no unsigned arm64 code; sign the thin wheel",
        )
    if image.payload is not None and not alone:
        yield Finding(
            code="FW308",
            severity=Severity.ERROR,
            member=name,
            message=(
                f"its {arch.value} program carries {counted(image.payload.size, 'byte')} of its own at the end, "
                "which it cannot find in a universal file"
            ),
        )
    if image.encrypted:
        yield Finding(
            code="FW318",
            severity=Severity.ERROR,
            member=name,
            message=f"its {arch.value} code is encrypted, as Apple's stores deliver it, and runs nowhere else",
        )
    if (finding := check_thread_locals(name, image)) is not None:
        yield finding


def _check_slices(
    name: str, content: Universal, promised: Mapping[Arch, Floor]
) -> Iterator[Finding]:
    """Check where the slices of a universal file lie, and which there are besides."""
    code = [
        piece
        for piece in content.slices
        if isinstance(piece.content, Image) and piece.content.filetype in _CODE
    ]
    for piece in code:
        page = _PAGE.get(piece.arch) if piece.arch in promised and piece.arch is not None else None
        if page is not None and piece.offset % page:
            yield Finding(
                code="FW319",
                severity=Severity.ERROR,
                member=name,
                message=(
                    f"its slice for {arch_name(piece.cputype, piece.cpusubtype)} begins at byte {piece.offset}, which "
                    f"is no multiple of {page}: macOS does not load it; make the universal file anew"
                ),
            )
    arm64e = any(
        arch_name(piece.cputype, piece.cpusubtype) == "arm64e"
        for piece in code
        if isinstance(piece.content, Image) and not is_foreign(piece.content.platform)
    )
    if arm64e and any(piece.arch is Arch.ARM64 for piece in code) and Arch.ARM64 in promised:
        yield Finding(
            code="FW317",
            severity=Severity.NOTE,
            member=name,
            message="holds arm64e code besides, which macOS runs in programs of Apple's own only",
        )
