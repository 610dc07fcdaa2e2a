"""scripts/apple-targets brings Rust's standard library for both targets, by rustup or from Debian's sources."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.corpus import ROOT
from tests.support.projects import (
    FATWHEEL,
    BuiltWheel,
    build_environment,
    copy_project,
    require_rust,
)

SCRIPT = ROOT / "scripts" / "apple-targets"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell script")


def run(*arguments: str, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *arguments],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--form", "debian"], "unknown argument --form; see scripts/apple-targets --help"),
        (["--from"], "--from needs rustup or debian"),
        (["--from", "brew"], "--from brew is neither rustup nor debian"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"apple-targets: {message}\n"


def test_a_second_call_takes_no_time_and_prints_an_environment() -> None:
    require_rust()
    run()
    before = os.times().children_user
    done = run()
    assert os.times().children_user - before < 5  # nothing is compiled
    names = {line.split("=")[0] for line in done.stdout.splitlines()}
    assert names >= {"export PATH", "export RUSTC", "export CARGO"}


def test_a_command_runs_in_that_environment() -> None:
    require_rust()
    done = run("--", "sh", "-c", '"$RUSTC" --version && "$CARGO" --version')
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["rustc", "cargo"]


@pytest.mark.skipif(
    "FATWHEEL_TEST_DEBIAN_RUST" not in os.environ,
    reason="compiles Rust's standard library twice (two minutes) and needs Debian's packages; "
    "FATWHEEL_TEST_DEBIAN_RUST=1 asks for it",
)
def test_debians_rust_from_an_empty_cache(tmp_path: Path) -> None:
    project = copy_project("abi3", tmp_path)
    done = run(
        *("--from", "debian", "--", sys.executable, "-c", FATWHEEL, "build"),
        cwd=project,
        **build_environment(
            XDG_CACHE_HOME=str(tmp_path), CARGO_TARGET_DIR=str(tmp_path / "target")
        ),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("building the standard library for") == 2
    wheel = BuiltWheel(project / done.stdout.splitlines()[-1])
    for image in wheel.images().values():
        assert [str(symbol.name) for symbol in image.exported_symbols] == ["_PyInit_fixture_abi3"]
