"""Golden command lines: each case in golden/ is a spec (TOML) and what must come of it (text).

A new case needs no code: write NAME.toml, run this file with FATWHEEL_GOLDEN=write, and read NAME.txt.

A spec has `argv`, and optionally `then` (a second command line, whose result counts), `env`, `files`
(name to text) and wheels: either the tables `both`, `x86_64` and `arm64` (members of one pair called pkg
1.0, with an extension module), or `[[wheel]]` tables with `path` (folder and file name), `members`,
`wrong` (members whose row in RECORD is wrong), `purelib` and `cut` (bytes taken off the end). A member is
its text, or a table: `code` (bundle, dylib, program, static), `arch` (a list: a universal file), `text`,
`loads`, `minos`, `platform` (a number), `signed`, `payload`, `altered` (bytes that are changed when it is
signed).
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fatwheel.arch import Arch
from fatwheel.cli.main import main
from fatwheel.wheels.tags import parse_wheel_name
from tests.support.wheels import (
    NATIVE,
    PLATFORMS,
    altered,
    code,
    dylib,
    make_wheel,
    program,
    record_of,
    static,
    universal,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Result = tuple[object, str, str]  # exit code, standard output, standard error
Run = Callable[[str, Mapping[str, str]], Result]

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.stem for path in GOLDEN.glob("*.toml"))
BUILDERS: Mapping[str, Callable[..., bytes]] = {
    "bundle": code,
    "dylib": dylib,
    "program": program,
    "static": static,
}
# What depends on the machine, the moment or the version is not compared.
VARYING = (
    (r"\d+\.\d\d s \([^)]*\)", "TIME"),
    (r"\b[0-9a-f]{64}\b", "SHA256"),
    (r'"inflater": "[^"]*"', '"inflater": "INFLATER"'),
    (r'"size": \d+', '"size": SIZE'),
    (r'"fatwheel": "[^"]*"', '"fatwheel": "VERSION"'),
    (r"[\d.]+ k?B in TIME", "SIZE in TIME"),
    (r"[\d.]+ k?B of SIZE", "SIZE of SIZE"),
    (r'"size_before": \d+', '"size_before": SIZE'),
    (r"No such option:? '?(--\w+)'?\.?", r"No such option \1"),  # click 8.1 and later ones
    (r"(?m)^(Usage:|Try 'fatwheel).*\n+", ""),
)


def member(value: str | dict[str, Any]) -> bytes:
    """The content that a spec describes."""
    if isinstance(value, str):
        return value.encode()
    options = dict(value)
    build, arches = BUILDERS[options.pop("code")], options.pop("arch")
    text = options.pop("text", "").encode()
    payload = options.pop("payload", "").encode()
    wrong = options.pop("altered", [])
    for version in {"minos", "sdk"} & options.keys():
        options[version] = tuple(options[version])
    if payload:
        options["trailing"] = payload
    made = [
        altered(build(Arch(arch), *([text] if text else []), **options), *wrong)
        for arch in ([arches] if isinstance(arches, str) else arches)
    ]
    return universal(*made) if isinstance(arches, list) else made[0]


def build(spec: dict[str, Any], folder: Path) -> None:
    """Make the files that a spec describes."""
    wheels = spec.get("wheel")
    if wheels is None:
        native = {arch: {NATIVE: {"code": "bundle", "arch": arch.value}} for arch in Arch}
        wheels = [
            {
                "path": f"pkg-1.0-cp312-cp312-{PLATFORMS[arch]}.whl",
                "members": {**native[arch], **spec.get("both", {}), **spec.get(arch.value, {})},
            }
            for arch in Arch
        ]
    for wheel in wheels:
        path = folder / wheel["path"]
        name = parse_wheel_name(path.name)
        files = {key: member(value) for key, value in wheel.get("members", {}).items()}
        wrong = wheel.get("wrong", [])
        dist_info = f"{name.distribution}-{name.version}.dist-info"
        made = make_wheel(
            path.parent,
            ".".join(name.platforms),
            files,
            name=name.distribution,
            version=name.version,
            build=name.build,
            python=".".join(name.pythons),
            abi=".".join(name.abis),
            purelib=wheel.get("purelib", False),
            record=functools.partial(record_of, dist_info=dist_info, wrong=wrong),
            stored=files,  # the same bytes, whatever compresses
        )
        if cut := wheel.get("cut"):
            made.write_bytes(made.read_bytes()[:-cut])
    for relative, text in spec.get("files", {}).items():
        (folder / relative).parent.mkdir(parents=True, exist_ok=True)
        (folder / relative).write_text(text, "utf-8")


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Runs the command line in this process, as `python -m fatwheel` would in its own."""
    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("SOURCE_DATE_EPOCH", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)

    def run_(argv: str, env: Mapping[str, str]) -> Result:
        with monkeypatch.context() as patched:
            for key, value in env.items():
                patched.setenv(key, value)
            with pytest.raises(SystemExit, match=r"^\d+$") as ended:
                main(shlex.split(argv))
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    yield run_
    signal.signal(signal.SIGTERM, handler)


def report(result: Result, folder: Path) -> str:
    """What came of it, as the golden file says it."""
    code_, out, err = result
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    parts = [f"exit {code_}", "--- stdout", out, "--- stderr", err, "--- files", *files]
    text = "\n".join(parts) + "\n"
    if os.sep != "/":
        text = text.replace("\\\\", "/").replace(os.sep, "/")
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return text


@pytest.mark.parametrize("case", CASES)
def test_case(case: str, run: Run, tmp_path: Path) -> None:
    spec = tomllib.loads((GOLDEN / f"{case}.toml").read_text("utf-8"))
    build(spec, tmp_path)
    result = run(spec["argv"], spec.get("env", {}))
    if "then" in spec:
        result = run(spec["then"], spec.get("env", {}))
    found = report(result, tmp_path)
    golden = GOLDEN / f"{case}.txt"
    if os.environ.get("FATWHEEL_GOLDEN") == "write":
        golden.write_text(found, "utf-8")
    assert found == golden.read_text("utf-8")


def test_every_golden_file_belongs_to_a_case() -> None:
    assert CASES
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == CASES
