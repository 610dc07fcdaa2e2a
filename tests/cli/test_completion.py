"""Completion, in the shells themselves: keys are pressed on a terminal, and the shell says what it made of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fatwheel.cli.completion import SHELLS, script
from tests.support.required import require_tool
from tests.support.terminals import NEEDS_TERMINAL, on_terminal

pytestmark = NEEDS_TERMINAL

START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
SWITCH_ON = {
    "bash": 'eval "$(fatwheel completion bash)"; bind "set enable-bracketed-paste off"',
    "zsh": 'bindkey -e; autoload -U compinit; compinit -u -D; eval "$(fatwheel completion zsh)"',
    "fish": "fatwheel completion fish | source",
}
CTRL_A, CTRL_E = "\x01", "\x05"

CASES = {
    "a command": ("che\t", ["check"]),
    "an option and its value": ("fuse --ta\tc\t", ["fuse", "--tags", "compressed"]),
    "a wheel, not a text": ("fuse alp\t", ["fuse", "alpha.whl"]),
    "a folder, and what is in it": ("fuse fol\tin\t", ["fuse", "folder with blanks/inner.whl"]),
    "the home folder": ("fuse ~/al\t", ["fuse", "HOME/alpha.whl"]),
    "a folder only": ("fuse a.whl -o a\t", ["fuse", "a.whl", "-o", "attic/"]),
    "a value behind =": ("fuse --tags=c\t", ["fuse", "--tags=compressed"]),
    "a folder behind =": ("fuse --output=at\t", ["fuse", "--output=attic/"]),
    "an action": ("fuse --rule pkg/a=keep-a\t", ["fuse", "--rule", "pkg/a=keep-arm64"]),
    "an action behind two =": ("fuse --rule=pkg/a=dr\t", ["fuse", "--rule=pkg/a=drop"]),
    "any file": ("build -m alpi\t", ["build", "-m", "alpine.txt"]),
    "a word of lipo's": ("lipo -cr\talpi\t", ["lipo", "-create", "alpine.txt"]),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("alpha.whl", "alpine.txt", "folder with blanks/inner.whl", "attic/x.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {"PATH": path, "HOME": str(home), "TERM": "xterm", "LANG": "C.UTF-8", "PS1": "$ "}


def press(shell: str, keys: str, home: Path) -> list[str]:
    """The words of the command line after the keys, as the shell understands them."""
    require_tool(shell)
    # The line is not run: its words are printed, and then a word that was not typed as it is printed.
    line = f"{keys}{CTRL_E} 'E'ND{CTRL_A}printf '<%s>' \r"
    seen = on_terminal(
        START[shell],
        env=environment(home),
        cwd=home,
        steps=[("", f"{SWITCH_ON[shell]}; echo 'O'N\r"), ("ON\r?\n", line)],
        until="<END>",
        size=(40, 200),
    )
    return re.findall("<([^<>%]*)>", seen.text)[:-1]


@pytest.mark.parametrize("shell", START)
@pytest.mark.parametrize("label", CASES)
def test_completing(shell: str, label: str, home: Path) -> None:
    keys, words = CASES[label]
    found = press(shell, f"fatwheel {keys}", home)
    # zsh takes the slash of a folder away when a blank follows
    expected = ["fatwheel", *(word.replace("HOME", str(home)) for word in words)]
    assert [word.rstrip("/") for word in found] == [word.rstrip("/") for word in expected]


@pytest.mark.parametrize("shell", ["bash", "zsh"])  # fish expands a * itself, quoted or not
def test_an_action_in_quotes(shell: str, home: Path) -> None:
    found = press(shell, "fatwheel fuse --rule 'pkg/*.db=keep-x\t", home)
    assert found == ["fatwheel", "fuse", "--rule", "pkg/*.db=keep-x86_64"]


@pytest.mark.parametrize("shell", START)
def test_nothing_is_offered_where_nothing_fits(shell: str, home: Path) -> None:
    assert press(shell, "fatwheel fuse alpin\t", home) == ["fatwheel", "fuse", "alpin"]
    assert press(shell, "fatwheel nosuch al\t", home) == ["fatwheel", "nosuch", "al"]


@pytest.mark.parametrize("shell", START)
def test_a_program_named_by_its_path(shell: str, home: Path) -> None:
    program = str(Path(sys.executable).with_name("fatwheel"))
    assert press(shell, f"{program} che\t", home) == [program, "check"]


def test_zsh_lists_values_without_dashes_for_a_description(home: Path) -> None:
    require_tool("zsh")
    seen = on_terminal(
        START["zsh"],
        env=environment(home),
        cwd=home,
        steps=[
            ("", f"{SWITCH_ON['zsh']}; echo 'O'N\r"),
            ("ON\r?\n", "fatwheel fuse --tags \t\t"),
            ("exact", "\x15echo E'N'D\r"),
        ],
        until="END\r?\n",
        size=(40, 200),
    )
    listed = [line for line in seen.text.splitlines() if "exact" in line and "compressed" in line]
    assert listed
    assert not [line for line in listed if re.search(r"exact\s+--", line)]


def test_zsh_on_a_new_mac(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no ~/.zshrc, and so nothing that starts completion."""
    monkeypatch.setitem(SWITCH_ON, "zsh", 'bindkey -e; eval "$(fatwheel completion zsh)"')
    assert press("zsh", "fatwheel che\t", home) == ["fatwheel", "check"]


