"""`fatwheel release`: from a commit to checked release files, against a real index on this machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from fatwheel.cli.main import main
from fatwheel.cli.release import asked_for
from fatwheel.releasing import steps
from fatwheel.releasing.compare import compare
from fatwheel.releasing.files import is_tag_of
from fatwheel.releasing.platforms import platforms_to_try
from fatwheel.releasing.programs import FailedError
from tests.support.corpus import ROOT, SMALL_PAIR
from tests.support.hostile import assert_nothing_ran, hostile
from tests.support.projects import build_environment, copy_project, require_rust
from tests.support.required import require_tool, unavailable
from tests.support.wheels import A, X, code, make_pair, make_wheel

SCRIPTS = ROOT / "scripts"
STEPS = [name for name, _ in steps.STEPS]
BACKEND = '''
"""A build backend in the project itself: its wheel's platform and content are its settings'."""
import io, tarfile, time, zipfile
from pathlib import Path

def build_wheel(folder, config_settings=None, metadata_directory=None):
    from settings import TAG, DESCRIPTION, CONTENT
    name = f"toy-1.0-{TAG}.whl"
    info = "toy-1.0.dist-info"
    members = {
        "toy.py": CONTENT(),
        f"{info}/METADATA": "Metadata-Version: 2.1\\nName: toy\\nVersion: 1.0\\n" + DESCRIPTION,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\\nGenerator: toy\\nRoot-Is-Purelib: true\\nTag: {TAG}\\n",
    }
    with zipfile.ZipFile(Path(folder, name), "w") as archive:
        import base64, hashlib
        record = ""
        for member, text in members.items():
            archive.writestr(zipfile.ZipInfo(member), text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{member},sha256={digest},{len(text)}\\n"
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), record + f"{info}/RECORD,,\\n")
    return name

def build_sdist(folder, config_settings=None):
    import gzip
    from settings import DESCRIPTION
    name = "toy-1.0.tar.gz"
    with gzip.GzipFile(Path(folder, name), "wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        files = {"PKG-INFO": "Metadata-Version: 2.1\\nName: toy\\nVersion: 1.0\\n" + DESCRIPTION}
        files |= {path.name: path.read_text() for path in sorted(Path().iterdir()) if path.is_file()}
        for file, text in files.items():
            entry = tarfile.TarInfo(f"toy-1.0/{file}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return name
'''
DESCRIPTION = "Description-Content-Type: text/markdown\\n\\nA toy.\\n"


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, "-C", str(folder), *arguments]
    # Not the repository whose hook runs these tests.
    environ = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    subprocess.run(command, check=True, capture_output=True, env=environ)


def commit(folder: Path, *tags: str) -> Path:
    """Make the folder a repository with all its files in one commit."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "release")
    for tag in tags:
        git(folder, "tag", tag)
    return folder


def toy(
    tmp_path: Path,
    *tags: str,
    tag: str = "py3-none-any",
    description: str = DESCRIPTION,
    content: str = "'x = 1'",
) -> Path:
    """Return a repository of a project that any Python builds without downloading anything."""
    project = tmp_path / "toy"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (project / "backend.py").write_text(BACKEND)
    (project / "settings.py").write_text(
        f'import time\nTAG = "{tag}"\nDESCRIPTION = "{description}"\nCONTENT = lambda: {content}\n'
    )
    return commit(project, *tags)


