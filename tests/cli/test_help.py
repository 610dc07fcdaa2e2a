"""The help pages: what is on them, and that they fit."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping

import click
import pytest

from fatwheel.cli.main import cli
from tests.support.commandline import environment, run
from tests.support.corpus import ROOT
from tests.support.terminals import NEEDS_TERMINAL, on_terminal

COMMANDS = cli.list_commands(click.Context(cli))


def page(*argv: str, columns: int = 80) -> str:
    done = run(*argv, "--help", env={"COLUMNS": str(columns)})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def sections(text: str) -> Mapping[str, str]:
    """The sections of a page by title; what stands before the first is below ""."""
    parts = re.split(r"(?m)^(\w[\w ]+):\n", text)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def test_the_first_page_fits_a_screen_with_examples() -> None:
    text = page()
    assert len(text.splitlines()) <= 23  # and the prompt below
    assert max(map(len, text.splitlines())) <= 80
    assert "..." not in text.replace("[ARGS]...", "")
    assert text.count("\n  fatwheel ") >= 3
    for name in COMMANDS:
        assert re.search(rf"\n  {name} +[A-Z].*\.\n", text)


@NEEDS_TERMINAL
def test_the_first_page_stands_whole_on_a_terminal() -> None:
    env = {**environment(), "TERM": "xterm"}
    env.pop("COLUMNS", None)
    argv = [sys.executable, "-m", "fatwheel", "--help"]
    seen = on_terminal(argv, env=env, cwd=ROOT, size=(24, 80))
    assert seen.exit_code == 0
    assert seen.text == page()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_says_all_that_a_manual_would(command: str) -> None:
    found = sections(page(command))
    assert found[""].startswith(f"Usage: fatwheel {command}")
    assert re.search(r"(?m)^ +0 ", found["Exit codes"])
    if command not in {"rules", "completion"}:
        assert found["Examples"].count(f"fatwheel {command}") >= 2
    for document in re.findall(r"docs/\w+\.md", found.get("More", "")):
        assert (ROOT / document).is_file()
    assert ("More" in found) == (command != "completion")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_on_its_page_once(command: str) -> None:
    text = "".join(content for title, content in sections(page(command)).items() if title)
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    options = [p for p in found.params if isinstance(p, click.Option)]
    for option in options:
        name = max(option.opts, key=len)
        assert len(re.findall(rf"(?m)^  (?:-\w, )?{name}(?![\w-])", text)) == 1
        assert option.help


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_page_is_as_wide_as_the_terminal(command: str, columns: int) -> None:
    text = page(*command.split(), columns=columns)
    unbreakable = re.compile(r"^  (fatwheel|-|\S+$|CARGO|FILE)")  # commands, options, names
    for line in text.splitlines():
        assert len(line) <= min(columns, 100) or unbreakable.match(line), line


def test_the_examples_are_command_lines_that_the_command_takes() -> None:
    """Each is parsed, without doing it."""
    count = 0
    for command in ["", *COMMANDS]:
        text = page(*command.split(), columns=200)
        for line in re.findall(
            r"(?m)^  fatwheel (.*?)(?:  .*)?$", sections(text).get("Examples", "")
        ):
            words = shlex.split(line.partition(" | ")[0])
            found = cli.get_command(click.Context(cli), words[0])
            assert found is not None, line
            with found.make_context(words[0], words[1:], resilient_parsing=True) as context:
                assert context.command is found
            for word in words[1 : words.index("--") if "--" in words else None]:
                if word.startswith("--") and not found.context_settings.get(
                    "ignore_unknown_options"
                ):
                    assert any(word in p.opts for p in found.params), line
            count += 1
    assert count >= 20


def test_help_is_a_command_too() -> None:
    assert run("help").stdout == run("--help").stdout
    for name in COMMANDS:
        assert run("help", name).stdout == run(name, "--help").stdout
    done = run("help", "nosuch")
    assert done.returncode == 2
    assert "No such command 'nosuch'" in done.stderr


def test_environment_variables_on_the_pages_are_read_by_fatwheel() -> None:
    source = "".join(
        path.read_text("utf-8")
        for path in (ROOT / "fatwheel").rglob("*.py")
        if path.parent.name != "cli" or path.stem not in {*COMMANDS, "shell"} - {"doctor"}
    )
    for command in COMMANDS:
        text = sections(page(command)).get("Environment", "").replace("<TARGET>", "")
        for name in re.findall(r"\b[A-Z][A-Z_]{5,}\b", text):
            assert name.rpartition("__")[2] in source, name


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("columns", [40, 57, 72, 80])
def test_no_name_of_an_option_is_broken(command: str, columns: int) -> None:
    """A name with a hyphen in it stands whole wherever a page mentions it."""
    text = page(command, columns=columns)
    assert re.findall(r"(?m)(?<![\w-])--?[A-Za-z][\w-]*-$", text) == []
    assert text.isascii() or "\N{NON-BREAKING HYPHEN}" not in text
