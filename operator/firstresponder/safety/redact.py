"""Secrets and personal data out of text that is shown.

Every pattern runs on RE2, whose time is linear in the text: hostile log lines cannot slow it down. It errs on
the side of hiding. Text is redacted whole and capped afterwards, or a cut secret would no longer be known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import re2

REDACTED = "[redacted]"

# Coloured log lines put an ANSI colour between a key and its value.
_COLOUR = r"(?:\x1b\[[0-9;]*m)*"
_GAP = rf"[ \t]*{_COLOUR}[ \t]*"
_SENSITIVE_WORD = (
    r"(?:password|passwd|passphrase|pwd|secret|token|credentials?|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|secret[_-]?key|session[_-]?id|signature)"
)
_QUOTED = r"\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'?"
_VALUE = rf"(?:{_COLOUR}(?:{_QUOTED}|[^\s\"']+))"

# Units such as getty@tty1.service look like e-mail addresses; nobody's address ends in these.
_UNIT_SUFFIXES = frozenset(
    {"service", "socket", "scope", "slice", "timer", "mount", "automount", "target", "device", "swap", "path"}
)


def _keep_first(match: Any) -> str:
    return f"{match.group(1)}{REDACTED}"


def _email(match: Any) -> str:
    text: str = match.group(0)
    return text if text.rpartition(".")[2] in _UNIT_SUFFIXES else REDACTED


def _card(match: Any) -> str:
    text: str = match.group(0)
    digits = [int(character) for character in text if character.isdigit()]
    return REDACTED if _passes_luhn(digits) else text


def _passes_luhn(digits: list[int]) -> bool:
    """The check digit that payment cards carry (ISO/IEC 7812-1)."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if index % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _everything(_: Any) -> str:
    return REDACTED


_RULES: tuple[tuple[Any, Callable[[Any], str]], ...] = tuple(
    (re2.compile(pattern), replace)
    for pattern, replace in (
        # A private key block, also when its end was cut off.
        (
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\z)",
            _everything,
        ),
        # One line of such a block, as a log shows it line by line; a path begins with a slash.
        (r"(?m:^)[ \t]*[A-Za-z0-9+][A-Za-z0-9+/]{59,}={0,2}[ \t]*(?m:$)", _everything),
        # The rest of an Authorization or Cookie header.
        (
            rf"(?i)(\b(?:proxy-)?authorization[\"']?{_GAP}[:=]{_GAP}|\b(?:set-)?cookie[\"']?{_GAP}:{_GAP})"
            r"(?:\"[^\"\r\n]*\"?|'[^'\r\n]*'?|[^\r\n]+)",
            _keep_first,
        ),
        (r"(?i)(\bbearer[ \t]+)[A-Za-z0-9._~+/=-]+", _keep_first),
        # scheme://user:password@host
        (r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/]*@", lambda match: f"{match.group(1)}{REDACTED}@"),
        # key=value, key: value, "key": "value"
        (rf"(?i)([a-z0-9_.-]*{_SENSITIVE_WORD}[a-z0-9_-]*[\"']?{_GAP}(?:=>|:=|[=:]){_GAP}){_VALUE}", _keep_first),
        # --password value
        (rf"(?i)(--?[a-z0-9-]*{_SENSITIVE_WORD}[ \t]+){_VALUE}", _keep_first),
        # JSON Web Tokens (RFC 7519): the header always begins with {"
        (r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)*", _everything),
        # Keys that cloud and forge vendors mark by a prefix.
        (r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{16}\b", _everything),
        (r"\bAIza[A-Za-z0-9_-]{35}", _everything),
        (r"\bya29\.[A-Za-z0-9_-]{20,}", _everything),
        (r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|glpat-[A-Za-z0-9_-]{20,})", _everything),
        (r"\b(?:xox[abeoprs]-[A-Za-z0-9-]{10,}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,})", _everything),
        (r"[\pL\pN._%+-]+@[\pL\pN-]+(?:\.[\pL\pN-]+)+", _email),
        # Payment cards begin with 2 to 6 and have 13 to 19 digits.
        (r"\b[2-6](?:[ -]?[0-9]){12,18}\b", _card),
    )
)


def redact(text: str) -> str:
    """The text with secrets and personal data replaced by ``[redacted]``; what named them stays.

    Known: values of keys such as password, token, secret or api_key; Authorization and Cookie headers; bearer
    and JSON Web Tokens; private keys; well-known cloud and forge keys; user and password in URLs; e-mail
    addresses; payment card numbers.
    """
    text = text.encode("utf-8", "replace").decode()  # RE2 reads UTF-8, which has no half surrogate pairs
    for pattern, replace in _RULES:
        text = pattern.sub(replace, text)
    return text
