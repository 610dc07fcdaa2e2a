"""The documentation site: Sphinx builds it from docs/, and a link that leads nowhere fails the build."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fatwheel
from fatwheel.cli.main import cli
from tests.support.corpus import ROOT
from tests.support.required import require_package

DOCS = ROOT / "docs"
BESIDE = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "fixtures/ci/known.toml")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with docs/ and what its pages include or link to."""
    for package in ("sphinx", "myst_parser", "furo"):
        require_package(package)
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS, folder / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def build(tree: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q"]
    return subprocess.run(
        [*command, str(tree / "docs"), str(out)],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )


def test_the_site_has_every_page_and_every_link_leads_somewhere(tree: Path, tmp_path: Path) -> None:
    done = build(tree, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for page in DOCS.glob("*.md"):
        assert (tmp_path / page.with_suffix(".html").name).is_file()
    assert "fatwheel wheelhouse" in (tmp_path / "index.html").read_text("utf-8")
    assert "wheelhouse" in (tmp_path / "searchindex.js").read_text("utf-8")

    page = tree / "docs/security.md"
    added = "\n[gone](gone.md) and [lost](fusing.md#lost)\n"
    page.write_text(page.read_text("utf-8") + added, "utf-8")
    done = build(tree, tmp_path)
    assert done.returncode == 1
    assert "gone.md" in done.stderr
    assert "lost" in done.stderr


def test_every_command_has_its_help_page_there() -> None:
    page = (DOCS / "commands.md").read_text("utf-8")
    shown = set(re.findall(r"^```\{help\} (\S+)$", page, re.MULTILINE))
    assert shown == set(cli.list_commands(cli.make_context("fatwheel", [], resilient_parsing=True)))


def test_every_public_name_is_documented() -> None:
    page = (DOCS / "api.md").read_text("utf-8")
    shown = set(re.findall(r"^\.\. auto\w+:: (\w+)$", page, re.MULTILINE))
    assert {name for name in fatwheel.__all__ if not name.startswith("_")} <= shown
