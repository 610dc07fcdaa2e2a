"""Python sources: the same tokens, and modules that dispatch, really imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.fusion.merge import Merged, Unmergeable
from fatwheel.fusion.merge.python import dispatch, merge_python, same_tokens
from tests.support.required import require_pair

CODE = (
    'import os\n\n\ndef f(x):\n    """Doc."""\n    if x:\n        return f"{x = } {x!r}"\n'
    "    return [1,\n        2]\n"
)


@pytest.mark.parametrize(
    ("x86_64", "arm64"),
    [
        (CODE, CODE),
        (CODE, "# built on x86_64\n\n" + CODE.replace("\n    if", "\n\n    # why\n    if")),
        (CODE, CODE.replace("\n", "\r\n")),
        (CODE, CODE.replace("\n", "\r")),
        (CODE, CODE.rstrip()),
        (CODE, CODE.replace("[1,\n", "[1, # one\n\n")),
        (CODE, "\ufeff" + CODE),
        ("#!/usr/bin/python3\n" + CODE, "#!/usr/bin/python3\n\n" + CODE),
        ("", "# nothing\n"),
        ('x = f"""{1}\n{2}"""\n', '# multi-line\nx = f"""{1}\n{2}"""\n'),
    ],
)
def test_comments_and_blank_lines_do_not_count(x86_64: str, arm64: str) -> None:
    assert same_tokens(x86_64.encode(), arm64.encode())
    assert same_tokens(arm64.encode(), x86_64.encode())
    assert merge_python(x86_64.encode(), arm64.encode()) == Merged(
        content=arm64.encode(),
        how="differs in nothing that Python reads (comments, blank lines, line ends)",
    )


@pytest.mark.parametrize(
    ("x86_64", "arm64"),
    [
        (CODE, CODE.replace("Doc.", "Doc")),
        (CODE, CODE.replace("{x = }", "{x=}")),
        (CODE, CODE.replace("2]", "3]")),
        (CODE, CODE + "f(1)\n"),
        (CODE, CODE.replace("    return [", "        return [")),
        (CODE, CODE.replace("        return f", "       return f")),
        (CODE, "#!/usr/bin/python3\n" + CODE),
        ("#!/usr/bin/python3\n", "#!/usr/bin/python3.12\n"),
        ('x = f"""{1}\n{2}"""\n', 'x = f"""{1}\n{ 2}"""\n'),
        ("x = f'{d['a  b']}'\n", "x = f'{d['a b']}'\n"),
        ("x = rt'{d['(a  b)']}'\n", "x = rt'{d['(a b)']}'\n"),
        ("x = '''a\n\nb'''\n", "x = '''a\nb'''\n"),
    ],
)
def test_everything_else_does(x86_64: str, arm64: str) -> None:
    assert not same_tokens(x86_64.encode(), arm64.encode())
    assert not same_tokens(arm64.encode(), x86_64.encode())


def test_encodings_are_those_of_the_cookies() -> None:
    latin_1 = "# coding: latin-1\nx = 'é'\n".encode("latin-1")
    assert same_tokens(latin_1, "x = 'é'\n".encode())
    assert same_tokens("x = 'é'\n".encode(), latin_1)
    assert not same_tokens(latin_1, "# coding: latin-1\nx = 'é'\n".encode())


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (b"x = 1\0\n", "has NUL bytes"),
        (b"x = '\xe9'\n", "cannot be decoded"),
        (b"# coding: klingon\n", "cannot be decoded"),
        (b"# coding: punycode\n" + b"a" * 500_000, "cannot be decoded"),
        (b"# coding: utf-16\nx", "cannot be decoded"),
        (b"# coding: latin-1\n# " + b"x" * 1024 * 1024, "one has more than 1048576 bytes"),
        (b"x = (\n", "cannot be tokenized"),
        (b"x = '''\n", "cannot be tokenized"),
        (b"if x:\n        y\n    z\n", "cannot be tokenized"),
        (b"x = 'a\n", ""),
        (b"x = 1 $ 2\n", ""),
    ],
)
def test_what_cannot_be_read_differs(source: bytes, why: str) -> None:
    assert not same_tokens(source, source + b"# more\n")
    assert not same_tokens(b"x = 1\n", source)
    result = merge_python(source, source + b"# more\n")
    assert isinstance(result, Unmergeable)
    assert why in result.why


def test_the_first_difference_is_named() -> None:
    result = merge_python(b"\nx = 1\n", b"x = 'a'\n")
    assert result == Unmergeable(why="line 2 has '1' for x86_64 and line 1 has \"'a'\" for arm64")
    result = merge_python(b"x\n", b"x\ny\n")
    assert result == Unmergeable(why="the end for x86_64 and line 2 has 'y' for arm64")
    result = merge_python(b"#!a\nx\n", b"x\n")
    assert result == Unmergeable(why="the first line is '#!a' for x86_64 and no #! line for arm64")


@pytest.mark.parametrize(
    "source",
    [
        "x," * 500_000,
        "(" * 1_000_000,
        "'''" + "\n" * 1_000_000,
        'f"""' + "{a}\n" * 250_000 + '"""',
        "é," * 340_000,
    ],
    ids=["one-line", "open", "string", "f-string", "not-ascii"],
)
def test_hostile_sources_take_bounded_time(source: str) -> None:
    start = time.process_time()
    same_tokens(source.encode(), source.encode() + b"#\n")
    assert time.process_time() - start < 60


# ---- dispatch ----

X_SOURCE = '''\
"""What x86_64 says."""

from __future__ import annotations

import inspect
from .other import ANSWER

HERE = "x86_64"
RAW = r"\\d" + "\\n" + \'\'\'"\'\'\'


def fail(argument: Undefined) -> int:
    """Fails."""
    raise ValueError("on x86_64")  # this line


class Thing:
    value: int = 1
'''
A_SOURCE = X_SOURCE.replace("x86_64", "arm64").replace('says."""', 'says.\n\nAnd more.\n"""')

PROBE = """
import inspect, json, os, pickle, sys, traceback
machine, folder, module = sys.argv[1:]
real = os.uname()
os.uname = lambda: type(real)((*real[:4], machine))
sys.path.insert(0, folder)
import importlib
try:
    pkg = importlib.import_module(module)
