"""One member's fate: the design's table of members, row by row.

`decide` looks at one `MemberPair` and answers with what becomes of it. Nothing is settled in silence: what no
row settles is a `Conflict`, and what a rule or an option settles is a `Decision` besides.
"""

from __future__ import annotations

from dataclasses import replace

from fatwheel.action import Action
from fatwheel.arch import Arch
from fatwheel.check.code import described
from fatwheel.check.onesided import one_sided_problem
from fatwheel.errors import FormatError
from fatwheel.fusion.actions import (
    KEEP_EITHER,
    Conflict,
    Decision,
    Drop,
    Fuse,
    Keep,
    Merge,
    Planned,
)
from fatwheel.fusion.binaries import equal_code, fuse_code, mixed_platforms, stub_conflict, unlike
from fatwheel.fusion.bundles import bundle_of
from fatwheel.fusion.differences import describe_difference, short_diff
from fatwheel.fusion.merge import Merged, Unmergeable
from fatwheel.fusion.mergers import find_merger, merge_by_rule
from fatwheel.fusion.rules import Rule, RuleSet
from fatwheel.macho.textstub import TextStub
from fatwheel.values import valueclass
from fatwheel.wheels.loads import LoadGraph
from fatwheel.wheels.pair import MemberPair
from fatwheel.wheels.wheel import Content, Member, architectures, images

__all__ = ["Decider"]

_KEEP = {Action.KEEP_X86_64: Arch.X86_64, Action.KEEP_ARM64: Arch.ARM64}
_FORTRAN = (b"\x1f\x8b", b"GFORTRAN module", b"!mod$")  # gfortran's (as gzip since 4.9), flang's
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")


