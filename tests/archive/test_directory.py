"""The directory of a wheel: what is sound is read as zipfile reads it, what is not is refused."""

from __future__ import annotations

import io
import random
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fatwheel.archive.directory import Entry, Method, read_directory
from fatwheel.archive.format import (
    CENTRAL,
    DESCRIPTOR_SIGNATURE,
    END,
    END64,
    LOCAL,
    LOCATOR,
    MAX16,
    MAX32,
    Flag,
)
from fatwheel.archive.ranges import RangeFile
from fatwheel.errors import WheelError
from tests.support.corpus import acceptance_pairs
from tests.support.required import require_pair

NOON = (45 << 9 | 6 << 5 | 15, 12 << 11)  # 2025-06-15 12:00:00


@dataclass(frozen=True, kw_only=True)
class Zip:
    """One member as both of its headers describe it; `local` overrides values of the local header."""

    name: bytes = b"pkg/a.py"
    content: bytes = b"content\n"
    method: int = 8
    flags: int = 0
    crc: int | None = None
    size: int | None = None
    compressed_size: int | None = None
    system: int = 3
    needed: int = 20
    mode: int = 0o100644
    attributes: int | None = None
    stamp: tuple[int, int] = NOON
    disk: int = 0
    extra: bytes = b""
    local: Mapping[str, object] = field(default_factory=dict)
    after: bytes = b""
    header_offset: int | None = None

    @property
    def data(self) -> bytes:
        if self.method != 8:
            return self.content
        compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
        return compressor.compress(self.content) + compressor.flush()

    def values(self) -> tuple[int, int, int]:
        """CRC-32, compressed size and size, as declared."""
        crc = zlib.crc32(self.content) if self.crc is None else self.crc
        packed = len(self.data) if self.compressed_size is None else self.compressed_size
        return crc, packed, len(self.content) if self.size is None else self.size

    def header(self) -> bytes:
        date, time = self.stamp
        fields: list[int] = [self.needed, self.flags, self.method, time, date, *self.values()]
        start = struct.pack("<4s", b"PK\x03\x04")
        fields += [len(self.name), len(self.extra)]
        return start + LOCAL.pack(b"", *fields)[4:] + self.name + self.extra

    def local_header(self) -> bytes:
        member = replace(self, **self.local, local={})  # type: ignore[arg-type]
        return member.header()

    def central_header(self, offset: int) -> bytes:
        date, time = self.stamp
        attributes = self.mode << 16 if self.attributes is None else self.attributes
        offset = offset if self.header_offset is None else self.header_offset
        lengths = (len(self.name), len(self.extra), 0)
        start = (b"PK\x01\x02", 20, self.system, self.needed, self.flags, self.method, time, date)
        fields = CENTRAL.pack(*start, *self.values(), *lengths, self.disk, 0, attributes, offset)
        return fields + self.name + self.extra


def archive(*members: Zip, before: bytes = b"", comment: bytes = b"", **end: int) -> bytes:
    """Return a zip archive; keywords override the end record's values."""
    body, central = before, b""
    for member in members:
        central += member.central_header(len(body))
        body += member.local_header() + member.data + member.after
    values = {
        "disk": 0,
        "start_disk": 0,
        "here": len(members),
        "members": len(members),
        "size": len(central),
        "offset": len(body),
        "comment": len(comment),
    }
    values |= end
    return body + central + END.pack(b"PK\x05\x06", *values.values()) + comment


def archive64(*members: Zip, locator: tuple[int, int, int] | None = None, **record: int) -> bytes:
    """Return a zip archive with Zip64 end records; keywords override the record's values."""
    plain = archive(*members)
    _, _, _, here, count, size, offset, _ = END.unpack(plain[-END.size :])
    body = plain[: -END.size]
    values = {
        "length": 44,
        "made_by": 45,
        "needed": 45,
        "disk": 0,
        "start_disk": 0,
        "here": here,
        "members": count,
        "size": size,
        "offset": offset,
    }
    values |= record
    disk, at, disks = locator or (0, len(body), 1)
    end = END.pack(b"PK\x05\x06", 0, 0, MAX16, MAX16, MAX32, MAX32, 0)
    return (
        body
        + END64.pack(b"PK\x06\x06", *values.values())
        + LOCATOR.pack(b"PK\x06\x07", disk, at, disks)
        + end
    )


