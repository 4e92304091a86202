"""What a triage stands on: a pinned revision with its parameters resolved and its roles assigned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from firstresponder.api.base import JSON
from firstresponder.api.hosts import Host
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import RunbookSpec, Triage, TriagePlaybookSpec
from firstresponder.incident.decision.decide import EvaluationInputs
from firstresponder.incident.decision.observations import evaluation_inputs
from firstresponder.incident.decision.roles import assign_roles
from firstresponder.incident.snapshot import Revision, Snapshot
from firstresponder.runbooks.parameters import InvalidParameter, recorded, resolve

S_co = TypeVar("S_co", bound=Triage, covariant=True)


@dataclass(frozen=True)
class TriageContext(Generic[S_co]):
    """What is decided on, but for the evidence."""

    runbook: str
    spec: S_co
    inputs: EvaluationInputs
    hosts: dict[str, Host]
    parameters: dict[str, str]
    """The resolved parameters as people write them."""
    missing: dict[str, str]
    """The roles that no host plays, and why."""


@dataclass(frozen=True)
class ContextError:
    """Why triage cannot even begin."""

    reason: EscalationReason
    message: str


def triage_context(
    snapshot: Snapshot, overrides: Mapping[str, JSON] | None = None
) -> TriageContext[RunbookSpec] | ContextError:
    """The context of the pinned Runbook.

    ``overrides`` replaces the incident's own parameters, for the phases in which a patch no longer counts. A
    parameter that the playbook which led here declares is the playbook's (rule 21).
    """
    if overrides is None:
        overrides = snapshot.incident.spec.parameters
        own = _declared(snapshot.revision)
        overrides = {name: value for name, value in overrides.items() if name in own or name not in _led_by(snapshot)}
    return _context(snapshot, snapshot.revision, RunbookSpec, overrides)


def acting_context(snapshot: Snapshot) -> TriageContext[RunbookSpec] | ContextError:
    """The context once something was acted on, with the parameters that triage used: a later patch does not count
    (rule 21)."""
    declared = snapshot.revision.spec.parameters if snapshot.revision and snapshot.revision.spec else []
    return triage_context(snapshot, overrides=recorded(declared, snapshot.incident.status.parameters))


def playbook_context(snapshot: Snapshot) -> TriageContext[TriagePlaybookSpec] | ContextError:
    """The context of the pinned TriagePlaybook. Parameters that it does not declare are left to the runbook."""
    own = _led_by(snapshot)
    overrides = {name: value for name, value in snapshot.incident.spec.parameters.items() if name in own}
    return _context(snapshot, snapshot.playbook, TriagePlaybookSpec, overrides)


def _declared(revision: Revision | None) -> frozenset[str]:
    spec = revision.spec if revision is not None else None
    return frozenset(parameter.name for parameter in spec.parameters) if spec is not None else frozenset()


def _led_by(snapshot: Snapshot) -> frozenset[str]:
    return _declared(snapshot.playbook)


def _context(
    snapshot: Snapshot, revision: Revision | None, kind: type[S_co], overrides: Mapping[str, JSON]
) -> TriageContext[S_co] | ContextError:
    incident = snapshot.incident
    if revision is None or not isinstance(revision.spec, kind):
        problem = revision.problem if revision is not None else "the incident has no pinned revision"
        return ContextError(EscalationReason.INVALID_RUNBOOK, problem)
    spec = revision.spec
    try:
        labels = incident.spec.alert.labels if incident.spec.alert is not None else {}
        parameters = resolve(spec.parameters, overrides, labels)
    except InvalidParameter as error:
        return ContextError(EscalationReason.PRECONDITION_FAILED, str(error))
    assigned = assign_roles(spec.roles, incident.spec.hosts, snapshot.hosts, incident.spec.service)
    if assigned.ambiguous:
        return ContextError(EscalationReason.AMBIGUOUS_HOST, "; ".join(assigned.ambiguous.values()))
    if lost := [text for role, text in assigned.missing.items() if role in assigned.named]:
        return ContextError(EscalationReason.HOST_UNREACHABLE, lost[0])
    hosts = dict(assigned.hosts)
    inputs = evaluation_inputs(incident.spec.service, parameters.values, hosts)
    return TriageContext(revision.ref.runbook, spec, inputs, hosts, dict(parameters.text), dict(assigned.missing))
