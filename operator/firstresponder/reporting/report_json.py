"""The report as JSON for other programs.

What incident records usually hold has their field names (``incident_id``, ``timeline``, ``human_action_required``);
the rest of the status follows with the names that it has in the API.
"""

from __future__ import annotations

from firstresponder.api.base import JSON, duration_text, elapsed_seconds, format_time
from firstresponder.api.incident import AttemptState, Escalation, Incident, Phase, TimelineEntry
from firstresponder.reporting.packet_text import packet_document, snake
from firstresponder.reporting.quantities import Quantity, amount, quantities
from firstresponder.reporting.report import Report, succeeded

_EVENTS = {
    "Detected": "alert_fired",
    "ActionStarted": "fix_started",
    "ActionCompleted": "fix_completed",
}
"""The timeline's events that records call otherwise; the rest differ only in spelling."""


def document(report: Report) -> dict[str, JSON]:
    """The report as a JSON value. Times are RFC 3339 in UTC, seconds are whole, what is not known is null."""
    incident, status = report.incident, report.incident.status
    spec, sli = incident.spec, status.sli
    resolved = sli.resolution_time if sli is not None else None
    took = elapsed_seconds(sli.detection_time, resolved) if sli is not None and resolved is not None else None
    ticket = next((each.title for each in status.follow_ups if each.type == "Ticket"), None)
    timeline: list[JSON] = [_entry(report, entry) for entry in status.timeline]
    return {
        "incident_id": incident.name,
        "namespace": incident.namespace,
        "uid": incident.metadata.uid,
        "service": spec.service,
        "type": spec.type,
        "severity": spec.severity,
        "summary": spec.summary,
        "hosts": [host.wire() for host in spec.hosts],
        "impact": spec.impact.wire() if spec.impact is not None else None,
        "phase": status.phase.value,
        "headline": {
            "wrong": report.headline.wrong,
            "state": report.headline.label.lower(),
            "happened": report.headline.happened,
            "to_do": report.headline.to_do,
            "command": report.headline.command,
        },
        "timeline": timeline,
        "timeline_dropped": status.timeline_dropped,
        "resolution_time": duration_text(took) if took is not None else None,
        "resolved_by": _resolved_by(incident),
        "escalated": status.escalation is not None,
        "follow_up": {"ticket": None, "title": ticket} if ticket is not None else None,
        "follow_ups": [each.wire() for each in status.follow_ups],
        "sli": {
            "incident_id": incident.name,
            "detected_at": format_time(sli.detection_time),
            "agent_started_at": format_time(sli.start_time) if sli.start_time is not None else None,
            "resolved_at": format_time(resolved) if resolved is not None else None,
            "escalated": sli.escalated,
            "fix_correct": sli.fix_correct,
            "mttd_seconds": sli.mttd_seconds,
            "mttr_seconds": sli.mttr_seconds,
        }
        if sli is not None
        else None,
        "root_cause": status.root_cause.wire() if status.root_cause is not None else None,
        "decision_packet": packet_document(report.packet) if report.packet is not None else None,
        "packet_intact": report.packet_intact,
        "approvals": {
            "request": status.approval_request_ref.name if status.approval_request_ref is not None else None,
            "missing": report.approvals_missing,
            "reviews": [{"user": r.user, "verdict": r.verdict, "comment": r.comment} for r in report.reviews],
        },
        "escalation": _escalation(incident, status.escalation, timeline) if status.escalation is not None else None,
        "hypotheses": [each.wire() for each in status.hypotheses],
        "evidence": [each.wire() for each in status.evidence],
        "attempts": [each.wire() for each in status.attempts],
        "verification": status.verification.wire() if status.verification is not None else None,
        "measured": [_quantity(each) for each in quantities(incident)],
        "samples": [each.wire() for each in status.samples],
        "samples_dropped": status.samples_dropped,
        "recommendations": [each.wire() for each in status.recommendations],
        "related_incidents": [each.wire() for each in status.related_incidents],
        "playbook_revision": status.playbook_revision_ref.wire() if status.playbook_revision_ref is not None else None,
        "runbook_revision": status.runbook_revision_ref.wire() if status.runbook_revision_ref is not None else None,
        "parameters": dict(status.parameters),
        "conditions": [each.wire() for each in status.conditions],
    }


