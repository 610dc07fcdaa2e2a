"""The load commands of one Mach-O image (mach-o/loader.h): read those that matter, check them all.

Checked are the sizes of all commands and that every area of the file that a command describes lies
within the image, as far as lipo refuses such images.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from enum import Enum, IntEnum
from typing import NamedTuple

from fatwheel.errors import FormatError
from fatwheel.macho import wire
from fatwheel.macho.buildtools import Tool
from fatwheel.macho.payload import SymbolTable
from fatwheel.macho.platforms import Platform
from fatwheel.printable import counted
from fatwheel.values import valueclass

__all__ = ["Commands", "LoadCommand", "LoadKind", "ThreadLocals", "read_commands"]

_REQ_DYLD = 0x80000000
_MH_OBJECT = 1
_DYLIB_USE = 0x1A741800  # DYLIB_USE_MARKER, where other commands have a timestamp
_DYLIB_USE_BODY = (
    20  # bytes of a dylib_use_command behind cmd and cmdsize: its flags are the last four
)
_STRIPPED_FILETYPES = (9, 10)  # MH_DYLIB_STUB, MH_DSYM: sections without content


class LoadCommand(IntEnum):
    """`cmd` of the load commands that are read."""

    SEGMENT = 0x01
    SYMTAB = 0x02
    DYSYMTAB = 0x0B
    LOAD_DYLIB = 0x0C
    ID_DYLIB = 0x0D
    TWOLEVEL_HINTS = 0x16
    LOAD_WEAK_DYLIB = 0x18 | _REQ_DYLD
    SEGMENT_64 = 0x19
    RPATH = 0x1C | _REQ_DYLD
    CODE_SIGNATURE = 0x1D
    SEGMENT_SPLIT_INFO = 0x1E
    REEXPORT_DYLIB = 0x1F | _REQ_DYLD
    LAZY_LOAD_DYLIB = 0x20
    ENCRYPTION_INFO = 0x21
    DYLD_INFO = 0x22
    DYLD_INFO_ONLY = 0x22 | _REQ_DYLD
    LOAD_UPWARD_DYLIB = 0x23 | _REQ_DYLD
    VERSION_MIN_MACOSX = 0x24
    VERSION_MIN_IPHONEOS = 0x25
    FUNCTION_STARTS = 0x26
    DATA_IN_CODE = 0x29
    DYLIB_CODE_SIGN_DRS = 0x2B
    ENCRYPTION_INFO_64 = 0x2C
    LINKER_OPTIMIZATION_HINT = 0x2E
    VERSION_MIN_TVOS = 0x2F
    VERSION_MIN_WATCHOS = 0x30
    NOTE = 0x31
    BUILD_VERSION = 0x32
    DYLD_EXPORTS_TRIE = 0x33 | _REQ_DYLD
    DYLD_CHAINED_FIXUPS = 0x34 | _REQ_DYLD
    ATOM_INFO = 0x36
    FUNCTION_VARIANTS = 0x37
    FUNCTION_VARIANT_FIXUPS = 0x38


class LoadKind(Enum):
    """How an image asks dyld for a library.

    A weak one may be missing; a re-exported one is part of what the image itself exports; an upward one is
    initialised after the image; a lazy or delayed one is opened at the first call, or when an initialiser needs it.
    """

    PLAIN = "plain"
    WEAK = "weak"
    REEXPORT = "re-exported"
    UPWARD = "upward"
    LAZY = "lazy"


_KINDS = {
    LoadCommand.LOAD_DYLIB: LoadKind.PLAIN,
    LoadCommand.LOAD_WEAK_DYLIB: LoadKind.WEAK,
    LoadCommand.REEXPORT_DYLIB: LoadKind.REEXPORT,
    LoadCommand.LOAD_UPWARD_DYLIB: LoadKind.UPWARD,
    LoadCommand.LAZY_LOAD_DYLIB: LoadKind.LAZY,
}
_USES = {1: LoadKind.WEAK, 2: LoadKind.REEXPORT, 4: LoadKind.UPWARD, 8: LoadKind.LAZY}
"""`flags` of a dylib_use_command; where there are several, the first one here counts."""

_VERSION_MIN = {
    LoadCommand.VERSION_MIN_MACOSX: Platform.MACOS,
    LoadCommand.VERSION_MIN_IPHONEOS: Platform.IOS,
    LoadCommand.VERSION_MIN_TVOS: Platform.TVOS,
    LoadCommand.VERSION_MIN_WATCHOS: Platform.WATCHOS,
}
_DYLIB_COMMANDS = (
    LoadCommand.LOAD_DYLIB,
    LoadCommand.ID_DYLIB,
    LoadCommand.LOAD_WEAK_DYLIB,
    LoadCommand.REEXPORT_DYLIB,
    LoadCommand.LAZY_LOAD_DYLIB,
    LoadCommand.LOAD_UPWARD_DYLIB,
)
_LINKEDIT_DATA_COMMANDS = (
    LoadCommand.CODE_SIGNATURE,
    LoadCommand.SEGMENT_SPLIT_INFO,
    LoadCommand.FUNCTION_STARTS,
    LoadCommand.DATA_IN_CODE,
    LoadCommand.DYLIB_CODE_SIGN_DRS,
    LoadCommand.LINKER_OPTIMIZATION_HINT,
    LoadCommand.DYLD_EXPORTS_TRIE,
    LoadCommand.DYLD_CHAINED_FIXUPS,
    LoadCommand.ATOM_INFO,
    LoadCommand.FUNCTION_VARIANTS,
    LoadCommand.FUNCTION_VARIANT_FIXUPS,
)
_ZEROFILL = (0x01, 0x0C, 0x12)  # S_ZEROFILL, S_GB_ZEROFILL, S_THREAD_LOCAL_ZEROFILL
_THREAD_LOCAL = (0x11, 0x12)  # S_THREAD_LOCAL_REGULAR, S_THREAD_LOCAL_ZEROFILL
_LARGEST_SECTION_ALIGN = 63  # log2


@valueclass
class ThreadLocals:
    """The thread-local variables of an image, as their sections describe them.

    `address` is where the first of these sections begins (vmaddr), `align` the strictest alignment
    (log2) of them all. For each thread dyld copies what lies from `address` on into memory from
    `malloc`, as one piece.
    """

    address: int
    align: int

    @property
    def misalignment(self) -> int:
        """By how many bytes `address` misses the strictest alignment, and all copies with it."""
        return self.address % (1 << self.align)


class Commands:
    """What the load commands of the image at byte `base` of `source` said so far.

    `end` is the end of everything that they describe, in bytes from the image's start; `align` the
    smallest alignment (log2) of its segments; `signature` offset and size of the code signature.
    `export_tries` are the areas (offset in the image, size) of export tries, `reexports` says whether it
    passes on what other libraries export, `encrypted` whether code of it is.
    """

    def __init__(
        self, *, source: str, base: int, size: int, order: str, is64: bool, filetype: int
    ) -> None:
        self.source = source
        self.base = base
        self.size = size
        self.order = order
        self.is64 = is64
        self.filetype = filetype
        self.end = 0
        self.align = 64
        self.install_name: str | None = None
        self.loads: list[str] = []
        self.load_kinds: list[LoadKind] = []
        self.rpaths: list[str] = []
        self.platform: int | None = None
        self.minos: tuple[int, int] | None = None
        self.sdk: tuple[int, int] | None = None
        self.tools: tuple[Tool, ...] = ()
        self.signature: tuple[int, int] | None = None
        self.symbols: SymbolTable | None = None
        self.thread_locals: ThreadLocals | None = None
        self.export_tries: list[tuple[int, int]] = []
        self.reexports = False
        self.encrypted = False

    def describe(self, at: int, what: str, offset: int, size: int) -> None:
        """Note that the command at byte `at` of the image says that `what` lies at `offset`."""
        end = offset + size
        if end > self.size:
            problem = (
                f"{what} lies at {offset} to {end} of an image of {counted(self.size, 'byte')}"
            )
            raise FormatError(self.source, self.base + at, problem)
        if size and end > self.end:
            self.end = end

    def refuse(self, at: int, problem: str) -> FormatError:
        """Return the error for the command at byte `at` of the image."""
        return FormatError(self.source, self.base + at, problem)


class _Command(NamedTuple):
    """One load command: its number, its bytes at `at` to `end` of the image's start `data`."""

    cmd: int
    data: bytes
    at: int
    end: int

    @property
    def body(self) -> int:
        return self.at + wire.LOAD_COMMAND.size

    @property
    def name(self) -> str:
        return f"LC_{LoadCommand(self.cmd).name}"


