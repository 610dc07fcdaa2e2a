"""A build with a maturin that only pretends: what is run, what becomes of its wheels, and each refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.building.build import BuildFailedError, Built, made_wheels, run_build
from fatwheel.building.maturin import MaturinSettings
from fatwheel.building.plan import ORDER, BuildPlan, BuildRequest, plan_build
from fatwheel.building.report import built_json
from fatwheel.config import ArchConfig, Config
from fatwheel.errors import OutputExistsError, RefusedError, ToolError, UsageError
from fatwheel.fusion.fuse import ConflictsError, FuseOptions
from fatwheel.process import Command, Completed
from fatwheel.toolchain.host import Host
from fatwheel.toolchain.linker import Linker
from fatwheel.toolchain.lookup import Toolchain
from tests.support.fake_runner import FakeRunner, says
from tests.support.projects import BuiltWheel
from tests.support.wheels import FUSED_NAME, NATIVE, PLATFORMS, code, make_wheel, thin_wheel

TOOLCHAIN = Toolchain(
    maturin="maturin 1.16.0",
    rustc="rustc 1.95.0",
    sysroot=Path("/sysroot"),
    linker=Linker(kind="lld", zig=True, note="a note of the linker"),
)
Make = Callable[[Arch, Path], object]
_REPLACE = FuseOptions(replace=True)


def maturin(make: Make) -> Callable[[Command], Completed]:
    """A maturin that makes its wheel in `--out`."""

    def answer(command: Command) -> Completed:
        words = list(command.arguments)
        target = words[words.index("--target") + 1]
        (arch,) = [arch for arch in Arch if arch.rust_target == target]
        out = Path(words[words.index("--out") + 1])
        out.mkdir(parents=True)
        made = make(arch, out)
        return made if isinstance(made, Completed) else says(f"built {arch.value}\n")

    return answer


class Building:
    """A build in a folder, with pretended tools."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "dist"
        self.work = folder / "work"
        self.runner = FakeRunner({"python -I -m maturin build": maturin(thin_wheel)})
        self.said: list[str] = []
        self.output: list[bytes] = []
        self.platform = "linux"
        self.environ: dict[str, str] = {}
        self.linker = "lld"

    def plan(self, **changes: object) -> BuildPlan:
        values = {"project": self.folder, "source": "pyproject.toml", "out": self.out, **changes}
        host = Host(
            platform=self.platform,
            environ=self.environ,
            python="/venv/bin/python",
            ziglang=None,
            cache=self.folder / "cache",
        )
        toolchain = replace(TOOLCHAIN, linker=replace(TOOLCHAIN.linker, kind=self.linker))
        return plan_build(BuildRequest(**values), host, toolchain, self.work)  # type: ignore[arg-type]

    def run(self, options: FuseOptions = _REPLACE, **changes: object) -> Built:
        return run_build(
            self.plan(**changes),
            self.work,
            options,
            self.runner,
            say=self.said.append,
            output=self.output.append,
        )

    def made_by(self, make: Make) -> None:
        self.runner.answers["python -I -m maturin build"] = maturin(make)

    def results(self) -> list[str]:
        found = self.out.rglob("*") if self.out.exists() else []
        return sorted(str(path.relative_to(self.out)) for path in found)


@pytest.fixture
def building(tmp_path: Path) -> Building:
    return Building(tmp_path)


def test_both_architectures_are_built_and_fused(building: Building) -> None:
    built = building.run()
    assert [wheel.path for wheel in built.wheels] == [building.out / FUSED_NAME]
    assert building.results() == [FUSED_NAME]
    assert [run.arch for run in built.runs] == [Arch.ARM64, Arch.X86_64]
    assert [size > 0 for run in built.runs for size in run.wheels.values()] == [True, True]
    assert building.output == [b"built arm64\n", b"built x86_64\n"]
    assert building.said == [
        "building arm64 (aarch64-apple-darwin, macOS 11.0, profile release, linker lld)",
        "building x86_64 (x86_64-apple-darwin, macOS 10.12, profile release, linker lld)",
    ]


