"""Runbooks as incidents see them: each judged by itself, whatever it holds."""

from __future__ import annotations

from typing import Any

from firstresponder.controller.cache import Cache
from firstresponder.controller.knowledge import Knowledge
from tests.unit.incident.world import high_cpu


def body(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "uid": name, "generation": 1, "resourceVersion": "1"}
    return {"metadata": metadata, "spec": spec}


def test_a_runbook_that_has_no_digest_is_refused_and_leaves_the_others_usable() -> None:
    cache = Cache()
    broken = high_cpu()["spec"]
    # The API server keeps such an integer; canonical JSON (RFC 8785) has no form for it.
    broken["tests"]["evidence"]["busy"]["memory"]["availableBytes"] = 2**53 + 1
    cache.put("Runbook", "shop", body("broken", broken))
    cache.put("Runbook", "shop", body("high-cpu", high_cpu()["spec"]))
    refused, usable = Knowledge(cache).catalogue("Runbook", "shop")
    assert refused.revision is None
    assert "cannot be judged" in refused.problem
    assert usable.revision is not None
