"""What happens to a program happens to fatwheel: it is killed, the disk is full, others write to the same folder.

Whatever it is, the output's name shows a complete and checked wheel or nothing, and the next run is as good as the
first. Inputs that change are in `fusion/test_changing.py`, Ctrl-C and read-only disks in `cli/test_main.py`.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from fatwheel.fusion.fuse import FuseOptions, fuse_wheels
from tests.support.corpus import ROOT
from tests.support.required import require_pair
from tests.support.wheels import FUSED_NAME, NATIVE, A, X, code, make_pair

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and limits")
KILLS = 24
BODY = bytes((i * i * 31 + i // 7) % 251 for i in range(3_000_000))


def command(wheels: Sequence[Path], out: Path, *options: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "fatwheel",
        "fuse",
        *map(str, wheels),
        "-o",
        str(out),
        "-q",
        *options,
    ]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A pair that takes a moment to write."""
    sides = {arch: {NATIVE: code(arch, BODY + arch.value.encode())} for arch in (X, A)}
    both = {f"pkg/{n}.txt": f"{n} ".encode() * 400 for n in range(300)}
    return make_pair(tmp_path_factory.mktemp("in"), both, sides[X], sides[A])


@pytest.fixture(scope="module")
def right(wheels: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    return digest(fuse_wheels(*wheels, tmp_path_factory.mktemp("right"), FuseOptions()).path)


@POSIX
def test_killed_at_any_moment(wheels: tuple[Path, Path], right: str, tmp_path: Path) -> None:
    started = time.monotonic()
    subprocess.run(command(wheels, tmp_path / "whole"), check=True)
    whole = time.monotonic() - started
    out = tmp_path / "out"
    unfinished = 0
    for number in range(KILLS):
        process = subprocess.Popen(command(wheels, out, "--force"), stdout=subprocess.DEVNULL)
        time.sleep(whole * (0.1 + number / KILLS))
        process.kill()
        process.wait()
        unfinished += process.returncode == -signal.SIGKILL
        for path in out.glob("*.whl"):
            assert digest(path) == right
            path.unlink()
    assert unfinished
    subprocess.run(command(wheels, out), check=True)
    (made,) = out.iterdir()  # nothing that a killed one left
    assert digest(made) == right


KILLED = """\
import os, signal, sys
name, when = sys.argv[1:3]
real = getattr(os, name)
def deadly(*arguments, **options):
    if when == "after":
        real(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(os, name, deadly)
from fatwheel.cli.main import main
main(sys.argv[3:])
"""


@POSIX
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["fsync", "link", "fsync over an old one", "replace"])
def test_killed_at_each_step_to_the_name(
    step: str, when: str, wheels: tuple[Path, Path], right: str, tmp_path: Path
) -> None:
    """The steps that take no time, between which a clock hardly ever hits."""
    out = tmp_path / "out"
    target = out / FUSED_NAME
    old = step in {"replace", "fsync over an old one"}
    step = step.partition(" ")[0]
    if old:
        out.mkdir()
        target.write_bytes(b"old")
    words = command(wheels, out, "--force")[3:] if old else command(wheels, out)[3:]
    killed = subprocess.run([sys.executable, "-c", KILLED, step, when, *words], check=False)
    assert killed.returncode == -signal.SIGKILL
    named = (step, when) in {("link", "after"), ("replace", "after")}
    if named:
        assert digest(target) == right
    elif old:
        assert target.read_bytes() == b"old"
    else:
        assert not target.exists()
    assert len(list(out.glob(".fatwheel-*.part"))) == (step != "replace" or when == "before")
    subprocess.run(command(wheels, out, "--force"), check=True)
    assert list(out.iterdir()) == [target]
    assert digest(target) == right


@POSIX
def test_a_disk_that_is_full(wheels: tuple[Path, Path], tmp_path: Path) -> None:
    """A real one, in memory, and as small as it must be."""
    size = fuse_wheels(*wheels, tmp_path / "whole", FuseOptions()).size
    out = tmp_path / "out"
    out.mkdir()
    script = (
        'mount -t tmpfs -o size="$1" none "$2" && echo mounted && shift 2 && "$@"; ls -A "$OUT"'
    )
    for room in (4096, size // 2 // 4096 * 4096):
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", script, "sh", str(room), out, *command(wheels, out)],
            env={**os.environ, "OUT": str(out)},
            capture_output=True,
            text=True,
            check=False,
        )
        if not done.stdout.startswith("mounted\n"):
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        assert done.stderr == f"fatwheel: {out / FUSED_NAME}: No space left on device\n"
        assert done.stdout == "mounted\n"


