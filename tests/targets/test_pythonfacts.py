"""Interpreters are asked in their own process; on Macs, their answers are recorded ones."""

from __future__ import annotations

import json
import os
import platform
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fatwheel.arch import Arch
from fatwheel.errors import ToolError
from fatwheel.process import Command, Completed, SubprocessRunner
from fatwheel.targets.decision import PythonFacts
from fatwheel.targets.pythonfacts import as_started, ask_python, own_facts, read_slices
from tests.support import interpreters as on
from tests.support.fake_runner import FakeRunner, says
from tests.support.wheels import code, program, static, universal

MACS = {
    name: value
    for name, value in vars(on).items()
    if isinstance(value, PythonFacts) and value.is_macos
}


def answer(python: PythonFacts, **changed: Any) -> str:
    """What the interpreter prints when it is asked."""
    names = ("system", "platform", "machine", "translated", "version", "executable")
    return "\n" + json.dumps({**{name: getattr(python, name) for name in names}, **changed}) + "\n"


def runner(text: str, *, translated: Completed | None = None) -> FakeRunner:
    answers: dict[str, Any] = {"python3": says(text)}
    if translated is not None:
        answers["sysctl -n sysctl.proc_translated"] = translated
    return FakeRunner(answers)


def ask(fake: FakeRunner, environ: dict[str, str] | None = None) -> PythonFacts:
    return ask_python("python3", environ or {}, Path("/project"), fake)


@pytest.mark.parametrize("python", MACS.values(), ids=MACS)
def test_the_answer_of_each_mac(python: PythonFacts) -> None:
    assert ask(runner(answer(python))) == replace(python, slices=frozenset())


@pytest.mark.parametrize("python", [on.LINUX, on.WINDOWS, on.IOS], ids=lambda p: p.system)
def test_elsewhere_nothing_of_macos_is_asked(python: PythonFacts) -> None:
    fake = runner(answer(python, translated=None))
    assert ask(fake) == python
    assert len(fake.calls) == 1


@pytest.mark.parametrize(
    ("said", "translated"),
    [
        pytest.param(says("1\n"), True, id="rosetta"),
        pytest.param(says("0\n"), False, id="native"),
        pytest.param(
            Completed(exit_code=1, stderr="sysctl: unknown oid 'sysctl.proc_translated'\n"),
            False,
            id="intel-mac",
        ),
        pytest.param(None, False, id="no-sysctl"),
    ],
)
def test_without_ctypes_the_system_is_asked(said: Completed | None, translated: bool) -> None:
    fake = runner(answer(on.PYTHON_ORG_ROSETTA, translated=None), translated=said)
    assert ask(fake).translated == translated


def test_the_question_is_put_without_what_falsifies_the_answer() -> None:
    fake = runner(answer(on.LINUX))
    ask(
        fake,
        {
            "PATH": "/bin",
            "_PYTHON_HOST_PLATFORM": "macosx-11.0-arm64",
            "_PYTHON_SYSCONFIGDATA_NAME": "x",
            "__PYVENV_LAUNCHER__": "/x",
            "ARCHFLAGS": "-arch arm64",
        },
    )
    assert fake.calls[0].env == {"PATH": "/bin"}
    assert fake.calls[0].arguments[:2] == ("-I", "-c")


def test_what_a_site_prints_before_the_answer_is_left_out() -> None:
    assert ask(runner("Welcome {to} the cluster" + answer(on.LINUX))) == on.LINUX


