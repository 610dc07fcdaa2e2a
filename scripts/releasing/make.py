"""How a release's files are made, for `release.py`: built from a commit, or fused from thin wheels; and made again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "PYTHON",
    "FailedError",
    "build_project",
    "call",
    "clone_commit",
    "compare",
    "fatwheel",
    "fuse_thin",
    "output",
    "run",
    "sha256",
]

PYTHON = sys.executable
_MATURIN_BACKENDS = ("maturin", "fatwheel.backend")
_SECONDS = 20  # that a program has to end when it is told to


class FailedError(Exception):
    """A step of a release failed; the message says why, in one sentence."""


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


def build_project(
    project: Path, target: Path, maturin: Sequence[str], dist: Path
) -> dict[str, Any]:
    """Build the wheels and the sdist of the project into `dist`, with cargo's files in `target`.

    Returns what was decided for each universal2 wheel, by its name.
    """
    if _backend(project / "pyproject.toml") in _MATURIN_BACKENDS:
        command = [*fatwheel(), "build", "--sdist", "--json", "-o", str(dist), "--", *maturin]
        environ = {**os.environ, "CARGO_TARGET_DIR": str(target)}
        report = json.loads(output(command, cwd=project, env=environ))
        return {Path(wheel["path"]).name: decisions(wheel["plan"]) for wheel in report["wheels"]}
    if maturin:
        raise FailedError(
            "the project's build backend is not maturin, so nothing takes arguments after --"
        )
    run([PYTHON, "-m", "build", "--outdir", str(dist), str(project)])
    return {}


def _backend(settings: Path) -> object:
    """Return what builds the project. Raises `FailedError` where the commit's pyproject.toml does not say it."""
    try:
        system = tomllib.loads(settings.read_text("utf-8")).get("build-system", {})
    except FileNotFoundError:
        raise FailedError("the commit has no pyproject.toml in the project's folder") from None
    except tomllib.TOMLDecodeError as error:
        raise FailedError(f"the commit's pyproject.toml is no TOML: {error}") from None
    if not isinstance(system, dict):
        raise FailedError("the commit's pyproject.toml has a build-system that is no table")
    return system.get("build-backend")


def fuse_thin(
    project: Path, folders: Sequence[Path], expect: str | None, dist: Path
) -> dict[str, Any]:
    """Fuse the thin wheels in `folders` into `dist`, and take along what needs no fusing, sdists included.

    Returns what was decided for each fused wheel, by its name.
    """
    command = [*fatwheel(), "fuse", "--json", "-o", str(dist)]
    command += [] if expect is None else ["--expect", expect]
    command += map(str, folders)
    # In the project's folder: its pyproject.toml has the rules.
    said = call(command, cwd=project, stdout=subprocess.PIPE)
    if not said.stdout:
        raise FailedError("fatwheel fuse gave up, for the reason above")
    report = json.loads(said.stdout)
    for problem in problems(report):
        raise FailedError(problem)
    along = [Path(path) for left in report["unpaired"] for path in left["paths"]]
    for folder in folders:
        along += folder.rglob("*.tar.gz")
    dist.mkdir(exist_ok=True)
    for path in along:
        if (dist / path.name).exists():
            if sha256(dist / path.name) != sha256(path):
                raise FailedError(f"two different files are called {path.name}, one of them {path}")
            continue
        shutil.copyfile(path, dist / path.name)
    return {Path(pair["output"]["path"]).name: decisions(pair["plan"]) for pair in report["pairs"]}


def problems(report: dict[str, Any]) -> Iterator[str]:
    """Yield what kept `fatwheel fuse` from fusing everything."""
    yield from report["unexpected"]
    for pair in report["pairs"]:
        if pair["error"] is not None:
            yield pair["error"]
        elif pair["status"] != "fused":
            yield f"{pair['plan']['filename']}: {pair['status']}"
    for left in report["unpaired"]:
        if left["failed"]:
            yield left["reason"]


