"""Values that a name before them marks as secret: of keys, headers, options and directives."""

from __future__ import annotations

from typing import Any

import re2

from firstresponder.safety.redaction.rule import Rule
from firstresponder.safety.redaction.words import (
    GAP,
    KEY,
    PLAIN_WORD,
    SHORT_WORD,
    SIGN,
    VALUE,
    WORD,
    is_no_secret,
    is_sentence,
)

# key=, "key":, [key] =>, "key";s:7: as PHP serializes it
_SEPARATOR = rf"(?:[\"'`]?{SIGN}|[\"'`]?\][ \t]*=>?|[\"'];s:[0-9]+:)"
_VALUE = rf"(?P<value>{VALUE})"
_HEADER = (
    rf"(?:(?:\b|_)authorization(?:[\"'`]?\]?{SIGN}|[\"'],)"
    r"|\b(?:set-|http_)?cookie2?(?:[\"'`]?\]?[ \t]*(?:=>|:)|[\"'],)|\bhttp_cookie=)"
)

_BEGINS_A_LINE = re2.compile(r"(?:^|\n)[ \t*|-]*[\"'`]?$")
_COUNTED = re2.compile(r"^[ \t]*:[ \t]+ok=[0-9]")
_COMPLAINS = re2.compile(r"(?i)(?:unexpected|expected|illegal|unrecognized|stream/)[ \t]*$")
_OPTION = re2.compile(r"^--?[a-zA-Z]?[a-z0-9-]*(?:=.*)?$")
# Words that stand at the beginning of a line of two words though it sets nothing: password reset, token bucket.
_ENGLISH = frozenset(
    "password passphrase secret token tokens credentials credential signature passcode pass".split()  # noqa: SIM905
)


def _is_secret(match: Any) -> bool:
    key, value, text = match.group("key"), match.group("value"), match.string
    if is_no_secret(key, value):
        return False
    before = text[max(0, match.start() - 24) : match.start()]
    if value.startswith("/") and before.endswith("/"):
        return False  # /etc/passwd:/etc/passwd
    rest = text[match.end() - len(value) : match.end() + 80].split("\n", 1)[0]
    if _BEGINS_A_LINE.search(before) and is_sentence(rest):
        return False
    # A host that is called password-db is no secret: "password-db : ok=3 changed=1". Nor is what a parser complains of.
    counted = _COUNTED.match(text[match.end(1) : match.end(1) + 40])
    return not counted and not (key.lower() == "token" and _COMPLAINS.search(before))


def _is_option(match: Any) -> bool:
    value = match.group("value")
    return not (_OPTION.match(value) or value.startswith("(") or is_no_secret(match.group("key"), value))


def _is_directive(match: Any) -> bool:
    key, value = match.group("key"), match.group("value")
    if key.lower() in _ENGLISH and PLAIN_WORD.match(value):
        return False
    return not is_no_secret(key, value)


def _is_header(match: Any) -> bool:
    return not is_no_secret("", match.group("value"))


def _is_bearer(match: Any) -> bool:
    value = match.group("value")
    return len(value) >= 24 or not PLAIN_WORD.match(value)


RULES = (
    # The rest of an Authorization or Cookie header.
    Rule(rf"(?i){_HEADER}[ \t]*(?P<value>\"(?:[^\"\\\r\n]|\\.)*\"?|'[^'\r\n]*'?|[^\r\n]+)", _is_header),
    Rule(
        r"(?i)\b(?:bearer|negotiate|ntlm|ssws|apikey)[ \t]+(?P<value>[A-Za-z0-9._~+/-][A-Za-z0-9._~+/=-]*)", _is_bearer
    ),
    # key=value, key: value, "key": "value"
    Rule(rf"(?i)(?P<key>{KEY}){_SEPARATOR}[ \t]*{_VALUE}", _is_secret),
    # --password value
    Rule(rf"(?i)(?:^|[\s\"'\[(\x00])--?(?P<key>[a-z0-9-]*{WORD}[a-z0-9-]*){GAP}{_VALUE}", _is_option),
    Rule(rf"(?i)[\s\"'\x00]--?(?P<key>(?:[a-z0-9-]*-)?{SHORT_WORD}){GAP}{_VALUE}", _is_option),
    # The directive of a configuration file: a line of two words.
    Rule(rf"(?m:^)[ \t]*(?P<key>[a-z0-9_.-]*{WORD})[ \t]+{_VALUE};?[ \t]*(?m:$)", _is_directive),
    Rule(r"(?m:^)[ \t]*(?P<key>(?:[a-z0-9-]*_)?pass)[ \t]+(?P<value>[^\s:/;]+);?[ \t]*(?m:$)", _is_directive),
    # user bob password hunter2, as in .netrc; username bob secret 5 x, as in a router's configuration
    Rule(
        r"(?i)\b(?:login|user|username)[ \t]+\S+[ \t]+(?P<key>[a-z-]*(?:password|secret))[ \t]+(?:[0-9][ \t]+)?"
        rf"{_VALUE}",
        _is_option,
    ),
    # A short number is one by its name alone: "pin": 4711
    Rule(r"(?i)\b(?:card_pin|user_pin|pin[_ -]?(?:code|number))[\"']?[ \t]*[=:][ \t]*[\"']?([0-9]{4,8})\b"),
)