except ImportError as error:
    print(json.dumps({"error": str(error)}))
    raise SystemExit
try:
    pkg.fail(1)
except ValueError as error:
    frame = traceback.extract_tb(error.__traceback__)[-1]
print(json.dumps({
    "here": pkg.HERE, "raw": pkg.RAW, "answer": pkg.ANSWER, "name": pkg.__name__, "doc": pkg.__doc__,
    "file": pkg.__file__, "frame": [frame.filename, frame.line, frame.name],
    "shown": open(pkg.__file__).read().split("\\n")[frame.lineno - 1] if os.path.exists(pkg.__file__) else None,
    "pickled": [pickle.loads(pickle.dumps(it)) is it for it in (pkg.fail, pkg.Thing)],
    "qualname": pkg.Thing.__module__ + "." + pkg.Thing.__qualname__,
    "source": inspect.getsource(pkg.fail), "annotation": pkg.fail.__annotations__["argument"],
    "names": sorted(set(vars(pkg)) - {"__cached__", "__builtins__", "__annotations__", "__loader__",
                                      "__spec__", "__file__", "__conditional_annotations__",
                                      "__annotate__", "__annotate_func__"}),
}))
"""


def dispatched(x86_64: str | bytes, arm64: str | bytes, name: str = "pkg/mod.py") -> bytes:
    raw = [side.encode() if isinstance(side, str) else side for side in (x86_64, arm64)]
    result = dispatch(raw[0], raw[1], name)
    assert isinstance(result, Merged), result
    assert result.how.startswith(
        "dispatch: each architecture runs its own source; py2app, PyInstaller"
    )
    return result.content


def package(content: bytes, folder: Path, *, zipped: bool = False) -> Path:
    """Write the package `pkg` with one module `mod`, and return what goes on `sys.path`."""
    files = {"pkg/__init__.py": b"", "pkg/other.py": b"ANSWER = 42\n", "pkg/mod.py": content}
    if zipped:
        with zipfile.ZipFile(folder / "pkg.zip", "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return folder / "pkg.zip"
    (folder / "pkg").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text)
    return folder


def probe(machine: str, path: Path, module: str = "pkg.mod") -> dict[str, object]:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE, machine, str(path), module],
        capture_output=True,
        check=True,
        text=True,
    )
    answer: dict[str, object] = json.loads(run.stdout)
    return answer


needs_uname = pytest.mark.skipif(not hasattr(os, "uname"), reason="macOS has os.uname, Windows not")


@needs_uname
@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize(("machine", "source"), [("x86_64", X_SOURCE), ("arm64", A_SOURCE)])
def test_an_import_gives_what_the_thin_wheel_gave(
    machine: str, source: str, zipped: bool, tmp_path: Path
) -> None:
    thin_folder, fused_folder = tmp_path / "thin", tmp_path / "fused"
    for folder in (thin_folder, fused_folder):
        folder.mkdir()
    thin = package(source.encode(), thin_folder, zipped=zipped)
    fused = package(dispatched(X_SOURCE, A_SOURCE), fused_folder, zipped=zipped)
    want, have = probe(machine, thin), probe(machine, fused)
    assert have["here"] == machine
    assert have["doc"] == f"What {machine} says." + (
        "\n\nAnd more.\n" if machine == "arm64" else ""
    )
    assert have["frame"] == [
        str(fused / "pkg" / "mod.py"),
        f'raise ValueError("on {machine}")  # this line',
        "fail",
    ]
    for answer in (want, have):
        answer["file"] = str(answer["file"]).replace(str(tmp_path), "").replace("thin", "fused")
        answer["frame"] = str(answer["frame"]).replace(str(tmp_path), "").replace("thin", "fused")
    assert have == want
    assert have["names"] == [
        *("ANSWER", "HERE", "RAW", "Thing", "__doc__", "__name__", "__package__"),
        *("annotations", "fail", "inspect"),
    ]


@needs_uname
def test_another_machine_gets_an_error_that_names_it(tmp_path: Path) -> None:
    path = package(dispatched(X_SOURCE, A_SOURCE), tmp_path)
    assert probe("riscv64", path) == {
        "error": "pkg.mod has a source for x86_64 and for arm64, none for riscv64"
    }


@needs_uname
def test_a_module_can_be_run_as_a_program(tmp_path: Path) -> None:
    source = "#!/usr/bin/env python3\nif __name__ == '__main__':\n    print('ran', __file__)\n"
    content = dispatched(source, source + "# more\n").replace(
        b'__import__("os").uname().machine', b'"arm64"'
    )
    assert content.startswith(b"#!/usr/bin/env python3\n# Made by fatwheel")
    path = package(content, tmp_path)
    command = [sys.executable, "-m", "pkg.mod"]
    run = subprocess.run(command, cwd=path, capture_output=True, check=True, text=True)
    assert run.stdout.split() == ["ran", str(tmp_path / "pkg" / "mod.py")]


def test_compileall_passes(tmp_path: Path) -> None:
    package(dispatched(X_SOURCE, A_SOURCE), tmp_path)
    command = [sys.executable, "-W", "error", "-m", "compileall", "-q", str(tmp_path)]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == ""


def sources_of(content: bytes) -> list[tuple[int, str]]:
    """Return what the module would compile, for x86_64 and arm64: the first line's number, and the text."""
    found: list[tuple[int, str]] = []
    for machine in ("x86_64", "arm64"):
        code = content.replace(b'__import__("os").uname().machine', repr(machine).encode())

        def take(source: str, *_: object, **__: object) -> str:
            text = source.lstrip("\n")
            found.append((len(source) - len(text) + 1, text))
            return ""

        scope = {"__name__": "m", "__file__": "m.py", "compile": take, "exec": lambda *_: None}
        exec(compile(code, "m.py", "exec", dont_inherit=True), scope)
    return found


