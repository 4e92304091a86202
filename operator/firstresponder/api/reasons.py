"""The closed list of reasons for handing an incident to a human. Documented one by one in docs/reasons.md."""

from __future__ import annotations

from enum import StrEnum


class EscalationReason(StrEnum):
    """Why a human is needed. The value is the CamelCase reason in conditions, Events and reports."""

    UNKNOWN_INCIDENT_TYPE = "UnknownIncidentType"
    AMBIGUOUS_RUNBOOK = "AmbiguousRunbook"
    AMBIGUOUS_ROOT_CAUSE = "AmbiguousRootCause"
    UNKNOWN_ROOT_CAUSE = "UnknownRootCause"
    EVIDENCE_UNAVAILABLE = "EvidenceUnavailable"
    HOST_UNREACHABLE = "HostUnreachable"
    AMBIGUOUS_HOST = "AmbiguousHost"
    SECURITY_INCIDENT = "SecurityIncident"
    PRECONDITION_FAILED = "PreconditionFailed"
    CAPACITY_LIMIT = "CapacityLimit"
    ACTION_CLASS_MISSING = "ActionClassMissing"
    ACTION_FAILED = "ActionFailed"
    INDETERMINATE = "Indeterminate"
    FIX_FAILED = "FixFailed"
    VERIFICATION_UNAVAILABLE = "VerificationUnavailable"
    NOT_RECOVERED = "NotRecovered"
    RECURRENCE = "Recurrence"
    APPROVAL_DENIED = "ApprovalDenied"
    APPROVAL_EXPIRED = "ApprovalExpired"
    PACKET_SUPERSEDED = "PacketSuperseded"
    ABORTED = "Aborted"
    MANUAL_ACTION_REQUIRED = "ManualActionRequired"
    INVALID_RUNBOOK = "InvalidRunbook"
