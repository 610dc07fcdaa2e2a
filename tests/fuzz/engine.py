"""The process in which atheris calls one target: `python -m tests.fuzz.engine MODULE TARGET FOLDER [OPTION…]`.

MODULE has the target in its `TARGETS`; no other is imported, since all of fatwheel that is imported is traced. The
options are libFuzzer's.

An exception does not end it: the first input of each kind of fault is kept in `FOLDER/findings`, and fuzzing goes on.
What takes too long or too much memory ends it, and libFuzzer keeps that input there. Needs atheris.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import resource
import sys
from pathlib import Path

import atheris

_ADDRESS_SPACE = (
    6 << 30
)  # bytes; libFuzzer's own limit is on what is resident, and looked at once a second
_ASK = 0xFFFFFFFF  # personality(2): changes nothing
_NO_RANDOM_ADDRESSES = 0x40000  # ADDR_NO_RANDOMIZE


def main(module: str, name: str, folder: Path, options: list[str]) -> None:
    """Fuzz one target; does not return."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    # All modules of fatwheel are traced, those that are imported late, too.
    atheris.instrument_imports(include=["fatwheel"], enable_loader_override=False).__enter__()
    targets = importlib.import_module(module).TARGETS
    from tests.fuzz.findings import Findings
    from tests.fuzz.target import inputs

    (target,) = [target for target in targets if target.name == name]
    findings = Findings(folder / "findings")
    seeds = folder / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)
    for seed, data in inputs(target):
        (seeds / seed).write_bytes(data[: target.longest])
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)

    def one(data: bytes) -> None:
        try:
            target(data)
        except Exception as error:
            findings.add(data, error)

    gc.freeze()
    words = [f"-max_len={target.longest}", f"-artifact_prefix={folder / 'findings'}/", *options]
    atheris.Setup([sys.argv[0], *words, str(corpus), str(seeds)], one)
    atheris.Fuzz()


def _fixed_addresses() -> None:
    """Begin this process anew where the system does not choose addresses at random, if it may be asked for.

    libFuzzer keeps comparisons by addresses, so that its choices depend on them.
    """
    system = ctypes.CDLL(None)
    now = system.personality(_ASK)
    if now >= 0 and not now & _NO_RANDOM_ADDRESSES:
        system.personality(now | _NO_RANDOM_ADDRESSES)
        if system.personality(_ASK) & _NO_RANDOM_ADDRESSES:
            os.execv(sys.executable, sys.orig_argv)


if __name__ == "__main__":
    _fixed_addresses()
    # The most memory that whoever began this process ever had counts as its own; a copy's is counted from here.
    if copy := os.fork():
        code = os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])
        sys.exit(code if code >= 0 else 128 - code)
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
