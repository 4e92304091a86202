"""What is installed beside the CRDs: ``python -m firstresponder.kube.manifests [--check]`` writes ``deploy/``.

``deploy/*.yaml`` once per cluster, ``deploy/watched-namespace/*.yaml`` into every namespace that holds incidents
(``kubectl apply --namespace NAME``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from firstresponder.api.base import API_VERSION, JSON
from firstresponder.api.generate import ROOT, to_yaml, write_or_check
from firstresponder.kube import permissions
from firstresponder.kube.approval_policy import BINDING, POLICY

_NAMESPACE: Final[list[dict[str, JSON]]] = [
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

_ACTION_CLASSES: Final[list[dict[str, JSON]]] = [
    {
        "apiVersion": API_VERSION,
        "kind": "ActionClass",
        "metadata": {"name": name},
        "spec": {"description": description, "risk": risk, "requiredApprovals": 1, "actionTypes": [action_type]},
    }
    for name, risk, action_type, description in (
        (
            *("restart-unit", "Medium", "restartUnit"),
            "Restart one systemd unit on one host; its service is down for as long as that takes.",
        ),
        (
            *("restart-database", "High", "restartUnit"),
            "Restart or start a database server; all that use it are cut off for as long as that takes.",
        ),
        (
            *("ansible-scale", "High", "ansibleScale"),
            "Change the number of instances of a pool with an Ansible playbook on the control node.",
        ),
        (
            *("free-disk-space", "Medium", "methods"),
            "Free disk space by cleaning up logs and temporary files; what is removed cannot come back.",
        ),
        (
            *("run-command", "High", "command"),
            "Run one command that the host's owner has declared, exactly as it was approved.",
        ),
    )
]

_ESCALATION_POLICY: Final[list[dict[str, JSON]]] = [
    {
        "apiVersion": API_VERSION,
        "kind": "EscalationPolicy",
        "metadata": {"name": "default"},
        "spec": {
            "contacts": [
                {"name": "on-call", "description": "The engineer who carries the pager"},
                {"name": "security", "description": "Judges a possible compromise; nothing is changed before"},
                {"name": "dba", "description": "Database administrators"},
            ],
            "highImpact": {"customers": 1000, "revenueLossPerHour": {"amount": 10000, "currency": "EUR"}},
            "ambiguityMarginPoints": 20,
        },
    }
]


def files() -> dict[Path, str]:
    """The generated files with their content."""
    documents = {
        "namespace.yaml": _NAMESPACE,
        "approval-policy.yaml": [POLICY, BINDING],
        "rbac.yaml": permissions.cluster_manifests(),
        "watched-namespace/rbac.yaml": permissions.watched_namespace_manifests(),
        "watched-namespace/actionclasses.yaml": _ACTION_CLASSES,
        "watched-namespace/escalationpolicy.yaml": _ESCALATION_POLICY,
    }
    return {ROOT / "deploy" / path: to_yaml(each, "firstresponder.kube.manifests") for path, each in documents.items()}


if __name__ == "__main__":
    sys.exit(write_or_check(files(), check="--check" in sys.argv[1:]))
