"""Apple's SDKs: which one Xcode offers, and which one the variable SDKROOT names."""

from __future__ import annotations

import json
import re
from pathlib import Path

from fatwheel.toolchain.host import Look, Missing, Search
from fatwheel.values import valueclass

__all__ = ["Sdk", "need_named_sdk", "need_xcode_sdk", "read_sdk", "xcode_root"]

_OLDEST = (11, 0)  # the first that knows arm64


@valueclass
class Sdk:
    """An SDK: its folder, its version, and the deployment targets that it has ("" where it does not say)."""

    root: str
    version: str
    lowest: str = ""
    highest: str = ""

    @property
    def is_too_old(self) -> bool:
        """Whether it knows no arm64."""
        return tuple(int(number) for number in re.findall(r"[0-9]+", self.version)[:2]) < _OLDEST


def read_sdk(root: str) -> Sdk | None:
    """Return what SDKSettings.json says in the folder `root`; None where that is no SDK."""
    try:
        settings = json.loads((Path(root) / "SDKSettings.json").read_text("utf-8"))
        version = str(settings["Version"])
        macos = settings.get("SupportedTargets", {}).get("macosx", {})
        ends = [macos.get(f"{end}DeploymentTarget") for end in ("Minimum", "Maximum")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    lowest, highest = (str(end or "") for end in ends)
    return Sdk(root=root, version=version, lowest=lowest, highest=highest)


def xcode_root(look: Look) -> str:
    """Return the folder of the SDK of Apple's command line tools, "" without one."""
    return look.answer("xcrun", "--sdk", "macosx", "--show-sdk-path")


def need_xcode_sdk(look: Look) -> Search[Sdk | None]:
    """Look for the SDK of Apple's command line tools."""
    root = xcode_root(look)
    version = look.answer("xcrun", "--sdk", "macosx", "--show-sdk-version")
    if not root or not version:
        yield Missing(what="Apple's command line tools with an SDK", how="xcode-select --install")
        return None
    sdk = Sdk(root=root, version=version)
    if sdk.is_too_old:
        yield Missing(
            what=f"a macOS SDK of 11.0 or later (found {version}, which has no arm64)",
            how="update Xcode or its command line tools, and choose it with xcode-select",
        )
    return sdk


def need_named_sdk(look: Look) -> Search[Sdk | None]:
    """Look for the SDK that SDKROOT names; it counts only where it is one."""
    root = look.host.environ.get("SDKROOT")
    if not root:
        return None
    how = "set SDKROOT to a folder MacOSX.sdk of version 11.0 or later, or unset it"
    sdk = read_sdk(root)
    if sdk is None:
        yield Missing(what=f"a macOS SDK at {root}, which SDKROOT names", how=how)
    elif sdk.is_too_old:
        yield Missing(what=f"a macOS SDK that knows arm64 (SDKROOT names {sdk.version})", how=how)
    return sdk
