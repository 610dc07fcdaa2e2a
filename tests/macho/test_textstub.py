"""For which targets a text stub stands: every version, LLVM's own spelling and people's."""

from __future__ import annotations

import contextlib
import subprocess
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.arch import Arch
from fatwheel.errors import FormatError
from fatwheel.macho.probe import LARGEST_RANGE
from fatwheel.macho.textstub import LARGEST_STUB, TextStub, looks_like_stub, parse_text_stub
from tests.support.macho import parsed
from tests.support.required import require_tool
from tests.support.wheels import A, X, stub


def found(data: bytes) -> TextStub | None:
    """The stub as parsed at random and forward, which must agree; None for what is none."""
    if not looks_like_stub(data[:32]):
        return None
    parser = partial(parse_text_stub, "x.tbd", len(data))
    result = parsed(parser, data)
    for chunk in (7, 4096):
        assert parsed(parser, data, chunk) == result
    return result


def targets(data: bytes) -> list[str]:
    result = found(data)
    assert result is not None
    return [target.name for target in result.targets]


SYMBOLS = b"exports:\n  - targets: [ i386-ios ]\n    symbols: [ _a ]\n...\n"
V5 = b"""{
  "libraries": [{"install_names": [{"name": "/x"}], "target_info": [{"target": "i386-ios"}]}],
  "main_library": {
    "exported_symbols": [{"data": {"global": ["_target_info", "main_library", "}"]}}],
    "target_info": [%s]
  },
  "tapi_tbd_version": 5
}
"""
INFO = b'{ "min_deployment": "11", "target": "x86_64-macos" }, {"target":"arm64-macos"}'
BOTH = ["x86_64-macos", "arm64-macos"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"---\narchs: [ x86_64, arm64 ]\nplatform: macosx\n...\n", BOTH, id="v1"),
        pytest.param(
            b"--- !tapi-tbd-v1\narchs: [ x86_64 ]\nplatform: ios\n...\n",
            ["x86_64-ios"],
            id="v1 tag",
        ),
        pytest.param(
            b"--- !tapi-tbd-v2\narchs: [ x86_64, arm64 ]\nuuids: [ 'x86_64: 0' ]\n"
            b"platform: macosx\n" + SYMBOLS,
            BOTH,
            id="v2",
        ),
        pytest.param(
            b"--- !tapi-tbd-v3\narchs: [ arm64 ]\nplatform: zippered\n" + SYMBOLS,
            ["arm64-macos", "arm64-maccatalyst"],
            id="v3 zippered",
        ),
        pytest.param(
            b"--- !tapi-tbd-v3\nplatform: macosx # old\narchs:\n  - x86_64\n  - arm64 # new\n"
            + SYMBOLS,
            BOTH,
            id="v3 block",
        ),
        pytest.param(stub(*BOTH), BOTH, id="v4"),
        pytest.param(stub(*BOTH).replace(b"\n", b"\r\n"), BOTH, id="v4 CRLF"),
        pytest.param(b"\n\n" + stub(*BOTH), BOTH, id="v4 after blank lines"),
        pytest.param(
            b"--- !tapi-tbd\ntargets: [ x86_64-macos, # one\n           arm64-macos ]\n" + SYMBOLS,
            BOTH,
            id="v4 two lines",
        ),
        pytest.param(
            b"--- !tapi-tbd\ntargets :\n- 'x86_64-macos'\n\n# and\n- \"arm64-macos\"\n" + SYMBOLS,
            BOTH,
            id="v4 block",
        ),
        pytest.param(
            b"--- !tapi-tbd\ntbd-version: 4\n"
            + SYMBOLS[:-4]
            + b"targets: [ x86_64-macos, arm64-macos ]\n",
            BOTH,
            id="v4 targets last",
        ),
        pytest.param(
            stub("arm64-macos")[:-4] + stub("x86_64-ios"), ["arm64-macos"], id="v4 two documents"
        ),
        pytest.param(stub("arm64-macos", "arm64-macos"), ["arm64-macos"], id="v4 twice"),
        pytest.param(stub("arm64-ios-simulator"), ["arm64-ios-simulator"], id="v4 simulator"),
        pytest.param(V5 % INFO, BOTH, id="v5"),
        pytest.param((V5 % INFO).replace(b"\n", b"").replace(b" ", b""), BOTH, id="v5 compact"),
        pytest.param(
            b'{"tapi_tbd_version": 5, "main_library": {"target_info": [{"target": "arm64-macos"}]},'
            b' "libraries": [{"target_info": [{"target": "x86_64-macos"}]}]}',
            ["arm64-macos"],
            id="v5 main library first",
        ),
    ],
)
def test_targets(data: bytes, expected: list[str]) -> None:
    assert targets(data) == expected


