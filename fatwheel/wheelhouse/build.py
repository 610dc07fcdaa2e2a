"""What upstream lacks, built from an sdist: in a folder, a process and an environment of its own.

The environment has what pyproject.toml requires, installed by uv as pip would do it, and this very fatwheel behind it.
Then `fatwheel build --arch` runs in the unpacked sdist.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from fatwheel.arch import Arch
from fatwheel.building.maturin import parse_maturin_settings
from fatwheel.building.reason import compiler_errors
from fatwheel.building.requirements import MATURIN, is_for_any_python, needs_cffi
from fatwheel.config import read_pyproject
from fatwheel.errors import ToolError, WheelError
from fatwheel.fusion.fuse import FuseOptions
from fatwheel.index.cache import Cache, Made
from fatwheel.index.work import FuseResult, UnservedError, fuse_pair, recipe_of
from fatwheel.process import Command, Runner
from fatwheel.values import valueclass
from fatwheel.version import __version__
from fatwheel.wheelhouse.resolve import find_uv
from fatwheel.wheelhouse.sdists import read_sdist
from fatwheel.wheels.tags import normalise, parse_wheel_name

__all__ = ["Builder", "BuiltConflictError", "build_wheel", "python_of"]

_MOST_LINES = 40
# Each would make another wheel than the one that is lacking.
_REMOVED = ("MACOSX_DEPLOYMENT_TARGET", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


@valueclass
class Builder:
    """How what is lacking is built, kept in a cache and fused; `python` is the app's, as 3.12.

    `say` takes lines for people, `output` what programs print.
    """

    python: str
    cache: Cache
    fuse: FuseOptions
    runner: Runner
    environ: Mapping[str, str]
    say: Callable[[str], None]
    output: Callable[[bytes], None] | None = None
    offline: bool = False

    def build(self, sdist: Path, arch: Arch, python: str, out: Path) -> Path:
        """Build the sdist for one architecture and Python into the folder `out`, and return the wheel.

        Raises `WheelError` for an sdist that cannot be unpacked, `ToolError` where a requirement cannot be had or the
        build fails.
        """
        with tempfile.TemporaryDirectory(prefix="fatwheel-") as name:
            folder = Path(name)
            source = _unpack(sdist, folder / "source")
            environ = self._environment(sdist, source, folder / "environment")
            crate = _texts(source)
            version = () if is_for_any_python(*crate) else ("-i", python)
            words = ("-I", "-m", "fatwheel", "build", "--arch", arch.value, *version)
            command = Command(
                program=str(_program(folder / "environment", "python")),
                arguments=(*words, "-o", str(folder / "out")),
                env=environ,
                cwd=source,
            )
            done = self.runner.stream(command, self.output)
            made = sorted((folder / "out").glob("*.whl"))
            if done.exit_code or len(made) != 1:
                lines = [line for line in compiler_errors(done.stdout).splitlines() if line.strip()]
                raise ToolError(
                    f"{sdist.name} could not be built for {arch.value}:",
                    [f"  {line}" for line in lines[-_MOST_LINES:]],
                )
            out.mkdir(parents=True, exist_ok=True)
            return Path(shutil.move(made[0], out / made[0].name))

    def _environment(self, sdist: Path, source: Path, folder: Path) -> dict[str, str]:
        """Make a virtual environment for the build, and return the variables that are in force in it."""
        environ = {name: value for name, value in self.environ.items() if name not in _REMOVED}
        environ["UV_OFFLINE"] = "1" if self.offline else environ.get("UV_OFFLINE", "0")
        uv = find_uv()
        python = _program(folder, "python")
        wanted = list(_requirements(sdist, source))
        for arguments in (
            ("venv", "--quiet", "--python", sys.executable, str(folder)),
            ("pip", "install", "--quiet", "--python", str(python), *wanted),
        ):
            command = Command(
                program=uv, arguments=("--no-config", *arguments), env=environ, cwd=folder.parent
            )
            done = self.runner.capture(command)
            if done.exit_code:
                raise ToolError(
                    f"what {sdist.name} needs to be built cannot be installed ({', '.join(wanted)}); uv says:",
                    [f"  {line}" for line in done.stderr.splitlines() if line.strip()][
                        :_MOST_LINES
                    ],
                )
        (packages,) = folder.glob(
            "lib/python*/site-packages" if os.name != "nt" else "Lib/site-packages"
        )
        # Behind what was installed: that is what pyproject.toml asks for.
        own = dict.fromkeys([str(Path(__file__).parents[2]), *filter(_is_packages, sys.path)])
        (packages / "fatwheel-behind.pth").write_text("".join(f"{path}\n" for path in own), "utf-8")
        return {
            **environ,
            "PATH": os.pathsep.join([str(python.parent), environ.get("PATH", "")]),
            "VIRTUAL_ENV": str(folder),
        }


def _program(environment: Path, name: str) -> Path:
    return environment / ("Scripts" if os.name == "nt" else "bin") / name


def _requirements(sdist: Path, source: Path) -> Sequence[str]:
    """Return what the build needs of PyPI: as pyproject.toml says, and what maturin will want besides."""
    wanted = [one for one in read_sdist(sdist).requires if not _is_fatwheel(one)]
    cffi = ["cffi"] if needs_cffi(*_texts(source)) else []
    return list(dict.fromkeys([*wanted, *cffi, MATURIN]))


def _texts(source: Path) -> tuple[str, str]:
    """Return the texts of pyproject.toml and of the crate's Cargo.toml, "" for one that is not there."""
    settings = read_pyproject(source / "pyproject.toml")
    manifest = source / (parse_maturin_settings(settings).manifest_path or "Cargo.toml")
    return settings, manifest.read_text("utf-8", "replace") if manifest.is_file() else ""


