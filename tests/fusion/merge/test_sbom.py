"""CycloneDX documents united."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.fusion.merge import Merged, MergeResult, Unmergeable
from fatwheel.fusion.merge.sbom import ARCHITECTURES_PROPERTY, SCOPE_PROPERTY, is_sbom, merge_sbom

X_SERIAL = "urn:uuid:42f04c64-8c62-45b8-8468-ef2b9c692cb4"
A_SERIAL = "urn:uuid:ad8d4003-2aed-42cd-a272-a1cf0fb48575"
EARLY, LATE = "2026-11-05T08:41:03.579836000Z", "2026-11-05T08:41:03.680836000Z"
Bom = dict[str, Any]


def component(name: str, **more: Any) -> Bom:
    return {
        "type": "library",
        "bom-ref": f"registry+https://example.org/index#{name}@1.0",
        "name": name,
        "version": "1.0",
        "purl": f"pkg:cargo/{name}@1.0",
        **more,
    }


def bom(
    *names: str, serial: str = X_SERIAL, time: str = EARLY, home: str = "/b", **more: Any
) -> Bom:
    """Return a document as cargo-cyclonedx writes it: the crate, and what it depends on."""
    root = f"path+file://{home}#crate@1.0"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "serialNumber": serial,
        "metadata": {
            "timestamp": time,
            "tools": [{"vendor": "CycloneDX", "name": "cargo-cyclonedx", "version": "0.5.9"}],
            "component": {
                "type": "library",
                "bom-ref": root,
                "name": "crate",
                "components": [
                    {"type": "library", "bom-ref": f"{root} bin-target-0", "name": "crate"}
                ],
            },
        },
        "components": [component(name) for name in names],
        "dependencies": [
            {"ref": root, "dependsOn": [component(name)["bom-ref"] for name in names]},
            *({"ref": component(name)["bom-ref"]} for name in names),
        ],
        **more,
    }


def write(document: Bom) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def merge(x86_64: Bom, arm64: Bom) -> MergeResult:
    return merge_sbom(write(x86_64), write(arm64))


def merged(x86_64: Bom, arm64: Bom) -> Bom:
    result = merge(x86_64, arm64)
    assert isinstance(result, Merged), result
    document: Bom = json.loads(result.content)
    assert result.content == write(document)
    version = SchemaVersion.from_version(document["specVersion"])
    assert JsonStrictValidator(version).validate_str(result.content.decode()) is None
    return document


def alone(document: Bom) -> dict[str, str]:
    return {
        each["name"]: entry["value"]
        for each in document["components"]
        for entry in each.get("properties", [])
        if entry["name"] == ARCHITECTURES_PROPERTY
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a-1.dist-info/sboms/a.cyclonedx.json", True),
        ("a-1.dist-info/sboms/deep/a.xml", True),
        ("a-1.dist-info/METADATA", False),
        ("a-1.dist-info/sboms", False),
        ("a/b.dist-info/sboms/a.json", False),
    ],
)
def test_is_sbom(name: str, expected: bool) -> None:
    assert is_sbom(name) is expected


def test_serial_number_and_timestamp_alone() -> None:
    x_bom, a_bom = bom("a", "b", time=LATE), bom("a", "b", serial=A_SERIAL)
    document = merged(x_bom, a_bom)
    assert document["serialNumber"] not in {X_SERIAL, A_SERIAL}
    assert document["metadata"]["timestamp"] == LATE
    assert list(document) == list(a_bom)
    rest = {"serialNumber": None, "metadata": None}
    assert {**document, **rest} == {**a_bom, **rest}
    result = merge(x_bom, a_bom)
    assert isinstance(result, Merged)
    assert result.how == "the same 2 components"
    assert result == merge(x_bom, a_bom)


def test_components_and_dependencies_are_united() -> None:
    x_bom, a_bom = bom("a", "cpuid", "z"), bom("a", "b", "neon", "z", serial=A_SERIAL)
    a_bom["components"][1]["properties"] = [{"name": "x", "value": "y"}]
    document = merged(x_bom, a_bom)
    assert [each["name"] for each in document["components"]] == ["a", "b", "cpuid", "neon", "z"]
    assert alone(document) == {"b": "arm64", "cpuid": "x86_64", "neon": "arm64"}
    assert len(document["components"][1]["properties"]) == 2
    refs = [each["bom-ref"] for each in document["components"]]
    assert document["dependencies"][0]["dependsOn"] == refs
    assert [each["ref"] for each in document["dependencies"][1:]] == refs
    result = merge(x_bom, a_bom)
    assert isinstance(result, Merged)
    assert result.how == "union of 3 and 4 components, 1 of x86_64 alone and 2 of arm64 alone"


def test_the_bytes_are_these() -> None:
    """They are part of what makes wheels reproducible: who changes them says so in the change log."""
    x_bom = bom("a", "cpuid", "z", home="/Users/runner")
    a_bom = bom("a", "b", "neon", "z", serial=A_SERIAL, time=LATE)
    digests = []
    for indent in (None, 2):
        result = merge_sbom(*(json.dumps(one, indent=indent).encode() for one in (x_bom, a_bom)))
        assert isinstance(result, Merged)
        digests.append(hashlib.sha256(result.content).hexdigest()[:16])
    assert digests == ["a5b0721029dcb9f8", "27ce63147e18e6b5"]


def test_lists_that_are_not_sorted_keep_the_order_of_arm64() -> None:
    document = merged(bom("x", "c", "a"), bom("c", "b", "a"))
    assert [each["name"] for each in document["components"]] == ["c", "b", "a", "x"]


def test_the_path_of_the_build_in_references_does_not_count() -> None:
    x_bom, a_bom = bom("a", "b", home="/Users/runner/work"), bom("a", home="/private/tmp")
    document = merged(x_bom, a_bom)
    assert document["metadata"] == a_bom["metadata"]
    assert "/Users/runner" not in json.dumps(document)
    assert document["dependencies"][0]["ref"].startswith("path+file:///private")
    assert len(document["dependencies"]) == 3


def test_components_without_references_are_known_by_purl() -> None:
    x_bom, a_bom = bom(), bom()
    for document, names in ((x_bom, "ab"), (a_bom, "bc")):
        document["components"] = [
            {key: value for key, value in component(name).items() if key != "bom-ref"}
            for name in names
        ]
    assert alone(merged(x_bom, a_bom)) == {"a": "x86_64", "c": "arm64"}


@pytest.mark.parametrize(
    ("x_time", "a_time", "newest"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.0001Z", "2026-01-01T00:00:00.0001Z"),
        ("2026-01-01T00:00:00.45Z", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.5Z"),
        ("2026-01-01T02:00:00+03:00", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00"),
        ("2026-01-01T00:00:00.0Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ],
)
def test_the_newer_timestamp_is_kept(x_time: str, a_time: str, newest: str) -> None:
    assert merged(bom(time=x_time), bom(time=a_time))["metadata"]["timestamp"] == newest
    if x_time != "2026-01-01T00:00:00.0Z":
        assert merged(bom(time=a_time), bom(time=x_time))["metadata"]["timestamp"] == newest


def test_fields_that_need_not_be_there_may_be_missing() -> None:
    bare = {"bomFormat": "CycloneDX", "specVersion": "1.6"}
    assert merged(bare, bare) == bare
    x_bom = {**bare, "metadata": {"timestamp": EARLY}, "components": [component("a")]}
    document = merged(x_bom, bare)
    assert document["metadata"] == {"timestamp": EARLY}
    assert alone(document) == {"a": "x86_64"}


def changed(document: Bom, path: str, value: Any) -> Bom:
    """Return the document with one value replaced; `path` has dots between keys and indexes."""
    copy: Bom = json.loads(json.dumps(document))
    *parents, last = path.split(".")
    place: Any = copy
    for key in parents:
        place = place[int(key)] if isinstance(place, list) else place[key]
    place[int(last) if isinstance(place, list) else last] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("version", 2, "version is 2 for x86_64 and 1 for arm64"),
        ("version", True, "version is true for x86_64 and 1 for arm64"),
        ("specVersion", "1.4", 'specVersion is "1.4" for x86_64 and "1.5" for arm64'),
        ("specVersion", "1.2", "x86_64's is CycloneDX 1.2; 1.3 to 1.7 can be merged"),
        ("bomFormat", "SPDX", "x86_64's is not CycloneDX"),
        ("vulnerabilities", [], "vulnerabilities is [] for x86_64 and not there for arm64"),
        (
            "metadata.tools.0.version",
            "1",
            'metadata.tools[0].version is "1" for x86_64 and "0.5.9"',
        ),
        ("metadata.component.name", "c", 'metadata.component.name is "c" for x86_64 and "crate"'),
        ("metadata.timestamp", "now", 'metadata.timestamp "now" is no time'),
        ("metadata.timestamp", "2026-13-01T00:00:00Z", "is no time"),
        ("metadata.timestamp", 5, "metadata.timestamp 5 is no time"),
        ("components.0.version", "9", '#a@1.0.version is "9" for x86_64 and "1.0" for arm64'),
        ("components.0.scope", "x" * 500, f'scope is "{"x" * 119}… for x86_64 and not there'),
        ("components.1.bom-ref", component("a")["bom-ref"], "x86_64's has the component"),
        ("components", {}, "x86_64's components are not a list of objects"),
        ("components.2", component("z", properties={}), "has no list of properties"),
        ("dependencies.1.ref", "path+file:///b#crate@1.0", "x86_64's has the dependency"),
        ("dependencies.1.ref", 5, "a dependency has no ref"),
        ("dependencies.0.dependsOn", [5], "dependsOn is no list of references"),
        ("dependencies.0.extra", 1, "extra is 1 for x86_64 and not there for arm64"),
        ("metadata", [], "x86_64's metadata is not an object"),
    ],
)
def test_anything_else_that_differs_is_named(path: str, value: Any, why: str) -> None:
    result = merge(changed(bom("a", "b", "z"), path, value), bom("a", "b"))
    assert isinstance(result, Unmergeable)
    assert why in result.why


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<?xml version='1.0'?><bom/>", "x86_64's is not JSON"),
        (b"\xff", "x86_64's is not JSON"),
        (b"[]", "x86_64's is not CycloneDX"),
        (b'{"spdxVersion": "SPDX-2.3"}', "x86_64's is not CycloneDX"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice in one object"),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
        (b" " * (32 * 1024 * 1024 + 1), "bytes, more than"),
    ],
    ids=["xml", "bytes", "list", "spdx", "twice", "nan", "deep", "large"],
)
def test_only_cyclonedx_in_json(content: bytes, why: str) -> None:
    result = merge_sbom(content, write(bom()))
    assert isinstance(result, Unmergeable)
    assert why in result.why


def test_values_that_cannot_be_written_again() -> None:
    result = merge_sbom(write(bom(note="x")), write(bom(note="x")).replace(b'"x"', rb'"\ud800"'))
    assert isinstance(result, Unmergeable)
    both = write(bom(note="x")).replace(b'"x"', rb'"\ud800"')
    result = merge_sbom(both, both)
    assert isinstance(result, Unmergeable)
    assert "cannot be written again" in result.why


NAMES = st.lists(st.sampled_from("abcdef"), unique=True, max_size=6)


@given(NAMES, NAMES)
def test_law_each_architecture_finds_its_own_in_the_union(
    x_names: list[str], a_names: list[str]
) -> None:
    document = merged(bom(*x_names), bom(*a_names, serial=A_SERIAL))
    only = alone(document)
    names = [each["name"] for each in document["components"]]
    assert sorted(names) == sorted({*x_names, *a_names})
    assert {name for name in names if only.get(name) != "arm64"} == set(x_names)
    assert {name for name in names if only.get(name) != "x86_64"} == set(a_names)


# polars-runtime-32 2.1.0: cpufeatures
def scoped(x_scope: str | None, a_scope: str | None, **more: Any) -> tuple[bytes, bytes]:
    sides = []
    for scope in (x_scope, a_scope):
        document = bom("a", "b")
        if scope is not None:
            document["components"][0]["scope"] = scope
        sides.append(document)
    sides[0]["components"][0].update(more)
    return json.dumps(sides[0]).encode(), json.dumps(sides[1]).encode()


@pytest.mark.parametrize(
    ("x_scope", "a_scope", "stronger", "said"),
    [
        ("required", "excluded", "required", "required for x86_64, excluded for arm64"),
        ("excluded", "required", "required", "excluded for x86_64, required for arm64"),
        ("excluded", "optional", "optional", "excluded for x86_64, optional for arm64"),
        (None, "excluded", "required", "required for x86_64, excluded for arm64"),
    ],
)
def test_the_stronger_scope(
    x_scope: str | None, a_scope: str | None, stronger: str, said: str
) -> None:
    x86_64, arm64 = scoped(x_scope, a_scope)
    assert isinstance(merge_sbom(x86_64, arm64), Unmergeable)
    result = merge_sbom(x86_64, arm64, scopes=True)
    assert isinstance(result, Merged), result
    merged = json.loads(result.content)["components"]
    assert merged[0]["scope"] == stronger
    assert merged[0]["properties"] == [{"name": SCOPE_PROPERTY, "value": said}]
    assert "properties" not in merged[1]
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(result.content.decode()) is None


@pytest.mark.parametrize(
    "sides",
    [
        scoped("required", "excluded", version="2.0"),
        scoped("required", "excluded", licenses=[]),
        scoped("required", "none"),
    ],
    ids=["another version", "one more field", "no scope that is known"],
)
def test_what_differs_in_more_than_the_scope(sides: tuple[bytes, bytes]) -> None:
    assert isinstance(merge_sbom(*sides, scopes=True), Unmergeable)
