"""Why a build failed: the part of cargo's and maturin's output that says it, and what to do where fatwheel knows it.

A build script that fails has all that it printed repeated by cargo, and most of that is meant for cargo.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from fatwheel.arch import Arch
from fatwheel.toolchain.advice import advice

__all__ = ["Quieted", "compiler_errors"]

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ERROR = re.compile(r"error(\[E[0-9]+\])?: ")
_SCRIPT = re.compile(r"error: failed to run custom build command for `(?P<crate>[A-Za-z0-9_-]+) v")
# What a build script tells cargo, and what helpers of build scripts say of their variables.
_FOR_CARGO = re.compile(
    r"  (cargo::?(?!warning=)[a-z-]+=|[A-Za-z][\w-]* (unset$|= (None|Some\())).*"
)
_FRAME = re.compile(r"\s{2,}([0-9]+: +[\w<{].*(::|main).*|at /\S+:[0-9]+.*)")
_BACKTRACE = re.compile(r"\s*stack backtrace:")
_TAIL = re.compile(
    r"(  note: (Some details are omitted|run with `RUST_BACKTRACE)|note: To improve backtraces|"
    r"  note: run with|warning: build failed, waiting|  Caused by: Cargo build finished with).*"
)
_MOST_BYTES = 64 * 1024  # of a line that is held back


class Quieted:
    """Passes on what a build prints, without the lines that a failed build script had for cargo.

    Only indented lines are held back until they end: a progress bar is passed on as it comes.
    """

    def __init__(self, output: Callable[[bytes], None]) -> None:
        """`output` gets what is left."""
        self._output = output
        self._held = b""
        self._within = False  # a line whose beginning was passed on

    def __call__(self, piece: bytes) -> None:
        """Take a piece of the output."""
        lines = (self._held + piece).splitlines(keepends=True)
        self._held = b""
        kept = [lines.pop(0)] if self._within and lines else []
        last = lines[-1] if lines else b""
        if last.startswith(b" ") and not _is_whole(last) and len(last) < _MOST_BYTES:
            self._held = lines.pop()
        kept += [line for line in lines if not _is_noise(line.decode("utf-8", "replace"))]
        if kept:
            self._within = not _is_whole(kept[-1])
            self._output(b"".join(kept))

    def close(self) -> None:
        """Pass on what was held back."""
        if self._held:
            self._output(self._held)
            self._held = b""


def _is_whole(line: bytes) -> bool:
    return line.endswith((b"\n", b"\r"))  # a progress bar ends with the latter


def _is_noise(line: str) -> bool:
    plain = _COLOUR.sub("", line).rstrip("\r\n")
    return any(noise.fullmatch(plain) for noise in (_FOR_CARGO, _BACKTRACE, _FRAME, _TAIL))


def compiler_errors(output: str, arch: Arch | None = None) -> str:
    """Return the part of maturin's output that says why: from the first error on, without maturin's own tail.

    The output may be coloured. Where no error is found, its last lines are returned. What to do about it follows
    where fatwheel knows it, and its own linker has not said it already; `arch` is what was built for.
    """
    lines = output.splitlines()
    plain = [_COLOUR.sub("", line) for line in lines]
    ends = [i for i, line in enumerate(plain) if line.startswith("💥")]
    end = ends[-1] if ends else len(lines)
    starts = [i for i, line in enumerate(plain[:end]) if _ERROR.match(line)]
    start = starts[0] if starts else max(0, end - 30)
    # Without a compiler's error, maturin's own words are the reason.
    shown = range(start, end if starts else len(lines))
    reason = "\n".join(_shortened([lines[i] for i in shown])).strip("\n")
    said = [line for line in plain[start:end] if starts]
    told = [advice("\n".join(plain)), *_hints(plain, said, arch)]
    return "\n".join([reason, *(line for line in told if line and line not in reason)])


def _shortened(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines without noise, of a build script's standard output the warnings only, and no empty ones twice."""
    has_errors = any(line.strip() == "--- stderr" for line in lines)
    in_output, before = False, ""
    for line in lines:
        words = line.strip()
        in_output = has_errors and (words == "--- stdout" or (in_output and words != "--- stderr"))
        if _is_noise(line) or (in_output and not words.startswith("cargo:warning=")):
            continue
        if words or before:
            yield line
        before = words


