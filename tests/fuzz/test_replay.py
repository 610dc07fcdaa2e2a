"""The inputs that fuzzing begins with, and those that it once failed on, without atheris."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fatwheel.wheels.record import parse_record
from tests.fuzz.bundle import Bundle, part
from tests.fuzz.findings import fault, fault_of, minimised
from tests.fuzz.known import KNOWN
from tests.fuzz.table import TARGETS
from tests.fuzz.target import REGRESSIONS, Target, inputs, joined, numbers, split, two_texts
from tests.support.wheels import DIST_INFO, A, X, read_whole

_MOST_SECONDS = 10  # of processor time for one input


@pytest.mark.parametrize("name", TARGETS)
def test_known_inputs_give_a_result_or_are_refused(name: str) -> None:
    for which, data in inputs(TARGETS[name]):
        begin = time.process_time()
        try:
            TARGETS[name](data)
        except Exception as error:
            raise AssertionError(f"{name}: {which}: {data[:200]!r}") from error
        assert time.process_time() - begin < _MOST_SECONDS, f"{name}: {which}"


def test_what_is_known_is_still_wrong() -> None:
    for known in KNOWN:
        kind = fault_of(TARGETS[known.target], known.input)
        assert kind, (
            f"mended: {known.wrong}; run `python -m tests.fuzz.known`, and delete its entry there"
        )
        assert kind.startswith(known.kind + ":")


def test_every_regression_belongs_to_a_target() -> None:
    assert {path.name for path in REGRESSIONS.iterdir() if path.is_dir()} <= set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_no_longer_than_inputs_may_be(name: str) -> None:
    target = TARGETS[name]
    assert all(len(data) <= target.longest for _, data in inputs(target))


def test_parts_of_an_input() -> None:
    assert split(joined("a", b"b"), 3) == [b"a", b"b", b""]
    assert split(joined("a", "b", "c"), 2) == [b"a", joined("b", "c")]
    assert numbers(b"12 x 3", 3) == [12, 3, 0]
    assert two_texts(joined("ab", "@1 x\\n\n@0 y\nz")) == (b"ab", b"yax\nb")
    assert two_texts(joined("ab", "c")) == (b"ab", b"c")


def test_a_bundle_is_two_wheels_with_a_right_record(tmp_path: Path) -> None:
    data = joined(
        part("x", "pkg/a,b.py", "x"),
        part("A", "pkg/c.py", "y", 0o755),
        b"no part",
        part("x", "*", "o-1-py3-none-any"),
    )
    x86_64, arm64 = (Bundle(data).write(arch, tmp_path) for arch in (X, A))
    assert x86_64.name == "o-1-py3-none-any.whl"
    assert read_whole(arm64)["pkg/c.py"] == b"y"
    text = read_whole(arm64)[f"{DIST_INFO}/RECORD"].decode()
    assert "pkg/c.py,sha256=" in text


def test_what_does_not_matter_is_left_out_of_a_finding() -> None:
    def run(data: bytes) -> None:
        if b"bad" in data and b"!" in data:
            raise KeyError(data)

    target = Target(name="t", run=run, seeds=list, runs=1)
    assert minimised(target, b"some bad text, and more!", 10) == b"bad!"
    assert minimised(target, b"good", 10) == b"good"


def test_a_fault_is_known_by_its_innermost_place_in_fatwheel() -> None:
    with pytest.raises(AttributeError) as caught:
        TARGETS["record"].run(None)  # type: ignore[arg-type]
    assert fault(caught.value).startswith("AttributeError at tests/fuzz/targets/texts.py:_record:")
    with pytest.raises(AttributeError) as caught:
        parse_record(None)  # type: ignore[arg-type]
    assert fault(caught.value).startswith("AttributeError at fatwheel/wheels/record.py:")
