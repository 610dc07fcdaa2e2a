"""The fixture crates are really compiled for both targets, linked, fused and looked at."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import lief
import pytest

from tests.support.hostile import asked_by_maturin, hostile, run
from tests.support.oracles import JUDGES, Fusion
from tests.support.projects import (
    FATWHEEL,
    PROJECTS,
    TARGETS,
    BuiltWheel,
    build_environment,
    copy_project,
    require_rust,
    run_fatwheel,
)
from tests.support.required import require_tool, unavailable

PROGRAM = Path(sys.executable).with_name("fatwheel")


@pytest.fixture(scope="module", autouse=True)
def _rust() -> None:
    require_rust()


@pytest.fixture
def built(request: pytest.FixtureRequest, tmp_path: Path) -> BuiltWheel:
    """The wheel of the project that the test names, built by the plain command."""
    return build(copy_project(request.param, tmp_path))


def build(project: Path, *arguments: str, **environ: str) -> BuiltWheel:
    done = run_fatwheel(project, "build", *arguments, **environ)
    assert done.returncode == 0, done.stderr
    (path,) = done.stdout.splitlines()
    return BuiltWheel(project / path)


def build_with_thin(project: Path) -> BuiltWheel:
    done = run_fatwheel(project, "build", "--keep-thin")
    assert done.returncode == 0, done.stderr
    return BuiltWheel(project / done.stdout.splitlines()[-1])


def exports(image: lief.MachO.Binary) -> set[str]:
    return {str(symbol.name) for symbol in image.exported_symbols}


def minos(image: lief.MachO.Binary) -> list[int]:
    if image.build_version is not None:
        return list(image.build_version.minos)[:2]
    assert image.version_min is not None
    return list(image.version_min.version)[:2]


@pytest.mark.parametrize("built", ["abi3"], indirect=True)
def test_pyo3_for_all_pythons(built: BuiltWheel) -> None:
    assert built.path.parent.name == "dist"
    assert built.path.name == "fixture_abi3-0.1.0-cp310-abi3-macosx_10_12_universal2.whl"
    images = built.images()
    assert list(images) == ["x86_64", "arm64"]
    for arch, image in images.items():
        assert exports(image) == {"_PyInit_fixture_abi3"}, arch
        loads = {str(library.name) for library in image.libraries}
        assert "/usr/lib/libSystem.B.dylib" in loads
        assert all(load.startswith(("/usr/lib/", "@rpath/fixture_abi3")) for load in loads)
    assert (minos(images["x86_64"]), minos(images["arm64"])) == ([10, 12], [11, 0])
    assert images["arm64"].has_code_signature


@pytest.mark.parametrize("name", ["abi3", "bin"])
def test_independent_judges_find_nothing_wrong(name: str, tmp_path: Path) -> None:
    project = copy_project(name, tmp_path)
    wheel = build_with_thin(project)
    arm64, x86_64 = sorted(
        (project / "dist" / "thin").glob("*.whl"), key=lambda p: "x86_64" in p.name
    )
    fusion = Fusion(fused=wheel.path, x86_64=x86_64, arm64=arm64)
    assert [problem for judge in JUDGES for problem in judge(fusion)] == []


def test_pyo3_one_wheel_for_each_interpreter(tmp_path: Path) -> None:
    project = copy_project("version", tmp_path)
    done = run_fatwheel(project, "build", "-i", "3.11", "-i", "python3.12", "-o", "out")
    assert done.returncode == 0, done.stderr
    assert [Path(line).name for line in done.stdout.splitlines()] == [
        "fixture_version-0.1.0-cp311-cp311-macosx_10_12_universal2.whl",
        "fixture_version-0.1.0-cp312-cp312-macosx_10_12_universal2.whl",
    ]
    for line in done.stdout.splitlines():
        assert all(
            exports(image) == {"_PyInit_fixture_version"}
            for image in BuiltWheel(project / line).images().values()
        )


@pytest.mark.parametrize("built", ["mixed"], indirect=True)
def test_python_and_rust_in_one_package(built: BuiltWheel) -> None:
    assert built.names() == [
        "NOTES.txt",
        "fixture_mixed-0.1.0.dist-info/METADATA",
        "fixture_mixed-0.1.0.dist-info/RECORD",
        "fixture_mixed-0.1.0.dist-info/WHEEL",
        "fixture_mixed-0.1.0.dist-info/entry_points.txt",
        "fixture_mixed-0.1.0.dist-info/fatwheel.json",
        "fixture_mixed-0.1.0.dist-info/sboms/fixture-mixed.cyclonedx.json",
        "fixture_mixed/__init__.py",
        "fixture_mixed/_native.abi3.so",
        "fixture_mixed/_native.pyi",
        "fixture_mixed/data.txt",
        "fixture_mixed/py.typed",
    ]


@pytest.mark.parametrize("built", ["cffi"], indirect=True)
def test_cffi(built: BuiltWheel) -> None:
    assert built.path.name == "fixture_cffi-0.1.0-py3-none-macosx_10_12_universal2.whl"
    assert all("_fixture_bits" in exports(image) for image in built.images().values())


@pytest.mark.parametrize("built", ["bin"], indirect=True)
def test_a_program(built: BuiltWheel) -> None:
    assert built.path.name == "fixture_bin-0.1.0-py3-none-macosx_10_12_universal2.whl"
    assert all(image.has_entrypoint for image in built.images().values())


def test_a_member_of_a_workspace(tmp_path: Path) -> None:
    project = copy_project("workspace", tmp_path)
    wheel = build(project, "-m", "crates/py/Cargo.toml", "--", "--locked")
    assert wheel.path == project / "dist" / wheel.path.name
    assert len(wheel.images()) == 2


@pytest.mark.parametrize("built", ["generated"], indirect=True)
def test_a_generated_file_that_differs(built: BuiltWheel) -> None:
    text = built.read("fixture_generated/_build.py").decode()
    for arch, target in TARGETS.items():
        code = f"import os; os.uname = lambda: type('u', (), dict(machine={arch!r}))\n"
        done = subprocess.run(
            [sys.executable, "-c", f"{code}__file__ = '_build.py'\n{text}\nprint(TARGET)"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == target


def test_a_generated_file_that_differs_is_a_conflict_without_a_rule(tmp_path: Path) -> None:
    project = copy_project("generated", tmp_path)
    settings = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(settings.partition("[tool.fatwheel.rules]")[0])
    script = (project / "build.rs").read_text()  # a constant would be settled by its kind
    writes = script.replace("TARGET = {target:?}", "print({target:?})")
    assert writes != script
    (project / "build.rs").write_text(writes)
    # With one folder for all, cargo would take this build.rs for the fixture's own.
    done = run_fatwheel(project, "build", CARGO_TARGET_DIR=str(tmp_path / "target"))
    assert done.returncode == 1
    assert "conflict: fixture_generated/_build.py" in done.stderr
    assert done.stderr.count("fatwheel: kept ") == 2
    assert not (project / "dist").exists()


@pytest.mark.parametrize("built", ["each"], indirect=True)
def test_each_architecture_has_its_own_settings(built: BuiltWheel, tmp_path: Path) -> None:
    name = "fixture_each-0.1.0-cp310-abi3-macosx_10_15_x86_64.macosx_12_0_universal2.whl"
    assert built.path.name == name
    slices = built.slices(tmp_path)
    words = ["feature:shared", "feature:intel", "feature:apple", "flag:avx2", "flag:config"]
    words += ["flag:pyproject", "env:x86_64", "env:arm64", "env:none"]
    found = {
        arch: {word for word in words if word.encode() in data} for arch, data in slices.items()
    }
    assert found == {
        "x86_64": {"feature:shared", "feature:intel", "flag:avx2", "flag:config", "env:x86_64"},
        "arm64": {"feature:shared", "feature:apple", "flag:pyproject", "flag:config", "env:arm64"},
    }
    images = built.images()
    assert (minos(images["x86_64"]), minos(images["arm64"])) == ([10, 15], [12, 0])


def test_no_path_of_this_machine_is_in_the_load_commands(tmp_path: Path) -> None:
    """rustc leaves a cdylib without an install name, and linkers take the path of the output then."""
    project = copy_project("cffi", tmp_path)
    done = run_fatwheel(project, "build", CARGO_TARGET_DIR=str(tmp_path / "target"))
    assert done.returncode == 0, done.stderr
    (path,) = (project / "dist").glob("*.whl")
    for image in BuiltWheel(path).images().values():
        (own, *_) = [c for c in image.commands if isinstance(c, lief.MachO.DylibCommand)]
        assert own.command == lief.MachO.LoadCommand.TYPE.ID_DYLIB
        assert str(own.name) == "@rpath/libfixture_cffi.dylib"
    assert "install name" not in done.stderr


@pytest.mark.parametrize("built", ["native"], indirect=True)
def test_c_sources_and_a_framework(built: BuiltWheel) -> None:
    framework = "/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation"
    for image in built.images().values():
        assert framework in {str(library.name) for library in image.libraries}
        bound = {
            str(binding.symbol.name): binding.library and str(binding.library.name)
            for binding in image.bindings
            if isinstance(binding, lief.MachO.DyldBindingInfo) and binding.symbol is not None
        }
        assert bound["_CFRelease"] == bound["_kCFAbsoluteTimeIntervalSince1970"] == framework
        python = {name: library for name, library in bound.items() if name.startswith("_Py")}
        assert set(python.values()) == {None}


@pytest.mark.parametrize("linker", ["lld", "zig"])
def test_build_scripts_find_no_library_of_this_machine(linker: str, tmp_path: Path) -> None:
    """Whatever pkg-config and CMake know here is Linux's; the crates compile the source that they bring."""
    for tool in ("pkg-config", "cmake"):
        require_tool(tool, f"apt-get install {tool}")
    here = tmp_path / "here"
    here.mkdir()
    (here / "liblzma.pc").write_text(
        f"Name: liblzma\nDescription: x\nVersion: 9\nLibs: -L{here} -llzma\n"
    )
    for name in ("fixture_host.h", "libfixture_host.a", "libfixture_host.dylib"):
        (here / name).touch()
    environ = {"PKG_CONFIG_PATH": str(here), "FIXTURE_HOST": str(here)}
    environ["CMAKE_PREFIX_PATH"] = str(here)
    wheel = build(copy_project("probes", tmp_path), "--linker", linker, **environ)
    nothing = b"header=HEADER-NOTFOUND library=LIBRARY-NOTFOUND pkg-config=;"
    assert wheel.binary().count(nothing) == 2


