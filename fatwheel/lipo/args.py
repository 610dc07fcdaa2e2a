"""lipo's command line: its words, read into one value."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from fatwheel.errors import UsageError
from fatwheel.macho.cpu import Cpu, cpu_named, names
from fatwheel.macho.layout import LARGEST_ALIGN
from fatwheel.values import valueclass

__all__ = ["WORDS", "Action", "Command", "Input", "parse_args"]


class Action(Enum):
    """What to do; the values are lipo's words."""

    CREATE = "create"
    THIN = "thin"
    EXTRACT = "extract"
    EXTRACT_FAMILY = "extract_family"
    REMOVE = "remove"
    REPLACE = "replace"
    ARCHS = "archs"
    INFO = "info"
    DETAILED_INFO = "detailed_info"
    VERIFY_ARCH = "verify_arch"


@valueclass
class Input:
    """A file to read, and the architecture that it must be for where `-arch` says so."""

    path: str
    cpu: Cpu | None = None


@valueclass
class Command:
    """One call of lipo.

    `cpus` are the architectures to extract, remove, thin to or verify; `replacements` have theirs
    in their `cpu`; `aligns` are the alignments (log2) that `-segalign` sets. `output` is empty for
    the actions that write no file.
    """

    action: Action
    inputs: tuple[Input, ...]
    output: str = ""
    cpus: tuple[Cpu, ...] = ()
    replacements: tuple[Input, ...] = ()
    aligns: tuple[tuple[Cpu, int], ...] = ()
    fat64: bool = False


_REPEATABLE = (Action.EXTRACT, Action.EXTRACT_FAMILY, Action.REMOVE, Action.REPLACE)
_SINGLE_INPUT = (Action.VERIFY_ARCH, Action.ARCHS, Action.THIN, *_REPEATABLE)
_WRITING = (Action.CREATE, Action.THIN, *_REPEATABLE)
_ARGUMENTS = {
    **{action.value: 0 for action in Action},
    **{action.value: 1 for action in (Action.THIN, *_REPEATABLE)},
    Action.REPLACE.value: 2,
    "arch": 2,
    "segalign": 2,
    "output": 1,
    "o": 1,
    "fat64": 0,
}
WORDS = tuple(_ARGUMENTS)  # that follow a hyphen


def parse_args(argv: Sequence[str]) -> Command:
    """Read lipo's arguments (without the program's name). Raises `UsageError` for others."""
    words = list(argv)
    inputs: list[Input] = []
    arch_inputs: list[Input] = []  # come after the others, as llvm-lipo has it
    replacements: list[Input] = []
    actions: list[Action] = []
    cpus: list[Cpu] = []
    aligns: dict[Cpu, int] = {}
    output, fat64 = "", False
    while words:
        word = words.pop(0)
        option = word.removeprefix("-").removeprefix("-") if len(word) > 1 else ""
        if not word.startswith("-") or not option:
            inputs.append(Input(path=word))
            continue
        values = _values(option, words)
        if option == "arch":
            arch_inputs.append(Input(path=values[1], cpu=_cpu(values[0])))
        elif option == "segalign":
            _add_align(aligns, *values)
        elif option in ("output", "o"):
            output = values[0]
        elif option == "fat64":
            fat64 = True
        else:
            actions.append(Action(option))
            if option == "replace":
                replacements.append(Input(path=values[1], cpu=_cpu(values[0])))
            else:
                cpus += map(_cpu, values)
    return _checked(
        Command(
            action=_one(actions),
            inputs=(*inputs, *arch_inputs),
            output=output,
            cpus=tuple(cpus),
            replacements=tuple(replacements),
            aligns=tuple(aligns.items()),
            fat64=fat64,
        )
    )


def _values(option: str, words: list[str]) -> list[str]:
    """Take the arguments of `option` from the start of `words`."""
    if option not in _ARGUMENTS:
        raise UsageError(f"unknown argument -{option}")
    count = len(words) if option == Action.VERIFY_ARCH.value else _ARGUMENTS[option]
    if len(words) < count:
        raise UsageError(f"missing argument to -{option}: it takes {count}")
    values = words[:count]
    del words[:count]
    return values


def _cpu(name: str) -> Cpu:
    cpu = cpu_named(name)
    if cpu is None:
        raise UsageError(f"unknown architecture {name}; known are {' '.join(names())}")
    return cpu


def _add_align(aligns: dict[Cpu, int], name: str, digits: str) -> None:
    """Add `-segalign name digits`, where the digits are a hexadecimal power of two."""
    try:
        value = int(digits, 16)
    except ValueError:
        raise UsageError(f"-segalign {name} {digits}: that is no hexadecimal number") from None
    if value <= 0 or value & (value - 1) or value > 1 << LARGEST_ALIGN:
        limit = f"{1 << LARGEST_ALIGN:x}"
        raise UsageError(f"-segalign {name} {digits}: it must be a power of two up to {limit}")
    cpu = _cpu(name)
    if cpu in aligns:
        raise UsageError(f"-segalign {name} is given twice")
    aligns[cpu] = value.bit_length() - 1


def _one(actions: list[Action]) -> Action:
    if not actions:
        raise UsageError(f"say what to do: one of {' '.join('-' + one.value for one in Action)}")
    first = actions[0]
    if len(actions) > 1 and (first not in _REPEATABLE or any(one != first for one in actions)):
        words = " ".join(f"-{one.value}" for one in actions)
        raise UsageError(f"only one of these can be done at a time: {words}")
    return first


def _checked(command: Command) -> Command:
    """Return `command` if its parts fit together."""
    word = f"-{command.action.value}"
    if not command.inputs:
        raise UsageError("name at least one input file")
    if command.action in _SINGLE_INPUT and len(command.inputs) > 1:
        raise UsageError(f"{word} takes a single input file, not {len(command.inputs)}")
    if command.action in _WRITING and not command.output:
        raise UsageError(f"{word} needs -output FILE")
    if command.action is Action.VERIFY_ARCH and not command.cpus:
        raise UsageError(f"{word} needs at least one architecture")
    seen: dict[Cpu | None, str] = {}
    for one in command.replacements:
        if one.cpu in seen:
            both = f"{seen[one.cpu]} and {one.path}"
            raise UsageError(f"{word} names one architecture twice: {both}")
        seen[one.cpu] = one.path
    return command
