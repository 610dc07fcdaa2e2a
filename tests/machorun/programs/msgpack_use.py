"""msgpack: Cython's C; buffers, exceptions through many frames, callbacks."""

import datetime
import io

import msgpack
from msgpack import _cmsgpack

values = [
    None,
    True,
    0,
    -1,
    127,
    128,
    -129,
    2**31,
    2**63,
    -(2**63),
    1.5,
    -0.0,
    1e300,
    "ü€",
    b"\0\xff",
    [1, [2, [3]]],
]
values.append({"a": 1, "b": {"c": [None] * 20}, "long": "x" * 70000})
packed = msgpack.packb(values)
print(len(packed), packed[:60].hex(), msgpack.unpackb(packed) == values)
print(msgpack.Packer is _cmsgpack.Packer, msgpack.Unpacker is _cmsgpack.Unpacker)
stream = msgpack.Unpacker(
    io.BytesIO(b"".join(msgpack.packb(i) for i in range(1000))), max_buffer_size=5000
)
print(sum(stream))
print(msgpack.packb(msgpack.ExtType(5, b"xyz")).hex(), msgpack.unpackb(b"\xc7\x03\x05xyz"))
when = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.timezone.utc)
print(
    msgpack.packb(when, datetime=True).hex(),
    msgpack.unpackb(msgpack.packb(when, datetime=True), timestamp=3),
)
print(
    msgpack.packb({1, 2}, default=sorted).hex(),
    msgpack.unpackb(b"\x81\xa1a\x01", object_hook=lambda d: [d]),
)
deep = b"\x91" * 2000 + b"\x01"
for wrong in (
    lambda: msgpack.packb(object()),
    lambda: msgpack.packb(2**64),
    lambda: msgpack.unpackb(b"\x93\x01"),
    lambda: msgpack.unpackb(b"\xc1"),
    lambda: msgpack.unpackb(b"\x01\x02"),
    lambda: msgpack.unpackb(deep),
    lambda: msgpack.unpackb(b"\xa5hello", max_str_len=3),
    lambda: msgpack.packb([1], default=3),
    lambda: msgpack.Unpacker(max_buffer_size="x"),
):
    try:
        print("no error", wrong())
    except Exception as error:
        print(type(error).__name__, error)
