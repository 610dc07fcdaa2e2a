"""For which architectures to build: one decision out of all that may have asked, with its reasons.

Pure functions of values that were read once at the edge. `docs/architectures.md` has the table of precedence.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from fatwheel.arch import Arch
from fatwheel.errors import UsageError
from fatwheel.values import valueclass

__all__ = [
    "ARCHFLAGS",
    "CARGO_BUILD_TARGET",
    "HOST_PLATFORM",
    "INTERPRETER",
    "OPTION",
    "UNIVERSAL2",
    "Decision",
    "PythonFacts",
    "Wishes",
    "decide_targets",
    "fall_back",
    "running_arch",
]

OPTION = "option"
CARGO_BUILD_TARGET = "CARGO_BUILD_TARGET"
ARCHFLAGS = "ARCHFLAGS"
HOST_PLATFORM = "_PYTHON_HOST_PLATFORM"
UNIVERSAL2 = "universal2"
INTERPRETER = "interpreter"

_BOTH = (Arch.X86_64, Arch.ARM64)
# Names that people write for an architecture; Python, clang and lipo say arm64 where Rust says aarch64.
_SPELLINGS = {"x86_64": Arch.X86_64, "arm64": Arch.ARM64}
_RUST_ARCHS: dict[str, tuple[Arch, ...]] = {
    "x86_64": (Arch.X86_64,),
    "aarch64": (Arch.ARM64,),
    "universal2": _BOTH,  # no target of rustc's; maturin knows it
}
_OTHER_APPLE_SYSTEMS = ("ios", "tvos", "watchos", "visionos")


@valueclass
class PythonFacts:
    """What the interpreter is that the wheel is for.

    `system` is its `sys.platform` ("darwin", "linux", "win32", "ios"): where it runs. `platform` is
    `sysconfig.get_platform()` read without `_PYTHON_HOST_PLATFORM`: what it was built for. `machine` is
    `platform.machine()`: what it runs as. `translated` says that Rosetta 2 translates it
    (`sysctl.proc_translated` is 1). `slices` are the architectures in its own binary, and empty off macOS or
    where they could not be read. `executable` is its path, `version` as "3.12.4".
    """

    system: str
    platform: str
    machine: str
    translated: bool = False
    slices: frozenset[Arch] = frozenset()
    executable: str
    version: str

    @property
    def is_macos(self) -> bool:
        """Whether it runs on macOS."""
        return self.system == "darwin"


@valueclass
class Wishes:
    """What asks for architectures, as written; None where it is not set.

    `option` comes from the command line or from config settings: "x86_64", "arm64", "universal2" or a Rust
    target triple. `cargo_build_target`, `archflags` and `host_platform` are the environment variables
    CARGO_BUILD_TARGET, ARCHFLAGS and _PYTHON_HOST_PLATFORM; an empty one counts as not set. `universal2` is
    `[tool.fatwheel] universal2`.
    """

    option: str | None = None
    cargo_build_target: str | None = None
    archflags: str | None = None
    host_platform: str | None = None
    universal2: bool | None = None

    @classmethod
    def read(
        cls, option: str | None, environ: Mapping[str, str], universal2: bool | None
    ) -> Wishes:
        """Return the wishes with the variables as they stand in `environ`."""
        return cls(
            option=option,
            cargo_build_target=environ.get(CARGO_BUILD_TARGET),
            archflags=environ.get(ARCHFLAGS),
            host_platform=environ.get(HOST_PLATFORM),
            universal2=universal2,
        )


@valueclass
class Decision:
    """What to build for, and why.

    `archs` has x86_64 first; it is empty where the target is not macOS: then everything is maturin's.
    `decided_by` is one of this module's names for the inputs ("option", "CARGO_BUILD_TARGET", "ARCHFLAGS",
    "_PYTHON_HOST_PLATFORM", "universal2", "interpreter"), `why` a sentence. `overruled` has a sentence for
    each input that asked for something else, `unloadable` one where this Python cannot load the result,
    `contradictions` one for each two that disagree where nobody can have meant both. `universal2_is_optional` says
    that only the setting `universal2 = true` asked for both, so that an installation from source without both Rust
    targets may fall back (`fall_back`).
    """

    archs: tuple[Arch, ...]
    decided_by: str
    why: str
    overruled: tuple[str, ...] = ()
    unloadable: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    universal2_is_optional: bool = False

    @property
    def rust_targets(self) -> tuple[str, ...]:
        """Rust's target triples of `archs`."""
        return tuple(arch.rust_target for arch in self.archs)

    @property
    def is_universal2(self) -> bool:
        """Whether the wheel is for both architectures."""
        return self.archs == _BOTH

    def is_cross(self, python: PythonFacts) -> bool:
        """Whether code for `archs` does not load in this interpreter.

        False where the target is not macOS: whether that is a cross build, maturin knows.
        """
        return bool(self.archs) and running_arch(python) not in self.archs


