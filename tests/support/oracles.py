"""Independent judges of a fused wheel. They share no code with fatwheel.

Each judge looks at one side of a fusion and yields one sentence for each thing that is wrong. What
they know comes from LLVM's lipo, LIEF, packaging, wheel, pip, the usual zip programs, and plain
re-computation.
"""

from __future__ import annotations

import base64
import csv
import functools
import hashlib
import io
import json
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from pathlib import Path

import lief
from packaging.tags import Tag, mac_platforms
from packaging.utils import parse_wheel_filename
from wheel.wheelfile import WheelFile

from tests.support.required import require_tool

CPU_TYPES = {0x01000007: "x86_64", 0x0100000C: "arm64", 0x00000007: "i386"}
THIN_MAGICS = {0xFEEDFACE, 0xFEEDFACF}
FAT, FAT_64 = 0xCAFEBABE, 0xCAFEBABF
LC_CODE_SIGNATURE = 0x1D
EMBEDDED_SIGNATURE, CODE_DIRECTORY = 0xFADE0CC0, 0xFADE0C02
SIGNATURE_HASHES = {1: "sha1", 2: "sha256", 3: "sha256", 4: "sha384"}
MACOS = [(10, minor) for minor in range(4, 17)] + [
    (major, minor) for major in (*range(11, 16), 26) for minor in (0, 3)
]


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """A fused wheel, the two thin ones, and what rules settled.

    `settled` maps a member to the action that some rule chose for it, or "guard" for a C header.
    """

    fused: Path
    x86_64: Path
    arm64: Path
    settled: Mapping[str, str] = field(default_factory=dict)

    def thin(self) -> dict[str, Path]:
        """Return the thin wheels by architecture."""
        return {"x86_64": self.x86_64, "arm64": self.arm64}


Judge = Callable[[Fusion], Iterator[str]]


@functools.lru_cache(maxsize=4)
def members(wheel: Path) -> Mapping[str, bytes]:
    """Return the content of every file in `wheel`, which must not change once it was read."""
    with zipfile.ZipFile(wheel) as archive:
        return {i.filename: archive.read(i) for i in archive.infolist() if not i.is_dir()}


def is_fat(content: bytes) -> bool:
    """Return whether `content` is a universal file; Java's class files share its magic number."""
    if len(content) < 8:
        return False
    magic, count = struct.unpack_from(">II", content)
    return magic in {FAT, FAT_64} and 1 <= count <= 42


def is_archive(content: bytes) -> bool:
    """Return whether `content` is a static library."""
    return content.startswith(b"!<arch>\n")


def is_object(content: bytes) -> bool:
    """Return whether lipo would take `content`: Mach-O, universal, or a static library."""
    thin = len(content) >= 4 and struct.unpack_from("<I", content)[0] in THIN_MAGICS
    return thin or is_fat(content) or is_archive(content)


def slices(content: bytes) -> dict[str, bytes]:
    """Return the slices of a file that lipo takes by architecture; a thin archive's key is ""."""
    if is_archive(content):
        return {"": content}
    if not is_fat(content):
        return {_cpu(struct.unpack_from("<I", content, 4)[0]): content}
    magic, count = struct.unpack_from(">II", content)
    entry = ">IIQQII" if magic == FAT_64 else ">IIIII"
    table = [
        struct.unpack_from(entry, content, 8 + i * struct.calcsize(entry)) for i in range(count)
    ]
    return {_cpu(row[0]): content[row[2] : row[2] + row[3]] for row in table}


def _cpu(cputype: int) -> str:
    return CPU_TYPES.get(cputype, hex(cputype))


def is_generated(name: str) -> bool:
    """Return whether a fusion writes the member `name` itself."""
    folder, _, base = name.rpartition("/")
    return folder.endswith(".dist-info") and base in {"RECORD", "WHEEL", "fatwheel.json"}


def is_merged(name: str) -> bool:
    """Return whether `name` is a text that two wheels may word differently."""
    folder, _, base = name.rpartition("/")
    return folder.endswith(".dist-info/sboms") or (
        folder.endswith(".dist-info") and base in {"METADATA", "entry_points.txt", "top_level.txt"}
    )


