"""The two engines make the same wheel, and what delocate cannot do is told in words."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from fatwheel.deflate.inflaters import best_inflater
from fatwheel.errors import ToolError
from fatwheel.fusion.engine import DelocateEngine, NativeEngine
from fatwheel.fusion.fuse import FuseOptions, fuse_wheels
from tests.support.corpus import ROOT, SMALL_PAIR
from tests.support.required import require_tool
from tests.support.wheels import (
    NATIVE,
    A,
    X,
    code,
    contents,
    dylib,
    make_pair,
    program,
    static,
    universal,
)

STANDINS = ROOT / "tests" / "support" / "standins"


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for Apple's lipo and codesign come first on PATH."""
    require_tool("llvm-lipo-19")
    monkeypatch.setenv("PATH", os.pathsep.join([str(STANDINS), os.environ["PATH"]]))


def both(x86_64: Path, arm64: Path, folder: Path) -> tuple[Path, Path]:
    """The wheels that the native engine and delocate make."""
    made = [
        fuse_wheels(x86_64, arm64, folder / engine.name, FuseOptions(engine=engine)).path
        for engine in (NativeEngine(), DelocateEngine())
    ]
    return made[0], made[1]


def of_any_engine(path: Path) -> dict[str, object]:
    """What a wheel holds, but for the name of the engine, which fatwheel.json tells, and so RECORD."""
    found: dict[str, object] = {n: c for n, c in contents(path).items() if "/RECORD" not in n}
    (name,) = [name for name in found if name.endswith(".dist-info/fatwheel.json")]
    report = json.loads(contents(path)[name])
    assert report.pop("options", {}) == ({"engine": "delocate"} if "delocate" in path.parts else {})
    return {**found, name: report}


@pytest.mark.usefixtures("tools")
def test_real_wheels(tmp_path: Path) -> None:
    x86_64, arm64 = SMALL_PAIR
    native, delocate = both(x86_64, arm64, tmp_path)
    assert native.name == delocate.name
    assert of_any_engine(native) == of_any_engine(delocate)


@pytest.mark.usefixtures("tools")
def test_files_of_every_kind(tmp_path: Path) -> None:
    pair = make_pair(
        tmp_path,
        {"pkg/data": b"x"},
        {"pkg/lib": dylib(X), "pkg/lib.a": static(X), "pkg-1.0.data/scripts/tool": program(X)},
        {"pkg/lib": dylib(A), "pkg/lib.a": static(A), "pkg-1.0.data/scripts/tool": program(A)},
        modes={"pkg-1.0.data/scripts/tool": 0o755, "pkg/lib": 0o444},
    )
    native, delocate = both(*pair, tmp_path)
    assert of_any_engine(native) == of_any_engine(delocate)
    for path in (native, delocate):
        with zipfile.ZipFile(path) as archive:
            modes = {info.filename: info.external_attr >> 16 & 0o777 for info in archive.infolist()}
        assert (modes["pkg-1.0.data/scripts/tool"], modes["pkg/lib"]) == (0o755, 0o444)


@pytest.mark.parametrize("missing", ["lipo", "codesign"])
def test_a_missing_tool(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in {"lipo", "codesign"} - {missing}:
        (tools / name).symlink_to(STANDINS / name)
    monkeypatch.setenv("PATH", str(tools))
    pair = make_pair(tmp_path)
    with pytest.raises(ToolError, match=f"--engine delocate needs {missing}, which is not on PATH"):
        fuse_wheels(*pair, tmp_path / "out", FuseOptions(engine=DelocateEngine()))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_tool_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("lipo", "codesign"):
        (tools / name).write_text("#!/bin/sh\necho 'it has a cold' >&2\nexit 1\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tools), os.environ["PATH"]]))
    pair = make_pair(tmp_path)
    with pytest.raises(ToolError, match="delocate could not fuse the files: it has a cold"):
        fuse_wheels(*pair, tmp_path / "out", FuseOptions(engine=DelocateEngine()))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.usefixtures("tools")
def test_what_lipo_refuses_is_spliced(tmp_path: Path) -> None:
    # A thin file meets a universal one: lipo finds the same architecture twice.
    pair = make_pair(
        tmp_path,
        x86_64={"pkg/other.so": code(X)},
        arm64={NATIVE: universal(code(X, b"other"), code(A)), "pkg/other.so": code(A)},
    )
    native, delocate = both(*pair, tmp_path)
    assert of_any_engine(native) == of_any_engine(delocate)


def test_the_native_engine_leaves_everything_to_splicing() -> None:
    with NativeEngine().make((), {}, best_inflater()) as files:
        assert files == {}