def decisions(plan: dict[str, Any]) -> dict[str, Any]:
    """Return what the manifest tells of a plan."""
    actions: dict[str, int] = {}
    for member in plan["members"]:
        actions[member["action"]] = actions.get(member["action"], 0) + 1
    return {
        "inputs": plan["inputs"],
        "members": dict(sorted(actions.items())),
        "decisions": plan["decisions"],
        "notes": plan["notes"],
    }


def compare(first: Path, second: Path) -> None:
    """Fail unless both folders hold the same files."""
    sums = [{path.name: sha256(path) for path in folder.iterdir()} for folder in (first, second)]
    for name in sorted(set(sums[0]) | set(sums[1])):
        if name not in sums[1] or name not in sums[0]:
            raise FailedError(
                f"{name} was made only the {'first' if name in sums[0] else 'second'} time"
            )
        if sums[0][name] != sums[1][name]:
            differing = ", ".join(differing_members(first / name, second / name)) or "its container"
            raise FailedError(
                f"{name} is not the same when it is made again (what differs: {differing}); "
                f"{first} and {second} hold both"
            )


def differing_members(first: Path, second: Path) -> list[str]:
    """Return the members of two archives that differ."""
    contents = [member_sums(path) for path in (first, second)]
    found = sorted(set(contents[0]) | set(contents[1]))
    return [name for name in found if contents[0].get(name) != contents[1].get(name)]


def member_sums(path: Path) -> dict[str, object]:
    """Return what tells each member of an archive from another's of the same name."""
    if path.suffix == ".whl":
        with ZipFile(path) as archive:
            return {info.filename: (info.CRC, info.date_time) for info in archive.infolist()}
    with tarfile.open(path) as tar:
        return {
            member.name: (
                member.mtime,
                member.mode,
                hashlib.sha256(file.read()).digest() if (file := tar.extractfile(member)) else b"",
            )
            for member in tar
        }


def fatwheel() -> list[str]:
    """Return how to call fatwheel: not by `python -m`, which looks in the current folder first."""
    return [str(Path(PYTHON).with_name("fatwheel"))]


def run(command: Sequence[str], **options: Any) -> None:
    """Run a program; what it prints goes to standard error. Raises `FailedError` where it fails."""
    done = call(command, stdout=sys.stderr, **options)
    if done.returncode:
        raise FailedError(f"{words(command)} failed with exit code {done.returncode}")


def output(command: Sequence[str], **options: Any) -> str:
    """Run a program and return what it prints, without the last line's end. Raises `FailedError` where it fails."""
    done = call(command, stdout=subprocess.PIPE, **options)
    if done.returncode:
        raise FailedError(f"{words(command)} failed with exit code {done.returncode}")
    return str(done.stdout).rstrip("\n")


def call(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, or to this one's: whatever stops this program stops that one and all it started."""
    # git may ask for a passphrase at the terminal, which belongs to the session.
    group = os.name == "posix" and command[0] != "git"
    with subprocess.Popen(command, text=True, start_new_session=group, **options) as process:
        try:
            printed, _ = process.communicate()
        except BaseException:
            _stop(process, group)
            raise
    return subprocess.CompletedProcess(command, process.returncode, printed)


def _stop(process: subprocess.Popen[str], group: bool) -> None:
    """End a program; with `group`, what it started as well."""
    for told in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        try:
            if group:
                os.killpg(process.pid, told)
            else:
                process.send_signal(told)
            process.wait(_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def words(command: Sequence[str]) -> str:
    """Return the beginning of a command line, as it is known to people."""
    if command[:2] == [PYTHON, "-m"]:
        program = list(command[2:4])
    else:
        program, rest = [Path(command[0]).name], list(command[1:])
        while len(rest) > 1 and rest[0] in {"-c", "-C"}:  # git's own options
            del rest[:2]
        program += rest[:2]
    return " ".join(word for word in program if not word.startswith(("/", "-")))


def sha256(path: Path) -> str:
    """Return a file's digest in hexadecimal."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
