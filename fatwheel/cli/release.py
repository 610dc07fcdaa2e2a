"""`fatwheel release`: from a commit to release files that were checked."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.here import cache_folder
from fatwheel.cli.options import output_option
from fatwheel.cli.terminal import describe_error, say, tell_path
from fatwheel.errors import FatwheelError, UsageError
from fatwheel.printable import counted
from fatwheel.releasing.folder import start_clean
from fatwheel.releasing.release import Release
from fatwheel.releasing.steps import STEPS, again

__all__ = ["asked_for", "release_command"]


class _CommandWithDashes(CommandWithPage):
    """Takes what stands behind the first `--` as it is; before it, a word is the project."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else None
        ctx.meta[__name__] = None if at is None else args[at + 1 :]
        return super().parse_args(ctx, args[:at])


@click.command(
    "release",
    cls=_CommandWithDashes,
    groups={
        "What to release": "--tag --thin --expect",
        "How": "--output --once",
    },
    sections={
        "Environment": (
            ("XDG_CACHE_HOME", "the cache folder, in which the commit is cloned"),
            ("RUSTFLAGS, CC and others", "as for any build; best none is set"),
        ),
        "Exit codes": exit_codes(
            {
                1: "a step failed, and is named; what was made is left in OUT.partial, and the next run starts clean",
                130: "interrupted; what was started has ended",
            }
        ),
        "Examples": (
            ("fatwheel release -o release", "build what HEAD holds"),
            ("fatwheel release -o release --tag v1.0", "build that tag"),
            ("fatwheel release -o release -- --locked", "--locked is maturin's"),
            ("fatwheel release -o release --thin a --thin b", "fuse what two machines built"),
        ),
        "More": "docs/releasing.md has each step, and what comes from the commit.",
    },
)
@click.argument("project", type=click.Path(path_type=Path), default=Path())
@output_option("Folder of the release; it appears when all steps passed.", required=True)
@click.option("--tag", metavar="TAG", help="Release this tag's commit.  [default: HEAD]")
@click.option(
    "--thin",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FOLDER",
    help="Fuse the thin wheels in it and build nothing. Repeatable.",
)
@click.option("--expect", metavar="N|FILE", help="As for fatwheel fuse; with --thin.")
@click.option("--once", is_flag=True, help="Do not build a second time to compare.")
@click.pass_context
def release_command(ctx: click.Context, /, **given: Any) -> None:
    """Make a release: wheels, source distribution, SHA256SUMS and a manifest, made twice and checked.

    PROJECT is a folder in a git repository  [default: the current one]. What counts is a fresh clone of the commit,
    never the work tree. A maturin project is built by fatwheel build, any other by the package build; what stands after
    -- goes to maturin. All is made a second time, from another clone, and must come out the same. The wheels are
    checked and uploaded to a package index on this machine, and pip must get each one for each platform that its tags
    promise, and not one macOS earlier. Nothing is uploaded anywhere else.

    Needs git and the extra: pip install 'fatwheel[release]'.
    """
    release = asked_for(maturin=ctx.meta[__name__], **given)
    os.umask(0o022)
    name = "start"
    try:
        start_clean(release)
        os.chdir(release.partial)  # where nothing of the project's lies
        steps = [(n, step) for n, step in STEPS if not (release.once and step is again)]
        for number, (name, step) in enumerate(steps, 1):
            purpose = (step.__doc__ or "no docstrings with -OO").splitlines()[0]
            _report(f"[{number}/{len(steps)}] {name}: {purpose}")
            step(release)
    except (FatwheelError, OSError, UnicodeError) as error:
        _fail(release, name, error)
    except KeyboardInterrupt:
        _report(f"interrupted in step {name}; the next run starts clean")
        raise click.exceptions.Exit(130) from None
    finally:
        if release.lock is not None:
            shutil.rmtree(release.sources.parent, ignore_errors=True)
            release.lock.close()
    files = counted(len(list(release.out.glob("dist/*"))), "file")
    earlier = ", in place of an earlier release" if release.replaced else ""
    _report(f"{release.out} holds {release.name} {release.version}{earlier}")
    _report(f"upload its {files} with")
    _report(f"  twine upload {shlex.quote(str(release.out))}/dist/*")
    tell_path(release.out)


def asked_for(
    *,
    project: Path,
    folder: Path,
    tag: str | None,
    thin: Sequence[Path],
    expect: str | None,
    once: bool,
    maturin: Sequence[str] | None,
) -> Release:
    """Return the release that a command line asks for; `maturin` is None where it has no `--`.

    Raises `UsageError` for what does not go together.
    """
    if expect is not None and not thin:
        raise UsageError("--expect is for --thin: what is built here is counted by the build")
    if maturin is not None and thin:
        raise UsageError("arguments after -- are for a build, and --thin builds nothing")
    if not folder.resolve().name:
        raise UsageError(f"-o {folder} is no folder that could be made")
    if expect is not None and not expect.isdigit():
        listed = Path(expect)  # a link in the commit is followed there
        expect = str(listed.parent.resolve() / listed.name)
    return Release(
        project=project.resolve(),
        out=folder.resolve(),
        tag=tag,
        thin=[one.resolve() for one in thin],
        expect=expect,
        once=once,
        maturin=maturin or (),
        cache=cache_folder(os.environ).resolve(),
    )


def _report(line: str) -> None:
    say(f"release: {line}")


def _fail(release: Release, step: str, error: FatwheelError | OSError | UnicodeError) -> NoReturn:
    said = str(error) if isinstance(error, UnicodeError) else describe_error(error)
    _report(f"step {step} failed: {said}")
    if release.lock is not None:
        _report(f"what was made is in {release.partial}; the next run starts clean")
    raise click.exceptions.Exit(1)
