"""Builders of wheels: real archives, sound unless a test asks for a deviation; and plan values."""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from wheel.wheelfile import WheelFile

from fatwheel.action import Action
from fatwheel.arch import Arch
from fatwheel.archive.directory import Entry, Method
from fatwheel.errors import FormatError
from fatwheel.fusion.actions import Conflict
from fatwheel.macho.image import FileType, Image
from fatwheel.macho.probe import run
from fatwheel.macho.staticlib import StaticLibrary
from fatwheel.macho.textstub import looks_like_stub, parse_text_stub
from fatwheel.macho.universal import Universal, looks_like, parse
from fatwheel.wheels.pair import MemberPair
from fatwheel.wheels.wheel import Content, Member, images
from tests.support.macho import (
    ARM64,
    X86_64,
    archive,
    command,
    image,
    raw_fat,
    reader,
    section,
    segment,
    text_command,
    trie,
)
from tests.support.macho import member as archive_member
from tests.support.signing import Directory, signature

X, A = Arch.X86_64, Arch.ARM64
CPUS = {X: X86_64, A: ARM64}
PLATFORMS = {X: "macosx_10_13_x86_64", A: "macosx_11_0_arm64"}
DIST_INFO = "pkg-1.0.dist-info"
FUSED_NAME = "pkg-1.0-cp312-cp312-macosx_10_13_universal2.whl"
NATIVE = "pkg/_native.cpython-312-darwin.so"
METADATA = b"Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n"
DATE = (2024, 5, 6, 7, 8, 10)

Side = Mapping[str, bytes]
NO_FILES: Side = MappingProxyType({})


# ---- Mach-O ----


def code(
    arch: Arch,
    text: bytes = b"",
    *,
    cpu: tuple[int, int] | None = None,
    kind: FileType = FileType.BUNDLE,
    loads: Sequence[str] = (),
    kinds: Mapping[str, int] = {},
    rpaths: Sequence[str] = (),
    install_name: str = "@rpath/this.dylib",
    signed: bool = True,
    directories: Sequence[Directory] = (),
    blobs: Mapping[int, bytes] = {},
    minos: tuple[int, int] | None = None,
    sdk: tuple[int, int] = (0, 0),
    tools: Sequence[tuple[int, int]] = (),
    platform: int = 1,
    exports: Sequence[str] | None = None,
    undefined: Sequence[tuple[str, int]] = (),
    flags: int | None = None,
    thread_locals: tuple[int, int] | None = None,
    encrypted: int | None = None,
    trailing: bytes = b"",
) -> bytes:
    """A thin image whose `__TEXT` is `text`; `trailing` are bytes that no load command describes.

    `exports` are the symbols of its export trie (None: it has none), `thread_locals` the address and the
    alignment (log2) of its only section of thread-local variables. `kinds` maps loads to commands other
    than LC_LOAD_DYLIB; `install_name` is a dynamic library's, `encrypted` the cryptid of its
    LC_ENCRYPTION_INFO_64, `undefined` its undefined symbols with their ordinals (and the low byte of
    n_desc above these), `tools` are numbers and versions as LC_BUILD_VERSION encodes them. It is
    signed ad hoc, with these directories and further blobs.
    """
    os_version = minos or {X: (10, 13), A: (11, 0)}[arch]
    others = [text_command(0x0D, install_name.encode())] if kind is FileType.DYLIB else []
    others += [text_command(kinds.get(load, 0x0C), load.encode()) for load in loads]
    others += [text_command(0x8000001C, rpath.encode()) for rpath in rpaths]
    versions = (major << 16 | minor << 8 for major, minor in (os_version, sdk))
    build = struct.pack("<4I", platform, *versions, len(tools))
    others.append(command(0x32, build + b"".join(struct.pack("<2I", *tool) for tool in tools)))
    if encrypted is not None:
        others.append(command(0x2C, struct.pack("<4I", 0, 4096, encrypted, 0)))
    body = text or f"{arch.value} code".encode()
    sections = []
    if thread_locals is not None:
        address, align = thread_locals
        sections.append(section(0, 8, address=address, align=align, flags=0x12))
    tries = [] if exports is None else [trie(exports)]
    start = 32 + 72 + 80 * len(sections) + sum(map(len, others)) + 16 * (signed + len(tries))
    start += 24 * bool(undefined)
    commands = [segment(b"__TEXT", start, len(body), sections=sections), *others]
    for data in tries:
        commands.append(command(0x80000033, struct.pack("<2I", start + len(body), len(data))))
        body += data
    if undefined:
        nlists, strings = b"", b"\0"
        for name, ordinal in undefined:
            low, high = ordinal >> 8, ordinal & 0xFF
            nlists += struct.pack("<IBBHQ", len(strings), 1, 0, high << 8 | low, 0)
            strings += name.encode() + b"\0"
        at = start + len(body)
        where = (at, len(undefined), at + len(nlists), len(strings))
        commands.append(command(2, struct.pack("<4I", *where)))
        body += nlists + strings
    if signed:
        limit = start + len(body)
        size = len(signature(bytes(limit), *directories, blobs=blobs))
        commands.append(command(0x1D, struct.pack("<2I", limit, size)))
    if flags is None:
        flags = 0x80 if undefined else 0  # MH_TWOLEVEL
    data = image(cpu or CPUS[arch], commands, body, filetype=kind, flags=flags)
    assert len(data) == start + len(body)
    return data + (signature(data, *directories, blobs=blobs) if signed else b"") + trailing


