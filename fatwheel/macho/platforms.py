"""Operating systems that code is built for: `platform` of build_version_command (mach-o/loader.h)."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Platform", "is_foreign", "platform_name"]


class Platform(IntEnum):
    """`platform` of build_version_command, and what the LC_VERSION_MIN_* commands stand for."""

    UNKNOWN = 0
    MACOS = 1
    IOS = 2
    TVOS = 3
    WATCHOS = 4
    BRIDGEOS = 5
    MAC_CATALYST = 6
    IOS_SIMULATOR = 7
    TVOS_SIMULATOR = 8
    WATCHOS_SIMULATOR = 9
    DRIVERKIT = 10
    VISIONOS = 11
    VISIONOS_SIMULATOR = 12


_NAMES: dict[int, str] = {
    Platform.MACOS: "macOS",
    Platform.IOS: "iOS",
    Platform.TVOS: "tvOS",
    Platform.WATCHOS: "watchOS",
    Platform.BRIDGEOS: "bridgeOS",
    Platform.MAC_CATALYST: "Mac Catalyst",
    Platform.IOS_SIMULATOR: "the iOS simulator",
    Platform.TVOS_SIMULATOR: "the tvOS simulator",
    Platform.WATCHOS_SIMULATOR: "the watchOS simulator",
    Platform.DRIVERKIT: "DriverKit",
    Platform.VISIONOS: "visionOS",
    Platform.VISIONOS_SIMULATOR: "the visionOS simulator",
}


def platform_name(platform: int) -> str:
    """Return what people call a platform; `platform NUMBER` where it has no name here."""
    return _NAMES.get(platform, f"platform {platform}")


def is_foreign(platform: int | None) -> bool:
    """Say whether code for `platform` is for another one than macOS; code that names none is not."""
    return platform not in (None, Platform.UNKNOWN, Platform.MACOS)