def libraries_for_macos(folder: Path, prefix: str) -> dict[str, Path]:
    """Compile the fixture's C library for both targets, each below a folder of its own, and tell pkg-config of it.

    `prefix` is that of the .pc files, in which {root} stands for the folder.
    """
    source = PROJECTS / "pkgconfig" / "c" / "made_for.c"
    found = {}
    for arch, zig_target in (("x86_64", "x86_64-macos.11.0"), ("arm64", "aarch64-macos.11.0")):
        root = found[arch] = folder / arch
        (root / "opt/lib/pkgconfig").mkdir(parents=True)
        zig = [sys.executable, "-I", "-m", "ziglang"]
        made = root / "made_for.o"
        compiling = ["cc", "-target", zig_target, "-O1", "-c", str(source), "-o", str(made)]
        subprocess.run([*zig, *compiling], check=True)
        library = root / "opt/lib/libmade_for.a"
        subprocess.run([*zig, "ar", "rcs", library, made], check=True)
        (root / "opt/lib/pkgconfig/fixture-made-for.pc").write_text(
            f"prefix={prefix.format(root=root)}\nlibdir=${{prefix}}/lib\n"
            "Name: fixture-made-for\nDescription: x\nVersion: 1\nLibs: -L${libdir} -lmade_for\n"
        )
    return found