@pytest.mark.parametrize("version", ["tbd-v3", "tbd-v4", "tbd-v5"])
@pytest.mark.parametrize("compact", [False, True], ids=["pretty", "compact"])
@pytest.mark.parametrize(
    "written",
    [
        ["x86_64-macos"],
        ["arm64-macos"],
        BOTH,
        ["x86_64-macos", "x86_64-maccatalyst", "arm64-macos", "arm64-maccatalyst"],
        ["arm64-ios"],
    ],
    ids=" ".join,
)
def test_llvm_writes_the_same_in_other_versions(
    version: str, compact: bool, written: list[str], tmp_path: Path
) -> None:
    tool = require_tool("llvm-readtapi-19", "apt-get install llvm-19")
    source, made = tmp_path / "in.tbd", tmp_path / "out.tbd"
    exports = f"exports:\n  - targets: [ {', '.join(written)} ]\n    symbols: [ _a, _b ]\n..."
    source.write_bytes(stub(*written).replace(b"...", exports.encode()))
    flags = ["-compact"] if compact else []
    subprocess.run([tool, f"--filetype={version}", *flags, source, "-o", made], check=True)
    assert sorted(targets(made.read_bytes())) == sorted(written)


@pytest.mark.parametrize(
    ("listed", "arches"),
    [
        (BOTH, {X, A}),
        (["x86_64-macos", "arm64-ios"], {X}),
        (["x86_64h-macos", "arm64e-macos"], {A}),
        (["arm64-maccatalyst", "x86_64-ios-simulator"], set()),
    ],
)
def test_for_which_macs(listed: list[str], arches: set[Arch]) -> None:
    result = found(stub(*listed))
    assert result is not None
    assert result.mac_arches == arches


@pytest.mark.parametrize(
    "data",
    [
        b"--- !tapi\ntargets: [ arm64-macos ]\n",
        b"---\nkey: value\n" + b" " * 40,
        b"--- !tapi-tbd-v9\n",
        b"# a comment\n--- !tapi-tbd\n",
        b'{"name": "pkg", "tapi_tbd_version": 5}',
        b'{"libraries": [], "version": 5}',
        b'{"tapi_tbd_version": 4, "main_library": {}}',
        b'["main_library"]',
        b"",
    ],
)
def test_what_is_none(data: bytes) -> None:
    assert found(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"--- !tapi-tbd\n",
        b"--- !tapi-tbd\ntargets: []\n...\n",
        b"--- !tapi-tbd\ntargets: arm64\n",
        b"--- !tapi-tbd-v3\narchs: [ arm64 ]\n",
        b"--- !tapi-tbd\n" + b"#" * LARGEST_RANGE + b"\ntargets: [ arm64-macos ]\n",
        stub("arm64-\033[31m", "arm64-" + 40 * "x", "-macos"),
        V5 % b"",
        V5 % b'{"target": "arm64"}',
        V5 % b'[{"target": "arm64-macos"}]',
    ],
)
def test_a_stub_without_a_target_is_damaged(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"x\.tbd, byte 0: names no target"):
        found(data)


def test_a_stub_has_no_thousands_of_targets() -> None:
    with pytest.raises(FormatError, match="names 2000 targets, more than 100"):
        found(stub(*(f"arm64-{number}" for number in range(2000))))
    archs = " ".join(f"a{number}" for number in range(9000)).encode()
    with pytest.raises(FormatError, match="names 9000 targets"):
        found(b"--- !tapi-tbd-v3\narchs: [ %s ]\nplatform: [ %s ]\n" % (archs, archs[:9000]))


def test_large_json_is_not_read() -> None:
    data = V5 % INFO + b" " * LARGEST_STUB
    assert found(data) is None
    assert found(data[:LARGEST_STUB]) is not None


@given(
    st.binary(max_size=200), st.sampled_from([b"--- !tapi-tbd\n", b"---\narchs:", b'{"libraries":'])
)
def test_law_any_bytes_give_an_answer_or_a_format_error(data: bytes, start: bytes) -> None:
    with contextlib.suppress(FormatError):
        result = found(start + data)
        assert result is None or result.targets
