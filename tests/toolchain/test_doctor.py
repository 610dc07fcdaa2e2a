"""What doctor tells of machines that were recorded, as whole screens; FATWHEEL_GOLDEN=write writes them anew."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
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
from fatwheel.toolchain.lookup import Host
from fatwheel.toolchain.machine import Tool, check_readiness, look_at_tools
from tests.support import interpreters as on
from tests.support.fake_runner import FakeRunner, says

GOLDEN = Path(__file__).parent / "doctor"
ARM_RUST = "aarch64-apple-darwin"
INTEL_RUST = "x86_64-apple-darwin"
LINUX_RUST = "x86_64-unknown-linux-gnu"
# As Apple's SDKs have it, without what nobody reads here.
SDK_SETTINGS = {
    "Version": "14.5",
    "SupportedTargets": {
        "macosx": {"MinimumDeploymentTarget": "10.13", "MaximumDeploymentTarget": "14.5.99"}
    },
}


@dataclass
class Machine:
    """A machine under a folder, with nothing on it."""

    folder: Path
    platform: str
    environ: dict[str, str] = field(default_factory=dict)
    runner: FakeRunner = field(default_factory=FakeRunner)
    ziglang: Path | None = None

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir()
        self.environ["PATH"] = str(self.folder / "bin")

    def program(self, *parts: str) -> Path:
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return path

    def rust(self, host: str, *targets: str) -> None:
        sysroot = self.folder / "toolchains" / f"stable-{host}"
        for target in targets:
            self.program(str(sysroot), "lib", "rustlib", target, "lib", "libstd-1a2b.rlib")
        self.program("bin", "rustup")
        self.runner.answers |= {
            "cargo --version": says("cargo 1.95.0 (f2d3ce0bd 2026-03-21)\n"),
            "rustc -vV": says(
                f"rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: {host}\n"
            ),
            "rustc --print sysroot": says(f"{sysroot}\n"),
        }

    def maturin(self) -> None:
        self.runner.answers["python -m maturin --version"] = says("maturin 1.16.0\n")

    def sdk(self, settings: object = SDK_SETTINGS) -> Path:
        root = self.folder / "MacOSX.sdk"
        root.mkdir()
        (root / "SDKSettings.json").write_text(json.dumps(settings))
        return root

    def xcode(self) -> None:
        self.runner.answers |= {
            "xcrun --sdk macosx --show-sdk-path": says(f"{self.sdk()}\n"),
            "xcrun --sdk macosx --show-sdk-version": says("14.5\n"),
        }
        self.program("bin", "lipo")
        self.program("bin", "codesign")

    @property
    def host(self) -> Host:
        return Host(
            platform=self.platform,
            environ=self.environ,
            python="/venv/bin/python",
            ziglang=self.ziglang,
            cache=self.folder / "cache",
        )

    def tools(self, *, apple_silicon: bool = False) -> dict[str, Tool]:
        tools = look_at_tools(self.host, self.folder, self.runner, apple_silicon=apple_silicon)
        return {tool.name: tool for tool in tools}

    def diagnose(self, system: str, wishes: Wishes, *pythons: PythonFacts) -> Diagnosis:
        apple_silicon = is_apple_silicon(pythons[0])
        return Diagnosis(
            version="1.2.3",
            system=system,
            machine="arm64" if apple_silicon else pythons[0].machine,
            wishes=wishes,
            patients=tuple(diagnose(python, wishes) for python in pythons),
            tools=tuple(self.tools(apple_silicon=apple_silicon).values()),
            readiness=check_readiness(self.host, self.folder, "auto", self.runner),
        )


def apple_silicon(folder: Path) -> Diagnosis:
    """Everything is there, and nothing is asked for."""
    machine = Machine(folder, "darwin")
    machine.maturin()
    machine.rust(ARM_RUST, ARM_RUST, INTEL_RUST)
    machine.xcode()
    machine.runner.answers["arch -x86_64 /usr/bin/true"] = says("")
    pythons = (on.PYTHON_ORG, on.APPLE, on.HOMEBREW_INTEL_ROSETTA)
    return machine.diagnose("macOS 14.5", Wishes(), *pythons)


def rosetta(folder: Path) -> Diagnosis:
    """A terminal under Rosetta with variables that contradict each other, and half of the tools."""
    machine = Machine(folder, "darwin")
    machine.rust(ARM_RUST, ARM_RUST)
    machine.runner.answers["arch -x86_64 /usr/bin/true"] = says("")
    wishes = Wishes(
        archflags="-arch arm64", host_platform="macosx-10.9-universal2", universal2=True
    )
    return machine.diagnose("macOS 14.5", wishes, on.PYTHON_ORG_ROSETTA)


def intel_mac(folder: Path) -> Diagnosis:
    """An old SDK's range is not known, and ARCHFLAGS is nonsense."""
    machine = Machine(folder, "darwin")
    machine.maturin()
    machine.rust(INTEL_RUST, INTEL_RUST, ARM_RUST)
    machine.xcode()
    (folder / "MacOSX.sdk" / "SDKSettings.json").write_text('{"Version": "14.5"}')
    return machine.diagnose(
        "macOS 13.7", Wishes(archflags="-arch i386"), on.HOMEBREW_INTEL_MAC, on.PYTHON_ORG_INTEL_MAC
    )