@valueclass
class Decider:
    """What decides about members.

    It knows the wheel's names, the rules in force, the graph of load commands and the folders of signed `bundles`.
    """

    project: str
    dist_info: str
    rules: RuleSet
    graph: LoadGraph
    bundles: frozenset[str] = frozenset()
    on_conflict: Action | None = None

    def decide(self, pair: MemberPair) -> tuple[Planned, Decision | None]:
        """Return what becomes of the member, and the decision that a rule or an option made, if one did."""
        if (dropped := self._always_dropped(pair)) is not None:
            return dropped, None
        planned = self._settle(pair)
        rule = self.rules.find(pair.name, self.project)
        if rule is not None and (rule.action is Action.DROP or _is_open(planned)):
            ruled = self._by_rule(pair, rule, planned)
            if ruled is not planned and not isinstance(ruled, Conflict):
                return ruled, Decision(
                    member=pair.name, action=rule.action, by=rule.origin, reason=rule.reason
                )
            planned = ruled
        if rule is None and isinstance(planned, Conflict) and planned.kind in ("differs", "stub"):
            settled = self._by_kind(pair)
            if isinstance(settled, str):
                planned = replace(planned, problem=f"{planned.problem}; {settled}")
            elif settled is not None:
                return settled
        if isinstance(planned, Conflict) and self.on_conflict is not None:
            decision = Decision(
                member=pair.name,
                action=self.on_conflict,
                by="--on-conflict",
                reason=planned.problem,
            )
            note = f"--on-conflict {self.on_conflict.value}"
            return _keep_side(pair, _KEEP[self.on_conflict], note), decision
        if isinstance(planned, Conflict) and pair.name == self._metadata:
            remedies = tuple(a for a in planned.remedies if a is not Action.DROP)
            planned = replace(planned, remedies=remedies)
        return planned, None

    @property
    def _metadata(self) -> str:
        return f"{self.dist_info}/METADATA"

    def _by_kind(self, pair: MemberPair) -> tuple[Planned, Decision] | str | None:
        """Return what a kind of file settles, and its decision; None where none does.

        Of databases, which nobody can look at, it is the clause that says in how many rows they differ.
        """
        why = None
        x86_64, arm64 = pair.x86_64_text, pair.arm64_text
        if not self.rules.kinds or x86_64 is None or arm64 is None:
            return None
        from fatwheel.fusion.kinds import kinds_of, merge_kind

        for kind in kinds_of(pair.name, self.dist_info, self.rules.kinds):
            result = merge_kind(kind.name, x86_64, arm64)
            if isinstance(result, Unmergeable):
                why = result.why if kind.name == "sqlite" else why
                continue
            by = f"kind {kind.name}"
            result = replace(result, how=f"{by}: {result.how}")
            planned = _merge(pair, result)
            if result.content == x86_64:
                planned = _keep_side(pair, Arch.X86_64, result.how)
            kept = planned.source if isinstance(planned, Keep) else None
            action = next((action for action, side in _KEEP.items() if side is kept), None)
            return planned, Decision(member=pair.name, action=action, by=by, reason=kind.why)
        return why

    def _always_dropped(self, pair: MemberPair) -> Drop | None:
        folder, _, base = pair.name.rpartition("/")
        if base in _SIGNATURES and folder == self.dist_info:
            return Drop(name=pair.name, why="it signs the RECORD of a thin wheel")
        if "__pycache__" in folder and "__pycache__" in folder.split("/"):
            return Drop(name=pair.name, why="Python writes its byte code anew")
        return None

    def _settle(self, pair: MemberPair) -> Planned:
        """Return what the design's table says, before any rule."""
        if pair.only is not None:
            return self._settle_one_sided(pair, pair.only)
        x86_64, arm64 = _both(pair)
        if x86_64.sha256 == arm64.sha256:
            return self._settle_equal(pair, x86_64, arm64)
        codes = [bool(list(images(member.content))) for member in (x86_64, arm64)]
        if all(codes):
            return fuse_code(pair, x86_64, arm64)
        if any(codes):
            kinds = [_kind(member.content) for member in (x86_64, arm64)]
            return unlike(
                pair, f"is {kinds[0]} in the x86_64 wheel and {kinds[1]} in the arm64 wheel"
            )
        if (conflict := stub_conflict(pair, x86_64.content, arm64.content)) is not None:
            return conflict
        return self._settle_text(pair)

    def _settle_text(self, pair: MemberPair) -> Planned:
        """Settle two files that differ and hold no code for a processor."""
        x86_64, arm64 = pair.x86_64_text, pair.arm64_text
        why = ""
        merger = find_merger(pair.name, self.dist_info)
        if merger is not None and x86_64 is not None and arm64 is not None:
            result = merger(x86_64, arm64)
            if isinstance(result, Merged):
                return _merge(pair, result)
            why = result.why
        return replace(_differs(pair, why), warning=self._warning(pair))

    def _warning(self, pair: MemberPair) -> str:
        """Return what is wrong with keeping either of two files that differ; empty where one can be right."""
        if pair.name.endswith((".mod", ".smod")) and (pair.arm64_text or b"").startswith(_FORTRAN):
            return "a Fortran compiler writes a module file for one architecture, and may misread the other's"
        if (bundle := bundle_of(pair.name, self.bundles)) is not None:
            return (
                f"the signatures of the code in {bundle} seal it, so that codesign --verify refuses the code "
                "whose file is not kept; macOS loads it all the same"
            )
        return ""

    def _settle_equal(self, pair: MemberPair, x86_64: Member, arm64: Member) -> Planned:
        """Keep a file that both wheels have; code must be for both, or be of no use to the other anyway."""
        if arm64.content is None or not any(images(arm64.content)):
            return _keep_smaller(pair, x86_64, arm64)
        judged = equal_code(pair, arm64.content, self.graph)
        if isinstance(judged, Conflict):
            return judged
        return _keep_smaller(pair, x86_64, arm64, judged)

    def _settle_one_sided(self, pair: MemberPair, only: Arch) -> Planned:
        member = pair.member(only)
        assert member is not None
        problem = one_sided_problem(pair.name, member.content, only, self.graph)
        mixed = mixed_platforms(member.content)
        note = f"only the {only.value} wheel has it"
        if problem is None and mixed is None:
            if any(images(member.content)) and only not in architectures(member.content):
                note += f", with code for {described(member.content)}"
            return _keep_side(pair, only, note)
        return Conflict(
            name=pair.name,
            kind="platform" if problem is None else "one-sided",
            problem=f"{note}, {problem or f'{mixed}'}",
            matters="users of the other architecture would get a file that their wheel did not have",
            remedies=(Action.ALLOW, Action.DROP),
        )

    def _by_rule(self, pair: MemberPair, rule: Rule, planned: Planned) -> Planned:
        """Carry out a rule; a rule that asks for what cannot be done leaves a conflict that says so."""
        action = rule.action
        if action is Action.DROP:
            if pair.name == self._metadata:
                return _unfit(pair, rule, "every wheel has one")
            return Drop(name=pair.name, why=rule.reason)
        if (side := _KEEP.get(action)) is not None:
            return _keep_side(pair, side, rule.reason)
        if action is Action.ALLOW:
            if not isinstance(planned, Conflict):
                return planned
            if pair.only is not None:
                return _keep_side(pair, pair.only, rule.reason)
            if _equal(pair):
                return _keep_side(pair, Arch.ARM64, rule.reason)
            return _unfit(pair, rule, "it is in both wheels and differs")
        x86_64, arm64 = pair.x86_64_text, pair.arm64_text
        if x86_64 is None or arm64 is None:
            return _unfit(pair, rule, "it is not a text of at most 1 MiB that both wheels have")
        result = merge_by_rule(action, pair.name, x86_64, arm64)
        if isinstance(result, Unmergeable):
            return _unfit(pair, rule, result.why)
        return _merge(pair, result)


