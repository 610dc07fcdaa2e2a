"""The command line as a process: hostile wheels, signals, full disks, and the same bytes everywhere."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

import fatwheel
from fatwheel.fusion.kinds import KINDS
from fatwheel.fusion.rulebook import rule_book
from tests.support.commandline import INTERRUPTED, Done, environment, left, run
from tests.support.corpus import ROOT, SMALL_PAIR
from tests.support.macho import raw_fat
from tests.support.wheels import (
    DATE,
    DIST_INFO,
    FUSED_NAME,
    NATIVE,
    PLATFORMS,
    A,
    X,
    code,
    contents,
    edit,
    make_pair,
    make_wheel,
    raw_member,
    read_whole,
    record_of,
    tamper,
    universal,
)

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


def assert_refused(done: Done, out: Path, code_: int = 1) -> None:
    """One sentence, the exit code, and no file left."""
    assert done.returncode == code_, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "own fault" not in done.stderr
    assert [line[:10] for line in done.stderr.splitlines()] == ["fatwheel: "], done.stderr
    assert left(out) == []


# ---- hostile wheels ----

PLACE = "pkg/PLACEHOLDER"
Damage = Callable[[Path], object]


def renamed(name: bytes) -> Damage:
    """A member whose name, in both headers, is something else."""
    padded = name + b"x" * (len(PLACE) - len(name))
    assert len(padded) == len(PLACE)

    def damage(path: Path) -> None:
        data = path.read_bytes()
        assert data.count(PLACE.encode()) == 2
        path.write_bytes(data.replace(PLACE.encode(), padded))

    return damage


def attributes(mode: int) -> Damage:
    def damage(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            at = archive.start_dir
        data = bytearray(path.read_bytes())
        at = data.index(PLACE.encode(), at) - 46
        struct.pack_into("<I", data, at + 38, mode << 16)
        path.write_bytes(data)

    return damage


def local_header(offset: int, layout: str, value: int | bytes) -> Damage:
    """A field of the local header that the directory contradicts."""

    def damage(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            at = archive.getinfo(PLACE).header_offset
        edit(path, lambda data: struct.pack_into(layout, data, at + offset, value))

    return damage


def append(name: str, data: bytes = b"", mode: int = 0o100644) -> Damage:
    def damage(path: Path) -> None:
        with zipfile.ZipFile(path, "a") as archive:
            info = zipfile.ZipInfo(name, DATE)
            info.external_attr = mode << 16
            archive.writestr(info, data)

    return damage


def twice(path: Path) -> None:
    data = path.read_bytes().replace(b"pkg/SECONDPLACE", PLACE.encode())
    path.write_bytes(data)


def values(**fields: int) -> Damage:
    return lambda path: tamper(path, PLACE, **fields)


def rest(extra: bytes) -> Damage:
    """A deflate stream that ends before its member does."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    raw = compressor.compress(b"text") + compressor.flush()
    return lambda path: raw_member(path, "pkg/rest", raw + extra, b"text")


def bomb(path: Path) -> None:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = b"".join(compressor.compress(bytes(1 << 20)) for _ in range(64)) + compressor.flush()
    raw_member(path, "pkg/bomb", raw, b"")
    tamper(path, "pkg/bomb", size=1000)


def cut(part: float) -> Damage:
    def damage(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * part)])

    return damage


