"""What the command line looks like on a terminal, on a narrow or dumb one, and where there is none."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import pytest

from fatwheel.cli.terminal import is_live, wants_colour
from tests.support.commandline import INTERRUPTED, left
from tests.support.corpus import ROOT, SMALL_PAIR
from tests.support.projects import FATWHEEL, build_environment, require_rust
from tests.support.terminals import COLOURS, NEEDS_TERMINAL, Seen, on_terminal
from tests.support.wheels import make_pair

FUSE = [sys.executable, "-m", "fatwheel", "fuse", *map(str, SMALL_PAIR), "-o", "out"]
VARIABLES = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM", "COLUMNS", "LINES")


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This environment, but for what says how a terminal is."""
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    kept = {name: value for name, value in kept.items() if not name.startswith("CARGO_TERM_")}
    return {**kept, "TERM": "xterm", "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **changes}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "on_a_terminal", "in_a_pipe"),
    [
        ({}, True, False),
        ({"TERM": "xterm"}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "3", "TERM": "dumb"}, True, True),
        ({"FORCE_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"CLICOLOR_FORCE": "1"}, True, True),
        ({"CLICOLOR_FORCE": "0"}, True, False),
        ({"CLICOLOR": "0"}, False, False),
        ({"CLICOLOR": "1"}, True, False),
        ({"CLICOLOR": "0", "CLICOLOR_FORCE": "1"}, True, True),
    ],
)
def test_who_gets_colours(environ: dict[str, str], on_a_terminal: bool, in_a_pipe: bool) -> None:
    assert wants_colour(environ, Terminal()) == on_a_terminal
    assert wants_colour(environ, io.StringIO()) == in_a_pipe
    assert wants_colour(environ, None) == in_a_pipe


@pytest.mark.parametrize(
    ("environ", "stream", "live"),
    [
        ({}, Terminal(), True),
        ({"TERM": "dumb"}, Terminal(), False),
        ({"FORCE_COLOR": "1"}, io.StringIO(), False),
        ({}, None, False),
    ],
)
def test_what_can_be_overwritten(
    environ: dict[str, str], stream: TextIO | None, live: bool
) -> None:
    assert is_live(environ, stream) == live


# ---- the progress bar ----


def fuse(folder: Path, environ: Mapping[str, str], size: tuple[int, int] = (24, 80)) -> Seen:
    seen = on_terminal(FUSE, env=environment(environ), cwd=folder, size=size)
    assert seen.exit_code == 0, seen.raw
    assert seen.text.endswith("out/markupsafe-3.0.4-cp312-cp312-macosx_10_13_universal2.whl\n")
    return seen


@NEEDS_TERMINAL
def test_the_bar_goes_away(tmp_path: Path) -> None:
    seen = fuse(tmp_path, {})
    assert "1/1 markupsafe" in seen.text
    assert "kB" in seen.text.partition("macosx_10_13_universal2")[0]
    assert COLOURS.search(seen.raw)
    shown, _, rest = seen.raw.rpartition("\x1b[2K")  # the last line that is wiped
    assert "━" in shown
    assert "\x1b" not in rest
    assert seen.raw.count("\x1b[?25l") == seen.raw.count("\x1b[?25h") == 1  # the cursor is back


@NEEDS_TERMINAL
@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"CLICOLOR": "0"}])
def test_a_bar_without_colours(environ: dict[str, str], tmp_path: Path) -> None:
    seen = fuse(tmp_path, environ)
    assert "━" in seen.raw
    assert not COLOURS.search(seen.raw)


@NEEDS_TERMINAL
def test_a_dumb_terminal_gets_lines_only(tmp_path: Path) -> None:
    seen = fuse(tmp_path, {"TERM": "dumb"})
    assert "\x1b" not in seen.raw
    assert "━" not in seen.raw