def thin_project(tmp_path: Path, *tags: str) -> tuple[Path, list[str]]:
    """Return a repository of settings alone, and the options that name two runners' folders of thin wheels."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("")
    options = []
    for side, wheel in zip(("intel", "arm"), SMALL_PAIR, strict=True):
        (tmp_path / side).mkdir()
        shutil.copy(wheel, tmp_path / side)
        options += ["--thin", str(tmp_path / side)]
    return commit(project, *tags), options


def run(
    *arguments: object,
    program: Sequence[object] = (sys.executable, "-I", "-m", "fatwheel", "release"),
    cwd: Path | None = None,
    **environ: str,
) -> subprocess.CompletedProcess[str]:
    for package in ("build", "pypiserver", "twine"):
        if find_spec(package) is None:
            unavailable(f"the package {package}", "scripts/setup installs it")
    require_tool("git", "apt-get install git")
    return subprocess.run(
        [*map(str, program), *map(str, arguments)],
        cwd=cwd,
        env=build_environment(**environ),
        capture_output=True,
        text=True,
        check=False,
    )


def sources_of(out: Path) -> Path:
    """Return where a release into this folder has its clone."""
    return asked_for(
        project=Path(), folder=out, tag=None, thin=(), expect=None, once=False, maturin=None
    ).sources


def manifest(out: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((out / "release.json").read_text("utf-8"))
    return document


def assert_complete(out: Path) -> None:
    """The folder holds a whole release and nothing besides."""
    assert sorted(path.name for path in out.iterdir()) == ["SHA256SUMS", "dist", "release.json"]
    sums = ["sha256sum", "--check", "--strict", "--quiet", "../SHA256SUMS"]
    subprocess.run(sums, cwd=out / "dist", check=True)
    names = [file["name"] for file in manifest(out)["files"]]
    assert names == sorted(path.name for path in (out / "dist").iterdir())
    assert not out.with_name(f"{out.name}.partial").exists()


def assert_stopped(done: subprocess.CompletedProcess[str], step: str, out: Path, why: str) -> None:
    """The run failed in `step`, said why in one sentence, went no further, and made no release."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("release: step ")]
    (line,) = lines
    assert line.startswith(f"release: step {step} failed: ")
    assert why in line
    assert done.stdout == ""
    assert not out.exists()
    after = STEPS[STEPS.index(step) + 1 :] if step in STEPS else STEPS
    assert not [name for name in after if f"] {name}: " in done.stderr]


@pytest.mark.parametrize("name", ["abi3", "each"])
def test_a_maturin_project_from_the_tag_to_the_manifest(name: str, tmp_path: Path) -> None:
    require_rust()
    project = commit(copy_project(name, tmp_path), "v0.1.0")
    out = tmp_path / "out"
    done = run(project, "-o", out, "--", "--locked")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out}\n"
    assert_complete(out)
    said = manifest(out)
    assert (said["project"], said["version"], said["tag"]) == (f"fixture-{name}", "0.1.0", "v0.1.0")
    assert said["reproduced"] is True
    assert {"fatwheel", "maturin", "rustc", "zig", "twine", "pypiserver"} <= set(said["tools"])
    wheel, sdist = said["files"]
    assert "universal2" in wheel["name"]
    assert sdist["name"].endswith(".tar.gz")
    assert set(wheel["inputs"]) == {"x86_64", "arm64"}
    assert wheel["members"]["fuse"] == 1
    machines = {(tried["platform"], tried["picked"]) for tried in said["downloads"]}
    assert (
        machines
        == {
            "abi3": {
                ("macosx_10_12_x86_64", True),
                ("macosx_10_11_x86_64", False),
                ("macosx_11_0_arm64", True),
            },
            "each": {
                ("macosx_10_15_x86_64", True),
                ("macosx_10_14_x86_64", False),
                ("macosx_12_0_arm64", True),
                ("macosx_11_0_arm64", False),
            },
        }[name]
    )


