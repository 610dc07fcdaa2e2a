"""The law of small inputs: any wheel of up to 1 MB is judged within 10 seconds of CPU time and 300 MiB of memory.

`tests/support/costly.py` says how such wheels are made.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.costly import COSTLY, CPU_SECONDS, LARGEST, MEMORY, RULES, Judged, judge

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="memory is measured by Linux's /proc; the law holds everywhere"
)


def refuse_costs(found: Judged) -> None:
    """Fail where a run did not end with a sentence, or took more than the law allows."""
    assert found.exit_code in (0, 1), (found.exit_code, found.text[-2000:])
    assert "Traceback" not in found.text
    assert "own fault" not in found.text
    assert found.cpu <= CPU_SECONDS
    assert found.memory <= MEMORY


@pytest.mark.parametrize("name", COSTLY)
def test_a_costly_wheel_is_judged(name: str, tmp_path: Path) -> None:
    wheels = COSTLY[name](tmp_path)
    assert max(wheel.stat().st_size for wheel in wheels) <= LARGEST
    refuse_costs(judge(["check", str(wheels[0])], tmp_path))
    refuse_costs(judge(["inspect", "--loads", str(wheels[0])], tmp_path))
    rules = [word for rule in RULES.get(name, []) for word in ("--rule", rule)]
    refuse_costs(judge(["fuse", *map(str, wheels), "-o", "out", *rules], tmp_path))
    assert not list((tmp_path / "out").glob("*.part"))


def test_what_takes_longer_is_noticed(tmp_path: Path) -> None:
    wheels = COSTLY["names_deep"](tmp_path)
    for number in range(500):
        (tmp_path / f"copy-{number}").mkdir()
        (tmp_path / f"copy-{number}" / wheels[0].name).symlink_to(wheels[0])
    stopped = judge(["check", str(tmp_path / "copy-*")], tmp_path, cpu_seconds=1)
    assert stopped.exit_code == -24  # SIGXCPU
    with pytest.raises(AssertionError):
        refuse_costs(stopped)
