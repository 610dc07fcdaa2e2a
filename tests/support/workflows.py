"""Workflows of CI services: read from files and pages, judged, and their steps run as the services document it."""

from __future__ import annotations

import copy
import datetime
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from ruamel.yaml import YAML

from fatwheel.cli.main import cli
from tests.support.corpus import ROOT
from tests.support.required import unavailable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KNOWN = ROOT / "fixtures" / "ci" / "known.toml"
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")  # GitHub's own words for `shell: bash`
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")

Stated = dict[str, Any]


def parse_yaml(text: str) -> Any:
    """Return the document; YAML 1.2, in which `on` is a text."""
    return YAML(typ="safe", pure=True).load(text)


# ---- pages ----


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: the heading that it stands under, its language and its text."""

    heading: str
    language: str
    text: str

    @property
    def document(self) -> Any:
        """What the YAML says; a list of steps is made the one job of a workflow."""
        found = parse_yaml(self.text)
        if isinstance(found, list):
            job = {"runs-on": "ubuntu-latest", "steps": found}
            return {"on": "push", "permissions": {}, "jobs": {"job": job}}
        return found


def fenced_blocks(page: str) -> Iterator[Block]:
    """Yield the fenced blocks of a Markdown page."""
    heading, language, lines = "", None, list[str]()
    for line in page.splitlines():
        if language is not None:
            if line.startswith("```"):
                yield Block(heading, language, "\n".join(lines) + "\n")
                language, lines = None, []
            else:
                lines.append(line)
        elif line.startswith("```"):
            language = line[3:].strip()
        elif line.startswith("#"):
            heading = line.lstrip("# ")


def code_lines(page: str) -> Iterator[str]:
    """Yield the lines of all code blocks, fenced and indented."""
    fenced, indented, before = False, False, ""
    for line in page.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced:
            yield line
        else:
            is_code = line.startswith("    ") and (indented or not before.strip())
            indented = is_code or (indented and not line.strip())
            if is_code:
                yield line
        before = line


def inline_commands(page: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of fatwheel that stands in backquotes within a sentence."""
    for text in re.findall(r"(?<!`)`(fatwheel [a-z-][^`]*)`(?!`)", page):
        yield from fatwheel_commands(text)