def _quantity(quantity: Quantity) -> dict[str, JSON]:
    return {
        "name": quantity.name,
        "runbook": quantity.runbook,
        "host": quantity.host or None,
        "unit": quantity.unit.value,
        "in_triage": quantity.in_triage,
        "before_action": quantity.before_action,
        "afterwards": quantity.afterwards,
    }


def _resolved_by(incident: Incident) -> str | None:
    if incident.status.phase != Phase.RESOLVED:
        return None
    return "agent" if succeeded(incident) else "itself"


def _entry(report: Report, entry: TimelineEntry) -> dict[str, JSON]:
    """One event, with what records say about events of its kind."""
    status, packet = report.incident.status, report.packet
    fields: dict[str, JSON] = {
        "time": format_time(entry.time),
        "event": _EVENTS.get(entry.event, snake(entry.event)),
        "details": entry.details,
    }
    if entry.by is not None:
        fields["by"] = entry.by
    match entry.event:
        case "TriageStarted":
            fields["agent"] = True
        case "TriageCompleted" if status.root_cause is not None:
            fields["root_cause"] = packet.hypothesis.replace("-", "_") if packet is not None else None
            fields["hypothesis"] = status.root_cause.summary
        case "ApprovalRequested" | "ActionStarted" if packet is not None:
            # The packet of a rollback has taken the place of the one that most entries speak of.
            fields["action"] = entry.details if packet.undoes else packet.action
        case "ApprovalGranted":
            fields["approved_by"] = entry.by
            ref = status.approval_request_ref
            fields["channel"] = f"ApprovalRequest {ref.name}" if ref is not None else None
        case "ActionCompleted":
            ended = (each.state for each in status.attempts if each.completion_time == entry.time)
            state = next(ended, None)
            fields["rollout"] = "successful" if state == AttemptState.SUCCEEDED else state.lower() if state else None
        case "VerificationPassed" | "VerificationFailed" if status.verification is not None:
            fields |= _cpu(report.incident)
            fields["status"] = "healthy" if entry.event == "VerificationPassed" else "unhealthy"
            fields["criteria"] = {each.name: each.because for each in status.verification.criteria}
    return fields


def _cpu(incident: Incident) -> dict[str, JSON]:
    """How busy the processors were at the end of the verification, where that was measured."""
    for each in quantities(incident):
        if each.name.endswith(".hostCpuPercent") and each.afterwards is not None:
            return {"cpu": amount(each.afterwards, each.unit)}
    return {}


def _escalation(incident: Incident, escalation: Escalation, timeline: list[JSON]) -> dict[str, JSON]:
    """A block that can be handed to a person by itself."""
    return {
        "incident_id": incident.name,
        "escalated_at": format_time(escalation.time),
        "escalation_reason": snake(escalation.reason.value),
        "reason": escalation.reason.value,
        "message": escalation.message,
        "escalated_to": list(escalation.to),
        "human_action_required": escalation.human_action,
        "diagnostic_results": _results(escalation),
        "attempted_fix": escalation.attempted_fix,
        "verification_result": escalation.verification_result,
        "timeline": timeline,
    }


def _results(escalation: Escalation) -> dict[str, JSON]:
    """By name. A diagnostic and a hypothesis, or a playbook and its runbook, may have one in common."""
    found: dict[str, list[str]] = {}
    for each in escalation.diagnostic_results:
        found.setdefault(each.name, []).append(each.result)
    return {name: "; ".join(results) for name, results in found.items()}
