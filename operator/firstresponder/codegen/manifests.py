"""What is installed alongside the CRDs, in ``deploy/``.

``deploy/*.yaml`` once per cluster, ``deploy/watched-namespace/*.yaml`` into every namespace that holds incidents
(``kubectl apply --namespace NAME``), and where the operator archives ended ones ``deploy/archive/*.yaml`` too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from firstresponder.actions.catalogue import TYPES
from firstresponder.api.base import API_VERSION, JSON
from firstresponder.codegen.output import ROOT, to_yaml
from firstresponder.kube import incident_policy, permissions
from firstresponder.kube.approval_policy import BINDING, POLICY

NAMESPACE: Final[list[dict[str, JSON]]] = [
    {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": permissions.OPERATOR_NAMESPACE,
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
    },
    {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": permissions.OPERATOR_ACCOUNT, "namespace": permissions.OPERATOR_NAMESPACE},
    },
]

ACTION_CLASSES: Final[list[dict[str, JSON]]] = [
    {
        "apiVersion": API_VERSION,
        "kind": "ActionClass",
        "metadata": {"name": each.name},
        "spec": {
            "description": each.description,
            "risk": each.risk,
            "requiredApprovals": 1,
            "actionTypes": [action_type.name],
        },
    }
    for action_type in TYPES.values()
    for each in action_type.classes
]

ESCALATION_POLICY: Final[list[dict[str, JSON]]] = [
    {
        "apiVersion": API_VERSION,
        "kind": "EscalationPolicy",
        "metadata": {"name": "default"},
        "spec": {
            "contacts": [
                {"name": "on-call", "description": "The engineer who carries the pager"},
                {"name": "security", "description": "Investigates a possible compromise; nothing is changed before"},
                {"name": "dba", "description": "Database administrators"},
            ],
            "highImpact": {"customers": 1000, "revenueLossPerHour": {"amount": 10000, "currency": "EUR"}},
            "ambiguityMarginPoints": 20,
            "retention": {"after": "30d", "keepLast": 20},
        },
    }
]


def files() -> dict[Path, str]:
    """The generated files with their content."""
    documents = {
        "namespace.yaml": NAMESPACE,
        "approval-policy.yaml": [POLICY, BINDING],
        "incident-policy.yaml": [incident_policy.POLICY, incident_policy.BINDING],
        "rbac.yaml": permissions.cluster_manifests(),
        "watched-namespace/rbac.yaml": permissions.watched_namespace_manifests(),
        "archive/rbac.yaml": permissions.archiving_namespace_manifests(),
        "watched-namespace/actionclasses.yaml": ACTION_CLASSES,
        "watched-namespace/escalationpolicy.yaml": ESCALATION_POLICY,
    }
    return {ROOT / "deploy" / path: to_yaml(each) for path, each in documents.items()}
