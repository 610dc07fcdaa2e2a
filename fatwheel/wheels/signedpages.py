"""Whose signed pages are hashed while a wheel is read, and which must be read a second time for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import Enum

from fatwheel.arch import Arch
from fatwheel.macho.codesign import CodeDirectory
from fatwheel.macho.image import Image, Signature
from fatwheel.macho.pagehashes import PageChoice, PageHash, SignedImage, likely_hashes
from fatwheel.macho.universal import Universal
from fatwheel.wheels.wheel import Content

__all__ = ["Judged", "first_choice", "second_choice"]


class Judged(Enum):
    """Which CodeDirectories are compared with the code: all, what macOS enforces on arm64, which kills, or none."""

    ALL = "all"
    ENFORCED = "enforced on arm64"
    NONE = "none"


def first_choice(judged: Judged) -> PageChoice:
    """Return how to hash pages when nothing is known yet of the signatures."""
    return {Judged.ALL: _likely, Judged.ENFORCED: _likely_enforced, Judged.NONE: _no_pages}[judged]


def _likely(image: SignedImage) -> Collection[PageHash]:
    return likely_hashes(image) if image.arch is not None else ()


def _likely_enforced(image: SignedImage) -> Collection[PageHash]:
    return likely_hashes(image)[:1] if image.arch is Arch.ARM64 else ()


def _no_pages(_image: SignedImage) -> Collection[PageHash]:
    return ()


def second_choice(content: Content, judged: Judged) -> PageChoice | None:
    """Return how to hash the pages in a second reading, now that directories are known; None where none is needed."""
    if judged is Judged.NONE:
        return None
    wanted = {base: list(_judged(image, judged)) for base, image in _images(content)}
    if all(directory.verified for found in wanted.values() for directory in found):
        return None
    kinds: Mapping[int, Collection[PageHash]] = {
        base: {directory.page_hash for directory in found} for base, found in wanted.items()
    }
    return lambda image: kinds.get(image.base, ())


def _images(content: Content) -> Iterator[tuple[int, Image]]:
    """Yield the images in a file, each with the byte where it begins."""
    if isinstance(content, Image):
        yield 0, content
    elif isinstance(content, Universal):
        for piece in content.slices:
            if isinstance(piece.content, Image):
                yield piece.offset, piece.content


def _judged(image: Image, judged: Judged) -> Iterator[CodeDirectory]:
    """Yield the directories that are compared with the code; of one with another code limit nothing can be said."""
    signature = image.signature
    if not isinstance(signature, Signature) or image.arch is None:
        return
    if judged is Judged.ENFORCED and image.arch is not Arch.ARM64:
        return
    directories = signature.directories if judged is Judged.ALL else (signature.enforced,)
    for directory in directories:
        if directory.code_limit == signature.offset:
            yield directory
