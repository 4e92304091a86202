"""The one place that everything seen on a host passes before it is stored, evaluated or shown.

A value that could be a secret is withheld, whatever its key or its context says of it, and characters that a
terminal or a parser obeys are written out. What is withheld leaves a mark in its place, so that a value with a part
missing is never taken for one that is whole: expressions answer no question about the presence, size or equality of
what holds a mark (:mod:`firstresponder.expressions.scope`). The marks are plain text, so they survive being stored,
replayed and copied into a test; a host that prints one itself only makes its own value unknown.
"""

from __future__ import annotations

from typing import Any

from firstresponder.safety.neutralise import neutralise
from firstresponder.safety.redact import REDACTED, may_be_secret, redact

LEFT_OUT = "[left out]"
"""Stands for a value that is no secret and still cannot be kept: a number that is not exact, one nested too deeply."""
MAX_NUMBER = 2.0**53
"""Numbers beyond are not exact as the doubles that expressions use (RFC 8259, section 6)."""
_DEPTH_LIMIT = 16


def is_withheld(text: str) -> bool:
    """Whether the text stands for what was withheld, or had a part of it withheld."""
    return REDACTED in text or text == LEFT_OUT


def has_withheld(value: Any) -> bool:
    """Whether anything in a value of JSON was withheld."""
    match value:
        case str():
            return is_withheld(value)
        case list():
            return any(map(has_withheld, value))
        case dict():
            return any(is_withheld(key) or has_withheld(each) for key, each in value.items())
    return False


def publishable(value: Any, key: str = "", depth: int = _DEPTH_LIMIT) -> Any:
    """A value of JSON as it may be stored, evaluated and shown; ``key`` is what it stands under.

    Null is left out of maps, as there is no null for expressions. Publishing twice changes nothing more.
    """
    match value:
        case str():
            return REDACTED if may_be_secret(value, key) else _plain(value)
        case dict() | list() if key and may_be_secret("x", key):
            return REDACTED  # whatever stands below it
        case dict() if depth:
            return _map(value, depth)
        case list() if depth:
            if _is_secret_together(value):
                return REDACTED
            elements = (publishable(each, key, depth - 1) for each in value)
            return [LEFT_OUT if each is None else each for each in elements]
        case bool() | None:
            return value
        case int() | float() if abs(value) <= MAX_NUMBER:
            return REDACTED if key and may_be_secret(str(value), key) else value
    return LEFT_OUT


def _map(value: dict[str, Any], depth: int) -> dict[str, Any]:
    secret = _names_a_secret(value)
    kept: dict[str, Any] = {}
    for key, each in value.items():
        if may_be_secret(key):
            kept[REDACTED] = REDACTED
        elif secret and key.lower() == "value":
            kept[key] = REDACTED
        elif (public := publishable(each, key, depth - 1)) is not None:
            name = _plain(key)
            kept[name] = LEFT_OUT if name in kept else public
    return kept


def _plain(text: str) -> str:
    # The longest escape has ten characters, so nothing is cut.
    return neutralise(text, 10 * len(text), lines=True)


def _names_a_secret(pair: dict[str, Any]) -> bool:
    """Whether it says what its value is, and that is a secret: {"name": "DB_PASSWORD", "value": …}."""
    names = (each for key, each in pair.items() if key.lower() in ("name", "key") and isinstance(each, str))
    return any(may_be_secret("x", name) for name in names)


def _is_secret_together(elements: list[Any]) -> bool:
    """Whether one element says what the next one is, as in an argv: ["--password", "hunter2"]."""
    texts = [each for each in elements if isinstance(each, str)]
    if len(texts) < 2:
        return False
    line = " ".join(" ".join(each.split()) for each in texts)
    return redact(line) != " ".join(" ".join(redact(each).split()) for each in texts)