@pytest.mark.parametrize(
    "source",
    [
        "x = '''a'''\n",
        'x = """a"""\n',
        "x = '''a'''\n\n\ny = \"\"\"b\"\"\"\n\nz = '''c'''\n",
        "def f():\n    '''a'''\n    return \"\"\"b\"\"\"\n",
        "x = '''a''' + \"\"\"b\\n\"\"\"\ny = '\\n'\nz = '''c''' \"\"\"d\"\"\"\n",
        "x = \"'''\" '\"\"\"'\n",
        "x = '\\\\'\n# ends with a backslash \\\n",
        "x = 1 # ''''''' \"\"\n",
        "'a'\n",
        '"a"\n',
        "x = 1",
        "x = 1\n\n\n",
        "x = '\f\v\x1c\u2028'\n",
        "x = '''\n\\N{DASH} \\u0000 \\x\n'''\n",
    ],
)
def test_the_literals_hold_the_sources(source: str) -> None:
    marked = f"1\n{source}"
    content = dispatched(marked, marked + "#\n")
    text = content.decode()
    sides = (marked.rstrip("\n") + "\n" if "\n\n\n" not in marked else marked, marked + "#\n")
    for (line, held), expected in zip(sources_of(content), sides, strict=True):
        assert (
            held == expected.replace("\n#", "#") if not source.endswith("\n") else held == expected
        )
        assert text.split("\n")[line - 1].endswith("1")
        assert "compile" not in text.split("\n")[line - 1]


