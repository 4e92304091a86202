"""Values that XML, SQL and lists of pairs keep next to what says that they are secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import re2

from firstresponder.safety.redaction.rule import Rule, Span
from firstresponder.safety.redaction.words import KEY, OBJECT_NAME, QUOTED, SIGN, VALUE, is_no_secret

_TAG = rf"<(?:[a-z0-9_.-]+:)?(?P<key>{KEY})(?:[ \t][^<>\n]*)?>"
_CONTENT = r"(?P<value><!\[CDATA\[[^\n]*?\]\]>|[^<\n]+)"
_ATTRIBUTE = rf"\b(?:name|key|id|type)=[\"'](?P<key>{KEY})[\"']"
_NAME = rf"(?:name|key)[\"']?{SIGN}[ \t]*[\"']?(?P<key>{KEY})[\"']?"
_OTHERS = r"[^{}\n]{0,80}"

_SPOKEN_OF = re2.compile(
    r"^(?::|[ \t]+(?:not|does|already|is|was|in|of|from|has|for|created|deleted|configured|unchanged)\b)"
)
_INSERT = re2.compile(rf"(?i)\binsert[ \t]+into\b[^()\n]*\([^()\n]*{KEY}[^()\n]*\)[ \t]*values[ \t]*([^\n;]*)")
_LITERAL = re2.compile(r"'(?:[^'\\\n]|\\.|'')*'?")


def _is_secret(match: Any) -> bool:
    return not is_no_secret(match.group("key"), match.group("value"))


def _is_quoted(match: Any) -> bool:
    """PASSWORD 'x', and not the name of an object: secret "db-credentials" not found."""
    key, value = match.group("key"), match.group("value")
    if _SPOKEN_OF.match(match.string[match.end() : match.end() + 16]) or is_no_secret(key, value):
        return False
    return not (key.lower().endswith("secret") and OBJECT_NAME.match(value))


def _inserted(text: str) -> Iterator[Span]:
    """All that is put into a table one of whose columns bears such a name."""
    for match in _INSERT.finditer(text):
        start = match.start(1)
        for literal in _LITERAL.finditer(match.group(1)):
            yield start + literal.start(), start + literal.end()


RULES = (
    # PASSWORD 'hunter2', PASSWORD('hunter2'), IDENTIFIED BY 'hunter2'
    Rule(
        r"(?i)\b(?P<key>[a-z_]*(?:password|passwd|passphrase|pwd|secret))"
        rf"(?:[ \t]+(?:to[ \t]+|is[ \t]+)?|[ \t]*\([ \t]*)(?P<value>N?{QUOTED})",
        _is_quoted,
    ),
    Rule(rf"(?i)\bidentified[ \t]+(?:with[ \t]+\S+[ \t]+)?(?:by|as)[ \t]+({QUOTED})"),
    Rule(r"(?i)\b(?:user|role|to)[ \t]+\S+[ \t]+identified[ \t]+by[ \t]+([^\s\"';]+)"),
    _inserted,
    # <password>hunter2</password>; a word in such brackets stands for something, unless a tag ends it
    Rule(rf"(?i)(?:(?m:^)|>)[ \t]*{_TAG}{_CONTENT}", _is_secret),
    Rule(rf"(?i){_TAG}{_CONTENT}</", _is_secret),
    # <entry key="db.password">hunter2</entry>, <input name="password" value="hunter2">
    Rule(rf"(?i){_ATTRIBUTE}(?:[^<>\n]*[^<>/\n])?>(?:<(?:value|string)>)?(?P<value>[^<\n]+)", _is_secret),
    Rule(rf"(?i){_ATTRIBUTE}[^<>\n]*[ \t]value=(?P<value>{QUOTED})", _is_secret),
    Rule(rf"(?i)\bvalue=(?P<value>{QUOTED})[^<>\n]*[ \t]{_ATTRIBUTE}", _is_secret),
    # <key>password</key><string>hunter2</string>
    Rule(rf"(?i)<(?:key|name)>(?P<key>{KEY})</(?:key|name)>\s*<(?:string|value)>(?P<value>[^<\n]+)", _is_secret),
    # "name": "DB_PASSWORD", "value": "hunter2"
    Rule(rf"(?i)\b{_NAME}(?:[, \t]*|,{_OTHERS},[ \t]*)[\"']?value[\"']?{SIGN}[ \t]*(?P<value>{VALUE})", _is_secret),
    Rule(rf"(?i)[\"']value[\"'][ \t]*:[ \t]*(?P<value>{QUOTED}),{_OTHERS}[\"']{_NAME}", _is_secret),
)