def test_a_second_build_replaces_the_first(building: Building) -> None:
    building.run()
    building.work = building.folder / "work2"
    building.run()
    assert building.results() == [FUSED_NAME]


@pytest.mark.parametrize("archs", [ORDER, (Arch.ARM64,)], ids=["both", "one"])
def test_a_wheel_is_replaced_only_where_that_is_allowed(
    building: Building, archs: tuple[Arch, ...]
) -> None:
    building.environ["MACOSX_DEPLOYMENT_TARGET"] = "10.13"
    (taken,) = [one.path for one in building.run(archs=archs).results]
    taken.write_bytes(b"precious")
    building.work = building.folder / "work2"
    with pytest.raises(OutputExistsError, match=rf"{taken.name} exists; replace it with --force"):
        building.run(FuseOptions(), archs=archs)
    assert taken.read_bytes() == b"precious"
    # its name is known after the first architecture, so the second is not compiled for nothing
    assert building.said[len(archs) :] == building.said[:1]


def test_other_results_are_not_replaced_either(building: Building) -> None:
    (thin,) = building.run(archs=(Arch.ARM64,)).alone
    (building.out / "thin").mkdir()
    taken = thin.path.rename(building.out / "thin" / thin.path.name)
    building.work = building.folder / "work2"
    with pytest.raises(OutputExistsError, match=rf"thin/{taken.name} exists"):
        building.run(FuseOptions(), keep_thin=True)
    assert building.results() == ["thin", f"thin/{taken.name}"]


@pytest.mark.parametrize("arch", Arch)
def test_one_architecture(building: Building, arch: Arch) -> None:
    name = f"pkg-1.0-cp312-cp312-{PLATFORMS[arch]}.whl"
    loads = ("/usr/lib/libSystem.B.dylib", "/opt/homebrew/lib/libpq.5.dylib")
    building.made_by(
        lambda arch, out: make_wheel(out, PLATFORMS[arch], {NATIVE: code(arch, loads=loads)})
    )
    built = building.run(archs=(arch,), keep_thin=True)
    assert building.results() == [name]
    (one,) = built.alone
    assert (built.wheels, built.thin) == ((), ())
    assert (one.path, one.size) == (building.out / name, (building.out / name).stat().st_size)
    assert [line.split(",")[0] for line in built.external] == [f"{NATIVE} loads {loads[1]}"]
    (line,) = building.said
    assert line.startswith(f"building {arch.value} ({arch.rust_target}, ")
    (entry,) = built_json(building.plan(archs=(arch,)), built, 1.0)["wheels"]
    assert (entry["path"], entry["plan"]) == (str(one.path), None)
    assert [finding["code"] for finding in entry["findings"]] == [f.code for f in one.findings]
    assert "FW202" not in {finding.code for finding in one.findings}


def test_one_architecture_whose_code_is_newer_than_its_tag(building: Building) -> None:
    building.made_by(
        lambda arch, out: make_wheel(out, PLATFORMS[arch], {NATIVE: code(arch, minos=(13, 0))})
    )
    with pytest.raises(RefusedError, match=r"needs macOS 13\.0, the tags promise .*; raise deploy"):
        building.run(archs=(Arch.X86_64,))
    assert not building.out.exists()


def test_a_failure_leaves_no_empty_folder(building: Building) -> None:
    building.made_by(lambda _arch, _out: says("error: no", 101))
    building.out = building.folder / "a" / "b"
    with pytest.raises(BuildFailedError):
        building.run()
    assert not (building.folder / "a").exists()
    (building.folder / "a").mkdir()
    building.work = building.folder / "work2"
    with pytest.raises(BuildFailedError):
        building.run()
    assert list((building.folder / "a").iterdir()) == []


