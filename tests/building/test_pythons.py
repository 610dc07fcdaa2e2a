"""Which Pythons a crate's PyO3 knows, by what `cargo metadata` says."""

from __future__ import annotations

from typing import Any

import pytest

from fatwheel.building.pythons import unknown_pythons


def metadata(*features: str) -> dict[str, Any]:
    known = {
        "cpython": {"min-version": "3.8", "max-version": "3.15"},
        "pypy": {"min-version": "3.11", "max-version": "3.11"},
    }
    return {
        "packages": [
            {"id": "x", "name": "x", "metadata": None},
            {"id": "f", "name": "pyo3-ffi", "version": "0.29.3", "metadata": known},
        ],
        "resolve": {"nodes": [{"id": "f", "features": ["default", *features]}]},
    }


@pytest.mark.parametrize(
    ("interpreter", "problem"),
    [
        ("3.99", "-i 3.99: this crate's PyO3 0.29.3 knows CPython 3.8 to 3.15; take one of these"),
        ("3.7", "-i 3.7: this crate's PyO3 0.29.3 knows CPython 3.8 to 3.15"),
        ("3.16t", "-i 3.16t: this crate's"),
        ("pypy3.10", "-i pypy3.10: this crate's PyO3 0.29.3 knows PyPy 3.11 to 3.11"),
        ("3.8", None),
        ("3.15t", None),
        ("pypy3.11", None),
        ("/usr/bin/python3.99", None),
    ],
)
def test_what_is_not_between_the_oldest_and_the_newest(
    interpreter: str, problem: str | None
) -> None:
    said = list(unknown_pythons(metadata(), [interpreter]))
    assert [line[: len(problem or "")] for line in said] == ([problem] if problem else [])


def test_the_stable_abi_is_for_newer_ones_too() -> None:
    assert list(unknown_pythons(metadata("abi3-py310", "abi3"), ["3.99"])) == []


@pytest.mark.parametrize(
    "said", [{}, {"packages": [{"id": "f", "name": "pyo3-ffi", "metadata": None}]}]
)
def test_where_cargo_says_nothing_of_it(said: dict[str, Any]) -> None:
    assert list(unknown_pythons(said, ["3.99"])) == []
