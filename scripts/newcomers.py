#!/usr/bin/env python3
"""Write fatwheel/macho/newcomers.txt: which symbols libSystem has, and since which macOS.

    python scripts/newcomers.py FOLDER              writes the table; wheels of PyPI's ziglang are brought into FOLDER

zig comes with the stub (`libSystem.tbd`) and the C headers of one SDK of macOS or more, so that its releases
together hold those of macOS 10.15 to 27. A symbol that one stub lacks and a later one has came in between. Where the
newest headers name a version in between, too (`__API_AVAILABLE`), it is that one. Of what 10.15's stub has already,
headers alone say since when; they are right about functions that people call, and not always about what compilers
call themselves (`_tlv_bootstrap` is there since 10.7, mach-o/dyld.h says 10.10), so names with two underscores are
left out, and so is whatever headers and stubs contradict each other about.

Wants clang (19 or later) on PATH, which reads the headers. Run it with the Python of .venv.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "fatwheel" / "macho" / "newcomers.txt"

Version = tuple[int, ...]

# The SDK of each stub: by SDKSettings.json beside it, in older releases by the stub's current-version.
STUBS: dict[Version, tuple[str, str]] = {
    (10, 15): ("0.9.1", "libSystem.10.tbd"),
    (11, 3): ("0.9.1", "libSystem.11.tbd"),
    (12, 0): ("0.9.1", "libSystem.12.tbd"),
    (12, 3): ("0.11.0", "libSystem.12.tbd"),
    (13, 3): ("0.11.0", "libSystem.13.tbd"),
    (14, 0): ("0.12.1", "libSystem.tbd"),
    (15, 1): ("0.14.1", "libSystem.tbd"),
    (15, 5): ("0.15.2", "libSystem.tbd"),
    (26, 4): ("0.16.0", "libSystem.tbd"),
    (27, 0): ("0.17.1", "libSystem.tbd"),
}
OLDEST = (10, 10)  # macOS 10.9 is the oldest that tags of today's Pythons name

_STUB_TOKEN = re.compile(
    r"^(?P<section>[a-z-]+):|targets:\s*\[(?P<targets>[^\]]*)\]"
    r"|(?:symbols|objc-classes):\s*\[(?P<names>[^\]]*)\]",
    re.MULTILINE,
)
_DECLARED = re.compile(
    r"[|`]-(?:Function|Var)Decl .*> (?:\S+:\d+:\d+|(?:line|col):[\d:]+|<invalid sloc>)"
    r" (?:(?:implicit|used|referenced) )*(\w+) '"
)
_AVAILABLE = re.compile(r"AvailabilityAttr .*?> (?:Inherited )?macos (\d[\d.]*) ")
_LABEL = re.compile(r'AsmLabelAttr .*?"(?:\\001)?([^"]+)"')


class Span(NamedTuple):
    """The newest macOS that is known to lack a symbol, and the oldest that is known to have it."""

    absent: Version
    present: Version


def release(version: str, folder: Path) -> Path:
    """Return the wheel of that release of ziglang, brought into `folder` where it is not there."""
    pattern = f"ziglang-{version}-*manylinux*x86_64*.whl"
    if not list(folder.glob(pattern)):
        words = [
            "-I",
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--only-binary",
            ":all:",
            f"ziglang=={version}",
        ]
        words += ["--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_12_x86_64"]
        subprocess.run([sys.executable, *words, "--dest", str(folder)], check=True)
    return next(folder.glob(pattern))


def exported(stub: str) -> set[str]:
    """Return what a stub says that macOS's libSystem exports, on any architecture."""
    found: set[str] = set()
    for document in stub.split("--- !tapi-tbd")[1:]:
        section, for_macos = "", False
        for token in _STUB_TOKEN.finditer(document):
            if token["section"]:
                section = token["section"]
            elif token["targets"] is not None:
                for_macos = "-macos" in token["targets"]
            elif section in ("exports", "reexports") and for_macos:
                found |= {name.strip().strip("'\"") for name in token["names"].split(",")}
    return found - {""}


def declared(headers: Path) -> dict[str, Version]:
    """Return since when macOS has symbols, as far as headers say so."""
    names = sorted(str(path.relative_to(headers)) for path in headers.rglob("*.h"))
    names = [name for name in names if not name.startswith(("arm/", "i386/"))]
    found: dict[str, Version] = {}
    with ThreadPoolExecutor() as pool:
        for said in pool.map(lambda name: _tree(headers, name), names):
            for symbol, version in _availability(said):
                found[symbol] = min(version, found.get(symbol, version))
    return found


