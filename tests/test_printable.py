"""What is shown to people: nothing but text, no two texts alike, and quotes that hold."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.printable import (
    json_printable,
    printable,
    shell_line,
    shell_quoted,
    toml_string,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Every kind of character that does something to a terminal, or to the eye, besides being seen.
STRANGE = (
    "\0\a\b\t\n\v\f\r\x1b\x7f\x80\x85\x9b\x9f\xa0\xad\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e"
    "\u2060\u2066\u2069\ufeff\ufff9\ud800\udcff\U000e0001\U0010ffff"
)
texts = st.text(
    st.one_of(st.sampled_from("\\xuU0123456789abf\x1b\u202e'\"é€🐍 \n"), st.characters())
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pkg/größe 🐍.py", "pkg/größe 🐍.py"),
        ("\x1b[31m\x9b2J", "\\x1b[31m\\x9b2J"),
        ("a\nfatwheel: done\r\t", "a\\x0afatwheel: done\\x0d\\x09"),
        ("\u202egnp.py\u2028", "\\u202egnp.py\\u2028"),
        ("\U000e0041", "\\U000e0041"),
        ("\udcff", "\\udcff"),
        (r"C:\Users\me\new", r"C:\Users\me\new"),
        (r"print('\x1b[0m')", r"print('\x1b[0m')"),
        ("\x7f \\x1b \\\\u202e \\xAB", r"\x7f \\x1b \\\\u202e \\xAB"),
        ("\x7f \\x1 \\u202 \\U0010fff", r"\x7f \x1 \u202 \U0010fff"),
        ("\\\x1b", r"\\\x1b"),
        ("", ""),
    ],
    ids=repr,
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("character", STRANGE, ids=ascii)
def test_nothing_but_text_is_left(character: str) -> None:
    shown = printable(f"a{character}b")
    assert shown.isascii()
    assert shown.isprintable()
    assert unicodedata.category(character) in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"}


def as_it_was(shown: str) -> str:
    """The text that is shown so."""
    escape = re.compile(r"(\\+)(?:(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|)", re.ASCII)

    def one(found: re.Match[str]) -> str:
        slashes, digits = len(found[1]), found[2]
        if digits is None:
            return found[1]
        kept = "\\" * (slashes // 2)
        return kept + (chr(int(digits[1:], 16)) if slashes % 2 else digits)

    return escape.sub(one, shown)


@given(texts)
def test_no_two_texts_look_alike(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    assert (text if text.isprintable() else as_it_was(shown)) == text


@given(texts, st.booleans())
def test_json_means_the_same(text: str, ascii_only: bool) -> None:
    document = {"name": [text], text: 1}
    shown = json_printable(
        json.dumps(document, indent=2, ensure_ascii=False), ascii_only=ascii_only
    )
    assert all(line.isprintable() for line in shown.split("\n"))
    assert shown.isascii() or not ascii_only
    read = json.loads(shown)
    json.dumps(read, ensure_ascii=False).encode()  # no halves of surrogate pairs
    if not re.search("[\ud800-\udfff]", text):
        assert read == document


@pytest.mark.parametrize(
    ("name", "read"),
    [
        (b"gr\xc3\xb6\xc3\x9fe.whl", "größe.whl"),
        (b"a\xffb.whl", "a\\xffb.whl"),
        (b"\xc2\x9b.whl", "\x9b.whl"),
    ],
)
def test_bytes_of_a_name_are_read_as_utf_8(name: bytes, read: str) -> None:
    """As where the locale is C, and file names are ASCII."""
    document = json.dumps([name.decode("ascii", "surrogateescape")], ensure_ascii=False)
    shown = json_printable(document, ascii_only=True)
    assert json.loads(shown) == [read]


SHELLS = [found for name in ("bash", "zsh", "ksh") if (found := shutil.which(name))]


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_read_the_words_that_were_quoted(shell: str) -> None:
    words = [
        STRANGE.replace("\0", "").replace("\ud800", ""),
        "it's",
        "'",
        "\\",
        "\\\x1b'",
        "a b",
        "$x`y`!*",
        "é\x80é",
        "x=1",
    ]
    for quoted in (shell_line(words), " ".join(map(shell_quoted, words))):
        assert quoted.isprintable()
        done = subprocess.run(
            [shell, "-c", f"printf '%s\\0' {quoted}"], capture_output=True, check=True
        )
        said = done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
        assert said == words


def test_a_command_line_has_quotes_where_they_are_needed() -> None:
    assert shell_line(["env", "A=b/c", "", "a b", "é"]) == "env A=b/c '' 'a b' 'é'"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_toml_reads_the_text(text: str) -> None:
    quoted = toml_string(text)
    assert quoted.isprintable()
    assert tomllib.loads(f"a = {quoted}\n{quoted} = 1") == {"a": text, text: 1} | (
        {"a": 1} if text == "a" else {}
    )
