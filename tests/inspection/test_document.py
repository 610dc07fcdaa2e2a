"""The JSON is what its schema says, all of it, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from fatwheel.action import Action
from fatwheel.cli.main import main
from fatwheel.fusion.fuse import FuseOptions, fuse_wheels
from fatwheel.fusion.plan import PlanOptions
from fatwheel.inspection.document import SCHEMA, VERSION
from tests.support.corpus import ROOT, SMALL_PAIR
from tests.support.macho import ARM64E
from tests.support.signing import Directory
from tests.support.wheels import (
    NATIVE,
    A,
    X,
    code,
    contents,
    dylib,
    make_pair,
    make_wheel,
    stub,
    universal,
)

PUBLISHED: dict[str, Any] = json.loads(
    (ROOT / "docs" / "schemas" / f"inspect-{VERSION}.json").read_text("utf-8")
)


def closed(schema: Any) -> Any:
    """The schema when nothing is allowed that it does not describe."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    return {**found, "additionalProperties": False} if "properties" in schema else found


VALIDATOR = Draft202012Validator(closed(PUBLISHED))


def printed(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> dict[str, Any]:
    with pytest.raises(SystemExit):
        main(["inspect", "--json", *map(str, argv)])
    out, err = capsys.readouterr()
    assert err == ""
    document: dict[str, Any] = json.loads(out)
    VALIDATOR.validate(document)
    return document


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """Command lines that have, together, everything that can be told."""
    folder = tmp_path_factory.mktemp("in")
    fat = make_wheel(
        folder,
        "macosx_10_13_universal2.macosx_11_3_arm64",
        {
            NATIVE: universal(
                code(X, loads=["@rpath/b.dylib", "/opt/x/c.dylib"], rpaths=["@loader_path"]),
                code(A, tools=[(3, 1 << 16)], sdk=(14, 0), signed=False),
                code(A, cpu=ARM64E),
            ),
            "pkg/b.dylib": dylib(X),
            "pkg/a.tbd": stub("arm64-macos"),
            "pkg/ios.dylib": dylib(A, platform=2),
            "pkg/bad.so": code(A)[:90],
        },
    )
    pair = make_pair(folder / "pair", x86_64={"pkg/x.txt": b"1"}, arm64={"pkg/a.txt": b"2"})
    conflicting = make_pair(
        folder / "two",
        x86_64={"pkg/c.py": b"a = 1\n"},
        arm64={"pkg/c.py": b"a = 2\n", "pkg/t.so": code(A, directories=[Directory(team=b"TEAM")])},
        build="1",
    )
    kept = PlanOptions(on_conflict=Action.KEEP_ARM64)
    fused = fuse_wheels(*conflicting, folder / "fused", FuseOptions(plan=kept)).path
    for name, data in contents(fat).items():
        (folder / "sp" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "sp" / name).write_bytes(data)
    damaged = folder / "pkg-2.0-cp312-cp312-macosx_11_0_arm64.whl"
    damaged.write_bytes(b"PK")
    lines: list[list[Path | str]] = [
        [fat],
        ["--require", "universal2", fat],
        [fused],
        [*SMALL_PAIR],
        [*pair],
        [*conflicting],
        [folder / "sp"],
        [folder / "sp" / "pkg" / "b.dylib"],
        [damaged, fused],
    ]
    return [[str(word) for word in line] for line in lines]


def test_the_schema_is_one_and_names_what_it_is_of() -> None:
    Draft202012Validator.check_schema(PUBLISHED)
    assert PUBLISHED["properties"]["schema"]["const"] == SCHEMA
    assert PUBLISHED["properties"]["version"]["const"] == VERSION


def test_documents_are_what_the_schema_says(
    inputs: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    documents = [printed(capsys, *line) for line in inputs]
    told = {name for document in documents for name in named(document)}
    assert {*described(PUBLISHED)} - told == set()
    statuses = {d["comparison"]["fuse"]["status"] for d in documents if d["comparison"]}
    assert statuses == {"fuses", "conflicts"}
    assert [one["path"] for one in documents[-1]["errors"]] == [inputs[-1][0]]


def named(document: Any) -> Iterator[str]:
    """The names in a document that have a value somewhere."""
    for one in document.values() if isinstance(document, dict) else document:
        if isinstance(one, dict | list):
            yield from named(one)
    if isinstance(document, dict):
        yield from (name for name, value in document.items() if value not in (None, [], {}))


def described(schema: Any) -> Iterator[str]:
    """The names that a schema describes."""
    if isinstance(schema, list):
        for one in schema:
            yield from described(one)
    elif isinstance(schema, dict):
        properties = schema.get("properties", {})
        yield from properties
        for value in schema.values():
            yield from described(value)


def test_the_schema_refuses_what_is_not_said() -> None:
    document = {
        "schema": SCHEMA,
        "version": VERSION,
        "fatwheel": "1",
        "inspected": [],
        "errors": [],
    }
    assert not VALIDATOR.is_valid(document)
    assert VALIDATOR.is_valid({**document, "comparison": None})
    assert not VALIDATOR.is_valid({**document, "comparison": None, "new": 1})
    assert Draft202012Validator(PUBLISHED).is_valid({**document, "comparison": None, "new": 1})


def test_the_same_input_gives_the_same_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (printed(capsys, SMALL_PAIR[0]) for _ in range(2))
    assert one == other
