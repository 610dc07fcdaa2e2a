#!/usr/bin/env python3
"""From a commit to release files that were checked: universal2 wheels, the sdist, SHA256SUMS and a manifest.

    release.py PROJECT -o OUT [--tag v1.0] [-- MATURIN-ARGUMENTS]      builds the project
    release.py PROJECT -o OUT --thin intel --thin arm --expect 5       fuses thin wheels that other machines built

PROJECT is a folder in a git repository. A maturin project is built by `fatwheel build`, any other by `python -m build`.
What is built is a fresh clone of the commit (--tag, or HEAD, which must hold all changes), never the work tree. Then
everything is built a second time from another clone at the same place and must come out the same, the wheels are
checked, the files are uploaded to a package index on this machine, and pip must get each wheel from there for each
platform that its tags promise, and must not get it one macOS earlier. Nothing is uploaded anywhere else.

OUT then holds dist/ (what to upload), SHA256SUMS (of the files in dist) and release.json (where they come from, what
was decided and checked). It appears when all steps passed. A step that fails is named, the exit code is 1, and what
was made until then is left in OUT.partial for a look; the next run starts clean.

Needs git, and in the running Python: fatwheel, build, packaging, pip, pypiserver, twine, wheel. `scripts/release`
calls this file after installing them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import IO, Any, NoReturn
from zipfile import ZipFile

from packaging.metadata import parse_email
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

# Whatever the folder is called, and with PYTHONSAFEPATH.
sys.path.append(str(Path(__file__).parent))

from release_index import Index, IndexFailedError, Wanted, platforms_to_try
from release_make import (
    PYTHON,
    FailedError,
    build_project,
    call,
    clone_commit,
    compare,
    fatwheel,
    fuse_thin,
    output,
    run,
    sha256,
)

PACKAGES = ("build", "fatwheel", "packaging", "pip", "pypiserver", "twine", "wheel")
COMPILERS = ("maturin", "cargo", "rustc", "zig")
MANIFEST = "release.json"
MARKER = ".unfinished"
"""The file that tells an unfinished release, which the next run may remove, from somebody's own folder. Locked while a
run is at work there."""
GIT_PLACES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
)
"""By which git tells a hook what repository it is in."""


@dataclass
class Release:
    """What was asked for, and what is known so far."""

    project: Path
    out: Path
    tag: str | None
    thin: Sequence[Path]
    expect: str | None
    once: bool
    maturin: Sequence[str]
    repository: Path = Path()
    commit: str = ""
    epoch: str = ""
    name: str = ""
    version: str = ""
    tools: dict[str, str] = field(default_factory=dict)
    decided: dict[str, Any] = field(default_factory=dict)
    """What fatwheel said of each wheel that it fused: inputs, decisions, findings."""
    findings: dict[str, list[Any]] = field(default_factory=dict)
    reproduced: bool | None = None
    tried: list[Wanted] = field(default_factory=list)
    lock: IO[str] | None = None

    @property
    def partial(self) -> Path:
        """Where the release is made."""
        return self.out.with_name(f"{self.out.name}.partial")

    @property
    def dist(self) -> Path:
        """The files to upload."""
        return self.partial / "dist"

    @property
    def wheels(self) -> list[Path]:
        """The wheels among them."""
        return sorted(self.dist.glob("*.whl"))

    @property
    def files(self) -> list[Path]:
        """All of them."""
        return sorted(self.dist.iterdir())


# --- the steps


def tools(release: Release) -> None:
    """Everything that later steps call is there, and its version is known."""
    missing = []
    for package in PACKAGES:
        try:
            release.tools[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            missing.append(package)
    if missing:
        raise FailedError(
            f"{PYTHON} lacks {', '.join(missing)}; install them: pip install {' '.join(missing)}"
        )
    release.tools["git"] = output(["git", "--version"]).removeprefix("git version ")
    release.tools["python"] = "{}.{}.{}".format(*sys.version_info[:3])
    doctor = json.loads(output([*fatwheel(), "doctor", "--json"]))
    for tool in doctor["tools"]:
        if tool["name"] in COMPILERS and tool["found"] is not None:
            release.tools[tool["name"]] = tool["found"].partition(",")[0]  # the rest is where it is


def source(release: Release) -> None:
    """The commit is known, and holds what the project's folder shows."""
    if not (release.project / "pyproject.toml").is_file():
        raise FailedError(f"{release.project}: there is no pyproject.toml")
    for name in GIT_PLACES:  # all that follows goes by folders
        os.environ.pop(name, None)
    git = ["git", "-C", str(release.project)]
    release.repository = Path(output([*git, "rev-parse", "--show-toplevel"])).resolve()
    if release.tag is None:
        changed = output(
            [*git, "-c", "core.quotePath=off", "status", "--porcelain", "--untracked-files=no"]
        )
        if changed:
            raise FailedError(
                f"{release.repository} has changes that no commit holds ({changed.splitlines()[0].strip()}); "
                "commit them, or name what to release with --tag"
            )
    release.commit = output([*git, "rev-parse", f"{release.tag or 'HEAD'}^{{commit}}"])
    release.epoch = output(
        [*git, "show", "-s", "--no-show-signature", "--format=%ct", release.commit]
    )
    os.environ["SOURCE_DATE_EPOCH"] = release.epoch


