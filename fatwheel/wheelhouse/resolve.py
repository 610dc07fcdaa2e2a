"""Which versions the tree consists of: uv asks the index, once for each architecture, and both answers are compared."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from packaging.version import Version

from fatwheel.arch import Arch
from fatwheel.errors import RefusedError, ToolError, UsageError
from fatwheel.index.listing import LeftOut
from fatwheel.process import Command, Completed, Runner
from fatwheel.values import valueclass
from fatwheel.wheels.tags import Floor, format_floor, normalise

__all__ = ["Pin", "Requirements", "combine_pins", "newer_versions", "parse_pins", "resolve"]

_PLATFORM = {Arch.X86_64: "x86_64-apple-darwin", Arch.ARM64: "aarch64-apple-darwin"}
_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;]+)\s*(;.*)?")
_MOST_LINES = 40


@valueclass
class Requirements:
    """What is asked for: requirement files, requirements as words, and constraint files."""

    files: tuple[Path, ...] = ()
    words: tuple[str, ...] = ()
    constraints: tuple[Path, ...] = ()


@valueclass
class Pin:
    """A project (normalised name) in a version, and which architectures need it."""

    name: str
    version: str
    archs: tuple[Arch, ...]


async def resolve(
    requirements: Requirements,
    arch: Arch,
    *,
    url: str,
    python: str,
    macos: Floor,
    environ: Mapping[str, str],
    folder: Path,
    scratch: Path,
    cache: Path,
    runner: Runner,
) -> dict[str, str]:
    """Return the version of each project, by normalised name, that uv chooses for one architecture.

    `cache` is uv's cache folder: our index's pages have no place in the user's own.

    Raises `ToolError` where uv is missing, `RefusedError` with uv's own words where there is no solution.
    """
    import asyncio

    files = [str(path.resolve()) for path in requirements.files]
    if requirements.words:
        own = scratch / f"requirements-{arch.value}.in"
        own.write_text("".join(f"{word}\n" for word in requirements.words), "utf-8")
        files.append(str(own))
    constraints = [f"--constraint={path.resolve()}" for path in requirements.constraints]
    command = Command(
        program=find_uv(),
        arguments=(
            *("pip", "compile", *files, *constraints, "--default-index", url, "--no-config"),
            *("--only-binary", ":all:"),
            *("--python-version", python, "--python-platform", _PLATFORM[arch]),
            # Nothing is built, so any Python will do; looking for one of that version takes uv a second.
            *("--python", sys.executable),
            *("--no-header", "--no-annotate", "--strip-extras", "--no-python-downloads", "--quiet"),
        ),
        env={
            **_without_settings(environ),
            "MACOSX_DEPLOYMENT_TARGET": format_floor(macos),
            "UV_CACHE_DIR": str(cache.resolve()),
        },
        cwd=folder,
        how="pip install 'fatwheel[index]'",
    )
    completed = await asyncio.to_thread(runner.capture, command)
    if completed.exit_code:
        raise _complaint(arch, completed)
    return parse_pins(completed.stdout)


def find_uv() -> str:
    """Return the program uv: that of the package, else the one on PATH.

    Raises `ToolError` without the extra `index`.
    """
    import shutil

    try:
        import uv

        return str(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise ToolError(
            "fatwheel wheelhouse needs uv; install it with: pip install 'fatwheel[index]'"
        )
    return found


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what would lead uv to other indexes; its network settings stay."""
    kept = ("UV_NATIVE_TLS", "UV_HTTP_TIMEOUT", "UV_CONCURRENT_DOWNLOADS")
    return {n: v for n, v in environ.items() if not n.startswith("UV_") or n in kept}


def _complaint(arch: Arch, completed: Completed) -> RefusedError:
    lines = [f"  {line}" for line in completed.stderr.splitlines() if line.strip()]
    sentence = f"there are no versions that fit together for {arch.value}; uv says:"
    return RefusedError(sentence, lines[:_MOST_LINES])


def parse_pins(text: str) -> dict[str, str]:
    """Return the versions in what `uv pip compile` prints.

    Raises `UsageError` for a requirement that names an address or a folder: it has no place in an index.
    """
    pins = {}
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith(("#", "--")):
            continue
        match = _PIN.fullmatch(line)
        if match is None:
            raise UsageError(
                f"{line[:120]} is no project of an index; put its wheel into a folder and name that with --upstream"
            )
        pins[normalise(match["name"])] = match["version"]
    return pins


def combine_pins(by_arch: Mapping[Arch, Mapping[str, str]]) -> tuple[Pin, ...]:
    """Return the pins of both architectures together, by name.

    Raises `RefusedError` that names each project whose versions differ, with the pin that would make them one.
    """
    names = sorted({name for pins in by_arch.values() for name in pins})
    pins, apart = [], []
    for name in names:
        versions = {arch: found[name] for arch, found in by_arch.items() if name in found}
        if len(set(versions.values())) > 1:
            apart.append((name, versions))
        else:
            version = next(iter(versions.values()))
            pins.append(Pin(name=name, version=version, archs=tuple(versions)))
    if apart:
        listed = "; ".join(_apart(name, versions) for name, versions in apart)
        raise RefusedError(f"the architectures need different versions: {listed}")
    return tuple(pins)


def _apart(name: str, versions: Mapping[Arch, str]) -> str:
    found = " and ".join(f"{version} for {arch.value}" for arch, version in versions.items())
    lowest = min(versions.values(), key=Version)
    return f"{name} {found} (pin it: '{name}=={lowest}')"


def newer_versions(pin: Pin, left_out: Iterable[LeftOut]) -> Iterator[str]:
    """Yield a note on the newest version that is left out though it is newer than the one chosen."""
    newer: Sequence[LeftOut] = [
        left
        for left in left_out
        if not left.what and left.version and _is_newer(left.version, pin.version)
    ]
    if newer:
        best = max(newer, key=lambda left: Version(left.version))
        yield f"{pin.name} {pin.version}; {best.version} has {best.why}"


def _is_newer(version: str, chosen: str) -> bool:
    candidate = Version(version)
    return not candidate.is_prerelease and candidate > Version(chosen)
