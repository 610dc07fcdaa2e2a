"""The libraries that inflate raw deflate streams (RFC 1951), behind one seam.

Splicing needs to know where a stream's last block begins and ends, bit by bit. zlib's `inflate`
reports block boundaries when it is called with `Z_BLOCK`, which Python's `zlib` module does not
pass; libz and zlib-ng do it through ctypes. Whoever inflates, the facts about a stream are the
same.
"""

from __future__ import annotations

import ctypes
import importlib
import itertools
import sys
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, Protocol

from fatwheel.archive.ranges import CHUNK
from fatwheel.values import valueclass

__all__ = [
    "Blocks",
    "Buffers",
    "End",
    "Inflater",
    "available_inflaters",
    "best_inflater",
    "load_libz",
    "load_zlib_ng",
    "python_zlib",
]

Z_OK, Z_STREAM_END, Z_BUF_ERROR = 0, 1, -5
Z_NO_FLUSH, Z_BLOCK = 0, 5
RAW = -15
"""A window of 32 KiB without zlib's header and checksum, as in zip archives."""

_LIBZ_NAMES = {
    "darwin": ("/usr/lib/libz.1.dylib", "libz.1.dylib"),
    "win32": (),  # no system folder has one, and searching others would load a stranger's
}


@valueclass
class Blocks:
    """Where a deflate stream's last block lies, in bits from the stream's first byte.

    `last_block_bit` is its BFINAL bit, the first of its header (RFC 1951, 3.2.3), `end_bit` the
    first bit behind its end; bits count from the least significant one of each byte.
    """

    last_block_bit: int
    end_bit: int


@valueclass
class End:
    """What is known when a stream ends: its length in bytes and, where found, its last block."""

    consumed: int
    blocks: Blocks | None


Note = Callable[[int, int], None]
"""Takes note of a boundary between two blocks: its bit in the stream, its byte in the content."""


class Inflater(Protocol):
    """A way to inflate and to compute CRC-32."""

    @property
    def name(self) -> str:
        """What does the work, with its version."""

    @property
    def finds_blocks(self) -> bool:
        """Whether `End.blocks` is known at the end."""

    @property
    def crc32(self) -> Callable[[bytes | memoryview, int], int]:
        """The library's CRC-32: `crc32(data, before)`, like `zlib.crc32`."""

    def whole(self, raw: bytes, size: int) -> bytes | None:
        """Return the content of a small stream in one call.

        None where `raw` is anything but one sound stream with `size` bytes of content; `run` tells what is wrong.
        """

    def run(
        self,
        chunks: Iterable[bytes],
        *,
        watch_from: int = 0,
        note: Note | None = None,
        buffers: Buffers | None = None,
    ) -> Generator[memoryview, None, End]:
        """Yield the content in pieces of at most 256 KiB; return what is known at the stream's end.

        Block ends are looked for from byte `watch_from` of the stream on, which saves time
        before; where the last block begins earlier, `End.blocks` is None. `note` is called with
        each boundary between two blocks that is found: its bit in the stream, and its byte in the
        content.

        A piece is valid until the next one is asked for: its memory is used again. With `buffers`,
        that is only when all of them were used. Chunks behind the stream's end are not asked for.
        Streams may run in any number of threads at once. Raises `zlib.error` for a malformed stream
        and `EOFError` where the chunks end before the stream.
        """


class _PythonZlib:
    """Python's own zlib module, which is always there and finds no blocks."""

    name = f"Python's zlib {zlib.ZLIB_RUNTIME_VERSION}"
    finds_blocks = False
    crc32 = staticmethod(zlib.crc32)

    def whole(self, raw: bytes, size: int) -> bytes | None:
        return _whole(zlib, raw, size)

    def run(
        self,
        chunks: Iterable[bytes],
        *,
        watch_from: int = 0,
        note: Note | None = None,
        buffers: Buffers | None = None,
    ) -> Generator[memoryview, None, End]:
        stream = zlib.decompressobj(RAW)
        consumed = 0
        for chunk in chunks:
            consumed += len(chunk)
            data = chunk
            while True:
                piece = stream.decompress(data, CHUNK)
                if piece:
                    yield memoryview(piece)
                if stream.eof:
                    return End(consumed=consumed - len(stream.unused_data), blocks=None)
                data = stream.unconsumed_tail
                if not data and len(piece) < CHUNK:
                    break
        raise EOFError


