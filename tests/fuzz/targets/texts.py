"""The texts in wheels: RECORD, WHEEL, METADATA, names and tags; and the mergers of two texts."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from email.parser import HeaderParser

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from fatwheel.fusion.differences import short_diff
from fatwheel.fusion.merge import Merged, MergeResult
from fatwheel.fusion.merge.cheader import guard
from fatwheel.fusion.merge.metadata import merge_entry_points, merge_metadata, merge_top_level
from fatwheel.fusion.merge.python import dispatch, merge_python
from fatwheel.fusion.merge.sbom import merge_sbom
from fatwheel.wheels.distinfo import (
    find_data,
    find_dist_info,
    format_wheel_metadata,
    parse_name_and_version,
    parse_wheel_metadata,
    read_headers,
)
from fatwheel.wheels.record import format_record, parse_record
from fatwheel.wheels.tags import (
    TagStyle,
    claims,
    family,
    fused_platforms,
    parse_wheel_name,
    with_platforms,
)
from tests.fuzz.target import BrokenPromiseError, Target, check, joined, split, two_texts
from tests.support.wheels import DIST_INFO, METADATA, A, X, record_of

__all__ = ["TARGETS"]

NAME = "pkg-1.0-cp312-cp312-macosx_11_0_arm64.whl"
WHEEL = b"Wheel-Version: 1.0\nGenerator: t 1\nRoot-Is-Purelib: false\nTag: py2.py3-none-any\nBuild: 1a\n"


# ---- one text ----


def _record(data: bytes) -> None:
    """What was read is written so that it is read again."""
    rows, _ = parse_record(data.decode(errors="replace"))
    again, bad = parse_record(format_record(rows).decode())
    check(not bad and again == rows, f"{rows} became {again}, {bad}")


def _record_seeds() -> Iterator[bytes]:
    text = record_of({"pkg/a.py": b"a", "pkg/b.py": b""})
    yield text.encode()
    yield text.replace("pkg/a.py", '"pkg/a ""b"".py"').replace("\n", "\r\n").encode()
    for algorithm in ("sha512", "blake2s", "md5"):
        yield record_of({"a": b"a"}, algorithm=algorithm).encode()
    yield b'a,,\n\n../b,,\n/c,,\nd,sha256=zz,-1\n"e\n'


def _wheel_file(data: bytes) -> None:
    """Headers are read as Python's email reads them; a sound WHEEL file has the tags that it names."""
    text = data.decode(errors="replace")
    theirs = [
        (name.lower(), value.strip()) for name, value in HeaderParser().parsestr(text).items()
    ]
    ours, description = read_headers(text, wheel=NAME, member="METADATA")
    check(ours == theirs, f"read as {ours}, by email as {theirs}")
    body = HeaderParser().parsestr(text).get_payload()
    check(description == body, f"the text behind them is {description!r}, for email {body!r}")
    parse_name_and_version(text, wheel=NAME, member="METADATA")
    found = parse_wheel_metadata(text, wheel=NAME, member="WHEEL")
    check(all(tag.count("-") == 2 for tag in found.tags), f"tags are {found.tags}")


def _wheel_file_seeds() -> Iterator[bytes]:
    yield WHEEL
    yield METADATA + b"Requires-Dist: a\n\nText"
    yield b"wheel-version: 1.9\r\nROOT-IS-PURELIB: True\r\nTag: a.b-c.d-e.f\r\n g\r\nFrom x\r\n: y\r\n\r\nz"


def _wheel_name(data: bytes) -> None:
    """A file name that is taken is one for packaging, too, and so is what is made of it."""
    first, members = split(data, 2)
    filename = first.decode(errors="replace")
    name = parse_wheel_name(filename)
    check(name.filename == filename, f"{filename!r} became {name.filename!r}")
    project, version, tags = _parsed_name(filename)
    check(name.key[:2] == (project, version), f"{name.key} is for packaging {project} {version}")
    expanded = {str(tag) for tag in tags}
    check({tag.lower() for tag in name.expanded_tags} == expanded, f"tags are {expanded}")
    family(name)
    floors = claims(name)
    for style in TagStyle:
        made = fused_platforms(floors.get(X, (10, 9)), floors.get(A, (11, 0)), style)
        fused = with_platforms(name, made)
        parse_wheel_filename(fused.filename)
        text = format_wheel_metadata(fused, generator="t 1", root_is_purelib=False).decode()
        again = parse_wheel_metadata(text, wheel=NAME, member="WHEEL")
        check(again.build == name.build, f"build {name.build!r} became {again.build!r}")
    names = members.decode(errors="replace").splitlines()[:50]
    find_data(names, name)
    find_dist_info(names, name)


