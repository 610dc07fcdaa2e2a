"""The shell scripts: what shellcheck finds, and what macOS, whose bash is 3.2 and whose tools are BSD's, lacks."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.corpus import ROOT
from tests.support.hostile import hostile, run
from tests.support.required import unavailable
from tests.support.workflows import tool

SCRIPTS = sorted(
    path
    for folder in ("scripts", ".ci")
    for path in (ROOT / folder).glob("*")
    if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env bash")
)
NEWER_THAN_3_2 = re.compile(
    r"\b(mapfile|readarray|coproc)\b|\b(declare|local|typeset) -[a-zA-Z]*[Ang]|\$\{[^}]*(@[A-Za-z]|\^\^?|,,?)\}"
    r"|&>>|\|&|\[\[ -v |\bwait -n\b|;;?&|\$EPOCH|\$\{[a-z_]+\[-"
)


def test_there_are_scripts() -> None:
    assert {"setup", "test", "demo", "release", "apple-targets", "try-on-mac"} <= {
        path.name for path in SCRIPTS
    }


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(path: Path) -> None:
    done = subprocess.run(
        [tool("shellcheck"), "--severity=style", "--external-sources", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_macos_bash_knows_every_word(path: Path) -> None:
    for line in path.read_text("utf-8").splitlines():
        assert not NEWER_THAN_3_2.search(line.partition(" # ")[0]), line


def test_the_words_of_newer_bashes_are_known() -> None:
    for line in (
        "mapfile -t a",
        "declare -A a",
        "echo ${x@Q}",
        "echo ${x^^}",
        "a |& b",
        "[[ -v x ]]",
    ):
        assert NEWER_THAN_3_2.search(line), line


def test_rustup_is_called_where_there_is_no_timeout(tmp_path: Path) -> None:
    """macOS has no timeout: the call of rustup went nowhere, and its server was said to be to blame."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "env", "dirname", "basename", "mkdir", "touch", "cat", "sh"):
        (programs / name).symlink_to(str(shutil.which(name)))

    rustup = programs / "rustup"
    rustup.write_text(
        f"""#!{shutil.which("sh")}
case $1 in
    which) echo {tmp_path}/toolchains/stable-x/bin/rustc ;;
    target) echo "$@" >{tmp_path}/called ;;
esac
"""
    )
    rustup.chmod(0o755)
    done = subprocess.run(
        [str(shutil.which("bash")), ROOT / "scripts" / "apple-targets", "--from", "rustup"],
        env={"PATH": str(programs), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "called").read_text() == (
        "target add --toolchain stable-x aarch64-apple-darwin x86_64-apple-darwin\n"
    )
    assert "export RUSTUP_TOOLCHAIN=stable-x" in done.stdout


def test_the_demo_runs_no_modules_of_where_it_is_called(tmp_path: Path) -> None:
    if not (ROOT / ".venv" / "bin" / "fatwheel").exists():
        unavailable("fatwheel's .venv", "scripts/setup makes it")
    hostile(tmp_path)
    done = run([ROOT / "scripts" / "demo", "fuse"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "are: x86_64 arm64" in done.stdout
