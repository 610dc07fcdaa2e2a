"""Where each load command leads, as dyld resolves it in the installed wheel."""

from __future__ import annotations

from typing import Any

import pytest

from fatwheel.arch import Arch
from fatwheel.macho.image import FileType, Image, LoadKind
from fatwheel.wheels.dyld import Load, Loads, Where, resolve_loads
from tests.support.macho import X86_64, command, image
from tests.support.wheels import A, X, code, content_of

MEMBERS = [
    "pkg/mod.so",
    "pkg/.dylibs/libz.dylib",
    "pkg/sub/libz.dylib",
    "pkg/libonly.dylib",
    "pkg-1.0.data/platlib/pkg/liblate.dylib",
    "pkg-1.0.data/scripts/tool",
    "pkg-1.0.data/data/lib/libdata.dylib",
]


def made(kind: FileType = FileType.BUNDLE, arch: Arch = X, **options: Any) -> Image:
    found = content_of(code(arch, kind=kind, **options))
    assert isinstance(found, Image)
    return found


def dylib(*loads: str, rpaths: list[str] | None = None, **options: Any) -> Image:
    return made(FileType.DYLIB, loads=loads, rpaths=rpaths or [], **options)


def resolved(wheel: dict[str, Image], arch: Arch = X, members: list[str] | None = None) -> Loads:
    names = [*wheel, *(members or [])]
    return resolve_loads([(name, arch, one) for name, one in wheel.items()], names)


def only(found: Loads, member: str) -> Load:
    (load,) = [load for load in found.loads if load.member == member]
    return load


@pytest.mark.parametrize(
    ("load", "rpaths", "where", "path"),
    [
        ("/usr/lib/libz.dylib", [], Where.SYSTEM, "/usr/lib/libz.dylib"),
        ("/System/Library/X.framework/X", [], Where.SYSTEM, "/System/Library/X.framework/X"),
        ("/usr/lib/../local/lib/a", [], Where.OUTSIDE, "/usr/lib/../local/lib/a"),
        ("/usr/local/lib/libz.dylib", [], Where.OUTSIDE, "/usr/local/lib/libz.dylib"),
        ("@loader_path/libonly.dylib", [], Where.INSIDE, "pkg/libonly.dylib"),
        ("@loader_path/../pkg/./sub/libz.dylib", [], Where.INSIDE, "pkg/sub/libz.dylib"),
        ("@loader_path/liblate.dylib", [], Where.INSIDE, "pkg/liblate.dylib"),
        ("@loader_path/libz.dylib", [], Where.GONE, "pkg/libz.dylib"),
        ("@loader_path/../other/libz.dylib", [], Where.BESIDE, "other/libz.dylib"),
        ("@loader_path/../../../a.dylib", [], Where.BESIDE, "../../a.dylib"),
        ("@rpath/libdata.dylib", ["@loader_path/../../../../lib"], Where.INSIDE, "../../../lib/libdata.dylib"),
        ("@rpath/libz.dylib", ["@loader_path/no", "@loader_path/sub"], Where.INSIDE, "pkg/sub/libz.dylib"),
        ("@rpath/libz.dylib", ["/opt/x", "@loader_path/sub"], Where.INSIDE, "pkg/sub/libz.dylib"),
        ("@rpath/libz.dylib", ["/opt/x"], Where.OUTSIDE, "/opt/x/libz.dylib"),
        ("@rpath/libz.dylib", ["/opt/x", "@loader_path/../o"], Where.BESIDE, "o/libz.dylib"),
        ("@rpath/libz.dylib", ["@loader_path"], Where.UNFOUND, None),
        ("@rpath/libz.dylib", ["lib", "@loader_pathlib"], Where.UNFOUND, None),
        ("@rpath/libz.dylib", ["@executable_path/../lib"], Where.ANY, None),
        ("@rpath/libswiftCore.dylib", ["/usr/lib/swift"], Where.SYSTEM, "/usr/lib/swift/libswiftCore.dylib"),
        ("@rpath/libz.dylib", ["/usr/lib"], Where.UNFOUND, None),
        ("@rpath/libz.dylib", [], Where.UNFOUND, None),
        ("@executable_path/libz.dylib", [], Where.ANY, None),
        ("libz.dylib", [], Where.ANY, None),
    ],
)  # fmt: skip
def test_what_a_load_command_means(
    load: str, rpaths: list[str], where: Where, path: str | None
) -> None:
    found = only(
        resolved({"pkg/mod.so": made(loads=[load], rpaths=rpaths)}, members=MEMBERS), "pkg/mod.so"
    )
    assert (found.where, found.path) == (where, path)
    assert (found.target is not None) == (where is Where.INSIDE)


