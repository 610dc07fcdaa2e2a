"""What macOS did not always have: frameworks, and symbols of the libraries that nearly all code takes symbols from.

A library's stub in an SDK (`.tbd`) says what that SDK's macOS exports, and nothing of other releases; the stubs of
several SDKs together say in which release a symbol came. `newcomers.txt` holds what those of zig say of libSystem
(scripts/newcomers.py makes it). Of libc++ it is what its own header says (`__configuration/availability.h`, which has
the macOS that each release of LLVM came with). Frameworks are those of which both PyObjC (its requirements, by
`platform_release`) and .NET for macOS (tools/common/Frameworks.cs) say since when they are there; where they
differ, the earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["DATED", "Since", "framework_since", "is_new", "symbol_since"]

_LIBSYSTEM, _LIBCXX = "/usr/lib/libSystem.B.dylib", "/usr/lib/libc++.1.dylib"
DATED = frozenset((_LIBSYSTEM, _LIBCXX))
"""The install names of the libraries whose symbols' age is known."""

Version = tuple[int, int]


class Since(NamedTuple):
    """When something came to macOS: the newest release (major, minor) that is known to lack it, and one that has it."""

    absent: Version
    present: str


_CXX: Mapping[Since, tuple[bytes, ...]] = {
    Since((13, 2), "13.3"): (
        b"__ZNSt3__122__libcpp_verbose_abort",
        *(b"__ZNSt3__18to_charsEPcS0_" + kind for kind in (b"d", b"f", b"e")),
    ),
    Since((13, 7), "14.0"): (
        *(head + b"St3__13pmr" for head in (b"__ZN", b"__ZNK", b"__ZTIN", b"__ZTSN", b"__ZTVN")),
    ),
    Since((14, 8), "15.0"): (
        b"___cxa_init_primary_exception",
        b"__ZNSt3__119__is_posix_terminalE",
    ),
    Since((15, 3), "15.4"): (b"__ZNKSt3__119bad_expected_accessIvE4what",),
    Since((15, 7), "26.0"): (b"__ZNSt3__127__from_chars_floating_pointI",),
}
"""How symbols of libc++ begin; mangled by the Itanium C++ ABI, with the underscore of Mach-O."""

_FRAMEWORKS_FOLDER = "/System/Library/Frameworks/"
_FRAMEWORKS = """
10.10 CloudKit CryptoTokenKit FinderSync LocalAuthentication MultipeerConnectivity NetworkExtension
10.10 NotificationCenter
10.11 Contacts ContactsUI GameplayKit Metal MetalKit ModelIO Photos PhotosUI SafariServices
10.12 Intents MediaPlayer
10.13 BusinessChat CoreML CoreSpotlight ExternalAccessory MetalPerformanceShaders Vision
10.14 AdSupport NaturalLanguage Network UserNotifications VideoSubscriberAccount
10.15 AuthenticationServices AutomaticAssessmentConfiguration CoreHaptics CoreMotion DeviceCheck ExecutionPolicy
10.15 FileProvider FileProviderUI LinkPresentation PencilKit PushKit QuickLookThumbnailing SoundAnalysis Speech
11.0 Accessibility AdServices AppTrackingTransparency CallKit ClassKit MLCompute MetalPerformanceShadersGraph
11.0 PassKit ReplayKit ScreenTime UniformTypeIdentifiers UserNotificationsUI
12.0 DataDetection IntentsUI LocalAuthenticationEmbeddedUI MailKit MetricKit PHASE ShazamKit
12.3 ScreenCaptureKit
13.0 AVRouting BackgroundAssets ExtensionKit HealthKit MetalFX SafetyKit SharedWithYou SharedWithYouCore
13.0 ThreadNetwork
14.0 Cinematic SensitiveContentAnalysis Symbols
14.3 BrowserEngineKit
15.0 DeviceDiscoveryExtension MediaExtension
15.4 FSKit SecurityUI
26.0 GameSave
"""
"""The macOS that brought them, and names of frameworks."""


def symbol_since(library: str, symbol: bytes) -> Since | None:
    """Return since when macOS's `library` (an install name) has `symbol`, as it stands in a symbol table.

    None where it always had it, or that is not known.
    """
    if library == _LIBSYSTEM:
        return _libsystem().get(symbol)
    if library == _LIBCXX:
        return next((since for since, heads in _CXX.items() if symbol.startswith(heads)), None)
    return None


def is_new(library: str, symbol: bytes) -> bool:
    """Return whether it is known since when `library` has `symbol`."""
    return symbol_since(library, symbol) is not None


def framework_since(path: str) -> Version | None:
    """Return since which macOS the framework is there whose library lies at `path`; None for one of old."""
    if not path.startswith(_FRAMEWORKS_FOLDER):
        return None
    name, _, inside = path.removeprefix(_FRAMEWORKS_FOLDER).partition(".framework/")
    version = inside.removesuffix(name)
    if not inside.endswith(name) or (
        version and not (version.startswith("Versions/") and version.count("/") == 2)
    ):
        return None
    return _frameworks().get(name)


@cache
def _frameworks() -> Mapping[str, Version]:
    found: dict[str, Version] = {}
    for line in _FRAMEWORKS.strip().splitlines():
        since, *names = line.split()
        major, minor = map(int, since.split("."))
        found |= dict.fromkeys(names, (major, minor))
    return found


@cache
def _libsystem() -> Mapping[bytes, Since]:
    found: dict[bytes, Since] = {}
    for line in Path(__file__).with_name("newcomers.txt").read_bytes().splitlines():
        if not line.startswith(b"#"):
            absent, present, *names = line.split()
            major, minor = map(int, absent.split(b"."))
            found |= dict.fromkeys(names, Since((major, minor), present.decode()))
    return found
