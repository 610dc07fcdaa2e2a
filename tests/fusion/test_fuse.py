"""Two wheels in, one right wheel out, or nothing at all."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

import fatwheel
from fatwheel.action import Action
from fatwheel.arch import Arch
from fatwheel.check.finding import Severity, worse_than
from fatwheel.check.verdict import check_wheel
from fatwheel.deflate.inflaters import Inflater, available_inflaters, python_zlib
from fatwheel.errors import FatwheelError, OutputExistsError, RefusedError, WheelError
from fatwheel.fusion.actions import Fuse
from fatwheel.fusion.fuse import ConflictsError, FuseOptions, fuse_wheels, plan_fuse
from fatwheel.fusion.plan import PlanOptions
from fatwheel.fusion.rules import RuleSet, make_rule, parse_rule
from fatwheel.macho.staticlib import StaticLibrary
from fatwheel.macho.universal import Universal
from fatwheel.wheels.wheel import OpenWheel
from tests.support.corpus import SMALL_PAIR
from tests.support.macho import I386
from tests.support.signing import Directory
from tests.support.wheels import (
    CPUS,
    DIST_INFO,
    FUSED_NAME,
    METADATA,
    NATIVE,
    PLATFORMS,
    A,
    X,
    altered,
    code,
    content_of,
    contents,
    dylib,
    edit,
    make_pair,
    make_wheel,
    program,
    read_whole,
    record_of,
    slices_of,
    static,
    universal,
)


def fuse(pair: tuple[Path, Path], folder: Path, *rules: str, **options: Any) -> Path:
    plan = PlanOptions(
        rules=RuleSet(rules=tuple(map(parse_rule, rules))),
        on_conflict=options.pop("on_conflict", None),
    )
    return fuse_wheels(*pair, folder, FuseOptions(plan=plan, **options)).path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ---- what comes out ----


def test_what_is_told_of_a_fused_wheel(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    fused = fuse_wheels(*pair, tmp_path / "deep" / "out", FuseOptions())
    assert fused.path == tmp_path / "deep" / "out" / FUSED_NAME
    assert fused.size == fused.path.stat().st_size
    assert fused.findings == ()
    assert fused.inflater
    assert fused.plan == plan_fuse(*pair, FuseOptions())
    assert [path.name for path in fused.path.parent.iterdir()] == [FUSED_NAME]
    members = read_whole(fused.path)
    assert slices_of(members[NATIVE]) == {CPUS[arch]: code(arch) for arch in Arch}
    report = json.loads(members[f"{DIST_INFO}/fatwheel.json"])
    assert report == {
        "generator": f"fatwheel {fatwheel.__version__}",
        "inputs": {
            arch.value: {"filename": path.name, "sha256": digest(path)}
            for arch, path in zip(Arch, pair, strict=True)
        },
        "decisions": [],
    }
    assert check_wheel(fused.path) == ()


def test_a_decision_is_written_down_and_check_reads_it(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, x86_64={"pkg/avx.so": code(X)})
    with pytest.raises(ConflictsError, match=r"have 1 member in conflict \(pkg/avx\.so\)"):
        fuse(pair, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    path = fuse(pair, tmp_path / "out", "pkg/avx.so=allow")
    (finding,) = check_wheel(path)
    assert (finding.code, finding.severity) == ("FW303", Severity.NOTE)
    assert "--rule decided (asked for by --rule)" in finding.message


def test_conflicts_are_all_told(tmp_path: Path) -> None:
    names = [f"pkg/{n}.txt" for n in range(5)]
    pair = make_pair(tmp_path, x86_64=dict.fromkeys(names, b"1"), arm64=dict.fromkeys(names, b"2"))
    with pytest.raises(ConflictsError, match=r"have 5 members in conflict .* and 2 more") as caught:
        fuse(pair, tmp_path)
    assert [conflict.name for conflict in caught.value.plan.conflicts] == names


def test_small_wheels_with_very_much_text_are_not_compared(tmp_path: Path) -> None:
    """Python takes eight times as long as plain text, and the wheels hold some kilobytes."""
    line = b"a = 1\n"
    sides = [
        {f"pkg/{n}.py": line * 60_000 + end for n in range(2)} for end in (b"b = 1\n", b"c = 1\n")
    ]
    plan = plan_fuse(*make_pair(tmp_path, {}, *sides), FuseOptions())
    first, second = plan.conflicts
    assert "line 60001 has 'b' for x86_64" in first.problem
    assert (
        "the files that differ hold more text together than wheels of this size" in second.problem
    )
    noise = {"pkg/noise": random.Random(1).randbytes(2 << 20)}
    plan = plan_fuse(*make_pair(tmp_path / "larger", noise, *sides), FuseOptions())
    assert all("line 60001 has 'b' for x86_64" in conflict.problem for conflict in plan.conflicts)


def test_names_that_are_spelled_otherwise(tmp_path: Path) -> None:
    x86_64 = make_wheel(
        tmp_path, PLATFORMS[X], {NATIVE: code(X), "My.Pkg-1.0.data/scripts/a": b"1"}, name="My.Pkg"
    )
    arm64 = make_wheel(
        tmp_path, PLATFORMS[A], {NATIVE: code(A), "my_pkg-1.0.data/scripts/a": b"1"}, name="my_pkg"
    )
    path = fuse((x86_64, arm64), tmp_path / "out")
    assert path.name == "my_pkg-1.0-cp312-cp312-macosx_10_13_universal2.whl"
    assert set(read_whole(path)) == {
        NATIVE,
        "my_pkg-1.0.data/scripts/a",
        *(f"my_pkg-1.0.dist-info/{b}" for b in ("METADATA", "WHEEL", "RECORD", "fatwheel.json")),
    }


def test_thin_wheels_that_say_universal2_and_have_one_name(tmp_path: Path) -> None:
    pair = make_pair(
        tmp_path,
        platform="macosx_10_13_universal2",
        x86_64_options={"folder": "x"},
        arm64_options={"folder": "a"},
    )
    assert pair[0].name == pair[1].name
    path = fuse(pair, tmp_path / "out")
    assert path.name == pair[0].name
    assert check_wheel(path) == ()


def test_wrong_records_are_put_right_on_demand(tmp_path: Path) -> None:
    pair = make_pair(
        tmp_path, arm64_options={"record": lambda files: record_of(files, wrong=[NATIVE])}
    )
    with pytest.raises(WheelError, match="disagrees with the files"):
        fuse(pair, tmp_path / "out")
    path = fuse(pair, tmp_path / "out", verify_record=False)
    assert NATIVE in read_whole(path)
    assert check_wheel(path) == ()


def test_sha512_rows_are_fine(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, record=lambda files: record_of(files, algorithm="sha512"))
    assert read_whole(fuse(pair, tmp_path / "out"))


@pytest.mark.parametrize("verify", [True, False])
def test_errors_that_an_input_had_are_reported_and_stop_nothing(
    verify: bool, tmp_path: Path
) -> None:
    pair = make_pair(tmp_path, arm64={NATIVE: code(A, signed=False)})
    fused = fuse_wheels(*pair, tmp_path / "out", FuseOptions(verify_output=verify))
    assert [finding.code for finding in fused.findings] == ["FW307"]


class BrokenEngine:
    """An engine that loses the signature of the arm64 slice."""

    name = "broken"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(
        self, members: tuple[Fuse, ...], wheels: Mapping[Arch, OpenWheel], inflater: Inflater
    ) -> AbstractContextManager[Mapping[str, Path]]:
        path = self._folder / "made"
        path.write_bytes(universal(code(X), code(A, signed=False)))
        return contextlib.nullcontext({member.name: path for member in members})


@pytest.mark.parametrize("verify", [True, False])
def test_errors_that_no_input_had_stop_it(verify: bool, tmp_path: Path) -> None:
    options = FuseOptions(verify_output=verify, engine=BrokenEngine(tmp_path))
    with pytest.raises(
        RefusedError,
        match=rf"{FUSED_NAME} would have an error that neither input has, so it was not written: FW307",
    ):
        fuse_wheels(*make_pair(tmp_path), tmp_path / "out", options)
    assert list((tmp_path / "out").iterdir()) == []


# ---- code that macOS kills ----

EXTENSION, LIBRARY = "pkg/mod.so", "pkg/lib.dylib"
FATAL = {
    "a page": ("FW331", altered(code(A), 40)),
    "a code limit": ("FW334", code(A, directories=[Directory(limit=9)])),
}


@pytest.mark.parametrize("case", FATAL)
@pytest.mark.parametrize("work", [fuse_wheels, "plan"], ids=["fuse", "plan"])
def test_arm64_code_that_macos_kills_is_refused(case: str, work: Any, tmp_path: Path) -> None:
    """Although the input had the error, too."""
    code_, broken = FATAL[case]
    pair = make_pair(tmp_path, x86_64={EXTENSION: code(X)}, arm64={EXTENSION: broken})

    def run(options: FuseOptions) -> None:
        if work == "plan":
            plan_fuse(*pair, options)
        else:
            work(*pair, tmp_path / "out", options)

    with pytest.raises(
        RefusedError, match=f"macOS does not run, .*{code_} {EXTENSION}: .*--allow {code_}$"
    ):
        run(FuseOptions())
    with pytest.raises(RefusedError, match="macOS does not run"):
        run(FuseOptions(allow=frozenset({"FW301"})))
    assert not (tmp_path / "out").exists()
    run(FuseOptions(allow=frozenset({code_})))


def test_a_signature_that_is_none_is_inherited(tmp_path: Path) -> None:
    """It is an error that the input has, and said by `check`; what was changed after signing is refused."""
    broken = altered(code(A), code(A).index(b"\xfa\xde\x0c\xc0"))
    pair = make_pair(tmp_path, x86_64={EXTENSION: code(X)}, arm64={EXTENSION: broken})
    assert [found.code for found in check_wheel(fuse(pair, tmp_path / "out"))] == ["FW330"]


def test_every_code_that_would_have_to_be_allowed_is_named(tmp_path: Path) -> None:
    arm64 = {f"pkg/{n}.so": broken for n, (_, broken) in enumerate(FATAL.values())}
    pair = make_pair(tmp_path, x86_64=dict.fromkeys(arm64, code(X)), arm64=arm64)
    with pytest.raises(RefusedError, match=r"with --allow FW331 --allow FW334$"):
        fuse(pair, tmp_path / "out")


def test_what_is_dropped_or_for_intel_kills_nobody(tmp_path: Path) -> None:
    wrong = altered(dylib(A), 40)
    pair = make_pair(
        tmp_path,
        x86_64={EXTENSION: altered(code(X), 40), LIBRARY: dylib(X)},
        arm64={EXTENSION: code(A), LIBRARY: wrong},
    )
    with pytest.raises(RefusedError, match=f"FW331 {LIBRARY}"):
        fuse(pair, tmp_path / "out")
    path = fuse(pair, tmp_path / "out", f"{LIBRARY}=drop")
    assert [found.code for found in check_wheel(path)] == ["FW332"]


def test_a_slice_that_is_left_out_kills_nobody(tmp_path: Path) -> None:
    both = universal(dylib(X), altered(dylib(A), 40))
    pair = make_pair(tmp_path, x86_64={LIBRARY: both}, arm64={LIBRARY: dylib(A)})
    path = fuse(pair, tmp_path / "out")
    assert check_wheel(path) == ()


def test_a_library_that_is_kept_is_looked_at_too(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, arm64={LIBRARY: altered(dylib(A), 40)})
    with pytest.raises(RefusedError, match=f"FW331 {LIBRARY}"):
        fuse(pair, tmp_path / "out")


def test_conflicts_are_told_first(tmp_path: Path) -> None:
    pair = make_pair(
        tmp_path, x86_64={"a.txt": b"1"}, arm64={"a.txt": b"2", NATIVE: altered(code(A), 40)}
    )
    with pytest.raises(ConflictsError):
        fuse(pair, tmp_path / "out")
    assert plan_fuse(*pair, FuseOptions()).conflicts


class SigningEngine(BrokenEngine):
    """An engine that signs what it makes, well or not."""

    def __init__(self, folder: Path, arm64: bytes) -> None:
        super().__init__(folder)
        self._arm64 = arm64

    def make(
        self, members: tuple[Fuse, ...], wheels: Mapping[Arch, OpenWheel], inflater: Inflater
    ) -> AbstractContextManager[Mapping[str, Path]]:
        path = self._folder / "made"
        path.write_bytes(universal(code(X), self._arm64))
        return contextlib.nullcontext({member.name: path for member in members})


def test_an_engine_that_signs_anew(tmp_path: Path) -> None:
    """What counts is what it makes."""
    pair = make_pair(tmp_path, arm64={NATIVE: altered(code(A), 40)})
    path = fuse(pair, tmp_path / "out", engine=SigningEngine(tmp_path, code(A)))
    assert check_wheel(path) == ()
    broken = SigningEngine(tmp_path, altered(code(A), 40))
    with pytest.raises(RefusedError, match=f"macOS does not run, .*FW331 {NATIVE}"):
        fuse(make_pair(tmp_path), tmp_path / "out", engine=broken, replace=True)


def test_other_errors_can_be_allowed(tmp_path: Path) -> None:
    engine = BrokenEngine(tmp_path)
    path = fuse(make_pair(tmp_path), tmp_path / "out", engine=engine, allow=frozenset({"FW307"}))
    assert [found.code for found in check_wheel(path)] == ["FW307"]


def test_seals_of_the_side_that_was_not_kept(tmp_path: Path) -> None:
    base = "pkg/Y.framework/Versions/A"

    def side(arch: Arch) -> dict[str, bytes]:
        plist = arch.value.encode()
        seal = Directory(special={1: hashlib.sha256(plist).digest()})
        return {f"{base}/Y": dylib(arch, directories=[seal]), f"{base}/Resources/Info.plist": plist}

    pair = make_pair(tmp_path, x86_64=side(X), arm64=side(A))
    for keep, other in ((A, X), (X, A)):
        path = fuse(pair, tmp_path / keep.value, f"{base}/Resources/*=keep-{keep.value}")
        (found,) = (f for f in check_wheel(path) if f.code.startswith("FW33"))
        assert (found.code, found.severity) == ("FW335", Severity.WARNING)
        assert f"the signature of its {other.value} code seals" in found.message


# ---- the output's name ----


def test_an_existing_output(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    path = fuse(pair, tmp_path / "out")
    path.write_bytes(b"old")
    with pytest.raises(OutputExistsError, match="exists; replace it with --force"):
        fuse(pair, tmp_path / "out")
    assert path.read_bytes() == b"old"
    assert zipfile.is_zipfile(fuse(pair, tmp_path / "out", replace=True))


@pytest.mark.parametrize("replace_", [True, False])
@pytest.mark.parametrize("folder", ["x", "a", "link"])
def test_an_input_is_never_overwritten(folder: str, replace_: bool, tmp_path: Path) -> None:
    pair = make_pair(
        tmp_path,
        platform="macosx_10_9_universal2",
        x86_64_options={"folder": "x"},
        arm64_options={"folder": "a"},
    )
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / pair[0].name).symlink_to(pair[0])
    before = [digest(path) for path in pair]
    with pytest.raises(RefusedError, match="is an input and would be overwritten; write elsewhere"):
        fuse(pair, tmp_path / folder, replace=replace_)
    assert [digest(path) for path in pair] == before
    assert [path.name for path in (tmp_path / folder).iterdir()] == [pair[0].name]


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(FileExistsError, match="out"):
        fuse(make_pair(tmp_path), tmp_path / "out")
    with pytest.raises(NotADirectoryError, match="deep"):
        fuse(make_pair(tmp_path), tmp_path / "out" / "deep")


# ---- determinism ----


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    pair = make_pair(
        tmp_path / "in",
        {f"pkg/{n}.txt": bytes([n]) * 1000 for n in range(40)},
        {"pkg/a.h": b"1\n", "pkg/b.txt": b"1", "pkg/only.txt": b"x"},
        {"pkg/a.h": b"2\n", "pkg/b.txt": b"2"},
    )
    first = fuse(pair, tmp_path / "1", "pkg/b.*=keep-arm64").read_bytes()
    ways: dict[str, tuple[tuple[Path, Path], dict[str, Any]]] = {
        "again": (pair, {}),
        "swapped": ((pair[1], pair[0]), {}),
        "one thread": (pair, {"threads": 1}),
        "four threads": (pair, {"threads": 4}),
        "verified": (pair, {"verify_output": True}),
    }
    for way, (paths, options) in ways.items():
        assert fuse(paths, tmp_path / way, "pkg/b.*=keep-arm64", **options).read_bytes() == first, (
            way
        )
    for path in pair:
        os.utime(path, (0, 0))
    copies = [Path(shutil.copy(path, tmp_path)) for path in pair]
    again = fuse((copies[0], copies[1]), tmp_path / "copies", "pkg/b.*=keep-arm64")
    assert again.read_bytes() == first


@pytest.mark.parametrize(
    ("option", "date"),
    [(None, (2021, 1, 2, 3, 4, 6)), ((2000, 1, 1, 0, 0, 0), (2000, 1, 1, 0, 0, 0))],
    ids=["the newest of both wheels", "as asked for"],
)
def test_one_time_stamp(option: Any, date: tuple[int, ...], tmp_path: Path) -> None:
    pair = make_pair(
        tmp_path,
        x86_64_options={"date_time": (2021, 1, 2, 3, 4, 6)},
        arm64_options={"date_time": (1980, 1, 1, 0, 0, 0)},
    )
    with zipfile.ZipFile(fuse(pair, tmp_path / "out", date_time=option)) as archive:
        assert {info.date_time for info in archive.infolist()} == {date}


def test_time_stamps_that_are_no_dates_do_not_count(tmp_path: Path) -> None:
    def no_date(data: bytearray) -> None:
        with zipfile.ZipFile(pair[0]) as archive:
            offsets = [info.header_offset + 10 for info in archive.infolist()]
            at = archive.start_dir
        while data[at : at + 4] == b"PK\1\2":
            offsets.append(at + 12)
            lengths = data[at + 28 : at + 34]
            at += 46 + sum(int.from_bytes(lengths[i : i + 2], "little") for i in (0, 2, 4))
        for offset in offsets:
            data[offset : offset + 4] = b"\xff\xff\xff\xff"

    pair = make_pair(tmp_path, arm64_options={"date_time": (1999, 1, 1, 0, 0, 0)})
    edit(pair[0], no_date)
    with zipfile.ZipFile(fuse(pair, tmp_path / "out")) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1999, 1, 1, 0, 0, 0)}


def test_without_a_library_that_finds_blocks(tmp_path: Path) -> None:
    x86_64, arm64 = SMALL_PAIR
    made = {
        inflater.name: fuse_wheels(
            x86_64, arm64, tmp_path / str(n), FuseOptions(inflater=inflater, verify_output=True)
        )
        for n, inflater in enumerate(available_inflaters())
    }
    assert len({json.dumps(_digests(fused.path)) for fused in made.values()}) == 1
    assert all(name == fused.inflater for name, fused in made.items())
    plain = made.pop(python_zlib().name).path.read_bytes()
    if made:
        assert {fused.path.read_bytes() for fused in made.values()} != {plain}
        assert len({fused.path.read_bytes() for fused in made.values()}) == 1


def _digests(path: Path) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in contents(path).items()}


# ---- dispatch ----

MODULE = '''\
"""The {arch} module."""
from __future__ import annotations
import sys
from . import other
ARCH = "{arch}"
HERE = (__name__, __file__.rpartition("pkg")[2], __package__, other.NAME)

def fail(x: Unknown) -> None:
    raise ValueError(ARCH)
'''
PROBE = """\
import os, sys, traceback, types
os.uname = lambda: types.SimpleNamespace(machine=sys.argv[2])
sys.path.insert(0, sys.argv[1])
from pkg import mod
print(mod.__doc__, mod.ARCH, *mod.HERE)
try:
    mod.fail(1)