def _parsed_name(filename: str) -> tuple[str, Version, frozenset[Tag]]:
    try:
        project, version, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise BrokenPromiseError(f"packaging refuses what was accepted: {error}") from error
    return project, version, tags


def _wheel_name_seeds() -> Iterator[bytes]:
    yield joined(NAME, f"pkg/a.py\n{DIST_INFO}/WHEEL\npkg-1.0.data/scripts/a")
    yield joined(
        "Foo_Bar-1!2.0rc1+l.1-2_a-py2.py3-none-macosx_10_9_x86_64.macosx_11_0_arm64.whl",
        "foo-bar-1!2.0rc1+l.1.dist-info/RECORD",
    )
    yield b"a-1-py3-abi3-macosx_10_9_intel.any.whl"
    yield b"a-1-cp313-cp313t-macosx_10_16_universal2.manylinux_2_17_x86_64.whl"


# ---- two texts ----

_Merger = Callable[[bytes, bytes], MergeResult]


def _merged_alike(merge: _Merger, x86_64: bytes, arm64: bytes) -> bytes | None:
    """Merge in both orders, and what came out once more; None where the texts cannot be one."""
    result, reverse = merge(x86_64, arm64), merge(arm64, x86_64)
    one = isinstance(result, Merged)
    check(one == isinstance(reverse, Merged), f"{result}, but in the other order {reverse}")
    if not isinstance(result, Merged):
        check(bool(result.why), "no word why")
        return None
    check(result == merge(x86_64, arm64), "another result the second time")
    return result.content


def _metadata(data: bytes) -> None:
    x86_64, arm64 = two_texts(data)
    merged = _merged_alike(merge_metadata, x86_64, arm64)
    if merged is not None:
        for text in (x86_64, arm64):
            again = merge_metadata(text, merged)
            check(isinstance(again, Merged), f"the merged text does not equal its source: {again}")


def _metadata_seeds() -> Iterator[bytes]:
    one = (
        METADATA
        + b"Requires-Dist: a >1; python_version<'3.12'\nLicense-File: A\nProvides-Extra: b_c\n\nText\n"
    )
    other = (
        METADATA
        + b"License-File: B\nprovides-extra: b-c\nRequires-Dist: A>1;python_version < '3.12'\n\nText"
    )
    yield joined(one, other)
    yield joined(one, one.replace(b"\n", b"\r\n"))
    yield joined(
        METADATA + b"Requires-Python: >=3.10,<4\nObsoletes-Dist: a (1)\nSummary: x\n y\n", METADATA
    )


def _lists(data: bytes) -> None:
    """entry_points.txt and top_level.txt."""
    x86_64, arm64 = two_texts(data)
    for merge in (merge_entry_points, merge_top_level):
        _merged_alike(merge, x86_64, arm64)


def _lists_seeds() -> Iterator[bytes]:
    yield joined(
        "[console_scripts]\na = b:c [d]\n[g]\nx=y:z\n",
        "# c\n[g]\nx = y:z\n[console_scripts]\na=b:c[d]\n",
    )
    yield joined("a\nb\n", "b\r\nc")
    yield joined("[a]\nb = c\n d\n[DEFAULT]\ne=f", "[a\nb")


def _sbom(data: bytes) -> None:
    result = merge_sbom(*two_texts(data))
    if isinstance(result, Merged):
        check(json.loads(result.content)["bomFormat"] == "CycloneDX", "is no CycloneDX any more")
        check(result == merge_sbom(*two_texts(data)), "another result the second time")


def _sbom_seeds() -> Iterator[bytes]:
    base = (
        '{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "serialNumber": "urn:uuid:'
        '42f04c64-8c62-45b8-8468-ef2b9c692cb4", "metadata": {"timestamp": "2026-11-05T08:41:03.5Z",'
        ' "component": {"type": "library", "bom-ref": "r", "name": "c", "components": [{"bom-ref": "r 0"}]}},'
        ' "components": [{"bom-ref": "a", "name": "a", "properties": []}, {"purl": "pkg:cargo/b"}],'
        ' "dependencies": [{"ref": "r", "dependsOn": ["a"]}, {"ref": "a"}]}'
    )
    yield joined(base, base.replace(":03.5Z", ":04+01:00").replace('"a"', '"q"'))
    yield joined(base, base.replace('{"purl": "pkg:cargo/b"}', '{"purl": "pkg:cargo/d"}'))
    yield joined(base, '@300 "x":"y",\n@200  ')
    yield joined(base, base.replace('"version": 1,', '"version": 1.0e9,').replace("1.5", "1.6"))


