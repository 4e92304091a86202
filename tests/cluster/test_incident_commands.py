"""``kubectl incident open``, ``watch`` and ``stats`` and the completion of all plugins, against a real API server."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from firstresponder.api.incident import Incident, IncidentStatus, Phase
from firstresponder.cli import kubectl as cli_cluster
from firstresponder.cli.follow import states
from firstresponder.cli.kubectl import Cluster as Caller
from firstresponder.incident.plan import Again, Perform
from tests.cluster.test_cli import GROUP, plugin, waiting
from tests.testbed.api import ApiError
from tests.testbed.cluster import ALICE, MALLORY, Cluster
from tests.testbed.following import following
from tests.testbed.processes import wait_until
from tests.testbed.proxy import Proxy
from tests.unit.incident.world import World, awaiting_approval, high_cpu, recovered

ABOUT = ["--type", "HighCPU", "--service", "api-gateway", "--host", "api-gateway-03"]
PATIENCE = 30.0
"""Seconds for what takes a moment."""


class Played:
    """An incident whose statuses are written as the operator would write them."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self._api, self._path = cluster.api(), f"{GROUP}/namespaces/{namespace}/incidents/{name}"
        self.world = World(incident=Incident.model_validate(self._api.get(self._path)), now=now())

    def until(self, phase: Phase) -> None:
        """Lead it to this phase, writing each status on the way."""
        while self.world.phase() != phase:
            plan = self.world.step()
            self.write(self.world.incident.status)
            assert isinstance(plan.next, Perform | Again) or self.world.phase() == phase, self.world.phase()

    def approve(self) -> None:
        self.world.settle()
        self.world.review(ALICE, comment="go")

    def recover(self) -> None:
        self.world.values = recovered()
        self.world.pass_time(minutes=6)
        self.write(self.world.incident.status)

    def write(self, status: IncidentStatus) -> None:
        self._api.patch(f"{self._path}/status", {"status": status.wire()})


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def names(cluster: Cluster, namespace: str) -> list[str]:
    items = cluster.api().get(f"{GROUP}/namespaces/{namespace}/incidents")["items"]
    return [each["metadata"]["name"] for each in items]