@pytest.mark.parametrize("way", ["a path for each target", "a sysroot for each target", "project"])
def test_libraries_for_macos_that_the_user_names(way: str, tmp_path: Path) -> None:
    """Static libraries that zig made for each target get into that architecture's slice, and no other."""
    require_tool("pkg-config", "apt-get install pkg-config")
    project = copy_project("pkgconfig", tmp_path)
    prefix = "/opt" if way == "a sysroot for each target" else "{root}/opt"
    roots = libraries_for_macos(tmp_path / "macos", prefix)
    environ = {}
    for arch, root in roots.items():
        target = TARGETS[arch].replace("-", "_")
        folder = str(root / "opt/lib/pkgconfig")
        if way == "project":
            with (project / "pyproject.toml").open("a") as settings:
                settings.write(
                    f'\n[tool.fatwheel.{arch}]\nenv = {{ PKG_CONFIG_PATH = "{folder}" }}\n'
                )
            continue
        environ[f"PKG_CONFIG_PATH_{target}"] = folder
        if way == "a sysroot for each target":
            environ[f"PKG_CONFIG_SYSROOT_DIR_{target}"] = str(root)
    done = run_fatwheel(project, "build", **environ)
    assert done.returncode == 0, done.stderr
    assert (
        "compiled for this machine, once for both: 1 build script, with dependencies; "
        "for each architecture: 1 crate\n"
    ) in done.stderr
    slices = BuiltWheel(project / done.stdout.rstrip("\n")).slices(tmp_path)
    for arch, other in (("x86_64", "arm64"), ("arm64", "x86_64")):
        assert f"made for {arch}".encode() in slices[arch]
        assert f"made for {other}".encode() not in slices[arch]
        assert str(roots[arch] / "opt/lib").encode() in slices[arch]


