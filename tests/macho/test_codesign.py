"""Code signatures: what they say, what is wrong with them, and that nothing hostile gets further than a sentence."""

from __future__ import annotations

import functools
import random
import re
import struct
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fatwheel.macho import codesign
from fatwheel.macho.codesign import (
    AD_HOC,
    LINKER_SIGNED,
    RUNTIME,
    HashType,
    MalformedSignature,
    Signature,
    Signer,
    WrongPages,
)
from fatwheel.macho.image import FileType, Image, parse_image
from fatwheel.macho.pagehashes import PageHash, SignedImage, likely_hashes
from fatwheel.macho.universal import Universal, parse
from tests.support import macho, oracles
from tests.support.corpus import SMALL_PAIR
from tests.support.linkers import find_lld, find_zig
from tests.support.macho import parsed
from tests.support.required import require_pair
from tests.support.signing import (
    REQUIREMENTS,
    Directory,
    blob,
    signature,
    superblob,
)
from tests.support.wheels import A, X, code, contents, universal

CODE = bytes(at * 7 % 253 for at in range(40_000))
EVERY_HASH = [
    PageHash(algorithm, size)
    for algorithm in ("sha1", "sha256", "sha384")
    for size in (0, 4096, 16384)
]
ENTITLEMENTS, DER = blob(0xFADE7171, b"<plist/>"), blob(0xFADE7172, b"der")
DEVELOPER_ID = blob(0xFADE0B01, bytes.fromhex("300c060a2a864886f7636406010d0500"))


def every(_: SignedImage) -> Collection[PageHash]:
    return EVERY_HASH


def image_of(data: bytes, pages: Any = every) -> Image:
    """The image as parsed at random and forward, which must agree."""
    make = functools.partial(parse_image, "x.so", len(data), pages=pages)
    found = parsed(make, data)
    for chunk in (997, 4096, 1 << 16):
        assert parsed(make, data, chunk) == found
    return found


def signed(data: bytes, pages: Any = every) -> Signature:
    found = image_of(data, pages).signature
    assert isinstance(found, Signature), found
    return found


def with_blob(data: bytes, cpu: tuple[int, int] = macho.ARM64, *, body: bytes = CODE) -> bytes:
    """An image whose signature is these bytes."""
    start = 32 + 72 + 16
    commands = [
        macho.segment(b"__TEXT", 0, start + len(body)),
        macho.command(0x1D, struct.pack("<2I", start + len(body), len(data))),
    ]
    return macho.image(cpu, commands, body, filetype=8) + data


def unsigned_part(size: int) -> bytes:
    """The part of `with_blob` that is signed."""
    return with_blob(bytes(size))[:-size]


def resigned(*directories: Directory, blobs: Mapping[int, bytes] = {}) -> bytes:
    """An image that `with_blob` makes, signed."""
    size = len(signature(unsigned_part(8), *directories, blobs=blobs))
    return with_blob(signature(unsigned_part(size), *directories, blobs=blobs))


def test_what_a_signature_says() -> None:
    data = code(
        A,
        CODE,
        directories=[
            Directory(kind=1, team=b"TEAM", flags=RUNTIME),
            Directory(kind=2, team=b"TEAM", identifier=b"org.x\xff", flags=RUNTIME, page_bits=14),
        ],
        blobs={2: REQUIREMENTS, 5: ENTITLEMENTS, 7: DER, 0x10000: DEVELOPER_ID},
    )
    found = signed(data)
    assert (found.offset, found.size) == (len(data) - found.size, found.size)
    assert found.signer is Signer.DEVELOPER_ID
    assert {slot: found.blobs[slot] for slot in (2, 5, 7, 0x10000)} == {
        2: 12,
        5: len(ENTITLEMENTS),
        7: len(DER),
        0x10000: len(DEVELOPER_ID),
    }
    strong, weak = found.directories
    assert strong is found.enforced
    assert (strong.slot, weak.slot) == (0x1000, 0)
    assert (strong.hash_type, weak.hash_type) == (HashType.SHA256, HashType.SHA1)
    assert (strong.page_size, strong.pages, weak.pages) == (16384, 3, 10)
    assert strong.page_hash == PageHash("sha256", 16384)
    assert (strong.identifier, strong.team, strong.flags) == ("org.x\\xff", "TEAM", RUNTIME)
    assert strong.code_limit == weak.code_limit == found.offset
    assert [*strong.special] == [2, 5, 7]
    for directory in found.directories:
        assert (directory.verified, directory.wrong_pages, directory.wrong_slots) == (
            True,
            None,
            (),
        )


