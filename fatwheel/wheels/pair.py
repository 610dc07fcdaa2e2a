"""Two thin wheels of one project side by side, as values: the input of the plan."""

from __future__ import annotations

from fatwheel.arch import Arch
from fatwheel.macho.universal import Layout
from fatwheel.values import valueclass
from fatwheel.wheels.distinfo import WheelMetadata
from fatwheel.wheels.tags import Floor, WheelName
from fatwheel.wheels.wheel import Member

__all__ = ["FusedDigest", "MemberPair", "Pair", "Side"]


@valueclass
class Side:
    """One of the two wheels.

    `filename` is its file name, `sha256` the file's digest in hexadecimal. `floor` is the oldest macOS that
    its tags promise for `arch`. `dist_info` is its `.dist-info` folder, `metadata` what its WHEEL says.
    """

    arch: Arch
    filename: str
    name: WheelName
    sha256: str
    floor: Floor
    dist_info: str
    metadata: WheelMetadata


@valueclass
class FusedDigest:
    """SHA-256 (32 bytes) of the universal file with this layout, both slices being the members' whole content."""

    layout: Layout
    sha256: bytes


@valueclass
class MemberPair:
    """One member name and what each wheel has under it; at least one of the two is there.

    `name` is the name in the fused wheel. `x86_64_text` and `arm64_text` are the contents of small members
    that differ and are no Mach-O files, for mergers and reports; None where they were not kept.
    """

    name: str
    x86_64: Member | None = None
    arm64: Member | None = None
    x86_64_text: bytes | None = None
    arm64_text: bytes | None = None
    fused: FusedDigest | None = None

    def member(self, arch: Arch) -> Member | None:
        """Return the member of the `arch` wheel, or None."""
        return self.x86_64 if arch is Arch.X86_64 else self.arm64

    @property
    def only(self) -> Arch | None:
        """The architecture whose wheel alone has this member; None where both have it."""
        if self.x86_64 is None:
            return Arch.ARM64
        return Arch.X86_64 if self.arm64 is None else None

    @property
    def mode(self) -> int:
        """Permission bits of the fused member: the union of both, without set-uid, set-gid and sticky.

        No installer hands these on.
        """
        x86_64 = self.x86_64.entry.mode if self.x86_64 else 0
        return (x86_64 | (self.arm64.entry.mode if self.arm64 else 0)) & 0o777


@valueclass
class Pair:
    """Two wheels that may be fused; `members` is in the order of the fused wheel.

    `notes` says what was unusual about the inputs and accepted all the same.
    """

    x86_64: Side
    arm64: Side
    members: tuple[MemberPair, ...]
    notes: tuple[str, ...] = ()

    def side(self, arch: Arch) -> Side:
        """Return the wheel of `arch`."""
        return self.x86_64 if arch is Arch.X86_64 else self.arm64