def test_thin_wheels_are_kept_in_a_folder_of_their_own(building: Building) -> None:
    built = building.run(keep_thin=True)
    thin = [f"thin/pkg-1.0-cp312-cp312-{PLATFORMS[arch]}.whl" for arch in (Arch.X86_64, Arch.ARM64)]
    assert building.results() == [FUSED_NAME, "thin", *thin]
    assert sorted(built.thin) == [building.out / name for name in thin]


def test_the_sdist_is_made_once(building: Building) -> None:
    def make(command: Command) -> Completed:
        out = Path(command.arguments[command.arguments.index("--out") + 1])
        out.mkdir(parents=True)
        (out / "pkg-1.0.tar.gz").write_bytes(b"sdist")
        return says("")

    building.runner.answers["python -I -m maturin sdist"] = make
    assert building.run(sdist=True).sdist == building.out / "pkg-1.0.tar.gz"
    assert building.results() == [FUSED_NAME, "pkg-1.0.tar.gz"]
    calls = [call.arguments for call in building.runner.calls if call.program != "cargo"]
    assert [words[3] for words in calls] == ["sdist", "build", "build"]


def test_an_sdist_that_fails(building: Building) -> None:
    building.runner.answers["python -I -m maturin sdist"] = says("no LICENSE", 1)
    with pytest.raises(BuildFailedError, match=r"^making the sdist failed"):
        building.run(sdist=True)
    assert building.results() == []


def test_a_failing_build_says_which_and_leaves_what_was_made(building: Building) -> None:
    def make(arch: Arch, out: Path) -> object:
        return thin_wheel(arch, out) if arch is Arch.ARM64 else says("error: no", 101)

    building.made_by(make)
    with pytest.raises(
        BuildFailedError, match=r"^building x86_64 failed .*exit code is 101"
    ) as caught:
        building.run()
    assert caught.value.output == "error: no"
    assert [path.name for path in made_wheels(building.work)] == [
        "pkg-1.0-cp312-cp312-macosx_11_0_arm64.whl"
    ]
    assert building.results() == []


def other_abi(arch: Arch, out: Path) -> object:
    abi = "abi3" if arch is Arch.ARM64 else "cp312"
    return make_wheel(out, PLATFORMS[arch], {NATIVE: code(arch)}, abi=abi)


def one_more(arch: Arch, out: Path) -> object:
    if arch is Arch.ARM64:
        make_wheel(out, PLATFORMS[arch], {NATIVE: code(arch)}, python="cp313", abi="cp313")
    return thin_wheel(arch, out)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _arch, _out: None, r"maturin ended well for arm64 and made no wheel"),
        (
            lambda _arch, out: make_wheel(out, "any", {"pkg/a.py": b""}, python="py3", abi="none"),
            r"maturin made pkg-1\.0-py3-none-any\.whl where arm64's wheel was to come",
        ),
        (
            lambda _arch, out: make_wheel(out, "linux_x86_64", {"pkg/a.py": b""}),
            r"maturin made pkg-1\.0-cp312-cp312-linux_x86_64\.whl where arm64's",
        ),
        (
            lambda _arch, out: make_wheel(out, "macosx_11_0_x86_64", {"pkg/a.py": b""}),
            r"macosx_11_0_x86_64\.whl where arm64's",
        ),
        (
            lambda arch, out: make_wheel(out, "macosx_10_13_universal2", {NATIVE: code(arch)}),
            r"macosx_10_13_universal2\.whl where arm64's",
        ),
        (
            other_abi,
            r"do not pair up .*: .*abi3.*arm64\.whl, .*cp312-cp312-.*x86_64\.whl; features",
        ),
        (one_more, r"do not pair up .*: pkg-1\.0-cp313-cp313-macosx_11_0_arm64\.whl; features"),
    ],
    ids=["none", "pure", "linux", "other", "universal2", "abi", "one-more"],
)
def test_what_is_no_pair_of_halves(building: Building, make: Make, message: str) -> None:
    building.made_by(make)
    with pytest.raises(RefusedError, match=message):
        building.run()
    assert building.results() == []


