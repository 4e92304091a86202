"""Two operators in their pods, and what happens to them while an approved action is under way: it runs once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.e2e.scenes import RUNBOOK
from tests.e2e.truth import actions, starts
from tests.kind.conftest import WATCHED
from tests.kind.test_installed import leader, pods, report
from tests.testbed.api import ApiError
from tests.testbed.cluster import ALICE
from tests.testbed.hosts import Host
from tests.testbed.kind import release
from tests.testbed.kind.cluster import KindCluster
from tests.testbed.processes import wait_until
from tests.testbed.stage import Stage

pytestmark = pytest.mark.timeout(1200)

NAMESPACE = f"--namespace={release.NAMESPACE}"


def upgraded(kind: KindCluster) -> None:
    """Other resources, so that both pods are replaced."""
    release.upgrade(kind, [WATCHED], "--set=resources.limits.memory=900Mi")


def leader_killed(kind: KindCluster) -> None:
    kind.kubectl("delete", "pod", NAMESPACE, leader(kind), "--grace-period=0", "--force")


def both_deleted(kind: KindCluster) -> None:
    kind.kubectl("delete", "pod", NAMESPACE, "--selector=app.kubernetes.io/component=operator", "--wait=false")


def drained(kind: KindCluster) -> None:
    """As long as no other node takes a pod, the budget keeps one where it is."""
    node = pods(kind)[0]["spec"]["nodeName"]
    kind.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=20s", check=False)
    ready = [pod for pod in pods(kind) if pod["status"]["phase"] == "Running"]
    kind.kubectl("uncordon", node)
    assert ready != []


def api_server_restarted(kind: KindCluster) -> None:
    """Killed; the kubelet of its node starts it again."""
    kind.on_control_plane("pkill", "--signal=KILL", "--exact", "kube-apiserver")

    def answers() -> bool:
        with suppress(OSError, ApiError):
            return str(kind.api().get("/readyz")) == "ok"
        return False

    wait_until(answers, 120, "the API server to answer again")


@pytest.mark.parametrize("disturbed", [upgraded, leader_killed, both_deleted, drained, api_server_restarted])
def test_an_approved_action_runs_once_whatever_happens_to_the_operators(
    kind: KindCluster, stage: Stage, host: Host, disturbed: Callable[[KindCluster], None]
) -> None:
    stage.add_runbook(RUNBOOK)
    before = starts(host)
    host.degrade()
    incident = report(stage, f"leak-{host.name}", host)
    stage.wait_for_phase(incident, "AwaitingApproval")
    host.hold_starts()
    kind.kubectl("approve", incident, "--yes", "--namespace", WATCHED, user=ALICE)
    host.wait_until_held()
    disturbed(kind)
    host.let_start_go_on()
    stage.wait_for_phase(incident, "Resolved", 300)
    assert (starts(host), actions(host), host.health()) == (before + 1, ["restart-unit"], 200)
    kind.kubectl("rollout", "status", "deployment/firstresponder-operator", NAMESPACE, "--timeout=180s")
