"""Every Python that there is, and everything that asks for an architecture, in one table.

The same table is put to setuptools-rust's own rule; each row where it answers otherwise says why.
"""

from __future__ import annotations

import platform
import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pytest

from fatwheel.arch import Arch
from fatwheel.errors import UsageError
from fatwheel.targets.decision import (
    ARCHFLAGS,
    CARGO_BUILD_TARGET,
    HOST_PLATFORM,
    INTERPRETER,
    OPTION,
    UNIVERSAL2,
    Decision,
    PythonFacts,
    Wishes,
    decide_targets,
    fall_back,
    running_arch,
)
from tests.support import interpreters as on
from tests.support.corpus import ROOT
from tests.support.required import require_package

INTEL = (Arch.X86_64,)
ARM = (Arch.ARM64,)
BOTH = (Arch.X86_64, Arch.ARM64)
NOT_MACOS: tuple[Arch, ...] = ()
RUST_ARM = "aarch64-apple-darwin"
RUST_INTEL = "x86_64-apple-darwin"
RUST_LINUX = "x86_64-unknown-linux-gnu"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is asked for, and what comes of it.

    `archs` is None where the value is refused, with `refusal` in the message. `theirs` is setuptools-rust's
    answer where it is another one (a target triple, or "universal2"), and `reason` why ours differs. Their
    rule needs to know rustc's own target, `rust_host`.
    """

    id: str
    python: PythonFacts
    wishes: Wishes = field(default_factory=Wishes)
    archs: tuple[Arch, ...] | None
    by: str = INTERPRETER
    refusal: str = ""
    theirs: str = ""
    reason: str = ""
    rust_host: str = RUST_ARM
    contradicts: bool = False


def interpreter(name: str, python: PythonFacts, archs: tuple[Arch, ...], **more: Any) -> Row:
    return Row(id=name, python=python, archs=archs, **more)


HOST_DECIDES = "there rustc's own target decides, the machine's; here what the Python loads does"
GATE = "there _PYTHON_HOST_PLATFORM only says that it is macOS; here its architecture counts"
WORDS = "there ARCHFLAGS is searched for the names anywhere; here clang's words count"
ARM64E = "there arm64e counts as arm64; here it is refused: no wheel has a tag for it"
OTHER_ARCHS = (
    "there what is unknown is left out; here it is refused, since half of the wish is lost"
)
OFF_MACOS = "there ARCHFLAGS counts on macOS only; here it makes a cross build anywhere"
SETTING = "the setting is fatwheel's own"
TRIPLES = "there a triple goes to cargo unseen; here one that no wheel can be tagged for is refused"

INTERPRETERS = [
    interpreter("python.org-native", on.PYTHON_ORG, ARM),
    interpreter("python.org-rosetta", on.PYTHON_ORG_ROSETTA, INTEL),
    interpreter("python.org-intel-mac", on.PYTHON_ORG_INTEL_MAC, INTEL, rust_host=RUST_INTEL),
    interpreter("python.org-intel64-stub", on.PYTHON_ORG_INTEL64, INTEL),
    interpreter("apple-native", on.APPLE, ARM),
    interpreter("apple-rosetta", on.APPLE_ROSETTA, INTEL),
    interpreter("apple-built-as-intel-native", on.APPLE_BUILT_AS_INTEL, ARM),
    interpreter("apple-built-as-intel-rosetta", on.APPLE_BUILT_AS_INTEL_ROSETTA, INTEL),
    interpreter("homebrew-arm64", on.HOMEBREW, ARM),
    interpreter("homebrew-intel-rosetta", on.HOMEBREW_INTEL_ROSETTA, INTEL),
    interpreter("homebrew-intel-mac", on.HOMEBREW_INTEL_MAC, INTEL, rust_host=RUST_INTEL),
    interpreter("conda-arm64", on.CONDA_ARM64, ARM),
    interpreter("conda-intel-rosetta", on.CONDA_X86_64_ROSETTA, INTEL),
    interpreter("uv-arm64", on.UV_ARM64, ARM),
    interpreter("uv-intel-rosetta", on.UV_X86_64_ROSETTA, INTEL),
    interpreter("pyenv-arm64", on.PYENV_ARM64, ARM),
    interpreter("pyenv-intel-rosetta", on.PYENV_X86_64_ROSETTA, INTEL),
    # `arch -x86_64 python` starts pyenv's shim, a script, which starts the arm64 program (cpython 96993).
    interpreter("arch-x86_64-of-a-shim", on.PYENV_ARM64, ARM),
    interpreter("unreadable-universal2", on.UNREADABLE_UNIVERSAL2, ARM),
    interpreter("unreadable-intel-rosetta", on.UNREADABLE_X86_64_ROSETTA, INTEL),
    interpreter(
        "arm64-with-a-rustc-under-rosetta",
        on.HOMEBREW,
        ARM,
        rust_host=RUST_INTEL,
        theirs=RUST_INTEL,
        reason=HOST_DECIDES,
    ),
    interpreter(
        "intel-binary-that-says-arm64",
        replace(on.CONDA_X86_64_ROSETTA, machine="arm64"),
        INTEL,
        theirs=RUST_ARM,
        reason=HOST_DECIDES,
        contradicts=True,
    ),
    interpreter("linux", on.LINUX, NOT_MACOS, rust_host=RUST_LINUX),
    interpreter("ios", on.IOS, NOT_MACOS, rust_host="aarch64-apple-ios"),
]


def flags(name: str, text: str, archs: tuple[Arch, ...] | None, **more: Any) -> Row:
    row = Row(
        id=f"archflags-{name}",
        python=on.PYTHON_ORG,
        wishes=Wishes(archflags=text),
        archs=archs,
        by=ARCHFLAGS,
    )
    return replace(row, **more)


ARCHFLAGS_ROWS = [
    flags("intel", "-arch x86_64", INTEL),
    flags("arm", "-arch arm64", ARM),
    flags("arm-on-an-intel-python", "-arch arm64", ARM, python=on.HOMEBREW_INTEL_ROSETTA),
    flags("both", "-arch x86_64 -arch arm64", BOTH),
    flags("both-turned", "-arch arm64 -arch x86_64", BOTH),
    flags("both-quoted-and-spaced", "  -arch 'x86_64'   -arch arm64 ", BOTH),
    flags("both-under-rosetta", "-arch x86_64 -arch arm64", BOTH, python=on.PYTHON_ORG_ROSETTA),
    flags("one-twice", "-arch arm64 -arch arm64", ARM),
    flags("empty", "", ARM, by=INTERPRETER),
    flags("blank", "  ", INTEL, by=INTERPRETER, python=on.PYTHON_ORG_ROSETTA),
    flags("none", "-Os -g", INTEL, by=INTERPRETER, python=on.CONDA_X86_64_ROSETTA),
    flags("other-flags-too", "-Os -arch x86_64 -g", INTEL),
    flags(
        "a-name-inside-a-word",
        "-isysroot /opt/x86_64/sdk",
        ARM,
        by=INTERPRETER,
        theirs=RUST_INTEL,
        reason=WORDS,
    ),
    flags(
        "unknown",
        "-arch ppc",
        None,
        refusal=r"ARCHFLAGS is '-arch ppc', and ppc after -arch is no architecture of a universal2 wheel; "
        "leave -arch x86_64, -arch arm64, or both",
        theirs=RUST_ARM,
        reason=OTHER_ARCHS,
    ),
    flags(
        "unknown-and-known",
        "-arch i386 -arch x86_64",
        None,
        refusal="i386 after -arch is no architecture",
        theirs=RUST_INTEL,
        reason=OTHER_ARCHS,
    ),
    flags(
        "arm64e",
        "-arch arm64e",
        None,
        refusal="arm64e after -arch is no architecture of a universal2 wheel; write -arch arm64",
        theirs=RUST_ARM,
        reason=ARM64E,
    ),
    flags(
        "intel-and-arm64e",
        "-arch x86_64 -arch arm64e",
        None,
        refusal="arm64e after -arch",
        theirs="universal2",
        reason=ARM64E,
    ),
    flags(
        "rusts-name",
        "-arch aarch64",
        None,
        refusal="aarch64 after -arch is no architecture of a universal2 wheel; write -arch arm64",
        theirs=RUST_ARM,
        reason=OTHER_ARCHS,
    ),
    flags(
        "universal2",
        "-arch universal2",
        None,
        refusal="universal2 after -arch .* write -arch x86_64 -arch arm64",
        theirs=RUST_ARM,
        reason=OTHER_ARCHS,
    ),
    flags(
        "nothing-after-arch",
        "-arch x86_64 -arch",
        None,
        refusal="nothing after -arch is no architecture",
        theirs=RUST_INTEL,
        reason=OTHER_ARCHS,
    ),
    flags(
        "bare-name",
        "x86_64",
        None,
        refusal="ARCHFLAGS is 'x86_64', and clang takes no such word; write -arch before each",
        theirs=RUST_INTEL,
        reason=WORDS,
    ),
    flags(
        "open-quote",
        "-arch 'x86_64",
        None,
        refusal=r"""ARCHFLAGS is "-arch 'x86_64": No closing quotation""",
        theirs=RUST_INTEL,
        reason=WORDS,
    ),
    flags(
        "on-linux",
        "-arch x86_64",
        INTEL,
        python=on.LINUX,
        rust_host=RUST_LINUX,
        theirs=RUST_LINUX,
        reason=OFF_MACOS,
    ),
    flags(
        "both-on-linux",
        "-arch x86_64 -arch arm64",
        BOTH,
        python=on.LINUX,
        rust_host=RUST_LINUX,
        theirs=RUST_LINUX,
        reason=OFF_MACOS,
    ),
    flags(
        "on-ios",
        "-arch arm64",
        NOT_MACOS,
        by=INTERPRETER,
        python=on.IOS,
        rust_host="aarch64-apple-ios",
    ),
]

# What cibuildwheel 4.3 sets for each architecture that it builds for.
CIBUILDWHEEL = {
    ARM: Wishes(archflags="-arch arm64", host_platform="macosx-11.0-arm64"),
    INTEL: Wishes(archflags="-arch x86_64", host_platform="macosx-10.9-x86_64"),
    BOTH: Wishes(archflags="-arch arm64 -arch x86_64", host_platform="macosx-10.9-universal2"),
}
CIBUILDWHEEL_ROWS = [
    Row(
        id=f"cibuildwheel-{'+'.join(arch.value for arch in archs)}-on-{name}",
        python=python,
        wishes=wishes,
        archs=archs,
        by=ARCHFLAGS,
    )
    for archs, wishes in CIBUILDWHEEL.items()
    for name, python in [
        ("arm64-runner", on.PYTHON_ORG),
        ("rosetta", on.PYTHON_ORG_ROSETTA),
        ("intel-runner", on.PYTHON_ORG_INTEL_MAC),
        ("linux", on.LINUX),
    ]
]


def host_platform(name: str, text: str, archs: tuple[Arch, ...] | None, **more: Any) -> Row:
    row = Row(
        id=f"host-platform-{name}",
        python=on.PYTHON_ORG,
        wishes=Wishes(host_platform=text),
        archs=archs,
        by=HOST_PLATFORM,
    )
    return replace(row, **more)


HOST_PLATFORM_ROWS = [
    host_platform("arm", "macosx-11.0-arm64", ARM),
    host_platform("intel", "macosx-10.9-x86_64", INTEL, theirs=RUST_ARM, reason=GATE),
    host_platform("both", "macosx-10.9-universal2", BOTH, theirs=RUST_ARM, reason=GATE),
    host_platform(
        "both-on-linux",
        "macosx-10.9-universal2",
        BOTH,
        python=on.LINUX,
        rust_host=RUST_LINUX,
        theirs=RUST_INTEL,
        reason=GATE,
    ),
    host_platform("empty", "", ARM, by=INTERPRETER),
    host_platform("of-linux", "linux-aarch64", NOT_MACOS),
    host_platform(
        "of-32-bit-intel",
        "macosx-10.6-intel",
        None,
        refusal="_PYTHON_HOST_PLATFORM is 'macosx-10.6-intel', whose architecture a universal2 wheel does not",
        theirs=RUST_ARM,
        reason=GATE,
    ),
]


def cargo(name: str, text: str, archs: tuple[Arch, ...] | None, **more: Any) -> Row:
    row = Row(
        id=f"cargo-build-target-{name}",
        python=on.PYTHON_ORG,
        wishes=Wishes(cargo_build_target=text),
        archs=archs,
        by=CARGO_BUILD_TARGET,
    )
    return replace(row, **more)


CARGO_ROWS = [
    cargo("arm", RUST_ARM, ARM),
    cargo("intel", RUST_INTEL, INTEL),
    cargo("intel-on-linux", RUST_INTEL, INTEL, python=on.LINUX, rust_host=RUST_LINUX),
    cargo("linux", RUST_LINUX, NOT_MACOS),
    cargo("windows", "x86_64-pc-windows-msvc", NOT_MACOS),
    cargo("wasi", "wasm32-wasip1", NOT_MACOS),
    cargo("ios", "aarch64-apple-ios", NOT_MACOS),
    cargo("ios-simulator", "aarch64-apple-ios-sim", NOT_MACOS),
    cargo("catalyst", "aarch64-apple-ios-macabi", NOT_MACOS),
    cargo(
        "maturins-universal2",
        "universal2-apple-darwin",
        BOTH,
        theirs="universal2-apple-darwin",
        reason="maturin's name for both; rustc has none",
    ),
    cargo(
        "arm64e",
        "arm64e-apple-darwin",
        None,
        refusal="CARGO_BUILD_TARGET 'arm64e-apple-darwin' is no macOS target that a wheel can be tagged for; "
        "choose aarch64-apple-darwin or x86_64-apple-darwin",
        theirs="arm64e-apple-darwin",
        reason=TRIPLES,
    ),
    cargo(
        "x86_64h",
        "x86_64h-apple-darwin",
        None,
        refusal="x86_64h-apple-darwin",
        reason=TRIPLES,
        theirs="x86_64h-apple-darwin",
    ),
    cargo(
        "apples-name",
        "arm64-apple-darwin",
        None,
        refusal="choose aarch64-apple-darwin",
        theirs="arm64-apple-darwin",
        reason=TRIPLES,
    ),
    cargo(
        "of-clang",
        "arm64-apple-macosx11.0",
        None,
        refusal="'arm64-apple-macosx11.0' is no macOS",
        theirs="arm64-apple-macosx11.0",
        reason=TRIPLES,
    ),
    cargo("empty", "", INTEL, python=on.PYTHON_ORG_ROSETTA, by=INTERPRETER),
]

SETTING_ROWS = [
    Row(
        id="universal2-on-macos",
        python=on.HOMEBREW,
        wishes=Wishes(universal2=True),
        archs=BOTH,
        by=UNIVERSAL2,
        theirs=RUST_ARM,
        reason=SETTING,
    ),
    Row(id="universal2-false", python=on.HOMEBREW, wishes=Wishes(universal2=False), archs=ARM),
    Row(
        id="universal2-on-linux",
        python=on.LINUX,
        wishes=Wishes(universal2=True),
        archs=NOT_MACOS,
        rust_host=RUST_LINUX,
    ),
    Row(
        id="archflags-over-universal2",
        python=on.PYTHON_ORG,
        wishes=Wishes(archflags="-arch x86_64", universal2=True),
        archs=INTEL,
        by=ARCHFLAGS,
    ),
]

ORDER_ROWS = [
    Row(
        id="option-over-all",
        python=on.PYTHON_ORG,
        wishes=Wishes(
            option=RUST_ARM,
            cargo_build_target=RUST_INTEL,
            archflags="-arch x86_64",
            host_platform="macosx-10.9-x86_64",
            universal2=True,
        ),
        archs=ARM,
        by=OPTION,
    ),
    Row(
        id="cargo-over-archflags",
        python=on.PYTHON_ORG,
        wishes=Wishes(cargo_build_target=RUST_INTEL, archflags="-arch arm64"),
        archs=INTEL,
        by=CARGO_BUILD_TARGET,
        contradicts=True,
    ),
    Row(
        id="archflags-over-host-platform",
        python=on.PYTHON_ORG,
        wishes=Wishes(archflags="-arch x86_64", host_platform="macosx-11.0-arm64"),
        archs=INTEL,
        by=ARCHFLAGS,
        contradicts=True,
    ),
    Row(
        id="host-platform-over-universal2",
        python=on.PYTHON_ORG,
        wishes=Wishes(host_platform="macosx-11.0-arm64", universal2=True),
        archs=ARM,
        by=HOST_PLATFORM,
    ),
    Row(
        id="linux-target-over-archflags",
        python=on.PYTHON_ORG,
        wishes=Wishes(cargo_build_target=RUST_LINUX, archflags="-arch arm64"),
        archs=NOT_MACOS,
        by=CARGO_BUILD_TARGET,
        contradicts=True,
    ),
    Row(
        id="overruled-nonsense-is-no-error",
        python=on.PYTHON_ORG,
        wishes=Wishes(option=RUST_ARM, archflags="-arch ppc"),
        archs=ARM,
        by=OPTION,
    ),
    Row(
        id="nonsense-contradicts",
        python=on.PYTHON_ORG,
        wishes=Wishes(cargo_build_target=RUST_ARM, archflags="-arch ppc"),
        archs=ARM,
        by=CARGO_BUILD_TARGET,
        contradicts=True,
    ),
]

ROWS = [
    *INTERPRETERS,
    *ARCHFLAGS_ROWS,
    *CIBUILDWHEEL_ROWS,
    *HOST_PLATFORM_ROWS,
    *CARGO_ROWS,
    *SETTING_ROWS,
    *ORDER_ROWS,
]


def ids(row: Row) -> str:
    return row.id


def test_no_two_rows_have_one_name() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", [row for row in ROWS if row.archs is not None], ids=ids)
def test_decision(row: Row) -> None:
    decision = decide_targets(row.wishes, row.python)
    assert (decision.archs, decision.decided_by) == (row.archs, row.by)
    assert bool(decision.contradictions) == row.contradicts, decision.contradictions
    assert decision.universal2_is_optional == (row.by == UNIVERSAL2)
    for sentence in (
        decision.why,
        *decision.overruled,
        *decision.unloadable,
        *decision.contradictions,
    ):
        assert sentence.endswith(".")
        assert sentence[0].isupper() or sentence.startswith(("_PYTHON", "/"))


@pytest.mark.parametrize("row", [row for row in ROWS if row.archs is None], ids=ids)
def test_refusal(row: Row) -> None:
    with pytest.raises(UsageError, match=row.refusal):
        decide_targets(row.wishes, row.python)


# --- setuptools-rust -------------------------------------------------------------------------------


def setuptools_rust_says(row: Row, monkeypatch: pytest.MonkeyPatch) -> str:
    """The target that setuptools-rust's `build_rust` would build for: a triple, or "universal2"."""
    build = require_package("setuptools_rust.build")
    dist = require_package("setuptools").Distribution()
    wishes, python = row.wishes, row.python
    for name, value in (
        ("CARGO_BUILD_TARGET", wishes.cargo_build_target or None),
        ("ARCHFLAGS", wishes.archflags),
    ):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(platform, "machine", lambda: python.machine)
    monkeypatch.setattr(build, "get_rust_host", lambda env: row.rust_host)
    command = build.build_rust(dist)
    if wishes.option is not None:
        command.target = wishes.option
    target = command.target
    if target is build._Platform.CARGO_DEFAULT:
        target = build._override_cargo_default_target(wishes.host_platform or python.platform, None)
    if target is build._Platform.CARGO_DEFAULT:
        return row.rust_host
    return "universal2" if target is build._Platform.UNIVERSAL2 else str(target)


