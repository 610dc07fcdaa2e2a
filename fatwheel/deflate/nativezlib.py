"""Inflating with libz or zlib-ng through ctypes, called as Python's zlib module does not: so that they report blocks.

ctypes releases the interpreter lock during each call. A library is taken only where it has been tried on a stream
whose blocks are known.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import itertools
import sys
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

from fatwheel.archive.ranges import CHUNK
from fatwheel.deflate.pythonzlib import ModuleInflater
from fatwheel.deflate.stream import RAW, Blocks, Buffers, End, Note

__all__ = ["NativeZlib", "load_libz", "load_zlib_ng"]

Z_OK, Z_STREAM_END, Z_BUF_ERROR = 0, 1, -5
Z_NO_FLUSH, Z_BLOCK = 0, 5

_LIBZ_NAMES = {
    "darwin": ("/usr/lib/libz.1.dylib", "libz.1.dylib"),
    "win32": (),  # no system folder has one, and searching others would load a stranger's
}


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


class _Stream:
    """A library's stream with its output buffer, made once and used for member after member."""

    def __init__(self, fields: Any) -> None:
        self.fields = fields
        self.pointer = ctypes.byref(fields)
        self.buffers = Buffers(1)


class NativeZlib(ModuleInflater):
    """An `Inflater` that finds blocks."""

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
        super().__init__(module)
        self.name = f"{name} {version.decode('ascii', 'replace')}"
        self._new_fields = stream
        self._init, self._reset, self._inflate = functions
        self._version = version
        self._idle: list[_Stream] = []  # list.pop and list.append are atomic

    def run(
        self,
        chunks: Iterable[bytes],
        *,
        watch_from: int = 0,
        note: Note | None = None,
        buffers: Buffers | None = None,
    ) -> Generator[memoryview, None, End]:
        """Yield the content; see `Inflater.run`."""
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


def load_libz() -> NativeZlib | None:
    """Return the system's libz; None where there is none that reports blocks."""
    for path in _LIBZ_NAMES.get(sys.platform, ("libz.so.1", "libz.so")):
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(path)
            version = _text_function(library.zlibVersion)()
            if version.startswith(b"1."):
                functions = _functions(library, "", _LibzStream)
                return _checked(NativeZlib("libz", version, _LibzStream, functions, zlib))
    return None


def load_zlib_ng() -> NativeZlib | None:
    """Return the zlib-ng in the extension module of PyPI's `zlib-ng`; None where it is not installed.

    On Windows its functions are not visible from outside, and so it is None there too.
    """
    with contextlib.suppress(ImportError, OSError, AttributeError):
        module = importlib.import_module("zlib_ng.zlib_ng")
        library = ctypes.CDLL(str(module.__file__))
        version = _text_function(library.zlibng_version)()
        if version.startswith(b"2."):
            functions = _functions(library, "zng_", _NgStream)
            return _checked(NativeZlib("zlib-ng", version, _NgStream, functions, module))
    return None


def _text_function(function: Any) -> Callable[[], bytes]:
    function.argtypes, function.restype = [], ctypes.c_char_p
    typed: Callable[[], bytes] = function
    return typed


def _functions(
    library: ctypes.CDLL, prefix: str, stream: type[Any]
) -> Sequence[Callable[..., int]]:
    """Bind the functions that start, restart and run a stream; raises `AttributeError` where one is missing."""
    pointer = ctypes.POINTER(stream)
    functions = []
    for suffix, arguments in (
        ("inflateInit2_", [pointer, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]),
        ("inflateReset", [pointer]),
        ("inflate", [pointer, ctypes.c_int]),
    ):
        function = getattr(library, prefix + suffix)
        function.argtypes, function.restype = arguments, ctypes.c_int
        functions.append(function)
    return functions


def _checked(inflater: NativeZlib) -> NativeZlib | None:
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
