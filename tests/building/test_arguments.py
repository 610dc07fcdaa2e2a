"""maturin's options and frontends' config settings, taken apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from fatwheel.building.arguments import (
    MaturinWords,
    parse_config_settings,
    parse_maturin_words,
    without_options,
)
from fatwheel.errors import UsageError


@pytest.mark.parametrize(
    ("words", "parsed"),
    [
        ("", MaturinWords()),
        ("--locked --strip", MaturinWords(rest=("--locked", "--strip"))),
        ("--target=aarch64-apple-darwin", MaturinWords(target="aarch64-apple-darwin")),
        ("--target a --target b", MaturinWords(target="b")),
        ("-i python3.12 --interpreter 3.13", MaturinWords(interpreters=("python3.12", "3.13"))),
        ("-F a,b --features=c", MaturinWords(features=("a", "b", "c"))),
        ("-Fa -F=b", MaturinWords(features=("a", "b"))),
        ("-m py/Cargo.toml", MaturinWords(manifest_path=Path("py/Cargo.toml"))),
        ("-r", MaturinWords(profile="release")),
        ("--profile dist", MaturinWords(profile="dist")),
        ("--zig --skip-auditwheel", MaturinWords(zig=True, auditwheel="skip")),
        ("--auditwheel repair", MaturinWords(auditwheel="repair")),
        ("--locked --target", MaturinWords(rest=("--locked", "--target"))),
        ("-q -- -C x --target y", MaturinWords(rest=("-q", "--", "-C", "x", "--target", "y"))),
    ],
    ids=lambda value: value or "none" if isinstance(value, str) else "",
)
def test_words_of_maturin(words: str, parsed: MaturinWords) -> None:
    assert parse_maturin_words(words.split()) == parsed


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("-E test --locked", "--locked"),
        ("-Etest --extras=a,b -q", "-q"),
        ("--skip-install --uv -r", "-r"),
        ("--group dev -- --uv", "-- --uv"),
    ],
)
def test_options_are_taken_out(words: str, left: str) -> None:
    options = {"-E": True, "--extras": True, "--group": True, "--skip-install": False}
    assert without_options(words.split(), {**options, "--uv": False}) == tuple(left.split())


@pytest.mark.parametrize(
    ("settings", "rest"),
    [
        (None, ["--frozen"]),
        ({"build-args": "--locked -v"}, ["--frozen", "--locked", "-v"]),
        ({"maturin.build-args": "--locked"}, ["--frozen", "--locked"]),
        ({"build-args": ["--locked", "-Z x"]}, ["--frozen", "--locked", "-Z", "x"]),
        ({"--build-option": "-j4", "other.key": ["x"]}, ["--frozen"]),
    ],
    ids=["none", "text", "maturin's new name", "list", "keys of others"],
)
def test_config_settings_join_the_variable(
    settings: dict[str, object] | None, rest: list[str]
) -> None:
    parsed = parse_config_settings(settings, "--frozen")
    assert list(parsed.words.rest) == rest


def test_the_setting_has_precedence_over_maturins_own_option() -> None:
    settings = {"fatwheel.target": "universal2", "fatwheel.linker": "zig"}
    parsed = parse_config_settings(settings, "--target x86_64-apple-darwin")
    assert (parsed.option, parsed.linker) == ("universal2", "zig")
    assert parse_config_settings({}, "--target x86_64-apple-darwin").option == "x86_64-apple-darwin"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fatwheel.targets": "arm64"}, r"fatwheel\.targets is unknown; fatwheel\.target and"),
        ({"fatwheel.target": ["arm64", "x86_64"]}, r"fatwheel\.target was given more than once"),
        ({"fatwheel.linker": "gold"}, r"fatwheel\.linker is 'gold'; it is one of auto, lld"),
        ({"build-args": 3}, r"build-args is 3; it must be a text or a list"),
        ({"build-args": "'x"}, r"build-args is \"'x\", which has no closing quotation"),
    ],
    ids=["unknown", "twice", "linker", "number", "quote"],
)
def test_settings_that_are_none(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_config_settings(settings, "")