def judge_file_set(fusion: Fusion) -> Iterator[str]:
    """All members of both wheels are there, and nothing else but the record of the fusion."""
    sides = [set(members(wheel)) for wheel in fusion.thin().values()]
    expected = {name for name in sides[0] | sides[1] if "__pycache__/" not in name}
    expected = {name for name in expected if not name.endswith(("RECORD.jws", "RECORD.p7s"))}
    expected -= {name for name, action in fusion.settled.items() if action == "drop"}
    actual = {n for n in members(fusion.fused) if not n.endswith(".dist-info/fatwheel.json")}
    yield from (f"{name} is missing" for name in sorted(expected - actual))
    yield from (f"{name} is in neither wheel" for name in sorted(actual - expected))


def judge_contents(fusion: Fusion) -> Iterator[str]:
    """What both wheels agree on, or one alone has, is unchanged; what differs has its reason."""
    x86_64, arm64 = (members(wheel) for wheel in fusion.thin().values())
    for name, content in members(fusion.fused).items():
        sides = [side[name] for side in (x86_64, arm64) if name in side]
        if is_generated(name) or not sides:
            continue
        action = fusion.settled.get(name)
        if len(set(sides)) == 1 and content == sides[0]:
            continue
        if len(set(sides)) == 1:
            yield f"{name} is the same in both wheels, and not what was written"
        elif all(map(is_object, sides)):
            continue  # judge_lipo
        elif action in {"keep-x86_64", "keep-arm64"}:
            if content != (x86_64 if action == "keep-x86_64" else arm64)[name]:
                yield f"{name} was to be kept by {action}"
        elif action == "guard":
            yield from _judge_guard(name, content, x86_64[name], arm64[name])
        elif action is None and not is_merged(name):
            yield f"{name} differs between the wheels, and nothing settled it"


def _judge_guard(name: str, content: bytes, x86_64: bytes, arm64: bytes) -> Iterator[str]:
    head, _, rest = content.partition(b"#if defined(__x86_64__)\n")
    first, _, second = rest.partition(b"#elif defined(__aarch64__)\n")
    if b"#" in head or not first.startswith(x86_64) or not second.startswith(arm64):
        yield f"{name} does not hold both wheels' headers under their architecture"


def judge_lipo(fusion: Fusion) -> Iterator[str]:
    """Fused files are what `llvm-lipo -create` makes; `-thin` gives the inputs' bytes back."""
    fused, x86_64, arm64 = map(members, (fusion.fused, fusion.x86_64, fusion.arm64))
    with tempfile.TemporaryDirectory() as scratch:
        for name in x86_64.keys() & arm64.keys() & fused.keys():
            contents = {"x86_64": x86_64[name], "arm64": arm64[name]}
            if all(map(is_object, contents.values())) and x86_64[name] != arm64[name]:
                problems = _judge_container(Path(scratch), fused[name], contents)
                yield from (f"{name}: {problem}" for problem in problems)


def _judge_container(scratch: Path, fused: bytes, contents: Mapping[str, bytes]) -> Iterator[str]:
    sources = []
    for arch, content in contents.items():
        source = scratch / arch
        source.write_bytes(content)
        if len(slices(content)) > 1:  # its own architecture's slice, with the alignment that it has
            source = scratch / f"{arch}.own"
            _lipo(scratch / arch, "-extract", arch, "-output", source)
        sources.append(source)
    _lipo("-create", *sources, "-output", scratch / "expected")
    if fused != (scratch / "expected").read_bytes():
        yield "is not what llvm-lipo -create makes"
    (scratch / "fused").write_bytes(fused)
    for arch, content in contents.items():
        _lipo(scratch / "fused", "-thin", arch, "-output", scratch / "slice")
        if (scratch / "slice").read_bytes() != slices(content).get(arch, content):
            yield f"llvm-lipo -thin {arch} does not give the {arch} wheel's bytes back"


