"""Imports between fatwheel's modules point downwards only."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.corpus import ROOT

# From the bottom up. A module may import those of the layers above it in this table, and those that
# stand before it in its own layer. Every module has its place here.
LAYERS = {
    "words that all others use": """
        values errors arch cpu wire merge
    """,
    "one format or one seam each: bytes and text in, values out": """
        probe ranges record tags rules differences atomic config process crc inflaters
        bitcode payload fatlayout loadcommands macho staticlib fat
        zipformat zipnames zipend zipdir
        merge.cheader merge.metadata merge.python merge.sbom mergers
    """,
    "built from those": """
        fixedcodes textcodes recut deflate cut splice zipwriter pipeline distinfo loads wheels
        deployment interpreter sdk linker maturin maturinargs project toolchain targets pythonfacts machine
    """,
    "decisions and findings, pure": """
        pair onesided actions slices decide plan check report doctor
    """,
    "reading and writing wheels": """
        scan read pairing expect readpair engine write secondreader fuse many request
    """,
    "two runs of maturin, then fuse": """
        buildplan build buildreport
    """,
    "lipo's words": """
        lipo_args lipo_info lipo
    """,
    "what frontends ask for": """
        inplace pep517 develop
    """,
    "the edges: environment, clock and terminal": """
        terminal here command completion
        cli_check cli_fuse cli_lipo cli_build cli_doctor cli_develop cli_shell backend __init__ cli __main__
    """,
}
PACKAGE = ROOT / "fatwheel"


def modules() -> dict[str, str]:
    """Return the source of every module, by its name without `fatwheel.`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts if len(parts) == 1 or parts[-1] != "__init__" else parts[:-1])
        found[name] = path.read_text("utf-8")
    return found


MODULES = modules()
ORDER = [name for names in LAYERS.values() for name in names.split()]


def imports(module: str, source: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of each module of fatwheel that `source` imports, wherever it does."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "fatwheel":
                    yield node.lineno, alias.name.removeprefix("fatwheel").lstrip(".") or "__init__"
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}, line {node.lineno}: imports are absolute here"
            if (node.module or "").split(".")[0] == "fatwheel":
                yield from ((node.lineno, name) for name in _imported(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value.partition(":")[0].removeprefix("fatwheel.")  # for import_module
            if name != node.value and name in MODULES:
                yield node.lineno, name


def _imported(node: ast.ImportFrom) -> Iterator[str]:
    origin = (node.module or "").removeprefix("fatwheel").lstrip(".")
    for alias in node.names:  # a module of a package, or a name out of a module
        inner = f"{origin}.{alias.name}".lstrip(".")
        yield inner if inner in MODULES else origin or "__init__"


def test_every_module_has_one_place() -> None:
    assert len(ORDER) == len(set(ORDER))
    assert sorted(MODULES.keys() - set(ORDER)) == [], "give each of these a place in LAYERS"


def test_no_place_is_empty() -> None:
    assert sorted(set(ORDER) - MODULES.keys()) == []


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module: str) -> None:
    assert module in ORDER
    below = ORDER[: ORDER.index(module)]
    wrong = [
        f"fatwheel/{module.replace('.', '/')}.py, line {line}: {name}"
        for line, name in imports(module, MODULES[module])
        if name not in below and not _is_own_version(module, name)
    ]
    assert wrong == []


def _is_own_version(module: str, name: str) -> bool:
    """`from fatwheel import __version__` asks the package, which is loaded before every module."""
    return name == "__init__" and module != "__init__"


@pytest.mark.parametrize(
    "source",
    [
        "import fatwheel.cli",
        "from fatwheel.cli import main",
        "from fatwheel import cli",
        "def f():\n    from fatwheel import cli",
        "if TYPE_CHECKING:\n    import fatwheel.cli as c",
        "import_module('fatwheel.cli')",
        "LAZY = {'main': 'fatwheel.cli:main'}",
    ],
)
def test_an_import_is_seen_wherever_it_stands(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODULES, "cli", "")
    assert [name for _, name in imports("errors", source)] == ["cli"]
