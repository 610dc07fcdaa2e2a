"""Modules that two builds wrote into the source tree, fused there."""

from __future__ import annotations

from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.building.inplace import InPlace, fuse_files
from fatwheel.errors import RefusedError
from tests.support.wheels import A, X, code


class Tree:
    """A source tree that builds write into."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        self.root.mkdir()
        self.write("pkg/__init__.py", b"")
        self.write("pkg/old.so", code(A))
        self.places = InPlace([self.root], folder / "aside")

    def write(self, name: str, content: bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def build(self, arch: Arch, **files: bytes) -> None:
        for name, content in files.items():
            self.write(f"pkg/{name}", content)
        self.places.keep(arch)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_other_files_are_left_alone(tree: Tree) -> None:
    tree.write("target/CACHEDIR.TAG", b"")
    tree.write("env/pyvenv.cfg", b"")
    for arch in (A, X):
        for name in ("target/x.so", "env/x.so", ".git/x.so", "pkg/__pycache__/x.pyc"):
            tree.write(name, code(arch))
        tree.build(arch, native=code(arch), ffi=b"same")
    assert tree.places.fuse() == ((tree.root / "pkg" / "native").resolve(),)
    assert (tree.root / "pkg" / "old.so").read_bytes() == code(A)
    assert (tree.root / "target" / "x.so").read_bytes() == code(X)


def test_a_module_of_one_build_only(tree: Tree) -> None:
    tree.build(A, native=code(A), notes=b"by an editor")
    tree.build(X)
    with pytest.raises(RefusedError, match=r"native was written by the build for arm64 only"):
        tree.places.fuse()


def test_a_text_that_differs(tree: Tree) -> None:
    tree.build(A, ffi=b"arm64")
    tree.build(X, ffi=b"x86_64")
    with pytest.raises(RefusedError, match=r"ffi was written by both builds, and differently"):
        tree.places.fuse()


def test_two_files_of_one_architecture(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(code(A))
    with pytest.raises(RefusedError, match=r"out cannot be fused .*same architecture"):
        fuse_files(tmp_path / "a", tmp_path / "a", tmp_path / "out")
