"""Whole wheels: judged by `check`, fused, paired, and all of it through the command line."""

from __future__ import annotations

import contextlib
import io
import json
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.check.finding import worse_than
from fatwheel.check.verdict import check_wheel
from fatwheel.cli.main import main
from fatwheel.errors import FatwheelError
from fatwheel.fusion.actions import Fuse
from fatwheel.fusion.fuse import Fused, FuseOptions, fuse_wheels
from fatwheel.fusion.pairing import pair_up
from fatwheel.fusion.plan import PlanOptions
from fatwheel.fusion.rulebook import rule_book
from fatwheel.fusion.rules import RuleSet, make_rule
from fatwheel.macho.universal import Universal, parse
from fatwheel.wheels.installed import installed_path
from fatwheel.wheels.tags import TagStyle
from tests.fuzz.bundle import Bundle, part
from tests.fuzz.target import SEPARATOR, Target, check, joined, scratch
from tests.fuzz.targets.archives import archives
from tests.fuzz.targets.binaries import BITCODE
from tests.support import macho
from tests.support.corpus import SMALL_PAIR
from tests.support.wheels import (
    DIST_INFO,
    METADATA,
    NATIVE,
    A,
    X,
    code,
    dylib,
    program,
    static,
    universal,
)

__all__ = ["TARGETS"]

_NAME = "pkg-1.0-cp312-cp312-macosx_11_0_arm64.whl"
_SBOM = json.dumps(
    {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": "urn:uuid:42f04c64-8c62-45b8-8468-ef2b9c692cb4",
        "metadata": {"timestamp": "2026-11-05T08:41:03.579836Z"},
        "components": [{"type": "library", "bom-ref": "a@1", "name": "a", "purl": "pkg:cargo/a@1"}],
    }
)


# ---- one wheel ----


def _raw(data: bytes) -> None:
    """An archive as it stands is judged."""
    with scratch() as folder:
        path = folder / _NAME
        path.write_bytes(data)
        check_wheel(path)


def _raw_seeds() -> Iterator[bytes]:
    yield from archives()
    for wheel in _bundles():
        with scratch() as folder:
            yield Bundle(wheel).write(A, folder).read_bytes()


def _check(data: bytes) -> None:
    """A wheel whose RECORD and checksums are right is judged."""
    with scratch() as folder:
        check_wheel(Bundle(data).write(A, folder))


# ---- two wheels ----


def _code() -> tuple[bytes, bytes]:
    return part("x", NATIVE, code(X)), part("a", NATIVE, code(A))


def _bundles() -> Iterator[bytes]:
    """Pairs of every kind that the plan tells apart."""
    own = [part("b", "pkg/__init__.py", ""), *_code()]
    yield joined(*own)
    yield joined(
        *own,
        part("x", "pkg/lib.dylib", dylib(X, loads=["@rpath/o.dylib"], rpaths=["@loader_path/.."])),
        part("a", "pkg/lib.dylib", universal(dylib(A), dylib(X, b"other"), align=5)),
        part("X", "pkg/run", program(X, trailing=b"payload"), 0o755),
        part("A", "pkg/run", program(A), 0o755),
        part("x", "pkg/lib.a", static(X)),
        part("a", "pkg/lib.a", static(A)),
    )
    yield joined(
        *own,
        part("x", "pkg/a.py", "# for x86_64\nx = 1\n"),
        part("a", "pkg/a.py", "x = 1\n"),
        part("x", "pkg/a.h", "#define BITS 8\n"),
        part("a", "pkg/a.h", "#define BITS 16\n"),
        part("x", "pkg/only.so", code(X)),
        part("a", "pkg/other.txt", "arm64's own"),
        part("x", "pkg/t.txt", "one\ntwo\n"),
        part("a", "pkg/t.txt", "one\n2\n"),
    )
    info = f"{DIST_INFO}/"
    yield joined(
        *own,
        part("x", f"{info}METADATA", METADATA + b"Requires-Dist: a\nRequires-Dist: b>1\n\nText\n"),
        part("a", f"{info}METADATA", METADATA + b"Requires-Dist: b >1\nRequires-Dist: a\n\nText\n"),
        part("x", f"{info}entry_points.txt", "[console_scripts]\na = pkg:main\n"),
        part("a", f"{info}entry_points.txt", "[console_scripts]\na=pkg:main\n"),
        part("x", f"{info}top_level.txt", "pkg\n_x\n"),
        part("a", f"{info}top_level.txt", "pkg\n"),
        part("x", f"{info}sboms/c.json", _SBOM),
        part("a", f"{info}sboms/c.json", _SBOM.replace('"a@1"', '"b@1"')),
        part("b", f"{info}fatwheel.json", '{"decisions": []}'),
    )
    yield joined(
        *own, part("x", "*", "pkg-1.0-1-cp312-abi3-macosx_10_9_intel"), part("b", "b.bc", BITCODE)
    )
    yield joined(*own, part("b", "*", "pkg-1.0-cp312-cp312-macosx_10_13_universal2"))
    yield joined(
        part("b", "pkg-1.0.data/scripts/run", "#!python\n", 0o755), part("b", "pkg/x.py", "x")
    )
    small = {}
    for path, where in zip(SMALL_PAIR, "xa", strict=True):
        with zipfile.ZipFile(path) as opened:
            small[where] = [
                part(where, info.filename, opened.read(info))
                for info in opened.infolist()
                if info.file_size < 3000 and not info.filename.endswith("RECORD")
            ]
        small[where].append(part(where, "*", path.stem))
    yield joined(*small["x"], *small["a"])


