"""jiter: a JSON parser in Rust; numbers of every kind, errors with positions, partial input."""

import json

import jiter

text = json.dumps(
    {
        "a": [1, -2.5, 1e300, 12345678901234567890123, None, True, "ü\u20ac\U0001f600"],
        "b": {"c": {}},
    }
)
print(jiter.from_json(text.encode()))
print(jiter.from_json(b"[1.1, 2.20, 1e-7]", float_mode="decimal"))
print(jiter.from_json(b"[1.1, 2.20, 1e-7]", float_mode="lossless-float"))
print(jiter.from_json(b'{"a": [1, 2, {"b": "x', partial_mode=True))
print(jiter.from_json(b'{"a": "tr', partial_mode="trailing-strings"))
print(jiter.from_json(b"[Infinity, -Infinity]"), jiter.cache_usage() >= 0)
floats = [i / 7 * 10**e for i in range(1, 40) for e in range(-30, 30, 7)]
print(jiter.from_json(json.dumps(floats).encode()) == floats)
for wrong in (b"[1, 2", b'{"a" 1}', b"[01]", b"nul", b'"\xff"', b"", b'"\\ud800"', b"[" * 300):
    try:
        print("no error", jiter.from_json(wrong))
    except ValueError as error:
        print(error)
try:
    jiter.from_json(b'{"a": 1, "a": 2}', catch_duplicate_keys=True)
except ValueError as error:
    print(error)
try:
    jiter.from_json(3)
except TypeError as error:
    print(error)
