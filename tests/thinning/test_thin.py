"""Thin wheels as files: the laws of taking apart, what is refused, and what is left when something goes wrong."""

from __future__ import annotations

import json
import random
import struct
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import lief
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fatwheel import FuseOptions, ThinOptions, fuse_wheels, thin_wheel
from fatwheel.arch import Arch
from fatwheel.archive.writer import ZipWriter
from fatwheel.check.finding import Finding, Severity
from fatwheel.check.verdict import check_wheel
from fatwheel.deflate.inflaters import available_inflaters
from fatwheel.errors import (
    ChangedError,
    OutputExistsError,
    RefusedError,
    UsageError,
    WheelError,
)
from fatwheel.fusion.actions import Drop
from fatwheel.fusion.plan import PlanOptions
from fatwheel.fusion.rules import RuleSet, parse_rule
from fatwheel.fusion.write import write_wheel
from fatwheel.thinning import thin as module
from tests.support.corpus import SMALL_PAIR, acceptance_pairs
from tests.support.oracles import judge_pages, modes
from tests.support.required import require_pair, require_tool, unavailable
from tests.support.signing import Directory
from tests.support.wheels import (
    DIST_INFO,
    FUSED_NAME,
    NATIVE,
    PLATFORMS,
    A,
    X,
    altered,
    code,
    contents,
    dylib,
    make_pair,
    make_wheel,
    program,
    read_whole,
    record_of,
    slices_of,
    static,
    universal,
)

OWN = {f"{DIST_INFO}/{base}" for base in ("RECORD", "WHEEL", "fatwheel.json")}
PLATFORM = "macosx_10_13_universal2"
BOTH = universal(code(X, b"x" * 5000), code(A, b"a" * 6000))


def fat(folder: Path, files: Mapping[str, bytes] = {}, platform: str = PLATFORM) -> Path:
    return make_wheel(folder / "fat", platform, {"pkg/__init__.py": b"", NATIVE: BOTH, **files})


def fused(pair: tuple[Path, Path], folder: Path, *rules: str) -> Path:
    """The wheel that fatwheel makes of the two."""
    options = FuseOptions(plan=PlanOptions(rules=RuleSet(rules=tuple(map(parse_rule, rules)))))
    return fuse_wheels(pair[0], pair[1], folder, options).path


def thin(path: Path, arch: Arch, folder: Path, **options: object) -> Path:
    return thin_wheel(path, arch, folder, ThinOptions(**options)).path  # type: ignore[arg-type]


def test_the_wheel_of_one_architecture(tmp_path: Path) -> None:
    made = thin_wheel(fat(tmp_path), A, tmp_path / "out", ThinOptions())
    assert made.path == tmp_path / "out" / "pkg-1.0-cp312-cp312-macosx_11_0_arm64.whl"
    found = read_whole(made.path)  # compares each file with RECORD
    assert found[NATIVE] == code(A, b"a" * 6000)
    assert found[f"{DIST_INFO}/WHEEL"].endswith(b"Tag: cp312-cp312-macosx_11_0_arm64\n")
    assert list(found)[-1] == f"{DIST_INFO}/RECORD"
    assert made.size == made.path.stat().st_size < made.size_before
    assert [f for f in made.findings if f.severity is Severity.ERROR] == []


def test_the_bytes_are_the_same_however_often_and_on_each_inflater(tmp_path: Path) -> None:
    path = fat(tmp_path)
    first = thin(path, X, tmp_path / "first").read_bytes()
    for number, inflater in enumerate(available_inflaters()):
        if inflater.finds_blocks:
            again = thin(path, X, tmp_path / str(number), inflater=inflater, threads=1)
            assert again.read_bytes() == first


def test_a_slice_that_repeats_the_one_before_it_depends_on_no_zlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stream is nothing but matches that reach back to the other slice, which is gone."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("deflated by Python's zlib")

    monkeypatch.setattr(ZipWriter, "add_recompressed", refuse)
    text = random.Random(1).randbytes(3000) + bytes(20_000)
    data = universal(code(X, text), code(A, text), align=4)
    path = make_wheel(tmp_path, PLATFORM, {NATIVE: data})
    made = thin(path, A, tmp_path / "out")
    assert contents(made)[NATIVE] == code(A, text)
    assert made.stat().st_size <= path.stat().st_size