def test_code_that_is_newer_than_its_tag(building: Building) -> None:
    building.made_by(
        lambda arch, out: make_wheel(out, PLATFORMS[arch], {NATIVE: code(arch, minos=(13, 0))})
    )
    with pytest.raises(RefusedError, match=r"needs macOS 13\.0, the tags promise .*; raise deploy"):
        building.run()
    assert building.results() == []


def with_thread_locals(align: int) -> Make:
    """A maturin whose modules have their thread-local variables at 0x1008, aligned to 2^`align` bytes."""

    def make(arch: Arch, out: Path) -> Path:
        return make_wheel(out, PLATFORMS[arch], {NATIVE: code(arch, thread_locals=(0x1008, align))})

    return make


@pytest.mark.parametrize(
    "archs", [ORDER, (Arch.ARM64,), (Arch.X86_64,)], ids=["both", "arm64", "x86_64"]
)
def test_thread_locals_that_zig_put_beside_their_alignment(
    building: Building, archs: tuple[Arch, ...]
) -> None:
    building.linker = "zig"
    building.made_by(with_thread_locals(6))
    with pytest.raises(RefusedError, match=r"variables begin at 0x1008, .*: --linker lld"):
        building.run(archs=archs)
    assert building.results() == []


def test_thread_locals_that_zig_put_where_they_belong(building: Building) -> None:
    building.linker = "zig"
    building.made_by(with_thread_locals(3))
    building.run()
    assert building.results() == [FUSED_NAME]


def test_thread_locals_of_another_linker_are_refused_where_they_crash(building: Building) -> None:
    building.made_by(with_thread_locals(6))
    with pytest.raises(RefusedError, match=r"crashes; .*zig still links what needs libc\+\+"):
        building.run(archs=(Arch.X86_64,))


def test_thread_locals_of_another_linker_for_arm64(building: Building) -> None:
    building.made_by(with_thread_locals(6))
    building.run(archs=(Arch.ARM64,))
    assert len(building.results()) == 1


def test_conflicts_leave_nothing(building: Building) -> None:
    building.made_by(
        lambda arch, out: make_wheel(
            out, PLATFORMS[arch], {NATIVE: code(arch), "pkg/data.txt": arch.value.encode()}
        )
    )
    with pytest.raises(ConflictsError, match=r"pkg/data\.txt"):
        building.run()
    assert building.results() == []
    assert len(made_wheels(building.work)) == 2


def test_dylibs_from_outside_are_reported(building: Building) -> None:
    loads = ("/usr/lib/libSystem.B.dylib", "/opt/homebrew/lib/libpq.5.dylib", "/System/Library/F/F")
    building.made_by(
        lambda arch, out: make_wheel(out, PLATFORMS[arch], {NATIVE: code(arch, loads=loads)})
    )
    (line,) = building.run().external
    assert line.startswith(
        f"{NATIVE} loads /opt/homebrew/lib/libpq.5.dylib, which other machines lack"
    )


def test_rpaths_of_the_machine_that_builds_are_reported(building: Building) -> None:
    rpaths = ("@loader_path/../lib", "/home/me/lib", "/usr/lib/swift", "/DLC/pkg")
    building.made_by(
        lambda arch, out: make_wheel(out, PLATFORMS[arch], {NATIVE: code(arch, rpaths=rpaths)})
    )
    (line,) = building.run().external
    assert line.startswith(f"{NATIVE} looks for libraries in /home/me/lib, a folder of the machine")


def graft(command: Command) -> Completed:
    words = list(command.arguments)
    wheel, out = Path(words[-1]), Path(words[words.index("-w") + 1])
    out.mkdir(parents=True)
    arch = Arch(words[words.index("--require-archs") + 1])
    make_wheel(out, wheel.stem.rpartition("-")[2], {NATIVE: code(arch, b"grafted")})
    return says("")


