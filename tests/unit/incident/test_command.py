"""A command line of a runbook's own: rendered without evidence, run as it was approved."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.incident.world import World, awaiting_approval, high_cpu

FLUSH = ["/usr/local/sbin/flush-cache", "--service=$(service)", "--limit=$(cpuThreshold)"]


def runbook(argv: list[str]) -> dict[str, Any]:
    document = high_cpu()
    action = document["spec"]["actions"][0]
    del action["restartUnit"]
    action["command"] = {"argv": argv}
    action["approval"]["class"] = "run-command"
    return document


def test_a_command_becomes_one_order_with_its_words_as_they_were_approved() -> None:
    world = awaiting_approval(runbook=runbook(FLUSH))
    packet = world.incident.status.decision_packet
    assert packet is not None
    (order,) = packet.bound.orders
    words = ["/usr/local/sbin/flush-cache", "--service=api-gateway", "--limit=80"]
    assert (order.action, order.arguments, order.timeout_seconds) == ("command", words, 60)
    assert packet.bound.proposed_action.target == " ".join(words)
    assert packet.bound.action_class == "run-command"
    world.review("alice@example.com")
    world.settle()
    assert len(world.runs) == 1


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["flush-cache"], "absolute path"),
        (["/bin/flush", "two words"], "white space"),
        (["/bin/flush", "$(oom.extracted.request)"], "comes from evidence"),
    ],
)
def test_a_command_that_no_host_could_have_declared_is_never_proposed(argv: list[str], word: str) -> None:
    world = World(runbook=runbook(argv))
    world.settle()
    assert (world.reason, world.request) == ("InvalidRunbook", None)
    assert world.incident.status.escalation is not None
    assert word in world.incident.status.escalation.message