Reader = Callable[[bytes], tuple[Entry, ...]]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    def read(data: bytes) -> tuple[Entry, ...]:
        path = tmp_path / "hostile.whl"
        path.write_bytes(data)
        with RangeFile(path) as file:
            return read_directory(file, "a.whl")

    return read


def named(*names: str, flags: int = 0) -> bytes:
    return archive(*(Zip(name=name.encode(), flags=flags) for name in names))


def as_zipfile_reads(path: Path) -> list[tuple[object, ...]]:
    with zipfile.ZipFile(path) as wheel:
        return [
            (
                info.filename,
                info.is_dir(),
                info.compress_type,
                info.CRC,
                info.compress_size,
                info.file_size,
                info.header_offset,
                info.date_time,
            )
            for info in wheel.infolist()
        ]


def as_read(entries: tuple[Entry, ...]) -> list[tuple[object, ...]]:
    return [
        (
            entry.name,
            entry.is_dir,
            entry.method,
            entry.crc,
            entry.compressed_size,
            entry.size,
            entry.header_offset,
            entry.date_time,
        )
        for entry in entries
    ]


@pytest.mark.parametrize("name", acceptance_pairs())
def test_real_wheels_are_read_as_zipfile_reads_them(name: str) -> None:
    for wheel in require_pair(name).wheels:
        with RangeFile(wheel.path) as file:
            assert as_read(read_directory(file, "a.whl")) == as_zipfile_reads(wheel.path)


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(
        st.lists(st.text("abcé日", min_size=1, max_size=3), min_size=1, max_size=3).map(
            lambda parts: "/".join(parts) + ".py"
        ),
        st.tuples(st.binary(max_size=50), st.sampled_from([0, 8]), st.integers(0, 0o777)),
        max_size=6,
    )
)
def test_what_zipfile_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, members: dict[str, tuple[bytes, int, int]]
) -> None:
    path = tmp_path_factory.mktemp("zip") / "a.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, (content, method, mode) in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFREG | mode) << 16
            wheel.writestr(info, content, method)
    with RangeFile(path) as file:
        entries = read_directory(file, "a.whl")
    assert as_read(entries) == as_zipfile_reads(path)
    for entry, (content, _, mode) in zip(entries, members.values(), strict=True):
        assert entry.mode == (mode or 0o644)
        data = path.read_bytes()[entry.data_offset :][: entry.compressed_size]
        stored = entry.method == Method.STORED
        assert (data if stored else zlib.decompress(data, -15)) == content


@pytest.mark.parametrize(
    ("member", "mode"),
    [
        (Zip(), 0o644),
        (Zip(mode=0o100755), 0o755),
        (Zip(mode=0o664), 0o664),
        (Zip(mode=0o104755), 0o4755),
        (Zip(mode=0o100000), 0o644),
        (Zip(mode=0), 0o644),
        (Zip(system=19, mode=0o100600), 0o600),
        (Zip(system=0, attributes=0x20), 0o644),
        (
            Zip(attributes=0o100644 << 16 | 0x18),
            0o644,
        ),  # nobody reads MS-DOS's bits of UNIX's members
        (Zip(system=0, mode=0o100666), 0o644),
        (Zip(system=0, mode=0o100777), 0o755),
        (Zip(system=10, attributes=0), 0o644),
        (Zip(name=b"pkg/", content=b"", mode=0), 0o755),
        (Zip(name=b"pkg/", content=b"", mode=0o40700), 0o700),
        (Zip(name=b"pkg/", content=b"", system=0, attributes=0x10), 0o755),
    ],
    ids=str,
)
def test_modes(read: Reader, member: Zip, mode: int) -> None:
    (entry,) = read(archive(member))
    assert entry.mode == mode
    assert entry.is_dir == member.name.endswith(b"/")


