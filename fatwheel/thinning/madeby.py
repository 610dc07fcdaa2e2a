"""What `fatwheel.json` in a fused wheel says of how it was made."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any, NamedTuple

from fatwheel.arch import Arch
from fatwheel.errors import WheelError
from fatwheel.wheels.distinfo import REPORT_NAME
from fatwheel.wheels.jsontext import load_json
from fatwheel.wheels.wheel import Wheel

__all__ = ["MadeBy", "read_report"]

_ALWAYS = ("METADATA", "RECORD", "WHEEL", REPORT_NAME)


class MadeBy(NamedTuple):
    """The two inputs as they stand there, each decision by its member, and what one input alone had."""

    inputs: Any
    decisions: tuple[tuple[str, Any], ...]
    only: Mapping[Arch, frozenset[str]]


def read_report(wheel: Wheel) -> MadeBy:
    """Return what the wheel's `fatwheel.json` says; raises `WheelError` where it is not what fatwheel writes."""
    try:
        document = load_json(wheel.text(REPORT_NAME))
        own = {f"{wheel.dist_info}/{base}" for base in _ALWAYS}
        only = document.get("only", {})
        return MadeBy(
            inputs=document["inputs"],
            decisions=tuple((str(d["member"]), d) for d in document["decisions"]),
            only={
                arch: frozenset(map(str, only.get(arch.value, ()))) & wheel.members.keys() - own
                for arch in Arch
            },
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        name = posixpath.join(wheel.dist_info, REPORT_NAME)
        problem = f"is not what fatwheel writes ({error!r})"
        raise WheelError(wheel.name.filename, name, problem) from error
