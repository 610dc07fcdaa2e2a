"""Python sources that differ in a few statements of the module: the values of constants, or the order of imports.

Both mergers compare the sources token by token, statement by statement, so that a result does not depend on the Python
that runs. They look at statements of the module itself alone: nothing in a function, a class, or below an `if`.

`merge_literals` makes each literal that differs a choice, where it stands:

    build_config = Config(**{"sse2": (True if __import__("os").uname().machine == "x86_64" else False)})

It is arm64's text but for that, with the same lines. Other than with `dispatch`, everything else in the module stays
visible to what reads sources: imports to modulefinder, py2app and PyInstaller, names to type checkers.

`merge_import_order` keeps arm64's text where imports that stand one behind the other are sorted differently.

Specification: Python language reference, "Simple statements", "Conditional expressions".
"""

from __future__ import annotations

import io
import itertools
import re
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from fatwheel.arch import Arch
from fatwheel.fusion.merge import Merged, MergeResult, Unmergeable
from fatwheel.fusion.merge.python import Token, UnlikeError, decode_both, read_tokens

__all__ = ["has_constants", "merge_import_order", "merge_literals"]

_CHOICE = '({} if __import__("os").uname().machine == "x86_64" else {})'
_BLOCKS = (tokenize.INDENT, tokenize.DEDENT)
_WORDS = frozenset({"True", "False", "None"})
_STRING = re.compile(r"(?i)(?:b|r|u|br|rb)?(?:'[^\n]*'|\"[^\n]*\")")
_NUMBER = re.compile(
    r"(?i)0(?:x(?:_?[0-9a-f])+|o(?:_?[0-7])+|b(?:_?[01])+)|[1-9](?:_?[0-9])*|0"
    r"|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[-+]?[0-9]+)|(?:[0-9]+\.[0-9]*|\.[0-9]+)"
)
_VALUE_MARKS = frozenset("()[]{},:-+.=") | {"**"}
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_READ_AS_TEXT = re.compile(
    r"(?:.*_)?(?:version|about|metadata|release)_*\.py|setup\.py|conf\.py|conftest\.py|noxfile\.py|__main__\.py"
)
"""Names of files in which setuptools (`attr:`), hatch, flit and the like look for literals, or that are run."""
_HIDDEN = frozenset(
    {
        *(
            "CDLL",
            "PyDLL",
            "LoadLibrary",
            "dlopen",
            "find_library",
            "import_module",
            "load_library",
        ),
        *(
            "TypeVar",
            "ParamSpec",
            "TypeVarTuple",
            "NewType",
            "TypeAliasType",
            "namedtuple",
            "NamedTuple",
        ),
        *("TypedDict", "Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"),
    }
)
"""Callees whose literals are read by PyInstaller and py2app (which libraries to take along), or by type checkers."""
_MOST_CHOICES = 1000


def has_constants(name: str) -> bool:
    """Tell whether a member is a module whose constants nothing reads but the Python that runs it."""
    base = PurePosixPath(name).name.lower()
    return base.endswith(".py") and not _READ_AS_TEXT.fullmatch(base)


# ---- literals of constants ----


def merge_literals(x86_64: bytes, arm64: bytes) -> MergeResult:
    """Return arm64's source with a choice for each literal that differs; see the module.

    `Unmergeable` where anything else differs, and for literals that something may read as text: those of `__version__`
    and other names between underscores, of names that speak of a version, with an annotation, or in a docstring.
    """
    try:
        x_text, a_text = decode_both(x86_64, arm64)
        choices = _choices(*_read_alike(x_text, a_text))
        encoding, _ = tokenize.detect_encoding(io.BytesIO(arm64).readline)
        if encoding not in ("utf-8", "utf-8-sig"):
            return Unmergeable(why=f"arm64's is not UTF-8, but {encoding}")
        source = arm64.decode("utf-8")
        return Merged(content=_with_choices(source, choices).encode(), how=_how(choices))
    except UnlikeError as error:
        return Unmergeable(why=str(error))


def _read_alike(x_text: str, a_text: str) -> tuple[list[Token], list[Token]]:
    """Return the tokens of two sources that differ in literals at most; reading ends where they differ in more."""
    x_tokens, a_tokens = [], []
    for x, a in itertools.zip_longest(
        read_tokens(Arch.X86_64, x_text), read_tokens(Arch.ARM64, a_text)
    ):
        both = x is not None and a is not None
        if not both or (x[:2] != a[:2] and not (_is_literal(x) and _is_literal(a))):
            raise UnlikeError("the sources differ in more than literals")
        x_tokens.append(x)
        a_tokens.append(a)
    return x_tokens, a_tokens


def _how(choices: Sequence[tuple[Token, str]]) -> str:
    count = "one literal" if len(choices) == 1 else f"{len(choices)} literals"
    return f"arm64's text, in which os.uname().machine chooses {count}"


