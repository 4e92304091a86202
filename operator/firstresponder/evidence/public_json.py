"""JSON that others wrote, as far as it may be kept: without what could be a secret, and with numbers that are exact."""

from __future__ import annotations

import json
from typing import Any

from firstresponder.api.base import JSON
from firstresponder.safety import may_be_secret

MAX_NUMBER = 2.0**53
"""Numbers beyond are not exact as the doubles that expressions use, and are left out."""
_DEPTH_LIMIT = 16


def public_json(text: bytes | str) -> JSON:
    """The text as JSON; None when it is no JSON or nothing of it may be kept.

    An expression never reads an altered value: one that could be a secret is left out, and so is a list with such an
    element.
    """
    try:
        return _public(json.loads(text, parse_constant=_refuse), "", _DEPTH_LIMIT)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _public(value: Any, key: str, depth: int) -> JSON:
    match value:
        case str():
            return None if may_be_secret(value, key) else value
        case dict() | list() if key and may_be_secret("x", key):
            return None  # whatever stands below it
        case dict() if depth:
            secret = _named_secret(value)
            kept = {
                name: _public(each, name, depth - 1)
                for name, each in value.items()
                if not may_be_secret(name) and not (secret and name.lower() == "value")
            }
            return {name: each for name, each in kept.items() if each is not None}
        case list() if depth:
            elements = [_public(each, key, depth - 1) for each in value]
            return None if None in elements else elements
        case bool():
            return value
        case int() | float() if abs(value) <= MAX_NUMBER:
            return None if may_be_secret(str(value), key) else value
    return None


def _named_secret(pair: dict[str, Any]) -> bool:
    """Whether it tells what its value is, and that is a secret: {"name": "DB_PASSWORD", "value": …}."""
    names = (each for key, each in pair.items() if key.lower() in ("name", "key") and isinstance(each, str))
    return any(may_be_secret("x", name) for name in names)
