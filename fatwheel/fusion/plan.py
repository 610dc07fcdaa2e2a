"""The plan of a fusion: a pure function from two wheels, as values, to what will be written.

Every member of both wheels appears in the plan exactly once. All conflicts are collected; with one left,
nothing can be written.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace
from types import MappingProxyType
from typing import Any

from fatwheel.action import Action
from fatwheel.arch import Arch
from fatwheel.errors import RefusedError
from fatwheel.fusion.actions import Conflict, Decision, Drop, Keep, Planned, WriteAnew, WriteRecord
from fatwheel.fusion.bundles import find_bundles, seal_notes
from fatwheel.fusion.collide import settle_collisions
from fatwheel.fusion.decide import Decider
from fatwheel.fusion.kinds import all_kinds
from fatwheel.fusion.pairing import later_build
from fatwheel.fusion.rulebook import rule_book
from fatwheel.fusion.rules import Rule, RuleSet
from fatwheel.macho.image import Image
from fatwheel.values import valueclass
from fatwheel.version import __version__
from fatwheel.wheels.distinfo import REPORT_NAME, format_wheel_metadata
from fatwheel.wheels.loads import LoadGraph
from fatwheel.wheels.pair import MemberPair, Pair
from fatwheel.wheels.tags import (
    Floor,
    TagStyle,
    WheelName,
    fused_platforms,
    parse_wheel_name,
    with_platforms,
)
from fatwheel.wheels.wheel import images

__all__ = [
    "FusePlan",
    "Inputs",
    "PlanOptions",
    "file_order",
    "fused_name",
    "matching_rules",
    "options_json",
    "plan_pair",
    "unused_rules",
]


@valueclass
class PlanOptions:
    """What the user asked for.

    `rules` in rising order of precedence; the shipped rule book unless said otherwise. `on_conflict` settles
    all conflicts that are left; None reports them.
    `raise_floor` raises the tags to the oldest macOS that every binary runs on. `build_tag` replaces both
    wheels' (empty: none); None keeps the one they share. `generator` is what WHEEL names.
    """

    rules: RuleSet = field(default_factory=lambda: RuleSet(rules=rule_book(), kinds=all_kinds()))
    on_conflict: Action | None = None
    tag_style: TagStyle = TagStyle.EXACT
    raise_floor: bool = False
    build_tag: str | None = None
    generator: str = f"fatwheel {__version__}"


@valueclass
class Inputs:
    """The two file names and SHA-256 digests (hexadecimal), x86_64's first."""

    x86_64: str
    x86_64_sha256: str
    arm64: str
    arm64_sha256: str


@valueclass
class FusePlan:
    """What will be written, member by member in the order of the file, with what was decided on the way.

    `unused_rules` are rules of the user's that matched no member. `notes` says what the inputs were taken for.
    """

    inputs: Inputs
    name: WheelName
    dist_info: str
    members: tuple[Planned, ...]
    decisions: tuple[Decision, ...]
    unused_rules: tuple[Rule, ...]
    notes: tuple[str, ...]

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """The members that nothing has settled."""
        return tuple(m for m in self.members if isinstance(m, Conflict))

    @property
    def written(self) -> tuple[Planned, ...]:
        """The members that the fused wheel will hold."""
        return tuple(m for m in self.members if not isinstance(m, Drop | Conflict))


