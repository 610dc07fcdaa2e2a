"""Folders and apps: what is copied, what becomes thin, and what is left when something goes wrong."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from fatwheel import ThinOptions, thin_tree
from fatwheel.arch import Arch
from fatwheel.errors import ChangedError, OutputExistsError, RefusedError
from fatwheel.thinning import tree as module
from fatwheel.thinning.tree import plan_tree
from tests.support.commandline import left
from tests.support.wheels import A, X, code, dylib, program, static, universal

PLAIN = ThinOptions()
WHEN = 1_700_000_000_123_456_789  # nanoseconds
MAIN = universal(program(X), program(A))


def app(folder: Path) -> Path:
    """An app as bundlers make them: links, modes, times, a program, a framework, and a library for Intel alone."""
    root = folder / "App.app"
    macos, framework = root / "Contents/MacOS", root / "Contents/Frameworks/F.framework"
    (framework / "Versions/A").mkdir(parents=True)
    macos.mkdir()
    (macos / "App").write_bytes(MAIN)
    (macos / "App").chmod(0o755)
    (macos / "liba.dylib").write_bytes(dylib(X))
    (framework / "Versions/A/F").write_bytes(universal(dylib(X), dylib(A)))
    (framework / "Versions/Current").symlink_to("A")
    (framework / "F").symlink_to("Versions/Current/F")
    (root / "Contents/nowhere").symlink_to("../../not/there")
    (root / "Contents/lib.a").write_bytes(universal(static(X), static(A), align=3))
    (root / "Contents/Info.plist").write_text("<plist/>")
    (root / "Contents/Info.plist").chmod(0o640)
    (root / "Contents/empty").mkdir(mode=0o700)
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, ns=(WHEN, WHEN), follow_symlinks=False)
    os.utime(root, ns=(WHEN, WHEN))
    return root


def shape(root: Path) -> dict[str, tuple[int, int, str]]:
    """Kind and mode, time, and where a link leads, of all in a tree."""
    found = {}
    for path in [root, *root.rglob("*")]:
        status = path.lstat()
        target = os.readlink(path) if path.is_symlink() else ""  # noqa: PTH115
        found[str(path.relative_to(root))] = (status.st_mode, status.st_mtime_ns, target)
    return found


@pytest.mark.parametrize("arch", Arch, ids=lambda arch: arch.value)
def test_the_tree_is_copied_and_its_files_are_thin(tmp_path: Path, arch: Arch) -> None:
    source = app(tmp_path)
    before = shape(source)
    made = thin_tree(source, arch, tmp_path / "out", PLAIN)
    assert made.path == tmp_path / "out" / "App.app"
    assert shape(made.path) == before == shape(source)
    contents = made.path / "Contents"
    assert (contents / "MacOS/App").read_bytes() == program(arch)
    assert (contents / "Frameworks/F.framework/F").read_bytes() == dylib(arch)
    assert (contents / "lib.a").read_bytes() == static(arch)
    assert (contents / "MacOS/liba.dylib").read_bytes() == dylib(X)
    assert made.size < made.size_before
    assert any("sign anew" in note for note in made.plan.notes)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["App.app"]


def test_what_holds_no_code_for_it_stays_and_is_told_and_drop_decides(tmp_path: Path) -> None:
    source = app(tmp_path)
    plan = plan_tree(source, A, PLAIN)
    (file,) = (file for file in plan.files if file.one_sided)
    assert (file.path, file.note) == ("Contents/MacOS/liba.dylib", "no code for arm64")
    options = ThinOptions(drop=("**/*.dylib", "**/App"))
    made = thin_tree(source, A, tmp_path / "out", options)
    assert not (made.path / "Contents/MacOS/liba.dylib").exists()
    assert (made.path / "Contents/MacOS/App").exists()
    assert made.plan.unused == ("**/App",)


def test_links_to_code_are_not_looked_into(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(MAIN)
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to("../outside")
    (root / "tool").write_bytes(MAIN)
    made = thin_tree(root, A, tmp_path / "out", PLAIN)
    assert [file.path for file in made.plan.files] == ["tool"]
    assert (tmp_path / "outside").read_bytes() == MAIN


def test_a_folder_that_nobody_may_write_to(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "inner").mkdir(parents=True)
    (root / "inner/tool").write_bytes(MAIN)
    (root / "inner").chmod(0o555)
    made = thin_tree(root, A, tmp_path / "out", PLAIN)
    assert stat.S_IMODE((made.path / "inner").stat().st_mode) == 0o555
    assert thin_tree(root, X, tmp_path / "out", ThinOptions(replace=True)).path == made.path
    assert (made.path / "inner/tool").read_bytes() == program(X)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["root"]


def test_an_existing_tree_is_replaced_on_demand_only(tmp_path: Path) -> None:
    source, out = app(tmp_path), tmp_path / "out"
    (out / "App.app").mkdir(parents=True)
    (out / "App.app/mine").write_text("mine")
    with pytest.raises(OutputExistsError, match="exists; replace it with --force"):
        thin_tree(source, A, out, PLAIN)
    assert (out / "App.app/mine").read_text() == "mine"
    made = thin_tree(source, A, out, ThinOptions(replace=True))
    assert not (made.path / "mine").exists()


@pytest.mark.parametrize("inside", ["", "App.app", "App.app/Contents/new"])
def test_a_tree_is_not_written_into_itself(tmp_path: Path, inside: str) -> None:
    source = app(tmp_path)
    before = shape(source)
    with pytest.raises(RefusedError, match="lie in each other; write elsewhere with -o"):
        thin_tree(source, A, tmp_path / inside, ThinOptions(replace=True))
    assert shape(source) == before


@pytest.mark.parametrize("arch", ["no code", "other"])
def test_a_tree_without_code_for_the_architecture_is_refused(tmp_path: Path, arch: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.whl").write_bytes(b"PK")
    if arch == "other":
        (root / "lib.so").write_bytes(code(X))
    with pytest.raises(
        RefusedError, match=r"holds no code for arm64; to thin the wheels in it, name them"
    ):
        thin_tree(root, A, tmp_path / "out", PLAIN)
    assert not (tmp_path / "out").exists()


def test_damaged_code_is_copied_as_it_is(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "tool").write_bytes(MAIN)
    (root / "damaged").write_bytes(MAIN[:60])
    (root / "tiny").write_bytes(b"\xca\xfe")
    made = thin_tree(root, A, tmp_path / "out", PLAIN)
    assert (made.path / "damaged").read_bytes() == MAIN[:60]
    assert (made.path / "tiny").read_bytes() == b"\xca\xfe"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "tool").write_bytes(MAIN)
    os.mkfifo(root / "pipe")
    with pytest.raises(RefusedError, match="pipe is neither a file nor a folder nor a link"):
        thin_tree(root, A, tmp_path / "out", PLAIN)
    assert not (tmp_path / "out").exists()


def test_nothing_is_left_of_a_tree_that_changes_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = app(tmp_path), tmp_path / "out"
    copy = module._copy

    def changing(plan: module.TreePlan, target: Path) -> None:
        (source / "Contents/MacOS/App").write_bytes(program(A))
        copy(plan, target)

    monkeypatch.setattr(module, "_copy", changing)
    with pytest.raises(ChangedError, match="MacOS/App: changed while it was read"):
        thin_tree(source, A, out, PLAIN)
    assert left(out) == []


def test_the_old_tree_comes_back_where_the_new_one_gets_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = app(tmp_path), tmp_path / "out"
    made = thin_tree(source, A, out, PLAIN).path
    before = shape(made)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(5, "Input/output error", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="Input/output error"):
        thin_tree(source, X, out, ThinOptions(replace=True))
    assert shape(made) == before
    assert [p.name for p in out.iterdir()] == ["App.app"]


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6755])
@pytest.mark.parametrize("owner", [(0, 0), (12345, 0), (0, 12345), (12345, 12345)])
def test_a_copy_runs_as_nobody_but_the_owner_of_the_file(
    tmp_path: Path, mode: int, owner: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when root thins what another user made: the copy is root's, and must not run as root for everybody."""
    source = app(tmp_path)
    program_ = source / "Contents" / "MacOS" / "App"
    program_.chmod(mode)
    real = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        found = list(real(path))
        if source in path.parents:
            found[4] += owner[0]
            found[5] += owner[1]
        return os.stat_result(found)

    monkeypatch.setattr(Path, "lstat", lstat)
    made = thin_tree(source, A, tmp_path / "out", ThinOptions()).path
    kept = (0 if owner[0] else mode & 0o4000) | (0 if owner[1] else mode & 0o2000) | 0o755
    found = real(made / "Contents" / "MacOS" / "App").st_mode
    assert stat.S_IMODE(found) == kept
