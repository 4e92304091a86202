"""The chart in a real cluster: the operator in its pod, what it may do there, and what outlives it."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any

import pytest
from image import build

from tests.e2e.scenes import RUNBOOK
from tests.e2e.truth import actions, starts
from tests.kind.conftest import WATCHED
from tests.testbed.api import ApiError
from tests.testbed.cluster import ALICE, MALLORY
from tests.testbed.hosts import Host
from tests.testbed.kind import release
from tests.testbed.kind.cluster import KindCluster
from tests.testbed.stage import Stage

pytestmark = pytest.mark.timeout(1200)  # the first test waits for the cluster, and may have to make its node's image

IN_THE_POD = ["--namespace", release.NAMESPACE, "exec", "deployment/firstresponder-operator", "--"]


def pods(kind: KindCluster) -> list[dict[str, Any]]:
    """The operators'."""
    operators = ["--selector=app.kubernetes.io/component=operator", "--output=json"]
    listed = kind.kubectl("get", "pods", "--namespace", release.NAMESPACE, *operators).stdout
    found: list[dict[str, Any]] = json.loads(listed)["items"]
    return found


def leader(kind: KindCluster) -> str:
    """The pod that leads, as `kubectl get lease` shows it; empty where nobody does."""
    holder = ["get", "lease", "firstresponder-operator", "--output=jsonpath={.spec.holderIdentity}"]
    return kind.kubectl("--namespace", release.NAMESPACE, *holder).stdout.partition("_")[0]


def python(kind: KindCluster, program: str) -> subprocess.CompletedProcess[str]:
    """A program run in the operator's container, as whoever broke into it would."""
    return kind.kubectl(*IN_THE_POD, f"/usr/bin/{build.PYTHON}", "-c", program, check=False)


def report(stage: Stage, name: str, host: Host) -> str:
    """Open an incident of a host that is unhealthy."""
    return stage.open_incident(name, type="Unhealthy", hosts=[{"role": "target", "name": host.name}])


def test_both_operators_are_ready_in_their_pods(kind: KindCluster) -> None:
    running = pods(kind)
    assert len(running) == 2
    for pod in running:
        ready = {each["type"]: each["status"] for each in pod["status"]["conditions"]}["Ready"]
        [container] = pod["status"]["containerStatuses"]
        assert (ready, container["restartCount"]) == ("True", 0)
        log = kind.kubectl("--namespace", release.NAMESPACE, "logs", pod["metadata"]["name"]).stdout
        assert f"watching {WATCHED} as system:serviceaccount:first-responder:operator" in log
        assert {"time", "level", "logger", "message"} <= json.loads(log.splitlines()[0]).keys()


def test_the_lease_names_the_pod_that_leads_and_another_one_follows_it(kind: KindCluster, stage: Stage) -> None:
    names = {pod["metadata"]["name"] for pod in pods(kind)}
    first = leader(kind)
    assert first in names
    kind.kubectl("--namespace", release.NAMESPACE, "delete", "pod", first, "--wait=false")
    stage.wait(lambda: leader(kind) not in {"", first}, "another leader")
    incident = stage.open_incident("strange-2", type="StrangeNoises")
    stage.wait_until_ended(incident)
    ready = ["rollout", "status", "deployment/firstresponder-operator", "--timeout=120s"]
    kind.kubectl("--namespace", release.NAMESPACE, *ready)


def test_helm_test_finds_the_rights_and_the_gate(kind: KindCluster) -> None:
    said = kind.helm("test", release.NAME, f"--namespace={release.NAMESPACE}", "--logs", "--timeout=120s")
    assert f"{WATCHED}: the operator has its rights, and what would approve by itself is refused" in said.stdout


def test_its_container_has_no_shell_no_rights_and_nothing_to_write_to(kind: KindCluster) -> None:
    assert "no such file" in kind.kubectl(*IN_THE_POD, "/bin/sh", "-c", "true", check=False).stderr
    assert python(kind, "import os; print(os.getuid(), os.getgid())").stdout.split() == ["65532", "65532"]
    assert "Read-only file system" in python(kind, "open('/usr/x', 'w')").stderr
    status = python(kind, "print(open('/proc/self/status').read())").stdout
    assert {"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"} <= set(status.splitlines())


def test_it_holds_no_token_but_one_that_is_good_as_long_as_its_pod(kind: KindCluster) -> None:
    program = (
        "import os\n"
        "for folder, below, files in os.walk('/'):\n"
        "    below[:] = [each for each in below if folder != '/' or each not in ('proc', 'sys')]\n"
        "    if 'token' in files:\n"
        "        print(open(os.path.join(folder, 'token')).read())\n"
    )
    [token] = set(python(kind, program).stdout.split())
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["sub"] == "system:serviceaccount:first-responder:operator"
    bound = claims["kubernetes.io"]["pod"]["name"]
    assert bound in {pod["metadata"]["name"] for pod in pods(kind)}


def test_an_incident_that_no_runbook_is_for_is_escalated(stage: Stage) -> None:
    incident = stage.open_incident("strange-1", type="StrangeNoises")
    stage.wait_until_ended(incident)
    assert (stage.phase(incident), stage.reason(incident)) == ("Escalated", "UnknownIncidentType")


def test_a_leak_is_restarted_once_after_approval_and_resolved(kind: KindCluster, stage: Stage, host: Host) -> None:
    stage.add_runbook(RUNBOOK)
    before = starts(host)
    host.degrade()
    incident = report(stage, "leak-1", host)
    stage.wait_for_phase(incident, "AwaitingApproval")
    assert (starts(host), actions(host)) == (before, [])

    kind.kubectl("approve", incident, "--yes", "--namespace", WATCHED, user=ALICE)
    stage.wait_for_phase(incident, "Resolved")
    assert (starts(host), actions(host), host.health()) == (before + 1, ["restart-unit"], 200)


def test_an_incident_outlives_the_release_and_stays_protected(kind: KindCluster, stage: Stage, host: Host) -> None:
    """Uninstalled while an incident waits for its approval, and installed again: it goes on where it was."""
    before = actions(host)
    host.degrade()
    incident = report(stage, "leak-2", host)
    request = stage.request_of(incident)
    release.uninstall(kind)
    assert pods(kind) == []

    assert stage.phase("leak-1") == "Resolved"
    review = {"verdict": "Approved", "packetDigest": stage.get("approvalrequests", request)["spec"]["packetDigest"]}
    with pytest.raises(ApiError, match="only under your own name"):
        kind.api().patch(stage.path("approvalrequests", request), {"spec": {"reviews": {MALLORY: review}}})

    release.install(kind, [WATCHED])
    assert actions(host) == before
    kind.kubectl("approve", incident, "--yes", "--namespace", WATCHED, user=ALICE)
    stage.wait_for_phase(incident, "Resolved")
    assert actions(host) == [*before, "restart-unit"]
