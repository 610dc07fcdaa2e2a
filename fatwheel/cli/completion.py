"""Shell completion: scripts for bash, zsh and fish, and the answers that they ask for.

click's own scripts take every file for a value, lose what stands before a `=`, and let bash's version be that of
some bash on PATH. These hand one line to the shell for each thing to offer, three fields with tabs between them:
what it is (a word, or `wheel`, `dir`, `file`: the shell looks for these itself), the word, and its description.

Imported only when a shell asks, for which it sets `_FATWHEEL_COMPLETE`.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence

from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
    split_arg_string,
)

__all__ = ["SHELLS", "script"]

_BASH = r"""# fatwheel's completion for bash 4.4 and later
%(complete_func)s() {
    local type value rest
    COMPREPLY=()
    while IFS=$'\t' read -r type value rest; do
        case $type in
            wheel)
                compopt -o filenames
                mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(
                    compgen -f -X '!*.whl' -- "$2"
                    compgen -d -- "$2"
                )
                ;;
            dir | file)
                compopt -o filenames
                mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -"${type:0:1}" -- "$2")
                ;;
            *) COMPREPLY+=("$value") ;;
        esac
    done < <(
        COMP_WORDS="${COMP_LINE:0:COMP_POINT}" COMP_BREAKS=$COMP_WORDBREAKS \
            %(complete_var)s=bash_complete "${1/#\~/$HOME}" 2>/dev/null
    )
}
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
    echo "fatwheel: completion needs bash 4.4 or later, and this is $BASH_VERSION (macOS's own is 3.2);" \
        "install a newer bash, or use zsh or fish" >&2
else
    complete -o nosort -F %(complete_func)s %(prog_name)s
fi
"""

_ZSH = r"""#compdef %(prog_name)s
%(complete_func)s() {
    local -a lines described
    local line type value
    lines=("${(@f)$(COMP_WORDS="${(j: :)words[1,CURRENT]}" COMP_CWORD=$((CURRENT - 1)) \
        %(complete_var)s=zsh_complete ${~words[1]} 2>/dev/null)}")
    [[ -n "$lines" ]] || return 1
    if [[ "$lines[1]" == part$'\t'* ]]; then
        compset -P '*='
        shift lines
    fi
    for line in "${lines[@]}"; do
        type=${line%%%%$'\t'*}
        case $type in
            wheel)
                _path_files -g '*.whl(-.)'
                _path_files -/
                ;;
            dir) _files -/ ;;
            file) _files ;;
            *)
                value=${line#*$'\t'}
                line=${value#*$'\t'}
                described+=("${${value%%%%$'\t'*}//:/\\:}${line:+:$line}")
                ;;
        esac
    done
    (( $#described )) && _describe -V '' described
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    # A new Mac's zsh has no ~/.zshrc, and nothing that starts completion.
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH = r"""function %(complete_func)s
    set -lx COMP_WORDS (commandline -cp | string collect)
    set -lx COMP_CWORD (commandline -ct | string collect)
    set -lx %(complete_var)s fish_complete
    set -l program (commandline -opc)[1]
    for line in (eval $program 2>/dev/null)
        set -l field (string split -m 2 \t -- $line)
        switch $field[1]
            case wheel dir file
                set -l kept (string match -r '^--[^=]*=' -- "$COMP_CWORD")
                set -l begun (string sub -s (math 1 + (string length -- "$kept")) -- "$COMP_CWORD")
                set -l pattern .
                test $field[1] = wheel; and set pattern '(/|\.whl)$'
                test $field[1] = dir; and set pattern '/$'
                # What fish itself offers behind a command that it does not know: files.
                for found in (complete -C "'' $begun" | string replace -r '\t.*' '' | string match -e -r $pattern)
                    echo "$kept$found"
                end
            case '*'
                printf '%%s\t%%s\n' $field[2] $field[3]
        end
    end
end
complete --keep-order --no-files --command %(prog_name)s --arguments '(%(complete_func)s)'
"""


class _Completion(ShellComplete):
    """What the three have in common."""

    def complete(self) -> str:
        """Return the lines that the shell's script reads."""
        args, incomplete = self.get_completion_args()
        # click takes `--option=` apart by itself, and hands back what may follow it.
        items = self.get_completions(args, incomplete)
        is_part = incomplete.startswith("--") or any(item.part for item in items)
        kept = incomplete[: incomplete.rfind("=") + 1] if is_part else ""
        return "\n".join("\t".join(fields) for fields in self.lines(items, kept))

    def lines(self, items: Sequence[CompletionItem], kept: str) -> Iterator[tuple[str, ...]]:
        """Yield the fields of each line. `kept` is the part of the word before what the items complete."""
        for item in items:
            help_ = " ".join((item.help or "").split())
            yield item.type, f"{kept}{item.value}" if item.type == "plain" else "", help_


@add_completion_class
class Bash(_Completion):
    """bash hands over the line, since its words end at characters such as `=`, quotes aside."""

    name = "bash"
    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor's, and the cursor's up to it."""
        return _at_end(os.environ["COMP_WORDS"])

    def lines(self, items: Sequence[CompletionItem], kept: str) -> Iterator[tuple[str, ...]]:
        """Yield lines whose words begin where bash thinks that the word begins."""
        is_split = "=" in os.environ["COMP_BREAKS"] and not _is_in_quotes(os.environ["COMP_WORDS"])
        return super().lines(items, "" if is_split else kept)


@add_completion_class
class Zsh(_Completion):
    """zsh counts its words, and leaves a part of one alone when it is told to."""

    name = "zsh"
    source_template = _ZSH

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor's, and the cursor's."""
        words = split_arg_string(os.environ["COMP_WORDS"])
        number = int(os.environ["COMP_CWORD"])
        return words[1:number], words[number] if number < len(words) else ""

    def lines(self, items: Sequence[CompletionItem], kept: str) -> Iterator[tuple[str, ...]]:
        """Yield the lines, and before them, where it is so, that they complete a part of the word."""
        if kept and items:
            yield "part", "", ""
        yield from super().lines(items, "")


@add_completion_class
class Fish(_Completion):
    """fish hands over the line up to the cursor."""

    name = "fish"
    source_template = _FISH

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor's, and the cursor's up to it."""
        return _at_end(os.environ["COMP_WORDS"])


SHELLS: dict[str, type[_Completion]] = {kind.name: kind for kind in (Bash, Zsh, Fish)}


def _at_end(line: str) -> tuple[list[str], str]:
    """Return a command line's arguments, and the one that its end is in."""
    words = split_arg_string(line)
    # Only a blank behind the last word that is neither escaped nor quoted begins a new one.
    if len(split_arg_string(f"{line}x")) > len(words):
        return words[1:], ""
    return words[1:-1], words[-1]


def _is_in_quotes(line: str) -> bool:
    """Return whether the end of a command line is inside quotation marks."""
    try:
        shlex.split(line)
    except ValueError:
        return True
    return False


def script(shell: str) -> str:
    """Return the script that makes `shell` (one of `SHELLS`) complete fatwheel's command line."""
    kind = SHELLS[shell]
    names = {
        "complete_func": "_fatwheel_completion",
        "complete_var": "_FATWHEEL_COMPLETE",
        "prog_name": "fatwheel",
    }
    return kind.source_template % names
