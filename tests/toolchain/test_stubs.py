"""Stubs of macOS's own libraries: zig's rewritten, and symbols shared out."""

from __future__ import annotations

from pathlib import Path

from fatwheel.toolchain.stubs import make_stub_sdk, rewrite_targets, share_symbols

STUB = """\
--- !tapi-tbd
tbd-version:     4
targets:         [ x86_64-macos, arm64e-macos,
                   arm64e.x1-macos, arm64e-maccatalyst ]
exports:
  - targets:         [ arm64-macos, arm64e-macos ]
    symbols:         [ _f ]
"""


def test_targets_of_stubs_are_rewritten() -> None:
    assert rewrite_targets(STUB) == (
        "--- !tapi-tbd\ntbd-version:     4\n"
        "targets:         [ x86_64-macos, arm64-macos, arm64-maccatalyst ]\n"
        "exports:\n  - targets:         [ arm64-macos ]\n    symbols:         [ _f ]\n"
    )


def test_symbols_go_to_the_library_with_the_longest_prefix() -> None:
    undefined = ["_CFRelease", "_OBJC_CLASS_$_NSObject", "_OBJC_CLASS_$_NSString", "_PyList_New"]
    assert share_symbols(undefined, ["CoreFoundation", "Foundation", "objc", "Unheard"]) == {
        "CoreFoundation": {"_CFRelease"},
        "Foundation": {"_OBJC_CLASS_$_NSString"},
        "objc": {"_OBJC_CLASS_$_NSObject"},
        "Unheard": set(),
    }


def test_the_stubs_are_made_once(tmp_path: Path) -> None:
    first = make_stub_sdk(STUB, tmp_path)
    (first / "usr" / "lib" / "libc.tbd").write_text("kept")
    assert make_stub_sdk(STUB, tmp_path) == first
    assert (first / "usr" / "lib" / "libc.tbd").read_text() == "kept"
    assert make_stub_sdk(STUB + "\n", tmp_path) != first
