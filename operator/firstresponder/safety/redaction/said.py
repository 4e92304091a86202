"""Secrets that are mentioned in words or behind names of many meanings: where the value looks like no word.

Such a value holds digits among its letters, and it is no path, version, date or identifier that programs print.
"""

from __future__ import annotations

from typing import Any

import re2

from firstresponder.safety.redaction.rule import MARK, Rule
from firstresponder.safety.redaction.words import BARE, KEY, OBJECT_NAME, QUOTED, SIGN, WORD, is_mixed, is_no_secret

_VALUE = rf"(?P<value>{MARK}+|[\"'`]?{BARE}[\"'`]?)"
_CODES = r"(?:verification|security|one-time|login|confirmation|access|sms)[ -](?:code|password|pin|passcode)"

_NO_TOKEN = re2.compile(
    r"(?i)^(?:[./~].*|https?[:/].*|v?[0-9]+(?:[.,:/-][0-9]+)*[a-z%]*|0x[0-9a-f]+|.*[(){}\[\]=].*|[^0-9]*|[0-9]+-[a-z]+"
    r"|[0-9]{4}-[0-9]{2}.*|[0-9a-f]{8}-[0-9a-f]{4}-.*)$"
)
_ENDS = re2.compile(r"[&<]")
_TURNS = re2.compile(r"[A-Za-z][0-9]|[0-9][A-Za-z]|[a-z][A-Z]")


def _said(match: Any) -> str:
    """Without what ends a sentence, a field of a URL or an element around it."""
    value: str = match.group("value")
    said: str = _ENDS.split(value, 1)[0]
    return said.strip("\"'`.,;:!?)")


def _is_told(match: Any) -> bool:
    value = _said(match)
    key = match.group("key").lower()
    if len(value) < 6 or _NO_TOKEN.match(value) or is_no_secret(key, value):
        return False
    return not (key == "secret" and OBJECT_NAME.match(match.group("value")))


def _is_spoken(match: Any) -> bool:
    return _is_told(match) and "/" not in _said(match)


def _is_random(match: Any) -> bool:
    """Of small and capital letters and digits that come in turns, as no name does."""
    value: str = match.group("value")
    return is_mixed(value) and len(_TURNS.findall(value)) >= 3 and not value.startswith("AAAA")


RULES = (
    # the password is x, ENV DB_PASSWORD x, proxy_set_header X-Api-Key x
    Rule(
        rf"(?i)(?:^|[\s\"'(,>/:=&])(?P<key>[a-z0-9_.-]*{WORD}|otp)[\"']?[ \t]+"
        rf"(?:(?:is|was|to|as|value|->|[0-9])[ \t]+)?{_VALUE}",
        _is_told,
    ),
    # a temporary password is generated for root@localhost: x
    Rule(
        r"(?i)\b(?P<key>password|passphrase|secret|token)(?:[ \t]+is[ \t]+generated)?[ \t]+for[ \t]+\S+?"
        rf"(?:[ \t]+is)?:?[ \t]+(?P<value>{BARE})",
        _is_told,
    ),
    # ("X-Api-Key", "x"), define('DB_PASSWORD', 'x')
    Rule(rf"(?i)[\"'](?P<key>{KEY})[\"'],[ \t]*(?P<value>b?{QUOTED})", _is_told),
    # What protocols say: AUTH x, PASS x, a1 LOGIN bob x
    Rule(rf"(?:^|[\s\"'>:=])(?P<key>AUTH|PASS|LOGIN[ \t]+\S+)[\"']?[ \t]+{_VALUE}", _is_spoken),
    # STRIPE_KEY=x
    Rule(rf"\b(?P<key>[A-Z0-9_]+_(?:KEY|AUTH|PAT))[\"']?{SIGN}[ \t]*{_VALUE}", _is_told),
    # A code of some digits is one by what is said of it.
    Rule(rf"(?i)\b(?:otp|{_CODES})(?:[ \t]+is|:|[ \t]+for[ \t]+\S+[ \t]+is)?[ \t]+([0-9]{{4,8}})\b"),
    # A word that many things are called by, and a value that chance alone makes.
    Rule(
        r"(?i)(?:\b|_)(?:auth|authtok|auth_?key|key|sid|session|seed|pat|hmac|salt|assertion|ticket|cookie|code)[\"']?"
        rf"{SIGN}[ \t]*[\"']?(?P<value>[A-Za-z0-9_+/=.~%-]{{16,}})",
        _is_random,
    ),
)
