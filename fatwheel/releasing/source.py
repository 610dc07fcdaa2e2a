"""A project's sources as one commit has them: a clone, submodules included."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from fatwheel.releasing.programs import output, run

__all__ = ["clone_commit"]


def clone_commit(repository: Path, commit: str, clone: Path) -> None:
    """Check the commit out in a new clone of the repository, submodules included.

    Submodules come from the repository's own work tree where they are checked out: on a runner, only the step that
    checked them out had the right to download them. The others are downloaded.
    """
    git = ["git", "-C", str(clone)]
    run(["git", "clone", "--quiet", "--no-checkout", str(repository), str(clone)])
    origin = subprocess.run(
        ["git", "-C", str(repository), "config", "--get", "remote.origin.url"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    ).stdout.rstrip("\n")
    if origin:  # what a submodule's relative URL is relative to
        run([*git, "remote", "set-url", "origin", origin])
    run([*git, "-c", "advice.detachedHead=false", "checkout", "--quiet", commit])
    for path, pinned in _submodules(clone, commit):
        if _has_commit(repository / path, pinned):
            clone_commit(repository / path, pinned, clone / path)
        else:
            update = ["submodule", "--quiet", "update", "--init", "--recursive", "--", path]
            run([*git, *update])


def _submodules(clone: Path, commit: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the commit of each submodule."""
    if not (clone / ".gitmodules").is_file():
        return
    listed = output(["git", "-C", str(clone), "ls-tree", "-r", "-z", "--full-tree", commit])
    for entry in listed.split("\0"):
        kind, _, path = entry.partition("\t")
        if kind.startswith("160000 "):
            yield path, kind.split()[2]


def _has_commit(repository: Path, commit: str) -> bool:
    if not (repository / ".git").exists():  # git would look in the folders above
        return False
    asked = ["git", "-C", str(repository), "cat-file", "-e", f"{commit}^{{commit}}"]
    return subprocess.run(asked, stderr=subprocess.DEVNULL, check=False).returncode == 0
