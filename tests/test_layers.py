"""Imports between fatwheel's rooms point downwards only, and so do those between the modules of a room."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support.corpus import ROOT

# What each room may import: the rooms named here, and all that these may import. The words are the modules of the
# top level that all rooms speak of; the façades stand above all rooms, and nothing imports them.
MAY_IMPORT = {
    "archive": "the words",
    "macho": "the words",
    "deflate": "archive",
    "wheels": "deflate, macho",
    "check": "wheels",
    "inspection": "check",
    "fusion": "check",
    "thinning": "fusion",
    "lipo": "macho, archive",
    "targets": "macho",
    "toolchain": "targets",
    "building": "toolchain, fusion, lipo",
    "index": "fusion",
    "wheelhouse": "index, building",
    "releasing": "the words",
    "cli": "wheelhouse, inspection, thinning, releasing",
}
FACADES = {"__init__", "__main__", "backend"}
WORDS = {
    "action",
    "arch",
    "atomic",
    "config",
    "errors",
    "printable",
    "process",
    "values",
    "version",
    "webpage",
}
MOST_AT_THE_TOP = 13

PACKAGE = ROOT / "fatwheel"


def modules() -> dict[str, str]:
    """Return the source of every module, by its name without `fatwheel.`; a room's own is `ROOM`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts if len(parts) == 1 or parts[-1] != "__init__" else parts[:-1])
        found[name] = path.read_text("utf-8")
    return found


MODULES = modules()
ROOMS = {name.split(".")[0] for name in MODULES if "." in name}


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
            if name != node.value and name in MODULES.keys() - FACADES:
                yield node.lineno, name


def _imported(node: ast.ImportFrom) -> Iterator[str]:
    origin = (node.module or "").removeprefix("fatwheel").lstrip(".")
    for alias in node.names:  # a module of a package, or a name out of a module
        inner = f"{origin}.{alias.name}".lstrip(".")
        yield inner if inner in MODULES else origin or "__init__"


def room_of(module: str) -> str:
    """Return the room that a module lies in; for those of the top level, what they are there."""
    room = module.split(".", maxsplit=1)[0]
    if room in ROOMS:
        return room
    return "the façades" if room in FACADES else "the words"


def reachable(room: str) -> set[str]:
    """Return all that `room` may import besides itself."""
    found: set[str] = set()
    waiting = [room]
    while waiting:
        below = MAY_IMPORT.get(waiting.pop(), "").split(", ")
        waiting += [name for name in below if name and name not in found]
        found.update(name for name in below if name)
    return found


def test_every_room_has_its_row() -> None:
    assert set(MAY_IMPORT) == ROOMS, "give each room a row in MAY_IMPORT, and no row without a room"


def test_every_module_of_the_top_level_is_named() -> None:
    top = {name for name in MODULES if name not in ROOMS and "." not in name}
    assert top == FACADES | WORDS, "what belongs to one room lies in it"
    assert len(top) <= MOST_AT_THE_TOP


def test_no_two_rooms_may_import_each_other() -> None:
    rows = {room: set(below.split(", ")) for room, below in MAY_IMPORT.items()}
    order = [*TopologicalSorter(rows).static_order()]  # raises for a circle
    assert order[0] == "the words"


@pytest.mark.parametrize("module", MODULES)
def test_a_room_imports_what_its_row_says(module: str) -> None:
    room = room_of(module)
    allowed = ROOMS | {"the words"} if room == "the façades" else {room, *reachable(room)}
    wrong = [
        f"fatwheel/{module.replace('.', '/')}, line {line}: {name}, which is in {room_of(name)}"
        for line, name in imports(module, MODULES[module])
        if room_of(name) not in allowed
    ]
    assert wrong == []


def test_no_circle_within_a_room() -> None:
    """All modules can be laid out so that every import points downwards."""
    graph = {
        module: {name for _, name in imports(module, source) if name not in ROOMS}
        for module, source in MODULES.items()
    }
    assert len([*TopologicalSorter(graph).static_order()]) >= len(MODULES)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_says_what_it_is_for_and_costs_nothing(room: str) -> None:
    tree = ast.parse(MODULES[room])
    assert len((ast.get_docstring(tree) or "").splitlines()) >= 3
    assert len(tree.body) == 1, "a room's __init__ imports nothing: start-up would pay for it"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests").glob("*/**/test_*.py")), ids=lambda p: p.stem
)
def test_tests_lie_in_the_rooms_of_what_they_test(path: Path) -> None:
    room = path.relative_to(ROOT / "tests").parts[0]
    assert room in ROOMS | {"docs", "fuzz", "machorun", "scripts"}


def test_no_test_imports_from_another() -> None:
    """What two of them need lies in tests/support."""
    wrong = [
        f"{path.relative_to(ROOT)}, line {number}: {line.strip()}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if re.match(r"\s*(from|import) tests\b.*\btest_\w+", line) and " tests.support" not in line
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "source",
    [
        "import fatwheel.cli.main",
        "from fatwheel.cli.main import main",
        "from fatwheel.cli import main",
        "def f():\n    from fatwheel.cli import main",
        "if TYPE_CHECKING:\n    import fatwheel.cli.main as c",
        "import_module('fatwheel.cli.main')",
        "LAZY = {'main': 'fatwheel.cli.main:main'}",
    ],
)
def test_an_import_is_seen_wherever_it_stands(source: str) -> None:
    assert [name for _, name in imports("errors", source)] == ["cli.main"]