def altered(data: bytes, *places: int) -> bytes:
    """The same with other bytes at these places."""
    found = bytearray(data)
    for at in places:
        found[at] ^= 1
    return bytes(found)


def dylib(arch: Arch, text: bytes = b"", **options: Any) -> bytes:
    """A dynamic library."""
    return code(arch, text, kind=FileType.DYLIB, **options)


def program(arch: Arch, text: bytes = b"", **options: Any) -> bytes:
    """An executable."""
    return code(arch, text, kind=FileType.EXECUTE, **options)


def static(arch: Arch, text: bytes = b"object", *, platform: int | None = None) -> bytes:
    """A static library with one object file."""
    commands = (
        [] if platform is None else [command(0x32, struct.pack("<4I", platform, 11 << 16, 0, 0))]
    )
    data = image(CPUS[arch], commands, text, filetype=FileType.OBJECT)
    return archive(archive_member("a.o", data))


def stub(*targets: str) -> bytes:
    """A text stub for these targets (`arm64-macos`)."""
    listed = ", ".join(targets)
    lines = [
        "--- !tapi-tbd",
        "tbd-version: 4",
        f"targets: [ {listed} ]",
        "install-name: '@rpath/x'",
    ]
    return "\n".join([*lines, "...", ""]).encode()


def universal(*slices: bytes, align: int = 14) -> bytes:
    """A universal file of these thin images or static libraries, in this order."""
    at, table, body = 8 + 20 * len(slices), [], b""
    for data in slices:
        cputype, cpusubtype = struct.unpack_from("<2I", data, data.index(b"\xcf\xfa\xed\xfe") + 4)
        padding = -at % (1 << align)
        table.append((cputype, cpusubtype, at + padding, len(data), align))
        body += bytes(padding) + data
        at += padding + len(data)
    return raw_fat(table) + body


# ---- wheels ----


def record_of(
    files: Side, dist_info: str = DIST_INFO, *, algorithm: str = "sha256", wrong: Iterable[str] = ()
) -> str:
    """The right RECORD of these files; rows of `wrong` have the hash of something else."""
    rows = []
    for name, data in files.items():
        content = data + b"!" if name in wrong else data
        digest = base64.urlsafe_b64encode(hashlib.new(algorithm, content).digest()).rstrip(b"=")
        rows.append(f"{name},{algorithm}={digest.decode()},{len(data)}")
    return "".join(f"{row}\n" for row in [*rows, f"{dist_info}/RECORD,,"])