def ours(row: Row) -> str:
    """Our answer in the same words."""
    try:
        decision = decide_targets(row.wishes, row.python)
    except UsageError:
        return "refused"
    if not decision.archs:  # cargo's own choice, which maturin leaves to it
        return row.wishes.cargo_build_target or row.rust_host
    return "universal2" if decision.is_universal2 else decision.rust_targets[0]


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_where_setuptools_rust_answers_otherwise_there_is_a_reason(
    row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = setuptools_rust_says(row, monkeypatch)
    if not row.reason:
        assert theirs == ours(row)
    else:
        assert theirs == row.theirs
        assert theirs != ours(row)


def test_the_documented_order_is_that_of_the_rows() -> None:
    """docs/architectures.md numbers the inputs as they decide; leaving the first ones out one by one shows it."""
    text = (ROOT / "docs" / "architectures.md").read_text("utf-8")
    documented = re.findall(r"(?m)^\| ([1-6]) \| (.*?) \|", text)
    assert [number for number, _ in documented] == list("123456")
    wishes = Wishes(
        option="arm64",
        cargo_build_target=RUST_ARM,
        archflags="-arch arm64",
        host_platform="macosx-11.0-arm64",
        universal2=True,
    )
    for (_, cell), name in zip(documented, asdict(wishes), strict=False):
        assert decide_targets(wishes, on.HOMEBREW).decided_by in cell
        wishes = replace(wishes, **{name: None})
    assert decide_targets(wishes, on.HOMEBREW).decided_by in documented[-1][1]


# --- the rest of a decision ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "archs"),
    [
        pytest.param("x86_64", INTEL, id="intel"),
        pytest.param("arm64", ARM, id="arm"),
        pytest.param("universal2", BOTH, id="both"),
        pytest.param(" arm64 ", ARM, id="spaces"),
        pytest.param(RUST_INTEL, INTEL, id="rust-intel"),
        pytest.param("universal2-apple-darwin", BOTH, id="maturins-universal2"),
        pytest.param("x86_64-unknown-linux-musl", NOT_MACOS, id="linux"),
    ],
)
@pytest.mark.parametrize("python", [on.PYTHON_ORG, on.LINUX, on.WINDOWS], ids=lambda p: p.system)
def test_option(option: str, archs: tuple[Arch, ...], python: PythonFacts) -> None:
    decision = decide_targets(Wishes(option=option, archflags="-arch ppc"), python)
    assert (decision.archs, decision.decided_by) == (archs, OPTION)