def read_commands(commands: Commands, data: bytes, start: int, count: int) -> None:
    """Read `count` load commands that lie at byte `start` of `data`, the image's start.

    Raises `FormatError` for a command that leaves the load commands, has a size that cannot be, or
    describes something outside the image.
    """
    unit = 8 if commands.is64 else 4
    at = start
    for index in range(count):
        if at + wire.LOAD_COMMAND.size > len(data):
            problem = (
                f"load command {index} of {count} lies past the load commands' end, {len(data)}"
            )
            raise commands.refuse(at, problem)
        cmd, cmdsize = wire.LOAD_COMMAND.unpack(commands.order, data, at)
        if cmdsize < wire.LOAD_COMMAND.size or cmdsize % unit or at + cmdsize > len(data):
            problem = (
                f"load command {index} has cmdsize {cmdsize}, which must be a multiple of {unit},"
                f" at least {wire.LOAD_COMMAND.size}, and not lead past byte {len(data)}"
            )
            raise commands.refuse(at, problem)
        if (reader := _READERS.get(cmd)) is not None:
            layout, read = reader
            command = _Command(cmd, data, at, at + cmdsize)
            if cmdsize < wire.LOAD_COMMAND.size + layout.size:
                raise commands.refuse(at, f"{command.name} with cmdsize {cmdsize} is too small")
            read(commands, command)
        at += cmdsize


