"""What is made ready while other members are read: the same plan and the same bytes, and never what was not decided."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from fatwheel.action import Action
from fatwheel.arch import Arch
from fatwheel.deflate.inflaters import best_inflater
from fatwheel.errors import WheelError
from fatwheel.fusion.actions import Conflict, Fuse, Merge
from fatwheel.fusion.ahead import Ahead
from fatwheel.fusion.fuse import opened_pair
from fatwheel.fusion.plan import FusePlan, PlanOptions, plan_pair
from fatwheel.fusion.readpair import Reading, read_pair
from fatwheel.fusion.write import allowance_for, write_wheel
from fatwheel.wheels.read import reading_threads
from fatwheel.wheels.wheel import OpenWheel
from tests.support.wheels import A, X, code, make_pair, universal

DATE = (2020, 2, 3, 4, 5, 6)
TEXT = bytes((i * i * 31 + i // 7) % 251 for i in range(300_000))
HEADER = b"".join(b"#define N%d %d\n" % (i, i * i) for i in range(2000))
CUT, MERGED, OPEN = "pkg/.dylibs/libgcc_s.dylib", "pkg/config.h", "pkg/data.txt"


def pair(folder: Path, *, stays_open: bool = False) -> tuple[Path, Path]:
    """A slice that is cut out of a universal file, a header that is guarded, and a text that is in conflict."""
    sides = {
        arch: {
            CUT: code(X, TEXT) if arch is X else universal(code(X, TEXT[1:]), code(A, TEXT)),
            MERGED: HEADER + b'#define ARCH "%s"\n' % arch.value.encode(),
        }
        | ({OPEN: TEXT.hex().encode()[:50_000] + arch.value.encode()} if stays_open else {})
        for arch in Arch
    }
    return make_pair(folder, {"pkg/same.txt": TEXT[:500]}, sides[X], sides[A])


@contextmanager
def read(
    wheels: tuple[Path, Path], options: PlanOptions, *, fuses: bool = True
) -> Iterator[tuple[Ahead, Reading, Mapping[Arch, OpenWheel]]]:
    with opened_pair(*wheels, None, 1) as (candidates, opened):
        ahead = Ahead(options, opened, best_inflater(), fuses=fuses)
        with reading_threads(2, opened.values()) as executor:
            reading = read_pair(
                candidates,
                opened,
                inflater=best_inflater(),
                executor=executor,
                look=ahead.look,
            )
        yield ahead, reading, opened


def written(plan: FusePlan, opened: Mapping[Arch, OpenWheel], ahead: Ahead | None) -> bytes:
    out = io.BytesIO()
    write_wheel(
        plan,
        opened,
        out,
        date_time=DATE,
        inflater=best_inflater(),
        files={},
        ahead=ahead,
    )
    return out.getvalue()


@pytest.mark.parametrize("on_conflict", [None, Action.KEEP_ARM64], ids=str)
def test_the_plan_is_the_same_with_what_was_decided_before(
    on_conflict: Action | None, tmp_path: Path
) -> None:
    options = PlanOptions(on_conflict=on_conflict)
    with read(pair(tmp_path, stays_open=True), options) as (ahead, reading, _):
        plan = plan_pair(reading.pair, options, {}, ahead.decided)
        assert ahead.decided.keys() == {CUT, MERGED, OPEN}
        assert plan == plan_pair(reading.pair, options)
        found = {type(one) for one in plan.members}
        assert (Conflict in found) == (on_conflict is None)


def test_the_same_bytes_are_written_and_what_was_made_ready_is_used_up(tmp_path: Path) -> None:
    options = PlanOptions()
    with read(pair(tmp_path), options) as (ahead, reading, opened):
        plan = plan_pair(reading.pair, options, {}, ahead.decided)
        by_name = {one.name: one for one in plan.members}
        assert isinstance(by_name[CUT], Fuse)
        assert isinstance(by_name[MERGED], Merge)
        assert ahead.waiting == {CUT, MERGED}
        assert written(plan, opened, ahead) == written(plan, opened, None)
        assert not ahead.waiting


def test_what_another_decision_made_ready_is_not_taken(tmp_path: Path) -> None:
    options = PlanOptions()
    with read(pair(tmp_path), options) as (ahead, reading, opened):
        plan = plan_pair(reading.pair, options)  # equal values, and others
        for planned in plan.members:
            assert ahead.take(planned, allowance_for(opened.values())) is None


def test_a_cut_counts_as_if_it_were_made_now(tmp_path: Path) -> None:
    options = PlanOptions()
    left = []
    for late in (True, False):
        with read(pair(tmp_path), options) as (ahead, reading, opened):
            plan = plan_pair(reading.pair, options, {}, ahead.decided)
            (cut,) = (one for one in plan.members if one.name == CUT)
            assert isinstance(cut, Fuse)
            allowance = allowance_for(opened.values())
            if late:
                ahead._maker.fused(cut, allowance)
            else:
                assert ahead.take(cut, allowance) is not None
            left.append(allowance.left)
    assert left[0] == left[1] < allowance_for(opened.values()).left


def test_a_cut_is_made_now_where_too_little_is_left(tmp_path: Path) -> None:
    options = PlanOptions()
    with read(pair(tmp_path), options) as (ahead, reading, opened):
        plan = plan_pair(reading.pair, options, {}, ahead.decided)
        (cut,) = (one for one in plan.members if one.name == CUT)
        allowance = allowance_for(opened.values())
        allowance.take(allowance.left - 1000)
        assert ahead.take(cut, allowance) is None
        assert allowance.left == 1000


def test_an_engines_files_are_left_to_it(tmp_path: Path) -> None:
    with read(pair(tmp_path), PlanOptions(), fuses=False) as (ahead, _, _):
        assert ahead.waiting == {MERGED}


def test_what_fails_is_left_to_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> object:
        raise WheelError("a.whl", CUT, "is damaged")

    with read(pair(tmp_path), PlanOptions()) as (ahead, reading, _):
        monkeypatch.setattr("fatwheel.fusion.ahead.Decider.decide", failing)
        other = Ahead(PlanOptions(), ahead._maker.wheels, best_inflater(), fuses=True)
        for one in reading.pair.members:
            other.look(one)
        assert not other.decided
        assert not other.waiting


def test_what_waits_to_be_written_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = PlanOptions()
    with read(pair(tmp_path), options) as (ahead, reading, opened):
        plan = plan_pair(reading.pair, options, {}, ahead.decided)
        right = written(plan, opened, ahead)
    monkeypatch.setattr("fatwheel.fusion.ahead._ROOM", 10)
    with read(pair(tmp_path), options) as (ahead, reading, opened):
        plan = plan_pair(reading.pair, options, {}, ahead.decided)
        assert not ahead.waiting
        assert written(plan, opened, ahead) == right
