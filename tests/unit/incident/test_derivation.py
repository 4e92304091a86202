"""A packet that a thief of the operator's credentials wrote: its digest fits, and its runbook leads to another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.incident import Phase
from firstresponder.api.packet import BoundPacket, DecisionPacket
from firstresponder.incident.approval.binding import digest_of
from firstresponder.incident.approval.packet import request_spec
from firstresponder.incident.plan import CreateRequest, SendOrder
from tests.unit.incident.test_methods import after_the_first
from tests.unit.incident.test_methods import waiting as awaiting_methods
from tests.unit.incident.test_scale import message
from tests.unit.incident.test_scale import offered as way_back_offered
from tests.unit.incident.test_scale import waiting as awaiting_scale
from tests.unit.incident.world import OPERATOR, World, awaiting_approval

Forgery = Callable[[dict[str, Any]], Any]


def forged(packet: DecisionPacket, forgery: Forgery) -> DecisionPacket:
    """The packet as a thief rewrites it: everything that can be made consistent is."""
    wire = packet.bound.wire()
    forgery(wire)
    bound = BoundPacket.model_validate(wire)
    return packet.model_copy(update={"bound": bound, "digest": digest_of(bound)})


def swap(world: World, forgery: Forgery) -> None:
    """The forged packet takes the place of the true one in the status and in the request, as if it had been made so."""
    status = world.incident.status
    assert status.decision_packet is not None
    packet = forged(status.decision_packet, forgery)
    world.incident = world.incident.model_copy(update={"status": status.model_copy(update={"decision_packet": packet})})
    if world.request is not None:
        body = world.request.model_dump(by_alias=True, mode="json")
        reviews = {
            user: each | {"packetDigest": packet.digest} for user, each in body["spec"].get("reviews", {}).items()
        }
        body["spec"] = request_spec(world.incident, packet, OPERATOR) | ({"reviews": reviews} if reviews else {})
        world.request = ApprovalRequest.model_validate(body)


def runs_another_unit(bound: dict[str, Any]) -> None:
    bound["orders"][0]["arguments"][0] = "sshd.service"


def runs_another_instance(bound: dict[str, Any]) -> None:
    bound["orders"][0]["arguments"][1] = "f" * 32


def runs_any_instance(bound: dict[str, Any]) -> None:
    del bound["orders"][0]["arguments"][1]


def runs_another_action(bound: dict[str, Any]) -> None:
    bound["orders"][0]["action"] = "command"


def adds_an_order(bound: dict[str, Any]) -> None:
    bound["orders"].append(bound["orders"][0] | {"attempt": 2, "arguments": ["sshd.service"]})


def takes_longer(bound: dict[str, Any]) -> None:
    bound["orders"][0]["timeoutSeconds"] = 86400


FORGERIES: list[Forgery] = [
    runs_another_unit,
    runs_another_instance,
    runs_any_instance,
    runs_another_action,
    adds_an_order,
    takes_longer,
    lambda bound: bound["proposedAction"].update(target="sshd.service"),
    lambda bound: bound["proposedAction"].update(host="db-01"),
    lambda bound: bound["proposedAction"].update(role="control-node"),
    lambda bound: bound["proposedAction"].update(name="scale-out"),
    lambda bound: bound.update(hypothesis="legitimate-load"),
    lambda bound: bound.update(actionClass="run-command"),
    lambda bound: bound.update(preconditions=bound["preconditions"][1:]),
    lambda bound: bound["verification"].update(window="1s"),
    lambda bound: bound.update(acknowledge=["something else"]),
    lambda bound: bound.update(until="true"),
]


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_packet_that_does_not_follow_from_its_runbook_is_never_put_to_people(forgery: Forgery) -> None:
    world = awaiting_approval()
    world.request = None
    status = world.incident.status
    assert status.approval_request_ref is not None
    ref = status.approval_request_ref.model_copy(update={"uid": None})
    world.incident = world.incident.model_copy(
        update={"status": status.model_copy(update={"approval_request_ref": ref})}
    )
    world.effects.clear()
    swap(world, forgery)
    world.settle()
    assert (world.reason, world.performed(CreateRequest), world.runs) == ("PacketSuperseded", [], [])


@pytest.mark.parametrize("forgery", FORGERIES)
def test_even_approved_a_forged_packet_runs_nothing(forgery: Forgery) -> None:
    world = awaiting_approval()
    world.review("alice@example.com")
    swap(world, forgery)
    world.settle()
    assert (world.reason, world.performed(SendOrder), world.runs) == ("PacketSuperseded", [], [])
    escalation = world.incident.status.escalation
    assert escalation is not None
    assert "does not follow from its runbook" in escalation.message


def test_the_refusal_names_what_would_run_and_what_is_proposed() -> None:
    world = awaiting_approval()
    swap(world, runs_another_unit)
    world.settle()
    escalation = world.incident.status.escalation
    assert escalation is not None
    assert "order 1 would run “restart-unit sshd.service " in escalation.message
    assert "what is proposed is “restart-unit api-gateway.service " in escalation.message


def test_of_several_orders_each_has_to_be_the_method_s() -> None:
    world = awaiting_methods()
    world.review("alice@example.com")
    swap(world, lambda bound: bound["orders"][1].update(arguments=["/etc/logrotate.d/other"]))
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])


def test_a_packet_forged_after_its_first_order_runs_no_second_one() -> None:
    world = after_the_first()
    swap(world, lambda bound: bound["orders"][1].update(arguments=["/etc/logrotate.d/other"]))
    world.settle()
    assert (world.reason, len(world.runs)) == ("Indeterminate", 1)  # its attempts are not those of this packet


@pytest.mark.parametrize(
    "forgery",
    [
        lambda bound: bound["proposedAction"].update(desiredCount=1),
        lambda bound: bound["orders"][0]["arguments"].__setitem__(-2, "1"),
        lambda bound: (
            bound["proposedAction"].update(desiredCount=1),
            bound["orders"][0]["arguments"].__setitem__(-2, "1"),
        ),
        lambda bound: bound["orders"][0]["arguments"].__setitem__(0, "playbooks/other.yml"),
    ],
)
def test_a_pool_is_scaled_to_what_is_proposed_and_to_nothing_else(forgery: Forgery) -> None:
    world = awaiting_scale()
    world.review("alice@example.com")
    swap(world, forgery)
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])


def as_a_way_back(count: int) -> Forgery:
    """What was to be a fix rolls back a fix that never was: nothing bounds its counts but what the runbook planned."""

    def forgery(bound: dict[str, Any]) -> None:
        bound["undoes"] = bound.get("undoes", "a" * 64)
        bound["proposedAction"].update(desiredCount=count)
        bound["orders"][0]["arguments"][-2] = str(count)
        kept = {"unexpected-process", "count-unchanged"}
        bound["preconditions"] = [each for each in bound["preconditions"] if each["name"] in kept]
        bound.pop("verification", None)

    return forgery


@pytest.mark.parametrize("count", [0, 1, 2, 99])
def test_a_fix_forged_into_a_way_back_runs_nothing(count: int) -> None:
    world = awaiting_scale()
    world.review("alice@example.com")
    swap(world, as_a_way_back(count))
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])
    assert "no attempt of scale-out on control-1 succeeded that it could roll back" in message(world)


def test_what_has_no_way_back_is_not_forged_into_one() -> None:
    world = awaiting_approval()
    world.review("alice@example.com")

    def forgery(bound: dict[str, Any]) -> None:
        bound.update(undoes="a" * 64)
        bound.pop("verification")

    swap(world, forgery)
    world.settle()
    assert (world.reason, world.runs) == ("PacketSuperseded", [])
    assert "the runbook offers no rollback from restart" in message(world)


@pytest.mark.parametrize("count", [0, 3, 5, 99])
def test_a_way_back_leads_to_where_the_fix_began_and_nowhere_else(count: int) -> None:
    world = way_back_offered()
    done = len(world.runs)
    world.review("alice@example.com")
    swap(world, as_a_way_back(count))
    world.settle()
    assert (len(world.runs), world.phase()) == (done, Phase.ESCALATED)
    assert "the action that it proposes is not the runbook's" in str(world.incident.status.timeline)


def test_a_way_back_takes_back_an_attempt_of_its_incident_and_no_other() -> None:
    world = way_back_offered()
    done = len(world.runs)
    world.review("alice@example.com")
    swap(world, lambda bound: bound.update(undoes="b" * 64))
    world.settle()
    assert (len(world.runs), world.phase()) == (done, Phase.ESCALATED)


def test_a_way_back_as_it_was_offered_is_derived_whole_and_runs_once() -> None:
    world = way_back_offered()
    done = len(world.runs)
    world.review("alice@example.com")
    swap(world, as_a_way_back(4))
    world.settle()
    assert (len(world.runs), world.phase()) == (done + 1, Phase.ESCALATED)


def test_what_was_rolled_back_already_is_not_rolled_back_by_another_packet() -> None:
    world = way_back_offered()
    status, done = world.incident.status, len(world.runs)
    world.review("alice@example.com")
    other = {"id": "c" * 64, "ordinal": 2, "undoes": status.attempts[0].id, "packet_digest": "sha256:" + "d" * 64}
    attempts = [*status.attempts, status.attempts[0].model_copy(update=other)]
    world.incident = world.incident.model_copy(update={"status": status.model_copy(update={"attempts": attempts})})
    world.settle()
    assert (len(world.runs), world.phase()) == (done, Phase.ESCALATED)
    assert "was rolled back already, by another packet" in str(world.incident.status.timeline)
