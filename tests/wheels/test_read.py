"""Reading wheels whole: what RECORD says against what is there, and two wheels side by side."""

from __future__ import annotations

import hashlib
import random
import zipfile
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fatwheel.arch import Arch
from fatwheel.archive.ranges import CHUNK, file_sha256
from fatwheel.deflate.inflaters import best_inflater
from fatwheel.errors import RefusedError, WheelError
from fatwheel.fusion.pairing import inspect, match
from fatwheel.fusion.readpair import Reading, read_pair
from fatwheel.macho.image import Image, Signature
from fatwheel.wheels.read import open_source, read_wheel
from fatwheel.wheels.record import RecordHash
from fatwheel.wheels.sharing import Readers
from fatwheel.wheels.signedpages import Judged
from fatwheel.wheels.wheel import Wheel, open_wheel, slices
from tests.support.wheels import (
    DIST_INFO,
    METADATA,
    NATIVE,
    PLATFORMS,
    A,
    Side,
    X,
    code,
    make_pair,
    make_wheel,
    record_of,
    tamper,
)

RECORD = f"{DIST_INFO}/RECORD"
FILES = {"pkg/__init__.py": b"x = 1\n", NATIVE: code(A)}


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def read(path: Path, executor: Executor) -> Wheel:
    opened = open_wheel(path)
    return read_wheel(opened, Readers([opened], executor=executor), inflater=best_inflater())


def wheel(folder: Path, files: Side = FILES, **options: Any) -> Path:
    return make_wheel(folder, PLATFORMS[A], files, **options)


# ---- one wheel ----


def test_a_sound_wheel(tmp_path: Path, executor: Executor) -> None:
    entry_points = {f"{DIST_INFO}/entry_points.txt": b"[a]\n", f"{DIST_INFO}/LICENSE": b"MIT"}
    found = read(wheel(tmp_path, FILES | entry_points), executor)
    assert found.record_problems == ()
    assert found.dist_info == DIST_INFO
    assert isinstance(found.members[NATIVE].content, Image)
    assert set(found.members) == {*FILES, *entry_points, *_own()}
    assert set(found.texts) == {
        f"{DIST_INFO}/{base}" for base in ("METADATA", "WHEEL", "entry_points.txt")
    }
    assert (found.text("METADATA"), found.text("fatwheel.json")) == (METADATA, b"")


def _own() -> set[str]:
    return {f"{DIST_INFO}/{base}" for base in ("METADATA", "WHEEL", "RECORD")}


def _row(name: str, text: str) -> Any:
    """A RECORD in which the row of `name` reads `text` (empty: it is left out)."""

    def record(files: Side) -> str:
        rows = record_of(files).splitlines()
        return "".join(f"{text if row.startswith(name) else row}\n" for row in rows)

    return record


HASH = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
INIT = "pkg/__init__.py"


@pytest.mark.parametrize(
    ("record", "found", "detail"),
    [
        (
            _row(INIT, f"{INIT},{HASH},6"),
            (INIT, "differs"),
            f"RECORD says {HASH}, its content has sha256=",
        ),
        (
            lambda files: record_of(files).replace(",6\n", ",7\n"),
            (INIT, "differs"),
            "RECORD says 7 bytes, it has 6",
        ),
        (_row(INIT, ""), (INIT, "unlisted"), "RECORD does not list it"),
        (_row(INIT, f"{INIT},,"), (INIT, "unhashed"), "RECORD gives no hash for it"),
        (
            lambda files: record_of(files) + f"pkg/gone.py,{HASH},0\n",
            ("pkg/gone.py", "absent"),
            "RECORD lists it, the archive has it not",
        ),
    ],
    ids=["hash", "size", "unlisted", "unhashed", "absent"],
)
def test_where_record_is_wrong(
    record: Any, found: tuple[str, str], detail: str, tmp_path: Path, executor: Executor
) -> None:
    (problem,) = read(wheel(tmp_path, record=record), executor).record_problems
    assert (problem.member, problem.kind) == found
    assert problem.detail.startswith(detail)


