"""What check finds in archives, RECORD and names (FW0xx, FW1xx, FW2xx)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.findings import Case
from tests.support.wheels import (
    DIST_INFO,
    NATIVE,
    PLATFORMS,
    A,
    code,
    dylib,
    edit,
    record_of,
    tamper,
)

CASES = {
    "damaged": Case(
        code="FW001",
        severity="error",
        member="pkg/__init__.py",
        message="has CRC-32 00000000, the directory says 00000001",
        change=lambda path: tamper(path, "pkg/__init__.py", crc=1),
    ),
    "truncated": Case(
        code="FW001",
        severity="error",
        message="end record",
        change=lambda path: edit(path, lambda data: data.__delitem__(slice(-9, None))),
    ),
    "fatwheel.json is none": Case(
        code="FW001",
        severity="error",
        member=f"{DIST_INFO}/fatwheel.json",
        message="is not what fatwheel writes (JSONDecodeError(",
        files={f"{DIST_INFO}/fatwheel.json": b"{"},
    ),
    "fatwheel.json without decisions": Case(
        code="FW001",
        severity="error",
        member=f"{DIST_INFO}/fatwheel.json",
        message="is not what fatwheel writes (KeyError('decisions'))",
        files={f"{DIST_INFO}/fatwheel.json": b"{}"},
    ),
    "fatwheel.json is something else": Case(
        code="FW001",
        severity="error",
        member=f"{DIST_INFO}/fatwheel.json",
        message="is not what fatwheel writes (TypeError(",
        files={f"{DIST_INFO}/fatwheel.json": b'{"decisions": [1]}'},
    ),
    "fatwheel.json is deeper than anything": Case(
        code="FW001",
        severity="error",
        member=f"{DIST_INFO}/fatwheel.json",
        message="is not what fatwheel writes (ValueError('it is nested too deeply'))",
        files={f"{DIST_INFO}/fatwheel.json": b"[" * 200_000},
    ),
    "the wheel package disagrees": Case(
        code="FW002",
        severity="warning",
        message="the wheel package's own reader refuses it: Missing",
        options={"dist_info": "pkg-1.0.0.dist-info"},
    ),
    "hash": Case(
        code="FW101",
        severity="error",
        member=NATIVE,
        message="RECORD says sha256=",
        options={"record": lambda files: record_of(files, wrong=[NATIVE])},
        also=("FW002",),
    ),
    "unlisted": Case(
        code="FW102",
        severity="error",
        member=NATIVE,
        message="RECORD does not list it",
        options={
            "record": lambda files: record_of({n: d for n, d in files.items() if n != NATIVE})
        },
        also=("FW002",),
    ),
    "absent": Case(
        code="FW103",
        severity="error",
        member="pkg/gone.py",
        message="RECORD lists it, the archive has it not",
        options={"record": lambda files: record_of({**files, "pkg/gone.py": b""})},
    ),
    "another project's METADATA": Case(
        code="FW204",
        severity="error",
        member="pkg-1.0.dist-info/METADATA",
        message="speaks of other 2, the file name of pkg 1.0",
        options={"metadata": b"Metadata-Version: 2.1\nName: other\nVersion: 2\n"},
    ),
    "METADATA without a name": Case(
        code="FW204",
        severity="error",
        member="pkg-1.0.dist-info/METADATA",
        message="speaks of no name and version, the file name of pkg 1.0",
        options={"metadata": b"\xff\xfeN\0a\0m\0e\0"},
    ),
    "malformed": Case(
        code="FW105",
        severity="error",
        member="pkg-1.0.dist-info/RECORD",
        message="2 fields instead of path, hash, size",
        options={"record": lambda files: record_of(files) + "a,b\n"},
        also=("FW002",),
    ),
    "unhashed": Case(
        code="FW104",
        severity="error",
        member="pkg/__init__.py",
        message="RECORD gives no hash for it",
        options={
            "record": lambda files: re.sub(r"(pkg/__init__.py),.*", r"\1,,", record_of(files))
        },
        also=("FW002",),
    ),
    "two files that are one": Case(
        code="FW106",
        severity="error",
        member="pkg/D.txt",
        message="is the same file as pkg-1.0.data/purelib/pkg/d.txt on macOS once both are installed",
        files={"pkg-1.0.data/purelib/pkg/d.txt": b"", "pkg/D.txt": b""},
    ),
    "a scheme that nobody knows": Case(
        code="FW107",
        severity="error",
        member="pkg-1.0.data/Purelib/d.txt",
        message="lies in none of .data's folders purelib, platlib, scripts, headers, data, so installers",
        files={"pkg-1.0.data/Purelib/d.txt": b""},
    ),
    "a script in a folder": Case(
        code="FW108",
        severity="warning",
        member="pkg-1.0.data/scripts/sub/tool",
        message="is a script in a folder of its own; uv refuses such a wheel",
        files={"pkg-1.0.data/scripts/sub/tool": b""},
    ),
    "set-uid": Case(
        code="FW109",
        severity="warning",
        member=NATIVE,
        message="has the set-uid and set-gid bit set (mode 0o6755), which no installer hands on",
        options={"modes": {NATIVE: 0o6755}},
    ),
    "fewer tags": Case(
        code="FW201",
        severity="warning",
        member=f"{DIST_INFO}/WHEEL",
        message="its tags are fewer than those of the file name, by which pip goes; in one of the two only",
        options={
            "platform": "macosx_10_13_x86_64.macosx_11_0_arm64",
            "wheel_text": "Wheel-Version: 1.0\nTag: cp312-cp312-macosx_10_13_x86_64\n",
        },
    ),
    "tags of one ABI where the name has none": Case(
        code="FW201",
        severity="warning",
        member=f"{DIST_INFO}/WHEEL",
        message="its tags are others than those of the file name, by which pip goes; in one of the two only",
        options={
            "abi": "none",
            "wheel_text": "Wheel-Version: 1.0\nTag: cp312-cp312-macosx_10_13_universal2\n",
        },
    ),
    "tags of another ABI": Case(
        code="FW201",
        severity="error",
        member=f"{DIST_INFO}/WHEEL",
        message="its tags are not those of the file name; in one of the two only",
        options={
            "wheel_text": "Wheel-Version: 1.0\nTag: cp312-none-macosx_10_13_universal2\n",
        },
    ),
    "tags of fewer architectures": Case(
        code="FW201",
        severity="warning",
        member=f"{DIST_INFO}/WHEEL",
        message="its tags are others than those of the file name, by which pip goes; in one of the two only",
        options={"wheel_text": "Wheel-Version: 1.0\nTag: cp312-cp312-macosx_11_0_arm64\n"},
    ),
    "tags of the other architecture": Case(
        code="FW201",
        severity="error",
        member=f"{DIST_INFO}/WHEEL",
        message="its tags are not those of the file name; in one of the two only",
        files={NATIVE: code(A)},
        options={
            "platform": PLATFORMS[A],
            "wheel_text": "Wheel-Version: 1.0\nTag: cp312-cp312-macosx_10_13_x86_64\n",
        },
    ),
    "tags of any platform": Case(
        code="FW201",
        severity="error",
        member=f"{DIST_INFO}/WHEEL",
        message="its tags are not those of the file name; in one of the two only",
        options={"wheel_text": "Wheel-Version: 1.0\nTag: cp312-cp312-any\n"},
    ),
    "tags": Case(
        code="FW201",
        severity="error",
        member=f"{DIST_INFO}/WHEEL",
        message="in one of the two only: cp311-cp311-macosx_10_13_universal2, cp312-cp312-macosx_10_13_",
        options={"wheel_text": "Wheel-Version: 1.0\nTag: cp311-cp311-macosx_10_13_universal2\n"},
    ),
    "no WHEEL tags": Case(
        code="FW201",
        severity="error",
        member=f"{DIST_INFO}/WHEEL",
        message="in one of the two only: cp312-cp312-macosx_10_13_universal2",
        options={"wheel_text": "Wheel-Version: 1.0\n"},
    ),
    "a thin wheel": Case(
        code="FW202",
        severity="error",
        message="its file name promises nothing for x86_64 on macOS",
        options={"platform": PLATFORMS[A]},
        universal2=True,
    ),
    "a wheel for Linux that should be universal2": Case(
        code="FW202",
        severity="error",
        message="its file name promises nothing for x86_64 and arm64 on macOS",
        options={"platform": "manylinux_2_28_x86_64"},
        universal2=True,
    ),
    "a wheel for Linux": Case(
        code="FW207",
        severity="note",
        message="is not for macOS but for manylinux_2_28_x86_64; it holds no macOS code",
        files={NATIVE: b"ELF"},
        options={"platform": "manylinux_2_28_x86_64"},
    ),
    "a wheel for processors of old": Case(
        code="FW207",
        severity="note",
        message="is for neither x86_64 nor arm64 but for macosx_10_4_ppc; it holds no macOS code",
        files={NATIVE: b""},
        options={"platform": "macosx_10_4_ppc"},
    ),
    "a wheel for any platform": Case(
        code="FW207",
        severity="note",
        message="is for any platform, and so installed on every Mac; it holds 1 file with x86_64 code and 2",
        files={"pkg/a.dylib": dylib(A)},
        options={"platform": "any"},
    ),
    "tags in another order": Case(
        code="FW205",
        severity="warning",
        message="its file name has the tags macosx_11_0_arm64.macosx_10_13_x86_64, which are not sorted",
        options={"platform": "macosx_11_0_arm64.macosx_10_13_x86_64"},
    ),
    "several tags in one line": Case(
        code="FW206",
        severity="warning",
        member=f"{DIST_INFO}/WHEEL",
        message="has cp312-cp312-macosx_10_13_x86_64.macosx_11_0_arm64 in one Tag line, which stands for",
        options={
            "platform": "macosx_10_13_x86_64.macosx_11_0_arm64",
            "wheel_text": (
                "Wheel-Version: 1.0\nTag: cp312-cp312-macosx_10_13_x86_64.macosx_11_0_arm64\n"
            ),
        },
    ),
}


@pytest.mark.parametrize("label", CASES)
def test_found(label: str, tmp_path: Path) -> None:
    CASES[label].check(tmp_path)
