"""Faults that are known and not mended yet: fuzzing goes on past them, and a test says when one is gone.

What is mended leaves this list, and its input goes to `fixtures/fuzz/TARGET/`: `python -m tests.fuzz.known`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests.fuzz.target import REGRESSIONS

__all__ = ["KNOWN", "Known", "is_known"]


class Known(NamedTuple):
    """One fault: its target, its kind (`findings.fault`, without the line), an input that shows it, what is wrong."""

    target: str
    kind: str
    input: bytes
    wrong: str


KNOWN: tuple[Known, ...] = ()


def is_known(target: str, finding: Path) -> bool:
    """Return whether a finding (its input; the reason lies beside it) is a fault that is known."""
    reason = finding.with_suffix(".txt")
    kind = reason.read_text("utf-8").partition("\n")[0] if reason.exists() else ""
    return any(known.target == target and kind.startswith(known.kind + ":") for known in KNOWN)


def _keep_mended() -> None:
    """Write the inputs of what is mended to where they are replayed, and say which entries to delete."""
    from tests.fuzz.findings import fault_of
    from tests.fuzz.table import TARGETS

    for known in KNOWN:
        if not fault_of(TARGETS[known.target], known.input):
            folder = REGRESSIONS / known.target
            folder.mkdir(exist_ok=True)
            name = "-".join(known.wrong.split()[:7]).strip(",")
            (folder / name).write_bytes(known.input)
            print(f"mended, so delete it here: {known.wrong}")


if __name__ == "__main__":
    _keep_mended()