def build(release: Release) -> None:
    """The files exist: built from a clean clone, or fused from thin wheels."""
    make(release, release.dist)
    if not release.wheels:
        raise FailedError("no wheel was made")


def again(release: Release) -> None:
    """A second time, from another clean clone, the same bytes come out."""
    second = release.partial / "again"
    make(release, second)
    compare(release.dist, second)
    shutil.rmtree(second)
    release.reproduced = True


def names(release: Release) -> None:
    """All files are one project's and one version's, and the version is what the tag says."""
    found = {path.name: name_and_version(path) for path in release.files}
    if len(set(found.values())) > 1:
        listed = "; ".join(f"{file} is {name} {version}" for file, (name, version) in found.items())
        raise FailedError(f"the files are not of one release: {listed}")
    ((release.name, release.version),) = set(found.values())
    if release.commit:
        at_commit = output(
            ["git", "-C", str(release.repository), "tag", "--points-at", release.commit]
        ).split()
        tags = [release.tag] if release.tag is not None else at_commit
        fitting = [tag for tag in tags if is_tag_of(tag, release.version)]
        if tags and not fitting:
            raise FailedError(
                f"the tag is {', '.join(tags)} and the version {release.version}; correct one of them"
            )
        release.tag = fitting[0] if fitting else None
        if release.tag is None and Version(release.version).local is not None:
            raise FailedError(
                f"the version is {release.version}, and PyPI takes none with a +; where it is made from tags, this "
                "clone may lack them (git fetch --tags --unshallow), or the commit needs one"
            )


def check(release: Release) -> None:
    """`fatwheel check` finds no errors in universal2 wheels; every wheel agrees with its RECORD."""
    for wheel in release.wheels:
        if "universal2" in wheel.name:
            said = call([*fatwheel(), "check", "--json", str(wheel)], stdout=subprocess.PIPE)
            if not said.stdout:
                raise FailedError(f"fatwheel check gave up on {wheel.name}, for the reason above")
            (report,) = json.loads(said.stdout)["wheels"]
            release.findings[wheel.name] = report["findings"]
            if said.returncode:
                worst = next(f for f in report["findings"] if f["severity"] == "error")
                raise FailedError(f"{wheel.name}: {worst['code']} {worst['message']}")
        run([PYTHON, "-m", "wheel", "unpack", "-d", str(release.partial / "unpacked"), str(wheel)])
    shutil.rmtree(release.partial / "unpacked", ignore_errors=True)


def twine_check(release: Release) -> None:
    """An index will take the metadata and show the description."""
    run([PYTHON, "-m", "twine", "check", "--strict", *map(str, release.files)])


def upload(release: Release) -> None:
    """A package index on this machine takes the files, and pip gets from it what the tags promise and nothing else."""
    folder = release.partial / "index"
    folder.mkdir()
    try:
        with Index(folder, release.partial / "index.log") as index:
            index.upload(release.files)
            for path in release.files:
                if sha256(folder / path.name) != sha256(path):
                    raise FailedError(f"the index holds another {path.name} than was uploaded")
            for wheel in release.wheels:
                pythons = requires_python(wheel)
                for wanted in platforms_to_try(wheel.name):
                    index.try_to_download(release.name, release.version, wanted, pythons)
                    release.tried.append(wanted)
    except IndexFailedError as error:
        raise FailedError(str(error)) from None
    shutil.rmtree(folder)