HOSTILE: dict[str, tuple[Damage, str]] = {
    "absolute": (renamed(b"/etc/passwd"), "its name is absolute"),
    "dot dot": (renamed(b"pkg/../../x"), "climbs out of the wheel"),
    "backslash": (renamed(b"pkg\\..\\x"), "holds a backslash"),
    "drive letter": (renamed(b"C:/x"), "holds a drive letter"),
    "NUL": (renamed(b"pkg/a\0"), "holds a control character"),
    "control character": (renamed(b"pkg/a\x1b[2J"), "holds a control character"),
    "empty part": (renamed(b"pkg//a"), "has an empty part"),
    "duplicate": (twice, "occurs twice"),
    "case": (append("PKG/__INIT__.py"), "is the same file as"),
    "file and folder": (append(f"{PLACE}/file"), "is a file and also the folder"),
    "symbolic link": (attributes(stat.S_IFLNK | 0o777), "is a symbolic link"),
    "device": (attributes(stat.S_IFCHR | 0o666), "is a device"),
    "FIFO": (attributes(stat.S_IFIFO | 0o666), "is a device"),
    "local name": (local_header(30, "<4s", b"gkp/"), "its local header names another file"),
    "local size": (local_header(22, "<I", 1), "its size is 1 in the local header"),
    "local method": (local_header(8, "<H", 0), "its method is 0 in the local header"),
    "local flags": (local_header(6, "<H", 2), "its flags is 2 in the local header"),
    "local CRC": (local_header(14, "<I", 1), "its CRC-32 is 1 in the local header"),
    "CRC": (values(crc=1), "has CRC-32"),
    "too short": (values(size=100), "its declared size is 100"),
    "too long": (values(size=1), "inflates to more than its declared size of 1 byte"),
    "bomb": (bomb, "inflates to more than its declared size of 1000 bytes"),
    "encrypted": (values(flags=1), "is encrypted"),
    "bzip2": (values(method=12), "is compressed by method 12"),
    "bytes after the stream": (rest(b"payload"), "has 7 bytes after the end of its deflate stream"),
    "no dist-info": (
        lambda path: path.write_bytes(path.read_bytes().replace(b".dist-info", b".dist-inf0")),
        "has no .dist-info folder",
    ),
    "two dist-infos": (append("x-1.0.dist-info/METADATA"), "has several .dist-info folders"),
    "bytes before": (
        lambda path: path.write_bytes(b"#!/bin/sh\n" + path.read_bytes()),
        "",
    ),
    "bytes after": (lambda path: path.write_bytes(path.read_bytes() + b"#"), ""),
    "empty": (cut(0), ""),
    **{f"cut at {part}": (cut(part), "") for part in (0.01, 0.3, 0.6, 0.9, 0.99)},
}


@pytest.mark.parametrize("label", HOSTILE)
def test_a_hostile_archive_is_refused_and_nothing_is_written(label: str, tmp_path: Path) -> None:
    damage, problem = HOSTILE[label]
    both = {PLACE: b"text" * 9} | ({"pkg/SECONDPLACE": b""} if damage is twice else {})
    pair = make_pair(tmp_path, both)
    victim = pair[list(HOSTILE).index(label) % 2]
    damage(victim)
    done = run("fuse", *pair, "-o", tmp_path / "out", "--no-verify-record")
    assert_refused(done, tmp_path / "out")
    assert problem in done.stderr
    assert victim.name in done.stderr


def dist_info(base: str, data: bytes) -> dict[str, bytes]:
    return {f"{DIST_INFO}/{base}": data}


# Files that are sound as members of an archive: (both wheels', x86_64's, arm64's).
TEXTS: dict[str, tuple[dict[str, bytes], dict[str, bytes], dict[str, bytes]]] = {
    "WHEEL of another version": (dist_info("WHEEL", b"Wheel-Version: 2.0\n"), {}, {}),
    "WHEEL is no text": (dist_info("WHEEL", b"\xff\0"), {}, {}),
    "RECORD is no text": ({}, dist_info("RECORD", b"\xff\xfe"), {}),
    "RECORD has other columns": ({}, dist_info("RECORD", b"a\n"), {}),
    "RECORD names a file outside": ({}, dist_info("RECORD", b"../a,,\n"), {}),
    "RECORD has a large number": ({}, dist_info("RECORD", b"a,," + b"9" * 5000), {}),
}


@pytest.mark.parametrize("label", TEXTS)
def test_hostile_files_of_dist_info_are_refused(label: str, tmp_path: Path) -> None:
    both, x86_64, arm64 = TEXTS[label]
    pair = make_pair(
        tmp_path,
        both,
        x86_64,
        arm64,
        record=lambda files: None if any("RECORD" in name for name in files) else record_of(files),
    )
    done = run("fuse", *pair, "-o", tmp_path / "out")
    assert_refused(done, tmp_path / "out")


