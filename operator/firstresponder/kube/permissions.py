"""What the operator needs of the API server: the one table behind the RBAC manifests and the preflight.

Whatever is not in this table is not granted and must not be used. It has no ``update`` of any resource of ours, and no
way to a review: ``patch`` of approval requests is granted for the self-test's canary alone, and there the admission
policy refuses a review by a service account. ``delete`` is in a table of its own, of incidents alone, and is granted
only where ended ones are archived.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from firstresponder.api.approvalrequest import SELFTEST_NAME
from firstresponder.api.base import GROUP, JSON
from firstresponder.api.kinds import KINDS

OPERATOR_NAMESPACE: Final = "first-responder"
OPERATOR_ACCOUNT: Final = "operator"
OPERATOR_USER: Final = f"system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR_ACCOUNT}"
LEASE: Final = "firstresponder-operator"
"""The Lease in the operator's namespace whose holder leads."""
POLICY_NAME: Final = f"approvalrequests.{GROUP}"
"""The ValidatingAdmissionPolicy and its binding share this name."""

OPERATOR_ROLE: Final = "firstresponder-operator"
ARCHIVE_ROLE: Final = "firstresponder-operator-archive"
OPERATOR_CLUSTER_ROLE: Final = "firstresponder-operator-cluster"
REVIEWER_ROLE: Final = "firstresponder-reviewer"
RESPONDER_ROLE: Final = "firstresponder-incident-responder"

_RBAC: Final = "rbac.authorization.k8s.io"
_RBAC_VERSION: Final = f"{_RBAC}/v1"


class Scope(StrEnum):
    """Where a permission holds."""

    CLUSTER = "the whole cluster"
    OPERATOR = "the operator's own namespace"
    WATCHED = "each watched namespace"


@dataclass(frozen=True)
class Permission:
    """Verbs on one resource; ``resource`` may be a subresource such as ``incidents/status``."""

    scope: Scope
    group: str
    resource: str
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    """Granted for objects of these names only; empty: for all."""

    def rule(self) -> dict[str, JSON]:
        """The permission as an RBAC PolicyRule."""
        names = {"resourceNames": list(self.names)} if self.names else {}
        return {"apiGroups": [self.group], "resources": [self.resource], **names, "verbs": list(self.verbs)}


_FOLLOW = ("list", "watch")
_READ = ("get", *_FOLLOW)

OPERATOR: Final[tuple[Permission, ...]] = (
    Permission(Scope.WATCHED, GROUP, "incidents", _READ),
    Permission(Scope.WATCHED, GROUP, "incidents/status", ("patch",)),
    Permission(Scope.WATCHED, GROUP, "runbooks", _FOLLOW),
    Permission(Scope.WATCHED, GROUP, "runbooks/status", ("patch",)),
    Permission(Scope.WATCHED, GROUP, "triageplaybooks", _FOLLOW),
    Permission(Scope.WATCHED, GROUP, "triageplaybooks/status", ("patch",)),
    Permission(Scope.WATCHED, GROUP, "hosts", _FOLLOW),
    Permission(Scope.WATCHED, GROUP, "hosts/status", ("patch",)),
    Permission(Scope.WATCHED, GROUP, "actionclasses", _FOLLOW),
    Permission(Scope.WATCHED, GROUP, "escalationpolicies", _FOLLOW),
    Permission(Scope.WATCHED, GROUP, "approvalrequests", (*_READ, "create")),
    Permission(Scope.WATCHED, GROUP, "approvalrequests/status", ("patch",)),
    Permission(Scope.WATCHED, GROUP, "approvalrequests", ("patch",), (SELFTEST_NAME,)),
    Permission(Scope.WATCHED, "apps", "controllerrevisions", ("get", "create", "patch")),
    Permission(Scope.WATCHED, "events.k8s.io", "events", ("create",)),
    Permission(Scope.OPERATOR, "", "secrets", ("get",)),
    Permission(Scope.OPERATOR, "coordination.k8s.io", "leases", ("get", "patch"), (LEASE,)),
    Permission(Scope.OPERATOR, "coordination.k8s.io", "leases", ("create",)),  # RBAC knows no name yet when it creates
    Permission(
        Scope.CLUSTER,
        "admissionregistration.k8s.io",
        "validatingadmissionpolicies",
        ("get",),
        (POLICY_NAME,),
    ),
    Permission(
        Scope.CLUSTER,
        "admissionregistration.k8s.io",
        "validatingadmissionpolicybindings",
        ("get",),
        (POLICY_NAME,),
    ),
    Permission(Scope.CLUSTER, "authentication.k8s.io", "selfsubjectreviews", ("create",)),
    Permission(Scope.CLUSTER, "authorization.k8s.io", "selfsubjectaccessreviews", ("create",)),
)
"""Everything the operator does. Status subresources are merge-patched; see api conventions for why not applied."""

ARCHIVE: Final[tuple[Permission, ...]] = (Permission(Scope.WATCHED, GROUP, "incidents", ("delete",)),)
"""What the operator does in addition where it archives ended incidents."""