def manifest(release: Release) -> None:
    """SHA256SUMS and the manifest say what was made of what."""
    sums = {path.name: sha256(path) for path in release.files}
    text = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    (release.partial / "SHA256SUMS").write_text(text, "utf-8")
    document = {
        "manifest": 1,
        "project": release.name,
        "version": release.version,
        "commit": release.commit or None,
        "tag": release.tag,
        "source_date_epoch": int(release.epoch) if release.epoch else None,
        "reproduced": release.reproduced,
        "tools": dict(sorted(release.tools.items())),
        "files": [
            {
                "name": path.name,
                "size": path.stat().st_size,
                "sha256": sums[path.name],
                **release.decided.get(path.name, {}),
                "findings": release.findings.get(path.name, []),
            }
            for path in release.files
        ],
        "downloads": [wanted.document() for wanted in release.tried],
    }
    (release.partial / MANIFEST).write_text(
        json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8"
    )


def publish(release: Release) -> None:
    """OUT holds the release, in place of an earlier one."""
    for leftover in ("source", "target"):
        shutil.rmtree(release.partial / leftover, ignore_errors=True)
    (release.partial / "index.log").unlink()
    earlier = release.partial / "earlier"
    if release.out.exists():
        release.out.rename(earlier)
    release.partial.rename(release.out)
    shutil.rmtree(release.out / "earlier", ignore_errors=True)
    (release.out / MARKER).unlink()


STEPS: Sequence[tuple[str, Callable[[Release], None]]] = (
    ("tools", tools),
    ("source", source),
    ("build", build),
    ("again", again),
    ("names", names),
    ("check", check),
    ("twine-check", twine_check),
    ("upload", upload),
    ("manifest", manifest),
    ("publish", publish),
)


# --- how they are done


def make(release: Release, dist: Path) -> None:
    """Fill the folder `dist` with what is to be released."""
    if release.thin:
        release.decided |= fuse_thin(release.project, release.thin, release.expect, dist)
        return
    clone, target = release.partial / "source", release.partial / "target"
    for folder in (clone, target):
        shutil.rmtree(folder, ignore_errors=True)
    clone_commit(release.repository, release.commit, clone)
    project = clone / release.project.relative_to(release.repository)
    release.decided |= build_project(project, target, release.maturin, dist)


def name_and_version(path: Path) -> tuple[str, str]:
    """Return the project and version in a file's name."""
    try:
        if path.suffix == ".whl":
            name, version, _, _ = parse_wheel_filename(path.name)
        else:
            name, version = parse_sdist_filename(path.name)
    except (InvalidSdistFilename, InvalidWheelFilename):
        raise FailedError(
            f"{path.name} is no name of a wheel or of an sdist; no index takes it"
        ) from None
    return name, str(version)


def requires_python(wheel: Path) -> str:
    """Return the wheel's Requires-Python, empty where it has none."""
    with ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.count("/") == 1 and name.endswith(".dist-info/METADATA"):
                return parse_email(archive.read(name))[0].get("requires_python", "")
    return ""


def is_tag_of(tag: str, version: str) -> bool:
    """Return whether a tag such as `v1.0` or `pkg-1.0` ends in the version, however that is spelled."""
    for match in re.finditer(r"(?<![\d.])\d", tag):
        try:
            if Version(tag[match.start() :]) == Version(version):
                return True
        except InvalidVersion:
            continue
    return False


# --- the command line


def start_clean(release: Release) -> None:
    """Remove what an earlier run left; refuse to touch a folder that is no release."""
    out = release.out
    if os.path.ismount(out):
        raise FailedError(
            f"{out} is a mount point, which cannot be replaced; name a folder inside it"
        )
    for folder in release.thin:
        if out.is_relative_to(folder) or folder.is_relative_to(release.partial):
            raise FailedError(
                f"{out} lies in {folder}, and its own files would be taken for thin wheels; name another folder"
            )
    empty = out.is_dir() and not any(out.iterdir())
    if out.exists() and not empty and not (out / MANIFEST).is_file():
        raise FailedError(f"{out} exists and is no earlier release; name another folder")
    if release.partial.exists():
        if not (release.partial / MARKER).is_file():
            raise FailedError(f"{release.partial} is in the way; remove it")
        with (release.partial / MARKER).open("r+", encoding="utf-8") as marker:
            if not lock(marker):
                raise FailedError(
                    f"another run is at work in {release.partial}; wait for it, or name another folder"
                )
        shutil.rmtree(release.partial)
    release.partial.mkdir(parents=True)
    release.lock = (release.partial / MARKER).open("w", encoding="utf-8")
    release.lock.write("an unfinished release of release.py, which the next run removes\n")
    release.lock.flush()
    lock(release.lock)


