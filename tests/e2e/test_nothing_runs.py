"""Every way in which an action must not run, on a real API server and a real host: nothing executed, reason clear."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.scenes import RUNBOOK, Scene, Scenes
from tests.e2e.truth import assert_nothing_ran, claims
from tests.testbed.api import ApiError
from tests.testbed.cluster import ALICE, DANA, MALLORY
from tests.testbed.operator import Operator
from tests.testbed.stage import Stage, quick, shipped


def unhealthy(expires_after: str = "30m") -> dict[str, Any]:
    """The runbook of the fault tests, with a parameter to patch: it does not depend on how busy this machine is."""
    runbook = copy.deepcopy(RUNBOOK)
    runbook["spec"]["parameters"] = [{"name": "patience", "type": "number", "default": 1}]
    runbook["spec"]["actions"][0]["approval"]["expiresAfter"] = expires_after
    return runbook


def waiting(scene: Scene) -> tuple[Operator, str, str]:
    """A running operator, and an incident that waits for approval with its request."""
    operator = scene.operator()
    incident = scene.incident(unhealthy())
    return operator, incident, scene.stage.request_of(incident)


def assert_untouched(scene: Scene) -> None:
    assert_nothing_ran(scene.host, scene.first_invocation)


def test_a_review_written_while_the_policy_binding_was_gone_never_counts(scene: Scene) -> None:
    stage = scene.stage
    _, incident, request = waiting(scene)
    bindings = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
    stage.cluster.api().delete(f"{bindings}/approvalrequests.firstresponder.dev")
    try:
        stage.review(request)
        status = stage.wait_until_ended(incident)
    finally:
        stage.cluster.install()
    assert status["escalation"]["reason"] == "PacketSuperseded"
    assert "the approval gate does not hold" in status["escalation"]["message"]
    assert any(each["reason"] == "ApprovalGateUnsafe" for each in status["conditions"])
    stage.wait(lambda: stage.condition("approvalrequests", request, "Closed") == "True", "the request to be closed")
    assert_untouched(scene)


def test_a_denial_is_final_and_told_in_the_words_of_who_denied(scenes: Scenes) -> None:
    with scenes.open() as scene:
        stage = scene.stage
        _, incident, request = waiting(scene)
        stage.review(request, "Denied", comment="not during the sale")
        status = scene.escalated(incident, "ApprovalDenied")
        assert "alice@example.com: not during the sale" in status["escalation"]["message"]
        stage.wait(lambda: stage.condition("approvalrequests", request, "Closed") == "True", "the request to be closed")
        with pytest.raises(ApiError, match="closed"):
            stage.review(request, "Approved", user=DANA)
        assert_untouched(scene)


def test_an_approval_after_the_expiry_runs_nothing(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.operator()
        scene.stage.add_runbook(unhealthy(expires_after="3s"))
        scene.host.degrade()
        scene.escalated(scene.stage.open_incident("unhealthy-1", type="Unhealthy"), "ApprovalExpired")
        assert_untouched(scene)


@pytest.mark.parametrize(
    ("user", "name", "message"),
    [
        (DANA, DANA, "may not approve actionclasses/restart-unit"),
        (MALLORY, MALLORY, "cannot patch resource"),
        (ALICE, DANA, "a review can be added only under your own name"),
    ],
    ids=["without the right", "without any right", "signing for another"],
)
def test_a_reviewer_who_may_not_is_refused(scenes: Scenes, user: str, name: str, message: str) -> None:
    with scenes.open() as scene:
        stage = scene.stage
        _, incident, request = waiting(scene)
        digest = stage.get("approvalrequests", request)["spec"]["packetDigest"]
        review = {"spec": {"reviews": {name: {"verdict": "Approved", "packetDigest": digest}}}}
        with pytest.raises(ApiError, match=message):
            stage.cluster.api(user).patch(stage.path("approvalrequests", request), review)
        assert_untouched(scene)
        assert stage.phase(incident) == "AwaitingApproval"


def test_the_operators_own_token_cannot_approve(scenes: Scenes) -> None:
    with scenes.open() as scene:
        stage = scene.stage
        _, _, request = waiting(scene)
        digest = stage.get("approvalrequests", request)["spec"]["packetDigest"]
        operator = stage.cluster.api_with(stage.cluster.operator_token())
        for name in ("system:serviceaccount:first-responder:operator", ALICE):
            review = {"spec": {"reviews": {name: {"verdict": "Approved", "packetDigest": digest}}}}
            with pytest.raises(ApiError, match="cannot patch resource"):
                operator.patch(stage.path("approvalrequests", request), review)
        assert_untouched(scene)


def test_a_stale_digest_is_refused_by_the_server(scenes: Scenes) -> None:
    with scenes.open() as scene:
        stage = scene.stage
        _, _, request = waiting(scene)
        review = {"spec": {"reviews": {ALICE: {"verdict": "Approved", "packetDigest": "sha256:" + "0" * 64}}}}
        with pytest.raises(ApiError, match=r"must echo spec\.packetDigest"):
            stage.cluster.api(ALICE).patch(stage.path("approvalrequests", request), review)
        assert_untouched(scene)


@pytest.mark.rule(14, 21)
def test_a_parameter_patched_after_approval_supersedes_what_was_approved(scenes: Scenes) -> None:
    with scenes.open() as scene:
        stage = scene.stage
        operator, incident, first = waiting(scene)
        operator.kill()
        stage.review(first)
        stage.patch_incident(incident, parameters={"patience": 2})
        operator.start()
        stage.wait(
            lambda: stage.status(incident).get("approvalRequestRef", {}).get("name") not in {None, first},
            "a new request",
        )
        stage.wait_for_phase(incident, "AwaitingApproval")
        closed = next(c for c in stage.get("approvalrequests", first)["status"]["conditions"] if c["type"] == "Closed")
        assert closed["reason"] == "Superseded"
        assert "parameters" in closed["message"]
        assert_untouched(scene)
        scene.approve(incident)
        status = stage.wait_for_phase(incident, "Resolved")
        assert status["attempts"][0]["ordinal"] == 2
        assert len(claims(scene.host)) == 1


def test_a_revision_whose_data_fails_its_digest_runs_nothing(scenes: Scenes) -> None:
    with scenes.open() as scene:
        stage = scene.stage
        operator, incident, request = waiting(scene)
        operator.kill()
        name = stage.status(incident)["runbookRevisionRef"]["name"]
        path = f"/apis/apps/v1/namespaces/{stage.namespace}/controllerrevisions"
        stored = stage.cluster.api().get(f"{path}/{name}")
        stored["data"]["spec"]["actions"][0]["restartUnit"]["unit"] = "ssh.service"
        # A revision's data cannot be updated; whoever may delete and create can still replace it.
        stage.cluster.api().delete(f"{path}/{name}")
        stage.wait(lambda: not _exists(stage, f"{path}/{name}"), "the revision to be gone")
        metadata = {"name": name, "ownerReferences": stored["metadata"]["ownerReferences"]}
        forged = {"metadata": metadata, "data": stored["data"], "revision": stored["revision"]}
        stage.cluster.api().create(path, forged)
        stage.review(request)
        operator.start()
        status = scene.escalated(incident, "InvalidRunbook")
        assert name in status["escalation"]["message"]
        assert_untouched(scene)


def _exists(stage: Stage, path: str) -> bool:
    try:
        stage.cluster.api().get(path)
    except ApiError as error:
        assert error.code == 404
        return False
    return True


def test_an_abort_before_the_start_ends_without_a_run(scenes: Scenes) -> None:
    with scenes.open() as scene:
        _, incident, _ = waiting(scene)
        scene.stage.patch_incident(incident, abort=True)
        scene.escalated(incident, "Aborted")
        assert_untouched(scene)


def test_a_wrong_host_key_means_that_not_a_byte_of_a_command_is_sent(scenes: Scenes) -> None:
    with scenes.empty() as scene:
        host = scene.hosts.start("api-gateway-03")
        another = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVaBzVgZ2yTqE1Fh0hX0bW5o0Xf0cFqj6w3s8vB0oQe"
        scene.stage.add_host(host, key=another)
        scene.operator()
        scene.stage.add_runbook(quick(shipped()))
        status = scene.escalated(scene.stage.open_incident(), "HostUnreachable")
        assert "key" in status["escalation"]["message"]

        def log() -> str:
            return host.run(["journalctl", "--unit=ssh.service", "--output=cat", "--quiet", "--no-pager"]).stdout

        scene.stage.wait(lambda: "[preauth]" in log(), "sshd to tell of somebody who left before saying who")
        assert "Accepted publickey" not in log()


def test_a_frozen_host_is_unreachable_within_its_time_out_and_delays_no_other_incident(scenes: Scenes) -> None:
    with scenes.open() as scene:
        stage = scene.stage
        scene.operator()
        stage.add_runbook(quick(shipped()))
        scene.host.freeze()
        try:
            frozen = stage.open_incident("frozen")
            scene.escalated(stage.open_incident("of-unknown-type", type="Unheard"), "UnknownIncidentType")
            assert not stage.ended(frozen)
            status = scene.escalated(frozen, "HostUnreachable")
        finally:
            scene.host.thaw()
        assert all(each["unavailable"]["reason"] for each in status["evidence"])


def test_the_expiry_in_the_packet_is_the_requests_and_lies_in_the_future(scenes: Scenes) -> None:
    with scenes.open() as scene:
        _, _, request = waiting(scene)
        spec = scene.stage.get("approvalrequests", request)["spec"]
        assert spec["expirationTime"] == spec["packet"]["bound"]["expirationTime"]
        assert datetime.fromisoformat(spec["expirationTime"]) > datetime.now(UTC) + timedelta(minutes=20)
