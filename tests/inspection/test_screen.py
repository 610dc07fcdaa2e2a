"""What people see: on 80 columns, in a pipe, on a page."""

from __future__ import annotations

import html.parser
import io
import re
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from fatwheel.fusion.fuse import FuseOptions, fuse_wheels
from fatwheel.fusion.plan import PlanOptions
from fatwheel.fusion.rules import RuleSet, parse_rule
from fatwheel.inspection.comparison import compare
from fatwheel.inspection.folders import inspect_path
from fatwheel.inspection.inspection import Inspection
from fatwheel.inspection.report import report_html
from fatwheel.inspection.screen import screen
from fatwheel.inspection.wheels import inspect_wheel
from fatwheel.inspection.why import why_screen
from tests.support.wheels import (
    NATIVE,
    A,
    X,
    code,
    dylib,
    make_pair,
    make_wheel,
    program,
    universal,
)

FAT = "macosx_10_13_universal2"
LOADS = ["@loader_path/lib/libb.dylib"]
FILES = {
    NATIVE: universal(code(X, loads=LOADS), code(A, loads=LOADS)),
    "pkg/lib/libb.dylib": universal(
        *(dylib(arch, loads=["@rpath/libc.dylib"], rpaths=["@loader_path"]) for arch in (X, A))
    ),
    "pkg/lib/libc.dylib": universal(dylib(X), dylib(A, minos=(14, 0))),
    "pkg/lib/libone.dylib": dylib(A, loads=["/opt/homebrew/lib/libz.dylib"]),
    "pkg/tool": universal(program(X), program(A)),
    "pkg/data.bin": bytes(50_000),
}


def drawn(drawing: RenderableType | None, width: int = 80) -> str:
    assert drawing is not None
    out = io.StringIO()
    console = Console(file=out, width=width, markup=False, emoji=False, highlight=False)
    console.print(drawing)
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    return inspect_wheel(make_wheel(tmp_path_factory.mktemp("in"), FAT, FILES))


@pytest.mark.parametrize("options", [{}, {"verbose": True}, {"loads": True}], ids=str)
@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_screen(
    options: dict[str, bool], width: int, wheel: Inspection
) -> None:
    text = drawn(screen(wheel, **options), width)
    assert max(map(len, text.split("\n"))) <= width
    assert "\x1b" not in text


def test_what_stands_out(wheel: Inspection) -> None:
    text = drawn(screen(wheel), 120)
    assert re.search(r"tags promise +macOS 10\.13 +macOS 11\.0\n", text)
    assert re.search(r"code allows +macOS 10\.13 +macOS 14\.0 \(1\), 11\.0 \(4\)\n", text)
    assert re.search(r"One-sided: 1 file \(\d+ B\) for arm64 only\.\n", text)
    assert re.search(r"libone\.dylib +- +\d+ B +only arm64\n", text)
    assert re.search(r"libc\.dylib .* arm64: macOS 14\.0\n", text)
    assert re.search(r"/opt/homebrew/lib/libz\.dylib +outside +1\n", text)
    assert re.search(r"\.bin +1 +50 kB", text)


def test_every_fact_is_told(wheel: Inspection) -> None:
    text = drawn(screen(wheel, loads=True), 150)
    assert re.search(r"arm64 +\d+ B  macOS 14\.0  ad hoc\n", text)
    assert re.search(r"inside +pkg/lib/libc\.dylib  by rpath @loader_path\n", text)
    assert re.search(r"used by +pkg/lib/libb\.dylib\n", text)
    assert re.search(r"rpath +@loader_path\n", text)
    assert re.search(r"name +@rpath/this\.dylib\n", text)


def test_who_loads_a_file_and_through_whom(wheel: Inspection) -> None:
    assert drawn(why_screen(wheel, "libc.dylib")) == (
        "pkg/lib/libc.dylib\n"
        "└── pkg/lib/libb.dylib  x86_64, arm64\n"
        "    as @rpath/libc.dylib  by rpath @loader_path\n"
        f"    └── {NATIVE}  x86_64, arm64\n"
        "        as @loader_path/lib/libb.dylib\n"
    )
    assert "no load command here leads to it" in drawn(why_screen(wheel, NATIVE))
    assert drawn(why_screen(wheel, "libz.dylib")).split("\n")[:2] == [
        "/opt/homebrew/lib/libz.dylib",
        "└── pkg/lib/libone.dylib",
    ]
    assert why_screen(wheel, "b.dylib") is None  # the end of a path, not of a name