@pytest.mark.parametrize("option", ["", "x86", "aarch64", "intel", "arm64e", "Universal2"])
def test_option_that_is_none(option: str) -> None:
    with pytest.raises(
        UsageError, match=rf"the target '{option}' is none; choose x86_64, arm64, uni"
    ):
        decide_targets(Wishes(option=option), on.PYTHON_ORG)


def test_a_triple_as_an_option_that_no_wheel_can_be_tagged_for() -> None:
    with pytest.raises(
        UsageError, match="the target 'arm64e-apple-darwin' is no macOS target that"
    ):
        decide_targets(Wishes(option="arm64e-apple-darwin"), on.PYTHON_ORG)


def test_a_mac_that_is_neither_is_refused() -> None:
    python = replace(
        on.HOMEBREW, machine="riscv64", slices=frozenset(), platform="macosx-30.0-riscv64"
    )
    with pytest.raises(
        UsageError, match=r"python3\.12 runs as 'riscv64', which a universal2 wheel has no"
    ):
        decide_targets(Wishes(), python)
    assert decide_targets(Wishes(option="arm64"), python).archs == ARM


@pytest.mark.parametrize(
    ("python", "why"),
    [
        (on.PYTHON_ORG, "This Python is built for both architectures and runs as arm64."),
        (
            on.APPLE_ROSETTA,
            "This Python is built for both architectures and runs as x86_64 under Rosetta 2.",
        ),
        (on.HOMEBREW, "This Python is an arm64 program, running natively."),
        (on.CONDA_X86_64_ROSETTA, "This Python is an x86_64 program, running under Rosetta 2."),
        (on.LINUX, "Nothing asks for macOS, and this Python runs on linux."),
    ],
    ids=["universal2", "apple-rosetta", "arm64", "intel-rosetta", "linux"],
)
def test_why_an_interpreter_decides(python: PythonFacts, why: str) -> None:
    assert decide_targets(Wishes(), python).why == why


