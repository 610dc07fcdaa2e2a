"""What doctor tells of machines that were recorded, as whole screens; FATWHEEL_GOLDEN=write writes them anew."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fatwheel.arch import Arch
from fatwheel.cli.main import main
from fatwheel.process import Completed
from fatwheel.targets.decision import PythonFacts, Wishes
from fatwheel.toolchain.doctor import (
    Diagnosis,
    diagnose,
    diagnosis_json,
    diagnosis_lines,
    is_apple_silicon,
)
from fatwheel.toolchain.tools import Tool, check_readiness, look_at_tools
from tests.support import interpreters as on
from tests.support.fake_runner import says
from tests.support.machines import Machine, complete_linux

GOLDEN = Path(__file__).parent / "doctor"
ARM_RUST, INTEL_RUST = Arch.ARM64.rust_target, Arch.X86_64.rust_target


def tools(machine: Machine, *, apple_silicon: bool = False) -> dict[str, Tool]:
    found = look_at_tools(machine.host, machine.folder, machine.runner, apple_silicon=apple_silicon)
    return {tool.name: tool for tool in found}


def diagnosed(machine: Machine, system: str, wishes: Wishes, *pythons: PythonFacts) -> Diagnosis:
    apple_silicon = is_apple_silicon(pythons[0])
    return Diagnosis(
        version="1.2.3",
        system=system,
        machine="arm64" if apple_silicon else pythons[0].machine,
        wishes=wishes,
        patients=tuple(diagnose(python, wishes) for python in pythons),
        tools=tuple(tools(machine, apple_silicon=apple_silicon).values()),
        readiness=check_readiness(machine.host, machine.folder, "auto", machine.runner),
    )


def apple_silicon(folder: Path) -> Diagnosis:
    """Everything is there, and nothing is asked for."""
    machine = Machine(folder, "darwin")
    machine.maturin()
    machine.rust(ARM_RUST, *Arch)
    machine.xcode()
    machine.runner.answers["arch -x86_64 /usr/bin/true"] = says("")
    pythons = (on.PYTHON_ORG, on.APPLE, on.HOMEBREW_INTEL_ROSETTA)
    return diagnosed(machine, "macOS 14.5", Wishes(), *pythons)


def rosetta(folder: Path) -> Diagnosis:
    """A terminal under Rosetta with variables that contradict each other, and half of the tools."""
    machine = Machine(folder, "darwin")
    machine.rust(ARM_RUST, Arch.ARM64)
    machine.runner.answers["arch -x86_64 /usr/bin/true"] = says("")
    wishes = Wishes(
        archflags="-arch arm64", host_platform="macosx-10.9-universal2", universal2=True
    )
    return diagnosed(machine, "macOS 14.5", wishes, on.PYTHON_ORG_ROSETTA)


def intel_mac(folder: Path) -> Diagnosis:
    """An old SDK's range is not known, and ARCHFLAGS is nonsense."""
    machine = Machine(folder, "darwin")
    machine.maturin()
    machine.rust(INTEL_RUST, *Arch)
    machine.xcode()
    (folder / "MacOSX.sdk" / "SDKSettings.json").write_text('{"Version": "14.5"}')
    return diagnosed(
        machine,
        "macOS 13.7",
        Wishes(archflags="-arch i386"),
        on.HOMEBREW_INTEL_MAC,
        on.PYTHON_ORG_INTEL_MAC,
    )


def linux(folder: Path) -> Diagnosis:
    """A cross build for both architectures."""
    machine = complete_linux(folder)
    machine.environ["SDKROOT"] = str(machine.sdk())
    wishes = Wishes(archflags="-arch arm64 -arch x86_64")
    return diagnosed(machine, "Linux 6.1", wishes, on.LINUX)


def empty_linux(folder: Path) -> Diagnosis:
    """Nothing is there; the setting of the project does not count."""
    return diagnosed(Machine(folder), "Linux 6.1", Wishes(universal2=True), on.LINUX)


def windows(folder: Path) -> Diagnosis:
    """Without a shell zig links."""
    machine = Machine(folder, "win32")
    machine.maturin()
    return diagnosed(machine, "Windows 11", Wishes(option="arm64"), on.WINDOWS)


CASES: dict[str, Callable[[Path], Diagnosis]] = {
    "apple-silicon": apple_silicon,
    "rosetta": rosetta,
    "intel-mac": intel_mac,
    "linux": linux,
    "empty-linux": empty_linux,
    "windows": windows,
}


@pytest.mark.parametrize("case", CASES)
def test_screen(case: str, tmp_path: Path) -> None:
    diagnosis = CASES[case](tmp_path)
    found = "\n".join(diagnosis_lines(diagnosis)).replace(str(tmp_path), "/m") + "\n"
    golden = GOLDEN / f"{case}.txt"
    if os.environ.get("FATWHEEL_GOLDEN") == "write":
        golden.write_text(found, "utf-8")
    assert found == golden.read_text("utf-8")


def test_every_golden_file_belongs_to_a_case() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == sorted(CASES)


