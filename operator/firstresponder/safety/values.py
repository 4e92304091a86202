"""Values as people write them."""

from __future__ import annotations

from typing import Any

from firstresponder.safety.neutralise import shown


def format_number(number: float) -> str:
    """A number for reading: 97.0 is 97, 12.345 is 12.3, 0.0432 is 0.0432; never more digits than matter."""
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    if 10 <= abs(number) < 1e15:
        return f"{number:.1f}".removesuffix(".0")
    return f"{number:.3g}"


def format_value(value: Any, limit: int) -> str:
    """A known value as one line of harmless text, without secrets, of at most ``limit`` characters."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return format_number(value)
        case str():
            return shown(value, limit)
        case list():
            return shown(f"[{', '.join(_inner(each, limit) for each in value[:limit])}]", limit)
    return shown("{" + ", ".join(f"{key}: {_inner(each, limit)}" for key, each in value.items()) + "}", limit)


def _inner(value: Any, limit: int) -> str:
    """Within a list or a map, where an empty text would be a gap."""
    return '""' if value == "" else format_value(value, limit)