@pytest.mark.parametrize(
    ("name", "flags", "text"),
    [
        (b"pkg/\xc3\xa9", Flag.UTF8, "pkg/é"),
        (b"pkg/.dylibs/a..b", 0, "pkg/.dylibs/a..b"),
        (b"pkg/ab:c", 0, "pkg/ab:c"),  # a name on macOS, and no drive
        (b"pkg/...", 0, "pkg/..."),
    ],
)
def test_names_are_decoded_as_zipfile_does(
    read: Reader, tmp_path: Path, name: bytes, flags: int, text: str
) -> None:
    (entry,) = read(archive(Zip(name=name, flags=flags)))
    assert entry.name == text
    assert as_zipfile_reads(tmp_path / "hostile.whl")[0][0] == text


@pytest.mark.parametrize(
    ("stamp", "date_time"),
    [
        (NOON, (2025, 6, 15, 12, 0, 0)),
        ((0, 0), None),
        ((45 << 9 | 2 << 5 | 30, 0), None),  # 30 February
        ((45 << 9 | 6 << 5 | 15, 24 << 11), None),
        ((127 << 9 | 12 << 5 | 31, 23 << 11 | 59 << 5 | 29), (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_time_stamps(read: Reader, stamp: tuple[int, int], date_time: object) -> None:
    (entry,) = read(archive(Zip(stamp=stamp)))
    assert entry.date_time == date_time


def test_no_members_is_no_error_here(read: Reader) -> None:
    assert read(archive()) == ()


def test_a_comment_is_allowed(read: Reader) -> None:
    assert len(read(archive(Zip(), comment=b"made by hand"))) == 1


def test_folders_that_differ_in_case_become_one(read: Reader) -> None:
    assert len(read(named("Pkg/a.py", "pkg/b.py"))) == 2


UNSAFE_NAMES = {
    "/etc/passwd": "its name is absolute",
    "../up.py": r"climbs out of the wheel with `\.\.`",
    "pkg/../../up.py": r"climbs out of the wheel with `\.\.`",
    "pkg/..": r"climbs out of the wheel with `\.\.`",
    "..": r"climbs out of the wheel with `\.\.`",
    "./pkg/a.py": r"its name has a part `\.`",
    "pkg/./a.py": r"its name has a part `\.`",
    "pkg//a.py": "its name has an empty part",
    "pkg//": "its name has an empty part",
    "/": "its name is absolute",
    "pkg\\a.py": "its name holds a backslash",
    "..\\up.py": "its name holds a backslash",
    "C:/a.py": "its name holds a drive letter",
    "c:a.py": "its name holds a drive letter",
    "pkg/D:a.py": "its name holds a drive letter",
    "pkg/a\0.py": "its name holds a control character",
    "pkg/a\n.py": "its name holds a control character",
    "pkg/a\x7f.py": "its name holds a control character",
    "pkg/a\x9b31m.py": "its name holds a control character",
    "": "has a member without a name",
    "p" * 1025: "has a name of 1025 bytes; a path of macOS has at most 1024",
    "pkg/" + "p" * 256: "a part of its name has 256 bytes; a file name has at most 255",
    "pkg/" + "é" * 128 + "/a": "a part of its name has 256 bytes; a file name has at most 255",
}


@pytest.mark.parametrize(("name", "problem"), UNSAFE_NAMES.items(), ids=map(ascii, UNSAFE_NAMES))
def test_unsafe_names_are_refused(read: Reader, name: str, problem: str) -> None:
    with pytest.raises(WheelError, match=problem) as caught:
        read(named("pkg/good.py", name, flags=Flag.UTF8))
    assert str(caught.value).isprintable()
    assert caught.value.wheel == "a.whl"


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["pkg/a.py", "pkg/a.py"], r"pkg/a\.py: occurs twice"),
        (["pkg/a.py", "pkg/A.py"], r"pkg/A\.py: is the same file as pkg/a\.py on macOS"),
        (["Pkg/a.py", "pkg/a.py"], r"pkg/a\.py: is the same file as Pkg/a\.py on macOS"),
        (["p/\xe9.py", "p/e\u0301.py"], "is the same file as .* on macOS"),
        (["p/\xc9.py", "p/e\u0301.py"], "is the same file as .* on macOS"),
        (["p/straße", "p/STRASSE"], "is the same file as .* on macOS"),
        (["pkg", "pkg/a.py"], r"pkg: is a file and also the folder of pkg/a\.py"),
        (["pkg/a.py", "pkg-1", "pkg!", "pkg"], r"pkg: is a file and also the folder of pkg/a\.py"),
        (["pkg/a", "PKG/A/b"], "pkg/a: is a file and also the folder of PKG/A/b"),
        (["pkg/a", "pkg/a/b/c/d"], "pkg/a: is a file and also the folder of pkg/a/b/c/d"),
    ],
    ids=str,
)
def test_colliding_names_are_refused(read: Reader, names: list[str], problem: str) -> None:
    with pytest.raises(WheelError, match=problem):
        read(named(*names, flags=Flag.UTF8))


def test_a_file_that_is_also_an_empty_folder_is_refused(read: Reader) -> None:
    folder = Zip(name=b"pkg/", content=b"", mode=0o40755)
    with pytest.raises(WheelError, match="pkg: is a file and also the folder of pkg/"):
        read(archive(folder, Zip(name=b"pkg")))
    with pytest.raises(WheelError, match="pkg/: occurs twice"):
        read(archive(folder, folder))


def zip64(*values: int) -> bytes:
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values)


