"""The written wheel: contents, order, headers, and bytes that depend on nothing but the inputs."""

from __future__ import annotations

import errno
import hashlib
import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fatwheel.arch import Arch
from fatwheel.deflate.inflaters import Inflater, available_inflaters, best_inflater, python_zlib
from fatwheel.fusion.pairing import inspect, match
from fatwheel.fusion.plan import FusePlan, PlanOptions, plan_pair
from fatwheel.fusion.readpair import read_pair
from fatwheel.fusion.rules import RuleSet, parse_rule
from fatwheel.fusion.write import Written, write_wheel
from fatwheel.macho.universal import Universal
from fatwheel.wheels.wheel import OpenWheel, open_wheel
from tests.support.macho import ARM64E, I386
from tests.support.wheels import (
    CPUS,
    DIST_INFO,
    NATIVE,
    A,
    X,
    code,
    dylib,
    make_pair,
    slices_of,
    static,
    universal,
)

INFLATERS = list(available_inflaters())
SPLICERS = [inflater for inflater in INFLATERS if inflater.finds_blocks]
DATE = (2020, 2, 3, 4, 5, 7)
LARGE = bytes(range(256)) * 3000


def planned(
    x86_64: Path, arm64: Path, *rules: str, inflater: Inflater | None = None
) -> tuple[FusePlan, Mapping[Arch, OpenWheel]]:
    """Read two wheels and plan their fusion."""
    candidates = dict(zip(Arch, match(inspect(x86_64), inspect(arm64)), strict=True))
    wheels = {arch: open_wheel(candidate.path) for arch, candidate in candidates.items()}
    reading = read_pair(candidates, wheels, inflater=inflater or best_inflater())
    options = PlanOptions(rules=RuleSet(rules=tuple(map(parse_rule, rules))), generator="test 1")
    return plan_pair(reading.pair, options), wheels


def write(
    pair: tuple[Path, Path],
    *rules: str,
    inflater: Inflater | None = None,
    files: Mapping[str, Path] | None = None,
    out: io.BytesIO | None = None,
) -> tuple[bytes, dict[str, Written]]:
    inflater = inflater or best_inflater()
    plan, wheels = planned(*pair, *rules, inflater=inflater)
    out = io.BytesIO() if out is None else out
    facts = write_wheel(plan, wheels, out, date_time=DATE, inflater=inflater, files=files or {})
    return out.getvalue(), facts


def opened(data: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(data))


def rich(folder: Path, **options: Any) -> tuple[Path, Path]:
    """A pair that needs every way of writing."""
    return make_pair(
        folder,
        {"pkg/é.txt": b"same", "pkg/empty": b"", "pkg/large": LARGE},
        {
            "pkg/stored.so": code(X, LARGE),
            "pkg/half.so": code(X, LARGE),
            "pkg/fat.so": code(X, LARGE),
            "pkg/one.so": universal(code(X, LARGE), align=12),
            "pkg/lib.a": static(X, LARGE),
            "pkg/a.h": b"1\n",
            "pkg/libz.dylib": dylib(X),
        },
        {
            "pkg/stored.so": code(A, LARGE),
            "pkg/half.so": code(A, LARGE),
            "pkg/fat.so": universal(code(X, b"other"), code(A, LARGE), code(A, LARGE, cpu=ARM64E)),
            "pkg/one.so": code(A, LARGE),
            "pkg/lib.a": static(A, LARGE),
            "pkg/a.h": b"2\n",
            "pkg/b.txt": b"arm64 only",
        },
        x86_64_options={"stored": ["pkg/stored.so", "pkg/half.so", "pkg/one.so"]},
        arm64_options={"stored": ["pkg/stored.so"], "folders": ["pkg/"]},
        **options,
    )


@pytest.mark.parametrize("inflater", INFLATERS, ids=lambda inflater: inflater.name)
def test_every_way_of_writing_gives_the_planned_content(inflater: Inflater, tmp_path: Path) -> None:
    data, facts = write(rich(tmp_path), inflater=inflater)
    with opened(data) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    assert list(facts) == list(found)
    for name, content in found.items():
        assert facts[name].size == len(content), name
        assert facts[name].sha256 == hashlib.sha256(content).digest(), name
    for name in ("pkg/stored.so", "pkg/half.so", "pkg/one.so", NATIVE):
        text = b"" if name == NATIVE else LARGE
        assert slices_of(found[name]) == {CPUS[arch]: code(arch, text) for arch in Arch}, name
        content_ = facts[name].content
        assert isinstance(content_, Universal)
        assert [piece.arch for piece in content_.slices] == [X, A]
    assert slices_of(found["pkg/fat.so"]) == {
        CPUS[X]: code(X, LARGE),
        CPUS[A]: code(A, LARGE),
        ARM64E: code(A, LARGE, cpu=ARM64E),
    }
    assert slices_of(found["pkg/lib.a"]) == {CPUS[arch]: static(arch, LARGE) for arch in Arch}
    assert (found["pkg/é.txt"], found["pkg/empty"], found["pkg/large"]) == (b"same", b"", LARGE)
    assert found["pkg/a.h"].count(b"#") == 5


