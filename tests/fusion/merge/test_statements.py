"""Constants that differ and imports in another order: what each architecture runs, and what stays a conflict."""

from __future__ import annotations

import ast
import os
import types
from typing import Any

import pytest

from fatwheel.fusion.merge import Merged, Unmergeable
from fatwheel.fusion.merge.statements import has_constants, merge_import_order, merge_literals

REAL = {
    "hdf5plugin 7.1.0, _config.py": (
        (
            "from collections import namedtuple\n\nConfig = dict\n"
            "build_config = Config(**{'openmp': False, 'sse2': True, 'filters': ('blosc', 'lz4')})\n"
        ),
        (
            "from collections import namedtuple\n\nConfig = dict\n"
            "build_config = Config(**{'openmp': False, 'sse2': False, 'filters': ('blosc', 'lz4')})\n"
        ),
    ),
    "polars 1.31.0, _cpu_check.py": (
        'import os\n# x\n_POLARS_ARCH = "x86-64"\n_FLAGS = "+sse3,+avx"\n_IS = os.name == "nt"\n',
        'import os\n\n_POLARS_ARCH = "aarch64"\n_FLAGS = ""\n_IS = os.name == "nt"\n',
    ),
    "numpy 1.21.6, distutils/__config__.py": (
        "info={'dirs': ['/usr/local/lib'], 'macros': [('HAVE_CBLAS', None)]}\n",
        "info={'dirs': ['/opt/arm64-builds/lib'], 'macros': [('HAVE_CBLAS', None)]}\n",
    ),
    "numbers, bytes and signs": (
        "A = -1\nB = b'x', 1.5e3\nC = D = [\n    True,  # one\n    0x10,\n]\n",
        "A = -2\nB = b'y', 2.5\nC = D = [\n    None,\n    0o20,\n]\n",
    ),
    "text that is not ASCII": ("# é\nA = 'é', 'ß'\n", "# é\nA = 'é', '\U0001f600'\n"),
    "behind a block": ("if 1:\n\tx = 1\nA = 1\n", "if 1:\n\tx = 1\nA = 2\n"),
}

CONFLICTS = {
    "a version": ('__version__ = "1.0"\n', '__version__ = "1.1"\n'),
    "a version by another name": ('LIB_VERSION = "1.0"\n', 'LIB_VERSION = "1.1"\n'),
    "exports": ('__all__ = ["a"]\n', '__all__ = ["b"]\n'),
    "slots": ('__slots__ = ["a"]\n', '__slots__ = ["b"]\n'),
    "an annotated name": ("A: int = 1\n", "A: int = 2\n"),
    "a final name": ("A: Final = 1\n", "A: Final = 2\n"),
    "a docstring": ('"""a"""\n', '"""b"""\n'),
    "a future": ("from __future__ import a\n", "from __future__ import b\n"),
    "an augmented assignment": ("A = 1\nA += 1\n", "A = 1\nA += 2\n"),
    "below an if": ("if x:\n    A = 1\n", "if x:\n    A = 2\n"),
    "in one line with an if": ("if x: A = 1\n", "if x: A = 2\n"),
    "in a class": ("class C:\n    A = 1\n", "class C:\n    A = 2\n"),
    "in a function": ("def f():\n    A = 1\n", "def f():\n    A = 2\n"),
    "a default": ("def f(a=1): pass\n", "def f(a=2): pass\n"),
    "a lambda": ("A = lambda: 1\n", "A = lambda: 2\n"),
    "a condition": ("A = 1 if x else 2\n", "A = 1 if x else 3\n"),
    "a subscript": ("A = x[1]\n", "A = x[2]\n"),
    "a subscript of literals": ("A = [1, 2][0]\n", "A = [1, 2][1]\n"),
    "a call of a call": ("A = f(g(1))\n", "A = f(g(2))\n"),
    "an attribute of the name": ("a.b = 1\n", "a.b = 2\n"),
    "two statements in a line": ("A = 1; B = 2\n", "A = 1; B = 3\n"),
    "parts of one literal": ("A = 'a' 'b'\n", "A = 'a' 'c'\n"),
    "an f-string": ("A = f'a'\n", "A = f'b'\n"),
    "a t-string": ("A = t'a'\n", "A = t'b'\n"),
    "lines in a literal": ("A = '''a\nb'''\n", "A = '''a\nc'''\n"),
    "a name": ("A = b\n", "A = c\n"),
    "one more": ("A = [1]\n", "A = [1, 2]\n"),
    "a statement more": ("A = 1\n", "A = 2\nB = 1\n"),
    "an indent": ("if x:\n    A = 1\nB = 1\n", "if x:\n    A = 1\n    B = 2\n"),
    "a library to load": ("A = ctypes.CDLL('a')\n", "A = ctypes.CDLL('b')\n"),
    "a type": ("T = TypeVar('a')\n", "T = TypeVar('b')\n"),
    "an import of its own": ("__import__ = f\nA = 1\n", "__import__ = f\nA = 2\n"),
    "numbers of Python 2": ("A = 0777\n", "A = 0778\n"),
    "another encoding": ("# coding: latin-1\nA = 'a'\n", "# coding: latin-1\nA = 'b'\n"),
    "another interpreter": ("#!/usr/bin/a\nA = 1\n", "#!/usr/bin/b\nA = 2\n"),
}


