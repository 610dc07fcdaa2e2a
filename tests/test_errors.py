"""Errors as text, wherever they are printed, and on their way between processes."""

from __future__ import annotations

import pickle

import pytest

from fatwheel.errors import FatwheelError, FormatError, ToolError, WheelError
from fatwheel.toolchain.host import Missing, MissingToolsError

STRANGE = "a\x1b[31m\nfatwheel: fine"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FormatError("a.so", 12, "is cut"), "a.so, byte 12: is cut"),
        (FormatError("a.so", None, "is cut"), "a.so: is cut"),
        (WheelError("a.whl", "pkg/b", "is odd"), "a.whl: pkg/b: is odd"),
        (WheelError("a.whl", None, "is odd"), "a.whl: is odd"),
        (WheelError("a.whl", STRANGE, "is odd"), "a.whl: a\\x1b[31m\\x0afatwheel: fine: is odd"),
        (
            ToolError("it says:", ["  one", STRANGE]),
            "it says:\n  one\na\\x1b[31m\\x0afatwheel: fine",
        ),
        (
            MissingToolsError([Missing(what="zig", how="pip install ziglang")]),
            "to build here, one thing must be installed first:\n  zig\n      pip install ziglang",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_is_its_sentence_and_what_is_listed_below(error: FatwheelError, text: str) -> None:
    assert str(error) == text
    travelled = pickle.loads(pickle.dumps(error))
    assert type(travelled) is type(error)
    assert str(travelled) == text
    assert vars(travelled) == vars(error)


def test_the_fields_hold_what_was_read() -> None:
    error = WheelError("a.whl", STRANGE, "is odd")
    assert (error.wheel, error.member, error.problem) == ("a.whl", STRANGE, "is odd")
    assert error.sentence == f"a.whl: {STRANGE}: is odd"
