"""A namespace with everything an incident needs, and what people do there.

`Stage` registers prepared hosts (Host and credential Secret) and runbooks as an administrator would, opens
incidents, and reviews requests as the person named, by the same path as any user: the API server.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from tests.testbed.cluster import ADMIN, ALICE, Cluster
from tests.testbed.hosts import Host
from tests.testbed.processes import wait_until

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "runbooks"
HIGH_CPU = RUNBOOKS / "high-cpu.yaml"
OPERATOR_NAMESPACE = "first-responder"
_GROUP = "/apis/firstresponder.dev/v1alpha1"
_AT_ONCE = 8


def quick(runbook: Mapping[str, Any]) -> dict[str, Any]:
    """The runbook with seconds for its window, for tests of everything but the window. A playbook as it is.

    Hosts of the testbed share this machine's processors with all else on it, so less of them explains what is busy.
    """
    changed = copy.deepcopy(dict(runbook))
    spec = changed["spec"]
    if "verify" not in spec:
        return changed
    spec["verify"] |= {"initialDelay": "1s", "interval": "2s", "window": "2s", "timeout": "60s"}
    spec["parameters"] = [each for each in spec["parameters"] if each["name"] != "window"]
    for each in spec["parameters"]:
        if each["name"] == "explainsPercent":
            each["default"] = 20
    return changed


def shipped(path: Path = HIGH_CPU) -> dict[str, Any]:
    """A runbook of the catalogue, as its file has it."""
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document


class Stage:
    """One namespace of a cluster, seen through the API as its people see it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    # What an administrator prepares

    def add_host(
        self,
        host: Host,
        *,
        key: str | None = None,
        expected: tuple[str, ...] = (),
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Register a prepared host; `key` pins another host key than its own."""
        own = () if host.service is None else (f"{host.service}.service",)
        secret = f"{self.namespace}-{host.name}"
        admin = self.cluster.api()
        for account, private in (("observe", host.observe_key), ("act", host.act_key)):
            admin.create(
                f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/secrets",
                {
                    "metadata": {
                        "name": f"{secret}-{account}",
                        "annotations": {"firstresponder.dev/allowed-namespaces": self.namespace},
                    },
                    "type": "kubernetes.io/ssh-auth",
                    "stringData": {"ssh-privatekey": private.read_text()},
                },
            )
        self.apply(
            {
                "kind": "Host",
                "metadata": {"name": host.name, "labels": labels or {}},
                "spec": {
                    "address": host.address,
                    "port": host.port,
                    "hostKeys": [key or host.host_public_key],
                    "accounts": {
                        "observe": {"user": host.observe_user, "credentialsRef": {"name": f"{secret}-observe"}},
                        "act": {"user": host.act_user, "credentialsRef": {"name": f"{secret}-act"}},
                    },
                    "expectedUnits": [*own, *expected],
                },
            }
        )

    def apply(self, document: Mapping[str, Any], *, user: str = ADMIN) -> dict[str, Any]:
        """Server-side apply of one of our kinds into this namespace, refusing unknown fields."""
        kind = str(document["kind"])
        plural = {"EscalationPolicy": "escalationpolicies", "ActionClass": "actionclasses"}.get(
            kind, f"{kind.lower()}s"
        )
        answer: dict[str, Any] = self.cluster.api(user).patch(
            self.path(plural, document["metadata"]["name"]),
            {"apiVersion": "firstresponder.dev/v1alpha1", **document},
            kind="application/apply-patch+yaml",
            fieldManager="tests",
            force="true",
            fieldValidation="Strict",
        )
        return answer

    def add_runbook(self, document: Mapping[str, Any]) -> None:
        """Apply a Runbook or TriagePlaybook and wait until the operator has accepted it."""
        self.apply(document)
        kind, name = document["kind"], document["metadata"]["name"]
        self.wait(lambda: self.condition(f"{kind.lower()}s", name, "Ready") == "True", f"{kind} {name} to be Ready")

    # What people do

    def open_incident(self, name: str = "high-cpu-1", *, user: str = ALICE, **spec: Any) -> str:
        """Create an Incident about api-gateway-03 unless `spec` says otherwise; returns its name."""
        self.cluster.api(user).create(
            self.path("incidents"),
            {
                "apiVersion": "firstresponder.dev/v1alpha1",
                "kind": "Incident",
                "metadata": {"name": name},
                "spec": {
                    "type": "HighCPU",
                    "service": "api-gateway",
                    "hosts": [{"role": "target", "name": "api-gateway-03"}],
                    "severity": "Critical",
                    "summary": "CPU above 80 % on api-gateway-03",
                    **spec,
                },
            },
            fieldValidation="Strict",
        )
        return name

    def patch_incident(self, name: str, *, user: str = ALICE, **spec: Any) -> None:
        self.cluster.api(user).patch(self.path("incidents", name), {"spec": spec})

    def remove_incidents(self, names: Iterable[str]) -> None:
        """Delete many incidents, some at the same time."""

        def removed(name: str) -> None:
            self.cluster.api().delete(self.path("incidents", name))

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(removed, names))

    def review(self, name: str, verdict: str = "Approved", *, user: str = ALICE, comment: str | None = None) -> None:
        """Review an ApprovalRequest as `user`, by a plain merge patch."""
        digest = self.get("approvalrequests", name)["spec"]["packetDigest"]
        review = {"verdict": verdict, "packetDigest": digest} | ({"comment": comment} if comment else {})
        self.cluster.api(user).patch(self.path("approvalrequests", name), {"spec": {"reviews": {user: review}}})

    def approve_all(self) -> None:
        """As somebody on call: whatever waits for it, but the operator's own test of the gate."""
        for request in self.approval_requests():
            if not request["spec"].get("reviews") and request["spec"]["incidentRef"]["uid"] != "none":
                self.review(request["metadata"]["name"])

    # What everybody can see

    def path(self, plural: str, name: str | None = None) -> str:
        base = f"{_GROUP}/namespaces/{self.namespace}/{plural}"
        return f"{base}/{name}" if name else base

    def get(self, plural: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.cluster.api().get(self.path(plural, name))
        return found

    def status(self, name: str) -> dict[str, Any]:
        """The status of an Incident, empty before the operator has seen it."""
        found: dict[str, Any] = self.get("incidents", name).get("status", {})
        return found

    def phase(self, name: str) -> str:
        return str(self.status(name).get("phase", "Pending"))

    def reason(self, name: str) -> str | None:
        """Why the incident was escalated, if it was."""
        reason: str | None = self.status(name).get("escalation", {}).get("reason")
        return reason

    def condition(self, plural: str, name: str, kind: str) -> str | None:
        conditions = self.get(plural, name).get("status", {}).get("conditions", [])
        return next((each["status"] for each in conditions if each["type"] == kind), None)

    def request_of(self, incident: str) -> str:
        """The name of the incident's ApprovalRequest, once it was made and recorded."""
        self.wait(
            lambda: bool(self.status(incident).get("approvalRequestRef", {}).get("uid")) or self.ended(incident),
            f"the ApprovalRequest of {incident}",
        )
        reference = self.status(incident).get("approvalRequestRef")
        assert reference, f"{incident} ended without a request: {self.status(incident).get('escalation')}"
        return str(reference["name"])

    def approval_requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.cluster.api().get(self.path("approvalrequests"))["items"]
        return found

    def approved_attempts(self) -> set[str]:
        """The attempts that belong to a request that was approved."""
        approved = [request for request in self.approval_requests() if request["spec"].get("reviews")]
        return {attempt for request in approved for attempt in request.get("status", {}).get("attemptIds", ())}

    def ended(self, incident: str) -> bool:
        return self.phase(incident) in {"Resolved", "Escalated"}

    def wait_for_phase(self, incident: str, phase: str, timeout: float = 180.0) -> dict[str, Any]:
        """The status once the incident is in `phase`. Fails at once when it ended in another one."""

        def there() -> bool:
            now = self.phase(incident)
            assert now == phase or now not in {"Resolved", "Escalated"}, (
                f"{incident} is {now}, not {phase}: {self.status(incident).get('escalation')}"
            )
            return now == phase

        self.wait(there, f"{incident} to be {phase}", timeout)
        return self.status(incident)

    def wait_until_ended(self, incident: str, timeout: float = 180.0) -> dict[str, Any]:
        self.wait(lambda: self.ended(incident), f"{incident} to end", timeout)
        return self.status(incident)

    def events(self, reason: str) -> list[dict[str, Any]]:
        """The Events of that reason, once there is one: the status is saved first, and then told of."""
        path = f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events"

        def told() -> list[dict[str, Any]]:
            return [each for each in self.cluster.api().get(path)["items"] if each["reason"] == reason]

        self.wait(lambda: bool(told()), f"an Event {reason}")
        return told()

    def wait(self, condition: Callable[[], bool], what: str, timeout: float = 180.0) -> None:
        """Wait until `condition` is true. Raises TimeoutError that says `what` was waited for.

        A minute is usual for the slowest, and a machine that has much else to do takes three.
        """
        wait_until(condition, timeout, what)


def moment(text: str) -> datetime:
    """A time as the API writes it."""
    return datetime.fromisoformat(text)