def packed_well(path: Path) -> None:
    """Pack a wheel's members as well as zlib does it."""
    with zipfile.ZipFile(path) as archive:
        found = {info: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for info, data in found.items():
            archive.writestr(info.filename, data)


@pytest.mark.parametrize("count", [0, 3, 300])
def test_a_wheel_in_which_nothing_can_be_left_out_grows_by_nothing(
    tmp_path: Path, count: int
) -> None:
    files = {f"pkg/file_{n}.txt": random.Random(n).randbytes(9) for n in range(count)}
    data = code(X, random.Random(1).randbytes(5000))
    path = make_wheel(tmp_path, "macosx_10_13_universal2", {NATIVE: data, **files})
    packed_well(path)
    made = thin_wheel(path, X, tmp_path / "out", ThinOptions())
    assert made.size == made.path.stat().st_size <= path.stat().st_size
    assert contents(made.path)[NATIVE] == data
    assert list(read_whole(made.path))[-1] == f"{DIST_INFO}/RECORD"


@pytest.mark.parametrize(
    "name", [name for name, pair in acceptance_pairs().items() if pair.universal2 is not None]
)
def test_real_wheels_never_grow(tmp_path: Path, name: str) -> None:
    pair = require_pair(name)
    assert pair.universal2 is not None
    if not pair.universal2.is_cached():
        unavailable(f"the universal2 wheel of {name}", "scripts/fetch_wheels.py gets it")
    for arch in Arch:
        made = thin_wheel(pair.universal2.path, arch, tmp_path, ThinOptions())
        assert made.size <= made.size_before


@pytest.mark.parametrize("stored", [(), (NATIVE,)], ids=["deflated", "stored"])
def test_without_block_positions_the_content_is_the_same(
    tmp_path: Path, stored: tuple[str, ...]
) -> None:
    path = make_wheel(tmp_path, PLATFORM, {NATIVE: BOTH}, stored=stored)
    for number, inflater in enumerate(available_inflaters()):
        made = thin(path, A, tmp_path / str(number), inflater=inflater)
        assert contents(made)[NATIVE] == code(A, b"a" * 6000)
        assert made.stat().st_size < path.stat().st_size


def test_modes_stay(tmp_path: Path) -> None:
    made = {NATIVE: 0o755, "pkg/tool": 0o700}
    files = {NATIVE: BOTH, "pkg/tool": universal(program(X), program(A))}
    path = make_wheel(tmp_path, PLATFORM, files, modes=made)
    found = modes(thin(path, A, tmp_path / "out"))
    assert {name: found[name] & 0o777 for name in made} == made


def test_static_libraries(tmp_path: Path) -> None:
    data = universal(static(X, b"x" * 400), static(A, b"a" * 400), align=3)
    path = fat(tmp_path, {"pkg/lib/libpkg.a": data})
    for arch, letter in ((X, b"x"), (A, b"a")):
        found = contents(thin(path, arch, tmp_path / "out"))
        assert found["pkg/lib/libpkg.a"] == static(arch, letter * 400)


# ---- laws ----

TEXTS = st.sampled_from([b"", b"text\n", b"other text\n" * 200, bytes(3000)])
MAKERS: Mapping[str, Callable[[Arch, bytes], bytes]] = {
    "bundle": code,
    "dylib": dylib,
    "program": program,
    "static": static,
}
CONTENT = st.binary(min_size=1, max_size=3000)


@st.composite
def sides(draw: st.DrawFn) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Two thin wheels' files that fuse without a rule."""
    x86_64: dict[str, bytes] = {}
    arm64: dict[str, bytes] = {}
    for number in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["bundle", "dylib", "program", "static", "text", "one-sided"]))
        name = f"pkg/{number}"
        if kind == "text":
            x86_64[name] = arm64[name] = draw(TEXTS)
        elif kind == "one-sided":
            arch = draw(st.sampled_from(list(Arch)))
            side = x86_64 if arch is X else arm64
            side[name] = draw(st.sampled_from([b"data", dylib(arch, draw(CONTENT))]))
        else:
            make = MAKERS[kind]
            x86_64[name], arm64[name] = make(X, draw(CONTENT)), make(A, draw(CONTENT))
    return x86_64, arm64


