"""A packet held to what its incident's runbook leads to.

The same check as the operator's, made again on the reviewer's machine: what is asked about is what the host would
receive.
"""

from __future__ import annotations

from firstresponder.api.incident import Incident
from firstresponder.api.packet import DecisionPacket
from firstresponder.api.runbook import RunbookSpec, Triage
from firstresponder.cli.verified_packet import Tampered
from firstresponder.expressions import ExpressionError, TemplateError
from firstresponder.incident.approval.derivation import derivation_problem
from firstresponder.incident.decision.observations import evidence_of, values_of
from firstresponder.replay.explain import setting_then
from firstresponder.runbooks.parameters import InvalidParameter
from firstresponder.safety.neutralise import neutralise


def check_derivation(packet: DecisionPacket, incident: Incident, runbook: str, spec: Triage) -> None:
    """Derive the packet again from the incident's pinned runbook and its stored evidence. Raises Tampered."""
    if not isinstance(spec, RunbookSpec):
        raise Tampered(f"{runbook} is a TriagePlaybook, which proposes no action")
    recorded = incident.status.runbook_revision_ref
    if recorded is None or recorded.digest != packet.bound.runbook_digest:
        raise Tampered("the packet rests on another revision of the runbook than the incident has pinned")
    try:
        seen = values_of(evidence_of(incident.status, runbook))
        problem = derivation_problem(spec, setting_then(incident, spec), seen, incident.status.attempts, packet)
    except (ExpressionError, TemplateError, InvalidParameter) as error:
        problem = f"the runbook cannot be evaluated by this plugin: {neutralise(str(error), 300)}"
    if problem is not None:
        raise Tampered(f"the packet does not follow from its runbook: {neutralise(problem, 1000)}")
