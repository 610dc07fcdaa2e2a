"""Files of the build: folders that are gone and CMake's stamps, and what must stay a conflict."""

from __future__ import annotations

import pytest

from fatwheel.fusion.merge import Merged, Unmergeable
from fatwheel.fusion.merge.buildtext import merge_build_folders, merge_cmake_policy

X_MAC = "/private/var/folders/x7/_nsk_h4s1kng41z5pgfbx7sh0000gn/T"
A_MAC = "/private/var/folders/tb/y368xp_x10s3ty1b_mtl5mxr0000gn/T"

SAME = {
    "eigenpy 3.13.0, eigenpy.pc": (
        f"Cflags: -I${{includedir}} -I{X_MAC}/build-env-3j4i7hd0/lib/numpy/_core/include\n",
        f"Cflags: -I${{includedir}} -I{A_MAC}/build-env-smscsyv6/lib/numpy/_core/include\n",
    ),
    "cmeel-assimp 6.0.5, assimp.pc": (
        f"Libs.private:  -loptimized;{X_MAC}/env-0m9xrxcl/libz.dylib;debug;{X_MAC}/env-0m9xrxcl/libz.dylib\n",
        f"Libs.private:  -loptimized;{A_MAC}/env-g5nkqmzg/libz.dylib;debug;{A_MAC}/env-g5nkqmzg/libz.dylib\n",
    ),
    "python-gdcm 3.2.6, OpenJPEGConfig.cmake": (
        f'get_filename_component(ROOT "${{SELF_DIR}}/../../../{X_MAC}/tmpyyi1v0ya/wheel/null" ABSOLUTE)\n',
        f'get_filename_component(ROOT "${{SELF_DIR}}/../../../{A_MAC}/tmppukl1zs7/wheel/null" ABSOLUTE)\n',
    ),
    "openbabel-wheel 3.1.1.23, openbabel-3.pc": (
        "prefix=/var/folders/x_/kfdrbckn3gx6x1kskszkd69c0000gn/T/tmp61epq9cg/wheel/platlib\n",
        "prefix=/var/folders/75/ggvb9t6x5mlbs46lkdhlcbyc0000gn/T/tmpar2b1l6p/wheel/platlib\n",
    ),
    "networkit 11.1, tlx.pc": (
        "prefix=/Users/runner/work/networkit/build/lib.macosx-10.9-x86_64-cpython-312\n",
        "prefix=/Users/runner/work/networkit/build/lib.macosx-11.0-arm64-cpython-312\n",
    ),
    "CI's folder and a temporary one": (
        "-L/Users/runner/work/a/lib\n",
        "-L/private/tmp/abc/lib\n",
    ),
    "scipy 1.10.1, _ufuncs_cxx.pyx": (
        'cdef extern from r"/Users/runner/work/scipy/scipy/.mesonpy-yznl17mu/build/_ufuncs_cxx_defs.h":\n',
        f'cdef extern from r"{A_MAC}/cirrus-ci-build/.mesonpy-kr3f5i1c/build/_ufuncs_cxx_defs.h":\n',
    ),
    "scipy 1.9.3, _ufuncs_cxx.pyx": (
        'cdef extern from r"/Users/runner/work/scipy/scipy/.mesonpy-qxrr1ob9/build/_ufuncs_cxx_defs.h":\n',
        'cdef extern from r"/Users/runner/work/scipy/scipy/build/_ufuncs_cxx_defs.h":\n',
    ),
    "made-up names": ("libdir='/tmp/tmpabcdefgh'\n", "libdir='/tmp/tmp01234567'\n"),
}