def linux(folder: Path) -> Diagnosis:
    """A cross build for both architectures."""
    machine = Machine(folder, "linux")
    machine.maturin()
    machine.rust(LINUX_RUST, ARM_RUST, INTEL_RUST)
    tools = machine.folder / "toolchains" / f"stable-{LINUX_RUST}" / "lib" / "rustlib" / LINUX_RUST
    machine.program(str(tools), "bin", "rust-lld")
    machine.program(str(tools), "bin", "rust-objcopy")
    machine.ziglang = machine.program("ziglang", "zig").parent
    stub = machine.program("ziglang", "lib", "libc", "darwin", "libSystem.tbd")
    stub.write_text("--- !tapi-tbd\ntargets: [ x86_64-macos, arm64e-macos ]\n")
    machine.runner.answers["zig version"] = says("0.17.1\n")
    machine.environ["SDKROOT"] = str(machine.sdk())
    wishes = Wishes(archflags="-arch arm64 -arch x86_64")
    return machine.diagnose("Linux 6.1", wishes, on.LINUX)


def empty_linux(folder: Path) -> Diagnosis:
    """Nothing is there; the setting of the project does not count."""
    return Machine(folder, "linux").diagnose("Linux 6.1", Wishes(universal2=True), on.LINUX)


def windows(folder: Path) -> Diagnosis:
    """Without a shell zig links."""
    machine = Machine(folder, "win32")
    machine.maturin()
    return machine.diagnose("Windows 11", Wishes(option="arm64"), on.WINDOWS)


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
    assert machine.tools(apple_silicon=True)["Rosetta 2"].found == found
    assert "Rosetta 2" not in machine.tools()


@pytest.mark.parametrize(
    "settings", ["text", [], {}, {"Version": "14.5", "SupportedTargets": []}], ids=str
)
def test_an_sdk_that_is_none(settings: object, tmp_path: Path) -> None:
    machine = Machine(tmp_path, "linux")
    machine.environ["SDKROOT"] = str(machine.sdk(settings))
    assert machine.tools()["macOS SDK"].is_missed


def test_zig_and_lld_on_path(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "linux")
    zig, lld = machine.program("bin", "zig"), machine.program("bin", "ld64.lld-19")
    machine.runner.answers["zig version"] = says("0.15.2\n")
    tools = machine.tools()
    assert tools["zig"].found == f"0.15.2, {zig}"
    assert tools["lld"].found == str(lld)


def test_zig_that_is_named_comes_first(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "linux")
    machine.program("bin", "zig")
    zig = machine.program("named", "zig")
    machine.environ["CARGO_ZIGBUILD_ZIG_PATH"] = str(zig)
    machine.runner.answers["zig version"] = says("0.15.2\n")
    assert machine.tools()["zig"].found == f"0.15.2, {zig}"


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