LAWS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@LAWS
@given(sides())
def test_thinning_a_fused_wheel_gives_each_wheel_back(
    tmp_path_factory: pytest.TempPathFactory, files: tuple[dict[str, bytes], dict[str, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("law")
    pair = make_pair(folder, {}, *files)
    whole = fused(pair, folder / "fused")
    for arch, wheel in zip(Arch, pair, strict=True):
        made = thin(whole, arch, folder / "thin")
        assert made.name == wheel.name
        found, before = read_whole(made), contents(wheel)
        assert {n: d for n, d in found.items() if n not in OWN} == {
            n: d for n, d in before.items() if n not in OWN
        }
        assert made.stat().st_size <= whole.stat().st_size


@LAWS
@given(sides())
def test_fusing_what_was_thinned_gives_the_slices_back(
    tmp_path_factory: pytest.TempPathFactory, files: tuple[dict[str, bytes], dict[str, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("law")
    whole = fused(make_pair(folder, {}, *files), folder / "1")
    halves = (thin(whole, X, folder / "thin"), thin(whole, A, folder / "thin"))
    again = fused(halves, folder / "2")
    assert again.name == whole.name
    assert {n: d for n, d in contents(again).items() if n not in OWN} == {
        n: d for n, d in contents(whole).items() if n not in OWN
    }


@LAWS
@given(sides(), st.sampled_from(list(Arch)))
def test_thinning_a_thin_wheel_leaves_its_members_as_they_are(
    tmp_path_factory: pytest.TempPathFactory,
    files: tuple[dict[str, bytes], dict[str, bytes]],
    arch: Arch,
) -> None:
    folder = tmp_path_factory.mktemp("law")
    wheel = make_pair(folder, {}, *files)[list(Arch).index(arch)]
    made = thin(wheel, arch, folder / "thin")
    assert made.name == wheel.name
    assert contents(made) == contents(wheel)
    assert made.stat().st_size <= wheel.stat().st_size


def test_further_slices_are_left_out_of_both(tmp_path: Path) -> None:
    """fuse(thin(u)) has u's slices for x86_64 and arm64; those for others are said to be left out."""
    data = universal(
        code(X), code(X, cpu=(0x01000007, 8)), code(A), code(A, cpu=(0x0100000C, 0x80000002))
    )
    path = fat(tmp_path, {"pkg/_other.cpython-312-darwin.so": data})
    halves = [thin_wheel(path, arch, tmp_path / "thin", ThinOptions()) for arch in Arch]
    for half in halves:
        (take,) = (m for m in half.plan.members if m.name.startswith("pkg/_other"))
        assert getattr(take, "note", "") == "x86_64h, arm64e left out as well"
    again = fused((halves[0].path, halves[1].path), tmp_path / "again")
    found = slices_of(contents(again)["pkg/_other.cpython-312-darwin.so"])
    assert list(found.values()) == [code(X), code(A)]


# ---- texts that fatwheel made of two ----


def test_guarded_headers_dispatched_modules_and_sboms_are_split(tmp_path: Path) -> None:
    def bom(*names: str) -> bytes:
        components = [{"bom-ref": name, "type": "library", "name": name} for name in names]
        depends = [{"ref": name, "dependsOn": []} for name in names]
        first = {"ref": "pkg", "dependsOn": list(names)}
        document = {
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "serialNumber": "urn:uuid:00000000-0000-0000-0000-000000000000",
            "components": components,
            "dependencies": [first, *depends],
        }
        return json.dumps(document).encode()

    sbom = f"{DIST_INFO}/sboms/pkg.cyclonedx.json"
    x86_64 = {
        "pkg/config.h": b"#define WORD 8\n",
        "pkg/cpu.py": "# coding: latin-1\nNAME = 'é'\n".encode("latin-1"),
        sbom: bom("a", "b", "x"),
    }
    arm64 = {
        "pkg/config.h": b"#if 1\n#define WORD 16\n#endif\n",
        "pkg/cpu.py": b"NAME = '''arm64\"\"\"'''\n",
        sbom: bom("a", "arm", "b"),
    }
    pair = make_pair(tmp_path, {}, x86_64, arm64)
    whole = fused(pair, tmp_path / "fused", "pkg/cpu.py=dispatch")
    for arch, own in ((X, x86_64), (A, arm64)):
        found = contents(thin(whole, arch, tmp_path / "thin"))
        assert found["pkg/config.h"] == own["pkg/config.h"]
        assert found["pkg/cpu.py"] == own["pkg/cpu.py"]
        document, before = json.loads(found[sbom]), json.loads(own[sbom])
        assert document["components"] == before["components"]
        assert document["dependencies"] == before["dependencies"]
        assert document["serialNumber"] != before["serialNumber"]
        assert json.loads(found[f"{DIST_INFO}/fatwheel.json"])["decisions"] == []


def test_such_texts_of_others_stay(tmp_path: Path) -> None:
    """Only a wheel that fatwheel fused has texts that it made."""
    pair = make_pair(tmp_path, {}, {"pkg/a.h": b"#define X\n"}, {"pkg/a.h": b"#define A\n"})
    header = contents(fused(pair, tmp_path / "fused"))["pkg/a.h"]
    found = contents(thin(fat(tmp_path, {"pkg/a.h": header}), A, tmp_path / "out"))
    assert found["pkg/a.h"] == header


# ---- names in texts ----


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        (b"cdll.LoadLibrary('attach_x86_64.dylib')", True),
        (b"name = 'attach_x86_64' + suffix", True),
        (b"reattach_x86_64.dylib", False),
        (b"attach_x86_64_more", False),
        (b"attach_x86", False),
        (b" " * 300_000 + b"attach_x86_64", True),
        (b"-" * (256 * 1024 - 5) + b"attach_x86_64-", True),
    ],
    ids=["name", "stem", "longer before", "longer behind", "shorter", "far", "over an edge"],
)
def test_a_library_that_a_text_names_stays(tmp_path: Path, text: bytes, stays: bool) -> None:
    files = {"pkg/attach_x86_64.dylib": dylib(X), "pkg/debug.py": text}
    found = contents(thin(fat(tmp_path, files), A, tmp_path / "out"))
    assert ("pkg/attach_x86_64.dylib" in found) is stays


def test_lists_of_files_name_nothing(tmp_path: Path) -> None:
    """RECORD names every file, and so may fatwheel.json."""
    report = {
        "inputs": {},
        "decisions": [{"member": "pkg/liba.dylib", "action": "allow", "by": "", "reason": ""}],
    }
    files = {
        "pkg/liba.dylib": dylib(X),
        f"{DIST_INFO}/fatwheel.json": json.dumps(report).encode(),
        f"{DIST_INFO}/RECORD.jws": b"liba.dylib",
    }
    made = thin_wheel(fat(tmp_path, files), A, tmp_path / "out", ThinOptions())
    dropped = {m.name for m in made.plan.members if isinstance(m, Drop)}
    assert dropped == {"pkg/liba.dylib", f"{DIST_INFO}/RECORD.jws"}


# ---- refusals, and what is left of them ----


def nothing_left(folder: Path) -> bool:
    return not folder.exists() or not any(folder.iterdir())


def test_an_existing_output_is_replaced_on_demand_only(tmp_path: Path) -> None:
    path, out = fat(tmp_path), tmp_path / "out"
    target = thin(path, A, out)
    target.write_bytes(b"mine")
    with pytest.raises(OutputExistsError, match="exists; replace it with --force"):
        thin(path, A, out)
    assert target.read_bytes() == b"mine"
    assert thin(path, A, out, replace=True).read_bytes() != b"mine"
    assert [p.name for p in out.iterdir()] == [target.name]


def test_an_input_is_never_overwritten(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, PLATFORMS[A], {NATIVE: code(A)})
    before = path.read_bytes()
    with pytest.raises(RefusedError, match="is the input and would be overwritten"):
        thin(path, A, tmp_path, replace=True)
    assert path.read_bytes() == before


def test_a_wrong_record_is_refused_or_put_right(tmp_path: Path) -> None:
    path = make_wheel(
        tmp_path, PLATFORM, {NATIVE: BOTH}, record=lambda files: record_of(files, wrong=[NATIVE])
    )
    with pytest.raises(WheelError, match="disagrees with the files"):
        thin(path, A, tmp_path / "out")
    assert nothing_left(tmp_path / "out")
    made = thin_wheel(path, A, tmp_path / "out", ThinOptions(verify_record=False))
    assert made.plan.notes[0].startswith(f"RECORD of {FUSED_NAME} disagrees")
    read_whole(made.path)


def test_a_pattern_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--drop '\[z-a\]': this is no pattern"):
        thin(fat(tmp_path), A, tmp_path / "out", drop=("[z-a]",))


@pytest.mark.parametrize("base", ["METADATA", "WHEEL"])
def test_a_wheel_without_its_own_files(tmp_path: Path, base: str) -> None:
    path = fat(tmp_path)
    files = {n: d for n, d in contents(path).items() if not n.endswith(("RECORD", base))}
    metadata = None if base == "METADATA" else b"x"
    text = "" if base == "WHEEL" else None
    if base == "METADATA":
        other = make_wheel(tmp_path / "2", PLATFORM, files, metadata=metadata)
        with pytest.raises(WheelError, match="METADATA: is missing"):
            thin(other, A, tmp_path / "out")
    else:
        other = make_wheel(tmp_path / "2", PLATFORM, files, wheel_text=text)
        with pytest.raises(WheelError, match="Wheel-Version"):
            thin(other, A, tmp_path / "out")
    assert nothing_left(tmp_path / "out")


def test_a_damaged_member_is_told(tmp_path: Path) -> None:
    path = fat(tmp_path)
    data = bytearray(path.read_bytes())
    at = data.index(b"__TEXT") if b"__TEXT" in data else len(data) // 3
    data[at] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(WheelError):
        thin(path, A, tmp_path / "out")
    assert nothing_left(tmp_path / "out")


def test_an_input_that_changes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fat(tmp_path)

    def changing(*args: object, **options: object) -> object:
        path.write_bytes(path.read_bytes() + b"!")
        return write_wheel(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "write_wheel", changing)
    with pytest.raises(ChangedError):
        thin(path, A, tmp_path / "out")
    assert nothing_left(tmp_path / "out")


def test_an_error_that_the_input_does_not_have_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be a mistake of fatwheel's own."""
    fault = Finding(code="FW301", severity=Severity.ERROR, member=NATIVE, message="no code")
    monkeypatch.setattr(module, "check", lambda _: (fault,))
    path = fat(tmp_path)
    with pytest.raises(RefusedError, match="would have an error that the input does not have"):
        thin(path, A, tmp_path / "out")
    assert nothing_left(tmp_path / "out")
    assert thin(path, A, tmp_path / "out", allow=frozenset({"FW301"})).exists()


def test_errors_of_the_input_are_handed_down(tmp_path: Path) -> None:
    """Code that somebody edited after it was signed is as wrong as before; the findings say so."""
    broken = altered(code(A, b"a" * 9000, directories=[Directory()]), 5000)
    path = make_wheel(tmp_path, PLATFORM, {NATIVE: universal(code(X), broken)})
    made = thin_wheel(path, A, tmp_path / "out", ThinOptions())
    assert "FW331" in {finding.code for finding in made.findings}
    assert "FW331" in {finding.code for finding in check_wheel(path)}


# ---- judges ----


@pytest.mark.parametrize("arch", Arch, ids=lambda arch: arch.value)
def test_llvm_lipo_and_lief_agree(tmp_path: Path, arch: Arch) -> None:
    lipo = require_tool("llvm-lipo-19")
    fat_wheel = fused((SMALL_PAIR[0], SMALL_PAIR[1]), tmp_path / "fused")
    before, after = contents(fat_wheel), contents(thin(fat_wheel, arch, tmp_path / "thin"))
    cut = [name for name, data in before.items() if data[:4] == b"\xca\xfe\xba\xbe"]
    assert cut
    for name in cut:
        whole, piece = tmp_path / "whole", tmp_path / "piece"
        whole.write_bytes(before[name])
        subprocess.run([lipo, whole, "-thin", arch.value, "-output", piece], check=True)
        assert after[name] == piece.read_bytes()
        assert list(judge_pages(after[name])) == []
        (binary,) = list(lief.MachO.parse(after[name]) or ())
        assert (
            int(binary.header.cpu_type.value)
            == arch.cputype
            == struct.unpack_from("<I", after[name], 4)[0]
        )


REAL = ["kiwisolver", "yarl", "cramjam", "pydantic-core", "pillow", "rapidfuzz"]


@pytest.mark.parametrize("name", REAL)
def test_real_pairs_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    """Every file but those that describe the wheel, and the SBOMs, of which the components are the same."""
    pair = require_pair(name)
    wheels = {X: pair.x86_64.path, A: pair.arm64.path}
    whole = fuse_wheels(wheels[X], wheels[A], tmp_path / "fused", FuseOptions()).path
    for arch, wheel in wheels.items():
        made = thin(whole, arch, tmp_path / "thin")
        assert made.name == wheel.name
        before = {n: d for n, d in contents(wheel).items() if not n.endswith("/")}
        after = read_whole(made)
        assert after.keys() - before.keys() == {n for n in after if n.endswith("/fatwheel.json")}
        assert before.keys() <= after.keys()
        differing = {n for n in before if before[n] != after[n]}
        for sbom in [n for n in differing if "/sboms/" in n]:
            assert parts(after[sbom]) == parts(before[sbom])
        others = {n.rpartition("/")[2] for n in differing if "/sboms/" not in n}
        assert others == {"RECORD", "WHEEL"}
        assert made.stat().st_size < whole.stat().st_size


def parts(sbom: bytes) -> set[str]:
    found = json.loads(sbom)
    return {json.dumps({**c, "bom-ref": ""}, sort_keys=True) for c in found["components"]}
