from __future__ import annotations

import io
import json
import os
import random
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from delocate.fuse import fuse_trees

from fatwheel.errors import UsageError
from fatwheel.lipo import run as lipo
from fatwheel.lipo.args import Action, Command, Input, parse_args
from fatwheel.macho import universal
from tests.support import macho as build
from tests.support.changes import replaced, through_memory
from tests.support.corpus import ROOT
from tests.support.macho import ARM64, ARM64E, I386, X86_64, X86_64H, obj
from tests.support.required import require_tool

CASES_FOLDER = ROOT / "fixtures" / "lipo-cases"
CASES: list[dict[str, Any]] = json.loads((CASES_FOLDER / "index.json").read_text("utf-8"))
POSIX_ONLY = pytest.mark.skipif(os.name != "posix", reason="needs POSIX modes and programs")

# llvm-lipo has no -detailed_info; Apple's lipo has, and so has fatwheel's.
DETAILED_INFO_CASE = "cli_detailed_info_unsupported"


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


def call(*argv: str | Path) -> Answer:
    out, err = io.StringIO(), io.StringIO()
    code = lipo.main([str(word) for word in argv], out, err)
    return Answer(code, out.getvalue(), err.getvalue())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prepare(case: dict[str, Any], folder: Path) -> None:
    for name in case["inputs"]:
        (folder / name).write_bytes((CASES_FOLDER / case["dir"] / name).read_bytes())
        (folder / name).chmod(int(case["input_modes"][name], 8))


# The conformance cases.


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_conformance(case: dict[str, Any], here: Path) -> None:
    prepare(case, here)
    before = sorted(path.name for path in here.iterdir())
    answer = call(*case["argv"])
    if case["name"] == DETAILED_INFO_CASE:
        words = "input file x.o is not a fat file\nNon-fat file: x.o is architecture: x86_64\n"
        assert answer == Answer(0, words, "")
    elif case["rc"] or case.get("llvm_bug"):
        assert answer.code == 1
        assert answer.out == ""
        assert sorted(path.name for path in here.iterdir()) == before
        if case["name"] != "cli_verify_absent":  # an answer, not an error
            assert re.fullmatch(r"fatal error: fatwheel lipo: .+\n", answer.err)
    else:
        assert answer == Answer(0, case["stdout"], "")
        name = "expected.out" if case["kind"] == "valid" else "accepted.out"
        output = here / case["argv"][-1]
        assert output.read_bytes() == (CASES_FOLDER / case["dir"] / name).read_bytes()
        if case["kind"] == "valid":
            check_mode(output, case)
            for word in ("info", "archs"):
                expected = case[word]
                assert call("expected.out", f"-{word}") == Answer(0, expected["stdout"], "")


def check_mode(output: Path, case: dict[str, Any]) -> None:
    if os.name == "posix":
        umask = os.umask(0o022)
        os.umask(umask)
        given = 0o777 if case["mode"] == "0o755" else 0o666
        assert stat.S_IMODE(output.stat().st_mode) == given & ~umask


def test_all_cases_are_there() -> None:
    assert len(CASES) == 190
    assert len({case["name"] for case in CASES}) == 190
    assert sum(case["kind"] == "valid" for case in CASES) == 98


# What the cases leave out.


@pytest.fixture
def fat_file(here: Path) -> Path:
    """A universal file of i386, x86_64, x86_64h, arm64 and arm64e."""
    paths = []
    for index, cpu in enumerate([I386, X86_64, X86_64H, ARM64, ARM64E]):
        paths.append(here / f"{index}.o")
        paths[-1].write_bytes(obj(cpu, index))
    assert call("-create", *paths, "-output", "fat").code == 0
    return here / "fat"


