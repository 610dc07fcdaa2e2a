"""Findings about code signatures (FW330 to FW336): whether macOS takes the code for what was signed.

Programs, dynamic libraries and bundles need a signature on arm64, nothing else does. What is true of many files is
one finding, which counts them. Certificates are not verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fatwheel.arch import Arch
from fatwheel.check.finding import Finding, Severity
from fatwheel.check.seals import check_seals
from fatwheel.macho.codesign import CodeDirectory, MalformedSignature, Signature, Slot
from fatwheel.macho.image import FileType, Image
from fatwheel.printable import counted
from fatwheel.wheels.wheel import Wheel, slices

__all__ = ["check_signatures", "fatal_signatures"]

_ENFORCED = "FW331"
_FATAL = frozenset({_ENFORCED, "FW334"})
_SIGNED = (FileType.EXECUTE, FileType.DYLIB, FileType.BUNDLE)


class _Fault(NamedTuple):
    """One thing that is wrong with the signature of one slice: what, and what follows from it.

    `cause` is what it shares with the same fault of other files.
    """

    code: str
    severity: Severity
    cause: tuple[Arch, str]
    member: str
    problem: str
    matters: str


def check_signatures(wheel: Wheel) -> Iterator[Finding]:
    """Compare the signatures of all code with the code, and with the files of its bundle."""
    yield from _findings(
        fault for name, _, image in slices(wheel) for fault in _faults(name, image)
    )
    yield from check_seals(wheel)


def fatal_signatures(code: Iterable[tuple[str, Image]]) -> tuple[Finding, ...]:
    """Return the errors in arm64 code that was changed after it was signed; `code` is images with their members' names.

    A signature that cannot be read at all is a finding of `check`, as any error that an input has.
    """
    arm64 = ((name, image) for name, image in code if image.mac_arch is Arch.ARM64)
    faults = (fault for name, image in arm64 for fault in _faults(name, image))
    return tuple(_findings(fault for fault in faults if fault.code in _FATAL))


def _faults(name: str, image: Image) -> Iterator[_Fault]:
    arch, signature = image.mac_arch, image.signature
    if arch is None or signature is None or image.filetype not in _SIGNED:
        return
    killed = "macOS runs no such code: sign the thin wheel's file anew"
    if isinstance(signature, MalformedSignature):
        problem = (
            f"the signature of its {arch.value} code is malformed at byte {signature.offset}: "
            f"{signature.problem}"
        )
        yield _Fault("FW330", Severity.ERROR, (arch, "malformed"), name, problem, killed)
        return
    for directory in signature.directories:
        if directory.code_limit != signature.offset:
            problem = (
                f"the signature of its {arch.value} code covers {counted(directory.code_limit, 'byte')}, and "
                f"{signature.offset} lie before it, so a tool cut or stretched the file after it was signed"
            )
            yield _Fault("FW334", Severity.ERROR, (arch, "limit"), name, problem, killed)
            return
        code, severity, matters = _judged(arch, signature, directory)
        for cause, what in _wrong_hashes(directory):
            problem = f"{what} of its {arch.value} code is not what was signed"
            yield _Fault(code, severity, (arch, cause + matters), name, problem, matters)


def _judged(
    arch: Arch, signature: Signature, directory: CodeDirectory
) -> tuple[str, Severity, str]:
    """Return code and severity of a wrong hash in `directory`, and what follows from it."""
    if directory is not signature.enforced:
        kinds = directory.hash_type.label, signature.enforced.hash_type.label
        return (
            "FW333",
            Severity.WARNING,
            "its {} hash is wrong, and macOS goes by {}".format(*kinds),
        )
    if arch is Arch.ARM64:
        killed = "macOS kills what loads it: sign the thin wheel's file anew"
        return _ENFORCED, Severity.ERROR, killed
    return "FW332", Severity.WARNING, "macOS on Intel loads it where signatures are not enforced"


def _wrong_hashes(directory: CodeDirectory) -> Iterator[tuple[str, str]]:
    """Yield what differs from its hash in `directory`: in a word, and in words."""
    if (wrong := directory.wrong_pages) is not None:
        at = wrong.first * directory.page_size
        more = f" and {wrong.pages - 1} more" if wrong.pages > 1 else ""
        yield "pages", f"page {wrong.first} (from byte {at} on){more}"
    for slot in directory.wrong_slots:
        named = slot in Slot._value2member_map_
        name = f" ({Slot(slot).name.lower().replace('_', ' ')})" if named else ""
        yield f"slot {slot}", f"special slot {slot}{name} in the signature"


def _findings(faults: Iterable[_Fault]) -> Iterator[Finding]:
    """Yield one finding for all faults of one code and cause."""
    alike: dict[tuple[str, tuple[Arch, str]], dict[str, _Fault]] = {}
    for fault in faults:
        alike.setdefault((fault.code, fault.cause), {}).setdefault(fault.member, fault)
    for found in alike.values():
        first, *others = sorted(found)
        fault = found[first]
        more = f", as in {len(others)} more file{'s' * (len(others) > 1)}" if others else ""
        yield Finding(
            code=fault.code,
            severity=fault.severity,
            member=first,
            message=f"{fault.problem}{more}; {fault.matters}",
            others=tuple(others),
        )