_OUR_KINDS = [kind.plural for kind in KINDS]
# Why an incident was decided so, and what a packet has to order, is derived from the revision that the incident pinned.
_READ_REVISIONS: JSON = {"apiGroups": ["apps"], "resources": ["controllerrevisions"], "verbs": ["get"]}
_REVIEWER_RULES: list[JSON] = [
    {"apiGroups": [GROUP], "resources": ["approvalrequests"], "verbs": ["get", "list", "watch", "patch"]},
    {"apiGroups": [GROUP], "resources": ["incidents", "actionclasses"], "verbs": ["get", "list", "watch"]},
    _READ_REVISIONS,
]
_RESPONDER_RULES: list[JSON] = [
    {"apiGroups": [GROUP], "resources": ["incidents"], "verbs": ["create", "patch"]},
    {"apiGroups": [GROUP], "resources": _OUR_KINDS, "verbs": ["get", "list", "watch"]},
    _READ_REVISIONS,
    {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["get", "list", "watch"]},
]


def access_reviews(watched_namespaces: tuple[str, ...], *, archiving: bool = False) -> Iterator[dict[str, JSON]]:
    """One ``spec`` of a SelfSubjectAccessReview per verb, namespace and name of the tables, for the preflight."""
    for permission in (*OPERATOR, *(ARCHIVE if archiving else ())):
        resource, _, subresource = permission.resource.partition("/")
        namespaces = {
            Scope.CLUSTER: ("",),
            Scope.OPERATOR: (OPERATOR_NAMESPACE,),
            Scope.WATCHED: watched_namespaces,
        }[permission.scope]
        for namespace in namespaces:
            for verb in permission.verbs:
                for name in permission.names or ("",):
                    attributes = {
                        "group": permission.group,
                        "resource": resource,
                        "subresource": subresource,
                        "verb": verb,
                        "namespace": namespace,
                        "name": name,
                    }
                    yield {"resourceAttributes": {key: value for key, value in attributes.items() if value}}


def cluster_manifests() -> list[dict[str, JSON]]:
    """The roles, and the operator's binding to what it needs outside watched namespaces."""
    return [
        _role("ClusterRole", OPERATOR_ROLE, _rules(Scope.WATCHED)),
        _role("ClusterRole", OPERATOR_CLUSTER_ROLE, _rules(Scope.CLUSTER)),
        _binding(
            "ClusterRoleBinding", OPERATOR_CLUSTER_ROLE, ("ClusterRole", OPERATOR_CLUSTER_ROLE), _OPERATOR_SUBJECT
        ),
        _role("Role", OPERATOR_ROLE, _rules(Scope.OPERATOR), OPERATOR_NAMESPACE),
        _binding("RoleBinding", OPERATOR_ROLE, ("Role", OPERATOR_ROLE), _OPERATOR_SUBJECT, OPERATOR_NAMESPACE),
        _role("ClusterRole", REVIEWER_ROLE, _REVIEWER_RULES),
        _role("ClusterRole", RESPONDER_ROLE, _RESPONDER_RULES),
    ]


def watched_namespace_manifests() -> list[dict[str, JSON]]:
    """Lets the operator work in a namespace: applied with ``kubectl apply --namespace``, so they name none."""
    return [_binding("RoleBinding", OPERATOR_ROLE, ("ClusterRole", OPERATOR_ROLE), _OPERATOR_SUBJECT)]


def archiving_namespace_manifests() -> list[dict[str, JSON]]:
    """Lets the operator delete what it archived in a namespace; applied as those of a watched namespace."""
    return [
        _role("Role", ARCHIVE_ROLE, [permission.rule() for permission in ARCHIVE]),
        _binding("RoleBinding", ARCHIVE_ROLE, ("Role", ARCHIVE_ROLE), _OPERATOR_SUBJECT),
    ]


_OPERATOR_SUBJECT = [{"kind": "ServiceAccount", "name": OPERATOR_ACCOUNT, "namespace": OPERATOR_NAMESPACE}]


def _rules(scope: Scope) -> list[JSON]:
    return [permission.rule() for permission in OPERATOR if permission.scope is scope]


def _role(kind: str, name: str, rules: list[JSON], namespace: str = "") -> dict[str, Any]:
    return {"apiVersion": _RBAC_VERSION, "kind": kind, "metadata": _metadata(name, namespace), "rules": rules}


def _binding(
    kind: str, name: str, role: tuple[str, str], subjects: list[dict[str, str]], namespace: str = ""
) -> dict[str, Any]:
    return {
        "apiVersion": _RBAC_VERSION,
        "kind": kind,
        "metadata": _metadata(name, namespace),
        "roleRef": {"apiGroup": _RBAC, "kind": role[0], "name": role[1]},
        "subjects": subjects,
    }


def _metadata(name: str, namespace: str) -> dict[str, str]:
    return {"name": name, **({"namespace": namespace} if namespace else {})}
