"""Guarded headers: a compiler for either architecture must see exactly that architecture's text."""

from __future__ import annotations

import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fatwheel.arch import Arch
from fatwheel.fusion.merge import Merged, Unmergeable
from fatwheel.fusion.merge.cheader import guard, is_c_header
from tests.support.required import require_pair, require_tool

AS = {
    Arch.X86_64: ["-U__aarch64__", "-D__x86_64__=1"],
    Arch.ARM64: ["-U__x86_64__", "-D__aarch64__=1"],
    None: ["-U__x86_64__", "-U__aarch64__"],
}
GXX17 = ["g++", "-std=gnu++17"]
"""How most headers are read: no trigraphs; raw strings, `//` and `1'000`."""

COMPILERS = [
    GXX17,
    ["g++", "-std=c++98"],
    ["g++", "-std=c++14"],
    ["g++", "-x", "c", "-std=c89"],
    ["g++", "-x", "c", "-std=gnu17"],
    ["g++", "-x", "c", "-std=c99"],
    ["g++", "-x", "assembler-with-cpp"],
    ["clang-19", "-std=c++14"],
    ["clang-19", "-std=gnu++20", "-trigraphs"],
    ["clang-19", "-x", "c", "-std=c89"],
    ["clang-19", "-x", "c", "-std=gnu17"],
    ["clang-19", "-x", "c", "-std=c23"],
]


NO_RAW = "it has raw strings, and for C, which has none, "
TWO_WAYS = "it may be read in two ways: "


def guarded(x86_64: bytes, arm64: bytes) -> bytes:
    result = guard(x86_64, arm64)
    assert isinstance(result, Merged), result
    return result.content


def preprocess(
    header: bytes,
    arch: Arch | None,
    folder: Path,
    *options: str,
    compiler: list[str] = GXX17,
    once: bool = False,
) -> subprocess.CompletedProcess[bytes]:
    """Run a preprocessor over a file that includes the header twice, or once."""
    program = require_tool(compiler[0])
    (folder / "header.h").write_bytes(header)
    include = '#include "header.h"\n'
    (folder / "main.cpp").write_text(f"int before;\n{include}{include * (not once)}int after;\n")
    command = [program, *compiler[1:], "-E", "-P", "-w", *AS[arch], *options, "main.cpp"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False)


