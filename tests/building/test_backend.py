"""The module that frontends call: its hooks, its errors, and what it reads of its surroundings."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

import fatwheel.backend
from fatwheel.building.project import parse_project


@pytest.mark.parametrize(
    "name",
    [
        "get_requires_for_build_wheel",
        "get_requires_for_build_editable",
        "get_requires_for_build_sdist",
        "prepare_metadata_for_build_wheel",
        "prepare_metadata_for_build_editable",
        "build_wheel",
        "build_editable",
        "build_sdist",
    ],
)
def test_every_hook_is_there(name: str) -> None:
    assert callable(getattr(fatwheel.backend, name))
    assert name in fatwheel.backend.__all__


def test_an_error_is_one_sentence_and_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^2$"):
        fatwheel.backend.build_wheel(str(tmp_path), {"fatwheel.target": "x86_64-pc-windows-msvc"})
    assert capsys.readouterr().err == (
        "fatwheel: the config setting fatwheel.target is 'x86_64-pc-windows-msvc', which is not macOS; give other "
        "targets to maturin: build-args=--target=x86_64-pc-windows-msvc\n"
    )


@pytest.mark.parametrize("flags", ["-arch arm64", "-arch x86_64 -arch arm64", ""])
def test_what_builds_for_macs_gives_signs_of_life(
    flags: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Maturin's own hooks are left as they are, and so is what only names requirements."""

    def speaks() -> bool:
        return "pulse" in {thread.name for thread in threading.enumerate()}

    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARCHFLAGS", flags)
    monkeypatch.setenv("CARGO_BUILD_TARGET", "" if flags else "x86_64-unknown-linux-gnu")
    with fatwheel.backend._hooks(None):
        assert speaks() == bool(flags)
    assert not speaks()
    with fatwheel.backend._hooks(None, works=False):
        assert not speaks()


def test_the_interpreter_behind_a_virtual_environment(tmp_path: Path) -> None:
    def choose(text: str, **environ: str) -> str:
        project = parse_project(text, tmp_path / "pyproject.toml", "pyproject.toml")
        return fatwheel.backend.interpreter(environ, project)

    base = str(Path(sys._base_executable).resolve())  # type: ignore[attr-defined]
    assert choose("") == sys.executable
    assert choose("[tool.maturin]\nuse-base-python = true\n") == base
    assert choose("", MATURIN_PEP517_USE_BASE_PYTHON="1") == base


def test_rust_comes_from_puccinialin_only_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "puccinialin.py").write_text("def setup_rust(): return {'CARGO_HOME': '/own'}")
    monkeypatch.syspath_prepend(str(tmp_path))
    bare = {"PATH": str(tmp_path)}
    assert fatwheel.backend.with_rust(bare) == {**bare, "CARGO_HOME": "/own"}
    assert "puccinialin installs it into a folder of its own" in capsys.readouterr().err
    refusing = {**bare, "MATURIN_NO_INSTALL_RUST": "1"}
    assert fatwheel.backend.with_rust(refusing) == refusing
    cargo = tmp_path / ("cargo.exe" if sys.platform == "win32" else "cargo")
    cargo.touch(0o755)
    assert fatwheel.backend.with_rust(bare) == bare
