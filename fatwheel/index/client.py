"""One command that is started with the index: its environment, and what that cannot override."""

from __future__ import annotations

import configparser
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["client_environment", "warnings_for"]

# Other places to take wheels from: with them in sight an installer may prefer a thin wheel.
_REMOVED = (
    *("PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_PRE_INDEX"),
    *("UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX"),
)
_OPTION = re.compile(
    r"(-i|--index-url|--extra-index-url|-f|--find-links|--no-index|--default-index|--index)(=|$)"
)
_LINE = re.compile(r"\s*(-i|--index-url|--extra-index-url|-f|--find-links|--no-index)\b")
_MOST = 1 << 20  # bytes of a requirements file


def client_environment(environ: Mapping[str, str], url: str, *, sdists: bool) -> dict[str, str]:
    """Return the environment in which pip, uv and PDM take everything from the index at `url`.

    An empty PIP_EXTRA_INDEX_URL would not blank the one in pip.conf, so it is ours, too.
    """
    kept = {name: value for name, value in environ.items() if name not in _REMOVED}
    ours = {
        "PIP_INDEX_URL": url,
        "PIP_EXTRA_INDEX_URL": url,
        "UV_DEFAULT_INDEX": url,
        "PDM_PYPI_URL": url,
    }
    if not sdists:
        ours |= {"PIP_ONLY_BINARY": ":all:", "UV_NO_BUILD": "1"}
    return {**kept, **ours}


def warnings_for(command: Sequence[str], environ: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Yield a sentence for each thing that takes the command past the index, or was taken from it."""
    if removed := [name for name in _REMOVED if environ.get(name)]:
        yield f"{', '.join(removed)} {'is' if len(removed) == 1 else 'are'} not handed on: wheels are to come from here"
    if named := [word for word in command if _OPTION.match(word)]:
        yield f"{named[0]} on the command line goes past this index, or adds another one to it"
    for path in _requirement_files(command, folder):
        if lines := _options_in(path):
            yield f"{path} has {lines[0]!r}, which goes past this index"
    yield from _pip_settings(environ)
    yield from _uv_settings(command, folder)
    if Path(command[0]).name.startswith("poetry"):
        yield "Poetry ignores these variables: name the index in [[tool.poetry.source]] of pyproject.toml"


def _requirement_files(command: Sequence[str], folder: Path) -> Iterator[Path]:
    for before, word in pairwise(command):
        if before in {"-r", "--requirement", "-c", "--constraint"}:
            yield folder / word
    for word in command:
        option, equals, name = word.partition("=")
        if equals and option in {"--requirement", "--constraint"}:
            yield folder / name


def _options_in(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST).decode("utf-8", "replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if _LINE.match(line)]


def _pip_settings(environ: Mapping[str, str]) -> Iterator[str]:
    """Look for what no variable blanks in pip's configuration files, in the places that pip documents."""
    home = Path(environ.get("HOME") or Path.home())
    places = [
        Path(sys.prefix) / "pip.conf",
        home / ".config" / "pip" / "pip.conf",
        home / ".pip" / "pip.conf",
        home / "Library" / "Application Support" / "pip" / "pip.conf",
        Path("/etc/pip.conf"),
    ]
    if "PIP_CONFIG_FILE" in environ:
        places = [Path(environ["PIP_CONFIG_FILE"])]
    for path in places:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, "utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            continue
        for section in parser.sections():
            for key in ("find-links", "no-index"):
                if parser.has_option(section, key):
                    yield f"{path} has {key} in [{section}], which pip heeds besides this index"


def _uv_settings(command: Sequence[str], folder: Path) -> Iterator[str]:
    if not Path(command[0]).name.startswith("uv"):
        return
    words = [word for word in command[1:] if not word.startswith("-")]
    if words[:1] and words[0] in {"sync", "lock", "add", "remove", "run"}:
        yield (
            f"uv {words[0]} writes this index's address into uv.lock, and --frozen goes past it; for locked "
            "environments use a wheelhouse"
        )
    for path in (folder / "pyproject.toml", folder / "uv.toml"):
        try:
            document: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            continue
        table = document if path.name == "uv.toml" else document.get("tool", {}).get("uv", {})
        indexes = table.get("index", []) if isinstance(table, dict) else []
        for index in indexes if isinstance(indexes, list) else []:
            if isinstance(index, dict) and not index.get("default"):
                name = index.get("name") or index.get("url")
                yield f"{path.name} has the index {name!r} of its own, which uv asks before this one"