@pytest.mark.parametrize(
    "algorithm", ["sha256", "sha384", "sha512", "sha3_256", "sha3_512", "blake2b", "blake2s"]
)
def test_rows_in_another_hash(algorithm: str, tmp_path: Path, executor: Executor) -> None:
    right = wheel(tmp_path, record=lambda files: record_of(files, algorithm=algorithm))
    assert read(right, executor).record_problems == ()
    wrong = wheel(
        tmp_path, record=lambda files: record_of(files, algorithm=algorithm, wrong=[NATIVE])
    )
    (problem,) = read(wrong, executor).record_problems
    digest = hashlib.new(algorithm, FILES[NATIVE]).digest()
    assert problem.member == NATIVE
    assert problem.detail.endswith(f", its content has {RecordHash(algorithm, digest)}")


def test_a_row_may_leave_the_size_out(tmp_path: Path, executor: Executor) -> None:
    found = read(wheel(tmp_path, record=lambda f: record_of(f).replace(",6\n", ",\n")), executor)
    assert found.record_problems == ()


def test_signatures_of_record_need_no_row(tmp_path: Path, executor: Executor) -> None:
    signatures = {f"{DIST_INFO}/RECORD.{suffix}": b"1" for suffix in ("jws", "p7s")}
    path = wheel(
        tmp_path,
        FILES | signatures,
        record=lambda files: record_of({n: d for n, d in files.items() if n not in signatures}),
    )
    assert read(path, executor).record_problems == ()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda p: tamper(p, RECORD, size=(8 << 20) + 512 * 5 + 1),
            "is 8391169 bytes long, more than 8391168; no real wheel's is",
        ),
        (lambda p: tamper(p, RECORD, crc=1), "has CRC-32"),
    ],
    ids=["too large", "damaged"],
)
def test_record_itself_is_refused(
    change: Any, problem: str, tmp_path: Path, executor: Executor
) -> None:
    path = wheel(tmp_path)
    change(path)
    with pytest.raises(WheelError, match=problem) as caught:
        read(path, executor)
    assert caught.value.member == RECORD


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (None, "is missing; every wheel has one, so get it anew"),
        (b"pkg/\xff.py,,\n", "is not UTF-8 at byte 4; rebuild the wheel"),
        (b"pkg/a.py,,\n" * 1011, "has 1011 lines, and the wheel 5 files; rebuild the wheel"),
        (b"\r" * 1011, "has 1011 lines, and the wheel 5 files; rebuild the wheel"),
    ],
    ids=["missing", "no UTF-8", "too many rows", "too many empty lines"],
)
def test_what_is_no_record(
    record: bytes | None, problem: str, tmp_path: Path, executor: Executor
) -> None:
    # The builder adds RECORD itself, and a file of the test's wins.
    files = FILES if record is None else {**FILES, RECORD: record}
    path = wheel(tmp_path, files, record=lambda _: None)
    with pytest.raises(WheelError, match=problem) as caught:
        read(path, executor)
    assert caught.value.member == RECORD


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"a,b\n", "2 fields instead of path, hash, size"),
        (b'"a,b\n', "not CSV"),
        (b"../a,,\n", "the path '../a' leaves the wheel"),
        (b"pkg/__init__.py,sha256=" + b"0" * 64 + b",0\n", "is no sha256 in URL-safe base64"),
    ],
    ids=["fields", "no CSV", "path", "hexadecimal"],
)
def test_a_line_that_is_no_row_is_a_problem_and_not_the_end(
    line: bytes, problem: str, tmp_path: Path, executor: Executor
) -> None:
    path = wheel(tmp_path, {**FILES, RECORD: line}, record=lambda _: None)
    first = read(path, executor).record_problems[0]
    assert (first.kind, first.member) == ("malformed", RECORD)
    assert problem in first.detail