def make_wheel(
    folder: Path,
    platform: str,
    files: Side,
    *,
    name: str = "pkg",
    version: str = "1.0",
    build: str = "",
    python: str = "cp312",
    abi: str = "cp312",
    metadata: bytes | None = METADATA,
    purelib: bool = False,
    wheel_text: str | None = None,
    dist_info: str | None = None,
    record: Callable[[Side], str | None] | None = None,
    modes: Mapping[str, int] = {},
    stored: Iterable[str] = (),
    date_time: tuple[int, int, int, int, int, int] = DATE,
    folders: Iterable[str] = (),
) -> Path:
    """Write a wheel; everything that is not said is as it should be.

    `files` win over the files of dist-info that are made here. `record` makes RECORD of all other
    files (None: no RECORD). `folders` get directory entries. Members are deflated but for `stored`.
    """
    dist_info = f"{name}-{version}.dist-info" if dist_info is None else dist_info
    stem = "-".join(filter(None, [name, version, build, python, abi, platform]))
    tags = "".join(f"Tag: {python}-{abi}-{tag}\n" for tag in platform.split("."))
    if wheel_text is None:
        wheel_text = (
            f"Wheel-Version: 1.0\nGenerator: test 1\nRoot-Is-Purelib: {str(purelib).lower()}\n{tags}"
            + (f"Build: {build}\n" if build else "")
        )
    members = dict(files)
    if metadata is not None:
        if metadata == METADATA:
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
        members.setdefault(f"{dist_info}/METADATA", metadata)
    members.setdefault(f"{dist_info}/WHEEL", wheel_text.encode())
    text = (record or (lambda all_: record_of(all_, dist_info)))(members)
    if text is not None:
        members[f"{dist_info}/RECORD"] = text.encode()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.whl"
    with zipfile.ZipFile(path, "w") as out:
        for entry in folders:
            out.writestr(zipfile.ZipInfo(entry.rstrip("/") + "/", date_time), b"")
        for member, data in members.items():
            info = zipfile.ZipInfo(member, date_time)
            info.external_attr = (0o100000 | modes.get(member, 0o644)) << 16
            info.compress_type = zipfile.ZIP_STORED if member in stored else zipfile.ZIP_DEFLATED
            out.writestr(info, data)
    return path


def thin_wheel(arch: Arch, out: Path) -> Path:
    """A wheel with one extension module, as maturin would make it."""
    return make_wheel(out, PLATFORMS[arch], {NATIVE: code(arch)})


def make_pair(
    folder: Path,
    both: Side = NO_FILES,
    x86_64: Side = NO_FILES,
    arm64: Side = NO_FILES,
    *,
    native: bool = True,
    x86_64_options: Mapping[str, Any] = {},
    arm64_options: Mapping[str, Any] = {},
    **options: Any,
) -> tuple[Path, Path]:
    """Write the x86_64 and the arm64 wheel of one project.

    Both have a package with an extension module, unless `native` is false.
    """
    made = []
    for arch, side, own in ((X, x86_64, x86_64_options), (A, arm64, arm64_options)):
        files = {"pkg/__init__.py": b""} | ({NATIVE: code(arch)} if native else {})
        kwargs = {**options, **own}
        platform = kwargs.pop("platform", PLATFORMS[arch])
        target = folder / kwargs.pop("folder", "")
        made.append(make_wheel(target, platform, {**files, **both, **side}, **kwargs))
    return made[0], made[1]


def contents(path: Path) -> dict[str, bytes]:
    """What a wheel holds, by Python's own zipfile."""
    with zipfile.ZipFile(path) as archive_:
        return {info.filename: archive_.read(info) for info in archive_.infolist()}


def read_whole(path: Path) -> dict[str, bytes]:
    """What a wheel holds, by the `wheel` package, which compares each file with RECORD."""
    with WheelFile(path) as opened:
        return {info.filename: opened.read(info) for info in opened.infolist()}


def slices_of(data: bytes) -> dict[tuple[int, int], bytes]:
    """The slices of a universal file by cputype and cpusubtype."""
    magic, count = struct.unpack_from(">2I", data)
    assert magic == 0xCAFEBABE
    rows = [struct.unpack_from(">5I", data, 8 + 20 * i) for i in range(count)]
    return {(row[0], row[1]): data[row[2] : row[2] + row[3]] for row in rows}


