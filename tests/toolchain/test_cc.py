"""The C compiler driver: its words read, and real links by LLVM's linker."""

from __future__ import annotations

import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import lief
import pytest

from fatwheel.toolchain.cc import (
    LinkSettings,
    link,
    link_command,
    parse_link,
    wrapper_environment,
    write_wrapper,
)
from fatwheel.toolchain.stubs import make_stub_sdk
from tests.support.linkers import find_lld, find_zig

SETTINGS = LinkSettings(lld=("rust-lld", "-flavor", "darwin"), stubs="/stubs")

RUSTC = shlex.split("""
-Wl,-exported_symbols_list -Wl,/t/list a.o libstd.rlib -liconv -lSystem -lc -lm -arch arm64
-mmacosx-version-min=11.0.0 -o /t/out.dylib -Wl,-dead_strip -dynamiclib -nodefaultlibs
-Wl,-install_name,@rpath/m.so -undefined dynamic_lookup -Wl,-headerpad_max_install_names
""")


def test_what_rustc_and_maturin_say() -> None:
    link = parse_link(RUSTC)
    assert (link.arch, link.version, link.output) == ("arm64", "11.0.0", "/t/out.dylib")
    assert link.libraries == ["iconv", "System", "c", "m"]
    assert link.arguments == shlex.split(
        "-exported_symbols_list /t/list a.o libstd.rlib -liconv -lSystem -lc -lm -dead_strip -dylib "
        "-install_name @rpath/m.so -undefined dynamic_lookup -headerpad_max_install_names"
    )


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("-shared", "-dylib"),
        ("-bundle", "-bundle"),
        ("-rdynamic", "-export_dynamic"),
        ("-fapplication-extension", "-application_extension"),
        ("-Xlinker -map -Xlinker m.txt", "-map m.txt"),
        ("-Wl,-mllvm,-O3", "-mllvm -O3"),
        ("-framework Security -weak_framework Metal", "-framework Security -weak_framework Metal"),
        ("-L /a -L/b -F /c", "-L /a -L/b -F /c"),
        ("-pthread -O2 -g -Wall -fuse-ld=lld -m64 -pipe", ""),
        ("-force_load liba.a -filelist f", "-force_load liba.a -filelist f"),
        ("-ObjC", "-ObjC"),
    ],
)
def test_words(words: str, arguments: str) -> None:
    assert parse_link(words.split()).arguments == arguments.split()


@pytest.mark.parametrize(
    ("words", "arch", "version"),
    [
        ("--target=arm64-apple-macosx12.0.0", "arm64", "12.0.0"),
        ("-target aarch64-apple-macos11", "arm64", "11"),
        ("-target x86_64-apple-macosx -mmacosx-version-min=10.13", "x86_64", "10.13"),
        ("-arch x86_64 -mmacosx-version-min=10.12.0", "x86_64", "10.12.0"),
    ],
)
def test_target(words: str, arch: str, version: str) -> None:
    link = parse_link(words.split())
    assert (link.arch, link.version) == (arch, version)


def test_response_files(tmp_path: Path) -> None:
    file = tmp_path / "args"
    file.write_text("-Wl,-dead_strip\n/a\\ b/c.o\n-lz\n")
    link = parse_link([f"@{file}", "-o", "x"])
    assert link.arguments == ["-dead_strip", "/a b/c.o", "-lz"]


def test_an_option_without_its_value() -> None:
    with pytest.raises(ValueError, match="-arch lacks its value"):
        parse_link(["-arch"])


@pytest.mark.parametrize(
    ("settings", "sysroot", "version"),
    [
        (SETTINGS, "/stubs", "15.0"),
        (LinkSettings(lld=("l",), stubs="", sdk="/sdk", sdk_version="14.2"), "/sdk", "14.2"),
    ],
    ids=["stubs", "sdk"],
)
def test_command(settings: LinkSettings, sysroot: str, version: str) -> None:
    link = parse_link(shlex.split("-arch arm64 -mmacosx-version-min=11.0.0 a.o -o b"))
    assert link_command(link, settings, output=link.output) == [
        *settings.lld,
        *("-arch", "arm64", "-platform_version", "macos", "11.0.0", version),
        *("-syslibroot", sysroot, "--icf=safe", "a.o", "-o", "b"),
    ]


