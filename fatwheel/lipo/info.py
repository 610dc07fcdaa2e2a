"""What lipo prints about files: `-archs`, `-info` and `-detailed_info`."""

from __future__ import annotations

from collections.abc import Sequence

from fatwheel.macho import universal
from fatwheel.macho.cpu import CPU_SUBTYPE_MASK, arch_name, cpu_numbered

__all__ = ["Named", "format_archs", "format_detailed_info", "format_info"]

Named = tuple[str, universal.Universal | universal.Content]
"""A file's name as it was given, and what was found in it."""


def _archs(found: universal.Universal | universal.Content) -> str:
    """lipo's names of the architectures, with a blank after each."""
    slices = found.slices if isinstance(found, universal.Universal) else (universal.whole(found),)
    return "".join(f"{arch_name(one.cputype, one.cpusubtype)} " for one in slices)


def format_archs(files: Sequence[Named]) -> str:
    """Format the answer to `-archs`."""
    return "".join(f"{_archs(found)}\n" for _, found in files)


def format_info(files: Sequence[Named]) -> str:
    """Format the answer to `-info`: first the universal files, then the thin ones."""
    lines = [
        f"Architectures in the fat file: {name} are: {_archs(found)}\n"
        for name, found in files
        if isinstance(found, universal.Universal)
    ]
    return "".join(lines) + _non_fat(files)


def format_detailed_info(files: Sequence[Named]) -> str:
    """Format the answer to `-detailed_info`: the whole table of universal files."""
    lines = []
    for name, found in files:
        if isinstance(found, universal.Universal):
            magic = universal.FAT_MAGIC_64 if found.fat64 else universal.FAT_MAGIC
            lines.append(f"Fat header in: {name}\nfat_magic {magic:#x}\n")
            lines.append(f"nfat_arch {len(found.slices)}\n")
            lines += map(_slice, found.slices)
        else:
            lines.append(f"input file {name} is not a fat file\n")
    return "".join(lines) + _non_fat(files, blank="")


def _non_fat(files: Sequence[Named], blank: str = " ") -> str:
    return "".join(
        f"Non-fat file: {name} is architecture: {_archs(found).strip()}{blank}\n"
        for name, found in files
        if not isinstance(found, universal.Universal)
    )


def _slice(one: universal.Slice) -> str:
    """Format one entry of the table; names are those of mach/machine.h where there are some."""
    cpu = cpu_numbered(one.cputype, one.cpusubtype)
    if cpu is None:
        subtype = one.cpusubtype & CPU_SUBTYPE_MASK
        names = (
            f"(cputype ({one.cputype}) cpusubtype ({subtype}))",
            f"({one.cputype})",
            f"cpusubtype ({subtype})",
        )
    else:
        names = (cpu.name, f"CPU_TYPE_{cpu.type_name}", f"CPU_SUBTYPE_{cpu.subtype_name}")
    return (
        f"architecture {names[0]}\n"
        f"    cputype {names[1]}\n"
        f"    cpusubtype {names[2]}\n"
        f"    capabilities {one.cpusubtype >> 24:#x}\n"
        f"    offset {one.offset}\n"
        f"    size {one.size}\n"
        f"    align 2^{one.align} ({1 << one.align})\n"
    )