def test_fatwheel_itself(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        unavailable("fatwheel's repository", "run the tests in a clone of it")
    subprocess.run(
        ["git", "clone", "--quiet", "--no-tags", ROOT, tmp_path / "fatwheel"], check=True
    )
    out = tmp_path / "out"
    done = run(tmp_path / "fatwheel", "-o", out)
    assert done.returncode == 0, done.stderr
    assert_complete(out)
    wheel, sdist = manifest(out)["files"]
    assert wheel["name"].endswith("-py3-none-any.whl")
    assert sdist["name"].endswith(".tar.gz")
    assert manifest(out)["reproduced"] is True
    assert len(manifest(out)["downloads"]) == 4


def test_thin_wheels_of_two_runners(tmp_path: Path) -> None:
    project, thin = thin_project(tmp_path, "3.0.4")
    options: Any = {"name": "markupsafe", "version": "3.0.4", "purelib": True}
    files = {"markupsafe/__init__.py": b""}
    make_wheel(tmp_path / "intel", "any", files, python="py3", abi="none", **options)
    make_wheel(tmp_path / "intel", "manylinux_2_28_x86_64", files, **options)
    shutil.copy(tmp_path / "intel" / "markupsafe-3.0.4-py3-none-any.whl", tmp_path / "arm")
    for side in ("intel", "arm"):  # what both runners made and is the same is one file
        (tmp_path / side / "notes.txt").write_text("no release file")
    out = tmp_path / "out"
    done = run(project, "-o", out, *thin, "--expect", "1")
    # A made-up wheel has no description.
    assert_stopped(
        done, "twine-check", out, "refuses markupsafe 3.0.4: it has no description to show"
    )
    for side in ("intel", "arm"):
        for path in (tmp_path / side).glob("*"):
            if "macosx" not in path.name:
                path.unlink()
    done = run(project, "-o", out, *thin, "--expect", "1")
    assert done.returncode == 0, done.stderr
    assert_complete(out)
    first = (out / "release.json").read_bytes()
    said = manifest(out)
    assert [file["name"] for file in said["files"]] == [
        "markupsafe-3.0.4-cp312-cp312-macosx_10_13_universal2.whl"
    ]
    assert said["files"][0]["inputs"]["x86_64"]["filename"] == SMALL_PAIR[0].name
    # Run again, the earlier release is replaced by the same one.
    (out / "dist" / "left.whl").write_bytes(b"")
    done = run(project, "-o", out, *thin, "--expect", "1")
    assert done.returncode == 0, done.stderr
    assert_complete(out)
    assert (out / "release.json").read_bytes() == first


def test_both_halves_may_have_the_same_name(tmp_path: Path) -> None:
    project, _ = thin_project(tmp_path)
    name = "toy-1.0-cp312-cp312-macosx_10_13_universal2.whl"
    for side, arch in (("a", X), ("b", A)):
        make_wheel(tmp_path / side, "macosx_10_13_universal2", {"toy.so": code(arch)}, name="toy")
    out = tmp_path / "out"
    done = run(
        project, "-o", out, "--thin", tmp_path / "a", "--thin", tmp_path / "b", "--expect", "1"
    )
    assert (
        "step twine-check failed" in done.stderr
    )  # it was fused and checked; it has no description
    with zipfile.ZipFile(tmp_path / "out.partial" / "dist" / name) as archive:
        assert archive.read("toy.so")[:4] == b"\xca\xfe\xba\xbe"


def broken_source(tmp_path: Path) -> list[object]:
    project = toy(tmp_path)
    (project / "settings.py").write_text("changed")
    return [project]


def no_repository(tmp_path: Path) -> list[object]:
    project = toy(tmp_path)
    shutil.rmtree(project / ".git")
    return [project]


def no_such_tag(tmp_path: Path) -> list[object]:
    return [toy(tmp_path), "--tag", "v9"]


def a_branch_for_a_tag(tmp_path: Path) -> list[object]:
    project = toy(tmp_path)
    git(project, "branch", "v1.0")
    return [project, "--tag", "v1.0"]


def no_folder(tmp_path: Path) -> list[object]:
    return [tmp_path / "nowhere"]


def a_list_that_no_commit_holds(tmp_path: Path) -> list[object]:
    project, thin = thin_project(tmp_path)
    (project / "expected.txt").write_text("markupsafe*\n")
    return [project, *thin, "--expect", project / "expected.txt"]


def one_is_missing(tmp_path: Path) -> list[object]:
    project, thin = thin_project(tmp_path)
    return [project, *thin, "--expect", "2"]


def damaged(tmp_path: Path) -> list[object]:
    project, thin = thin_project(tmp_path)
    (wheel,) = (tmp_path / "intel").iterdir()
    wheel.write_bytes(wheel.read_bytes()[:-30])
    return [project, *thin]


def in_conflict(tmp_path: Path) -> list[object]:
    project, _ = thin_project(tmp_path)
    make_pair(tmp_path / "pair", {"a.txt": b"1"}, {"a.txt": b"2"})
    return [project, "--thin", tmp_path / "pair"]


def no_partner(tmp_path: Path) -> list[object]:
    project, thin = thin_project(tmp_path)
    make_wheel(tmp_path / "arm", "macosx_11_0_arm64", {"toy.so": code(A)}, name="toy")
    return [project, *thin]


def arguments_for_no_maturin(tmp_path: Path) -> list[object]:
    return [toy(tmp_path), "--", "--locked"]


def never_the_same(tmp_path: Path) -> list[object]:
    return [toy(tmp_path, content="f'x = {time.time_ns()}'")]


def another_version(tmp_path: Path) -> list[object]:
    return [toy(tmp_path, "v1.1"), "--once"]


def no_platform(tmp_path: Path) -> list[object]:
    return [toy(tmp_path, tag="cp312-cp312-macosx_12_3_universal2"), "--once"]


def no_description(tmp_path: Path) -> list[object]:
    return [toy(tmp_path, description=""), "--once"]


def a_local_version(tmp_path: Path) -> list[object]:
    project = toy(tmp_path)
    backend = project / "backend.py"
    backend.write_text(backend.read_text().replace("1.0", "1.0+g123"))
    git(project, "commit", "--all", "--quiet", "--message", "after the release")
    return [project, "--once"]


def no_toml(tmp_path: Path) -> list[object]:
    project = toy(tmp_path)
    (project / "pyproject.toml").write_text("a = [")
    git(project, "commit", "--all", "--quiet", "--message", "half a list")
    return [project]


def no_table(tmp_path: Path) -> list[object]:
    project = toy(tmp_path)
    (project / "pyproject.toml").write_text("build-system = 3")
    git(project, "commit", "--all", "--quiet", "--message", "a number")
    return [project]


def not_in_the_commit(tmp_path: Path) -> list[object]:
    project = toy(tmp_path, "v1.0")
    git(project, "rm", "--quiet", "--cached", "pyproject.toml")
    git(project, "commit", "--quiet", "--message", "without")
    return [project]


def something_else_among_the_thin_wheels(tmp_path: Path) -> list[object]:
    project, thin = thin_project(tmp_path)
    (tmp_path / "arm" / "logs.tar.gz").write_bytes(b"")
    return [project, *thin]


def in_a_folder_of_thin_wheels(tmp_path: Path) -> list[object]:
    project, thin = thin_project(tmp_path)
    return [project, *thin, "--thin", tmp_path]


def for_another_python(tmp_path: Path) -> list[object]:
    newer = "Requires-Python: >=3.13\\n" + DESCRIPTION
    return [toy(tmp_path, tag="cp312-none-any", description=newer), "--once"]


@pytest.mark.parametrize(
    ("arrange", "step", "why"),
    [
        (broken_source, "source", "has changes that no commit holds (M settings.py)"),
        (no_repository, "source", "toy lies in no repository that git can read"),
        (no_such_tag, "source", "toy has no tag v9; git fetch --tags brings"),
        (a_branch_for_a_tag, "source", "toy has no tag v1.0"),
        (no_folder, "source", "nowhere lies in no repository that git can read"),
        (a_list_that_no_commit_holds, "build", "the commit has no expected.txt, which --expect"),
        (one_is_missing, "build", "2 universal2 wheels expected, and the wheels given make 1"),
        (damaged, "build", "is truncated or no zip archive"),
        (in_conflict, "build", "conflict"),
        (no_partner, "build", "has no partner"),
        (arguments_for_no_maturin, "build", "not maturin"),
        (never_the_same, "again", "what differs: toy-1.0.dist-info/RECORD, toy.py"),
        (another_version, "names", "the tag is v1.1 and the version 1.0"),
        (a_local_version, "names", "the version is 1.0+g123, and PyPI takes none with a +"),
        (no_toml, "build", "the commit's pyproject.toml is no TOML: "),
        (no_table, "build", "the commit's pyproject.toml has a build-system that is no table"),
        (not_in_the_commit, "build", "the commit has no pyproject.toml in the project's folder"),
        (something_else_among_the_thin_wheels, "names", "logs.tar.gz is no name of a wheel"),
        (in_a_folder_of_thin_wheels, "start", "its own files would be taken for thin wheels"),
        (no_platform, "check", "FW"),
        (no_description, "twine-check", "it has no description to show; name a README"),
        (for_another_python, "upload", "pip failed for macosx_11_0_arm64 with cp312-none: "),
    ],
)
def test_a_step_that_fails_stops_it(
    tmp_path: Path, arrange: Callable[[Path], list[object]], step: str, why: str
) -> None:
    out = tmp_path / "out"
    done = run("-o", out, *arrange(tmp_path))
    assert_stopped(done, step, out, why)


def test_what_failed_is_left_for_a_look_and_the_next_run_starts_clean(tmp_path: Path) -> None:
    project = toy(tmp_path, description="")
    out = tmp_path / "out"
    assert_stopped(run(project, "-o", out, "--once"), "twine-check", out, "twine")
    partial = tmp_path / "out.partial"
    assert (partial / "dist" / "toy-1.0-py3-none-any.whl").is_file()
    (partial / "dist" / "toy-0.9-py3-none-any.whl").write_bytes(b"from an earlier run")
    settings = project / "settings.py"
    settings.write_text(settings.read_text().replace('""', f'"{DESCRIPTION}"'))
    git(project, "commit", "--all", "--quiet", "--message", "with a description")
    done = run(project, "-o", out, "--once")
    assert done.returncode == 0, done.stderr
    assert_complete(out)
    assert manifest(out)["reproduced"] is None
    assert "] again: " not in done.stderr


@pytest.mark.parametrize("name", ["out", "out.partial"])
def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.txt").write_text("years of work")
    done = run(toy(tmp_path), "-o", tmp_path / "out")
    assert done.returncode == 1
    assert "release: step start failed: " in done.stderr
    assert [path.name for path in (tmp_path / name).iterdir()] == ["thesis.txt"]


def endless(tmp_path: Path) -> tuple[Path, str]:
    """Return a file, and a toy's content that writes the building process's number there and never ends."""
    file = tmp_path / "process"
    write = f"__import__('pathlib').Path({str(file)!r}).write_text(str(__import__('os').getpid()))"
    return file, f"({write}, time.sleep(600))"


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", "-m", "fatwheel", "release", *map(str, arguments)],
        env=build_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(happens: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < until
        time.sleep(0.05)


def is_at_work(process: int) -> bool:
    try:
        state = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=True
        ).stdout
    except subprocess.CalledProcessError:
        return False
    return not state.startswith("Z")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_stopped_leaves_no_release_and_nothing_at_work(
    number: signal.Signals, tmp_path: Path
) -> None:
    file, content = endless(tmp_path)
    out = tmp_path / "out"
    with start(toy(tmp_path, content=content), "-o", out) as process:
        wait_for(lambda: file.is_file() and file.read_text() != "")
        process.send_signal(number)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "release: interrupted in step build; the next run starts clean" in said
    assert "Traceback" not in said.partition("release: interrupted")[2]
    assert not out.exists()
    wait_for(lambda: not is_at_work(int(file.read_text())))


def test_the_index_is_stopped_as_well(tmp_path: Path) -> None:
    with start(toy(tmp_path), "-o", tmp_path / "out", "--once") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("Uploading toy-1.0.tar.gz"):
                break
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "release: interrupted in step upload; the next run starts clean" in said
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert not [line for line in listed.stdout.splitlines() if str(tmp_path) in line]


def test_a_second_run_leaves_the_first_alone(tmp_path: Path) -> None:
    file, content = endless(tmp_path)
    project, out = toy(tmp_path, content=content), tmp_path / "out"
    with start(project, "-o", out) as first:
        wait_for(file.is_file)
        assert_stopped(run(project, "-o", out), "start", out, "another run is at work in ")
        sources = sources_of(out)
        assert (sources / "pyproject.toml").is_file()
        first.terminate()
        first.communicate(timeout=120)
        assert not sources.exists()
    settings = project / "settings.py"
    settings.write_text(settings.read_text().replace(content, "''"))
    git(project, "commit", "--all", "--quiet", "--message", "faster")
    done = run(project, "-o", out, "--once")
    assert done.returncode == 0, done.stderr


def test_a_mount_point_cannot_be_replaced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda path: path == tmp_path / "out")
    with pytest.raises(SystemExit) as caught:
        main(["release", str(tmp_path), "-o", str(tmp_path / "out")])
    assert caught.value.code == 1
    assert "is a mount point, which cannot be replaced" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "tag", ["py3-none-any", "py2.py3-none-any", "cp39-abi3-manylinux_2_17_x86_64"]
)
def test_pip_looks_with_a_python_that_the_wheel_is_for(tag: str, tmp_path: Path) -> None:
    """Neither with the one that runs here, nor with the tag's own, which the metadata may have left behind."""
    newer = "Requires-Python: >=3.31.2, <4\\n" + DESCRIPTION
    out = tmp_path / "out"
    done = run(toy(tmp_path, tag=tag, description=newer), "-o", out, "--once")
    assert done.returncode == 0, done.stderr
    assert all(tried["picked"] for tried in manifest(out)["downloads"])


