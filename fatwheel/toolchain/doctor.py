"""What `fatwheel doctor` tells: the machine, its Pythons and what they would build, the tools; as values and text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fatwheel.arch import Arch
from fatwheel.errors import UsageError
from fatwheel.targets.decision import Decision, PythonFacts, Wishes, decide_targets
from fatwheel.toolchain.tools import Readiness, Tool
from fatwheel.values import valueclass

__all__ = [
    "Diagnosis",
    "Patient",
    "diagnose",
    "diagnosis_json",
    "diagnosis_lines",
    "is_apple_silicon",
]


@valueclass
class Patient:
    """One interpreter and what a wheel for it would be built for.

    `decision` is None where there can be none; then `problem` says why.
    """

    python: PythonFacts
    decision: Decision | None
    problem: str = ""


@valueclass
class Diagnosis:
    """All that is told. `system` is the machine's, as in "macOS 14.5"; `machine` its own architecture."""

    version: str
    system: str
    machine: str
    wishes: Wishes
    patients: tuple[Patient, ...]
    tools: tuple[Tool, ...]
    readiness: Readiness


def diagnose(python: PythonFacts, wishes: Wishes) -> Patient:
    """Return what `wishes` come to for one interpreter; nonsense in a variable is told, too."""
    try:
        return Patient(python=python, decision=decide_targets(wishes, python))
    except UsageError as error:
        return Patient(python=python, decision=None, problem=f"{error}.")


def is_apple_silicon(python: PythonFacts) -> bool:
    """Say whether the machine that `python` runs on is an arm64 Mac."""
    return python.is_macos and (python.translated or python.machine == Arch.ARM64.value)


def diagnosis_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield the report as lines of text."""
    yield f"fatwheel {diagnosis.version} on {diagnosis.system} ({diagnosis.machine})"
    for patient in diagnosis.patients:
        yield ""
        yield from _patient_lines(patient)
    yield ""
    width = max(len(tool.name) for tool in diagnosis.tools)
    for tool in diagnosis.tools:
        yield f"{tool.name:<{width}}  {_state(tool)}"
    yield ""
    yield from _readiness_lines(diagnosis.readiness)


def _patient_lines(patient: Patient) -> Iterator[str]:
    python = patient.python
    yield f"Python {python.version}  {python.executable}"
    yield f"  {_nature(python)}"
    if patient.decision is None:
        yield f"  problem: {patient.problem}"
        return
    decision = patient.decision
    yield f"  builds for {_targets(decision)}: {decision.why}"
    for sentence in decision.overruled:
        yield f"  overruled: {sentence}"
    for sentence in decision.unloadable:
        yield f"  note: {sentence}"
    for sentence in decision.contradictions:
        yield f"  contradiction: {sentence}"


def _nature(python: PythonFacts) -> str:
    """Return what an interpreter is and how it runs."""
    parts = [f"platform {python.platform}"]
    if python.is_macos:
        names = " and ".join(arch.value for arch in Arch if arch in python.slices)
        parts.append(f"binary for {names}" if names else "binary not readable")
        manner = ", translated by Rosetta 2" if python.translated else ""
        parts.append(f"runs as {python.machine}{manner}")
    else:
        parts.append(f"runs as {python.machine}")
    return "; ".join(parts)


def _targets(decision: Decision) -> str:
    if not decision.archs:
        return "what maturin chooses"
    name = "universal2" if decision.is_universal2 else decision.archs[0].value
    return f"{name} ({' and '.join(decision.rust_targets)})"


def _state(tool: Tool) -> str:
    if tool.found:
        return tool.found
    return (
        f"missing; needed for {tool.needed_for}" if tool.is_missed else "none, and not needed here"
    )


def _readiness_lines(readiness: Readiness) -> Iterator[str]:
    if not readiness.missing:
        yield f"fatwheel build: ready, linker {readiness.linker}"
        if readiness.note:
            yield f"  {readiness.note}"
        return
    yield "fatwheel build: not before these are installed (fatwheel fuse needs none of them)"
    for missing in readiness.missing:
        yield f"  {missing.what}"
        yield f"      {missing.how}"


def diagnosis_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return the report as JSON's values."""
    wishes, readiness = diagnosis.wishes, diagnosis.readiness
    return {
        "fatwheel": diagnosis.version,
        "system": diagnosis.system,
        "machine": diagnosis.machine,
        "wishes": {
            "option": wishes.option,
            "CARGO_BUILD_TARGET": wishes.cargo_build_target,
            "ARCHFLAGS": wishes.archflags,
            "_PYTHON_HOST_PLATFORM": wishes.host_platform,
            "universal2": wishes.universal2,
        },
        "pythons": [_patient_json(patient) for patient in diagnosis.patients],
        "tools": [
            {"name": tool.name, "found": tool.found or None, "needed_for": tool.needed_for or None}
            for tool in diagnosis.tools
        ],
        "build": {
            "ready": not readiness.missing,
            "linker": readiness.linker or None,
            "note": readiness.note or None,
            "missing": [
                {"what": missing.what, "how": missing.how} for missing in readiness.missing
            ],
        },
    }


def _patient_json(patient: Patient) -> dict[str, Any]:
    python, decision = patient.python, patient.decision
    return {
        "executable": python.executable,
        "version": python.version,
        "system": python.system,
        "platform": python.platform,
        "machine": python.machine,
        "translated": python.translated,
        "slices": _names([arch for arch in Arch if arch in python.slices]),
        "decision": decision
        and {
            "archs": _names(decision.archs),
            "targets": list(decision.rust_targets),
            "decided_by": decision.decided_by,
            "why": decision.why,
            "overruled": list(decision.overruled),
            "unloadable": list(decision.unloadable),
            "contradictions": list(decision.contradictions),
            "cross": decision.is_cross(python),
        },
        "problem": patient.problem or None,
    }


def _names(archs: Sequence[Arch]) -> list[str]:
    return [arch.value for arch in archs]
