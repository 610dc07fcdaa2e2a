"""docs/ci.md, action.yml and this repository's workflows: valid, of things that exist, and safe to copy."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.corpus import ROOT
from tests.support.workflows import (
    Block,
    code_lines,
    command_problem,
    fatwheel_commands,
    fenced_blocks,
    inline_commands,
    known_things,
    parse_yaml,
    schema_problems,
    script_problems,
    scripts,
    steps,
    tool,
    unknown_things,
)

BLOCKS = [
    block
    for block in fenced_blocks((ROOT / "docs" / "ci.md").read_text("utf-8"))
    if block.language == "yaml"
]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def github() -> dict[str, str]:
    """Return the text of every GitHub workflow, by the name of a file for it."""
    found = {path.name: path.read_text("utf-8") for path in FILES}
    for block in BLOCKS:
        if "jobs" in block.document and not isinstance(parse_yaml(block.text), list):
            found[block.heading.lower().replace(" ", "-") + ".yml"] = block.text
    return found


def documents() -> dict[str, dict[str, Any]]:
    """Return every document that is judged, by what it is called."""
    found = {path.name: parse_yaml(path.read_text("utf-8")) for path in FILES}
    found["action.yml"] = parse_yaml((ROOT / "action.yml").read_text("utf-8"))
    return {**found, **{block.heading: block.document for block in BLOCKS}}


GITHUB = github()
DOCUMENTS = documents()


def test_the_page_has_all_recipes() -> None:
    assert [block.heading for block in BLOCKS] == [
        "One Linux runner",
        "One macOS runner",
        "Two runners",
        "cibuildwheel",
        "maturin-action",
        "GitLab",
        "As an action",
    ]
    assert len(GITHUB) == 5 + len(FILES)


@pytest.mark.parametrize("name", list(GITHUB))
def test_workflows_fit_github_s_schema(name: str, tmp_path: Path) -> None:
    assert schema_problems(GITHUB[name], "github-workflows", tmp_path) == ""


def test_the_action_fits_github_s_schema(tmp_path: Path) -> None:
    text = (ROOT / "action.yml").read_text("utf-8")
    assert schema_problems(text, "github-actions", tmp_path) == ""


def test_gitlab_s_file_fits_its_schema(tmp_path: Path) -> None:
    (block,) = (block for block in BLOCKS if block.heading == "GitLab")
    assert schema_problems(block.text, "gitlab-ci", tmp_path) == ""


@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_all_that_is_named_exists(name: str) -> None:
    assert unknown_things(DOCUMENTS[name]) == []


@pytest.mark.parametrize(
    ("name", "script"),
    [
        pytest.param(name, script, id=f"{name}, {where}")
        for name, document in DOCUMENTS.items()
        for where, script in scripts(document)
    ],
)
def test_scripts_are_sound(name: str, script: str) -> None:
    assert script_problems(script) == ""


def test_the_list_says_where_each_thing_was_looked_up() -> None:
    known = known_things()
    for kind in ("actions", "runners", "images"):
        assert known[kind]
        assert all(entry["source"] for entry in known[kind].values())


@pytest.mark.parametrize("name", [name for name, text in GITHUB.items() if "publish:" in text])
def test_only_the_job_that_publishes_gets_a_token(name: str) -> None:
    document = parse_yaml(GITHUB[name])
    assert document["permissions"] == {}
    for job_name, job in document["jobs"].items():
        if job_name != "publish":
            assert job["permissions"] in ({}, {"contents": "read"}), job_name
            continue
        assert job["permissions"] == {"id-token": "write"}
        assert job["environment"] == "pypi"
        assert job["if"] == "github.ref_type == 'tag'"
        assert [step["uses"].partition("@")[0] for step in job["steps"]] == [
            "actions/download-artifact",
            "pypa/gh-action-pypi-publish",
        ]


def test_no_checkout_leaves_its_token_behind() -> None:
    seen = 0
    for name, document in DOCUMENTS.items():
        for where, step in steps(document):
            if step.get("uses", "").startswith("actions/checkout@"):
                seen += 1
                assert step["with"]["persist-credentials"] is False, f"{name}: {where}"
    assert seen >= len(GITHUB)


def zizmor(folder: Path) -> subprocess.CompletedProcess[str]:
    """Let zizmor judge the safety of the workflows and the action in the folder, without the network."""
    settings = ROOT / ".github" / "zizmor.yml"
    words = ("--offline", "--no-progress", "--format=plain", "--config", str(settings))
    return subprocess.run(
        [tool("zizmor"), *words, str(folder)], capture_output=True, text=True, check=False
    )


def test_zizmor_finds_nothing_unsafe(tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    for name, text in GITHUB.items():
        (folder / name).write_text(text, "utf-8")
    (tmp_path / "action.yml").write_bytes((ROOT / "action.yml").read_bytes())
    done = zizmor(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "unsafe.yml").write_text(
        GITHUB["two-runners.yml"].replace("intel arm -o dist", INJECTION)
    )
    done = zizmor(tmp_path)
    assert done.returncode != 0
    assert "template-injection" in done.stdout


INJECTION = "${{ github.event.head_commit.message }}"


# ---- the judges themselves ----


def broken(old: str, new: str) -> dict[str, Any]:
    """Return the document of the recipe for two runners with a fault."""
    text = GITHUB["two-runners.yml"]
    assert old in text
    document: dict[str, Any] = parse_yaml(text.replace(old, new))
    return document


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("macos-15-intel", "macos-13", "thin: the runner macos-13 is not listed"),
        ("runner: macos-15\n", "runner: macos-14\n", "the runner macos-14 ended on 2026-11-02"),
        ("runs-on: ubuntu-latest", "runs-on: ubuntu-25.10", "the runner ubuntu-25.10 is not"),
        ("actions/checkout@v7", "actions/checkout@v99", "actions/checkout has no version v99"),
        ("actions/checkout@v7", "actions/chekout@v7", "the action actions/chekout is not listed"),
        ("persist-credentials", "persist-credential", "actions/checkout has no input persist-"),
        ("  fuse:\n", "  fuse:\n    container: debian:9\n", "the image debian:9 is not listed"),
    ],
)
def test_what_does_not_exist_is_found(old: str, new: str, problem: str) -> None:
    assert problem in "\n".join(unknown_things(broken(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("runs-on: ubuntu-latest", "runs-ons: ubuntu-latest"),
        ("id-token: write", "id-token: always"),
        ("  workflow_dispatch:", "  workflow_dispatched:"),
        ("      - run: fatwheel check --universal2", "      - runs: fatwheel check --universal2"),
    ],
)
def test_what_the_schema_forbids_is_found(old: str, new: str, tmp_path: Path) -> None:
    text = GITHUB["two-runners.yml"]
    assert old in text
    problems = schema_problems(text.replace(old, new), "github-workflows", tmp_path)
    assert "Schema validation errors were encountered" in problems


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("if true; then echo\n", "syntax error"),
        ("rm -rf $1/x\n", "SC2086"),
        ("echo ${{ inputs.name }}\n", "give it by env"),
    ],
)
def test_what_is_wrong_with_a_script_is_found(script: str, problem: str) -> None:
    assert problem in script_problems(script)


# ---- command lines in the documentation ----

COMMANDS = [
    (path.name, arguments)
    for path in PAGES
    for line in code_lines(path.read_text("utf-8"))
    for arguments in fatwheel_commands(line)
]


def test_commands_are_found_where_they_stand() -> None:
    pages = [page for page, _ in COMMANDS]
    for page in ("README.md", "building.md", "fusing.md", "ci.md", "architectures.md"):
        assert page in pages
    assert ("ci.md", ["fuse", "intel", "arm", "-o", "dist", "--expect", "1"]) in COMMANDS
    assert ("README.md", ["fuse", "intel", "arm", "-o", "dist"]) in COMMANDS


@pytest.mark.parametrize(
    ("page", "arguments"),
    [pytest.param(page, words, id=f"{page}: {' '.join(words)}") for page, words in COMMANDS],
)
def test_commands_of_the_documentation_parse(page: str, arguments: list[str]) -> None:
    assert command_problem(arguments) is None


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.name))
def test_commands_within_sentences_name_what_exists(path: Path) -> None:
    for arguments in inline_commands(path.read_text("utf-8")):
        problem = command_problem(arguments)
        assert problem is None or problem.startswith("Missing argument"), (arguments, problem)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("fatwheel fuse intel arm --expected 1", "No such option"),
        ("A=b fatwheel fuse a b && true", None),
        ("scripts/apple-targets -- fatwheel build -o dist --linker ld", "'ld' is not one of"),
        ("- run: fatwheel fuse", "Missing argument"),
        ("$ fatwheel fusee a b", "No such command"),
        ("fatwheel --version", None),
        ("fatwheel fuse a.whl b.whl [--output FOLDER] [--nothing]", "No such option"),
    ],
)
def test_what_does_not_parse_is_found(line: str, problem: str | None) -> None:
    (arguments,) = fatwheel_commands(line)
    said = command_problem(arguments)
    assert said is None if problem is None else problem in (said or "")


@pytest.mark.parametrize(
    "line",
    [
        "python -m pip install fatwheel",
        "fatwheel: done",
        'requires = ["fatwheel"]',
        "it's fatwheel",
    ],
)
def test_what_is_no_call_of_fatwheel_is_left_alone(line: str) -> None:
    assert list(fatwheel_commands(line)) == []


def test_a_list_of_steps_is_judged_as_a_job() -> None:
    block = Block("a", "yaml", "- uses: actions/checkout@v1\n")
    assert unknown_things(block.document) == [
        "job, step 1: actions/checkout has no version v1 in the list"
    ]
