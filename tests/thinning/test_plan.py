"""The plan of a thinning: names and tags, what becomes of each member, what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from packaging.tags import Tag, mac_platforms
from packaging.utils import parse_wheel_filename

from fatwheel.arch import Arch
from fatwheel.errors import RefusedError, WheelError
from fatwheel.fusion.actions import Drop, Keep, Merge, Take, WriteAnew, WriteRecord
from fatwheel.fusion.glob import compile_glob
from fatwheel.thinning.onesided import find_one_sided
from fatwheel.thinning.plan import Patterns, Reading, ThinPlan, plan_thin, thin_name
from fatwheel.wheels.tags import parse_wheel_name
from fatwheel.wheels.wheel import Wheel
from tests.support.wheels import (
    DIST_INFO,
    FUSED_NAME,
    METADATA,
    NATIVE,
    A,
    X,
    code,
    dylib,
    member_value,
    program,
    universal,
)

BOTH = universal(code(X), code(A))
MACOS = [(10, minor) for minor in range(9, 16)] + [(major, 0) for major in range(11, 27)]


def wheel(files: Mapping[str, bytes], *, name: str = FUSED_NAME, tags: str = "") -> Wheel:
    parsed = parse_wheel_name(name)
    lines = tags or "".join(f"Tag: {tag}\n" for tag in parsed.expanded_tags)
    texts = {
        f"{DIST_INFO}/METADATA": METADATA,
        f"{DIST_INFO}/WHEEL": f"Wheel-Version: 1.0\nGenerator: t 1\n{lines}".encode(),
        f"{DIST_INFO}/RECORD": b"",
    }
    texts |= {name: text for name, text in files.items() if name.startswith(DIST_INFO)}
    members = {name: member_value(name, data) for name, data in {**files, **texts}.items()}
    return Wheel(name=parsed, dist_info=DIST_INFO, members=members, texts=texts)


def plan(
    files: Mapping[str, bytes],
    arch: Arch = A,
    *,
    drop: tuple[str, ...] = (),
    keep: tuple[str, ...] = (),
    name: str = FUSED_NAME,
    **known: Any,
) -> ThinPlan:
    patterns = Patterns(drop=tuple(map(compile_glob, drop)), keep=tuple(map(compile_glob, keep)))
    read = wheel(files, name=name)
    reading = Reading(
        wheel=read,
        sha256="0" * 64,
        arch=arch,
        one_sided=find_one_sided(read, arch, patterns.is_dropped),
        **known,
    )
    return plan_thin(reading, patterns)


def fates(found: ThinPlan) -> dict[str, type]:
    return {fate.name: type(fate) for fate in found.members if not fate.name.startswith(DIST_INFO)}


def note(found: ThinPlan, name: str) -> str:
    fate = next(fate for fate in found.members if fate.name == name)
    return fate.why if isinstance(fate, Drop) else getattr(fate, "note", "")


# ---- names ----

NAMES = {
    "one tag": ("macosx_10_13_universal2", "macosx_10_13_x86_64", "macosx_11_0_arm64"),
    "orjson 3.10.18": (
        "macosx_10_15_x86_64.macosx_11_0_arm64.macosx_10_15_universal2",
        "macosx_10_15_x86_64",
        "macosx_11_0_arm64",
    ),
    "ninja 1.10.2.2": (
        "macosx_10_9_universal2.macosx_10_9_x86_64.macosx_11_0_arm64.macosx_11_0_universal2",
        "macosx_10_9_x86_64",
        "macosx_11_0_arm64",
    ),
    "scipy 1.8.0": (
        "macosx_12_0_universal2.macosx_10_9_x86_64",
        "macosx_10_9_x86_64",
        "macosx_12_0_arm64",
    ),
    "debugpy 1.8.14": ("macosx_14_0_universal2", "macosx_14_0_x86_64", "macosx_14_0_arm64"),
    "maturin's triple": (
        "macosx_10_12_universal2.macosx_10_12_x86_64.macosx_11_0_arm64",
        "macosx_10_12_x86_64",
        "macosx_11_0_arm64",
    ),
    "arm64 below": (
        "macosx_11_0_arm64.macosx_12_0_universal2",
        "macosx_12_0_x86_64",
        "macosx_11_0_arm64",
    ),
    "intel": (
        "macosx_10_6_intel.macosx_10_9_universal2",
        "macosx_10_6_x86_64",
        "macosx_11_0_arm64",
    ),
}


@pytest.mark.parametrize(("tags", "x86_64", "arm64"), NAMES.values(), ids=NAMES)
def test_each_architecture_keeps_its_oldest_macos(tags: str, x86_64: str, arm64: str) -> None:
    name = parse_wheel_name(f"Pkg-1.0-2-py3-none-{tags}.whl")
    assert thin_name(name, X).filename == f"Pkg-1.0-2-py3-none-{x86_64}.whl"
    assert thin_name(name, A).filename == f"Pkg-1.0-2-py3-none-{arm64}.whl"


@pytest.mark.parametrize("tags", [tags for tags, _, _ in NAMES.values()], ids=NAMES)
@pytest.mark.parametrize("arch", Arch, ids=lambda arch: arch.value)
def test_installers_accept_it_where_they_accepted_the_fat_wheel(tags: str, arch: Arch) -> None:
    """For each macOS on this architecture, by `packaging`, which pip vendors."""
    fat = f"pkg-1.0-py3-none-{tags}.whl"
    thin = thin_name(parse_wheel_name(fat), arch).filename

    def accepting(filename: str) -> list[tuple[int, int]]:
        tags = parse_wheel_filename(filename)[3]
        return [
            version
            for version in MACOS
            if any(Tag("py3", "none", mac) in tags for mac in mac_platforms(version, arch.value))
        ]

    versions = [v for v in accepting(fat) if v >= arch.lowest_macos]
    assert accepting(thin) == versions
    assert versions


@pytest.mark.parametrize(
    ("platforms", "arch", "match"),
    [
        ("any", A, "is for any platform and serves both architectures as it is"),
        ("any.macosx_11_0_universal2", A, "is for any platform"),
        ("manylinux_2_17_x86_64", X, "not for macOS but for manylinux_2_17_x86_64"),
        ("macosx_10_13_x86_64", A, "promises nothing for arm64 on macOS, only for x86_64"),
        ("macosx_11_0_arm64", X, "promises nothing for x86_64 on macOS, only for arm64"),
        ("macosx_10_6_i386", A, "promises nothing for arm64 on macOS, only for macosx_10_6_i386"),
    ],
)
def test_names_that_are_refused(platforms: str, arch: Arch, match: str) -> None:
    with pytest.raises(RefusedError, match=match):
        thin_name(parse_wheel_name(f"pkg-1.0-py3-none-{platforms}.whl"), arch)


def test_a_tag_that_no_installer_matches_is_refused() -> None:
    with pytest.raises(WheelError, match="retag the wheel as macosx_12_0_universal2"):
        thin_name(parse_wheel_name("pkg-1.0-py3-none-macosx_12_3_universal2.whl"), A)


# ---- members ----


def test_every_member_is_in_the_plan_once_and_record_is_last() -> None:
    files = {"pkg/__init__.py": b"", NATIVE: BOTH, "pkg/data.bin": b"data"}
    found = plan(files)
    assert fates(found) == {"pkg/__init__.py": Keep, NATIVE: Take, "pkg/data.bin": Keep}
    own = [type(m) for m in found.members if m.name.startswith(DIST_INFO)]
    assert own == [Keep, WriteAnew, WriteRecord]  # METADATA, WHEEL, RECORD
    assert found.members[-1].name == f"{DIST_INFO}/RECORD"
    assert found.name.filename == "pkg-1.0-cp312-cp312-macosx_11_0_arm64.whl"
    assert found == plan(files)


@pytest.mark.parametrize("arch", Arch, ids=lambda arch: arch.value)
def test_the_slice_of_the_architecture_is_taken(arch: Arch) -> None:
    found = plan({NATIVE: BOTH}, arch)
    (take,) = (fate for fate in found.members if isinstance(fate, Take))
    piece = take.slice
    assert BOTH[piece.offset : piece.offset + piece.content.size] == code(arch)
    assert take.note == ""


X86_64H, ARM64E, I386 = (0x01000007, 8), (0x0100000C, 0x80000002), (7, 3)


def test_other_slices_are_said_to_be_left_out() -> None:
    data = universal(code(X), code(X, cpu=X86_64H), code(A), code(A, cpu=ARM64E))
    assert note(plan({NATIVE: data}, A), NATIVE) == "x86_64h, arm64e left out as well"
    (take,) = (m for m in plan({NATIVE: data}, A).members if isinstance(m, Take))
    assert take.slice.content.cpusubtype == 0


def test_code_for_an_iphone_alone_is_not_taken_for_a_macs() -> None:
    data = universal(code(X), code(A, platform=2))
    found = plan({NATIVE: BOTH, "pkg/other.dylib": data})
    assert fates(found)["pkg/other.dylib"] is not Take


def test_a_universal_file_with_one_slice_stays() -> None:
    data = universal(code(A))
    found = plan({NATIVE: BOTH, "pkg/lib.dylib": data})
    assert fates(found)["pkg/lib.dylib"] is Keep
    assert note(found, "pkg/lib.dylib") == ""


def test_a_program_whose_data_lie_behind_all_slices_stays_whole() -> None:
    data = universal(program(X), program(A)) + b"the program's own data"
    found = plan({NATIVE: BOTH, "pkg/app": data})
    assert fates(found)["pkg/app"] is Keep
    assert "stays whole: 22 bytes of its own after its last slice" in note(found, "pkg/app")


@pytest.mark.parametrize(("arch", "fate"), [(X, Keep), (A, Take)], ids=["x86_64", "arm64"])
def test_a_program_whose_data_lie_in_one_slice(arch: Arch, fate: type) -> None:
    """The slice that ends the file carries them on; the other one would lose them."""
    data = universal(program(X), program(A, trailing=b"the program's own data"))
    found = plan({NATIVE: BOTH, "pkg/app": data}, arch)
    assert fates(found)["pkg/app"] is fate
    if fate is Keep:
        assert "the data at its end lie in its arm64 slice" in note(found, "pkg/app")


# ---- what holds no code for the architecture ----


def test_a_library_of_the_other_architecture_goes() -> None:
    found = plan({NATIVE: BOTH, "pkg/.dylibs/liba.dylib": dylib(X)})
    assert fates(found)["pkg/.dylibs/liba.dylib"] is Drop
    said = note(found, "pkg/.dylibs/liba.dylib")
    assert said == "no code for arm64; nothing loads it and no text names it"
    assert found.one_sided == {"pkg/.dylibs/liba.dylib"}


def test_a_library_that_is_named_stays() -> None:
    lib = "pkg/attach_x86_64.dylib"
    found = plan({NATIVE: BOTH, lib: dylib(X)}, named={lib: "pkg/attach.py"})
    assert fates(found)[lib] is Keep
    assert note(found, lib) == "no code for arm64: pkg/attach.py names it"


def test_a_library_that_code_of_the_architecture_loads_stays() -> None:
    both = universal(code(X), code(A, loads=["@loader_path/liba.dylib"]))
    found = plan({NATIVE: both, "pkg/liba.dylib": dylib(X)})
    assert note(found, "pkg/liba.dylib") == "no code for arm64: arm64 code loads it"


def test_a_library_that_only_the_other_slices_load_goes() -> None:
    both = universal(code(X, loads=["@loader_path/liba.dylib"]), code(A))
    found = plan({NATIVE: both, "pkg/liba.dylib": dylib(X)})
    assert fates(found)["pkg/liba.dylib"] is Drop


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("pkg/bin/tool", program(X), "Rosetta 2 runs it"),
        ("pkg/_fast.so", code(X), "Python would import it"),
        ("pkg/ios.dylib", dylib(A, platform=2), "for arm64 on iOS"),
    ],
)
def test_what_is_not_known_to_be_useless_stays(name: str, data: bytes, said: str) -> None:
    found = plan({NATIVE: BOTH, name: data})
    assert fates(found)[name] is Keep
    assert note(found, name) == f"no code for arm64: {said}"
    assert name in found.one_sided


def test_what_a_program_loads_under_rosetta_stays_as_it_is() -> None:
    """Its own libraries, and theirs; also the slices that arm64 does without."""
    load = "@loader_path/{}".format
    files = {
        NATIVE: BOTH,
        "pkg/tool": program(X, loads=[load("liba.dylib"), load("libboth.dylib")]),
        "pkg/liba.dylib": dylib(X, loads=[load("libb.dylib")]),
        "pkg/libb.dylib": dylib(X),
        "pkg/libboth.dylib": universal(dylib(X), dylib(A)),
        "pkg/libc.dylib": dylib(X),
    }
    found = plan(files)
    kept = {name for name, fate in fates(found).items() if fate is Keep}
    assert kept == {"pkg/tool", "pkg/liba.dylib", "pkg/libb.dylib", "pkg/libboth.dylib"}
    assert note(found, "pkg/libboth.dylib").startswith("stays whole: a program")
    without = fates(plan(files, drop=("pkg/tool",)))
    assert without["pkg/liba.dylib"] is without["pkg/libb.dylib"] is Drop
    assert without["pkg/libboth.dylib"] is Take


def test_no_mac_with_intel_runs_a_program_for_arm64() -> None:
    files = {
        NATIVE: BOTH,
        "pkg/tool": program(A, loads=["@loader_path/a.dylib"]),
        "pkg/a.dylib": dylib(A),
    }
    found = plan(files, X)
    assert note(found, "pkg/tool") == "no code for x86_64: a program"
    assert fates(found)["pkg/a.dylib"] is Drop


def test_patterns_decide_and_keep_wins() -> None:
    files = {
        NATIVE: BOTH,
        "pkg/bin/tool": program(X),
        "pkg/a.dylib": dylib(X),
        "pkg/b.dylib": dylib(X),
    }
    found = plan(files, drop=("**/bin/*", "pkg/b.*"), keep=("pkg/*.dylib", "x"))
    assert fates(found) == {
        NATIVE: Take,
        "pkg/bin/tool": Drop,
        "pkg/a.dylib": Keep,
        "pkg/b.dylib": Keep,
    }
    assert found.unused == ("x",)


def test_a_pattern_takes_no_code_of_the_architecture_away() -> None:
    found = plan({NATIVE: BOTH, "pkg/__init__.py": b""}, drop=("**",))
    assert fates(found) == {NATIVE: Take, "pkg/__init__.py": Keep}
    assert found.unused == ("**",)


# ---- what is refused ----


def test_a_wheel_without_code_for_the_architecture_is_refused() -> None:
    """capstone 5.0.0.post1 says universal2, and holds a library for x86_64."""
    files = {"capstone/lib/libcapstone.dylib": dylib(X)}
    with pytest.raises(
        RefusedError, match="says arm64 and holds no code for it: its code is for x86_64"
    ):
        plan(files)
    assert fates(plan(files, X)) == {"capstone/lib/libcapstone.dylib": Keep}


def test_a_wheel_of_programs_for_intel_serves_arm64() -> None:
    """ninja 1.10.2.2 says universal2 and holds a program for x86_64, which Rosetta 2 runs."""
    files = {"ninja/data/bin/ninja": program(X)}
    found = plan(files)
    assert fates(found) == {"ninja/data/bin/ninja": Keep}
    assert found.notes == ("it holds no code for arm64; Rosetta 2 runs its programs",)
    with pytest.raises(RefusedError, match="holds no code for it"):
        plan({"tool": program(A)}, X)
    with pytest.raises(RefusedError, match="holds no code for it"):
        plan(files, drop=("**",))


def test_a_wheel_without_code_is_refused() -> None:
    with pytest.raises(
        RefusedError, match="holds no code, so it serves both architectures as it is"
    ):
        plan({"pkg/__init__.py": b""})


# ---- thin wheels ----


def test_a_thin_wheel_is_copied_member_by_member() -> None:
    files = {NATIVE: code(A), f"{DIST_INFO}/RECORD.jws": b"{}"}
    found = plan(files, name="pkg-1.0-cp312-cp312-macosx_11_0_arm64.whl")
    assert {type(member) for member in found.members} == {Keep}


def test_universal_files_of_a_thin_wheel_become_thin() -> None:
    files = {NATIVE: code(A), "pkg/.dylibs/liba.dylib": universal(dylib(X), dylib(A))}
    found = plan(files, name="pkg-1.0-cp312-cp312-macosx_11_0_arm64.whl")
    assert fates(found) == {NATIVE: Keep, "pkg/.dylibs/liba.dylib": Take}
    assert [type(m) for m in found.members[-3:]] == [Keep, Keep, WriteRecord]  # WHEEL is right


# ---- dist-info ----


def test_wheel_lists_the_new_tags_and_keeps_what_it_says_of_installing() -> None:
    found = plan({NATIVE: BOTH})
    (about,) = (m for m in found.members if m.name == f"{DIST_INFO}/WHEEL")
    assert isinstance(about, WriteAnew)
    lines = about.content.decode().splitlines()
    assert lines[0] == "Wheel-Version: 1.0"
    assert lines[2:] == ["Root-Is-Purelib: false", "Tag: cp312-cp312-macosx_11_0_arm64"]


def test_signatures_of_record_go() -> None:
    found = plan({NATIVE: BOTH, f"{DIST_INFO}/RECORD.jws": b"{}"})
    assert note(found, f"{DIST_INFO}/RECORD.jws") == "it signs the RECORD of the whole wheel"


REPORT = {
    "generator": "fatwheel 1",
    "inputs": {"x86_64": {"filename": "x.whl"}, "arm64": {"filename": "a.whl"}},
    "decisions": [
        {"member": "pkg/m.py", "action": "dispatch", "by": "--rule", "reason": "r"},
        {"member": "pkg/t.txt", "action": "keep-arm64", "by": "--rule", "reason": "r"},
    ],
}


def test_the_report_of_the_fusion_says_what_it_was_thinned_from() -> None:
    files = {
        NATIVE: BOTH,
        "pkg/m.py": b"merged",
        "pkg/t.txt": b"",
        f"{DIST_INFO}/fatwheel.json": json.dumps(REPORT).encode(),
    }
    found = plan(files, texts={"pkg/m.py": b"own"})
    assert fates(found)["pkg/m.py"] is Merge
    (report,) = (m for m in found.members if m.name.endswith("fatwheel.json"))
    assert isinstance(report, WriteAnew)
    document = json.loads(report.content)
    assert document["thinned"] == {
        "architecture": "arm64",
        "filename": FUSED_NAME,
        "sha256": "0" * 64,
    }
    assert document["inputs"] == REPORT["inputs"]
    assert [d["member"] for d in document["decisions"]] == ["pkg/t.txt"]


def test_files_of_the_other_wheel_alone_go() -> None:
    files = {NATIVE: BOTH, "pkg/x.py": b"", "pkg/_x.so": code(X)}
    foreign = frozenset({"pkg/x.py", "pkg/_x.so"})
    found = plan(files, foreign=foreign)
    assert fates(found) == {NATIVE: Take, "pkg/x.py": Drop, "pkg/_x.so": Drop}
    assert note(found, "pkg/x.py") == "only the x86_64 wheel had it"
    assert found.one_sided == foreign
    kept = plan(files, foreign=foreign, keep=("pkg/x.py",))
    assert fates(kept)["pkg/x.py"] is Keep


@pytest.mark.parametrize("text", [b"[]", b"{}", b"{", b'{"inputs": 1, "decisions": [1]}', b"3"])
def test_a_report_that_fatwheel_did_not_write_is_told(text: bytes) -> None:
    with pytest.raises(WheelError, match=r"fatwheel\.json: is not what fatwheel writes"):
        plan({NATIVE: BOTH, f"{DIST_INFO}/fatwheel.json": text})


# ---- bundles ----

FRAMEWORK = "pkg/Qt.framework/Versions/A"


def test_a_seal_over_files_that_are_thin_now_is_told() -> None:
    seal = {f"{FRAMEWORK}/_CodeSignature/CodeResources": b"<plist/>"}
    main = {f"{FRAMEWORK}/Qt": universal(dylib(X), dylib(A))}
    assert plan({NATIVE: BOTH, **seal, **main}).notes == ()
    inner = {f"{FRAMEWORK}/Resources/helper": universal(program(X), program(A))}
    (told,) = plan({NATIVE: BOTH, **seal, **main, **inner}).notes
    assert told.startswith(f"the signature of {FRAMEWORK} seals files that are thin now")
