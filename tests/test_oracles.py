"""The judges find a sound fusion sound, and each kind of damage."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import oracles
from tests.support.corpus import SMALL_PAIR
from tests.support.oracles import Fusion, Judge
from tests.support.required import require_tool

SO = "markupsafe/_speedups.cpython-312-darwin.so"
INFO = "markupsafe-3.0.4.dist-info"
NAME = "markupsafe-3.0.4-cp312-cp312-macosx_10_13_universal2.whl"
Edit = Callable[[dict[str, bytes]], object]


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The members of a right fusion of the small pair, made by LLVM's lipo."""
    x86_64, arm64 = map(oracles.members, SMALL_PAIR)
    scratch = tmp_path_factory.mktemp("lipo")
    (scratch / "x").write_bytes(x86_64[SO])
    (scratch / "a").write_bytes(arm64[SO])
    lipo = require_tool("llvm-lipo-19")
    subprocess.run([lipo, "-create", "x", "a", "-output", "fat"], cwd=scratch, check=True)
    inputs = {wheel.name: hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in SMALL_PAIR}
    wheel = ["Wheel-Version: 1.0", "Generator: fatwheel 0", "Root-Is-Purelib: false"]
    wheel += ["Tag: cp312-cp312-macosx_10_13_universal2"]
    return {
        **{name: content for name, content in arm64.items() if not name.startswith(INFO)},
        SO: (scratch / "fat").read_bytes(),
        **{name: content for name, content in arm64.items() if name.startswith(INFO)},
        f"{INFO}/WHEEL": ("\n".join(wheel) + "\n\n").encode(),
        f"{INFO}/fatwheel.json": json.dumps(inputs).encode(),
    }


def write(
    folder: Path, contents: dict[str, bytes], *, name: str = NAME, record: bool = True
) -> Fusion:
    """Write a wheel with `contents`, and a true RECORD at its end unless they have their own."""
    path = f"{INFO}/RECORD"
    if record:
        contents.pop(path, None)
        rows = "".join(f"{n},{_hash(c)},{len(c)}\n" for n, c in contents.items())
        contents[path] = f"{rows}{path},,\n".encode()
    modes = oracles.modes(SMALL_PAIR[0])
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in contents.items():
            info = zipfile.ZipInfo(member, (2026, 1, 1, 0, 0, 0))
            info.external_attr = (0o100000 | modes.get(member, 0o644)) << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    x86_64, arm64 = SMALL_PAIR
    return Fusion(fused=folder / name, x86_64=x86_64, arm64=arm64)


def _hash(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
    return f"sha256={digest.rstrip('=')}"


@pytest.mark.parametrize("judge", oracles.JUDGES, ids=lambda judge: judge.__name__)
def test_a_sound_fusion_is_found_sound(
    judge: Judge, sound: dict[str, bytes], tmp_path: Path
) -> None:
    assert list(judge(write(tmp_path, dict(sound)))) == []


def flip(name: str, offset: int) -> Edit:
    """Return an edit that inverts one byte of the member `name`."""

    def edit(contents: dict[str, bytes]) -> None:
        content = bytearray(contents[name])
        content[offset] ^= 0xFF
        contents[name] = bytes(content)

    return edit


def replace(name: str, old: bytes, new: bytes) -> Edit:
    """Return an edit that replaces `old` in the member `name`."""

    def edit(contents: dict[str, bytes]) -> None:
        assert old in contents[name]
        contents[name] = contents[name].replace(old, new)

    return edit


DAMAGE: dict[str, tuple[Judge, Edit, str]] = {
    "a member is lost": (
        oracles.judge_file_set,
        lambda contents: contents.pop("markupsafe/py.typed"),
        "py.typed is missing",
    ),
    "a member was added": (
        oracles.judge_file_set,
        lambda contents: contents.update({"markupsafe/more.py": b""}),
        "more.py is in neither wheel",
    ),
    "an equal member was changed": (
        oracles.judge_contents,
        flip("markupsafe/__init__.py", 0),
        "__init__.py is the same in both wheels",
    ),
    "a slice was changed": (oracles.judge_lipo, flip(SO, -1), "-thin arm64 does not give"),
    "the header was changed": (
        oracles.judge_lipo,
        flip(SO, 0x800),
        "is not what llvm-lipo -create",
    ),
    "signed code was changed": (
        oracles.judge_signatures,
        flip(SO, 0x8000),
        "does not have the signed hash",
    ),
    "a tag is missing": (
        oracles.judge_tags,
        replace(f"{INFO}/WHEEL", b"macosx_10_13_universal2", b"macosx_11_0_universal2"),
        "WHEEL has the tags",
    ),
    "purelib": (
        oracles.judge_tags,
        replace(f"{INFO}/WHEEL", b"Purelib: false", b"Purelib: true"),
        "Root-Is-Purelib is true",
    ),
    "metadata was changed": (
        oracles.judge_texts,
        replace(f"{INFO}/METADATA", b"Version: 3.0.4", b"Version: 3.0.5"),
        "METADATA's headers differ",
    ),
    "another input": (
        oracles.judge_texts,
        replace(f"{INFO}/fatwheel.json", b"x86_64", b"x86"),
        "does not hold markupsafe",
    ),
    "code follows dist-info": (
        oracles.judge_directory,
        lambda contents: contents.update({SO: contents.pop(SO)}),
        "members follow after dist-info",
    ),
}


@pytest.mark.parametrize(("judge", "edit", "finding"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found(
    judge: Judge, edit: Edit, finding: str, sound: dict[str, bytes], tmp_path: Path
) -> None:
    contents = dict(sound)
    edit(contents)
    assert finding in "\n".join(judge(write(tmp_path, contents)))


def test_a_false_record_is_found(sound: dict[str, bytes], tmp_path: Path) -> None:
    contents = dict(sound)
    write(tmp_path, contents)
    flip(SO, -1)(contents)
    fusion = write(tmp_path, contents, record=False)
    assert SO in "\n".join(oracles.judge_record(fusion))
    with pytest.raises(Exception, match="Hash mismatch"):
        list(oracles.judge_wheelfile(fusion))


def test_wider_and_narrower_tags_are_found(sound: dict[str, bytes], tmp_path: Path) -> None:
    wider = write(tmp_path, dict(sound), name=NAME.replace("10_13", "10_9"))
    assert "macOS (10, 9) on x86_64 takes" in "\n".join(oracles.judge_systems(wider))
    narrower = write(tmp_path, dict(sound), name=NAME.replace("10_13", "12_0"))
    findings = "\n".join(oracles.judge_systems(narrower))
    assert "macOS (10, 13) on x86_64 does not take" in findings
    assert "macOS (11, 0) on arm64 does not take" in findings


def test_a_damaged_zip_is_found(sound: dict[str, bytes], tmp_path: Path) -> None:
    fusion = write(tmp_path, dict(sound))
    content = bytearray(fusion.fused.read_bytes())
    content[60] ^= 0xFF
    fusion.fused.write_bytes(content)
    findings = "\n".join(oracles.judge_zip_tools(fusion))
    assert all(f"{tool} (exit code" in findings for tool in ("unzip", "zipfile", "7z"))