def assert_own_tokens(x_text: bytes, a_text: bytes, compiler: list[str], folder: Path) -> None:
    """Assert that the guarded header is each architecture's own; an invalid text is so alone."""
    result = guarded(x_text, a_text)
    for arch, own in ((Arch.X86_64, x_text), (Arch.ARM64, a_text)):
        want, have = (
            preprocess(text, arch, folder, compiler=compiler, once=True) for text in (own, result)
        )
        assert (have.returncode == 0) == (want.returncode == 0), (arch, have.stderr, want.stderr)
        if want.returncode == 0:
            # Clang may write NUL bytes for a joined line without a next one. To ISO C89 `// \` is no
            # comment, and at the end of the text its backslash a token.
            ignored = b"\0\\" if "-std=c89" in compiler else b"\0"
            tokens = [run.stdout.translate(None, ignored).split() for run in (have, want)]
            assert tokens[0] == tokens[1], arch


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
    "trigraph-beside-raw-strings": (
        b'const char *x = R"a(?)a";\n',
        b'int a??(1??); char b[??/\n2]; const char *c = R"(x)"; int d??(1??);\n',
    ),
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
        b"# /* a */ if 0 // #endif\n'\n/*\n#endif\n*/\n\f#\velse\nint x;\n  #  endif\n#\n",
        b"#if 1\n#ifdef Y\n#elif 1\nint a;\n#endif\n#endif\n",
    ),
    "spliced-directive": (b"#i\\\nf 0\nint y;\n#en\\\ndif\nint x;\n", b"int a;\n"),
    "strings": (
        b'const char *x = "/*", y = \'"\', *z = "\\"/*";\nchar w = L\'"\'; /* \'\n*/\n',
        b"int a = 1'000; // '\nint b = 0x1'F /* ' */ + 1e+5'0; /**/\nint c; /*\n#if 1\n*/\n",
    ),
    "raw-string": (
        b'const char *x = R"(\n endif\n" \' )";\n',
        b'const char *a = u8R"x--(\n#if 1\n#endif\n)" )x--";\nint R, b;\n',
    ),
    "macros": (b"#define F(x) #x\nF(if)\nX # endif\n", b"#define G(a, b) a ## b\nint G(c, d);\n"),
    "digraph": (b"%: define X 1\n%:if X\nint x;\n%:else\n%:endif\n", b"%:\nint a;\n"),
    "invalid-but-closed": (b'#foo "\n#include <nope/x>\n#if 1 +\n#endif\n', b"int a;\n"),
    "apostrophe-in-error": (b"#if 0\n#error don't /* x */\n#endif\nint x;\n", b"int a;\n"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_each_architecture_sees_its_own_text(name: str, tmp_path: Path) -> None:
    x_text, a_text = TEXTS[name]
    result = guarded(x_text, a_text)
    for arch in Arch:
        if name not in ("digraph", "invalid-but-closed"):
            seen = lines(preprocess(result, arch, tmp_path))
            assert seen == lines(
                preprocess({"x86_64": x_text, "arm64": a_text}[arch.value], arch, tmp_path)
            )
            assert (seen[0], seen[-1]) == (b"int before;", b"int after;")
    for compiler in COMPILERS[1::2]:
        assert_own_tokens(x_text, a_text, compiler, tmp_path)
    assert x_text.removeprefix(b"\xef\xbb\xbf") in result
    assert a_text.removeprefix(b"\xef\xbb\xbf") in result


# Fragments that are nasty beside each other. The law holds for any text that is not refused.
PIECES = [
    *(
        b"int a;",
        b"x",
        b" ",
        b"\n",
        b"\r\n",
        b"\\\n",
        b"\\ \t\n",
        b"\\\r\n",
        b"??/\n",
        b"??/",
        b"\\",
    ),
    *(
        b"//",
        b"/*",
        b"*/",
        b"/",
        b"*",
        b"#",
        b"%:",
        b"??=",
        b"'",
        b'"',
        b"'a'",
        b'"s"',
        b"L'",
        b"M\n",
    ),
    *(b'R"(', b')"', b'R"x(', b')x"', b'u8R"(', b"R", b"1'000", b"0x1'F", b"1e+", b".5'", b"don't"),
    *(b"\f", b"\v", b"\xc2\xa0", b"\xe9", b"$", b'\\"', b"\\'", b"\\\\", b" " * 250, b"<#", b"#>"),
    *(
        b"\n#define M ",
        b"\n#error e ",
        b"\n#include <a",
        b'\n#include "nope.h"\n',
        b"\\u00a0",
        b"??'",
    ),
    *(
        b"\n#if 0\n",
        b"\n#else\n",
        b"\n#elif 1\n",
        b"\n#endif\n",
        b"\n#pragma once\n",
        b"\xef\xbb\xbf",
    ),
    *(
        b"<",
        b">",
        b"__has_include(<",
        b"\n#warning w ",
        b"\n<<<<<<< x\n",
        b"\n>>>>>>> x\n",
        b"if 1",
    ),
]
OPENINGS = [
    b"#if 0",
    b" # ifdef Q",
    b"#if/* */ 1",
    b"#i\\\nf 0",
    b"%:if 0",
    b"??=if 0",
    b"\f#ifndef Q",
]
ENDINGS = [
    b"#endif",
    b"# /* a\n b */ endif",
    b"#endif // x",
    b"%:endif",
    b"??=endif",
    b"#end??/\nif",
]
FRAGMENTS = st.lists(st.sampled_from(PIECES), max_size=4).map(b"".join)
WRAPPERS = st.sampled_from(
    [
        *((b"/*", b"*/"), (b"'", b"'"), (b'"', b'"'), (b'R"(', b')"'), (b"//", b"\n")),
        *((b"\n#define M ", b"\n"), (b"\n#error ", b"\n"), (b"\nint a; //", b"\\" + b" " * 250)),
    ]
)
WRAPPED = st.tuples(WRAPPERS, FRAGMENTS).map(lambda it: it[0][0] + it[1] + it[0][1])
HEADERS = st.recursive(
    FRAGMENTS | WRAPPED,
    lambda inner: (
        st.lists(inner, max_size=3).map(b"".join)
        | st.tuples(st.sampled_from(OPENINGS), inner, inner, st.sampled_from(ENDINGS)).map(
            lambda it: b"\n%b\n%b\n#else\n%b\n%b\n" % it
        )
    ),
    max_leaves=6,
)


@settings(max_examples=300)
@given(HEADERS, HEADERS, st.sampled_from(COMPILERS))
def test_law_whatever_is_guarded_is_each_architecture_s_own(
    x86_64: bytes, arm64: bytes, compiler: list[str]
) -> None:
    if isinstance(guard(x86_64, arm64), Merged):
        with tempfile.TemporaryDirectory() as folder:
            assert_own_tokens(x86_64, arm64, compiler, Path(folder))


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
        (b"#if 1\n#else\n#else\n#endif\n", "it has an #else behind the #else of its #if (line 3)"),
        (
            b"#if 1\n#el\\\nse\n#elifdef A\n#endif\n",
            "it has an #elifdef behind the #else of its #if (line 4)",
        ),
        (b"int x; /* open\n", "it ends inside a comment"),
        (b"int x; /* open \\", "it ends inside a comment"),
        (b"int x; /\\\r\n* open \\ \n", "it ends inside a comment"),
        (b"#/*\nif", "it ends inside a comment"),
        (b'char *x = R"a( )b"', "it ends inside a raw string"),
        (b'char x = "open;\n', "it has a quote that line 1 does not close"),
        (b"int x = 1;\n\nchar y = '\\';\n", "it has a quote that line 3 does not close"),
        (b"int x; \\", "it ends with a backslash and no line end"),
        ("int x;\n".encode("utf-16"), "it has NUL bytes"),
        (b"int x;\rint y;\r\n", "it has carriage returns without line feeds"),
        (b"\n<<<<<<< HEAD\n", "it has a version control conflict marker (line 2)"),
        ("#if 0\n»\n#endif\n".encode(), "it has characters outside of ASCII in its code (line 2)"),
        (b"int \\u00e9;\n", "it has characters outside of ASCII in its code (line 1)"),
        (b'const char *x = R"(\n#endif\n)";\n', NO_RAW + "has an #endif without its #if"),
        (b'const char *x = R"("/*)";\n', NO_RAW + "ends inside a comment"),
        (b'#define X R"(\n)"\n', "it has a raw string of many lines in a directive (line 1)"),
        (
            b'char *x = R"(\\\n)";\n',
            TWO_WAYS + "a raw string has a backslash at a line's end (line 1)",
        ),
        (b'char *x = R"(??=)";\n', TWO_WAYS + "a raw string has a trigraph (line 1)"),
        (
            b'int a; \\\nchar *x = R"b(??/\n)b";\n',
            TWO_WAYS + "a raw string has a backslash at a line's end (line 2)",
        ),
        (
            b'char *x = R"a\\b(x)a\\b";\n',
            TWO_WAYS + "a raw string has an unusual delimiter (line 1)",
        ),
        (
            b"// see a/*.h\nint x; /* */\n",
            TWO_WAYS + "a // comment holds the start of another comment (line 1)",
        ),
        (b"//* x\n", TWO_WAYS + "a // comment holds the start of another comment (line 1)"),
        (
            b"int x = 1'0 /*\n*/;\n",
            TWO_WAYS + "a number has an apostrophe, and a comment starts behind it (line 1)",
        ),
        (b"#error don't /*\n*/\n", TWO_WAYS + "a comment starts in an #error (line 1)"),
        (
            b"#define don't /*\n",
            TWO_WAYS + "a comment starts behind a quote that is not closed (line 1)",
        ),
        (b"#include <a/*.h>\n/* */\n", TWO_WAYS + "a comment starts in an #include (line 1)"),
        (
            b"#if __has_include(<a'>)\n#endif\n",
            TWO_WAYS + "an unusual file name in a condition (line 1)",
        ),
        (b"#define X(a) Y <#a\n", TWO_WAYS + "<# is an editor's placeholder to Clang (line 1)"),
        (b"#if$\n", TWO_WAYS + "a directive has an unusual name (line 1)"),
        (b"%:if 1\n#endif\n", "it has an #endif without its #if"),
        (b"??=if 1\n#endif\n", "it has an #endif without its #if"),
        (b"??=if 1\n", "it ends with 1 #if open"),
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
    start = time.process_time()
    guard(unit * (1_000_000 // len(unit)), b"")
    assert time.process_time() - start < 30


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
