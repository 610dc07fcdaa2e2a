"""The settings in pyproject.toml: `[tool.fatwheel]` and the tables below it.

Every key is optional. What is unknown or has the wrong type is refused, because a misspelt setting that is
ignored makes another wheel than the one asked for. `schema/fatwheel.schema.json` says the same to editors.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, NamedTuple

from fatwheel.action import Action
from fatwheel.arch import Arch
from fatwheel.errors import UsageError
from fatwheel.values import valueclass

__all__ = ["ACTIONS", "ArchConfig", "CheckConfig", "Config", "parse_config", "read_pyproject"]

ACTIONS = tuple(action.value for action in Action)
"""What a rule may do with a member."""

_VERSION = r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}"


@valueclass
class ArchConfig:
    """`[tool.fatwheel.x86_64]` or `[tool.fatwheel.arm64]`: what holds for one architecture's build only.

    `features` are added to those of both architectures. `rustflags` are single flags, in order. `env` are
    variables (name, value) that are set for this run of maturin. `deployment_target` is the oldest macOS, as
    written. `maturin_args` are added to maturin's command line.
    """

    features: tuple[str, ...] = ()
    rustflags: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    deployment_target: str | None = None
    maturin_args: tuple[str, ...] = ()


@valueclass
class CheckConfig:
    """`[tool.fatwheel.check]`: codes that are left out, codes that are errors, and whether both architectures must be.

    Which codes there are is `check`'s to know.
    """

    ignore: tuple[str, ...] = ()
    error: tuple[str, ...] = ()
    universal2: bool | None = None


@valueclass
class Config:
    """`[tool.fatwheel]` as a value; None where a key is not set, so that its user's default holds.

    `rules` are (glob, action) in the order of the file. `tags` is "exact" or "compressed", `floor` "tags" or
    "binaries", `on_conflict` "error", "keep-x86_64" or "keep-arm64", `linker` "auto", "lld", "zig" or
    "system", `repair` "delocate", "maturin" or "none". Paths are as written, relative to the file's folder.
    """

    rules: tuple[tuple[str, str], ...] = ()
    tags: str | None = None
    floor: str | None = None
    on_conflict: str | None = None
    out: str | None = None
    manifest_path: str | None = None
    profile: str | None = None
    features: tuple[str, ...] = ()
    interpreter: tuple[str, ...] = ()
    maturin_args: tuple[str, ...] = ()
    linker: str | None = None
    repair: str | None = None
    universal2: bool | None = None
    keep_thin: bool | None = None
    x86_64: ArchConfig = field(default_factory=ArchConfig)
    arm64: ArchConfig = field(default_factory=ArchConfig)
    check: CheckConfig = field(default_factory=CheckConfig)

    def of(self, arch: Arch) -> ArchConfig:
        """Return the table of one architecture."""
        return self.x86_64 if arch is Arch.X86_64 else self.arm64


def read_pyproject(path: Path) -> str:
    """Return the text of the pyproject.toml at `path`, empty where there is none.

    Raises `UsageError` for what is no UTF-8, and `OSError` for what cannot be read.
    """
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 at byte {error.start}") from None


def parse_config(text: str, source: str) -> Config:
    """Return the settings in the text of a pyproject.toml; the defaults where it has none.

    `source` names the file in errors. Raises `UsageError` for text that is not TOML, a key that is not
    known, and a value that its key cannot have.
    """
    if not text:
        return Config()
    document = _document(text, source)
    tool = document.get("tool", {})
    table = tool.get("fatwheel", {}) if isinstance(tool, dict) else {}
    return Config(**_table(_Place(source, "[tool.fatwheel]", ""), table, _KEYS))


def _document(text: str, source: str) -> dict[str, Any]:
    """Return all tables of a TOML text."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{source} is not TOML: {error}") from None
    except (ValueError, RecursionError):
        raise UsageError(
            f"{source} has a number too long to be read, or arrays nested too deeply"
        ) from None


class _Place(NamedTuple):
    """Where a value stands: the file, its table, its key ("" for the table itself)."""

    source: str
    table: str
    key: str

    def refuse(self, problem: str) -> UsageError:
        return UsageError(
            f"{self.source}: {self.table}{f' {self.key}' if self.key else ''} {problem}"
        )

    def refuse_value(self, value: object, allowed: str) -> UsageError:
        return self.refuse(f"is {_shown(value)}; it must be {allowed}")


_Reader = Callable[[_Place, object], Any]


def _table(place: _Place, value: object, keys: Mapping[str, _Reader]) -> dict[str, Any]:
    """Return the table's values by the names of their fields."""
    if not isinstance(value, dict):
        raise place.refuse_value(value, "a table")
    read = {}
    for key, item in value.items():
        if key not in keys:
            raise place.refuse(f"has the unknown key {key!r}; {_suggestion(key, keys)}")
        here = _Place(place.source, place.table, key)
        read[key.replace("-", "_")] = keys[key](here, item)
    return read


