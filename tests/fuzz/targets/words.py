"""What users and tools write: settings, rules, command lines, environment variables."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.building.arguments import parse_config_settings, parse_maturin_words, without_options
from fatwheel.building.deployment import Wish, choose_deployment
from fatwheel.building.project import parse_project
from fatwheel.errors import UsageError
from fatwheel.fusion.expect import read_expected, unmet
from fatwheel.fusion.glob import Glob
from fatwheel.fusion.plan import PlanOptions
from fatwheel.fusion.request import source_date
from fatwheel.fusion.rules import escape_glob, parse_rule
from fatwheel.lipo.run import main as lipo
from fatwheel.macho.universal import parse
from fatwheel.targets.decision import PythonFacts, Wishes, decide_targets, fall_back
from fatwheel.toolchain.cc import LinkSettings, link_command, parse_link
from tests.fuzz.target import Target, check, joined, scratch, split
from tests.fuzz.targets.binaries import BITCODE
from tests.support import macho
from tests.support.wheels import A, X, code, static, universal

__all__ = ["TARGETS"]

_LARGEST = 400  # steps of the naive matcher, by pattern and name


def _lines(data: bytes) -> list[str]:
    return data.decode(errors="replace").split("\n")


def _arguments(data: bytes) -> list[str]:
    """Return a command line, one word a line, that stays in its folder; the system takes no NUL in one."""
    return [line.replace("/", "_").replace("\0", "") for line in _lines(data)[:40]]


# ---- settings and rules ----


def _settings(data: bytes) -> None:
    """pyproject.toml is read or refused."""
    parse_project(data.decode(errors="replace"), Path("pyproject.toml"), "pyproject.toml")


def _settings_seeds() -> Iterator[bytes]:
    yield (
        b'[tool.fatwheel]\ntags = "exact"\nfloor = "binaries"\nfeatures = ["a"]\nuniversal2 = true\n'
        b'on-conflict = "keep-arm64"\n[tool.fatwheel.rules]\n"**/*.h" = "guard"\n'
        b'[tool.fatwheel.arm64]\nrustflags = "-C a"\ndeployment-target = "11.0"\nenv = { A = "b" }\n'
    )
    yield (
        b'[tool.maturin]\nfeatures = ["a", {feature = "b", python-version = ">3"}]\npython-source = "../py"\n'
        b"[tool.maturin.target.aarch64-apple-darwin]\nmacos-deployment-target = 11.0\n"
    )
    yield b"[tool]\nfatwheel = 1979-05-27T07:32:00Z\n[[a.b]]\nc = [[0x1f, 1e5], {d = nan}]\n"
    yield b'tool.fatwheel.x86_64 = { features = [1, \'\', """a"""], lto = inf }'


def _rule(data: bytes) -> None:
    """A glob matches what a matcher that tries everything matches."""
    rule, name = (part.decode(errors="replace") for part in split(data, 2))
    escaped = Glob(escape_glob(name))
    check(escaped.matches(name), "an escaped name does not match itself")
    found = parse_rule(rule)
    if "[" not in found.glob and len(found.glob) * len(name) <= _LARGEST:
        expected = _matches(found.glob, name)
        matched = found.matches(name, "pkg")
        check(matched == expected, f"{found.glob!r} matches {name!r}: {matched}, not {expected}")


def _matches(glob: str, name: str) -> bool:
    """Match without any cleverness; sets are not known."""
    if not glob:
        return not name
    if glob.startswith("**/"):
        ends = [0, *(i + 1 for i, c in enumerate(name) if c == "/")]
        return any(_matches(glob[3:], name[end:]) for end in ends)
    if glob.startswith("**"):
        return any(_matches(glob[2:], name[end:]) for end in range(len(name) + 1))
    if glob[0] == "*":
        stop = name.find("/") if "/" in name else len(name)
        return any(_matches(glob[1:], name[end:]) for end in range(stop + 1))
    if not name:
        return False
    fits = name[0] != "/" if glob[0] == "?" else name[0] == glob[0]
    return fits and _matches(glob[1:], name[1:])


def _rule_seeds() -> Iterator[bytes]:
    for rule, name in (
        ("**/*.h=guard", "a/b.h"),
        ("a/**/b?.*=keep-arm64", "a/c/d/bc.x"),
        ("[!a-c]*[]]=drop", "d]"),
        ("**=dispatch", "a\nb/c"),
    ):
        yield joined(rule, name)


def _expected(data: bytes) -> None:
    """A list of what a release must consist of, held against pairs of names."""
    listed, names = split(data, 2)
    paths = [Path("w") / line.replace("/", "_") for line in _lines(names)[:8]]
    pairs = list(zip(paths[::2], paths[1::2], strict=False))
    with scratch() as folder:
        path = folder / "expected.txt"
        path.write_bytes(listed)
        expected = read_expected(str(path))
        for options in (PlanOptions(), PlanOptions(raise_floor=True)):
            problems = unmet(expected, pairs, options)
            if expected.count != len(pairs):
                check(bool(problems), f"{expected.count} expected, {len(pairs)} given, no problem")


def _expected_seeds() -> Iterator[bytes]:
    names = (
        "pkg-1.0-cp312-cp312-macosx_10_13_x86_64.whl\npkg-1.0-cp312-cp312-macosx_11_0_arm64.whl\n"
    )
    yield joined("pkg-1.0-cp312-cp312-macosx_10_13_universal2.whl # one\n", names)
    yield joined("pkg-*.whl\n\npkg-1.?-cp3[0-9]*-macosx_*.whl\n", names * 2)


# ---- command lines ----


def _lipo(data: bytes) -> None:
    """lipo ends with 0 or 1; a universal file that it writes can be read."""
    words, *files = split(data, 4)
    before = Path.cwd()
    with scratch() as folder:
        for name, content in zip("abc", files, strict=True):
            (folder / name).write_bytes(content)
        os.chdir(folder)
        try:
            out, err = io.StringIO(), io.StringIO()
            ended = lipo(_arguments(words), out, err)
            check(ended in (0, 1), f"ended with {ended}")
            check(
                (ended == 0)
                or "-verify_arch" in data.decode(errors="replace")
                or bool(err.getvalue()),
                "no error",
            )
            written = sorted(path for path in folder.iterdir() if path.name not in ("a", "b", "c"))
            check(ended == 0 or not written, f"{written} is left behind")
            for path in written:
                made = path.read_bytes()
                found = _read(made)
                check(
                    found is not None and not isinstance(found, str), f"the output is none: {found}"
                )
        finally:
            os.chdir(before)


def _read(data: bytes) -> object:
    return macho.outcome(lambda: parse("out", len(data), bitcode=True), data)


def _lipo_seeds() -> Iterator[bytes]:
    x, a = code(X), code(A)
    yield joined("-create\na\nb\n-output\no", x, a)
    yield joined("-create\na\n-arch\narm64\nb\n-o\no\n-segalign\narm64\n1000\n-fat64", x, BITCODE)
    for action in ("-thin\narm64", "-extract\nx86_64", "-remove\narm64", "-extract_family\narm64"):
        yield joined(f"a\n{action}\n-output\no", universal(x, a, align=5))
    yield joined("a\n-replace\narm64\nb\n-output\no", universal(x, a, align=5), a)
    for action in ("-archs\na", "-info\na\nb", "-detailed_info\na", "a\n-verify_arch\nx86_64"):
        yield joined(action, universal(static(X), static(A), align=3), x)


def _linker(data: bytes) -> None:
    """What a C driver is called with becomes the linker's command line, or lacks a value."""
    words, response = split(data, 2)
    before = Path.cwd()
    with scratch() as folder:
        os.chdir(folder)
        try:
            Path("r").write_bytes(response)
            if response.startswith(b"@") or b"\n@" in response or b" @" in response:
                return  # a response file that names itself is rustc's fault
            try:
                link = parse_link(_arguments(words))
            except ValueError:  # as documented; the wrapper says it
                return
            settings = LinkSettings(lld=("ld64.lld",), stubs="stubs")
            for word in link_command(link, settings, output="out"):
                check(isinstance(word, str), "a word is no text")
            check(LinkSettings.from_json(settings.to_json()) == settings, "settings change")
        finally:
            os.chdir(before)


