"""How Sphinx makes the documentation site out of docs/*.md; `scripts/docs` runs it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from click.testing import CliRunner
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fatwheel.cli.main import cli  # noqa: E402
from fatwheel.version import __version__  # noqa: E402

project = "fatwheel"
author = "the fatwheel developers"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]

html_theme = "furo"
html_title = f"fatwheel {__version__}"
html_copy_source = False
html_show_sphinx = False
html_extra_path: list[str] = []

myst_heading_anchors = 3  # GitHub's own anchors, which the pages use among each other
default_role = "literal"  # docstrings write `code` as Markdown does
highlight_language = "text"

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

# The pages that lie beside README.md; links to these files lead to the pages that hold them here.
_OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}


class Help(SphinxDirective):
    """`{help} COMMAND`: the help page of a command, as the terminal shows it."""

    required_arguments = 0
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Run `fatwheel COMMAND --help`."""
        words = [*self.arguments, "--help"]
        shown = CliRunner().invoke(cli, words, prog_name="fatwheel", terminal_width=84)
        if shown.exit_code:
            raise self.error(f"fatwheel {' '.join(words)}: exit code {shown.exit_code}")
        return [nodes.literal_block(shown.output, shown.output, language="text")]


def _adapt(content: list[str]) -> None:
    """Turn links for readers of the files into links of the site: to its pages, and named by their titles."""
    text = content[0]
    for file, page in _OUTSIDE.items():
        text = re.sub(rf"\]\((?:\.\./)?{re.escape(file)}", f"]({page}", text)
    text = re.sub(r"\[([^\]]+)\]\((?:\.\./)?tests/[^)]*\)", r"\1", text)  # the site has no sources
    content[0] = re.sub(r"\[[\w/.-]+\.md\]\((?!https?:)", "[](", text)


def setup(app: Sphinx) -> None:
    """Register what is above."""
    app.add_directive("help", Help)
    app.connect("source-read", lambda _, __, content: _adapt(content))
    app.connect("include-read", lambda _, __, ___, content: _adapt(content))
