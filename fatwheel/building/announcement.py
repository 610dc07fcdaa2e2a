"""What is said before a build for macOS: the architectures, who asked for them, and what was overruled."""

from __future__ import annotations

from collections.abc import Iterator

from fatwheel.targets.decision import Decision, PythonFacts

__all__ = ["announcement"]


def announcement(decision: Decision, python: PythonFacts) -> Iterator[str]:
    """Yield the lines that say what is built for, and why."""
    if not decision.archs:
        yield f"the target is not macOS, so maturin builds as it always does. {decision.why}"
        return
    archs = " and ".join(arch.value for arch in decision.archs)
    kind = "universal2, " if decision.is_universal2 else ""
    yield f"BUILDING FOR macOS ({kind}{archs}). {decision.why}"
    cross = decision.is_cross(python)
    for line in (*decision.overruled, *decision.unloadable):
        yield f"{'WARNING' if cross else 'note'}: {line}"
    for line in decision.contradictions:
        yield f"WARNING: {line}"