@pytest.mark.parametrize("kind", HashType)
@pytest.mark.parametrize("page_bits", [0, 12, 14, 16])
@pytest.mark.parametrize("version", [0x20100, 0x20200, 0x20300, 0x20400])
def test_every_kind_of_directory(kind: HashType, page_bits: int, version: int) -> None:
    directory = Directory(kind=kind, page_bits=page_bits, version=version, flags=LINKER_SIGNED)
    kinds = [*EVERY_HASH, *(PageHash(one, 1 << 16) for one in ("sha1", "sha256", "sha384"))]
    data = bytearray(code(X, CODE, directories=[directory]))

    def choice(_: SignedImage) -> Collection[PageHash]:
        return kinds

    found = signed(bytes(data), choice).enforced
    assert (found.hash_type, found.verified, found.wrong_pages) == (kind, True, None)
    data[20_000] ^= 1
    page = 20_000 >> page_bits if page_bits else 0
    assert signed(bytes(data), choice).enforced.wrong_pages == WrongPages(1, page)


@pytest.mark.parametrize(
    ("bytes_changed", "expected"),
    [
        pytest.param([0x30], WrongPages(1, 0), id="a-load-command"),  # a reserved word
        pytest.param([9000, 4095 * 4, 4096 * 4], WrongPages(3, 2), id="three"),
        pytest.param([-1], WrongPages(1, 9), id="the-last-byte"),
    ],
)
def test_pages_that_were_changed(bytes_changed: Sequence[int], expected: WrongPages) -> None:
    data = bytearray(resigned())
    limit = signed(bytes(data)).offset
    for at in bytes_changed:
        data[at % limit] ^= 1
    assert signed(bytes(data)).enforced.wrong_pages == expected


def test_a_hash_that_was_changed() -> None:
    data = bytearray(resigned())
    data[-1] ^= 1  # the last hash is the signature's last bytes
    assert signed(bytes(data)).enforced.wrong_pages == WrongPages(1, 9)


def test_each_slice_has_its_own_pages() -> None:
    slices = [code(X, CODE), code(A, CODE[:-5])]
    for wrong in (None, 0, 1):
        thin = [bytearray(one) for one in slices]
        if wrong is not None:
            thin[wrong][5000] ^= 1
        data = universal(*map(bytes, thin), align=5)
        make = functools.partial(parse, "x", len(data), pages=likely_hashes)
        found = parsed(make, data)
        assert found == parsed(make, data, 1000)
        assert isinstance(found, Universal)
        for index, piece in enumerate(found.slices):
            assert isinstance(piece.content, Image)
            assert isinstance(piece.content.signature, Signature)
            directory = piece.content.signature.enforced
            assert directory.verified
            assert directory.wrong_pages == (WrongPages(1, 1) if index == wrong else None)


def test_nothing_is_hashed_unless_somebody_asks() -> None:
    for pages in (None, lambda _: ()):
        found = signed(resigned(), pages).enforced
        assert (found.verified, found.wrong_pages) == (False, None)


def test_other_hashes_than_those_taken_verify_nothing() -> None:
    found = signed(resigned(Directory(page_bits=14)), lambda _: [PageHash("sha256", 4096)])
    assert not found.enforced.verified


@pytest.mark.parametrize(
    ("kinds", "strongest"),
    [
        pytest.param([1, 2], 2, id="sha1-sha256"),
        pytest.param([2, 1], 2, id="sha256-sha1"),
        pytest.param([1, 3], 3, id="truncated-beats-sha1"),
        pytest.param([3, 2], 2, id="sha256-beats-truncated"),
        pytest.param([1, 3, 2, 4], 4, id="all"),
    ],
)
def test_the_strongest_hash_is_enforced(kinds: list[int], strongest: int) -> None:
    found = signed(resigned(*(Directory(kind=kind) for kind in kinds)))
    assert found.enforced.hash_type == strongest
    assert len(found.directories) == len(kinds)


