"""Events by name: recorded once for what they tell, and once more for what only sounds the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from firstresponder.api.incident import Incident
from firstresponder.kube.client import Client
from firstresponder.kube.events import Events


class Names:
    """Takes Events and remembers what they are called."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def create(self, _: str, body: dict[str, Any]) -> None:
        self.seen.append(body["metadata"]["name"])


async def test_another_occasion_is_another_event() -> None:
    names = Names()
    incident = Incident.model_validate(
        {"metadata": {"name": "i", "namespace": "shop", "uid": "u"}, "spec": {"type": "HighCPU", "service": "api"}}
    )
    for dedup_key in ("i-1", "i-1", "i-2"):
        await Events(cast(Client, names)).record(
            incident, datetime(2026, 3, 14, tzinfo=UTC), "ApprovalRequested", "text", dedup_key=dedup_key
        )
    first, again, second = names.seen
    assert first == again != second
