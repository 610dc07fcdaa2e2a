"""maturin's options as users give them in `MATURIN_PEP517_ARGS`, config settings and after `develop`, taken apart.

What fatwheel decides itself is taken out of them, so that nothing is said twice; all else stays as it is.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fatwheel.errors import UsageError
from fatwheel.values import valueclass

__all__ = [
    "ConfigSettings",
    "MaturinWords",
    "parse_config_settings",
    "parse_maturin_words",
    "without_options",
]

# The options that fatwheel has to know, by all of their spellings, and whether a value follows.
_SPELLINGS: Mapping[str, tuple[str, bool]] = {
    "--target": ("target", True),
    "-i": ("interpreter", True),
    "--interpreter": ("interpreter", True),
    "-m": ("manifest-path", True),
    "--manifest-path": ("manifest-path", True),
    "-F": ("features", True),
    "--features": ("features", True),
    "--profile": ("profile", True),
    "-r": ("release", False),
    "--release": ("release", False),
    "--zig": ("zig", False),
    "--auditwheel": ("auditwheel", True),
    "--skip-auditwheel": ("skip-auditwheel", False),
}

_BUILD_ARGS = ("maturin.build-args", "build-args")
_OWN = "fatwheel."
_LINKERS = ("auto", "lld", "zig", "system")


@valueclass
class MaturinWords:
    """maturin's options: those that fatwheel has to know, and the `rest` in order, with rustc's after a `--`.

    None and empty where an option is not among them. `auditwheel` is its mode, "skip" for `--skip-auditwheel`.
    """

    target: str | None = None
    interpreters: tuple[str, ...] = ()
    manifest_path: Path | None = None
    features: tuple[str, ...] = ()
    profile: str | None = None
    zig: bool = False
    auditwheel: str | None = None
    rest: tuple[str, ...] = ()


@valueclass
class ConfigSettings:
    """What `MATURIN_PEP517_ARGS` and a frontend's config settings ask for.

    `target` and `linker` are `fatwheel.target` and `fatwheel.linker` as written; `words` are maturin's.
    """

    target: str | None = None
    linker: str | None = None
    words: MaturinWords = MaturinWords()

    @property
    def option(self) -> str | None:
        """What names the target: the setting, else maturin's own option."""
        return self.target if self.target is not None else self.words.target


def parse_maturin_words(words: Sequence[str]) -> MaturinWords:
    """Take maturin's options apart.

    Of an option that is given twice the last counts, but for interpreters and features, which add up. One that
    lacks its value stays in `rest`, for maturin to refuse.
    """
    values: dict[str, list[str]] = {}
    rest: list[str] = []
    for name, value, own in _options(words):
        if name is None:
            rest += own
        else:
            values.setdefault(name, []).append(value)

    def last(name: str) -> str | None:
        return values[name][-1] if name in values else None

    manifest = last("manifest-path")
    features = " ".join(values.get("features", ())).replace(",", " ").split()
    return MaturinWords(
        target=last("target"),
        interpreters=tuple(values.get("interpreter", ())),
        manifest_path=Path(manifest) if manifest is not None else None,
        features=tuple(features),
        profile=last("profile") or ("release" if "release" in values else None),
        zig="zig" in values,
        auditwheel=last("auditwheel") or ("skip" if "skip-auditwheel" in values else None),
        rest=tuple(rest),
    )


def _options(words: Sequence[str]) -> Iterator[tuple[str | None, str, Sequence[str]]]:
    """Yield name, value and words of each known option; other words one by one, without a name.

    Spelled as clap takes them: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`.
    """
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            yield None, "", [word, *left]
            return
        spelling, equals, value = word.partition("=")
        if not word.startswith("--") and word[:2] in _SPELLINGS:
            spelling, value = word[:2], word[2:].removeprefix("=")
            equals = value
        name, takes_value = _SPELLINGS.get(spelling, (None, False))
        if name is None or not takes_value:
            yield name, "", [word]
        elif equals:
            yield name, value, [word]
        elif left:
            yield name, left[0], [word, left.pop(0)]
        else:
            yield None, "", [word]


def without_options(words: Sequence[str], options: Mapping[str, bool]) -> tuple[str, ...]:
    """Return `words` without the named options and their values; the mapping says whether one has a value."""
    kept: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            return (*kept, word, *left)
        short = word[:2] if not word.startswith("--") else ""
        spelling = short if short in options else word.partition("=")[0]
        if spelling not in options:
            kept.append(word)
        elif options[spelling] and word == spelling and left:
            left.pop(0)
    return tuple(kept)


def parse_config_settings(settings: Mapping[str, object] | None, arguments: str) -> ConfigSettings:
    """Read a frontend's config settings, and join them to `arguments`, the value of `MATURIN_PEP517_ARGS`.

    Keys that are neither maturin's nor begin with `fatwheel.` belong to others. Raises `UsageError` for values
    that are none.
    """
    settings = settings or {}
    own = {key: value for key, value in settings.items() if key.startswith(_OWN)}
    target, linker = own.pop(f"{_OWN}target", None), own.pop(f"{_OWN}linker", None)
    if own:
        raise UsageError(
            f"the config setting {next(iter(own))} is unknown; fatwheel.target and fatwheel.linker are known"
        )
    chosen = _single(f"{_OWN}linker", linker)
    if chosen is not None and chosen not in _LINKERS:
        raise UsageError(
            f"the config setting fatwheel.linker is {chosen!r}; it is one of {', '.join(_LINKERS)}"
        )
    words = _split(arguments, "MATURIN_PEP517_ARGS")
    for key in _BUILD_ARGS:
        if key in settings:
            words += _texts(f"the config setting {key}", settings[key])
    return ConfigSettings(
        target=_single(f"{_OWN}target", target), linker=chosen, words=parse_maturin_words(words)
    )


def _single(key: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise UsageError(f"the config setting {key} was given more than once, or is no text: {value!r}")


def _texts(key: str, value: object) -> list[str]:
    """Return the words of a value: a text is split as a shell does it, a list is one word for each entry.

    Frontends make a list of a setting that is given twice; an entry with white space is a text then.
    """
    if isinstance(value, str):
        return _split(value, key)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return [
            word
            for item in value
            for word in (_split(item, key) if any(map(str.isspace, item)) else [item])
        ]
    raise UsageError(f"{key} is {value!r}; it must be a text or a list of texts")


def _split(text: str, origin: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{origin} is {text!r}, which has {str(error).lower()}") from None