@pytest.mark.parametrize(
    ("base", "most"),
    [
        ("METADATA", 4 << 20),
        ("WHEEL", 1 << 20),
        ("entry_points.txt", 1 << 20),
        ("top_level.txt", 1 << 20),
        ("fatwheel.json", 16 << 20),
    ],
)
def test_a_huge_text_of_dist_info_is_refused_unread(
    base: str, most: int, tmp_path: Path, executor: Executor
) -> None:
    name = f"{DIST_INFO}/{base}"
    path = tamper(wheel(tmp_path, {**FILES, name: b"a"}), name, size=most + 1)
    with pytest.raises(WheelError, match=f"is {most + 1} bytes long, more than {most}; no real"):
        read(path, executor)


def test_a_metadata_of_headers_without_end_is_refused(tmp_path: Path, executor: Executor) -> None:
    path = wheel(tmp_path, metadata=b"a:\n" * 25_001)
    with pytest.raises(WheelError, match="METADATA: has more than 25000 headers; no real"):
        read(path, executor)
    path = wheel(tmp_path / "text", metadata=b"a: b\n\n" + b"a:\n" * 25_001)
    assert read(path, executor).record_problems == ()


def test_damage_anywhere_is_found(tmp_path: Path, executor: Executor) -> None:
    files = {f"pkg/{n}.txt": bytes([n]) * n for n in range(50)}
    path = tamper(wheel(tmp_path, files), "pkg/37.txt", crc=1)
    with pytest.raises(WheelError, match=r"pkg/37\.txt: has CRC-32"):
        read(path, executor)


def test_progress_counts_every_byte_of_members(tmp_path: Path, executor: Executor) -> None:
    opened = open_wheel(wheel(tmp_path, {"pkg/__init__.py": b"x = 1"}))
    done: list[int] = []
    opened.file.progress = done.append
    read_wheel(opened, Readers([opened], executor=executor), inflater=best_inflater())
    total = sum(entry.compressed_size for entry in opened.entries.values())
    assert sum(done) == total
    file_sha256(opened.file)
    assert sum(done) == 2 * total


def test_progress_moves_while_a_member_is_read(tmp_path: Path, executor: Executor) -> None:
    opened = open_wheel(wheel(tmp_path, {"pkg/large.bin": random.Random(1).randbytes(3 << 20)}))
    done: list[int] = []
    opened.file.progress = done.append
    read_wheel(opened, Readers([opened], executor=executor), inflater=best_inflater())
    assert 0 < max(done) <= CHUNK


def test_names_may_be_changed_while_reading(tmp_path: Path) -> None:
    opened = open_wheel(wheel(tmp_path))
    source = open_source(opened, best_inflater(), lambda name: f"x/{name}")
    assert source.record == f"x/{RECORD}"
    assert set(source.entries) == {f"x/{name}" for name in opened.entries}
    assert set(source.rows) == set(source.entries)


# ---- two wheels ----


def read_both(x86_64: Path, arm64: Path, executor: Executor, **options: Any) -> Reading:
    candidates = dict(zip(Arch, match(inspect(x86_64), inspect(arm64)), strict=True))
    opened = {arch: open_wheel(candidate.path) for arch, candidate in candidates.items()}
    readers = Readers(opened.values(), executor=executor)
    return read_pair(candidates, opened, readers, inflater=best_inflater(), **options)


def test_a_pair(tmp_path: Path, executor: Executor) -> None:
    x86_64, arm64 = make_pair(
        tmp_path,
        {"pkg/same.txt": b"same"},
        {"pkg/only_x.txt": b"x", "pkg/d.txt": b"1"},
        {"pkg/d.txt": b"2"},
    )
    found = read_both(arm64, x86_64, executor)
    pair = found.pair
    assert [member.name for member in pair.members] == sorted(
        member.name for member in pair.members
    )
    members = {member.name: member for member in pair.members}
    assert set(members) == {*_own(), NATIVE, INIT, "pkg/same.txt", "pkg/only_x.txt", "pkg/d.txt"}
    assert members["pkg/only_x.txt"].only is X
    assert (members["pkg/d.txt"].x86_64_text, members["pkg/d.txt"].arm64_text) == (b"1", b"2")
    assert members["pkg/same.txt"].x86_64_text is None
    assert members[NATIVE].fused is not None
    for arch, path in ((X, x86_64), (A, arm64)):
        side = pair.side(arch)
        assert (side.arch, side.filename) == (arch, path.name)
        assert side.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert side.floor == {X: (10, 13), A: (11, 0)}[arch]
    assert pair.notes == ()


