"""Guarded headers: a compiler for either architecture must see exactly that architecture's text."""

from __future__ import annotations

import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.fusion.merge import Merged, Unmergeable
from fatwheel.fusion.merge.cheader import guard, is_c_header
from tests.support.required import require_pair, require_tool

AS = {
    Arch.X86_64: ["-U__aarch64__", "-D__x86_64__=1"],
    Arch.ARM64: ["-U__x86_64__", "-D__aarch64__=1"],
    None: ["-U__x86_64__", "-U__aarch64__"],
}


def guarded(x86_64: bytes, arm64: bytes) -> bytes:
    result = guard(x86_64, arm64)
    assert isinstance(result, Merged), result
    return result.content


def preprocess(
    header: bytes, arch: Arch | None, folder: Path, *options: str, once: bool = False
) -> subprocess.CompletedProcess[bytes]:
    """Run a preprocessor over a file that includes the header twice, or once."""
    compiler = require_tool("g++", "apt-get install g++")
    (folder / "header.h").write_bytes(header)
    include = '#include "header.h"\n'
    (folder / "main.cpp").write_text(f"int before;\n{include}{include * (not once)}int after;\n")
    command = [compiler, "-E", "-P", "-w", *AS[arch], *options, "main.cpp"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False)


def lines(run: subprocess.CompletedProcess[bytes]) -> list[bytes]:
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    return [line.strip() for line in run.stdout.splitlines() if line.strip()]


