"""Versions: what uv prints, and both architectures compared."""

from __future__ import annotations

import pytest

from fatwheel.arch import Arch
from fatwheel.errors import RefusedError, UsageError
from fatwheel.index.listing import LeftOut
from fatwheel.wheelhouse.resolve import Pin, combine_pins, newer_versions, parse_pins

X, A = Arch.X86_64, Arch.ARM64


def test_pins_are_read() -> None:
    text = "# made by uv\n--index-url x\nNumPy==2.2.6\n\nzope.interface==7.0 ; sys_platform == 'darwin'\n"
    assert parse_pins(text) == {"numpy": "2.2.6", "zope-interface": "7.0"}


@pytest.mark.parametrize("line", ["pkg @ file:///x/pkg.whl", "./pkg", "-e ."])
def test_what_is_in_no_index_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="is no project of an index; put its wheel into a folder"):
        parse_pins(line)


def test_both_architectures_together() -> None:
    assert combine_pins({X: {"a": "1", "b": "2"}, A: {"a": "1", "c": "3"}}) == (
        Pin(name="a", version="1", archs=(X, A)),
        Pin(name="b", version="2", archs=(X,)),
        Pin(name="c", version="3", archs=(A,)),
    )


def test_versions_that_differ_are_named_with_the_pin() -> None:
    with pytest.raises(
        RefusedError,
        match=r"different versions: a 1\.10 for x86_64 and 1\.9 for arm64 \(pin it: 'a==1\.9'\)",
    ):
        combine_pins({X: {"a": "1.10"}, A: {"a": "1.9"}})


def test_a_newer_version_that_lacks_an_architecture_is_named() -> None:
    pin = Pin(name="cryptography", version="48.0.1", archs=(X, A))
    left_out = [
        LeftOut(version="50.0.2", what="", why="no x86_64 wheel"),
        LeftOut(version="50.1rc1", what="", why="no x86_64 wheel"),
        LeftOut(version="49.0", what="", why="no x86_64 wheel"),
        LeftOut(version="51.0", what="one-file.whl", why="odd"),
        LeftOut(version="3.0", what="", why="no arm64 wheel"),
    ]
    assert list(newer_versions(pin, left_out)) == [
        "cryptography 48.0.1; 50.0.2 has no x86_64 wheel"
    ]