def _segment(commands: Commands, command: _Command) -> None:
    wide = command.cmd == LoadCommand.SEGMENT_64
    layout = wire.SEGMENT_64 if wide else wire.SEGMENT
    section_layout = wire.SECTION_64 if wide else wire.SECTION
    segment = layout.unpack(commands.order, command.data, command.body)
    first = command.body + layout.size
    if segment.nsects * section_layout.size > command.end - first:
        problem = f"{command.name} has no room for its {segment.nsects} sections"
        raise commands.refuse(command.at, problem)
    commands.describe(command.at, command.name, segment.fileoff, segment.filesize)
    sections = section_layout.unpack_all(commands.order, command.data, first, segment.nsects)
    align = 2 if segment.nsects else 15
    for index, section in enumerate(sections):
        at = first + index * section_layout.size
        if commands.filetype not in _STRIPPED_FILETYPES and section.flags & 0xFF not in _ZEROFILL:
            commands.describe(at, f"section {index}", section.offset, section.size)
        if section.nreloc:
            commands.describe(at, "relocation entries", section.reloff, section.nreloc * 8)
        align = max(align, section.align)
        if section.flags & 0xFF in _THREAD_LOCAL:
            _thread_local(commands, section.addr, section.align if section.size else 0)
    if commands.filetype != _MH_OBJECT:
        align = (segment.vmaddr & -segment.vmaddr).bit_length() - 1 if segment.vmaddr else 64
    if wide == commands.is64:
        commands.align = min(commands.align, align)


def _thread_local(commands: Commands, address: int, align: int) -> None:
    """Note a section of thread-local variables; dyld's copy begins with the first one."""
    known = commands.thread_locals or ThreadLocals(address=address, align=0)
    align = max(known.align, min(align, _LARGEST_SECTION_ALIGN))
    commands.thread_locals = ThreadLocals(address=known.address, align=align)


