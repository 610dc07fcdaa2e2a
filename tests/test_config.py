"""Settings in pyproject.toml: what is read, and what each mistake is told."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest

from fatwheel import config as config_module
from fatwheel.action import Action
from fatwheel.arch import Arch
from fatwheel.config import ACTIONS, ArchConfig, Config, parse_config
from fatwheel.errors import UsageError

FULL = """
[tool.fatwheel]
tags = "compressed"
floor = "binaries"
on-conflict = "keep-arm64"
out = "wheels"
manifest-path = "py/Cargo.toml"
profile = "dist"
features = ["simd", "abi3"]
interpreter = ["3.11", "3.12"]
maturin-args = ["--locked"]
linker = "lld"
repair = "none"
universal2 = true
keep-thin = false

[tool.fatwheel.x86_64]
features = ["avx"]
rustflags = ["-Ctarget-cpu=x86-64-v2", "-Copt-level=3"]
env = { CC_x86_64_apple_darwin = "zigcc" }
deployment-target = "10.13"
maturin-args = ["-v"]

[tool.fatwheel.arm64]
rustflags = "-C target-cpu=apple-m1"
deployment-target = "11"

[tool.fatwheel.rules]
"pkg/z.py" = "keep-arm64"
"pkg/**" = "guard"
"pkg/a.py" = "allow"
"""


def test_every_key() -> None:
    assert parse_config(FULL, "pyproject.toml") == Config(
        tags="compressed",
        floor="binaries",
        on_conflict="keep-arm64",
        out="wheels",
        manifest_path="py/Cargo.toml",
        profile="dist",
        features=("simd", "abi3"),
        interpreter=("3.11", "3.12"),
        maturin_args=("--locked",),
        linker="lld",
        repair="none",
        universal2=True,
        keep_thin=False,
        x86_64=ArchConfig(
            features=("avx",),
            rustflags=("-Ctarget-cpu=x86-64-v2", "-Copt-level=3"),
            env=(("CC_x86_64_apple_darwin", "zigcc"),),
            deployment_target="10.13",
            maturin_args=("-v",),
        ),
        arm64=ArchConfig(rustflags=("-C", "target-cpu=apple-m1"), deployment_target="11"),
        rules=(("pkg/z.py", "keep-arm64"), ("pkg/**", "guard"), ("pkg/a.py", "allow")),
    )


def test_tables_by_architecture() -> None:
    config = parse_config(FULL, "pyproject.toml")
    assert config.of(Arch.X86_64) is config.x86_64
    assert config.of(Arch.ARM64) is config.arm64


@pytest.mark.parametrize("text", ["", "[project]\nname = 'x'", "tool = 3", "[tool.other]"])
def test_without_settings(text: str) -> None:
    assert parse_config(text, "pyproject.toml") == Config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool", r"p\.toml is not TOML: Expected"),
        ("a = " + "9" * 5000, r"p\.toml has a number too long to be read"),
        ("a = " + "[" * 5000, r"p\.toml has .* arrays nested too deeply"),
        ("tool.fatwheel = 1", r"p\.toml: \[tool\.fatwheel\] is the number 1; it must be a table"),
        (
            "feature = ['a']",
            r"\[tool\.fatwheel\] has the unknown key 'feature'; did you mean features\?",
        ),
        ("on_conflict = 'error'", r"unknown key 'on_conflict'; did you mean on-conflict\?"),
        ("x86-64 = {}", r"unknown key 'x86-64'; did you mean x86_64\?"),
        ("qqq = 1", r"unknown key 'qqq'; known are rules, tags, .*arm64"),
        ("out = true", r"\[tool\.fatwheel\] out is the boolean true; it must be a string"),
        ("out = ' '", r'out is " "; it must be a string that is not empty'),
        (
            "tags = 'compresed'",
            r'tags is "compresed"; it must be one of exact, compressed .*did you',
        ),
        ("tags = ['exact']", r"tags is an array; it must be one of exact, compressed$"),
        ("features = 'a b'", r'features is "a b"; it must be an array of strings'),
        ("features = ['a', 1]", r"features\[1\] is the number 1; it must be a string"),
        ("universal2 = 'yes'", r'universal2 is "yes"; it must be true or false'),
        ("out = 2024-01-01", r"out is the date 2024-01-01; it must be a string"),
        ("arm64 = 'x'", r'\[tool\.fatwheel\.arm64\] is "x"; it must be a table'),
        (
            "arm64.features = {}",
            r"\[tool\.fatwheel\.arm64\] features is a table; it must be an array",
        ),
        ("arm64.target = '11.0'", r"\[tool\.fatwheel\.arm64\] has the unknown key 'target'"),
        ("arm64.deployment-target = 11.0", r'is the number 11\.0; .*for example "11\.0"'),
        ("arm64.deployment-target = ''", r'deployment-target is ""; it must be a macOS version'),
        ("arm64.deployment-target = '11.0 '", r'deployment-target is "11\.0 "; it must be a macOS'),
        (
            "arm64.rustflags = ['-C a']",
            r'rustflags is "-C a"; it must be flags without white space',
        ),
        (
            "arm64.rustflags = 3",
            r"rustflags is the number 3; it must be an array of strings, or one",
        ),
        ("arm64.env = []", r"env is an array; it must be a table of variables"),
        (
            "arm64.env = {A = 1}",
            r"\[tool\.fatwheel\.arm64\] env\.A is the number 1; it must be a string",
        ),
        ("arm64.env = {'A=B' = ''}", r"env has 'A=B', which no environment variable"),
        (
            "rules = 'x'",
            r'\[tool\.fatwheel\.rules\] is "x"; it must be a table of globs and actions',
        ),
        (
            "rules.'a' = 'keep-arm'",
            r"\[tool\.fatwheel\.rules\] 'a' is \"keep-arm\"; .*keep-arm64\?",
        ),
        (
            "check.ignore = 'FW203'",
            r'\[tool\.fatwheel\.check\] ignore is "FW203"; it must be an array of strings',
        ),
        ("check = 3", r"\[tool\.fatwheel\.check\] is the number 3; it must be a table"),
        ("check.ignored = []", r"check\] has the unknown key 'ignored'; did you mean ignore"),
        (
            "rules.a.py = 'drop'",
            r"\[tool\.fatwheel\.rules\] 'a' is a table; put a glob that has dots",
        ),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    whole = text if text.startswith(("[", "tool")) else f"[tool.fatwheel]\n{text}\n"
    with pytest.raises(UsageError, match=message) as caught:
        parse_config(whole, "p.toml")
    assert str(caught.value).startswith("p.toml")
    assert "\n" not in str(caught.value) or "TOML" in str(caught.value)


def test_actions_are_those_of_the_rules() -> None:
    assert set(ACTIONS) == {action.value for action in Action}


def schema() -> dict[str, Any]:
    text = resources.files("fatwheel").joinpath("schema/fatwheel.schema.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def test_schema_knows_the_same_keys() -> None:
    document = schema()
    assert list(document["properties"]) == list(config_module._KEYS)
    assert list(document["definitions"]["arch"]["properties"]) == list(config_module._ARCH_KEYS)
    assert list(document["properties"]["check"]["properties"]) == list(config_module._CHECK_KEYS)


@pytest.mark.parametrize("key", ["tags", "floor", "on-conflict", "linker", "repair"])
def test_schema_knows_the_same_words(key: str) -> None:
    words = schema()["properties"][key]["enum"]
    for word in words:
        read = parse_config(f"[tool.fatwheel]\n{key} = '{word}'", "p.toml")
        assert getattr(read, key.replace("-", "_")) == word
    with pytest.raises(UsageError, match=f"one of {', '.join(words)}$"):
        parse_config(f"[tool.fatwheel]\n{key} = 'qqqqq'", "p.toml")


def test_schema_knows_the_same_actions() -> None:
    assert schema()["properties"]["rules"]["additionalProperties"]["enum"] == list(ACTIONS)
