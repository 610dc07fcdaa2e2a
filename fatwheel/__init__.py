"""Make macOS universal2 wheels: fuse two thin wheels into one, on any machine.

The API does what the command line does; every name here is typed and documented where it is defined:

    from pathlib import Path
    from fatwheel import FuseOptions, fuse_wheels

    fused = fuse_wheels(Path("a.whl"), Path("b.whl"), Path("dist"), FuseOptions())
"""

# Nothing is imported here, not even what is small: `__main__` is not there yet to end it well when it is interrupted.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from fatwheel.action import Action
    from fatwheel.arch import Arch
    from fatwheel.check.finding import Finding, Severity
    from fatwheel.check.verdict import check_wheel
    from fatwheel.cli.wheelfiles import find_wheels
    from fatwheel.errors import FatwheelError
    from fatwheel.fusion.fuse import ConflictsError, Fused, FuseOptions, fuse_wheels, plan_fuse
    from fatwheel.fusion.many import Outcome, fuse_many
    from fatwheel.fusion.pairing import Pairing, pair_up
    from fatwheel.fusion.plan import FusePlan, PlanOptions
    from fatwheel.fusion.rulebook import rule_book
    from fatwheel.fusion.rules import Rule, RuleSet, parse_rule
    from fatwheel.inspection.folders import inspect_path
    from fatwheel.inspection.inspection import Inspection
    from fatwheel.inspection.wheels import inspect_wheel
    from fatwheel.thinning.plan import ThinPlan
    from fatwheel.thinning.thin import Thinned, ThinOptions, thin_wheel
    from fatwheel.thinning.tree import ThinnedTree, thin_tree
    from fatwheel.version import __version__
    from fatwheel.wheelhouse.make import Wheelhouse, WheelhouseOptions, make_wheelhouse
    from fatwheel.wheels.tags import TagStyle

__all__ = [
    "Action",
    "Arch",
    "ConflictsError",
    "FatwheelError",
    "Finding",
    "FuseOptions",
    "FusePlan",
    "Fused",
    "Inspection",
    "Outcome",
    "Pairing",
    "PlanOptions",
    "Rule",
    "RuleSet",
    "Severity",
    "TagStyle",
    "ThinOptions",
    "ThinPlan",
    "Thinned",
    "ThinnedTree",
    "Wheelhouse",
    "WheelhouseOptions",
    "__version__",
    "check_wheel",
    "find_wheels",
    "fuse_many",
    "fuse_wheels",
    "inspect_path",
    "inspect_wheel",
    "make_wheelhouse",
    "pair_up",
    "parse_rule",
    "plan_fuse",
    "rule_book",
    "thin_tree",
    "thin_wheel",
]

_MODULES = {
    "action": ("Action",),
    "arch": ("Arch",),
    "check.finding": ("Finding", "Severity"),
    "check.verdict": ("check_wheel",),
    "cli.wheelfiles": ("find_wheels",),
    "errors": ("FatwheelError",),
    "fusion.fuse": ("ConflictsError", "FuseOptions", "Fused", "fuse_wheels", "plan_fuse"),
    "fusion.many": ("Outcome", "fuse_many"),
    "fusion.pairing": ("Pairing", "pair_up"),
    "fusion.plan": ("FusePlan", "PlanOptions"),
    "fusion.rulebook": ("rule_book",),
    "fusion.rules": ("Rule", "RuleSet", "parse_rule"),
    "inspection.folders": ("inspect_path",),
    "inspection.inspection": ("Inspection",),
    "inspection.wheels": ("inspect_wheel",),
    "thinning.plan": ("ThinPlan",),
    "thinning.thin": ("ThinOptions", "Thinned", "thin_wheel"),
    "thinning.tree": ("ThinnedTree", "thin_tree"),
    "version": ("__version__",),
    "wheelhouse.make": ("Wheelhouse", "WheelhouseOptions", "make_wheelhouse"),
    "wheels.tags": ("TagStyle",),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for, so that no command loads more than it uses (PEP 562)."""
    from importlib import import_module

    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"fatwheel.{module}"), name)
    raise AttributeError(f"module 'fatwheel' has no attribute {name!r}")
