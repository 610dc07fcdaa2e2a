"""The page at `/`: what was asked for, what became of it, what is left out and why; and the same as JSON."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from typing import Any

from fatwheel.index.projects import Project, Projects
from fatwheel.index.work import Job, Work
from fatwheel.printable import counted, size_text, toml_string
from fatwheel.version import __version__

__all__ = ["status_html", "status_json"]

_SHOWN = 40  # rows of what a project leaves out
_STATES = {
    "ready": "ready",
    "fetching": "is being fetched",
    "fusing": "is being fused",
    "conflict": "conflict",
    "failed": "failed",
}
_STYLE = """
:root { color-scheme: light dark; --line: #8885; --soft: #8882; --bad: #b3261e; --good: #1b6e3c; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --good: #81c995; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
code, pre { font: .875em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; border-radius: .4rem; white-space: pre-wrap; }
article { border-top: 1px solid var(--line); padding: .75rem 0; }
article h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .25rem 0; } .small { font-size: .875rem; opacity: .8; }
.state { display: inline-block; padding: 0 .5rem; border: 1px solid; border-radius: 1rem; font-size: .8rem; }
.ready { color: var(--good); } .conflict, .failed { color: var(--bad); }
summary { cursor: pointer; } ul { padding-left: 1.25rem; margin: .25rem 0; }
"""


def status_html(projects: Projects, work: Work, notes: Iterable[str], origin: str) -> str:
    """Return the page. `origin` is the address that the reader came by."""
    jobs = sorted(work.jobs.values(), key=lambda job: -job.asked)
    busy = any(job.state in {"fetching", "fusing"} for job in jobs)
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta http-equiv="refresh" content="3">' if busy else "",
        f"<title>fatwheel index</title><style>{_STYLE}</style></head><body>",
        f'<h1>fatwheel index <span class="small">{html.escape(__version__)}</span></h1>',
        "<p>A package index in which every project has universal2 wheels, as far as both halves exist.",
        "Point your installer here:</p>",
        f"<pre>pip install --index-url {html.escape(origin)}/simple/ --only-binary :all: …",
        f"uv pip install --default-index {html.escape(origin)}/simple/ --no-build …</pre>",
        *(f"<p>{html.escape(note)}</p>" for note in notes),
        "<h2>Files that were asked for</h2>",
        *(map(_job, jobs) if jobs else ["<p>None yet.</p>"]),
        "<h2>Projects that were looked at</h2>",
        *(_project(project) for _, project in sorted(projects.known.items())),
        "" if projects.known else "<p>None yet.</p>",
        '<p class="small">The same as JSON: <a href="/status.json">/status.json</a></p>',
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _job(job: Job) -> str:
    name = html.escape(job.entry.filename)
    rows = [
        f'<article><h3><span class="state {job.state}">{_STATES[job.state]}</span> {name}</h3>',
        f'<p class="small">{html.escape(", ".join(_figures(job)))}</p>',
    ]
    if job.entry.halves is not None:
        sources = "".join(
            f"<li>{html.escape(f.filename)}{f' ({size_text(f.size)})' if f.size else ''}</li>"
            for f in job.entry.halves
        )
        rows.append(f'<ul class="small">{sources}</ul>')
    if job.conflicts:
        rows.append(f"<pre>{html.escape(chr(10).join(job.conflicts).strip())}</pre>")
        if job.rules:
            rows.append(
                "<p>Rules that settle it, for your pyproject.toml (read what each one keeps):</p>"
            )
            rows.append(f"<pre>{html.escape(_toml(job))}</pre>")
    elif job.lines:
        what = "why" if job.state == "failed" else "what was done"
        text = html.escape("\n".join(job.lines))
        opened = " open" if job.state == "failed" else ""
        rows.append(f"<details{opened}><summary>{what}</summary><pre>{text}</pre></details>")
    return "".join(rows) + "</article>"


def _figures(job: Job) -> Iterator[str]:
    if job.state == "fetching" and job.expected:
        yield f"{size_text(job.received)} of {size_text(job.expected)}"
    if job.size:
        yield size_text(job.size)
    if job.seconds >= 0.05:
        yield f"{job.seconds:.1f} s"
    yield "fused of two wheels" if job.entry.halves is not None else "as upstream has it"


def _toml(job: Job) -> str:
    rows = [f'{toml_string(glob)} = "{action}"' for glob, action in job.rules]
    return "\n".join(["[tool.fatwheel.rules]", *rows])


def _project(project: Project) -> str:
    listing = project.listing
    fused = sum(entry.halves is not None for entry in listing.entries)
    what = f"{counted(len(listing.entries), 'file')}, of which {fused} are fused when they are asked for"
    left = listing.left_out
    rows = [
        f"<article><h3>{html.escape(project.name)}</h3>",
        f'<p class="small">{what}; from {html.escape(project.upstream.name)}</p>',
    ]
    if left:
        items = "".join(
            f"<li>{html.escape(one.what or f'{project.name} {one.version}')}: {html.escape(one.why)}</li>"
            for one in left[:_SHOWN]
        )
        more = f"<li>… and {len(left) - _SHOWN} more</li>" if len(left) > _SHOWN else ""
        rows.append(
            f"<details><summary>{len(left)} left out</summary><ul class='small'>{items}{more}</ul></details>"
        )
    return "".join(rows) + "</article>"


def status_json(projects: Projects, work: Work, notes: Iterable[str]) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "fatwheel": __version__,
        "notes": list(notes),
        "files": [
            {
                "filename": job.entry.filename,
                "project": job.project,
                "state": job.state,
                "inputs": [file.filename for file in job.entry.files],
                "size": job.size or None,
                "seconds": round(job.seconds, 3),
                "report": list(job.lines),
                "conflicts": list(job.conflicts),
                "rules": [{"glob": glob, "action": action} for glob, action in job.rules],
            }
            for job in sorted(work.jobs.values(), key=lambda job: job.asked)
        ],
        "projects": [
            {
                "name": name,
                "upstream": project.upstream.name,
                "files": [entry.filename for entry in project.listing.entries],
                "left_out": [
                    {"version": left.version, "file": left.what or None, "why": left.why}
                    for left in project.listing.left_out
                ],
            }
            for name, project in sorted(projects.known.items())
        ],
    }
