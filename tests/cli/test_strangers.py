"""Texts out of wheels never do more to a terminal than be read, by whatever way they get there."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fatwheel.printable import toml_string
from tests.support.commandline import environment, run
from tests.support.corpus import ROOT
from tests.support.strangers import EVIL, FORGED, LINES, MILD_SEEN, ROUTES, SEEN, strange_files
from tests.support.terminals import NEEDS_TERMINAL, on_terminal
from tests.support.wheels import FUSED_NAME, PLATFORMS, X, code, make_pair

# All commands in one process: each start would take a third of a second.
COMMANDS = """\
import json, pathlib, sys
from fatwheel.cli.main import main
for argv in json.loads(pathlib.Path(sys.argv[1]).read_text("utf-8")):
    print("$", ascii(argv), flush=True)
    try:
        main(argv)
    except SystemExit:
        pass
"""


def on_lines(folder: Path, commands: list[list[str]], **environ: str) -> str:
    """What a terminal gets from these commands, with line ends of text files."""
    (folder / "commands.json").write_text(json.dumps(commands), "utf-8")
    seen = on_terminal(
        [sys.executable, "-W", "error", "-c", COMMANDS, str(folder / "commands.json")],
        env={**environment(), "TERM": "dumb", **environ},
        cwd=folder,
        size=(24, 80),
        seconds=120,
    )
    assert seen.exit_code == 0, seen.raw
    return seen.raw.replace("\r\n", "\n")


def commands_for(wheels: tuple[Path, ...]) -> Iterator[list[str]]:
    paths = [str(path) for path in wheels]
    fuse = ["fuse", *paths, "-o", "out", "--force"]
    yield fuse
    yield [*fuse, "--verbose", "--no-verify-record"]
    yield [*fuse, "--dry-run"]
    yield [*fuse, "--dry-run", "--quiet"]
    yield [*fuse, "--json"]
    yield [*fuse, "--on-conflict", "keep-arm64", "--verbose", "--verify-output"]
    yield [*fuse, "--rule", "**/*.py=guard"]
    yield ["fuse", *sorted({str(path.parent) for path in wheels}), "-o", "out"]
    yield ["check", *paths]
    yield ["check", "--json", *paths]
    yield ["inspect", *paths]
    yield ["inspect", "--loads", *paths]
    yield ["inspect", "--json", *paths]
    yield ["inspect", "--require", "universal2", *paths]
    yield ["inspect", *sorted({str(path.parent) for path in wheels})]
    yield ["lipo", "-info", *paths]


@NEEDS_TERMINAL
@pytest.mark.parametrize("route", ROUTES)
def test_a_terminal_gets_nothing_but_text(route: str, tmp_path: Path) -> None:
    wheels = ROUTES[route](tmp_path)
    text = on_lines(tmp_path, list(commands_for(wheels)))
    lines = text.split("\n")
    assert [line for line in lines if not line.isprintable()] == []
    assert "Traceback" not in text
    assert "own fault" not in text
    assert [line for line in lines if line.startswith(FORGED)] == []
    assert SEEN in text or MILD_SEEN in text, text


@NEEDS_TERMINAL
def test_names_of_files_that_lipo_looks_at(tmp_path: Path) -> None:
    files = [str(path) for path in strange_files(tmp_path)]
    words = ("-info", "-archs", "-detailed_info")
    text = on_lines(tmp_path, [["lipo", word, file] for word in words for file in files])
    assert [line for line in text.split("\n") if not line.isprintable()] == []
    assert not any(line.startswith(FORGED) for line in text.split("\n"))
    assert SEEN in text


# ---- other terminals, and programs ----

C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
STREAMS = {
    "C": C_LOCALE,
    "C and ASCII": {**C_LOCALE, "PYTHONIOENCODING": "ascii:strict"},
    "ASCII": {"PYTHONIOENCODING": "ascii:strict"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1"},
    "UTF-8": {"PYTHONIOENCODING": "utf-8:strict"},
    "UTF-16": {"PYTHONIOENCODING": "utf-16"},
}
POSIX = pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX only")


def output(
    *argv: str | bytes | Path, environ: dict[str, str], cwd: Path
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "fatwheel", *argv],
        env=environment(**environ),
        cwd=cwd,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("environ", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("route", ["pkg/a.txt", "the folder's name", "members of a static library"])
def test_no_encoding_is_too_small(route: str, environ: dict[str, str], tmp_path: Path) -> None:
    wheels = ROUTES[route](tmp_path / "größe")
    codec = environ.get("PYTHONIOENCODING", "ascii").partition(":")[0]
    if environ.get("LC_ALL") == "C":  # the folder's name stays the bytes that it is
        codec = "utf-8"
    for words in (["fuse", "-oout"], ["check", "--universal2"], ["lipo", "-info"]):
        done = output(*words, *wheels, environ=environ, cwd=tmp_path)
        assert done.returncode == 1
        assert b"Traceback" not in done.stderr
        said = (done.stdout.decode(codec) if words[0] != "lipo" else "") + done.stderr.decode(codec)
        assert all(line.isprintable() for line in said.split("\n"))
        assert not any(line.startswith(FORGED) for line in said.split("\n"))


@pytest.mark.parametrize("environ", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("command", [["fuse", "--dry-run"], ["check"], ["inspect"]], ids=" ".join)
def test_json_is_unicode(command: list[str], environ: dict[str, str], tmp_path: Path) -> None:
    name = "größe\udcff" if os.name == "posix" else "größe"
    wheels = make_pair(
        tmp_path / name, x86_64={"pkg/é.txt": b"1"}, arm64={"pkg/é.txt": b"\xc2\x9b"}
    )
    done = output(*command, "--json", *wheels, environ=environ, cwd=tmp_path)
    assert done.stderr == b""
    codec = environ.get("PYTHONIOENCODING", "utf-8").partition(":")[0]
    text = done.stdout.decode(codec)
    assert all(line.isprintable() for line in text.split("\n"))
    document = json.loads(text)
    json.dumps(document, ensure_ascii=False).encode()
    assert "größe" in json.dumps(document, ensure_ascii=False)


@POSIX
@pytest.mark.parametrize("environ", STREAMS.values(), ids=STREAMS)
def test_programs_get_the_bytes_of_a_path(environ: dict[str, str], tmp_path: Path) -> None:
    folder = b"gr\xc3\xb6\xc3\x9fe \xff\x1b"
    done = output("fuse", *make_pair(tmp_path), b"-o" + folder, environ=environ, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == folder + b"/" + FUSED_NAME.encode() + b"\n"
    assert (tmp_path / os.fsdecode(done.stdout[:-1])).is_file()


@POSIX
@pytest.mark.parametrize("environ", [{}, C_LOCALE], ids=["UTF-8", "C"])
def test_programs_get_the_bytes_of_the_names_that_they_gave_to_lipo(
    environ: dict[str, str], tmp_path: Path
) -> None:
    name = b"gr\xc3\xb6\xc3\x9fe \xff\x1b"
    (tmp_path / os.fsdecode(name)).write_bytes(code(X))
    done = output("lipo", "-info", name, environ=environ, cwd=tmp_path)
    assert done.stdout == b"Non-fat file: " + name + b" is architecture: x86_64 \n"


@NEEDS_TERMINAL
def test_people_see_the_whole_path(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    text = on_lines(tmp_path, [["fuse", *map(str, pair), "-o", f"{EVIL}/x"]])
    assert text.endswith(f"!/x/{FUSED_NAME}\n")
    assert SEEN in text


# ---- what else is printed ----


@NEEDS_TERMINAL
def test_a_bar_is_labelled_with_text(tmp_path: Path) -> None:
    name = f"[red]{EVIL}[b]-1.0-cp312-cp312-{PLATFORMS[X]}.whl"
    pair = make_pair(tmp_path)
    argv = ["fuse", str(pair[0].rename(tmp_path / name)), str(pair[1]), "-o", "out"]
    seen = on_terminal(
        [sys.executable, "-m", "fatwheel", *argv],
        env={**environment(), "TERM": "xterm"},
        cwd=tmp_path,
        size=(24, 200),
    )
    assert "━" in seen.text
    assert f"[red]e{SEEN[1:]}" in seen.text or "[red]e\\x1b" in seen.text
    assert not any(found in seen.raw for found in ("\x1b]", "\x9b", "\u202e", "\x1b[2J"))


def test_words_of_the_command_line_and_of_settings(tmp_path: Path) -> None:
    settings = f"[tool.fatwheel.rules]\n{toml_string(EVIL)} = 'drop'\n"
    (tmp_path / "pyproject.toml").write_text(settings, "utf-8")
    pair = make_pair(tmp_path)
    for words in (
        [EVIL],
        ["--", EVIL],
        ["fuse", *pair, "--rule", f"{LINES}=drop"],
        ["fuse", *pair, "--rule", EVIL],
        ["fuse", *pair, f"--tags={EVIL}"],
        ["fuse", *pair, f"--build-tag={EVIL}"],
        ["fuse", *pair, f"--expect={EVIL}"],
        ["fuse", *pair, f"-j{LINES}"],
        ["fuse", EVIL],
        ["check", EVIL],
        ["help", LINES],
        ["doctor", "-i", LINES],
        ["doctor", "--target", EVIL],
        ["build", "-m", LINES],
        ["completion", EVIL],
        ["lipo", "-info", LINES],
        ["index", f"--macos={EVIL}"],
        ["wheelhouse", "a", f"--python={LINES}"],
    ):
        done = run(*words, cwd=tmp_path)
        assert all(line.isprintable() for line in (done.stdout + done.stderr).split("\n")), words
        assert not any(line.startswith(FORGED) for line in done.stderr.split("\n"))
        assert "Traceback" not in done.stderr
        assert "\\x1b" in done.stderr, (words, done.stderr)


def test_a_fault_of_our_own_is_text_too(tmp_path: Path) -> None:
    script = (
        "import sys, fatwheel.cli.check as check\n"
        "def fail(*_, **__): raise ValueError(sys.argv[1])\n"
        "check.check_wheel = fail\n"
        "from fatwheel.cli.main import main; main(['check', sys.argv[2]])"
    )
    wheel = make_pair(tmp_path)[0]
    done = subprocess.run(
        [sys.executable, "-c", script, LINES, wheel],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert SEEN in done.stderr
    assert all(line.isprintable() for line in done.stderr.split("\n"))


PRINTERS = {
    "__main__.py",
    "cli/terminal.py",
    "fusion/merge/sqlitecompare.py",
    "lipo/run.py",
    "toolchain/cc.py",
}
"""Who writes to streams: the first moment, a sentence of its own; the terminal; lipo, to those it is handed, and by
`printable`; the comparison of databases and the linker's driver, which are programs of their own: one is read, the
other passes on what its child says."""


def test_nobody_else_prints() -> None:
    wrong = [
        f"{name}, line {node.lineno}: {ast.unparse(node)[:60]}"
        for path in sorted((ROOT / "fatwheel").rglob("*.py"))
        if (name := path.relative_to(ROOT / "fatwheel").as_posix()) not in PRINTERS
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and _prints(ast.unparse(node.func))
    ]
    assert wrong == []


def _prints(called: str) -> bool:
    streams = ("sys.stdout", "sys.stderr", "sys.stdout.buffer", "sys.stderr.buffer")
    writes = {f"{stream}.{word}" for stream in streams for word in ("write", "writelines")}
    return called in {"print", "echo", "click.echo", "click.secho", "os.write", *writes}