def _options(choice: bytes) -> FuseOptions:
    bits = int.from_bytes(choice[:2], "little")
    words = ("guard", "dispatch", "keep-arm64", "drop")
    rules = (make_rule("**/*.txt", words[bits & 3], origin="fuzzing"),) if bits & 4 else ()
    plan = PlanOptions(
        rules=RuleSet(rules=(*rule_book(), *rules)),
        tag_style=TagStyle.COMPRESSED if bits & 8 else TagStyle.EXACT,
        raise_floor=bool(bits & 32),
        build_tag="1" if bits & 256 else None,
    )
    return FuseOptions(plan=plan, verify_output=bool(bits & 512), threads=1)


def _fuse(data: bytes) -> None:
    """Two wheels become one that holds what both held, in either order, or nothing is written.

    The first part are options, the rest is a bundle.
    """
    choice, _, rest = data.partition(SEPARATOR)
    bundle, options = Bundle(rest), _options(choice)
    with scratch() as folder:
        x, a = bundle.write(X, folder / "x"), bundle.write(A, folder / "a")
        made: list[Fused | None] = []
        for first, second, name in ((x, a, "out"), (a, x, "reversed")):
            out = folder / name
            try:
                made.append(fuse_wheels(first, second, out, options))
            except FatwheelError as error:
                left = list(out.iterdir()) if out.exists() else []
                check(not left, f"{left} is left after {error}")
                made.append(None)
        one, other = made
        check((one is None) == (other is None), "one order is refused, the other is not")
        if one is not None and other is not None:
            check(one.path.read_bytes() == other.path.read_bytes(), "the orders differ")
            _fused(one, x, a)


def _fused(fused: Fused, x: Path, a: Path) -> None:
    inputs = {X: _contents(x), A: _contents(a)}
    output = _contents(fused.path)
    check(set(output) == {m.name for m in fused.plan.written}, "the files are not the planned ones")
    _installed(output)
    inherited = [finding for path in (x, a) for finding in check_wheel(path)]
    worse = worse_than(check_wheel(fused.path), inherited)
    check(not worse, f"what check says of the file that was written: {worse}")
    for planned in fused.plan.members:
        if not isinstance(planned, Fuse):
            continue
        slices = _slices(output[planned.name])
        for arch in Arch:
            own = _slices(inputs[arch].get(planned.name, b"")).get(arch)
            check(
                own is None or own == slices.get(arch), f"{planned.name}: {arch}'s slice is another"
            )


def _installed(names: Iterable[str]) -> None:
    """No two files of one wheel land on one name on a Mac, whose file systems know no case."""
    paths = sorted(unicodedata.normalize("NFD", installed_path(n)).casefold() for n in names)
    for one, other in pairwise(paths):
        same = one == other or other.startswith(f"{one}/")
        check(not same, f"{one} and {other} collide once installed")


def _contents(path: Path) -> Mapping[str, bytes]:
    with zipfile.ZipFile(path) as opened:
        return {i.filename: opened.read(i) for i in opened.infolist() if not i.is_dir()}


def _slices(data: bytes) -> Mapping[Arch | None, bytes]:
    found = macho.outcome(lambda: parse("m", len(data)), data)
    if isinstance(found, Universal):
        return {one.arch: data[one.offset : one.offset + one.size] for one in found.slices}
    arch = getattr(found, "arch", None)
    return {arch: data} if isinstance(arch, Arch) else {}


def _fuse_seeds() -> Iterator[bytes]:
    for number, bundle in enumerate(_bundles()):
        yield joined(b"", bundle)
        yield joined(bytes([number * 9, number & 3]), bundle)


# ---- the command line ----

