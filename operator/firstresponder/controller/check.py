"""Whether a cluster is prepared for the operator: what it needs is there, and the approval gate holds."""

from __future__ import annotations

from collections.abc import Sequence

from firstresponder.kube import preflight
from firstresponder.kube.client import Client
from firstresponder.kube.connection import Connection
from firstresponder.kube.gate import ApprovalGate
from firstresponder.kube.permissions import OPERATOR_USER


async def problems(connection: Connection, namespaces: Sequence[str]) -> tuple[str, ...]:
    """What keeps the operator from working in these namespaces, each with what to do; empty when nothing does.

    Nothing is stored but the canary request of each namespace, once. Raises ApiError and Unreachable.
    """
    client = Client(connection)
    try:
        if missing := await preflight.missing(client, namespaces):
            return missing
        gate = ApprovalGate(client, OPERATOR_USER)
        found = {namespace: await gate.problems(namespace) for namespace in namespaces}
        return tuple(f"approval gate in {each}: {problem}" for each in found for problem in found[each])
    finally:
        await client.close()
