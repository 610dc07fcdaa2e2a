"""Text stubs: one out of two, as llvm-readtapi merges them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from fatwheel.fusion.merge import Merged, Unmergeable
from fatwheel.fusion.merge.stubs import merge_stubs
from tests.support.required import require_tool

# openmpi 5.0.11, libmpi.tbd, with a few of its symbols
STUB = """\
--- !tapi-tbd
tbd-version:     4
targets:         [ {target} ]
flags:           [ flat_namespace, not_app_extension_safe ]
install-name:    '@rpath/libmpi.40.dylib'
current-version: 81.8
compatibility-version: 81
exports:
  - targets:         [ {target} ]
    symbols:         [ _MPI_Init, {own}, 
                       '_stat$INODE64' ]
    weak-symbols:    [ __ZTI1a ]
undefineds:
  - targets:         [ {target} ]
    symbols:         [ _free, _malloc ]
...
"""  # noqa: W291


def stub(arch: str, own: str) -> bytes:
    return STUB.format(target=f"{arch}-macos", own=own).encode()


X_STUB, A_STUB = stub("x86_64", "_mca_op_avx"), stub("arm64", "_mca_op_aarch64")


def test_each_target_has_its_own_symbols() -> None:
    merged = merge_stubs(X_STUB, A_STUB)
    assert isinstance(merged, Merged), merged
    assert merged.how == "one stub for x86_64-macos, arm64-macos"
    text = merged.content.decode()
    assert text.startswith(
        "--- !tapi-tbd\ntbd-version:     4\ntargets:         [ x86_64-macos, arm64-macos ]\n"
    )
    assert (
        "  - targets:         [ x86_64-macos, arm64-macos ]\n    symbols:         [ _free" in text
    )
    assert (
        "  - targets:         [ arm64-macos ]\n    symbols:         [ _MPI_Init, _mca_op_aarch64"
        in text
    )


@pytest.mark.parametrize("filetype", ["tbd-v4", "tbd-v5"])
def test_llvm_reads_what_it_would_have_merged(tmp_path: Path, filetype: str) -> None:
    merged = merge_stubs(X_STUB, A_STUB)
    assert isinstance(merged, Merged), merged
    paths = [tmp_path / f"{name}.tbd" for name in ("x86_64", "arm64", "ours")]
    for path, content in zip(paths, (X_STUB, A_STUB, merged.content), strict=True):
        path.write_bytes(content)
    theirs, ours = tmp_path / "theirs.out", tmp_path / "ours.out"
    options = [f"--filetype={filetype}", "-o"]
    tool = require_tool("llvm-readtapi-19", "apt-get install llvm-19")
    subprocess.run([tool, "--merge", *paths[:2], *options, theirs], check=True, timeout=60)
    subprocess.run([tool, paths[2], *options, ours], check=True, timeout=60)
    assert _sorted(ours.read_text()) == _sorted(theirs.read_text())


def _sorted(text: str) -> object:
    """Return version 5's lists in one order; LLVM writes them in the order of a hash table."""
    return _in_order(json.loads(text)) if text.startswith("{") else text


def _in_order(value: object) -> object:
    if isinstance(value, dict):
        return {key: _in_order(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((_in_order(item) for item in value), key=json.dumps)
    return value


CONFLICTS = {
    "another install name": (X_STUB, A_STUB.replace(b"libmpi.40", b"libmpi.41")),
    "another version": (X_STUB, A_STUB.replace(b"81.8", b"81.9")),
    "other flags": (X_STUB, A_STUB.replace(b"flat_namespace, ", b"")),
    "no flags": (
        X_STUB,
        A_STUB.replace(b"flags:           [ flat_namespace, not_app_extension_safe ]\n", b""),
    ),
    "one target in both": (X_STUB, stub("x86_64", "_b")),
    "another platform": (X_STUB, A_STUB.replace(b"arm64-macos", b"arm64-ios")),
    "another platform in an entry": (
        X_STUB,
        A_STUB.replace(
            b"  - targets:         [ arm64-macos ]", b"  - targets:         [ x86_64-macos ]"
        ),
    ),
    "version 3": (X_STUB, A_STUB.replace(b"tbd-version:     4", b"tbd-version:     3")),
    "two documents": (X_STUB, A_STUB + A_STUB),
    "an anchor": (X_STUB, A_STUB.replace(b"[ _free", b"&a [ _free")),
    "a comment": (X_STUB, A_STUB.replace(b"undefineds:", b"undefineds: # x")),
    "a key that is not known": (X_STUB, A_STUB.replace(b"undefineds:", b"rpaths:")),
    "a key twice": (X_STUB, A_STUB.replace(b"undefineds:", b"exports:")),
    "the end cut off": (X_STUB, A_STUB[:-5]),
    "no text": (X_STUB, b"\xff" + A_STUB),
}


@pytest.mark.parametrize(("x86_64", "arm64"), CONFLICTS.values(), ids=CONFLICTS)
def test_what_is_not_one_library(x86_64: bytes, arm64: bytes) -> None:
    assert isinstance(merge_stubs(x86_64, arm64), Unmergeable)