def test_loaders_in_a_circle_are_told_once(tmp_path: Path) -> None:
    files = {
        "pkg/a.dylib": dylib(A, loads=["@loader_path/b.dylib"]),
        "pkg/b.dylib": dylib(A, loads=["@loader_path/a.dylib"]),
    }
    found = inspect_wheel(make_wheel(tmp_path, "macosx_11_0_arm64", files))
    assert drawn(why_screen(found, "pkg/a.dylib")).count("pkg/") == 3


def test_a_large_wheel_fits_on_a_screen(tmp_path: Path) -> None:
    files = {f"pkg/f{n % 9}/m{n:03}.so": code(A, bytes(n)) for n in range(1, 300)}
    files["pkg/f3/odd.so"] = code(X)
    found = inspect_wheel(make_wheel(tmp_path, FAT, files))
    text = drawn(screen(found), 100)
    assert len(text.split("\n")) < 70
    assert "One-sided: 1 file" in text
    assert len(drawn(screen(found, verbose=True), 100).split("\n")) > 600


def test_files_that_differ_show_in_a_folder_of_many(tmp_path: Path) -> None:
    files = {f"pkg/m{n:03}.so": code(A, bytes(n)) for n in range(1, 60)}
    files["pkg/odd.so"] = code(A, minos=(13, 0))
    text = drawn(screen(inspect_wheel(make_wheel(tmp_path, "macosx_11_0_arm64", files))))
    assert re.search(r"odd\.so +\d+ B +macOS 13\.0\n", text)
    assert re.search(r"\.\.\. 54 smaller files", text)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_without_code_it_is_said(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"text")
    path = tmp_path if kind == "folder" else tmp_path / "a.txt"
    assert "No macOS code" in drawn(screen(inspect_path(path)))


# ---- The page ----


