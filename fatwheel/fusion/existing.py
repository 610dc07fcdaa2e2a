"""Whether a fused wheel is there already: made of the same two wheels, by the same rules, options and fatwheel.

Its `fatwheel.json` says what it was made of. Only rules that match a member count, since others decide nothing; so one
more rule for one project leaves all other wheels as they are.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fatwheel.arch import Arch
from fatwheel.archive.ranges import file_sha256
from fatwheel.errors import FatwheelError
from fatwheel.fusion.fuse import FuseOptions, further_options, opened_pair
from fatwheel.fusion.pairing import Candidate
from fatwheel.fusion.plan import fused_name, matching_rules, options_json, unused_rules
from fatwheel.fusion.readpair import renaming
from fatwheel.fusion.rules import Rule
from fatwheel.fusion.write import newest_date
from fatwheel.values import valueclass
from fatwheel.wheels.distinfo import REPORT_NAME
from fatwheel.wheels.jsontext import load_json
from fatwheel.wheels.read import open_source
from fatwheel.wheels.scan import scan_member
from fatwheel.wheels.tags import parse_wheel_name
from fatwheel.wheels.wheel import OpenWheel, open_wheel

__all__ = ["Existing", "find_existing"]


@valueclass
class Existing:
    """A wheel that would come out again as it is; `unused_rules` are the user's that match nothing in it."""

    path: Path
    unused_rules: tuple[Rule, ...]


def find_existing(a: Path, b: Path, folder: Path, options: FuseOptions) -> Existing | None:
    """Return the wheel in `folder` that fusing `a` and `b` with `options` would make again; None where there is none.

    The inputs' directories and their SHA-256 are read, and of the wheel its directory and `fatwheel.json`. Raises what
    `fuse_wheels` raises for inputs that are no pair.
    """
    with opened_pair(a, b, None, 1) as (candidates, wheels):
        names = _members(wheels)
        project = candidates[Arch.ARM64].name.key[0]
        matching = matching_rules(options.plan.rules, names, project)
        expected = {
            "generator": options.plan.generator,
            "rules": [{"glob": rule.glob, "action": rule.action.value} for rule in matching],
            "options": {**options_json(options.plan), **further_options(options)},
        }
        date_time = options.date_time or newest_date(wheels.values())
        for path in _places(candidates, folder, options):
            try:
                made = open_wheel(path)
            except (FatwheelError, OSError):
                continue
            try:
                report = _report(made, options)
            finally:
                made.close()
            if (
                all(entry.date_time == date_time for entry in made.entries.values())
                and _is_made_so(report, expected, options)
                and _is_made_of(report, wheels)
            ):
                unused = unused_rules(options.plan.rules, names, project)
                return Existing(path=path, unused_rules=unused)
    return None


def _members(wheels: Mapping[Arch, OpenWheel]) -> frozenset[str]:
    """Return the names of all members of both wheels, as rules match them."""
    names: set[str] = set()
    for wheel in wheels.values():
        rename = renaming(wheel, wheels[Arch.ARM64])
        names.update(wheel.entries if rename is None else map(rename, wheel.entries))
    return frozenset(names)


def _places(
    candidates: Mapping[Arch, Candidate], folder: Path, options: FuseOptions
) -> Iterator[Path]:
    """Yield the files that may be it: one name, or several where only the binaries tell the tags."""
    names = {arch: candidate.name for arch, candidate in candidates.items()}
    floors = {arch: candidate.floor for arch, candidate in candidates.items()}
    name = fused_name(names, floors, options.plan)
    if not options.plan.raise_floor:
        yield folder / name.filename
        return
    for path in sorted(folder.glob("*.whl")):
        try:
            found = parse_wheel_name(path.name)
        except FatwheelError:
            continue
        if found.key == name.key:
            yield path


def _report(wheel: OpenWheel, options: FuseOptions) -> Any:
    """Return what the wheel's `fatwheel.json` says; None where it has none that can be read."""
    name = posixpath.join(wheel.dist_info, REPORT_NAME)
    entry = wheel.entries.get(name)
    if entry is None:
        return None
    inflater = options.chosen_inflater
    try:
        wanted = open_source(wheel, inflater).wanted(name)
        return load_json(scan_member(wheel, entry, wanted, inflater).text or b"")
    except (FatwheelError, ValueError):
        return None


def _is_made_so(report: Any, expected: Mapping[str, Any], options: FuseOptions) -> bool:
    """Return whether the same rules, options and fatwheel decide as they did then.

    What was only allowed may be allowed still, and --on-conflict matters where it decided.
    """
    try:
        then, now = dict(report.get("options", {})), dict(expected["options"])
        allowed, allows = set(then.pop("allow", ())), set(now.pop("allow", ()))
        if now.get("verify-record") is False:
            then.setdefault("verify-record", False)
        by_option = {d["action"] for d in report["decisions"] if d["by"] == "--on-conflict"}
        on_conflict = options.plan.on_conflict
        return (
            report["generator"] == expected["generator"]
            and report.get("rules", []) == expected["rules"]
            and then == now
            and allowed <= allows
            and by_option <= {on_conflict.value if on_conflict else ""}
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def _is_made_of(report: Any, wheels: Mapping[Arch, OpenWheel]) -> bool:
    """Return whether the report, sound otherwise, names these inputs."""
    for arch, wheel in wheels.items():
        try:
            named = report["inputs"][arch.value]
            if named["filename"] != wheel.path.name or named["sha256"] != file_sha256(wheel.file):
                return False
        except (KeyError, TypeError):
            return False
    return True
