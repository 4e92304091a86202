"""What the admission policies have in common. ``spec`` of both objects is complete, with what the API server would fill
in, so that a live object can be compared with it for equality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from firstresponder.api.base import GROUP, JSON, VERSION

COLLECTORS: Final = "['system:serviceaccount:kube-system:generic-garbage-collector', 'system:kube-controller-manager']"
"""Who removes owner references and finalizers as part of the garbage collector's work, as a list in CEL."""

OLD_META: Final = "oldObject != null ? oldObject.metadata : object.metadata"
"""The metadata before the request, for the variable ``oldMeta`` of :func:`unchanged`."""

_API: Final = "admissionregistration.k8s.io/v1"


def rule(expression: str, *, message: str = "", message_expression: str = "") -> dict[str, JSON]:
    """A condition in CEL, and what is said to who breaks it."""
    said = {"message": message} if message else {"messageExpression": message_expression}
    return {"expression": expression, **said, "reason": "Forbidden"}


def unchanged(field: str, empty: str) -> str:
    """That a field of the metadata is what it was before; needs the variable ``oldMeta``."""
    return f"object.metadata.?{field}.orValue({empty}) == variables.oldMeta.?{field}.orValue({empty})"


def policy(
    name: str, resource: str, variables: Mapping[str, str], validations: Sequence[Mapping[str, JSON]]
) -> dict[str, JSON]:
    """A ValidatingAdmissionPolicy for whoever creates or updates a resource of ours."""
    return {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": {},
                "resourceRules": [
                    {
                        "apiGroups": [GROUP],
                        "apiVersions": [VERSION],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": [resource],
                        "scope": "Namespaced",
                    }
                ],
            },
            "variables": [{"name": name, "expression": expression} for name, expression in variables.items()],
            "validations": list(validations),
        },
    }


def binding(name: str) -> dict[str, JSON]:
    """The binding, of the same name, that makes a policy deny."""
    return {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
