"""Every way in which an action must not run, on a real API server and a real host: nothing executed, reason clear."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.scenes import RUNBOOK
from tests.e2e.truth import assert_nothing_ran, claims, invocation
from tests.testbed.api import ApiError
from tests.testbed.cluster import ALICE, DANA, MALLORY, Cluster
from tests.testbed.hosts import Host
from tests.testbed.operator import Operator
from tests.testbed.stage import Stage, quick, shipped


def unhealthy(expires_after: str = "30m") -> dict[str, Any]:
    """The runbook of the fault tests, with a parameter to patch: it does not depend on how busy this machine is."""
    runbook = copy.deepcopy(RUNBOOK)
    runbook["spec"]["parameters"] = [{"name": "patience", "type": "number", "default": 1}]
    runbook["spec"]["actions"][0]["approval"]["expiresAfter"] = expires_after
    return runbook


@pytest.fixture
def waiting(stage: Stage, host: Host, operator: Operator) -> str:
    """An incident that waits for approval."""
    stage.add_runbook(unhealthy())
    host.degrade()
    incident = stage.open_incident("unhealthy-1", type="Unhealthy")
    stage.wait_for_phase(incident, "AwaitingApproval")
    stage.request_of(incident)
    return incident


def test_a_denial_is_final_and_told_in_the_words_of_who_denied(stage: Stage, host: Host, waiting: str) -> None:
    before = invocation(host)
    request = stage.request_of(waiting)
    stage.review(request, "Denied", comment="not during the sale")
    status = stage.wait_until_ended(waiting)
    assert status["escalation"]["reason"] == "ApprovalDenied"
    assert "alice@example.com: not during the sale" in status["escalation"]["message"]
    stage.wait(lambda: stage.condition("approvalrequests", request, "Closed") == "True", "the request to be closed")
    with pytest.raises(ApiError, match="closed"):
        stage.review(request, "Approved", user=DANA)
    assert_nothing_ran(host, before)


def test_an_approval_after_the_expiry_runs_nothing(stage: Stage, host: Host, operator: Operator) -> None:
    stage.add_runbook(unhealthy(expires_after="3s"))
    before = invocation(host)
    host.degrade()
    incident = stage.open_incident("unhealthy-1", type="Unhealthy")
    status = stage.wait_until_ended(incident)
    assert status["escalation"]["reason"] == "ApprovalExpired"
    assert_nothing_ran(host, before)


@pytest.mark.parametrize(
    ("user", "name", "message"),
    [
        (DANA, DANA, "may not approve actionclasses/restart-unit"),
        (MALLORY, MALLORY, "cannot patch resource"),
        (ALICE, DANA, "a review can be added only under your own name"),
    ],
    ids=["without the right", "without any right", "signing for another"],
)
def test_a_reviewer_who_may_not_is_refused(
    stage: Stage, host: Host, waiting: str, user: str, name: str, message: str
) -> None:
    before = invocation(host)
    request = stage.request_of(waiting)
    digest = stage.get("approvalrequests", request)["spec"]["packetDigest"]
    review = {"spec": {"reviews": {name: {"verdict": "Approved", "packetDigest": digest}}}}
    with pytest.raises(ApiError, match=message):
        stage.cluster.api(user).patch(stage.path("approvalrequests", request), review)
    assert_nothing_ran(host, before)
    assert stage.phase(waiting) == "AwaitingApproval"


def test_the_operators_own_token_cannot_approve(stage: Stage, host: Host, waiting: str) -> None:
    before = invocation(host)
    request = stage.request_of(waiting)
    digest = stage.get("approvalrequests", request)["spec"]["packetDigest"]
    operator = stage.cluster.api_with(stage.cluster.operator_token())
    for name in ("system:serviceaccount:first-responder:operator", ALICE):
        review = {"spec": {"reviews": {name: {"verdict": "Approved", "packetDigest": digest}}}}
        with pytest.raises(ApiError, match="cannot patch resource"):
            operator.patch(stage.path("approvalrequests", request), review)
    assert_nothing_ran(host, before)


def test_a_stale_digest_is_refused_by_the_server(stage: Stage, host: Host, waiting: str) -> None:
    before = invocation(host)
    review = {"spec": {"reviews": {ALICE: {"verdict": "Approved", "packetDigest": "sha256:" + "0" * 64}}}}
    with pytest.raises(ApiError, match=r"must echo spec\.packetDigest"):
        stage.cluster.api(ALICE).patch(stage.path("approvalrequests", stage.request_of(waiting)), review)
    assert_nothing_ran(host, before)


@pytest.mark.rule(14, 21)
def test_a_parameter_patched_after_approval_supersedes_what_was_approved(
    stage: Stage, host: Host, waiting: str, operator: Operator
) -> None:
    before = invocation(host)
    first = stage.request_of(waiting)
    operator.kill()
    stage.review(first)
    stage.patch_incident(waiting, parameters={"patience": 2})
    operator.start()
    stage.wait(
        lambda: stage.status(waiting).get("approvalRequestRef", {}).get("name") not in {None, first}, "a new request"
    )
    stage.wait_for_phase(waiting, "AwaitingApproval")
    closed = next(c for c in stage.get("approvalrequests", first)["status"]["conditions"] if c["type"] == "Closed")
    assert closed["reason"] == "Superseded"
    assert "parameters" in closed["message"]
    assert_nothing_ran(host, before)
    stage.review(stage.request_of(waiting))
    status = stage.wait_for_phase(waiting, "Resolved")
    assert status["attempts"][0]["ordinal"] == 2
    assert len(claims(host)) == 1


def test_a_revision_whose_data_fails_its_digest_runs_nothing(
    stage: Stage, host: Host, waiting: str, operator: Operator
) -> None:
    before = invocation(host)
    operator.kill()
    name = stage.status(waiting)["runbookRevisionRef"]["name"]
    path = f"/apis/apps/v1/namespaces/{stage.namespace}/controllerrevisions"
    stored = stage.cluster.api().get(f"{path}/{name}")
    stored["data"]["spec"]["actions"][0]["restartUnit"]["unit"] = "ssh.service"
    # A revision's data cannot be updated; whoever may delete and create can still replace it.
    stage.cluster.api().delete(f"{path}/{name}")
    stage.wait(lambda: not _exists(stage, f"{path}/{name}"), "the revision to be gone")
    metadata = {"name": name, "ownerReferences": stored["metadata"]["ownerReferences"]}
    stage.cluster.api().create(path, {"metadata": metadata, "data": stored["data"], "revision": stored["revision"]})
    stage.review(stage.request_of(waiting))
    operator.start()
    status = stage.wait_until_ended(waiting)
    assert status["escalation"]["reason"] == "InvalidRunbook"
    assert name in status["escalation"]["message"]
    assert_nothing_ran(host, before)


def _exists(stage: Stage, path: str) -> bool:
    try:
        stage.cluster.api().get(path)
    except ApiError as error:
        assert error.code == 404
        return False
    return True


def test_a_review_written_while_the_policy_binding_was_gone_never_counts(
    stage: Stage, host: Host, waiting: str
) -> None:
    before = invocation(host)
    request = stage.request_of(waiting)
    bindings = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
    stage.cluster.api().delete(f"{bindings}/approvalrequests.firstresponder.dev")
    try:
        stage.review(request)
        status = stage.wait_until_ended(waiting)
    finally:
        stage.cluster.install()
    assert status["escalation"]["reason"] == "PacketSuperseded"
    assert "the approval gate does not hold" in status["escalation"]["message"]
    assert any(each["reason"] == "ApprovalGateUnsafe" for each in status["conditions"])
    stage.wait(lambda: stage.condition("approvalrequests", request, "Closed") == "True", "the request to be closed")
    assert_nothing_ran(host, before)


def test_an_abort_before_the_start_ends_without_a_run(stage: Stage, host: Host, waiting: str) -> None:
    before = invocation(host)
    stage.patch_incident(waiting, abort=True)
    status = stage.wait_until_ended(waiting)
    assert status["escalation"]["reason"] == "Aborted"
    assert_nothing_ran(host, before)


def test_a_wrong_host_key_means_that_not_a_byte_of_a_command_is_sent(
    cluster: Cluster, namespace: str, host: Host, tmp_path: Path
) -> None:
    stage = Stage(cluster, namespace)
    stage.add_host(host, key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVaBzVgZ2yTqE1Fh0hX0bW5o0Xf0cFqj6w3s8vB0oQe")
    with Operator(cluster, namespace, tmp_path / "operator"):
        stage.add_runbook(quick(shipped()))
        status = stage.wait_until_ended(stage.open_incident())
    assert status["escalation"]["reason"] == "HostUnreachable"
    assert "key" in status["escalation"]["message"]
    log = host.run(["journalctl", "--unit=ssh.service", "--output=cat", "--quiet", "--no-pager"]).stdout
    assert "Connection" in log  # somebody came, and left before saying who
    assert "Accepted publickey" not in log


def test_a_frozen_host_is_unreachable_within_its_time_out_and_delays_no_other_incident(
    stage: Stage, host: Host, operator: Operator
) -> None:
    host.freeze()
    try:
        frozen = stage.open_incident("frozen")
        unknown = stage.open_incident("of-unknown-type", type="Unheard")
        status = stage.wait_until_ended(unknown, timeout=10)
        assert status["escalation"]["reason"] == "UnknownIncidentType"
        assert not stage.ended(frozen)
        status = stage.wait_until_ended(frozen)
        assert status["escalation"]["reason"] == "HostUnreachable"
    finally:
        host.thaw()
    assert all(each["unavailable"]["reason"] for each in status["evidence"])


def test_the_expiry_in_the_packet_is_the_requests_and_lies_in_the_future(stage: Stage, waiting: str) -> None:
    spec = stage.get("approvalrequests", stage.request_of(waiting))["spec"]
    assert spec["expirationTime"] == spec["packet"]["bound"]["expirationTime"]
    assert datetime.fromisoformat(spec["expirationTime"]) > datetime.now(UTC) + timedelta(minutes=20)