def test_submodules_come_from_the_work_tree_or_from_where_the_project_does(tmp_path: Path) -> None:
    library = tmp_path / "host" / "library"
    library.mkdir(parents=True)
    (library / "library.py").write_text("x = 1")
    commit(library)
    git(toy(tmp_path), "clone", "--quiet", str(tmp_path / "toy"), str(tmp_path / "host" / "toy"))
    hosted = tmp_path / "host" / "toy"
    git(hosted, "remote", "remove", "origin")
    git(hosted, "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", "../library")
    git(hosted, "commit", "--quiet", "--message", "with a library")
    work, out = tmp_path / "work" / "toy", tmp_path / "out"
    git(hosted, "clone", "--quiet", str(hosted), str(work))
    done = run(
        work,
        *("-o", out, "--once"),
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0="protocol.file.allow",
        GIT_CONFIG_VALUE_0="always",
    )
    assert done.returncode == 0, done.stderr
    git(work, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init")
    shutil.rmtree(library)
    done = run(work, "-o", out, "--once")
    assert done.returncode == 0, done.stderr


def test_a_hooks_repository_is_not_taken_for_the_projects(tmp_path: Path) -> None:
    project, out = toy(tmp_path), tmp_path / "out"
    done = run(project, "-o", out, "--once", GIT_DIR=str(tmp_path / "none"))
    assert done.returncode == 0, done.stderr


def test_a_folder_with_a_blank_an_umlaut_and_no_docstrings(tmp_path: Path) -> None:
    project, thin = thin_project(tmp_path)
    out = tmp_path / "out ü"
    without_docstrings = [sys.executable, "-IOO", "-m", "fatwheel", "release"]
    done = run(project, "-o", out, *thin, program=without_docstrings, LC_ALL="C")
    assert done.returncode == 0, done.stderr
    assert f"  twine upload '{out}'/dist/*\n" in done.stderr
    assert_complete(out)


def test_a_repository_with_modules_of_its_own(tmp_path: Path) -> None:
    project, thin = thin_project(tmp_path, "3.0.4")
    hostile(project)
    out = project / "out"
    done = run("-o", out, "--tag", "3.0.4", *thin, cwd=project)
    assert_nothing_ran(project)
    assert done.returncode == 0, done.stderr
    assert_complete(out)
    assert f"release: {out} holds markupsafe 3.0.4\n" in done.stderr
    done = run("-o", out, "--tag", "3.0.4", "--once", *thin, cwd=project)
    assert f"release: {out} holds markupsafe 3.0.4, in place of an earlier release\n" in done.stderr


def rules_for(action: str) -> str:
    return f'[tool.fatwheel.rules]\n"a.txt" = "{action}"\n'


def conflicting(tmp_path: Path, settings: str) -> tuple[Path, list[object]]:
    """Return a repository with a tag, in which the settings lie, and the options for two wheels in conflict."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(settings)
    make_pair(tmp_path / "pair", {"a.txt": b"1"}, {"a.txt": b"2"})
    commit(project, "1.0")
    return project, ["--tag", "1.0", "--thin", tmp_path / "pair", "--once"]


def test_rules_that_no_commit_holds_settle_nothing(tmp_path: Path) -> None:
    project, options = conflicting(tmp_path, "")
    (project / "pyproject.toml").write_text(rules_for("keep-arm64"))
    done = run(project, "-o", tmp_path / "out", *options)
    assert_stopped(done, "build", tmp_path / "out", "conflict")


def test_a_tag_is_released_by_its_own_rules(tmp_path: Path) -> None:
    project, options = conflicting(tmp_path, rules_for("keep-arm64"))
    (project / "pyproject.toml").write_text(rules_for("keep-x86_64"))
    git(project, "commit", "--all", "--quiet", "--message", "other rules")
    (project / "pyproject.toml").unlink()
    done = run(project, "-o", tmp_path / "out", *options)
    assert "step twine-check failed" in done.stderr  # a made-up wheel has no description
    (wheel,) = (tmp_path / "out.partial" / "dist").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("a.txt") == b"1"


def test_what_is_expected_of_a_tag_is_in_its_commit(tmp_path: Path) -> None:
    project, thin = thin_project(tmp_path)
    (project / "expected.txt").write_text("markupsafe-*.whl\n")
    commit(project, "3.0.4")
    expected, out = project / "expected.txt", tmp_path / "out"
    expected.write_text("markupsafe-*.whl\nnumpy-*.whl\n")
    options = ["--tag", "3.0.4", "--once", *thin]
    done = run(project, "-o", out, *options, "--expect", expected)
    assert done.returncode == 0, done.stderr
    shutil.copy(expected, tmp_path)  # not the project's, so as it is
    done = run(project, "-o", out, *options, "--expect", tmp_path / "expected.txt")
    assert "step build failed: " in done.stderr
    assert "numpy-*.whl" in done.stderr


def test_cargo_reads_no_settings_of_the_work_tree(tmp_path: Path) -> None:
    require_rust()
    project = commit(copy_project("abi3", tmp_path), "v0.1.0")
    (project / ".cargo").mkdir()
    (project / ".cargo" / "config.toml").write_text('[build]\nrustc-wrapper = "/nowhere"\n')
    done = run(project, "-o", project / "release", "--once", "--tag", "v0.1.0")
    assert done.returncode == 0, done.stderr
    assert_complete(project / "release")
    assert not sources_of(project / "release").exists()


@pytest.mark.parametrize(
    ("arguments", "backend", "rust"),
    [
        (["project", "-o", "out"], "maturin", True),
        (["-o", "out", "project"], "maturin", True),
        (["-o", "out", "project", "--", "--locked"], "fatwheel.backend", True),
        (["-o", "out", "project"], "hatchling.build", False),
        (["-o", "out"], "maturin", False),
    ],
)
def test_scripts_release_brings_rust_to_what_maturin_builds(
    arguments: list[str], backend: str, rust: bool, tmp_path: Path
) -> None:
    """Also where the crate lies elsewhere than pyproject.toml, as safetensors' does."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "pyproject.toml").write_text(
        f"[build-system]\nbuild-backend = '{backend}'\n"
    )
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPTS / "release", tmp_path / "scripts")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("scripts/setup", "scripts/apple-targets", ".venv/bin/python"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    said = subprocess.run(
        [tmp_path / "scripts" / "release", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert said[0] == "scripts/setup --release"
    assert said[1].startswith("scripts/apple-targets -- " if rust else ".venv/bin/python ")
    assert said[1].endswith(" ".join(["-I -m fatwheel release", *arguments]))


def test_a_tool_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(steps, "PACKAGES", ("pip", "no-such-package"))
    monkeypatch.chdir(tmp_path)  # which it leaves
    with pytest.raises(SystemExit) as caught:
        main(["release", str(tmp_path), "-o", str(tmp_path / "out")])
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert "release: step tools failed: " in said
    assert "lacks no-such-package; install it: pip install no-such-package" in said


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--expect", "2"], "--expect is for --thin"),
        (["--thin", "a", "--", "--locked"], "--thin builds nothing"),
    ],
)
def test_wrong_usage(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["release", ".", "-o", "out", *arguments])
    assert caught.value.code == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wheel", "machines"),
    [
        ("p-1-cp312-cp312-macosx_10_13_universal2.whl", "10_13_x86_64 -10_12_x86_64 11_0_arm64"),
        ("p-1-cp312-cp312-macosx_11_0_universal2.whl", "11_0_x86_64 -10_15_x86_64 11_0_arm64"),
        ("p-1-cp312-cp312-macosx_14_0_arm64.whl", "14_0_arm64 -13_0_arm64"),
        (
            "p-1-cp312-cp312-macosx_10_13_x86_64.macosx_12_0_universal2.whl",
            "10_13_x86_64 -10_12_x86_64 12_0_arm64 -11_0_arm64",
        ),
        (
            "p-1-cp312-cp312-macosx_10_9_universal2.macosx_10_9_x86_64.macosx_11_0_arm64.whl",
            "10_9_x86_64 -10_8_x86_64 11_0_arm64",
        ),
    ],
)
def test_each_floor_and_one_macos_before(wheel: str, machines: str) -> None:
    tried = [
        ("" if wanted.picked else "-") + wanted.platform.removeprefix("macosx_")
        for wanted in platforms_to_try(wheel)
    ]
    assert tried == machines.split()