def _linker_seeds() -> Iterator[bytes]:
    yield joined(
        "-arch\narm64\n-mmacosx-version-min=11.0\n-o\nout\na.o\n-lz\n-framework\nSecurity\n-dynamiclib",
        "",
    )
    words = "--target=aarch64-apple-macosx12.3\n-Wl,-exported_symbols_list,l,-dead_strip\n-Xlinker\n-x\n@r"
    yield joined(words, "a.o 'b c.o'\n-lc")
    yield joined(
        "-isysroot\ns\n-nodefaultlibs\n-shared\n-undefined\ndynamic_lookup\n-O3\n-target", ""
    )


def _maturin(data: bytes) -> None:
    """maturin's words: what is known is taken out, and nothing of the rest is lost."""
    words, arguments, settings = (part.decode(errors="replace") for part in split(data, 3))
    found = parse_maturin_words(words.split("\n"))
    again = parse_maturin_words(found.rest)
    check(again.rest == found.rest, f"{found.rest} became {again.rest}")
    kept = without_options(words.split("\n"), {"--target": True, "-i": True, "--zig": False})
    check(len(kept) <= len(words.split("\n")), "words came up from nowhere")
    pairs: dict[str, object] = {}
    for line in settings.split("\n")[:10]:
        key, _, value = line.partition("=")
        pairs[key] = [pairs[key], value] if key in pairs else value
    parse_config_settings(pairs, arguments)


