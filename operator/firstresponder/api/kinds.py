"""All kinds of this API, in the order in which they are documented and installed."""

from __future__ import annotations

from firstresponder.api.actionclass import ActionClass
from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import GROUP, Resource
from firstresponder.api.escalationpolicy import EscalationPolicy
from firstresponder.api.hosts import Host
from firstresponder.api.incident import Incident
from firstresponder.api.runbook import Runbook, TriagePlaybook

KINDS: tuple[type[Resource], ...] = (
    Incident,
    ApprovalRequest,
    Runbook,
    TriagePlaybook,
    Host,
    ActionClass,
    EscalationPolicy,
)


def definition_name(kind: type[Resource]) -> str:
    """The name of the kind's CustomResourceDefinition, for example ``incidents.firstresponder.dev``."""
    return f"{kind.plural}.{GROUP}"
