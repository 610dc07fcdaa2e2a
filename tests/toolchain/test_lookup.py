"""What is missing on a machine is told at once, each thing with what brings it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.toolchain.host import MissingToolsError
from tests.support.fake_runner import says
from tests.support.machines import Machine, complete_linux


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return complete_linux(tmp_path)


def test_tools_are_asked_in_the_projects_folder_with_its_environment(machine: Machine) -> None:
    machine.look()
    assert {call.cwd for call in machine.runner.calls} == {machine.folder}
    assert all(call.env == machine.host.environ for call in machine.runner.calls)


def test_cargo_and_rustc_may_be_named_by_variables(machine: Machine) -> None:
    machine.runner.answers = {
        words.replace("cargo", "mycargo").replace("rustc", "myrustc"): answer
        for words, answer in machine.runner.answers.items()
    }
    machine.environ |= {"CARGO": "/x/mycargo", "RUSTC": "/x/myrustc"}
    assert machine.look().sysroot == machine.sysroot


RUSTUP_RS = "install Rust from https://rustup.rs, or Debian's with fatwheel's scripts/apple-targets"
PIP = "/venv/bin/python -m pip install"


def no_targets_and_no_rustup(machine: Machine) -> None:
    for arch in Arch:
        machine.library(arch).unlink()
    (machine.path / "rustup").unlink()


def no_objcopy_and_no_rustup(machine: Machine) -> None:
    machine.rust_tool("rust-objcopy").unlink()
    (machine.path / "rustup").unlink()


@pytest.mark.parametrize(
    ("take_away", "what", "how"),
    [
        (
            lambda m: m.runner.answers.pop("python -I -m maturin --version"),
            "maturin 1.9 or later",
            f"{PIP} --upgrade 'maturin>=1.9'",
        ),
        (
            lambda m: m.runner.answers.update(
                {"python -I -m maturin --version": says("maturin 1.4.0")}
            ),
            "maturin 1.9 or later (found maturin 1.4.0)",
            f"{PIP} --upgrade 'maturin>=1.9'",
        ),
        (lambda m: m.runner.answers.pop("cargo --version"), "cargo", RUSTUP_RS),
        (lambda m: m.runner.answers.pop("rustc -vV"), "rustc", RUSTUP_RS),
        (
            lambda m: m.library(Arch.X86_64).unlink(),
            "Rust's standard library for x86_64-apple-darwin",
            "rustup target add --toolchain stable-x86_64-unknown-linux-gnu x86_64-apple-darwin",
        ),
        (
            no_targets_and_no_rustup,
            "Rust's standard library for x86_64-apple-darwin and aarch64-apple-darwin",
            'eval "$(scripts/apple-targets)", from fatwheel\'s source, compiles them for this rustc',
        ),
        (
            no_objcopy_and_no_rustup,
            "rust-objcopy, with which rustc strips what it linked",
            "apt-get install rust-web-llvm",
        ),
        (
            lambda m: m.zig_program.unlink(),
            "zig, which compiles C and brings libSystem's stub",
            f"{PIP} 'fatwheel[zig]'",
        ),
    ],
    ids=["maturin", "old-maturin", "cargo", "rustc", "target", "debian-targets", "objcopy", "zig"],
)
def test_each_missing_piece(
    machine: Machine, take_away: Callable[[Machine], object], what: str, how: str
) -> None:
    take_away(machine)
    assert machine.missing() == [f"{what} | {how}"]


def test_a_zig_without_stubs(machine: Machine) -> None:
    machine.stub.unlink()
    (line,) = machine.missing()
    assert line.startswith("zig's stub of libSystem (")


def test_all_is_told_at_once(machine: Machine) -> None:
    machine.runner.answers.clear()
    machine.ziglang = None
    told = machine.missing()
    assert [line.split()[0].rstrip(",") for line in told] == ["maturin", "cargo", "rustc", "zig"]
    with pytest.raises(
        MissingToolsError, match=r"^to build here, 4 things must be installed first"
    ):
        machine.look()
