"""The differences of two texts, as a report shows them."""

from __future__ import annotations

import pytest

from fatwheel.fusion.differences import describe_difference, short_diff


@pytest.mark.parametrize(
    ("x86_64", "arm64", "lines"),
    [
        ("a\nb\nc\n", "a\nB\nc\n", ["@@ line 2 @@", "-b", "+B"]),
        ("a\nb\n", "a\nb\nc\n", ["@@ line 3 @@", "+c"]),
        ("a\nb\nc\n", "a\nc\n", ["@@ line 2 @@", "-b"]),
        ("", "a\n", ["@@ line 1 @@", "+a"]),
        ("a\na\n", "a\n", ["@@ line 2 @@", "-a"]),
        (
            "a\nb\nc\nd\n",
            "A\nb\nc\nD\n",
            ["@@ line 1 @@", "-a", "+A", "@@ line 4 @@", "-d", "+D"],
        ),
        (
            "".join(f"a{i}\nb\n" for i in range(9)),
            "".join(f"c{i}\nb\n" for i in range(9)),
            [*["@@ line 1 @@", "-a0", "+c0"], *[None] * 9, "... and more further down"],
        ),
        (
            "".join(f"a{i}\nb\n" for i in range(501)),
            "".join(f"c{i}\nb\n" for i in range(501)),
            [*["@@ line 1 @@", "-a0", "+c0"], *[None] * 9, "... and more further down"],
        ),
        (
            "".join(f"{'a' if i == 777 else i}\n" for i in range(1000)) + "b\nc\n",
            "".join(f"{'c' if i == 777 else i}\n" for i in range(1000)) + "c\n",
            ["@@ line 778 @@", "-a", "+c", "@@ line 1001 @@", "-b"],
        ),
        (
            "".join(f"a{i}\n" for i in range(501)),
            "".join(f"c{i}\n" for i in range(501)),
            ["@@ line 1 @@", *[None] * 4, "-... and 497 more lines", *[None] * 4, None],
        ),
        ("x\n" * 6, "", ["@@ line 1 @@", "-x", "-x", "-x", "-x", "-... and 2 more lines"]),
        ("x\n" * 4, "", ["@@ line 1 @@", *["-x"] * 4]),
        ("a" * 121, "b" * 120, ["@@ line 1 @@", "-" + "a" * 120 + "...", "+" + "b" * 120]),
        ("a\x1b[2J", "b\tc", ["@@ line 1 @@", "-a\x1b[2J", "+b   c"]),
        ("\ta\n", "    a\n", ["@@ line 1 @@ (only white space differs)", "-\ta", "+    a"]),
        ("a \nb\n", "a\nb\n", ["@@ line 1 @@ (only white space differs)", "-a ", "+a"]),
        ("a\fb\n", "a\nb\n", ["@@ line 1 @@", "-a\fb", "+a", "+b"]),
        (
            f"{'x' * 300}LEFT{'y' * 300}",
            f"{'x' * 300}RIGHT{'y' * 300}",
            [
                "@@ line 1 @@",
                f"-...{'x' * 40}LEFT{'y' * 76}...",
                f"+...{'x' * 40}RIGHT{'y' * 75}...",
            ],
        ),
        (
            f"{'x' * 300}end",
            f"{'x' * 300}",
            ["@@ line 1 @@", f"-...{'x' * 117}end", f"+...{'x' * 117}"],
        ),
        (
            f"a{'x' * 300}",
            "b",
            ["@@ line 1 @@", f"-a{'x' * 119}...", "+b"],
        ),
    ],
    ids=[
        "changed",
        "longer",
        "shorter",
        "empty",
        "repeated line",
        "two places",
        "many places",
        "more places than are aligned at once",
        "two places far from each other",
        "nothing to align",
        "more than four lines",
        "just four lines",
        "wide lines",
        "control characters",
        "tabs",
        "white space at the end",
        "a form feed ends no line",
        "far to the right",
        "at the end of a long line",
        "at the beginning of a long line",
    ],
)
def test_short_diff(x86_64: str, arm64: str, lines: list[str | None]) -> None:
    found = short_diff(x86_64.encode(), arm64.encode())
    assert len(found) == len(lines)
    assert [line for line, want in zip(found, lines, strict=True) if want] == [
        want for want in lines if want
    ]


@pytest.mark.parametrize(
    ("x86_64", "arm64"),
    [(None, b"a"), (b"a", None), (b"\xff", b"a"), (b"a", b"\xff")],
    ids=["no x86_64 text", "no arm64 text", "x86_64 is no UTF-8", "arm64 is no UTF-8"],
)
def test_what_is_no_text_has_no_lines(x86_64: bytes | None, arm64: bytes | None) -> None:
    assert short_diff(x86_64, arm64) == ()


def test_only_line_ends_differ() -> None:
    assert short_diff(b"a\r\nb\r\n", b"a\nb\n") == ("only line ends differ",)
    assert short_diff(b"a", b"a\n") == ("only line ends differ",)


def test_sizes_and_a_malformed_image() -> None:
    sizes = "differs: 3 bytes in the x86_64 wheel, 5 bytes in the arm64 wheel"
    assert describe_difference("a", 3, 5) == sizes
    assert describe_difference("a", 3, 5, malformed=["it is cut", "x"]) == (
        f"{sizes}; it begins like a Mach-O file, but it is cut"
    )


@pytest.mark.parametrize(
    ("name", "size", "reason"),
    [
        ("a.h", (1 << 20) + 1, "it is above 1 MiB"),
        (
            "a.h",
            1 << 20,
            "the files that differ hold more text together than wheels of this size have",
        ),
        ("a-1.dist-info/sboms/a.json", (16 << 20) + 1, "it is above 16 MiB"),
    ],
)
def test_why_there_are_no_lines(name: str, size: int, reason: str) -> None:
    said = describe_difference(name, 3, size, compared=False)
    assert said.endswith(f"wheel; {reason}, so its lines are neither compared nor merged")
