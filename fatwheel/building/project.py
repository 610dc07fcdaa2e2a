"""A crate's pyproject.toml as fatwheel and maturin read it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from fatwheel.building.maturin import MaturinSettings, parse_maturin_settings
from fatwheel.config import Config, parse_config
from fatwheel.values import valueclass

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Project", "parse_project"]


@valueclass
class Project:
    """What a crate's pyproject.toml says: where it is, its name in messages, and all of its text.

    `text` is empty where there is none. `source_folders` are where maturin writes modules for editable wheels:
    the project's folder, and `[tool.maturin] python-source` where that lies elsewhere.
    """

    pyproject: Path
    name: str
    text: str
    config: Config
    maturin: MaturinSettings
    source_folders: tuple[Path, ...]

    def manifest(self, named: Path | None) -> Path | None:
        """Return the Cargo.toml to hand to maturin: the one that was `named`, else `[tool.fatwheel]`'s, if any."""
        if named is not None or self.config.manifest_path is None:
            return named
        return self.pyproject.parent / self.config.manifest_path


def parse_project(text: str, pyproject: Path, name: str) -> Project:
    """Read the text of a pyproject.toml. Raises `UsageError` for what is no TOML and settings that are none."""
    config = parse_config(text, name)
    folder = pyproject.parent
    tool: Any = tomllib.loads(text).get("tool", {})
    source = tool.get("maturin", {}).get("python-source") if isinstance(tool, dict) else None
    folders = [folder]
    if isinstance(source, str) and not (folder / source).resolve().is_relative_to(folder.resolve()):
        folders.append(folder / source)
    return Project(
        pyproject=pyproject,
        name=name,
        text=text,
        config=config,
        maturin=parse_maturin_settings(text),
        source_folders=tuple(folders),
    )
