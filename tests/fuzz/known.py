"""Faults that are known and not mended yet: fuzzing goes on past them, and a test says when one is gone.

What is mended leaves this list, and its input goes to `fixtures/fuzz/TARGET/`: `python -m tests.fuzz.known`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests.fuzz.bundle import part
from tests.fuzz.target import REGRESSIONS, joined
from tests.support.wheels import METADATA, NATIVE, A, X, code

__all__ = ["KNOWN", "Known", "is_known"]


class Known(NamedTuple):
    """One fault: its target, its kind (`findings.fault`, without the line), an input that shows it, what is wrong."""

    target: str
    kind: str
    input: bytes
    wrong: str


_CODE = (part("x", NATIVE, code(X)), part("a", NATIVE, code(A)))
_DIGITS = b"9" * 5000  # more than Python reads as a number

KNOWN = (
    Known(
        "settings",
        "RecursionError at fatwheel/config.py:parse_config",
        b"a = " + b"[" * 5000,
        "TOML that is nested deeply ends in a traceback",
    ),
    Known(
        "settings",
        "ValueError at fatwheel/config.py:parse_config",
        b"a = " + _DIGITS,
        "a number of many digits in pyproject.toml ends in a traceback",
    ),
    Known(
        "wheel-file",
        "ValueError at fatwheel/wheels/distinfo.py:parse_name_and_version",
        b"Version: " + _DIGITS,
        "a version of many digits in METADATA ends in a traceback",
    ),
    Known(
        "metadata",
        "ValueError at fatwheel/fusion/merge/metadata.py:_parse",
        joined(METADATA + b"Requires-Dist: a>=" + _DIGITS, METADATA),
        "a requirement with a version of many digits ends in a traceback",
    ),
    Known(
        "linker",
        "ValueError at fatwheel/toolchain/linker.py:<genexpr>",
        b"-mmacosx-version-min=x",
        "the linker's wrapper ends in a traceback where the deployment target is none",
    ),
    Known(
        "wheel-name",
        "BrokenPromiseError at tests/fuzz/targets/texts.py:_parsed_name",
        b"pkg-1.0-2_a-py3-macosx_11_0_arm64.whl",
        "a Python tag that is no identifier is taken, and installers refuse it",
    ),
    Known(
        "directory",
        "BrokenPromiseError at tests/fuzz/targets/archives.py:_members",
        bytes.fromhex(
            "504b03041400000000000000210000000000000000000000000001000000"
            "61504b010214039400000000000000210000000000000000000000000001"
            "000000000000000000000000000000000061504b05060000000001000100"
            "2f0000001f0000000000"
        ),
        "a version needed that zipfile and pip do not know is taken",
    ),
    Known(
        "python",
        "BrokenPromiseError at tests/fuzz/targets/texts.py:_same_code",
        joined("if x:\n        a\n        b\n", "if x:\n        a\n\tb\n"),
        "a source that does not compile is kept where its tokens equal the other's",
    ),
    Known(
        "python",
        "BrokenPromiseError at tests/fuzz/targets/texts.py:_dispatches",
        joined(*2 * [b"#!/usr/bin/python # coding: latin-1\nx = '\xe9'\n"]),
        "a coding cookie in the #! line is kept while the module is written as UTF-8",
    ),
    Known(
        "fuse",
        "BrokenPromiseError at tests/fuzz/targets/wheels.py:_installed",
        joined(
            "", *_CODE, part("b", "pkg-1.0.data/purelib/pkg/A.py", ""), part("b", "pkg/a.py", "")
        ),
        "two files that land on one name are fused",
    ),
    Known(
        "command",
        "BrokenPromiseError at tests/fuzz/targets/wheels.py:_printable",
        joined(
            "",
            part("x", NATIVE, code(X)),
            part("a", NATIVE, code(A, loads=["@loader_path/\u202e"])),
        ),
        "control characters out of a wheel are printed",
    ),
)


def is_known(target: str, finding: Path) -> bool:
    """Return whether a finding (its input; the reason lies beside it) is a fault that is known."""
    reason = finding.with_suffix(".txt")
    kind = reason.read_text("utf-8").partition("\n")[0] if reason.exists() else ""
    return any(known.target == target and kind.startswith(known.kind + ":") for known in KNOWN)


def _keep_mended() -> None:
    """Write the inputs of what is mended to where they are replayed, and say which entries to delete."""
    from tests.fuzz.findings import fault_of
    from tests.fuzz.table import TARGETS

    for known in KNOWN:
        if not fault_of(TARGETS[known.target], known.input):
            folder = REGRESSIONS / known.target
            folder.mkdir(exist_ok=True)
            name = "-".join(known.wrong.split()[:7]).strip(",")
            (folder / name).write_bytes(known.input)
            print(f"mended, so delete it here: {known.wrong}")


if __name__ == "__main__":
    _keep_mended()
