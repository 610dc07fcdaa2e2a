"""Python sources that differ: the same code in other words, or both behind a dispatch.

`merge_python` keeps arm64's text where the two differ in nothing that Python reads: their token
streams are equal but for comments and blank lines. `dispatch` makes one module of two that really
differ, and is a user's decision (the rule action of that name), never a default.

Specification: Python language reference, "Lexical analysis"; PEP 263 for encodings.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import itertools
import re
import tokenize
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fatwheel.arch import Arch
from fatwheel.fusion.merge import Merged, MergeResult, Unmergeable

__all__ = [
    "Token",
    "UnlikeError",
    "decode_both",
    "dispatch",
    "merge_python",
    "read_tokens",
    "same_tokens",
    "undispatch",
]

_LARGEST = 1024 * 1024  # bytes of a source that is tokenized
_MOST_WORK = 256 * 1024 * 1024  # characters; some tokenizers copy a token's whole line each time
_SHOWN = 60
# Text encodings to Python that no editor writes; some take time without bound.
_UNUSUAL_CODECS = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
_IGNORED = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.ENCODING})
# From Python 3.12 on (t-strings: 3.14) these come in parts, which lose the blanks of f"{x = }".
_PARTED_STARTS = frozenset(
    getattr(tokenize, name)
    for name in ("FSTRING_START", "TSTRING_START")
    if hasattr(tokenize, name)
)
_PARTED_ENDS = frozenset(
    getattr(tokenize, name) for name in ("FSTRING_END", "TSTRING_END") if hasattr(tokenize, name)
)

_PARTED_PREFIX = re.compile(r"[rR]?[fFtT][rR]?[\"']")
_PREFIX_BEFORE = re.compile(r"\b(?:[rR]?[tT]|[tT][rR])\Z")  # a name to a Python before 3.14
_NO_OPERATORS = frozenset("!$?`")  # Python 3.12 and later call them operators

_COOKIE = re.compile(r"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)
"""A line that tells the encoding, as `tokenize` looks for it (PEP 263)."""


class Token(NamedTuple):
    """A token that counts: its kind (`tokenize`'s), what counts of its text, and where it begins (lines from 1)."""

    kind: int
    text: str
    line: int
    column: int


class UnlikeError(Exception):
    """Why two sources cannot be compared: carries the clause of an `Unmergeable`."""


# ---- the same code in other words ----


def same_tokens(x86_64: bytes, arm64: bytes) -> bool:
    """Tell whether two Python sources differ in comments and blank lines at most.

    Docstrings count, since some libraries read them; so does a `#!` line. False where either is
    larger than 1 MiB, in an unknown encoding (PEP 263), or cannot be tokenized.
    """
    return isinstance(merge_python(x86_64, arm64), Merged)


def merge_python(x86_64: bytes, arm64: bytes) -> MergeResult:
    """Keep arm64's source if `same_tokens`; else `Unmergeable` names the first difference."""
    if max(len(x86_64), len(arm64)) > _LARGEST:
        return Unmergeable(why=f"the sources differ, and one has more than {_LARGEST} bytes")
    try:
        x_text, a_text = decode_both(x86_64, arm64)
        tokens = itertools.zip_longest(
            read_tokens(Arch.X86_64, x_text), read_tokens(Arch.ARM64, a_text)
        )
        for x_token, a_token in tokens:
            if x_token is None or a_token is None or x_token[:2] != a_token[:2]:
                skip = _common(x_token, a_token)
                return Unmergeable(
                    why=f"{_place(x_token, skip)} for x86_64 and {_place(a_token, skip)} for arm64"
                )
    except UnlikeError as error:
        return Unmergeable(why=str(error))
    return Merged(
        content=arm64, how="differs in nothing that Python reads (comments, blank lines, line ends)"
    )


def _check_tabs(arch: Arch, text: str) -> None:
    """Refuse a source whose tabs and blanks do not compile: tokenizers before Python 3.12 let it pass.

    Their tokens do not show how lines are indented that begin no block; only with tabs and form feeds does it matter.
    """
    if "\t" not in text and "\f" not in text:
        return
    import ast
    import warnings

    with warnings.catch_warnings(), contextlib.suppress(ValueError, RecursionError, MemoryError):
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except IndentationError as error:
            raise UnlikeError(f"{arch.value}'s cannot be tokenized ({error.msg})") from None
        except SyntaxError:
            pass  # a Python newer or older than this one may have written it


def decode_both(x86_64: bytes, arm64: bytes) -> tuple[str, str]:
    r"""Return both sources as Python reads them, with `\n` line ends; raises `UnlikeError` (its `#!` lines, too)."""
    x_text, a_text = _decode(Arch.X86_64, x86_64), _decode(Arch.ARM64, arm64)
    x_line, a_line = _shebang(x_text), _shebang(a_text)
    if x_line != a_line:
        raise UnlikeError(
            f"the first line is {_short(x_line) if x_line else 'no #! line'} for x86_64"
            f" and {_short(a_line) if a_line else 'no #! line'} for arm64"
        )
    return x_text, a_text


def _decode(arch: Arch, source: bytes) -> str:
    r"""Return the source as Python reads it: by its own cookie, without a mark, `\n` line ends."""
    if b"\0" in source:
        raise UnlikeError(f"{arch.value}'s has NUL bytes")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        if codecs.lookup(encoding).name.replace("_", "-") in _UNUSUAL_CODECS:
            raise LookupError(f"no source is written in {encoding}")
        text = source.decode(encoding)
    except (SyntaxError, LookupError, ValueError) as error:
        raise UnlikeError(f"{arch.value}'s cannot be decoded ({error})") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _shebang(text: str) -> str:
    return text.partition("\n")[0] if text.startswith("#!") else ""


def read_tokens(arch: Arch, text: str) -> Iterator[Token]:
    """Yield all tokens that count; an f-string is one, with its text as written."""
    _check_tabs(arch, text)
    lines = text.split("\n")
    work = depth = 0
    start = (0, 0)
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            work += len(token.line)
            if work > _MOST_WORK:
                raise UnlikeError(f"{arch.value}'s has too many tokens on long lines")
            if token.type in _PARTED_STARTS:
                depth += 1
                start = token.start if depth == 1 else start
            elif token.type in _PARTED_ENDS:
                depth -= 1
                if depth == 0:
                    rest = lines[token.end[0] - 1][token.end[1] :]  # as in `_written`
                    yield Token(tokenize.STRING, _between(lines, start, token.end) + rest, *start)
            elif depth == 0 and token.type not in _IGNORED:
                if token.type == tokenize.ERRORTOKEN or _is_no_token(token):
                    raise UnlikeError(f"{arch.value}'s line {token.start[0]} cannot be tokenized")
                yield Token(token.type, _written(token, lines), *token.start)
    except (SyntaxError, tokenize.TokenError) as error:
        raise UnlikeError(f"{arch.value}'s cannot be tokenized ({error.args[0]})") from None


def _is_no_token(token: tokenize.TokenInfo) -> bool:
    """Tell whether some tokenizers call an error what others let pass: marks and names that Python does not have."""
    if token.type == tokenize.OP:
        return token.string in _NO_OPERATORS or token.string not in tokenize.EXACT_TOKEN_TYPES
    return token.type == tokenize.NAME and not token.string.isidentifier()


def _written(token: tokenize.TokenInfo, lines: list[str]) -> str:
    """Return what counts of a token's text.

    A Python whose tokenizer does not know the quotes inside of f"{x["a  b"]}" takes their content for
    code; to the end of such a line everything counts, the blanks and a comment, too.
    """
    if token.type == tokenize.NEWLINE:
        return ""
    if token.type == tokenize.STRING:
        row, column = token.start
        prefix = _PREFIX_BEFORE.search(lines[row - 1][max(0, column - 3) : column])
        if _PARTED_PREFIX.match(token.string) or prefix:
            return token.string + lines[token.end[0] - 1][token.end[1] :]
    return token.string


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """Return the text between two positions (line from 1, column in characters)."""
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    inner = lines[start[0] : end[0] - 1]
    return "\n".join([lines[start[0] - 1][start[1] :], *inner, lines[end[0] - 1][: end[1]]])


def _common(one: Token | None, other: Token | None) -> int:
    """Return how many characters at the start of two long tokens need not be shown: they are equal."""
    if one is None or other is None:
        return 0
    pairs = enumerate(zip(one[1], other[1], strict=False))
    equal = next((i for i, (a, b) in pairs if a != b), min(len(one[1]), len(other[1])))
    return max(0, equal - _SHOWN // 3) if max(len(one[1]), len(other[1])) > _SHOWN else 0


def _place(token: Token | None, skip: int) -> str:
    """Return line and text of a token, without the first `skip` characters."""
    if token is None or token[0] == tokenize.ENDMARKER:
        return "the end"
    if not token[1].strip():
        return f"line {token[2]} has an indent or a line end"
    line = token[2] + token[1][:skip].count("\n")
    return f"line {line} has {'…' if skip else ''}{_short(token[1][skip:])}"


def _short(text: str) -> str:
    return repr(text) if len(text) <= _SHOWN else repr(text[:_SHOWN]) + "…"


# ---- both behind a dispatch ----

_HEAD = (
    "# Made by fatwheel: this module has a source for x86_64 and another for arm64. They stand below\n"
    "# as they were; what runs is compiled from one of them, with the line numbers of this file.\n"
)
_IF = '{word} __import__("os").uname().machine == "{machine}":\n'
_RUN = '    exec(compile("\\n" * {lines} + '
_RUN_END = ', __file__, "exec", dont_inherit=True), globals())\n'
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_DISPATCHED = (
    "dispatch: each architecture runs its own source; py2app, PyInstaller and type checkers see neither its imports "
    "nor its names"
)
_ELSE = (
    "else:\n"
    "    raise ImportError(\n"
    '        f"{__name__} has a source for x86_64 and for arm64,"\n'
    "        f\" none for {__import__('os').uname().machine}\"\n"
    "    )\n"
)


def dispatch(x86_64: bytes, arm64: bytes, name: str) -> MergeResult:
    """Return one module that runs the source of the architecture that imports it.

    `name` is the member's, for a comment. Both sources stand in the result as literals, on lines
    of their own, so that tracebacks and `inspect.getsource` of a function show them; nothing but
    their names lands in the module. An x86_64 process under Rosetta 2 runs x86_64's source;
    another machine gets an `ImportError` that names it. The result is UTF-8 with `\\n` line ends,
    whatever the sources were; their `#!` line is kept.

    `Unmergeable` when a source cannot be decoded (PEP 263), has NUL bytes, or has another `#!`
    line than the other.
    """
    try:
        x_text, a_text = decode_both(x86_64, arm64)
    except UnlikeError as error:
        return Unmergeable(why=str(error))
    shebang = f"{_in_utf8(_shebang(a_text))}\n" if _shebang(a_text) else ""
    # In the first two lines the name could be read as an encoding (PEP 263).
    module = f"{shebang}{_HEAD}# {name!r}\n"
    for word, arch, text in (("if", Arch.X86_64, x_text), ("elif", Arch.ARM64, a_text)):
        module += _IF.format(word=word, machine=arch.value)
        # The literal begins with a line end, so that the source's first line is one of the file's.
        module += _RUN.format(lines=module.count("\n")) + _literal("\n" + text) + _RUN_END
    content = (module + _ELSE).encode("utf-8")
    return Merged(content=content, how=_DISPATCHED)


def undispatch(content: bytes, name: str) -> Mapping[Arch, bytes] | None:
    """Return the two sources that `dispatch` made this module of; None where it did not.

    Each is in the encoding that it names itself (PEP 263). They are what went in, but for a byte order mark, line ends
    other than `\\n`, and the line end that a last line may have lacked.
    """
    start = content.index(b"\n") + 1 if content.startswith(b"#!") and b"\n" in content else 0
    if not content.startswith(_HEAD.encode(), start):
        return None
    try:
        module = content.decode("utf-8")
        sources = {arch: _encoded(text) for arch, text in _literals(module)}
    except (SyntaxError, LookupError, ValueError):
        return None
    if set(sources) != set(Arch):
        return None
    result = dispatch(sources[Arch.X86_64], sources[Arch.ARM64], name)
    return sources if isinstance(result, Merged) and result.content == content else None


def _literals(module: str) -> Iterator[tuple[Arch, str]]:
    """Yield the sources that a dispatching module holds; raises `ValueError` where it is none."""
    at = 0
    for word, arch in (("if", Arch.X86_64), ("elif", Arch.ARM64)):
        line = _IF.format(word=word, machine=arch.value)
        at = module.index(line, at)
        at += len(line)
        lines = module.count("\n", 0, at)
        run = _RUN.format(lines=lines)
        if not module.startswith(run, at):
            raise ValueError(f"no source for {arch.value}")
        text, at = _read_literal(module, at + len(run))
        yield arch, text.removeprefix("\n")


def _read_literal(module: str, at: int) -> tuple[str, int]:
    """Return the text of what `_literal` wrote at `at`, and where it ends; raises `ValueError` where it did not."""
    parts = []
    while module[at : at + 1] in {"r", '"'}:
        raw = module[at] == "r"
        quotes = module[at + raw : at + raw + 3]
        if quotes not in {"'''", '"""'}:
            raise ValueError("no literal in three quotes")
        start = at + raw + 3
        end = module.index(quotes, start)
        part = module[start:end]
        parts.append(part if raw else _ESCAPED.sub(r"\1", part))
        at = end + 3
    return "".join(parts), at


def _encoded(text: str) -> bytes:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(text.encode("utf-8")).readline)
    return text.encode(encoding)


def _in_utf8(shebang: str) -> str:
    """Return a `#!` line that names UTF-8 where it names an encoding, as the first line may (PEP 263)."""
    found = _COOKIE.match(shebang)
    return f"{shebang[: found.start(1)]}utf-8{shebang[found.end(1) :]}" if found else shebang


def _literal(text: str) -> str:
    """Return an expression for a text, which has as many lines in the file as in itself.

    Raw triple-quoted literals show the text as it is. Where it has both kinds of triple quotes,
    literals of both kinds follow each other; only a line that has both is written with escapes.
    """
    lines = text.removesuffix("\n").split("\n")
    needed = [_quotes(line) for line in lines]
    literal = ""
    for start, end, quotes in _segments(lines, needed):
        part = "".join(f"{line}\n" for line in lines[start:end])
        if not quotes:
            part = part.replace("\\", "\\\\").replace('"', '\\"')
        literal += f'"""{part}"""' if not quotes else f"r{quotes}{part}{quotes}"
    return literal


def _quotes(line: str) -> str | None:
    """Return the triple quotes that a raw literal of the line takes: "" for none, None for any."""
    single, double = "'''" in line, '"""' in line
    if single and double:
        return ""
    return '"""' if single else "'''" if double else None


def _segments(lines: list[str], needed: list[str | None]) -> Iterator[tuple[int, int, str]]:
    """Yield (first line, line behind the last, quotes) of consecutive literals."""
    start = last = 0
    quotes: str | None = None
    for index, needs in enumerate(needed):
        if needs is None:
            continue
        if not needs:
            if start < index:
                yield start, index, quotes or "'''"
            yield index, index + 1, ""
            start, quotes = index + 1, None
            continue
        if quotes not in {None, needs}:
            cut = _best_cut(lines, last + 1, index)
            yield start, cut, quotes or ""
            start = cut
        quotes, last = needs, index
    if start < len(lines):
        yield start, len(lines), quotes or "'''"


def _best_cut(lines: list[str], first: int, last: int) -> int:
    """Return the line before which a literal ends and another starts: where it disturbs the least.

    That is an empty line between top-level statements, or any empty line; else as late as possible.
    """
    empty = [index for index in range(first, last) if not lines[index]]
    between = [index for index in empty if lines[index + 1][:1].strip()]
    return (between or empty or [last])[-1]
