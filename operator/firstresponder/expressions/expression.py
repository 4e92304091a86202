"""CEL expressions: checked before use, evaluated to a value or to Unknown, judged true, false or unknown.

All variables are of type DYN: the shape of evidence is the probes' promise and not declared to CEL.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_math, ext_strings

from firstresponder.expressions.complaint import ExpressionError, explain_error, too_deep
from firstresponder.expressions.cost import MAX_COST, cost, read_cost_tree
from firstresponder.expressions.form import Form, read_form
from firstresponder.expressions.scope import Scope
from firstresponder.expressions.tree import Comparison, Read, Tree, read_tree
from firstresponder.safety import neutralise
from firstresponder.safety.values import format_value

MAX_LENGTH = 4096
"""Characters of the longest expression."""

MAX_SIZE = 64 * 1024
"""Characters and entries of the largest value; what is larger would grow without end through variables."""

TOO_COSTLY = (
    "takes more time and memory than an evaluation may take: go through shorter lists, in fewer levels, and put less "
    "text together"
)

RESERVED_NAMES = frozenset(
    # Types and literals of CEL (cel-spec, langdef.md, "Identifiers" and "Values").
    {"bool", "bytes", "double", "dyn", "int", "list", "map", "null", "null_type", "string", "type", "uint"}
    | {"true", "false", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let"}
    | {"loop", "package", "namespace", "return", "var", "void", "while"}
    # Where the extensions' functions live.
    | {"math", "strings"}
)
"""Names that no diagnostic, parameter or variable can have, for an expression could not use them."""


class Verdict(Enum):
    """What an expression says about the world: unknown is neither true nor false."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Result:
    """A value, or None and the reason why there is none."""

    value: Any = None
    because: str = ""

    @property
    def known(self) -> bool:
        return self.value is not None


def compile_expression(source: str, names: Iterable[str], evidence: Collection[str] = ()) -> Expression:
    """Check an expression that may use the given names, those in ``evidence`` being diagnostics.

    Raises ExpressionError for what CEL refuses, an unknown name, arithmetic that could never work, and what
    would turn missing evidence into an answer (``has()``, a diagnostic without a field); ValueError when one of
    ``names`` is among :data:`RESERVED_NAMES`.
    """
    known = frozenset(names)
    if reserved := known & RESERVED_NAMES:
        raise ValueError(f"{', '.join(sorted(reserved))}: reserved by the expression language; use another name")
    if len(source) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters")
    if not all(character.isprintable() or character in "\n\t" for character in source):
        raise ExpressionError("holds a control or invisible character")
    if not source.strip():
        raise ExpressionError("empty")
    try:
        program = _environment(known).compile(source)
    except RuntimeError as error:
        raise explain_error(str(error), source, known) from None
    try:
        tree = read_tree(program.serialize())
    except RecursionError:
        raise too_deep() from None
    _refuse_traps(tree, source, evidence)
    # What else the tree names are types, as in type(x) == double.
    references = frozenset(path for path in tree.references if path.partition(".")[0] in known)
    expression = Expression(
        source,
        program,
        references,
        tuple(tree.comparisons),
        frozenset(tree.ranges),
        frozenset(tree.reads),
    )
    try:
        expression.cost(Scope())
        expression.form  # noqa: B018 - read here, where one that is too deep is found
    except RecursionError:
        raise too_deep() from None
    return expression


def compile_condition(source: str, names: Iterable[str], evidence: Collection[str] = ()) -> Expression:
    """Check an expression that must be true or false. Raises as :func:`compile_expression`, and for a result
    that can be seen not to be a boolean."""
    expression = compile_expression(source, names, evidence)
    if expression.result_type not in {"BOOL", "DYN"}:
        raise ExpressionError(
            f"gives a value of type {expression.result_type.lower()}, not true or false: compare it with something"
        )
    return expression