PIECES = ["'''", '"""', "'", '"', "\\", "\n", "\n\n", "a", " ", "é", "{x}", "#", "r'", "\t"]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.sampled_from(["", "b"]))
def test_law_any_text_is_held_line_by_line(text: str, more: str) -> None:
    x_text, a_text = f"1{text}\n", f"1{text}{more}\n"
    content = dispatched(x_text, a_text)
    lines = content.decode().split("\n")
    for (first, held), expected in zip(sources_of(content), (x_text, a_text), strict=True):
        assert held == expected
        for number, line in enumerate(expected.split("\n")[:-1], start=first):
            if "'''" not in line or '"""' not in line:
                assert lines[number - 1].endswith(line)


def test_sources_in_any_encoding_become_utf_8() -> None:
    latin_1 = "# coding: latin-1\nx = 'é'\n".encode("latin-1")
    content = dispatched(latin_1, "\ufeffx = 'ü'\r\n".encode(), "a/coding: latin-1 \n.py")
    assert [text for _, text in sources_of(content)] == [
        "# coding: latin-1\nx = 'é'\n",
        "x = 'ü'\n",
    ]
    assert b"\r" not in content
    assert content.split(b"\n")[2] == rb"# 'a/coding: latin-1 \n.py'"


@pytest.mark.parametrize(
    ("arm64", "why"),
    [
        (b"\0", "arm64's has NUL bytes"),
        (b"\xff", "arm64's cannot be decoded"),
        (b"# coding: klingon\n", "arm64's cannot be decoded (unknown encoding: klingon"),
        (b"#!/bin/sh\n", "the first line is no #! line for x86_64 and '#!/bin/sh' for arm64"),
    ],
)
def test_what_cannot_dispatch(arm64: bytes, why: str) -> None:
    result = dispatch(b"x = 1\n", arm64, "pkg/mod.py")
    assert isinstance(result, Unmergeable)
    assert result.why.startswith(why)