def _header(data: bytes) -> None:
    """A guarded header leaves nothing open, so that it can be guarded again."""
    x86_64, arm64 = two_texts(data)
    merged = _merged_alike(guard, x86_64, arm64)
    if merged is not None:
        again = guard(merged, merged)
        check(isinstance(again, Merged), f"what was guarded cannot be guarded again: {again}")


def _header_seeds() -> Iterator[bytes]:
    yield joined("#ifndef A\n#define A\n#if X\n# elif Y\n#else\n#endif\n#endif\n", "#pragma once\n")
    yield joined(
        '/* a */ R"d(x)d" // b \\\n c\n', "'a' \"b\" 1'000 %: define x\r\n#define y \\\r\n z"
    )
    yield joined("\xef\xbb\xbf#define A ??/\n 1\n", "int a; // \\   ")


def _python(data: bytes) -> None:
    """One source for two, and both behind a dispatch, mean what the sources mean."""
    x86_64, arm64 = two_texts(data)
    trees = [_tree(source) for source in (x86_64, arm64)]
    result = merge_python(x86_64, arm64)
    if isinstance(result, Merged):
        _same_code(result.content, trees)
    result = dispatch(x86_64, arm64, "pkg/m.py")
    if isinstance(result, Merged):
        _dispatches(result.content, trees)


def _same_code(kept: bytes, trees: Sequence[str | None]) -> None:
    """What is kept means what both sources mean, as far as they compile."""
    tree = _tree(kept)
    check(tree is not None or not any(trees), "what is kept does not compile, and a source did")
    check(set(trees) <= {tree, None}, "other code is kept")


def _dispatches(content: bytes, trees: Sequence[str | None]) -> None:
    try:
        module = ast.parse(content)
    except (SyntaxError, ValueError) as error:
        raise BrokenPromiseError(f"the dispatching module does not compile: {error}") from error
    for tree, text in zip(trees, _dispatched(module), strict=True):
        check(tree is None or tree == _tree(text), "a source is another one behind the dispatch")