@pytest.mark.parametrize("shell", START)
def test_what_is_offered(shell: str, home: Path) -> None:
    require_tool(shell)
    seen = on_terminal(
        START[shell],
        env=environment(home),
        cwd=home,
        steps=[("", f"{SWITCH_ON[shell]}; echo 'O'N\r"), ("ON\r?\n", "fatwheel fuse \t\t")],
        until="folder.{1,2}with",
        size=(40, 200),
    )
    offered = seen.text.rpartition("fatwheel fuse")[0].rpartition("ON")[2] + seen.text[-400:]
    assert "alpha.whl" in offered
    assert "alpine.txt" not in offered


def test_the_command_prints_what_click_s_own_variable_does(home: Path) -> None:
    for shell in SHELLS:
        commands = (["fatwheel", "completion", shell], ["fatwheel"])
        variable = {"_FATWHEEL_COMPLETE": f"{shell}_source"}
        printed = [
            subprocess.run(
                command,
                env={**environment(home), **extra},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for command, extra in zip(commands, ({}, variable), strict=True)
        ]
        assert printed == [script(shell)] * 2


def test_an_old_bash_says_so(home: Path) -> None:
    """macOS's own; its version is feigned, for there is none here."""
    old = script("bash").replace("BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1]", "3 * 100 + 2")
    assert old != script("bash")
    bash = [require_tool("bash"), "-c", 'eval "$1"; complete -p fatwheel', "bash", old]
    done = subprocess.run(bash, env=environment(home), capture_output=True, text=True, check=False)
    assert "completion needs bash 4.4 or later" in done.stderr
    assert "zsh or fish" in done.stderr
    assert done.stdout == ""


def test_completing_is_quick(home: Path) -> None:
    """Neither the page of commands nor a shell that asks for one imports what the commands need."""
    code = (
        "import sys\nfrom fatwheel.cli.main import main\ntry:\n    main([])\nfinally:\n"
        "    print(sorted(sys.modules), file=sys.stderr)"
    )
    for extra in (
        {"_FATWHEEL_COMPLETE": "bash_complete", "COMP_WORDS": "fatwheel ", "COMP_BREAKS": "="},
        {},
    ):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**environment(home), **extra},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "completion" in done.stdout + done.stderr
        loaded = set(re.findall(r"'([\w.]+)'", done.stderr))
        assert "fatwheel.cli.terminal" in loaded
        heavy = {
            "rich",
            "packaging",
            "macholib",
            "fatwheel.fusion.fuse",
            "fatwheel.building.build",
            "fatwheel.fusion.rules",
        }
        assert loaded & heavy == set()
