"""Handing over to a human: everything that was seen, tried and is now needed, in one block."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from firstresponder.api.incident import (
    DiagnosticResult,
    Escalation,
    IncidentStatus,
    Phase,
    ServiceLevel,
)
from firstresponder.api.reasons import EscalationReason
from firstresponder.incident.attempts import attempt_name
from firstresponder.incident.plan import Event, Plan
from firstresponder.incident.record import marked, noted, observed, updated
from firstresponder.incident.snapshot import Snapshot

_HUMAN_ACTION = {
    EscalationReason.UNKNOWN_INCIDENT_TYPE: "Triage by hand; no runbook is for this type. Write one if it recurs.",
    EscalationReason.AMBIGUOUS_RUNBOOK: "Choose one runbook with spec.runbookRef in a new Incident, "
    "and narrow the others' spec.match.",
    EscalationReason.AMBIGUOUS_ROOT_CAUSE: "Decide between the hypotheses that hold; their evidence is listed.",
    EscalationReason.UNKNOWN_ROOT_CAUSE: "Find the cause by hand; every hypothesis was refuted.",
    EscalationReason.EVIDENCE_UNAVAILABLE: "Look at what could not be observed, then decide by hand.",
    EscalationReason.HOST_UNREACHABLE: "Find out why the host cannot be reached; nothing on it was observed.",
    EscalationReason.AMBIGUOUS_HOST: "Name the host of that role in spec.hosts of a new Incident, or fix the labels.",
    EscalationReason.SECURITY_INCIDENT: "Judge a possible compromise. Nothing was changed.",
    EscalationReason.PRECONDITION_FAILED: "See the precondition that failed; the action was not proposed.",
    EscalationReason.CAPACITY_LIMIT: "Judge the capacity: the limit does not allow the step.",
    EscalationReason.ACTION_CLASS_MISSING: "Create or correct the ActionClass, then open a new Incident.",
    EscalationReason.ACTION_NOT_SUPPORTED: "Do the step by hand; that type of action cannot be performed.",
    EscalationReason.ACTION_FAILED: "The action failed or never ran; see its result, then fix by hand.",
    EscalationReason.INDETERMINATE: "Find out on the host whether the action ran; it will not be repeated.",
    EscalationReason.FIX_FAILED: "Find out why the fix did not help; unmet criteria are listed.",
    EscalationReason.NOT_RECOVERED: "The symptom went away by itself, but the service did not become healthy: look.",
    EscalationReason.RECURRENCE: "The same fix was tried recently and did not last: find the real cause.",
    EscalationReason.APPROVAL_DENIED: "The proposed action was denied: decide what to do instead.",
    EscalationReason.APPROVAL_EXPIRED: "Nobody approved in time: decide what to do, the incident goes on.",
    EscalationReason.PACKET_SUPERSEDED: "What was approved no longer fits: look again, open a new Incident if needed.",
    EscalationReason.ABORTED: "A person stopped this: decide how to go on.",
    EscalationReason.MANUAL_ACTION_REQUIRED: "Carry out the proposed action by hand if you agree with it.",
    EscalationReason.INVALID_RUNBOOK: "Correct the runbook (kubectl describe runbook), then open a new Incident.",
}


def attempted_fix(status: IncidentStatus) -> str | None:
    """One sentence a try: what was done where, and how it ended."""
    texts = []
    for attempt in status.attempts:
        text = f"{attempt_name(attempt)} on {attempt.host}: {attempt.state}"
        texts.append(f"{text} ({attempt.message})" if attempt.message else text)
    return "; ".join(texts) or None


def verification_result(status: IncidentStatus) -> str | None:
    """Which criteria held and which did not, if verification was begun."""
    verification = status.verification
    if verification is None:
        return None
    if not verification.criteria:
        return "no sample was taken"
    unmet = [f"{each.name} ({each.because})" for each in verification.criteria if not each.holds]
    met = [each.name for each in verification.criteria if each.holds]
    parts = ["failed: " + ", ".join(unmet)] if unmet else []
    return "; ".join([*parts, *(["held: " + ", ".join(met)] if met else [])])


def _diagnostic_results(status: IncidentStatus) -> list[DiagnosticResult]:
    verdicts = [
        DiagnosticResult(name=each.name, result=f"{each.kind} {each.verdict}: {each.because}"[:2048])
        for each in status.hypotheses
    ]
    blind = [
        DiagnosticResult(name=each.name, result=f"not observed: {each.unavailable.message}"[:2048])
        for each in status.evidence
        if each.unavailable is not None
    ]
    return [*verdicts, *blind]


def handed_over(
    snapshot: Snapshot,
    now: datetime,
    status: IncidentStatus,
    reason: EscalationReason,
    message: str,
    *,
    to: Sequence[str] = (),
    human_action: str | None = None,
) -> IncidentStatus:
    """The status with all that a human needs; the incident itself may still have something to offer."""
    spec = snapshot.revision.spec if snapshot.revision is not None else None
    sli = status.sli or ServiceLevel(detection_time=now)
    return updated(
        status,
        sli=sli.model_copy(update={"escalated": True}),
        escalation=Escalation(
            reason=reason,
            message=message[:2048],
            to=list(to) or (list(spec.escalate_to) if spec is not None else ["on-call"]),
            time=now,
            diagnostic_results=_diagnostic_results(status),
            attempted_fix=_cut(attempted_fix(status)),
            verification_result=_cut(verification_result(status)),
            human_action=(human_action or _HUMAN_ACTION[reason])[:2048],
        ),
    )


def escalated(
    snapshot: Snapshot,
    now: datetime,
    reason: EscalationReason,
    message: str,
    *,
    to: Sequence[str] = (),
    human_action: str | None = None,
    status: IncidentStatus | None = None,
) -> Plan:
    """The plan that ends the incident in the hands of a human. Nothing state-changing follows it.

    Where a fix had failed before and its rollback was on offer, the failure stays the reason, and this is what became
    of the rollback. The Event comes with every look at the escalated incident, see :func:`told`.
    """
    incident = snapshot.incident
    status = status or incident.status
    if reason in {EscalationReason.APPROVAL_DENIED, EscalationReason.APPROVAL_EXPIRED}:
        status = marked(status, incident, now, "Approved", "False", reason.value, message)
    events: tuple[Event, ...] = ()
    if (failure := incident.status.escalation) is not None:
        outcome = f"{reason}: {message}" if reason != failure.reason else message
        status = noted(status, now, "RollbackEnded", outcome)
        events = (Event("RollbackEnded", outcome, warning=True),)
        reason, message = failure.reason, f"{failure.message}; rollback: {outcome}"
        to, human_action = failure.to, failure.human_action
    status = noted(status, now, "Escalated", f"{reason}: {message}")
    status = handed_over(snapshot, now, status, reason, message, to=to, human_action=human_action)
    status = updated(status, phase=Phase.ESCALATED)
    if status.decision_packet is not None and not status.attempts:
        status = marked(status, incident, now, "Acted", "False", reason.value, "nothing was changed on any host")
    status = marked(status, incident, now, "Escalated", "True", reason.value, message)
    status = marked(status, incident, now, "Resolved", "False", reason.value, message)
    closed = "Aborted" if reason == EscalationReason.ABORTED else "Escalated"
    status = marked(status, incident, now, "Closed", "True", closed, reason.value)
    return Plan(status=observed(status, incident), events=events, again=True)


def _cut(text: str | None) -> str | None:
    return text[:2048] if text is not None else None


def told(escalation: Escalation) -> Event:
    """The Event of an escalation, made of what status holds: a crash after the status was saved does not lose it."""
    text = f"{escalation.message} → {', '.join(escalation.to)}: {escalation.human_action}"
    return Event(escalation.reason.value, text, warning=True)