def test_libraries_that_nobody_named_are_not_found(tmp_path: Path) -> None:
    """The crate brings no source, so that it says what it wants, and fatwheel how to give it."""
    require_tool("pkg-config", "apt-get install pkg-config")
    here = libraries_for_macos(tmp_path / "here", "{root}/opt")["x86_64"] / "opt/lib/pkgconfig"
    project = copy_project("pkgconfig", tmp_path)
    done = run_fatwheel(project, "build", PKG_CONFIG_PATH=str(here))
    assert (done.returncode, done.stdout) == (3, "")
    assert "pkg-config has not been configured to support cross-compilation" in done.stderr
    assert 'PKG_CONFIG_LIBDIR = "/path/to/arm64"' in done.stderr.splitlines()[-1]
    assert not (project / "dist").exists()


def test_bindgen_reads_headers_of_macos(tmp_path: Path) -> None:
    if not list(Path("/usr/lib").glob("**/libclang*.so*")):
        unavailable("libclang", "apt-get install libclang1-19")
    wheel = build(copy_project("headers", tmp_path))
    assert wheel.binary().count(b"linux-header=false;") == 2


def test_a_framework_that_zig_lacks(tmp_path: Path) -> None:
    done = run_fatwheel(copy_project("native", tmp_path), "build", "--linker", "zig")
    assert (done.returncode, done.stdout) == (3, "")
    told = done.stderr.splitlines()[-1]
    assert told.startswith("fatwheel: zig has no stub of the framework CoreFoundation, ")
    assert "--linker lld" in told


def test_thread_locals_are_where_code_expects_them(tmp_path: Path) -> None:
    project = copy_project("threadlocal", tmp_path)
    done = run_fatwheel(project, "build", "--linker", "zig")
    assert (done.returncode, done.stdout) == (1, "")
    assert "thread-local variables begin at " in done.stderr
    assert "--linker lld" in done.stderr.splitlines()[-1]
    assert not (project / "dist").exists()
    for image in build(project, "--linker", "lld").images().values():
        kinds = lief.MachO.Section.TYPE
        sections = [
            section
            for section in image.sections
            if section.type in (kinds.THREAD_LOCAL_REGULAR, kinds.THREAD_LOCAL_ZEROFILL)
        ]
        strictest = max(section.alignment for section in sections)
        assert strictest >= 6
        assert min(section.virtual_address for section in sections) % (1 << strictest) == 0


@pytest.mark.parametrize("linker", ["lld", "zig"])
def test_modules_of_the_project_are_not_run(linker: str, tmp_path: Path) -> None:
    project = hostile(copy_project("abi3", tmp_path), but=asked_by_maturin())
    done = run([PROGRAM, "build", "--sdist", "--linker", linker], project)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


