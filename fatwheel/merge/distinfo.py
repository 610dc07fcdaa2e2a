"""The two line-based files beside METADATA: entry_points.txt and top_level.txt.

Specification: entry points, "File format"; top_level.txt is setuptools' own.
"""

from __future__ import annotations

import configparser

from fatwheel.merge import Merged, MergeResult, Unmergeable

__all__ = ["merge_entry_points", "merge_top_level"]

_Entry = tuple[str, str]  # (group, name)


def merge_entry_points(x86_64: bytes, arm64: bytes) -> MergeResult:
    """Merge two entry_points.txt that declare the same: groups, names and object references.

    Order, comments and white space do not count; arm64's text is kept. A command or plug-in that
    only one architecture has can't be declared for one alone: `Unmergeable` names the first.
    """
    x_entries, a_entries = _parse_entry_points(x86_64), _parse_entry_points(arm64)
    if isinstance(x_entries, str):
        return Unmergeable(why=f"x86_64's is no entry_points.txt: {x_entries}")
    if isinstance(a_entries, str):
        return Unmergeable(why=f"arm64's is no entry_points.txt: {a_entries}")
    for entry in sorted({*x_entries, *a_entries}):
        x_value, a_value = x_entries.get(entry), a_entries.get(entry)
        if x_value != a_value:
            group, name = entry
            return Unmergeable(
                why=f"[{group}] {name} is {x_value or 'not there'} for x86_64"
                f" and {a_value or 'not there'} for arm64"
            )
    return Merged(content=arm64, how="the same entry points; arm64's spelling kept")


def _parse_entry_points(content: bytes) -> dict[_Entry, str] | str:
    """Return the object references without white space, or what is wrong."""
    parser = configparser.ConfigParser(
        delimiters=("=",), interpolation=None, default_section="\n", empty_lines_in_values=False
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(content.decode("utf-8"))
    except (configparser.Error, ValueError) as error:
        return str(error).splitlines()[0]
    return {
        (group, name): "".join(value.split())
        for group, entries in parser.items()
        for name, value in entries.items()
    }


def merge_top_level(x86_64: bytes, arm64: bytes) -> MergeResult:
    """Merge two top_level.txt: the union of their lines, sorted.

    Where arm64's text has them all, it is kept as it is.
    """
    try:
        x_names, a_names = _lines(x86_64), _lines(arm64)
    except UnicodeDecodeError as error:
        return Unmergeable(
            why=f"one of the two is not UTF-8 ({error.reason} at byte {error.start})"
        )
    missing = sorted(x_names - a_names)
    if not missing:
        return Merged(content=arm64, how="arm64's names include x86_64's")
    union = "".join(f"{name}\n" for name in sorted(x_names | a_names))
    return Merged(
        content=union.encode("utf-8"), how=f"union; only x86_64 has {', '.join(missing[:5])}"
    )


def _lines(content: bytes) -> set[str]:
    return {line.strip() for line in content.decode("utf-8").split("\n")} - {""}