def _lipo(*argv: str | Path) -> None:
    subprocess.run([require_tool("llvm-lipo-19"), *argv], check=True)


def judge_lief(fusion: Fusion) -> Iterator[str]:
    """LIEF reads every slice and finds in it the same kind of file with the same load commands."""
    for name, content in members(fusion.fused).items():
        if not is_object(content) or any(map(is_archive, slices(content).values())):
            continue
        parsed = list(lief.MachO.parse(content) or ())
        archs = [_cpu(int(binary.header.cpu_type.value)) for binary in parsed]
        if archs != list(slices(content)):
            yield f"{name}: LIEF finds {archs}, and the file has {list(slices(content))}"
        if len(archs) > 1 and len({binary.header.file_type for binary in parsed}) != 1:
            yield f"{name}: its slices are different kinds of file"


def judge_signatures(fusion: Fusion) -> Iterator[str]:
    """The page hashes of every signed slice are right, as its signer made them."""
    for name, content in members(fusion.fused).items():
        if is_object(content):
            for arch, image in slices(content).items():
                yield from (f"{name} ({arch}): {problem}" for problem in judge_pages(image))


def judge_pages(image: bytes) -> Iterator[str]:
    """Yield what is wrong with the page hashes of a thin image."""
    if is_archive(image):
        return
    (ncmds,) = struct.unpack_from("<I", image, 16)
    offset = 32 if struct.unpack_from("<I", image)[0] == 0xFEEDFACF else 28
    for _ in range(ncmds):
        cmd, size = struct.unpack_from("<II", image, offset)
        if cmd == LC_CODE_SIGNATURE:
            start, length = struct.unpack_from("<II", image, offset + 8)
            yield from _judge_signature(image, image[start : start + length])
        offset += size


def _judge_signature(image: bytes, signature: bytes) -> Iterator[str]:
    magic, _, count = struct.unpack_from(">III", signature)
    if magic != EMBEDDED_SIGNATURE:
        yield f"its signature begins with {magic:#x}"
        return
    for index in range(count):
        _, offset = struct.unpack_from(">II", signature, 12 + 8 * index)
        blob = signature[offset:]
        if struct.unpack_from(">I", blob)[0] == CODE_DIRECTORY:
            yield from _judge_code_directory(image, blob)