@pytest.mark.parametrize(
    ("words", "archs"),
    [
        pytest.param(["-remove", "arm64e"], "i386 x86_64 x86_64h arm64", id="remove"),
        pytest.param(
            ["-remove", "arm64e", "-remove", "i386"], "x86_64 x86_64h arm64", id="remove-two"
        ),
        pytest.param(["-extract", "arm64"], "arm64", id="extract"),
        pytest.param(["-extract", "arm64", "-extract", "i386"], "i386 arm64", id="extract-two"),
        pytest.param(["-extract_family", "x86_64"], "x86_64 x86_64h", id="family"),
        pytest.param(["-extract_family", "x86_64h"], "x86_64 x86_64h", id="family-of-another"),
        pytest.param(["--thin", "arm64e"], "arm64e", id="thin"),
        pytest.param(
            ["-replace", "arm64", "3.o"], "i386 x86_64 x86_64h arm64 arm64e", id="replace"
        ),
        pytest.param(["-create", "-fat64"], "i386 x86_64 x86_64h arm64 arm64e", id="create-fat64"),
    ],
)
def test_operations(fat_file: Path, words: list[str], archs: str) -> None:
    assert call(fat_file, *words, "-o", "out") == Answer(0, "", "")
    assert call("-archs", "out").out.split() == archs.split()
    for name in archs.split():
        if words[0] != "--thin":
            assert call("out", "-thin", name, "-output", "one").code == 0
        assert Path("one" if words[0] != "--thin" else "out").read_bytes() in {
            path.read_bytes() for path in Path().glob("*.o")
        }


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        pytest.param(["-remove", "armv7"], "has no architecture armv7", id="remove-absent"),
        pytest.param(["-extract_family", "armv7"], "has no architecture armv7", id="family-absent"),
        pytest.param(
            ["-replace", "arm64", "3.o", "-replace", "arm64e", "3.o"],
            "two files for arm64",
            id="replace-twice",
        ),
        pytest.param(["-create", "-segalign", "armv7", "4"], "no such architecture", id="segalign"),
        pytest.param(["-create", "0.o"], "fat and 0.o have the same architecture i386", id="twice"),
        pytest.param(["-create", "missing"], "missing: No such file", id="missing"),
        pytest.param(["-create", "."], r"lipo: \.: is not a regular file", id="folder"),
    ],
)
def test_refusals(fat_file: Path, words: list[str], problem: str) -> None:
    answer = call(fat_file.name, *words, "-output", "out")
    assert answer.code == 1
    assert re.search(problem, answer.err)
    assert not Path("out").exists()


def test_remove_leaves_something(fat_file: Path) -> None:
    assert call(fat_file, "-thin", "arm64", "-output", "thin").code == 0
    assert call("-create", "thin", "-output", "one").code == 0
    answer = call("one", "-remove", "arm64", "-output", "out")
    assert "would leave no architecture of one" in answer.err


def test_info_groups_universal_files_before_thin_ones(fat_file: Path) -> None:
    answer = call("-info", "3.o", "fat", "0.o")
    assert answer.out == (
        "Architectures in the fat file: fat are: i386 x86_64 x86_64h arm64 arm64e \n"
        "Non-fat file: 3.o is architecture: arm64 \n"
        "Non-fat file: 0.o is architecture: i386 \n"
    )


def test_detailed_info(fat_file: Path) -> None:
    assert call("fat", "-extract", "arm64", "-extract", "arm64e", "-output", "two").code == 0
    Path("odd").write_bytes(build.raw_fat([(99, 7, 28, 32, 2)]) + obj((99, 7)) + bytes(4))
    assert call("-detailed_info", "two", "odd", "3.o").out == (
        "Fat header in: two\n"
        "fat_magic 0xcafebabe\n"
        "nfat_arch 2\n"
        "architecture arm64\n"
        "    cputype CPU_TYPE_ARM64\n"
        "    cpusubtype CPU_SUBTYPE_ARM64_ALL\n"
        "    capabilities 0x0\n"
        "    offset 16384\n"
        "    size 35\n"
        "    align 2^14 (16384)\n"
        "architecture arm64e\n"
        "    cputype CPU_TYPE_ARM64\n"
        "    cpusubtype CPU_SUBTYPE_ARM64E\n"
        "    capabilities 0x80\n"
        "    offset 32768\n"
        "    size 36\n"
        "    align 2^14 (16384)\n"
        "Fat header in: odd\n"
        "fat_magic 0xcafebabe\n"
        "nfat_arch 1\n"
        "architecture (cputype (99) cpusubtype (7))\n"
        "    cputype (99)\n"
        "    cpusubtype cpusubtype (7)\n"
        "    capabilities 0x0\n"
        "    offset 28\n"
        "    size 32\n"
        "    align 2^2 (4)\n"
        "input file 3.o is not a fat file\n"
        "Non-fat file: 3.o is architecture: arm64\n"
    )


