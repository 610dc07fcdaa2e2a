"""What is read of the surroundings: where maturin is, whose modules an isolated Python may not see."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

WORDS = """\
import os
from fatwheel.cli.here import this_host
print(*this_host(dict(os.environ)).maturin_words, sep="\\n")
"""


def install_maturin(folder: Path) -> Path:
    """Install a maturin into a folder as `pip install --target` does it; return its program."""
    program = folder / "bin" / "maturin"
    info = folder / "maturin-1.9.0.dist-info"
    for path, text in (
        (folder / "maturin" / "__init__.py", ""),
        (program, "#!/bin/sh\n"),
        (info / "METADATA", "Metadata-Version: 2.1\nName: maturin\nVersion: 1.9.0\n"),
        (info / "RECORD", "bin/maturin,,\nmaturin/__init__.py,,\n"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return program


def maturin_words(**environ: str) -> list[str]:
    said = subprocess.run(
        [sys.executable, "-c", WORDS],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return said.stdout.split("\n")[:-1]


def test_maturin_is_started_isolated() -> None:
    assert maturin_words(PYTHONPATH="") == [sys.executable, "-I", "-m", "maturin"]


def test_a_maturin_on_pythonpath_is_started_by_its_program(tmp_path: Path) -> None:
    program = install_maturin(tmp_path / "packages")
    assert maturin_words(PYTHONPATH=str(tmp_path / "packages")) == [str(program)]
    # and by its name where it is nowhere: the search for tools says what is missing
    program.unlink()
    (tmp_path / "packages" / "maturin-1.9.0.dist-info" / "RECORD").write_text("")
    assert maturin_words(PYTHONPATH=str(tmp_path / "packages"))[1:] == ["-I", "-m", "maturin"]
