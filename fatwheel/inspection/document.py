"""An inspection as JSON: docs/schemas/inspect-1.json is what it follows.

Names and meanings of a version stay; what is new may be added. Sizes are bytes, versions of macOS texts (`10.13`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fatwheel.arch import Arch
from fatwheel.inspection.comparison import Comparison
from fatwheel.inspection.facts import CodeFile, LoadFacts, SliceFacts
from fatwheel.inspection.inspection import Inspection, WheelFacts, lacking
from fatwheel.version import __version__
from fatwheel.wheels.tags import Floor, format_floor

__all__ = ["SCHEMA", "VERSION", "document"]

SCHEMA, VERSION = "fatwheel-inspect", 1


def document(
    inspections: Sequence[Inspection],
    *,
    errors: Sequence[tuple[str, str]] = (),
    required: Sequence[Arch] = (),
    comparison: Comparison | None = None,
    fuse: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the document; `errors` are paths that could not be inspected, and why.

    `fuse` is what `fatwheel fuse` would say of the two wheels of `comparison`.
    """
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "fatwheel": __version__,
        "inspected": [_inspection(one, required) for one in inspections],
        "errors": [{"path": path, "error": error} for path, error in errors],
        "comparison": None if comparison is None else {**_comparison(comparison), "fuse": fuse},
    }


def _inspection(inspection: Inspection, required: Sequence[Arch]) -> dict[str, Any]:
    arches = [a for a in Arch if a in {*inspection.expected, *inspection.held}]
    return {
        "path": inspection.path,
        "kind": inspection.kind,
        "size": inspection.size,
        "unpacked": inspection.installed,
        "files": inspection.count,
        "wheel": None if inspection.wheel is None else _wheel(inspection.wheel),
        "architectures": {arch.value: _architecture(inspection, arch) for arch in arches},
        "code": [_file(file) for file in inspection.files],
        "extensions": [
            {
                "extension": one.extension,
                "files": one.files,
                "size": one.size,
                "packed": one.packed,
            }
            for one in inspection.extensions
        ],
        "projects": [
            {
                "name": one.name,
                "version": one.version,
                "platforms": list(one.platforms),
                "size": one.size,
                "code": list(one.files),
            }
            for one in inspection.projects
        ],
        "lacking": [
            {"path": file.path, "architectures": [arch.value for arch in missing]}
            for file, missing in lacking(inspection, required)
        ],
        "problems": list(inspection.problems),
        "links": inspection.links,
    }


def _wheel(wheel: WheelFacts) -> dict[str, Any]:
    made = wheel.made_of
    return {
        "project": wheel.project,
        "version": wheel.version,
        "build": wheel.build or None,
        "tags": list(wheel.tags),
        "promises": [
            {
                "platform": promise.tag,
                "macos": {
                    arch.value: format_floor(floor) for arch, floor in promise.floors.items()
                },
            }
            for promise in wheel.promises
        ],
        "made_of": None
        if made is None
        else {
            "generator": made.generator,
            "inputs": dict(made.inputs),
            "decisions": [
                {"member": d.member, "action": d.action, "by": d.by, "reason": d.reason}
                for d in made.decisions
            ],
        },
    }


def _architecture(inspection: Inspection, arch: Arch) -> dict[str, Any]:
    wheel, thinned = inspection.wheel, inspection.thinned.get(arch)
    code = inspection.code(arch)
    return {
        "promised": _version(None if wheel is None else wheel.floors.get(arch)),
        "allowed": _version(inspection.allows(arch)),
        "files": sum(arch in file.arches for file in inspection.files),
        "code": sum(one.size for one in code),
        "thinned": None
        if thinned is None
        else {
            "unpacked": thinned[0],
            "size": thinned[1] if inspection.kind == "wheel" else thinned[0],
        },
    }


def _file(file: CodeFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "size": file.size,
        "packed": file.packed,
        "slices": [_slice(one) for one in file.slices],
        "stub": list(file.stub),
        "problem": file.problem,
        "loaded_by": [
            {"path": path, "architecture": arch.value, "name": name}
            for path, arch, name in file.loaded_by
        ],
    }


def _slice(one: SliceFacts) -> dict[str, Any]:
    return {
        "architecture": one.architecture,
        "macos_architecture": None if one.mac is None else one.mac.value,
        "kind": one.kind,
        "size": one.size,
        "platform": one.platform,
        "minos": _version(one.minos),
        "sdk": _version(one.sdk),
        "linker": one.linker,
        "tools": list(one.tools),
        "signature": one.signature,
        "identifier": one.identifier,
        "team": one.team,
        "install_name": one.install_name,
        "rpaths": list(one.rpaths),
        "loads": [_load(load) for load in one.loads],
    }


def _load(load: LoadFacts) -> dict[str, Any]:
    return {
        "name": load.name,
        "kind": load.kind,
        "group": None if load.group is None else load.group.value,
        "targets": list(load.targets),
        "path": load.path,
        "rpath": load.rpath,
        "rpath_of": load.rpath_of,
    }


def _version(floor: Floor | None) -> str | None:
    return None if floor is None else format_floor(floor)


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "left": comparison.left,
        "right": comparison.right,
        "equal": comparison.equal,
        "only_left": list(comparison.only_left),
        "only_right": list(comparison.only_right),
        "differing": list(comparison.differing),
        "code": list(comparison.code),
        "facts": [
            {"fact": one.fact, "left": one.left, "right": one.right, "files": list(one.paths)}
            for one in comparison.facts
        ],
    }
