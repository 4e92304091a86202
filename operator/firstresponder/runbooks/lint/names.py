"""Names: each is given once, and what is named is there."""

from __future__ import annotations

from collections.abc import Iterator

from firstresponder.actions.catalogue import TYPES
from firstresponder.api.runbook import Outcome, RunbookSpec, Triage
from firstresponder.expressions import RESERVED_NAMES
from firstresponder.runbooks.lint.diagnostics import experiments, looks
from firstresponder.runbooks.problem import Problem
from firstresponder.runbooks.symbols import GIVEN


def clashes(spec: Triage) -> Iterator[Problem]:
    """Diagnostics, variables, parameters and experiments share one set of names."""
    seen: dict[str, str] = dict.fromkeys(GIVEN, "a name that every runbook has")
    given = {
        "parameters": [parameter.name for parameter in spec.parameters],
        "diagnostics": [diagnostic.name for diagnostic in spec.diagnostics],
        "variables": [variable.name for variable in spec.variables],
        "experiments": [experiment.name for experiment in experiments(spec)],
    }
    for field, names in given.items():
        for index, name in enumerate(names):
            path = f"spec.{field}[{index}].name"
            if name in RESERVED_NAMES:
                yield Problem(path, f"{name} is reserved by the expression language: use another name")
            elif name in seen:
                yield Problem(path, f"{name} is already {seen[name]}: use another name")
            seen[name] = f"the name of an entry of spec.{field}"
    for field in ("roles", "guards", "hypotheses", "actions"):
        found: set[str] = set()
        for index, entry in enumerate(getattr(spec, field, [])):
            if entry.name in found:
                yield Problem(f"spec.{field}[{index}].name", f"{entry.name} is defined twice")
            found.add(entry.name)


def dangling(spec: Triage) -> Iterator[Problem]:
    """Roles, actions, the symptom: what is named must be there."""
    roles = {role.name for role in spec.roles}
    known_roles = ", ".join(sorted(roles))
    for path, diagnostic in looks(spec):
        if diagnostic.role not in roles:
            yield Problem(f"{path}.role", f"{diagnostic.role} is not among spec.roles ({known_roles})")
    actions = {action.name for action in spec.actions} if isinstance(spec, RunbookSpec) else set()
    for path, outcome in _outcomes(spec):
        given = [each for each in (outcome.action, outcome.runbook, outcome.escalate) if each is not None]
        if len(given) != 1:
            yield Problem(path, "give exactly one of action, runbook or escalate")
        elif not path.startswith("spec.hypotheses") and outcome.escalate is None:
            yield Problem(path, "must escalate: only a hypothesis that holds can lead to an action")
        elif outcome.action is not None and outcome.action not in actions:
            names = ", ".join(sorted(actions)) or "none"
            yield Problem(f"{path}.action", f"{outcome.action} is not among spec.actions ({names})")
        elif outcome.runbook is not None and isinstance(spec, RunbookSpec):
            yield Problem(f"{path}.runbook", "only a TriagePlaybook can lead to another runbook")
    if isinstance(spec, RunbookSpec):
        if spec.symptom not in {variable.name for variable in spec.variables}:
            yield Problem("spec.symptom", f"{spec.symptom} is not among spec.variables")
        for index, action in enumerate(spec.actions):
            if action.role not in roles:
                brought = ", ".join(each.name for each in TYPES[action.type].companions(action))
                also = f"; it also looks at {brought} there" if brought else ""
                text = f"{action.role} is not among spec.roles ({known_roles}){also}"
                yield Problem(f"spec.actions[{index}].role", text)


def _outcomes(spec: Triage) -> Iterator[tuple[str, Outcome]]:
    for index, guard in enumerate(spec.guards):
        yield f"spec.guards[{index}].then", guard.then
    for index, hypothesis in enumerate(spec.hypotheses):
        yield f"spec.hypotheses[{index}].then", hypothesis.then
    yield "spec.otherwise", spec.otherwise
    if isinstance(spec, RunbookSpec):
        yield "spec.verify.onFailure", spec.verify.on_failure
        for index, action in enumerate(spec.actions):
            for number, precondition in enumerate(action.preconditions):
                if precondition.otherwise is not None:
                    yield f"spec.actions[{index}].preconditions[{number}].otherwise", precondition.otherwise
