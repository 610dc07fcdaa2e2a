"""What tests need from outside Python: oracle programs and downloaded wheels.

Without them a test is skipped and says how to get them; with `FATWHEEL_REQUIRE_ORACLES=1`, which
`.ci/run` sets, it fails instead, so that nothing goes untested unseen.
"""

import functools
import importlib
import os
import shutil
import zipfile
from types import ModuleType
from typing import NoReturn

import pytest

from tests.support.corpus import Pair, acceptance_pairs, single_wheels


def unavailable(what: str, how: str) -> NoReturn:
    """Skip the running test because *what* is missing; fail it where oracles are required."""
    message = f"not here: {what}; {how}"
    if os.environ.get("FATWHEEL_REQUIRE_ORACLES") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def require_tool(name: str, how: str = "scripts/setup installs it") -> str:
    """Return the path of the oracle program *name*, as found on PATH.

    Where it is missing, the test is skipped (see `unavailable`) with *how* to get it, for example
    `apt-get install llvm-19`.
    """
    path = shutil.which(name)
    if path is None:
        unavailable(f"the program {name}", how)
    return path


def require_package(name: str) -> ModuleType:
    """Return the package *name*, imported; where it is not installed, the test is skipped."""
    try:
        return importlib.import_module(name)
    except ImportError:
        unavailable(f"the package {name}", "scripts/setup installs it")


@functools.cache
def _cached(pair: Pair) -> bool:
    return all(wheel.is_cached() for wheel in pair.wheels)


def require_pair(name: str) -> Pair:
    """Return the acceptance pair of the project *name*, whose wheels lie in the cache."""
    pair = acceptance_pairs()[name]
    if not _cached(pair):
        unavailable(f"the wheels of {name} {pair.version}", "scripts/fetch_wheels.py gets them")
    return pair


@functools.cache
def require_member(project: str, member: str) -> bytes:
    """Return a member's content from the single wheel of `project`, which lies in the cache."""
    single = single_wheels()[project]
    if not single.universal2.is_cached():
        unavailable(f"the wheel of {project} {single.version}", "scripts/fetch_wheels.py gets it")
    with zipfile.ZipFile(single.universal2.path) as archive:
        return archive.read(member)