def test_an_old_deployment_target_is_no_old_sdk() -> None:
    link = parse_link(shlex.split("-arch x86_64 -mmacosx-version-min=10.12 a.o"))
    assert link_command(link, SETTINGS, output="b")[6:9] == ["macos", "10.12", "15.0"]


def test_a_deployment_target_that_is_none_is_the_linkers_to_refuse() -> None:
    link = parse_link(shlex.split("-arch x86_64 -mmacosx-version-min=x a.o"))
    assert link_command(link, SETTINGS, output="b")[6:9] == ["macos", "x", "15.0"]


def test_a_deployment_target_above_it_is_the_sdks_version() -> None:
    link = parse_link(shlex.split("-arch arm64 -mmacosx-version-min=26.0 a.o"))
    assert link_command(link, SETTINGS, output="b")[6:9] == ["macos", "26.0", "26.0"]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ("-dynamiclib a.o -o /t/deps/libx.dylib", "@rpath/libx.dylib"),
        ("-Wl,-dylib a.o -o libx.dylib", "@rpath/libx.dylib"),
        ("-dynamiclib -Wl,-install_name,@rpath/own a.o -o /t/libx.dylib", "@rpath/own"),
        ("-dynamiclib -install_name /usr/lib/own a.o -o /t/libx.dylib", "/usr/lib/own"),
        ("a.o -o /t/program", None),
        ("-bundle a.o -o /t/x.so", None),
    ],
)
def test_a_dylib_is_not_named_after_a_folder_of_this_machine(
    arguments: str, name: str | None
) -> None:
    link = parse_link(shlex.split(f"-arch arm64 -mmacosx-version-min=11.0 {arguments}"))
    command = link_command(link, SETTINGS, output=link.output)
    names = [after for word, after in pairwise(command) if word == "-install_name"]
    assert names == ([name] if name else [])


def test_settings_survive_the_environment() -> None:
    assert LinkSettings.from_json(SETTINGS.to_json()) == SETTINGS


def test_the_wrapper_is_written_once_and_mended(tmp_path: Path) -> None:
    path = write_wrapper(tmp_path / "cache")
    before = path.stat().st_mtime_ns
    assert write_wrapper(tmp_path / "cache").stat().st_mtime_ns == before
    path.write_text("damaged")
    assert write_wrapper(tmp_path / "cache").read_text().startswith("#!/bin/sh\n")
    assert path.stem == "fatwheel-cc"  # rustc tells the kind of linker by its name


# --- real links