def test_slices_lie_where_lipo_puts_them(tmp_path: Path) -> None:
    pair = make_pair(
        tmp_path,
        x86_64={NATIVE: universal(code(X, cpu=I386), code(X), align=13)},
        arm64={NATIVE: code(A)},
    )
    data, _ = write(pair)
    with opened(data) as archive:
        content = archive.read(NATIVE)
    rows = [struct.unpack_from(">5I", content, 8 + 20 * i) for i in range(3)]
    assert [(row[0], row[2], row[4]) for row in rows] == [
        (I386[0], 8192, 13),
        (CPUS[X][0], 16384, 13),
        (CPUS[A][0], 32768, 14),
    ]


def test_headers_of_the_archive(tmp_path: Path) -> None:
    data, _ = write(rich(tmp_path, modes={"pkg/large": 0o755, NATIVE: 0o755}))
    with opened(data) as archive:
        infos = archive.infolist()
    assert {info.date_time for info in infos} == {(2020, 2, 3, 4, 5, 6)}
    assert {info.create_system for info in infos} == {3}
    assert {info.extra for info in infos} == {b""}
    modes = {info.filename: info.external_attr >> 16 for info in infos}
    assert {name for name, mode in modes.items() if mode == 0o100755} == {"pkg/large", NATIVE}
    assert set(modes.values()) == {0o100644, 0o100755}
    assert [info.filename for info in infos if info.is_dir()] == []
    assert [info.filename for info in infos if info.flag_bits] == ["pkg/é.txt"]
    names = [info.filename for info in infos]
    own = [f"{DIST_INFO}/{base}" for base in ("METADATA", "WHEEL", "fatwheel.json", "RECORD")]
    assert names == [*sorted(set(names) - set(own)), *own]
    methods = {info.filename: info.compress_type for info in infos}
    assert methods["pkg/stored.so"] == zipfile.ZIP_STORED
    assert {methods[name] for name in (NATIVE, "pkg/half.so", "pkg/large")} == {
        zipfile.ZIP_DEFLATED
    }
    assert [methods[name] for name in own[1:]] == [
        zipfile.ZIP_STORED,  # so short that deflating would make it longer
        zipfile.ZIP_DEFLATED,
        zipfile.ZIP_DEFLATED,
    ]


def test_record_covers_everything(tmp_path: Path) -> None:
    data, facts = write(rich(tmp_path))
    with opened(data) as archive:
        rows = archive.read(f"{DIST_INFO}/RECORD").decode().splitlines()
    assert [row.rsplit(",", 2)[0] for row in rows] == list(facts)
    assert rows[-1] == f"{DIST_INFO}/RECORD,,"
    assert all(row.split(",")[1].startswith("sha256=") for row in rows[:-1])


# ---- determinism ----


def test_libraries_that_find_blocks_write_the_same_bytes(tmp_path: Path) -> None:
    if len(SPLICERS) < 2:
        pytest.skip("needs both libz and zlib-ng")
    pair = rich(tmp_path)
    assert len({write(pair, inflater=inflater)[0] for inflater in SPLICERS}) == 1


def test_without_blocks_the_content_is_the_same_in_other_bytes(tmp_path: Path) -> None:
    if not SPLICERS:
        pytest.skip("needs libz or zlib-ng")
    pair = rich(tmp_path)
    (spliced, facts), (recompressed, same) = (
        write(pair, inflater=inflater) for inflater in (SPLICERS[0], python_zlib())
    )
    assert facts == same
    assert spliced != recompressed
    with opened(spliced) as one, opened(recompressed) as other:
        assert one.namelist() == other.namelist()
        assert [one.read(name) for name in one.namelist()] == [
            other.read(name) for name in one.namelist()
        ]


def test_nothing_is_deflated_again(tmp_path: Path) -> None:
    pair = rich(tmp_path)
    data, _ = write(pair)
    with zipfile.ZipFile(pair[1]) as arm64, opened(data) as fused:
        info, copy = arm64.getinfo("pkg/large"), fused.getinfo("pkg/large")
        start = info.header_offset + 30 + len("pkg/large")
        at = copy.header_offset + 30 + len("pkg/large")
    assert copy.compress_size == info.compress_size
    raw = pair[1].read_bytes()[start : start + info.compress_size]
    assert data[at : at + copy.compress_size] == raw


# ---- what an engine made ----


def test_a_file_of_an_engine_is_taken_as_it_is(tmp_path: Path) -> None:
    made = universal(code(X), code(A), align=15)
    (tmp_path / "made").write_bytes(made)
    data, facts = write(make_pair(tmp_path), files={NATIVE: tmp_path / "made"})
    with opened(data) as archive:
        assert archive.read(NATIVE) == made
    assert facts[NATIVE].sha256 == hashlib.sha256(made).digest()
    assert isinstance(facts[NATIVE].content, Universal)


# ---- failures ----


def test_a_plan_with_conflicts_is_not_carried_out(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, x86_64={"pkg/a.txt": b"1"}, arm64={"pkg/a.txt": b"2"})
    with pytest.raises(ValueError, match="a plan with conflicts cannot be carried out"):
        write(pair)
    assert write(pair, "**=keep-arm64")[1]["pkg/a.txt"].size == 1


class FullDisk(io.BytesIO):
    """A file with room for so many bytes."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("inflater", [best_inflater(), python_zlib()], ids=["best", "Python's"])
@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.9, 0.999])
def test_a_full_disk_is_told(part: float, inflater: Inflater, tmp_path: Path) -> None:
    pair = rich(tmp_path)
    size = len(write(pair, inflater=inflater)[0])
    with pytest.raises(OSError, match="No space left on device"):
        write(pair, inflater=inflater, out=FullDisk(int(size * part)))
