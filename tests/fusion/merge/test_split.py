"""What mergers made of two texts, taken apart: exactly what went in, and nothing that no merger made."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from fatwheel.arch import Arch
from fatwheel.fusion.merge import Merged
from fatwheel.fusion.merge.cheader import guard, unguard
from fatwheel.fusion.merge.python import dispatch, undispatch
from fatwheel.fusion.merge.sbom import ARCHITECTURES_PROPERTY, merge_sbom, split_sbom
from fatwheel.fusion.mergers import split_merged

X, A = Arch.X86_64, Arch.ARM64


def texts(*lines: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(lines), max_size=8).map(
        lambda all_: "".join(f"{x}\n" for x in all_)
    )


def merged(result: object) -> bytes | None:
    return result.content if isinstance(result, Merged) else None


# ---- headers ----

HEADERS = texts(
    "#define WORD 8",
    "#if defined(__x86_64__)",
    "#elif defined(__aarch64__)",
    "#else",
    "#endif",
    "/* fatwheel: this header differs between x86_64 and arm64. */",
    '#error "This header is for x86_64 and arm64 alone."',
    "/*",
    "*/",
    "",
    "int é;",
)


@settings(max_examples=400, deadline=None)
@given(HEADERS, HEADERS, st.sampled_from(["\n", "\r\n"]))
def test_a_guarded_header_gives_both_texts_back(x86_64: str, arm64: str, end: str) -> None:
    x, a = (text.replace("\n", end).encode() for text in (x86_64, arm64))
    if (content := merged(guard(x, a))) is not None:
        assert unguard(content) == {X: x, A: a}


def test_guards_nest_and_the_outermost_is_taken_away() -> None:
    inner = merged(guard(b"#define X 1\n", b"#define X 2\n"))
    assert inner is not None
    outer = merged(guard(inner, inner + b"#define Y\n"))
    assert outer is not None
    found = unguard(outer)
    assert found == {X: inner, A: inner + b"#define Y\n"}


GUARDED = merged(guard(b"#define X 1\n", b"#define X 2\n")) or b""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"#define X\n",
        GUARDED[1:],
        GUARDED + b"\n",
        GUARDED.replace(b"#elif defined(__aarch64__)", b"#elif defined(__arm64__)"),
        GUARDED.replace(b"#define X 1\n", b"#endif\n"),
        GUARDED.replace(b"#define X 1\n", b"/*\n"),
        GUARDED.replace(b"#if", b"#if 0\n#if", 1),
    ],
)
def test_other_headers_are_left_alone(content: bytes) -> None:
    assert unguard(content) is None


# ---- modules ----

SOURCES = texts(
    "x = 1",
    "'''",
    '"""',
    "\\",
    '\\"',
    'a = """b\'\'\'"""',
    "é",
    "# coding: latin-1",
    "#!/usr/bin/python3 # coding: utf-8",
    "",
    "    y",
    'if __import__("os").uname().machine == "x86_64":',
    'elif __import__("os").uname().machine == "arm64":',
    "r'''",
)


def encoded(text: str) -> bytes | None:
    try:
        return text.encode("latin-1" if "latin-1" in "".join(text.split("\n")[:2]) else "utf-8")
    except UnicodeEncodeError:
        return None


@settings(max_examples=600, deadline=None)
@given(SOURCES, SOURCES)
def test_a_dispatching_module_gives_both_sources_back(x86_64: str, arm64: str) -> None:
    x, a = encoded(x86_64), encoded(arm64)
    assert x is not None
    assert a is not None
    if (content := merged(dispatch(x, a, "pkg/m.py"))) is not None:
        assert undispatch(content, "pkg/m.py") == {X: x, A: a}


