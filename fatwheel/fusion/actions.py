"""The plan's values: what becomes of each member, and what is not settled yet.

They are frozen and say everything that carrying out the plan needs, so that `--dry-run` prints the truth and
a test compares plans with `==`.
"""

from __future__ import annotations

from typing import Literal

from fatwheel.action import Action
from fatwheel.arch import Arch
from fatwheel.macho.image import Image
from fatwheel.macho.staticlib import StaticLibrary
from fatwheel.macho.universal import Layout
from fatwheel.values import valueclass
from fatwheel.wheels.wheel import Member

__all__ = [
    "KEEP_EITHER",
    "Conflict",
    "Decision",
    "Drop",
    "Fuse",
    "Keep",
    "Merge",
    "Planned",
    "SliceOf",
    "Take",
    "WriteAnew",
    "WriteRecord",
]


KEEP_EITHER = (Action.KEEP_ARM64, Action.KEEP_X86_64, Action.DROP)
"""The remedies for two files that cannot both be in the fused wheel."""


@valueclass
class Keep:
    """The member is copied as it lies in the wheel of `source`. `note` says why, where that is not obvious."""

    name: str
    mode: int
    source: Arch
    member: Member
    note: str = ""


@valueclass
class SliceOf:
    """One slice of a fused file: what lies at byte `offset` in the content of the `source` wheel's member.

    `whole` says that it is all of that member.
    """

    source: Arch
    offset: int
    whole: bool
    content: Image | StaticLibrary


@valueclass
class Fuse:
    """Both wheels' files become one universal file: `slices[i]` lies where `layout.placed[i]` says.

    `sha256` is the digest of the fused content where the scan could already tell (32 bytes), else None.
    `note` names slices that were left out.
    """

    name: str
    mode: int
    x86_64: Member
    arm64: Member
    slices: tuple[SliceOf, ...]
    layout: Layout
    sha256: bytes | None = None
    note: str = ""

    def member(self, arch: Arch) -> Member:
        """Return the member of the `arch` wheel."""
        return self.x86_64 if arch is Arch.X86_64 else self.arm64


@valueclass
class Take:
    """One slice of a universal file takes the file's place: a step of thinning, which fusing never takes.

    `note` names the slices that are left out, where the other architecture's is not the only one.
    """

    name: str
    mode: int
    member: Member
    slice: SliceOf
    note: str = ""


@valueclass
class Merge:
    """The member is written with new content, made of both wheels'; `how` is a clause for the report."""

    name: str
    mode: int
    content: bytes
    how: str


@valueclass
class WriteAnew:
    """A file of `.dist-info` that describes the wheel itself, and is therefore never taken from an input."""

    name: str
    mode: int
    content: bytes


@valueclass
class WriteRecord:
    """RECORD, which is written last, when the hashes of all others are known."""

    name: str
    mode: int


@valueclass
class Drop:
    """The member does not appear in the fused wheel."""

    name: str
    why: str


@valueclass
class Conflict:
    """A member that nothing has settled.

    `kind` is a word for scripts, `problem` a sentence, `matters` why it is not settled in silence, `diff` a
    few lines of the texts' first difference, and `remedies` the actions that would settle it. `warning` is a
    clause that says what is wrong with them all, and empty where one of them can be right.
    """

    name: str
    kind: Literal[
        "collision",
        "differs",
        "one-sided",
        "one-architecture",
        "payload",
        "platform",
        "rule",
        "stub",
        "swapped",
        "unlike",
    ]
    problem: str
    matters: str
    remedies: tuple[Action, ...]
    diff: tuple[str, ...] = ()
    warning: str = ""


Planned = Keep | Fuse | Merge | WriteAnew | WriteRecord | Drop | Conflict


@valueclass
class Decision:
    """Something that a rule or an option settled; it is written into `fatwheel.json`.

    `by` is "rule book", "kind NAME", "pyproject.toml", "--rule" or "--on-conflict". `action` is None where a kind
    made one text of both.
    """

    member: str
    action: Action | None
    by: str
    reason: str

    @property
    def word(self) -> str:
        """The action's word, "merge" where there is none."""
        return "merge" if self.action is None else self.action.value
