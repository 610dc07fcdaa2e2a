"""All that a build needs on the machine, looked at before anything is compiled.

Everything that is missing is told at once, each thing with the command that brings it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.process import Runner
from fatwheel.targets.decision import Decision, PythonFacts, fall_back
from fatwheel.toolchain.host import (
    Host,
    Look,
    Missing,
    MissingToolsError,
    Search,
    settled,
)
from fatwheel.toolchain.linker import Linker, choose_linker
from fatwheel.toolchain.rust import need_rust
from fatwheel.values import valueclass

__all__ = ["OLDEST_MATURIN", "Toolchain", "inspect_toolchain", "look_for_tools"]

OLDEST_MATURIN = "1.9"


@valueclass
class Toolchain:
    """What was found: versions as the programs print them, and the linker."""

    maturin: str
    rustc: str
    sysroot: Path
    linker: Linker


def inspect_toolchain(
    host: Host, project: Path, linker: str, runner: Runner, archs: Sequence[Arch] = tuple(Arch)
) -> Toolchain:
    """Look at the tools as they are in the folder `project` and choose the linker.

    `linker` is "auto", "lld", "zig" or "system"; `archs` are those to build for. Raises `MissingToolsError` that
    lists all that is missing.
    """
    look = Look(host=host, project=project, runner=runner)
    toolchain, missing = settled(_need_all(look, linker, archs))
    if missing or toolchain is None:
        raise MissingToolsError(missing)
    return toolchain


def _need_all(look: Look, linker: str, archs: Sequence[Arch]) -> Search[Toolchain | None]:
    maturin = yield from _need_maturin(look)
    rust = yield from need_rust(look, archs)
    chosen = yield from choose_linker(look, linker, rust, archs)
    if rust is None or chosen is None:
        return None
    return Toolchain(maturin=maturin, rustc=rust.version, sysroot=rust.sysroot, linker=chosen)


def _need_maturin(look: Look) -> Search[str]:
    """Look for maturin; what it says of its version is what is found."""
    wanted = f"maturin {OLDEST_MATURIN} or later"
    how = f"{look.host.python} -m pip install --upgrade 'maturin>={OLDEST_MATURIN}'"
    said = look.answer(*look.host.maturin_words, "--version")
    match = re.search(r"maturin ([0-9]+)\.([0-9]+)\S*", said)
    if match is None:
        yield Missing(what=wanted, how=how)
        return ""
    if [int(match[1]), int(match[2])] < [int(number) for number in OLDEST_MATURIN.split(".")]:
        yield Missing(what=f"{wanted} (found {match[0]})", how=how)
    return match[0]


def look_for_tools(
    decision: Decision,
    python: PythonFacts,
    look: Callable[[tuple[Arch, ...]], Toolchain],
    say: Callable[[str], None],
) -> tuple[Decision, Toolchain]:
    """Return what `look` finds for the architectures, and the decision, which falls back where it may and must.

    Raises `MissingToolsError` where even for the running architecture something is missing.
    """
    try:
        return decision, look(decision.archs)
    except MissingToolsError as error:
        if not decision.universal2_is_optional:
            raise
        own = fall_back(decision, python)
        toolchain = look(own.archs)
        say(f"WARNING: universal2 = true cannot be had here; {error}")
        return own, toolchain
