"""How much of an action is needed: the size of a pool (rule 11), or the methods that are admitted (rule 15)."""

from __future__ import annotations

from dataclasses import dataclass

from firstresponder.actions.action import Count, Method, Scaling
from firstresponder.actions.catalogue import methods_of, scaling_of
from firstresponder.api.incident import HypothesisResult
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Action, RunbookSpec
from firstresponder.expressions import Scope
from firstresponder.incident.decision.decide import Escalate, values_behind, verdict_on
from firstresponder.runbooks.symbols import compiled, names_in


@dataclass(frozen=True)
class Planned:
    """How much of an action is needed."""

    count: Count | None = None
    methods: tuple[Method, ...] = ()

    def back(self) -> Planned:
        """The rollback; only a count has one."""
        return Planned(self.count.back() if self.count is not None else None)


def plan_amount(spec: RunbookSpec, action: Action, scope: Scope) -> Planned | Escalate:
    """How much of the action the evidence calls for: the size of a pool (rule 11), the methods it admits (rule 15)."""
    if scaling_of(action) is not None:
        desired = desired_count(spec, action, scope)
        if isinstance(desired, Escalate):
            return desired
        current = current_count(spec, action, scope)
        return current if isinstance(current, Escalate) else Planned(count=Count(current, desired))
    ways = methods_of(action)
    if ways is None:
        return Planned()
    met = until_verdict(spec, ways.until, scope)
    if met.verdict == "Unknown":
        return Escalate(
            EscalationReason.EVIDENCE_UNAVAILABLE,
            f"whether the target of {action.name} is met is unknown: {met.because}",
            about=(ways.until,),
        )
    if met.verdict == "Holds":
        return Escalate(
            EscalationReason.PRECONDITION_FAILED, f"the target of {action.name} is met already: {met.because}"
        )
    admitted, left = [], []
    for method in ways.methods:
        result = verdict_on(spec, scope, method.name, "Precondition", method.when)
        if result.verdict == "Unknown":
            text = f"whether {method.name} is needed is unknown: {result.because}"
            return Escalate(EscalationReason.EVIDENCE_UNAVAILABLE, text, about=(method.when,))
        if result.verdict == "Holds":
            admitted.append(method)
        else:
            left.append(f"{method.name} ({values_behind(spec, scope, method.when) or result.because})")
    if not admitted:
        text = f"no method of {action.name} is needed: {', '.join(left)}"
        return Escalate(EscalationReason.PRECONDITION_FAILED, text[:2048])
    return Planned(methods=tuple(admitted))


def until_verdict(spec: RunbookSpec, until: str, scope: Scope) -> HypothesisResult:
    """Whether the target of an action with several methods is met."""
    return verdict_on(spec, scope, "until", "Precondition", until)


def desired_count(spec: RunbookSpec, action: Action, scope: Scope) -> int | Escalate:
    """Rule 11: the pool size that an action asks for; integral, within bounds, never clamped."""
    scaling = _scaling(action)
    found = _number(spec, action, scope, "desired", scaling.desired)
    return within_bounds(spec, action, scope, found) if not isinstance(found, Escalate) else found


def within_bounds(spec: RunbookSpec, action: Action, scope: Scope, count: float) -> int | Escalate:
    """The count, if it is a whole number within the action's declared bounds."""
    scaling = _scaling(action)
    maximum = _number(spec, action, scope, "maximum", scaling.maximum)
    if isinstance(maximum, Escalate):
        return maximum
    if count != int(count):
        return Escalate(EscalationReason.CAPACITY_LIMIT, f"{count:g} is not a whole number of instances")
    if not scaling.minimum <= count <= maximum:
        text = f"the pool may have {scaling.minimum} to {maximum:g} instances, not {count:g}"
        return Escalate(EscalationReason.CAPACITY_LIMIT, text)
    return int(count)


def current_count(spec: RunbookSpec, action: Action, scope: Scope) -> int | Escalate:
    """How many instances there are."""
    scaling = _scaling(action)
    found = _number(spec, action, scope, "current", scaling.current)
    if isinstance(found, Escalate):
        return found
    if found != int(found) or found < 0:
        text = f"current count of {action.name} is {found:g}, which is no number of instances"
        return Escalate(EscalationReason.EVIDENCE_UNAVAILABLE, text)
    return int(found)


def _scaling(action: Action) -> Scaling:
    scaling = scaling_of(action)
    if scaling is None:
        raise ValueError(f"action {action.name} does not scale anything")
    return scaling


def count_changed(spec: RunbookSpec, action: Action, scope: Scope, count: Count) -> str | None:
    """Why the pool is not of the size that a packet started from; None if it is."""
    found = current_count(spec, action, scope)
    if isinstance(found, Escalate):
        return found.message
    return None if found == count.current else f"there are {found} instances now, not {count.current}"


def _number(spec: RunbookSpec, action: Action, scope: Scope, field: str, expression: str) -> float | Escalate:
    result = compiled(expression, names_in(spec)).evaluate(scope)
    if isinstance(result.value, bool) or not isinstance(result.value, int | float):
        message = f"{field} count of {action.name} is unknown: {result.because}"
        return Escalate(EscalationReason.EVIDENCE_UNAVAILABLE, message, about=(expression,))
    return float(result.value)
