"""Rule 24: once triage is decided, the debugger is asked what it knows of the cause. Nothing is decided by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from firstresponder.api.incident import Evidence, IncidentStatus
from firstresponder.api.packet import DecisionPacket
from firstresponder.api.rootcause import FINDING_LIMIT, FailurePoint, RootCause
from firstresponder.api.runbook import Hypothesis, RunbookSpec, Triage
from firstresponder.debugger import ANALYST, Analyst, Case
from firstresponder.expressions import Scope
from firstresponder.incident.decision.context import TriageContext
from firstresponder.incident.decision.decide import Conclusion, Escalate, Proposed
from firstresponder.incident.decision.observations import bound_evidence, evidence_of, experiments_of
from firstresponder.incident.facts import Observation
from firstresponder.incident.plan import Experiment
from firstresponder.incident.status import with_fields
from firstresponder.runbooks.symbols import diagnostics_behind
from firstresponder.safety.neutralise import shown

EXPERIMENT_SECONDS = 30.0
"""How long all experiments together may delay the packet."""


def analyse(
    context: TriageContext[Triage],
    status: IncidentStatus,
    scope: Scope,
    conclusion: Conclusion,
    experiments: Observation | None,
    analyst: Analyst = ANALYST,
) -> IncidentStatus | Experiment:
    """The status with the findings and the evidence of experiments, or the experiments to be run first.

    Where no hypothesis was evaluated (a guard held, the symptom is gone) there is no cause to look for.
    """
    judged = [each for each in status.hypotheses if each.runbook == context.runbook]
    if not isinstance(conclusion, Escalate | Proposed) or not any(each.kind == "Hypothesis" for each in judged):
        return status
    cause = conclusion.hypothesis
    case = Case(
        service=context.inputs.service,
        spec=context.spec,
        hosts={role: host.name for role, host in context.hosts.items()},
        evidence=evidence_of(status, context.runbook),
        verdicts=judged,
        cause=cause,
        rests_on=diagnostics_behind(context.spec, _behind(context.spec, cause)),
        scope=scope,
    )
    try:
        if experiments is None:
            wanted = experiments_of(
                context.runbook, context.spec, context.inputs, context.hosts, analyst.experiments(case)
            )
            if wanted.probes:
                return Experiment(wanted, EXPERIMENT_SECONDS)
        else:
            seen = _mark_experiments(experiments, alongside=status.evidence)
            case = replace(case, experiments=seen)
            status = with_fields(status, evidence=[*status.evidence, *seen])
        findings = _harmless(analyst.findings(case))
    except Exception as error:  # words about the cause, which no trouble with them may keep from a decision
        findings = RootCause(symptom=f"the analysis failed: {type(error).__name__}")
    return with_fields(status, root_cause=findings)


def with_findings(packet: DecisionPacket, findings: RootCause | None) -> DecisionPacket:
    """The packet with the findings in its shown part; its digest does not cover them."""
    return packet.model_copy(update={"shown": packet.shown.model_copy(update={"findings": findings})})


def _behind(spec: Triage, cause: Hypothesis | None) -> list[str]:
    if cause is not None:
        return [cause.when]
    return [spec.symptom] if isinstance(spec, RunbookSpec) else []


def _mark_experiments(experiments: Observation, alongside: Sequence[Evidence]) -> tuple[Evidence, ...]:
    found = [each.model_copy(update={"experiment": True}) for each in experiments.evidence]
    return bound_evidence(found, alongside=alongside)


def _harmless(findings: RootCause) -> RootCause:
    """Whatever an analyst says: redacted, neutralised, and no more than the schema holds."""
    return findings.model_copy(update=_fields(findings))


def _fields(model: BaseModel) -> dict[str, Any]:
    safe: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, FailurePoint):
            safe[name] = value.model_copy(update=_fields(value))
        elif isinstance(value, list):
            longest = next(each.max_length for each in field.metadata if hasattr(each, "max_length"))
            safe[name] = [shown(each, FINDING_LIMIT) for each in value[:longest]]
        elif value is not None:
            safe[name] = shown(value, FINDING_LIMIT)
    return safe
