"""Texts that differ between the two wheels and can still be one: a module for each kind of text.

Every merger takes the x86_64 wheel's bytes and the arm64 wheel's bytes and answers with `Merged` or
`Unmergeable`. None of them opens a file, and none decides policy: which merger serves which member is
the plan's business.
"""

from __future__ import annotations

from fatwheel.values import valueclass

__all__ = ["MergeResult", "Merged", "Unmergeable"]


@valueclass
class Merged:
    """One text that serves both architectures.

    `how` is a clause for the report that says what was done, for instance "union of 31 and 33 components".
    """

    content: bytes
    how: str


@valueclass
class Unmergeable:
    """Why the two texts cannot be one: a clause that names the first values that disagree."""

    why: str


MergeResult = Merged | Unmergeable
