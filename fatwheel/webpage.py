"""A page for people: one self-contained file of HTML without scripts, with bars that show where the megabytes are."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

from fatwheel.printable import printable, size_text
from fatwheel.values import valueclass
from fatwheel.version import __version__

__all__ = ["Bar", "bars", "escaped", "key", "page"]

_STYLE = """
:root { color-scheme: light dark; --line: #8885; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 64rem; padding: 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } .wide { overflow-x: auto; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { white-space: nowrap; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
pre { background: var(--soft); padding: .75rem; white-space: pre-wrap; overflow-wrap: anywhere; border-radius: .4rem; }
.bars { display: grid; grid-template-columns: fit-content(45%) 1fr max-content; gap: .2rem .6rem; align-items: center; }
.bars > :nth-child(3n+1) { overflow-wrap: anywhere; line-height: 1.2; }
.bars > :nth-child(3n) { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { display: flex; height: 1rem; border-radius: .2rem; overflow: hidden; min-width: 2px; }
.small { font-size: .875rem; opacity: .8; }
.key { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem; margin-right: .3rem; }
"""


@valueclass
class Bar:
    """One bar: what it stands for, and the bytes of its parts, by their kinds, in order."""

    label: str
    parts: Mapping[str, int]

    @property
    def size(self) -> int:
        """All its bytes."""
        return sum(self.parts.values())


def escaped(text: str) -> str:
    """Return a stranger's text as a page shows it: nothing in it is markup, turns the line or hides."""
    return html.escape(printable(text))


def page(title: str, body: Iterable[str], *, style: str = "", colours: Mapping[str, str]) -> str:
    """Return a page; `colours` are those of the bars' kinds, `body` is HTML."""
    kinds = "\n".join(f".{kind} {{ background: {colour}; }}" for kind, colour in colours.items())
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escaped(title)}</title><style>{_STYLE}{style}{kinds}\n</style></head><body>",
        *body,
        f"<p class='small'>fatwheel {html.escape(__version__)}</p></body></html>\n",
    ]
    return "\n".join(parts)


def key(kinds: Mapping[str, str]) -> str:
    """Return what the colours mean: kinds, and words for them."""
    marks = (f'<span class="key {kind}"></span>{escaped(w)}&ensp;' for kind, w in kinds.items())
    return f'<p class="small">{" ".join(marks)}</p>'


def bars(rows: Sequence[Bar]) -> str:
    """Return the bars below each other, the largest as wide as there is room, each with its size."""
    largest = max((row.size for row in rows), default=0) or 1
    return f'<div class="bars">{"".join(_bar(row, largest) for row in rows)}</div>'


def _bar(row: Bar, largest: int) -> str:
    width = max(0.5, 100 * row.size / largest)
    parts = "".join(
        f'<span class="{kind}" style="width:{100 * size / row.size:.2f}%"></span>'
        for kind, size in row.parts.items()
        if size
    )
    label = escaped(row.label).replace("/", "/<wbr>")
    return (
        f'<span>{label}</span><span class="bar" style="width:{width:.1f}%">{parts}</span>'
        f"<span>{size_text(row.size)}</span>"
    )