def test_verify_arch(fat_file: Path) -> None:
    assert call(fat_file, "-verify_arch", "arm64", "i386") == Answer(0, "", "")
    assert call(fat_file, "-verify_arch", "arm64", "armv7") == Answer(1, "", "")
    assert call("3.o", "-verify_arch", "arm64") == Answer(0, "", "")
    assert call("3.o", "-verify_arch", "arm64e") == Answer(1, "", "")


def test_static_libraries_have_an_architecture(here: Path) -> None:
    (here / "lib.a").write_bytes(build.archive(build.member("x.o", obj(ARM64))))
    assert call("-info", "lib.a").out == "Non-fat file: lib.a is architecture: arm64 \n"


def test_the_output_may_be_an_input(fat_file: Path) -> None:
    before = Path("1.o").read_bytes()
    assert call("-create", "3.o", "1.o", "-output", "1.o").code == 0
    assert call("-archs", "1.o").out == "x86_64 arm64 \n"
    assert call("1.o", "-thin", "x86_64", "-output", "1.o").code == 0
    assert Path("1.o").read_bytes() == before


def test_a_failing_write_leaves_nothing(fat_file: Path) -> None:
    Path("taken").mkdir()
    Path("taken/x").touch()
    names = sorted(path.name for path in Path().iterdir())
    assert call("-create", "3.o", "1.o", "-output", "taken").code == 1
    assert call("-create", "3.o", "1.o", "-output", "no/such/folder").code == 1
    assert sorted(path.name for path in Path().iterdir()) == names


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (lambda path: os.truncate(path, 10), r"it had \d+ bytes and ends at 10"),
        (lambda path: through_memory(path, 4), "its bytes are others now"),
        (os.utime, "it was written to"),
        (replaced, "another file has its name"),
    ],
    ids=["shorter", "header", "touched", "replaced"],
)
def test_a_file_that_changes_after_it_was_looked_at(
    change: Callable[[Path], object],
    how: str,
    fat_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = universal.layout

    def then(*args: Any, **options: Any) -> Any:
        change(Path("3.o"))
        return real(*args, **options)

    monkeypatch.setattr(universal, "layout", then)
    answer = call("-create", "3.o", "1.o", "-output", "out")
    assert (answer.code, answer.out) == (1, "")
    said = rf"fatal error: fatwheel lipo: 3\.o: changed while it was read \({how}\); try again .*\n"
    assert re.fullmatch(said, answer.err)
    assert not Path("out").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_is_refused_without_waiting(here: Path) -> None:
    os.mkfifo("fifo")
    said = "fatal error: fatwheel lipo: fifo: is not a regular file\n"
    assert call("-info", "fifo") == Answer(1, "", said)


# Arguments.


def test_arguments_become_one_value() -> None:
    words = "-arch arm64 b.o a.o -create -segalign x86_64 1000 -fat64 -output out"
    command = parse_args(words.split())
    assert command == Command(
        action=Action.CREATE,
        inputs=(Input(path="a.o"), Input(path="b.o", cpu=command.inputs[1].cpu)),
        output="out",
        aligns=((command.aligns[0][0], 12),),
        fat64=True,
    )
    assert command.inputs[1].cpu is not None
    assert command.inputs[1].cpu.name == "arm64"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        pytest.param("", "say what to do: one of -create", id="nothing"),
        pytest.param("-create", "name at least one input", id="no-input"),
        pytest.param("a -create", "-create needs -output", id="no-output"),
        pytest.param("a b -thin arm64 -output o", "single input file, not 2", id="two-inputs"),
        pytest.param("a -thin arm6 -output o", "unknown architecture arm6; known are", id="arch"),
        pytest.param("a -thin", "missing argument to -thin: it takes 1", id="argument"),
        pytest.param("a -create -info", "one of these .* -create -info", id="two-actions"),
        pytest.param("a -thin arm64 -thin i386 -o o", "-thin -thin", id="thin-twice"),
        pytest.param("a -frob", "unknown argument -frob", id="unknown"),
        pytest.param("a -create -segalign arm64 xyz -o o", "no hexadecimal", id="segalign-text"),
        pytest.param("a -create -segalign arm64 -4 -o o", "power of two", id="segalign-negative"),
        pytest.param(
            "a -create -segalign arm64 4 -segalign arm64 4 -o o", "given twice", id="segalign-twice"
        ),
    ],
)
def test_other_arguments(words: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parse_args(words.split())


def test_a_single_dash_is_a_file_name() -> None:
    assert parse_args(["-", "-info"]).inputs == (Input(path="-"),)


# delocate.


APPLES_WORDS = re.compile(
    r"^fatal error: (?P<program>.+): can't figure out the architecture type of: (?P<file>.+)\n$"
)


@pytest.mark.parametrize(
    "data", [b"", b"text\n", b"\x7fELF" + bytes(60)], ids=["empty", "text", "elf"]
)
def test_apples_words_for_what_is_no_object(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    answer = call("-create", tmp_path / "x", "-output", tmp_path / "out")
    found = APPLES_WORDS.match(answer.err)
    assert found
    assert found["file"] == str(tmp_path / "x")


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@POSIX_ONLY
def test_delocate_fuses_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    script(programs / "lipo", f'exec "{sys.executable}" -m fatwheel lipo "$@"')
    script(programs / "codesign", "exit 0")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    for name, cpu in (("x", X86_64), ("a", ARM64)):
        tree = tmp_path / name / "pkg"
        tree.mkdir(parents=True)
        (tree / "ext.so").write_bytes(build.image(cpu, filetype=8))
        (tree / "ext.so").chmod(0o755)
        (tree / "lib.a").write_bytes(build.archive(build.member("x.o", obj(cpu))))
        (tree / "text.py").write_text(name)
        (tree / "same.txt").write_text("same")
    fuse_trees(tmp_path / "x", tmp_path / "a")
    fused = tmp_path / "x" / "pkg"
    assert call("-archs", fused / "ext.so").out == "x86_64 arm64 \n"
    assert call("-archs", fused / "lib.a").out == "x86_64 arm64 \n"
    assert (fused / "text.py").read_text() == "a"
    assert os.access(fused / "ext.so", os.X_OK)


# Against llvm-lipo.


def test_random_calls_equal_llvm_lipo(here: Path) -> None:
    program = require_tool("llvm-lipo-19", "apt-get install llvm-19")
    rng = random.Random(3)
    names = {"i386": I386, "x86_64": X86_64, "x86_64h": X86_64H, "arm64": ARM64, "arm64e": ARM64E}
    for name, cpu in names.items():
        (here / f"{name}.o").write_bytes(obj(cpu, rng.randrange(9)))
        Path(f"{name}.a").write_bytes(build.archive(build.member("m.o", obj(cpu))))
        Path(f"{name}.o").chmod(rng.choice([0o644, 0o755]))
    for _ in range(40):
        chosen = rng.sample(list(names), rng.randrange(1, 6))
        inputs = [f"{name}.{rng.choice('ooa')}" for name in chosen]
        create = ["-create", *inputs, *rng.choice([[], ["-fat64"]])]
        if rng.random() < 0.4:
            create += ["-segalign", chosen[0], f"{1 << rng.randrange(16):x}"]
        one = rng.choice([*names])
        for words in (
            create,
            ["ours.out", "-thin", one],
            # Not with -fat64, which llvm-lipo ignores here and Apple's does not.
            ["ours.out", "-extract", one],
            ["ours.out", "-replace", one, f"{one}.o"],
        ):
            compare(program, words)


def compare(program: str, words: Sequence[str]) -> None:
    """Run both with these words. llvm-lipo cannot read libraries within a fat file; that is left out."""
    theirs = subprocess.run(
        [program, *words, "-output", "theirs.out"], capture_output=True, text=True, check=False
    )
    target = "ours.out" if words[0] == "-create" else "other.out"
    answer = call(*words, "-output", target)
    if theirs.returncode and "Unrecognized MachO magic" in theirs.stderr:
        return
    assert (answer.code != 0) == (theirs.returncode != 0), (words, answer, theirs.stderr)
    if answer.code == 0:
        assert Path(target).read_bytes() == Path("theirs.out").read_bytes(), words
        assert Path(target).stat().st_mode == Path("theirs.out").stat().st_mode, words
