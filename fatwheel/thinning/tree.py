"""Thinning a folder, such as an app: the whole tree is copied, and what is universal in it becomes thin.

Links, modes and times are kept. A seal over a bundle does not survive that its files change, so an app has to be
signed anew; the signatures of the slices themselves stay valid.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.archive.ranges import RangeFile, SteadyReader
from fatwheel.errors import ChangedError, FormatError, OutputExistsError, RefusedError
from fatwheel.macho import probe, universal
from fatwheel.macho.bitcode import Bitcode
from fatwheel.macho.universal import Slice
from fatwheel.thinning.plan import Patterns
from fatwheel.thinning.slices import choose_slice
from fatwheel.thinning.thin import ThinOptions
from fatwheel.values import valueclass
from fatwheel.wheels.wheel import Content, architectures, images

__all__ = ["ThinnedTree", "TreeFile", "TreePlan", "plan_tree", "thin_tree"]

_HEAD = 32  # bytes; what `looks_like` asks for
_SEAL, _BUNDLES = "_CodeSignature/CodeResources", (".app", ".framework")


@valueclass
class TreeFile:
    """A file with code: its path in the tree (with `/`), its size (bytes), and what becomes of it.

    `taken` is the slice that takes its place; None where it stays as it is or, if `dropped`, goes. `note` says why.
    """

    path: str
    size: int
    taken: Slice | None = None
    dropped: bool = False
    one_sided: bool = False
    note: str = ""


@valueclass
class TreePlan:
    """What becomes of the files with code in the folder `source`; all others are copied.

    `unused` are the patterns that matched no file without code for `arch`.
    """

    source: Path
    arch: Arch
    files: tuple[TreeFile, ...]
    unused: tuple[str, ...]
    notes: tuple[str, ...]


@valueclass
class ThinnedTree:
    """A tree that was written: where, and the size of its files with code, after and before (bytes)."""

    path: Path
    size: int
    size_before: int
    plan: TreePlan


def plan_tree(source: Path, arch: Arch, options: ThinOptions) -> TreePlan:
    """Look at every file of the folder `source` and plan the tree for `arch`.

    A file without code for `arch` stays, unless `options.drop` names it: what opens it cannot be known. Raises
    `RefusedError` where no code for `arch` is found and for what can't be copied, `OSError` for what can't be read.
    """
    patterns = options.patterns
    found = []
    sealed = source.name.endswith(_BUNDLES)
    for path, entry in _walk(source, ""):
        sealed = sealed or path.endswith((*_BUNDLES, _SEAL))
        if entry.is_file(follow_symlinks=False):
            with RangeFile(Path(entry.path), name=entry.path) as file:
                content, size = _read(file), file.size
            if any(images(content)):
                found.append(_decide(path, size, content, arch, patterns))
        elif not (entry.is_symlink() or entry.is_dir(follow_symlinks=False)):
            raise RefusedError(f"{entry.path} is neither a file nor a folder nor a link; remove it")
    if all(file.one_sided for file in found):
        wheels = next((path for path, _ in _walk(source, "") if path.endswith(".whl")), None)
        hint = (
            f"; to thin the wheels in it, name them ({source / wheels} for one)" if wheels else ""
        )
        raise RefusedError(f"{source} holds no code for {arch.value}{hint}")
    one_sided = [file.path for file in found if file.one_sided]
    notes = []
    if sealed:
        notes.append(
            "signatures over a whole app or framework do not fit any more, so sign anew before you ship it (codesign); "
            "those of each file's own code stay valid"
        )
    return TreePlan(
        source=source,
        arch=arch,
        files=tuple(found),
        unused=patterns.unused(one_sided),
        notes=tuple(notes),
    )


def _walk(folder: Path, before: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield all below `folder`, by name, each folder before what it holds; links are not followed."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = before + entry.name
        yield path, entry
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{path}/")


def _read(file: RangeFile) -> Content:
    """Return what code a file holds; a damaged one counts as any other file."""
    if not universal.looks_like(file.read(0, min(file.size, _HEAD))):
        return None
    try:
        content = probe.run(
            universal.parse(file.name, file.size), SteadyReader(file, 0, file.size).read
        )
    except FormatError:
        return None
    return None if isinstance(content, Bitcode) else content


def _decide(path: str, size: int, content: Content, arch: Arch, patterns: Patterns) -> TreeFile:
    if arch not in architectures(content):
        lacks = f"no code for {arch.value}"
        if patterns.is_dropped(path):
            return TreeFile(
                path=path, size=size, dropped=True, one_sided=True, note=f"{lacks}; --drop"
            )
        return TreeFile(path=path, size=size, one_sided=True, note=lacks)
    choice = choose_slice(content, arch)
    if choice is None:
        return TreeFile(path=path, size=size)
    if choice.taken is None:
        why = f"stays whole: {choice.why}, where a program looks for them"
        return TreeFile(path=path, size=size, note=why)
    note = f"{', '.join(choice.left_out)} left out as well" if choice.left_out else ""
    return TreeFile(path=path, size=size, taken=choice.taken, note=note)


def thin_tree(source: Path, arch: Arch, folder: Path, options: ThinOptions) -> ThinnedTree:
    """Copy the folder `source` into `folder`, under its own name and thin for `arch`.

    The copy gets its name when it is complete. Raises as `plan_tree` does, and `OutputExistsError` where the name is
    taken; then nothing was written.
    """
    plan = plan_tree(source, arch, options)
    target = folder / source.resolve().name
    _refuse_inside(source, target)
    if os.path.lexists(target) and not options.replace:
        raise OutputExistsError(
            f"{target} exists; replace it with --force, or write elsewhere with -o"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with _new_folder(folder) as part:
        made = part / "new"
        _copy(plan, made)
        _name(made, target, part / "old")
    return ThinnedTree(
        path=target,
        size=sum(_size_after(file) for file in plan.files),
        size_before=sum(file.size for file in plan.files),
        plan=plan,
    )


def _name(made: Path, target: Path, old: Path) -> None:
    """Give the new tree its name; what had it before is moved to `old`, and back where that fails."""
    if not os.path.lexists(target):
        made.rename(target)
        return
    target.rename(old)
    try:
        made.rename(target)
    except BaseException:
        old.rename(target)
        raise


def _size_after(file: TreeFile) -> int:
    if file.dropped:
        return 0
    return file.size if file.taken is None else file.taken.size


def _refuse_inside(source: Path, target: Path) -> None:
    old, new = source.resolve(), target.resolve()
    if old == new or old in new.parents or new in old.parents:
        raise RefusedError(f"{target} and {source} lie in each other; write elsewhere with -o")


@contextlib.contextmanager
def _new_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder for what is not complete; it is removed with all that is left in it."""
    part = Path(tempfile.mkdtemp(prefix=".fatwheel-", suffix=".part", dir=parent))
    try:
        yield part
    finally:
        _make_writable(part)
        shutil.rmtree(part, ignore_errors=True)


