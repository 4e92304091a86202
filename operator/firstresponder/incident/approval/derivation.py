"""A packet derived again, from the pinned revision of its runbook and the evidence that triage stored.

Whoever holds the operator's credentials can write any packet into a status, and make the request for it: one that
proposes a restart of one unit and orders that of another, or that names an ActionClass which more people may approve.
Its digest fits, so the digest proves nothing about that. What can be believed is what a second reader works out from
the same runbook: the operator before it asks and before each order, and ``kubectl approve`` before it asks a person.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from firstresponder.actions.action import Seen
from firstresponder.actions.catalogue import until_of
from firstresponder.api.incident import Attempt, AttemptState
from firstresponder.api.packet import DecisionPacket
from firstresponder.api.runbook import Action, RunbookSpec
from firstresponder.incident.approval.packet import (
    Refused,
    action_of,
    class_name,
    hypothesis_of,
    requirements,
    shape_action,
)
from firstresponder.incident.decision.amount import plan_amount
from firstresponder.incident.decision.decide import Escalate, EvaluationInputs, scope_of
from firstresponder.incident.decision.verification import verification_plan


def derivation_problem(
    spec: RunbookSpec, inputs: EvaluationInputs, seen: Seen, attempts: Sequence[Attempt], packet: DecisionPacket
) -> str | None:
    """What of the packet is not what its runbook makes of that evidence; None if all of it is.

    A rollback rolls back what the runbook planned on that evidence, by an attempt that succeeded. Not derived are what
    only the host knows (machine, boot, expiries), the digest of a project that a preview reported, and texts for
    people.
    """
    bound = packet.bound
    action, hypothesis = action_of(spec, packet), hypothesis_of(spec, packet)
    if action is None or hypothesis is None or hypothesis.then.action != action.name:
        return f"the runbook does not propose {bound.proposed_action.name} for {bound.hypothesis}"
    undoes, scope = bound.undoes is not None, scope_of(spec, inputs, seen)
    plan = plan_amount(spec, action, scope)
    if isinstance(plan, Escalate):
        return plan.message
    if undoes:
        if problem := _undoing_problem(action, attempts, packet):
            return problem
        plan = plan.back()
    project = next((each.project for each in bound.preview), None)
    host = str(inputs.hosts.get(action.role, {}).get("name", ""))
    made = shape_action(spec, action, host, plan, scope, seen, project)
    if isinstance(made, Refused):
        return made.message
    if made.proposed != bound.proposed_action:
        return "the action that it proposes is not the runbook's"
    for number, (step, order) in enumerate(zip(made.steps, bound.orders, strict=False), 1):
        if (step.name, step.arguments) != (order.action, tuple(order.arguments)):
            runs, meant = " ".join([order.action, *order.arguments]), " ".join([step.name, *step.arguments])
            return f"order {number} would run “{runs}”, and what is proposed is “{meant}”"
        if math.ceil(step.timeout) != order.timeout_seconds:
            return f"order {number} may take {order.timeout_seconds} s, and the runbook gives it {step.timeout:g} s"
    if len(made.steps) != len(bound.orders):
        return f"it has {len(bound.orders)} orders, and what is proposed takes {len(made.steps)}"
    derived = {
        "actionClass": (bound.action_class, class_name(action)),
        "preconditions": (bound.preconditions, requirements(spec, action, None if undoes else hypothesis, plan)),
        "until": (bound.until, None if undoes else until_of(action)),
        "verification": (bound.verification, None if undoes else verification_plan(spec, inputs)),
        "acknowledge": (bound.acknowledge, [] if undoes else action.approval.acknowledge),
    }
    if differing := [field for field, (stated, meant) in derived.items() if stated != meant]:
        return f"{', '.join(differing)} is not the runbook's"
    if bound.required_approvals < action.approval.required_approvals:
        return f"requiredApprovals is {bound.required_approvals}, and the runbook asks for more"
    return None


def _undoing_problem(action: Action, attempts: Sequence[Attempt], packet: DecisionPacket) -> str | None:
    """Why there is nothing for this packet to roll back; None if there is."""
    bound = packet.bound
    if not action.rollback.offer_inverse:
        return f"the runbook offers no rollback from {action.name}"
    undone = next((each for each in attempts if each.id == bound.undoes), None)
    meant = (AttemptState.SUCCEEDED, action.name, bound.proposed_action.host, None)
    if undone is None or (undone.state, undone.action, undone.host, undone.undoes) != meant:
        return f"no attempt of {action.name} on {bound.proposed_action.host} succeeded that it could roll back"
    if any(each.undoes == bound.undoes and each.packet_digest != packet.digest for each in attempts):
        return f"the attempt of {action.name} was rolled back already, by another packet"
    return None