def test_every_python_of_a_wheel_is_tried() -> None:
    wheel = "p-1-cp311.cp312-abi3-manylinux_2_17_x86_64.whl"
    assert [(w.python, w.abi, w.platform, w.picked) for w in platforms_to_try(wheel)] == [
        ("cp311", "abi3", "manylinux_2_17_x86_64", True),
        ("cp312", "abi3", "manylinux_2_17_x86_64", True),
    ]
    assert len(list(platforms_to_try("p-1-py2.py3-none-any.whl"))) == 8


@pytest.mark.parametrize(
    ("tag", "version", "answer"),
    [
        ("v1.0", "1.0", True),
        ("1.0", "1.0", True),
        ("pkg-1.0", "1.0", True),
        ("py3-pkg/v1.0", "1.0", True),
        ("v1.0-rc1", "1.0rc1", True),
        ("v11.0", "1.0", False),
        ("v1.1.0", "1.0", False),
        ("v1.0.1", "1.0", False),
        ("latest", "1.0", False),
    ],
)
def test_a_tag_names_a_version(tag: str, version: str, answer: bool) -> None:
    assert is_tag_of(tag, version) is answer


def test_files_that_only_one_build_made(tmp_path: Path) -> None:
    for name, files in (("a", ["x"]), ("b", ["x", "y"])):
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text(textwrap.dedent("same"))
    with pytest.raises(FailedError, match="y was made only the second time"):
        compare(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "y").unlink()
    compare(tmp_path / "a", tmp_path / "b")