_CHOICES = (
    "--json",
    "--quiet",
    "--verbose",
    "--dry-run",
    "--verify-output",
    "--no-verify-record",
    "--on-conflict=keep-arm64",
    "--tags=compressed",
    "--floor=binaries",
    "--build-tag=1",
    "--no-rulebook",
    "--rule=**/*.txt=keep-x86_64",
)


def _command(data: bytes) -> None:
    """`fuse` and `check` end with an exit code and text, or JSON; what they raise would be a traceback."""
    choice, _, rest = data.partition(SEPARATOR)
    bundle = Bundle(rest)
    words = sorted({_CHOICES[byte % len(_CHOICES)] for byte in choice[:4]})
    with scratch() as folder:
        wheels = [str(bundle.write(arch, folder / arch.value)) for arch in Arch]
        code_, out, err = _called(["fuse", *wheels, "-o", str(folder / "out"), *words])
        check(code_ in (0, 1, 2, 3, 4), f"exit code {code_}")
        _printable(out + err)
        if "--json" in words and out:
            json.loads(out)
        code_, out, err = _called(["check", *wheels, *(["--json"] if "--json" in words else [])])
        check(code_ in (0, 1), f"exit code {code_} of check")
        _printable(out + err)


def _printable(text: str) -> None:
    """What is printed moves no cursor, changes no colour and turns no text around."""
    for line in text.split("\n"):
        check(line.isprintable(), f"{line!r} is printed")


def _called(words: list[str]) -> tuple[object, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit as end:
            return end.code or 0, out.getvalue(), err.getvalue()


def _command_seeds() -> Iterator[bytes]:
    for number, bundle in enumerate(_bundles()):
        yield joined(bytes([number, number * 5 + 1]), bundle)


# ---- many wheels ----


def _pairing(data: bytes) -> None:
    """Each of some names, one a line, is in one pair or among the rest."""
    names = {
        line.decode("ascii", "backslashreplace").replace("/", "_")
        for line in data.splitlines()[:12]
    }
    with scratch() as folder:
        paths = []
        for name in sorted(names):
            path = folder / f"{name.replace(chr(0), '')[:100]}.whl"
            path.touch()
            paths.append(path)
        paths = sorted(set(paths))
        for ignore_build in (False, True):
            pairing = pair_up(paths, ignore_build=ignore_build)
            found = [path for pair in pairing.pairs for path in pair]
            found += [path for rest in pairing.unpaired for path in rest.paths]
            check(sorted(found) == paths, f"{paths} became {found}")


def _pairing_seeds() -> Iterator[bytes]:
    stem = b"pkg-1.0-cp312-cp312-macosx"
    yield b"%b_10_13_x86_64\n%b_11_0_arm64\nother-2-py3-none-any" % (stem, stem)
    yield b"%b_10_9_intel\nPKG-1.0.0-cp312-cp312-macosx_12_0_arm64\n%b_11_0_universal2" % (
        stem,
        stem,
    )
    yield b"p-1-1a-py3-none-macosx_10_9_x86_64\np-1-2-py3-none-macosx_11_0_arm64"


_WORDS = (
    *(
        b"x 644 ",
        b"a 644 ",
        b"B 755 ",
        b"b 644 pkg/",
        b"pkg-1.0.dist-info/",
        b"pkg-1.0.data/scripts/",
        b"/",
        b"..",
    ),
    *(
        b".py\n",
        b".h\n",
        b".so\n",
        b".dylib\n",
        b".a\n",
        b".tbd\n",
        b".json\n",
        b"METADATA\n",
        b"RECORD\n",
        b"WHEEL\n",
    ),
    *(
        b"entry_points.txt\n",
        b"top_level.txt\n",
        b"sboms/",
        b"fatwheel.json\n",
        b"*\npkg-1.0-cp312-cp312-macosx_",
    ),
    *(
        b"\x1b[31m",
        b"\xe2\x80\xae",
        b"\xc3\xa9",
        b"e\xcc\x81",
        b"@rpath/",
        b"@loader_path/",
        b"\xcf\xfa\xed\xfe",
    ),
)

TARGETS = (
    Target(name="check-raw", run=_raw, seeds=_raw_seeds, runs=400, longest=8192, share=3),
    Target(
        name="check",
        run=_check,
        seeds=_bundles,
        words=_WORDS,
        runs=300,
        longest=16384,
        share=5,
    ),
    Target(
        name="fuse",
        run=_fuse,
        seeds=_fuse_seeds,
        words=_WORDS,
        runs=80,
        longest=16384,
        share=10,
    ),
    Target(
        name="command",
        run=_command,
        seeds=_command_seeds,
        words=_WORDS,
        runs=60,
        longest=16384,
        share=5,
    ),
    Target(name="pairing", run=_pairing, seeds=_pairing_seeds, runs=600, share=1),
)