def zip_bytes(*members: tuple[str, bytes]) -> bytes:
    """A bare archive of deflated members, for what no wheel builder would make."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members:
            out.writestr(zipfile.ZipInfo(name, DATE), data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def edit(path: Path, change: Callable[[bytearray], object]) -> Path:
    """Change the bytes of a finished wheel in place."""
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


# ---- values, as reading a wheel gives them ----


def content_of(data: bytes) -> Content:
    """What the scan says that these bytes hold."""
    try:
        if looks_like_stub(data[:32]):
            return run(parse_text_stub("test", len(data)), reader(data))
        found = run(parse("test", len(data)), reader(data)) if looks_like(data[:32]) else None
    except FormatError as error:
        return error
    return found if isinstance(found, Universal | Image | StaticLibrary) else None


def member_value(name: str, data: bytes, *, mode: int = 0o644, packed: int | None = None) -> Member:
    """A member with this content; `packed` is its compressed size in bytes."""
    entry = Entry(
        name=name,
        is_dir=False,
        method=Method.DEFLATED,
        crc=0,
        compressed_size=len(data) if packed is None else packed,
        size=len(data),
        header_offset=0,
        data_offset=0,
        mode=mode,
        date_time=None,
    )
    return Member(entry=entry, sha256=hashlib.sha256(data).digest(), content=content_of(data))


@dataclass(frozen=True, kw_only=True)
class Sides:
    """One member's two contents; None where a wheel has no such file."""

    x86_64: bytes | None = None
    arm64: bytes | None = None
    modes: Mapping[Arch, int] = field(default_factory=dict)
    packed: Mapping[Arch, int] = field(default_factory=dict)

    def pair(self, name: str) -> MemberPair:
        """The pair that the plan gets to see."""
        found = {
            arch: member_value(
                name, data, mode=self.modes.get(arch, 0o644), packed=self.packed.get(arch)
            )
            for arch, data in ((X, self.x86_64), (A, self.arm64))
            if data is not None
        }
        value = MemberPair(name=name, x86_64=found.get(X), arm64=found.get(A))
        coded = any(list(images(member.content)) for member in found.values())
        if len(found) == 2 and self.x86_64 != self.arm64 and not coded:
            value = replace(value, x86_64_text=self.x86_64, arm64_text=self.arm64)
        return value


def tamper(path: Path, name: str, **values: int) -> Path:
    """Write other values (crc, compressed_size, size, method, flags) into both headers of a member."""
    fields = {"flags": (6, 8, "<H"), "method": (8, 10, "<H"), "crc": (14, 16, "<I")}
    fields |= {"compressed_size": (18, 20, "<I"), "size": (22, 24, "<I")}
    with zipfile.ZipFile(path) as opened:
        local, start = opened.getinfo(name).header_offset, opened.start_dir

    def change(data: bytearray) -> None:
        raw = name.encode()
        central = data.index(raw, start) - 46
        while data[central : central + 4] != b"PK\1\2" or data[central + 28] != len(raw):
            central = data.index(raw, central + 47) - 46
        for key, value in values.items():
            in_local, in_central, layout = fields[key]
            struct.pack_into(layout, data, local + in_local, value)
            struct.pack_into(layout, data, central + in_central, value)

    return edit(path, change)


def raw_member(path: Path, name: str, raw: bytes, content: bytes) -> None:
    """Append a deflated member whose compressed bytes are `raw`, as if they were those of `content`."""
    with zipfile.ZipFile(path, "a") as opened:
        info = zipfile.ZipInfo(name, DATE)
        info.external_attr = 0o100644 << 16
        opened.writestr(info, raw)  # stored
    tamper(path, name, method=8, crc=zlib.crc32(content), size=len(content))


def conflict(name: str = "pkg/a.py", *remedies: Action) -> Conflict:
    """A conflict of two texts; `remedies` are `dispatch` and `drop` where none are given."""
    return Conflict(
        name=name,
        kind="differs",
        problem="differs",
        matters="it does",
        remedies=remedies or (Action.DISPATCH, Action.DROP),
        diff=("@@ line 1 @@", "-1", "+2"),
    )