@pytest.mark.parametrize(
    ("completed", "message"),
    [
        pytest.param(says(""), "python3 was asked what it is and said 'nothing'", id="nothing"),
        pytest.param(says("hello\n"), "said 'hello'; is it Python", id="no-python"),
        pytest.param(says("[1]\n"), r"said '\[1\]'; is it Python", id="no-table"),
        pytest.param(says('{"system": "x"}\n'), "is it Python", id="half"),
        pytest.param(
            Completed(exit_code=2, stderr="unknown option -I\nusage: x\n"),
            r"cannot be asked what it is \(exit code 2\): unknown option -I; is it a Python inter",
            id="fails",
        ),
        pytest.param(
            Completed(
                exit_code=1, stderr="Traceback (most recent call last):\n  ...\nImportError: x\n"
            ),
            r"\(exit code 1\): ImportError: x; is it a Python",
            id="broken",
        ),
        pytest.param(
            Completed(exit_code=1, stderr="x" * 999), r": x{160}; is it a Python", id="long-message"
        ),
    ],
)
def test_what_is_no_interpreter(completed: Completed, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        ask(FakeRunner({"python3": completed}))


def test_an_interpreter_that_is_not_there() -> None:
    with pytest.raises(
        ToolError, match=r"python3 is not installed, or not on PATH; name an interp"
    ):
        ask(FakeRunner())


@pytest.mark.parametrize(
    ("asked", "machine", "expected"),
    [
        pytest.param(on.PYTHON_ORG, "arm64", on.PYTHON_ORG, id="same"),
        pytest.param(on.PYTHON_ORG, "x86_64", on.PYTHON_ORG_ROSETTA, id="child-is-native"),
        pytest.param(on.PYTHON_ORG_ROSETTA, "arm64", on.PYTHON_ORG, id="child-is-translated"),
        pytest.param(on.HOMEBREW_INTEL_ROSETTA, "x86_64", on.HOMEBREW_INTEL_ROSETTA, id="intel"),
    ],
)
def test_this_process_knows_what_it_runs_as(
    asked: PythonFacts, machine: str, expected: PythonFacts
) -> None:
    assert as_started(asked, system="darwin", machine=machine) == expected


def test_a_cross_environment_says_where_it_stands() -> None:
    assert as_started(on.HOMEBREW, system="ios", machine="arm64").system == "ios"


SLICES = {
    "thin": (program(Arch.ARM64), {Arch.ARM64}),
    "universal": (universal(program(Arch.X86_64), program(Arch.ARM64)), {*Arch}),
    "one-slice": (universal(code(Arch.X86_64)), {Arch.X86_64}),
    "archive": (static(Arch.ARM64), {Arch.ARM64}),
    "script": (b"#!/bin/sh\nexec python3\n", set()),
    "cut-off": (program(Arch.ARM64)[:40], set()),
    "empty": (b"", set()),
}


@pytest.mark.parametrize(("data", "archs"), SLICES.values(), ids=SLICES)
def test_slices(data: bytes, archs: set[Arch], tmp_path: Path) -> None:
    path = tmp_path / "python3"
    path.write_bytes(data)
    assert read_slices(path) == archs


def test_arm64e_counts_as_arm64(tmp_path: Path) -> None:
    data = bytearray(program(Arch.ARM64))
    data[8:12] = (0x80000002).to_bytes(
        4, "little"
    )  # cpusubtype: CPU_SUBTYPE_ARM64E with its ABI bit
    (tmp_path / "python3").write_bytes(data)
    assert read_slices(tmp_path / "python3") == {Arch.ARM64}


def test_no_file_has_no_slices(tmp_path: Path) -> None:
    assert read_slices(tmp_path / "python3") == frozenset()


def test_the_slices_of_a_mac_are_read_from_the_binary_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "python3"
    path.write_bytes(universal(program(Arch.X86_64), program(Arch.ARM64)))
    facts = ask(runner(answer(on.APPLE, executable=str(path))))
    assert facts == replace(on.APPLE, executable=str(path))


def test_this_interpreter_really_asked(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a file of the project was imported')")
    environ = {**os.environ, "_PYTHON_HOST_PLATFORM": "macosx-11.0-arm64"}
    facts = own_facts(environ, tmp_path, SubprocessRunner())
    assert facts.system == sys.platform
    assert facts.platform == sysconfig.get_platform()
    assert facts.version == platform.python_version()
    assert Path(facts.executable).samefile(sys.executable)


def test_the_program_is_started_in_the_folder_that_is_named() -> None:
    calls: list[Command] = []

    def note(command: Command) -> Completed:
        calls.append(command)
        return says(answer(on.LINUX))

    ask(FakeRunner({"python3": note}))
    assert calls[0].cwd == Path("/project")
