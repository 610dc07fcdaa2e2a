"""Globs: what they match, and that no name makes them take long."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fatwheel.fusion.glob import Glob
from fatwheel.fusion.rules import escape_glob


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("a.py", ["a.py"], ["a.pyc", "b/a.py", "aXpy", "A.py"]),
        ("*.py", ["a.py", ".py"], ["b/a.py"]),
        ("b/*", ["b/a.py", "b/"], ["b/c/a.py", "b"]),
        ("?.py", ["a.py"], ["ab.py", ".py", "/.py"]),
        ("**", ["a", "a/b/c", "a\nb"], []),
        ("**/a.py", ["a.py", "b/a.py", "b/c/a.py"], ["ba.py"]),
        ("b/**/a.py", ["b/a.py", "b/c/a.py", "b/c/d/a.py"], ["b/xa.py"]),
        ("b/**", ["b/a", "b/c/a"], ["b"]),
        ("[ab].py", ["a.py", "b.py"], ["c.py", "ab.py"]),
        ("[!ab].py", ["c.py"], ["a.py", "b.py"]),
        ("[a-c].py", ["b.py"], ["d.py", "-.py"]),
        ("[]].py", ["].py"], ["[.py"]),
        ("[!]].py", ["a.py"], ["].py"]),
        ("[^a].py", ["^.py", "a.py"], ["b.py"]),
        ("[a&&b].py", ["&.py", "a.py", "b.py"], ["c.py"]),
        ("a[.py", ["a[.py"], ["a.py"]),
        ("a+(b)|c.py", ["a+(b)|c.py"], ["aa(b)|c.py", "c.py"]),
        ("a.py\n", ["a.py\n"], ["a.py"]),
        ("a*a", ["aa", "aXa"], ["a"]),
        ("**/a/**", ["a/b", "x/a/y/z"], ["a", "xa/b"]),
        ("*a*a*a*b", ["aaab", "xaxaxaxb"], ["aab", "aa/ab"]),
        ("x/**/y/**/z/**", ["x/y/z/", "x/1/y/2/3/z/4"], ["x/y/z"]),
        ("**/*_*.*.so", ["a_b.c.so", "p/_..so"], ["a_b.so", "a_b.c/d.so"]),
    ],
    ids=repr,
)
def test_what_a_glob_matches(glob: str, yes: list[str], no: list[str]) -> None:
    assert [name for name in [*yes, *no] if Glob(glob).matches(name)] == yes


def expression(glob: str) -> str:
    """Return the regular expression that says what `glob` means."""
    pattern, position = "", 0
    while position < len(glob):
        rest = glob[position:]
        if rest.startswith("**/"):
            pattern, position = pattern + "(?:.*/)?", position + 3
        elif rest.startswith("**"):
            pattern, position = pattern + ".*", position + 2
        elif rest[0] == "*":
            pattern, position = pattern + "[^/]*", position + 1
        elif rest[0] == "?":
            pattern, position = pattern + "[^/]", position + 1
        elif found := re.match(r"\[(!?)(\]?[^\]]*)\]", rest):
            members = re.sub(r"([\\\[^&~|])", r"\\\1", found[2])
            found_set = f"[{'^' if found[1] else ''}{members}]"
            re.compile(found_set)  # a set that is none takes nothing of what follows
            pattern, position = pattern + found_set, position + found.end()
        else:
            pattern, position = pattern + re.escape(rest[0]), position + 1
    return pattern


@given(st.text("ab*?[]!-^/\n", max_size=10), st.lists(st.text("ab-/\n", max_size=8), min_size=1))
@example("**/**/a", ["a", "b/a", "ba"])
@example("***/a", ["/a", "a", "b/a"])
@example("a**/b", ["ab", "a/b", "ax/b"])
@example("**/*", ["", "a", "/"])
@example("*[!a]*", ["a", "ab", "a/"])
@example("[]?", ["a"])
def test_law_a_glob_means_its_regular_expression(glob: str, names: list[str]) -> None:
    try:
        wanted = re.compile(expression(glob), re.DOTALL)
    except re.error as error:
        with pytest.raises(re.error, match=re.escape(error.msg)):
            Glob(glob)
    else:
        compiled = Glob(glob)
        for name in names:
            assert compiled.matches(name) == bool(wanted.fullmatch(name)), name


@given(st.text(alphabet="ab*?[]!-^\\/&~|.{}()'\" é\n", max_size=12), st.text(max_size=4))
def test_an_escaped_name_matches_itself_only(name: str, more: str) -> None:
    glob = Glob(escape_glob(name))
    assert glob.matches(name)
    assert not more or not glob.matches(name + more)
    assert not more or not glob.matches(more + name)


@pytest.mark.parametrize(
    "glob", ["*_*_*_*", "**_**_**_**x", "*_*_*_*_*_*_*_*_*_*x", "**/" * 9 + "x"]
)
def test_each_character_of_a_name_is_looked_at_once(glob: str) -> None:
    """700 underscores took a regular expression minutes."""
    looked_at = []

    class Name(str):
        def __getitem__(self, key: object) -> str:
            part = str.__getitem__(self, key)  # type: ignore[index]
            looked_at.append(len(part))
            return part

    Glob(glob).matches(Name("_/" * 350))
    assert sum(looked_at) <= 700
