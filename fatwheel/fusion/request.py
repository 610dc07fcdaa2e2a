"""What a user asks `fatwheel fuse` for: the command line over pyproject.toml over the defaults."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

from fatwheel.action import Action
from fatwheel.archive.directory import DateTime
from fatwheel.config import Config, parse_config, read_pyproject
from fatwheel.errors import UsageError
from fatwheel.fusion.engine import DelocateEngine, NativeEngine
from fatwheel.fusion.fuse import FuseOptions
from fatwheel.fusion.kinds import kinds_without
from fatwheel.fusion.plan import PlanOptions
from fatwheel.fusion.rulebook import rule_book
from fatwheel.fusion.rules import RuleSet, make_rule, parse_rule
from fatwheel.values import valueclass
from fatwheel.wheels.tags import BUILD_TAG, TagStyle

__all__ = [
    "Request",
    "finding_codes",
    "fuse_options",
    "read_settings",
    "refuse_wheel_as_folder",
    "source_date",
]

_FIRST_DATE = 315532800  # 1980-01-01, where the dates of a zip archive begin (APPNOTE 4.4.6)
_LAST_DATE = 4354819198  # 2107-12-31 23:59:58, where they end


@valueclass
class Request:
    """The options of `fatwheel fuse` as they were given; None where an option was not."""

    wheels: tuple[Path, ...] = ()
    folder: Path | None = None
    expect: str | None = None
    dry_run: bool = False
    as_json: bool = False
    rules: tuple[str, ...] = ()
    on_conflict: str | None = None
    tags: str | None = None
    floor: str | None = None
    engine: str = "native"
    allow: tuple[str, ...] = ()
    build_tag: str | None = None
    no_verify_record: bool = False
    verify_output: bool = False
    no_rulebook: bool = False
    no_kind: tuple[str, ...] = ()
    force: bool = False
    skip_existing: bool = False
    quiet: bool = False
    verbose: bool = False
    jobs: int | None = None


def read_settings(path: Path) -> Config:
    """Return the settings in the pyproject.toml at `path`; the defaults where there is none."""
    return parse_config(read_pyproject(path), str(path))


def fuse_options(request: Request, config: Config) -> FuseOptions:
    """Return the options for the API; the command line wins over `config`.

    Raises `UsageError` for rules, build tags and codes that are none and for an output folder that looks like a
    wheel.
    """
    refuse_wheel_as_folder(request.folder)
    if request.build_tag and not re.fullmatch(BUILD_TAG, request.build_tag):
        raise UsageError(
            f"--build-tag {request.build_tag!r}: a build tag starts with a digit and goes on with letters, "
            "digits, dots and underscores"
        )
    book = () if request.no_rulebook else rule_book()
    settings = (make_rule(glob, word, origin="pyproject.toml") for glob, word in config.rules)
    kinds = kinds_without(request.no_kind)
    rules = RuleSet(
        rules=(*book, *settings, *map(parse_rule, request.rules)),
        kinds=() if request.no_rulebook else kinds,
    )
    on_conflict = request.on_conflict or config.on_conflict or "error"
    floor = request.floor or config.floor or "tags"
    return FuseOptions(
        plan=PlanOptions(
            rules=rules,
            on_conflict=None if on_conflict == "error" else Action(on_conflict),
            tag_style=TagStyle(request.tags or config.tags or "exact"),
            raise_floor=floor == "binaries",
            build_tag=request.build_tag,
        ),
        verify_record=not request.no_verify_record,
        verify_output=request.verify_output,
        replace=request.force,
        date_time=source_date(os.environ.get("SOURCE_DATE_EPOCH")),
        engine=DelocateEngine() if request.engine == "delocate" else NativeEngine(),
        threads=min(os.cpu_count() or 1, 4),
        allow=finding_codes(request.allow),
    )


def refuse_wheel_as_folder(folder: Path | None) -> None:
    """Raise `UsageError` for an output folder that looks like a wheel."""
    if folder is not None and folder.suffix == ".whl":
        raise UsageError(
            f"-o {folder}: -o takes a folder; the wheel's own name follows from its tags"
        )


def finding_codes(codes: Iterable[str]) -> frozenset[str]:
    """Return the codes that --allow names; raises `UsageError` for one that is none."""
    for code in codes:
        if not re.fullmatch(r"FW[0-9]{3}", code):
            raise UsageError(
                f"--allow {code!r}: it takes the code of a finding, such as FW331 (docs/checks.md)"
            )
    return frozenset(codes)


def source_date(text: str | None) -> DateTime | None:
    """Return the time stamp that SOURCE_DATE_EPOCH names, in UTC and within what a zip archive can hold.

    None where the variable is not set; `UsageError` where it is no number.
    """
    if not text:
        return None
    if not re.fullmatch(r"-?[0-9]{1,100}", text):
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {text[:40]!r}, which is no number of seconds since 1970"
        )
    moment = time.gmtime(min(max(int(text), _FIRST_DATE), _LAST_DATE))
    return (*moment[:5], moment[5] // 2 * 2)