def fatwheel_commands(line: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of fatwheel in a line of shell, of YAML, or of a transcript.

    Brackets around what may be left out are taken off, and `…` is left out.
    """
    text = re.sub(r"^\s*(# )?(- )?((run|script):\s+|\$ )?", "", line)
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:  # no shell: a text with an apostrophe
        return
    command: list[str] | None = None
    start = True
    for word in [*words, ";"]:
        if set(word) <= set("();<>|&"):
            if command is not None:
                yield command
            command, start = None, True
        elif command is not None:
            if word != "…":
                command.append(word.strip("[]") if word.strip("[]").startswith("-") else word)
        elif word == "fatwheel" and start:
            command = []
        else:
            start = word in ("--", "uvx", "env") or re.match(r"[A-Za-z_]+=", word) is not None


def command_problem(arguments: Sequence[str]) -> str | None:
    """Return what the command line says against the arguments, without running anything; None if they are right."""
    name, *rest = arguments or ["--help"]
    try:
        if name.startswith("-"):
            cli.make_context("fatwheel", list(arguments))
            return None
        context = click.Context(cli, info_name="fatwheel")
        _, command, _ = cli.resolve_command(context, [name])
        assert command is not None
        _without_files(command).make_context(name, rest, parent=context)
    except click.exceptions.Exit:  # --help and --version
        return None
    except click.ClickException as error:
        return error.format_message()
    return None


def _without_files(command: click.Command) -> click.Command:
    """Return the command as it is where every file is there: those of a page are the reader's."""
    found = copy.copy(command)
    found.params = [copy.copy(parameter) for parameter in command.params]
    for parameter in found.params:
        if isinstance(parameter.type, click.Path):
            path = copy.copy(parameter.type)
            path.exists = False
            parameter.type = path
    return found


# ---- judging ----


def scripts(document: Stated) -> Iterator[tuple[str, str]]:
    """Yield each script of a workflow, an action or a GitLab file, with where it stands."""
    for where, step in steps(document):
        if "run" in step:
            yield where, step["run"]
    for name, job in document.items():
        if isinstance(job, dict) and "script" in job:
            yield name, "\n".join([*job.get("before_script", []), *job["script"]]) + "\n"


def steps(document: Stated) -> Iterator[tuple[str, Stated]]:
    """Yield each step of a GitHub workflow or action, with where it stands."""
    for name, job in document.get("jobs", {}).items():
        for number, step in enumerate(job["steps"], 1):
            yield f"{name}, step {number}", step
    for number, step in enumerate(document.get("runs", {}).get("steps", []), 1):
        yield f"step {number}", step


def tool(name: str) -> str:
    """Return the path of a program that a package of the test group brings."""
    path = shutil.which(name, path=sysconfig.get_path("scripts"))
    if path is None:
        unavailable(f"the program {name}", "scripts/setup installs it, with Python 3.11 or later")
    return path


def schema_problems(text: str, schema: str, folder: Path) -> str:
    """Return what check-jsonschema finds with the schema that it ships; nothing is downloaded."""
    file = folder / "document.yml"
    file.write_text(text, "utf-8")
    offline = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    done = subprocess.run(
        [tool("check-jsonschema"), "--builtin-schema", f"vendor.{schema}", str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **offline},
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def script_problems(script: str) -> str:
    """Return what bash and shellcheck find in a script of a step; it may hold no `${{ … }}`."""
    if _EXPRESSION.search(script):
        return "an expression stands in a script: give it by env"
    syntax = subprocess.run(
        ["bash", "-n"], input=script, capture_output=True, text=True, check=False
    )
    checked = subprocess.run(
        [tool("shellcheck"), "--shell=bash", "--severity=style", "-"],
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    return "".join(done.stdout + done.stderr for done in (syntax, checked) if done.returncode)


def known_things() -> Stated:
    """Return the list of actions, runners and images that exist."""
    return tomllib.loads(KNOWN.read_text("utf-8"))


def unknown_things(document: Stated, known: Stated | None = None) -> list[str]:
    """Return one sentence for each action, input, runner and image that is not in the list, or not any more."""
    judge = _Judge(known or known_things())
    for name, job in document.get("jobs", {}).items():
        judge.job(name, job)
    for where, step in steps(document):
        judge.step(where, step)
    for name, job in document.items():
        if isinstance(job, dict) and "script" in job:
            judge.image(name, job.get("image"))
            judge.need(not job.get("tags"), f"{name}: tags of GitLab's runners are not listed")
    return judge.problems


@dataclass
class _Judge:
    known: Stated
    problems: list[str] = field(default_factory=list)

    def need(self, condition: object, problem: str) -> None:
        if not condition:
            self.problems.append(problem)

    def job(self, name: str, job: Stated) -> None:
        for label in _labels(job):
            runner = self.known["runners"].get(label)
            self.need(runner, f"{name}: the runner {label} is not listed")
            until: datetime.date | None = runner and runner.get("until")
            ended = until is not None and until < self.known["checked"]
            self.need(not ended, f"{name}: the runner {label} ended on {until}")
        if "container" in job:
            self.image(name, job["container"])

    def image(self, name: str, image: object) -> None:
        self.need(image in self.known["images"], f"{name}: the image {image} is not listed")

    def step(self, where: str, step: Stated) -> None:
        if "uses" not in step:
            return
        action, _, version = step["uses"].partition("@")
        if action in ("./", "OWNER/fatwheel"):
            inputs = parse_yaml((ROOT / "action.yml").read_text("utf-8"))["inputs"]
        elif (entry := self.known["actions"].get(action)) is None:
            self.problems.append(f"{where}: the action {action} is not listed")
            return
        else:
            inputs = entry["inputs"]
            right = version in entry["versions"]
            self.need(right, f"{where}: {action} has no version {version} in the list")
        for name in step.get("with", {}):
            self.need(name in inputs, f"{where}: {action} has no input {name} in the list")


def _labels(job: Stated) -> list[str]:
    """Return the labels that a job may run on: its own, or those of the matrix that it names."""
    wanted = job["runs-on"]
    match = _EXPRESSION.fullmatch(wanted) if isinstance(wanted, str) else None
    if match is None:
        return [wanted] if isinstance(wanted, str) else list(wanted)
    key = match[1].removeprefix("matrix.")
    matrix = job["strategy"]["matrix"]
    return [*matrix.get(key, []), *(row[key] for row in matrix.get("include", []))]


# ---- running ----

ACTION: Stated = parse_yaml((ROOT / "action.yml").read_text("utf-8"))

Action = Callable[[Mapping[str, str], Path], Mapping[str, str] | None]


@dataclass
class Runner:
    """Runs the steps of a job: scripts with bash, artifacts as folders, other actions as the test says.

    `workspace` is the folder of the checkout. `artifacts` has a folder for each artifact. `actions` are called with
    their inputs and the workspace and return their outputs. `values` are what expressions stand for; any other
    expression is an error.
    """

    workspace: Path
    artifacts: Path
    environ: Mapping[str, str]
    actions: Mapping[str, Action] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    said: str = ""

    def run(self, all_steps: Sequence[Stated]) -> int:
        """Run the steps until one fails; return the exit code of the last that ran."""
        for step in all_steps:
            outputs: Mapping[str, str] | None = None
            if "uses" in step:
                inputs = {key: self.expand(value) for key, value in step.get("with", {}).items()}
                outputs = self._action(step["uses"].partition("@")[0], inputs)
            else:
                code, outputs = self._script(step)
                if code:
                    return code
            for name, value in (outputs or {}).items():
                self.values[f"steps.{step.get('id')}.outputs.{name}"] = value
        return 0

    def expand(self, value: object) -> str:
        """Return an input or a variable with its expressions replaced by what they stand for."""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return _EXPRESSION.sub(lambda match: self.values[match[1]], text)

    def _action(self, name: str, inputs: Mapping[str, str]) -> Mapping[str, str] | None:
        if name in self.actions:
            return self.actions[name](inputs, self.workspace)
        if name == "actions/upload-artifact":
            self._upload(inputs)
        elif name == "actions/download-artifact":
            source = self.artifacts / inputs["name"]
            target = self.workspace / inputs["path"]
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            assert name in ("actions/checkout", "actions/setup-python"), name
        return None

    def _upload(self, inputs: Mapping[str, str]) -> None:
        found = sorted(self.workspace.glob(inputs["path"]))
        assert found or inputs.get("if-no-files-found") != "error", inputs["path"]
        target = self.artifacts / inputs["name"]
        target.mkdir(parents=True)  # an artifact is uploaded once
        for path in found:
            shutil.copy2(path, target)

    def _script(self, step: Stated) -> tuple[int, Mapping[str, str]]:
        temporary = self.workspace.parent / "runner-temp"
        temporary.mkdir(exist_ok=True)
        script, output = temporary / "step.sh", temporary / "output"
        script.write_text(step["run"], "utf-8")
        output.write_text("", "utf-8")
        own = {name: self.expand(value) for name, value in step.get("env", {}).items()}
        github = {"GITHUB_OUTPUT": str(output), "RUNNER_TEMP": str(temporary)}
        done = subprocess.run(
            [*BASH, str(script)],
            cwd=self.workspace / self.expand(step.get("working-directory", ".")),
            env={**self.environ, **github, **own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.said += done.stdout
        return done.returncode, read_outputs(output.read_text("utf-8"))


def read_outputs(text: str) -> dict[str, str]:
    """Read what a step wrote to GITHUB_OUTPUT: `name=value`, or `name<<END`, lines, `END`."""
    found = {}
    lines = iter(text.splitlines())
    for line in lines:
        heredoc = re.fullmatch(r"([^=<]+)<<(.+)", line)
        if heredoc:
            value = []
            while (part := next(lines)) != heredoc[2]:
                value.append(part)
            found[heredoc[1]] = "\n".join(value)
        else:
            name, equals, rest = line.partition("=")
            assert equals, line
            found[name] = rest
    return found


def python_here(_inputs: Mapping[str, str], _workspace: Path) -> Mapping[str, str]:
    """Stand in for actions/setup-python where an action asks for its output."""
    return {"python-path": sys.executable}


def action_runner(workspace: Path, environ: Mapping[str, str], **inputs: str) -> Runner:
    """Return what runs the action's steps in the workspace."""
    given = {name.replace("_", "-"): value for name, value in inputs.items()}
    assert set(given) <= set(ACTION["inputs"])
    defaults = {name: str(entry["default"]) for name, entry in ACTION["inputs"].items()}
    return Runner(
        workspace,
        workspace.parent / "artifacts",
        {**environ, "GITHUB_ACTION_PATH": str(ROOT)},
        {"actions/setup-python": python_here},
        {f"inputs.{name}": value for name, value in {**defaults, **given}.items()},
    )