def _whole(module: Any, raw: bytes, size: int) -> bytes | None:
    """Inflate with Python's zlib, or with a module that is made like it."""
    stream = module.decompressobj(RAW)
    try:
        content: bytes = stream.decompress(raw, size + 1)
    except module.error:
        return None
    right = stream.eof and len(content) == size and not stream.unused_data
    return content if right else None


def available_inflaters() -> Iterator[Inflater]:
    """Yield the inflaters of this machine, the fastest first; Python's zlib is always the last."""
    for load in (load_zlib_ng, load_libz):
        if (inflater := load()) is not None:
            yield inflater
    yield python_zlib()


def best_inflater() -> Inflater:
    """Return the fastest inflater of this machine that finds blocks, else Python's zlib."""
    return next(available_inflaters())


def python_zlib() -> Inflater:
    """Return the inflater that needs nothing but Python."""
    return _PythonZlib()


def _stream_fields(counter: Any, word: Any, checksum: Any) -> list[tuple[str, Any]]:
    """Lay out z_stream (zlib.h) and zng_stream (zlib-ng.h), which differ in three types."""
    return [
        ("next_in", ctypes.c_char_p),
        ("avail_in", word),
        ("total_in", counter),
        ("next_out", ctypes.c_void_p),
        ("avail_out", word),
        ("total_out", counter),
        ("msg", ctypes.c_char_p),
        ("state", ctypes.c_void_p),
        ("zalloc", ctypes.c_void_p),
        ("zfree", ctypes.c_void_p),
        ("opaque", ctypes.c_void_p),
        ("data_type", ctypes.c_int),
        ("adler", checksum),
        ("reserved", ctypes.c_ulong),
    ]


class _LibzStream(ctypes.Structure):
    _fields_ = _stream_fields(ctypes.c_ulong, ctypes.c_uint, ctypes.c_ulong)


class _NgStream(ctypes.Structure):
    _fields_ = _stream_fields(ctypes.c_size_t, ctypes.c_uint32, ctypes.c_uint32)


class Buffers:
    """Memory for `count` pieces, which are written to in turns."""

    def __init__(self, count: int) -> None:
        memory = [(ctypes.c_ubyte * CHUNK)() for _ in range(count)]
        self.turns = [(ctypes.addressof(one), memoryview(one).cast("B")) for one in memory]


class _Stream:
    """A library's stream with its output buffer, made once and used for member after member."""

    def __init__(self, fields: Any) -> None:
        self.fields = fields
        self.pointer = ctypes.byref(fields)
        self.buffers = Buffers(1)


class _Library:
    """libz or zlib-ng through ctypes, which releases the interpreter lock during each call."""

    finds_blocks = True

    def __init__(
        self,
        name: str,
        version: bytes,
        stream: type[Any],
        functions: Sequence[Callable[..., int]],
        module: Any,
    ) -> None:
        """Take over a library; `module` does for Python what it does for C."""
        self.name = f"{name} {version.decode('ascii', 'replace')}"
        self.crc32: Callable[[bytes | memoryview, int], int] = module.crc32
        self._module = module
        self._new_fields = stream
        self._init, self._reset, self._inflate = functions
        self._version = version
        self._idle: list[_Stream] = []  # list.pop and list.append are atomic

    def whole(self, raw: bytes, size: int) -> bytes | None:
        return _whole(self._module, raw, size)

    def run(
        self,
        chunks: Iterable[bytes],
        *,
        watch_from: int = 0,
        note: Note | None = None,
        buffers: Buffers | None = None,
    ) -> Generator[memoryview, None, End]:
        stream = self._take()
        try:
            turns = (buffers or stream.buffers).turns
            return (yield from self._run(stream, itertools.cycle(turns), chunks, watch_from, note))
        finally:
            stream.fields.next_in = None
            self._idle.append(stream)

    def _take(self) -> _Stream:
        try:
            stream = self._idle.pop()
        except IndexError:
            stream = _Stream(self._new_fields())
            size = ctypes.sizeof(stream.fields)
            code = self._init(stream.pointer, RAW, self._version, size)
        else:
            code = self._reset(stream.pointer)
        if code != Z_OK:
            raise MemoryError(f"{self.name} cannot start a stream (code {code})")
        return stream

    def _run(
        self,
        stream: _Stream,
        turns: Iterator[tuple[int, memoryview]],
        chunks: Iterable[bytes],
        watch_from: int,
        note: Note | None,
    ) -> Generator[memoryview, None, End]:
        fields, pointer, inflate = stream.fields, stream.pointer, self._inflate
        address, view = next(turns)
        fields.next_out, fields.avail_out = address, CHUNK
        given = 0  # bytes of all chunks so far
        yielded = 0
        last_block_bit = None if watch_from else 0
        for chunk in chunks:
            given += len(chunk)
            flush = Z_BLOCK if given > watch_from else Z_NO_FLUSH
            fields.next_in, fields.avail_in = chunk, len(chunk)
            while True:
                code = inflate(pointer, flush)
                # 128: at a block's end, 64: in the last block, 0 to 7: bits left in the last byte
                state = fields.data_type
                room = fields.avail_out
                if code == Z_STREAM_END and flush == Z_NO_FLUSH:  # the stream ends too early
                    yield view[: CHUNK - room]
                    return End(consumed=given - fields.avail_in, blocks=None)
                if state & 128:
                    bit = (given - fields.avail_in) * 8 - (state & 7)
                    if state & 64:
                        if room < CHUNK:
                            yield view[: CHUNK - room]
                        return End(
                            consumed=given - fields.avail_in,
                            blocks=None
                            if last_block_bit is None
                            else Blocks(last_block_bit=last_block_bit, end_bit=bit),
                        )
                    last_block_bit = bit
                    if note is not None:
                        note(bit, yielded + CHUNK - room)
                if code not in (Z_OK, Z_BUF_ERROR):
                    raise zlib.error((fields.msg or b"code %d" % code).decode("ascii", "replace"))
                if room == 0:
                    yield view
                    yielded += CHUNK
                    address, view = next(turns)
                    fields.next_out, fields.avail_out = address, CHUNK
                elif not state & 128 and not fields.avail_in:
                    break
        raise EOFError


