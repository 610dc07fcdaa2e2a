"""ujson: JSON in C and C++, which asks libc++ for a locale."""

import io

import ujson


class Unknown:
    def __repr__(self) -> str:
        return "<unknown>"


print(
    ujson.dumps({"a": [1, -2.5, 1e300, 0.1, 1e-7, None, True, "ü€\U0001f600</x>"], "b": {"c": {}}})
)
print(
    ujson.dumps("é</", ensure_ascii=False, escape_forward_slashes=False),
    ujson.dumps({"b": 1, "a": 2}, indent=2, sort_keys=True),
)
print(
    ujson.loads(
        '{"a": [1, 2.5, -3e10, 1.7976931348623157e308, 18446744073709551615, "\\ud83d\\ude00", null]}'
    )
)
floats = [i / 7 * 10**e for i in range(1, 60) for e in range(-40, 40, 9)]
print(ujson.loads(ujson.dumps(floats)) == floats)
target = io.StringIO()
ujson.dump([1, {"x": "y"}], target)
print(
    target.getvalue(),
    ujson.load(io.StringIO("[true]")),
    ujson.loads(b"123456789012345678901234567890"),
)
print(
    ujson.dumps({1, 2}, default=sorted), ujson.dumps(float("inf")), ujson.loads("[NaN, Infinity]")
)
for wrong in (
    lambda: ujson.dumps(Unknown()),
    lambda: ujson.loads("[1, 2"),
    lambda: ujson.loads("{1: 2}"),
    lambda: ujson.loads('"\\x"'),
    lambda: ujson.loads("[" * 2000),
    lambda: ujson.loads(3),
    lambda: ujson.dumps({1}, default=lambda x: 1 / 0),
    lambda: ujson.dumps(float("nan"), allow_nan=False),
    lambda: ujson.dumps(),
    lambda: ujson.dumps("\ud800"),
):
    try:
        print("no error", wrong())
    except Exception as error:
        print(type(error).__name__, error)
