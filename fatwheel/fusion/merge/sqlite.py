"""SQLite databases with equal content: the same schema and the same rows, packed differently.

The library that wrote a database decides how its pages lie, so that two builds of one database seldom are the same
bytes. Where header, schema, and each table's rows are equal by value, type and order, and the indexes agree with them,
every query has the same answer from both. They are compared in a process of their own (`sqlitecompare`).

Specification: sqlite.org, "Database File Format".
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from fatwheel.errors import ToolError
from fatwheel.fusion.merge import Merged, MergeResult, Unmergeable
from fatwheel.process import Command, SubprocessRunner

__all__ = ["merge_sqlite"]

_MAGIC = b"SQLite format 3\0"
_TIMEOUT = 120.0  # seconds; its own limits end it before


def merge_sqlite(x86_64: bytes, arm64: bytes) -> MergeResult:
    """Keep arm64's database where both have the same content; else `Unmergeable` says how many rows differ."""
    if not x86_64.startswith(_MAGIC) or not arm64.startswith(_MAGIC) or not sys.executable:
        return Unmergeable(why="one of the two is no SQLite database")
    with tempfile.TemporaryDirectory(prefix="fatwheel-") as folder:
        paths = [Path(folder, name) for name in ("x86_64.db", "arm64.db")]
        for path, content in zip(paths, (x86_64, arm64), strict=True):
            path.write_bytes(content)
        command = Command(
            program=sys.executable,
            arguments=("-I", str(Path(__file__).with_name("sqlitecompare.py")), *map(str, paths)),
            env={},
            cwd=Path(folder),
            timeout=_TIMEOUT,
        )
        try:
            done = SubprocessRunner().capture(command)
        except ToolError as error:
            return Unmergeable(why=f"the databases cannot be compared ({error})")
    if done.exit_code != 0:
        return Unmergeable(why=f"the databases cannot be compared (exit code {done.exit_code})")
    if difference := done.stdout.strip():
        return Unmergeable(why=difference)
    return Merged(content=arm64, how="a database with the same schema and the same rows")