def _tree(headers: Path, name: str) -> str:
    """Return clang's syntax tree of a header; nothing for one that can't be included alone, since others include it."""
    words = ["clang", "-target", "x86_64-apple-macos10.9", "-nostdlibinc", "-x", "c"]
    words += ["-w", "-fblocks", "-fsyntax-only"]
    words += ["-isystem", str(headers), "-Xclang", "-ast-dump", "-"]
    first = ("Availability.h", "sys/types.h", "stdint.h", "stdbool.h")
    text = "".join(f"#include <{header}>\n" for header in (*first, name))
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    return "" if done.returncode else done.stdout


def _availability(tree: str) -> Iterator[tuple[str, Version]]:
    symbol, versions = "", list[Version]()
    for line in (*tree.splitlines(), "|-end"):
        if line.startswith(("|-", "`-")):
            if symbol and versions:
                yield symbol, min(versions)
            match = _DECLARED.match(line)
            symbol, versions = f"_{match[1]}" if match else "", []
        elif symbol and (match := _LABEL.search(line)):
            symbol = match[1]
        elif symbol and (match := _AVAILABLE.search(line)) and match[1] != "0":
            versions.append(_version(match[1]))


def _version(text: str) -> Version:
    """Return 10.12.0 and 10.12 as (10, 12), and 10.12.1 as (10, 12, 1)."""
    numbers = tuple(int(part) for part in text.split("."))
    return numbers[:2] if numbers[2:] == (0,) else (*numbers, 0)[: max(2, len(numbers))]


def spans(stubs: dict[Version, set[str]], said: dict[str, Version]) -> dict[str, Span]:
    """Return what is known of each symbol that came after `OLDEST`."""
    versions = sorted(stubs)
    found: dict[str, Span] = {}
    for symbol in set().union(*stubs.values()):
        first = next(n for n, version in enumerate(versions) if symbol in stubs[version])
        header = said.get(symbol)
        if first == 0:
            if header and OLDEST <= header < versions[0] + (99,) and not symbol.startswith("__"):
                found[symbol] = Span(_before(header, (10, 9)), header)
        else:
            span = Span(versions[first - 1], versions[first])
            if header is None:
                found[symbol] = span
            elif span.absent < header <= span.present:
                found[symbol] = Span(_before(header, span.absent), header)
    return found


def _before(version: Version, earlier: Version) -> Version:
    """Return the release before `version`: that of the same year's, or else the newest `earlier` one that is known."""
    before = version[:2] if version[2:] else (version[0], version[1] - 1)
    return earlier if before[1] < 0 else max(before, earlier)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write fatwheel/macho/newcomers.txt.")
    parser.add_argument("folder", type=Path, help="where ziglang's wheels are, or are brought to")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    stubs = {}
    for version, (name, member) in STUBS.items():
        with zipfile.ZipFile(release(name, folder)) as wheel:
            text = wheel.read(f"ziglang/lib/libc/darwin/{member}").decode()
        stubs[version] = exported(text)
    newest = release(STUBS[max(STUBS)][0], folder)
    with tempfile.TemporaryDirectory() as unpacked, zipfile.ZipFile(newest) as wheel:
        prefix = "ziglang/lib/libc/include/any-darwin-any/"
        wheel.extractall(unpacked, [n for n in wheel.namelist() if n.startswith(prefix)])
        said = declared(Path(unpacked, prefix))
    groups: dict[Span, list[str]] = defaultdict(list)
    for symbol, span in spans(stubs, said).items():
        groups[span].append(symbol)
    lines = [
        "# Symbols of libSystem: a macOS that lacks them, a later one that has them, and their names.",
        "# Made by scripts/newcomers.py from the stubs and headers that come with zig.",
    ]
    for span, names in sorted(groups.items()):
        absent, present = (".".join(map(str, version)) for version in span)
        lines += [f"{absent} {present} {' '.join(sorted(names))}"]
    TABLE.write_text("\n".join(lines) + "\n", "utf-8")
    print(f"{TABLE.relative_to(ROOT)}: {sum(map(len, groups.values()))} symbols")


if __name__ == "__main__":
    main()
