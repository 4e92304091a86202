"""What the operator's roles grant, and what it did in a run of all of tests/kind, by the API server's audit log.

The last of these files: what it compares is what the others had the operator do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from firstresponder.api.approvalrequest import SELFTEST_NAME
from tests.testbed.audit import OPERATOR, Request
from tests.testbed.kind.cluster import KindCluster

pytestmark = pytest.mark.timeout(1200)

RBAC = "/apis/rbac.authorization.k8s.io/v1"


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource in one place."""

    namespace: str
    """Empty: in the whole cluster."""
    group: str
    resource: str
    verb: str
    name: str = ""
    """Empty: for objects of any name."""

    def covers(self, request: Request) -> bool:
        return (
            (self.group, self.resource, self.verb) == (request.group, request.target, request.verb)
            and self.namespace in {"", request.namespace}
            and self.name in {"", request.name}
        )


@pytest.fixture(scope="module")
def whole_run(request: pytest.FixtureRequest) -> None:
    """Skips where other tests of this folder were left out, for they use what is compared here."""
    files = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    if not files <= {item.path.name for item in request.session.items}:
        pytest.skip("it is about a run of all of tests/kind")


@pytest.fixture(scope="module")
def granted(kind: KindCluster) -> set[Right]:
    """What every role grants that is bound to the operator's ServiceAccount by its name."""
    return set(rights(kind))


@pytest.fixture(scope="module")
def asked(kind: KindCluster) -> list[Request]:
    """What the operator asked of the API server, in all of its pods."""
    return kind.requests(OPERATOR)


def rights(kind: KindCluster) -> Iterator[Right]:
    account = {"kind": "ServiceAccount", "namespace": "first-responder", "name": "operator"}
    for binding in items(kind, "clusterrolebindings") + items(kind, "rolebindings"):
        if account in binding.get("subjects", []):
            namespace, role = binding["metadata"].get("namespace", ""), binding["roleRef"]
            where = f"/namespaces/{namespace}/roles" if role["kind"] == "Role" else "/clusterroles"
            for rule in kind.api().get(f"{RBAC}{where}/{role['name']}")["rules"]:
                for group in rule["apiGroups"]:
                    for resource in rule["resources"]:
                        for verb in rule["verbs"]:
                            for name in rule.get("resourceNames") or [""]:
                                yield Right(namespace, group, resource, verb, name)


def items(kind: KindCluster, plural: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = kind.api().get(f"{RBAC}/{plural}")["items"]
    return found


def tries_the_gate(request: Request) -> bool:
    """Whether it is the self-test's: a dry run that the admission policy must refuse, which proves that it holds."""
    return request.dry_run and request.target == "approvalrequests" and request.name.startswith(SELFTEST_NAME)


@pytest.mark.usefixtures("whole_run")
def test_every_right_that_is_granted_was_used(granted: set[Right], asked: list[Request]) -> None:
    served = [each for each in asked if each.ok or tries_the_gate(each)]
    assert sorted(right for right in granted if not any(right.covers(each) for each in served)) == []


def test_nothing_was_asked_for_that_is_not_granted(granted: set[Right], asked: list[Request]) -> None:
    """Also where it was refused: some tests take roles away for a while, or restart the API server."""
    assert [each for each in asked if not any(right.covers(each) for right in granted)] == []


def test_every_attempt_of_the_self_test_to_approve_was_refused(asked: list[Request]) -> None:
    attempts = [each for each in asked if tries_the_gate(each)]
    assert attempts != []
    assert [each for each in attempts if each.ok] == []
