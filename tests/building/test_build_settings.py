"""Deployment targets and Python versions, as they are asked for and as they are built."""

from __future__ import annotations

from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.building.deployment import Deployment, Wish, choose_deployment
from fatwheel.errors import UsageError
from fatwheel.targets.interpreter import RunningPython, choose_interpreters


def choose(arch: Arch, *texts: str | None) -> Deployment:
    wishes = [None if text is None else Wish(text=text, origin=f"wish {text}") for text in texts]
    return choose_deployment(arch, wishes)


@pytest.mark.parametrize(
    ("arch", "texts", "version", "origin"),
    [
        (Arch.X86_64, [], (10, 12), "rustc's default"),
        (Arch.ARM64, [None, None], (11, 0), "rustc's default"),
        (Arch.X86_64, ["10.13", None, "10.15"], (10, 15), "wish 10.15"),
        (Arch.X86_64, ["10.13", None], (10, 13), "wish 10.13"),
        (Arch.X86_64, ["10.13", ""], (10, 13), "wish 10.13"),
        (Arch.X86_64, ["", "  "], (10, 12), "rustc's default"),
        (Arch.X86_64, ["11"], (11, 0), "wish 11"),
        (Arch.X86_64, ["10.15.7"], (10, 15), "wish 10.15.7"),
        (Arch.ARM64, ["14.0.0"], (14, 0), "wish 14.0.0"),
        (Arch.ARM64, ["10.16"], (11, 0), "wish 10.16"),
    ],
)
def test_the_last_wish_counts_in_one_form(
    arch: Arch, texts: list[str | None], version: tuple[int, int], origin: str
) -> None:
    assert choose(arch, *texts) == Deployment(version=version, origin=origin)


@pytest.mark.parametrize(
    ("arch", "text", "raised"),
    [(Arch.X86_64, "10.9", "10.12"), (Arch.ARM64, "10.9", "11.0"), (Arch.ARM64, "10", "11.0")],
)
def test_what_is_too_low_is_raised_and_said(arch: Arch, text: str, raised: str) -> None:
    chosen = choose(arch, text)
    assert str(chosen) == raised
    assert (
        f"{arch.value}: deployment target {text} (wish {text}) is raised to {raised}" in chosen.note
    )


@pytest.mark.parametrize("text", ["eleven", "11.x", "11.0.0.0", "-1", "macosx11"])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(UsageError, match=rf"^wish {text}: the deployment target '{text}' is no"):
        choose(Arch.ARM64, text)


def test_minor_versions_that_no_tag_can_say() -> None:
    with pytest.raises(UsageError, match=r"12\.3 cannot be said .*use 12\.0 or 13\.0 for arm64"):
        choose(Arch.ARM64, "12.3")


RUNNING = RunningPython(implementation="cpython", version=(3, 12))


@pytest.mark.parametrize(
    ("running", "program"),
    [
        (RUNNING, "python3.12"),
        (
            RunningPython(implementation="cpython", version=(3, 13), free_threaded=True),
            "python3.13t",
        ),
        (RunningPython(implementation="pypy", version=(3, 11)), "pypy3.11"),
        (
            RunningPython(implementation="cpython", version=(3, 12), folder=Path("/v/bin")),
            str(Path("/v/bin/python3.12")),
        ),
    ],
)
def test_without_a_wish_the_running_python_counts(running: RunningPython, program: str) -> None:
    assert choose_interpreters((), running, on_macos=False) == (program,)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("3.11", "3.11"),
        ("python3.11", "3.11"),
        ("/usr/bin/python3.11", "3.11"),
        ("3.13t", "3.13t"),
        ("python3.13t", "3.13t"),
        ("pypy3.11", "pypy3.11"),
        (r"C:\Python\python3.11.exe", "3.11"),
    ],
)
def test_off_macos_a_version_is_what_counts(text: str, version: str) -> None:
    assert choose_interpreters((text,), RUNNING, on_macos=False) == (version,)


def test_on_macos_programs_stay_as_they_are() -> None:
    wanted = ("/opt/python3.11", "3.12", "python")
    assert choose_interpreters(wanted, RUNNING, on_macos=True) == wanted


def test_each_version_is_built_once() -> None:
    wanted = ("3.12", "3.11", "python3.12")
    assert choose_interpreters(wanted, RUNNING, on_macos=False) == ("3.12", "3.11")


def test_no_version_to_be_seen() -> None:
    with pytest.raises(UsageError, match="-i python3 names no Python version"):
        choose_interpreters(("python3",), RUNNING, on_macos=False)
