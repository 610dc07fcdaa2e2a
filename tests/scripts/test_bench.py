"""The benchmark: its pairs are real pairs, its sums are right, and it runs."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fatwheel.wheels.tags import claims, parse_wheel_name
from scripts.benchmark.fuse import parse_arguments
from scripts.benchmark.limits import Speeds, Work, pair_work
from scripts.benchmark.pairs import download, read_pairs
from scripts.benchmark.report import (
    BEGIN,
    END,
    FATWHEEL,
    GOALS,
    MERGE,
    OTHER,
    READ,
    Report,
    Row,
    Samples,
    replace_between,
)
from tests.support.corpus import ROOT, SMALL_PAIR, Published
from tests.support.required import require_tool
from tests.support.wheels import A, X, code, make_pair

PAIRS = read_pairs()


@pytest.mark.parametrize("name", PAIRS)
def test_each_pair_is_two_wheels_of_one_release(name: str) -> None:
    pair, uses = PAIRS[name]
    assert pair.name == name
    assert set(uses) <= {"size", "many"}
    assert uses
    names = [parse_wheel_name(wheel.file) for wheel in (pair.x86_64, pair.arm64)]
    assert [list(claims(one)) for one in names] == [[X], [A]]
    assert names[0].key == names[1].key
    assert all(len(bytes.fromhex(wheel.sha256)) == 32 for wheel in (pair.x86_64, pair.arm64))


def test_twenty_pairs_are_fused_at_once() -> None:
    assert sum("many" in uses for _, uses in PAIRS.values()) == 20


def test_wheels_that_are_missing_are_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fail(missing: list[tuple[object, Published]], platforms: list[str], python: str) -> bool:
        asked.extend(wheel.file for _, wheel in missing)
        return False

    monkeypatch.setattr(Published, "is_cached", lambda _: False)
    monkeypatch.setattr("scripts.fetch_wheels.download", fail)
    with pytest.raises(SystemExit):
        download("kiwisolver")
    assert asked == [PAIRS["kiwisolver"][0].x86_64.file]


def samples(*seconds: float, peak: int = 0, output: int = 0) -> Samples:
    found = Samples(output=output)
    for one in seconds:
        found.add(one, peak)
    return found


def row(name: str, size: int, ours: float, merge: float, read: float, *, peak: int = 30) -> Row:
    return Row(
        name=name,
        version="1",
        size=size,
        samples={
            FATWHEEL: samples(ours, ours, 9.0, peak=peak << 20, output=1009),
            MERGE: samples(merge, peak=99 << 20, output=1000),
            READ: samples(read),
        },
        limit=ours / 2,
    )


def test_goals_are_worked_out_of_medians() -> None:
    report = Report(
        machine={"processor": "P", "cores": 2, "system": "S", "python": "3"},
        runs=3,
        rows=[
            row("tiny", 500_000, 0.1, 0.2, 0.1),
            row("numpy", 20_000_000, 0.1, 2.0, 0.2, peak=49),
            row("torch", 200_000_000, 1.0, 12.5, 1.0),
        ],
        start={"python": samples(0.02), FATWHEEL: samples(0.1)},
        many={
            "-j 1": samples(3.0),
            "-j 2": samples(2.0),
            "one hashes": samples(1.0),
            "two hash": samples(1.1),
        },
    )
    reached = [(goal.reached, goal.met) for goal in report.goals()]
    assert reached == [
        (f"{math.sqrt(0.05 * 0.08):.3f}, the worst 0.080", True),
        (f"{math.sqrt(0.5):.3f}, the worst 1.000", True),
        (f"{math.sqrt(0.05 * 0.08):.3f}", True),
        (f"{math.sqrt(0.5):.3f}", True),
        ("2.00 times", False),
        ("at most 0.50", True),
        ("80 ms", False),
        ("at most +0.90%", True),
        ("200 MB/s, +0% to +0%", True),
        ("49 MiB", False),
        ("30 MiB", True),
        ("80 ms", True),
        ("1.50 times", True),
    ]
    text = report.markdown()
    assert "| numpy 1 | 20 | 0.100 | 200 | 0.050 | 2.00 (0.00) | 0.050 | 0.200 | 0.50 |" in text
    assert "two processes that only hash do 1.82 times the work of one" in text
    widths = {line.count(" | ") for line in text.splitlines() if line.startswith("| ")}
    assert widths == {12, 2}
    assert (
        json.loads(json.dumps(report.document()))["pairs"][1]["programs"][FATWHEEL]["median"] == 0.1
    )


def test_another_release_gets_two_columns() -> None:
    one = row("numpy", 20_000_000, 0.1, 2.0, 0.2)
    one.samples[OTHER] = samples(0.2)
    report = Report(machine={"processor": "P", "cores": 2, "system": "S", "python": "3"}, runs=1)
    report.rows = [one]
    assert "| other fatwheel, s | ratio |" in report.markdown()
    assert "| 0.200 | 0.50 |\n" in report.markdown()


def test_text_between_the_marks_is_replaced_and_nothing_else() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    new = replace_between(text, "new")
    assert new == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert replace_between(new, "new") == new
    with pytest.raises(ValueError, match="needs <!--"):
        replace_between("no marks", "new")


def test_the_page_has_the_marks() -> None:
    text = (ROOT / "docs" / "performance.md").read_text("utf-8")
    assert replace_between(replace_between(text, ""), "", GOALS) != text


def test_the_limit_is_the_work_on_all_cores_or_the_longest_chain() -> None:
    speeds = Speeds(inflater="i", sha256=100.0, crc32=1000.0)
    work = Work(content=800, inflating=2.0, hashed=500, summed=1000, chain=100)
    assert work.seconds(speeds, 1) == 2.0 + 5.0 + 1.0
    assert work.seconds(speeds, 2) == 4.0
    assert replace(work, chain=700).seconds(speeds, 2) == 7.0


def test_unavoidable_is_what_differs_twice_and_what_is_equal_once(tmp_path: Path) -> None:
    equal = {"pkg/data.bin": bytes(range(256)) * 400}
    pair = make_pair(tmp_path, both=equal)
    own = ("METADATA", "WHEEL", "RECORD")
    work = pair_work(*pair)
    fused = len(code(X)) + len(code(A))
    assert work.chain == fused
    archives = sum(path.stat().st_size for path in pair)
    assert work.hashed == work.content + fused + archives
    assert work.summed == work.content + 3 * archives
    assert work.content - len(equal["pkg/data.bin"]) - fused < 400 * len(own)
    assert work.inflating > 0


@pytest.mark.parametrize("option", ["--plot", "--write"])
def test_it_says_before_it_measures_that_it_cannot_plot(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SystemExit):
        parse_arguments([option, "figures.md"])
    assert "the plot needs matplotlib: pip install --group bench" in capsys.readouterr().err


def test_it_runs(tmp_path: Path) -> None:
    require_tool("llvm-lipo-19")
    found = tmp_path / "found.json"
    command = [ROOT / "scripts" / "bench.py", "--runs", "1", "--wheels", *SMALL_PAIR]
    done = subprocess.run(
        [sys.executable, *map(str, command), "--json", str(found), "--scratch", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (pair,) = json.loads(found.read_text())["pairs"]
    assert pair["size"] == sum(path.stat().st_size for path in SMALL_PAIR)
    assert pair["programs"].keys() == {FATWHEEL, MERGE, READ}
    assert all(program["seconds"] for program in pair["programs"].values())
    assert pair["programs"][FATWHEEL]["output"] > 0
    assert pair["standins"] > 0
    assert pair["limit"] > 0
    assert list(tmp_path.iterdir()) == [found]
