"""The report on conflicts: what, why it matters, and words that settle it when they are pasted."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.action import Action
from fatwheel.config import parse_config
from fatwheel.fusion.actions import Keep, Planned
from fatwheel.fusion.conflicts import conflict_lines, conflicts_counted
from fatwheel.fusion.rules import parse_rule
from tests.support.wheels import A, conflict, member_value


def test_a_conflict_prints_the_words_that_settle_it() -> None:
    assert list(conflict_lines([conflict()])) == [
        "conflict: pkg/a.py: differs",
        "    @@ line 1 @@",
        "    -1",
        "    +2",
        "  why it matters: it does",
        "  to settle it:  --rule 'pkg/a.py=dispatch'   (or drop)",
        '  or in pyproject.toml, under [tool.fatwheel.rules]:  "pkg/a.py" = "dispatch"',
        "",
    ]
    lines = list(conflict_lines([conflict("a", Action.ALLOW)]))
    assert "  to settle it:  --rule 'a=allow'" in lines
    lines = list(conflict_lines([replace(conflict(), warning="both are wrong")]))
    assert lines[4:6] == ["  why it matters: it does", "  mind: both are wrong"]


NAMES = st.text(alphabet="ab*?[]'\"\\$` =é!-\x1b\t\n\u202e", min_size=1, max_size=8)


@given(NAMES)
def test_law_the_printed_words_settle_just_that_member(name: str) -> None:
    lines = list(conflict_lines([conflict(name, Action.DROP)]))
    (toml,) = (line.partition("rules]:  ")[2] for line in lines if "pyproject.toml" in line)
    config = parse_config(f"[tool.fatwheel.rules]\n{toml}\n", "pyproject.toml")
    ((glob, action),) = config.rules
    assert action == "drop"
    assert parse_rule(f"{glob}=drop").matches(name, "pkg")
    assert not parse_rule(f"{glob}=drop").matches(f"{name}x", "pkg")


SHELLS = [found for name in ("bash", "zsh", "ksh") if (found := shutil.which(name))]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "name",
    ["it's", 'a"b', "$HOME", "`id`", "a b", "*?[x]", "-a", "\x1b[2J'", "\u202ea\\", "a\tb\n"],
)
def test_the_printed_option_survives_the_shell(name: str, shell: str) -> None:
    lines = list(conflict_lines([conflict(name, Action.DROP)]))
    option = next(line for line in lines if "--rule" in line).partition("--rule ")[2]
    assert option.isprintable()
    done = subprocess.run([shell, "-c", f"printf %s {option}"], capture_output=True, check=True)
    assert parse_rule(done.stdout.decode()).matches(name, "pkg"), name


def test_many_conflicts_of_a_kind_are_told_once() -> None:
    equal = Keep(name="pkg/e.py", mode=0o644, source=A, member=member_value("pkg/e.py", b""))
    members: list[Planned] = [
        *(conflict(f"pkg/m{n}.py") for n in range(5)),
        equal,
        conflict("pkg/a.txt"),
    ]
    lines = list(conflict_lines(members))
    assert lines == [
        "conflict: pkg/*.py: 5 files",
        "  pkg/m0.py: differs",
        "    @@ line 1 @@",
        "    -1",
        "    +2",
        "  pkg/m1.py: differs",
        "  pkg/m2.py: differs",
        "  ... and 2 more (-v lists them)",
        "  why it matters: it does",
        "  to settle them:  --rule 'pkg/*.py=dispatch'",
        '  or in pyproject.toml, under [tool.fatwheel.rules]:  "pkg/*.py" = "dispatch"',
        "  other files that match, and are left alone: 1",
        "",
        *list(conflict_lines([conflict("pkg/a.txt")])),
        "all that no rule settles:  --on-conflict keep-arm64   (or keep-x86_64)",
        "  each of these files is then one wheel's, whether it serves the other architecture or not",
        "",
    ]
    every = list(conflict_lines(members, every=True))
    assert [line for line in every if line.endswith(".py: differs")] == [
        f"  pkg/m{n}.py: differs" for n in range(5)
    ]
    assert every.count("    +2") == 6


def test_each_folder_has_its_pattern_where_one_will_not_do() -> None:
    other = replace(conflict("pkg/c/m.py"), matters="something else")
    members: list[Planned] = [*(conflict(f"pkg/{folder}/m.py") for folder in "abde"), other]
    lines = list(conflict_lines(members))
    assert lines[0] == "conflict: pkg/: 4 files"
    at = lines.index("  why it matters: it does")
    assert lines[at + 1 : at + 8] == [
        "  to settle them, each with --rule 'PATTERN=dispatch', or in pyproject.toml:   (or drop)",
        "    [tool.fatwheel.rules]",
        '    "pkg/a/m.py" = "dispatch"',
        '    "pkg/b/m.py" = "dispatch"',
        '    "pkg/d/m.py" = "dispatch"',
        '    "pkg/e/m.py" = "dispatch"',
        "",
    ]


def test_a_warning_is_said_with_the_remedy() -> None:
    wrong = replace(conflict(), warning="both are wrong")
    lines = list(conflict_lines([wrong, conflict("pkg/b.py")]))
    assert lines[4:6] == ["  why it matters: it does", "  mind: both are wrong"]
    assert lines[-2].endswith(" or not (1 of them: mind what is said above)")


def test_how_many_conflicts_there_are() -> None:
    assert conflicts_counted([conflict()]) == "1 conflict"
    assert conflicts_counted([conflict(), conflict("b")]) == "2 conflicts"
    mixed = [conflict(), replace(conflict("c"), kind="one-sided"), conflict("b")]
    assert conflicts_counted(mixed) == "3 conflicts (2 differs, 1 one-sided)"
