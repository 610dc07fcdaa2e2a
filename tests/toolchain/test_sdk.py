"""Which SDK a build takes, and which does not serve."""

from __future__ import annotations

from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.toolchain.host import MissingToolsError
from tests.support.machines import Machine, complete_linux


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return complete_linux(tmp_path)


def test_an_sdk_is_used_where_sdkroot_names_one(machine: Machine) -> None:
    sdk = machine.sdk()
    machine.environ["SDKROOT"] = str(sdk)
    values = dict(machine.look().linker.variables[Arch.ARM64])
    assert values["SDKROOT"] == str(sdk)
    assert '"sdk_version": "14.5"' in values["FATWHEEL_LINK"]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (None, "a macOS SDK at .*which SDKROOT names"),
        ({}, "a macOS SDK at .*which SDKROOT names"),
        ([1], "a macOS SDK at .*which SDKROOT names"),
        ({"Version": "10.15"}, r"a macOS SDK that knows arm64 \(SDKROOT names 10\.15\)"),
    ],
)
def test_an_sdk_that_does_not_serve(machine: Machine, settings: object, what: str) -> None:
    sdk = machine.sdk(settings)
    machine.environ["SDKROOT"] = str(sdk)
    with pytest.raises(MissingToolsError, match=what):
        machine.look()


def test_no_xcode(machine: Machine) -> None:
    machine.xcode("14.2")
    del machine.runner.answers["xcrun --sdk macosx --show-sdk-path"]
    assert machine.missing() == ["Apple's command line tools with an SDK | xcode-select --install"]


def test_an_xcode_without_arm64(machine: Machine) -> None:
    machine.xcode("10.15")
    (line,) = machine.missing()
    assert line.startswith(
        "a macOS SDK of 11.0 or later (found 10.15, which has no arm64) | update"
    )
