"""`fatwheel lipo`: lipo's own words, for machines that have no lipo.

Output files are those of llvm-lipo 19, byte for byte and in their mode. Inputs are read in bounded
pieces, and an output appears under its name only when it is complete, so that it may be one of the
inputs.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TextIO

from fatwheel.atomic import new_file
from fatwheel.errors import FatwheelError, FormatError, UsageError
from fatwheel.lipo.args import Action, Command, Input, parse_args
from fatwheel.lipo.info import format_archs, format_detailed_info, format_info
from fatwheel.macho import probe, universal
from fatwheel.macho.cpu import CPU_SUBTYPE_MASK, Cpu, arch_name
from fatwheel.printable import printable
from fatwheel.values import valueclass

__all__ = ["PROGRAM", "Part", "main"]

PROGRAM = "fatwheel lipo"
"""The name in front of messages, as in `fatal error: PROGRAM: …`."""

_CHUNK = 256 * 1024

Stamp = tuple[int, int, int, int]
"""What tells whether a file is still the same: device, inode, size in bytes, time of the last change."""


@valueclass
class Part:
    """A slice of an input file: `offset` in bytes of the file `path`, and what it will be placed as."""

    path: str
    stamp: Stamp
    offset: int
    source: universal.SliceSource
    executable: bool

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

    path: str
    stamp: Stamp
    found: universal.Universal | universal.Content
    executable: bool

    @property
    def parts(self) -> tuple[Part, ...]:
        found = self.found
        slices = (
            found.slices if isinstance(found, universal.Universal) else (universal.whole(found),)
        )
        return tuple(
            Part(
                path=self.path,
                stamp=self.stamp,
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
    files = [_read(one) for one in command.inputs]
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
    parts = _selected(command, [part for one in files for part in one.parts])
    if command.action is Action.THIN:
        _write(command.output, [(0, parts[0])], b"", parts[0].executable)
    else:
        _write_universal(command, parts)
    return 0


def _read(one: Input) -> _File:
    """Read one input file. Raises where it is no object, is damaged, or is not for its `-arch`."""
    with Path(one.path).open("rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{one.path} is not a regular file")
        parser = universal.parse(one.path, status.st_size, payload=False, bitcode=True)
        found = probe.run(parser, _reader(file))
    if found is None:
        raise _UnknownFileError(f"can't figure out the architecture type of: {one.path}")
    if one.cpu and not isinstance(found, universal.Universal) and found.cputype != one.cpu.cputype:
        own = arch_name(found.cputype, found.cpusubtype)
        problem = f"-arch {one.cpu.name} does not match the architecture of {one.path}, {own}"
        raise UsageError(problem)
    executable = bool(status.st_mode & 0o111)
    return _File(path=one.path, stamp=_stamp(status), found=found, executable=executable)


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _reader(file: BinaryIO) -> Callable[[int, int], bytes]:
    def read(offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)

    return read


def _selected(command: Command, parts: list[Part]) -> list[Part]:
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
    return _replaced(parts, command.replacements) if command.replacements else parts


def _replaced(parts: list[Part], replacements: Sequence[Input]) -> list[Part]:
    """Return the slices, those for the architectures of the replacements replaced by them."""
    new: dict[str, Part] = {}
    for one in replacements:
        file = _read(one)
        if isinstance(file.found, universal.Universal):
            raise UsageError(f"replacement file {one.path} is a fat file, it must be a thin one")
        (part,) = file.parts
        if not any(part.name == old.name for old in parts):
            raise UsageError(f"-replace: {parts[0].path} has no architecture {part.name}")
        if new.setdefault(part.name, part) is not part:
            both = f"{new[part.name].path} and {part.path}"
            raise UsageError(f"-replace: two files for {part.name}: {both}")
    return [new.get(part.name, part) for part in parts]


def _write_universal(command: Command, parts: list[Part]) -> None:
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
    _write(command.output, placed, plan.header, any(part.executable for part in parts))


def _write(
    output: str, placed: Iterable[tuple[int, Part]], header: bytes, executable: bool
) -> None:
    """Write `header` and the parts at their offsets; the file appears when it is complete."""
    with new_file(Path(output), replace=True) as file:
        file.write(header)
        for offset, part in placed:
            file.write(bytes(offset - file.tell()))
            file.writelines(_chunks(part))
        if executable and os.name == "posix":
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            os.chmod(file.fileno(), mode | (mode & 0o444) >> 2)  # noqa: PTH101 (no name yet)


def _chunks(part: Part) -> Iterator[bytes]:
    """Yield the slice's bytes. Raises `FormatError` where the file changed since it was looked at."""
    left = part.source.size
    with Path(part.path).open("rb") as file:
        file.seek(part.offset)
        while left:
            chunk = file.read(min(left, _CHUNK))
            if not chunk:
                raise FormatError(part.path, file.tell(), "the file became shorter meanwhile")
            left -= len(chunk)
            yield chunk
        if _stamp(os.fstat(file.fileno())) != part.stamp:
            problem = "the file changed while it was read; try again when nothing writes to it"
            raise FormatError(part.path, None, problem)