def _hints(everything: Sequence[str], said: Sequence[str], arch: Arch | None) -> Iterator[str]:
    if arch is None:
        return
    for line in said:
        if (script := _SCRIPT.match(line)) is not None:
            yield _missing_library(script["crate"], everything, said, arch)
            return
    if (sign := _hosts_features(said, arch)) is not None:
        yield (
            f"fatwheel: {sign}: a build script seems to have asked cfg!(target_arch), which is this machine's, where "
            f"CARGO_CFG_TARGET_ARCH is the target's; tell the project, and meanwhile build this half with "
            f"--arch {arch.value} on an {arch.value} machine (Linux or macOS) and fuse it"
        )


# --- C libraries

_LACKS = re.compile(
    r"file not found|could not find|couldn't find|failed to find|not find|no such file|pkg-config|pkgconfig|vcpkg",
    re.IGNORECASE,
)
_READ = re.compile(r"\s*cargo::?rerun-if-env-changed=(?P<name>\w+)$")
_OWN = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*_(DIR|ROOT|PREFIX|HOME|LIB_DIR|PATH)")
_NOT_OWN = re.compile(r"(PKG_CONFIG|VCPKG|CARGO|CMAKE|HOST|TARGET|AARCH64|X86_64|OUT)_.*|PATH")
# The crate that offers to compile the library's source itself, with its feature.
_VENDORED = {
    "openssl-sys": "openssl/vendored",
    "libsqlite3-sys": "libsqlite3-sys/bundled",
    "curl-sys": "curl/static-curl",
    "libgit2-sys": "git2/vendored-libgit2",
    "libssh2-sys": "libssh2-sys/vendored",
    "lzma-sys": "lzma-sys/static",
    "rdkafka-sys": "rdkafka/cmake-build",
    "zmq-sys": "zmq/vendored",
    "protobuf-src": "",
}


def _missing_library(crate: str, everything: Sequence[str], said: Sequence[str], arch: Arch) -> str:
    """Return what to do where a build script did not find a C library; "" where it failed for another reason."""
    if not any(_LACKS.search(line) for line in said if not _READ.match(line)):
        return ""
    variable = _variable(everything)
    setting = f'env = {{ {variable} = "/path/to/{arch.value}" }}'
    ways = [f"a build for macOS: {setting} below [tool.fatwheel.{arch.value}] in pyproject.toml"]
    if feature := _VENDORED.get(crate):
        ways.append(
            f"its own source, compiled along: -F {feature}, where a dependency on that crate is direct"
        )
    return (
        f"fatwheel: {crate} wants a C library for {arch.value} macOS, and what Linux's packages install is none. "
        f"Give it {'; or '.join(ways)} (docs/building.md, C libraries)"
    )


def _variable(lines: Sequence[str]) -> str:
    """Return the variable by which the crate takes a library: of those that it read the shortest, as OPENSSL_DIR."""
    names = [match["name"] for line in lines if (match := _READ.match(line))]
    own = {name for name in names if _OWN.fullmatch(name) and not _NOT_OWN.fullmatch(name)}
    return min(own, key=lambda name: (len(name), name), default="PKG_CONFIG_LIBDIR")


# --- the host's features in the target's code

_HOSTS = {
    Arch.ARM64: re.compile(
        r"error: the feature named `(?P<name>avx\w*|sse[\w.]*|bmi\d?|fma|aes)` is not valid for this target|"
        r".*could not find `(?P<module>x86_64)` in `arch`|.*(?P<macro>is_x86_feature_detected)"
    ),
    Arch.X86_64: re.compile(
        r"error: the feature named `(?P<name>neon|sve\w*|dotprod)` is not valid for this target|"
        r".*could not find `(?P<module>aarch64)` in `arch`|.*(?P<macro>is_aarch64_feature_detected)"
    ),
}


def _hosts_features(said: Sequence[str], arch: Arch) -> str | None:
    """Return a clause that names what only the other architecture has and what was compiled for this one."""
    for line in said:
        if (match := _HOSTS[arch].match(line)) is not None:
            name = match["name"] or match["module"] or match["macro"]
            return f"{name} is {arch.other.value}'s, and this is {arch.value}"
    return None
