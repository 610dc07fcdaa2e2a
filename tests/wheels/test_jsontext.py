"""JSON from strangers: read as Python reads it, or refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.wheels.jsontext import MOST_VALUES, AlikeReader, load_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
)


@given(VALUES)
def test_law_what_is_written_is_read(value: object) -> None:
    assert load_json(json.dumps(value).encode()) == value


OBJECTS = st.lists(st.one_of(st.dictionaries(st.text(max_size=3), VALUES, max_size=2), VALUES))
WAYS = st.sampled_from([{"indent": 2}, {"separators": (" ,\n", "\t: ")}, {}])


@given(st.lists(OBJECTS, min_size=1, max_size=4), st.lists(WAYS, min_size=4, max_size=4))
def test_law_what_is_alike_is_read_as_it_is_alone(
    lists: list[list[object]], ways: list[dict[str, Any]]
) -> None:
    reader = AlikeReader()
    written = [json.dumps({"": one, "b": one[::-1]}, **way) for one in lists for way in ways]
    for text in written:
        assert repr(reader.load(text.encode())) == repr(load_json(text.encode()))


def test_what_is_alike_is_one_value() -> None:
    reader = AlikeReader()
    first = reader.load(b'{"a": [{"x": [1]}, {"x": [2]}], "b": []}')["a"]
    second = reader.load(b'{"b": 1, "a": [{"x": [1]}, {"x": 3}, 5, {"x": [2]}]}')["a"]
    assert second[0] is first[0]
    assert second[3] is first[1]
    assert second[1:3] == [{"x": 3}, 5]


@pytest.mark.parametrize("text", [b'{"a": [{"x": 1}%b]}', b'{"a": [{"x": 1}], %b}', b"%b"])
@pytest.mark.parametrize(
    "wrong",
    [
        *(
            b"",
            b",",
            b",,",
            b"{",
            b",{",
            b"}",
            b"1",
            b',"a"',
            b',"a":',
            b":",
            b'"a": 1',
            b'{"a": [{}]}}',
        ),
        *(b', {"y": 1, "y": 2}', b'{"a": 1, "a": 2}', b', {"x": NaN}', b"[1]: 2", b"1: 2"),
        *(b'{"a": [{"x": 1}]}', b', {"x": 1}', b'{"a": [{}], "a": 1}', b',"a": [' + b"[" * 9999),
    ],
)
def test_what_is_wrong_is_said_as_it_is_alone(text: bytes, wrong: bytes) -> None:
    reader = AlikeReader()
    reader.load(b'{"a": [{"x": 1}, {"x": 1}, {"y": 2}]}')

    def outcome(load: Callable[[bytes], object]) -> str:
        try:
            return repr(load(text % wrong))
        except ValueError as error:
            return str(error)

    assert outcome(reader.load) == outcome(load_json)


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
