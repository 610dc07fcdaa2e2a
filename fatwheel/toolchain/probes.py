"""How build scripts look for C libraries, kept from finding those of the machine that builds.

pkg-config and CMake speak of the host. What they find there is no library for macOS, and a `-sys` crate that found one
does not compile the source that it brings. So a probe fails, cleanly, unless somebody named where macOS's libraries
are. bindgen needs nothing: maturin gives it zig's headers of macOS and no others. The crate vcpkg looks for `x64-osx`
and `arm64-osx` by itself, and `OPENSSL_DIR` and its like are their user's own word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.toolchain.programs import write_program

__all__ = ["cmake_variables", "pkg_config_variables", "write_cmake"]

_ROOT = "FATWHEEL_CMAKE_ROOT"
_SETTINGS = ("PKG_CONFIG", "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR")
_NAMING = ("PKG_CONFIG_SYSROOT_DIR", "PKG_CONFIG_ALLOW_CROSS")


def pkg_config_variables(
    arch: Arch, environ: Mapping[str, str], own: Iterable[str]
) -> dict[str, str]:
    """Return what to set for pkg-config; `own` are the variables that the project sets for this architecture.

    maturin sets PKG_CONFIG_SYSROOT_DIR to SDKROOT, which the crate pkg-config takes for leave to cross-compile, and for
    a prefix of all that is found. An empty one keeps it from that. Whoever set pkg-config up for macOS, for this target
    or by a sysroot, is left alone.
    """
    own = set(own)
    has_sysroot = "PKG_CONFIG_SYSROOT_DIR" in own or "PKG_CONFIG_SYSROOT_DIR" in environ
    kept = {} if has_sysroot else {"PKG_CONFIG_SYSROOT_DIR": ""}
    is_set_up = any(name.startswith("PKG_CONFIG") for name in own) or any(
        environ.get(name) for name in (*_NAMING, *_targeted(arch))
    )
    return kept if is_set_up else {**kept, "PKG_CONFIG_ALLOW_CROSS": "0"}


def _targeted(arch: Arch) -> Iterable[str]:
    """Yield the variables of the crate pkg-config that are for this target only."""
    target = arch.rust_target
    for name in (*_SETTINGS, *_NAMING):
        yield from (f"{name}_{target}", f"{name}_{target.replace('-', '_')}", f"TARGET_{name}")


# The crate cmake calls it. What CMake looks for is to lie below the root; maturin's toolchain file says so and names
# no root, and then CMake looks everywhere.
_CMAKE = f"""\
#!/bin/sh
case "$1" in
--build | --install | --version | --help* | -E | -P) exec cmake "$@" ;;
esac
if [ "${{PKG_CONFIG_ALLOW_CROSS:-}}" = 0 ]; then
    export PKG_CONFIG_LIBDIR=/nowhere PKG_CONFIG_PATH=
fi
exec cmake "-DCMAKE_FIND_ROOT_PATH=${{{_ROOT}:?}}" "$@"
"""


def write_cmake(cache: Path) -> Path:
    """Return the program that stands before cmake; it is written where it is not there."""
    return write_program(cache, "cmake", "cmake", _CMAKE)


def cmake_variables(
    arch: Arch, environ: Mapping[str, str], cache: Path, root: str
) -> tuple[tuple[str, str], ...]:
    """Return the variables by which the crate cmake looks for libraries below `root` only; none where CMAKE is set."""
    target = arch.rust_target
    names = [f"CMAKE_{target}", f"CMAKE_{target.replace('-', '_')}", "TARGET_CMAKE", "CMAKE"]
    if any(environ.get(name) for name in names):
        return ()
    return (names[1], str(write_cmake(cache))), (_ROOT, root)
