"""What was measured, as a table, as JSON, as a plot, and held against the goals."""

from __future__ import annotations

import importlib
import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "FATWHEEL",
    "GOALS",
    "MERGE",
    "OTHER",
    "READ",
    "Goal",
    "Report",
    "Row",
    "Samples",
    "replace_between",
]

FATWHEEL, MERGE, READ, OTHER = "fatwheel", "delocate-merge", "read once", "other fatwheel"
BEGIN, GOALS = "<!-- written by scripts/bench.py -->", "<!-- goals, written by scripts/bench.py -->"
END = "<!-- end -->"
MB = 1e6
MIB = float(1 << 20)


@dataclass(kw_only=True)
class Samples:
    """What one program took, run by run: seconds, and peak memory in bytes. `calls` are its calls of stand-ins."""

    seconds: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    output: int = 0
    calls: str = ""

    def add(self, seconds: float, peak: int) -> None:
        """Take note of one run."""
        self.seconds.append(seconds)
        self.peaks.append(peak)

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)

    @property
    def peak(self) -> int:
        """The most memory that any run held, in bytes."""
        return max(self.peaks)

    def document(self) -> dict[str, Any]:
        """Return all that is known, for JSON."""
        return {
            "median": self.median,
            "seconds": self.seconds,
            "peak": self.peak,
            "output": self.output,
        }


