"""Two operators that share a Lease, against a real API server: one works, the other takes over, nobody works twice.

How long a change of leaders takes is printed and not asserted; tests/unit/kube/test_election.py asserts it on a clock
of its own.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from firstresponder.kube.permissions import LEASE
from tests.testbed.cluster import OPERATOR, Cluster
from tests.testbed.operator import Operator
from tests.testbed.processes import wait_until
from tests.testbed.proxy import Proxy
from tests.testbed.stage import Stage, shipped

LEASES = "/apis/coordination.k8s.io/v1/namespaces/first-responder/leases"
LEASE_LOST = 4


class Replicas:
    """The operators of one namespace that share the Lease of a real installation."""

    def __init__(self, stage: Stage, directory: Path, undo: ExitStack) -> None:
        self.stage = stage
        self._directory = directory
        self._undo = undo
        self._number = 0

    def start(self, *options: str, port: int | None = None) -> Operator:
        """Start one and wait until it watches."""
        self._number += 1
        directory = self._directory / f"operator-{self._number}"
        operator = Operator(
            self.stage.cluster,
            self.stage.namespace,
            directory,
            preloaded=True,
            lease=LEASE,
            port=port,
            options=options,
        )
        return self._undo.enter_context(operator)

    def pair(self) -> tuple[Operator, Operator]:
        """One that leads, and another that stands by."""
        first = self.start()
        self.wait_until_leading(first)
        second = self.start()
        self.stage.wait(lambda: "standing by" in second.log, "the second to stand by")
        return first, second

    def wait_until_leading(self, operator: Operator) -> None:
        self.stage.wait(lambda: operator.leads, "it to lead")

    def time_until_leading(self, operator: Operator, what: str) -> None:
        begin = time.monotonic()
        self.wait_until_leading(operator)
        print(f"{what}: another leads after {time.monotonic() - begin:.1f} s")

    def holder(self) -> str:
        """The process that leads, as the Lease names it."""
        spec: dict[str, Any] = self.stage.cluster.api().get(f"{LEASES}/{LEASE}")["spec"]
        return str(spec.get("holderIdentity", ""))

    def accepted_writes(self) -> list[tuple[str, str, str]]:
        """What the operators stored in the namespace so far."""
        return [
            (each.verb, each.target, each.name)
            for each in self.stage.cluster.writes(namespace=self.stage.namespace, user=OPERATOR)
            if each.ok and not each.dry_run
        ]


@pytest.fixture
def replicas(stage: Stage, tmp_path: Path) -> Iterator[Replicas]:
    delete_lease(stage.cluster)  # nobody renews the one of the test before
    with ExitStack() as undo:
        yield Replicas(stage, tmp_path, undo)


def delete_lease(cluster: Cluster) -> None:
    cluster.kubectl("delete", "lease", LEASE, "--namespace=first-responder", "--ignore-not-found")


def identity(operator: Operator) -> str:
    """Who it is in the Lease since it last began to lead."""
    names: list[str] = re.findall(r"leading as (\S+)", operator.log)
    return names[-1]


def requests(log: str) -> set[tuple[str, str]]:
    """What an operator that was started with --verbose got from the API server: the verb and the resource."""
    return set(re.findall(r"API server: (\w+) (\S+): 2\d\d in", log))


def test_a_standby_is_alive_and_ready_and_stores_nothing(replicas: Replicas) -> None:
    stage = replicas.stage
    first = replicas.start()
    stage.add_runbook(shipped())
    standby = replicas.start("--verbose")
    stage.wait(lambda: standby.health("/readyz")[0] == 200, "the standby to be ready")
    stage.apply({**shipped(), "metadata": {"name": "another"}})
    stage.wait_until_ended(stage.open_incident("unheard", type="Unheard"))
    stage.wait(lambda: stage.condition("runbooks", "another", "Ready") is not None, "the other runbook to be judged")
    assert standby.health("/healthz")[0] == 200
    stored = {each for each in requests(standby.log) if each[0] not in {"get", "list", "watch"}}
    assert stored == {("create", "selfsubjectreviews"), ("create", "selfsubjectaccessreviews")}
    assert replicas.holder() == identity(first)
    assert not standby.leads


def test_each_replica_counts_what_it_does_itself(replicas: Replicas) -> None:
    stage = replicas.stage
    leader, standby = replicas.pair()
    stage.wait_until_ended(stage.open_incident("unheard", type="Unheard"))

    def counted(replica: Operator, name: str, **labels: str) -> float:
        found = (
            sample.value
            for family in text_string_to_metric_families(replica.health("/metrics")[1])
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )
        return sum(found)

    assert [counted(each, "firstresponder_leader") for each in (leader, standby)] == [1.0, 0.0]
    holds = "firstresponder_approval_gate_holds"
    for each in (leader, standby):
        stage.wait(lambda: counted(each, holds, namespace=stage.namespace) == 1.0, "the gate to be tested")  # noqa: B023
    written = {"verb": "patch", "resource": "incidents/status", "code": "200"}
    assert counted(leader, "firstresponder_api_request_seconds_count", **written) >= 1
    assert counted(standby, "firstresponder_api_request_seconds_count", **written) == 0
    assert counted(leader, "firstresponder_reconcile_seconds_count", kind="Incident") >= 1
    assert counted(standby, "firstresponder_reconcile_seconds_count", kind="Incident") == 0
    stage.wait(lambda: counted(leader, "firstresponder_queue_depth") == 0, "the queue to be empty")


def test_a_standby_is_ready_in_a_namespace_that_no_leader_watches_yet(
    replicas: Replicas, cluster: Cluster, tmp_path: Path
) -> None:
    """As in an upgrade that adds a namespace: the new pod must get ready before the old one ends."""
    replicas.start()
    added = f"{replicas.stage.namespace}-added"
    cluster.api().create("/api/v1/namespaces", {"metadata": {"name": added}})
    try:
        cluster.watch(added)
        with Operator(cluster, added, tmp_path / "added", lease=LEASE, preloaded=True) as standby:
            replicas.stage.wait(lambda: standby.health("/readyz")[0] == 200, "it to be ready")
            assert not standby.leads
        stored = cluster.writes(namespace=added, user=OPERATOR)
        assert [each for each in stored if each.ok and not each.dry_run] == []
    finally:
        cluster.api().delete(f"/api/v1/namespaces/{added}")


def test_one_that_is_told_to_stop_gives_the_lease_back_and_the_other_goes_on(replicas: Replicas) -> None:
    first, second = replicas.pair()
    os.kill(first.pid, signal.SIGTERM)
    replicas.time_until_leading(second, "SIGTERM")
    assert first.wait() == 0
    assert f"Lease {LEASE} is released" in first.log
    assert replicas.holder() == identity(second)
    replicas.stage.wait_until_ended(replicas.stage.open_incident("after", type="Unheard"))


def test_a_standby_that_is_told_to_stop_changes_nothing(replicas: Replicas) -> None:
    first, second = replicas.pair()
    second.stop()
    assert second.wait() == 0
    assert replicas.holder() == identity(first)
    assert "released" not in second.log


def test_one_that_is_killed_is_followed_once_its_lease_has_expired(replicas: Replicas) -> None:
    first, second = replicas.pair()
    first.kill()
    incident = replicas.stage.open_incident("meanwhile", type="Unheard")
    replicas.time_until_leading(second, "SIGKILL")
    replicas.stage.wait_until_ended(incident)


def test_what_happened_while_nobody_led_is_looked_at(replicas: Replicas) -> None:
    stage = replicas.stage
    first, second = replicas.pair()
    first.kill()
    stage.apply(shipped())
    incident = stage.open_incident("meanwhile", type="Unheard")
    replicas.wait_until_leading(second)
    stage.wait_until_ended(incident)
    stage.wait(lambda: stage.condition("runbooks", "high-cpu", "Ready") == "True", "the runbook to be judged")
    listed = [each for each in stage.cluster.requests(user=OPERATOR) if each.verb == "list"]
    incidents = [each for each in listed if (each.resource, each.namespace) == ("incidents", stage.namespace)]
    assert len(incidents) == 2, "each replica lists them once, at its start"


def test_one_that_cannot_renew_its_lease_ends_and_comes_back_when_it_is_started_again(replicas: Replicas) -> None:
    stage = replicas.stage
    with Proxy(("127.0.0.1", stage.cluster.port)) as proxy:
        first = replicas.start(port=proxy.port)
        replicas.wait_until_leading(first)
        proxy.refuse()
        begin = time.monotonic()
        assert first.wait() == LEASE_LOST
        print(f"no API server: it ends after {time.monotonic() - begin:.1f} s")
        assert "it is safe to start again: the Lease was not renewed for 10 s" in first.log
        incident = stage.open_incident("meanwhile", type="Unheard")
        proxy.restore()
        first.start()
        stage.wait_until_ended(incident)


def test_an_api_server_that_restarts_costs_nobody_the_lease(replicas: Replicas) -> None:
    first, second = replicas.pair()
    holder = replicas.holder()
    replicas.stage.cluster.restart_api_server()
    replicas.stage.wait_until_ended(replicas.stage.open_incident("after", type="Unheard"))
    assert first.running
    assert second.running
    assert replicas.holder() == holder


@pytest.mark.parametrize("harm", ["deleted", "taken"])
def test_one_whose_lease_was_taken_away_ends_at_once(replicas: Replicas, harm: str) -> None:
    first = replicas.start()
    replicas.wait_until_leading(first)
    if harm == "deleted":
        delete_lease(replicas.stage.cluster)
    else:
        replicas.stage.cluster.api().patch(f"{LEASES}/{LEASE}", {"spec": {"holderIdentity": "somebody-else"}})
    assert first.wait() == LEASE_LOST


def test_a_leader_frozen_past_its_lease_that_goes_on_stores_nothing_more(replicas: Replicas) -> None:
    """It has heard of what happened meanwhile: that lies in its sockets when it goes on."""
    stage = replicas.stage
    first, second = replicas.pair()
    with first.frozen():
        incident = stage.open_incident("meanwhile", type="Unheard")
        stage.apply(shipped())
        replicas.time_until_leading(second, "SIGSTOP")
        status = stage.wait_until_ended(incident)
        stage.events(status["escalation"]["reason"])
        stage.wait(lambda: stage.condition("runbooks", "high-cpu", "Ready") == "True", "the runbook to be judged")
        before = replicas.accepted_writes()
    assert first.wait() == LEASE_LOST
    assert replicas.accepted_writes() == before
    assert stage.status(incident) == status
    assert replicas.holder() == identity(second)


def test_both_killed_at_once_go_on_when_they_are_started_again(replicas: Replicas) -> None:
    first, second = replicas.pair()
    for each in (first, second):
        os.kill(each.pid, signal.SIGKILL)
    incident = replicas.stage.open_incident("meanwhile", type="Unheard")
    for each in (first, second):
        each.kill()
        each.start()
    replicas.stage.wait_until_ended(incident)
    assert first.leads != second.leads


class TestWithoutTheRightsOfTests:
    """The testbed gives the operator every Lease of its namespace; a real installation has one."""

    @pytest.fixture(autouse=True)
    def _taken_away(self, cluster: Cluster) -> Iterator[None]:
        take_away(cluster, "rolebinding", "leases-of-tests")
        yield
        cluster.install()

    def test_the_role_as_shipped_is_enough_to_lead(self, replicas: Replicas) -> None:
        first = replicas.start()
        replicas.wait_until_leading(first)
        first.stop()
        assert f"Lease {LEASE} is released" in first.log

    def test_without_it_the_operator_says_what_is_missing_and_what_to_do(
        self, cluster: Cluster, namespace: str, tmp_path: Path
    ) -> None:
        path = "/apis/rbac.authorization.k8s.io/v1/namespaces/first-responder/roles/firstresponder-operator"
        role = cluster.api().get(path)
        without = [rule for rule in role["rules"] if rule["resources"] != ["leases"]]
        cluster.api().patch(path, {"rules": without})
        wait_until_denied(cluster, LEASE)
        operator = Operator(cluster, namespace, tmp_path, lease=LEASE)
        assert operator.launch().wait(60) == 3
        missing = "leases firstresponder-operator in namespace first-responder: kubectl apply --server-side --filename"
        for verb in ("get", "patch"):
            assert f"may not {verb} {missing} deploy/" in operator.log
        assert "may not create leases in namespace first-responder: " in operator.log


def take_away(cluster: Cluster, kind: str, name: str) -> None:
    cluster.kubectl("delete", kind, name, "--namespace=first-responder")
    wait_until_denied(cluster, "another")


def wait_until_denied(cluster: Cluster, lease: str) -> None:
    attributes = {
        "group": "coordination.k8s.io",
        "resource": "leases",
        "verb": "get",
        "namespace": "first-responder",
        "name": lease,
    }
    review = {"kind": "SubjectAccessReview", "spec": {"user": OPERATOR, "resourceAttributes": attributes}}
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    wait_until(lambda: not cluster.api().create(path, review)["status"]["allowed"], 60, "the right to be gone")
