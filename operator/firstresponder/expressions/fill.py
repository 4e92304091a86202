"""An expression with what is known of its names written into it: ``cpu > cpuThreshold`` becomes ``cpu > 80``."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from firstresponder.expressions.complaint import ExpressionError
from firstresponder.expressions.expression import compile_expression

_TOKEN = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|(?<![\w.])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*|(?:\s|//[^\n]*)+"
)
"""Texts, dotted names that are no fields of anything before them, white space with comments."""
_CALL = re.compile(r"\s*\(")
_JOINED = re.compile(r"'([^'\\]*)' \+ '([^'\\]*)'(?![.\[])")
"""Two texts that are put together, and nothing is asked of the second one first."""


def fill(source: str, known: Mapping[str, Any], names: Collection[str]) -> str:
    """The expression in one line, with the values of dotted paths such as ``hosts.target.address`` in their places.

    ``names`` are those that it may use then. It means the same as before; where a value has no place to stand (the
    variable of an ``exists`` bears its name, say), the expression is left as it is.
    """
    for literal in (_literal, _double):
        filled = _TOKEN.sub(lambda match: _put(match, known, literal), source).strip()  # noqa: B023
        while (joined := _JOINED.sub(r"'\1\2'", filled, count=1)) != filled:
            filled = joined
        try:
            compile_expression(filled, names)
        except ExpressionError:
            continue
        return filled
    return _TOKEN.sub(lambda match: _put(match, {}, _literal), source).strip()


def _put(match: re.Match[str], known: Mapping[str, Any], literal: Any) -> str:
    token = match[0]
    if token[0].isspace() or token.startswith("//"):
        return " "
    if token in known:
        return str(literal(known[token]))
    # A method of a value: group.size()
    path, _, method = token.rpartition(".")
    if path in known and _CALL.match(match.string, match.end()):
        return f"{literal(known[path])}.{method}"
    return token


def _literal(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(int(value)) if float(value).is_integer() else repr(float(value))
        case str():
            plain = "'" not in value and "\\" not in value and value.isprintable()
            return f"'{value}'" if plain else json.dumps(value, ensure_ascii=False)
        case list():
            return f"[{', '.join(_literal(each) for each in value)}]"
    raise TypeError(f"{value!r} has no literal")


def _double(value: Any) -> str:
    """For where CEL would not let an integer meet a double."""
    return repr(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else _literal(value)
