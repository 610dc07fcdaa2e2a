"""The fixture crates as modules to run: built by fatwheel for macOS, and by cargo for this machine."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.machorun.published import unpacked
from tests.support.projects import (
    TARGETS,
    build_environment,
    copy_project,
    require_rust,
    run_fatwheel,
)
from tests.support.required import require_tool, unavailable

CHAINED = {
    "MACOSX_DEPLOYMENT_TARGET": "13.0",
    **{
        f"CARGO_TARGET_{target.upper().replace('-', '_')}_RUSTFLAGS": "-Clink-arg=-Wl,-fixup_chains"
        for target in TARGETS.values()
    },
}
# How each kind is linked. zig's thread-locals are no stricter aligned than 8, which fatwheel refuses.
KINDS: dict[str, tuple[list[str], dict[str, str]]] = {
    "lld": (["--linker", "lld"], {}),
    "zig": (["--linker", "zig"], {}),
    "zig, no strict thread-locals": (["--linker", "zig", "--", "--no-default-features"], {}),
    "lld, chained fixups": (["--linker", "lld"], CHAINED),
}


@functools.cache
def folder() -> Path:
    """A folder for all that is built in this run."""
    return Path(tempfile.mkdtemp(prefix="machorun-"))


@functools.cache
def built(crate: str, kind: str, *more: str) -> Path:
    """Build a fixture crate for macOS and return the folder with its fused wheel, unpacked."""
    require_rust()
    options, environ = KINDS[kind]
    place = folder() / kind
    place.mkdir(exist_ok=True)
    project = copy_project(crate, place)
    if crate == "workspace":
        more = (*more, "-m", "crates/py/Cargo.toml")
    done = run_fatwheel(project, "build", "--quiet", *more, *options, **environ)
    assert done.returncode == 0, done.stderr
    return unpacked(project / done.stdout.splitlines()[-1], place / "unpacked")


@functools.cache
def built_sdist(name: str, version: str, kind: str) -> Path:
    """Build a project's sdist from PyPI for macOS and return the folder with its fused wheel, unpacked."""
    require_rust()
    options, environ = KINDS[kind]
    place = folder() / f"{name} by {kind}"
    place.mkdir()
    fetch = [
        sys.executable,
        "-I",
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(place),
    ]
    done = subprocess.run(
        [*fetch, "--no-binary=:all:", "--no-build-isolation", f"{name}=={version}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        unavailable(f"the sdist of {name} {version}", f"pip could not download it: {done.stderr}")
    (archive,) = place.glob("*.tar.gz")
    shutil.unpack_archive(archive, place, filter="data")
    project = place / archive.name.removesuffix(".tar.gz")
    done = run_fatwheel(project, "build", "--quiet", "-i", "3.11", *options, **environ)
    assert done.returncode == 0, done.stderr
    return unpacked(project / done.stdout.splitlines()[-1], place / "unpacked")


@functools.cache
def built_for_linux(crate: str) -> Path:
    """Build a fixture crate for this machine and return the folder with its module."""
    cargo = require_tool("cargo", "install Rust from https://rustup.rs")
    project = copy_project(crate, folder())
    environ = build_environment()
    done = subprocess.run(
        [cargo, "build", "--release", "--locked", "--quiet"],
        cwd=project,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    name = f"fixture_{crate}"
    place = project / "module"
    place.mkdir()
    release = Path(environ["CARGO_TARGET_DIR"]) / "release"
    shutil.copy(release / f"lib{name}.so", place / f"{name}.abi3.so")
    return place
