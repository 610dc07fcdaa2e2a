"""From a commit to release files that were checked: universal2 wheels, the sdist, SHA256SUMS and a manifest.

    release PROJECT -o OUT [--tag v1.0] [-- MATURIN-ARGUMENTS]      builds the project
    release PROJECT -o OUT --thin intel --thin arm --expect 5       fuses thin wheels that other machines built

PROJECT is a folder in a git repository. A maturin project is built by `fatwheel build`, any other by `python -m build`.
What counts is a fresh clone of the commit (--tag, or HEAD, which must hold all changes), never the work tree: what is
built, the rules by which thin wheels are fused, and the list of what to expect. Then everything is made a second time
from another clone at the same place and must come out the same, the wheels are checked, the files are uploaded to a
package index on this machine, and pip must get each wheel from there for each platform that its tags promise, and must
not get it one macOS earlier. Nothing is uploaded anywhere else.

OUT then holds dist/ (what to upload), SHA256SUMS (of the files in dist) and release.json (where they come from, what
was decided and checked). It appears when all steps passed. A step that fails is named, the exit code is 1, and what
was made until then is left in OUT.partial for a look; the next run starts clean.

Needs git, and in the running Python: fatwheel, build, packaging, pip, pypiserver, twine, wheel. In fatwheel's own
repository, `scripts/release` installs them first.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from releasing.folder import start_clean
from releasing.programs import FailedError
from releasing.release import Release
from releasing.steps import STEPS, again

__all__ = ["interrupt", "main"]


def parse(arguments: Sequence[str]) -> Release:
    """Return the release that a command line asks for."""
    lines = (__doc__ or "").splitlines()
    parser = argparse.ArgumentParser(
        prog="release",
        description="\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("project", type=Path, nargs="?", default=Path())
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the release")
    parser.add_argument("--tag", help="release this tag's commit  [default: HEAD]")
    parser.add_argument(
        "--thin", type=Path, action="append", default=[], help="folder of thin wheels; repeatable"
    )
    parser.add_argument("--expect", help="as for fatwheel fuse; with --thin")
    parser.add_argument("--once", action="store_true", help="do not build a second time to compare")
    before, separator, after = split_at_dashes(arguments)
    given = parser.parse_args(before)
    if given.expect is not None and not given.thin:
        parser.error("--expect is for --thin: what is built here is counted by the build")
    if separator and given.thin:
        parser.error("arguments after -- are for a build, and --thin builds nothing")
    if not given.out.resolve().name:
        parser.error(f"-o {given.out} is no folder that could be made")
    expect = given.expect
    if expect is not None and not expect.isdigit():
        listed = Path(expect)
        expect = str(
            listed.parent.resolve() / listed.name
        )  # a link in the commit is followed there
    return Release(
        project=given.project.resolve(),
        out=given.out.resolve(),
        tag=given.tag,
        thin=[folder.resolve() for folder in given.thin],
        expect=expect,
        once=given.once,
        maturin=after,
    )


def split_at_dashes(arguments: Sequence[str]) -> tuple[list[str], bool, list[str]]:
    """Return what stands before the first `--`, whether there is one, and what stands behind it."""
    given = list(arguments)
    if "--" not in given:
        return given, False, []
    place = given.index("--")
    return given[:place], True, given[place + 1 :]


def say(line: str) -> None:
    """Report to standard error."""
    print(f"release: {line}", file=sys.stderr, flush=True)


def interrupt(number: int, _frame: object) -> NoReturn:
    """Handle a signal as Python handles Ctrl-C."""
    raise KeyboardInterrupt(number)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Make a release; print its folder."""
    release = parse(sys.argv[1:] if arguments is None else arguments)
    os.umask(0o022)
    name = "start"
    try:
        start_clean(release)
        os.chdir(release.partial)  # where nothing of the project's lies
        steps = [(n, step) for n, step in STEPS if not (release.once and step is again)]
        for number, (name, step) in enumerate(steps, 1):
            purpose = (step.__doc__ or "no docstrings with -OO").splitlines()[0]
            say(f"[{number}/{len(steps)}] {name}: {purpose}")
            step(release)
    except (FailedError, OSError, UnicodeError) as error:
        say(f"step {name} failed: {error}")
        if release.lock is not None:
            say(f"what was made is in {release.partial}; the next run starts clean")
        sys.exit(1)
    except KeyboardInterrupt as signalled:
        say(f"interrupted in step {name}; the next run starts clean")
        sys.exit(128 + (signalled.args[0] if signalled.args else signal.SIGINT))
    finally:
        if release.lock is not None:
            shutil.rmtree(release.sources.parent, ignore_errors=True)
            release.lock.close()
    say(
        f"{release.name} {release.version}: {len(list(release.out.glob('dist/*')))} files; upload them with"
    )
    say(f"  twine upload {shlex.quote(str(release.out))}/dist/*")
    print(release.out)
    sys.exit(0)