TEXTS = {
    "plain": (b"int x = 1;\n", b"int a = 2;\n"),
    "no-last-line-end": (b"int x = 1;", b"int a = 2;"),
    "empty": (b"", b"int a;\n"),
    "backslash-at-the-end": (b"#define X 1 \\\n", b"int a; // \\"),
    "backslash-and-blanks": (b"int x; \\ \t\n", b"int a; // comment \\  "),
    "backslash-dos": (b"#define X 1 \\\r\n", b"int a; // \\\r\n"),
    "trigraph": (b"int x; // what??/\n", b"int a; // what??/"),
    "dos": (b"int x;\r\n#ifdef X\r\nint y;\r\n#endif\r\n", b"int a;\r\nint b;\r\n"),
    "dos-and-unix": (b"int x;\r\nint y;\r\n", b"int a;\nint b;\n"),
    "latin-1": (b"// \xe9\xe8\nint x;\n", b'const char *a = "\xe9";\n'),
    "bom": (b"\xef\xbb\xbfint x;\n", b"\xef\xbb\xbfint a;\n"),
    "once": (b"#pragma once\nint x;\n", b"#pragma once\nint a;\n"),
    "include-guards": (
        b"#ifndef H\n#define H\nint x;\n#else\nint again;\n#endif\n",
        b"#if !defined(H)\n#define H\nint a;\n#elif 1\nint again;\n#endif // H\n",
    ),
    "conditionals": (
        b"# /* a */ if 0 // #endif\n'\n/*\n#endif\n*/\n%: else\nint x;\n  #  endif\n#\n",
        b"#if 1\n#ifdef Y\n#elif 1\nint a;\n#endif\n#endif\n",
    ),
    "spliced-directive": (b"#i\\\nf 0\nint y;\n#en\\\ndif\nint x;\n", b"int a;\n"),
    "strings": (
        b'const char *x = "/*", y = \'"\', *z = "\\"/*";\nchar w = L\'"\'; /* \'\n*/\n',
        b"int a = 1'000; /*\n#if 1\n*/ int b = 0x1'F /*\n#if */;\nfloat c = 1e+5'0;\n",
    ),
    "raw-string": (
        b'const char *x = R"(\n#endif\n" /* )";\n',
        b'const char *a = u8R"x--(\n#if 1\n)" )x--";\nint R, b;\n',
    ),
    "macros": (b"#define F(x) #x\nF(if)\nX # endif\n", b"#define G(a, b) a ## b\nint G(c, d);\n"),
    "apostrophe-in-error": (b"#if 0\n#error don't /* x */\n#endif\nint x;\n", b"int a;\n"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_each_architecture_sees_its_own_text(name: str, tmp_path: Path) -> None:
    x_text, a_text = TEXTS[name]
    result = guarded(x_text, a_text)
    for options in (["-std=gnu++17"], ["-std=c++14"]):  # the latter has trigraphs
        for arch, own in ((Arch.X86_64, x_text), (Arch.ARM64, a_text)):
            seen = lines(preprocess(result, arch, tmp_path, *options))
            assert seen == lines(preprocess(own, arch, tmp_path, *options))
            assert seen[0] == b"int before;"
            assert seen[-1] == b"int after;"
    assert x_text.removeprefix(b"\xef\xbb\xbf") in result
    assert a_text.removeprefix(b"\xef\xbb\xbf") in result


def test_a_real_header(tmp_path: Path) -> None:
    """numpy's, which says where `long double` has which format."""
    pair = require_pair("numpy")
    x_text, a_text = (
        zipfile.ZipFile(wheel.path).read("numpy/_core/include/numpy/_numpyconfig.h")
        for wheel in (pair.x86_64, pair.arm64)
    )
    result = guarded(x_text, a_text)
    for arch, own in ((Arch.X86_64, x_text), (Arch.ARM64, a_text)):
        seen = [preprocess(text, arch, tmp_path, "-dD", once=True) for text in (result, own)]
        macros = [[line for line in lines(run) if b" NPY_" in line] for run in seen]
        assert macros[0] == macros[1]
        assert any(b"NPY_SIZEOF_LONGDOUBLE" in line for line in macros[0])


def test_any_other_architecture_gets_an_error(tmp_path: Path) -> None:
    run = preprocess(guarded(b"int x;\n", b"int a;\n"), None, tmp_path)
    assert run.returncode != 0
    assert b"This header is for x86_64 and arm64 alone" in run.stderr


def test_guards_nest(tmp_path: Path) -> None:
    """A header that fatwheel guarded before, in a wheel that is fused again."""
    first = guarded(b"int x;\n", b"int a;\n")
    second = guarded(first, b"int b;\n")
    third = guarded(b"int y;\n", second)
    for arch, expected in ((Arch.X86_64, b"int y;"), (Arch.ARM64, b"int b;")):
        assert lines(preprocess(third, arch, tmp_path, once=True))[1:-1] == [expected]
    assert lines(preprocess(second, Arch.X86_64, tmp_path, once=True))[1:-1] == [b"int x;"]


def test_the_construct() -> None:
    assert guarded(b"int x;", b"int a; \\\n").decode() == (
        "/* fatwheel: this header differs between x86_64 and arm64. */\n"
        "#if defined(__x86_64__)\n"
        "int x;\n"
        "#elif defined(__aarch64__)\n"
        "int a; \\\n"
        "\n"
        "#else\n"
        '#error "This header is for x86_64 and arm64 alone."\n'
        "#endif\n"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"#if 1\n", "it ends with 1 #if open"),
        (b"#ifndef A\n#ifdef B\n#endif\n", "it ends with 1 #if open"),
        (b"#endif\n", "it has an #endif without its #if"),
        (b"int x;\n#else\n", "it has an #else without its #if"),
        (b"#if 1\n#endif\n#elif 1\n", "it has an #elif without its #if"),
        (b"int x; /* open\n", "it ends inside a comment"),
        (b"int x; /* open \\", "it ends inside a comment"),
        (b'char *x = R"a( )b"', "it ends inside a raw string"),
        ("int x;\n".encode("utf-16"), "it has NUL bytes"),
    ],
)
def test_a_text_that_leaves_something_open_is_refused(text: bytes, why: str) -> None:
    result = guard(text, b"int a;\n")
    assert result == Unmergeable(why=f"x86_64's cannot stand in a conditional: {why}")
    result = guard(b"int x;\n", text)
    assert result == Unmergeable(why=f"arm64's cannot stand in a conditional: {why}")


@pytest.mark.parametrize(
    "unit",
    [b'R"(', b"/*", b"#if 1\n", b"'", b'"', b"1'", b"\\\n", b"\\ ", b"\xff", b"R", b"// \\", b"?"],
)
def test_hostile_texts_take_bounded_time(unit: bytes) -> None:
    start = time.perf_counter()
    guard(unit * (1_000_000 // len(unit)), b"")
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.h", True),
        ("a/B.H", True),
        ("a/b.hpp", True),
        ("a/b.h++", True),
        ("a/b.tcc", True),
        ("a/b.cuh", True),
        ("a/b.inc", False),
        ("a/b.c", False),
        ("a/h", False),
        ("a.h/b", False),
        ("a/.h", False),
    ],
)
def test_is_c_header(name: str, expected: bool) -> None:
    assert is_c_header(name) is expected
