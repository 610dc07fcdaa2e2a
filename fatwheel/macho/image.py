"""One thin Mach-O image: what its header and its load commands say (mach-o/loader.h).

Only the header and the `sizeofcmds` bytes after it are read and, where more is asked for, the symbol
table and the end of the string table (for a payload, see `fatwheel.macho.payload`) and the export trie
(for what Python would call, see `fatwheel.macho.exports`), in the order of the file.
"""

from __future__ import annotations

from enum import IntEnum
from functools import partial
from typing import NamedTuple

from fatwheel.arch import Arch
from fatwheel.errors import FormatError
from fatwheel.macho.alignment import thin_align
from fatwheel.macho.buildtools import Tool
from fatwheel.macho.codesign import MalformedSignature, Signature, with_signature
from fatwheel.macho.cpu import CPU_SUBTYPE_MASK
from fatwheel.macho.exports import find_init_functions, read_trie
from fatwheel.macho.layout import LARGEST_ALIGN
from fatwheel.macho.loadcommands import Commands, LoadKind, ThreadLocals, read_commands
from fatwheel.macho.pagehashes import PageChoice, SignedImage
from fatwheel.macho.payload import Payload, find_payload
from fatwheel.macho.platforms import Platform, is_foreign
from fatwheel.macho.probe import Parser, take
from fatwheel.macho.undefined import ANYWHERE, Names, Undefined
from fatwheel.macho.wire import MACH_HEADER, MACH_HEADER_64
from fatwheel.printable import counted
from fatwheel.values import valueclass

__all__ = [
    "LARGEST_LOAD_COMMANDS",
    "MAGICS",
    "FileType",
    "Image",
    "LoadKind",
    "MalformedSignature",
    "PageChoice",
    "Payload",
    "Signature",
    "Symbols",
    "ThreadLocals",
    "parse_image",
    "plain_arch",
]

MAGICS = {
    b"\xce\xfa\xed\xfe": ("<", False),
    b"\xcf\xfa\xed\xfe": ("<", True),
    b"\xfe\xed\xfa\xce": (">", False),
    b"\xfe\xed\xfa\xcf": (">", True),
}
"""The first four bytes of an image, with its byte order (struct's sign) and whether it is 64-bit.
"""

LARGEST_LOAD_COMMANDS = 1024 * 1024
"""Bytes of load commands above which an image is refused; real ones have some thousands."""


class FileType(IntEnum):
    """`filetype` of mach_header (mach-o/loader.h)."""

    OBJECT = 1
    EXECUTE = 2
    FVMLIB = 3
    CORE = 4
    PRELOAD = 5
    DYLIB = 6
    DYLINKER = 7
    BUNDLE = 8
    DYLIB_STUB = 9
    DSYM = 10
    KEXT_BUNDLE = 11
    FILESET = 12


_TWOLEVEL = 0x80  # MH_TWOLEVEL
_RUNNABLE = frozenset({FileType.EXECUTE, FileType.DYLIB, FileType.BUNDLE, FileType.DYLINKER})
_LOADABLE = frozenset({FileType.DYLIB, FileType.BUNDLE})


class Symbols(NamedTuple):
    """What an image takes from others and what it gives to them, as far as that was asked for and is known.

    `undefined` are the symbols that come neither from macOS nor from Python, and those of macOS that it did not
    always have (`fatwheel.macho.newcomers`); `exported` is the export trie
    (`fatwheel.macho.exports`).
    """

    undefined: tuple[Undefined, ...] | None
    exported: bytes | None


@valueclass
class Image:
    """What the header and the load commands of one Mach-O image say.

    `cpusubtype` is the raw 32-bit value, capability bits included; `size` is in bytes; `loads` are
    the install names of LC_LOAD_DYLIB and its weak, re-exported, upward and lazy kinds in file
    order, and `load_kinds` says of each which it is; `platform`, `minos` and `sdk` (major, minor) are
    those of macOS where the image names several; `tools` are the programs that say they made it;
    `natural_align` is the alignment (log2) that lipo gives its slice. `thread_locals`, `init_functions`
    and `signature` are those of programs, dylibs and bundles: `init_functions` are the names, sorted,
    that Python calls to initialise a module (`PyInit_NAME`), or None where it is not known which it
    exports; `signature` is what the code signature holds, where there is one and it was looked at.
    `encrypted` code is that of Apple's stores. `symbols` are there where they were asked for.
    """

    cputype: int
    cpusubtype: int
    is64: bool
    filetype: FileType
    size: int
    install_name: str | None
    loads: tuple[str, ...]
    rpaths: tuple[str, ...]
    platform: int | None
    minos: tuple[int, int] | None
    signed: bool
    payload: Payload | None
    natural_align: int
    thread_locals: ThreadLocals | None = None
    init_functions: tuple[str, ...] | None = None
    signature: Signature | MalformedSignature | None = None
    load_kinds: tuple[LoadKind, ...] = ()
    encrypted: bool = False
    sdk: tuple[int, int] | None = None
    tools: tuple[Tool, ...] = ()
    symbols: Symbols | None = None

    @property
    def arch(self) -> Arch | None:
        """The architecture of a plain x86_64 or arm64 image; None for x86_64h, arm64e and all
        others.
        """
        return plain_arch(self.cputype, self.cpusubtype)

    @property
    def mac_arch(self) -> Arch | None:
        """`arch`, where a Mac with that processor runs, loads or links it; None for other platforms'
        code. Of Mac Catalyst's, programs alone run.
        """
        catalyst = self.platform == Platform.MAC_CATALYST and self.filetype is FileType.EXECUTE
        return None if is_foreign(self.platform) and not catalyst else self.arch


