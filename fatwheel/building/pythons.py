"""Which Pythons a crate's bindings know, asked of cargo before anything is compiled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fatwheel.building.plan import BuildRequest
from fatwheel.errors import ToolError, UsageError
from fatwheel.process import Command, Runner
from fatwheel.toolchain.host import Host

__all__ = ["refuse_unknown_pythons", "unknown_pythons"]

_TIME = 120.0  # seconds; crates may have to be fetched first, which the build would do as well
_VERSION = re.compile(r"(?P<pypy>pypy)?3\.(?P<minor>[0-9]+)t?", re.ASCII)
# With them PyO3 compiles for a Python that it does not know.
_FORWARD = ("PYO3_USE_ABI3_FORWARD_COMPATIBILITY", "PYO3_USE_STABLE_ABI_FORWARD_COMPATIBILITY")


def refuse_unknown_pythons(request: BuildRequest, host: Host, runner: Runner) -> None:
    """Raise `UsageError` for a version that the crate's PyO3 does not know; it would say so after compiling.

    Where cargo does not answer, the build will say why.
    """
    if any(host.environ.get(name) for name in _FORWARD):
        return
    manifest = request.manifest_path or request.maturin.manifest_path
    words = ["metadata", "--format-version", "1"]
    words += ["--manifest-path", str(manifest)] if manifest is not None else []
    words += ["--features", ",".join(request.features)] if request.features else []
    command = Command(
        program=host.environ.get("CARGO", "cargo"),
        arguments=tuple(words),
        env=host.environ,
        cwd=request.project,
        timeout=_TIME,
    )
    try:
        said = runner.capture(command)
        metadata = json.loads(said.stdout) if said.exit_code == 0 else {}
    except (ToolError, ValueError):
        return
    for problem in unknown_pythons(metadata, request.interpreters):
        raise UsageError(problem)


def unknown_pythons(metadata: Mapping[str, Any], interpreters: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each version that pyo3-ffi names neither as its oldest nor newest nor between.

    `metadata` is what `cargo metadata` prints. With the stable ABI PyO3 takes newer ones, and nothing is said.
    """
    for package in metadata.get("packages", ()):
        if package.get("name") != "pyo3-ffi" or _is_stable(metadata, package["id"]):
            continue
        known = package.get("metadata") or {}
        for text in interpreters:
            match = _VERSION.fullmatch(text)
            kind = "pypy" if match and match["pypy"] else "cpython"
            ends = known.get(kind, {})
            oldest, newest = (_minor(ends.get(f"{end}-version")) for end in ("min", "max"))
            if match is None or oldest is None or newest is None:
                continue
            if not oldest <= int(match["minor"]) <= newest:
                name = "PyPy" if match["pypy"] else "CPython"
                yield (
                    f"-i {text}: this crate's PyO3 {package.get('version')} knows {name} 3.{oldest} to 3.{newest}; "
                    "take one of these, or update PyO3 in Cargo.toml"
                )


def _minor(version: object) -> int | None:
    match = re.fullmatch(r"3\.([0-9]+)", str(version))
    return int(match[1]) if match else None


def _is_stable(metadata: Mapping[str, Any], package: str) -> bool:
    nodes = (metadata.get("resolve") or {}).get("nodes", ())
    features = [name for node in nodes if node.get("id") == package for name in node["features"]]
    return any(feature.startswith("abi3") for feature in features)