DEEP = 100_000
CONTENTS: dict[str, tuple[str, bytes, bytes]] = {
    "JSON of brackets": (f"{DIST_INFO}/sboms/a.cdx.json", b"[" * DEEP, b"[" * DEEP + b" "),
    "JSON of objects": (f"{DIST_INFO}/sboms/a.cdx.json", b'{"a":' * DEEP, b'{"b":' * DEEP),
    "JSON of digits": (f"{DIST_INFO}/sboms/a.cdx.json", b'{"a":' + b"9" * DEEP + b"}", b"{}"),
    "METADATA of colons": (f"{DIST_INFO}/METADATA", b":" * DEEP, b";" * DEEP),
    "METADATA of markers": (
        f"{DIST_INFO}/METADATA",
        b"Metadata-Version: 2.1\nRequires-Dist: a; " + b"(" * DEEP + b"\n",
        b"Metadata-Version: 2.1\nRequires-Dist: b\n",
    ),
    "entry points": (f"{DIST_INFO}/entry_points.txt", b"[[[\n" * 1000, b"]=\0\n"),
    "Python of parentheses": ("pkg/a.py", b"(" * DEEP, b"[" * DEEP),
    "Python of indents": (
        "pkg/a.py",
        b"".join(b" " * n + b"if 1:\n" for n in range(200)),
        b"\tif 1:\n  x\n",
    ),
    "Python of NULs": ("pkg/a.py", b"\0" * 100, b"# coding: rot13\n\0"),
    "headers": ("pkg/a.h", b"#if\n" * DEEP, b"#endif\n" * DEEP),
    "fat files in each other": (
        NATIVE,
        universal(code(X), align=3),
        raw_fat([(0x01000007, 3, 0, 28, 0)]) + b"\xca\xfe\xba\xbe\0\0\0\1",
    ),
    "an image of nothing but commands": (
        NATIVE,
        code(X),
        struct.pack("<8I", 0xFEEDFACF, 0x0100000C, 0, 2, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0),
    ),
    "an archive with a name that is longer than it": (
        "pkg/a.a",
        b"!<arch>\n" + b"#1/99999999     0           0     0     644     10        `\n" + b"x" * 10,
        b"!<arch>\n" + b"/99999999       0           0     0     644     10        `\n" + b"x" * 10,
    ),
}


@pytest.mark.parametrize("label", CONTENTS)
def test_hostile_contents_are_a_conflict_at_worst(label: str, tmp_path: Path) -> None:
    name, x86_64, arm64 = CONTENTS[label]
    pair = make_pair(tmp_path, {}, {name: x86_64}, {name: arm64, "pkg/other.so": code(A)})
    rules = ["pkg/none=drop"]
    if name == "pkg/a.py":
        rules += [f"{name}=guard", f"{name}=dispatch"]
    for rule in rules:
        done = run("fuse", *pair, "-o", tmp_path / "out", "--rule", rule, timeout=60)
        assert "Traceback" not in done.stderr
        assert "own fault" not in done.stderr
        assert done.returncode in (0, 1), done.stderr
        if done.returncode == 1:
            assert left(tmp_path / "out") == []
        shutil.rmtree(tmp_path / "out", ignore_errors=True)


def test_a_deep_fatwheel_json_of_an_input_is_no_matter(tmp_path: Path) -> None:
    pair = make_pair(
        tmp_path,
        dist_info("fatwheel.json", b"[" * DEEP),
        arm64={NATIVE: code(A, signed=False)},
    )
    done = run("fuse", *pair, "-o", tmp_path / "out")
    assert "Traceback" not in done.stderr
    assert "own fault" not in done.stderr
    assert done.returncode in (0, 1)


# ---- interruption ----


