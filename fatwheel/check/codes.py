"""Every code that a finding can have, and what it says in a few words: what `docs/checks.md` has a row for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fatwheel.errors import UsageError

__all__ = ["CODES", "refuse_unknown"]

CODES: Mapping[str, str] = {
    "FW001": "the wheel cannot be read",
    "FW002": "the `wheel` package's reader refuses the wheel",
    "FW101": "RECORD gives another hash or size than the file has",
    "FW102": "a file is not in RECORD",
    "FW103": "RECORD lists a file that the archive does not have",
    "FW104": "RECORD gives no hash for a file",
    "FW105": "a line of RECORD is no row",
    "FW106": "two files cannot lie side by side once they are installed",
    "FW107": "a `.data` folder is another project's, or a file in it lies in no folder that installers know",
    "FW108": "a script lies in a folder of its own below `.data/scripts`",
    "FW109": "a file has the set-uid, set-gid or sticky bit",
    "FW201": "the tags in WHEEL are not those of the file name",
    "FW202": "with `--universal2`: the file name does not promise both architectures",
    "FW203": "code needs a newer macOS than the tags promise",
    "FW204": "METADATA is of another project or version than the file name",
    "FW205": "the tags in the file name are not sorted",
    "FW206": "a Tag line of WHEEL stands for several tags",
    "FW207": "the wheel promises nothing to macOS on x86_64 or arm64",
    "FW301": "a Mach-O file or static library lacks code for a promised architecture",
    "FW302": "a dynamic library holds one architecture only, and no code of the other loads it",
    "FW303": "as FW301, and a rule allowed it",
    "FW304": "all code is for another architecture than the name promises, or for one of two that it promises",
    "FW305": "a universal2 wheel without any code",
    "FW306": "a file begins like a Mach-O file, an archive or a text stub, and is none",
    "FW307": "arm64 code is not signed",
    "FW308": "a program in a universal file carries data of its own at the end",
    "FW309": "as FW301, since a rule or an option kept one wheel's file",
    "FW310": "code for a promised architecture is for another platform: iOS, a simulator, Mac Catalyst",
    "FW311": "a file holds code, but none that a promised architecture runs, and nothing uses it",
    "FW312": "a text stub (`.tbd`) lacks a promised architecture",
    "FW313": "thread-local variables of x86_64 code lie off their alignment",
    "FW314": "as FW313, without a certain crash",
    "FW315": "an extension module does not export `PyInit_NAME` for one architecture",
    "FW316": "a file is a bundle for one architecture and a dynamic library or program for the other",
    "FW317": "a file holds arm64e code beside arm64 code",
    "FW318": "code is encrypted",
    "FW319": "a slice of a universal file does not begin with a page (4096 bytes for x86_64, 16384 for arm64)",
    "FW320": "code takes symbols from whatever is loaded, and nothing in the wheel exports them",
    "FW321": "code takes a symbol from a library of the wheel that does not export it",
    "FW322": "code takes a symbol from macOS that the macOS of the tags does not have yet",
    "FW330": "a code signature is malformed",
    "FW331": "arm64 code is not what was signed: a page of code or a blob of the signature has another hash",
    "FW332": "as FW331, in x86_64 code",
    "FW333": "as FW331, but for hashes that are not enforced",
    "FW334": "a signature covers more or less than the code before it",
    "FW335": "a signature seals a file of its framework or app, and the file is the other architecture's",
    "FW336": "as FW335, but no architecture's seal holds",
    "FW401": "code loads a library by a path inside the wheel, and nothing is there",
    "FW402": "copies of a framework's library would not find what the original finds",
    "FW403": "`@loader_path` leads out of the wheel",
    "FW404": "code loads a library by an absolute path outside `/usr/lib` and `/System`",
    "FW405": "`@rpath` finds a library only in an absolute folder outside the wheel",
    "FW406": "code loads a library by its install name, and nothing leads to the file that has it",
    "FW407": "code loads a library that is not in the wheel, by `@rpath`, a bare name or from the program's folder",
    "FW408": "code searches absolute folders outside the wheel (LC_RPATH)",
    "FW409": "code loads a bundle or a program as if it were a dynamic library",
    "FW410": "code loads a framework that the macOS of the tags does not have yet",
}


def refuse_unknown(codes: Iterable[str], source: str) -> None:
    """Raise `UsageError` for the first of `codes` that no finding has; `source` says where it was given."""
    for code in codes:
        if code not in CODES:
            raise UsageError(
                f"{source} {code!r}: no finding has this code (docs/checks.md lists them all)"
            )