@needs_uname
def test_a_real_module(tmp_path: Path) -> None:
    """polars asks its module for the architecture and the processor features that it needs."""
    pair = require_pair("polars")
    sides = [
        zipfile.ZipFile(wheel.path).read("polars/_cpu_check.py")
        for wheel in (pair.x86_64, pair.arm64)
    ]
    assert not same_tokens(sides[0], sides[1])
    (tmp_path / "mod.py").write_bytes(dispatched(sides[0], sides[1], "polars/_cpu_check.py"))
    code = (
        "import os, sys; real = os.uname();"
        "os.uname = lambda: type(real)((*real[:4], sys.argv[1])); import mod;"
        "print(mod._POLARS_ARCH, len(mod._POLARS_FEATURE_FLAGS) > 0, mod.check_cpu_flags.__name__)"
    )
    for machine, expected in (("x86_64", "x86-64 True"), ("arm64", "aarch64 False")):
        command = [sys.executable, "-c", code, machine]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True)
        assert run.stdout.strip() == f"{expected} check_cpu_flags"


@pytest.mark.parametrize(
    ("line", "encoding"),
    [
        ("#!/usr/bin/python # -*- coding: latin-1 -*-", "latin-1"),
        ("#!/usr/bin/python # vim: set fileencoding=cp1252 :", "cp1252"),
        ("#!/usr/bin/env python3 coding=iso-8859-15", "iso-8859-15"),
        ("#!python\n# -*- coding: latin-1 -*-", "latin-1"),
        ("# -*- coding:latin-1 -*-", "latin-1"),
        ("\f# coding: koi8-r", "koi8-r"),
        ("\n#coding=utf_8", "utf-8"),
        ("#!/usr/bin/python coding: utf-8", "utf-8"),
        ("\ufeff# coding: utf-8", "utf-8"),
        ("#!/usr/bin/python", "utf-8"),
        ("X = 1\n# coding: latin-1", "utf-8"),  # the second line counts behind a comment only
        ("'''\n# coding: latin-1'''", "utf-8"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_strings_are_those_of_each_source(
    line: str, encoding: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PEP 263 in all its forms: what a side's own file defines, the module defines on that machine."""
    letter = "\xe9" if encoding != "koi8-r" else "\u0436"
    sources = {
        machine: f'{line}\nTEXT = "{letter}{machine}"\n'.replace("\n", end).encode(encoding)
        for machine in ("x86_64", "arm64")
    }
    merged = dispatch(sources["x86_64"], sources["arm64"], "pkg/m.py")
    if end == "\r" and encoding != "utf-8":  # to `tokenize` it is one line, which is no UTF-8
        assert isinstance(merged, Unmergeable)
        return
    assert isinstance(merged, Merged)
    for machine, source in sources.items():
        own: dict[str, object] = {}
        exec(compile(source, "m.py", "exec", dont_inherit=True), own)
        made: dict[str, object] = {"__name__": "m", "__file__": "m.py"}
        monkeypatch.setattr(
            os, "uname", lambda machine=machine: os.uname_result(("", "", "", "", machine))
        )
        exec(compile(merged.content, "m.py", "exec", dont_inherit=True), made)
        assert made["TEXT"] == own["TEXT"] == letter + machine


GOOD_TABS = b"def f():\n\tif x:\n\t\treturn 1\n\tpass\n"
BAD_TABS = b"def f():\n\tif x:\n\t\treturn 1\n \tpass\n"


@pytest.mark.parametrize(
    ("x86_64", "arm64", "named"),
    [
        (GOOD_TABS, BAD_TABS, "arm64"),
        (BAD_TABS, GOOD_TABS, "x86_64"),
        (BAD_TABS, BAD_TABS + b"# arm64\n", "x86_64"),
    ],
)
def test_tabs_that_do_not_compile_are_a_conflict_on_every_python(
    x86_64: bytes, arm64: bytes, named: str
) -> None:
    assert merge_python(x86_64, arm64) == Unmergeable(
        why=f"{named}'s cannot be tokenized (inconsistent use of tabs and spaces in indentation)"
    )
