"""What lies beside the wheels: pylock.toml for installers, wheelhouse.json for programs, report.html for people.

The same wheels give the same bytes: nothing here tells the time or the machine.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from fatwheel.arch import Arch
from fatwheel.index.cache import Made
from fatwheel.printable import counted, size_text
from fatwheel.version import __version__
from fatwheel.webpage import Bar, bars, key, page
from fatwheel.wheelhouse.collect import REPORT, Item, Unavailable
from fatwheel.wheels.tags import Floor, format_floor

__all__ = ["LOCK", "PAGE", "documents", "pylock", "report_html", "report_json", "sources"]

LOCK, PAGE = "pylock.toml", "report.html"
_MARKER = {
    Arch.X86_64: "platform_machine == 'x86_64'",
    Arch.ARM64: "platform_machine == 'arm64'",
}


def documents(
    items: Sequence[Item],
    made: Mapping[str, Made],
    missing: Sequence[Unavailable],
    *,
    python: str,
    macos: Floor,
) -> dict[str, bytes]:
    """Return the files beside the wheels, by name; what is missing is in the reports, and there is no lock then."""
    report = report_json(items, made, missing, python=python, macos=macos)
    files = {
        REPORT: (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode(),
        PAGE: report_html(items, made, missing, python=python, macos=macos).encode(),
    }
    if not missing:
        files[LOCK] = pylock(items, made, python=python).encode()
    return files


def pylock(items: Sequence[Item], made: Mapping[str, Made], *, python: str) -> str:
    """Return the lock file (PEP 751): each wheel with its path beside the file, size and SHA-256."""
    import tomli_w
    from packaging.markers import Marker
    from packaging.pylock import Package, PackageWheel, Pylock
    from packaging.specifiers import SpecifierSet
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    packages = []
    for item in sorted(items, key=lambda one: one.pin.name):
        one = made[item.pin.name]
        wheel = PackageWheel(
            name=one.path.name, path=one.path.name, size=one.size, hashes={"sha256": one.sha256}
        )
        (only,) = item.pin.archs if len(item.pin.archs) == 1 else (None,)
        packages.append(
            Package(
                name=canonicalize_name(item.pin.name),
                version=Version(item.pin.version),
                marker=None if only is None else Marker(_MARKER[only]),
                wheels=[wheel],
            )
        )
    lock = Pylock(
        lock_version=Version("1.0"),
        environments=[Marker(f"sys_platform == 'darwin' and {_MARKER[arch]}") for arch in Arch],
        requires_python=SpecifierSet(f">={python}"),
        created_by="fatwheel",
        packages=packages,
    )
    lock.validate()
    return tomli_w.dumps(lock.to_dict())


def sources(item: Item) -> str:
    """Return in words where a wheel comes from; the first word is one of a kind."""
    if item.build is not None:
        return f"built for {' and '.join(arch.value for arch in item.build.archs)}"
    if item.entry.halves is not None:
        return "fused"
    if item.entry.filename.endswith("-any.whl"):
        return "pure"
    return "universal2 upstream"


def report_json(
    items: Sequence[Item],
    made: Mapping[str, Made],
    missing: Sequence[Unavailable],
    *,
    python: str,
    macos: Floor,
) -> dict[str, Any]:
    """Return what the folder holds and what it lacks."""
    return {
        "fatwheel": __version__,
        "python": python,
        "macos": format_floor(macos),
        "wheels": [
            {
                "project": item.pin.name,
                "version": item.pin.version,
                "architectures": [arch.value for arch in item.pin.archs],
                "filename": one.path.name,
                "size": one.size,
                "sha256": one.sha256,
                "source": sources(item) if item.build is None else "built",
                "built": [arch.value for arch in item.build.archs] if item.build else [],
                "upstream": item.upstream,
                "inputs": [
                    {"url": file.url, "sha256": file.sha256, "size": file.size}
                    for file in item.files
                ],
                "notes": list(item.notes),
            }
            for item in items
            if (one := made.get(item.pin.name)) is not None
        ],
        "missing": [
            {
                "project": one.pin.name,
                "version": one.pin.version,
                "filename": one.filename or None,
                "why": one.why,
                "report": list(one.lines),
                "rules": [{"glob": glob, "action": action} for glob, action in one.rules],
            }
            for one in missing
        ],
    }


_COLOURS = {"fused": "#3b6fb6", "pure": "#8a8a8a", "universal2": "#2d8a57", "built": "#b5651d"}
_KINDS = {
    "fused": "fused",
    "universal2": "universal2 upstream",
    "built": "built here",
    "pure": "pure",
}


def report_html(
    items: Sequence[Item],
    made: Mapping[str, Made],
    missing: Sequence[Unavailable],
    *,
    python: str,
    macos: Floor,
) -> str:
    """Return one self-contained page: each project, where its wheel comes from, and where the megabytes are."""
    there = [(item, made[item.pin.name]) for item in items if item.pin.name in made]
    total = sum(one.size for _, one in there)
    head = (
        f"{counted(len(there), 'wheel')}, {size_text(total)}, for CPython {html.escape(python)} on macOS "
        f"{format_floor(macos)} or later, Intel and Apple silicon"
    )
    body = [
        f"<h1>Wheelhouse</h1><p>{head}.</p>",
        *_missing_html(missing),
        "<h2>Where the megabytes are</h2>",
        key(_KINDS),
        bars(_bars(there)),
        "<h2>Every wheel</h2>",
        '<div class="wide"><table><tr><th>project</th><th>version</th><th>from</th>',
        '<th class="n">x86_64</th><th class="n">arm64</th><th class="n">wheel</th></tr>',
        *(_row(item, one) for item, one in there),
        "</table></div>",
    ]
    return page("Wheelhouse", body, colours=_COLOURS)


def _missing_html(missing: Sequence[Unavailable]) -> list[str]:
    rows = []
    for one in missing:
        rows.append(
            f"<h3>{html.escape(one.pin.name)} {html.escape(one.pin.version)}: {html.escape(one.why)}</h3>"
        )
        if one.lines:
            rows.append(f"<pre>{html.escape(chr(10).join(one.lines).strip())}</pre>")
    return [f"<h2>Not there ({len(missing)})</h2>", *rows] if rows else []


def _bars(there: Sequence[tuple[Item, Made]]) -> list[Bar]:
    largest = sorted(there, key=lambda pair: (-pair[1].size, pair[0].pin.name))[:30]
    return [
        Bar(label=item.pin.name, parts={sources(item).split()[0]: one.size})
        for item, one in largest
    ]


def _row(item: Item, one: Made) -> str:
    halves = [size_text(f.size) if f.size else "?" for f in item.entry.halves or ()]
    x86_64, arm64 = halves or ("", "")
    notes = "".join(f'<br><span class="small">{html.escape(note)}</span>' for note in item.notes)
    return (
        f"<tr><td>{html.escape(item.pin.name)}{notes}</td><td>{html.escape(item.pin.version)}</td>"
        f'<td>{sources(item)}</td><td class="n">{x86_64}</td><td class="n">{arm64}</td>'
        f'<td class="n">{size_text(one.size)}</td></tr>'
    )
