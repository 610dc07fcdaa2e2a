"""What cargo compiles for the machine that builds, and what for each target, as far as `cargo metadata` tells.

Macros and build scripts run while cargo compiles, so they and all that they use are compiled for the machine itself,
once for both architectures. cargo prints `Compiling NAME` for either.

Specification: The Cargo Book, "cargo metadata", "Build Scripts".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fatwheel.building.plan import Build, BuildPlan
from fatwheel.printable import counted
from fatwheel.process import Runner, ask
from fatwheel.values import valueclass

__all__ = ["Crates", "ask_crates", "described", "parse_crates"]


@valueclass
class Crates:
    """Names of macros, of crates with a build script, and of crates that are compiled for the target."""

    macros: frozenset[str]
    scripts: frozenset[str]
    target: frozenset[str]


def ask_crates(plan: BuildPlan, runner: Runner) -> Crates | None:
    """Return what cargo says of the first build; None where it cannot without the network or a Cargo.lock."""
    build = plan.builds[0]
    env = build.command.env
    said = ask(
        runner, env.get("CARGO") or "cargo", *_words(build, plan), env=env, cwd=build.command.cwd
    )
    manifest = _manifest(plan) or Path("Cargo.toml")
    return None if said is None else parse_crates(said.stdout, build.command.cwd / manifest)


def _words(build: Build, plan: BuildPlan) -> Iterator[str]:
    """Yield cargo's arguments: the features are those that maturin passes on."""
    yield from ("metadata", "--format-version", "1", "--frozen")
    yield from ("--filter-platform", build.arch.rust_target)
    if manifest := _manifest(plan):
        yield from ("--manifest-path", str(manifest))
    if features := build.thin.features or plan.request.maturin.features:
        yield from ("--features", ",".join(features))
    given = (*plan.request.config.maturin_args, *plan.request.arguments)
    yield from (word for word in given if word in ("--all-features", "--no-default-features"))


def _manifest(plan: BuildPlan) -> str | Path | None:
    return plan.request.manifest_path or plan.request.maturin.manifest_path


def parse_crates(text: str, manifest: Path) -> Crates | None:
    """Return what is compiled for the package of this Cargo.toml; None where that cannot be told.

    Features are taken as the whole workspace has them, and dependencies of macros and build scripts as if they were
    for the target, since cargo tells no more.
    """
    try:
        document = json.loads(text)
        packages = {package["id"]: package for package in document["packages"]}
        nodes = {node["id"]: node for node in document["resolve"]["nodes"]}
        (root,) = (
            ident for ident, one in packages.items() if _same(one["manifest_path"], manifest)
        )
        reached = _reached(root, nodes, packages)
    except (ValueError, KeyError, TypeError):
        return None
    kinds = {ident: _kinds(packages[ident]) for ident, _ in reached}
    names = {ident: str(packages[ident]["name"]) for ident in kinds}
    return Crates(
        macros=frozenset(names[i] for i, kind in kinds.items() if "proc-macro" in kind),
        scripts=frozenset(names[i] for i, kind in kinds.items() if "custom-build" in kind),
        target=frozenset(names[ident] for ident, for_target in reached if for_target),
    )


def _same(path: str, manifest: Path) -> bool:
    return Path(path).resolve() == manifest.resolve()


def _kinds(package: Mapping[str, Any]) -> set[str]:
    return {kind for target in package["targets"] for kind in target["kind"]}


def _reached(
    root: str, nodes: Mapping[str, Any], packages: Mapping[str, Any]
) -> set[tuple[str, bool]]:
    """Return all packages that are compiled, each with whether for the target; some are for both."""
    found: set[tuple[str, bool]] = set()
    waiting = [(root, "proc-macro" not in _kinds(packages[root]))]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        ident, for_target = one
        for dependency in nodes[ident]["deps"]:
            uses = {kind["kind"] for kind in dependency["dep_kinds"]}
            is_macro = "proc-macro" in _kinds(packages[dependency["pkg"]])
            if None in uses:
                waiting.append((dependency["pkg"], for_target and not is_macro))
            if "build" in uses:
                waiting.append((dependency["pkg"], False))
    return found


def described(crates: Crates, plan: BuildPlan) -> str:
    """Return the line that says what is compiled for which."""
    parts = [
        counted(len(names), noun)
        for names, noun in ((crates.macros, "macro"), (crates.scripts, "build script"))
        if names
    ]
    both = len(plan.builds) > 1
    which = "each architecture" if both else plan.builds[0].arch.value
    own = f"for {which}: {counted(len(crates.target), 'crate')}"
    if not parts:
        return f"compiled {own}"
    once = "for this machine, once for both" if both else "for this machine"
    return f"compiled {once}: {' and '.join(parts)}, with dependencies; {own}"