class Expression:
    """A checked expression; made by :func:`compile_expression`."""

    def __init__(
        self,
        source: str,
        program: Any,
        references: frozenset[str],
        comparisons: tuple[Comparison, ...],
        ranges: frozenset[str],
        reads: frozenset[Read],
    ) -> None:
        self.source = source
        self.references = references
        """The dotted paths that it reads, such as ``processes.top.unit``."""
        self.names = frozenset(path.partition(".")[0] for path in references)
        """The first parts of the references: diagnostics, variables, parameters and the like."""
        self.comparisons = comparisons
        """Where it compares one of them with a number or with another."""
        self.ranges = ranges
        """Those of the references whose entries it goes through, as in ``processes.list.exists(p, …)``."""
        self._program = program
        self._reads = reads

    @property
    def result_type(self) -> str:
        """CEL's name of the result's type; DYN when only the values decide it."""
        return str(self._program.return_type().name())

    @cached_property
    def form(self) -> Form:
        """Its tree without what changes nothing in its meaning; see form.py."""
        return read_form(self._program.serialize())

    @cached_property
    def _cost_tree(self) -> tuple[Any, ...]:
        return read_cost_tree(self._program.serialize())

    def cost(self, scope: Scope) -> float:
        """The most that an evaluation can take, in units of :mod:`cost`."""
        return cost(self._cost_tree, scope, self.names)

    @property
    def constant(self) -> Verdict | None:
        """The verdict when no evidence can change it (a guard like that is a mistake), else None."""
        verdict = self.verdict(Scope())
        return verdict if verdict is not Verdict.UNKNOWN or not self.references else None

    def evaluate(self, scope: Scope) -> Result:
        """The value; Unknown for every error, null, what is not finite or larger than MAX_SIZE. Never raises.

        What could take more than MAX_COST is not evaluated, and Unknown: evidence decides how long it takes.
        """
        if self.cost(scope) > MAX_COST:
            return Result(because=TOO_COSTLY)
        try:
            outcome = self._program.eval(data=scope.select(self.names, self._reads))
            if outcome.type() == cel.Type.ERROR:
                return Result(because=self._reason(scope, str(outcome.value())))
            value = outcome.plain_value()
        except RuntimeError as error:  # such as an exceeded iteration budget
            return Result(because=self._reason(scope, str(error)))
        if _size(value) > MAX_SIZE:
            return Result(because=f"the result has more than {MAX_SIZE} characters and entries")
        if not _is_json(value):
            return Result(because=f"the result {neutralise(repr(value), 64)} is not a value that can be used")
        return Result(value)

    def verdict(self, scope: Scope) -> Verdict:
        """True or false when the value is; everything else is unknown."""
        value = self.evaluate(scope).value
        if isinstance(value, bool):
            return Verdict.TRUE if value else Verdict.FALSE
        return Verdict.UNKNOWN

    def explain(self, scope: Scope) -> str:
        """Why it came out as it did, for people: what is missing, or the values that it read."""
        result = self.evaluate(scope)
        if not result.known:
            return result.because
        if not isinstance(result.value, bool):
            return f"the result {format_value(result.value, 64)} is neither true nor false"
        return self.read(scope)

    def read(self, scope: Scope, limit: int = 64, without: Collection[str] = ()) -> str:
        """The values that it reads, but those at the paths ``without``, each of at most ``limit`` characters, for
        people; empty where it reads none."""
        values = {path: scope.lookup(path) for path in sorted(self.references.difference(without))}
        return ", ".join(
            f"{path} = {format_value(value, limit)}" if value is not None else f"{path} is not known"
            for path, value in values.items()
        )

    def _reason(self, scope: Scope, error: str) -> str:
        missing = sorted(path for path in self.references if scope.lookup(path) is None)
        if missing:
            return f"not known: {', '.join(missing)}"
        if incomplete := scope.incomplete(self._reads):
            return f"not known as a whole, for a part is withheld: {', '.join(incomplete)}"
        if found := re.search(r'Key not found in map : "([^"]*)"', error):
            return f"not known: {neutralise(found[1], 64)} of an entry"
        return f"cannot be evaluated: {neutralise(error.partition(': ')[2] or error, 200)}"


@lru_cache(maxsize=256)
def _environment(names: frozenset[str]) -> Any:
    return cel.NewEnv(
        variables=dict.fromkeys(names, cel.Type.DYN), extensions=[ext_math.ExtMath(), ext_strings.ExtStrings()]
    )


def _refuse_traps(tree: Tree, source: str, evidence: Collection[str]) -> None:
    for name in sorted(tree.references.intersection(evidence)):
        raise ExpressionError(
            f"{name} is a diagnostic: name one of its fields, as in {name}.count (one that was not observed is an "
            "empty map, which would look like an answer)"
        )
    for offset in tree.presence_tests:
        raise ExpressionError(
            "has() turns evidence that is not known into false: compare the field itself, then missing evidence "
            "stays unknown",
            _position(source, offset - len("has")),
        )
    for offset in tree.messages:
        raise ExpressionError(
            "a message of Protocol Buffers is of no use here: write the plain value, as in 1 or {'a': 1}",
            _position(source, offset),
        )
    for offset in tree.growing_replacements:
        raise ExpressionError(
            "replace() must be given two texts that are written out, the second not longer than the first: otherwise "
            "a few of them make a text that no memory holds",
            _position(source, offset - len("replace")),
        )
    for offset, operator in tree.mixed_arithmetic:
        raise ExpressionError(
            f"{operator} cannot combine an integer with evidence, whose numbers are doubles: write 2.0 for 2, or "
            "double(…) around an integer",
            _position(source, offset),
        )


def _position(source: str, offset: int) -> tuple[int, int]:
    before = source[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def _is_json(value: Any) -> bool:
    match value:
        case bool() | str():
            return True
        case int() | float():
            return math.isfinite(value)
        case list():
            return all(_is_json(each) for each in value)
        case dict():
            return all(isinstance(key, str) and _is_json(each) for key, each in value.items())
    return False


def _size(value: Any) -> int:
    """Characters of all texts and the number of all entries."""
    match value:
        case str():
            return len(value)
        case list():
            return len(value) + sum(_size(each) for each in value)
        case dict():
            return len(value) + sum(_size(each) for each in (*value, *value.values()))
    return 1
