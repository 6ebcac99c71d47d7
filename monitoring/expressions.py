"""Conditions and key expressions in CEL: checked when a person writes them, safe when a request runs them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import cel

ROOTS = frozenset({"resource", "span", "event"})
#: Stands for "all of a root" in `names`, where an expression looks at more than single attributes.
WHOLE = "*"
MAX_CHARS = 1000
#: Each level of `all`, `exists`, `map`, `filter` multiplies the work; two levels are what conditions need.
MAX_LOOPS = 2

_FUNCTIONS = frozenset({
    "size", "contains", "startsWith", "endsWith", "matches", "int", "uint", "double", "string", "bytes", "bool",
    "timestamp", "duration", "has", "min", "max", "type", "dyn", "getFullYear", "getMonth", "getDate", "getDayOfMonth",
    "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds",
})  # fmt: skip
_LOOPS = frozenset({"all", "exists", "exists_one", "map", "filter"})
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>[rRbB]{0,2}(?:\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
     |(?P<name>[A-Za-z_]\w*)
     |(?P<number>\d[\w.]*)
     |(?P<sign>.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_SYNTAX_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.+)")


class ExpressionError(ValueError):
    """An expression that can't be used. The message says what is wrong and at which line and column."""


class Token(NamedTuple):
    """One word of an expression: `kind` is text, name, number or sign; `value` is a text's content."""

    kind: str
    value: str
    at: int


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression and the attributes it looks at."""

    source: str
    names: frozenset[tuple[str, str]]
    program: Any

    def value(self, context: Mapping[str, object]) -> object:
        """What the expression yields; None where an attribute is missing or the types don't fit."""
        try:
            return self.program.execute(context)
        except Exception:  # noqa: BLE001 - a sender's data must never break intake, whatever CEL makes of it.
            return None

    def holds(self, context: Mapping[str, object]) -> bool:
        """Whether the expression is true; a missing attribute makes it false unless `||` finds another reason."""
        return self.value(context) is True


def compiled(expression: str, roots: frozenset[str] = ROOTS) -> Expression:
    """The expression, compiled once for all its uses; raises ExpressionError where it can't be."""
    return _compiled(expression, roots)


def check(expression: str, roots: frozenset[str] = ROOTS) -> None:
    """Raises ExpressionError, with what is wrong and where, if the expression can't be used."""
    _compiled(expression, roots)


def names(expression: str, roots: frozenset[str] = ROOTS) -> frozenset[tuple[str, str]]:
    """The attributes an expression looks at: `("resource", "service.name")`; `(root, "*")` where it looks at all.

    Below `event.data` the attribute is the field's name behind a dot, `("event", "data.order_id")`.
    """
    return _compiled(expression, roots).names


def holds(expression: str, context: Mapping[str, object]) -> bool:
    """Whether the expression is true in this context; never raises for what the context lacks."""
    return compiled(expression).holds(context)


@lru_cache(maxsize=4096)
def _compiled(expression: str, roots: frozenset[str]) -> Expression:
    if not expression.strip():
        raise ExpressionError("The expression is empty: write a condition, for example span.name == 'release'.")
    if len(expression) > MAX_CHARS:
        raise ExpressionError(f"The expression has {len(expression)} characters; at most {MAX_CHARS} are allowed.")
    try:
        program = cel.compile(expression)
        variables, functions = program.variables(), program.functions()
    except Exception as error:  # noqa: BLE001 - the CEL parser raises several types; all of them mean: unreadable.
        raise ExpressionError(_syntax_message(str(error))) from None
    tokens = tuple(_tokens(expression))
    _refuse_unknown_names(tokens, variables, roots, expression)
    _refuse_unknown_functions(tokens, functions, expression)
    return Expression(expression, frozenset(_looked_at(tokens, roots)), program)


def _syntax_message(error: str) -> str:
    matched = _SYNTAX_ERROR.search(error)
    if matched is None:
        return f"The expression can't be read: {error.splitlines()[0][:200] if error else 'unknown reason'}."
    line, column, what = matched.groups()
    return f"Line {line}, column {column}: {what.split(' expecting ')[0][:200]}."