CONFLICTS = {
    "Homebrew's folders": ("-L/usr/local/lib\n", "-L/opt/homebrew/lib\n"),
    "another file in the folder": ("/tmp/tmpabcdefgh/libx86.a\n", "/tmp/tmpabcdefgh/libarm.a\n"),
    "another file in CI's folder": (
        "/Users/runner/work/a/libx86.a\n",
        "/Users/runner/work/a/libarm.a\n",
    ),
    "another file at another depth of CI's folder": (
        "/Users/runner/work/a/b/x86.h\n",
        "/Users/runner/work/a/arm.h\n",
    ),
    "another depth in /tmp": ("-L/tmp/a/b/lib\n", "-L/tmp/a/lib\n"),
    "another depth of CI's folder and /tmp": ("-L/Users/runner/work/a/lib\n", "-L/tmp/lib\n"),
    "another folder in /tmp": ("/tmp/agent/x86_64\n", "/tmp/agent/arm64\n"),
    "a name that somebody chose": (
        "socket=/tmp/agent-x86_64\n",
        "socket=/tmp/agent-aarch64\n",
    ),
    "the way out of the folder": (
        f"-I{X_MAC}/../../../../../usr/local/include\n",
        f"-I{A_MAC}/../../../../../opt/homebrew/include\n",
    ),
    "a comma, and another folder": (
        "-Wl,-rpath,/tmp/tmpabcdefgh,-rpath,/usr/local/lib/lib\n",
        "-Wl,-rpath,/tmp/tmp01234567,-rpath,/opt/homebrew/x/lib\n",
    ),
    "a variable behind it": (
        "-I/tmp/tmpabcdefgh/a$X/include\n",
        "-I/tmp/tmp01234567/b$X/include\n",
    ),
    "a folder of that name elsewhere": (
        "-I${prefix}/tmp/tmpabcdefgh/include\n",
        "-I${prefix}/tmp/tmp01234567/include\n",
    ),
    "an option besides": (
        f"-DSSE -I{X_MAC}/tmpyyi1v0ya/include\n",
        f"-DNEON -I{A_MAC}/tmppukl1zs7/include\n",
    ),
    "one more folder": (
        f"-I{X_MAC}/tmpyyi1v0ya/a -I{X_MAC}/tmpyyi1v0ya/b\n",
        f"-I{A_MAC}/tmppukl1zs7/a\n",
    ),
    "a folder here, none there": (f"-I{X_MAC}/tmpyyi1v0ya/include\n", "-I/usr/include\n"),
    "one line more": ("prefix=/tmp/tmpabcdefgh\n", "prefix=/tmp/tmp01234567\n\n"),
    "openbabel-wheel 3.1.1.23, OpenBabel3_EXPORTS.cmake": (
        'LINK "/Applications/Xcode_16.4.app/usr/lib/libm.tbd"\n',
        'LINK "/Applications/Xcode_15.4.app/usr/lib/libm.tbd"\n',
    ),
}


@pytest.mark.parametrize(("x86_64", "arm64"), SAME.values(), ids=SAME)
def test_folders_that_are_gone(x86_64: str, arm64: str) -> None:
    merged = merge_build_folders(x86_64.encode(), arm64.encode())
    assert isinstance(merged, Merged), merged
    assert merged.content == arm64.encode()
    other = merge_build_folders(arm64.encode(), x86_64.encode())
    assert isinstance(other, Merged)
    assert other.content == x86_64.encode()


@pytest.mark.parametrize(("x86_64", "arm64"), CONFLICTS.values(), ids=CONFLICTS)
def test_what_differs_in_more_than_folders(x86_64: str, arm64: str) -> None:
    assert isinstance(merge_build_folders(x86_64.encode(), arm64.encode()), Unmergeable)
    assert isinstance(merge_build_folders(arm64.encode(), x86_64.encode()), Unmergeable)


def test_what_is_no_text() -> None:
    assert merge_build_folders(b"\xff/tmp/tmpabcdefgh", b"\xff/tmp/tmp01234567") == Unmergeable(
        why="one of the two is not UTF-8"
    )


def targets(stamp: str, head: str = "# Generated by CMake") -> bytes:
    return f"{head}\n\ncmake_policy(PUSH)\n{stamp}\n#----\nadd_library(a)\n".encode()


# fckitlib 0.14.2.19, fckit-targets.cmake
@pytest.mark.parametrize(
    ("x86_64", "arm64", "lower"),
    [
        ("3.30", "4.0", "3.30"),
        ("4.0", "3.30", "3.30"),
        ("3.9", "3.10", "3.9"),
        ("3.10.1", "3.10", "3.10"),
    ],
)
def test_the_lower_bound_of_two_releases_of_cmake(x86_64: str, arm64: str, lower: str) -> None:
    sides = [targets(f"cmake_policy(VERSION 2.8.3...{most})") for most in (x86_64, arm64, lower)]
    merged = merge_cmake_policy(sides[0], sides[1])
    assert isinstance(merged, Merged), merged
    assert merged.content == sides[2]


POLICY_CONFLICTS = {
    "openvino 2025.4.1, OpenVINOTargets.cmake": ("VERSION 2.8.12...3.29)", "VERSION 2.8.3...3.25)"),
    "no upper bound": ("VERSION 2.8.3)", "VERSION 2.8.3...3.25)"),
    "another line": ("VERSION 3.1...3.2)\nA", "VERSION 3.1...3.3)\nB"),
    "more in the line": ("VERSION 3.1...3.2) # a", "VERSION 3.1...3.3) # b"),
}


@pytest.mark.parametrize(("x86_64", "arm64"), POLICY_CONFLICTS.values(), ids=POLICY_CONFLICTS)
def test_what_differs_in_more_than_the_upper_bound(x86_64: str, arm64: str) -> None:
    sides = [targets(f"cmake_policy({text}") for text in (x86_64, arm64)]
    assert isinstance(merge_cmake_policy(sides[0], sides[1]), Unmergeable)


@pytest.mark.parametrize(
    ("command", "head"),
    [("cmake_policy", "# by hand"), ("cmake_minimum_required", "# Generated by CMake")],
)
def test_what_is_no_stamp_of_cmake(command: str, head: str) -> None:
    sides = [targets(f"{command}(VERSION 3.1...{most})", head) for most in ("3.2", "3.3")]
    assert isinstance(merge_cmake_policy(sides[0], sides[1]), Unmergeable)