class Links:
    """A folder in which C is compiled by zig and linked by the wrapper."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        zig = find_zig()
        self.zig = zig
        libsystem = (zig.parent / "lib" / "libc" / "darwin" / "libSystem.tbd").read_text("utf-8")
        self.settings = LinkSettings(
            lld=find_lld(), stubs=str(make_stub_sdk(libsystem, folder / "cache"))
        )

    def compile(self, arch: str, source: str) -> Path:
        target = {"arm64": "aarch64-macos.11.0", "x86_64": "x86_64-macos.11.0"}[arch]
        (self.folder / "in.c").write_text(source)
        compiled = self.folder / f"{arch}.o"
        command = [str(self.zig), "cc", "-target", target, "-c", "in.c", "-o", str(compiled)]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return compiled

    def arguments(self, arch: str, source: str, *words: str) -> list[str]:
        compiled = self.compile(arch, source)
        out = self.folder / f"{arch}.out"
        target = ["-arch", arch, "-mmacosx-version-min=11.0"]
        return [*target, str(compiled), "-lSystem", "-o", str(out), *words]

    def binary(self, arch: str) -> lief.MachO.Binary:
        parsed = lief.MachO.parse(self.folder / f"{arch}.out")
        assert parsed is not None
        binary = parsed.at(0)
        assert binary is not None
        return binary


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> Links:
    return Links(tmp_path_factory.mktemp("links"))


@pytest.mark.parametrize("arch", ["arm64", "x86_64"])
def test_only_what_is_listed_is_exported(links: Links, arch: str) -> None:
    (links.folder / "list").write_text("_PyInit_m\n")
    source = "int PyInit_m(void) { return 1; } int other(void) { return 2; }"
    words = ["-dynamiclib", "-Wl,-exported_symbols_list", f"-Wl,{links.folder}/list"]
    assert link(links.settings, links.arguments(arch, source, *words), {}) == 0
    binary = links.binary(arch)
    assert [symbol.name for symbol in binary.exported_symbols] == ["_PyInit_m"]
    assert binary.has_code_signature == (arch == "arm64")
    assert [library.name for library in binary.libraries][-1] == "/usr/lib/libSystem.B.dylib"


FRAMEWORK = """
extern void CFRelease(void *); extern double kCFAbsoluteTimeIntervalSince1970;
extern int PyErr_Occurred(void);
double f(void *p) { CFRelease(p); return kCFAbsoluteTimeIntervalSince1970 + PyErr_Occurred(); }
"""


def test_symbols_of_a_framework_are_bound_to_it(links: Links) -> None:
    words = ["-dynamiclib", "-undefined", "dynamic_lookup", "-framework", "CoreFoundation"]
    assert link(links.settings, links.arguments("arm64", FRAMEWORK, *words), {}) == 0
    binary = links.binary("arm64")
    bound = {
        binding.symbol.name: binding.library.name if binding.library is not None else None
        for binding in binary.bindings
        if isinstance(binding, lief.MachO.DyldBindingInfo) and binding.symbol is not None
    }
    framework = "/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation"
    assert bound["_CFRelease"] == framework
    assert bound["_kCFAbsoluteTimeIntervalSince1970"] == framework
    assert bound["_PyErr_Occurred"] is None


def test_a_program_with_a_framework(links: Links) -> None:
    source = "extern void CFRelease(void *); int main(void) { CFRelease(0); return 0; }"
    words = ["-framework", "CoreFoundation"]
    assert link(links.settings, links.arguments("x86_64", source, *words), {}) == 0
    assert links.binary("x86_64").header.file_type == lief.MachO.Header.FILE_TYPE.EXECUTE


def test_an_unknown_framework_is_named(links: Links, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["-dynamiclib", "-framework", "NoSuchThing"]
    assert link(links.settings, links.arguments("arm64", "int f;", *words), {}) != 0
    assert "fatwheel: the framework NoSuchThing has no stub here" in capfd.readouterr().err


def test_a_symbol_that_nothing_has(links: Links, capfd: pytest.CaptureFixture[str]) -> None:
    source = "extern int nowhere(void); int main(void) { return nowhere(); }"
    assert link(links.settings, links.arguments("arm64", source), {}) != 0
    assert "undefined symbol: _nowhere" in capfd.readouterr().err


def test_libcxx_is_zigs(links: Links, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = links.arguments("arm64", "int f;", "-dynamiclib", "-lc++")
    assert link(links.settings, arguments, {"arm64": sys.executable}) != 0  # python takes no -arch
    assert link(links.settings, arguments, {}) == 1
    assert "links libc++, which only zig brings" in capfd.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="the wrapper is a shell script")
def test_the_wrapper_links_wherever_it_is_called(links: Links, tmp_path: Path) -> None:
    # cargo calls it in the project's folder, whose own modules must not get in its way.
    for module in ("json", "fatwheel", "subprocess"):
        (tmp_path / f"{module}.py").write_text(f"raise SystemExit('the wrong {module}')")
    arguments = links.arguments("arm64", "int main(void) { return 0; }")
    wrapper = write_wrapper(links.folder / "cache")
    environ = wrapper_environment(links.settings, sys.executable)
    environ["PYTHONPATH"] = str(tmp_path)
    done = subprocess.run(
        [wrapper, *arguments],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert links.binary("arm64").has_entrypoint
    done = subprocess.run([wrapper, "-o"], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "fatwheel: -o lacks its value\n")
