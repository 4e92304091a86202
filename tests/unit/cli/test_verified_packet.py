"""What a reviewer's machine refuses to show as an honest packet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.cli.verified_packet import Tampered, verified_packet
from firstresponder.safety.digest import sha256_digest
from tests.unit.incident.world import awaiting_approval

Change = Callable[[dict[str, Any]], object]


def changed(change: Change, *, redigest: bool = False) -> ApprovalRequest:
    """An honest request with its spec changed; ``redigest`` makes the digest fit again."""
    request = awaiting_approval().request
    assert request is not None
    body = request.model_dump(by_alias=True, mode="json", exclude_none=True)
    change(body["spec"])
    if redigest:
        body["spec"]["packetDigest"] = sha256_digest(body["spec"]["packet"]["bound"])
    return ApprovalRequest.model_validate(body)


def bound(spec: dict[str, Any]) -> dict[str, Any]:
    part: dict[str, Any] = spec["packet"]["bound"]
    return part


def test_an_honest_request_gives_the_packet_that_the_operator_made() -> None:
    world = awaiting_approval()
    assert world.request is not None
    assert verified_packet(world.request) == world.incident.status.decision_packet


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: bound(spec).update(rollbackPlan="none"),
        lambda spec: bound(spec)["orders"][0]["arguments"].append("sshd.service"),
        lambda spec: bound(spec)["risk"].pop("dataRisk"),
        lambda spec: spec.update(packetDigest="sha256:" + "0" * 64),
        lambda spec: spec["packet"].update(bound={}),
    ],
    ids=["text changed", "argument added", "risk dropped", "digest changed", "emptied"],
)
def test_a_packet_that_is_not_what_its_digest_says_is_refused(change: Change) -> None:
    with pytest.raises(Tampered, match="has the digest sha256:"):
        verified_packet(changed(change))


def test_a_packet_without_a_digest_is_refused_with_the_field() -> None:
    with pytest.raises(Tampered, match=r"has no digest: value\.requiredApprovals is 1\.5"):
        verified_packet(changed(lambda spec: bound(spec).update(requiredApprovals=1.5)))
    with pytest.raises(Tampered, match="has no digest"):
        verified_packet(changed(lambda spec: spec["packet"].pop("bound")))


@pytest.mark.parametrize(
    ("field", "value"),
    [("actionClass", "drain"), ("requiredApprovals", 2), ("expirationTime", "2030-01-01T00:00:00Z")],
)
def test_a_copy_that_differs_from_the_packet_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(Tampered, match=rf"spec\.{field} is "):
        verified_packet(changed(lambda spec: spec.update({field: value})))


def test_an_order_for_another_incident_is_refused() -> None:
    with pytest.raises(Tampered, match="another incident"):
        verified_packet(changed(lambda spec: bound(spec)["orders"][0].update(incident="x"), redigest=True))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda spec: bound(spec).update(surprise="rm"), "surprise"),
        (lambda spec: bound(spec).pop("rollbackPlan"), "rollbackPlan"),
        (lambda spec: bound(spec)["orders"][0].update(surprise="x"), "surprise"),
        (lambda spec: bound(spec).update(rollback_plan=bound(spec).pop("rollbackPlan")), "show differently"),
        (lambda spec: spec["packet"].update(shown={"evidence": "x"}), "shown"),
    ],
    ids=["unknown field", "missing field", "unknown field of an order", "other spelling", "unreadable evidence"],
)
def test_what_cannot_be_shown_whole_is_refused_even_with_a_fitting_digest(change: Change, word: str) -> None:
    with pytest.raises(Tampered, match=word):
        verified_packet(changed(change, redigest=True))