@pytest.mark.parametrize("case", CASES)
def test_json_tells_the_same(case: str, tmp_path: Path) -> None:
    diagnosis = CASES[case](tmp_path)
    document: dict[str, Any] = json.loads(json.dumps(diagnosis_json(diagnosis)))
    screen = "\n".join(diagnosis_lines(diagnosis))
    for python in document["pythons"]:
        assert python["executable"] in screen
        decision = python["decision"] or {"why": python["problem"], "overruled": []}
        for sentence in [decision["why"], *decision["overruled"]]:
            assert sentence in screen
    for tool in document["tools"]:
        assert (tool["found"] or tool["needed_for"] or tool["name"]) in screen
    assert document["build"]["ready"] == (document["build"]["missing"] == [])
    for missing in document["build"]["missing"]:
        assert missing["what"] in screen
        assert missing["how"] in screen


def test_a_look_leaves_nothing_behind(tmp_path: Path) -> None:
    assert not linux(tmp_path).readiness.missing
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("python", "expected"),
    [
        (on.PYTHON_ORG, True),
        (on.HOMEBREW_INTEL_ROSETTA, True),
        (on.HOMEBREW_INTEL_MAC, False),
        (replace(on.LINUX, machine="arm64"), False),
    ],
    ids=["native", "rosetta", "intel", "linux"],
)
def test_apple_silicon(python: PythonFacts, expected: bool) -> None:
    assert is_apple_silicon(python) == expected


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (says(""), "installed"),
        (Completed(exit_code=1, stderr="arch: posix_spawnp: Bad CPU type in executable"), ""),
        (None, ""),
    ],
    ids=["installed", "not-installed", "no-arch"],
)
def test_rosetta_is_looked_for_on_apple_silicon(
    said: Completed | None, found: str, tmp_path: Path
) -> None:
    machine = Machine(tmp_path, "darwin")
    if said is not None:
        machine.runner.answers["arch -x86_64 /usr/bin/true"] = said
    assert tools(machine, apple_silicon=True)["Rosetta 2"].found == found
    assert "Rosetta 2" not in tools(machine)


@pytest.mark.parametrize(
    "settings", ["text", [], {}, {"Version": "14.5", "SupportedTargets": []}], ids=str
)
def test_an_sdk_that_is_none(settings: object, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.environ["SDKROOT"] = str(machine.sdk(settings))
    assert tools(machine)["macOS SDK"].is_missed


def test_zig_and_lld_on_path(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    zig, lld = machine.program(machine.path / "zig"), machine.program(machine.path / "ld64.lld-19")
    machine.runner.answers["zig version"] = says("0.15.2\n")
    found = tools(machine)
    assert found["zig"].found == f"0.15.2, {zig}"
    assert found["lld"].found == str(lld)


def test_zig_that_is_named_comes_first(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.program(machine.path / "zig")
    zig = machine.program(tmp_path / "named" / "zig")
    machine.environ["CARGO_ZIGBUILD_ZIG_PATH"] = str(zig)
    machine.runner.answers["zig version"] = says("0.15.2\n")
    assert tools(machine)["zig"].found == f"0.15.2, {zig}"


# --- the command, on this machine ------------------------------------------------------------------

Run = Callable[..., tuple[object, str, str]]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)
    for name in ("CARGO_BUILD_TARGET", "ARCHFLAGS", "_PYTHON_HOST_PLATFORM"):
        monkeypatch.delenv(name, raising=False)

    def run_(*arguments: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit, match=r"^\d+$") as ended:
            main(["doctor", *arguments])
        return (ended.value.code, *capsys.readouterr())

    yield run_
    signal.signal(signal.SIGTERM, handler)


def test_command(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert "\nfatwheel build: " in out


def test_command_takes_wishes_from_environment_and_options(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHFLAGS", "-arch x86_64")
    monkeypatch.setenv("_PYTHON_HOST_PLATFORM", "macosx-11.0-arm64")
    code, out, _ = run("--json", "--target", "universal2")
    document = json.loads(out)
    assert code == 0
    decision = document["pythons"][0]["decision"]
    assert (decision["decided_by"], len(decision["contradictions"])) == ("option", 1)
    assert decision["archs"] == [arch.value for arch in Arch]
    assert document["wishes"]["_PYTHON_HOST_PLATFORM"] == "macosx-11.0-arm64"
    assert document["pythons"][0]["platform"] != "macosx-11.0-arm64"


def test_command_tells_nonsense_in_a_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHFLAGS", "-arch arm64e")
    code, out, _ = run()
    assert code == 0
    assert (
        "  problem: ARCHFLAGS is '-arch arm64e', and arm64e after -arch is no architecture" in out
    )


def test_command_reads_the_setting(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.fatwheel]\nuniversal2 = true\n")
    _, out, _ = run("--json")
    assert json.loads(out)["wishes"]["universal2"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--target", "intel"), "the target 'intel' is none; choose x86_64, arm64, universal2"),
        (("-i", "no-such-python"), "-i no-such-python: no-such-python is not installed"),
        (("-i", "9.9"), "-i 9.9: python9.9 is not installed"),
    ],
    ids=["target", "interpreter", "version"],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"fatwheel: {message}")


def test_an_interpreter_by_its_path(run: Run) -> None:
    _, out, _ = run("--json", "-i", sys.executable)
    assert len({python["version"] for python in json.loads(out)["pythons"]}) == 1
