"""Why a build failed, as it is told: what is left of cargo's output, and the hints."""

from __future__ import annotations

import pytest

from fatwheel.arch import Arch
from fatwheel.building.reason import Quieted, compiler_errors
from fatwheel.toolchain.advice import advice
from tests.support.wheels import A, X

SCRIPT = """\
   Compiling openssl-sys v0.9.117
warning: openssl-sys@0.9.117: build/expando.c:1:10: fatal error: 'openssl/opensslv.h' file not found
\x1b[1m\x1b[91merror\x1b[0m: failed to run custom build command for `openssl-sys v0.9.117`
note: To improve backtraces for build dependencies, set the CARGO_PROFILE_RELEASE_BUILD_OVERRIDE_DEBUG=true environment

Caused by:
  process didn't exit successfully: `/t/build-script-main` (exit status: 101)
  --- stdout
  The script speaks at length.
  cargo:rustc-check-cfg=cfg(ossl400)
  cargo:rerun-if-env-changed=AARCH64_APPLE_DARWIN_OPENSSL_DIR
  AARCH64_APPLE_DARWIN_OPENSSL_DIR unset
  cargo:rerun-if-env-changed=OPENSSL_LIB_DIR
  cargo::rerun-if-env-changed=OPENSSL_DIR
  CC_aarch64_apple_darwin = Some(/zigcc.sh)
  CFLAGS = None
  cargo:warning=build/expando.c:1:10: fatal error: 'openssl/opensslv.h' file not found

  --- stderr


  thread 'main' (1) panicked at openssl-sys-0.9.117/build/main.rs:320:13:
  Failed to find OpenSSL development headers.
  stack backtrace:
     0: __rustc::rust_begin_unwind
    10: build_script_main::main
  note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
warning: build failed, waiting for other jobs to finish...
"""
MAIN = "error: failed to run custom build command for `{} v1.0`\n\nCaused by:\n  --- stderr\n  {}\n"


def test_a_build_script_that_lacks_a_library() -> None:
    said = compiler_errors(f"{SCRIPT}💥 maturin failed\n", A)
    assert said.splitlines() == [
        "\x1b[1m\x1b[91merror\x1b[0m: failed to run custom build command for `openssl-sys v0.9.117`",
        "",
        "Caused by:",
        "  process didn't exit successfully: `/t/build-script-main` (exit status: 101)",
        "  cargo:warning=build/expando.c:1:10: fatal error: 'openssl/opensslv.h' file not found",
        "  --- stderr",
        "",
        "  thread 'main' (1) panicked at openssl-sys-0.9.117/build/main.rs:320:13:",
        "  Failed to find OpenSSL development headers.",
        (
            "fatwheel: openssl-sys wants a C library for arm64 macOS, and what Linux's packages install is none. "
            'Give it a build for macOS: env = { OPENSSL_DIR = "/path/to/arm64" } below [tool.fatwheel.arm64] in '
            "pyproject.toml; or its own source, compiled along: -F openssl/vendored, where a dependency on that "
            "crate is direct (docs/building.md, C libraries)"
        ),
    ]


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        (MAIN.format("foo-sys", "libfoo was not found by pkg-config"), "{ PKG_CONFIG_LIBDIR = "),
        (
            "  cargo:rerun-if-env-changed=FOO_DIR\n"
            + MAIN.format("foo-sys", "could not find libfoo"),
            "{ FOO_DIR = ",
        ),
        (
            "  cargo:rerun-if-env-changed=PKG_CONFIG_SYSROOT_DIR\n"
            "  cargo:rerun-if-env-changed=VCPKG_ROOT\n"
            "  cargo:rerun-if-env-changed=X86_64_APPLE_DARWIN_FOO_LIB_DIR\n"
            "  cargo:rerun-if-env-changed=FOO_LIB_DIR\n"
            + MAIN.format("foo-sys", "foo.h: No such file or directory"),
            "{ FOO_LIB_DIR = ",
        ),
        (MAIN.format("foo", "assertion failed: 1 == 2"), None),
        ("error: linking failed", None),
    ],
    ids=["pkg-config", "its variable", "the target's", "another reason", "no script"],
)
def test_what_is_said_of_a_library(output: str, hint: str | None) -> None:
    said = compiler_errors(output, X)
    assert compiler_errors(output).splitlines() == [
        line for line in said.splitlines() if not line.startswith("fatwheel: ")
    ]
    assert hint is None or f"env = {hint}" in said
    assert ("wants a C library for x86_64 macOS" in said) == (hint is not None)


