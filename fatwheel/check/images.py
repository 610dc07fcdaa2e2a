"""Findings about single images (FW203, FW306 to FW308, FW313, FW314): what each slice says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fatwheel.arch import Arch
from fatwheel.check.finding import Finding, Severity
from fatwheel.check.threadlocals import check_thread_locals
from fatwheel.errors import FormatError
from fatwheel.macho.image import FileType, Image
from fatwheel.printable import counted
from fatwheel.wheels.tags import Floor, claims, format_floor
from fatwheel.wheels.wheel import Wheel, images

__all__ = ["check_images"]

_CODE = (FileType.EXECUTE, FileType.DYLIB, FileType.BUNDLE)


def check_images(wheel: Wheel) -> Iterator[Finding]:
    """Check each image by itself, and against the macOS that the file name promises."""
    promised = claims(wheel.name)
    for name, member in wheel.members.items():
        if member.content is None:  # nearly every member there is
            continue
        if isinstance(member.content, FormatError):
            yield Finding(
                code="FW306",
                severity=Severity.WARNING,
                member=name,
                message=f"begins like a Mach-O file, archive or text stub, but {member.content.problem}",
            )
        found = [image for image in images(member.content) if isinstance(image, Image)]
        for image in found:
            if (arch := image.mac_arch) in promised and arch is not None:
                yield from _check_image(name, image, arch, promised, alone=len(found) == 1)


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
    if (finding := check_thread_locals(name, image)) is not None:
        yield finding
