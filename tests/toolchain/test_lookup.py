"""What is missing on a machine is told at once, each thing with what brings it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.toolchain.lookup import Linker, MissingToolsError
from tests.support.fake_runner import says
from tests.support.machines import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def variables(linker: Linker, arch: Arch) -> dict[str, str]:
    return dict(linker.variables[arch])


def test_llvms_linker_is_the_default_off_macos(machine: Machine) -> None:
    found = machine.look()
    assert (found.maturin, found.rustc) == ("maturin 1.16.0", "rustc 1.95.0 (x)")
    assert (found.linker.kind, found.linker.zig, found.linker.note) == ("lld", True, "")
    values = variables(found.linker, Arch.ARM64)
    assert values["CARGO_TARGET_AARCH64_APPLE_DARWIN_LINKER"].endswith("fatwheel-cc")
    assert values["CARGO_ZIGBUILD_ZIG_PATH"] == str(machine.zig)
    assert str(machine.lld) in values["FATWHEEL_LINK"]
    assert values["SDKROOT"].startswith(str(machine.host.cache))
    assert "CARGO_TARGET_X86_64_APPLE_DARWIN_LINKER" in variables(found.linker, Arch.X86_64)


def test_tools_are_asked_in_the_projects_folder_with_its_environment(machine: Machine) -> None:
    machine.look()
    assert {call.cwd for call in machine.runner.calls} == {machine.folder}
    assert all(call.env == machine.host.environ for call in machine.runner.calls)


def test_cargo_and_rustc_may_be_named_by_variables(machine: Machine) -> None:
    machine.runner.answers = {
        words.replace("cargo", "mycargo").replace("rustc", "myrustc"): answer
        for words, answer in machine.runner.answers.items()
    }
    environ = {**machine.host.environ, "CARGO": "/x/mycargo", "RUSTC": "/x/myrustc"}
    machine.host = replace(machine.host, environ=environ)
    assert machine.look().sysroot == machine.sysroot


@pytest.mark.parametrize("name", ["ld64.lld", "ld64.lld-19", "rust-lld"])
def test_a_linker_on_path(machine: Machine, name: str) -> None:
    machine.lld.unlink()
    machine.program(machine.path / name)
    linker = machine.look().linker
    assert linker.kind == "lld"
    assert str(machine.path / name) in variables(linker, Arch.ARM64)["FATWHEEL_LINK"]


def test_zig_links_where_there_is_no_other(machine: Machine) -> None:
    machine.lld.unlink()
    linker = machine.look().linker
    assert (linker.kind, linker.zig) == ("zig", True)
    assert "modules are larger" in linker.note
    assert variables(linker, Arch.ARM64) == {"CARGO_ZIGBUILD_ZIG_PATH": str(machine.zig)}


def test_zig_because_it_was_asked_for(machine: Machine) -> None:
    linker = machine.look("zig").linker
    assert (linker.kind, linker.note) == ("zig", "")


def test_on_windows_zig_links(machine: Machine) -> None:
    machine.program(machine.ziglang / "zig.exe")
    machine.host = replace(machine.host, platform="win32")
    assert machine.look().linker.kind == "zig"
    assert any("use --linker zig on Windows" in line for line in machine.missing("lld"))


def test_the_users_own_linker_needs_nothing(machine: Machine) -> None:
    machine.host = replace(machine.host, ziglang=None)
    machine.lld.unlink()
    assert machine.look("system").linker == Linker(kind="system")


def test_a_cross_linker_that_the_user_set_up_is_kept(machine: Machine) -> None:
    own = {f"CARGO_TARGET_{word}_APPLE_DARWIN_LINKER": "clang" for word in ("X86_64", "AARCH64")}
    machine.host = replace(machine.host, environ={**machine.host.environ, **own})
    assert machine.look().linker == Linker(kind="system")
    assert machine.look("lld").linker.kind == "lld"


def test_zig_on_path_says_where_its_files_are(machine: Machine) -> None:
    machine.host = replace(machine.host, ziglang=None)
    machine.program(machine.path / "zig")
    text = f'{{ .zig_exe = "zig", .lib_dir = "{machine.ziglang}/lib", }}'
    machine.runner.answers["zig env"] = says(text)
    assert variables(machine.look().linker, Arch.ARM64)["CARGO_ZIGBUILD_ZIG_PATH"].endswith(
        "bin/zig"
    )


def test_an_sdk_is_used_where_sdkroot_names_one(machine: Machine) -> None:
    sdk = machine.folder / "MacOSX.sdk"
    machine.file(sdk / "SDKSettings.json", '{"Version": "14.5"}')
    machine.host = replace(machine.host, environ={**machine.host.environ, "SDKROOT": str(sdk)})
    values = variables(machine.look().linker, Arch.ARM64)
    assert values["SDKROOT"] == str(sdk)
    assert '"sdk_version": "14.5"' in values["FATWHEEL_LINK"]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (None, "a macOS SDK at .*which SDKROOT names"),
        ("{}", "a macOS SDK at .*which SDKROOT names"),
        ("[1]", "a macOS SDK at .*which SDKROOT names"),
        ('{"Version": "10.15"}', r"a macOS SDK that knows arm64 \(SDKROOT names 10\.15\)"),
    ],
)
def test_an_sdk_that_does_not_serve(machine: Machine, settings: str | None, what: str) -> None:
    sdk = machine.folder / "MacOSX.sdk"
    if settings is not None:
        machine.file(sdk / "SDKSettings.json", settings)
    machine.host = replace(machine.host, environ={**machine.host.environ, "SDKROOT": str(sdk)})
    with pytest.raises(MissingToolsError, match=what):
        machine.look()


def test_on_macos_apples_tools_are_used(machine: Machine) -> None:
    machine.put_on_macos("14.2")
    machine.host = replace(machine.host, ziglang=None)
    assert machine.look().linker == Linker(kind="system")


RUSTUP_RS = "install Rust from https://rustup.rs, or Debian's with fatwheel's scripts/apple-targets"
PIP = "/venv/bin/python -m pip install"


def no_targets_and_no_rustup(machine: Machine) -> None:
    for arch in Arch:
        machine.library(arch).unlink()
    (machine.path / "rustup").unlink()


def no_objcopy_and_no_rustup(machine: Machine) -> None:
    (machine.tools / "rust-objcopy").unlink()
    (machine.path / "rustup").unlink()


@pytest.mark.parametrize(
    ("take_away", "what", "how"),
    [
        (
            lambda m: m.runner.answers.pop("python -m maturin --version"),
            "maturin 1.9 or later",
            f"{PIP} --upgrade 'maturin>=1.9'",
        ),
        (
            lambda m: m.runner.answers.update(
                {"python -m maturin --version": says("maturin 1.4.0")}
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
            lambda m: m.zig.unlink(),
            "zig, which compiles C and brings libSystem's stub",
            f"{PIP} ziglang",
        ),
    ],
    ids=["maturin", "old-maturin", "cargo", "rustc", "target", "debian-targets", "objcopy", "zig"],
)
def test_each_missing_piece(
    machine: Machine, take_away: Callable[[Machine], object], what: str, how: str
) -> None:
    take_away(machine)
    assert machine.missing() == [f"{what} | {how}"]


def test_lld_that_was_asked_for(machine: Machine) -> None:
    machine.lld.unlink()
    assert machine.missing("lld") == [
        (
            "LLVM's Mach-O linker (rust-lld or ld64.lld) | take a Rust toolchain from rustup, or: "
            "apt-get install lld-19"
        )
    ]


def test_a_zig_without_stubs(machine: Machine) -> None:
    machine.stub.unlink()
    (line,) = machine.missing()
    assert line.startswith("zig's stub of libSystem (")


def test_all_is_told_at_once(machine: Machine) -> None:
    machine.runner.answers.clear()
    machine.host = replace(machine.host, ziglang=None)
    told = machine.missing()
    assert [line.split()[0].rstrip(",") for line in told] == ["maturin", "cargo", "rustc", "zig"]
    with pytest.raises(
        MissingToolsError, match=r"^to build here, 4 things must be installed first"
    ):
        machine.look()


def test_no_xcode(machine: Machine) -> None:
    machine.put_on_macos("14.2")
    del machine.runner.answers["xcrun --sdk macosx --show-sdk-path"]
    assert machine.missing() == ["Apple's command line tools with an SDK | xcode-select --install"]


def test_an_xcode_without_arm64(machine: Machine) -> None:
    machine.put_on_macos("10.15")
    (line,) = machine.missing()
    assert line.startswith(
        "a macOS SDK of 11.0 or later (found 10.15, which has no arm64) | update"
    )