def _is_open(planned: Planned) -> bool:
    """Return whether a rule may settle this otherwise.

    Where both wheels agree, or code for both architectures can be fused, there is nothing to settle: a rule
    with a wide glob must not take away an architecture.
    """
    return not isinstance(planned, Fuse) and not (isinstance(planned, Keep) and not planned.note)


def _both(pair: MemberPair) -> tuple[Member, Member]:
    assert pair.x86_64 is not None
    assert pair.arm64 is not None
    return pair.x86_64, pair.arm64


def _equal(pair: MemberPair) -> bool:
    x86_64, arm64 = _both(pair)
    return x86_64.sha256 == arm64.sha256


def _keep_side(pair: MemberPair, side: Arch, note: str) -> Planned:
    """Keep one wheel's file; where that wheel has none, the fused wheel has none either."""
    member = pair.member(side)
    if member is None:
        return Drop(name=pair.name, why=f"{note}; the {side.value} wheel does not have it")
    return Keep(name=pair.name, mode=pair.mode, source=side, member=member, note=note)


def _keep_smaller(pair: MemberPair, x86_64: Member, arm64: Member, note: str = "") -> Keep:
    """Keep a file that both wheels have, from the one that packed it better."""
    smaller = x86_64.entry.compressed_size < arm64.entry.compressed_size
    source = Arch.X86_64 if smaller else Arch.ARM64
    member = x86_64 if smaller else arm64
    return Keep(name=pair.name, mode=pair.mode, source=source, member=member, note=note)


def _merge(pair: MemberPair, result: Merged) -> Planned:
    """Write the merged text; where it is arm64's own, that wheel's member is copied as it lies there."""
    if result.content == pair.arm64_text:
        return _keep_side(pair, Arch.ARM64, result.how)
    return Merge(name=pair.name, mode=pair.mode, content=result.content, how=result.how)


def _kind(content: Content) -> str:
    if isinstance(content, FormatError):
        return f"a damaged Mach-O file ({content.problem})"
    if isinstance(content, TextStub):
        return "a text stub"
    return "a Mach-O file" if any(images(content)) else "something else"


def _differs(pair: MemberPair, why: str = "") -> Conflict:
    """The conflict of two files that differ; Python modules and texts get the remedies that fit them."""
    remedies: tuple[Action, ...] = KEEP_EITHER
    if pair.x86_64_text is not None and pair.arm64_text is not None:
        texts = (pair.name, pair.x86_64_text, pair.arm64_text)
        merging = (Action.DISPATCH, Action.GUARD)
        fitting = [
            action for action in merging if isinstance(merge_by_rule(action, *texts), Merged)
        ]
        remedies = (*fitting, *KEEP_EITHER)
    x86_64, arm64 = _both(pair)
    malformed = [m.content.problem for m in (x86_64, arm64) if isinstance(m.content, FormatError)]
    return Conflict(
        name=pair.name,
        kind="differs",
        problem=why
        or describe_difference(
            pair.name,
            x86_64.entry.size,
            arm64.entry.size,
            malformed=malformed,
            compared=pair.arm64_text is not None,
        ),
        matters="one file has to serve both architectures, and nothing says which of the two does",
        remedies=remedies,
        diff=short_diff(pair.x86_64_text, pair.arm64_text),
    )


def _unfit(pair: MemberPair, rule: Rule, why: str) -> Conflict:
    return Conflict(
        name=pair.name,
        kind="rule",
        problem=f"{rule.origin} {rule.glob!r} asks for {rule.action.value}, which does not fit: {why}",
        matters="a rule that cannot be carried out settles nothing",
        remedies=KEEP_EITHER if pair.only is None else (Action.ALLOW, Action.DROP),
    )
