"""What the library has against an expression, in words for its author.

The library speaks of tokens and overloads. Most of what goes wrong is another language's way to say what CEL says
differently, so that is looked for first, and only in an expression that was refused.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from firstresponder.safety import neutralise

MACROS = ("all", "exists", "exists_one", "filter", "map")
FUNCTIONS = (
    *("bool", "charAt", "contains", "double", "endsWith", "indexOf", "int", "join", "lastIndexOf", "lowerAscii"),
    *("matches", "math.abs", "math.ceil", "math.floor", "math.greatest", "math.isFinite", "math.least", "math.round"),
    *("math.sign", "math.trunc", "replace", "size", "split", "startsWith", "string", "substring", "trim", "upperAscii"),
)
"""Those that are of use on evidence, parameters and the incident."""

_LONG = 64
"""Characters of a word that a message repeats."""
_ISSUE = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_TEXTS = re.compile(r"""("{3}.*?"{3}|'{3}.*?'{3}|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')""", re.DOTALL)
_FOREIGN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), advice)
    for pattern, advice in (
        (r"\$\(", "$(…) is for texts and arguments: an expression names a value as it is, as in cpuThreshold"),
        (
            "[\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb]",
            "a text stands in plain quotes, as in 'active'",
        ),
        ("[\u2264\u2265\u2260]", "write <=, >= or !="),
        (r"===|(?<![=!<>])=(?![=<>~])", "write == to compare"),
        (r"!==|<>", "write != to ask whether two values differ"),
        (r"=>", "write >= for at least"),
        (r"=<", "write <= for at most"),
        (r"=~", "write value.matches('pattern') to compare with a pattern"),
        (r"\bnot +in\b", "write !(value in list)"),
        (r"(?i:\band\b)|(?<!&)&(?!&)", "write && for and"),
        (r"(?i:\bor\b)|(?<!\|)\|(?!\|)", "write || for or"),
        (r"(?i:\bnot\b)", "write ! for not"),
        (r"\bis\b", "write == to compare"),
        (r"\b(True|TRUE|False|FALSE)\b", "write true or false"),
        (r"\b(None|nil|undefined|NULL)\b", "what was not seen is unknown and compares with nothing: ask for a value"),
        (r"\?\?|\?:", "there is no value in place of one that is missing: what was not seen stays unknown"),
        (r"\bif\b|\bthen\b", "write condition ? one : other"),
        (r"\.any\(|\.some\(", "write list.exists(entry, condition)"),
        (r"\.every\(", "write list.all(entry, condition)"),
        (r"\blen\(|\blength\(|\bcount\(", "write size(list)"),
        (r"\.includes\(", "write value in list, or text.contains('part')"),
        (r"\.toLower(Case)?\(|\.lower\(", "write text.lowerAscii()"),
        (r"\.toUpper(Case)?\(|\.upper\(", "write text.upperAscii()"),
        (r"[<>]=?[^&|?(]*[<>]", "write a < b && b < c: a comparison has two sides"),
    )
)

_FOREIGN_WORDS = frozenset({"True", "TRUE", "False", "FALSE", "None", "nil", "undefined", "NULL"})
_FOREIGN_MACRO = re.compile(r"\.(any|some|every)\(")


class ExpressionError(ValueError):
    """An expression that cannot be used. ``position`` is (line, column), both from 1, where it is known."""

    def __init__(self, message: str, position: tuple[int, int] | None = None) -> None:
        where = f" (line {position[0]}, column {position[1]} of the expression)" if position is not None else ""
        super().__init__(f"{message}{where}")
        self.message = message
        self.position = position


def too_deep() -> ExpressionError:
    """An expression whose tree is deeper than can be read."""
    return ExpressionError("nested too deeply; give parts of it a name of their own (variables)")


def explain_error(error: str, source: str, names: frozenset[str]) -> ExpressionError:
    """The library's first complaint about the source, which may use the names."""
    if "recursion" in error:
        return too_deep()
    issue = _ISSUE.search(error)
    if issue is None:
        return ExpressionError(neutralise(error, 256))
    line, column, message = int(issue[1]), int(issue[2]), issue[3]
    position = (line, column) if line > 0 else None
    if found := re.match(r"undeclared reference to '([^']*)'", message):
        name = found[1].lstrip(".")
        if _at(source, line, column) == "(" or name.partition(".")[0] in ("math", "strings"):
            return ExpressionError(_foreign(source) or _unknown_function(name, source, names), position)
        if name.partition(".")[0] in _FOREIGN_WORDS or _FOREIGN_MACRO.search(source):
            return ExpressionError(_foreign(source) or _unknown_name(name, names), position)
        return ExpressionError(_unknown_name(name, names), position)
    if found := re.match(r"found no matching overload for '([^']*)' applied to '(.*)'", message):
        function = found[1].strip("_") if found[1].startswith(("_", "!", "-")) else found[1]
        types = re.findall(r"[a-z]+", found[2])
        advice = "; write 2.0 for 2" if {"int", "double"} <= set(types) else ""
        if function in ("<", "<=", ">", ">=") and "bool" in types and (sides := _foreign(source)):
            advice = f"; {sides}"
        return ExpressionError(f"{function} cannot be applied to ({found[2].strip('()')}){advice}", position)
    return ExpressionError(_foreign(source) or _syntax(message), position)


def _foreign(source: str) -> str | None:
    """What another language's word in it has to be here; None where there is none. What stands in quotes is no code."""
    code = _TEXTS.sub("''", source)
    return next((advice for pattern, advice in _FOREIGN if pattern.search(code)), None)


def _syntax(message: str) -> str:
    if found := re.match(r"Syntax error: token recognition error at: '(['\"].*)'", message):
        return f"the text that begins with {neutralise(found[1], _LONG)} has no end: close it with the same quote"
    message = re.sub(r" expecting .*", "", message)
    if re.match(r"Syntax error: (mismatched|extraneous) input '<EOF>'", message):
        return "it ends too early"
    if found := re.match(r"Syntax error: missing ('.*') at '<EOF>'", message):
        return f"it ends too early: {found[1]} is missing"
    if found := re.match(
        r"Syntax error: (?:mismatched input|extraneous input|token recognition error at:) '(.*)'", message
    ):
        return f"{neutralise(found[1].strip() or found[1], _LONG)} cannot stand here"
    if found := re.match(r"reserved identifier: (.*)", message):
        return f"{neutralise(found[1], _LONG)} is reserved by the expression language"
    return neutralise(message, 256)


def _at(source: str, line: int, column: int) -> str:
    lines = source.split("\n")
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    return text[column - 1 : column] if column > 0 else ""


def _unknown_function(name: str, source: str, names: frozenset[str]) -> str:
    if name in ("math", "strings") and (found := re.search(rf"\b{name}\.\w+", source)):
        name = found[0]
    if name in names:
        return f"{neutralise(name, _LONG)} is a value, not a function: write it without brackets"
    known = sorted({*FUNCTIONS, *MACROS})
    return f"there is no function {neutralise(name, _LONG)}: {_near(name, known)}functions are {', '.join(known)}"


def _unknown_name(path: str, names: frozenset[str]) -> str:
    root = path.partition(".")[0]
    known = ", ".join(sorted(names)) or "none"
    return f"{neutralise(root, _LONG)} is not known here: {_near(root, names)}known names are {known}"


def _near(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word[:_LONG], sorted(known), n=1)
    return f"did you mean {close[0]}? " if close else ""
