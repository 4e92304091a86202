"""JSON that others wrote, as far as it may be kept: without what could be a secret, and with numbers that are exact."""

from __future__ import annotations

import json

from firstresponder.api.base import JSON
from firstresponder.safety import publishable


def public_json(text: bytes | str) -> JSON:
    """The text as JSON; None when it is none. What may not be kept is withheld in its place (safety/publish.py)."""
    try:
        found: JSON = publishable(json.loads(text, parse_constant=_refuse))
    except (ValueError, RecursionError):
        return None
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
