"""Templates: text with ``$(path)`` in it, replaced by the value at that path of a scope.

One pass: what was put in is never looked at again, so a value that contains ``$(…)`` stays text. ``$$(`` stands
for a plain ``$(``, as in Kubernetes' own ``$(VAR)``.

An IPv6 address that becomes the host of a URL (it stands right behind ``://``) is put in brackets, as RFC 3986
wants it: only here it is known where the address ends and a port begins.

Two renderings, for two purposes. A text is for people: a missing value is ``?`` and values are neutralised.
An argument reaches a host or a playbook: a missing value, and every value whose source is not allowed, stops it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from ipaddress import IPv6Address
from typing import Any

from firstresponder.expressions.scope import Scope
from firstresponder.safety.values import format_value

MISSING = "?"
VALUE_LIMIT = 256
"""Characters that one value may take in a text."""

_REFERENCE = re.compile(r"\$\$\(|\$\(([^()]*)\)?")
_PATH = re.compile(r"[A-Za-z][A-Za-z0-9]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


class TemplateError(ValueError):
    """A template that cannot be used: what is wrong, and the path it is about."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


class MissingValue(TemplateError):
    """An argument needs a value that is not known."""

    def __init__(self, path: str) -> None:
        super().__init__(path, f"$({path}) is not known")


class ForbiddenValue(TemplateError):
    """An argument would take a value from where arguments may not come, or one that is no plain text or number."""


def template_references(template: str) -> frozenset[str]:
    """The dotted paths that a template uses. Raises TemplateError when a ``$(`` is not followed by a path."""
    return frozenset(_path(match) for match in _REFERENCE.finditer(template) if match[0] != "$$(")


def render_text(template: str, scope: Scope, missing: Callable[[str], str] = lambda _: MISSING) -> str:
    """The template as people read it; ``missing`` says what stands for a path whose value is not known.

    Raises TemplateError as :func:`template_references` does.
    """

    def text(path: str) -> str:
        value = scope.lookup(path)
        return missing(path) if value is None else format_value(value, VALUE_LIMIT)

    return _substitute(template, text)


def render_argument(template: str, scope: Scope, allowed_roots: Collection[str]) -> str:
    """The template as an argument, each value exactly as it is.

    ``allowed_roots`` are the names whose values may become arguments: parameters, the incident's spec, variables
    free of evidence, and a number from evidence once it has been checked and bound to a name of its own.

    Raises MissingValue where nothing is known, ForbiddenValue for any other name and for a value that is a list,
    a map or text with control characters, TemplateError as above.
    """

    def argument(path: str) -> str:
        if path.partition(".")[0] not in allowed_roots:
            raise ForbiddenValue(path, f"$({path}) comes from evidence or another source that no argument may use")
        value = scope.lookup(path)
        if value is None:
            raise MissingValue(path)
        return _argument(path, value)

    return _substitute(template, argument)


def _argument(path: str, value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case str() if value.isprintable():
            return value
        case str():
            raise ForbiddenValue(path, f"$({path}) holds control or invisible characters")
    raise ForbiddenValue(path, f"$({path}) is a list or a map; an argument is one text or number")


def _substitute(template: str, value: Callable[[str], str]) -> str:
    def filled(match: re.Match[str]) -> str:
        if match[0] == "$$(":
            return "$("
        text = value(_path(match))
        is_host = template.endswith("://", 0, match.start())
        return f"[{text}]" if is_host and _is_ipv6(text) else text

    return _REFERENCE.sub(filled, template)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _path(match: re.Match[str]) -> str:
    path: str = match[1]
    if not match[0].endswith(")") or not _PATH.fullmatch(path):
        raise TemplateError(path, f"{match[0]!r} is not a reference such as $(service); write $$( for a plain $(")
    return path
