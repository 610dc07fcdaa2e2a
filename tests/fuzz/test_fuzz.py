"""Every target is fuzzed for two seconds, alike on every run; and faults that were planted are found.

`scripts/fuzz` does the same for an hour.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fuzz import planted
from tests.fuzz.campaign import Limits, Outcome, fuzz
from tests.fuzz.findings import minimised
from tests.fuzz.table import TARGETS
from tests.support.required import unavailable

_MOST_SECONDS = 240  # on a machine that is busy with other things
_PLANTED = {target.name: target for target in planted.TARGETS}


@pytest.fixture(scope="module")
def outcome(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Outcome]]:
    """Return what came of a target; all that this run of the tests asks for are fuzzed side by side."""
    try:
        import atheris  # noqa: F401
    except ImportError:
        unavailable(
            "the package atheris",
            "PyPI has it for CPython 3.11 to 3.13 on Linux x86_64, where scripts/setup installs it",
        )
    folder = tmp_path_factory.mktemp("fuzz")
    specs = (getattr(item, "callspec", None) for item in request.session.items)
    names = {spec.params["fuzzed"] for spec in specs if spec and "fuzzed" in spec.params}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = {}
        for name, target in {**TARGETS, **_PLANTED}.items():
            if name in names:
                limits = Limits(runs=target.runs, seconds=_MOST_SECONDS)
                futures[name] = pool.submit(fuzz, target, folder, limits)
        yield lambda name: futures[name].result()


def _reasons(outcome: Outcome) -> str:
    """Return what was found, with the input in hexadecimal, as the folder will be gone."""
    return "\n".join(
        f"{path.name}: {data[:4096].hex()}\n{_reason(path)}"
        for path in outcome.findings
        for data in [path.read_bytes()]
    )


def _reason(path: Path) -> str:
    reason = path.with_suffix(".txt")
    return reason.read_text("utf-8") if reason.exists() else "takes too much time or memory"


@pytest.mark.parametrize("fuzzed", TARGETS)
def test_any_input_gives_a_result_or_is_refused(
    fuzzed: str,
    outcome: Callable[[str], Outcome],
    record_property: Callable[[str, object], None],
) -> None:
    found = outcome(fuzzed)
    record_property("fuzzed", found.executions)
    assert not found.findings, _reasons(found)
    assert found.executions > 20
    assert found.coverage > 10, found.log


@pytest.mark.parametrize("fuzzed", _PLANTED)
def test_a_planted_fault_is_found_and_its_input_made_small(
    fuzzed: str, outcome: Callable[[str], Outcome]
) -> None:
    found = outcome(fuzzed)
    kinds = {
        "planted-crash": "ValueError at fatwheel/macho/staticlib.py:_member_header",
        "planted-content": "BrokenPromiseError at tests/fuzz/targets/streams.py:_splice",
    }
    path = next(path for path in found.findings if _reason(path).startswith(kinds[fuzzed]))
    data = path.read_bytes()
    smaller = minimised(_PLANTED[fuzzed], data, 20)
    assert len(smaller) < len(data)
