"""What a Python interpreter says of itself: asked in its own process, since nobody else knows.

Which architecture it runs as depends on how it is started, and `sysconfig.get_platform()` merely echoes
`_PYTHON_HOST_PLATFORM` where that is set, so the question is put without the variables that change the answer.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.errors import FormatError, ToolError
from fatwheel.macho import universal
from fatwheel.macho.probe import run
from fatwheel.process import Command, Runner
from fatwheel.targets.decision import PythonFacts

__all__ = ["as_started", "ask_python", "own_facts", "read_slices"]

_SECONDS = 60.0  # the first start of a translated program takes Rosetta some seconds
_LONGEST = 160  # characters of a stranger's message that are shown
_FALSIFYING = (
    "ARCHFLAGS",
    "_PYTHON_HOST_PLATFORM",
    "_PYTHON_SYSCONFIGDATA_NAME",
    "__PYVENV_LAUNCHER__",
)
# Runs in any Python from 3.6 on. `translated` is None where ctypes is missing.
_QUESTION = """\
import json, platform, sys, sysconfig
translated = None
if sys.platform == "darwin":
    try:
        import ctypes
        value, size = ctypes.c_int(0), ctypes.c_size_t(4)
        failed = ctypes.CDLL(None).sysctlbyname(
            b"sysctl.proc_translated", ctypes.byref(value), ctypes.byref(size), None, ctypes.c_size_t(0)
        )
        translated = not failed and value.value == 1
    except Exception:
        pass
print()
print(json.dumps({
    "system": sys.platform,
    "platform": sysconfig.get_platform(),
    "machine": platform.machine(),
    "translated": translated,
    "executable": sys.executable,
    "version": platform.python_version(),
}))
"""


def ask_python(program: str, environ: Mapping[str, str], cwd: Path, runner: Runner) -> PythonFacts:
    """Return the facts of the interpreter `program`, a path or a name to be found on `environ`'s PATH.

    Raises `ToolError` where it is missing or its answer is none.
    """
    clean = {name: value for name, value in environ.items() if name not in _FALSIFYING}
    # Isolated: a file json.py in the project is not what is asked for.
    command = Command(
        program=program,
        arguments=("-I", "-c", _QUESTION),
        env=clean,
        cwd=cwd,
        how="name an interpreter that exists",
        timeout=_SECONDS,
    )
    completed = runner.capture(command)
    if completed.exit_code:
        said = _gist(completed.stderr)
        raise ToolError(
            f"{program} cannot be asked what it is (exit code {completed.exit_code})"
            f"{f': {said}' if said else ''}; is it a Python interpreter?"
        )
    facts, translated = _parse(program, completed.stdout)
    if not facts.is_macos:
        return facts
    if translated is None:
        translated = _sysctl(clean, cwd, runner)
    return replace(facts, translated=translated, slices=read_slices(Path(facts.executable)))


def own_facts(environ: Mapping[str, str], cwd: Path, runner: Runner) -> PythonFacts:
    """Return the facts of the interpreter that runs this code, asked by starting it once more.

    Where it runs and as what are this process's own, whatever a second start of a universal binary chooses.
    Raises `ToolError` like `ask_python`.
    """
    asked = ask_python(sys.executable, environ, cwd, runner)
    return as_started(asked, system=sys.platform, machine=platform.machine())


def as_started(asked: PythonFacts, *, system: str, machine: str) -> PythonFacts:
    """Return the facts of another process of the same interpreter, which runs as `machine`.

    Where the two differ, the machine is one that can run both, so the x86_64 one is translated.
    """
    differs = asked.is_macos and machine != asked.machine
    translated = machine == Arch.X86_64.value if differs else asked.translated
    return replace(asked, system=system, machine=machine, translated=translated)


def read_slices(path: Path) -> frozenset[Arch]:
    """Return the architectures in the program at `path`; none where it is no Mach-O file that can be read.

    A slice for arm64e counts as arm64 and one for x86_64h as x86_64: which machine it is for is the question.
    """
    try:
        with path.open("rb") as file:

            def read(offset: int, size: int) -> bytes:
                file.seek(offset)
                return file.read(size)

            found = run(universal.parse(str(path), path.stat().st_size, payload=False), read)
    except (OSError, FormatError):
        return frozenset()
    if found is None:
        return frozenset()
    parts = found.slices if isinstance(found, universal.Universal) else (found,)
    archs = (Arch.from_cputype(part.cputype) for part in parts)
    return frozenset(arch for arch in archs if arch is not None)


def _gist(stderr: str) -> str:
    """Return the line of an error's report that says what it is: a traceback's last one, else the first."""
    lines = stderr.strip().splitlines() or [""]
    return lines[-1 if lines[0].startswith("Traceback") else 0][:_LONGEST]


def _parse(program: str, output: str) -> tuple[PythonFacts, bool | None]:
    """Read the answer, which is the last line: what a site's customisation prints comes before it."""
    lines = output.strip().splitlines()
    try:
        said = json.loads(lines[-1])
        facts = PythonFacts(
            system=str(said["system"]),
            platform=str(said["platform"]),
            machine=str(said["machine"]),
            executable=str(said["executable"] or program),
            version=str(said["version"]),
        )
        translated = said["translated"]
    except (IndexError, ValueError, KeyError, TypeError):
        first = lines[0] if lines else "nothing"
        raise ToolError(
            f"{program} was asked what it is and said {first[:_LONGEST]!r}; is it Python?"
        ) from None
    return facts, None if translated is None else bool(translated)


def _sysctl(environ: Mapping[str, str], cwd: Path, runner: Runner) -> bool:
    """Ask the system's own program; it fails on Macs and systems that know no translation."""
    command = Command(
        program="/usr/sbin/sysctl",
        arguments=("-n", "sysctl.proc_translated"),
        env=environ,
        cwd=cwd,
        timeout=_SECONDS,
    )
    try:
        completed = runner.capture(command)
    except ToolError:
        return False
    return completed.exit_code == 0 and completed.stdout.strip() == "1"