@valueclass
class _Claim:
    """What one input asks for: `archs` (empty: not macOS), `text` as written, `problem` if it makes no sense."""

    origin: str
    text: str
    archs: tuple[Arch, ...] = ()
    problem: str = ""

    @property
    def name(self) -> str:
        """The input with its value, as a sentence begins."""
        if self.origin == UNIVERSAL2:
            return f"the setting {self.text}"
        if self.origin == OPTION:
            return f"the option {self.text}"
        return f"{self.origin}={self.text}"

    @property
    def meaning(self) -> str:
        return _named(self.archs) if not self.problem else "what no universal2 wheel has"


def decide_targets(wishes: Wishes, python: PythonFacts) -> Decision:
    """Return the architectures to build for.

    The first of these that is set decides: the option, CARGO_BUILD_TARGET, ARCHFLAGS,
    _PYTHON_HOST_PLATFORM, `universal2 = true` (for a Python that runs on macOS), and else what the
    interpreter runs as. The machine's own architecture never does.

    Raises `UsageError` where the deciding input has a value that means no architecture of a universal2 wheel
    (`-arch i386`, `arm64e-apple-darwin`), or where an interpreter on macOS runs as none of them.
    """
    claims = list(_claims(wishes, python))
    if not claims:
        return _by_interpreter(python)
    decider, *others = claims
    if decider.problem:
        raise UsageError(decider.problem)
    decision = Decision(
        archs=decider.archs,
        decided_by=decider.origin,
        why=f"{_upper(decider.name)} asks for {_named(decider.archs)}.",
        universal2_is_optional=decider.origin == UNIVERSAL2,
    )
    return replace(
        decision,
        overruled=tuple(_overruled(decider, others)),
        unloadable=tuple(_unloadable(decision, python)),
        contradictions=(*_contradictions(claims), *_odd_interpreter(python)),
    )


def fall_back(decision: Decision, python: PythonFacts) -> Decision:
    """Return the decision for the architecture that `python` runs as, in place of one for both.

    For an installation from source on a Mac that lacks one of the Rust targets. Raises `ValueError` where
    `decision` is not optional (`universal2_is_optional`).
    """
    if not decision.universal2_is_optional:
        raise ValueError(f"{decision.decided_by} asked for {_named(decision.archs)}")
    own = _by_interpreter(python)
    left = "The setting universal2 = true is left out of account: this machine lacks a Rust target for it."
    return replace(own, overruled=(left, *decision.overruled))


def running_arch(python: PythonFacts) -> Arch | None:
    """Return the architecture whose code `python` loads; None off macOS, and where nothing says it.

    What it runs as decides among what it was built for. Where these exclude each other, a binary of one
    architecture is believed before `platform.machine()`, which wrappers falsify.
    """
    if not python.is_macos:
        return None
    built_for = _built_for(python)
    runs_as = _SPELLINGS.get(python.machine)
    if len(built_for) == 1:
        return next(iter(built_for))
    return runs_as


def _built_for(python: PythonFacts) -> frozenset[Arch]:
    """Return the architectures of the interpreter: its slices, else what its platform says."""
    if python.slices:
        return python.slices
    return frozenset(_platform_archs(python.platform) or ())


