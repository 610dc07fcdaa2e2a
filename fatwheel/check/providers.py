"""Which libraries other wheels bring, as far as a wheel's requirements tell.

An extension of PyTorch loads `@rpath/libtorch.dylib`, and PyQtWebEngine `@rpath/QtCore.framework/…`; dyld finds
both, since the projects that `Requires-Dist` names were imported before or lie beside the wheel. Whether another
wheel really has a library is not known here: names are compared, and where they are alike, nothing is said.
"""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from fatwheel.wheels.distinfo import read_headers
from fatwheel.wheels.dyld import Load
from fatwheel.wheels.tags import normalise
from fatwheel.wheels.wheel import Wheel

__all__ = ["Providers"]

_NAME = r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)"
_EXTRA = r"\bextra\s*=="
_PYTHON = r"^(python|py)(?=.)"
_MOST = 200  # requirements that are looked at; real wheels have some dozens without extras
_SHORTEST = 2  # letters of a word: Qt has no more


class Providers(NamedTuple):
    """The projects that a wheel requires without an extra: normalised names, and the words in them."""

    names: frozenset[str]
    words: frozenset[str]

    @classmethod
    def of(cls, wheel: Wheel) -> Providers:
        """Return what the METADATA of `wheel` requires."""
        text = wheel.text("METADATA").decode("utf-8", "replace")
        headers, _ = read_headers(text, wheel=wheel.name.filename, member="METADATA")
        found: set[str] = set()
        for name, value in headers:
            if name == "requires-dist" and not re.search(_EXTRA, value) and len(found) < _MOST:
                match = re.match(_NAME, value)
                found |= {normalise(match[1])} if match else set()
        words = {
            re.sub(_PYTHON, "", word).rstrip("0123456789")
            for name in found
            for word in name.split("-")
        }
        return cls(frozenset(found), frozenset(word for word in words if len(word) >= _SHORTEST))

    def provide(self, load: Load) -> bool:
        """Return whether one of the projects is named like what `load` loads, or like the folder where it is."""
        if load.path is not None and not load.path.startswith(("/", "../..")):
            folders = load.path.split("/")[:-1]
            if any(normalise(folder) in self.names for folder in folders[:2]):
                return True
        stem = posixpath.basename(load.name).lower().removeprefix("lib").partition(".")[0]
        return any(stem.startswith(word) or (len(word) > 3 and word in stem) for word in self.words)