def _is_packages(path: str) -> bool:
    return Path(path).name in ("site-packages", "dist-packages")


def _is_fatwheel(requirement: str) -> bool:
    try:
        return normalise(Requirement(requirement).name) == "fatwheel"
    except InvalidRequirement:
        return False


def _unpack(sdist: Path, folder: Path) -> Path:
    """Unpack the sdist, and return the one folder that it holds.

    Nothing gets out of `folder`, and no device or foreign link into it (PEP 706).
    """
    if not hasattr(tarfile, "data_filter"):
        raise ToolError(
            "this Python unpacks no foreign archive safely (PEP 706); update it to its last release"
        )
    try:
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        (source,) = folder.iterdir()
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise WheelError(sdist.name, None, f"cannot be unpacked as an sdist: {error}") from None
    return source


def build_wheel(builder: Builder, sdist: Made, half: Made | None, archs: Sequence[Arch]) -> Made:
    """Build what is lacking, fuse it, and return the universal2 wheel; what was built before is in the cache.

    Raises `UnservedError` where the halves are in conflict, and all that `Builder.build` raises.
    """
    cache = builder.cache
    python = (half and python_of(half.path.name)) or builder.python
    built = [_thin(builder, sdist, arch, python) for arch in archs]
    halves = built if half is None else [half, *built]
    parts = [*(one.sha256 for one in halves), recipe_of(builder.fuse)]
    key = hashlib.sha256(json.dumps(["built", *parts]).encode()).hexdigest()[:32]
    folder = cache.fused_path(key, "name").parent
    for known in folder.glob("*.whl"):
        if (made := cache.made(known)) is not None:
            return made
    result = fuse_pair(
        halves[0].path, halves[1].path, folder, replace(builder.fuse, replace=True, durable=False)
    )
    if result.problem or result.conflicts:
        raise BuiltConflictError(" and ".join(one.path.name for one in halves), result)
    made = Made(path=folder / result.name, size=result.size, sha256=result.sha256)
    cache.remember(made, inputs=[{"sha256": one.sha256} for one in halves])
    return made


class BuiltConflictError(UnservedError):
    """What was built cannot be fused with its other half; `result` says why."""

    def __init__(self, names: str, result: FuseResult) -> None:
        super().__init__(names, result.conflicts or (result.problem,))
        self.result = result


def python_of(wheel: str) -> str | None:
    """Return the Python that a wheel was built for, as `-i` takes it; None where its tags name no CPython.

    Of an abi3 wheel that is the oldest that takes it: maturin puts the one that it is given into the tag.
    """
    name = parse_wheel_name(wheel)
    match = re.fullmatch(r"cp3([0-9]+)", name.pythons[0])
    if match is None:
        return None
    return f"3.{match[1]}{'t' if re.fullmatch('cp3[0-9]+t', name.abis[0]) else ''}"


def _thin(builder: Builder, sdist: Made, arch: Arch, python: str) -> Made:
    cache = builder.cache
    parts = json.dumps([sdist.sha256, arch.value, python, __version__])
    folder = cache.folder / "built" / hashlib.sha256(parts.encode()).hexdigest()[:32]
    for known in folder.glob("*.whl"):
        if (made := cache.made(known)) is not None:
            return made
    builder.say(f"building {sdist.path.name} for {arch.value}")
    path = builder.build(sdist.path, arch, python, folder)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    made = Made(path=path, size=path.stat().st_size, sha256=digest)
    cache.remember(made, sdist=sdist.sha256)
    return made
