"""Values behave as the frozen dataclasses that type checkers take them for."""

from __future__ import annotations

import contextlib
import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from inspect import Parameter, signature
from typing import Any

import pytest

from fatwheel.values import valueclass
from tests.support.corpus import ROOT


@valueclass
class Point:
    """A place."""

    x: int
    y: int = 0
    names: list[str] = field(default_factory=list)

    @property
    def far(self) -> bool:
        return self.x > 9


@valueclass
class Other:
    x: int
    y: int = 0
    names: list[str] = field(default_factory=list)


@valueclass
class Spelt:
    x: int

    def __repr__(self) -> str:
        return "spelt"


@dataclass(frozen=True, kw_only=True)
class Twin:
    x: int
    y: int = 0
    names: list[str] = field(default_factory=list)


def test_fields_are_given_by_name() -> None:
    point = Point(x=1)
    assert (point.x, point.y, point.names, point.far) == (1, 0, [], False)
    assert Point(x=1).names is not point.names
    make: Any = Point
    for arguments, named in (((1,), {}), ((), {}), ((), {"x": 1, "z": 2})):
        with pytest.raises(TypeError):
            make(*arguments, **named)


def test_fields_may_be_called_as_its_own_code_calls_things() -> None:
    @valueclass
    class Odd:
        ungiven: int
        new_1: list[int] = field(default_factory=list)
        cls: int = 3
        field_0: int = 4

    odd = Odd(ungiven=1)
    assert (odd.ungiven, odd.new_1, odd.cls, odd.field_0) == (1, [], 3, 4)
    assert Odd(ungiven=1, new_1=[2], field_0=5).new_1 == [2]
    make: Any = Odd
    with pytest.raises(TypeError, match=r"Odd\.__init__\(\) missing .* argument: 'ungiven'"):
        make()


def test_its_signature_is_there_before_the_first_instance() -> None:
    @valueclass
    class Fresh:
        x: int
        y: int = 0

    parameters = signature(Fresh).parameters.values()
    assert [(one.name, one.kind, one.default, one.annotation) for one in parameters] == [
        ("x", Parameter.KEYWORD_ONLY, Parameter.empty, "int"),
        ("y", Parameter.KEYWORD_ONLY, 0, "int"),
    ]
    assert Fresh(x=1) == Fresh(x=1, y=0)
    assert str(signature(Point)) == str(signature(Twin))


def test_it_has_slots() -> None:
    point: Any = Point(x=1)
    with pytest.raises(AttributeError):
        point.z = 1
    assert not hasattr(point, "__dict__")


def test_equal_is_what_has_one_class_and_equal_fields() -> None:
    assert Point(x=1) == Point(x=1, y=0)
    assert Point(x=1) != Point(x=2)
    other: Any = Other(x=1)
    assert Point(x=1) != other
    assert Point(x=1).__eq__(other) is NotImplemented
    assert len({Spelt(x=1), Spelt(x=1), Spelt(x=2)}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(Point(x=1))  # of its list


def test_it_is_printed_as_a_dataclass_is() -> None:
    assert repr(Point(x=1)) == repr(Twin(x=1)).replace("Twin", "Point")
    assert repr(Spelt(x=1)) == "spelt"


def test_what_works_on_dataclasses_works_on_it() -> None:
    point = Point(x=1, y=2, names=["a"])
    assert replace(point, x=3) == Point(x=3, y=2, names=["a"])
    assert asdict(point) == {"x": 1, "y": 2, "names": ["a"]}
    assert [found.name for found in fields(Point)] == ["x", "y", "names"]
    assert (Point.__doc__, Point.__qualname__, Point.__module__) == ("A place.", "Point", __name__)


def test_threads_may_ask_for_its_fields_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """`dataclass` fails now and then where two threads make one class, so it must not be begun twice."""

    @valueclass
    class Fresh:
        x: int

    made, second = [], threading.Barrier(2)

    def slow(**options: Any) -> Any:
        made.append(options)
        with contextlib.suppress(threading.BrokenBarrierError):
            second.wait(0.2)  # until another one comes
        return dataclass(**options)

    monkeypatch.setattr("dataclasses.dataclass", slow)
    with ThreadPoolExecutor(2) as executor:
        found = list(executor.map(lambda _: replace(Fresh(x=1), x=2).x, range(2)))
    assert (found, len(made)) == ([2, 2], 1)


def test_no_frozen_dataclass_is_made_at_the_start() -> None:
    sources = (ROOT / "fatwheel").rglob("*.py")
    assert [path.name for path in sources if "@dataclass(frozen" in path.read_text("utf-8")] == []


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_it_travels(protocol: int) -> None:
    point = Point(x=1, y=2, names=["a"])
    assert pickle.loads(pickle.dumps(point, protocol)) == point
    assert copy.deepcopy(point) == copy.copy(point) == point


def test_a_class_that_would_come_out_wrong_is_refused() -> None:
    with pytest.raises(TypeError, match="inherits from another value class"):

        @valueclass
        class Inheriting(Point):
            z: int

    with pytest.raises(TypeError, match=r"Fielded\.x: write the default without field"):

        @valueclass
        class Fielded:
            x: int = field(default=1)