CONTRADICTIONS = {
    "not UTF-8": (Zip(name=b"a\xff.py", flags=Flag.UTF8), r"is not valid UTF-8 \(byte 1\)"),
    "neither ASCII nor UTF-8": (
        Zip(name=b"pkg/\x82"),
        r"pkg/\\x82: its name is not ASCII and not marked as UTF-8, so readers disagree what it is",
    ),
    "UTF-8 that is not marked": (Zip(name="é".encode()), "its name is not ASCII and not marked"),
    "second name": (
        Zip(extra=struct.pack("<2HBL", 0x7075, 5 + 5, 1, 0) + b"other"),
        "has a second name, other, in an extra field",
    ),
    "second name in the local header": (
        Zip(local={"extra": struct.pack("<2HBL", 0x7075, 5 + 5, 1, 0) + b"other"}),
        "has a second name, other, in an extra field",
    ),
    "short Unicode path": (
        Zip(local={"extra": struct.pack("<2HB", 0x7075, 1, 1)}),
        "has a second name, , in an extra field",
    ),
    "bsdtar's own field": (
        Zip(local={"extra": struct.pack("<2HBL", 0x6C78, 5, 4, 0o120777 << 16)}),
        "has an extra field 0x6c78, in which bsdtar finds another type and mode",
    ),
    "AES": (
        Zip(extra=struct.pack("<2H7x", 0x9901, 7)),
        "is encrypted, as its extra field 0x9901 says",
    ),
    "strong encryption in the local header": (
        Zip(local={"extra": struct.pack("<2H8x", 0x0017, 8)}),
        "is encrypted, as its extra field 0x0017 says",
    ),
    "local extra field": (
        Zip(local={"extra": b"\x99\x99\x09\x00abc"}),
        "extra field 0x9999 has 9 bytes, but 3 are",
    ),
    "local Zip64 field of other sizes": (
        Zip(local={"extra": zip64(8, 11)}),
        r"a Zip64 field in its local header says 8, 11, where its sizes are \(8, 10\)",
    ),
    "local Zip64 field of no sizes": (
        Zip(local={"extra": zip64()}),
        "a Zip64 field in its local header says 0 bytes, where its sizes are",
    ),
    "version needed": (
        Zip(needed=64),
        "needs version 6.4 of the zip format, as its directory says; installers read up to 6.3",
    ),
    "version needed, locally": (
        Zip(local={"needed": 99}),
        "needs version 9.9 of the zip format, as its local header says",
    ),
    "folder by MS-DOS": (
        Zip(system=0, attributes=0x10),
        "is a folder by its MS-DOS attributes, but not by its name",
    ),
    "volume label": (Zip(system=0, attributes=0x08), "is a volume label by its MS-DOS attributes"),
    "symlink": (Zip(mode=0o120777), "is a symbolic link .mode 0o120777."),
    "symlink from DOS": (Zip(system=0, mode=0o120777), "is a symbolic link"),
    "device": (Zip(mode=0o020666), "is a device or another special file .mode 0o20666."),
    "fifo": (Zip(mode=0o010666), "is a device or another special file"),
    "socket": (Zip(mode=0o140666), "is a device or another special file"),
    "folder by mode": (Zip(mode=0o040755), "is a folder by its mode 0o40755, but not by its name"),
    "file by mode": (
        Zip(name=b"pkg/", content=b""),
        "is a file by its mode 0o100644, but not by its name",
    ),
    "folder with content": (
        Zip(name=b"pkg/", mode=0o40755),
        "is a folder, but has 8 bytes of content",
    ),
    "encrypted": (Zip(flags=Flag.ENCRYPTED), r"is encrypted \(flags 0x0001\)"),
    "strong": (Zip(flags=Flag.STRONG_ENCRYPTION), "uses strong encryption"),
    "masked": (Zip(flags=Flag.MASKED_HEADERS), "has its local header masked"),
    "patched": (Zip(flags=Flag.PATCHED), "holds compressed patched data"),
    "deflate64": (Zip(method=9), "is compressed by method 9; wheels use 0"),
    "lzma": (Zip(method=14), "is compressed by method 14; wheels use 0"),
    "stored size": (Zip(method=0, size=9), "is stored in 8 bytes, but its size is 9"),
    "local name": (
        Zip(local={"name": b"pkg/b.py"}),
        r"pkg/a\.py: its local header names another file, pkg/b\.py",
    ),
    "local name longer": (
        Zip(local={"name": b"pkg/a.pyc"}),
        r"its local header names another file, pkg/a\.pyc",
    ),
    "local size": (
        Zip(local={"size": 7}),
        "its size is 7 in the local header but 8 in the directory",
    ),
    "local compressed size": (
        Zip(local={"compressed_size": 5}),
        "its compressed size is 5 in the local header but 10 in the directory",
    ),
    "local CRC-32": (Zip(local={"crc": 1}), "its CRC-32 is 1 in the local header but "),
    "local CRC-32 zero": (Zip(local={"crc": 0}), "its CRC-32 is 0 in the local header but "),
    "local method": (
        Zip(local={"method": 0, "compressed_size": 10}),
        "its method is 0 in the local header but 8 in the directory",
    ),
    "local flags": (
        Zip(local={"flags": Flag.UTF8}),
        "its flags is 2048 in the local header but 0 in the directory",
    ),
    "no local header": (Zip(header_offset=0, local={"name": b"x" * 9000}), "names another file, x"),
    "disk": (Zip(disk=3), "lies on disk 3; wheels have one disk, number 0"),
    "overlap": (Zip(compressed_size=500), r"overlaps the central directory: it ends at byte "),
    "gap": (Zip(after=b"hidden"), "is followed by 6 bytes of no member"),
    "extra field": (Zip(extra=b"\x99\x99\x09\x00abc"), "extra field 0x9999 has 9 bytes, but 3 are"),
    "two Zip64 fields": (Zip(extra=zip64() * 2), "has 2 Zip64 fields; one header has at most one"),
    "needless Zip64 field": (
        Zip(extra=zip64(8, 10)),
        "its Zip64 field has 16 bytes, but its header calls for 0",
    ),
    "short Zip64 field": (
        Zip(extra=zip64(), size=MAX32),
        "its Zip64 field has 0 bytes, but its header calls for 8",
    ),
    "size in Zip64 field": (
        Zip(extra=zip64(9), size=MAX32, local={"extra": b"", "size": 8}),
        "its size is 8 in the local header but 9 in the directory",
    ),
    "no descriptor": (
        Zip(flags=Flag.DESCRIPTOR),
        "is followed by 0 bytes, which cannot be its data descriptor",
    ),
    "long descriptor": (
        Zip(flags=Flag.DESCRIPTOR, after=bytes(99)),
        "is followed by more than 24 bytes, which cannot be its data descriptor",
    ),
    "wrong descriptor": (
        Zip(flags=Flag.DESCRIPTOR, after=bytes(12)),
        r"are \(0, 0, 0\) in its data descriptor but \(\d+, 10, 8\) in the directory",
    ),
    "descriptor's signature": (
        Zip(flags=Flag.DESCRIPTOR, after=bytes(16)),
        "its data descriptor begins with 00000000, not with its signature",
    ),
}


