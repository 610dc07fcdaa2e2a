"""One release: what was asked for, and what is known so far."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from fatwheel.releasing.platforms import Wanted

__all__ = ["Release"]


@dataclass
class Release:
    """What was asked for, and what is known so far."""

    project: Path
    out: Path
    tag: str | None
    thin: Sequence[Path]
    expect: str | None
    once: bool
    maturin: Sequence[str]
    cache: Path
    """The user's folder for what can be made again."""
    repository: Path = Path()
    commit: str = ""
    epoch: str = ""
    name: str = ""
    version: str = ""
    tools: dict[str, str] = field(default_factory=dict)
    decided: dict[str, Any] = field(default_factory=dict)
    """What fatwheel said of each wheel that it fused: inputs, decisions, findings."""
    findings: dict[str, list[Any]] = field(default_factory=dict)
    reproduced: bool | None = None
    tried: list[Wanted] = field(default_factory=list)
    lock: IO[str] | None = None
    replaced: bool = False
    """Whether there was an earlier release of that name."""

    @property
    def partial(self) -> Path:
        """Where the release is made."""
        return self.out.with_name(f"{self.out.name}.partial")

    @property
    def sources(self) -> Path:
        """Where the commit is cloned to.

        In the user's cache: cargo and rustup also read the settings of all folders above, and OUT may lie in the
        project's own work tree. Every release into OUT has the same place, as files may hold their sources' path.
        """
        name = hashlib.sha256(os.fsencode(self.out)).hexdigest()[:16]
        return self.cache / "releasing" / name / "source"

    @property
    def dist(self) -> Path:
        """The files to upload."""
        return self.partial / "dist"

    @property
    def wheels(self) -> list[Path]:
        """The wheels among them."""
        return sorted(self.dist.glob("*.whl"))

    @property
    def files(self) -> list[Path]:
        """All of them."""
        return sorted(self.dist.iterdir())
