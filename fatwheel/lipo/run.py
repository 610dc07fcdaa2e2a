"""`fatwheel lipo`: lipo's own words, for machines that have no lipo.

Output files are those of llvm-lipo 19, byte for byte and in their mode. Inputs are read in bounded
pieces, what was looked at is what is copied, and an output appears under its name only when it is
complete, so that it may be one of the inputs.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from fatwheel.archive.ranges import RangeFile, SteadyReader
from fatwheel.atomic import new_file
from fatwheel.errors import FatwheelError, UsageError
from fatwheel.lipo.args import Action, Command, Input, parse_args
from fatwheel.lipo.info import format_archs, format_detailed_info, format_info
from fatwheel.macho import probe, universal
from fatwheel.macho.cpu import CPU_SUBTYPE_MASK, Cpu, arch_name
from fatwheel.printable import printable
from fatwheel.values import valueclass

__all__ = ["PROGRAM", "Part", "main"]

PROGRAM = "fatwheel lipo"
"""The name in front of messages, as in `fatal error: PROGRAM: …`."""


@valueclass
class Part:
    """A slice of an input file: `offset` in bytes of the file, and what it will be placed as."""

    file: RangeFile
    offset: int
    source: universal.SliceSource
    executable: bool

    @property
    def path(self) -> str:
        """The input's name as it was given."""
        return self.file.name

    @property
    def name(self) -> str:
        """lipo's name of its architecture."""
        return arch_name(self.source.cputype, self.source.cpusubtype)

    def is_for(self, cpu: Cpu) -> bool:
        """Say whether it is for `cpu`."""
        return cpu.matches(self.source.cputype, self.source.cpusubtype)


@valueclass
class _File:
    """An input as it was read."""

    file: RangeFile
    found: universal.Universal | universal.Content
    executable: bool

    @property
    def path(self) -> str:
        return self.file.name

    @property
    def parts(self) -> tuple[Part, ...]:
        found = self.found
        slices = (
            found.slices if isinstance(found, universal.Universal) else (universal.whole(found),)
        )
        return tuple(
            Part(
                file=self.file,
                offset=one.offset,
                source=universal.SliceSource(
                    cputype=one.cputype,
                    cpusubtype=one.cpusubtype,
                    size=one.size,
                    align=one.align,
                ),
                executable=self.executable,
            )
            for one in slices
        )


def main(argv: Sequence[str], stdout: TextIO, stderr: TextIO) -> int:
    """Do what lipo does with these arguments and return its exit code, 0 or 1.

    Errors go to `stderr` as `fatal error: fatwheel lipo: …`, with lipo's own words for a file that
    is no object (delocate knows such files by them).
    """
    try:
        return _run(parse_args(argv), stdout)
    except FatwheelError as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    stderr.write(f"fatal error: {PROGRAM}: {printable(message)}\n")
    return 1


class _UnknownFileError(FatwheelError):
    """The input is neither a Mach-O file nor a static library."""


def _run(command: Command, stdout: TextIO) -> int:
    with ExitStack() as opened:
        return _run_with(command, stdout, opened)


def _run_with(command: Command, stdout: TextIO, opened: ExitStack) -> int:
    """Do it; `opened` closes the inputs."""
    files = [_read(one, opened) for one in command.inputs]
    first = files[0]
    if command.action is Action.VERIFY_ARCH:
        wanted = command.cpus
        return 0 if all(any(part.is_for(cpu) for part in first.parts) for cpu in wanted) else 1
    reports = {
        Action.ARCHS: format_archs,
        Action.INFO: format_info,
        Action.DETAILED_INFO: format_detailed_info,
    }
    if report := reports.get(command.action):
        shown = printable if stdout.isatty() else str  # programs get names as they are
        stdout.write(report([(shown(one.path), one.found) for one in files]))
        return 0
    if command.action is not Action.CREATE and not isinstance(first.found, universal.Universal):
        problem = f"input file {first.path} must be a fat file for -{command.action.value}"
        raise UsageError(problem)
    parts = _selected(command, [part for one in files for part in one.parts], opened)
    if command.action is Action.THIN:
        _write(command.output, [(0, parts[0])], b"", opened)
    else:
        _write_universal(command, parts, opened)
    return 0


