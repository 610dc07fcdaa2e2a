"""What macOS did not always have: frameworks, and symbols of the libraries that nearly all code takes symbols from.

A library's stub in an SDK (`.tbd`) says what that SDK's macOS exports, and nothing of other releases; the stubs of
several SDKs together say in which release a symbol came. `newcomers.txt` holds what those of zig say of libSystem
(scripts/newcomers.py makes it). Of libc++ it is what its own header says (`__configuration/availability.h`, which has
the macOS that each release of LLVM came with). Frameworks are those of which both PyObjC (its requirements, by
`platform_release`) and .NET for macOS (tools/common/Frameworks.cs) say since when they are there; where they
differ, the earlier one.
"""

from __future__ import annotations

import re
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


_CXX = re.compile(
    rb"(?P<v13_3>__ZNSt3__1(?:22__libcpp_verbose_abort|8to_charsEPcS0_[def]))"
    rb"|(?P<v14_0>__ZNK?St3__13pmr|__ZT[ISV]NSt3__13pmr)"
    rb"|(?P<v15_0>___cxa_init_primary_exception|__ZNSt3__119__is_posix_terminalE)"
    rb"|(?P<v15_4>__ZNKSt3__119bad_expected_accessIvE4what)"
    rb"|(?P<v26_0>__ZNSt3__127__from_chars_floating_pointI)"
)
_CXX_BEFORE: Mapping[str, Version] = {
    "13.3": (13, 2),
    "14.0": (13, 7),
    "15.0": (14, 8),
    "15.4": (15, 3),
    "26.0": (15, 7),
}

_FRAMEWORK = re.compile(
    r"/System/Library/Frameworks/(?P<name>[^/]+)\.framework/(?:Versions/[^/]+/)?(?P=name)"
)
_FRAMEWORKS: Mapping[Version, str] = {
    (
        10,
        10,
    ): "CloudKit CryptoTokenKit FinderSync LocalAuthentication MultipeerConnectivity NetworkExtension "
    "NotificationCenter",
    (
        10,
        11,
    ): "Contacts ContactsUI GameplayKit Metal MetalKit ModelIO Photos PhotosUI SafariServices",
    (10, 12): "Intents MediaPlayer",
    (10, 13): "BusinessChat CoreML CoreSpotlight ExternalAccessory MetalPerformanceShaders Vision",
    (10, 14): "AdSupport NaturalLanguage Network UserNotifications VideoSubscriberAccount",
    (
        10,
        15,
    ): "AuthenticationServices AutomaticAssessmentConfiguration CoreHaptics CoreMotion DeviceCheck "
    "ExecutionPolicy FileProvider FileProviderUI LinkPresentation PencilKit PushKit QuickLookThumbnailing "
    "SoundAnalysis Speech",
    (11, 0): "Accessibility AdServices AppTrackingTransparency CallKit ClassKit MLCompute "
    "MetalPerformanceShadersGraph PassKit ReplayKit ScreenTime UniformTypeIdentifiers UserNotificationsUI",
    (
        12,
        0,
    ): "DataDetection IntentsUI LocalAuthenticationEmbeddedUI MailKit MetricKit PHASE ShazamKit",
    (12, 3): "ScreenCaptureKit",
    (13, 0): "AVRouting BackgroundAssets ExtensionKit HealthKit MetalFX SafetyKit SharedWithYou "
    "SharedWithYouCore ThreadNetwork",
    (14, 0): "Cinematic SensitiveContentAnalysis Symbols",
    (14, 3): "BrowserEngineKit",
    (15, 0): "DeviceDiscoveryExtension MediaExtension",
    (15, 4): "FSKit SecurityUI",
    (26, 0): "GameSave",
}


def symbol_since(library: str, symbol: bytes) -> Since | None:
    """Return since when macOS's `library` (an install name) has `symbol`, as it stands in a symbol table.

    None where it always had it, or that is not known.
    """
    if library == _LIBSYSTEM:
        return _libsystem().get(symbol)
    if library == _LIBCXX and (match := _CXX.match(symbol)):
        present = (match.lastgroup or "")[1:].replace("_", ".")
        return Since(_CXX_BEFORE[present], present)
    return None


def is_new(library: str, symbol: bytes) -> bool:
    """Return whether it is known since when `library` has `symbol`."""
    return symbol_since(library, symbol) is not None


def framework_since(path: str) -> Version | None:
    """Return since which macOS the framework is there whose library lies at `path`; None for one of old."""
    match = _FRAMEWORK.fullmatch(path)
    if match is None:
        return None
    return next(
        (since for since, names in _FRAMEWORKS.items() if match["name"] in names.split()), None
    )


@cache
def _libsystem() -> Mapping[bytes, Since]:
    found: dict[bytes, Since] = {}
    for line in Path(__file__).with_name("newcomers.txt").read_bytes().splitlines():
        if not line.startswith(b"#"):
            absent, present, *names = line.split()
            major, minor = map(int, absent.split(b"."))
            found |= dict.fromkeys(names, Since((major, minor), present.decode()))
    return found