def test_everything_that_is_said() -> None:
    wishes = Wishes(
        cargo_build_target=RUST_INTEL,
        archflags="-arch arm64",
        host_platform="macosx-10.9-x86_64",
        universal2=True,
    )
    assert decide_targets(wishes, on.HOMEBREW) == Decision(
        archs=INTEL,
        decided_by=CARGO_BUILD_TARGET,
        why="CARGO_BUILD_TARGET=x86_64-apple-darwin asks for macOS x86_64.",
        overruled=(
            "ARCHFLAGS='-arch arm64' asks for macOS arm64; CARGO_BUILD_TARGET=x86_64-apple-darwin has precedence.",
            (
                "The setting universal2 = true asks for universal2 (x86_64 and arm64); "
                "CARGO_BUILD_TARGET=x86_64-apple-darwin has precedence."
            ),
        ),
        unloadable=("This Python runs as arm64 and cannot load what is built for macOS x86_64.",),
        contradictions=(
            (
                "CARGO_BUILD_TARGET=x86_64-apple-darwin asks for macOS x86_64 and ARCHFLAGS='-arch arm64' for "
                "macOS arm64; change or unset one of them."
            ),
            (
                "ARCHFLAGS='-arch arm64' asks for macOS arm64 and _PYTHON_HOST_PLATFORM=macosx-10.9-x86_64 for "
                "macOS x86_64; change or unset one of them."
            ),
        ),
    )