def _suggestion(word: str, known: Iterable[str]) -> str:
    known = list(known)
    spelling = word.lower().replace("_", "-").replace("x86-64", "x86_64")
    if close := _nearest(spelling, known):
        return f"did you mean {close}?"
    return f"known are {', '.join(known)}"


def _nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the one of `known` that `word` is probably meant to be, or None."""
    import difflib

    return next(iter(difflib.get_close_matches(word, known, n=1)), None)


def _shown(value: object) -> str:
    """Return a value as TOML writes it, shortened, with the name of its type."""
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, str):
        return json.dumps(value if len(value) <= 60 else value[:59] + "…", ensure_ascii=False)
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, list):
        return "an array"
    return "a table" if isinstance(value, dict) else f"the date {value}"


def _text(place: _Place, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise place.refuse_value(value, "a string that is not empty")
    return value


def _flag(place: _Place, value: object) -> bool:
    if not isinstance(value, bool):
        raise place.refuse_value(value, "true or false")
    return value


def _texts(place: _Place, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise place.refuse_value(value, "an array of strings")
    for index, item in enumerate(value):
        if not isinstance(item, str) or not item.strip():
            entry = _Place(place.source, place.table, f"{place.key}[{index}]")
            raise entry.refuse_value(item, "a string that is not empty")
    return tuple(value)


def _choice(*words: str) -> _Reader:
    def read(place: _Place, value: object) -> str:
        if value not in words:
            close = _nearest(value, words) if isinstance(value, str) else None
            hint = f" (did you mean {close}?)" if close else ""
            raise place.refuse_value(value, f"one of {', '.join(words)}{hint}")
        return str(value)

    return read


def _rustflags(place: _Place, value: object) -> tuple[str, ...]:
    """Flags as cargo's configuration takes them: a string to be split at white space, or an array."""
    if isinstance(value, str):
        return tuple(value.split())
    if not isinstance(value, list):
        raise place.refuse_value(value, "an array of strings, or one string of flags")
    flags = _texts(place, value)
    for flag in flags:
        if len(flag.split()) > 1:
            # They reach cargo through CARGO_TARGET_<T>_RUSTFLAGS, which it splits at white space.
            raise place.refuse_value(flag, "flags without white space, one for each entry")
    return flags


def _version(place: _Place, value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(_VERSION, value, re.ASCII):
        example = f'"{value}"' if isinstance(value, int | float) else '"11.0"'
        raise place.refuse_value(value, f"a macOS version as a string, for example {example}")
    return value


def _variables(place: _Place, value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise place.refuse_value(value, "a table of variables and their values")
    for name, setting in value.items():
        entry = _Place(place.source, place.table, f"{place.key}.{name}")
        if not re.fullmatch(r"[^=\0]+", name):
            raise place.refuse(f"has {name!r}, which no environment variable can be called")
        if not isinstance(setting, str):
            raise entry.refuse_value(setting, "a string")
    return tuple(value.items())


def _rules(place: _Place, value: object) -> tuple[tuple[str, str], ...]:
    table = _Place(place.source, "[tool.fatwheel.rules]", "")
    if not isinstance(value, dict):
        raise table.refuse_value(value, "a table of globs and actions")
    action = _choice(*ACTIONS)
    rules = []
    for glob, word in value.items():
        here = _Place(place.source, table.table, repr(glob))
        if isinstance(word, dict):
            raise here.refuse("is a table; put a glob that has dots into quotes")
        rules.append((glob, action(here, word)))
    return tuple(rules)


def _arch(place: _Place, value: object) -> ArchConfig:
    table = _Place(place.source, f"[tool.fatwheel.{place.key}]", "")
    return ArchConfig(**_table(table, value, _ARCH_KEYS))


def _check(place: _Place, value: object) -> CheckConfig:
    table = _Place(place.source, "[tool.fatwheel.check]", "")
    return CheckConfig(**_table(table, value, _CHECK_KEYS))


_ARCH_KEYS: Mapping[str, _Reader] = {
    "features": _texts,
    "rustflags": _rustflags,
    "env": _variables,
    "deployment-target": _version,
    "maturin-args": _texts,
}

_CHECK_KEYS: Mapping[str, _Reader] = {
    "ignore": _texts,
    "error": _texts,
    "universal2": _flag,
}

_KEYS: Mapping[str, _Reader] = {
    "rules": _rules,
    "tags": _choice("exact", "compressed"),
    "floor": _choice("tags", "binaries"),
    "on-conflict": _choice("error", "keep-x86_64", "keep-arm64"),
    "out": _text,
    "manifest-path": _text,
    "profile": _text,
    "features": _texts,
    "interpreter": _texts,
    "maturin-args": _texts,
    "linker": _choice("auto", "lld", "zig", "system"),
    "repair": _choice("delocate", "maturin", "none"),
    "universal2": _flag,
    "keep-thin": _flag,
    "x86_64": _arch,
    "arm64": _arch,
    "check": _check,
}