def _judge_code_directory(image: bytes, blob: bytes) -> Iterator[str]:
    hash_offset, _, _, slots, limit = struct.unpack_from(">5I", blob, 16)
    size, kind, _, page_bits = struct.unpack_from("4B", blob, 36)
    page = 1 << page_bits if page_bits else limit
    if slots != -(-limit // page):
        yield f"its code directory has {slots} slots for {limit} bytes"
    for slot in range(slots):
        code = image[slot * page : min((slot + 1) * page, limit)]
        digest = hashlib.new(SIGNATURE_HASHES[kind], code).digest()[:size]
        if digest != blob[hash_offset + slot * size : hash_offset + (slot + 1) * size]:
            yield f"its page {slot} does not have the signed hash"


def judge_record(fusion: Fusion) -> Iterator[str]:
    """RECORD lists every file but itself with its SHA-256 and size."""
    contents = members(fusion.fused)
    record = _dist_info(contents, "RECORD")
    rows = list(csv.reader(io.StringIO(contents[record].decode())))
    expected = [
        [name, f"sha256={_digest(content)}", str(len(content))]
        for name, content in contents.items()
        if name != record
    ]
    if sorted(rows) != sorted([*expected, [record, "", ""]]):
        wrong = [row for row in rows if row not in expected and row[0] != record]
        yield f"RECORD is wrong: {wrong or 'rows are missing'}"


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _dist_info(names: Mapping[str, bytes], base: str) -> str:
    (found,) = (n for n in names if n.endswith(f".dist-info/{base}") and n.count("/") == 1)
    return found


def judge_tags(fusion: Fusion) -> Iterator[str]:
    """WHEEL says what the file name says, and the rest of it what both thin wheels say."""
    contents = members(fusion.fused)
    wheel = BytesHeaderParser().parsebytes(contents[_dist_info(contents, "WHEEL")])
    name, version, build, tags = parse_wheel_filename(fusion.fused.name)
    lines = wheel.get_all("Tag", [])
    if sorted(lines) != sorted(map(str, tags)):
        yield f"WHEEL has the tags {lines}, the file name has {sorted(map(str, tags))}"
    if not wheel["Generator"].startswith("fatwheel "):
        yield f"WHEEL's generator is {wheel['Generator']}"
    for arch, thin in fusion.thin().items():
        thin_contents = members(thin)
        old = BytesHeaderParser().parsebytes(thin_contents[_dist_info(thin_contents, "WHEEL")])
        if old["Root-Is-Purelib"] != wheel["Root-Is-Purelib"]:
            yield f"Root-Is-Purelib is {wheel['Root-Is-Purelib']}, unlike in the {arch} wheel"
        if parse_wheel_filename(thin.name)[:3] != (name, version, build):
            yield f"the file name is not of the {arch} wheel's project, version and build"


def judge_systems(fusion: Fusion) -> Iterator[str]:
    """Every macOS takes the fused wheel exactly if it takes the thin wheel of its architecture."""
    tags = parse_wheel_filename(fusion.fused.name)[3]
    for arch, thin in fusion.thin().items():
        thin_tags = parse_wheel_filename(thin.name)[3]
        if _languages(tags) != _languages(thin_tags):
            yield f"the python and abi tags differ from the {arch} wheel's"
        for release in MACOS:
            if arch == "arm64" and release < (11, 0):
                continue
            platforms = set(mac_platforms(release, arch))
            now, before = (bool(platforms & {t.platform for t in s}) for s in (tags, thin_tags))
            if now != before:
                verb = "takes" if now else "does not take"
                yield f"macOS {release} on {arch} {verb} the fused wheel, unlike the thin one"


def _languages(tags: frozenset[Tag]) -> set[tuple[str, str]]:
    return {(tag.interpreter, tag.abi) for tag in tags}


def judge_zip_tools(fusion: Fusion) -> Iterator[str]:
    """unzip, Python's zipfile, bsdtar (as a stream, by local headers) and 7z read all of it."""
    programs: dict[str, list[str | Path]] = {
        "unzip": [require_tool("unzip"), "-tqq", fusion.fused],
        "zipfile": [sys.executable, "-m", "zipfile", "-t", fusion.fused],
        "bsdtar": [require_tool("bsdtar"), "-xOf", "-"],
        "7z": [require_tool("7z"), "t", "-bso0", "-bsp0", fusion.fused],
    }
    for name, argv in programs.items():
        with fusion.fused.open("rb") as stream:
            done = subprocess.run(argv, stdin=stream, capture_output=True, check=False)
        said = (done.stderr if name == "bsdtar" else done.stdout + done.stderr).decode(
            errors="replace"
        )
        if done.returncode or (said.strip() and name != "zipfile"):
            yield f"{name} (exit code {done.returncode}): {said.strip()}"
        if name == "bsdtar" and len(done.stdout) != _content_size(fusion.fused):
            yield f"bsdtar reads {len(done.stdout)} bytes from the stream"


def _content_size(wheel: Path) -> int:
    with zipfile.ZipFile(wheel) as archive:
        return sum(info.file_size for info in archive.infolist())


def judge_wheelfile(fusion: Fusion) -> Iterator[str]:
    """`wheel` opens it and finds every member's hash to be RECORD's."""
    with WheelFile(fusion.fused) as wheel:
        for name in wheel.namelist():
            wheel.read(name)
    yield from ()


def judge_directory(fusion: Fusion) -> Iterator[str]:
    """Files only, dist-info last, RECORD at the very end, one time stamp, modes of both wheels."""
    with zipfile.ZipFile(fusion.fused) as archive:
        infos = archive.infolist()
    names = [info.filename for info in infos]
    in_dist_info = [name.split("/")[0].endswith(".dist-info") for name in names]
    if in_dist_info != sorted(in_dist_info):
        yield "members follow after dist-info"
    if not names[-1].endswith(".dist-info/RECORD"):
        yield f"{names[-1]} is last, and not RECORD"
    if len({info.date_time for info in infos}) != 1:
        yield "members have different time stamps"
    offsets = [info.header_offset for info in infos]
    if offsets != sorted(offsets) or offsets[0] != 0:
        yield "the directory's order is not the members' order"
    sides = [modes(wheel) for wheel in fusion.thin().values()]
    for info in infos:
        if info.is_dir():
            yield f"{info.filename} is a folder"
        expected = sides[0].get(info.filename, 0) | sides[1].get(info.filename, 0) or 0o644
        if (mode := info.external_attr >> 16) != 0o100000 | expected:
            yield f"{info.filename} has mode {mode:o}, and {expected:o} was to be expected"


def modes(wheel: Path) -> dict[str, int]:
    """Return the permission bits of every member; 0o644 where the archive has none."""
    with zipfile.ZipFile(wheel) as archive:
        return {i.filename: (i.external_attr >> 16) & 0o7777 or 0o644 for i in archive.infolist()}


def judge_pip(fusion: Fusion) -> Iterator[str]:
    """Pip chooses it on macOS 14 of either architecture; a small one is installed, too."""
    name, version, _, _ = parse_wheel_filename(fusion.fused.name)
    common = ["--disable-pip-version-check", "--quiet", "--no-index", "--no-deps", "--no-cache-dir"]
    common += ["--only-binary=:all:", "--python-version=3.12"]
    small = fusion.fused.stat().st_size < 5_000_000
    for arch in ("x86_64", "arm64", "universal2"):
        with tempfile.TemporaryDirectory() as scratch:
            verb = ["install", "--target"] if small else ["download", "--dest"]
            argv = [*verb, scratch, *common, f"--platform=macosx_14_0_{arch}"]
            argv += [f"--find-links={fusion.fused.parent}", f"{name}=={version}"]
            pip = [sys.executable, "-m", "pip", *argv]
            done = subprocess.run(pip, capture_output=True, text=True, check=False)
            if done.returncode or not any(Path(scratch).iterdir()):
                yield f"pip on {arch}: {done.stderr}"


def judge_texts(fusion: Fusion) -> Iterator[str]:
    """METADATA says the same, SBOMs list all components, fatwheel.json names the inputs."""
    fused, x86_64, arm64 = map(members, (fusion.fused, fusion.x86_64, fusion.arm64))
    metadata = _dist_info(fused, "METADATA")
    if len({_headers(wheel[metadata]) for wheel in (fused, x86_64, arm64)}) != 1:
        yield "METADATA's headers differ from the thin wheels'"
    for name in fused:
        if "/sboms/" in name and name in x86_64 and name in arm64:
            listed, first, second = (_components(wheel[name]) for wheel in (fused, x86_64, arm64))
            if listed != first | second:
                yield f"{name} lists {listed ^ (first | second)} wrongly"
    made = json.loads(fused[_dist_info(fused, "fatwheel.json")])
    for wheel in fusion.thin().values():
        for fact in (wheel.name, hashlib.sha256(wheel.read_bytes()).hexdigest()):
            if fact not in json.dumps(made):
                yield f"fatwheel.json does not hold {fact}"


def _headers(metadata: bytes) -> tuple[tuple[str, str], ...]:
    # A value that is not ASCII comes as an object of its own.
    found = BytesHeaderParser().parsebytes(metadata).items()
    return tuple(sorted((name, str(value)) for name, value in found))


def _components(sbom: bytes) -> set[tuple[str, str]]:
    return {(c["name"], c.get("version", "")) for c in json.loads(sbom).get("components", [])}


JUDGES: tuple[Judge, ...] = (
    judge_file_set,
    judge_contents,
    judge_lipo,
    judge_lief,
    judge_signatures,
    judge_record,
    judge_tags,
    judge_systems,
    judge_zip_tools,
    judge_wheelfile,
    judge_directory,
    judge_pip,
    judge_texts,
)
