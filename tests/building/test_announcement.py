"""What is said before a build, with its reason."""

from __future__ import annotations

import pytest

from fatwheel.building.announcement import announcement
from fatwheel.targets.decision import Decision, PythonFacts, Wishes, decide_targets
from tests.support.interpreters import ARCHFLAGS_FOR_BOTH as BOTH
from tests.support.interpreters import LINUX
from tests.support.interpreters import PYTHON_ORG as MAC


def decided(python: PythonFacts, **values: str | bool) -> Decision:
    return decide_targets(Wishes(**values), python)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("python", "asked", "lines"),
    [
        (
            LINUX,
            {},
            [
                (
                    "the target is not macOS, so maturin builds as it always does. Nothing asks for macOS, and this "
                    "Python runs on linux."
                )
            ],
        ),
        (
            LINUX,
            {"archflags": "-arch arm64"},
            [
                "BUILDING FOR macOS (arm64). ARCHFLAGS='-arch arm64' asks for macOS arm64.",
                "WARNING: This Python runs on linux and cannot load what is built for macOS arm64.",
            ],
        ),
        (
            MAC,
            {"universal2": True, "option": "arm64"},
            [
                "BUILDING FOR macOS (arm64). The option arm64 asks for macOS arm64.",
                (
                    "note: The setting universal2 = true asks for universal2 (x86_64 and arm64); the option arm64 has "
                    "precedence."
                ),
            ],
        ),
        (
            MAC,
            {"cargo_build_target": "aarch64-apple-darwin", "archflags": BOTH},
            [
                "BUILDING FOR macOS (arm64). CARGO_BUILD_TARGET=aarch64-apple-darwin asks for macOS arm64.",
                (
                    f"note: ARCHFLAGS='{BOTH}' asks for universal2 (x86_64 and arm64); "
                    "CARGO_BUILD_TARGET=aarch64-apple-darwin has precedence."
                ),
                (
                    "WARNING: CARGO_BUILD_TARGET=aarch64-apple-darwin asks for macOS arm64 and "
                    f"ARCHFLAGS='{BOTH}' for universal2 (x86_64 and arm64); change or unset one of them."
                ),
            ],
        ),
    ],
    ids=["not macOS", "stray ARCHFLAGS on Linux", "overruled", "contradiction"],
)
def test_what_is_built_is_said_with_its_reason(
    python: PythonFacts, asked: dict[str, str | bool], lines: list[str]
) -> None:
    assert list(announcement(decided(python, **asked), python)) == lines
