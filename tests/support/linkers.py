"""Linkers for Apple's targets that run here."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

from tests.support.required import require_tool, unavailable


def find_lld() -> tuple[str, ...]:
    """Return the words that start LLVM's Mach-O linker; where there is none, the test is skipped."""
    rustc = shutil.which("rustc")
    if rustc is not None:
        said = subprocess.run(
            [rustc, "--print", "sysroot"], capture_output=True, text=True, check=False
        )
        for path in Path(said.stdout.strip()).glob("lib/rustlib/*/bin/rust-lld"):
            return (str(path), "-flavor", "darwin")
    for name in ("ld64.lld", "ld64.lld-19"):
        found = shutil.which(name)
        if found is not None:
            return (found,)
    return (
        require_tool("rust-lld", "take Rust from rustup, or: apt-get install lld-19"),
        "-flavor",
        "darwin",
    )


def find_zig() -> Path:
    """Return zig's program; where there is none, the test is skipped."""
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        unavailable("zig", "pip install ziglang")
    return Path(spec.origin).parent / "zig"