def _by_interpreter(python: PythonFacts) -> Decision:
    if not python.is_macos:
        why = f"Nothing asks for macOS, and this Python runs on {python.system}."
        return Decision(archs=(), decided_by=INTERPRETER, why=why)
    arch = running_arch(python)
    if arch is None:
        raise UsageError(
            f"{python.executable} runs as {python.machine!r}, which a universal2 wheel has no part for; "
            "ask for x86_64 or arm64 by option, or use another Python"
        )
    built_for = _built_for(python)
    manner = " under Rosetta 2" if python.translated else ""
    if len(built_for) == 2:
        why = f"This Python is built for both architectures and runs as {arch.value}{manner}."
    else:
        why = f"This Python is an {arch.value} program, running{manner or ' natively'}."
    odd = tuple(_odd_interpreter(python))
    if odd:
        why = f"This Python loads {arch.value} code."
    return Decision(archs=(arch,), decided_by=INTERPRETER, why=why, contradictions=odd)


def _odd_interpreter(python: PythonFacts) -> Iterator[str]:
    """Yield what an interpreter says of itself that cannot all be true."""
    built_for = _built_for(python)
    if python.is_macos and built_for and _SPELLINGS.get(python.machine) not in built_for:
        source = "its binary holds" if python.slices else "it was built for"
        yield (
            f"{python.executable} says that it runs as {python.machine}, and {source} "
            f"{_named(_ordered(built_for))} only; something stands in front of the real interpreter."
        )


def _claims(wishes: Wishes, python: PythonFacts) -> Iterator[_Claim]:
    """Yield what was asked for, in order of precedence."""
    if wishes.option is not None:
        yield _from_option(wishes.option.strip())
    if wishes.cargo_build_target and wishes.cargo_build_target.strip():
        yield _from_triple(CARGO_BUILD_TARGET, wishes.cargo_build_target.strip())
    # For iOS, clang's -arch means no Mac.
    if wishes.archflags and python.system not in _OTHER_APPLE_SYSTEMS:
        claim = _from_archflags(wishes.archflags)
        if claim is not None:
            yield claim
    if wishes.host_platform and wishes.host_platform.strip():
        yield _from_host_platform(wishes.host_platform.strip())
    if wishes.universal2 and python.is_macos:
        yield _Claim(origin=UNIVERSAL2, text="universal2 = true", archs=_BOTH)


def _from_option(text: str) -> _Claim:
    if text in _SPELLINGS:
        return _Claim(origin=OPTION, text=text, archs=(_SPELLINGS[text],))
    if text == "universal2":
        return _Claim(origin=OPTION, text=text, archs=_BOTH)
    if "-" in text:
        return _from_triple(OPTION, text)
    problem = (
        f"the target {text!r} is none; choose x86_64, arm64, universal2, or a target triple of Rust's such as "
        f"{Arch.ARM64.rust_target}"
    )
    return _Claim(origin=OPTION, text=text, problem=problem)


def _from_triple(origin: str, text: str) -> _Claim:
    """Read a Rust target triple; what is not Apple's is maturin's business, and so is iOS."""
    match = re.fullmatch(r"(?P<arch>[^-]+)-apple-(?P<system>[a-z]+)(?P<rest>.*)", text)
    if match is None or match["system"] in _OTHER_APPLE_SYSTEMS:
        return _Claim(origin=origin, text=text)
    if text.endswith("-apple-darwin") and match["arch"] in _RUST_ARCHS:
        return _Claim(origin=origin, text=text, archs=_RUST_ARCHS[match["arch"]])
    where = "the target" if origin == OPTION else origin
    problem = (
        f"{where} {text!r} is no macOS target that a wheel can be tagged for; choose "
        f"{Arch.ARM64.rust_target} or {Arch.X86_64.rust_target}"
    )
    return _Claim(origin=origin, text=text, problem=problem)


