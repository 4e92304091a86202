"""Values that go on in a line, or on the lines below what names them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import re2

from firstresponder.safety.redaction.rule import Span
from firstresponder.safety.redaction.words import KEY, SIGN, WORD, is_no_secret, is_sentence

_KEYS = re2.compile(rf"(?i){KEY}")
# A line whose value, if it has one, is all that follows, and may go on below: password: |
_KEY_LINE = re2.compile(
    rf"(?i)^([ \t]*(?:-[ \t]+)?(?:export[ \t]+)?(?:(?P<key>{KEY})|[\"'](?P<quoted>{KEY})[\"']){SIGN}[ \t]*)"
    r"(?P<value>.*)$"
)
_OPEN_TAG_LINE = re2.compile(
    rf"(?i)^([ \t]*<[a-z0-9_.:-]*(?P<key>{KEY})[a-z0-9_.:-]*(?:[ \t][^<>]*)?>)(?P<value>)[ \t]*$"
)
# What a name says is next to it: {name: DB_PASSWORD, value: …}, in YAML and JSON often on the next line.
_NAME_LINE = re2.compile(r"(?i)^[ \t]*(?:-[ \t]+)?[\"']?(?:name|key)[\"']?[ \t]*[=:]")
_SENSITIVE_NAME_LINE = re2.compile(
    rf"(?i)^[ \t]*(?:-[ \t]+)?[\"']?(?:name|key)[\"']?[ \t]*[=:][ \t]*[\"']?{KEY}[\"']?[ \t]*,?[ \t]*$"
)
_VALUE_LINE = re2.compile(r"(?i)^([ \t]*(?:-[ \t]+)?[\"']?value[\"']?[ \t]*[=:][ \t]*)(?P<value>.*)$")
# An argument by itself, whose value is the next one: - --password
_OPTION_LINE = re2.compile(rf"(?i)^[ \t]*(?:-[ \t]+)?[\"']?--?[a-z0-9-]*{WORD}[\"']?,?[ \t]*$")
_LEADING = re2.compile(r"^[ \t]*(?:-[ \t]+)?")
# A host that is called password-db is no secret: "password-db : ok=3 changed=1".
_RECAP_LINE = re2.compile(r"^\S+[ \t]*:[ \t]+ok=[0-9]+(?:[ \t]+[a-z]+=[0-9]+)+[ \t]*$")
# Nor is what an exception says: com.shop.InvalidTokenException: no such session
_EXCEPTION_LINE = re2.compile(r"^[ \t]*[A-Za-z0-9_.$]*(?:Exception|Error):")
# What Kubernetes and Compose say of a secret, which is not what it holds.
_REFERENCE_LINE = re2.compile(
    r"^[ \t]*(?:-[ \t]+)?[\"']?"
    r"(?:(?:secret)?[nN]ame|key|optional|namespace|defaultMode|items|path|mode|external|file)[\"']?:"
)
_REFERRING = re2.compile(r"(?i)(?:secrets?|secret[_-]?(?:key)?ref|credentials)$")
_OPENERS = ("", "[", "(", "{")


def hidden_in_lines(text: str) -> Iterator[Span]:
    """The rest of a line that begins with a secret's key, what is indented below it, and the value of what a line
    before gave such a name."""
    below: int | None = None  # the column of the key whose value goes on below
    items = False  # whether a list in that same column belongs to it
    referring = False  # whether its key may only name where the secret is
    named: int | None = None  # the column of a name that says secret
    argued = False  # whether the line before was an option that takes one
    keys = _KEYS.finditer(text)
    end = -1
    while end < len(text):
        start = end + 1
        if below is None and named is None and not argued:
            key = next((each.start() for each in keys if each.start() >= start), None)
            if key is None:
                return  # most lines are none of this
            start = text.rfind("\n", 0, key) + 1
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end]
        stripped = line.strip(" \t\r")
        column = len(_LEADING.match(line).group(0))
        margin = len(line) - len(line.lstrip(" \t"))
        if below is not None and stripped:
            if margin > below or (items and margin == below and stripped.startswith("-")):
                if not (referring and _REFERENCE_LINE.match(line)):
                    yield start + margin, end
                continue
            below = None
        if named is not None and stripped and (column < named or _NAME_LINE.match(line)):
            named = None
        if argued and stripped:
            argued = False
            yield start + column, end
            continue
        argued = argued or bool("--" in line and _OPTION_LINE.match(line))
        if _SENSITIVE_NAME_LINE.match(line):
            named = column
        match = None if _says_something(line) else _KEY_LINE.match(line) or _OPEN_TAG_LINE.match(line)
        key = _key_of(match)
        if match is None and named is not None:
            match = _VALUE_LINE.match(line)
        if match is None:
            continue
        value = match.group("value").strip()
        if value not in _OPENERS and (_is_no_secret(key, value) or is_sentence(value)):
            continue
        below, items = column, value in _OPENERS
        referring = bool(_REFERRING.search(key))
        if not items:
            yield end - len(match.group("value")), end


def _key_of(match: Any) -> str:
    return next((each for each in (match.groups()[1:-1] if match else ()) if each), "")


def _is_no_secret(key: str, value: str) -> bool:
    first, _, rest = value.partition(" ")
    return is_no_secret(key, value) or (
        is_no_secret(key, first) and ("=" in rest or rest.startswith("#") or first == "#")
    )


def _says_something(line: str) -> bool:
    return bool(_RECAP_LINE.match(line) or _EXCEPTION_LINE.match(line))
