"""The last look: what state an action's target is in after a failed or unknown end. Nothing is decided by it."""

from __future__ import annotations

from firstresponder.actions.catalogue import TYPES
from firstresponder.api.incident import CHANGED_NOTHING, Attempt, AttemptReason, AttemptState
from firstresponder.api.packet import DecisionPacket
from firstresponder.expressions import TemplateError
from firstresponder.incident.approval.packet import action_of
from firstresponder.incident.decision.context import ContextError, acting_context
from firstresponder.incident.decision.decide import scope_of
from firstresponder.incident.decision.observations import companion_request, values_of
from firstresponder.incident.facts import Observation
from firstresponder.incident.phases.human_action import look_at
from firstresponder.incident.plan import Experiment, Observe
from firstresponder.incident.snapshot import Snapshot
from firstresponder.runbooks.symbols import free_of_evidence
from firstresponder.safety.neutralise import shown

LOOK_SECONDS = 15
"""How long people are kept waiting at most for a look that only describes."""


def last_look(snapshot: Snapshot, packet: DecisionPacket) -> Experiment | None:
    """The look at the target of the packet's action, where that type of action has one to take."""
    context = acting_context(snapshot)
    if isinstance(context, ContextError):
        return None
    action = action_of(context.spec, packet)
    host = context.hosts.get(packet.bound.proposed_action.role)
    if action is None or host is None or host.name != packet.bound.proposed_action.host:
        return None
    scope, allowed = scope_of(context.spec, context.inputs, {}), free_of_evidence(context.spec)
    try:
        probes = tuple(
            companion_request(each, action.role, host.name, scope, allowed, LOOK_SECONDS)
            for each in TYPES[action.type].last_look(action)
        )
    except TemplateError:
        return None
    return Experiment(Observe(context.runbook, probes, (host.name,)), LOOK_SECONDS) if probes else None


def state_after(snapshot: Snapshot, packet: DecisionPacket) -> str | None:
    """What the last look saw, in words; None where none was taken."""
    look, context = snapshot.facts.experiments, acting_context(snapshot)
    if look is None or isinstance(context, ContextError):
        return None
    action = action_of(context.spec, packet)
    assert action is not None  # noqa: S101 - a look was taken at its target
    proposed = packet.bound.proposed_action
    seen = TYPES[action.type].state_after(action, proposed.target, values_of(look.evidence))
    return seen or f"{proposed.target} on {proposed.host} could not be observed: {_why_not(look, proposed.host)}"


def _why_not(look: Observation, host: str) -> str:
    """Why nothing of the target was seen."""
    unavailable = [each.unavailable.message for each in look.evidence if each.unavailable is not None]
    return shown(look.unreachable.get(host) or next(iter(unavailable), f"no answer within {LOOK_SECONDS} s"), 300)


def known_after(attempt: Attempt, packet: DecisionPacket) -> str:
    """What is known of the target's state after an attempt that failed or has no known end; empty where nothing can
    have changed."""
    if attempt.reason in CHANGED_NOTHING:
        return ""
    proposed = packet.bound.proposed_action
    if attempt.after:
        return attempt.after
    if proposed.current_count is not None:
        return (
            f"The pool had {proposed.current_count} instances and was to have {proposed.desired_count}; how many it "
            "has now was not checked"
        )
    return f"What it left behind on {attempt.host} was not checked"


def to_do(attempt: Attempt, packet: DecisionPacket) -> str | None:
    """What a person does about an attempt that failed, never ran, or has no known end."""
    proposed = packet.bound.proposed_action
    ask = f"`echo status {attempt.id} | sudo /usr/local/libexec/firstresponder-act`"
    if look_there := look_at(packet):
        look, mend = look_there, "If it is down, bring it back by hand."
    elif proposed.current_count is not None:
        look, mend = f"Count the instances of {proposed.target}.", "Correct their number by hand."
    else:
        look, mend = f"See on {attempt.host} what it did and what it left undone.", "Put that right by hand."
    if attempt.reason == AttemptReason.NEVER_RAN:
        if attempt.first_error is None:
            return None
        return (
            f"Nothing was done. Repair the acting account of {attempt.host} (`install --check`, run there as root, "
            "says what is wrong with it), then open a new Incident if the trouble is still there."
        )
    if attempt.reason == AttemptReason.REFUSED:
        return (
            f"Nothing was done. Fix the cause of the refusal on {attempt.host}, or act by hand. What it recorded: "
            f"{ask}, run there."
        )
    if attempt.state == AttemptState.INDETERMINATE:
        return (
            f"Find out how it ended; it is never repeated. {ask}, run on {attempt.host}, shows what the host "
            f"recorded. {look} Then decide."
        )
    return f"{look} {mend} What the action printed: {ask}, run there."