def plan_pair(
    pair: Pair, options: PlanOptions, further: Mapping[str, Any] = MappingProxyType({})
) -> FusePlan:
    """Plan the fusion of `pair`; of `further` options `fatwheel.json` tells, too.

    Raises `RefusedError` where the two wheels differ in something that no plan can settle.
    """
    names = {arch: pair.side(arch).name for arch in Arch}
    name = fused_name(names, _floors(pair, options), options)
    dist_info = pair.arm64.dist_info
    project = name.key[0]
    rules = options.rules.of(project)
    decider = Decider(
        project=project,
        dist_info=dist_info,
        rules=rules,
        graph=_load_graph(pair.members),
        bundles=find_bundles(member.name for member in pair.members),
        on_conflict=options.on_conflict,
    )
    own = {f"{dist_info}/{base}" for base in ("RECORD", "WHEEL", REPORT_NAME)}
    decided = [decider.decide(member) for member in pair.members if member.name not in own]
    only_in = {member.name: member.only for member in pair.members}
    members, collided = settle_collisions(
        [planned for planned, _ in decided],
        own,
        only_in,
        options.on_conflict,
    )
    decisions = (*(decision for _, decision in decided if decision is not None), *collided)
    inputs = Inputs(
        x86_64=pair.x86_64.filename,
        x86_64_sha256=pair.x86_64.sha256,
        arm64=pair.arm64.filename,
        arm64_sha256=pair.arm64.sha256,
    )
    only = {
        arch: [m.name for m in members if isinstance(m, Keep) and only_in[m.name] is arch]
        for arch in Arch
    }
    seals = seal_notes(members, pair.members, decider.bundles) if decider.bundles else ()
    present = [member.name for member in pair.members]
    report = format_report(
        inputs,
        decisions,
        options.generator,
        only=only,
        rules=matching_rules(rules, present, project),
        options={**options_json(options), **further},
    )
    members += _own_members(pair, name, options, report)
    return FusePlan(
        inputs=inputs,
        name=name,
        dist_info=dist_info,
        members=tuple(sorted(members, key=lambda m: file_order(m.name, dist_info))),
        decisions=decisions,
        unused_rules=unused_rules(rules, present, project),
        notes=(*pair.notes, *seals),
    )


def format_report(
    inputs: Inputs,
    decisions: Sequence[Decision],
    generator: str,
    *,
    only: Mapping[Arch, Sequence[str]],
    rules: Sequence[Rule],
    options: Mapping[str, Any],
) -> bytes:
    """Return the text of `fatwheel.json`: both inputs, and every decision of a rule or an option.

    Then follow, where there are any, the members that come from one wheel because the other had none of that name
    (`only`), the rules that match a member, and the options that are not the usual ones.
    """
    document: dict[str, Any] = {
        "generator": generator,
        "inputs": {
            "x86_64": {"filename": inputs.x86_64, "sha256": inputs.x86_64_sha256},
            "arm64": {"filename": inputs.arm64, "sha256": inputs.arm64_sha256},
        },
        "decisions": [
            {"member": d.member, "action": d.word, "by": d.by, "reason": d.reason}
            for d in sorted(decisions, key=lambda d: d.member)
        ],
    }
    if any(only.values()):
        document["only"] = {arch.value: sorted(names) for arch, names in only.items()}
    if rules:
        document["rules"] = [{"glob": rule.glob, "action": rule.action.value} for rule in rules]
    if options:
        document["options"] = dict(options)
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def fused_name(
    names: Mapping[Arch, WheelName], floors: Mapping[Arch, Floor], options: PlanOptions
) -> WheelName:
    """Return the output's name: the arm64 wheel's with the platforms that both wheels promise.

    `floors` is the oldest macOS for each architecture. Raises `RefusedError` for build tags that differ, unless the
    options name one.
    """
    x86_64, arm64 = names[Arch.X86_64], names[Arch.ARM64]
    name = arm64
    if options.build_tag is not None:
        name = parse_wheel_name(replace(name, build=options.build_tag).filename)
    elif x86_64.build != arm64.build:
        builds = [f"{one.filename} has {_build_in_words(one)}" for one in (x86_64, arm64)]
        raise RefusedError(
            f"{' and '.join(builds)}; name the fused wheel's: --build-tag {later_build(x86_64, arm64)}"
        )
    platforms = fused_platforms(floors[Arch.X86_64], floors[Arch.ARM64], options.tag_style)
    return with_platforms(name, platforms)


def _build_in_words(name: WheelName) -> str:
    return f"build tag {name.build!r}" if name.build else "no build tag"


def _floors(pair: Pair, options: PlanOptions) -> Mapping[Arch, Floor]:
    """Return the oldest macOS that the output promises for each architecture."""
    floors = {arch: pair.side(arch).floor for arch in Arch}
    if options.raise_floor:
        return {
            arch: max(floor, _oldest_macos(pair.members, arch)) for arch, floor in floors.items()
        }
    return floors


