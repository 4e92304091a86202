"""Why an incident was decided as it was, and whether the stored evidence decides it so again.

Pure: the incident and its pinned runbook revision are all it reads. Numbers and words of hosts are shown as the
decision saw them, neutralised.
"""

from __future__ import annotations

from dataclasses import dataclass

from firstresponder.api.incident import Incident
from firstresponder.api.runbook import RunbookSpec, Triage
from firstresponder.expressions import Scope, Verdict
from firstresponder.incident.decide import (
    DEFAULT_MARGIN,
    Conclusion,
    Decision,
    HandOver,
    Led,
    Proposed,
    SelfRecovered,
    Setting,
    decide,
    scope_of,
)
from firstresponder.incident.look import evidence_of, values_of
from firstresponder.runbooks.names import compiled, names_in
from firstresponder.runbooks.parameters import recorded, resolve
from firstresponder.safety.neutralise import shown

_SAW = 300
_WORDS = {Verdict.TRUE: "true", Verdict.FALSE: "false", Verdict.UNKNOWN: "unknown"}


class NotDecided(ValueError):
    """The incident holds no decision that could be explained; the message says why."""


@dataclass(frozen=True)
class Judged:
    """One expression: what it is for, what it says, what it read, and what came out."""

    kind: str
    name: str
    expression: str
    saw: str
    verdict: str


@dataclass(frozen=True)
class Explanation:
    """Every expression of a triage in the order of judgement, what follows from the stored evidence, and every
    difference from what was recorded: none when the same evidence gives the same decision."""

    judged: tuple[Judged, ...]
    conclusion: str
    differences: tuple[str, ...]


def explain(incident: Incident, runbook: str, spec: Triage) -> Explanation:
    """Decide again from what that runbook's triage saw. Raises NotDecided."""
    status = incident.status
    evidence = evidence_of(status, runbook)
    if not evidence:
        raise NotDecided("it has no evidence: it ended before triage, or is not triaged yet")
    hosts = {
        each.role: {"name": each.name, "address": each.address, "expectedUnits": list(each.expected_units)}
        for each in status.roles
    }
    parameters = resolve(spec.parameters, recorded(spec.parameters, status.parameters)).values
    scope = scope_of(spec, Setting(incident.spec.service, parameters, hosts), values_of(evidence))
    decision = decide(spec, scope, DEFAULT_MARGIN if status.margin_points is None else status.margin_points)
    return Explanation(
        judged=(*_variables(spec, scope), *_verdicts(spec, scope, decision)),
        conclusion=_conclusion(decision.conclusion),
        differences=tuple(_differences(incident, runbook, decision)),
    )


def _judged(spec: Triage, scope: Scope, kind: str, name: str, source: str) -> Judged:
    expression = compiled(source, names_in(spec))
    value = expression.evaluate(scope).value
    verdict = _WORDS[expression.verdict(scope)]
    if verdict == "unknown" and value is not None:
        verdict = shown(str(value), 64)  # a variable need not be a condition
    return Judged(kind, name, source, shown(expression.explain(scope), _SAW), verdict)


def _variables(spec: Triage, scope: Scope) -> list[Judged]:
    return [_judged(spec, scope, "Variable", each.name, each.expression) for each in spec.variables]


def _verdicts(spec: Triage, scope: Scope, decision: Decision) -> list[Judged]:
    """What was judged, in that order; what an earlier verdict made needless is not there."""
    sources = {("Guard", each.name): each.when for each in spec.guards}
    sources |= {("Hypothesis", each.name): each.when for each in spec.hypotheses}
    if isinstance(spec, RunbookSpec):
        sources["Symptom", spec.symptom] = spec.symptom
    return [_judged(spec, scope, v.kind, v.name, sources[v.kind, v.name]) for v in decision.verdicts]


def _conclusion(conclusion: Conclusion) -> str:
    match conclusion:
        case Proposed():
            return f"cause {conclusion.hypothesis.name}: propose {conclusion.action.name}"
        case Led():
            return f"cause {conclusion.hypothesis.name}: go on with runbook {conclusion.runbook}"
        case SelfRecovered():
            return "the symptom is gone: verify only"
        case HandOver():
            return f"hand over to a human: {conclusion.reason}: {shown(conclusion.message, _SAW)}"


def _differences(incident: Incident, runbook: str, decision: Decision) -> list[str]:
    """Where the decision made again is not the recorded one."""
    status = incident.status
    now = {(each.kind, each.name): each.verdict for each in decision.verdicts}
    then = {(each.kind, each.name): each.verdict for each in status.hypotheses if each.runbook == runbook}
    found = [
        f"{kind} {name}: recorded {then.get((kind, name), 'not judged')}, now {now.get((kind, name), 'not judged')}"
        for kind, name in sorted(now.keys() | then.keys())
        if now.get((kind, name)) != then.get((kind, name))
    ]
    packet, conclusion = status.decision_packet, decision.conclusion
    if packet is not None:
        again = conclusion.action.name if isinstance(conclusion, Proposed) else _conclusion(conclusion)
        if again != packet.bound.proposed_action.name:
            found.append(f"action: recorded {packet.bound.proposed_action.name}, now {again}")
    elif isinstance(conclusion, HandOver) and status.escalation is not None:
        reason = status.escalation.reason
        # A host that did not answer is told as such, whatever its silence means for the hypotheses.
        if reason not in {conclusion.reason, "HostUnreachable"}:
            found.append(f"reason: recorded {reason}, now {conclusion.reason}")
    return found
