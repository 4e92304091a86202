"""The operator as a process against a real API server: what it survives, and what it refuses to start without."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstresponder.kube.permissions import POLICY_NAME
from tests.testbed.cluster import Cluster
from tests.testbed.operator import Operator
from tests.testbed.processes import Child, wait_until
from tests.testbed.proxy import Proxy
from tests.testbed.stage import Stage, shipped


@pytest.fixture
def operator(stage: Stage, tmp_path: Path) -> Iterator[Operator]:
    """As a supervisor starts it."""
    with Operator(stage.cluster, stage.namespace, tmp_path) as running:
        yield running


class TestSurviving:
    def test_the_api_server_may_be_restarted(self, stage: Stage, operator: Operator) -> None:
        stage.wait_until_ended(stage.open_incident("before", type="Unheard"))
        stage.cluster.restart_api_server()
        stage.wait_until_ended(stage.open_incident("after", type="Unheard"))
        assert operator.running

    def test_a_watch_that_is_cut_in_the_middle_misses_nothing(self, stage: Stage, tmp_path: Path) -> None:
        with (
            Proxy(("127.0.0.1", stage.cluster.port)) as proxy,
            Operator(stage.cluster, stage.namespace, tmp_path, port=proxy.port) as operator,
        ):
            stage.wait_until_ended(stage.open_incident("before", type="Unheard"))
            proxy.refuse()
            incident = stage.open_incident("meanwhile", type="Unheard")
            proxy.restore()
            stage.wait_until_ended(incident)
            assert operator.running

    def test_credentials_that_stopped_working_are_read_again(self, stage: Stage, tmp_path: Path) -> None:
        cluster = stage.cluster
        with (
            Proxy(("127.0.0.1", cluster.port)) as proxy,
            Operator(cluster, stage.namespace, tmp_path, port=proxy.port) as operator,
        ):
            stage.wait_until_ended(stage.open_incident("before", type="Unheard"))
            proxy.refuse()
            # Another account of the same name: every token of the old one is worthless from now on.
            cluster.api().delete("/api/v1/namespaces/first-responder/serviceaccounts/operator")
            cluster.install()
            cluster.operator_kubeconfig(port=proxy.port)
            cluster.restart_api_server()  # it remembers for some seconds which tokens were good
            proxy.restore()
            stage.wait_until_ended(stage.open_incident("after", type="Unheard"))
            assert operator.running

    @pytest.mark.parametrize("watched", [True, False], ids=["while it is watched", "before kopf has looked for it"])
    def test_a_kind_that_is_taken_away_ends_it_so_that_it_is_started_again(
        self, stage: Stage, tmp_path: Path, *, watched: bool
    ) -> None:
        definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/escalationpolicies.firstresponder.dev"
        program = "firstresponder.main" if watched else "tests.testbed.deaf"
        with Operator(stage.cluster, stage.namespace, tmp_path, program=(program,)) as operator:
            stage.add_runbook(shipped())
            try:
                stage.cluster.api().delete(definition)
                assert operator.wait() == 1
            finally:
                stage.cluster.install()
        assert operator.log.count("it is safe to start again") == 1

    def test_sigterm_stops_it_in_good_order(self, operator: Operator) -> None:
        operator.stop()
        assert operator.wait() == 0
        assert operator.log.splitlines()[-1].endswith("stopped")

    def test_it_is_alive_and_ready(self, stage: Stage, operator: Operator) -> None:
        for told in ("the approval gate holds", "health is served"):
            stage.wait(lambda: told in operator.log, told)  # noqa: B023
        assert operator.health("/healthz")[0] == 200
        assert operator.health("/readyz") == (200, "ready\n")

    def test_each_line_about_an_incident_says_which_and_its_phase(self, stage: Stage, operator: Operator) -> None:
        incident = stage.open_incident("unheard", type="Unheard")
        stage.wait_until_ended(incident)
        fields = f"[namespace={stage.namespace} incident={incident} phase=Pending]"
        assert any(line.endswith(f"Pending → Escalated {fields}") for line in operator.log.splitlines())

    def test_no_secret_is_ever_logged(self, stage: Stage, operator: Operator) -> None:
        token = stage.cluster.operator_token().split(".")[0]
        stage.wait_until_ended(stage.open_incident(type="Unheard"))
        assert token not in operator.log


class TestRefusingToStart:
    def ended(self, operator: Operator) -> tuple[int, str]:
        child: Child = operator.launch()
        wait_until(lambda: not child.running, 60, "the operator to end")
        return child.wait(), operator.log

    def test_without_its_role_in_a_namespace_it_says_what_is_missing_and_what_to_do(
        self, cluster: Cluster, tmp_path: Path
    ) -> None:
        status, log = self.ended(Operator(cluster, "kube-public", tmp_path))
        assert status == 3
        (line,) = [each for each in log.splitlines() if "kube-public" in each]
        assert line.startswith("it has no rights in namespace kube-public: kubectl create namespace kube-public")
        assert line.endswith("kubectl apply --server-side --namespace kube-public --filename deploy/watched-namespace/")
        assert "Traceback" not in log

    def test_without_one_of_its_rights_it_says_which_and_what_to_do(
        self, cluster: Cluster, namespace: str, tmp_path: Path
    ) -> None:
        role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/firstresponder-operator"
        rules = cluster.api().get(role)["rules"]
        fewer = [rule for rule in rules if "incidents" not in rule["resources"] or "list" not in rule["verbs"]]
        assert len(fewer) == len(rules) - 1
        try:
            cluster.api().patch(role, {"rules": fewer})
            status, log = self.ended(Operator(cluster, namespace, tmp_path))
        finally:
            cluster.install()
        assert status == 3
        fix = f"kubectl apply --server-side --namespace {namespace} --filename deploy/watched-namespace/"
        assert f"may not list incidents in namespace {namespace}: {fix}" in log

    def test_without_a_kind_it_says_which_and_what_to_do(
        self, cluster: Cluster, namespace: str, tmp_path: Path
    ) -> None:
        definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/escalationpolicies.firstresponder.dev"
        try:
            cluster.api().delete(definition)
            served = "/apis/firstresponder.dev/v1alpha1"
            wait_until(
                lambda: "escalationpolicies" not in str(cluster.api().get(served)["resources"]), 60, "the kind to go"
            )
            status, log = self.ended(Operator(cluster, namespace, tmp_path))
        finally:
            cluster.install()
        assert status == 3
        assert (
            "the kind EscalationPolicy is not served: kubectl apply --server-side --force-conflicts --filename crds/"
            in log
        )

    def test_without_an_api_server_it_ends_at_once_so_that_it_is_started_again(
        self, cluster: Cluster, namespace: str, tmp_path: Path
    ) -> None:
        status, log = self.ended(Operator(cluster, namespace, tmp_path, port=1))
        assert status == 1
        assert "The API server is lost" in log
        assert "Traceback" not in log


class TestCheck:
    def checked(self, cluster: Cluster, namespace: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "firstresponder.main", "check", f"--namespace={namespace}"]
        config = f"--kubeconfig={cluster.operator_kubeconfig()}"
        return subprocess.run([*command, config], capture_output=True, text=True, check=False)

    def test_a_prepared_namespace_is_said_to_be(self, cluster: Cluster, namespace: str) -> None:
        done = self.checked(cluster, namespace)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"{namespace}: the operator has its rights")

    def test_a_namespace_without_rights_is_named_with_what_to_do(self, cluster: Cluster) -> None:
        done = self.checked(cluster, "kube-public")
        assert (done.returncode, done.stdout) == (3, "")
        assert "it has no rights in namespace kube-public: kubectl create namespace" in done.stderr

    def test_a_gate_that_does_not_refuse_is_found_by_trying(self, cluster: Cluster, namespace: str) -> None:
        path = f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/{POLICY_NAME}"
        try:
            cluster.api().delete(path)
            wait_until(lambda: self.checked(cluster, namespace).returncode == 3, 60, "the gate to be gone")
            done = self.checked(cluster, namespace)
        finally:
            cluster.install()
        assert f"approval gate in {namespace}: a request that is born approved was not refused" in done.stderr