def test_traps_in_the_environment(tmp_path: Path) -> None:
    wheel = build(
        copy_project("abi3", tmp_path),
        _PYTHON_HOST_PLATFORM="macosx-10.9-universal2",
        ARCHFLAGS="-arch x86_64",
        CARGO_BUILD_TARGET="x86_64-unknown-linux-gnu",
        MACOSX_DEPLOYMENT_TARGET="10.9",
    )
    assert wheel.path.name == "fixture_abi3-0.1.0-cp310-abi3-macosx_10_12_universal2.whl"
    assert [minos(image) for image in wheel.images().values()] == [[10, 12], [11, 0]]


def test_another_deployment_target_is_linked_anew(tmp_path: Path) -> None:
    project = copy_project("abi3", tmp_path)
    build(project)
    wheel = build(project, MACOSX_DEPLOYMENT_TARGET="13")
    assert wheel.path.name == "fixture_abi3-0.1.0-cp310-abi3-macosx_13_0_universal2.whl"
    assert [minos(image) for image in wheel.images().values()] == [[13, 0], [13, 0]]


def test_a_failing_build(tmp_path: Path) -> None:
    project = copy_project("broken", tmp_path)
    done = run_fatwheel(project, "build")
    assert done.returncode == 3
    assert done.stdout == ""
    told = done.stderr.splitlines()
    (kept,) = [line for line in told if line.startswith("fatwheel: kept ")]
    assert Path(kept.removeprefix("fatwheel: kept ")).name.endswith("macosx_11_0_arm64.whl")
    assert Path(kept.removeprefix("fatwheel: kept ")).is_file()
    ours = told.index("fatwheel: building x86_64 failed (maturin's exit code is 1)")
    assert told[ours + 1] == "error[E0308]: mismatched types"
    assert told[-1].startswith("error: could not compile `fixture-broken`")
    assert not (project / "dist").exists()


def test_quiet_hides_the_output_until_it_fails(tmp_path: Path) -> None:
    assert "Compiling" in run_fatwheel(copy_project("broken", tmp_path), "build", "-q").stderr
    done = run_fatwheel(copy_project("bin", tmp_path), "build", "-q")
    assert (done.returncode, done.stderr) == (0, "")


def test_verbose_shows_the_commands_and_every_member(tmp_path: Path) -> None:
    done = run_fatwheel(copy_project("bin", tmp_path), "build", "-v")
    assert done.returncode == 0
    commands = [line for line in done.stderr.splitlines() if line.startswith("env ")]
    assert ["x86_64-apple-darwin" in line for line in commands] == [False, True]
    assert all("MACOSX_DEPLOYMENT_TARGET=" in line and "maturin" in line for line in commands)
    assert "  write     fixture_bin-0.1.0.dist-info/RECORD" in done.stderr
    assert (
        "fixture_bin-0.1.0.dist-info/RECORD" not in run_fatwheel(tmp_path / "bin", "build").stderr
    )