def _choices(x_tokens: Sequence[Token], a_tokens: Sequence[Token]) -> list[tuple[Token, str]]:
    """Return arm64's tokens that differ, each with x86_64's text."""
    if any(token.text in ("__import__", "__builtins__") for token in (*x_tokens, *a_tokens)):
        raise UnlikeError("the sources speak of __import__")
    found: list[tuple[Token, str]] = []
    for start, end, depth in _logical_lines(a_tokens):
        pairs = [*zip(x_tokens[start:end], a_tokens[start:end], strict=True)]
        differs = [x[:2] != a[:2] for x, a in pairs]
        if not any(differs):
            continue
        line = a_tokens[min(start, len(a_tokens) - 1)].line
        if depth or x_tokens[end].kind != a_tokens[end].kind:
            raise UnlikeError(f"line {line} differs below the module's own level")
        _require_constant([x for x, _ in pairs], line, differs)
        _require_constant([a for _, a in pairs], line, differs)
        found += [(a, x.text) for x, a in pairs if x[:2] != a[:2]]
    if not found:
        raise UnlikeError("the sources differ in their indents")
    if len(found) > _MOST_CHOICES:
        raise UnlikeError(f"{len(found)} literals differ, more than {_MOST_CHOICES}")
    return found


def _logical_lines(tokens: Sequence[Token]) -> Iterator[tuple[int, int, int]]:
    """Yield where each logical line begins, where its NEWLINE is, and in how many blocks it stands.

    Indents and dedents before a line are a part of it.
    """
    start = depth = 0
    for index, token in enumerate(tokens):
        depth += (token.kind == tokenize.INDENT) - (token.kind == tokenize.DEDENT)
        if token.kind in (tokenize.NEWLINE, tokenize.ENDMARKER):
            yield start, index, depth
            start = index + 1


def _require_constant(statement: Sequence[Token], line: int, differing: Sequence[bool]) -> None:
    """Raise `UnlikeError` unless a statement is `NAME = value` (or several names) and differs in literals alone."""
    first = next((i for i, token in enumerate(statement) if token.kind not in _BLOCKS), 0)
    if any(differing[:first]):
        raise UnlikeError(f"line {line} is indented differently")
    statement, differing = statement[first:], differing[first:]
    texts = [token.text for token in statement]
    names = 0
    while texts[names + 1 : names + 2] == ["="] and statement[names].kind == tokenize.NAME:
        name = texts[names]
        if name.startswith("__") or "version" in name.lower():
            raise UnlikeError(f"line {line} differs in {name}, which tools read as text")
        names += 2
    if not names:
        raise UnlikeError(f"line {line} differs in more than the value of a constant")
    value = statement[names:]
    if _HIDDEN & {token.text for token in value}:
        raise UnlikeError(f"line {line} differs in what it loads, or in a type")
    if not _is_plain(value) or any(differing[:names]):
        raise UnlikeError(f"line {line} differs in more than literals")
    neighbours = [None, *value, None]
    for before, token, after, differs in zip(
        neighbours, value, neighbours[2:], differing[names:], strict=False
    ):
        if not differs:
            continue
        adjacent = any(one is not None and one.kind == tokenize.STRING for one in (before, after))
        if not _is_literal(token) or (token.kind == tokenize.STRING and adjacent):
            raise UnlikeError(f"line {line} differs in more than literals")


def _is_literal(token: Token) -> bool:
    if token.kind == tokenize.STRING:
        return _STRING.fullmatch(token.text) is not None
    if token.kind == tokenize.NUMBER:
        return _NUMBER.fullmatch(token.text) is not None
    return token.kind == tokenize.NAME and token.text in _WORDS


def _is_plain(value: Sequence[Token]) -> bool:
    """Tell whether a value is made of literals, containers of them, and at most one call of a name around them."""
    calls = 0
    for index, token in enumerate(value):
        before = value[index - 1] if index else None
        joined = before is not None and tokenize.OP not in (before.kind, token.kind)
        if joined and {before.kind, token.kind} != {tokenize.STRING}:  # type: ignore[union-attr]
            return False
        after = value[index + 1].text if index + 1 < len(value) else ""
        if _is_literal(token):
            continue
        if token.kind == tokenize.NAME:
            if not _is_keyword(before, after) and not (_is_callee(before, after) and not calls):
                return False
        elif token.kind != tokenize.OP or token.text not in _VALUE_MARKS:
            return False
        elif _is_call(before, token):
            calls += 1
            if calls > 1:
                return False
        elif before is not None and not _may_follow(before, token):
            return False
    return bool(value)


def _is_keyword(before: Token | None, after: str) -> bool:
    """Tell whether a name is an argument's: `(sse2=`."""
    return before is not None and before.text in ("(", ",") and after == "="


def _is_callee(before: Token | None, after: str) -> bool:
    """Tell whether a name is a part of what is called: `pkg.Config(`."""
    return (before is None or before.text == ".") and after in (".", "(")


def _is_call(before: Token | None, token: Token) -> bool:
    name = before is not None and before.kind == tokenize.NAME and before.text not in _WORDS
    return name and token.text == "("


