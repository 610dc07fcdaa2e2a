"""The steps of a release, each of which passes or says why not; what a step is for is the first line of its text."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from packaging.version import Version

from fatwheel.releasing import folder
from fatwheel.releasing.compare import compare, sha256
from fatwheel.releasing.files import is_tag_of, name_and_version, requires_python
from fatwheel.releasing.index import Index
from fatwheel.releasing.make import build_project, fuse_thin
from fatwheel.releasing.platforms import platforms_to_try
from fatwheel.releasing.programs import PYTHON, FailedError, call, module, output, run
from fatwheel.releasing.release import Release
from fatwheel.releasing.source import clone_commit

__all__ = ["STEPS", "again"]

PACKAGES = ("build", "fatwheel", "packaging", "pip", "pypiserver", "twine", "wheel")
VERSIONS = """\
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found[name] = None
print(json.dumps(found))
"""
TWINE_WANTS = (
    (
        "`long_description` missing",
        "it has no description to show; name a README in pyproject.toml, below [project]: readme = 'README.md'",
    ),
    (
        "`long_description` has syntax errors",
        "its description cannot be shown, for the reason above; correct the README",
    ),
    (
        "`long_description_content_type` missing",
        "nothing says what its description is written in; let [project] readme name a file that ends in .md or .rst",
    ),
)
"""What twine says of metadata, and what it wants; the first that fits counts."""
COMPILERS = ("maturin", "cargo", "rustc", "zig")
GIT_PLACES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
)
"""By which git tells a hook what repository it is in."""


def tools(release: Release) -> None:
    """Everything that later steps call is there, and its version is known."""
    found = json.loads(output([PYTHON, "-I", "-c", VERSIONS, *PACKAGES]))
    missing = [package for package, version in found.items() if version is None]
    if missing:
        raise FailedError(
            f"{PYTHON} lacks {', '.join(missing)}; install {'it' if len(missing) == 1 else 'them'}: "
            f"pip install {' '.join(missing)}, or 'fatwheel[release]'"
        )
    release.tools |= found
    release.tools["git"] = output(["git", "--version"]).removeprefix("git version ")
    release.tools["python"] = "{}.{}.{}".format(*sys.version_info[:3])
    doctor = json.loads(output([*module("fatwheel"), "doctor", "--json"]))
    for tool in doctor["tools"]:
        if tool["name"] in COMPILERS and tool["found"] is not None:
            release.tools[tool["name"]] = tool["found"].partition(",")[0]  # the rest is where it is


def source(release: Release) -> None:
    """The commit is known, and without a tag it holds all changes."""
    for name in GIT_PLACES:  # all that follows goes by folders
        os.environ.pop(name, None)
    git = ["git", "-C", str(release.project)]
    asked = call([*git, "rev-parse", "--show-toplevel"], stdout=subprocess.PIPE)
    if asked.returncode:
        raise FailedError(f"{release.project} lies in no repository that git can read")
    release.repository = Path(asked.stdout.rstrip("\n")).resolve()
    if release.tag is not None:
        commit = f"refs/tags/{release.tag}^{{commit}}"  # a branch is none, whatever its name
        if call(
            [*git, "rev-parse", "--quiet", "--verify", commit], stdout=subprocess.DEVNULL
        ).returncode:
            raise FailedError(
                f"{release.repository} has no tag {release.tag}; git fetch --tags brings those that others made"
            )
    else:
        commit = "HEAD^{commit}"
        changed = output(
            [*git, "-c", "core.quotePath=off", "status", "--porcelain", "--untracked-files=no"]
        )
        if changed:
            raise FailedError(
                f"{release.repository} has changes that no commit holds ({changed.splitlines()[0].strip()}); "
                "commit them, or name what to release with --tag"
            )
    release.commit = output([*git, "rev-parse", commit])
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
            said = call(
                [*module("fatwheel"), "check", "--universal2", "--json", str(wheel)],
                stdout=subprocess.PIPE,
            )
            if not said.stdout:
                raise FailedError(f"fatwheel check gave up on {wheel.name}, for the reason above")
            (report,) = json.loads(said.stdout)["wheels"]
            release.findings[wheel.name] = report["findings"]
            if said.returncode:
                worst = next(f for f in report["findings"] if f["severity"] == "error")
                raise FailedError(f"{wheel.name}: {worst['code']} {worst['message']}")
        run([*module("wheel"), "unpack", "-d", str(release.partial / "unpacked"), str(wheel)])
    shutil.rmtree(release.partial / "unpacked", ignore_errors=True)


def twine_check(release: Release) -> None:
    """An index will take the metadata and show the description."""
    command = [*module("twine"), "check", "--strict", *map(str, release.files)]
    done = call(command, stdout=subprocess.PIPE)
    sys.stderr.write(done.stdout)
    if done.returncode:
        wants = [hint for said, hint in TWINE_WANTS if said in done.stdout]
        what = f": {wants[0]}" if wants else ", for the reason above"
        raise FailedError(f"twine check --strict refuses {release.name} {release.version}{what}")


def upload(release: Release) -> None:
    """A package index on this machine takes the files, and pip gets from it what the tags promise and nothing else."""
    served = release.partial / "index"
    served.mkdir()
    with Index(served, release.partial / "index.log") as index:
        index.upload(release.files)
        for path in release.files:
            if sha256(served / path.name) != sha256(path):
                raise FailedError(f"the index holds another {path.name} than was uploaded")
        for wheel in release.wheels:
            pythons = requires_python(wheel)
            for wanted in platforms_to_try(wheel.name):
                index.try_to_download(release.name, release.version, wanted, pythons)
                release.tried.append(wanted)
    shutil.rmtree(served)


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
    (release.partial / folder.MANIFEST).write_text(
        json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8"
    )


def publish(release: Release) -> None:
    """The folder gets its name."""
    folder.publish(release)


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
    """Fill the folder `dist` with what is to be released, by what a clone of the commit holds and nothing else."""
    clone = release.sources
    if clone.is_relative_to(release.repository):
        raise FailedError(
            f"{clone}, where the commit is cloned to, lies in {release.repository}, whose settings cargo would read; "
            "name another cache folder (XDG_CACHE_HOME)"
        )
    target = release.partial / "target"
    for earlier in (clone, target):
        shutil.rmtree(earlier, ignore_errors=True)
    clone_commit(release.repository, release.commit, clone)
    project = clone / release.project.relative_to(release.repository)
    if not (project / "pyproject.toml").is_file():
        raise FailedError("the commit has no pyproject.toml in the project's folder")
    if release.thin:
        expect = expectation(release, clone)
        release.decided |= fuse_thin(project, release.thin, expect, dist)
    else:
        release.decided |= build_project(project, target, release.maturin, dist)


def expectation(release: Release, clone: Path) -> str | None:
    """Return what is expected: a number, or a list's file, which is the commit's where it lies in the repository."""
    expect = release.expect
    if expect is None or expect.isdigit():
        return expect
    listed = Path(expect)
    if not listed.is_relative_to(release.repository):
        return expect
    name = listed.relative_to(release.repository)
    if not (clone / name).is_file():
        raise FailedError(
            f"the commit has no {name}, which --expect names; commit it, or keep it outside of the repository"
        )
    return str(clone / name)
