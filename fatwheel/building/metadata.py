"""The dist-info folder of a wheel to be (PEP 517, `prepare_metadata_for_build_wheel`): maturin's, finally tagged."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.building.maturin import maturin_command
from fatwheel.building.plan import Build, BuildPlan
from fatwheel.process import Command
from fatwheel.toolchain.host import Host
from fatwheel.version import __version__
from fatwheel.wheels.distinfo import format_wheel_metadata, parse_wheel_metadata
from fatwheel.wheels.tags import TagStyle, WheelName, claims, fused_platforms, with_platforms

__all__ = ["write_dist_info"]


def write_dist_info(
    plan: BuildPlan,
    host: Host,
    work: Path,
    style: TagStyle,
    run: Callable[[Command, str], object],
) -> str:
    """Write the folder into the plan's output folder, and return its name.

    maturin writes one for each architecture into `work`, by `run`, which takes a command and what it is to do. For
    both, arm64's is taken, and WHEEL gets the tags of the fused wheel.
    """
    made = {build.arch: _made(build, host, work, run) for build in plan.builds}
    source = made.get(Arch.ARM64) or next(iter(made.values()))
    target = plan.request.out / source.name
    shutil.copytree(source, target, dirs_exist_ok=True)
    if len(made) > 1:
        texts = {arch: (folder / "WHEEL").read_text("utf-8") for arch, folder in made.items()}
        (target / "WHEEL").write_bytes(_fused_wheel_text(source.name, texts, style))
    return source.name


def _made(build: Build, host: Host, work: Path, run: Callable[[Command, str], object]) -> Path:
    """Let maturin write the metadata for one architecture, and return its dist-info folder."""
    folder = work / f"metadata-{build.arch.value}"
    folder.mkdir()
    words = ("pep517", "write-dist-info", "--metadata-directory", str(folder))
    thin = replace(build.thin, subcommand=words)
    command = maturin_command(thin, host.environ, *host.maturin_words)
    run(command, f"writing the metadata for {build.arch.value}")
    (made,) = folder.glob("*.dist-info")
    return made


def _fused_wheel_text(dist_info: str, texts: Mapping[Arch, str], style: TagStyle) -> bytes:
    """Return the WHEEL of the universal2 wheel to be, from those of both thin ones."""
    names = {arch: _wheel_name(dist_info, text) for arch, text in texts.items()}
    metadata = parse_wheel_metadata(texts[Arch.ARM64], wheel=dist_info, member="WHEEL")
    floors = {arch: claims(name)[arch] for arch, name in names.items()}
    platforms = fused_platforms(floors[Arch.X86_64], floors[Arch.ARM64], style)
    return format_wheel_metadata(
        with_platforms(names[Arch.ARM64], platforms),
        generator=f"fatwheel {__version__}",
        root_is_purelib=metadata.root_is_purelib,
    )


def _wheel_name(dist_info: str, text: str) -> WheelName:
    """Return the file name that the tags of a WHEEL file make."""
    tags = parse_wheel_metadata(text, wheel=dist_info, member="WHEEL").tags
    parts = [tuple(dict.fromkeys(part)) for part in zip(*(t.split("-") for t in tags), strict=True)]
    distribution, _, version = dist_info.removesuffix(".dist-info").partition("-")
    return WheelName(
        distribution=distribution,
        version=version,
        pythons=parts[0],
        abis=parts[1],
        platforms=parts[2],
    )