def _may_follow(before: Token, token: Token) -> bool:
    """Tell whether a mark stands where a value of literals may have it: no subscript, no attribute of a value."""
    if token.text == ".":
        return before.kind == tokenize.NAME and before.text not in _WORDS
    if token.text == "**":
        return before.text in ("(", ",")
    return token.text not in _OPENING or before.text in (*_OPENING, ",", ":", "=", "**")


def _with_choices(source: str, choices: Sequence[tuple[Token, str]]) -> str:
    """Return the source with each token replaced by a choice between x86_64's text and its own."""
    marked = source.startswith("\ufeff")
    lines = re.split(r"(\r\n|\r|\n)", source.removeprefix("\ufeff"))  # each end behind its line
    for token, x_text in sorted(choices, key=lambda one: (one[0].line, -one[0].column)):
        row, column = (token.line - 1) * 2, token.column
        line = lines[row]
        if line[column : column + len(token.text)] != token.text:
            raise UnlikeError(f"line {token.line} is not where the tokenizer says")
        choice = _CHOICE.format(x_text, token.text)
        lines[row] = line[:column] + choice + line[column + len(token.text) :]
    return "\ufeff" * marked + "".join(lines)


# ---- the order of imports ----


def merge_import_order(x86_64: bytes, arm64: bytes) -> MergeResult:
    """Keep arm64's source where the two differ in the order of plain imports that stand one behind the other.

    Plain is `import a.b` and `import a as b`, each binding a name of its own. `from`, `*` and conditions end a row.
    """
    try:
        x_text, a_text = decode_both(x86_64, arm64)
        if not _same_lines(x_text, a_text):
            return Unmergeable(why="the sources differ in more than the order of lines")
        sides = _read_lines(*_heads(x_text, a_text))
        if not all(len(side) > 1 and _plain(side[-2]) for side in sides):  # the last is the end
            sides = _read_lines(x_text, a_text)
    except UnlikeError as error:
        return Unmergeable(why=str(error))
    if len(sides[0]) != len(sides[1]):
        return Unmergeable(why="the sources differ in more than the order of imports")
    pairs = zip(*sides, strict=True)
    for plain, group in itertools.groupby(pairs, lambda pair: _plain(pair[0]) and _plain(pair[1])):
        row = [*group]
        if all(x == a for x, a in row):
            continue
        x_row, a_row = [x for x, _ in row], [a for _, a in row]
        if not plain or Counter(x_row) != Counter(a_row) or not _independent(a_row):
            return Unmergeable(why="the sources differ in more than the order of plain imports")
    return Merged(content=arm64, how="the same imports in another order")


def _same_lines(x_text: str, a_text: str) -> bool:
    """Tell whether two sources have the same lines in any order, comments aside: much faster than their tokens."""
    x_lines, a_lines = (
        Counter(line.strip() for line in text.split("\n")) for text in (x_text, a_text)
    )
    return not any(line and line[:1] != "#" for line in (x_lines - a_lines) + (a_lines - x_lines))


def _read_lines(x_text: str, a_text: str) -> list[list[_Line]]:
    sources = {Arch.X86_64: x_text, Arch.ARM64: a_text}
    return [_lines([*read_tokens(arch, text)]) for arch, text in sources.items()]


def _heads(x_text: str, a_text: str) -> tuple[str, str]:
    """Return both sources up to the last line that differs: mostly a few lines of thousands.

    Where that line ends an import of the module, outside of any block, what follows is the same code in both.
    """
    x_lines, a_lines = x_text.split("\n"), a_text.split("\n")
    equal = 0
    for x_line, a_line in zip(reversed(x_lines), reversed(a_lines), strict=False):
        if x_line != a_line:
            break
        equal += 1
    heads = (lines[: len(lines) - equal] for lines in (x_lines, a_lines))
    x_head, a_head = ("\n".join([*head, ""]) for head in heads)
    return x_head, a_head


_Line = tuple[int, tuple[tuple[int, str], ...]]  # (how many blocks it stands in, tokens)


def _lines(tokens: Sequence[Token]) -> list[_Line]:
    """Return the logical lines, each with its depth."""
    return [
        (depth, tuple(token[:2] for token in tokens[start:end] if token.kind not in _BLOCKS))
        for start, end, depth in _logical_lines(tokens)
    ]


def _plain(line: _Line) -> bool:
    """Tell whether a line of the module is `import a.b` or `import a.b as c`."""
    depth, tokens = line
    texts = [text for _, text in tokens]
    if depth or texts[:1] != ["import"] or tokens[0][0] != tokenize.NAME:
        return False
    kinds = {kind for kind, _ in tokens}
    return kinds <= {tokenize.NAME, tokenize.OP} and not {",", ";", "(", "*"} & {*texts}


def _independent(row: Sequence[_Line]) -> bool:
    """Tell whether no two imports of a row bind one name to different things, so that the last does not win."""
    bound: dict[str, str] = {}
    for _, tokens in row:
        texts = [text for _, text in tokens]
        renamed = texts[-2] == "as"
        name, what = (texts[-1], "".join(texts[1:-2])) if renamed else (texts[1], texts[1])
        if bound.setdefault(name, what) != what:
            return False
    return True
