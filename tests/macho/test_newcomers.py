"""What is known of macOS's age: the table, against the stub that it came from, and what everybody knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from fatwheel.macho import newcomers
from fatwheel.macho.newcomers import framework_since, symbol_since
from tests.support.required import require_package

LIBSYSTEM, LIBCXX = "/usr/lib/libSystem.B.dylib", "/usr/lib/libc++.1.dylib"
ROWS = [
    (line.split()[0], line.split()[1], line.split()[2:])
    for line in Path(newcomers.__file__).with_name("newcomers.txt").read_text().splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize(
    ("symbol", "absent", "present"),
    [
        ("_clock_gettime", (10, 11), "10.12"),
        ("_utimensat", (10, 12), "10.13"),
        ("_aligned_alloc", (10, 14), "10.15"),
        ("_preadv", (10, 15), "11.0"),
        ("_os_sync_wait_on_address", (14, 0), "15.1"),
        ("_strchrnul", (15, 3), "15.4"),
    ],
)
def test_since_when_libsystem_has_a_symbol(
    symbol: str, absent: tuple[int, int], present: str
) -> None:
    assert symbol_since(LIBSYSTEM, symbol.encode()) == (absent, present)
    assert symbol_since(LIBCXX, symbol.encode()) is None


@pytest.mark.parametrize(
    "symbol", ["_malloc", "__tlv_bootstrap", "_open", "_fstatat", "___chkstk_darwin", "_gone"]
)
def test_what_macos_always_had_or_nobody_knows(symbol: str) -> None:
    assert symbol_since(LIBSYSTEM, symbol.encode()) is None


@pytest.mark.parametrize(
    ("symbol", "present"),
    [
        ("__ZNSt3__122__libcpp_verbose_abortEPKcz", "13.3"),
        ("__ZNSt3__18to_charsEPcS0_dNS_12chars_formatEi", "13.3"),
        ("__ZNSt3__13pmr20get_default_resourceEv", "14.0"),
        ("__ZTINSt3__13pmr15memory_resourceE", "14.0"),
        ("___cxa_init_primary_exception", "15.0"),
        ("__ZNSt3__119__is_posix_terminalEP7__sFILE", "15.0"),
        ("__ZNKSt3__119bad_expected_accessIvE4whatEv", "15.4"),
        (
            "__ZNSt3__127__from_chars_floating_pointIdEENS_19__from_chars_resultIT_EEPKcS5_NS_12chars_formatE",
            "26.0",
        ),
        ("__ZNSt3__18to_charsEPcS0_i", None),
        ("__Znwm", None),
    ],
)
def test_since_when_libcxx_has_a_symbol(symbol: str, present: str | None) -> None:
    found = symbol_since(LIBCXX, symbol.encode())
    assert (found and found.present) == present


@pytest.mark.parametrize(
    ("path", "since"),
    [
        ("/System/Library/Frameworks/Metal.framework/Versions/A/Metal", (10, 11)),
        ("/System/Library/Frameworks/ScreenCaptureKit.framework/ScreenCaptureKit", (12, 3)),
        ("/System/Library/Frameworks/Foundation.framework/Versions/C/Foundation", None),
        ("/System/Library/Frameworks/Metal.framework/Versions/A/Other", None),
        ("/System/Library/PrivateFrameworks/Metal.framework/Metal", None),
        ("@rpath/Metal.framework/Metal", None),
    ],
)
def test_since_when_a_framework_is_there(path: str, since: tuple[int, int] | None) -> None:
    assert framework_since(path) == since


def test_every_symbol_stands_once_and_came_after_it_was_absent() -> None:
    names = [name for _, _, symbols in ROWS for name in symbols]
    assert len(names) == len(set(names)) > 2000
    for absent, present, symbols in ROWS:
        assert [int(n) for n in absent.split(".")] < [int(n) for n in present.split(".")]
        assert symbols == sorted(symbols)


def test_zigs_stub_has_nearly_every_symbol() -> None:
    """It is of the newest SDK or of a newer one; of what came before, macOS dropped little."""
    folder = Path(require_package("ziglang").__file__ or "").parent
    stub = (folder / "lib" / "libc" / "darwin" / "libSystem.tbd").read_text("utf-8")
    words = set(stub.replace("'", " ").replace(",", " ").split())
    names = [name for _, _, symbols in ROWS for name in symbols]
    gone = [name for name in names if name not in words]
    assert len(gone) < len(names) / 8, gone
    assert {name for *_, symbols in ROWS[-1:] for name in symbols} <= words
