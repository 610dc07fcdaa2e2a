"""JSON from strangers: read as Python reads it, or refused with a reason."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.wheels.jsontext import MOST_VALUES, load_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
)


@given(VALUES)
def test_law_what_is_written_is_read(value: object) -> None:
    assert load_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"{", "Expecting property name"),
        (b"\xff", "codec can't decode byte 0xff"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' stands twice in one object"),
        (b"[NaN]", "NaN is no JSON"),
        (b"[" * 200_000, "it is nested too deeply"),
        (b'{"a":' * 100_000, "it is nested too deeply"),
        (b"9" * 5_000, "Exceeds the limit"),
        (
            b"[" + b"0," * MOST_VALUES + b"0]",
            "it has some 500001 values, and at most 500000 are read",
        ),
        (b"[" + b"{}," * (MOST_VALUES // 2) + b"0]", "values, and at most 500000 are read"),
    ],
    ids=["cut", "UTF-8", "twice", "NaN", "deep", "deep objects", "digits", "numbers", "objects"],
)
def test_what_is_refused(text: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        load_json(text)


def test_as_many_values_as_are_allowed() -> None:
    assert len(load_json(b"[" + b"0," * (MOST_VALUES - 1) + b"0]")) == MOST_VALUES