def _maturin_seeds() -> Iterator[bytes]:
    yield joined(
        "--target\nx86_64-apple-darwin\n-i3.12\n--features=a,b\n-Fc\n--zig\n--\n-C\nx",
        "--profile 'a b'",
        "",
    )
    yield joined(
        "-m=Cargo.toml\n--auditwheel\nskip\n-r", "", "fatwheel.target=arm64\nbuild-args=--zig -v"
    )
    yield joined(
        "--skip-auditwheel\n--interpreter",
        "-i \\",
        "build-args=a\nbuild-args=b c\nfatwheel.linker=lld",
    )


def _targets(data: bytes) -> None:
    """One decision out of all that may have asked; and deployment targets, and SOURCE_DATE_EPOCH."""
    lines = [*_lines(data), *[""] * 12][:12]
    asked: dict[str, str] = {key: line for key, line in zip(_WISHES, lines, strict=False) if line}
    wishes = replace(Wishes(), **asked, universal2={"t": True, "f": False}.get(lines[4]))
    facts = dict(
        zip(("system", "platform", "machine", "executable", "version"), lines[5:10], strict=True)
    )
    held = frozenset(arch for arch in Arch if arch.value in lines[10])
    python = PythonFacts(**facts, translated=bool(lines[10]), slices=held)
    try:
        decision = decide_targets(wishes, python)
        check(bool(decision.why) and len(set(decision.archs)) == len(decision.archs), "no reason")
        if decision.universal2_is_optional:
            fall_back(decision, python)
    except UsageError as error:
        check(bool(str(error)), "no word why")
    with contextlib.suppress(UsageError):
        source_date(lines[11])
    for arch in Arch:
        choose_deployment(arch, [Wish(text=lines[11], origin="t"), None])


_WISHES = ("option", "cargo_build_target", "archflags", "host_platform")


def _targets_seeds() -> Iterator[bytes]:
    python = "darwin\nmacosx-11.0-arm64\narm64\n/python\n3.12.1"
    yield f"universal2\n\n\n\n\n{python}\narm64\n11.0".encode()
    yield f"\nx86_64-apple-darwin\n-arch x86_64 -arch arm64\nmacosx-10.9-universal2\nt\n{python}\n\n1700000000".encode()
    yield f"\n\n-arch arm64 -arch 'i386\n\nt\n{python}\nx86_64 arm64\n10.12.1".encode()
    yield b"aarch64-apple-ios\n\n\nlinux-x86_64\nf\nlinux\nlinux-x86_64\nx86_64\npython\n3.10\n\n-1"


_SETTING_WORDS = (
    *(
        b"[tool.fatwheel]\n",
        b"[tool.fatwheel.rules]\n",
        b"[tool.fatwheel.x86_64]\n",
        b"[tool.maturin]\n",
        b"[[",
    ),
    *(
        b"features = ",
        b"rustflags = ",
        b"env = ",
        b"deployment-target = ",
        b"python-source = ",
        b"manifest-path = ",
    ),
    *(
        b"{",
        b"}",
        b'"""',
        b"'''",
        b"inf",
        b"nan",
        b"0x",
        b"1979-05-27",
        b"= ",
        b"true",
        b"1e9",
        b"\\u",
        b"9" * 30,
    ),
)
_OPTION_WORDS = (
    *(
        b"-create\n",
        b"-thin\n",
        b"-extract\n",
        b"-remove\n",
        b"-replace\n",
        b"-archs\n",
        b"-output\n",
        b"-arch\n",
    ),
    *(
        b"-segalign\n",
        b"-fat64\n",
        b"arm64\n",
        b"x86_64\n",
        b"-target\n",
        b"-o\n",
        b"-Wl,",
        b"-Xlinker\n",
    ),
    *(
        b"-framework\n",
        b"@r\n",
        b"-isysroot\n",
        b"--target=",
        b"-mmacosx-version-min=",
        b"-i\n",
        b"--features=",
    ),
    *(
        b"--zig\n",
        b"--\n",
        b"fatwheel.target=",
        b"build-args=",
        b"aarch64-apple-darwin",
        b"x86_64-apple-darwin",
    ),
    *(b"universal2", b"-arch arm64", b"'", b"\\", b"11.0"),
)

TARGETS = (
    Target(
        name="settings",
        run=_settings,
        seeds=_settings_seeds,
        words=_SETTING_WORDS,
        runs=3000,
        share=2,
    ),
    Target(name="rule", run=_rule, seeds=_rule_seeds, runs=6000, longest=512),
    Target(name="expected", run=_expected, seeds=_expected_seeds, runs=1400),
    Target(
        name="lipo",
        run=_lipo,
        seeds=_lipo_seeds,
        words=_OPTION_WORDS,
        runs=1000,
        longest=16384,
        share=2,
    ),
    Target(name="linker", run=_linker, seeds=_linker_seeds, words=_OPTION_WORDS, runs=2000),
    Target(name="maturin", run=_maturin, seeds=_maturin_seeds, words=_OPTION_WORDS, runs=4000),
    Target(name="targets", run=_targets, seeds=_targets_seeds, words=_OPTION_WORDS, runs=4000),
)
