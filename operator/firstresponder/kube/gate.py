"""Proof that the approval gate holds: attempts to get around it that must be refused, by our policy and no other.

Whoever may change admission policies can take the gate away within a second, so nothing is acted on without
having just looked. See docs/decisions/0002-approval-by-admission-policy.md.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from firstresponder.api.approvalrequest import SELFTEST_NAME, ApprovalRequest
from firstresponder.api.base import API_VERSION, JSON
from firstresponder.kube.approval_policy import BINDING, POLICY
from firstresponder.kube.client import Client
from firstresponder.kube.errors import AlreadyExists, ApiError, Forbidden, NotFound
from firstresponder.kube.permissions import POLICY_NAME
from firstresponder.kube.resources import path_of

_ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
_DIGEST: Final = "sha256:" + "0" * 64
_SIGNATURE: Final = f"ValidatingAdmissionPolicy '{POLICY_NAME}' with binding '{POLICY_NAME}' denied request"
"""How the API server begins the message of a refusal by our policy; a refusal by RBAC proves nothing about it."""


class ApprovalGate:
    """Tests the gate in a namespace, as the operator."""

    def __init__(self, client: Client, user: str) -> None:
        self._client = client
        self._user = user

    async def problems(self, namespace: str, *, make_canary: bool = True) -> tuple[str, ...]:
        """Why the gate does not hold in this namespace; empty when it holds.

        Raises Unreachable, or ApiError when the API server is in trouble of its own: that says nothing of the gate.
        Nothing is stored but the canary request, once. Without ``make_canary`` not even that: where there is none, the
        attempt to approve it is left out.
        """
        found = await asyncio.gather(
            self._shipped("validatingadmissionpolicies", POLICY),
            self._shipped("validatingadmissionpolicybindings", BINDING),
            self._refuses_preapproved(namespace),
            self._refuses_own_review(namespace, make_canary),
        )
        return tuple(problem for problem in found if problem)

    async def _shipped(self, resource: str, shipped: JSON) -> str:
        try:
            live = await self._client.get(f"{_ADMISSION}/{resource}/{POLICY_NAME}")
        except NotFound:
            return f"{shipped['kind']} {POLICY_NAME} is missing: kubectl apply --filename deploy/approval-policy.yaml"
        except ApiError as error:
            if _is_passing(error):
                raise
            return f"{shipped['kind']} {POLICY_NAME} cannot be read: {error.message}"
        if live["spec"] != shipped["spec"]:
            # Applying would leave what somebody else added.
            remedy = "kubectl replace --filename deploy/approval-policy.yaml"
            return f"{shipped['kind']} {POLICY_NAME} is not the one shipped: {remedy}"
        return ""

    async def _refuses_preapproved(self, namespace: str) -> str:
        reviews = {"reviews": {self._user: _review()}}
        body = self._request(namespace, "firstresponder-selftest-preapproved", reviews)
        return await _refused(
            "a request that is born approved",
            self._client.create(path_of(ApprovalRequest, namespace), body, dryRun="All"),
        )

    async def _refuses_own_review(self, namespace: str, make_canary: bool) -> str:
        attempt = "an approval by the operator itself"
        patch = {"spec": {"reviews": {self._user: _review()}}}
        canary = path_of(ApprovalRequest, namespace, SELFTEST_NAME)
        for _ in range(2):
            try:
                return await _refused(attempt, self._client.merge(canary, patch, dryRun="All"))
            except NotFound:
                if not make_canary:
                    return ""
                await self._make_canary(namespace)
        return f"the canary request {SELFTEST_NAME} in namespace {namespace} vanishes as soon as it is made"

    async def _make_canary(self, namespace: str) -> None:
        with contextlib.suppress(AlreadyExists):
            await self._client.create(path_of(ApprovalRequest, namespace), self._request(namespace, SELFTEST_NAME, {}))

    def _request(self, namespace: str, name: str, more: dict[str, Any]) -> dict[str, Any]:
        spec = {
            "incidentRef": {"name": SELFTEST_NAME, "uid": "none"},
            "actionClass": "firstresponder-selftest",
            "packet": {},
            "packetDigest": _DIGEST,
            "requestedBy": self._user,
            "requiredApprovals": 1,
            "expirationTime": "2000-01-01T00:00:00Z",
            **more,
        }
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": API_VERSION, "kind": ApprovalRequest.__name__, "metadata": metadata, "spec": spec}


def _review() -> dict[str, str]:
    return {"verdict": "Approved", "packetDigest": _DIGEST, "comment": "self-test: this must be refused"}


async def _refused(attempt: str, request: Any) -> str:
    """Carry out a dry run that must be refused by our policy. Raises NotFound when its object does not exist."""
    try:
        await request
    except Forbidden as error:
        return "" if _SIGNATURE in error.message else f"{attempt} was refused, but not by our policy: {error.message}"
    except NotFound:
        raise
    except ApiError as error:
        if _is_passing(error):
            raise
        return f"{attempt} could not be tried: {error.message}"
    return f"{attempt} was not refused: the admission policy does not hold"


def _is_passing(error: ApiError) -> bool:
    """Whether the API server is overloaded or in trouble, rather than of another mind."""
    return error.code == 429 or error.code >= 500