@NEEDS_TERMINAL
def test_a_narrow_terminal_gets_a_bar_of_one_line(tmp_path: Path) -> None:
    seen = fuse(tmp_path, {}, size=(24, 40))
    bars = [line for line in seen.text.replace("\r", "\n").splitlines() if "━" in line]
    assert bars
    assert max(map(len, bars)) <= 40
    assert "\x1b[1A\x1b[2K\x1b[1A\x1b[2K" not in seen.raw  # two lines up: it was wrapped


@pytest.mark.parametrize("environ", [{}, {"FORCE_COLOR": "1"}])
def test_a_pipe_gets_no_bar(environ: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        FUSE, env=environment(environ), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "\x1b" not in done.stdout + done.stderr
    assert "━" not in done.stderr


# ---- colours ----


def report(folder: Path, environ: Mapping[str, str]) -> str:
    """What is said of a conflict and of a warning, in a pipe."""
    conflict = make_pair(folder / "in", x86_64={"pkg/a.txt": b"1"}, arm64={"pkg/a.txt": b"2"})
    words = [
        sys.executable,
        "-m",
        "fatwheel",
        "fuse",
        *map(str, conflict),
        "-o",
        "out",
        "--rule",
        "x=drop",
    ]
    done = subprocess.run(
        words, env=environment(environ), cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    return done.stderr


def test_colours_say_nothing_that_words_do_not(tmp_path: Path) -> None:
    plain = report(tmp_path / "plain", {})
    coloured = report(tmp_path / "coloured", {"FORCE_COLOR": "1"})
    assert "\x1b" not in plain
    assert "\x1b[1;31mconflict\x1b[0m: pkg/a.txt" in coloured
    assert "\x1b[33mwarning\x1b[0m: --rule 'x' matched nothing" in coloured
    assert "    \x1b[31m-1\x1b[0m\n    \x1b[32m+2\x1b[0m\n" in coloured
    assert re.sub(r"\x1b\[[\d;]+m", "", coloured) == plain
    assert report(tmp_path / "none", {"FORCE_COLOR": "1", "NO_COLOR": "1"}) == plain


def test_results_for_programs_have_no_colours(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, x86_64={"pkg/a.txt": b"1"}, arm64={"pkg/a.txt": b"2"})
    for words in (
        ["fuse", "--json", "-o", "out"],
        ["check", "--json"],
        ["fuse", "-o", "out", "-q"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "fatwheel", *words, *map(str, pair)],
            env=environment({"FORCE_COLOR": "1"}),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "\x1b" not in done.stdout


# ---- keys and pipes ----


@NEEDS_TERMINAL
def test_ctrl_c_on_a_terminal(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    script = INTERRUPTED.format(module="fatwheel.fusion.fuse", function="check")
    seen = on_terminal(
        [sys.executable, "-c", script, "fuse", *map(str, pair), "-o", "out"],
        env=environment({}),
        cwd=tmp_path,
        steps=[("ready", "\x03")],
    )
    assert seen.exit_code == 130
    assert seen.text.endswith("\nfatwheel: interrupted; what was not complete is gone\n")
    assert "Traceback" not in seen.text
    assert seen.raw.rindex("\x1b[?25h") > seen.raw.rindex("\x1b[?25l")
    assert left(tmp_path / "out") == []


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
@pytest.mark.parametrize(
    "words",
    ["--help", "fuse --help", "rules", "rules --json", "completion zsh", "check --json X A",
     "fuse X A --dry-run"],
)  # fmt: skip
@pytest.mark.parametrize("pipe", ["| true", "2>&1 | true"])
def test_a_reader_that_wants_no_more(words: str, pipe: str, tmp_path: Path) -> None:
    wheels = dict(zip("XA", map(str, SMALL_PAIR), strict=True))
    argv = [wheels.get(word, word) for word in words.split()]
    shell = f'"$@" {pipe}; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", shell, "bash", sys.executable, "-m", "fatwheel", *argv],
        env=environment({}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() in {
        "0",
        "1",
    }  # 0: it was quicker than the reader's end, or prints nothing there
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "Broken" not in done.stderr


# ---- cargo ----

SETTINGS = (
    "import json, os; from fatwheel.cli.here import terminal_settings\n"
    "print(json.dumps(terminal_settings(os.environ)))"
)


@NEEDS_TERMINAL
@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {"COLOR": "always", "PROGRESS_WHEN": "always", "PROGRESS_WIDTH": "24"}),
        ({"NO_COLOR": "1"}, {"COLOR": "never", "PROGRESS_WHEN": "always", "PROGRESS_WIDTH": "24"}),
        ({"TERM": "dumb"}, {}),
        ({"CARGO_TERM_COLOR": "never"}, {"PROGRESS_WHEN": "always", "PROGRESS_WIDTH": "24"}),
        ({"CARGO_TERM_PROGRESS_WHEN": "never", "CLICOLOR": "0"}, {"PROGRESS_WIDTH": "24"}),
    ],
)
def test_what_cargo_is_told_on_a_terminal(
    environ: dict[str, str], expected: dict[str, str], tmp_path: Path
) -> None:
    argv = [sys.executable, "-c", SETTINGS]
    seen = on_terminal(argv, env=environment(environ), cwd=tmp_path, size=(24, 40))
    assert json.loads(seen.text) == {f"CARGO_TERM_{k}": v for k, v in expected.items()}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "{}"),
        ({"FORCE_COLOR": "1"}, '{"CARGO_TERM_COLOR": "always"}'),
        ({"NO_COLOR": "1"}, '{"CARGO_TERM_COLOR": "never"}'),
    ],
)
def test_what_cargo_is_told_in_a_pipe(environ: dict[str, str], expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS],
        env=environment(environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == expected


def broken_crate(folder: Path) -> Path:
    """A program that does not compile."""
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.rs").write_text("fn main() { let n: u8 = true; }\n")
    (folder / "Cargo.toml").write_text(
        '[package]\nname = "broken"\nversion = "0.1.0"\nedition = "2021"\n'
    )
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["maturin"]\nbuild-backend = "maturin"\n'
        '[project]\nname = "broken"\nversion = "0.1.0"\n[tool.maturin]\nbindings = "bin"\n'
    )
    return folder