def run_on(source: bytes, machine: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(os, "uname", lambda: types.SimpleNamespace(machine=machine))
    names: dict[str, Any] = {}
    exec(compile(source, "m.py", "exec", dont_inherit=True), names)
    del names["__builtins__"]
    return {name: value for name, value in names.items() if not isinstance(value, types.ModuleType)}


def imports(source: bytes) -> list[str]:
    """Return what modulefinder, py2app and PyInstaller look for."""
    nodes = ast.parse(source).body
    return [ast.dump(node) for node in nodes if isinstance(node, ast.ImportFrom | ast.Import)]


@pytest.mark.parametrize(("x86_64", "arm64"), REAL.values(), ids=REAL)
def test_each_architecture_has_its_own_values(
    x86_64: str, arm64: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged = merge_literals(x86_64.encode(), arm64.encode())
    assert isinstance(merged, Merged), merged
    for machine, own in (("x86_64", x86_64), ("arm64", arm64)):
        expected = run_on(own.encode(), machine, monkeypatch)
        assert run_on(merged.content, machine, monkeypatch) == expected
    assert merged.content.count(b"\n") == arm64.count("\n")  # line numbers are arm64's
    assert imports(merged.content) == imports(arm64.encode())


@pytest.mark.parametrize(("x86_64", "arm64"), CONFLICTS.values(), ids=CONFLICTS)
def test_what_something_else_may_read(x86_64: str, arm64: str) -> None:
    assert isinstance(merge_literals(x86_64.encode(), arm64.encode()), Unmergeable)
    assert isinstance(merge_literals(arm64.encode(), x86_64.encode()), Unmergeable)


def test_line_ends_and_a_mark_stay() -> None:
    merged = merge_literals(b"A = 1\r\nB = 1\n", b"\xef\xbb\xbfA = 1\r\nB = 2\r\n")
    assert isinstance(merged, Merged), merged
    assert merged.content == (
        b'\xef\xbb\xbfA = 1\r\nB = (1 if __import__("os").uname().machine == "x86_64" else 2)\r\n'
    )
    assert merged.how == "arm64's text, in which os.uname().machine chooses one literal"


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("pkg/_config.py", True),
        ("pkg/__init__.py", True),
        ("pkg/_version.py", False),
        ("pkg/version.py", False),
        ("pkg/__about__.py", False),
        ("setup.py", False),
        ("pkg/__main__.py", False),
        ("pkg/a.pyi", False),
    ],
)
def test_files_in_which_tools_look_for_literals(name: str, answer: bool) -> None:
    assert has_constants(name) is answer


ORDERS = {
    "opencv-python 5.0.0.93, cv2/typing/__init__.py": (
        "import cv2\nimport numpy\nimport typing as _typing\nimport cv2.dnn\n\nA = 1\n",
        "import cv2\nimport typing as _typing\nimport cv2.dnn\nimport numpy\n\nA = 1\n",
    ),
    "behind a block": (
        "if x:\n    y\nimport itk.a\n# c\nimport itk.b\n",
        "if x:\n    y\n# d\nimport itk.b\nimport itk.a\n",
    ),
}

NO_ORDERS = {
    "other blocks in what follows": (
        "import a\nimport b\nif x:\n    if y:\n        pass\n    z()\n",
        "import b\nimport a\nif x:\n  if y:\n    pass\n    z()\n",
    ),
    "a text that is still open": (
        'x = """\nimport a\nimport b\nend"""\n',
        'x = """\nimport b\nimport a\nend"""\n',
    ),
    "a bracket that is still open": ("f(\nimport a\nimport b\n)\n", "f(\nimport b\nimport a\n)\n"),
    "a line that goes on": ("import a\nimport b \\\n\nx\n", "import b \\\nimport a\n\nx\n"),
    "imports, and another block": (
        "import a\nimport b\nif x:\n    if y:\n        pass\n    import c\n",
        "import b\nimport a\nif x:\n  if y:\n    pass\n    import c\n",
    ),
    "a star": (
        "import a\nfrom b import *\nimport c\n",
        "import c\nfrom b import *\nimport a\n",
    ),
    "from": ("from a import b\nfrom c import d\n", "from c import d\nfrom a import b\n"),
    "a condition between": (
        "import a\nif x:\n    y\nimport b\n",
        "import b\nif x:\n    y\nimport a\n",
    ),
    "a statement between": ("import a\nf()\nimport b\n", "import b\nf()\nimport a\n"),
    "in a function": (
        "def f():\n    import a\n    import b\n",
        "def f():\n    import b\n    import a\n",
    ),
    "in a try": (
        "try:\n    import a\n    import b\nexcept E:\n    pass\n",
        "try:\n    import b\n    import a\nexcept E:\n    pass\n",
    ),
    "one name, two modules": ("import a as x\nimport b as x\n", "import b as x\nimport a as x\n"),
    "a name that another binds": ("import a.b\nimport c as a\n", "import c as a\nimport a.b\n"),
    "another module": ("import a\nimport b\n", "import a\nimport c\n"),
    "a statement in another place": ("import a\nf()\n", "f()\nimport a\n"),
    "several in a line": ("import a, b\nimport c\n", "import c\nimport a, b\n"),
}


@pytest.mark.parametrize(("x86_64", "arm64"), ORDERS.values(), ids=ORDERS)
def test_imports_in_another_order(x86_64: str, arm64: str) -> None:
    merged = merge_import_order(x86_64.encode(), arm64.encode())
    assert isinstance(merged, Merged), merged
    assert merged.content == arm64.encode()


@pytest.mark.parametrize(("x86_64", "arm64"), NO_ORDERS.values(), ids=NO_ORDERS)
def test_imports_whose_order_may_matter(x86_64: str, arm64: str) -> None:
    assert isinstance(merge_import_order(x86_64.encode(), arm64.encode()), Unmergeable)
    assert isinstance(merge_import_order(arm64.encode(), x86_64.encode()), Unmergeable)
