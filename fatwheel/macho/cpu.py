"""Names of the architectures that Mach-O knows, as lipo writes them (mach/machine.h)."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CPU_SUBTYPE_MASK", "Cpu", "arch_name", "cpu_named", "cpu_numbered", "names"]

CPU_SUBTYPE_MASK = 0x00FFFFFF
"""The bits of a cpusubtype that name the processor; the others are capabilities."""


class Cpu(NamedTuple):
    """One architecture: lipo's name, its numbers, and their names in mach/machine.h.

    The names come without `CPU_TYPE_` and `CPU_SUBTYPE_`.
    """

    name: str
    cputype: int
    cpusubtype: int
    type_name: str
    subtype_name: str

    def matches(self, cputype: int, cpusubtype: int) -> bool:
        """Say whether these numbers mean this architecture, whatever the capability bits are."""
        return (self.cputype, self.cpusubtype) == (cputype, cpusubtype & CPU_SUBTYPE_MASK)


_CPUS = (
    Cpu("i386", 0x00000007, 3, "I386", "I386_ALL"),
    Cpu("x86_64", 0x01000007, 3, "X86_64", "X86_64_ALL"),
    Cpu("x86_64h", 0x01000007, 8, "X86_64", "X86_64_H"),
    Cpu("armv4t", 0x0000000C, 5, "ARM", "ARM_V4T"),
    Cpu("arm", 0x0000000C, 0, "ARM", "ARM_ALL"),
    Cpu("armv5e", 0x0000000C, 7, "ARM", "ARM_V5TEJ"),
    Cpu("xscale", 0x0000000C, 8, "ARM", "ARM_XSCALE"),
    Cpu("armv6", 0x0000000C, 6, "ARM", "ARM_V6"),
    Cpu("armv6m", 0x0000000C, 14, "ARM", "ARM_V6M"),
    Cpu("armv7", 0x0000000C, 9, "ARM", "ARM_V7"),
    Cpu("armv7em", 0x0000000C, 16, "ARM", "ARM_V7EM"),
    Cpu("armv7k", 0x0000000C, 12, "ARM", "ARM_V7K"),
    Cpu("armv7m", 0x0000000C, 15, "ARM", "ARM_V7M"),
    Cpu("armv7s", 0x0000000C, 11, "ARM", "ARM_V7S"),
    Cpu("arm64", 0x0100000C, 0, "ARM64", "ARM64_ALL"),
    Cpu("arm64e", 0x0100000C, 2, "ARM64", "ARM64E"),
    Cpu("arm64_32", 0x0200000C, 1, "ARM64_32", "ARM64_32_V8"),
    Cpu("ppc", 0x00000012, 0, "POWERPC", "POWERPC_ALL"),
    Cpu("ppc64", 0x01000012, 0, "POWERPC64", "POWERPC_ALL"),
)
_BY_NAME = {cpu.name: cpu for cpu in _CPUS}
_BY_NUMBERS = {(cpu.cputype, cpu.cpusubtype): cpu for cpu in _CPUS}


def names() -> tuple[str, ...]:
    """Return the names of all architectures that have one."""
    return tuple(_BY_NAME)


def cpu_named(name: str) -> Cpu | None:
    """Return the architecture that lipo calls so, or None."""
    return _BY_NAME.get(name)


def cpu_numbered(cputype: int, cpusubtype: int) -> Cpu | None:
    """Return the architecture that has these numbers, whatever the capability bits are, or None."""
    return _BY_NUMBERS.get((cputype, cpusubtype & CPU_SUBTYPE_MASK))


def arch_name(cputype: int, cpusubtype: int) -> str:
    """Return lipo's name of an architecture; `unknown(CPUTYPE,CPUSUBTYPE)` where it has none."""
    cpu = cpu_numbered(cputype, cpusubtype)
    return cpu.name if cpu else f"unknown({cputype},{cpusubtype & CPU_SUBTYPE_MASK})"