@POSIX
def test_a_disk_that_fills_at_any_byte(
    wheels: tuple[Path, Path], right: str, tmp_path: Path
) -> None:
    """A limit on the size of files stands for the disk: writing fails where it would pass it."""
    import resource

    size = fuse_wheels(*wheels, tmp_path / "whole", FuseOptions()).size
    out = tmp_path / "out"
    for limit in (1, size // 7, size // 2, size - 1):

        def restrict(limit: int = limit) -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        done = subprocess.run(
            command(wheels, out), preexec_fn=restrict, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.count("\n") == 1
        assert "File too large" in done.stderr
        assert ".part" not in done.stderr
        assert list(out.iterdir()) == []
    subprocess.run(command(wheels, out), check=True)
    (made,) = out.iterdir()
    assert digest(made) == right


# ---- signals ----

INTERRUPTING = """\
import os, signal, time
os.kill(os.getpid(), signal.{})
time.sleep(600)
"""


@POSIX
@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        ("SIGINT", 130, "fatwheel: interrupted; what was not complete is gone\n"),
        ("SIGTERM", -signal.SIGTERM, ""),
        ("SIGHUP", -1, ""),
    ],
)
def test_a_signal_while_modules_are_imported(
    kind: str, code: int, said: str, wheels: tuple[Path, Path], tmp_path: Path
) -> None:
    """click is the first that is not fatwheel's own, so this one comes at the worst moment."""
    (tmp_path / "click.py").write_text(INTERRUPTING.format(kind))
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        command(wheels, tmp_path / "out"),
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


@POSIX
def test_nohup_is_respected(wheels: tuple[Path, Path], right: str, tmp_path: Path) -> None:
    """A hangup that is ignored when fatwheel starts does not end it."""
    out = tmp_path / "out"
    ignoring = ["sh", "-c", "trap '' HUP; echo ready; exec \"$@\"", "sh"]
    words = [*ignoring, *command(wheels, out)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        while process.poll() is None:
            process.send_signal(signal.SIGHUP)
            time.sleep(0.02)
    assert process.returncode == 0
    (made,) = out.iterdir()
    assert digest(made) == right


# ---- others ----


def run_together(commands: Sequence[Sequence[str]]) -> list[tuple[int, str]]:
    processes = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for words in commands]
    answers = [process.communicate(timeout=120)[1] for process in processes]
    return [(process.returncode, said) for process, said in zip(processes, answers, strict=True)]


def test_many_who_write_the_same_wheel(
    wheels: tuple[Path, Path], right: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    answers = run_together([command(wheels, out)] * 4)
    assert sorted(status for status, _ in answers) == [0, 1, 1, 1]
    assert all("exists; replace it with --force" in said for status, said in answers if status)
    (made,) = out.iterdir()
    assert digest(made) == right
    assert [status for status, _ in run_together([command(wheels, out, "--force")] * 4)] == [0] * 4
    (made,) = out.iterdir()
    assert digest(made) == right


def test_many_who_write_different_wheels_into_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    pairs = [make_pair(tmp_path / str(n), name=f"pkg{n}") for n in range(6)]
    assert [status for status, _ in run_together([command(pair, out) for pair in pairs])] == [0] * 6
    assert len(list(out.iterdir())) == 6


def many_of_scipy(folder: Path) -> list[Path]:
    """Return folders with the same large pair under different names."""
    real = require_pair("scipy")
    copies = []
    for number in range(6):
        copy = folder / str(number)
        copy.mkdir()
        for path in (wheel.path for wheel in real.wheels):
            name = path.name.replace("scipy-1.15.3", f"scipy-1.15.3-{number}", 1)
            (copy / name).symlink_to(path)
        copies.append(copy)
    return copies


@POSIX
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("moment", ["reading", "writing"])
def test_ctrl_c_in_a_run_of_many(moment: str, jobs: str, tmp_path: Path) -> None:
    """A terminal sends it to all processes of the group."""
    out = tmp_path / "out"
    copies = map(str, many_of_scipy(tmp_path))
    words = [
        sys.executable,
        "-m",
        "fatwheel",
        "fuse",
        *copies,
        "-o",
        str(out),
        "-j",
        jobs,
        "--dry-run",
    ]
    if moment == "writing":
        words.remove("--dry-run")
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    first = process.stderr.readline() if moment == "reading" else ""  # of six pairs
    deadline = time.monotonic() + 60
    while moment == "writing" and not list(out.glob("*.part")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, rest = process.communicate(timeout=120)
    said = first + rest
    assert process.returncode == 130
    assert said.endswith("fatwheel: interrupted; what was not complete is gone\n")
    assert "Traceback" not in said
    assert list(out.glob("*.part")) + list(out.glob(".*")) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


@POSIX
def test_a_killed_run_of_many_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    copies = many_of_scipy(tmp_path)
    out = tmp_path / "out"
    words = [
        sys.executable,
        "-m",
        "fatwheel",
        "fuse",
        *map(str, copies),
        "-o",
        str(out),
        "-q",
        "-j",
        "2",
    ]
    process = subprocess.Popen(
        words, stderr=subprocess.PIPE, env={**os.environ, "MARK": str(tmp_path)}
    )
    deadline = time.monotonic() + 60
    while not list(out.glob("*.part")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.communicate(timeout=120)  # workers that lived on would hold its standard error open
    for path in out.glob("*.whl"):
        assert path.stat().st_size > 1_000_000