@pytest.mark.parametrize(
    ("line", "arch", "said"),
    [
        (
            "error: the feature named `avx512f` is not valid for this target",
            A,
            "avx512f is x86_64's",
        ),
        (
            "  |    ^^^ could not find `x86_64` in `arch`",
            A,
            "x86_64 is x86_64's, and this is arm64",
        ),
        ("error: the feature named `neon` is not valid for this target", X, "neon is arm64's"),
        ("error: the feature named `avx512f` is not valid for this target", X, ""),
        ("error: the feature named `blink` is not valid for this target", A, ""),
    ],
)
def test_a_build_script_that_took_the_host_for_the_target(line: str, arch: Arch, said: str) -> None:
    reason = compiler_errors(f"error: could not compile\n{line}\n💥 maturin failed", arch)
    assert said in reason
    assert ("CARGO_CFG_TARGET_ARCH" in reason) == bool(said)


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_output_passes_as_it_comes_without_what_was_for_cargo(size: int) -> None:
    data = SCRIPT.encode()
    passed: list[bytes] = []
    quieted = Quieted(passed.append)
    for start in range(0, len(data), size):
        quieted(data[start : start + size])
    quieted.close()
    lines = b"".join(passed).decode().splitlines()
    gone = [line for line in SCRIPT.splitlines() if line not in lines]
    assert len(gone) == (13 if size > 100 else 11)  # what is not indented passes at once
    assert "  AARCH64_APPLE_DARWIN_OPENSSL_DIR unset" in gone
    assert lines == [line for line in SCRIPT.splitlines() if line not in gone]


def test_a_progress_bar_is_not_held_back() -> None:
    passed: list[bytes] = []
    quieted = Quieted(passed.append)
    for piece in (b"    Building [==>  ] 1/9: x\r", b"Building", b"  half a li"):
        quieted(piece)
    assert passed == [b"    Building [==>  ] 1/9: x\r", b"Building", b"  half a li"]
    quieted(b"ne\n  half")
    quieted.close()
    assert passed[3:] == [b"ne\n", b"  half"]


LACKING = 'error: unable to find system framework "Foo"'
ERROR = "error[E0308]: mismatched types\n --> src/lib.rs:1:1\n  |\n\nerror: could not compile `x`"


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (f"   Compiling x\nwarning: y\n{ERROR}\n💥 maturin failed\n  Caused by: cargo", ERROR),
        (
            f"\x1b[1mnote\x1b[0m\n\x1b[1m\x1b[91merror\x1b[0m: linking failed\n{ERROR}\n💥 m",
            f"\x1b[1m\x1b[91merror\x1b[0m: linking failed\n{ERROR}",
        ),
        (
            "found\n💥 maturin failed\n  Caused by: no python",
            "found\n💥 maturin failed\n  Caused by: no python",
        ),
        (f"{ERROR}\n{LACKING}\n💥 m", f"{ERROR}\n{LACKING}\n{advice(LACKING)}"),
        (f"{LACKING}\n{advice(LACKING)}\n💥 m", f"{LACKING}\n{advice(LACKING)}"),
        ("\n".join(map(str, range(99))), "\n".join(map(str, range(69, 99)))),
        ("", ""),
    ],
    ids=[
        "compiler",
        "coloured",
        "maturin",
        "a framework",
        "as its linker said",
        "neither",
        "silence",
    ],
)
def test_the_reason_of_a_failure(output: str, reason: str) -> None:
    assert compiler_errors(output) == reason
