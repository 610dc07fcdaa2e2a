"""The interpreters that Macs have, as each describes itself.

Put together from what their users and makers published; `tests/targets/test_pythonfacts.py` holds the same as the
interpreters' own answers.
"""

from __future__ import annotations

from dataclasses import replace

from fatwheel.arch import Arch
from fatwheel.targets.decision import PythonFacts

X86_64 = frozenset({Arch.X86_64})
ARM64 = frozenset({Arch.ARM64})
BOTH = X86_64 | ARM64
ARCHFLAGS_FOR_BOTH = "-arch x86_64 -arch arm64"


def on_macos(
    executable: str,
    platform: str,
    machine: str,
    slices: frozenset[Arch],
    *,
    translated: bool = False,
    version: str = "3.12.7",
) -> PythonFacts:
    return PythonFacts(
        system="darwin",
        platform=platform,
        machine=machine,
        translated=translated,
        slices=slices,
        executable=executable,
        version=version,
    )


def under_rosetta(python: PythonFacts) -> PythonFacts:
    """The same program, started as x86_64 on an arm64 machine (`arch -x86_64`, a translated terminal)."""
    return replace(python, machine="x86_64", translated=True)


FRAMEWORK = "/Library/Frameworks/Python.framework/Versions/3.12/bin"
PYTHON_ORG = on_macos(f"{FRAMEWORK}/python3.12", "macosx-10.13-universal2", "arm64", BOTH)
PYTHON_ORG_ROSETTA = under_rosetta(PYTHON_ORG)
PYTHON_ORG_INTEL_MAC = replace(PYTHON_ORG, machine="x86_64")
# A stub with one slice that starts the same Python (CPython, bpo-44009).
PYTHON_ORG_INTEL64 = replace(
    PYTHON_ORG_ROSETTA, executable=f"{FRAMEWORK}/python3.12-intel64", slices=X86_64
)
APPLE = on_macos(
    "/Library/Developer/CommandLineTools/usr/bin/python3",
    "macosx-14.0-arm64",
    "arm64",
    BOTH,
    version="3.9.6",
)
APPLE_ROSETTA = under_rosetta(APPLE)
APPLE_BUILT_AS_INTEL = replace(APPLE, platform="macosx-10.14.6-x86_64")
APPLE_BUILT_AS_INTEL_ROSETTA = under_rosetta(APPLE_BUILT_AS_INTEL)
HOMEBREW = on_macos("/opt/homebrew/bin/python3.12", "macosx-14.0-arm64", "arm64", ARM64)
HOMEBREW_INTEL_MAC = on_macos("/usr/local/bin/python3.12", "macosx-13.0-x86_64", "x86_64", X86_64)
HOMEBREW_INTEL_ROSETTA = under_rosetta(replace(HOMEBREW_INTEL_MAC, platform="macosx-14.0-x86_64"))
CONDA_ARM64 = on_macos("/opt/miniforge3/bin/python", "macosx-11.0-arm64", "arm64", ARM64)
CONDA_X86_64_ROSETTA = on_macos(
    "/opt/miniconda3/bin/python", "macosx-10.13-x86_64", "x86_64", X86_64, translated=True
)
UV = "/Users/me/.local/share/uv/python/cpython-3.12.7-macos"
UV_ARM64 = on_macos(f"{UV}-aarch64-none/bin/python3.12", "macosx-11.0-arm64", "arm64", ARM64)
UV_X86_64_ROSETTA = on_macos(
    f"{UV}-x86_64-none/bin/python3.12", "macosx-10.15-x86_64", "x86_64", X86_64, translated=True
)
PYENV = "/Users/me/.pyenv/versions/3.12.7/bin/python3.12"
PYENV_ARM64 = on_macos(PYENV, "macosx-14.5-arm64", "arm64", ARM64)
PYENV_X86_64_ROSETTA = under_rosetta(on_macos(PYENV, "macosx-14.5-x86_64", "x86_64", X86_64))
# Its binary could not be read.
UNREADABLE_UNIVERSAL2 = replace(PYTHON_ORG, slices=frozenset())
UNREADABLE_X86_64_ROSETTA = replace(CONDA_X86_64_ROSETTA, slices=frozenset())

LINUX = PythonFacts(
    system="linux",
    platform="linux-x86_64",
    machine="x86_64",
    executable="/usr/bin/python3.12",
    version="3.12.7",
)
WINDOWS = PythonFacts(
    system="win32",
    platform="win-amd64",
    machine="AMD64",
    executable="C:\\Python312\\python.exe",
    version="3.12.7",
)
IOS = PythonFacts(
    system="ios",
    platform="ios-13.0-arm64-iphoneos",
    machine="iPhone13,2",
    executable="/Users/me/cross/bin/python",
    version="3.14.0",
)
