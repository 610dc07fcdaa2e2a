"""What is advised where a linker lacks a framework or a library."""

from __future__ import annotations

import pytest

from fatwheel.toolchain.advice import advice


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("ld64.lld: error: framework not found for -framework Foo\n", "the framework Foo"),
        ("ld64.lld: error: framework not found Foo\n", "the framework Foo"),
        ("ld64.lld: error: library not found for -lfoo\n", "the library libfoo"),
        ('error: unable to find system framework "Foo". searched paths: none', "the framework Foo"),
        (
            'error: unable to find dynamic system library "foo" using strategy paths_first.',
            "the library libfoo",
        ),
    ],
)
def test_advice(said: str, what: str) -> None:
    assert advice(said).startswith(f"fatwheel: {what} has no stub here; ")
    assert "SDKROOT" in advice(said)


def test_no_advice_where_no_sdk_would_help() -> None:
    assert advice("ld64.lld: error: undefined symbol: _f\n") == ""


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ('error: unable to find system framework "Security".', "the framework Security"),
        ('error: unable to find dynamic system library "objc" using', "the library libobjc"),
    ],
)
def test_zig_lacks_what_fatwheel_has(said: str, what: str) -> None:
    assert advice(said).startswith(f"fatwheel: zig has no stub of {what}, ")
    assert "--linker lld, or set SDKROOT" in advice(said)
