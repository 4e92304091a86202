"""The operator against a real API server, without hosts: what it tells."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from firstresponder.kube.permissions import OPERATOR_USER
from tests.testbed.operator import Operator
from tests.testbed.stage import Stage, shipped

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBUjeRzMUvm6RKChQcDfEFa+hl5s0laEZtuMFLYRSHHt"


def with_spec(**changes: Any) -> dict[str, Any]:
    document = copy.deepcopy(shipped())
    document["spec"] |= changes
    return document


def message(stage: Stage, name: str, kind: str) -> str:
    conditions = stage.get("runbooks", name).get("status", {}).get("conditions", [])
    return next((f"{each['reason']}: {each['message']}" for each in conditions if each["type"] == kind), "")


def restart_and_settle(stage: Stage, operator: Operator) -> None:
    """Until the operator that was started again has been through all that it does at its start."""
    operator.stop()
    before = len(operator.log)
    operator.start()
    settled = lambda: operator.leads and "the approval gate holds" in operator.log[before:]  # noqa: E731
    stage.wait(settled, "the second start to settle")


def revision_names(stage: Stage) -> set[str]:
    path = f"/apis/apps/v1/namespaces/{stage.namespace}/controllerrevisions"
    return {each["metadata"]["name"] for each in stage.cluster.api().get(path)["items"]}


class TestRunbooks:
    def test_a_valid_runbook_is_ready_and_its_revision_is_kept(self, stage: Stage, operator: Operator) -> None:
        stage.add_runbook(shipped())
        status = stage.get("runbooks", "high-cpu")["status"]
        assert status["observedGeneration"] == 1
        assert revision_names(stage) == {status["revision"]}
        assert stage.condition("runbooks", "high-cpu", "Stalled") == "False"
        assert operator.running

    def test_an_invalid_runbook_is_stalled_with_the_field_that_is_wrong_until_it_is_corrected(
        self, stage: Stage, operator: Operator
    ) -> None:
        stage.apply(with_spec(symptom="noSuchVariable"))
        stage.wait(lambda: stage.condition("runbooks", "high-cpu", "Stalled") == "True", "the runbook to be refused")
        assert stage.condition("runbooks", "high-cpu", "Ready") == "False"
        assert message(stage, "high-cpu", "Ready").startswith("InvalidRunbook: spec.symptom: ")
        assert "revision" not in stage.get("runbooks", "high-cpu")["status"]
        stage.add_runbook(shipped())
        assert stage.condition("runbooks", "high-cpu", "Stalled") == "False"
        assert stage.get("runbooks", "high-cpu")["status"]["observedGeneration"] == 2
        assert operator.running

    def test_each_edited_content_has_a_revision_of_its_own(self, stage: Stage, operator: Operator) -> None:
        stage.add_runbook(shipped())
        first = stage.get("runbooks", "high-cpu")["status"]["revision"]
        stage.apply(with_spec(escalateTo=["on-call", "dba"]))
        stage.wait(lambda: len(revision_names(stage)) == 2, "the second revision")
        stage.wait(lambda: stage.get("runbooks", "high-cpu")["status"]["revision"] != first, "the new revision's name")
        assert operator.running

    def test_a_revision_that_holds_something_else_is_not_used(
        self, stage: Stage, operator: Operator, tmp_path: Path
    ) -> None:
        stage.add_runbook(shipped())
        name = stage.get("runbooks", "high-cpu")["status"]["revision"]
        operator.stop()
        path = f"/apis/apps/v1/namespaces/{stage.namespace}/controllerrevisions"
        stage.cluster.api().delete(f"{path}/{name}")
        stage.cluster.api().create(
            path,
            {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": name}, "revision": 1,
             "data": {"spec": {"forged": True}}},
        )  # fmt: skip
        with Operator(stage.cluster, stage.namespace, tmp_path / "again", preloaded=True):
            stage.wait(lambda: stage.condition("runbooks", "high-cpu", "Ready") == "False", "the forgery to be noticed")
            status = stage.wait_until_ended(stage.open_incident())
        assert message(stage, "high-cpu", "Ready").startswith(f"RevisionMismatch: ControllerRevision {name} ")
        assert status["escalation"]["reason"] == "InvalidRunbook"
        assert name in status["escalation"]["message"]

    def test_a_runbook_that_is_deleted_and_applied_again_owns_its_revision_again(
        self, stage: Stage, operator: Operator
    ) -> None:
        stage.add_runbook(shipped())
        api = stage.cluster.api()
        name = stage.get("runbooks", "high-cpu")["status"]["revision"]
        revision = f"/apis/apps/v1/namespaces/{stage.namespace}/controllerrevisions/{name}"
        # Something else keeps it, as an incident would; otherwise the collector may be quicker than the author.
        keeper = api.create(f"/api/v1/namespaces/{stage.namespace}/configmaps", {"metadata": {"name": "keeper"}})
        owners = api.get(revision)["metadata"]["ownerReferences"]
        other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "keeper", "uid": keeper["metadata"]["uid"]}
        api.patch(revision, {"metadata": {"ownerReferences": [*owners, other]}})
        api.delete(stage.path("runbooks", "high-cpu"))
        stage.add_runbook(shipped())
        uid = stage.get("runbooks", "high-cpu")["metadata"]["uid"]
        assert uid in {owner["uid"] for owner in api.get(revision)["metadata"]["ownerReferences"]}
        assert operator.running

    def test_a_runbook_that_waits_costs_no_writes(self, stage: Stage, operator: Operator) -> None:
        stage.add_runbook(shipped())
        restart_and_settle(stage, operator)
        writes = [
            write
            for write in stage.cluster.writes(namespace=stage.namespace, user=OPERATOR_USER)
            if not write.dry_run and write.resource in {"runbooks", "controllerrevisions"}
        ]
        assert [(write.resource, write.verb) for write in writes] == [
            ("controllerrevisions", "create"),
            ("runbooks", "patch"),
        ]


class TestIncidents:
    def test_an_incident_that_no_runbook_is_for_goes_to_a_human(self, stage: Stage, operator: Operator) -> None:
        incident = stage.open_incident(type="Unheard")
        status = stage.wait_until_ended(incident)
        assert status["escalation"]["reason"] == "UnknownIncidentType"
        stage.cluster.kubectl(
            "wait", "--for=condition=Closed", f"incident/{incident}", "-n", stage.namespace, "--timeout=60s"
        )
        assert len(stage.events("UnknownIncidentType")) == 1
        assert operator.running

    def test_an_incident_applied_together_with_its_runbook_finds_it(self, stage: Stage, operator: Operator) -> None:
        stage.apply(shipped())
        incident = stage.open_incident()
        status = stage.wait_until_ended(incident)
        assert status["escalation"]["reason"] == "HostUnreachable"
        assert status["runbookRevisionRef"]["name"] in revision_names(stage)
        assert "no Host named api-gateway-03" in status["escalation"]["message"]
        assert operator.running

    def test_an_incident_of_an_invalid_runbook_says_so(self, stage: Stage, operator: Operator) -> None:
        stage.apply(with_spec(symptom="noSuchVariable"))
        status = stage.wait_until_ended(stage.open_incident())
        assert status["escalation"]["reason"] == "InvalidRunbook"
        assert "spec.symptom" in status["escalation"]["message"]
        assert operator.running

    def test_an_incident_opened_while_the_operator_was_away_is_found(self, stage: Stage, operator: Operator) -> None:
        operator.kill()
        incident = stage.open_incident(type="Unheard")
        operator.start()
        stage.wait_until_ended(incident)

    def test_a_settled_incident_costs_no_writes(self, stage: Stage, operator: Operator) -> None:
        stage.wait_until_ended(stage.open_incident(type="Unheard"))
        before = len(self.writes(stage))
        restart_and_settle(stage, operator)
        stage.wait_until_ended(stage.open_incident("another", type="Unheard"))
        mine = [write for write in self.writes(stage) if write.name == "high-cpu-1"]
        assert len(mine) == before

    def writes(self, stage: Stage) -> list[Any]:
        writes = stage.cluster.writes(namespace=stage.namespace, user=OPERATOR_USER)
        return [write for write in writes if write.resource == "incidents"]


class TestHosts:
    def host(self, **spec: Any) -> dict[str, Any]:
        return {
            "kind": "Host",
            "metadata": {"name": "db-01"},
            "spec": {
                "address": "127.0.0.1",
                "port": 1,
                "hostKeys": [HOST_KEY],
                "accounts": {"observe": {"user": "fr-observe", "credentialsRef": {"name": "nothing"}}},
                **spec,
            },
        }

    def test_a_host_that_cannot_be_asked_says_why(self, stage: Stage, operator: Operator) -> None:
        stage.apply(self.host())
        stage.wait(lambda: stage.condition("hosts", "db-01", "Reachable") == "False", "the host's condition")
        (reachable,) = (c for c in stage.get("hosts", "db-01")["status"]["conditions"] if c["type"] == "Reachable")
        assert reachable["reason"] == "CredentialsMissing"
        assert "create it" in reachable["message"]
        assert stage.condition("hosts", "db-01", "Prepared") == "Unknown"
        assert operator.running