@POSIX
@pytest.mark.parametrize(
    ("place", "force"),
    [
        ("fatwheel.fusion.fuse.check", False),
        ("fatwheel.fusion.fuse.check", True),
        ("fatwheel.fusion.fuse.plan_pair", False),
        ("fatwheel.fusion.readpair.scan_pair", False),
    ],
    ids=["when all is written", "when all is written --force", "while planning", "while reading"],
)
@pytest.mark.parametrize("kind", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_a_signal(place: str, force: bool, kind: str, tmp_path: Path) -> None:
    module, _, function = place.rpartition(".")
    pair = make_pair(tmp_path, {f"pkg/{n}.txt": bytes(9 << 20) for n in range(2)})
    out = tmp_path / "out"
    out.mkdir()
    if force:
        (out / FUSED_NAME).write_bytes(b"old")
    script = INTERRUPTED.format(module=module, function=function)
    command = [sys.executable, "-c", script, "fuse", *map(str, pair), "-o", str(out)]
    command += ["--force"] * force
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(getattr(signal, kind))
    _, error = process.communicate(timeout=120)
    names = left(out)
    if kind == "SIGKILL":
        assert process.returncode == -signal.SIGKILL
        names = [name for name in names if not name.endswith(".part")]
    else:
        assert process.returncode == 130
        assert error == "\nfatwheel: interrupted; what was not complete is gone\n"  # after ^C
    assert names == ([FUSED_NAME] if force else [])
    if force:
        assert (out / FUSED_NAME).read_bytes() == b"old"


@POSIX
def test_a_reader_that_hangs_up(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = run("fuse", *pair, "-o", tmp_path / "out", "--json", stdout=write_end)
    os.close(write_end)
    assert done.returncode == 1
    assert done.stderr == ""


# ---- disks ----


@POSIX
def test_a_limit_on_file_sizes(tmp_path: Path) -> None:
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    pair = make_pair(tmp_path)
    done = run("fuse", *pair, "-o", tmp_path / "out", preexec_fn=limit)
    assert_refused(done, tmp_path / "out")
    assert done.stderr == f"fatwheel: {tmp_path / 'out' / FUSED_NAME}: File too large\n"


def on_a_disk(options: str, pair: tuple[Path, Path], folder: Path) -> Done:
    """Fuse into a file system of its own, and print what is left there after `--- left`."""
    folder.mkdir()
    fuse = [sys.executable, "-m", "fatwheel", "fuse", *map(str, pair), "-o", str(folder)]
    script = 'mount -t tmpfs -o "$1" none "$2" || exit 99; shift 2; "$@"; code=$?; ls -A "$0"; exit $code'
    unshare = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, str(folder)]
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    done = subprocess.run(
        [*unshare, options, str(folder), *fuse],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("needs mount namespaces of one's own")
    return done


@POSIX
def test_a_full_disk(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, {"pkg/a": os.urandom(100_000)})
    done = on_a_disk("size=64k", pair, tmp_path / "disk")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"fatwheel: {tmp_path / 'disk' / FUSED_NAME}: No space left on device\n"


@POSIX
def test_a_disk_that_cannot_be_written(tmp_path: Path) -> None:
    done = on_a_disk("ro", make_pair(tmp_path), tmp_path / "disk")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"fatwheel: {tmp_path / 'disk' / FUSED_NAME}: Read-only file system\n"


@POSIX
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    out = tmp_path / "out"
    out.mkdir(mode=0o555)
    assert_refused(run("fuse", *pair, "-o", out), out)


def test_an_input_that_cannot_be_read(tmp_path: Path) -> None:
    _, arm64 = make_pair(tmp_path)
    folder = tmp_path / f"pkg-1.0-cp312-cp312-{PLATFORMS[X]}.whl"
    folder.unlink()
    folder.symlink_to("/dev/null")
    assert_refused(run("fuse", folder, arm64, "-o", tmp_path / "out"), tmp_path / "out")


# ---- the same bytes everywhere ----


def test_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    pair = make_pair(
        tmp_path,
        {f"pkg/{n}.txt": bytes([n]) * 999 for n in range(30)},
        {"pkg/a.h": b"1\n", "pkg/x.txt": b"", "pkg/d.txt": b"1"},
        {"pkg/a.h": b"2\n", "pkg/d.txt": b"2"},
    )
    other = tmp_path / "elsewhere"
    other.mkdir()
    ways: dict[str, tuple[list[str | Path], dict[str, str], Path]] = {
        "plain": ([*pair], {}, tmp_path),
        "swapped": ([*reversed(pair)], {"PYTHONHASHSEED": "1"}, tmp_path),
        "relative": ([os.path.relpath(p, other) for p in pair], {"PYTHONHASHSEED": "2"}, other),
        "folder": ([tmp_path], {"PYTHONHASHSEED": "3", "TZ": "Asia/Tokyo"}, other),
        "checked": ([*pair, "--verify-output"], {"LC_ALL": "C"}, tmp_path),
    }
    made = {}
    for way, (arguments, env, cwd) in ways.items():
        out = tmp_path.parent / f"{tmp_path.name}-{way}"
        done = run("fuse", *arguments, "-o", out, "--on-conflict", "keep-arm64", env=env, cwd=cwd)
        assert done.returncode == 0, done.stderr
        made[way] = (out / FUSED_NAME).read_bytes()
    assert {way for way, data in made.items() if data != made["plain"]} == set()


def test_source_date_epoch_is_every_members_time(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    env = {"SOURCE_DATE_EPOCH": "1700000000", "TZ": "America/New_York"}
    done = run("fuse", *pair, "-o", tmp_path / "out", env=env)
    assert done.returncode == 0
    with zipfile.ZipFile(tmp_path / "out" / FUSED_NAME) as archive:
        assert {i.date_time for i in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}


def test_several_jobs_say_and_make_the_same(tmp_path: Path) -> None:
    for name in ("aaa", "bbb", "ccc"):
        for arch in (X, A):
            files = {NATIVE: code(arch), "pkg/d.txt": arch.value.encode() if name == "bbb" else b""}
            make_wheel(tmp_path / "in", PLATFORMS[arch], files, name=name)
    results = []
    for jobs in ("1", "2"):
        out = tmp_path / f"out{jobs}"
        done = run("fuse", tmp_path / "in", "-q", "--jobs", jobs, "-o", out)
        assert done.returncode == 1
        paths = done.stdout.replace(str(out), "")
        results.append((paths, done.stderr, [contents(p) for p in sorted(out.iterdir())]))
    assert results[0] == results[1]
    assert len(results[0][2]) == 2


# ---- what is printed ----


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("option", ["--json", "-v"])
def test_names_that_the_terminal_cannot_show(encoding: str, option: str, tmp_path: Path) -> None:
    pair = make_pair(tmp_path, {"pkg/日本.txt": b"", "pkg/é.txt": b""})
    env = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = run("fuse", *pair, "-o", tmp_path / "out", option, env=env)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
    if option == "--json":
        members = json.loads(done.stdout)["pairs"][0]["plan"]["members"]
        assert "pkg/日本.txt" in {member["name"] for member in members}


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems want UTF-8")
@pytest.mark.parametrize("encoding", ["utf-8:strict", "utf-8", "cp1252", "ascii"])
@pytest.mark.parametrize("option", ["-q", "--json"])
def test_a_folder_whose_name_is_no_text(encoding: str, option: str, tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    out = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    env = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = run("fuse", *pair, "-o", out, option, env=env)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
    assert left(out) == [FUSED_NAME]
    if option == "-q" and encoding.startswith("utf-8"):
        assert done.stdout == f"{out / FUSED_NAME}\n"


def test_the_fixtures(tmp_path: Path) -> None:
    x86_64, arm64 = SMALL_PAIR
    done = run("fuse", x86_64, arm64, "-o", tmp_path)
    assert done.returncode == 0
    (path,) = tmp_path.iterdir()
    assert done.stdout == f"{path}\n"
    assert "markupsafe/_speedups.cpython-312-darwin.so" in read_whole(path)
    assert run("check", path).stdout == f"{path}: 0 errors, 0 other findings\n"


def test_without_o_the_wheel_lies_here(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    here = tmp_path / "here"
    here.mkdir()
    done = run("fuse", *pair, cwd=here)
    assert (done.returncode, done.stdout) == (0, f"{FUSED_NAME}\n")
    assert left(here) == [FUSED_NAME]


def test_version() -> None:
    assert run("--version").stdout == f"fatwheel {fatwheel.__version__}\n"


def test_rules() -> None:
    text, document = run("rules").stdout, json.loads(run("rules", "--json").stdout)
    assert [
        (rule["project"], rule["member"], rule["action"], rule["reason"])
        for rule in document["rules"]
    ] == [(rule.project, rule.glob, rule.action.value, rule.reason) for rule in rule_book()]
    for rule in rule_book():
        assert f"{rule.project}: {rule.glob} = {rule.action.value}\n    {rule.reason}\n" in text
    assert [kind["kind"] for kind in document["kinds"]] == [kind.name for kind in KINDS]
    for kind in KINDS:
        assert f"kind {kind.name}: {kind.files}\n    {kind.settles}\n    {kind.why}\n" in text


def test_rules_explain_a_member(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, {}, {"pkg/a.py": b"A = 1\n"}, {"pkg/a.py": b"A = 2\n"})
    explained = run("rules", "--explain", "pkg/a.py", *pair).stdout
    assert "pkg/a.py: merge\n" in explained
    assert "decided by kind literals (merge)" in explained
    document = json.loads(
        run("rules", "--explain", "pkg/a.py", *pair, "--no-kind", "literals", "--json").stdout
    )
    assert (document["action"], document["decision"]) == ("conflict", None)
    assert run("rules", "--explain", "pkg/a.py", pair[0]).returncode == 2
    assert run("rules", pair[0]).returncode == 2
    assert run("fuse", *pair, "--no-kind", "literals", "-o", tmp_path / "out").returncode == 1
    wrong = run("fuse", *pair, "--no-kind", "x", "-o", tmp_path / "out")
    assert (wrong.returncode, "--no-kind x: there is no such kind" in wrong.stderr) == (2, True)


def test_lipo(tmp_path: Path) -> None:
    thin = [tmp_path / arch.value for arch in (X, A)]
    for path, arch in zip(thin, (X, A), strict=True):
        path.write_bytes(code(arch))
    done = run("lipo", "-create", *thin, "-output", tmp_path / "fat")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run("lipo", "-archs", tmp_path / "fat").stdout.split() == ["x86_64", "arm64"]
    assert run("lipo", "-archs", tmp_path / "none").returncode == 1


def test_every_name_of_the_api_is_there() -> None:
    assert [name for name in fatwheel.__all__ if getattr(fatwheel, name, None) is None] == []
    with pytest.raises(AttributeError, match="module 'fatwheel' has no attribute 'melt'"):
        _ = fatwheel.melt


def test_damaged_images_among_data_do_not_crash_python(tmp_path: Path) -> None:
    """CPython's garbage collector died of a view that only the traceback of a kept error held."""
    program = ROOT / "fixtures" / "lipo-cases" / "valid" / "zig_mixed_kinds" / "z_x86_64-exe"
    data = bytearray(program.read_bytes())
    at = 32
    while struct.unpack_from("<II", data, at)[0] != 0x19 or not data[at + 64]:
        at += struct.unpack_from("<II", data, at)[1]
    struct.pack_into("<I", data, at + 72 + 48, 0x7FFFFFFF)  # the first section's offset
    x86_64, arm64 = make_pair(
        tmp_path, {f"pkg/t{n}.bin": bytes(data) + bytes([n]) for n in range(3)}
    )
    main = "import gc; gc.set_threshold(1); gc.set_threshold = id; from fatwheel.cli.main import main; main()"
    command = [sys.executable, "-c", main, "fuse", str(x86_64), str(arm64), "-o", str(tmp_path)]
    done = subprocess.run(
        command, env=environment(), capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("section 0 lies at 2147483647") == 3


@POSIX
def test_streams_that_were_closed_at_the_start_do_no_harm(tmp_path: Path) -> None:
    x86_64, arm64 = make_pair(tmp_path)
    command = f'exec "$0" -m fatwheel fuse {x86_64} {arm64} -o {tmp_path}/out >&- 2>&-'
    done = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable], env=environment(), check=False
    )
    assert done.returncode == 0
    assert len(left(tmp_path / "out")) == 1


@POSIX
def test_ctrl_c_while_it_starts(tmp_path: Path) -> None:
    """Once fatwheel's own first step is done, there is no traceback, whatever is being imported."""
    started = (
        "import _signal, sys; import fatwheel.__main__ as program; _signal.signal(_signal.SIGINT, program._end); "
        "sys.stdout.write('ready\\n'); sys.stdout.flush(); program.main()"
    )
    said = set()
    for number in range(25):
        process = subprocess.Popen(
            [sys.executable, "-c", started, "fuse", "nowhere.whl", "nothing.whl"],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(number * 0.004)
        process.send_signal(signal.SIGINT)
        said.add(process.communicate(timeout=120)[1].strip())
    assert not [text for text in said if "Traceback" in text]
    assert "fatwheel: interrupted; what was not complete is gone" in said


LATE = """\
import sys
from fatwheel.cli import main as module

real, times = module._react_to_signals, []

def interrupted(*reactions):
    if module.signal.SIG_DFL in reactions and len(times) < 2:
        times.append(1)
        raise KeyboardInterrupt
    real(*reactions)

module._react_to_signals = interrupted
sys.argv = ["fatwheel", "rules"]
module.main()
"""


def test_ctrl_c_when_all_is_done_is_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LATE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (130, "")
