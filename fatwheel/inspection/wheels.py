"""A wheel, inspected: read whole, as a stream, and told as facts."""

from __future__ import annotations

from pathlib import Path

from fatwheel.check.decisions import decisions
from fatwheel.deflate.inflaters import Inflater, best_inflater
from fatwheel.errors import WheelError
from fatwheel.inspection.facts import Found, code_files
from fatwheel.inspection.inspection import (
    Decided,
    Inspection,
    MadeOf,
    OtherFile,
    Promise,
    WheelFacts,
    totals,
)
from fatwheel.wheels.distinfo import REPORT_NAME
from fatwheel.wheels.jsontext import load_json
from fatwheel.wheels.read import read_wheel
from fatwheel.wheels.sharing import readers
from fatwheel.wheels.signedpages import Judged
from fatwheel.wheels.tags import WheelName, claims, with_platforms
from fatwheel.wheels.wheel import Wheel, open_wheel

__all__ = ["inspect_wheel"]


def inspect_wheel(path: Path, *, inflater: Inflater | None = None) -> Inspection:
    """Read the wheel at `path` once and return what it holds.

    Nothing is judged: what is wrong with a wheel is `check_wheel`'s. Raises `WheelError` for what is no wheel or is
    damaged, `OSError` where it cannot be read.
    """
    wheel = open_wheel(path)
    try:
        with readers(2, [wheel]) as shared:
            read = read_wheel(
                wheel,
                shared,
                inflater=inflater or best_inflater(),
                signatures=Judged.NONE,
            )
        size = wheel.file.size
    finally:
        wheel.close()
    return _inspection(path, size, read)


def _inspection(path: Path, size: int, wheel: Wheel) -> Inspection:
    found = {
        name: Found(member.entry.size, member.entry.compressed_size, member.content)
        for name, member in wheel.members.items()
    }
    files = code_files(found, wheel.members)
    others = (
        OtherFile(path=name, size=one.size, packed=one.packed)
        for name, one in found.items()
        if one.content is None
    )
    extensions, thinned, installed, count = totals(files, others)
    packed = sum(one.packed or 0 for one in found.values())
    problems: list[str] = []
    facts = _wheel_facts(wheel, problems)
    return Inspection(
        path=str(path),
        kind="wheel",
        size=size,
        installed=installed,
        count=count,
        wheel=facts,
        files=files,
        extensions=extensions,
        # What the archive needs besides its members' data stays about the same.
        thinned={arch: (whole, part + size - packed) for arch, (whole, part) in thinned.items()},
        problems=tuple(problems),
        sizes={name: one.size for name, one in found.items()},
        digests={name: member.sha256 for name, member in wheel.members.items()},
    )


def _wheel_facts(wheel: Wheel, problems: list[str]) -> WheelFacts:
    name = wheel.name
    return WheelFacts(
        project=name.distribution,
        version=name.version,
        build=name.build,
        tags=name.expanded_tags,
        promises=tuple(_promise(name, tag, problems) for tag in name.platforms),
        made_of=_made_of(wheel, problems),
    )


def _promise(name: WheelName, tag: str, problems: list[str]) -> Promise:
    try:
        return Promise(tag=tag, floors=claims(with_platforms(name, [tag])))
    except WheelError as error:
        problems.append(error.problem)
        return Promise(tag=tag, floors={})


def _made_of(wheel: Wheel, problems: list[str]) -> MadeOf | None:
    """Return what `fatwheel.json` says; what it does not say as fatwheel does is a problem."""
    text = wheel.text(REPORT_NAME)
    if not text:
        return None
    try:
        decided = decisions(wheel)
        document = load_json(text)
        inputs = {str(arch): str(one["filename"]) for arch, one in document["inputs"].items()}
        generator = str(document["generator"])
    except WheelError as error:
        problems.append(error.sentence)
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problems.append(f"{REPORT_NAME} is not what fatwheel writes ({error!r})")
        return None
    return MadeOf(
        generator=generator,
        inputs=inputs,
        decisions=tuple(
            Decided(member=member, action=one.action, by=one.by, reason=one.reason)
            for member, one in decided.items()
        ),
    )