def test_an_rpath_of_whoever_loads_the_loader() -> None:
    """mod.so loads liba by its own rpath, and liba's libb is found by mod.so's, two loads up."""
    wheel = {
        "pkg/mod.so": made(loads=["@rpath/liba.dylib"], rpaths=["@loader_path/lib"]),
        "pkg/lib/liba.dylib": dylib("@loader_path/libc.dylib"),
        "pkg/lib/libc.dylib": dylib("@rpath/libb.dylib", rpaths=["@loader_path/none"]),
        "pkg/lib/libb.dylib": dylib(),
    }
    found = resolved(wheel)
    assert only(found, "pkg/lib/libc.dylib") == Load(
        "pkg/lib/libc.dylib",
        X,
        "@rpath/libb.dylib",
        LoadKind.PLAIN,
        Where.INSIDE,
        path="pkg/lib/libb.dylib",
        target="pkg/lib/libb.dylib",
        rpath="@loader_path/lib",
        rpath_of="pkg/mod.so",
    )
    assert found.reached_from(["pkg/mod.so"], X) == set(wheel)
    assert found.reached_from(["pkg/mod.so"], A) == {"pkg/mod.so"}


def test_a_loader_that_is_found_by_a_chain_is_one_for_others() -> None:
    """What a chain finds brings its own chain: liba → libb (mod.so's rpath) → libc (mod.so's rpath)."""
    found = resolved(
        {
            "pkg/libb.dylib": dylib("@rpath/libc.dylib"),
            "pkg/liba.dylib": dylib("@rpath/libb.dylib"),
            "pkg/mod.so": made(loads=["@loader_path/liba.dylib"], rpaths=["@loader_path"]),
            "pkg/libc.dylib": dylib(),
        }
    )
    assert only(found, "pkg/libb.dylib").target == "pkg/libc.dylib"


def test_the_first_rpath_with_code_for_the_architecture_counts() -> None:
    slices = [
        ("pkg/mod.so", X, made(loads=["@rpath/liba.dylib"], rpaths=["@loader_path/a", "@loader_path/b"])),
        ("pkg/a/liba.dylib", A, dylib(arch=A)),
        ("pkg/b/liba.dylib", X, dylib()),
    ]  # fmt: skip
    names = [name for name, _, _ in slices]
    assert only(resolve_loads(slices, names), "pkg/mod.so").target == "pkg/b/liba.dylib"
    few = resolve_loads(slices[:2], names[:2])
    assert only(few, "pkg/mod.so").target == "pkg/a/liba.dylib"


def test_a_library_of_that_install_name_may_be_loaded_already() -> None:
    wheel = {
        "pkg/mod.so": made(loads=["@rpath/liba.dylib"]),
        "pkg/x/renamed.dylib": dylib(install_name="@rpath/liba.dylib"),
        "pkg/x/liba.dylib": dylib(install_name="@rpath/other.dylib"),
    }
    found = only(resolved(wheel), "pkg/mod.so")
    assert (found.where, found.alike) == (Where.ANY, ("pkg/x/renamed.dylib",))


def test_a_program_is_its_own_executable() -> None:
    wheel = {
        "pkg/bin/tool": made(FileType.EXECUTE, loads=["@executable_path/../lib/liba.dylib"]),
        "pkg/lib/liba.dylib": dylib("@executable_path/../lib/libb.dylib"),
        "pkg/lib/libb.dylib": dylib("@executable_path/../lib/libgone.dylib"),
    }
    found = resolved(wheel)
    assert only(found, "pkg/bin/tool").target == "pkg/lib/liba.dylib"
    assert only(found, "pkg/lib/liba.dylib").target == "pkg/lib/libb.dylib"
    assert only(found, "pkg/lib/libb.dylib").where is Where.ANY


def test_any_program_of_the_wheel_may_open_a_plug_in() -> None:
    name = "@executable_path/../lib/liba.dylib"
    wheel = {
        "pkg/bin/tool": made(FileType.EXECUTE),
        "pkg/lib/liba.dylib": dylib(),
        "pkg/plugins/one.so": made(loads=[name]),
        "pkg/plugins/two.so": made(loads=["@rpath/liba.dylib"], rpaths=["@executable_path/../lib"]),
    }
    found = resolved(wheel)
    assert {load.target for load in found.loads} == {"pkg/lib/liba.dylib"}


