"""What reading code may cost: real wheels have far less of it than they may."""

from __future__ import annotations

from pathlib import Path

import pytest

from fatwheel.deflate.inflaters import best_inflater
from fatwheel.errors import WheelError
from fatwheel.wheels.effort import Effort
from fatwheel.wheels.read import read_wheel
from fatwheel.wheels.wheel import open_wheel
from tests.support.corpus import acceptance_pairs
from tests.support.macho import archive, image, member
from tests.support.required import require_pair
from tests.support.wheels import A, X, code, make_wheel, universal


def steps_left(path: Path) -> tuple[int, int]:
    """Return how many steps a wheel had before and after it was read."""
    wheel = open_wheel(path)
    try:
        before = wheel.effort.left
        read_wheel(wheel, inflater=best_inflater())
        return before, wheel.effort.left
    finally:
        wheel.close()


@pytest.mark.parametrize("name", acceptance_pairs())
def test_real_wheels_take_less_than_a_twentieth(name: str) -> None:
    for wheel in require_pair(name).wheels:
        before, after = steps_left(wheel.path)
        assert before == 1_000_000 + wheel.path.stat().st_size
        assert 0 < before - after < before / 20


def test_data_takes_nothing(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "macosx_10_13_x86_64", {"a": bytes(1 << 20), "b": b"text"})
    before, after = steps_left(wheel)
    assert before == after


@pytest.mark.parametrize(
    "content",
    [
        archive(member("a.o", image(filetype=1)) * 30_000),
        code(X, loads=[str(n) for n in range(20_000)]),
        universal(*(image((0x01000000 + n, 3), filetype=6) for n in range(100, 142)), align=3),
    ],
    ids=["archive members", "loads", "slices"],
)
def test_code_without_end_is_refused(content: bytes, tmp_path: Path) -> None:
    files = {f"pkg/{n}": content for n in range(min(200, (60 << 20) // len(content)))}
    wheel = make_wheel(tmp_path, "macosx_10_13_x86_64", files)
    with pytest.raises(
        WheelError, match="more load commands, slices, symbols or archive members"
    ) as e:
        steps_left(wheel)
    assert (e.value.member or "").startswith("pkg/")
    few = make_wheel(tmp_path / "few", "macosx_10_13_x86_64", {"pkg/0": code(A), "pkg/1": code(X)})
    assert steps_left(few)[1] > 1_000_000


def test_small_ranges_cost_more_than_large_ones() -> None:
    def cost(*sizes: int) -> int:
        effort = Effort("a.whl", 0)
        for size in sizes:
            effort.ask("a.so", size)
        return 1_000_000 - effort.left

    assert cost(0) == 16
    assert cost(*[64] * 1024) > 8 * cost(65_536)