@NEEDS_TERMINAL
@pytest.mark.parametrize(
    ("environ", "coloured", "bar"),
    [({}, True, True), ({"NO_COLOR": "1"}, False, True), ({"TERM": "dumb"}, False, False)],
)
def test_a_compiler_s_error_on_a_terminal(
    environ: dict[str, str], coloured: bool, bar: bool, tmp_path: Path
) -> None:
    require_rust()
    seen = on_terminal(
        [sys.executable, "-c", FATWHEEL, "build"],
        env=environment({**build_environment(), "TERM": "xterm", **environ}),
        cwd=broken_crate(tmp_path / "broken"),
        seconds=300,
    )
    assert seen.exit_code == 3
    assert "Building [" in seen.text if bar else "Building [" not in seen.text
    _, _, error = seen.raw.rpartition("fatwheel: ")
    assert "expected `u8`, found `bool`" in error
    assert bool(COLOURS.search(error)) == coloured
    assert bool(COLOURS.search(seen.raw)) == coloured


@pytest.mark.parametrize(("environ", "coloured"), [({}, False), ({"FORCE_COLOR": "1"}, True)])
def test_a_compiler_s_error_in_a_pipe(
    environ: dict[str, str], coloured: bool, tmp_path: Path
) -> None:
    require_rust()
    done = subprocess.run(
        [sys.executable, "-c", FATWHEEL, "build"],
        env=environment({**build_environment(), **environ}),
        cwd=broken_crate(tmp_path / "broken"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "expected `u8`, found `bool`" in done.stderr
    assert "Building [" not in done.stderr
    assert bool(COLOURS.search(done.stderr)) == coloured