def test_on_macos_delocate_grafts_before_the_fusion(building: Building) -> None:
    building.platform = "darwin"
    building.runner.answers["python -m delocate.cmd.delocate_wheel"] = graft
    built = building.run(repair="delocate")
    assert b"grafted" in BuiltWheel(built.wheels[0].path).binary()
    grafts = [call for call in building.runner.calls if "-w" in call.arguments]
    assert len(grafts) == 2
    # where no module of the project can be taken for one of delocate's
    assert {call.cwd for call in grafts} == {building.work}


def test_a_dylib_that_delocate_cannot_graft(building: Building) -> None:
    building.platform = "darwin"
    building.runner.answers["python -m delocate.cmd.delocate_wheel"] = Completed(
        exit_code=1, stderr="@rpath/libx.dylib not found\n"
    )
    with pytest.raises(ToolError, match=r"--repair none leaves .* says:\n  @rpath/libx\.dylib not"):
        building.run(repair="delocate")


# --- the plan


def flag(plan: BuildPlan, option: str) -> list[str | None]:
    found: list[str | None] = []
    for build in plan.builds:
        words = build.command.arguments
        found.append(words[words.index(option) + 1] if option in words else None)
    return found


def test_profiles(building: Building) -> None:
    assert flag(building.plan(), "--profile") == ["release", "release"]
    settings = MaturinSettings(profile="dist")
    assert flag(building.plan(maturin=settings), "--profile") == ["dist", "dist"]
    assert flag(building.plan(maturin=settings, profile="dev"), "--profile") == ["dev", "dev"]


def test_features_are_united(building: Building) -> None:
    config = Config(x86_64=ArchConfig(features=("avx",)))
    plan = building.plan(config=config, maturin=MaturinSettings(features=("a",)))
    assert flag(plan, "--features") == [None, "a,avx"]
    plan = building.plan(config=config, features=("b",), maturin=MaturinSettings(features=("a",)))
    assert flag(plan, "--features") == ["a,b", "a,b,avx"]


def test_deployment_targets_in_rising_order_of_precedence(building: Building) -> None:
    def targets(**changes: object) -> list[str]:
        return [
            build.command.env["MACOSX_DEPLOYMENT_TARGET"]
            for build in building.plan(**changes).builds
        ]

    assert targets() == ["11.0", "10.12"]
    building.environ["MACOSX_DEPLOYMENT_TARGET"] = "10.13"
    assert targets() == ["11.0", "10.13"]
    maturin = MaturinSettings(deployment={Arch.X86_64: "10.14", Arch.ARM64: "12.0"})
    assert targets(maturin=maturin) == ["12.0", "10.14"]
    config = Config(x86_64=ArchConfig(deployment_target="10.15"))
    assert targets(maturin=maturin, config=config) == ["12.0", "10.15"]


def test_notes(building: Building) -> None:
    building.environ["MACOSX_DEPLOYMENT_TARGET"] = "10.9"
    first, second, third = building.plan().notes
    assert first == "a note of the linker"
    assert "arm64: deployment target 10.9" in second
    assert "x86_64: deployment target 10.9" in third


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arguments": ("--zig",)}, r"^--: --zig is fatwheel's to set"),
        (
            {"config": Config(maturin_args=("--target=x",))},
            r"^pyproject\.toml: maturin-args: --target is",
        ),
        (
            {"config": Config(arm64=ArchConfig(maturin_args=("-o", "x")))},
            r"^pyproject\.toml: \[tool\.fatwheel\.arm64\] maturin-args: -o is fatwheel's",
        ),
        (
            {"config": Config(arm64=ArchConfig(env=(("ARCHFLAGS", ""),)))},
            r"env\.ARCHFLAGS is fatwheel's to set",
        ),
    ],
)
def test_contradictions(building: Building, changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        building.plan(**changes)
