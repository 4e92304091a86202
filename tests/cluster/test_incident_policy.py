"""What a responder who may patch incidents cannot do to their metadata, and what everybody still can."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from firstresponder.api.base import API_VERSION
from firstresponder.api.incident import KEEP
from firstresponder.kube.incident_policy import BINDING, POLICY
from tests.testbed.api import APPLY, JSON_PATCH, MERGE, ApiError
from tests.testbed.cluster import ADMIN, ALICE, Cluster
from tests.testbed.processes import wait_until

NAME = "incidents.firstresponder.dev"
BY_POLICY = f"ValidatingAdmissionPolicy '{NAME}' with binding '{NAME}' denied request: "
FROZEN = (
    "labels, annotations (but firstresponder.dev/keep), owner references and finalizers of an Incident do not change"
)
ORPHAN = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "5a1c0f5e-0000-4000-8000-000000000000"}
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def body(name: str, **metadata: Any) -> dict[str, Any]:
    spec = {"type": "HighCPU", "service": "api-gateway"}
    return {"apiVersion": API_VERSION, "kind": "Incident", "metadata": {"name": name, **metadata}, "spec": spec}


def incidents(namespace: str) -> str:
    return f"/apis/{API_VERSION}/namespaces/{namespace}/incidents"


def opened(cluster: Cluster, namespace: str, **metadata: Any) -> str:
    """The path of an incident that alice opened."""
    name = f"high-cpu-{secrets.token_hex(3)}"
    cluster.api(ALICE).create(incidents(namespace), body(name, **metadata))
    return f"{incidents(namespace)}/{name}"


ATTACKS: dict[str, tuple[str, Any]] = {
    "an owner that does not exist": (MERGE, {"metadata": {"ownerReferences": [ORPHAN]}}),
    "an owner, by a JSON patch": (
        JSON_PATCH,
        [{"op": "add", "path": "/metadata/ownerReferences", "value": [ORPHAN]}],
    ),
    "a finalizer": (MERGE, {"metadata": {"finalizers": ["example.com/never"]}}),
    "a label": (MERGE, {"metadata": {"labels": {"team": "x"}}}),
    "another value of a label": (MERGE, {"metadata": {"labels": {"team": "shop"}}}),
    "a label taken away": (MERGE, {"metadata": {"labels": None}}),
    "an annotation": (MERGE, {"metadata": {"annotations": {"firstresponder.dev/git-revision": "v1"}}}),
    "another value of an annotation": (MERGE, {"metadata": {"annotations": {"note": "x"}}}),
    "an annotation taken away": (MERGE, {"metadata": {"annotations": {"note": None}}}),
    "an owner beside an honest patch": (
        MERGE,
        {"metadata": {"ownerReferences": [ORPHAN]}, "spec": {"parameters": {"cpuThreshold": 90}}},
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("user", [ALICE, ADMIN])
def test_nobody_changes_the_metadata_of_an_incident(cluster: Cluster, namespace: str, user: str, attack: str) -> None:
    path = opened(cluster, namespace, labels={"team": "platform"}, annotations={"note": "from the pager"})
    before = cluster.api().get(path)
    kind, patch = ATTACKS[attack]
    with pytest.raises(ApiError) as refused:
        cluster.api(user).patch(path, patch, kind=kind)
    assert refused.value.message.endswith(BY_POLICY + FROZEN)
    assert cluster.api().get(path) == before


def test_no_owner_comes_by_server_side_apply(cluster: Cluster, namespace: str) -> None:
    path = opened(cluster, namespace)
    patch = body(path.rpartition("/")[2], ownerReferences=[ORPHAN])
    with pytest.raises(ApiError) as refused:
        cluster.api(ALICE).patch(path, patch, kind=APPLY, fieldManager="x", force="true")
    assert BY_POLICY + FROZEN in refused.value.message


@pytest.mark.parametrize("metadata", [{"ownerReferences": [ORPHAN]}, {"finalizers": ["example.com/never"]}])
def test_an_incident_is_not_born_with_an_owner_or_a_finalizer(
    cluster: Cluster, namespace: str, metadata: dict[str, Any]
) -> None:
    with pytest.raises(ApiError) as refused:
        cluster.api(ALICE).create(incidents(namespace), body("owned", **metadata))
    assert refused.value.message.endswith(BY_POLICY + "an Incident starts without owner references and finalizers")


def test_kubectl_apply_still_overrides_a_parameter_and_aborts(cluster: Cluster, namespace: str) -> None:
    name = f"high-cpu-{secrets.token_hex(3)}"
    for spec in ({}, {"parameters": {"cpuThreshold": 90}}, {"parameters": {"cpuThreshold": 90}, "abort": True}):
        manifest = body(name)
        manifest["spec"] |= spec
        text = json.dumps(manifest)
        cluster.kubectl("apply", "--filename=-", "--namespace", namespace, user=ALICE, stdin=text)
    live = cluster.api().get(f"{incidents(namespace)}/{name}")
    assert live["spec"]["abort"] is True
    assert APPLIED in live["metadata"]["annotations"]


def test_a_responder_keeps_an_incident_from_the_archive_and_takes_that_back(cluster: Cluster, namespace: str) -> None:
    path = opened(cluster, namespace, annotations={"note": "from the pager"})
    for value in ("alice looks at it", "false", None):
        cluster.api(ALICE).patch(path, {"metadata": {"annotations": {KEEP: value}}})
        assert cluster.api().get(path)["metadata"]["annotations"].get(KEEP) == value
    with pytest.raises(ApiError) as refused:
        cluster.api(ALICE).patch(path, {"metadata": {"annotations": {KEEP: "true", "note": "x"}}})
    assert BY_POLICY + FROZEN in refused.value.message


def test_the_operator_still_writes_the_status(cluster: Cluster, namespace: str) -> None:
    path = opened(cluster, namespace, labels={"team": "platform"})
    operator = cluster.api_with(cluster.operator_token())
    operator.patch(f"{path}/status", {"status": {"phase": "Pending"}})
    assert cluster.api().get(path)["status"]["phase"] == "Pending"


@pytest.mark.parametrize("policy", ["Foreground", "Background", "Orphan"])
def test_an_administrator_still_deletes_an_incident_in_every_way(cluster: Cluster, namespace: str, policy: str) -> None:
    path = opened(cluster, namespace)
    cluster.api().delete(path, propagationPolicy=policy)

    def gone() -> bool:
        return path.rpartition("/")[2] not in {
            each["metadata"]["name"] for each in cluster.api().get(incidents(namespace))["items"]
        }

    wait_until(gone, 60, "the garbage collector")


def test_the_server_finds_nothing_wrong_with_the_policy_and_stores_what_was_shipped(cluster: Cluster) -> None:
    admission = "/apis/admissionregistration.k8s.io/v1"
    path = f"{admission}/validatingadmissionpolicies/{NAME}"
    wait_until(lambda: "observedGeneration" in cluster.api().get(path).get("status", {}), 60, "the type check")
    live = cluster.api().get(path)
    assert live["status"].get("typeChecking", {}) == {}
    assert live["spec"] == POLICY["spec"]
    assert cluster.api().get(f"{admission}/validatingadmissionpolicybindings/{NAME}")["spec"] == BINDING["spec"]
