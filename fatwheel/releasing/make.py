"""How a release's files are made: built from a project's sources, or fused from thin wheels."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fatwheel.releasing.compare import sha256
from fatwheel.releasing.programs import FailedError, call, module, output, run

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["build_project", "fuse_thin"]

_FATWHEEL = "fatwheel"
_MATURIN_BACKENDS = ("maturin", f"{_FATWHEEL}.backend")


def build_project(
    project: Path, target: Path, maturin: Sequence[str], dist: Path
) -> dict[str, Any]:
    """Build the wheels and the sdist of the project into `dist`, with cargo's files in `target`.

    Returns what was decided for each universal2 wheel, by its name.
    """
    if _backend(project / "pyproject.toml") in _MATURIN_BACKENDS:
        command = [
            *module("fatwheel"),
            "build",
            "--sdist",
            "--json",
            "-o",
            str(dist),
            "--",
            *maturin,
        ]
        environ = {**os.environ, "CARGO_TARGET_DIR": str(target)}
        report = json.loads(output(command, cwd=project, env=environ))
        return {Path(wheel["path"]).name: _decisions(wheel["plan"]) for wheel in report["wheels"]}
    if maturin:
        raise FailedError(
            "the project's build backend is not maturin, so nothing takes arguments after --"
        )
    run([*module("build"), "--outdir", str(dist), str(project)])
    return {}


def _backend(settings: Path) -> object:
    """Return what builds the project. Raises `FailedError` where the commit's pyproject.toml does not say it."""
    try:
        system = tomllib.loads(settings.read_text("utf-8")).get("build-system", {})
    except (ValueError, RecursionError) as error:
        raise FailedError(f"the commit's pyproject.toml is no TOML: {error}") from None
    if not isinstance(system, dict):
        raise FailedError("the commit's pyproject.toml has a build-system that is no table")
    return system.get("build-backend")


def fuse_thin(
    project: Path, folders: Sequence[Path], expect: str | None, dist: Path
) -> dict[str, Any]:
    """Fuse the thin wheels in `folders` into `dist`, and take along what needs no fusing, sdists included.

    `expect` is as for `fatwheel fuse`. Returns what was decided for each fused wheel, by its name.
    """
    command = [*module("fatwheel"), "fuse", "--json", "-o", str(dist)]
    command += [] if expect is None else ["--expect", expect]
    command += map(str, folders)
    # In the project's folder: its pyproject.toml has the rules.
    said = call(command, cwd=project, stdout=subprocess.PIPE)
    if not said.stdout:
        raise FailedError("fatwheel fuse gave up, for the reason above")
    report = json.loads(said.stdout)
    for problem in _problems(report):
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
    return {Path(pair["output"]["path"]).name: _decisions(pair["plan"]) for pair in report["pairs"]}


def _problems(report: dict[str, Any]) -> Iterator[str]:
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


def _decisions(plan: dict[str, Any]) -> dict[str, Any]:
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