def load_libz() -> Inflater | None:
    """Return the system's libz; None where there is none that reports blocks."""
    for path in _LIBZ_NAMES.get(sys.platform, ("libz.so.1", "libz.so")):
        try:
            library = ctypes.CDLL(path)
            version = _text_function(library.zlibVersion)()
        except (OSError, AttributeError):
            continue
        if not version.startswith(b"1."):
            continue
        if functions := _functions(library, "", _LibzStream):
            return _checked(_Library("libz", version, _LibzStream, functions, zlib))
    return None


def load_zlib_ng() -> Inflater | None:
    """Return the zlib-ng in the extension module of PyPI's `zlib-ng`; None where it is not
    installed.

    On Windows its functions are not visible from outside, and so it is None there too.
    """
    try:
        module = importlib.import_module("zlib_ng.zlib_ng")
        library = ctypes.CDLL(str(module.__file__))
        version = _text_function(library.zlibng_version)()
    except (ImportError, OSError, AttributeError):
        return None
    if not version.startswith(b"2."):
        return None
    if functions := _functions(library, "zng_", _NgStream):
        return _checked(_Library("zlib-ng", version, _NgStream, functions, module))
    return None


def _text_function(function: Any) -> Callable[[], bytes]:
    function.argtypes, function.restype = [], ctypes.c_char_p
    typed: Callable[[], bytes] = function
    return typed


def _functions(
    library: ctypes.CDLL, prefix: str, stream: type[Any]
) -> Sequence[Callable[..., int]] | None:
    """Bind the functions that start, restart and run a stream; None where one is missing."""
    pointer = ctypes.POINTER(stream)
    functions = []
    for suffix, arguments in (
        ("inflateInit2_", [pointer, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]),
        ("inflateReset", [pointer]),
        ("inflate", [pointer, ctypes.c_int]),
    ):
        function = getattr(library, prefix + suffix, None)
        if function is None:
            return None
        function.argtypes, function.restype = arguments, ctypes.c_int
        functions.append(function)
    return functions


def _checked(inflater: Inflater) -> Inflater | None:
    """Return the inflater if it finds the blocks of a known stream.

    The stream is a stored block `A` of 6 bytes, then a last one of fixed codes, `B` and its end.
    """
    stream = b"\x00\x01\x00\xfe\xffA\x73\x02\x00"
    content = bytearray()
    pieces = inflater.run([stream[:7], stream[7:], b"more"])
    try:
        while True:
            content += next(pieces)
    except StopIteration as stop:
        right = End(consumed=9, blocks=Blocks(last_block_bit=48, end_bit=66))
        return inflater if content == b"AB" and stop.value == right else None
    except (zlib.error, EOFError, MemoryError):
        return None