DISPATCHED = merged(dispatch(b"x = 1\n", b"x = 2\n", "pkg/m.py")) or b""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"#!",
        b"#!/usr/bin/python3\n",
        b"x = 1\n",
        DISPATCHED[1:],
        DISPATCHED + b"\n",
        DISPATCHED.replace(b"'''\nx = 1", b"'''\n\nx = 1"),
        DISPATCHED.replace(b"r'''\nx = 1\n'''", b"x"),
        DISPATCHED.replace(b"x = 1", b"\xff"),
        DISPATCHED.replace(b"'os'", b"'so'"),
        DISPATCHED[: len(DISPATCHED) // 2],
        DISPATCHED[:200],
    ],
)
def test_other_modules_are_left_alone(content: bytes) -> None:
    assert undispatch(content, "pkg/m.py") is None


def test_a_module_of_another_name_is_not_what_was_made() -> None:
    assert undispatch(DISPATCHED, "pkg/m.py") is not None
    assert undispatch(DISPATCHED, "pkg/other.py") is None


# ---- SBOMs ----

NAMES = st.lists(st.sampled_from("abcdef"), unique=True).map(sorted)


def bom(names: list[str], serial: str = "0") -> bytes:
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "serialNumber": f"urn:uuid:0000000{serial}-0000-4000-8000-000000000000",
        "components": [
            {"type": "library", "bom-ref": name, "name": name, "version": "1"}
            | ({"properties": [{"name": "own", "value": "1"}]} if name in "ace" else {})
            for name in names
        ],
        "dependencies": [
            {"ref": "crate", "dependsOn": names},
            *({"ref": name, "dependsOn": []} for name in names),
        ],
    }
    return json.dumps(document).encode()


def by_ref(document: dict[str, Any]) -> dict[str, Any]:
    """The dependencies, whose order is the union's."""
    return {dependency["ref"]: dependency for dependency in document["dependencies"]}


@given(NAMES, NAMES)
def test_a_united_sbom_gives_the_components_back(x86_64: list[str], arm64: list[str]) -> None:
    content = merged(merge_sbom(bom(x86_64), bom(arm64, "1")))
    assert content is not None
    for arch, names in ((X, x86_64), (A, arm64)):
        split = split_sbom(content, arch)
        if x86_64 == arm64:
            assert split is None
            continue
        assert split is not None
        document, before = json.loads(split), json.loads(bom(names))
        assert document["components"] == before["components"]
        assert by_ref(document) == by_ref(before)
        assert document["serialNumber"] != json.loads(content)["serialNumber"]
        assert split_sbom(content, arch) == split
        assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(split.decode()) is None
    both = [split_sbom(content, arch) for arch in Arch]
    assert both == [None, None] or both[0] != both[1]


def with_owner(value: object, **more: object) -> bytes:
    owner = {"name": ARCHITECTURES_PROPERTY, "value": value}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "components": [{"properties": [owner]}],
    }
    return json.dumps(document | more).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        ARCHITECTURES_PROPERTY.encode(),
        b'{"bomFormat": "CycloneDX", "specVersion": "1.5", "x": "fatwheel:architectures"}',
        with_owner("ppc"),
        with_owner([]),
        with_owner("arm64", dependencies=[{"dependsOn": 1}]),
    ],
)
def test_other_documents_are_left_alone(content: bytes) -> None:
    assert split_sbom(content, A) is None


# ---- which is for which ----


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("pkg/a.h", GUARDED, b"#define X 2\n"),
        ("pkg/a.inc", GUARDED, b"#define X 2\n"),
        ("pkg/m.py", DISPATCHED, b"x = 2\n"),
        ("pkg/m.py", GUARDED, None),
        ("pkg/a.h", DISPATCHED, None),
    ],
)
def test_by_its_name(name: str, content: bytes, expected: bytes | None) -> None:
    split = split_merged(name)
    assert split is not None
    assert split(content, A) == expected


def test_nothing_makes_other_files() -> None:
    assert split_merged("pkg/data.txt") is None
    assert split_merged("pkg-1.0.dist-info/METADATA") is None