def lock(file: IO[str]) -> bool:
    """Return whether no other process has locked the file; this one has it then until it ends."""
    try:
        import fcntl
    except ModuleNotFoundError:  # on Windows; there, files in use cannot be removed anyway
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def parse(arguments: Sequence[str]) -> Release:
    """Return the release that a command line asks for."""
    lines = (__doc__ or "").splitlines()
    parser = argparse.ArgumentParser(
        prog="release",
        description="\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("project", type=Path, nargs="?", default=Path())
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the release")
    parser.add_argument("--tag", help="release this tag's commit  [default: HEAD]")
    parser.add_argument(
        "--thin", type=Path, action="append", default=[], help="folder of thin wheels; repeatable"
    )
    parser.add_argument("--expect", help="as for fatwheel fuse; with --thin")
    parser.add_argument("--once", action="store_true", help="do not build a second time to compare")
    before, separator, after = split_at_dashes(arguments)
    given = parser.parse_args(before)
    if given.expect is not None and not given.thin:
        parser.error("--expect is for --thin: what is built here is counted by the build")
    if separator and given.thin:
        parser.error("arguments after -- are for a build, and --thin builds nothing")
    if not given.out.resolve().name:
        parser.error(f"-o {given.out} is no folder that could be made")
    expect = given.expect
    if expect is not None and not expect.isdigit():
        expect = str(Path(expect).resolve())
    return Release(
        project=given.project.resolve(),
        out=given.out.resolve(),
        tag=given.tag,
        thin=[folder.resolve() for folder in given.thin],
        expect=expect,
        once=given.once,
        maturin=after,
    )


def split_at_dashes(arguments: Sequence[str]) -> tuple[list[str], bool, list[str]]:
    """Return what stands before the first `--`, whether there is one, and what stands behind it."""
    given = list(arguments)
    if "--" not in given:
        return given, False, []
    place = given.index("--")
    return given[:place], True, given[place + 1 :]


def say(line: str) -> None:
    """Report to standard error."""
    print(f"release: {line}", file=sys.stderr, flush=True)


def interrupt(number: int, _frame: object) -> NoReturn:
    """Handle a signal as Python handles Ctrl-C."""
    raise KeyboardInterrupt(number)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Make a release; print its folder."""
    release = parse(sys.argv[1:] if arguments is None else arguments)
    os.umask(0o022)
    name = "start"
    try:
        start_clean(release)
        # Where nothing lies that `python -m` could take for the module it is to run.
        os.chdir(release.partial)
        steps = [(n, step) for n, step in STEPS if not (release.once and step is again)]
        for number, (name, step) in enumerate(steps, 1):
            purpose = (step.__doc__ or "no docstrings with -OO").splitlines()[0]
            say(f"[{number}/{len(steps)}] {name}: {purpose}")
            step(release)
    except (FailedError, OSError, UnicodeError) as error:
        say(f"step {name} failed: {error}")
        if release.lock is not None:
            say(f"what was made is in {release.partial}; the next run starts clean")
        sys.exit(1)
    except KeyboardInterrupt as signalled:
        say(f"interrupted in step {name}; the next run starts clean")
        sys.exit(128 + (signalled.args[0] if signalled.args else signal.SIGINT))
    finally:
        if release.lock is not None:
            release.lock.close()
    say(
        f"{release.name} {release.version}: {len(list(release.out.glob('dist/*')))} files; upload them with"
    )
    say(f"  twine upload {shlex.quote(str(release.out))}/dist/*")
    print(release.out)
    sys.exit(0)


if __name__ == "__main__":
    for stop in ("SIGTERM", "SIGHUP"):  # as an interrupt: what was started is ended, the index too
        if hasattr(signal, stop):
            signal.signal(getattr(signal, stop), interrupt)
    main()