def test_names_of_dist_info_and_data_folders_are_compared_normalised(
    tmp_path: Path, executor: Executor
) -> None:
    def files(arch: Arch, name: str) -> Side:
        return {NATIVE: code(arch), f"{name}-1.0.data/scripts/tool": b"#!python\n"}

    x86_64 = make_wheel(tmp_path, PLATFORMS[X], files(X, "My.Pkg"), name="My.Pkg")
    arm64 = make_wheel(tmp_path, PLATFORMS[A], files(A, "my_pkg"), name="my_pkg")
    found = read_both(x86_64, arm64, executor)
    names = [member.name for member in found.pair.members]
    assert names == sorted(
        {NATIVE, "my_pkg-1.0.data/scripts/tool"}
        | {f"my_pkg-1.0.dist-info/{base}" for base in ("METADATA", "WHEEL", "RECORD")}
    )
    assert all(member.only is None for member in found.pair.members)
    assert found.wheels[X].record_problems == ()
    assert b"Name: My.Pkg" in found.wheels[X].text("METADATA")


def test_a_wrong_record_is_refused_with_its_rows_and_the_option(
    tmp_path: Path, executor: Executor
) -> None:
    names = [f"pkg/{n}.txt" for n in range(7)]
    x86_64, arm64 = make_pair(
        tmp_path,
        dict.fromkeys(names, b""),
        x86_64_options={"record": lambda files: record_of(files, wrong=names)},
    )
    with pytest.raises(
        WheelError,
        match=rf"{x86_64.name}: {RECORD}: disagrees with the files: pkg/0.txt: RECORD says sha256=.*, its "
        r"content has sha256=.*; pkg/4.txt: .*; and 2 more; get the wheel anew, or go on with "
        "--no-verify-record",
    ) as caught:
        read_both(x86_64, arm64, executor)
    assert "pkg/5.txt" not in str(caught.value)
    found = read_both(x86_64, arm64, executor, verify_record=False)
    (note,) = found.pair.notes
    assert note.startswith(
        f"RECORD of {x86_64.name} disagrees with the files, and a right one is written: "
    )
    assert len(found.wheels[X].record_problems) == 7


@pytest.mark.parametrize(
    ("files", "held"),
    [
        (code(A), "arm64"),
        (code(A, cpu=(7, 3)), "i386"),
        (code(X, platform=7), "x86_64 on the iOS simulator"),
    ],
    ids=["arm64", "i386", "another platform"],
)
def test_a_wheel_without_code_for_what_it_claims_is_refused(
    files: bytes, held: str, tmp_path: Path, executor: Executor
) -> None:
    x86_64, arm64 = make_pair(tmp_path, x86_64={NATIVE: files})
    with pytest.raises(
        RefusedError,
        match=f"{x86_64.name} says x86_64 and holds no code for it: its code is for {held}",
    ):
        read_both(x86_64, arm64, executor)


def test_a_wheel_without_any_code_is_no_reason(tmp_path: Path, executor: Executor) -> None:
    x86_64, arm64 = make_pair(tmp_path, native=False)
    assert read_both(x86_64, arm64, executor).pair.notes == ()


def test_a_wheel_that_says_universal2_and_is_thin_is_noted(
    tmp_path: Path, executor: Executor
) -> None:
    platform = "macosx_10_9_universal2"
    x86_64, arm64 = make_pair(
        tmp_path,
        platform=platform,
        x86_64_options={"folder": "x"},
        arm64_options={"folder": "a"},
    )
    assert x86_64.name == arm64.name
    found = read_both(arm64, x86_64, executor)
    assert [found.pair.side(arch).floor for arch in Arch] == [(10, 9), (11, 0)]
    assert found.pair.notes == tuple(
        f"{x86_64.name} says universal2 and holds code for {arch} only; it is taken for that wheel"
        for arch in ("x86_64", "arm64")
    )