def _symtab(commands: Commands, command: _Command) -> None:
    if commands.symbols is not None:
        raise commands.refuse(command.at, "a second LC_SYMTAB")
    found = wire.SYMTAB.unpack(commands.order, command.data, command.body)
    table = SymbolTable(
        order=commands.order,
        is64=commands.is64,
        symoff=found.symoff,
        nsyms=found.nsyms,
        stroff=found.stroff,
        strsize=found.strsize,
    )
    commands.describe(
        command.at, "the symbol table", table.symoff, table.symbols_end - table.symoff
    )
    commands.describe(command.at, "the string table", table.stroff, table.strsize)
    commands.symbols = table


def _dysymtab(commands: Commands, command: _Command) -> None:
    found = wire.DYSYMTAB.unpack(commands.order, command.data, command.body)
    for what, offset, size in (
        ("the table of contents", found.tocoff, found.ntoc * 8),
        ("the module table", found.modtaboff, found.nmodtab * (56 if commands.is64 else 52)),
        ("the referenced symbol table", found.extrefsymoff, found.nextrefsyms * 4),
        ("the indirect symbol table", found.indirectsymoff, found.nindirectsyms * 4),
        ("the external relocation table", found.extreloff, found.nextrel * 8),
        ("the local relocation table", found.locreloff, found.nlocrel * 8),
    ):
        commands.describe(command.at, what, offset, size)


def _linkedit_data(commands: Commands, command: _Command) -> None:
    found = wire.LINKEDIT_DATA.unpack(commands.order, command.data, command.body)
    commands.describe(command.at, command.name, found.dataoff, found.datasize)
    if command.cmd == LoadCommand.CODE_SIGNATURE:
        if commands.signature is not None:
            raise commands.refuse(command.at, "a second LC_CODE_SIGNATURE")
        commands.signature = found.dataoff, found.datasize
    elif command.cmd == LoadCommand.DYLD_EXPORTS_TRIE:
        commands.export_tries.append((found.dataoff, found.datasize))


def _dyld_info(commands: Commands, command: _Command) -> None:
    found = wire.DYLD_INFO.unpack(commands.order, command.data, command.body)
    for offset, size in zip(found[::2], found[1::2], strict=True):
        commands.describe(command.at, command.name, offset, size)
    commands.export_tries.append((found.export_off, found.export_size))


def _twolevel_hints(commands: Commands, command: _Command) -> None:
    found = wire.TWOLEVEL_HINTS.unpack(commands.order, command.data, command.body)
    commands.describe(command.at, command.name, found.offset, found.nhints * 4)


def _note(commands: Commands, command: _Command) -> None:
    found = wire.NOTE.unpack(commands.order, command.data, command.body)
    commands.describe(command.at, command.name, found.offset, found.size)


def _dylib(commands: Commands, command: _Command) -> None:
    found = wire.DYLIB.unpack(commands.order, command.data, command.body)
    name = _string(commands, command, found.name, wire.DYLIB)
    if command.cmd == LoadCommand.ID_DYLIB:
        commands.install_name = name
    else:
        kind = _kind(commands, command, found.timestamp)
        commands.loads.append(name)
        commands.load_kinds.append(kind)
        commands.reexports |= kind is LoadKind.REEXPORT


def _kind(commands: Commands, command: _Command, marker: int) -> LoadKind:
    """Return how a library is loaded; a dylib_use_command (`marker`) says so in flags of its own."""
    usual = command.cmd in (LoadCommand.LOAD_DYLIB, LoadCommand.LOAD_WEAK_DYLIB)
    if marker == _DYLIB_USE and usual and command.end - command.body >= _DYLIB_USE_BODY:
        at = command.body + _DYLIB_USE_BODY - 4
        (flags,) = struct.unpack_from(f"{commands.order}I", command.data, at)
        return next((kind for bit, kind in _USES.items() if flags & bit), LoadKind.PLAIN)
    return _KINDS[LoadCommand(command.cmd)]