@pytest.mark.parametrize(("member", "problem"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_contradictions_are_refused(read: Reader, member: Zip, problem: str) -> None:
    with pytest.raises(WheelError, match=problem):
        read(archive(member))


@pytest.mark.parametrize("late", [True, False], ids=["zero", "known"])
@pytest.mark.parametrize("signature", [DESCRIPTOR_SIGNATURE, b""], ids=["signature", "bare"])
@pytest.mark.parametrize("layout", ["<3L", "<L2Q"], ids=["4 bytes", "8 bytes"])
def test_data_descriptors(read: Reader, late: bool, signature: bytes, layout: str) -> None:
    member = Zip(flags=Flag.DESCRIPTOR)
    local = {"crc": 0, "size": 0, "compressed_size": 0} if late else {}
    after = signature + struct.pack(layout, *member.values())
    member = replace(member, after=after, local=local)
    first, second = read(archive(member, replace(member, name=b"b")))
    assert second.header_offset == first.data_offset + first.compressed_size + len(after)


@pytest.mark.parametrize(
    "member",
    [
        Zip(needed=63),
        Zip(needed=0x0314),  # of the two bytes, everybody reads the lower
        Zip(extra=struct.pack("<2HBL", 0x7075, 5 + 8, 1, 0) + b"pkg/a.py"),
        Zip(
            local={"extra": struct.pack("<2HBL", 0x5455, 5, 1, 0)}
        ),  # time stamps, as Info-ZIP has them
        Zip(local={"extra": bytes(7)}),  # zeros align what follows
        Zip(local={"extra": zip64(8, 10)}),  # Python before 3.11.4, asked for Zip64
        Zip(local={"extra": zip64(0, 0)}),
    ],
    ids=str,
)
def test_what_every_reader_reads_alike_is_allowed(read: Reader, member: Zip) -> None:
    (entry,) = read(archive(member))
    assert (entry.name, entry.size) == ("pkg/a.py", 8)


def test_a_zip_bomb_is_refused(read: Reader) -> None:
    large = Zip(size=(64 << 20) + 1)
    with pytest.raises(WheelError, match=r"its \d+ bytes unfold to 67108865, more than 100 times"):
        read(archive(large))
    (entry,) = read(archive(replace(large, size=64 << 20)))
    assert entry.size == 64 << 20
    stored = Zip(name=b"pkg/b", method=0, content=bytes(700_000))
    assert len(read(archive(large, stored))) == 2
    with pytest.raises(WheelError, match="more than 100 times as many; no real wheel's do"):
        read(
            archive(large, replace(large, name=b"pkg/c"), replace(stored, content=bytes(1_300_000)))
        )


def test_zip64_in_both_headers_of_a_small_member(read: Reader) -> None:
    plain = Zip()
    crc, packed, size = plain.values()
    local = {"size": MAX32, "compressed_size": MAX32, "extra": zip64(size, packed)}
    assert [e.size for e in read(archive(replace(plain, local=local)))] == [8]
    central = replace(
        plain,
        size=MAX32,
        compressed_size=MAX32,
        header_offset=MAX32,
        extra=zip64(size, packed, 0),
        local=local,
    )
    (entry,) = read(archive(central))
    assert (entry.crc, entry.compressed_size, entry.size, entry.header_offset) == (
        *(crc, packed, size),
        0,
    )


def test_zip64_with_a_descriptor_as_zipfile_streams_it(read: Reader, tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        """What cannot seek makes zipfile write descriptors."""

        def __init__(self) -> None:
            super().__init__()
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            chunk = bytes(data)  # type: ignore[call-overload]
            self.data += chunk
            return len(chunk)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as wheel:
        for n in range(3):
            with wheel.open(f"pkg/{n}.py", "w", force_zip64=n == 1) as member:
                member.write(b"text" * n)
    entries = read(pipe.data)
    assert as_read(entries) == as_zipfile_reads(tmp_path / "hostile.whl")


def test_overlapping_members_are_refused(read: Reader) -> None:
    """Two entries for the same bytes, and one that holds the next one's header as its data."""
    one, two = Zip(), Zip(name=b"pkg/b.py", header_offset=0, local={"name": b"pkg/a.py"})
    with pytest.raises(WheelError, match=r"pkg/a\.py: its local header at byte 0 runs into .* 0"):
        read(archive(one, two))
    inner = Zip(name=b"pkg/b.py", content=b"inner")
    quoted = inner.local_header() + inner.data
    outer = Zip(method=0, content=quoted)
    start = len(outer.local_header())
    data = outer.local_header() + quoted
    central = outer.central_header(0) + inner.central_header(start)
    end = END.pack(b"PK\x05\x06", 0, 0, 2, 2, len(central), len(data), 0)
    with pytest.raises(WheelError, match=r"pkg/a\.py: overlaps pkg/b\.py: it ends at byte "):
        read(data + central + end)


def test_a_header_in_the_middle_of_nothing_is_refused(read: Reader) -> None:
    data = archive(Zip()).replace(b"PK\x03\x04", b"PK\x03\0")
    with pytest.raises(WheelError, match=r"has no local header at byte 0 \(found 504b0300\)"):
        read(data)
    one = Zip()
    data = one.local_header() + one.data
    central = one.central_header(0) + Zip(name=b"pkg/b.py").central_header(len(data))
    end = END.pack(b"PK\x05\x06", 0, 0, 2, 2, len(central), len(data), 0)
    with pytest.raises(WheelError, match=r"its local header at byte 48 runs into .* at byte 48"):
        read(data + central + end)


GOOD = archive(Zip(), Zip(name=b"pkg/b.py"))
DIRECTORY = GOOD.index(b"PK\x01\x02")
ENDS = {
    "prepended": (b"#!/bin/sh\n" + GOOD, "must end at byte .* where the end record begins"),
    "prepended, shifted": (
        archive(Zip(), before=b"#!/bin/sh\n"),
        "has 10 bytes of no member at its start",
    ),
    "appended": (GOOD + b"tail", "has 4 bytes after its end record"),
    "cut in the end record": (GOOD[:-5], "is cut off in its end record"),
    "cut in the directory": (GOOD[: DIRECTORY + 60], "is truncated or no zip archive"),
    "nothing": (b"", "is truncated or no zip archive: it has no end record"),
    "no zip": (b"\x7fELF" * 100, "is truncated or no zip archive: it has no end record"),
    "comment too long": (archive(Zip(), comment=b"abc")[:-1], "is cut off in its end record"),
    "two end records": (
        archive(Zip(), comment=archive()),
        r"has several end records \(bytes \d+, \d+\)",
    ),
    "end record in the comment": (
        archive(Zip(), comment=b"PK\x05\x06" + bytes(30)),
        "has several end records",
    ),
    "disks": (archive(Zip(), disk=1), "is one part of an archive on several disks"),
    "other disk": (archive(Zip(), start_disk=1), "is one part of an archive on several disks"),
    "part of the members": (archive(Zip(), here=0), "is one part of an archive on several disks"),
    "too few members": (
        archive(Zip(), Zip(name=b"b"), here=1, members=1),
        "has 2 members, but its end record says 1",
    ),
    "too many members": (
        archive(Zip(), here=2, members=2),
        "has 1 member, but its end record says 2",
    ),
    "directory too short": (archive(Zip(), size=9), "central directory of 9 bytes at byte"),
    "directory elsewhere": (archive(Zip(), offset=9), "central directory of 54 bytes at byte 9"),
    "damaged directory": (
        GOOD[:DIRECTORY] + b"XX" + GOOD[DIRECTORY + 2 :],
        r"its central directory is damaged at byte 0 of 108 \(found 58580102\)",
    ),
    "name past the directory": (
        GOOD[: DIRECTORY + 54 + 28] + b"\xff" + GOOD[DIRECTORY + 54 + 29 :],
        "its central directory ends within a header",
    ),
    "Zip64 on disks": (
        archive64(Zip(), disk=1),
        "disk is 0 in its end record but 1 in the Zip64 end record",
    ),
    "Zip64 locator's disk": (
        archive64(Zip(), locator=(1, 100, 2)),
        "is one part of an archive on several disks",
    ),
    "Zip64 record elsewhere": (
        archive64(Zip(), locator=(0, 3, 1)),
        "has no Zip64 end record at byte 3",
    ),
    "Zip64 record behind": (
        archive64(Zip(), locator=(0, 10_000, 1)),
        "its Zip64 end record at byte 10000 overlaps the locator",
    ),
    "Zip64 record's length": (
        archive64(Zip(), length=45),
        r"its Zip64 end record at byte \d+ ends at byte \d+, not at the locator's",
    ),
    "Zip64 members": (
        archive64(Zip(), here=2, members=2),
        "has 1 member, but its end record says",
    ),
    "Zip64 directory": (archive64(Zip(), offset=1), "its central directory of 54 bytes at byte 1"),
    "Zip64 huge directory": (
        archive64(Zip(), here=1 << 60, members=1 << 60),
        "has 1152921504606846976 members .* at most 250000 are read",
    ),
    "Zip64 contradicted": (
        archive64(Zip())[: -END.size] + END.pack(b"PK\x05\x06", 0, 0, 2, 2, MAX32, MAX32, 0),
        "members here is 2 in its end record but 1 in the Zip64 end record",
    ),
}


@pytest.mark.parametrize(("data", "problem"), ENDS.values(), ids=ENDS.keys())
def test_ambiguous_ends_are_refused(read: Reader, data: bytes, problem: str) -> None:
    with pytest.raises(WheelError, match=problem) as caught:
        read(data)
    assert caught.value.wheel == "a.whl"


def test_zip64_end_records(read: Reader) -> None:
    assert [entry.name for entry in read(archive64(Zip()))] == ["pkg/a.py"]


def test_every_truncation_is_refused(read: Reader) -> None:
    for size in range(len(GOOD)):
        with pytest.raises(WheelError):
            read(GOOD[:size])


def test_damage_raises_no_other_error(read: Reader) -> None:
    """A flipped byte gives the same members, or other values of theirs, or a refusal."""
    chance = random.Random(8)
    for at in range(len(GOOD)):
        for value in (0, 0xFF, chance.randrange(256)):
            damaged = bytearray(GOOD)
            damaged[at] = value
            try:
                assert len(read(bytes(damaged))) == 2
            except WheelError as error:
                assert str(error).startswith("a.whl: ")  # noqa: PT017


def test_deep_names_take_linear_memory_and_time(read: Reader) -> None:
    names = [f"{'a/' * 500}{n}" for n in range(3000)]
    assert len(read(named(*names))) == 3000