@pytest.mark.parametrize(
    ("flags", "cms", "signer"),
    [
        pytest.param(LINKER_SIGNED | AD_HOC, None, Signer.LINKER, id="linker"),
        pytest.param(AD_HOC, blob(0xFADE0B01), Signer.AD_HOC, id="ad-hoc"),
        pytest.param(0, DEVELOPER_ID, Signer.DEVELOPER_ID, id="developer-id"),
        pytest.param(0, blob(0xFADE0B01, b"other"), Signer.CERTIFICATE, id="certificate"),
        pytest.param(0, blob(0xFADE0B01), Signer.UNKNOWN, id="empty"),
        pytest.param(0, None, Signer.UNKNOWN, id="none"),
    ],
)
def test_who_signed(flags: int, cms: bytes | None, signer: Signer) -> None:
    blobs = {} if cms is None else {0x10000: cms}
    assert signed(resigned(Directory(flags=flags), blobs=blobs)).signer is signer


@pytest.mark.parametrize(
    ("special", "blobs", "wrong"),
    [
        pytest.param({}, {2: REQUIREMENTS, 5: ENTITLEMENTS}, (), id="right"),
        pytest.param({2: b"x" * 32}, {2: REQUIREMENTS}, (2,), id="requirements"),
        pytest.param({5: b"x" * 32}, {5: ENTITLEMENTS}, (5,), id="entitlements"),
        pytest.param({5: b"x" * 32, 7: b"y" * 32}, {}, (5, 7), id="entitlements-missing"),
        pytest.param({2: b"x" * 32}, {}, (), id="requirements-missing"),
        pytest.param({1: b"x" * 32, 3: b"y" * 32}, {}, (), id="seals-are-elsewhere"),
        pytest.param({5: bytes(32)}, {5: ENTITLEMENTS}, (5,), id="not-hashed"),
        pytest.param({8: b"x" * 32}, {8: blob(0xFADE8181)}, (8,), id="launch-constraint"),
    ],
)
def test_special_slots(
    special: Mapping[int, bytes], blobs: Mapping[int, bytes], wrong: tuple[int, ...]
) -> None:
    found = signed(resigned(Directory(special=special), blobs=blobs)).enforced
    assert found.wrong_slots == wrong


def test_a_directory_alone_is_a_signature_too() -> None:
    size = len(Directory().written(unsigned_part(8)))
    found = signed(with_blob(Directory().written(unsigned_part(size))))
    assert (found.enforced.verified, found.enforced.wrong_pages) == (True, None)