def test_an_option_overrules_variables_that_agree_without_contradicting_them() -> None:
    decision = decide_targets(replace(CIBUILDWHEEL[INTEL], option="arm64"), on.HOMEBREW)
    assert decision.contradictions == ()
    assert len(decision.overruled) == 2


@pytest.mark.parametrize(
    ("wishes", "python", "is_cross"),
    [
        pytest.param(Wishes(), on.PYTHON_ORG, False, id="own"),
        pytest.param(Wishes(), on.LINUX, False, id="maturins"),
        pytest.param(Wishes(option="arm64"), on.LINUX, True, id="from-linux"),
        pytest.param(Wishes(option="arm64"), on.PYTHON_ORG_ROSETTA, True, id="other-slice"),
        pytest.param(Wishes(option="x86_64"), on.HOMEBREW, True, id="other-arch"),
        pytest.param(Wishes(option="universal2"), on.HOMEBREW, False, id="both"),
        pytest.param(Wishes(option="universal2"), on.WINDOWS, True, id="both-from-windows"),
    ],
)
def test_is_cross(wishes: Wishes, python: PythonFacts, is_cross: bool) -> None:
    decision = decide_targets(wishes, python)
    assert decision.is_cross(python) == is_cross
    assert any("cannot load" in sentence for sentence in decision.unloadable) == is_cross


