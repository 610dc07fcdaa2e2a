"""Why a build failed, as it is told: what is left of cargo's output, and the hints."""

from __future__ import annotations

import pytest

from fatwheel.building.reason import compiler_errors
from fatwheel.toolchain.advice import advice

LACKING = 'error: unable to find system framework "Foo"'
ERROR = "error[E0308]: mismatched types\n --> src/lib.rs:1:1\n  |\n\nerror: could not compile `x`"


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (f"   Compiling x\nwarning: y\n{ERROR}\n💥 maturin failed\n  Caused by: cargo", ERROR),
        (
            f"\x1b[1mnote\x1b[0m\n\x1b[1m\x1b[91merror\x1b[0m: linking failed\n{ERROR}\n💥 m",
            f"\x1b[1m\x1b[91merror\x1b[0m: linking failed\n{ERROR}",
        ),
        (
            "found\n💥 maturin failed\n  Caused by: no python",
            "found\n💥 maturin failed\n  Caused by: no python",
        ),
        (f"{ERROR}\n{LACKING}\n💥 m", f"{ERROR}\n{LACKING}\n{advice(LACKING)}"),
        (f"{LACKING}\n{advice(LACKING)}\n💥 m", f"{LACKING}\n{advice(LACKING)}"),
        ("\n".join(map(str, range(99))), "\n".join(map(str, range(69, 99)))),
        ("", ""),
    ],
    ids=[
        "compiler",
        "coloured",
        "maturin",
        "a framework",
        "as its linker said",
        "neither",
        "silence",
    ],
)
def test_the_reason_of_a_failure(output: str, reason: str) -> None:
    assert compiler_errors(output) == reason
