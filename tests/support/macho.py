"""Builders of Mach-O bytes for tests: images from commands, archives, universal files."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fatwheel.errors import FormatError
from fatwheel.macho.probe import Parser, Probe, run

T = TypeVar("T")

X86_64 = (0x01000007, 3)
X86_64H = (0x01000007, 8)
ARM64 = (0x0100000C, 0)
ARM64E = (0x0100000C, 0x80000002)
I386 = (7, 3)


def reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, size: data[offset : offset + size]


def parsed(make: Callable[[], Parser[T]], data: bytes, chunk: int = 0) -> T:
    """Run a parser over *data*: at random, or forward in chunks."""
    if not chunk:
        return run(make(), reader(data))
    probe = Probe(make())
    for start in range(0, len(data), chunk):
        probe.feed(data[start : start + chunk])
    return probe.finish()


def outcome(make: Callable[[], Parser[T]], data: bytes, chunk: int = 0) -> T | str:
    """The parser's value, or its error's text."""
    try:
        return parsed(make, data, chunk)
    except FormatError as error:
        return str(error)


def command(cmd: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 8)
    return struct.pack(order + "II", cmd, 8 + len(body)) + body


def segment(
    name: bytes,
    offset: int,
    size: int,
    *,
    vmaddr: int = 0,
    sections: Sequence[bytes] = (),
    is64: bool = True,
    order: str = "<",
) -> bytes:
    layout = "16sQQQQiiII" if is64 else "16sIIIIiiII"
    head = struct.pack(order + layout, name, vmaddr, size, offset, size, 7, 7, len(sections), 0)
    return command(0x19 if is64 else 1, head + b"".join(sections), order)


def section(
    offset: int, size: int, *, address: int = 0, align: int = 0, flags: int = 0, nreloc: int = 0
) -> bytes:
    fields = (address, size, offset, align, 0, nreloc, flags, 0, 0, 0)
    return struct.pack("<16s16sQQIIIIIIII", b"s", b"S", *fields)


def trie(names: Iterable[str]) -> bytes:
    """An export trie with these symbols, as deep as they allow: an edge for each letter."""
    children: list[dict[bytes, int]] = [{}]
    ends = set()
    for name in names:
        node = 0
        for letter in name.encode():
            if bytes([letter]) not in children[node]:
                children[node][bytes([letter])] = len(children)
                children.append({})
            node = children[node][bytes([letter])]
        ends.add(node)
    sizes = [
        (3 if node in ends else 1) + 1 + sum(len(edge) + 1 + 3 for edge in edges)
        for node, edges in enumerate(children)
    ]
    places = [sum(sizes[:node]) for node in range(len(sizes))]
    data = b""
    for node, edges in enumerate(children):
        data += (b"\x02\x00\x10" if node in ends else b"\x00") + bytes([len(edges)])
        for edge, child in edges.items():
            at = places[child]
            offset = bytes(
                [at & 0x7F | 0x80, at >> 7 & 0x7F | 0x80, at >> 14]
            )  # always three bytes
            data += edge + b"\0" + offset
    return data


def text_command(cmd: int, text: bytes) -> bytes:
    """A dylib or rpath command."""
    if cmd == 0x8000001C:
        return command(cmd, struct.pack("<I", 12) + text + b"\0")
    return command(cmd, struct.pack("<IIII", 24, 0, 0, 0) + text + b"\0")


def image(
    cpu: tuple[int, int] = X86_64,
    commands: Sequence[bytes] = (),
    body: bytes = b"",
    *,
    filetype: int = 2,
    is64: bool = True,
    order: str = "<",
    flags: int = 0,
) -> bytes:
    magic = 0xFEEDFACF if is64 else 0xFEEDFACE
    joined = b"".join(commands)
    head = (magic, cpu[0], cpu[1], filetype, len(commands), len(joined), flags)
    return struct.pack(f"{order}7I", *head) + bytes(4 * is64) + joined + body


def nlist(
    strx: int, *, kind: int = 0x0F, value: int = 0, is64: bool = True, order: str = "<"
) -> bytes:
    return struct.pack(order + ("IBBHQ" if is64 else "IBBHI"), strx, kind, 1, 0, value)


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program with symbols: the image, and where its string table starts and ends."""

    data: bytes
    stroff: int
    strings_end: int


def program(
    symbols: bytes,
    strings: bytes,
    *,
    cpu: tuple[int, int] = X86_64,
    is64: bool = True,
    order: str = "<",
    strings_first: bool = False,
    signature: bytes = b"",
    filetype: int = 2,
) -> Program:
    """A program whose `__LINKEDIT` is symbols and strings (or the other way), and a signature."""
    header = 32 if is64 else 28
    count = len(symbols) // (16 if is64 else 12)
    start = header + (72 if is64 else 56) + 24 + (16 if signature else 0)
    symoff, stroff = start, start + len(symbols)
    if strings_first:
        symoff, stroff = start + len(strings), start
    area = strings + symbols if strings_first else symbols + strings
    commands = [
        segment(b"__LINKEDIT", start, len(area) + len(signature), is64=is64, order=order),
        command(2, struct.pack(order + "IIII", symoff, count, stroff, len(strings)), order),
    ]
    if signature:
        where = struct.pack(order + "II", start + len(area), len(signature))
        commands.append(command(0x1D, where, order))
    data = image(cpu, commands, area + signature, is64=is64, order=order, filetype=filetype)
    return Program(data=data, stroff=stroff, strings_end=stroff + len(strings))


def member(name: str, data: bytes, *, bsd: bool = True) -> bytes:
    """One member of an archive, with BSD's or System V's form of its name."""
    text = name.encode()
    if bsd:
        padded = text + bytes(-len(text) % 8)
        field, data = f"#1/{len(padded)}", padded + data
    else:
        field = f"{name}/"
    header = f"{field:<16}{0:<12}{0:<6}{0:<6}{'644':<8}{len(data):<10}`\n"
    return header.encode() + data + b"\n" * (len(data) % 2)


def archive(*members: bytes) -> bytes:
    return b"!<arch>\n" + b"".join(members)


def raw_fat(
    entries: Sequence[tuple[int, int, int, int, int]], *, magic: int = 0xCAFEBABE, count: int = -1
) -> bytes:
    """Just the header and table: (cputype, cpusubtype, offset, size, align) each."""
    layout = ">IIIII" if magic == 0xCAFEBABE else ">IIQQII"
    rest = () if magic == 0xCAFEBABE else (0,)
    table = b"".join(struct.pack(layout, *entry, *rest) for entry in entries)
    return struct.pack(">II", magic, len(entries) if count < 0 else count) + table


def obj(cpu: tuple[int, int], extra: int = 0) -> bytes:
    """An object file for a CPU, with `extra` zeros at its end."""
    wide = bool(cpu[0] & 0x01000000)
    return image(cpu, filetype=1, is64=wide, body=bytes(extra))
