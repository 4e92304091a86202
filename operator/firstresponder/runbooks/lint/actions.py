"""Actions: each of one type, with what that type needs and what a host would take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from firstresponder.actions.catalogue import NEEDING_CLASS, TYPES, WITH_INVERSE
from firstresponder.api.base import duration_seconds
from firstresponder.api.runbook import Action, RunbookSpec, Triage
from firstresponder.runbooks.problem import Problem

_DAY_SECONDS = 86400


def malformed(spec: Triage) -> Iterator[Problem]:
    """Each action of exactly one type, with what that type needs."""
    for index, action in enumerate(spec.actions if isinstance(spec, RunbookSpec) else ()):
        path = f"spec.actions[{index}]"
        if len(action.given) != 1:
            given = ", ".join(action.given) or "none"
            yield Problem(path, f"give exactly one of {', '.join(TYPES)} (given: {given})")
            continue
        for kind in TYPES.values():
            yield from (Problem(f"{path}.{field}", problem) for field, problem in kind.malformed(action))
        if action.type in NEEDING_CLASS and action.approval.action_class is None:
            yield Problem(f"{path}.approval.class", f"missing: name the ActionClass of {action.type}")
        if action.rollback.offer_inverse and action.type not in WITH_INVERSE:
            text = f"{action.type} has no inverse: only {' or '.join(WITH_INVERSE)} has one"
            yield Problem(f"{path}.rollback.offerInverse", text)


def arguments(spec: Triage) -> Iterator[Problem]:
    """Arguments that are written out and that no host would accept."""
    for index, action in enumerate(spec.actions if isinstance(spec, RunbookSpec) else ()):
        path = f"spec.actions[{index}]"
        for field, problem in TYPES[action.type].problems(action, spec.diagnostics):
            yield Problem(f"{path}.{field}", problem)
        yield from _timeouts(action, path)


def _timeouts(action: Action, path: str) -> Iterator[Problem]:
    """Every time-out that an order gets: no host begins what it could not see the end of."""
    least = TYPES[action.type].least_timeout
    for field, timeout in _called_timeout(action.type, action.wire()[action.type]):
        if not least <= duration_seconds(timeout) <= _DAY_SECONDS:
            text = f"{timeout} is not within {least}s and 24h: hosts refuse an order with less or more"
            yield Problem(f"{path}.{field}", text)


def _called_timeout(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every field of that name in what a type adds to an action, with its path."""
    match value:
        case dict():
            if "timeout" in value:
                yield f"{path}.timeout", value["timeout"]
        case list():
            for index, each in enumerate(value):
                yield from _called_timeout(f"{path}[{index}]", each)