@pytest.mark.parametrize("limit", [39_000, 50_000, 1 << 33])
def test_a_code_limit_that_is_another(limit: int) -> None:
    """Its hashes are of other code, so they say nothing."""
    pages = -(-limit // 4096)
    if limit < 1 << 32:
        whole = bytes(limit)
        data = with_blob(superblob([(0, Directory().written(whole))]))
        found = signed(data).enforced
        assert (found.code_limit, found.pages, found.verified) == (limit, pages, False)
    else:
        found = signed(resigned(Directory(limit=limit, page_bits=0))).enforced
        assert (found.code_limit, found.verified) == (limit, False)


# ---- malformed ----

START = len(unsigned_part(8))
BLOB = START + 20  # of the only directory
EMPTY_DIRECTORY = Directory().written(b"")


def changed(at: int, layout: str, value: int) -> bytes:
    """A signed image with another value in its directory."""
    data = bytearray(resigned())
    struct.pack_into(layout, data, BLOB + at, value)
    return bytes(data)


MALFORMED = {
    "empty": (with_blob(b""), START, "has a header of 12 bytes, not 0"),
    "eleven bytes": (with_blob(bytes(11)), START, "has a header of 12 bytes, not 11"),
    "zeros": (with_blob(bytes(64)), START, "begins with 0x00000000, it must be 0xfade0cc0"),
    "longer than its place": (
        with_blob(struct.pack(">3I", 0xFADE0CC0, 13, 0)),
        START + 4,
        "says 13 bytes, LC_CODE_SIGNATURE 12",
    ),
    "shorter than its header": (
        with_blob(struct.pack(">3I", 0xFADE0CC0, 11, 0)),
        START + 4,
        "says 11 bytes",
    ),
    "no blobs": (with_blob(superblob([])), START, "no CodeDirectory"),
    "more blobs than bytes": (
        with_blob(struct.pack(">3I", 0xFADE0CC0, 12, 1)),
        START + 8,
        "lists 1 blob",
    ),
    "65 blobs": (
        with_blob(superblob((slot, blob(1)) for slot in range(0x2000, 0x2041))),
        START + 8,
        "lists 65 blobs",
    ),
    "a blob in the list": (
        with_blob(struct.pack(">5I", 0xFADE0CC0, 28, 1, 2, 12) + REQUIREMENTS[:8]),
        START + 12,
        "the blob of slot 0x2 has .* at 12 of 28",
    ),
    "a blob behind the end": (
        with_blob(struct.pack(">5I", 0xFADE0CC0, 28, 1, 2, 0xFFFFFFFF) + bytes(8)),
        START + 12,
        "slot 0x2 has 0 bytes at 4294967295 of 28",
    ),
    "a blob that is too long": (
        with_blob(struct.pack(">7I", 0xFADE0CC0, 28, 1, 2, 20, 0xFADE0C01, 9)),
        START + 12,
        "slot 0x2 has 9 bytes at 20 of 28",
    ),
    "a blob that is too short": (
        with_blob(struct.pack(">7I", 0xFADE0CC0, 28, 1, 2, 20, 0xFADE0C01, 7)),
        START + 12,
        "slot 0x2 has 7 bytes",
    ),
    "a slot twice": (
        with_blob(superblob([(2, REQUIREMENTS), (2, REQUIREMENTS)])),
        START + 20,
        "lists slot 0x2 twice",
    ),
    "blobs in each other": (
        with_blob(struct.pack(">9I", 0xFADE0CC0, 36, 2, 2, 28, 0x77, 28, 0xFADE0C01, 8)),
        START + 28,
        "slot 0x77 overlaps that of slot 0x2",
    ),
    "requirements of another kind": (
        with_blob(superblob([(0, EMPTY_DIRECTORY), (2, ENTITLEMENTS)])),
        START + 28 + len(EMPTY_DIRECTORY),
        "slot 0x2 begins with 0xfade7171, it must be 0xfade0c01",
    ),
    "entitlements of another kind": (
        with_blob(superblob([(5, REQUIREMENTS)])),
        START + 20,
        "slot 0x5 begins with 0xfade0c01, it must be 0xfade7171",
    ),
    "der of another kind": (
        with_blob(superblob([(7, REQUIREMENTS)])),
        START + 20,
        "it must be 0xfade7172",
    ),
    "cms of another kind": (
        with_blob(superblob([(0x10000, REQUIREMENTS)])),
        START + 20,
        "it must be 0xfade0b01",
    ),
    "a directory of another kind": (
        with_blob(superblob([(0x1004, REQUIREMENTS)])),
        START + 20,
        "slot 0x1004 begins with .*, it must be 0xfade0c02",
    ),
    "a short directory": (
        with_blob(superblob([(0, blob(0xFADE0C02, bytes(35)))])),
        START + 24,
        "slot 0x0: it has 43 bytes, at least 44 are needed",
    ),
    "two of a kind": (
        resigned(Directory(), Directory(page_bits=14)),
        len(unsigned_part(8)),
        "two directories with SHA-256",
    ),
    "hash type 0": (changed(37, "B", 0), BLOB + 37, "hash type 0 is none of 1 to 4"),
    "hash type 5": (changed(37, "B", 5), BLOB + 37, "hash type 5 is none"),
    "hash size": (changed(36, "B", 20), BLOB + 36, "SHA-256 has 32 bytes and not 20"),
    "page size": (changed(39, "B", 3), BLOB + 39, r"pages of 2\^3 bytes"),
    "large page size": (changed(39, "B", 200), BLOB + 39, r"pages of 2\^200 bytes"),
    "too few hashes": (changed(28, ">I", 9), BLOB + 28, "hashes of 9 pages, its 4.* are 10"),
    "too many hashes": (changed(28, ">I", 0xFFFFFFFF), BLOB + 28, "hashes of 4294967295 pages"),
    "limit": (changed(32, ">I", 0), BLOB + 28, "hashes of 10 pages, its 0 bytes of code are 0"),
    "hashes behind the end": (changed(16, ">I", 94), BLOB + 16, "around byte 94 leave its"),
    "hashes far away": (changed(16, ">I", 0xFFFFFFFF), BLOB + 16, "around byte 4294967295"),
    "special slots": (changed(24, ">I", 3), BLOB + 16, "3 \\+ 10 hashes around byte 93"),
    "many special slots": (changed(24, ">I", 0xFFFFFFFF), BLOB + 16, "4294967295 \\+ 10"),
    "identifier": (changed(20, ">I", 0xFFFFFFF0), BLOB + 20, "identifier at 4294967280"),
    "a long identifier": (
        resigned(Directory(identifier=b"a" * 4096)),
        BLOB + 20,
        "identifier at 88 does not end within it and 4096 bytes",
    ),
    "team": (changed(48, ">I", 0x7FFFFFFF), BLOB + 48, "team identifier at 2147483647"),
    "scatter": (changed(44, ">I", 1), BLOB + 44, "its code is scattered"),
    "version": (
        with_blob(superblob([(0, blob(0xFADE0C02, struct.pack(">7I4BI", 0x20300, *[0] * 6, 32, 2, 0, 12, 0)))])),
        BLOB + 8,
        "it is too short for version 0x20300: 44 bytes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed(case: str) -> None:
    data, offset, problem = MALFORMED[case]
    found = image_of(data)
    assert isinstance(found.signature, MalformedSignature)
    assert found.signed
    assert found.signature.offset == offset
    assert re.search(problem, found.signature.problem), found.signature.problem


def test_the_byte_is_that_of_the_file() -> None:
    data = universal(with_blob(bytes(64), macho.X86_64), with_blob(bytes(64)), align=12)
    found = parsed(functools.partial(parse, "x", len(data)), data)
    assert isinstance(found, Universal)
    for piece in found.slices:
        assert isinstance(piece.content, Image)
        assert isinstance(piece.content.signature, MalformedSignature)
        assert piece.content.signature.offset == piece.offset + START


def test_a_signature_of_unbounded_size_is_not_read() -> None:
    size = codesign.LARGEST_SIGNATURE + 1
    image = SignedImage(arch=A, base=0, limit=0, size=size, minos=None)

    def rest() -> Any:
        return None
        yield

    parser = codesign.with_signature("x", image, b"", None, rest())
    wanted: Any = next(parser)
    assert wanted.size == 12
    with pytest.raises(StopIteration) as stop:
        parser.send(struct.pack(">3I", 0xFADE0CC0, size, 1))
    _, found = stop.value.value
    assert found.problem == f"a signature of {size} bytes, more than 16777216; no real one is"


def test_a_signature_before_other_tables() -> None:
    sign = signature(bytes(8))
    start = 32 + 72 + 24 + 16
    strings = start + len(sign)
    text = b"\0_a\0"
    commands = [
        macho.segment(b"__LINKEDIT", start, len(sign) + 16 + len(text)),
        macho.command(2, struct.pack("<4I", strings, 1, strings + 16, len(text))),
        macho.command(0x1D, struct.pack("<2I", start, len(sign))),
    ]
    found = image_of(macho.image(macho.ARM64, commands, sign + macho.nlist(1) + text, filetype=8))
    assert found.signature == MalformedSignature(
        offset=start,
        problem=f"the signature lies before other parts, which were read up to byte "
        f"{strings + 16 + len(text)}; it must be the last part of its image",
    )


def test_a_signature_among_the_load_commands() -> None:
    commands = [macho.command(0x1D, struct.pack("<2I", 8, 16))]
    found = image_of(macho.image(macho.ARM64, commands, filetype=8))
    assert isinstance(found.signature, MalformedSignature)
    assert "lies before other parts" in found.signature.problem


@pytest.mark.parametrize("filetype", [FileType.OBJECT, FileType.DSYM])
def test_objects_and_debug_files_need_none(filetype: FileType) -> None:
    commands = [macho.command(0x1D, struct.pack("<2I", 48, 16))]
    found = image_of(macho.image(macho.ARM64, commands, bytes(16), filetype=filetype))
    assert (found.signed, found.signature) == (True, None)


# ---- hostile ----


def real_image() -> bytes:
    """markupsafe's arm64 module, signed by Apple's linker."""
    files = contents(SMALL_PAIR[1])
    return next(data for name, data in files.items() if name.endswith(".so"))


REAL = real_image()
REAL_SIGNATURE = signed(REAL)


@settings(max_examples=300, deadline=None)
@given(
    seed=st.sampled_from([REAL, resigned(Directory(kind=1), Directory(), blobs={2: REQUIREMENTS})]),
    changes=st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from([1, 2, 4]), st.integers(0, 2**32 - 1)),
        min_size=1,
        max_size=6,
    ),
    cut=st.integers(0, 200),
)
def test_hostile_signatures(seed: bytes, changes: list[tuple[int, int, int]], cut: int) -> None:
    """A result or a sentence: the same, however the bytes come, and never about a byte outside the file."""
    image = parsed(functools.partial(parse_image, "x", len(seed)), seed)
    assert isinstance(image.signature, Signature)
    data = bytearray(seed)
    for at, width, value in changes:
        where = image.signature.offset + at
        data[where : where + width] = value.to_bytes(4, "big")[-width:]
    data = data[: len(seed)]
    found = image_of(bytes(data)).signature
    if isinstance(found, MalformedSignature):
        assert image.signature.offset <= found.offset <= len(data)
        assert found.problem
    else:
        assert found is not None
        assert sum(found.blobs.values()) <= found.size
    make = functools.partial(parse_image, "x", len(data), pages=every)
    shortened = macho.outcome(make, bytes(data[: len(data) - cut]))
    assert isinstance(shortened, Image | str)


# ---- against others ----


@pytest.mark.parametrize("seed", range(20))
def test_the_judge_of_pages_agrees(seed: int) -> None:
    """tests/support/oracles.py, which shares no code with fatwheel."""
    data = bytearray(REAL)
    assert REAL_SIGNATURE.enforced.verified
    chance = random.Random(seed)
    for _ in range(seed % 4):
        data[chance.randrange(4096, REAL_SIGNATURE.offset)] ^= 1 << chance.randrange(8)
    wrong = [int(text.split()[2]) for text in oracles.judge_pages(bytes(data))]
    expected = WrongPages(len(wrong), wrong[0]) if wrong else None
    assert signed(bytes(data)).enforced.wrong_pages == expected


@pytest.fixture(scope="module", params=["lld", "zig"])
def linked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A library of several pages for arm64, linked here."""
    folder = tmp_path_factory.mktemp("linked")
    source, made = folder / "a.c", folder / "a.dylib"
    source.write_text("const char table[50000] = {1};\nint f(int i) { return table[i]; }\n")
    target = ("-target", "aarch64-macos.11.0")
    if request.param == "zig":
        run(find_zig(), "cc", *target, "-shared", "-o", made, source)
    else:
        run(find_zig(), "cc", *target, "-c", "-o", folder / "a.o", source)
        words = ("-arch", "arm64", "-platform_version", "macos", "11.0", "11.0", "-dylib")
        run(*find_lld(), *words, "-undefined", "dynamic_lookup", "-o", made, folder / "a.o")
    return made.read_bytes()


def run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True, capture_output=True)


def test_what_linkers_sign(linked: bytes) -> None:
    found = signed(linked, likely_hashes)
    assert found.signer is Signer.LINKER
    assert found.enforced.hash_type is HashType.SHA256
    assert found.enforced.pages > 10
    assert (found.enforced.verified, found.enforced.wrong_pages) == (True, None)
    assert list(oracles.judge_pages(linked)) == []
    data = bytearray(linked)
    data[found.offset // 2] ^= 1
    expected = WrongPages(1, found.offset // 2 // found.enforced.page_size)
    assert signed(bytes(data), likely_hashes).enforced.wrong_pages == expected


def _largest(pair: str, index: int, suffix: str) -> Callable[[], bytes]:
    def read() -> bytes:
        files = contents(require_pair(pair).wheels[index].path)
        return max((d for n, d in files.items() if n.endswith(suffix)), key=len)

    return read


@pytest.mark.parametrize(
    ("read", "signer", "hashes"),
    [
        pytest.param(
            _largest("pillow", 0, ".dylib"),
            Signer.AD_HOC,
            [PageHash("sha256", 4096)],
            id="delocate",
        ),
        pytest.param(
            _largest("uv", 1, "/uv"),
            Signer.DEVELOPER_ID,
            [PageHash("sha256", 16384)],
            id="developer-id",
        ),
        pytest.param(
            _largest("scipy", 0, "libgfortran.5.dylib"),
            Signer.AD_HOC,
            [PageHash("sha256", 4096), PageHash("sha1", 4096)],
            id="two-directories",
        ),
    ],
)
def test_published_code(read: Callable[[], bytes], signer: Signer, hashes: list[PageHash]) -> None:
    data = read()
    found = signed(data, likely_hashes)
    assert found.signer is signer
    assert [one.page_hash for one in found.directories] == hashes
    assert all(one.verified and one.wrong_pages is None for one in found.directories)
    assert [one.wrong_slots for one in found.directories] == [()] * len(hashes)
    assert list(oracles.judge_pages(data)) == []