def test_old_code_has_the_usual_libraries_of_macos_searched_at_last() -> None:
    """Packagers' compilers name libc++ by an rpath of theirs, and dyld falls back to /usr/lib; no longer from 13 on."""
    loads, rpaths = ["@rpath/libc++.1.dylib"], ["/Users/me/conda/lib"]
    old, new = (made(loads=loads, rpaths=rpaths, minos=minos) for minos in ((12, 7), (13, 0)))
    found = only(resolved({"pkg/mod.so": old}), "pkg/mod.so")
    assert (found.where, found.path) == (Where.SYSTEM, "/usr/lib/libc++.1.dylib")
    found = only(resolved({"pkg/mod.so": new}), "pkg/mod.so")
    assert found.where is Where.OUTSIDE


@pytest.mark.parametrize(
    ("cmd", "kind"),
    [
        (0x0C, LoadKind.PLAIN),
        (0x80000018, LoadKind.WEAK),
        (0x8000001F, LoadKind.REEXPORT),
        (0x80000023, LoadKind.UPWARD),
        (0x20, LoadKind.LAZY),
    ],
)
def test_kinds_of_loads(cmd: int, kind: LoadKind) -> None:
    name = "@loader_path/liba.dylib"
    found = resolved({"pkg/mod.so": made(loads=[name], kinds={name: cmd})})
    assert only(found, "pkg/mod.so").kind is kind


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        (0, LoadKind.PLAIN),
        (1, LoadKind.WEAK),
        (2, LoadKind.REEXPORT),
        (4, LoadKind.UPWARD),
        (8, LoadKind.LAZY),
        (9, LoadKind.WEAK),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_dylib_use_commands(flags: int, kind: LoadKind, order: str) -> None:
    """The newer form of LC_LOAD_DYLIB, which linkers write for macOS 15: the flags stand behind a marker."""
    size = "little" if order == "<" else "big"
    words = b"".join(n.to_bytes(4, size) for n in (28, 0x1A741800, 0, 0, flags))  # type: ignore[arg-type]
    use = command(0x0C, words + b"@rpath/liba.dylib\0", order)
    found = content_of(image(X86_64, [use], filetype=FileType.DYLIB, order=order))
    assert isinstance(found, Image)
    assert (found.loads, found.load_kinds) == (("@rpath/liba.dylib",), (kind,))


def test_rpaths_and_loaders_without_end_leave_it_open() -> None:
    """Neither a million pairs of rpath and load are tried nor as many chains; nothing is said of the rest."""
    rpaths = [f"@loader_path/{n}" for n in range(1000)]
    loads = [f"@rpath/lib{n}.dylib" for n in range(1000)]
    wheel = {f"pkg/lib{n}.dylib": dylib(*loads[:5], rpaths=rpaths[:300]) for n in range(300)}
    wheel["pkg/mod.so"] = made(loads=loads, rpaths=rpaths)
    found = resolved(wheel)
    assert {load.where for load in found.loads} == {Where.UNFOUND}


@pytest.mark.parametrize("count", [10, 500, 2000])
def test_libraries_of_one_install_name_cost_each_load_the_same(count: int) -> None:
    """Of the libraries that a load may mean, each keeps a few: the work grows with the loads, not with their square."""
    same = dylib("@rpath/libsame.dylib", install_name="@rpath/libsame.dylib")
    found = resolved({f"pkg/lib{n}.dylib": same for n in range(count)})
    kept = [len(load.alike) for load in found.loads]
    assert len(kept) == count
    assert {load.where for load in found.loads} == {Where.ANY}
    assert max(kept) == min(count - 1, 16)
    assert sum(kept) <= 16 * count
    assert "pkg/lib1.dylib" in found.reached_from(["pkg/lib9.dylib"], X)


def test_circles_end() -> None:
    wheel = {
        "pkg/liba.dylib": dylib("@loader_path/libb.dylib"),
        "pkg/libb.dylib": dylib("@loader_path/liba.dylib", "@rpath/libgone.dylib"),
    }
    found = resolved(wheel)
    assert found.loads[-1].where is Where.UNFOUND
    assert found.reached_from(["pkg/liba.dylib"], X) == set(wheel)
