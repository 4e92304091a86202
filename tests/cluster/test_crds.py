"""The kinds as the API server serves them: accepted, strict, bounded, and telling what is wrong with a field."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import yaml

from firstresponder.api.base import API_VERSION, Resource
from firstresponder.api.incident import IMMUTABLE
from firstresponder.api.kinds import definition_name
from firstresponder.runbooks.models import KINDS, Runbook
from tests.testbed.api import Api, ApiError
from tests.testbed.cluster import ADMIN, Cluster

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
DIGEST = "sha256:" + "a" * 64
ABSENT = object()

VALID: dict[str, Any] = {
    "Incident": {
        "type": "HighCPU",
        "service": "api-gateway",
        "hosts": [{"role": "target", "name": "api-gateway-03"}],
        "summary": "CPU above 90 % for 5m on api-gateway-03",
        "detectionTime": "2026-03-14T03:07:12Z",
        "severity": "Critical",
        "impact": {"customers": 1200, "revenueLossPerHour": {"amount": 5000, "currency": "EUR"}},
        "alert": {"name": "NodeCPUHighUsage", "fingerprint": "5f1c", "labels": {"job": "node"}},
        "parameters": {"cpuThreshold": 80, "window": "5m"},
        "runbookRef": {"name": "high-cpu"},
        "overrideRecurrence": "the deploy was rolled back",
    },
    "ApprovalRequest": {
        "incidentRef": {"name": "high-cpu-x7k2p", "uid": "6f0c"},
        "actionClass": "restart-unit",
        "packet": {"bound": {"orders": [{"attempt": 1}]}},
        "packetDigest": DIGEST,
        "requestedBy": ADMIN,
        "requiredApprovals": 1,
        "expirationTime": "2026-03-14T03:37:12Z",
    },
    "Runbook": yaml.safe_load((RUNBOOKS / "high-cpu.yaml").read_text())["spec"],
    "TriagePlaybook": {
        "match": {"types": ["ServiceUnavailable"]},
        "roles": [{"name": "target"}],
        "diagnostics": [{"name": "health", "http": {"url": "http://localhost/health"}}],
        "hypotheses": [
            {
                "name": "busy",
                "likelihood": 80,
                "when": "health.status == 503",
                "rootCause": {"summary": "overloaded"},
                "then": {"runbook": "high-cpu"},
            }
        ],
        "otherwise": {"escalate": {"reason": "UnknownRootCause", "humanAction": "Look."}},
    },
    "Host": {
        "address": "10.0.0.3",
        "hostKeys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ"],
        "accounts": {"observe": {"user": "fr-observe", "credentialsRef": {"name": "observe"}}},
        "expectedUnits": ["api-gateway.service"],
    },
    "ActionClass": {
        "description": "Restart one unit.",
        "risk": "Medium",
        "expiresAfter": {"minimum": "1m", "maximum": "1h"},
        "actionTypes": ["restartUnit"],
    },
    "EscalationPolicy": {
        "contacts": [{"name": "on-call", "notificationUrlFrom": {"name": "pager", "key": "url"}}],
        "highImpact": {"customers": 1000},
        "retention": {"after": "90d", "keepLast": 0},
    },
}


def kind_named(name: str) -> type[Resource]:
    return next(kind for kind in KINDS if kind.__name__ == name)


def path(kind: str, namespace: str, name: str = "") -> str:
    collection = f"/apis/{API_VERSION}/namespaces/{namespace}/{kind_named(kind).plural}"
    return f"{collection}/{name}" if name else collection


def document(kind: str, name: str = "example") -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name},
        "spec": copy.deepcopy(VALID[kind]),
    }


def with_value(kind: str, where: str, value: Any) -> dict[str, Any]:
    """A valid object but for one field; `where` is a dotted path, numbers are list indices."""
    changed = document(kind)
    *parents, last = [int(step) if step.isdigit() else step for step in where.split(".")]
    node: Any = changed
    for step in parents:
        node = node[step] if isinstance(step, int) else node.setdefault(step, {})
    if value is ABSENT:
        del node[last]
    else:
        node[last] = value
    return changed


def try_to_create(api: Api, body: dict[str, Any]) -> None:
    """A dry run, as strict as kubectl: nothing is stored, so no namespace of its own is needed."""
    api.create(path(body["kind"], "default"), body, fieldValidation="Strict", dryRun="All")


def refusal(api: Api, body: dict[str, Any]) -> str:
    with pytest.raises(ApiError) as refused:
        try_to_create(api, body)
    assert refused.value.code in (400, 422), refused.value
    return refused.value.message


# --- Accepted ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_server_takes_the_definition_without_reservation(cluster: Cluster, kind: type[Resource]) -> None:
    definition = cluster.api().get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition_name(kind)}")
    conditions = {each["type"]: each["status"] for each in definition["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}, "NonStructuralSchema must not appear"


@pytest.mark.parametrize("kind", VALID)
def test_an_object_with_every_part_is_stored_and_read_back_by_the_model(
    cluster: Cluster, namespace: str, kind: str
) -> None:
    cluster.api().create(path(kind, namespace), document(kind), fieldValidation="Strict")
    stored = cluster.api().get(path(kind, namespace, "example"))
    read = kind_named(kind).model_validate(stored)
    assert read.name == "example"
    assert read.namespace == namespace
    assert read.model_dump() == {**kind_named(kind).model_validate(document(kind)).model_dump(), "metadata": ANY}


def test_the_shipped_runbooks_are_accepted_and_null_in_a_test_case_survives(cluster: Cluster, namespace: str) -> None:
    cluster.apply(RUNBOOKS, namespace=namespace)
    cluster.apply(RUNBOOKS, namespace=namespace)
    stored = Runbook.model_validate(cluster.api().get(path("Runbook", namespace, "high-cpu")))
    written = yaml.safe_load((RUNBOOKS / "high-cpu.yaml").read_text())["spec"]["tests"]["cases"]
    assert stored.spec.tests is not None
    assert [case.with_ for case in stored.spec.tests.cases] == [case.get("with", {}) for case in written]
    assert any(None in case.with_.values() for case in stored.spec.tests.cases)


# --- Refused, with the field named ------------------------------------------------------------

LONG = "x" * 2049
EXPRESSION = "x" * 4097
TWO_PROBES = {"name": "both", "memory": {}, "processes": {}}
TWO_OUTCOMES = {"action": "restart", "runbook": "high-cpu"}
ONE_PROBE = (
    "give exactly one of processes, journal, memory, unit, http, inventory, disk, directories, configValue, tcp, "
    "resolve, ping, interfaces, postgresPing, postgresConnections or command"
)
ONE_OUTCOME = "give exactly one of action, runbook or escalate"
ONE_ACTION = "give exactly one of restartUnit, ansibleScale, methods or command"
ONE_METHOD = "give exactly one of journalVacuum, logrotate or tmpfilesClean"
METHOD = {"name": "m", "when": "a.b > 1", "tmpfilesClean": {}}


def action(action_class: str | None = "some", **kind: Any) -> dict[str, Any]:
    approval = {"prompt": "?"} | ({"class": action_class} if action_class is not None else {})
    return {"name": "x", "risk": {}, "rollback": {"plan": "?"}, "approval": approval, **kind}


REVIEW = {"verdict": "Approved", "packetDigest": DIGEST}

REFUSED: list[tuple[str, str, Any, str]] = [
    # An unknown field is refused and not dropped: nobody believes that it had an effect.
    ("Incident", "spec.sevrity", "Critical", 'unknown field "spec.sevrity"'),
    ("Incident", "spec.hosts.0.port", 22, 'unknown field "spec.hosts[0].port"'),
    ("Incident", "spec.alert.severity", "page", 'unknown field "spec.alert.severity"'),
    ("ApprovalRequest", "spec.approved", True, 'unknown field "spec.approved"'),
    ("Runbook", "spec.diagnostics.0.shell", "rm -rf /", 'unknown field "spec.diagnostics[0].shell"'),
    ("Runbook", "spec.actions.0.shell", "kill", 'unknown field "spec.actions[0].shell"'),
    (
        "Runbook",
        "spec.actions.0.command",
        {"argv": ["/bin/a"], "shell": True},
        'unknown field "spec.actions[0].command.',
    ),
    ("TriagePlaybook", "spec.actions", [], 'unknown field "spec.actions"'),
    ("Host", "spec.password", "secret", 'unknown field "spec.password"'),
    ("ActionClass", "spec.autoApprove", True, 'unknown field "spec.autoApprove"'),
    ("EscalationPolicy", "spec.contacts.0.url", "http://x", 'unknown field "spec.contacts[0].url"'),
    # Missing and empty.
    *[(kind, "spec", ABSENT, "spec: Required value") for kind in VALID],
    ("Incident", "spec.type", ABSENT, "spec.type: Required value"),
    ("Incident", "spec.type", "", "spec.type in body should be at least 1 chars long"),
    ("Incident", "spec.service", "", "spec.service in body should match"),
    ("Incident", "spec.hosts.0.role", "", "spec.hosts[0].role in body should match"),
    ("Incident", "spec.hosts.0.name", "", "spec.hosts[0].name in body should be at least 1 chars long"),
    ("Incident", "spec.runbookRef", {}, "spec.runbookRef.name: Required value"),
    ("ApprovalRequest", "spec.packet", ABSENT, "spec.packet: Required value"),
    ("ApprovalRequest", "spec.packetDigest", "", "spec.packetDigest in body should match"),
    ("ApprovalRequest", "spec.requestedBy", "", "spec.requestedBy in body should be at least 1 chars long"),
    ("Runbook", "spec.verify", ABSENT, "spec.verify: Required value"),
    ("Runbook", "spec.symptom", ABSENT, "spec.symptom: Required value"),
    ("Runbook", "spec.otherwise", ABSENT, "spec.otherwise: Required value"),
    ("Runbook", "spec.diagnostics", [], "spec.diagnostics in body should have at least 1 items"),
    ("Runbook", "spec.hypotheses", [], "spec.hypotheses in body should have at least 1 items"),
    ("Runbook", "spec.verify.criteria", [], "spec.verify.criteria in body should have at least 1 items"),
    ("Runbook", "spec.variables.0.expression", "", "spec.variables[0].expression in body should be at least 1"),
    ("Runbook", "spec.actions.0.rollback.plan", "", "spec.actions[0].rollback.plan in body should be at least 1"),
    ("Runbook", "spec.actions.0.approval.prompt", "", "spec.actions[0].approval.prompt in body should be at least 1"),
    ("TriagePlaybook", "spec.match", ABSENT, "spec.match: Required value"),
    ("Host", "spec.hostKeys", [], "spec.hostKeys in body should have at least 1 items"),
    ("Host", "spec.accounts", {}, "spec.accounts.observe: Required value"),
    ("Host", "spec.address", "", "spec.address in body should be at least 1 chars long"),
    ("ActionClass", "spec.description", "", "spec.description in body should be at least 1 chars long"),
    ("ActionClass", "spec.actionTypes", [], "spec.actionTypes in body should have at least 1 items"),
    ("EscalationPolicy", "spec.contacts", [], "spec.contacts in body should have at least 1 items"),
    # Oversized.
    ("Incident", "metadata.name", "i" * 201, "metadata.name has at most 200 characters"),
    ("Incident", "spec.type", "T" * 129, "spec.type: Too long: may not be more than 128 bytes"),
    ("Incident", "spec.summary", LONG, "spec.summary: Too long: may not be more than 2048 bytes"),
    ("Incident", "spec.alert.labels", {f"l{n}": "" for n in range(65)}, "spec.alert.labels: Too many: 65"),
    ("Incident", "spec.alert.annotations", {"a": LONG}, "spec.alert.annotations.a: Too long"),
    ("Incident", "spec.parameters", {f"p{n}": 1 for n in range(33)}, "spec.parameters: Too many: 33"),
    (
        "Incident",
        "spec.hosts",
        [{"role": f"r{n}", "name": "host"} for n in range(17)],
        "spec.hosts: Too many: 17: must have at most 16 items",
    ),
    ("ApprovalRequest", "spec.requestedBy", "u" * 1025, "spec.requestedBy: Too long"),
    ("ApprovalRequest", "spec.requiredApprovals", 11, "spec.requiredApprovals in body should be less than or equal to"),
    ("ApprovalRequest", "spec.packet", {f"k{n}": 1 for n in range(65)}, "spec.packet: Too many: 65"),
    (
        "ApprovalRequest",
        "spec.reviews",
        {f"user-{n}": REVIEW for n in range(21)},
        "spec.reviews: Too many: 21: must have at most 20 items",
    ),
    ("ApprovalRequest", "spec.reviews", {"u" * 1025: REVIEW}, "a reviewer name has 1 to 1024 characters"),
    ("ApprovalRequest", "spec.reviews", {"": REVIEW}, "a reviewer name has 1 to 1024 characters"),
    ("Runbook", "metadata.name", "r" * 201, "metadata.name has at most 200 characters"),
    ("Runbook", "spec.hypotheses.0.when", EXPRESSION, "spec.hypotheses[0].when: Too long"),
    ("Runbook", "spec.hypotheses.0.likelihood", 101, "spec.hypotheses[0].likelihood in body should be less than"),
    (
        "Runbook",
        "spec.diagnostics.0.processes.limit",
        201,
        "spec.diagnostics[0].processes.limit in body should be less",
    ),
    ("Runbook", "spec.actions.0.approval.expiresAfter", "24h", "spec.actions[0].approval.expiresAfter: Invalid value"),
    ("TriagePlaybook", "spec.diagnostics.0.http.url", "u" * 513, "spec.diagnostics[0].http.url: Too long"),
    ("Host", "spec.port", 65536, "spec.port in body should be less than or equal to 65535"),
    ("Host", "spec.hostKeys", [f"ssh-rsa {'A' * 2048}"], "spec.hostKeys[0]: Too long"),
    ("ActionClass", "spec.requiredApprovals", 11, "spec.requiredApprovals in body should be less than or equal to 10"),
    (
        "ActionClass",
        "spec.expiresAfter.maximum",
        "23h1s",
        'spec.expiresAfter.maximum: Invalid value: "23h1s": at most 23h',
    ),
    ("EscalationPolicy", "spec.ambiguityMarginPoints", 101, "spec.ambiguityMarginPoints in body should be less than"),
    ("EscalationPolicy", "spec.retention", {"after": "12h"}, "give whole days, at least 1d, as in 30d"),
    ("EscalationPolicy", "spec.retention", {"after": "0d"}, "give whole days, at least 1d, as in 30d"),
    ("EscalationPolicy", "spec.retention", {"keepLast": -1}, "spec.retention.keepLast in body should be greater than"),
    ("EscalationPolicy", "spec.retention", {"forever": True}, 'unknown field "spec.retention.forever"'),
    # Not in form.
    ("Incident", "spec.type", "high cpu", "spec.type in body should match '^[A-Za-z][A-Za-z0-9]*$'"),
    ("Incident", "spec.service", "-rf", "spec.service in body should match"),
    ("Incident", "spec.service", "a b", "spec.service in body should match"),
    ("Incident", "spec.severity", "critical", 'spec.severity: Unsupported value: "critical"'),
    ("Incident", "spec.detectionTime", "yesterday", "spec.detectionTime in body must be of type date-time"),
    ("Incident", "spec.impact.customers", -1, "spec.impact.customers in body should be greater than or equal to 0"),
    ("Incident", "spec.impact.customers", 1.5, 'spec.impact.customers: Invalid value: "float64"'),
    (
        "Incident",
        "spec.impact.revenueLossPerHour.currency",
        "eur",
        "spec.impact.revenueLossPerHour.currency in body should match '^[A-Z]{3}$'",
    ),
    (
        "Incident",
        "spec.hosts",
        [{"role": "target", "name": "one"}, {"role": "target", "name": "two"}],
        'spec.hosts[1]: Duplicate value: {"role":"target"}',
    ),
    ("ApprovalRequest", "spec.packetDigest", "sha256:" + "A" * 64, "spec.packetDigest in body should match"),
    ("ApprovalRequest", "spec.packetDigest", "a" * 64, "spec.packetDigest in body should match"),
    ("ApprovalRequest", "spec.actionClass", "Restart Unit", "spec.actionClass in body should match"),
    ("ApprovalRequest", "spec.requiredApprovals", 0, "spec.requiredApprovals in body should be greater than"),
    ("ApprovalRequest", "spec.expirationTime", "in 30m", "spec.expirationTime in body must be of type date-time"),
    (
        "ApprovalRequest",
        "spec.reviews",
        {"alice@example.com": {**REVIEW, "verdict": "Maybe"}},
        'spec.reviews.alice@example.com.verdict: Unsupported value: "Maybe"',
    ),
    (
        "ApprovalRequest",
        "spec.reviews",
        {"alice@example.com": {"verdict": "Approved", "packetDigest": "sha256:" + "b" * 64}},
        "spec.reviews: Invalid value: a review must echo spec.packetDigest: read the packet again",
    ),
    ("Runbook", "spec.mode", "Auto", 'spec.mode: Unsupported value: "Auto"'),
    ("Runbook", "spec.symptom", "cpu > 80", "spec.symptom in body should match"),
    ("Runbook", "spec.verify.timeout", "soon", "spec.verify.timeout in body should match"),
    ("Runbook", "spec.otherwise.escalate.reason", "Whatever", "spec.otherwise.escalate.reason: Unsupported value"),
    ("Runbook", "spec.hypotheses.0.likelihood", 0.6, 'spec.hypotheses[0].likelihood: Invalid value: "float64"'),
    ("Runbook", "spec.diagnostics.1.name", "processes", 'spec.diagnostics[1]: Duplicate value: {"name":"processes"}'),
    (
        "TriagePlaybook",
        "spec.diagnostics.0",
        {"name": "log", "journal": {"unit": "a.service", "extract": {"not-a-name": "x"}}},
        "every key must match ^[a-zA-Z][a-zA-Z0-9]*$",
    ),
    ("Host", "spec.address", "-oProxyCommand=x", "spec.address in body should match"),
    ("Host", "spec.address", "[fd00::3]", "write an IPv6 address without brackets, such as fd00::3"),
    ("Host", "spec.address", "fe80::1%eth0", "an address with a zone (%eth0) is reached from its own link only"),
    ("Host", "spec.address", "10.0.0.3:22", "give the address alone: its port is spec.port"),
    ("Host", "spec.port", 0, "spec.port in body should be greater than or equal to 1"),
    ("Host", "spec.hostKeys", ["not a key at all!"], "spec.hostKeys[0] in body should match"),
    ("Host", "spec.accounts.observe.user", "root; id", "spec.accounts.observe.user in body should match"),
    ("Host", "spec.expectedUnits", ["api gateway"], "spec.expectedUnits[0] in body should match"),
    ("ActionClass", "spec.risk", "none", 'spec.risk: Unsupported value: "none"'),
    (
        "ActionClass",
        "spec.expiresAfter.minimum",
        "2h",
        "spec.expiresAfter: Invalid value: minimum is longer than maximum",
    ),
    (
        "EscalationPolicy",
        "spec.contacts",
        [{"name": "on-call"}, {"name": "on-call"}],
        'spec.contacts[1]: Duplicate value: {"name":"on-call"}',
    ),
    # Exactly one of several kinds: neither none nor two.
    ("Runbook", "spec.diagnostics.0", {"name": "none"}, f"spec.diagnostics[0]: Invalid value: {ONE_PROBE}"),
    (
        "Runbook",
        "spec.experiments",
        [{"name": "memory", "command": {"argv": ["free"], "output": "jc"}}],
        "spec.experiments[0].command: Invalid value: output: jc needs a parser, no other output",
    ),
    ("Runbook", "spec.diagnostics.0", TWO_PROBES, f"spec.diagnostics[0]: Invalid value: {ONE_PROBE}"),
    ("TriagePlaybook", "spec.diagnostics.0", TWO_PROBES, f"spec.diagnostics[0]: Invalid value: {ONE_PROBE}"),
    *[
        ("Runbook", "spec.diagnostics.0", {"name": "a", "tcp": {"host": "b", "port": port}}, "[0].tcp.port")
        for port in (0, 65536, "http", "80;id", True, 80.5)
    ],
    ("Runbook", "spec.otherwise", {}, f"spec.otherwise: Invalid value: {ONE_OUTCOME}"),
    ("Runbook", "spec.otherwise", TWO_OUTCOMES, f"spec.otherwise: Invalid value: {ONE_OUTCOME}"),
    ("Runbook", "spec.hypotheses.0.then", {}, f"spec.hypotheses[0].then: Invalid value: {ONE_OUTCOME}"),
    ("Runbook", "spec.verify.onFailure", TWO_OUTCOMES, f"spec.verify.onFailure: Invalid value: {ONE_OUTCOME}"),
    ("Runbook", "spec.actions.0.restartUnit", ABSENT, f"spec.actions[0]: Invalid value: {ONE_ACTION}"),
    (
        "Runbook",
        "spec.actions.1.restartUnit",
        {"unit": "a.service"},
        f"spec.actions[1]: Invalid value: {ONE_ACTION}",
    ),
    ("Runbook", "spec.actions.0", action(methods=[METHOD]), "methods need until"),
    ("Runbook", "spec.actions.0", action(restartUnit={"unit": "a.service"}, until="a.b < 1"), "methods need until"),
    ("Runbook", "spec.actions.0", action(methods=[], until="a.b < 1"), "spec.actions[0].methods in body should have"),
    ("Runbook", "spec.actions.0", action(methods=[METHOD] * 9, until="a.b < 1"), "spec.actions[0].methods: Too many"),
    ("Runbook", "spec.actions.0", action(methods=[METHOD] * 2, until="a.b < 1"), "methods[1]: Duplicate value"),
    ("Runbook", "spec.actions.0", action(methods=[METHOD | {"logrotate": {"config": "/a"}}], until="a"), ONE_METHOD),
    ("Runbook", "spec.actions.0", action(methods=[{"name": "m", "when": "a"}], until="a"), ONE_METHOD),
    ("Runbook", "spec.actions.0", action(None, methods=[METHOD], until="a.b < 1"), "in approval.class"),
    ("Runbook", "spec.actions.0", action(None, command={"argv": ["/bin/a"]}), "in approval.class"),
    ("Runbook", "spec.actions.0", action(command={"argv": []}), "command.argv in body should have at least 1 items"),
    (
        "Runbook",
        "spec.actions.0",
        action(command={"argv": ["/bin/a"]}, rollback={"plan": "?", "offerInverse": True}),
        "only ansibleScale has an inverse",
    ),
]


def _title(value: object) -> str:
    return value if isinstance(value, str) and len(value) < 60 and re.fullmatch(r"[\w.]+", value) else "-"


@pytest.mark.parametrize(("kind", "where", "value", "message"), REFUSED, ids=_title)
def test_a_bad_field_is_refused_by_name(cluster: Cluster, kind: str, where: str, value: Any, message: str) -> None:
    assert message in refusal(cluster.api(), with_value(kind, where, value))


@pytest.mark.parametrize("port", [1, 65535, "5432", "$(port)"])
def test_a_port_may_be_a_number_or_the_parameter_that_holds_one(cluster: Cluster, port: int | str) -> None:
    diagnostic = {"name": "a", "tcp": {"host": "b", "port": port}}
    try_to_create(cluster.api(), with_value("Runbook", "spec.diagnostics.0", diagnostic))


@pytest.mark.parametrize(
    "kind",
    [
        {"methods": [METHOD], "until": "a.b < 1"},
        {"command": {"argv": ["/bin/a", "--b"]}},
        {"restartUnit": {"unit": "a.service"}},
    ],
)
def test_an_action_of_each_type_is_accepted(cluster: Cluster, kind: dict[str, Any]) -> None:
    try_to_create(cluster.api(), with_value("Runbook", "spec.actions.0", action(**kind)))


def test_every_refused_object_is_accepted_without_its_fault(cluster: Cluster) -> None:
    for kind in VALID:
        try_to_create(cluster.api(), document(kind))


# --- What of an Incident may change -----------------------------------------------------------

OTHER: dict[str, Any] = {
    "type": "DiskFull",
    "service": "billing",
    "hosts": [{"role": "target", "name": "db-01"}],
    "summary": "something else",
    "detectionTime": "2026-03-14T04:00:00Z",
    "severity": "Info",
    "impact": {"customers": 0},
    "alert": {"name": "Other"},
    "runbookRef": {"name": "other"},
    "overrideRecurrence": "another reason",
}


def patched(api: Api, namespace: str, spec: dict[str, Any], name: str = "example") -> dict[str, Any]:
    stored: dict[str, Any] = api.patch(path("Incident", namespace, name), {"spec": spec})["spec"]
    return stored


def test_the_facts_of_an_incident_are_immutable(cluster: Cluster, namespace: str) -> None:
    api = cluster.api()
    api.create(path("Incident", namespace), document("Incident"))
    assert OTHER.keys() == set(IMMUTABLE)
    for field, value in OTHER.items():
        with pytest.raises(ApiError) as refused:
            patched(api, namespace, {field: value} if field != "alert" else {field: {**value, "fingerprint": None}})
        assert refused.value.code == 422
        expected = f"spec.{field}: Invalid value: spec.{field} is immutable: open a new Incident instead"
        assert expected in refused.value.message


def test_the_facts_of_an_incident_can_neither_be_taken_away_nor_added_later(cluster: Cluster, namespace: str) -> None:
    api = cluster.api()
    api.create(path("Incident", namespace), document("Incident", "full"))
    bare = {**document("Incident", "bare"), "spec": {"type": "HighCPU", "service": "api-gateway"}}
    api.create(path("Incident", namespace), bare)
    for field in set(IMMUTABLE) - {"type", "service"}:
        for name, value in [("full", None), ("bare", VALID["Incident"][field])]:
            with pytest.raises(ApiError, match=f"spec.{field} is immutable"):
                patched(api, namespace, {field: value}, name)


def test_parameters_may_change_and_abort_goes_one_way(cluster: Cluster, namespace: str) -> None:
    api = cluster.api()
    api.create(path("Incident", namespace), document("Incident"))
    assert patched(api, namespace, {"parameters": {"cpuThreshold": 90}})["parameters"]["cpuThreshold"] == 90
    assert patched(api, namespace, {"parameters": None}).get("parameters") is None
    for field in ("abort", "fixIncorrect"):
        assert patched(api, namespace, {field: False})[field] is False
        assert patched(api, namespace, {field: True})[field] is True
        for back in (False, None):
            with pytest.raises(ApiError) as refused:
                patched(api, namespace, {field: back})
            expected = f"spec.{field}: Invalid value: spec.{field} is one-way: once true it stays true"
            assert expected in refused.value.message


def test_a_status_is_written_through_its_subresource_only(cluster: Cluster, namespace: str) -> None:
    api = cluster.api()
    api.create(path("Incident", namespace), {**document("Incident"), "status": {"phase": "Resolved"}})
    resolved = {"spec": {"abort": True}, "status": {"phase": "Resolved"}}
    assert "status" not in api.patch(path("Incident", namespace, "example"), {"status": {"phase": "Resolved"}})
    stored = api.patch(f"{path('Incident', namespace, 'example')}/status", resolved)
    assert stored["status"] == {"phase": "Resolved"}
    assert stored["spec"]["abort"] is False


# --- As kubectl shows them --------------------------------------------------------------------

CLOSED = {
    "type": "Closed",
    "status": "True",
    "reason": "Escalated",
    "message": "SecurityIncident",
    "lastTransitionTime": "2026-03-14T03:10:00Z",
}
READY = {**CLOSED, "type": "Ready", "reason": "Accepted", "message": ""}
STATUS: dict[str, Any] = {
    "Incident": {
        "phase": "Escalated",
        "conditions": [CLOSED],
        "runbookRevisionRef": {"runbook": "high-cpu", "name": "high-cpu-7d9f0c", "digest": DIGEST},
    },
    "ApprovalRequest": {"conditions": [{**CLOSED, "type": "Approved"}, {**CLOSED, "reason": "Consumed"}]},
    "Runbook": {"conditions": [READY], "revision": "high-cpu-7d9f0c"},
    "TriagePlaybook": {"conditions": [READY], "revision": "triage-1b2c3d"},
    "Host": {"conditions": [{**READY, "type": "Reachable"}, {**READY, "type": "Prepared", "status": "False"}]},
}
SHOWN = [
    ("inc", "NAME TYPE SERVICE PHASE REASON RUNBOOK AGE", "HighCPU api-gateway Escalated SecurityIncident high-cpu"),
    (
        "apr",
        "NAME CLASS INCIDENT APPROVED CLOSED EXPIRES AGE",
        "restart-unit high-cpu-x7k2p True Consumed 2026-03-14T03:37:12Z",
    ),
    ("rb", "NAME READY REASON REVISION AGE", "True Accepted high-cpu-7d9f0c"),
    ("tpb", "NAME READY REASON REVISION AGE", "True Accepted triage-1b2c3d"),
    ("host", "NAME ADDRESS REACHABLE PREPARED CAN-ACT AGE", "10.0.0.3 True False"),
    ("actionclass", "NAME RISK APPROVALS TYPES AGE", 'Medium 1 ["restartUnit"]'),
    ("escalationpolicy", "NAME MARGIN AGE", "20"),
]


def test_kubectl_get_answers_the_obvious_questions(cluster: Cluster, namespace: str) -> None:
    for kind in VALID:
        cluster.api().create(path(kind, namespace), document(kind))
        if kind in STATUS:
            cluster.api().patch(f"{path(kind, namespace, 'example')}/status", {"status": STATUS[kind]})

    for name, header, row in SHOWN:
        lines = cluster.kubectl("get", name, "example", f"--namespace={namespace}").stdout.splitlines()
        assert lines[0].split() == header.split()
        assert lines[1].split()[:-1] == ["example", *row.split()], name

    everything = cluster.kubectl("get", "firstresponder", "--output=name", f"--namespace={namespace}").stdout
    assert {f"{kind.lower()}.firstresponder.dev/example" for kind in VALID} <= set(everything.split())


def test_kubectl_explain_says_what_a_field_means(cluster: Cluster) -> None:
    told = cluster.kubectl("explain", "incident.spec.abort").stdout
    assert "The human's brake: nothing further is started; once true it stays true." in told
