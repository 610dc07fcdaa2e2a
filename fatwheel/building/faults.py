"""What a build refuses in wheels that it made: other than in wheels from elsewhere, the cause is its own to set."""

from __future__ import annotations

from collections.abc import Sequence

from fatwheel.check.finding import Finding
from fatwheel.errors import RefusedError

__all__ = ["refuse_misplaced_thread_locals", "refuse_newer_code"]


def refuse_newer_code(wheel: str, findings: Sequence[Finding]) -> None:
    """Raise `RefusedError` where code of the wheel needs a newer macOS than its tags promise."""
    remedy = "raise deployment-target in pyproject.toml, or say --floor binaries"
    _refuse(wheel, findings, {"FW203": remedy})


def refuse_misplaced_thread_locals(wheel: str, findings: Sequence[Finding], linker: str) -> None:
    """Raise `RefusedError` where a linker put thread-local variables beside their alignment.

    `linker` is that of the build: "lld", "zig" or "system". Refused is what crashes, and of zig's all that is wrong.
    """
    remedy = _OTHER_LINKERS[linker]
    codes = ("FW313", "FW314") if linker == "zig" else ("FW313",)
    _refuse(wheel, findings, dict.fromkeys(codes, remedy))


_OTHER_LINKERS = {
    "zig": "LLVM's keeps alignments: --linker lld (not on Windows; build on Linux or macOS)",
    "lld": "with --linker lld, zig still links what needs libc++; build it on a Mac, or without libc++",
    "system": "LLVM's keeps alignments: --linker lld",
}


def _refuse(wheel: str, findings: Sequence[Finding], remedies: dict[str, str]) -> None:
    for finding in findings:
        if finding.code in remedies:
            raise RefusedError(
                f"{wheel}: {finding.member}: {finding.message}; {remedies[finding.code]}"
            )