def test_an_opened_incident_is_followed_to_its_resolution(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    with following(cluster, tmp_path, "incident", "open", *ABOUT, "-n", namespace, "--summary", "too hot") as told:
        told.wait_for("→ Pending")
        (name,) = names(cluster, namespace)
        assert re.fullmatch("high-cpu-[a-z0-9]{5}", name)
        played = Played(cluster, namespace, name)
        assert played.world.incident.spec.summary == "too hot"
        played.until(Phase.AWAITING_APPROVAL)
        told.wait_for(f"kubectl approve {name}-1 -n {namespace}\n")
        played.approve()
        played.until(Phase.VERIFYING)
        told.wait_for("→ Verifying")
        played.recover()
        assert told.end() == 0
        assert told.out.splitlines()[-2].rstrip() == (
            "Happened   restart api-gateway.service on api-gateway-03: done, verified."
        )
        events = re.findall(r"(?m)^\d\d:\d\d:\d\dZ  (\w+)", told.out)
        assert events == [entry.event for entry in played.world.incident.status.timeline]


def test_a_watch_goes_on_where_it_was_cut_and_where_the_api_server_was_away(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    cluster.kubectl("incident", "open", *ABOUT, "-n", namespace, "--name", "one", "--no-watch", user=ALICE)
    played = Played(cluster, namespace, "one")
    watch = ["incident", "watch", "one", "-n", namespace]
    with Proxy(("127.0.0.1", cluster.port)) as proxy, following(cluster, tmp_path, *watch, port=proxy.port) as told:
        told.wait_for("→ Pending")
        proxy.refuse()
        wait_until(lambda: "trying again" in told.err, PATIENCE, "the cut to be told")
        played.until(Phase.AWAITING_APPROVAL)
        proxy.restore()
        told.wait_for("→ AwaitingApproval")
        played.approve()
        cluster.restart_api_server()
        played.until(Phase.VERIFYING)
        told.wait_for("→ Verifying")
        proxy.cut()
        played.recover()
        assert told.end() == 0
        events = re.findall(r"(?m)^\d\d:\d\d:\d\dZ  (\w+)", told.out)
        assert events == [entry.event for entry in played.world.incident.status.timeline]
        assert told.err.count("trying again") == told.err.count("The API server answers again.") <= 2


def test_history_that_the_api_server_has_forgotten_is_read_again(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("incident", "open", *ABOUT, "-n", namespace, "--name", "one", "--no-watch", user=ALICE)
    caller = Caller.connect(str(cluster.kubeconfig(ALICE)), None, namespace)
    here = caller.the_incident("one")
    of_old = here.model_copy(update={"metadata": here.metadata.model_copy(update={"resource_version": "1"})})
    assert list(caller.changes(of_old, within=5)) == []  # 410 Gone

    class Forgetful(Caller):
        def the_incident(self, name: str) -> Incident:
            assert name == "one"
            return of_old

    seen = states(Forgetful(caller._connection, namespace), "one", 60.0)
    assert next(seen).metadata.resource_version == "1"
    assert next(seen).metadata.resource_version == here.metadata.resource_version


def test_ctrl_c_ends_the_watch_and_nothing_else(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    cluster.kubectl("incident", "open", *ABOUT, "-n", namespace, "--name", "one", "--no-watch", user=ALICE)
    before = cluster.api().get(f"{GROUP}/namespaces/{namespace}/incidents/one")
    with following(cluster, tmp_path, "incident", "watch", "one", "-n", namespace) as told:
        told.wait_for("→ Pending")
        told.process.send_signal(signal.SIGINT)
        assert told.end() == 130
        assert told.err.strip() == (
            f"No longer followed; the incident goes on. Again: kubectl incident watch one -n {namespace}"
        )
    assert cluster.api().get(f"{GROUP}/namespaces/{namespace}/incidents/one") == before


def test_an_incident_that_is_over_is_told_at_once_and_one_that_is_deleted_is_told_as_such(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    waiting(cluster, namespace, "one")
    cluster.kubectl("incident", "open", *ABOUT, "-n", namespace, "--name", "two", "--no-watch", user=ALICE)
    ended = Played(cluster, namespace, "two")
    ended.world.unreachable = {"api-gateway-03": "connection refused"}
    ended.until(Phase.ESCALATED)
    over = plugin(cluster, ALICE, "incident", "watch", "two", "-n", namespace)
    assert (over.returncode, over.stderr) == (1, "")
    assert "Happened   HostUnreachable" in over.stdout
    with following(cluster, tmp_path, "incident", "watch", "one", "-n", namespace) as told:
        told.wait_for("→ AwaitingApproval")
        cluster.kubectl("delete", "incident", "one", "-n", namespace)
        assert told.end() == 1
        assert told.err == f"Error: incident one in namespace {namespace} was deleted\n"


def test_after_its_timeout_a_watch_ends_without_a_verdict(cluster: Cluster, namespace: str) -> None:
    waiting(cluster, namespace, "one")
    done = plugin(cluster, ALICE, "incident", "watch", "one", "-n", namespace, "--timeout", "1s")
    assert (done.returncode, done.stderr) == (2, "Error: incident one is still AwaitingApproval; it goes on\n")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--type", "High-CPU", "--service", "shop"], 'spec.type: Invalid value: "High-CPU"'),
        (["--type", "HighCPU", "--service", "-x"], 'spec.service: Invalid value: "-x"'),
        ([*ABOUT, "--host", "Bad=a"], 'spec.hosts[1].role: Invalid value: "Bad"'),
        ([*ABOUT, "--name", "Not_A_Name"], 'metadata.name: Invalid value: "Not_A_Name"'),
    ],
)
def test_what_is_malformed_is_refused_in_the_api_server_s_words_and_nothing_is_created(
    cluster: Cluster, namespace: str, words: list[str], complaint: str
) -> None:
    done = plugin(cluster, ALICE, "incident", "open", *words, "-n", namespace)
    assert (done.returncode, done.stdout) == (1, "")
    assert complaint in done.stderr
    assert names(cluster, namespace) == []


def test_who_may_not_open_incidents_and_a_name_that_is_taken_are_refused(cluster: Cluster, namespace: str) -> None:
    stranger = plugin(cluster, MALLORY, "incident", "open", *ABOUT, "-n", namespace)
    assert stranger.returncode == 1
    assert 'User "mallory@example.com" cannot create resource "incidents"' in stranger.stderr
    here = ["incident", "open", *ABOUT, "-n", namespace, "--name", "one", "--no-watch"]
    assert plugin(cluster, ALICE, *here).stdout == "one\n"
    again = plugin(cluster, ALICE, *here)
    assert again.returncode == 1
    assert 'incidents.firstresponder.dev "one" already exists' in again.stderr


def test_a_dry_run_shows_what_would_be_created_and_creates_nothing(cluster: Cluster, namespace: str) -> None:
    more = ["--parameter", "cpuThreshold=90", "--parameter", "window=10m", "--detection-time", "2026-03-14T03:07:12Z"]
    money = ["--customers", "1200", "--revenue-loss", "5000EUR", "--runbook", "high-cpu"]
    dry = ["incident", "open", *ABOUT, *more, *money, "-n", namespace, "--dry-run", "-o", "yaml"]
    done = plugin(cluster, ALICE, *dry)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "Warning: there is no Runbook high-cpu\nWarning: there is no Host api-gateway-03\n"
    would = yaml.safe_load(done.stdout)
    assert would["spec"]["parameters"] == {"cpuThreshold": 90, "window": "10m"}
    assert would["spec"]["impact"]["revenueLossPerHour"] == {"amount": 5000, "currency": "EUR"}
    assert would["spec"]["detectionTime"] == "2026-03-14T03:07:12Z"
    assert would["spec"]["severity"] == "Warning"  # the API server's default: it was asked
    assert names(cluster, namespace) == []


def test_statistics_count_every_page_of_the_list(
    cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two", "three"):
        waiting(cluster, namespace, name)
    ended = awaiting_approval()
    ended.review(ALICE, "Denied")
    ended.settle()
    Played(cluster, namespace, "three").write(ended.incident.status)
    done = plugin(cluster, ALICE, "incident", "stats", "-n", namespace, "-o", "json")
    assert done.returncode == 0, done.stderr
    total = json.loads(done.stdout)["total"]
    assert (total["incidents"], total["open"], total["escalated"]) == (3, 2, {"count": 1, "of": 1, "rate": 1.0})
    monkeypatch.setattr(cli_cluster, "_PAGE", 2)
    caller = Caller.connect(str(cluster.kubeconfig(ALICE)), None, namespace)
    assert sorted(each["metadata"]["name"] for each in caller.items(Incident)) == ["one", "three", "two"]


def test_statistics_of_all_namespaces_need_the_right_to_read_them(cluster: Cluster, namespace: str) -> None:
    waiting(cluster, namespace, "one")
    refused = plugin(cluster, ALICE, "incident", "stats", "-A")
    assert refused.returncode == 1
    assert 'cannot list resource "incidents"' in refused.stderr
    everywhere = cluster.kubectl("incident", "stats", "-A", "-o", "json").stdout
    assert json.loads(everywhere)["total"]["incidents"] >= 1


def completed(cluster: Cluster, *words: str) -> list[str]:
    """What kubectl hands to the shell: words with what they are, and the directive."""
    return cluster.kubectl("__complete", *words, user=ALICE).stdout.splitlines()


def test_kubectl_completes_the_plugins_from_the_cluster(cluster: Cluster, namespace: str) -> None:
    request = waiting(cluster, namespace, "one")
    runbook = {"apiVersion": "firstresponder.dev/v1alpha1", **high_cpu()}
    cluster.api().create(f"{GROUP}/namespaces/{namespace}/runbooks", runbook)
    here = ["-n", namespace]
    assert completed(cluster, "incident", "describe", *here, "") == [
        "one\tAwaitingApproval: HighCPU of api-gateway",
        ":4",
    ]
    assert completed(cluster, "approve", *here, "") == [f"{request}\trestart-unit for incident one", ":4"]
    assert completed(cluster, "deny", *here, "x") == [":4"]
    assert completed(cluster, "incident", "open", *here, "--type", "") == ["HighCPU\thigh-cpu", ":4"]
    assert completed(cluster, "incident", "open", *here, "--runbook", "") == ["high-cpu", ":4"]
    assert completed(cluster, "incident", "open", *here, "--service", "api") == ["api-gateway", ":4"]
    assert completed(cluster, "incident", "wa") == ["watch\tFollow an incident until it is over", ":4"]
    assert completed(cluster, "incident", "watch", "--kubeconfig", "") == [":0"]


def test_in_a_real_bash_tab_completes_a_plugin_that_is_called_directly(cluster: Cluster, namespace: str) -> None:
    waiting(cluster, namespace, "one-and-only")
    bash, terminal = pty.fork()
    if bash == 0:
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], cluster.environment(ALICE))  # noqa: S606
    try:
        os.write(terminal, b'eval "$(_KUBECTL_INCIDENT_COMPLETE=bash_source kubectl-incident)"; echo re""ady\n')
        read_until(terminal, "ready")
        os.write(terminal, f"kubectl-incident describe -n {namespace} one-\t".encode())
        read_until(terminal, "one-and-only ")
    finally:
        os.kill(bash, signal.SIGKILL)
        os.waitpid(bash, 0)
        os.close(terminal)


def read_until(terminal: int, text: str) -> None:
    """Read what is shown until the text is there."""
    shown, end = "", time.monotonic() + PATIENCE
    while text not in shown:
        assert select.select([terminal], [], [], max(end - time.monotonic(), 0))[0], f"not shown: {text!r} in {shown!r}"
        shown += os.read(terminal, 4096).decode(errors="replace")


def test_completion_says_nothing_where_the_caller_may_read_nothing(cluster: Cluster, namespace: str) -> None:
    done: Any = cluster.kubectl("__complete", "incident", "describe", "-n", namespace, "", user=MALLORY)
    assert done.stdout == ":4\n"
    with pytest.raises(ApiError, match="forbidden"):
        cluster.api(MALLORY).get(f"{GROUP}/namespaces/{namespace}/incidents")
