"""Which linker a build gets on which machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.toolchain.linker import Linker
from tests.support.fake_runner import says
from tests.support.machines import Machine, complete_linux


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return complete_linux(tmp_path)


def variables(linker: Linker, arch: Arch) -> dict[str, str]:
    return dict(linker.variables[arch])


def test_llvms_linker_is_the_default_off_macos(machine: Machine) -> None:
    found = machine.look()
    assert (found.maturin, found.rustc) == ("maturin 1.16.0", "rustc 1.95.0 (59807616e 2026-04-14)")
    assert (found.linker.kind, found.linker.zig, found.linker.note) == ("lld", True, "")
    values = variables(found.linker, Arch.ARM64)
    assert values["CARGO_TARGET_AARCH64_APPLE_DARWIN_LINKER"].endswith("fatwheel-cc")
    assert values["CARGO_ZIGBUILD_ZIG_PATH"] == str(machine.zig_program)
    assert str(machine.rust_tool("rust-lld")) in values["FATWHEEL_LINK"]
    assert values["SDKROOT"].startswith(str(machine.host.cache))
    assert "CARGO_TARGET_X86_64_APPLE_DARWIN_LINKER" in variables(found.linker, Arch.X86_64)


@pytest.mark.parametrize("name", ["ld64.lld", "ld64.lld-19", "rust-lld"])
def test_a_linker_on_path(machine: Machine, name: str) -> None:
    machine.rust_tool("rust-lld").unlink()
    machine.program(machine.path / name)
    linker = machine.look().linker
    assert linker.kind == "lld"
    assert str(machine.path / name) in variables(linker, Arch.ARM64)["FATWHEEL_LINK"]


def test_zig_links_where_there_is_no_other(machine: Machine) -> None:
    machine.rust_tool("rust-lld").unlink()
    linker = machine.look().linker
    assert (linker.kind, linker.zig) == ("zig", True)
    assert "modules are larger" in linker.note
    assert variables(linker, Arch.ARM64) == {
        "CARGO_ZIGBUILD_ZIG_PATH": str(machine.zig_program),
        # else the python3 on PATH would be asked for another zig first
        "CARGO_ZIGBUILD_PYTHON_PATH": "/nowhere/python",
        "CARGO_ZIGBUILD_CACHE_DIR": str(machine.folder / "cache" / "zigbuild"),
    }


def test_zig_because_it_was_asked_for(machine: Machine) -> None:
    linker = machine.look("zig").linker
    assert (linker.kind, linker.note) == ("zig", "")


def test_on_windows_zig_links(machine: Machine) -> None:
    machine.program(machine.folder / "ziglang" / "zig.exe")
    machine.platform = "win32"
    assert machine.look().linker.kind == "zig"
    assert any("use --linker zig on Windows" in line for line in machine.missing("lld"))


def test_the_users_own_linker_needs_nothing(machine: Machine) -> None:
    machine.ziglang = None
    machine.rust_tool("rust-lld").unlink()
    assert machine.look("system").linker == Linker(kind="system")


def test_a_cross_linker_that_the_user_set_up_is_kept(machine: Machine) -> None:
    own = {f"CARGO_TARGET_{word}_APPLE_DARWIN_LINKER": "clang" for word in ("X86_64", "AARCH64")}
    machine.environ |= own
    assert machine.look().linker == Linker(kind="system")
    assert machine.look("lld").linker.kind == "lld"


def test_zig_on_path_says_where_its_files_are(machine: Machine) -> None:
    machine.ziglang = None
    machine.program(machine.path / "zig")
    text = f'{{ .zig_exe = "zig", .lib_dir = "{machine.folder}/ziglang/lib", }}'
    machine.runner.answers["zig env"] = says(text)
    assert variables(machine.look().linker, Arch.ARM64)["CARGO_ZIGBUILD_ZIG_PATH"].endswith(
        "bin/zig"
    )


def test_on_macos_apples_tools_are_used(machine: Machine) -> None:
    machine.xcode("14.2")
    machine.ziglang = None
    assert machine.look().linker == Linker(kind="system")


def test_lld_that_was_asked_for(machine: Machine) -> None:
    machine.rust_tool("rust-lld").unlink()
    assert machine.missing("lld") == [
        (
            "LLVM's Mach-O linker (rust-lld or ld64.lld) | take a Rust toolchain from rustup, or: "
            "apt-get install lld-19"
        )
    ]