def test_thin_wheels_sdist_and_json(tmp_path: Path) -> None:
    project = copy_project("bin", tmp_path)
    done = run_fatwheel(
        project, "build", "--keep-thin", "--sdist", "--json", "--tags", "compressed"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["linker"] == "lld"
    assert [item["arch"] for item in report["builds"]] == ["arm64", "x86_64"]
    made = sorted(str(path.relative_to(project)) for path in (project / "dist").rglob("*.*"))
    stem = "fixture_bin-0.1.0"
    assert made == [
        f"dist/{stem}-py3-none-macosx_10_12_universal2.macosx_10_12_x86_64.macosx_11_0_arm64.whl",
        f"dist/{stem}.tar.gz",
        f"dist/thin/{stem}-py3-none-macosx_10_12_x86_64.whl",
        f"dist/thin/{stem}-py3-none-macosx_11_0_arm64.whl",
    ]
    assert report["sdist"] == f"dist/{stem}.tar.gz"
    assert [wheel["path"] for wheel in report["wheels"]] == [made[0]]


def test_a_dry_run_prints_the_commands_and_builds_nothing(tmp_path: Path) -> None:
    project = copy_project("each", tmp_path)
    done = run_fatwheel(project, "build", "--dry-run", ARCHFLAGS="-arch arm64")
    assert done.returncode == 0, done.stderr
    arm64, x86_64 = [line for line in done.stdout.splitlines() if "maturin build" in line]
    assert "-u ARCHFLAGS" in arm64
    assert "--target aarch64-apple-darwin" in arm64
    assert "--features shared,apple" in arm64
    assert "FIXTURE_NOTE=env:x86_64" in x86_64
    assert "CARGO_TARGET_X86_64_APPLE_DARWIN_RUSTFLAGS=-Ctarget-feature=+avx2" in x86_64
    assert not (project / "dist").exists()


def test_one_architecture_with_its_own_settings(tmp_path: Path) -> None:
    project = copy_project("each", tmp_path)
    done = run_fatwheel(
        project, "build", "--arch", "x86_64", "--json", ARCHFLAGS="-arch arm64", RUST_BACKTRACE="0"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [build["arch"] for build in report["builds"]] == ["x86_64"]
    (wheel,) = [BuiltWheel(path) for path in (project / "dist").iterdir()]
    assert wheel.path.name.endswith("_x86_64.whl")
    assert [entry["path"] for entry in report["wheels"]] == [f"dist/{wheel.path.name}"]
    assert b"env:x86_64" in wheel.binary()
    assert set(wheel.images()) == {"x86_64"}


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_an_interrupted_build_leaves_nothing(tmp_path: Path) -> None:
    project = copy_project("abi3", tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", FATWHEEL, "build"],
        cwd=project,
        env=build_environment(CARGO_TARGET_DIR=str(tmp_path / "target"), TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "Compiling" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 130
    assert not (project / "dist").exists()
    assert list(tmp_path.glob("fatwheel-*")) == []
    until = (
        time.monotonic() + 3
    )  # a process that was killed may still be going; a compiler would be for longer
    while _running_in(tmp_path) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _running_in(tmp_path)


def _running_in(folder: Path) -> list[str]:
    """Return the command lines of processes that speak of the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(str(folder).encode() in word for word in words):
            found.append(b" ".join(words).decode())
    return found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--", "--target", "x86_64-apple-darwin"], "--: --target is fatwheel's to set"),
        (["--", "--zig"], "use --linker zig"),
        (["-m", "no/Cargo.toml"], "no/Cargo.toml: there is no such file"),
        (["-m", "."], ".: is a folder; -m takes the crate's Cargo.toml, here Cargo.toml"),
        (["-m", "src"], "src: is a folder; -m takes the crate's Cargo.toml\n"),
        (["-m", "pyproject.toml"], "pyproject.toml: is no Cargo.toml; -m takes the crate's"),
        (["crates/py"], "crates/py: the crate is named with -m"),
        (["-i", "python3"], "-i python3 names no Python version"),
        (["--linker", "gold"], "Invalid value for '--linker'"),
        (["--arch", "arm64e"], "Invalid value for '--arch'"),
        (["--arch", "arm64", "--tags", "exact"], "--tags is about fusing, and with --arch arm64"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = run_fatwheel(copy_project("bin", tmp_path), "build", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_folder_without_a_crate(tmp_path: Path) -> None:
    done = run_fatwheel(tmp_path, "build")
    assert done.returncode == 2
    assert "has no Cargo.toml" in done.stderr


def test_a_setting_that_is_misspelt(tmp_path: Path) -> None:
    project = copy_project("bin", tmp_path)
    with (project / "pyproject.toml").open("a") as file:
        file.write("\n[tool.fatwheel]\nlinkr = 'zig'\n")
    done = run_fatwheel(project, "build")
    assert done.returncode == 2
    assert (
        "pyproject.toml: [tool.fatwheel] has the unknown key 'linkr'; did you mean linker?"
        in done.stderr
    )


def test_a_machine_without_tools(tmp_path: Path) -> None:
    done = run_fatwheel(
        copy_project("bin", tmp_path), "build", PATH="/nowhere", CARGO="cargo", RUSTC="rustc"
    )
    assert done.returncode == 3
    assert "must be installed first:" in done.stderr
    assert "\n  cargo\n      install Rust from https://rustup.rs" in done.stderr