def _from_archflags(text: str) -> _Claim | None:
    """Read the words of ARCHFLAGS as clang does; None where no `-arch` is among them.

    Whole words count: `-march=x86_64` is about something else.
    """
    shown = shlex.quote(text)
    try:
        words = shlex.split(text)
    except ValueError as error:
        return _Claim(origin=ARCHFLAGS, text=shown, problem=f"ARCHFLAGS is {text!r}: {error}")
    named = [word for before, word in zip(["", *words], words, strict=False) if before == "-arch"]
    if words and words[-1] == "-arch":
        named.append("")
    if not named:
        bare = [word for word in words if word in {*_SPELLINGS, *_RUST_ARCHS}]
        if not bare:
            return None
        problem = f"ARCHFLAGS is {text!r}, and clang takes no such word; write -arch before each architecture"
        return _Claim(origin=ARCHFLAGS, text=shown, problem=problem)
    unknown = [word for word in named if word not in _SPELLINGS]
    if unknown:
        problem = (
            f"ARCHFLAGS is {text!r}, and {unknown[0] or 'nothing'} after -arch is no architecture of a "
            f"universal2 wheel; {_advice(unknown[0])}"
        )
        return _Claim(origin=ARCHFLAGS, text=shown, problem=problem)
    return _Claim(
        origin=ARCHFLAGS, text=shown, archs=_ordered({_SPELLINGS[word] for word in named})
    )


def _advice(word: str) -> str:
    if word in ("arm64e", "aarch64"):
        return "write -arch arm64"
    if word == "universal2":
        return "write -arch x86_64 -arch arm64"
    return "leave -arch x86_64, -arch arm64, or both"


def _from_host_platform(text: str) -> _Claim:
    archs = _platform_archs(text)
    if archs is None:
        problem = (
            f"{HOST_PLATFORM} is {text!r}, whose architecture a universal2 wheel does not have; it ends in "
            "x86_64, arm64 or universal2"
        )
        return _Claim(origin=HOST_PLATFORM, text=text, problem=problem)
    return _Claim(origin=HOST_PLATFORM, text=text, archs=archs)


def _platform_archs(platform: str) -> tuple[Arch, ...] | None:
    """Return the architectures of a platform like `macosx-11.0-arm64`.

    Empty where it is not macOS's; None where it is, with another architecture (`macosx-10.6-intel`).
    """
    if not platform.startswith("macosx-"):
        return ()
    name = platform.rpartition("-")[2]
    if name == "universal2":
        return _BOTH
    return (_SPELLINGS[name],) if name in _SPELLINGS else None


def _overruled(decider: _Claim, others: Sequence[_Claim]) -> Iterator[str]:
    for other in others:
        if other.problem or other.archs != decider.archs:
            yield f"{_upper(other.name)} asks for {other.meaning}; {decider.name} has precedence."


def _unloadable(decision: Decision, python: PythonFacts) -> Iterator[str]:
    """Yield a sentence where what is built will not load in the Python that builds it."""
    if not decision.is_cross(python):
        return
    arch = running_arch(python)
    if arch is None:
        yield f"This Python runs on {python.system} and cannot load what is built for {_named(decision.archs)}."
    else:
        yield f"This Python runs as {arch.value} and cannot load what is built for {_named(decision.archs)}."


def _contradictions(claims: Sequence[_Claim]) -> Iterator[str]:
    """Yield what the environment's variables say against each other: an option overrules on purpose."""
    variables = [claim for claim in claims if claim.origin not in (OPTION, UNIVERSAL2)]
    for one, other in combinations(variables, 2):
        if one.problem or other.problem or one.archs != other.archs:
            yield (
                f"{one.name} asks for {one.meaning} and {other.name} for {other.meaning}; "
                "change or unset one of them."
            )


def _ordered(archs: frozenset[Arch] | set[Arch]) -> tuple[Arch, ...]:
    return tuple(arch for arch in _BOTH if arch in archs)


def _named(archs: Sequence[Arch]) -> str:
    if not archs:
        return "another system than macOS"
    return "universal2 (x86_64 and arm64)" if len(archs) == 2 else f"macOS {archs[0].value}"


def _upper(sentence: str) -> str:
    """Begin a sentence; names of variables stay as they are."""
    return f"The {sentence[4:]}" if sentence.startswith("the ") else sentence