@pytest.mark.parametrize("base", ["METADATA", "WHEEL"])
def test_a_wheel_without_its_own_files_is_refused(
    base: str, tmp_path: Path, executor: Executor
) -> None:
    _, arm64 = make_pair(tmp_path)
    broken = tmp_path / "broken"
    files = {NATIVE: code(X), f"{DIST_INFO}/x": b""}
    made = make_wheel(
        broken, PLATFORMS[X], files, metadata=None if base == "METADATA" else METADATA
    )
    if base == "WHEEL":
        made = _without(made, f"{DIST_INFO}/WHEEL")
    with pytest.raises(WheelError, match=f"{DIST_INFO}/{base}: is missing; get the wheel anew"):
        read_both(made, arm64, executor, verify_record=False)


def _without(path: Path, name: str) -> Path:
    with zipfile.ZipFile(path) as old:
        kept = {info: old.read(info) for info in old.infolist() if info.filename != name}
    with zipfile.ZipFile(path, "w") as new:
        for info, data in kept.items():
            new.writestr(info, data)
    return path


def test_large_texts_are_not_kept(tmp_path: Path, executor: Executor) -> None:
    large, limit = "pkg/large.txt", "pkg/limit.txt"
    sbom = f"{DIST_INFO}/sboms/a.cdx.json"
    x86_64, arm64 = make_pair(
        tmp_path,
        x86_64={large: b"1" * ((1 << 20) + 1), limit: b"1" * (1 << 20), sbom: b"1" * (2 << 20)},
        arm64={large: b"2", limit: b"2" * (1 << 20), sbom: b"2"},
    )
    members = {m.name: m for m in read_both(x86_64, arm64, executor).pair.members}
    kept = {name: members[name].x86_64_text is not None for name in (large, limit, sbom)}
    assert kept == {large: False, limit: True, sbom: True}


def test_what_both_wheels_have_is_bounded_in_memory(tmp_path: Path, executor: Executor) -> None:
    sboms = [f"{DIST_INFO}/sboms/{n}.json" for n in range(4)]
    size = 7 << 20
    noise = {"pkg/noise": random.Random(1).randbytes(2 << 20)}  # small wheels have less room
    x86_64, arm64 = make_pair(
        tmp_path,
        noise,
        x86_64={n: bytes(size) for n in sboms},
        arm64=dict.fromkeys(sboms, b"1" * size),
    )
    members = {m.name: m for m in read_both(x86_64, arm64, executor).pair.members}
    assert [members[name].x86_64_text is not None for name in sboms] == [True, True, True, False]


def test_code_takes_nothing_of_the_room_for_texts(tmp_path: Path, executor: Executor) -> None:
    names = [f"pkg/m{n:02}.so" for n in range(30)]
    x86_64, arm64 = make_pair(
        tmp_path,
        x86_64={**dict.fromkeys(names, code(X, bytes(900_000))), "pkg/zz.h": b"1"},
        arm64={**dict.fromkeys(names, code(A, bytes(900_000))), "pkg/zz.h": b"2"},
    )
    members = {m.name: m for m in read_both(x86_64, arm64, executor).pair.members}
    assert members["pkg/zz.h"].x86_64_text == b"1"
    assert members[names[0]].x86_64_text is None


@pytest.mark.parametrize("judged", Judged)
def test_pages_are_hashed_where_that_is_asked_for(judged: Judged, tmp_path: Path) -> None:
    files = {arch.value: code(arch, bytes(9000)) for arch in Arch}
    wheel = open_wheel(make_wheel(tmp_path, "macosx_10_13_universal2", files))
    read = read_wheel(wheel, inflater=best_inflater(), signatures=judged)
    wheel.close()
    verified = {}
    for name, _, image in slices(read):
        assert isinstance(image.signature, Signature)
        verified[name] = image.signature.enforced.verified
    wanted = {Judged.ALL: [True, True], Judged.ENFORCED: [False, True], Judged.NONE: [False, False]}
    assert verified == dict(zip(["x86_64", "arm64"], wanted[judged], strict=True))
