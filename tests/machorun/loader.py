"""Map one slice of a macOS module into this process, bind it, and run its initialisers."""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from tests.machorun import unwind
from tests.machorun.exports import exports
from tests.machorun.fixups import FLAT, MAIN_PROGRAM, SELF, WEAK, Bind, Rebase, fixups
from tests.machorun.reader import BadImageError, Image, Section, read
from tests.machorun.symbols import MissingLibraryError, Symbols

PAGE = 4096
TRAPS = 4096
INITIALIZERS, INITIALIZER_OFFSETS = 0x9, 0x16
TLV_DATA, TLV_ZEROS, TLV_DESCRIPTORS, TLV_INITIALIZERS = 0x11, 0x12, 0x13, 0x15
PROT_NONE, PROT_WRITE = 0, 2
MAP_PRIVATE_ANONYMOUS = 0x22

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.mmap.restype = ctypes.c_void_p
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def _map(size: int, protection: int) -> int:
    address = _libc.mmap(None, size, protection, MAP_PRIVATE_ANONYMOUS, -1, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "mmap")
    return int(address)


@dataclass(frozen=True)
class Loaded:
    """An image in memory: the addresses of what it exports, and the names that became traps."""

    exports: dict[str, int]
    traps: tuple[str, ...]


class Loader:
    """Loads images for `arch` with the compiled shim at `shim`."""

    def __init__(self, shim: Path, arch: str) -> None:
        """Load the shim and set up the traps."""
        self._arch = arch
        self._shim = ctypes.CDLL(str(shim))
        self._shim.machorun_new_block.restype = ctypes.c_void_p
        self._shim.machorun_new_block.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
        self._symbols = Symbols(self._shim, arch)
        self._kept: list[object] = []  # what the process refers to until its end
        self._names = (ctypes.c_char_p * TRAPS)()
        self._trap_count = 0
        self._traps = _map(TRAPS * PAGE, PROT_NONE)
        set_traps = self._shim.machorun_set_traps
        set_traps.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p]
        set_traps(self._traps, PAGE, TRAPS, self._names)

    def load(self, path: Path) -> Loaded:
        """Load the file's slice; raise `ImportError` with dyld's reason where dyld would not."""
        try:
            return self._load(read(path.read_bytes(), self._arch))
        except (BadImageError, MissingLibraryError) as error:
            raise ImportError(f"{path}: {error}", path=str(path)) from error

    def _load(self, image: Image) -> Loaded:
        for library in image.libraries:
            if not library.weak and not library.name.startswith("@rpath/"):
                self._symbols.require(library.name)
        size = -(-(image.end - image.base) // PAGE) * PAGE
        base = _map(size, PROT_WRITE | 1)
        memory = bytearray(size)
        for segment in image.segments:
            if segment.content:
                at = segment.address - image.base
                memory[at : at + len(segment.content)] = segment.content
        exported = exports(image)
        traps = self._fix(image, memory, base, exported)
        self._thread_locals(image, memory, base)
        ctypes.memmove(base, (ctypes.c_char * size).from_buffer(memory), size)
        for segment in image.segments:
            extent = -(-segment.size // PAGE) * PAGE
            if extent:
                protection = segment.protection & (~PROT_WRITE if segment.read_only else 7)
                if _libc.mprotect(base + segment.address - image.base, extent, protection):
                    raise OSError(ctypes.get_errno(), f"mprotect {segment.name}")
        self._register_frames(image, memory, base)
        self._initialize(image, memory, base)
        slid = {name: base + address - image.base for name, address in exported.items()}
        return Loaded(slid, tuple(traps))

    def _fix(
        self, image: Image, memory: bytearray, base: int, exported: dict[str, int]
    ) -> list[str]:
        slide = base - image.base
        pack, unpack = struct.Struct("<Q").pack_into, struct.Struct("<Q").unpack_from
        limit = len(memory) - 8
        addresses: dict[tuple[int, str, bool], int | None] = {}
        traps: list[str] = []
        for fixup in fixups(image):
            at = fixup.address - image.base
            if not 0 <= at <= limit:
                raise BadImageError(f"a fixup at {fixup.address:#x} lies outside of its segments")
            if isinstance(fixup, Rebase):
                target = unpack(memory, at)[0] if fixup.target is None else fixup.target
                pack(memory, at, (target + slide) & 0xFFFFFFFFFFFFFFFF | fixup.high << 56)
                continue
            key = (fixup.ordinal, fixup.symbol, fixup.optional)
            if key not in addresses:
                addresses[key] = self._find(image, fixup, exported, slide, traps)
            found = addresses[key]
            if found is not None:
                pack(memory, at, found + fixup.addend if found else 0)
        return traps

    def _find(
        self, image: Image, bind: Bind, exported: dict[str, int], slide: int, traps: list[str]
    ) -> int | None:
        """Return the address to bind to, 0 where it may be missing; None leaves what is there."""
        symbol, names = bind.symbol, [library.name for library in image.libraries]
        source, found = "", None
        if bind.ordinal in (SELF, FLAT, WEAK) and symbol in exported:
            return exported[symbol] + slide
        if bind.ordinal == WEAK:
            places = [self._symbols.in_library(name, symbol) for name in names]
            return next((place for place in places if place), None)
        if bind.ordinal == SELF:
            raise BadImageError(f"Symbol not found: {symbol}, expected in itself")
        if bind.ordinal in (FLAT, MAIN_PROGRAM):
            source, found = "the flat namespace", self._symbols.in_python(symbol)
            for name in names if bind.ordinal == FLAT else ():
                found = found or self._symbols.in_library(name, symbol)
        elif 0 < bind.ordinal <= len(names):
            source = names[bind.ordinal - 1]
            found = self._symbols.in_library(source, symbol)
        else:
            raise BadImageError(f"{symbol} is bound to library {bind.ordinal} of {len(names)}")
        if found is not None:
            return found
        if bind.optional:
            return 0
        if (
            source == "the flat namespace"
        ):  # Python's alone; there dyld knows, too, that it is missing
            raise BadImageError(f"symbol not found in flat namespace '{symbol}'")
        name = f"{symbol} of {source}"
        traps.append(name)
        return self._trap(name)

    def _trap(self, name: str) -> int:
        if self._trap_count == TRAPS:
            raise BadImageError("it has too many symbols that are not provided")
        self._names[self._trap_count] = name.encode()
        self._trap_count += 1
        return self._traps + PAGE * (self._trap_count - 1)

    def _thread_locals(self, image: Image, memory: bytearray, base: int) -> None:
        """Point each descriptor to our thunk, and to the template that dyld would copy for a thread."""
        descriptors = image.sections(TLV_DESCRIPTORS)
        if not descriptors:
            return
        if image.sections(TLV_INITIALIZERS):
            raise BadImageError(
                "it has initialisers of thread-locals, which dyld runs for each thread"
            )
        parts = [part for part in image.sections(TLV_DATA, TLV_ZEROS) if part.size]
        start = parts[0].address if parts else image.base
        size = parts[-1].address + parts[-1].size - start if parts else 0
        align = max((part.align for part in parts), default=1)
        block = self._shim.machorun_new_block(base + start - image.base, size, align)
        thunk = ctypes.cast(self._shim.machorun_thunk, ctypes.c_void_p).value
        for section in descriptors:
            for at in range(
                section.address - image.base, section.address - image.base + section.size, 24
            ):
                struct.pack_into("<2Q", memory, at, thunk, block)

    def _register_frames(self, image: Image, memory: bytearray, base: int) -> None:
        compact, frames = image.section("__unwind_info"), image.section("__eh_frame")

        def offset(section: Section) -> int:
            return section.address - image.base

        made = unwind.table(
            self._arch,
            unwind.Memory(memory, base),
            offset(compact) if compact else None,
            (offset(frames), offset(frames) + frames.size) if frames else None,
        )
        table = ctypes.create_string_buffer(made, len(made))
        self._kept.append(table)
        getattr(ctypes.CDLL("libgcc_s.so.1"), "__register_frame")(table)

    def _initialize(self, image: Image, memory: bytearray, base: int) -> None:
        functions: list[int] = []
        for section in image.sections(INITIALIZERS):
            at = section.address - image.base
            functions += struct.unpack_from(f"<{section.size // 8}Q", memory, at)
        for section in image.sections(INITIALIZER_OFFSETS):
            at = section.address - image.base
            offsets = struct.unpack_from(f"<{section.size // 4}I", memory, at)
            functions += [base + offset for offset in offsets]
        if not functions:
            return
        arguments = (ctypes.c_char_p * 2)(b"python", None)
        environment = (ctypes.c_char_p * (len(os.environb) + 1))(
            *[name + b"=" + value for name, value in os.environb.items()], None
        )
        apple = (ctypes.c_char_p * 1)(None)
        self._kept += [arguments, environment, apple]
        call = ctypes.PYFUNCTYPE(None, ctypes.c_int, *[ctypes.c_void_p] * 4)
        pointers = [ctypes.cast(a, ctypes.c_void_p) for a in (arguments, environment, apple)]
        for function in functions:
            call(function)(1, *pointers, None)