except ValueError as error:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    print(frame.filename.rpartition("pkg")[2], frame.lineno, frame.name)
"""


@pytest.mark.parametrize("arch", Arch, ids=lambda arch: arch.value)
@pytest.mark.parametrize("how", ["zip", "folder"])
def test_dispatch_runs_the_source_of_the_running_architecture(
    how: str, arch: Arch, tmp_path: Path
) -> None:
    sources = {side: {"pkg/mod.py": MODULE.format(arch=side.value).encode()} for side in Arch}
    pair = make_pair(tmp_path, {"pkg/other.py": b"NAME = 'other'\n"}, sources[X], sources[A])
    path = fuse(pair, tmp_path / "out", "pkg/mod.py=dispatch")
    text = contents(path)["pkg/mod.py"].decode().splitlines()
    if how == "folder":
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "installed")
        path = tmp_path / "installed"
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROBE, str(path), arch.value],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [n for n, line in enumerate(text, 1) if line.endswith("raise ValueError(ARCH)")]
    separator = os.sep
    assert done.stdout.splitlines() == [
        f"The {arch.value} module. {arch.value} pkg.mod {separator}mod.py pkg other",
        f"{separator}mod.py {lines[list(Arch).index(arch)]} fail",
    ], done.stderr


# ---- laws ----

TEXTS = [b"", b"1\n", b"2\n", b"x = 1\n", b"# c\nx = 1\n", b"\xff"]
CODES = [
    code(X),
    code(A),
    dylib(X),
    dylib(A),
    program(X),
    program(A, trailing=b"payload bytes"),
    static(X),
    static(A),
    universal(code(X, b"fat"), code(A, b"fat"), align=4),
    universal(code(X), align=3),
    code(A, loads=["@loader_path/liba.dylib"]),
    code(X, cpu=I386),
    code(X)[:50],
]
NAMES = [
    "pkg/__init__.py",
    "pkg/A.txt",
    "pkg/a.txt",
    "pkg/a.h",
    "pkg/m.so",
    "pkg/liba.dylib",
    "pkg/lib.a",
    "pkg/tool",
    "a.pth",
    "pkg/__pycache__/a.pyc",
    "pkg-1.0.data/scripts/a",
    "pkg-1.0.data/purelib/b.py",
    f"{DIST_INFO}/RECORD.jws",
    f"{DIST_INFO}/entry_points.txt",
    f"{DIST_INFO}/top_level.txt",
    f"{DIST_INFO}/sboms/a.cdx.json",
    f"{DIST_INFO}/licenses/é.txt",
    f"{DIST_INFO}/fatwheel.json",
]
FILES = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from([*TEXTS, *CODES]), min_size=0, max_size=7
)


@st.composite
def wheel_pairs(draw: st.DrawFn) -> dict[str, Any]:
    """What `make_pair` needs for two small wheels that have much in common."""
    both = draw(FILES)
    sides = [draw(FILES), draw(FILES)]
    stored = draw(st.lists(st.sampled_from([*NAMES, NATIVE]), max_size=3))
    modes = {name: draw(st.sampled_from([0o644, 0o755, 0o600])) for name in stored}
    return {
        "both": both,
        "x86_64": sides[0],
        "arm64": sides[1],
        "native": draw(st.booleans()) or draw(st.booleans()),
        "x86_64_options": {"stored": stored, "modes": modes},
        "arm64_options": {"metadata": draw(st.sampled_from([METADATA, METADATA + b"\nAbout"]))},
        "record": lambda files: record_of(
            {name: data for name, data in files.items() if not name.endswith("RECORD.jws")}
        ),
    }


RULES = st.lists(
    st.tuples(
        st.sampled_from(["**", "pkg/*", "**/a.*", "pkg/[am]*", f"{DIST_INFO}/*"]),
        st.sampled_from(Action),
    ),
    max_size=2,
)
ON_CONFLICT = st.sampled_from([None, Action.KEEP_X86_64, Action.KEEP_ARM64])


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder for one example: the fixtures of pytest are one for all."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@settings(max_examples=150)
@given(wheel_pairs(), RULES, ON_CONFLICT, st.booleans())
def test_law_a_right_wheel_or_a_refusal(
    spec: dict[str, Any], rules: list[tuple[str, Action]], on_conflict: Action | None, verify: bool
) -> None:
    with folder() as base:
        x86_64, arm64 = make_pair(base, **spec)
        made = tuple(make_rule(glob, action.value, origin="--rule") for glob, action in rules)
        plan = PlanOptions(rules=RuleSet(rules=made), on_conflict=on_conflict)
        options = FuseOptions(plan=plan, threads=1, verify_output=verify)
        try:
            fused = fuse_wheels(x86_64, arm64, base / "out", options)
        except FatwheelError as error:
            event(type(error).__name__)
            with pytest.raises(type(error), match=r"\S"):
                fuse_wheels(arm64, x86_64, base / "out", options)
            assert not (base / "out").exists() or list((base / "out").iterdir()) == []
            return
        event("fused")
        again = fuse_wheels(arm64, x86_64, base / "swapped", replace(options, threads=2))
        assert again.path.read_bytes() == fused.path.read_bytes()
        found = check_wheel(fused.path)
        assert worse_than(found, [*check_wheel(x86_64), *check_wheel(arm64)]) == ()
        assert [f for f in found if f.code != "FW002"] == [
            f for f in fused.findings if f.code != "FW002"
        ]
        members = read_whole(fused.path)
        assert_record_is_right(members)
        sides = [contents(path) for path in (x86_64, arm64)]
        for planned in fused.plan.members:
            if isinstance(planned, Fuse):
                assert_slices(planned, members[planned.name], sides)


def assert_record_is_right(members: dict[str, bytes]) -> None:
    rows = members[f"{DIST_INFO}/RECORD"].decode().splitlines()
    expected = []
    for name, data in members.items():
        raw = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        expected.append(f"{name},sha256={raw},{len(data)}")
    expected[-1] = f"{DIST_INFO}/RECORD,,"
    assert rows == expected


def assert_slices(planned: Fuse, content: bytes, sides: list[dict[str, bytes]]) -> None:
    """Each architecture's slice is its own wheel's, byte for byte, where that wheel had one."""
    found = slices_of(content) if b"!<arch>" not in content else {}
    for arch, side in zip(Arch, sides, strict=True):
        data = side[planned.name]
        content_ = content_of(data)
        if isinstance(content_, StaticLibrary):
            assert content_.arch is not arch or data in content
            continue
        own = slices_of(data) if isinstance(content_, Universal) else {CPUS[arch]: data}
        if CPUS[arch] in own and own[CPUS[arch]][4:8] == CPUS[arch][0].to_bytes(4, "little"):
            assert found[CPUS[arch]] == own[CPUS[arch]]


@settings(max_examples=40)
@given(st.binary(max_size=400), st.binary(max_size=400), st.booleans(), st.booleans())
def test_law_thinning_gives_the_inputs_back(
    x86_64: bytes, arm64: bytes, stored: bool, plain: bool
) -> None:
    with folder() as base:
        pair = make_pair(
            base,
            x86_64={NATIVE: code(X, x86_64)},
            arm64={NATIVE: code(A, arm64)},
            x86_64_options={"stored": [NATIVE] if stored else []},
        )
        inflater = {"inflater": python_zlib()} if plain else {}
        found = slices_of(read_whole(fuse(pair, base / "out", **inflater))[NATIVE])
        assert found == {CPUS[X]: code(X, x86_64), CPUS[A]: code(A, arm64)}


def test_one_wheel_may_have_code_and_the_other_none(tmp_path: Path) -> None:
    x86_64, arm64 = make_pair(tmp_path, {}, {"pkg/libz.dylib": dylib(X)}, native=False)
    fused = fuse_wheels(x86_64, arm64, tmp_path / "out", FuseOptions())
    assert [finding.code for finding in fused.findings] == ["FW302"]
