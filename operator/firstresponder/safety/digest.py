"""One digest for one meaning: sha256 over the canonical JSON of RFC 8785.

Only values whose canonical form every implementation agrees on are allowed: strings, integers, booleans,
maps and lists. A number with a fraction or a null is refused rather than written in some form, because a
packet's digest is recomputed by other programs (the approver's plugin, the operator after a restart).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import rfc8785

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON implementation reads back exactly (RFC 7493, section 2.2)."""


def canonical(value: Any) -> bytes:
    """The canonical JSON (RFC 8785) of a value made of strings, integers, booleans, maps and lists.

    Raises ValueError with the path of the first part that is none of these.
    """
    _check(value, "value")
    return rfc8785.dumps(value)


def sha256_digest(value: Any) -> str:
    """``sha256:`` and the lower-case hex digest of the value's canonical JSON. Raises ValueError as above."""
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()


def _check(value: Any, path: str) -> None:
    match value:
        case str():
            if not _is_unicode(value):
                raise ValueError(f"{path} holds half a surrogate pair, which has no UTF-8 form")
        case bool():
            pass
        case int():
            if abs(value) > MAX_INTEGER:
                raise ValueError(f"{path} is {value}, beyond the integers that JSON keeps exact (±(2^53 - 1))")
        case Mapping():
            for key, each in value.items():
                if not isinstance(key, str):
                    raise ValueError(f"{path} has the key {key!r}: keys are strings")
                _check(key, f"{path}.{key!r}")
                _check(each, f"{path}.{key}")
        case list() | tuple():
            for index, each in enumerate(value):
                _check(each, f"{path}[{index}]")
        case _:
            raise ValueError(
                f"{path} is {value!r} ({type(value).__name__}): what is digested holds only strings, integers, "
                "booleans, maps and lists; write a fraction as a string and leave out what is absent"
            )


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
