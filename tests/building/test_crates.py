"""What is compiled for the machine, and what for each architecture: answers of `cargo metadata`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fatwheel.building.crates import Crates, parse_crates

MANIFEST = Path("/project/Cargo.toml")


def package(name: str, *kinds: str, **uses: list[str | None]) -> dict[str, Any]:
    """A crate; `uses` are its dependencies, each with the kinds in which it is one."""
    folder = "/project" if name == "mine" else f"/registry/{name}"
    return {
        "package": {
            "id": f"{name}#1",
            "name": name,
            "manifest_path": f"{folder}/Cargo.toml",
            "targets": [{"kind": [kind]} for kind in (kinds or ("lib",))],
        },
        "node": {
            "id": f"{name}#1",
            "deps": [
                {"pkg": f"{other}#1", "dep_kinds": [{"kind": kind, "target": None} for kind in how]}
                for other, how in uses.items()
            ],
        },
    }


def document(*crates: dict[str, Any]) -> str:
    return json.dumps(
        {
            "packages": [crate["package"] for crate in crates],
            "resolve": {"nodes": [crate["node"] for crate in crates]},
        }
    )


WORKSPACE = (
    package("mine", "cdylib", pyo3=[None], cc=["build"], tester=["dev"], both=[None, "build"]),
    package("pyo3", "lib", "custom-build", macros=[None], libc=[None]),
    package("macros", "proc-macro", syn=[None]),
    package("syn"),
    package("libc", "lib", "custom-build"),
    package("cc", "lib", shlex=[None]),
    package("shlex"),
    package("tester"),
    package("both"),
    package("other-member", "cdylib", unused=[None]),
    package("unused", "lib", "custom-build"),
)


def test_macros_and_build_scripts_are_for_the_machine_with_all_they_use() -> None:
    assert parse_crates(document(*WORKSPACE), MANIFEST) == Crates(
        macros=frozenset({"macros"}),
        scripts=frozenset({"pyo3", "libc"}),
        target=frozenset({"mine", "pyo3", "libc", "both"}),
    )


def test_two_crates_that_use_each_other_in_tests() -> None:
    """Dependencies of tests may go round in circles; nothing here follows them, or goes on forever."""
    crates = (
        package("mine", "lib", a=[None]),
        package("a", b=[None]),
        package("b", "lib", a=[None, "dev"]),
    )
    found = parse_crates(document(*crates), MANIFEST)
    assert found is not None
    assert found.target == {"mine", "a", "b"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        json.dumps({"packages": [], "resolve": None}),
        document(package("another")),
        document(package("mine", missing=[None])),
    ],
    ids=["nothing", "text", "list", "empty", "no graph", "other package", "unknown dependency"],
)
def test_what_cannot_be_told(text: str) -> None:
    assert parse_crates(text, MANIFEST) is None
