"""Findings in the tests: wheels with something to find, and what must be found in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fatwheel.check.verdict import check_wheel
from tests.support.wheels import DIST_INFO, NATIVE, A, Side, X, code, dylib, make_wheel, universal

UNIVERSAL2 = "macosx_10_13_universal2"
FAT = universal(code(X), code(A))
SOUND: dict[str, bytes] = {"pkg/__init__.py": b"", NATIVE: FAT}
LIBZ = "@loader_path/libz.dylib"
LOADED = code(A, loads=[LIBZ])
WEAK = 0x80000018  # LC_LOAD_WEAK_DYLIB


def fused(folder: Path, files: Side = SOUND, **options: Any) -> Path:
    """A finished wheel, made without fatwheel."""
    return make_wheel(folder, options.pop("platform", UNIVERSAL2), files, **options)


def report(*members: str, action: str = "allow") -> dict[str, bytes]:
    """fatwheel.json with a decision for each member."""
    decisions = [
        {"member": m, "action": action, "by": "--rule", "reason": "asked for"} for m in members
    ]
    return {f"{DIST_INFO}/fatwheel.json": json.dumps({"decisions": decisions}).encode()}


def framework(name: str, *loads: str, version: str = "5") -> dict[str, bytes]:
    """The library of a framework in `pkg`, with the copies that a wheel has instead of symbolic links."""
    data = universal(dylib(X, loads=loads), dylib(A, loads=loads))
    places = (f"Versions/{version}/", "Versions/Current/", "")
    return {f"pkg/Frameworks/{name}.framework/{place}{name}": data for place in places}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A wheel and what must be found in it: `files` besides sound ones, made with `options`, then changed."""

    code: str
    severity: str
    message: str
    member: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    change: Callable[[Path], object] | None = None
    universal2: bool = False

    def check(self, folder: Path) -> None:
        """Assert that it is found, as it should be, and nothing else but codes in `also`."""
        path = fused(folder, {**SOUND, **self.files}, **self.options)
        if self.change is not None:
            self.change(path)
        findings = check_wheel(path, universal2=self.universal2)
        assert {found.code for found in findings} - set(self.also) == {self.code}
        found = next(found for found in findings if found.code == self.code)
        assert (found.severity.value, found.member) == (self.severity, self.member)
        assert self.message in found.message
