"""Which entries of lists an expression came out by: of ``list.exists(p, …)`` those that satisfied it.

Found by asking again: an entry is a witness when its list, with it as the only entry, makes the expression come out as
it did, and without any entry does not. So it holds of ``exists``, ``exists_one``, a negated ``all`` or a ``filter``,
whatever they are combined with, and of no list whose entries only together made a difference.
"""

from __future__ import annotations

from typing import Any

from firstresponder.expressions.cost import MAX_COST
from firstresponder.expressions.expression import Expression, Verdict
from firstresponder.expressions.scope import Scope


def witnesses(expression: Expression, scope: Scope) -> dict[str, list[Any]]:
    """The dotted path of each list → its entries by which the expression is true or false. Never raises."""
    verdict = expression.verdict(scope)
    values = {path: scope.lookup(path) for path in sorted(expression.ranges)}
    lists = {path: value for path, value in values.items() if isinstance(value, list)}
    if verdict is Verdict.UNKNOWN or not lists:
        return {}
    emptied = scope
    for path in lists:
        emptied = emptied.replaced(path, [])
    asked = _Asked(expression, verdict)
    # Beside emptied lists first, so that one is not a witness only because another list decides already.
    for beside in (emptied, scope):
        found = {path: asked.among(entries, beside, path) for path, entries in lists.items()}
        if any(found.values()):
            return {path: entries for path, entries in found.items() if entries}
    return {}


class _Asked:
    """The expression, asked again and again, but together not for more than one evaluation may cost."""

    def __init__(self, expression: Expression, verdict: Verdict) -> None:
        self._expression = expression
        self._verdict = verdict
        self._spent = 0.0

    def among(self, entries: list[Any], beside: Scope, path: str) -> list[Any]:
        if self._comes_out_by(beside.replaced(path, [])):
            return []
        return [each for each in entries if self._comes_out_by(beside.replaced(path, [each]))]

    def _comes_out_by(self, scope: Scope) -> bool:
        self._spent += self._expression.cost(scope)
        return self._spent <= MAX_COST and self._expression.verdict(scope) is self._verdict
