"""The kubectl plugins against a real API server, run by kubectl as a person runs them."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from firstresponder.api.incident import Incident
from firstresponder.incident.approval.packet import request_spec
from firstresponder.safety.digest import sha256_digest
from tests.revisions import revision_of
from tests.testbed.cluster import ALICE, DANA, MALLORY, OPERATOR, Cluster
from tests.unit.incident.world import World, incident

GROUP = "/apis/firstresponder.dev/v1alpha1"
Change = Callable[[dict[str, Any]], object]


def waiting(cluster: Cluster, namespace: str, name: str = "high-cpu", change: Change | None = None) -> str:
    """An incident that waits for approval, and its request as the operator makes it; the request's name."""
    admin = cluster.api()
    path = f"{GROUP}/namespaces/{namespace}/incidents"
    body = {
        "apiVersion": "firstresponder.dev/v1alpha1",
        "kind": "Incident",
        "metadata": {"name": name},
        "spec": incident(summary="CPU above 90 % for 5m on api-gateway-03").spec.wire(),
    }
    world = World(
        incident=Incident.model_validate(admin.create(path, body)), now=datetime.now(UTC).replace(microsecond=0)
    )
    world.settle()
    status, ref = world.incident.status, world.incident.status.approval_request_ref
    keep_revision(cluster, namespace, world)
    assert status.decision_packet is not None
    assert ref is not None
    spec = request_spec(world.incident, status.decision_packet, OPERATOR)
    if change is not None:
        change(spec)
    request = {
        "apiVersion": "firstresponder.dev/v1alpha1",
        "kind": "ApprovalRequest",
        "metadata": {"name": ref.name},
        "spec": spec,
    }
    cluster.api_with(cluster.operator_token()).create(f"{GROUP}/namespaces/{namespace}/approvalrequests", request)
    admin.patch(f"{path}/{name}/status", {"status": status.wire()})
    return ref.name


def keep_revision(cluster: Cluster, namespace: str, world: World) -> None:
    """The pinned revision, as the operator stores it once."""
    stored = revision_of("high-cpu", world.runbook["spec"])
    revision = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": stored.name},
        "data": stored.data,
        "revision": 1,
    }
    path = f"/apis/apps/v1/namespaces/{namespace}/controllerrevisions"
    if stored.name not in {each["metadata"]["name"] for each in cluster.api().get(path)["items"]}:
        cluster.api().create(path, revision)


