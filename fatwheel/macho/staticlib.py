"""Static libraries: `ar` archives whose members are Mach-O objects of one architecture (ar.h,
mach-o/ranlib.h).

Both kinds of long names are read, BSD's `#1/LENGTH` and System V's `/OFFSET`; symbol tables are
skipped.
"""

from __future__ import annotations

from fatwheel.arch import Arch
from fatwheel.errors import FormatError
from fatwheel.macho.alignment import archive_align
from fatwheel.macho.bitcode import Bitcode, is_bitcode, parse_bitcode
from fatwheel.macho.cpu import arch_name
from fatwheel.macho.image import MAGICS, Image, parse_image, plain_arch
from fatwheel.macho.platforms import is_foreign
from fatwheel.macho.probe import LARGEST_RANGE, Parser, Range
from fatwheel.printable import counted
from fatwheel.values import valueclass

__all__ = ["AR_MAGIC", "ForeignArchiveError", "StaticLibrary", "parse_static_library"]

AR_MAGIC = b"!<arch>\n"
"""The first eight bytes of an archive (ARMAG in ar.h)."""

_HEADER_SIZE = 60  # struct ar_hdr
_TERMINATOR = b"`\n"  # ARFMAG
_INDEXES = frozenset(
    {
        "/",
        "/SYM64/",
        "__.SYMDEF",
        "__.SYMDEF SORTED",
        "__.SYMDEF_64",
        "__.SYMDEF_64 SORTED",
    }
)
_HEAD_SIZE = 32  # as much of a member as its first look needs: mach_header_64


class ForeignArchiveError(FormatError):
    """An archive without any Mach-O member: empty, or another system's. As data it may be fine."""


@valueclass
class StaticLibrary:
    """What all members of a static library agree on.

    `cpusubtype` is the raw 32-bit value, `size` is in bytes, `members` counts the objects without
    the symbol table; `natural_align` is the alignment (log2) that lipo gives its slice. `platform` is
    the first one that an object names, or the first one other than macOS's.
    """

    cputype: int
    cpusubtype: int
    is64: bool
    size: int
    members: int
    natural_align: int
    platform: int | None = None

    @property
    def arch(self) -> Arch | None:
        """The architecture of a plain x86_64 or arm64 library; None for all others."""
        return plain_arch(self.cputype, self.cpusubtype)

    @property
    def mac_arch(self) -> Arch | None:
        """`arch`, where macOS code can be linked with it; None for other platforms' objects."""
        return None if is_foreign(self.platform) else self.arch


@valueclass
class _Member:
    """One member of an archive; `header`, `start`, `end` are bytes of the source."""

    name: str
    header: int
    start: int
    end: int


def parse_static_library(
    source: str, size: int, *, base: int = 0, head: bytes = b"", bitcode: bool = False
) -> Parser[StaticLibrary]:
    """Parse the static library of `size` bytes at byte `base` of the source.

    `head` are up to eight bytes of its start that were read already. Members that are LLVM bitcode
    are allowed with `bitcode`, alone or beside objects, as link-time optimization makes archives.
    Raises `ForeignArchiveError` where the first member is neither, and `FormatError` where the
    archive is damaged, or members are of different architectures or of other kinds.
    """
    head += yield Range(base + len(head), max(0, min(size, len(AR_MAGIC)) - len(head)))
    if head != AR_MAGIC:
        raise FormatError(source, base, f"expected an archive's {AR_MAGIC!r}, found {head!r}")
    position = base + len(AR_MAGIC)
    found: Image | Bitcode | None = None
    first = ""
    members = align = 0
    platform: int | None = None
    while position < base + size:
        member = yield from _member_header(source, position, base + size)
        if member.name not in _INDEXES and member.name != "//":
            content = yield from _object(source, member, first, bitcode)
            if found is None:
                found, first = content, member.name
            _check_same(source, member, content, first, found)
            if isinstance(content, Image):
                align = archive_align(is64=content.is64)  # whichever object it is that has it
                if not is_foreign(platform):
                    platform = content.platform or platform
            members += 1
        position = member.end + (member.end - base & 1)
        if position > base + size:
            problem = f"member {member.name} ends here without its padding byte"
            raise FormatError(source, member.end, problem)
    if found is None:
        raise ForeignArchiveError(source, base, "the archive is empty, so it has no architecture")
    is64 = found.is64 if isinstance(found, Image) else bool(found.cputype & 0x01000000)
    return StaticLibrary(
        cputype=found.cputype,
        cpusubtype=found.cpusubtype,
        is64=is64,
        size=size,
        members=members,
        natural_align=align,
        platform=platform,
    )