def _tree(source: bytes | str) -> str | None:
    """Return what a source means, without positions; None where it does not compile."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source)
            compile(tree, "m", "exec", dont_inherit=True)
            return ast.dump(tree)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return None


def _dispatched(module: ast.Module) -> list[str]:
    """Return the two sources in a module that dispatches: the second halves of what `compile` gets."""
    calls = [
        n
        for n in ast.walk(module)
        if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "compile"
    ]
    return [
        ast.literal_eval(call.args[0].right)
        for call in calls
        if isinstance(call.args[0], ast.BinOp)
    ]


def _python_seeds() -> Iterator[bytes]:
    code = (
        'import os\n\n\ndef f(x):\n    """Doc."""\n    return f"{x = } {x!r}" + r\'a\\\'\n\n# c\n'
    )
    yield joined(code, "# built\n" + code.replace("\n", "\r\n"))
    yield joined(code, r"@0 # built\n")
    yield joined(code, "@9 \\n\\n\n@30 \\n    # c\n@40  ")
    yield joined(
        "for a in b:\n    if a:\n        c(\n            1)\n    else:\n\td\n", "@11 \\n\n@14  "
    )
    yield joined(
        "#!/usr/bin/python\n# coding: latin-1\nx = '\xe9'\n".encode("latin-1"),
        "#!/usr/bin/python\ny = 1",
    )
    yield joined("x = '''a'''\ny = \"\"\"b\"\"\"\n", "\ufeffif x:\n\ty = 1\n\tz = [1,\n2]\n")
    yield joined("def f():\n        x\n\ty\n", "def f():\n        x\n        y\n")
    yield joined(
        "class A:\n  x: int = 1\n\n  async def f(self): yield\n", "match x:\n  case [1, *_]: pass\n"
    )


def _difference(data: bytes) -> None:
    """Two texts are told apart in a few lines."""
    x86_64, arm64 = two_texts(data)
    lines = short_diff(x86_64, arm64)
    check(len(lines) < 40, f"{len(lines)} lines")
    check(max(map(len, lines), default=0) < 200, "a line is long")


def _difference_seeds() -> Iterator[bytes]:
    yield joined("a\nb\nc\n", "a\nB\nc\nd\n")
    yield joined("x" * 200 + "a", "x" * 200 + "b")
    yield joined("a\x1b[31m\n", "a\u202e\r\n")


_PYTHON_WORDS = (
    *(
        b"#!/usr/bin/python # -*- coding: latin-1 -*-",
        b"# coding: utf-8-sig",
        b"# vim: set fileencoding=cp1252 :",
    ),
    *(
        b'"""',
        b"'''",
        b"\\",
        b"\t",
        b"        ",
        b"\r\n",
        b"\f",
        b"\xef\xbb\xbf",
        b"\xe9",
        b"\xc3\xa9",
        b"\0",
    ),
    *(
        b"\n@1",
        b"@9 \\n",
        b"@30 # c\\n",
        b"@20 \\t",
        b"if x:",
        b"else:",
        b"def f():",
        b'f"{',
        b'}"',
        b"rb'",
        b"lambda",
        b"#",
        b"(",
    ),
)
_HEADER_WORDS = (
    *(
        b"#if ",
        b"#ifdef A",
        b"#else",
        b"#elif 1",
        b"#endif",
        b"%:",
        b"??/",
        b"/*",
        b"*/",
        b"//",
        b"\\",
        b"\\ ",
    ),
    *(b'R"x(', b')x"', b"'", b'"', b"\r\n", b"\f", b"#pragma once", b"#define A"),
)
_JSON_WORDS = (
    *(
        b'"bom-ref"',
        b'"purl"',
        b'"properties"',
        b'"dependsOn"',
        b'"ref"',
        b'"components"',
        b'"timestamp"',
    ),
    *(
        b'"serialNumber"',
        b"null",
        b"1e999",
        b"-0",
        b"[[",
        b"{}",
        b"\\u",
        b"\\ud800",
        b'"version"',
        b'"provides"',
    ),
    *(b'"fatwheel:architectures"', b"9" * 30),
)
_METADATA_WORDS = (
    *(
        b"Requires-Dist: ",
        b"Requires-Python: >=",
        b"Provides-Extra: ",
        b"License-File: ",
        b"Version: ",
        b"Name: ",
    ),
    *(
        b"Obsoletes-Dist: ",
        b"; extra == 'a'",
        b"(>=1)",
        b"!=1.*",
        b"~=1.0",
        b"@ https://a.b/",
        b"\n ",
        b"\r\n",
    ),
    *(
        b"\n\n",
        b"From ",
        b"1!",
        b".post1",
        b".dev",
        b"+l.1",
        b"[a,b]",
        b"===x",
        b"_",
        b"--",
        b"python_version",
    ),
    *(b"Wheel-Version: 1.", b"Root-Is-Purelib: true", b"Tag: a.b-c-d", b"Build: 1", b"Generator: "),
)
_NAME_WORDS = (
    *(
        b"macosx_10_",
        b"macosx_11_0_",
        b"x86_64",
        b"arm64",
        b"universal2",
        b"universal",
        b"intel",
        b"fat64",
    ),
    *(
        b"cp312",
        b"py3",
        b"abi3",
        b"none",
        b"any",
        b"manylinux",
        b"1!",
        b"rc1",
        b"+local.1",
        b".whl",
    ),
    *(b".dist-info/", b".data/", b"__", b".", b"-", b"_"),
)

TARGETS = (
    Target(name="record", run=_record, seeds=_record_seeds, runs=10000),
    Target(
        name="wheel-file",
        run=_wheel_file,
        seeds=_wheel_file_seeds,
        words=_METADATA_WORDS,
        runs=6000,
    ),
    Target(
        name="wheel-name",
        run=_wheel_name,
        seeds=_wheel_name_seeds,
        words=_NAME_WORDS,
        runs=4000,
        longest=1024,
    ),
    Target(
        name="metadata",
        run=_metadata,
        seeds=_metadata_seeds,
        words=_METADATA_WORDS,
        runs=1400,
        share=2,
    ),
    Target(name="entry-points", run=_lists, seeds=_lists_seeds, runs=4000),
    Target(name="sbom", run=_sbom, seeds=_sbom_seeds, words=_JSON_WORDS, runs=3000, share=2),
    Target(
        name="c-header", run=_header, seeds=_header_seeds, words=_HEADER_WORDS, runs=5000, share=2
    ),
    Target(
        name="python", run=_python, seeds=_python_seeds, words=_PYTHON_WORDS, runs=1400, share=3
    ),
    Target(name="difference", run=_difference, seeds=_difference_seeds, runs=4000),
)
