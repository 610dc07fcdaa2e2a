"""Small programs of fatwheel's own that cargo and build scripts call, laid into the cache."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

__all__ = ["write_program"]


def write_program(cache: Path, folder: str, name: str, text: str) -> Path:
    """Return the path of the program `name`; it is written where it is not there, whole or not at all.

    The path depends on `folder`, the name and the text alone, so that a fatwheel with another text leaves this one be.
    """
    path = cache / f"{folder}-{sha256(text.encode()).hexdigest()[:8]}" / name
    if not path.exists() or path.read_text("utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}-{os.getpid()}")
        part.write_text(text, "utf-8")
        part.chmod(0o755)
        part.replace(path)
    return path