def _member_header(source: str, position: int, end: int) -> Parser[_Member]:
    """Read the `struct ar_hdr` at `position`, and the name after it where it has BSD's long one."""
    if position + _HEADER_SIZE > end:
        problem = (
            f"a member's header of {_HEADER_SIZE} bytes starts here, the archive ends at {end}"
        )
        raise FormatError(source, position, problem)
    header = yield Range(position, _HEADER_SIZE)
    if header[58:] != _TERMINATOR:
        problem = f"a member's header must end with {_TERMINATOR!r}, found {header[58:]!r}"
        raise FormatError(source, position + 58, problem)
    size = _number(source, position + 48, header[48:58])
    start = position + _HEADER_SIZE
    if start + size > end:
        left = counted(end - start, "byte")
        problem = f"the member is {counted(size, 'byte')} long, the archive ends {left} after here"
        raise FormatError(source, position + 48, problem)
    name = header[:16].rstrip(b" ")
    header_end = start
    if name.startswith(b"#1/"):
        length = _number(source, position + 3, name[3:])
        if length > min(size, LARGEST_RANGE):
            problem = f"the name of {counted(length, 'byte')} is longer than the member's {counted(size, 'byte')}"
            raise FormatError(source, position, problem)
        name = (yield Range(start, length)).rstrip(b"\0")
        header_end += length
    elif len(name) > 1 and name.endswith(b"/") and name != b"//":
        name = name[:-1] if name != b"/SYM64/" else name
    text = name.decode(errors="backslashreplace")
    return _Member(name=text, header=position, start=header_end, end=start + size)


def _number(source: str, offset: int, field: bytes) -> int:
    digits = field.rstrip(b" ")
    if not digits.isdigit():
        raise FormatError(source, offset, f"expected a decimal number, found {field!r}")
    return int(digits)


def _object(source: str, member: _Member, first: str, bitcode: bool) -> Parser[Image | Bitcode]:
    """Read the object that `member` holds; `first` is the name of the one before all, or empty."""
    size = member.end - member.start
    head = yield Range(member.start, min(size, _HEAD_SIZE))
    where = f"{source}({member.name})"
    if head[:4] in MAGICS:
        return (yield from parse_image(where, size, base=member.start, head=head, payload=False))
    if bitcode and is_bitcode(head):
        return (yield from parse_bitcode(where, size, base=member.start, head=head))
    problem = (
        f"member {member.name} is no Mach-O object (it starts with {head[:4].hex() or 'nothing'});"
        " a static library holds objects of one architecture only"
    )
    error = FormatError if first else ForeignArchiveError
    raise error(source, member.start, problem)


def _check_same(
    source: str, member: _Member, content: Image | Bitcode, first: str, found: Image | Bitcode
) -> None:
    """Refuse a member of another architecture than the first one's."""
    if (content.cputype, content.cpusubtype) != (found.cputype, found.cpusubtype):
        problem = (
            f"member {member.name} is for {_described(content)}, but {first} for"
            f" {_described(found)}; all members must be for the same"
        )
        raise FormatError(source, member.start, problem)


def _described(content: Image | Bitcode) -> str:
    name = arch_name(content.cputype, content.cpusubtype)
    kind = "Mach-O" if isinstance(content, Image) else "bitcode"
    return f"{name} ({kind}, cpusubtype {content.cpusubtype:#x})"
