"""What is built for a wheelhouse, apart from the building: for which Python, and with what installed."""

from __future__ import annotations

import pytest

from fatwheel.wheelhouse.build import python_of


@pytest.mark.parametrize(
    ("tags", "python"),
    [
        ("cp312-cp312", "3.12"),
        ("cp311-abi3", "3.11"),  # maturin makes cp312-abi3 of 3.12, which is no other half
        ("cp313-cp313t", "3.13t"),
        ("cp37-abi3", "3.7"),
        ("cp37-cp37m", "3.7"),
        ("py3-none", None),
        ("pp311-pypy311_pp73", None),
    ],
)
def test_the_python_of_the_other_half(tags: str, python: str | None) -> None:
    assert python_of(f"pkg-1.0-{tags}-macosx_11_0_arm64.whl") == python
