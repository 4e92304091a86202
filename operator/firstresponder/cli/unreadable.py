"""Stored objects that this plugin cannot read: what is wrong with them, in words."""

from __future__ import annotations

from pydantic import ValidationError


def first_problem(error: ValidationError, *within: str) -> str:
    """``field: what is wrong`` of the first thing that does not fit; texts of others may be in it.

    ``within`` is the path of what was read, where that is a part of an object.
    """
    first = error.errors()[0]
    return f"{'.'.join(map(str, (*within, *first['loc'])))}: {first['msg']}"
