"""The runbook that an incident was triaged with, as it was pinned: never the one of today."""

from __future__ import annotations

from pydantic import ValidationError

from firstresponder.api.incident import Incident
from firstresponder.api.runbook import Triage
from firstresponder.cli.kubectl import Cluster, Refused
from firstresponder.cli.unreadable import first_problem
from firstresponder.runbooks.models import RunbookSpec, TriagePlaybookSpec
from firstresponder.runbooks.revision import holds
from firstresponder.safety.neutralise import neutralise


def pinned(cluster: Cluster, incident: Incident) -> tuple[str, Triage]:
    """Its name and content; the TriagePlaybook's where the incident ended with that. Raises Refused."""
    led, ref = incident.status.playbook_revision_ref, incident.status.runbook_revision_ref
    kind: type[Triage] = RunbookSpec
    if ref is None and led is not None:
        ref, kind = led, TriagePlaybookSpec
    if ref is None:
        raise Refused(f"incident {incident.name} has no runbook: it ended before triage, or is not triaged yet")
    data = cluster.revision(ref.name)
    if data is None or not holds(data, ref.digest):
        raise Refused(f"ControllerRevision {ref.name} is gone or no longer holds what the incident recorded")
    try:
        return ref.runbook, kind.model_validate(data.get("spec"))
    except ValidationError as error:
        what = neutralise(first_problem(error, "spec"), 500)
        raise Refused(f"ControllerRevision {ref.name}: {what} (was it stored by another version?)") from None