def _rpath(commands: Commands, command: _Command) -> None:
    found = wire.RPATH.unpack(commands.order, command.data, command.body)
    commands.rpaths.append(_string(commands, command, found.path, wire.RPATH))


def _string(commands: Commands, command: _Command, offset: int, layout: wire.Layout) -> str:
    """Return the `lc_str` at `offset` of the command: text up to a NUL."""
    start = command.at + offset
    end = command.data.find(0, start, command.end)
    if start < command.body + layout.size or end < 0:
        problem = f"{command.name} has no text that ends within it at its offset {offset}"
        raise commands.refuse(command.at, problem)
    # Many images name the same libraries.
    return sys.intern(command.data[start:end].decode(errors="backslashreplace"))


def _encryption_info(commands: Commands, command: _Command) -> None:
    """Note an area of `cryptsize` bytes at `cryptoff`, which is encrypted unless `cryptid` is 0."""
    found = wire.ENCRYPTION_INFO.unpack(commands.order, command.data, command.body)
    commands.encrypted |= found.cryptid != 0 and found.cryptsize != 0


def _build_version(commands: Commands, command: _Command) -> None:
    found = wire.BUILD_VERSION.unpack(commands.order, command.data, command.body)
    first = command.body + wire.BUILD_VERSION.size
    count = min(found.ntools, (command.end - first) // 8)
    numbers = struct.unpack_from(f"{commands.order}{2 * count}I", command.data, first)
    commands.tools += tuple(map(Tool, numbers[::2], numbers[1::2]))
    _target(commands, found.platform, found.minos, found.sdk)


def _version_min(commands: Commands, command: _Command) -> None:
    found = wire.VERSION_MIN.unpack(commands.order, command.data, command.body)
    _target(commands, _VERSION_MIN[LoadCommand(command.cmd)], found.version, found.sdk)


def _target(commands: Commands, platform: int, version: int, sdk: int) -> None:
    """Note a deployment target and an SDK, of which 0 is none; both are encoded as xxxx.yy.zz in nibbles."""
    if commands.platform is None or platform == Platform.MACOS:
        commands.platform = int(platform)
        commands.minos = (version >> 16, version >> 8 & 0xFF)
        commands.sdk = (sdk >> 16, sdk >> 8 & 0xFF) if sdk else None


_READERS: dict[int, tuple[wire.Layout, Callable[[Commands, _Command], None]]] = {
    LoadCommand.SEGMENT: (wire.SEGMENT, _segment),
    LoadCommand.SEGMENT_64: (wire.SEGMENT_64, _segment),
    LoadCommand.SYMTAB: (wire.SYMTAB, _symtab),
    LoadCommand.DYSYMTAB: (wire.DYSYMTAB, _dysymtab),
    LoadCommand.TWOLEVEL_HINTS: (wire.TWOLEVEL_HINTS, _twolevel_hints),
    LoadCommand.NOTE: (wire.NOTE, _note),
    LoadCommand.DYLD_INFO: (wire.DYLD_INFO, _dyld_info),
    LoadCommand.DYLD_INFO_ONLY: (wire.DYLD_INFO, _dyld_info),
    LoadCommand.RPATH: (wire.RPATH, _rpath),
    LoadCommand.BUILD_VERSION: (wire.BUILD_VERSION, _build_version),
    LoadCommand.ENCRYPTION_INFO: (wire.ENCRYPTION_INFO, _encryption_info),
    LoadCommand.ENCRYPTION_INFO_64: (wire.ENCRYPTION_INFO, _encryption_info),
    **dict.fromkeys(_DYLIB_COMMANDS, (wire.DYLIB, _dylib)),
    **dict.fromkeys(_LINKEDIT_DATA_COMMANDS, (wire.LINKEDIT_DATA, _linkedit_data)),
    **dict.fromkeys(_VERSION_MIN, (wire.VERSION_MIN, _version_min)),
}
