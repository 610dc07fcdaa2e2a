"""Wheels that are small and costly to judge: every table and text that a wheel may have, blown up.

Each is a pair of at most 1 MB, which `fatwheel check` and `fatwheel fuse` must judge (take or refuse) within
`CPU_SECONDS` and `MEMORY` bytes. `judge` runs one of them so, in a process of its own.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from fatwheel.arch import Arch
from tests.support.macho import archive as ar
from tests.support.macho import command, image, nlist, program, segment
from tests.support.macho import member as ar_member
from tests.support.wheels import (
    CPUS,
    DIST_INFO,
    METADATA,
    NO_FILES,
    A,
    Side,
    X,
    code,
    make_pair,
    raw_member,
    record_of,
    universal,
)

__all__ = ["COSTLY", "CPU_SECONDS", "LARGEST", "MEMORY", "Judged", "judge"]

CPU_SECONDS = 10
MEMORY = 300 << 20
LARGEST = 1_000_000
"""Bytes of one wheel."""

Pair = tuple[Path, Path]
COSTLY: dict[str, Callable[[Path], Pair]] = {}
"""What writes each pair (x86_64's first) into a folder."""
RULES: dict[str, list[str]] = {"rules": ["*_*_*_*_*x=drop", "**_**_**_**_**x=drop"]}
"""Rules of the user's, by pair."""


def _costly(make: Callable[[Path], Pair]) -> Callable[[Path], Pair]:
    COSTLY[make.__name__] = make
    return make


def _pair(
    folder: Path,
    both: Side = NO_FILES,
    x86_64: Side = NO_FILES,
    arm64: Side = NO_FILES,
    **options: Any,
) -> Pair:
    return make_pair(folder, both, x86_64, arm64, **options)


def _own(**texts: bytes) -> dict[str, bytes]:
    return {f"{DIST_INFO}/{name.replace('_txt', '.txt')}": text for name, text in texts.items()}


# ---- RECORD ----


def _record_with(more: Side) -> Callable[[Side], str]:
    """Make a RECORD that lists `more` files."""
    return lambda files: record_of({**files, **more})


def _with_record(folder: Path, text: str, files: Side = NO_FILES) -> Pair:
    return _pair(folder, files, record=lambda all_: text + record_of(all_))


@_costly
def record_rows(folder: Path) -> Pair:
    return _with_record(folder, "a,,\n" * 4_000_000)


@_costly
def record_rows_of_names(folder: Path) -> Pair:
    files = {f"p/{n}": b"" for n in range(4_000)}
    return _with_record(folder, "".join(f"{n},,\n" for n in range(8_000)), files)


@_costly
def record_empty_lines(folder: Path) -> Pair:
    return _with_record(folder, "\r" * 8_000_000)


@_costly
def record_bad_rows(folder: Path) -> Pair:
    return _with_record(folder, ("\x7f" * 8_000 + ",,\n") * 1_000)


@_costly
def record_wide_characters(folder: Path) -> Pair:
    return _with_record(folder, '"\U0001f600",,\n' + ("a" * 100_000 + ",,\n") * 80)


@_costly
def record_quotes(folder: Path) -> Pair:
    return _with_record(folder, ('"' + '""' * 60_000 + '",,\n') * 60)


# ---- METADATA and WHEEL ----


def _with_metadata(folder: Path, x86_64: bytes, arm64: bytes | None = None) -> Pair:
    texts = (x86_64, x86_64 + b"Summary: x\n" if arm64 is None else arm64)
    options = [{"metadata": METADATA + text} for text in texts]
    return _pair(folder, x86_64_options=options[0], arm64_options=options[1])


@_costly
def metadata_of_16_mib(folder: Path) -> Pair:
    return _with_metadata(folder, b"a:\n" * ((16 << 20) // 3))


@_costly
def metadata_headers(folder: Path) -> Pair:
    return _with_metadata(folder, b"a:\n" * 1_390_000)


@_costly
def metadata_folded(folder: Path) -> Pair:
    return _with_metadata(folder, b"a: b\n" + b" \n" * 2_090_000)


@_costly
def metadata_requirements(folder: Path) -> Pair:
    x86_64, arm64 = (
        b"".join(
            b'Requires-Dist: p%d[x]>=1.0,<2.%d; python_version > "3.8" and extra == "%d"\n'
            % (n, minor, n)
            for n in range(24_900)
        )
        for minor in (1, 2)
    )
    return _with_metadata(folder, x86_64, arm64)


@_costly
def metadata_parentheses(folder: Path) -> Pair:
    deep = b"Requires-Dist: p; " + b"(" * 4_000 + b'extra == "x"' + b")" * 4_000 + b"\n"
    return _with_metadata(folder, deep * 400)


@_costly
def metadata_long_requirement(folder: Path) -> Pair:
    long = b"Requires-Dist: p" + b",".join(b">=%d" % n for n in range(400_000)) + b"\n"
    return _with_metadata(folder, long)


@_costly
def metadata_digits(folder: Path) -> Pair:
    digits = b"9" * 5_000
    return _with_metadata(
        folder, b"Requires-Dist: p==" + digits + b"\nRequires-Python: >" + digits + b"\n"
    )


@_costly
def metadata_description(folder: Path) -> Pair:
    return _with_metadata(folder, b"\n" + b"ab\n" * 1_390_000, b"\n" + b"ba\n" * 1_390_000)


@_costly
def wheel_tags(folder: Path) -> Pair:
    line = "Tag: " + "-".join(".".join(f"{kind}{n}" for n in range(21)) for kind in "abc") + "\n"
    return _pair(folder, wheel_text="Wheel-Version: 1.0\n" + line * 600)


@_costly
def file_name_tags(folder: Path) -> Pair:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    return _pair(
        folder,
        python=".".join(letters[:26]),
        abi=".".join(letters),
        x86_64_options={"platform": "macosx_10_13_x86_64.macosx_10_14_x86_64"},
        wheel_text="Wheel-Version: 1.0\n",
    )


# ---- entry points, top level, JSON ----


@_costly
def entry_points(folder: Path) -> Pair:
    names = b"[x]\n" + b"".join(b"a%d=b\n" % n for n in range(19_900))
    return _pair(folder, {}, _own(entry_points_txt=names), _own(entry_points_txt=names + b"x=y\n"))


@_costly
def entry_points_blanks(folder: Path) -> Pair:
    text = b"[x]\na" + b" " * 500_000 + b"b\n" + b"c\t \x0b" * 100_000 + b"\n"
    return _pair(folder, {}, _own(entry_points_txt=text), _own(entry_points_txt=text + b"x=y\n"))


@_costly
def top_level(folder: Path) -> Pair:
    names = b"".join(b"%x\n" % n for n in range(180_000))
    return _pair(folder, {}, _own(top_level_txt=names), _own(top_level_txt=names + b"x\n"))


def _with_sboms(folder: Path, x86_64: bytes, arm64: bytes) -> Pair:
    name = f"{DIST_INFO}/sboms/a.cyclonedx.json"
    return _pair(folder, {}, {name: x86_64}, {name: arm64})


def _sbom(components: Sequence[object], **more: object) -> bytes:
    document = {"bomFormat": "CycloneDX", "specVersion": "1.5", "components": components, **more}
    return json.dumps(document, separators=(",", ":")).encode()


@_costly
def sbom_objects(folder: Path) -> Pair:
    body = b'{"a":0},' * 2_000_000
    return _with_sboms(folder, b"[" + body + b"0]", b"[" + body + b"1]")


@_costly
def sbom_components(folder: Path) -> Pair:
    x86_64, arm64 = (
        _sbom([{"bom-ref": f"{n}{arch}", "name": str(n)} for n in range(120_000)]) for arch in "xa"
    )
    return _with_sboms(folder, x86_64, arm64)


@_costly
def sbom_values(folder: Path) -> Pair:
    x86_64, arm64 = (_sbom([{"bom-ref": "a", "p": [*range(100_000, 500_000)]}], s=s) for s in "xa")
    return _with_sboms(folder, x86_64, arm64)


@_costly
def sbom_depth(folder: Path) -> Pair:
    nested: object = "x"
    for n in range(300):
        nested = [nested, {"bom-ref": str(n)}]
    components = [{"bom-ref": f"c{n}", "nested": nested} for n in range(300)]
    return _with_sboms(folder, _sbom(components), _sbom(components, serialNumber="x"))


@_costly
def sbom_long_strings(folder: Path) -> Pair:
    x86_64, arm64 = (
        _sbom([{"bom-ref": "a", "d": "é" * 7_900_000}], serialNumber=s).replace(
            b"\\u00e9", "é".encode()
        )
        for s in "xa"
    )
    return _with_sboms(folder, x86_64, arm64)


@_costly
def report_of_decisions(folder: Path) -> Pair:
    text = b'{"decisions":[' + b"{}," * 5_000_000 + b"{}]}"
    return _pair(folder, {f"{DIST_INFO}/fatwheel.json": text})


# ---- names and members ----


def _numbered(pattern: str, count: int, content: bytes = b"") -> dict[str, bytes]:
    return {pattern.format(n): content for n in range(count)}


@_costly
def names_deep(folder: Path) -> Pair:
    return _pair(folder, {f"{n}{'/a' * 480}": b"" for n in range(380)})


@_costly
def names_accents(folder: Path) -> Pair:
    marks = "".join(chr(0x300 + n % 64) for n in range(120))
    return _pair(folder, {"/".join([f"{n}{marks}"] * 3): b"" for n in range(480)})


@_costly
def members_tiny(folder: Path) -> Pair:
    return _pair(folder, _numbered("{:x}", 5_200))


@_costly
def members_that_differ(folder: Path) -> Pair:
    return _pair(folder, {}, _numbered("{:x}", 5_000, b"1"), _numbered("{:x}", 5_000, b"2"))


@_costly
def members_of_one_side(folder: Path) -> Pair:
    return _pair(folder, {}, _numbered("x{:x}.py", 4_500), _numbered("a{:x}.py", 4_500))


@_costly
def members_that_collide(folder: Path) -> Pair:
    x86_64 = _numbered("pkg-1.0.data/purelib/a/{:x}", 3_300)
    return _pair(folder, {}, x86_64, _numbered("A/{:x}/a", 3_300))


@_costly
def members_for_many_pythons(folder: Path) -> Pair:
    where = "pkg-1.0.data/data/lib/python3.{}/site-packages/{:x}"
    files = {where.format(n % 23 + 7, n): b"" for n in range(1_000)}
    return _pair(folder, {**files, **_numbered("{:x}x", 2_800)})


@_costly
def extra_fields(folder: Path) -> Pair:
    names = [f"pkg/{n}" for n in range(7)]
    paths = _pair(folder, record=_record_with(dict.fromkeys(names, b"")))
    for path in paths:
        with zipfile.ZipFile(path, "a") as wheel:
            for name in names:
                info = zipfile.ZipInfo(name)
                info.extra = struct.pack("<2H", 0xABCD, 0) * 16_000
                wheel.writestr(info, b"")
    return paths


@_costly
def rules(folder: Path) -> Pair:
    return _pair(folder, {"/".join([f"{n:04}{'_' * 230}"] * 4): b"" for n in range(400)})


# ---- content ----


@_costly
def zeros(folder: Path) -> Pair:
    return _pair(folder, {}, {"pkg/z": bytes(62_000_000)}, {"pkg/z": bytes(62_000_001)})


@_costly
def zeros_without_end(folder: Path) -> Pair:
    return _pair(folder, {"pkg/z": bytes(300_000_000)})


def _stored(content: bytes) -> bytes:
    return b"\0" + struct.pack("<2H", len(content), len(content) ^ 0xFFFF) + content


def _fixed_blocks(count: int, *, final: bool = True) -> bytes:
    """Empty blocks of fixed codes (RFC 1951, 3.2.6), ten bits each; whole bytes where `count` is divisible by 4."""
    bits = ("0" + "10" + "0" * 7) * (count - 1) + f"{int(final)}" + "10" + "0" * 7
    return int(bits[::-1], 2).to_bytes(-(-len(bits) // 8), "little")


def _with_streams(folder: Path, x86_64: tuple[bytes, bytes], arm64: tuple[bytes, bytes]) -> Pair:
    """Two wheels with a member of given deflate streams; each is content and stream."""
    paths = _pair(
        folder,
        x86_64_options={"record": _record_with({"pkg/z.so": x86_64[0]})},
        arm64_options={"record": _record_with({"pkg/z.so": arm64[0]})},
    )
    for path, (content, raw) in zip(paths, (x86_64, arm64), strict=True):
        raw_member(path, "pkg/z.so", raw, content)
    return paths


@_costly
def deflate_blocks(folder: Path) -> Pair:
    x86_64, arm64 = (
        (content, _stored(content) + _fixed_blocks(750_000)) for content in map(code, (X, A))
    )
    return _with_streams(folder, x86_64, arm64)


@_costly
def slices_of_many_blocks(folder: Path) -> Pair:
    """Slices to be cut out of a stream of half a million empty blocks."""
    other = [image((0x01000000 + n, 3), filetype=6) for n in range(100, 140)]
    content = universal(code(X), *other, code(A), align=3)
    half = _stored(content[: len(content) // 2]) + _fixed_blocks(350_000, final=False)
    raw = half + _stored(content[len(content) // 2 :]) + _fixed_blocks(350_000)
    return _with_streams(folder, (content, raw), (code(A), _stored(code(A)) + _fixed_blocks(1)))


@_costly
def slices_of_one_block(folder: Path) -> Pair:
    """Slices to be cut out of one long block of literals."""
    noise = Random(1).randbytes(21_000)
    text = [segment(b"__TEXT", 32 + 72, len(noise))]
    others = [image((0x01000000 + n, 3), text, noise, filetype=6) for n in range(100, 138)]
    content = universal(*others, code(X, noise), align=3)
    codes = [f"{n + 48:08b}" if n < 144 else f"{n + 256:09b}" for n in range(256)]
    bits = "110" + "".join(codes[byte] for byte in content) + "0" * 7
    raw = int(bits[::-1], 2).to_bytes(-(-len(bits) // 8), "little")
    return _with_streams(folder, (content, raw), (code(A), _stored(code(A)) + _fixed_blocks(1)))


def _texts(pattern: str, count: int, x86_64: bytes, arm64: bytes) -> tuple[Side, Side]:
    return _numbered(pattern, count, x86_64), _numbered(pattern, count, arm64)


@_costly
def python_lines(folder: Path) -> Pair:
    text = b"a\n" * 500_000
    return _pair(folder, {}, *_texts("pkg/{}.py", 20, text + b"#x\n", text))


def _with_noise(folder: Path, x86_64: Side, arm64: Side) -> Pair:
    """Two wheels as large as they may be, so that as much text as possible is looked at."""
    return _pair(folder, {"pkg/noise": Random(1).randbytes(900_000)}, x86_64, arm64)


@_costly
def python_statements(folder: Path) -> Pair:
    text = b"a\n" * 300_000
    return _with_noise(folder, *_texts("pkg/{}.py", 1, text + b"#x\n", text))


@_costly
def python_items(folder: Path) -> Pair:
    text = b"[\n" + b"0,\n" * 205_000 + b"]\n"
    return _with_noise(folder, *_texts("pkg/{}.py", 1, text + b"#x\n", text))


@_costly
def python_signs(folder: Path) -> Pair:
    text = b"(\n" + b"-\n" * 300_000 + b"1)\n"
    return _with_noise(folder, *_texts("pkg/{}.py", 1, text + b"#x\n", text))


@_costly
def python_of_many(folder: Path) -> Pair:
    text = b"a\n" * 60
    return _pair(folder, {}, *_texts("pkg/{}.py", 3_900, text + b"#x\n", text))


@_costly
def python_long_lines(folder: Path) -> Pair:
    text = b"(" + b"a, " * 300_000 + b")\n"
    return _pair(folder, {}, *_texts("pkg/{}.py", 20, text + b"#x\n", text))


@_costly
def python_indents(folder: Path) -> Pair:
    text = b"".join(b" " * n + b"if a:\n" for n in range(95)) + b" " * 96 + b"a\n"
    return _pair(folder, {}, *_texts("pkg/{}.py", 3_000, text + b"#x\n", text))


@_costly
def headers(folder: Path) -> Pair:
    text = b"# a 'b' /* c */ d\n" * 55_000
    return _with_noise(folder, *_texts("pkg/{}.h", 4, text + b"int x;\n", text))


@_costly
def headers_of_words(folder: Path) -> Pair:
    text = b"a " * 500_000
    return _with_noise(folder, *_texts("pkg/{}.h", 4, text + b"int x;\n", text))


@_costly
def texts_that_differ(folder: Path) -> Pair:
    x86_64 = b"".join(b"%d\n" % (n * 7919 % 13) for n in range(499))
    arm64 = b"".join(b"%d\n" % (n * 104_729 % 13) for n in range(499))
    return _pair(folder, {}, *_texts("pkg/{}.txt", 3_400, x86_64, arm64))


@_costly
def texts_of_one_line(folder: Path) -> Pair:
    x86_64, arm64 = (b"a\n" * 250 + end + b"a\n" * 248 + end for end in (b"b\n", b"c\n"))
    return _pair(folder, {}, *_texts("pkg/{}.txt", 3_400, x86_64, arm64))


@_costly
def texts_of_long_lines(folder: Path) -> Pair:
    return _pair(folder, {}, *_texts("pkg/{}.txt", 45, b"a" * 999_999, b"b" * 999_999))


# ---- Mach-O ----


def _rpath_loads(loads: int, rpaths: int, text: str = "") -> dict[Arch, bytes]:
    return {
        arch: code(
            arch,
            loads=[f"@rpath/{text}lib{n}.dylib" for n in range(loads)],
            rpaths=[f"@loader_path/{text}{n}" for n in range(rpaths)],
        )
        for arch in Arch
    }


def _sides(name: str, content: Mapping[Arch, bytes], count: int) -> tuple[Side, Side]:
    return tuple({f"pkg/{n}{name}": content[arch] for n in range(count)} for arch in (X, A))  # type: ignore[return-value]


@_costly
def loads_by_rpaths(folder: Path) -> Pair:
    return _pair(folder, {}, *_sides(".so", _rpath_loads(3_000, 3_000), 1))


@_costly
def loads_by_rpaths_in_many(folder: Path) -> Pair:
    return _pair(folder, {}, *_sides(".so", _rpath_loads(300, 300), 130))


@_costly
def loads_that_climb(folder: Path) -> Pair:
    return _pair(folder, {}, *_sides(".so", _rpath_loads(100, 100, "../" * 300), 15))


@_costly
def loads_of_one_name(folder: Path) -> Pair:
    files = {f"p/{n}/lib.dylib": b"" for n in range(3_000)}
    content = {arch: code(arch, loads=[f"{n}/lib.dylib" for n in range(5_000)]) for arch in Arch}
    x86_64, arm64 = _sides(".so", content, 8)
    return _pair(folder, files, x86_64, arm64)


@_costly
def loads_that_lead_nowhere(folder: Path) -> Pair:
    content = {
        arch: code(arch, loads=[f"@loader_path/{n}" for n in range(20_000)]) for arch in Arch
    }
    return _pair(folder, {}, *_sides(".so", content, 4))


@_costly
def loads_with_long_names(folder: Path) -> Pair:
    content = {
        arch: code(arch, loads=["@loader_path/" + "a/" * 490 + str(n) for n in range(900)])
        for arch in Arch
    }
    return _pair(folder, {}, *_sides(".so", content, 5))


@_costly
def load_commands(folder: Path) -> Pair:
    content = {arch: image(CPUS[arch], [command(0x99, b"")] * 131_000) for arch in Arch}
    return _pair(folder, {}, *_sides(".so", content, 60))


@_costly
def load_commands_of_many(folder: Path) -> Pair:
    content = {arch: image(CPUS[arch], [command(0x99, b"")] * 2_000) for arch in Arch}
    return _pair(folder, {}, *_sides(".so", content, 3_000))


@_costly
def sections(folder: Path) -> Pair:
    many = [segment(b"s", 0, 0, sections=[bytes(80)] * 12_000)]
    content = {arch: image(CPUS[arch], many) for arch in Arch}
    return _pair(folder, {}, *_sides(".so", content, 60))


@_costly
def slices(folder: Path) -> Pair:
    other = [image((0x01000000 + n, 3), filetype=6) for n in range(100, 140)]
    content = {arch: universal(code(arch), *other, align=3) for arch in Arch}
    return _pair(folder, {}, *_sides(".so", content, 150))


@_costly
def slices_without_end(folder: Path) -> Pair:
    other = [image((0x01000000 + n, 3), filetype=6) for n in range(100, 140)]
    content = {arch: universal(code(arch), *other, align=3) for arch in Arch}
    return _pair(folder, {}, *_sides(".so", content, 1_600))


@_costly
def static_library_members(folder: Path) -> Pair:
    content = {
        arch: ar(ar_member("a.o", image(CPUS[arch], filetype=1), bsd=False) * 600_000)
        for arch in Arch
    }
    return _pair(folder, {}, *_sides(".a", content, 1))


@_costly
def static_library_commands(folder: Path) -> Pair:
    thing = {arch: image(CPUS[arch], [command(0x99, b"")] * 4_000, filetype=1) for arch in Arch}
    content = {arch: ar(ar_member("a.o", thing[arch], bsd=False) * 1_800) for arch in Arch}
    return _pair(folder, {}, *_sides(".a", content, 1))


@_costly
def symbols(folder: Path) -> Pair:
    content = {
        arch: program(nlist(1, kind=0x0B, value=1) * 3_900_000, b"\0a\0", cpu=CPUS[arch]).data
        for arch in Arch
    }
    return _pair(folder, {}, *_sides("", content, 1))


@_costly
def slice_of_another(folder: Path) -> Pair:
    """A universal file of zeros, out of which slices are cut."""
    x86_64 = universal(code(X, bytes(30_000_000)), code(A, bytes(30_000_000)))
    return _pair(folder, {}, {"pkg/z.so": x86_64}, {"pkg/z.so": code(A, bytes(1000))})


@_costly
def slice_of_small_blocks(folder: Path) -> Pair:
    content = universal(code(X, b"ab" * 2_000_000), code(A, b"ba" * 2_000_000))
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15, strategy=zlib.Z_FIXED)
    raw = b"".join(
        compressor.compress(content[at : at + 700]) + compressor.flush(zlib.Z_FULL_FLUSH)
        for at in range(0, len(content), 700)
    )
    raw += compressor.flush()
    return _with_streams(folder, (content, raw), (code(A), _stored(code(A)) + _fixed_blocks(1)))


@_costly
def export_tries(folder: Path) -> Pair:
    """Dynamic libraries whose export tries have edges without end that Python might call."""
    edges = b"".join(b"_PyInit_%d\0" % n + b"\xff\x7f" for n in range(250))
    trie = b"\0" + bytes([250]) + edges + bytes(16_384)
    content = {}
    for arch in Arch:
        exports = command(0x80000033, struct.pack("<2I", 32 + 16, len(trie)))
        content[arch] = image(CPUS[arch], [exports], trie, filetype=6)
    return _pair(folder, {}, *_sides(".so", content, 700))


@_costly
def text_stubs(folder: Path) -> Pair:
    targets = b", ".join([b"x86_64-macos"] * 4_000)
    yaml = b"--- !tapi-tbd\ntbd-version: 4\ntargets: [ %s ]\n" % targets
    infos = b'{"target": "arm64-macos"},' * 2_000
    json_ = b'{"main_library": {"target_info": [%s{}]}, "tapi_tbd_version": 5}' % infos
    files = {f"pkg/{n}.tbd": yaml if n % 2 else json_ for n in range(800)}
    return _pair(folder, {}, files, {name: text + b" " for name, text in files.items()})


# ---- judging ----


@dataclass(frozen=True, kw_only=True)
class Judged:
    """How a command ended: its exit code, what it printed, its CPU time (seconds) and its memory (bytes)."""

    exit_code: int
    text: str
    cpu: float
    memory: int


_CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]), int(sys.argv[1]) + 1))
from fatwheel.cli.main import main
try:
    main(sys.argv[3:])
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/status") as status:  # ru_maxrss would count the parent's memory before exec
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    with open(sys.argv[2], "w") as out:
        out.write(f"{used.ru_utime + used.ru_stime} {peak}")
"""


def judge(arguments: Sequence[str], folder: Path, cpu_seconds: int = CPU_SECONDS) -> Judged:
    """Run `fatwheel` with these arguments in a process that is stopped after `cpu_seconds` of CPU time."""
    figures = folder / "figures"
    figures.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(cpu_seconds), str(figures), *arguments],
        capture_output=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        timeout=300,
    )
    cpu, kib = figures.read_text().split() if figures.exists() else (str(cpu_seconds), "0")
    text = (done.stdout + done.stderr).decode(errors="backslashreplace")
    return Judged(exit_code=done.returncode, text=text, cpu=float(cpu), memory=int(kib) << 10)