def _read(one: Input, opened: ExitStack) -> _File:
    """Read one input file. Raises where it is no object, is damaged, or is not for its `-arch`."""
    file = opened.enter_context(RangeFile(Path(one.path), name=one.path))
    parser = universal.parse(one.path, file.size, payload=False, bitcode=True)
    found = probe.run(parser, SteadyReader(file, 0, file.size).read)
    if found is None:
        raise _UnknownFileError(f"can't figure out the architecture type of: {one.path}")
    if one.cpu and not isinstance(found, universal.Universal) and found.cputype != one.cpu.cputype:
        own = arch_name(found.cputype, found.cpusubtype)
        problem = f"-arch {one.cpu.name} does not match the architecture of {one.path}, {own}"
        raise UsageError(problem)
    return _File(file=file, found=found, executable=bool(file.mode & 0o111))


def _selected(command: Command, parts: list[Part], opened: ExitStack) -> list[Part]:
    """Return the slices that the action leaves."""
    path = parts[0].path
    for cpu in command.cpus:
        if command.action is Action.EXTRACT_FAMILY:
            present = any(part.source.cputype == cpu.cputype for part in parts)
        else:
            present = any(part.is_for(cpu) for part in parts)
        if not present:
            raise UsageError(f"fat input file {path} has no architecture {cpu.name}")
    if command.action in (Action.THIN, Action.EXTRACT):
        return [part for part in parts if any(map(part.is_for, command.cpus))]
    if command.action is Action.EXTRACT_FAMILY:
        families = {cpu.cputype for cpu in command.cpus}
        return [part for part in parts if part.source.cputype in families]
    if command.action is Action.REMOVE:
        left = [part for part in parts if not any(map(part.is_for, command.cpus))]
        if not left:
            raise UsageError(f"-remove would leave no architecture of {path}")
        return left
    return _replaced(parts, command.replacements, opened) if command.replacements else parts


def _replaced(parts: list[Part], replacements: Sequence[Input], opened: ExitStack) -> list[Part]:
    """Return the slices, those for the architectures of the replacements replaced by them."""
    new: dict[str, Part] = {}
    for one in replacements:
        file = _read(one, opened)
        if isinstance(file.found, universal.Universal):
            raise UsageError(f"replacement file {one.path} is a fat file, it must be a thin one")
        (part,) = file.parts
        if not any(part.name == old.name for old in parts):
            raise UsageError(f"-replace: {parts[0].path} has no architecture {part.name}")
        if new.setdefault(part.name, part) is not part:
            both = f"{new[part.name].path} and {part.path}"
            raise UsageError(f"-replace: two files for {part.name}: {both}")
    return [new.get(part.name, part) for part in parts]


def _write_universal(command: Command, parts: list[Part], opened: ExitStack) -> None:
    seen: dict[tuple[int, int], Part] = {}
    for part in parts:
        key = (part.source.cputype, part.source.cpusubtype & CPU_SUBTYPE_MASK)
        other = seen.setdefault(key, part)
        if other is not part:
            problem = (
                f"{other.path} and {part.path} have the same architecture {part.name} and can't be"
                " in the same fat output file"
            )
            raise UsageError(problem)
    for cpu, align in command.aligns:
        if command.action is not Action.EXTRACT and not any(part.is_for(cpu) for part in parts):
            raise UsageError(f"-segalign {cpu.name}: the output has no such architecture")
        parts = [
            replace(part, source=replace(part.source, align=align)) if part.is_for(cpu) else part
            for part in parts
        ]
    plan = universal.layout([part.source for part in parts], fat64=command.fat64)
    placed = [(one.offset, parts[one.index]) for one in plan.placed]
    _write(command.output, placed, plan.header, opened)


def _write(
    output: str, placed: Sequence[tuple[int, Part]], header: bytes, opened: ExitStack
) -> None:
    """Write `header` and the parts at their offsets; the file appears when it is complete.

    Raises `ChangedError` where an input is not what it was when it was looked at.
    """
    with new_file(Path(output), replace=True) as file:
        file.write(header)
        for offset, part in placed:
            file.write(bytes(offset - file.tell()))
            file.writelines(part.file.steady(0, part.file.size, part.offset, part.source.size))
        for _, part in placed:
            part.file.check_unchanged()
        if os.name == "posix" and any(part.executable for _, part in placed):
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            os.chmod(file.fileno(), mode | (mode & 0o444) >> 2)  # noqa: PTH101 (no name yet)
        opened.close()  # Windows replaces no file that is open, and the output may be an input