class Tags(html.parser.HTMLParser):
    """What a page is made of: open tags, attributes, texts."""

    VOID = frozenset({"meta", "wbr", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert tags.open == []
    return tags


def test_a_page_is_whole_in_itself(wheel: Inspection) -> None:
    tags = read(report_html([wheel]))
    names = {name for name, _ in tags.seen}
    assert not names & {"script", "link", "img", "iframe", "object"}
    assert not any(
        key in ("src", "href") or key.startswith("on") for _, a in tags.seen for key in a
    )
    assert "url(" not in report_html([wheel])
    for word in ("libone.dylib", "only arm64", "loads /opt/homebrew/lib/libz.dylib", "data.bin"):
        assert word in tags.text


def test_bars_are_as_long_as_their_bytes(wheel: Inspection) -> None:
    bars: list[tuple[float, dict[str, float]]] = []
    for name, attributes in read(report_html([wheel])).seen:
        style = re.fullmatch(r"width:([\d.]+)%", attributes.get("style") or "")
        kind = attributes.get("class")
        if name == "span" and style is not None and kind == "bar":
            bars.append((float(style[1]), {}))
        elif name == "span" and style is not None and kind is not None:
            bars[-1][1][kind] = float(style[1])
    whole, largest, *_ = bars
    assert (whole[0], largest[0]) == (100.0, 100.0)
    for _, parts in bars:
        assert sum(parts.values()) == pytest.approx(100, abs=0.05)
    for arch in (X, A):
        share = 100 * sum(one.size for one in wheel.code(arch)) / wheel.installed
        assert whole[1][arch.value] == pytest.approx(share, abs=0.01)


def test_a_page_shows_strangers_texts_as_text(tmp_path: Path) -> None:
    name = "pkg/<img src=x onerror=alert(1)>\u202e.dylib"
    load = "/opt/<script>alert(2)</script>"
    path = make_wheel(tmp_path, "macosx_11_0_arm64", {name: dylib(A, loads=[load])})
    page = report_html([inspect_wheel(path)], fuse=["<b>bold</b>"])
    tags = read(page)
    assert {name for name, _ in tags.seen}.isdisjoint({"img", "script"})
    assert load in tags.text
    assert "\u202e" not in page
    assert "<b>bold</b>" in tags.text


# ---- Wheels that no screen was made for ----


def test_folders_without_end_and_folders_without_number(tmp_path: Path) -> None:
    files = {"/".join(["d"] * deep) + "/m.so": code(A) for deep in range(1, 500, 5)}
    files |= {f"wide{n:04}/m.so": code(A) for n in range(1000)}
    found = inspect_wheel(make_wheel(tmp_path, "macosx_11_0_arm64", files))
    text = drawn(screen(found))
    assert len(text.split("\n")) < 120
    assert re.search(r"\.\.\. 971 smaller folders +\d+ kB +971 files", text)
    assert drawn(screen(found, verbose=True)).count("m.so") == 1100
    assert read(report_html([found])).text.count("m.so") == 1100


def test_what_is_true_of_many_files_is_told_of_some(tmp_path: Path) -> None:
    files = {f"pkg/m{n:02}.so": code(X) for n in range(50)} | {"pkg/n.so": code(A)}
    others = [code(A, cpu=(0x01000070 + n, 3)) for n in range(9)]
    files["pkg/odd.so"] = universal(code(X), code(A), *others)
    text = drawn(screen(inspect_wheel(make_wheel(tmp_path, FAT, files))), 200)
    assert re.search(r"\.\.\. 32 more files .* of note", text)
    assert "One-sided: 50 files" in text
    assert re.search(r"Code for others: .* \(1 file\), 4 others\.\n", text)


def test_a_stream_without_unicode_gets_plain_guides(wheel: Inspection) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(file=out, width=100, markup=False, highlight=False).print(screen(wheel))
    out.flush()
    out.seek(0)
    assert "+- libb.dylib" in out.read()


def test_each_of_several_tags_has_its_promise(tmp_path: Path) -> None:
    platform = "macosx_10_13_x86_64.macosx_12_0_universal2"
    found = inspect_wheel(make_wheel(tmp_path, platform, {NATIVE: universal(code(X), code(A))}))
    text = drawn(screen(found))
    assert re.search(r"tags promise +macOS 10\.13 +macOS 12\.0\n", text)
    assert re.search(r"- macosx_10_13_x86_64 +macOS 10\.13 +-\n", text)
    assert re.search(r"- macosx_12_0_universal2 +macOS 12\.0 +macOS 12\.0\n", text)


def test_a_page_compares_two_wheels(tmp_path: Path) -> None:
    wheels = make_pair(tmp_path, x86_64={"pkg/<x>.txt": b"1"}, arm64={"pkg/a.txt": b"1"})
    found = [inspect_wheel(one) for one in wheels]
    text = read(report_html(found, comparison=compare(*found), fuse=["fuses"])).text
    for words in ("Only left: 1 file", "pkg/<x>.txt", "Only right: 1 file", "10.13", "fuses"):
        assert words in text


def test_details_end_where_nobody_reads_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fatwheel.inspection.details._MOST_LINES", 40)
    monkeypatch.setattr("fatwheel.inspection.details._MOST_OF_ONE", 12)
    loads = [f"/usr/lib/lib{n}.dylib" for n in range(20)]
    files = {f"pkg/m{n}.so": code(A, loads=loads) for n in range(4)}
    found = inspect_wheel(make_wheel(tmp_path, "macosx_11_0_arm64", files))
    text = drawn(screen(found, loads=True))
    assert text.count("... and 9 more (--json tells them)") == 1
    assert "... and 3 more files (--json tells them)" in text


def test_what_a_wheel_was_made_of_and_what_was_decided(tmp_path: Path) -> None:
    wheels = make_pair(tmp_path, x86_64={"pkg/a.py": b"a = 1\n"}, arm64={"pkg/a.py": b"a = 2\n"})
    rules = RuleSet(rules=(parse_rule("pkg/a.py=keep-arm64"),))
    options = FuseOptions(plan=PlanOptions(rules=rules, generator="fatwheel 9"))
    text = drawn(screen(inspect_wheel(fuse_wheels(*wheels, tmp_path / "out", options).path)), 120)
    assert re.search(rf"made by fatwheel 9 *\n +x86_64 +{wheels[0].name}\n", text)
    assert re.search(r"keep-arm64 +pkg/a\.py: --rule \(", text)
