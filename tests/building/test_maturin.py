"""The command line and the environment of one run of maturin, trap by trap."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.building.deployment import Deployment
from fatwheel.building.maturin import (
    MaturinSettings,
    ThinBuild,
    check_arguments,
    check_environment_settings,
    environment_changes,
    maturin_arguments,
    maturin_command,
    parse_maturin_settings,
    sdist_command,
    union_features,
)
from fatwheel.config import ArchConfig
from fatwheel.errors import UsageError

BUILD = ThinBuild(
    arch=Arch.ARM64,
    project=Path("/p"),
    out=Path("/w/arm64"),
    deployment=Deployment(version=(11, 0), origin="rustc's default"),
)
TAIL = ("--", "--cfg", 'fatwheel_deployment_target="11.0"')


def test_the_plainest_command_line() -> None:
    assert maturin_arguments(BUILD) == (
        *("build", "--target", "aarch64-apple-darwin", "--out", "/w/arm64"),
        *("--profile", "release", "--auditwheel", "skip", "--compression-level", "9"),
        *TAIL,
    )


def test_the_fullest_command_line() -> None:
    build = replace(
        BUILD,
        arch=Arch.X86_64,
        manifest_path=Path("crates/py/Cargo.toml"),
        interpreters=("3.11", "3.13t"),
        features=("a", "b/c"),
        profile="dist",
        deployment=Deployment(version=(10, 13), origin="x"),
        settings=ArchConfig(maturin_args=("--offline", "--", "-Clto")),
        zig=True,
        repair=True,
        arguments=("--locked", "--compression-method=stored", "--", "-Copt-level=2"),
    )
    assert maturin_arguments(build) == (
        *("build", "--target", "x86_64-apple-darwin", "--out", "/w/arm64", "--profile", "dist"),
        *("--manifest-path", "crates/py/Cargo.toml", "--interpreter", "3.11"),
        *("--interpreter", "3.13t", "--features", "a,b/c", "--zig", "--auditwheel", "repair"),
        *("--locked", "--compression-method=stored", "--offline"),
        *("--", "--cfg", 'fatwheel_deployment_target="10.13"', "-Copt-level=2", "-Clto"),
    )


def test_a_changed_deployment_target_changes_what_the_last_crate_is_compiled_with() -> None:
    newer = replace(BUILD, deployment=Deployment(version=(13, 0), origin="x"))
    assert maturin_arguments(newer)[-1] != maturin_arguments(BUILD)[-1]


@pytest.mark.parametrize(
    ("environ", "settings", "changes"),
    [
        ({"PATH": "/bin"}, ArchConfig(), {}),
        (
            {"_PYTHON_HOST_PLATFORM": "macosx-10.9-universal2", "ARCHFLAGS": "-arch x86_64"},
            ArchConfig(),
            {"_PYTHON_HOST_PLATFORM": None, "ARCHFLAGS": None},
        ),
        (
            {"CARGO_BUILD_TARGET": "x86_64-unknown-linux-gnu"},
            ArchConfig(),
            {"CARGO_BUILD_TARGET": None},
        ),
        ({"RUSTFLAGS": "-g"}, ArchConfig(), {}),
        ({"RUSTFLAGS": ""}, ArchConfig(rustflags=("-g",)), {"FLAGS": "-g"}),
        ({}, ArchConfig(rustflags=("-C", "a=b")), {"FLAGS": "-C a=b"}),
        ({"FLAGS": " -g "}, ArchConfig(rustflags=("-O",)), {"FLAGS": "-g -O"}),
        ({"A": "1"}, ArchConfig(env=(("A", "2"), ("B", ""))), {"A": "2", "B": ""}),
        ({"MACOSX_DEPLOYMENT_TARGET": "10.9"}, ArchConfig(), {}),
    ],
    ids=[
        *("nothing", "host-platform", "cargo-target", "rustflags-alone", "rustflags-empty"),
        *("own-rustflags", "joined-rustflags", "env", "deployment-target"),
    ],
)
def test_environment(
    environ: dict[str, str], settings: ArchConfig, changes: dict[str, str | None]
) -> None:
    def named(values: dict[str, str | None]) -> dict[str, str | None]:
        flags = "CARGO_TARGET_AARCH64_APPLE_DARWIN_RUSTFLAGS"
        return {flags if name == "FLAGS" else name: value for name, value in values.items()}

    given = {name: value for name, value in named({**environ}).items() if value is not None}
    assert environment_changes(replace(BUILD, settings=settings), given) == {
        **named(changes),
        "MACOSX_DEPLOYMENT_TARGET": "11.0",
    }


@pytest.mark.parametrize("variable", ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"])
def test_rustflags_for_all_would_silence_those_of_one_architecture(variable: str) -> None:
    build = replace(BUILD, settings=ArchConfig(rustflags=("-g",)))
    with pytest.raises(UsageError, match=rf"^{variable} is set, .*\[tool\.fatwheel\.arm64\] rustf"):
        environment_changes(build, {variable: "-Ctarget-cpu=native"})


def test_the_linker_is_chosen_by_variables() -> None:
    build = replace(BUILD, linker=(("CARGO_TARGET_X_LINKER", "/l"),))
    assert environment_changes(build, {})["CARGO_TARGET_X_LINKER"] == "/l"


def test_the_command_has_the_whole_environment() -> None:
    command = maturin_command(
        BUILD, {"PATH": "/bin", "ARCHFLAGS": "-arch arm64"}, "/py", "-m", "maturin"
    )
    assert command.env == {"PATH": "/bin", "MACOSX_DEPLOYMENT_TARGET": "11.0"}
    assert (command.program, command.arguments[:3]) == ("/py", ("-m", "maturin", "build"))
    assert command.cwd == Path("/p")


def test_sdist_is_a_run_of_its_own() -> None:
    command = sdist_command(
        Path("/p"), Path("c/Cargo.toml"), Path("/o"), {"ARCHFLAGS": "x"}, "/py", "-m", "m"
    )
    assert command.arguments == (
        *("-m", "m", "sdist", "--out", "/o", "--manifest-path", "c/Cargo.toml"),
    )
    assert command.env == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--target", "x86_64-apple-darwin"],
        ["--locked", "--target=x86_64-apple-darwin"],
        ["--zig"],
        ["-o", "d"],
        ["-odist"],
        ["--out=d"],
        ["-m", "Cargo.toml"],
        ["-i3.11"],
        ["-f"],
        ["-F", "a"],
        ["--features=a"],
        ["-r"],
        ["--release"],
        ["--profile", "dev"],
        ["--sdist"],
        ["--auditwheel=repair"],
    ],
    ids=" ".join,
)
def test_what_fatwheel_sets_itself_is_refused_by_name(arguments: list[str]) -> None:
    name = next(word for word in arguments if word != "--locked").partition("=")[0]
    name = name if name.startswith("--") else name[:2]
    with pytest.raises(UsageError, match=rf"^--: {name} is fatwheel's to set; "):
        check_arguments(arguments, "--")


@pytest.mark.parametrize(
    "arguments", [["--locked"], ["-b", "pyo3"], ["-vv"], ["--strip"], ["--", "-o", "--target"]]
)
def test_all_else_goes_to_maturin(arguments: list[str]) -> None:
    check_arguments(arguments, "--")


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("ARCHFLAGS", "fatwheel builds for both"),
        ("MACOSX_DEPLOYMENT_TARGET", "use deployment-target"),
        ("RUSTFLAGS", "use rustflags"),
        ("CARGO_TARGET_AARCH64_APPLE_DARWIN_RUSTFLAGS", "use rustflags"),
    ],
)
def test_variables_that_fatwheel_sets_itself(name: str, instead: str) -> None:
    settings = ArchConfig(env=((name, "x"),))
    with pytest.raises(
        UsageError, match=rf"^p\.toml: \[tool\.fatwheel\.arm64\] env\.{name} .*{instead}"
    ):
        check_environment_settings(settings, Arch.ARM64, "p.toml")


def test_features_of_the_command_line_replace_those_of_the_file_so_all_are_passed() -> None:
    settings = MaturinSettings(features=("a", "b"))
    assert union_features(settings, [], []) == ()
    assert union_features(settings, ["c", "a"], ["d"]) == ("a", "b", "c", "d")


def test_features_that_depend_on_the_python_version_cannot_be_passed() -> None:
    settings = MaturinSettings(features=("a",), conditional=True)
    assert union_features(settings, [], []) == ()
    with pytest.raises(UsageError, match=r"the features c, d cannot be added to \[tool\.maturin\]"):
        union_features(settings, ["c"], ["d"])


def test_settings_of_maturin() -> None:
    text = """
    [tool.maturin]
    features = ["a", { feature = "b", python-version = ">=3.12" }]
    profile = "dist"
    manifest-path = "rust/Cargo.toml"
    [tool.maturin.target.x86_64-apple-darwin]
    macos-deployment-target = "10.13"
    """
    assert parse_maturin_settings(text) == MaturinSettings(
        features=("a",),
        conditional=True,
        profile="dist",
        manifest_path="rust/Cargo.toml",
        deployment={Arch.X86_64: "10.13"},
    )


@pytest.mark.parametrize("text", ["", "tool = 1", "[tool.maturin]\nfeatures = 'a'\nprofile = 1"])
def test_what_maturin_would_refuse_is_left_to_it(text: str) -> None:
    assert parse_maturin_settings(text) == MaturinSettings()