def reviews(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    spec = cluster.api().get(f"{GROUP}/namespaces/{namespace}/approvalrequests/{name}")["spec"]
    found: dict[str, Any] = spec.get("reviews", {})
    return found


def plugin(cluster: Cluster, user: str, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """`kubectl` with a plugin's name and arguments; whatever happens, never with a traceback."""
    done = cluster.kubectl(*arguments, user=user, stdin=stdin, check=False)
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr, "colours in piped output"
    return done


def test_alice_approves_with_the_plugin_and_the_line_it_prints_does_the_same(cluster: Cluster, namespace: str) -> None:
    by_plugin, by_hand = waiting(cluster, namespace, "one"), waiting(cluster, namespace, "two")
    done = plugin(cluster, ALICE, "approve", by_plugin, "-n", namespace, "--comment", "it's fine", stdin="yes\n")
    assert done.returncode == 0, done.stderr
    assert "restart api-gateway.service on api-gateway-03" in done.stdout
    assert "Approved as alice@example.com" in done.stdout

    told = plugin(cluster, ALICE, "approve", by_hand, "-n", namespace, "--comment", "it's fine", stdin="no\n")
    line = next(line for line in told.stdout.splitlines() if line.startswith("kubectl patch "))
    assert (told.returncode, reviews(cluster, namespace, by_hand)) == (1, {})
    subprocess.run(shlex.split(line), env=cluster.environment(ALICE), check=True, capture_output=True)

    for name in (by_plugin, by_hand):
        digest = cluster.api().get(f"{GROUP}/namespaces/{namespace}/approvalrequests/{name}")["spec"]["packetDigest"]
        review = {"verdict": "Approved", "packetDigest": digest, "comment": "it's fine"}
        assert reviews(cluster, namespace, name) == {ALICE: review}
    written = [
        (write.user, write.verb, write.code)
        for write in cluster.writes(namespace=namespace, user=ALICE)
        if write.resource == "approvalrequests"
    ]
    assert written == [(ALICE, "patch", 200)] * 2


def test_a_request_is_found_by_its_incident_s_name(cluster: Cluster, namespace: str) -> None:
    name = waiting(cluster, namespace)
    done = plugin(cluster, ALICE, "deny", "high-cpu", "-n", namespace, "--yes", "--comment", "not now")
    assert done.returncode == 0, done.stderr
    assert reviews(cluster, namespace, name)[ALICE]["verdict"] == "Denied"


def test_who_may_not_approve_the_class_gets_the_policy_s_words(cluster: Cluster, namespace: str) -> None:
    name = waiting(cluster, namespace)
    refusal = f"may not approve actionclasses/restart-unit in {namespace}"
    done = plugin(cluster, DANA, "approve", name, "-n", namespace, "--yes")
    assert done.returncode == 1
    assert f"{DANA} {refusal}" in done.stderr

    stranger = plugin(cluster, MALLORY, "approve", name, "-n", namespace, "--yes")
    assert stranger.returncode == 1
    assert 'User "mallory@example.com" cannot get resource "approvalrequests"' in stranger.stderr
    let_mallory_review(cluster, namespace)
    reviewer = plugin(cluster, MALLORY, "approve", name, "-n", namespace, "--yes")
    assert reviewer.returncode == 1
    assert f"{MALLORY} {refusal}" in reviewer.stderr
    assert reviews(cluster, namespace, name) == {}


def let_mallory_review(cluster: Cluster, namespace: str) -> None:
    """Mallory may read and patch requests here, but approve nothing."""
    role = ["--clusterrole=firstresponder-reviewer", f"--user={MALLORY}"]
    cluster.kubectl("create", "rolebinding", "mallory", *role, "-n", namespace)
    cluster.wait_until_allowed({"user": MALLORY}, namespace, {"verb": "patch", "resource": "approvalrequests"})


def test_a_tampered_packet_is_refused_before_anything_is_asked(cluster: Cluster, namespace: str) -> None:
    def tamper(spec: dict[str, Any]) -> None:
        spec["packet"]["bound"]["orders"][0]["arguments"] = ["sshd.service"]

    name = waiting(cluster, namespace, change=tamper)
    done = plugin(cluster, ALICE, "approve", name, "-n", namespace, stdin="yes\n")
    assert done.returncode == 1
    assert "do not trust ApprovalRequest" in done.stderr
    assert "Type yes" not in done.stdout
    assert reviews(cluster, namespace, name) == {}


def test_a_packet_whose_digest_fits_and_whose_order_is_for_another_unit_is_refused(
    cluster: Cluster, namespace: str
) -> None:
    def swap(spec: dict[str, Any]) -> None:
        spec["packet"]["bound"]["orders"][0]["arguments"][0] = "sshd.service"
        spec["packetDigest"] = sha256_digest(spec["packet"]["bound"])

    name = waiting(cluster, namespace, change=swap)
    done = plugin(cluster, ALICE, "approve", name, "-n", namespace, stdin="yes\n")
    assert done.returncode == 1
    assert "order 1 would run “restart-unit sshd.service" in done.stderr
    assert "Type yes" not in done.stdout
    assert reviews(cluster, namespace, name) == {}


def test_a_request_that_was_closed_is_refused_with_its_reason(cluster: Cluster, namespace: str) -> None:
    name = waiting(cluster, namespace)
    closed = {
        "type": "Closed",
        "status": "True",
        "reason": "Superseded",
        "message": "the host rebooted",
        "lastTransitionTime": "2026-03-14T03:08:00Z",
    }
    cluster.api_with(cluster.operator_token()).patch(
        f"{GROUP}/namespaces/{namespace}/approvalrequests/{name}/status", {"status": {"conditions": [closed]}}
    )
    done = plugin(cluster, ALICE, "approve", name, "-n", namespace, stdin="yes\n")
    assert done.returncode == 1
    assert "is closed (Superseded): the host rebooted" in done.stderr


def test_describe_begins_with_what_is_wrong_what_is_proposed_and_what_to_do(cluster: Cluster, namespace: str) -> None:
    name = waiting(cluster, namespace)
    done = plugin(cluster, ALICE, "incident", "describe", "high-cpu", "-n", namespace)
    assert done.returncode == 0, done.stderr
    first = " ".join(done.stdout.split("Where")[0].split())
    assert "Wrong CPU above 90 % for 5m on api-gateway-03" in first
    assert "Proposed restart api-gateway.service on api-gateway-03" in first
    assert f"kubectl approve {name} -n {namespace}" in first


@pytest.mark.parametrize("form", ["markdown", "json"])
def test_a_report_can_be_kept_in_either_form(cluster: Cluster, namespace: str, form: str) -> None:
    waiting(cluster, namespace)
    done = plugin(cluster, ALICE, "incident", "report", "high-cpu", "-n", namespace, "-o", form)
    assert done.returncode == 0, done.stderr
    if form == "json":
        report = json.loads(done.stdout)
        assert (report["incident_id"], report["service"]) == ("high-cpu", "api-gateway")
        assert report["decision_packet"]["proposed_action"]["type"] == "restart_service"
    else:
        assert done.stdout.startswith("# Incident high-cpu: AwaitingApproval\n")


@pytest.mark.parametrize("name", ["nope", "nope/status", "..", "", "%2e%2e", "a b"])
def test_an_incident_that_does_not_exist_is_told_in_one_line(cluster: Cluster, namespace: str, name: str) -> None:
    done = plugin(cluster, ALICE, "incident", "describe", name, "-n", namespace)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: there is no incident {name} in namespace {namespace}\n"