def _tokens(expression: str) -> Iterator[Token]:
    for matched in _TOKEN.finditer(expression):
        kind = matched.lastgroup or "sign"
        value = matched[kind]
        yield Token(kind, _unquoted(value) if kind == "text" else value, matched.start(kind))


def _unquoted(literal: str) -> str:
    bare = literal.lstrip("rRbB")
    raw = "r" in literal[: len(literal) - len(bare)].lower()
    quotes = 3 if bare[:3] in {'"""', "'''"} else 1
    content = bare[quotes:-quotes]
    return content if raw else re.sub(r"\\(.)", r"\1", content)


def _where(expression: str, at: int) -> str:
    before = expression[:at]
    return f"Line {before.count(chr(10)) + 1}, column {at - (before.rfind(chr(10)) + 1) + 1}"


def _bound(tokens: tuple[Token, ...]) -> frozenset[str]:
    """The names that loops introduce, the `x` in `.exists(x, x == 1)`."""
    return frozenset(
        variable.value
        for loop, bracket, variable in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if loop.value in _LOOPS and loop.kind == "name" and bracket.value == "(" and variable.kind == "name"
    )


def _refuse_unknown_names(
    tokens: tuple[Token, ...], variables: list[str], roots: frozenset[str], expression: str
) -> None:
    unknown = set(variables) - roots - _bound(tokens)
    for index, token in enumerate(tokens):
        if token.kind == "name" and token.value in unknown and not (index and tokens[index - 1].value == "."):
            allowed = ", ".join(sorted(roots))
            raise ExpressionError(f"{_where(expression, token.at)}: '{token.value}' is unknown; use {allowed}.")


def _refuse_unknown_functions(tokens: tuple[Token, ...], functions: list[str], expression: str) -> None:
    unknown = {name for name in functions if name[0].isalpha()} - _FUNCTIONS
    for token in tokens:
        if token.kind == "name" and token.value in unknown:
            raise ExpressionError(f"{_where(expression, token.at)}: there is no function '{token.value}'.")
    loops = [
        token
        for token, bracket in pairwise(tokens)
        if token.kind == "name" and token.value in _LOOPS and bracket.value == "("
    ]
    if len(loops) > MAX_LOOPS:
        raise ExpressionError(
            f"{_where(expression, loops[MAX_LOOPS].at)}: at most {MAX_LOOPS} of {', '.join(sorted(_LOOPS))} "
            "are allowed in one expression."
        )


def _looked_at(tokens: tuple[Token, ...], roots: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Walks the words: an attribute is a root followed by `["name"]` or `.name`, or `"name" in root`."""
    values = [token.value for token in tokens]
    for index, token in enumerate(tokens):
        if token.kind != "name" or token.value not in roots or (index and values[index - 1] == "."):
            continue
        path, end = _path(tokens, index + 1)
        is_method = end < len(tokens) and values[end] == "(" and len(path) > 0 and values[end - 1] != "]"
        if is_method:
            path = path[:-1]
        if token.value == "event" and path[:1] == ["data"]:
            yield "event", ".".join(path[:2])
        elif path:
            yield token.value, path[0]
        elif not is_method and index >= 2 and values[index - 1] == "in" and tokens[index - 2].kind == "text":
            yield token.value, values[index - 2]
        else:
            yield token.value, WHOLE


def _path(tokens: tuple[Token, ...], start: int) -> tuple[list[str], int]:
    """The attribute chain behind a root, `.name` and `["name"]`, and where it ends."""
    path: list[str] = []
    index = start
    while True:
        signs = [token.value if token.kind == "sign" else token.kind for token in tokens[index : index + 3]]
        if signs[:2] == [".", "name"]:
            path.append(tokens[index + 1].value)
            index += 2
        elif signs == ["[", "text", "]"]:
            path.append(tokens[index + 1].value)
            index += 3
        else:
            return path, index