@dataclass(kw_only=True)
class Row:
    """One pair: bytes of both wheels, the samples of each program, the seconds that the machine allows.

    `standins` are the seconds within delocate-merge's that its stand-ins would take with nothing to do.
    """

    name: str
    version: str
    size: int
    samples: dict[str, Samples]
    standins: float = 0.0
    limit: float | None = None

    def ratio(self, other: str) -> float:
        """Return fatwheel's time as a part of another program's."""
        return self.samples[FATWHEEL].median / self.samples[other].median

    @property
    def growth(self) -> float:
        """How much larger fatwheel's wheel is than delocate-merge's, as a part of it."""
        return self.samples[FATWHEEL].output / self.samples[MERGE].output - 1

    @property
    def speed(self) -> float:
        """MB of both wheels in a second."""
        return self.size / MB / self.samples[FATWHEEL].median


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One goal, what was reached, and whether that meets it."""

    text: str
    reached: str
    met: bool


@dataclass(kw_only=True)
class Report:
    """One run of the benchmark."""

    machine: dict[str, str | int]
    runs: int
    load: float = 0.0
    rows: list[Row] = field(default_factory=list)
    left_out: tuple[str, ...] = ()
    start: dict[str, Samples] = field(default_factory=dict)
    many: dict[str, Samples] = field(default_factory=dict)
    speeds: dict[str, float] = field(default_factory=dict)

    def goals(self) -> Iterator[Goal]:
        """Yield the goals that what was measured can be held against."""
        yield from self._time_goals()
        if self.rows:
            worst = max(row.growth for row in self.rows)
            yield Goal(
                text="output at most 1 % larger than delocate-merge's",
                reached=f"at most {worst:+.2%}",
                met=worst <= 0.01,
            )
        speeds = [row.speed for row in self.rows if 10 * MB <= row.size <= 300 * MB]
        if len(speeds) > 1:
            middle = statistics.geometric_mean(speeds)
            low, high = min(speeds) / middle - 1, max(speeds) / middle - 1
            yield Goal(
                text="MB/s flat (± 15 %) from 10 to 300 MB",
                reached=f"{middle:.0f} MB/s, {low:+.0%} to {high:+.0%}",
                met=max(-low, high) <= 0.15,
            )
        for name, most in (("numpy", 48), ("torch", 96)):
            for row in self.rows:
                if row.name == name:
                    peak = row.samples[FATWHEEL].peak / MIB
                    yield Goal(
                        text=f"peak memory for {name}: at most {most} MiB",
                        reached=f"{peak:.0f} MiB",
                        met=peak <= most,
                    )
        if self.start:
            beyond = self.start[FATWHEEL].median - self.start["python"].median
            yield Goal(
                text="`fatwheel --version`: at most 100 ms beyond bare Python",
                reached=f"{beyond * 1000:.0f} ms",
                met=beyond <= 0.1,
            )
        if self.many:
            gain = self._gain("-j 1", "-j 2")
            yield Goal(
                text="20 pairs: `-j 2` at least 1.5 times as fast as `-j 1`",
                reached=f"{gain:.2f} times",
                met=gain >= 1.5,
            )

    def _time_goals(self) -> Iterator[Goal]:
        large = [row for row in self.rows if row.size > 5 * MB]
        small = [row for row in self.rows if row.size < MB]
        if large:
            yield self._ratio_goal(large, MERGE, 0.08, 0.13)
            yield self._ratio_goal(large, READ, 0.85, 1.00)
            yield self._ratio_goal(large, MERGE, 0.07)
            yield self._ratio_goal(large, READ, 0.75)
        for name in ("torch", "scipy", "tensorflow"):
            for row in self.rows:
                if row.name == name and row.limit is not None:
                    times = row.samples[FATWHEEL].median / row.limit
                    yield Goal(
                        text=f"{name}: at most 1.4 times the limit",
                        reached=f"{times:.2f} times",
                        met=times <= 1.4,
                    )
        if small:
            worst = max(row.ratio(MERGE) for row in small)
            yield Goal(
                text="below 1 MB: at most 0.50 of delocate-merge",
                reached=f"at most {worst:.2f}",
                met=worst <= 0.5,
            )
        if small and self.start:
            least = min(row.samples[FATWHEEL].median for row in small)
            beyond = least - self.start["python"].median
            yield Goal(
                text="the fastest pair: at most 60 ms beyond bare Python",
                reached=f"{beyond * 1000:.0f} ms",
                met=beyond <= 0.06,
            )

    def _ratio_goal(
        self, rows: Sequence[Row], other: str, mean: float, most: float | None = None
    ) -> Goal:
        ratios = [row.ratio(other) for row in rows]
        reached, worst = statistics.geometric_mean(ratios), max(ratios)
        of = "delocate-merge" if other == MERGE else "the read-once line"
        text = f"above 5 MB: at most {mean:.2f} of {of} (geometric mean)"
        if most is None:
            return Goal(text=text, reached=f"{reached:.3f}", met=reached <= mean)
        return Goal(
            text=f"{text}, none above {most:.2f}",
            reached=f"{reached:.3f}, the worst {worst:.3f}",
            met=reached <= mean and worst <= most,
        )

    def _gain(self, slow: str, fast: str) -> float:
        return self.many[slow].median / self.many[fast].median

    def markdown(self) -> str:
        """Return everything as text with tables."""
        return f"{self.figures()}\n\n{self.goals_table()}"

    def goals_table(self) -> str:
        """Return what was reached of the goals."""
        return _table("goal | reached | met", self._goal_cells())

    def figures(self) -> str:
        """Return what was measured."""
        parts = ["\n".join(self._machine_lines()), _table(*self._pairs())]
        if self.many:
            parts += ["\n".join(self._many_lines())]
        return "\n\n".join(parts)

    def _machine_lines(self) -> Iterator[str]:
        m = self.machine
        yield (
            f"Made on {m['processor']}, {m['cores']} cores, {m['system']}, Python {m['python']}, "
            f"{m.get('inflater', '')}, medians of {self.runs} runs; "
            f"the load average before the first was {self.load:.1f}."
        )
        if self.left_out:
            yield f"Left out, since one of the programs failed: {', '.join(self.left_out)}."
        if self.speeds:
            speeds = ", ".join(f"{name} {speed / MB:,.0f}" for name, speed in self.speeds.items())
            yield f"One core does, in MB/s: {speeds} (inflate: of what it makes, over all pairs)."
        if self.start:
            words = ", ".join(f"{k} {s.median * 1000:.0f} ms" for k, s in self.start.items())
            yield f"Start-up, from start to exit: {words} (`--version`)."

    def _pairs(self) -> tuple[str, Iterator[Sequence[str]]]:
        other = any(OTHER in row.samples for row in self.rows)
        head = (
            "pair | inputs, MB | fatwheel, s | MB/s | limit, s | delocate-merge, s (stand-ins) | ratio | "
            "read once, s | ratio | peak, MiB | delocate's | output, MB | against delocate's"
        )
        if other:
            head += " | other fatwheel, s | ratio"
        return head, (self._cells(row, other) for row in self.rows)

    def _cells(self, row: Row, other: bool) -> list[str]:
        ours, merge, read = (row.samples[name] for name in (FATWHEEL, MERGE, READ))
        cells = [
            f"{row.name} {row.version}",
            f"{row.size / MB:.3g}",
            f"{ours.median:.3f}",
            f"{row.speed:.0f}",
            "" if row.limit is None else f"{row.limit:.3f}",
            f"{merge.median:.2f} ({row.standins:.2f})",
            f"{row.ratio(MERGE):.3f}",
            f"{read.median:.3f}",
            f"{row.ratio(READ):.2f}",
            f"{ours.peak / MIB:.0f}",
            f"{merge.peak / MIB:.0f}",
            f"{ours.output / MB:.3g}",
            f"{row.growth:+.2%}",
        ]
        if other:
            cells += [f"{row.samples[OTHER].median:.3f}", f"{row.ratio(OTHER):.2f}"]
        return cells

    def _goal_cells(self) -> Iterator[Sequence[str]]:
        return ((g.text, g.reached, "yes" if g.met else "no") for g in self.goals())

    def _many_lines(self) -> Iterator[str]:
        yield "Twenty pairs in one call, and what a second core is worth on this machine:"
        yield ""
        rows = [(name, f"{s.median:.2f}", f"{s.peak / MIB:.0f}") for name, s in self.many.items()]
        yield _table("what | s | peak of one process, MiB", rows)
        yield ""
        parts = [f"`-j 2` is {self._gain('-j 1', '-j 2'):.2f} times as fast as `-j 1`"]
        if "-j 1, one core" in self.many:
            gain = self._gain("-j 1, one core", "-j 2")
            parts.append(f"{gain:.2f} times as fast as `-j 1` confined to one core")
        limit = 2 * self._gain("one hashes", "two hash")
        parts.append(f"two processes that only hash do {limit:.2f} times the work of one")
        yield "; ".join(parts) + "."

    def document(self) -> dict[str, Any]:
        """Return everything, every sample included, for JSON."""
        return {
            "machine": self.machine,
            "load": self.load,
            "runs": self.runs,
            "speeds": self.speeds,
            "start": {name: s.document() for name, s in self.start.items()},
            "pairs": [
                {
                    "name": row.name,
                    "version": row.version,
                    "size": row.size,
                    "limit": row.limit,
                    "standins": row.standins,
                    "programs": {name: s.document() for name, s in row.samples.items()},
                }
                for row in self.rows
            ],
            "many": {name: s.document() for name, s in self.many.items()},
            "goals": [{"goal": g.text, "reached": g.reached, "met": g.met} for g in self.goals()],
        }

    def write(self, path: Path) -> None:
        """Put tables, plot and JSON where `path` (Markdown) has the marks, and beside it."""
        self.plot(path.with_suffix(".svg"))
        path.with_suffix(".json").write_text(json.dumps(self.document(), indent=1) + "\n")
        plot = f"![Time against input size]({path.stem}.svg)"
        text = replace_between(path.read_text("utf-8"), f"{self.figures()}\n\n{plot}")
        path.write_text(replace_between(text, self.goals_table(), GOALS), "utf-8")

    def plot(self, path: Path) -> None:
        """Draw time against input size, both logarithmic. Needs matplotlib."""
        matplotlib = importlib.import_module("matplotlib")
        matplotlib.use("Agg")
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "fatwheel"})
        pyplot = importlib.import_module("matplotlib.pyplot")
        figure, axes = pyplot.subplots(figsize=(8, 5))
        sizes = [row.size / MB for row in self.rows]
        for name, mark in ((MERGE, "s"), (READ, "^"), (OTHER, "x"), (FATWHEEL, "o")):
            if all(name in row.samples for row in self.rows):
                seconds = [row.samples[name].median for row in self.rows]
                axes.plot(sizes, seconds, marker=mark, linewidth=1, markersize=5, label=name)
        if all(row.limit is not None for row in self.rows):
            limits = [row.limit for row in self.rows]
            axes.plot(sizes, limits, "--", color="gray", linewidth=1, label="what two cores allow")
        axes.set(xscale="log", yscale="log", xlabel="both wheels, MB", ylabel="seconds")
        axes.grid(visible=True, which="major", alpha=0.3)
        axes.legend()
        figure.tight_layout()
        figure.savefig(path, dpi=120, metadata={"Date": None} if path.suffix == ".svg" else None)
        pyplot.close(figure)


def _table(head: str, rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> str:
    lines = [f"| {head} |", f"|{'---|' * (head.count(' | ') + 1)}"]
    lines += [f"| {' | '.join(cells)} |" for cells in rows]
    return "\n".join(lines)


def replace_between(text: str, new: str, begin: str = BEGIN) -> str:
    """Return `text` with what stands between a mark and `END` replaced by `new`; `ValueError` without marks."""
    before, begun, rest = text.partition(begin)
    _, end, after = rest.partition(END)
    if not begun or not end:
        raise ValueError(f"needs {begin} and {END}")
    return f"{before}{begin}\n\n{new}\n\n{END}{after}"
