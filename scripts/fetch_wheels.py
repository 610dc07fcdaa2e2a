#!/usr/bin/env python3
"""Download the wheels that tests run on into the cache folder, by exact digest.

They are those of tests/acceptance.toml, for CPython 3.12, and of tests/machorun/wheels.toml, for CPython 3.11. A second
call finds every file there and asks no network. `scripts/test` runs it with the Python of .venv.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.machorun.published import Needed, Project, needed, projects
from tests.support.corpus import (
    Pair,
    Published,
    Single,
    acceptance_pairs,
    single_wheels,
    wheel_cache,
)

MACOS_10 = [f"10_{minor}" for minor in range(9, 17)]
MACOS_11_TO_14 = [f"{major}_0" for major in range(11, 15)]
PLATFORMS = {
    "x86_64": [f"macosx_{version}_x86_64" for version in [*MACOS_10, *MACOS_11_TO_14]],
    "arm64": [f"macosx_{version}_arm64" for version in MACOS_11_TO_14],
    "universal2": [f"macosx_{version}_universal2" for version in [*MACOS_10, *MACOS_11_TO_14]],
    "linux": [f"manylinux{version}_x86_64" for version in ("2014", "_2_17", "_2_28")],
    "any": ["any"],
}
Release = Pair | Single | Project | Needed


def main() -> int:
    """Fetch what the cache lacks; return 1 where a wheel could not be had."""
    pairs, singles = acceptance_pairs().values(), single_wheels().values()
    modules, others = projects().values(), needed().values()
    complete = fetch([*pairs, *singles], "3.12")
    if not (fetch([*modules, *others], "3.11") and complete):
        return 1
    count = sum(len(one.wheels) for one in pairs) + sum(len(one.wheels) for one in modules)
    count += len(singles) + len(others)
    print(f"fetch_wheels: {count} wheels in {wheel_cache()}")
    return 0


def fetch(releases: Collection[Release], python: str) -> bool:
    """Download those wheels of `releases` that the cache lacks; say which could not be had, and return False."""
    for kind, platforms in PLATFORMS.items():
        missing = [
            (release, wheel)
            for release in releases
            if (wheel := getattr(release, kind, None)) is not None and not wheel.is_cached()
        ]
        if missing and not download(missing, platforms, python):
            names = "\n".join(f"  {wheel.file}" for _, wheel in missing)
            print(f"fetch_wheels: pip could not download these wheels:\n{names}", file=sys.stderr)
            return False
    return True


def download(missing: list[tuple[Release, Published]], platforms: list[str], python: str) -> bool:
    """Let pip download one platform's wheels into the cache; return whether all of them came.

    Each requirement carries the wheel's digest: pip then picks that very file among a project's
    wheels and refuses one that was uploaded anew.
    """
    cache = wheel_cache()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".fetch-") as scratch:
        requirements = Path(scratch, "requirements.txt")
        requirements.write_text(
            "".join(f"{p.name}=={p.version} --hash=sha256:{w.sha256}\n" for p, w in missing)
        )
        options = ["--quiet", "--disable-pip-version-check", "--progress-bar=off", "--no-deps"]
        options += ["--only-binary=:all:", f"--python-version={python}", "--require-hashes"]
        options += [f"--platform={platform}" for platform in platforms]
        print(f"fetch_wheels: downloading {len(missing)} wheels …", flush=True)
        done = subprocess.run(
            [
                sys.executable,
                "-I",
                "-m",
                "pip",
                "download",
                *options,
                "-d",
                scratch,
                "-r",
                requirements,
            ],
            check=False,
        )
        for _, wheel in missing:
            if (arrived := Path(scratch, wheel.file)).is_file():
                arrived.replace(wheel.path)
    return done.returncode == 0 and all(wheel.is_cached() for _, wheel in missing)


if __name__ == "__main__":
    sys.exit(main())
