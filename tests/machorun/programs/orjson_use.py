"""orjson: JSON in Rust with SIMD and intrinsics; every type that it writes, and its errors."""

import dataclasses
import datetime
import enum
import json
import uuid

import orjson


@dataclasses.dataclass
class Point:
    x: int
    y: float
    name: str = "p"


class Colour(enum.Enum):
    RED = 1


value = {
    "text": 'a"\\\n\t\x01ü€\U0001f600' * 9,
    "numbers": [0, -1, 2**53, 2**63 - 1, -(2**63), 2**64 - 1, 1.5, 1e22, 5e-324, 0.1, 1e16, -0.0],
    "nested": [[[]], {"a": {"b": {}}}, None, True, False],
}
print(orjson.dumps(value).decode())
print(orjson.loads(orjson.dumps(value)) == value, orjson.loads(json.dumps(value)) == value)
print(orjson.dumps(Point(1, 2.5)), orjson.dumps([Colour.RED, uuid.UUID(int=5)]))
when = datetime.datetime(
    2026, 1, 2, 3, 4, 5, 678, tzinfo=datetime.timezone(datetime.timedelta(hours=-3))
)
print(
    orjson.dumps([when, when.date(), datetime.time(1, 2, 3)]),
    orjson.dumps(when, option=orjson.OPT_UTC_Z),
)
print(
    orjson.dumps(
        {2: 1, "a": {3: 2}},
        option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2,
    )
)
print(orjson.dumps({1, 2}, default=sorted), orjson.loads(b"[1.5, 123456789012345678901234567890]"))
floats = [i / 7 * 10**e for i in range(1, 60) for e in range(-40, 40, 9)]
print(
    orjson.loads(orjson.dumps(floats)) == floats,
    orjson.dumps(floats) == json.dumps(floats).replace(" ", "").encode(),
)
strings = ["x" * n + tail for n in range(70) for tail in ("", '"', "\x1f", "é")]
print(json.loads(orjson.dumps(strings)) == strings, orjson.loads(json.dumps(strings)) == strings)
loop: list = []
loop.append(loop)
for wrong in (
    lambda: orjson.dumps(object()),
    lambda: orjson.dumps(2**64),
    lambda: orjson.dumps({1: 2}),
    lambda: orjson.dumps(loop),
    lambda: orjson.dumps("\ud800"),
    lambda: orjson.dumps({1}, default=lambda x: 1 / 0),
    lambda: orjson.loads(b"[1, 2"),
    lambda: orjson.loads(b'"\xff"'),
    lambda: orjson.loads(""),
    lambda: orjson.loads("[" * 2000),
    lambda: orjson.loads(3),
):
    try:
        print("no error", wrong())
    except Exception as error:
        print(type(error).__name__, error, type(error.__cause__).__name__)