def _make_writable(folder: Path) -> None:
    """Let everything below be removed: folders that nobody may write to were copied with their modes."""
    for path, names, _ in os.walk(folder):
        for name in names:
            inner = Path(path, name)
            if not inner.is_symlink():
                with contextlib.suppress(OSError):
                    inner.chmod(stat.S_IRWXU)


def _copy(plan: TreePlan, target: Path) -> None:
    """Copy the tree; folders get their modes and times when everything in them is there."""
    files = {file.path: file for file in plan.files}
    target.mkdir()
    folders = [(plan.source, target)]
    for path, entry in _walk(plan.source, ""):
        made = target / path
        file = files.get(path)
        if entry.is_symlink():
            made.symlink_to(Path(entry.path).readlink())
        elif entry.is_dir(follow_symlinks=False):
            made.mkdir()
            folders.append((Path(entry.path), made))
            continue
        elif file is not None and file.dropped:
            continue
        elif file is not None and file.taken is not None:
            _take(Path(entry.path), made, plan.arch, file.taken)
        else:
            shutil.copyfile(entry.path, made)
        _copy_facts(Path(entry.path), made)
    for old, made in reversed(folders):
        _copy_facts(old, made)


def _copy_facts(source: Path, target: Path) -> None:
    """Give a copy the mode and times of what it was copied from.

    It is ours, whosever the source is: a set-uid bit that let a file run as its owner would let it run as us.
    """
    shutil.copystat(source, target, follow_symlinks=False)
    old, new = source.lstat(), target.lstat()
    foreign = stat.S_ISUID if old.st_uid != new.st_uid else 0
    foreign |= stat.S_ISGID if old.st_gid != new.st_gid else 0
    if new.st_mode & foreign and not stat.S_ISLNK(new.st_mode):
        target.chmod(stat.S_IMODE(new.st_mode) & ~foreign)


def _take(source: Path, target: Path, arch: Arch, piece: Slice) -> None:
    """Write the slice; raises `ChangedError` where the file is not what was looked at."""
    with RangeFile(source, name=str(source)) as file, target.open("xb") as out:
        choice = choose_slice(_read(file), arch)
        if choice is None or choice.taken != piece:
            raise ChangedError(file.name, None)
        out.writelines(file.steady(0, file.size, piece.offset, piece.size))
        file.check_unchanged()