def test_rust_targets_have_the_order_of_the_architectures() -> None:
    decision = decide_targets(Wishes(archflags="-arch arm64 -arch x86_64"), on.LINUX)
    assert decision.rust_targets == (RUST_INTEL, RUST_ARM)


@pytest.mark.parametrize(
    ("python", "archs"),
    [(on.PYTHON_ORG_ROSETTA, INTEL), (on.HOMEBREW, ARM)],
    ids=["universal2-rosetta", "arm64"],
)
def test_falling_back_from_the_setting(python: PythonFacts, archs: tuple[Arch, ...]) -> None:
    fallen = fall_back(decide_targets(Wishes(universal2=True), python), python)
    assert (fallen.archs, fallen.decided_by) == (archs, INTERPRETER)
    assert not fallen.universal2_is_optional
    assert "universal2 = true is left out of account" in fallen.overruled[0]


def test_nothing_falls_back_from_what_was_asked_for_this_time() -> None:
    decision = decide_targets(Wishes(option="universal2", universal2=True), on.HOMEBREW)
    with pytest.raises(ValueError, match=r"option asked for universal2 \(x86_64 and arm64\)"):
        fall_back(decision, on.HOMEBREW)


@pytest.mark.parametrize("python", [on.LINUX, on.WINDOWS, on.IOS], ids=lambda p: p.system)
def test_off_macos_no_architecture_runs(python: PythonFacts) -> None:
    assert running_arch(python) is None