_PLAIN = {Arch.X86_64: 3, Arch.ARM64: 0}  # CPU_SUBTYPE_X86_64_ALL, CPU_SUBTYPE_ARM64_ALL


def plain_arch(cputype: int, cpusubtype: int) -> Arch | None:
    """Return the architecture that a universal2 wheel means, or None (x86_64h, arm64e and all
    others).
    """
    arch = Arch.from_cputype(cputype)
    if arch is None or cpusubtype & CPU_SUBTYPE_MASK != _PLAIN[arch]:
        return None
    return arch


def parse_image(
    source: str,
    size: int,
    *,
    base: int = 0,
    head: bytes = b"",
    payload: bool = True,
    pages: PageChoice | None = None,
    symbols: bool = False,
) -> Parser[Image]:
    """Parse the image of `size` bytes at byte `base` of the source.

    `head` are bytes of its start that were read already. `payload` says whether to look for data of
    its own at its end, for what Python would call, and at its signature; all that never applies to
    objects and debug files. `pages` says how to hash the pages that are signed, `symbols` whether to
    gather those that go from image to image. Raises `FormatError`
    where header, load commands or what they describe leave the image or contradict themselves.
    """
    head += yield from take(base + len(head), max(0, min(size, MACH_HEADER_64.size) - len(head)))
    if head[:4] not in MAGICS:
        problem = f"expected the magic of a Mach-O image, found {head[:4].hex() or 'nothing'}"
        raise FormatError(source, base, problem)
    order, is64 = MAGICS[head[:4]]
    layout = MACH_HEADER_64 if is64 else MACH_HEADER
    if len(head) < layout.size:
        raise FormatError(
            source, base, f"the image ends after {counted(len(head), 'byte')} of its mach_header"
        )
    header = layout.unpack(order, head)
    if header.filetype not in FileType._value2member_map_:
        raise FormatError(source, base + 12, f"filetype {header.filetype} is none of 1 to 12")
    end = layout.size + header.sizeofcmds
    if end > min(size, layout.size + LARGEST_LOAD_COMMANDS):
        problem = f"the load commands end at {end}, the image is {counted(size, 'byte')} long"
        raise FormatError(source, base + 20, problem)
    rest = max(0, end - len(head))
    seen = head + (yield from take(base + len(head), rest))
    data = seen[:end]
    if len(data) < end:
        raise FormatError(
            source, base + len(data), f"the data end here, load commands end at {end}"
        )
    commands = Commands(
        source=source, base=base, size=size, order=order, is64=is64, filetype=header.filetype
    )
    commands.end = end
    read_commands(commands, data, layout.size, header.ncmds)
    found, functions, signature = None, None, None
    names, exported = None, None
    if payload and header.filetype in _RUNNABLE:
        if symbols and order == "<" and is64:
            names = _names(commands) if header.flags & _TWOLEVEL else Names(frozenset())
        search = _beyond(commands, len(seen), names)
        if commands.signature is None:
            found, exported = yield from search
        else:
            limit, length = commands.signature
            arch = plain_arch(header.cputype, header.cpusubtype)
            signed = SignedImage(
                arch=arch, base=base, limit=limit, size=length, minos=commands.minos
            )
            (found, exported), signature = yield from with_signature(
                source, signed, seen, pages, search
            )
        functions = None if exported is None else find_init_functions(exported)
    align = thin_align(header.cputype)
    return Image(
        cputype=header.cputype,
        cpusubtype=header.cpusubtype,
        is64=is64,
        filetype=FileType(header.filetype),
        size=size,
        install_name=commands.install_name,
        loads=tuple(commands.loads),
        rpaths=tuple(commands.rpaths),
        platform=commands.platform,
        minos=commands.minos,
        signed=commands.signature is not None,
        payload=found,
        natural_align=max(2, min(commands.align, LARGEST_ALIGN)) if align is None else align,
        thread_locals=commands.thread_locals if header.filetype in _RUNNABLE else None,
        init_functions=functions,
        signature=signature,
        load_kinds=tuple(commands.load_kinds),
        encrypted=commands.encrypted,
        sdk=commands.sdk,
        tools=commands.tools,
        symbols=None if names is None else Symbols(names.result(), exported),
    )


def _names(commands: Commands) -> Names:
    """Return what gathers symbols of other libraries than macOS's own, and of these what is new in them."""
    from fatwheel.macho.newcomers import DATED, is_new

    numbered = list(enumerate(commands.loads[: ANYWHERE - 1], start=1))
    foreign = {n for n, load in numbered if not load.startswith(("/usr/lib/", "/System/"))}
    system = {n: partial(is_new, load) for n, load in numbered if load in DATED}
    return Names(frozenset(foreign | {ANYWHERE}), system)


def _beyond(
    commands: Commands, end: int, names: Names | None
) -> Parser[tuple[Payload | None, bytes | None]]:
    """Look for a payload, and for the export trie, behind the first `end` bytes of the image, which
    were read; `names` gets to see the symbols.
    """
    table = commands.symbols
    search = find_payload(
        commands.source,
        base=commands.base,
        size=commands.size,
        read=end,
        described=commands.end,
        table=table,
        names=names,
    )
    tries = commands.export_tries
    if commands.filetype not in _LOADABLE or commands.reexports or len(tries) != 1:
        return (yield from search), None
    ((offset, size),) = tries
    trie: bytes | None = None
    reading = read_trie(commands.base, offset, size)
    if size == 0:
        trie = b""
    elif offset >= end and (table is None or offset + size <= table.start):
        trie = yield from reading
    elif table is not None and offset >= max(table.end, end):
        return (yield from search), (yield from reading)
    return (yield from search), trie