def _oldest_macos(members: Sequence[MemberPair], arch: Arch) -> Floor:
    """Return the oldest macOS that runs every binary of the `arch` wheel, as a tag's floor."""
    versions = [
        image.minos
        for pair in members
        if (member := pair.member(arch)) is not None
        for image in images(member.content)
        if isinstance(image, Image) and image.mac_arch is arch and image.minos is not None
    ]
    major, minor = max(versions, default=arch.lowest_macos)
    if major >= 11 and minor:
        return major + 1, 0  # from macOS 11 on, the minor version in a tag is 0
    return major, minor


def _load_graph(members: Sequence[MemberPair]) -> LoadGraph:
    """Return which members each architecture's code loads in the fused wheel."""
    parsed = [
        pair
        for pair in members
        if (pair.arm64 is not None and pair.arm64.content is not None)
        or (pair.x86_64 is not None and pair.x86_64.content is not None)
    ]
    found = [
        (pair.name, arch, image)
        for pair in parsed
        for arch in Arch
        if (member := pair.member(arch) or pair.member(arch.other)) is not None
        for image in images(member.content)
        if isinstance(image, Image) and image.mac_arch is arch
    ]
    return LoadGraph.of(found, (pair.name for pair in members))


def _own_members(
    pair: Pair, name: WheelName, options: PlanOptions, report: bytes
) -> list[WriteAnew | WriteRecord]:
    """Return the files of `.dist-info` that are always written anew (PEP 427)."""
    x86_64, arm64 = pair.x86_64, pair.arm64
    if x86_64.metadata.root_is_purelib != arm64.metadata.root_is_purelib:
        raise RefusedError(
            f"Root-Is-Purelib is {x86_64.metadata.root_is_purelib} in {x86_64.filename} and "
            f"{arm64.metadata.root_is_purelib} in {arm64.filename}, so the same file would be installed in "
            "two places; rebuild one of them"
        )
    text = format_wheel_metadata(
        name, generator=options.generator, root_is_purelib=arm64.metadata.root_is_purelib
    )
    modes = {member.name: member.mode for member in pair.members}
    folder = arm64.dist_info

    def mode(base: str) -> int:
        return modes.get(f"{folder}/{base}", 0o644)

    return [
        WriteAnew(name=f"{folder}/WHEEL", mode=mode("WHEEL"), content=text),
        WriteAnew(name=f"{folder}/{REPORT_NAME}", mode=0o644, content=report),
        WriteRecord(name=f"{folder}/RECORD", mode=mode("RECORD")),
    ]


def file_order(name: str, dist_info: str) -> tuple[bool, bool, str]:
    """Sort key: by name, dist-info last, RECORD at the very end (PEP 427 recommends it)."""
    return name.startswith(f"{dist_info}/"), name == f"{dist_info}/RECORD", name


def options_json(options: PlanOptions) -> dict[str, Any]:
    """Return what `fatwheel.json` tells of the plan's options, where they are not the usual ones."""
    found: dict[str, Any] = {}
    if options.tag_style is not TagStyle.EXACT:
        found["tags"] = options.tag_style.value
    if options.raise_floor:
        found["floor"] = "binaries"
    if options.build_tag is not None:
        found["build-tag"] = options.build_tag
    if off := [kind for kind in all_kinds() if kind not in options.rules.kinds]:
        found["no-kind"] = off if options.rules.kinds else ["all"]  # as --no-rulebook has it
    return found


def matching_rules(rules: RuleSet, members: Collection[str], project: str) -> tuple[Rule, ...]:
    """Return the rules that match a member, whether they decided on it or not."""
    return tuple(
        rule for rule in rules.rules if any(rule.matches(name, project) for name in members)
    )


def unused_rules(rules: RuleSet, members: Collection[str], project: str) -> tuple[Rule, ...]:
    """Return the user's rules that match no member."""
    matching = matching_rules(rules, members, project)
    return tuple(
        rule for rule in rules.rules if rule.origin != "rule book" and rule not in matching
    )
