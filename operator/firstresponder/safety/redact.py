"""Secrets and personal data out of text that is shown.

Every pattern runs on RE2, whose time is linear in the text: hostile log lines cannot slow it down. It errs on
the side of hiding. Text is redacted whole and capped afterwards, or a cut secret would no longer be known. Lines stay
lines: what is hidden over several of them is hidden in each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import re2

REDACTED = "[redacted]"

# Coloured log lines put an ANSI colour between a key and its value.
_COLOUR = r"(?:\x1b\[[0-9;]*m)*"
_GAP = rf"[ \t]*{_COLOUR}[ \t]*"
# Anywhere in a key: userPasswordFile, X-Api-Key.
_WORD = (
    r"(?:password|passwd|passphrase|passcode|pwd|secret|token|credentials?|api[_-]?key|access[_-]?key"
    r"|private[_-]?key|secret[_-]?key|(?:auth|account|encryption|master|pre-?shared|signing)[_-]?key"
    r"|session[_-]?id|signature|(?:require|key|store|trust)pass|masterauth|(?:bind|root)pw)"
)
# Only as a word of its own at the end of a key, or passive, compass and bypass would be secrets: DB_PASS, wpa_psk.
_SHORT_WORD = r"(?:pass|psk|pw)"
_KEY = (
    rf"(?:[a-z0-9_.-]*{_WORD}[a-z0-9_-]*|\b(?:[a-z0-9_.-]*[_.-])?{_SHORT_WORD}"
    r"|\b[a-z0-9_.-]*(?-i:[a-z0-9](?:Pass|Psk|Pw)))"
)
_SIGN = rf"{_GAP}(?:=>|:=|[=:])"
_SEPARATOR = rf"[\"']?{_SIGN}"
_QUOTED = r"\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'?"
_VALUE = rf"(?:{_COLOUR}(?:{_QUOTED}|[^\s\"']+))"

# A line whose value, if it has one, is all that follows, and may go on below: password: |
_KEY_LINE = re2.compile(rf"(?i)^([ \t]*(?:-[ \t]+)?(?:export[ \t]+)?(?:{_KEY}|\"{_KEY}\"|'{_KEY}'){_SIGN}{_GAP})(.*)$")
_OPEN_TAG_LINE = re2.compile(rf"(?i)^([ \t]*<[a-z0-9_.:-]*{_KEY}[a-z0-9_.:-]*(?:[ \t][^<>]*)?>)()[ \t]*$")
# What a name tells is beside it: {name: DB_PASSWORD, value: …}, in YAML and JSON often on the next line.
_NAME_LINE = re2.compile(r"(?i)^[ \t]*(?:-[ \t]+)?[\"']?(?:name|key)[\"']?[ \t]*[=:]")
_SENSITIVE_NAME_LINE = re2.compile(
    rf"(?i)^[ \t]*(?:-[ \t]+)?[\"']?(?:name|key)[\"']?[ \t]*[=:][ \t]*[\"']?{_KEY}[\"']?[ \t]*,?[ \t]*$"
)
_VALUE_LINE = re2.compile(r"(?i)^([ \t]*(?:-[ \t]+)?[\"']?value[\"']?[ \t]*[=:][ \t]*)(.*)$")
_LEADING = re2.compile(r"^[ \t]*(?:-[ \t]+)?")
# A host that is called password-db is no secret: "password-db : ok=3 changed=1".
_RECAP_LINE = re2.compile(r"^\S+[ \t]*:[ \t]+ok=[0-9]+(?:[ \t]+[a-z]+=[0-9]+)+[ \t]*$")
# Nor is what an exception says: com.shop.InvalidTokenException: no such session
_EXCEPTION_LINE = re2.compile(r"^[ \t]*[A-Za-z0-9_.$]*(?:Exception|Error):")
_COUNTED = re2.compile(r":[ \t]+ok=[0-9]+$")

# Units such as getty@tty1.service look like e-mail addresses; nobody's address ends in these.
_UNIT_SUFFIXES = frozenset(
    {"service", "socket", "scope", "slice", "timer", "mount", "automount", "target", "device", "swap", "path"}
)


def _keep_first(match: Any) -> str:
    return f"{match.group(1)}{REDACTED}"


def _keep_key(match: Any) -> str:
    text: str = match.group(0)
    return text if _COUNTED.search(text) else _keep_first(match)


def _keep_ends(match: Any) -> str:
    return f"{match.group(1)}{REDACTED}{match.group(2)}"


def _each_line(match: Any) -> str:
    text: str = match.group(0)
    return "\n".join(REDACTED for _ in text.split("\n"))


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
            _each_line,
        ),
        # One line of such a block, as a log shows it line by line; a path begins with a slash.
        (r"(?m:^)([ \t]*[+-]?[ \t]*)[A-Za-z0-9+][A-Za-z0-9+/]{59,}={0,2}[ \t]*(?m:$)", _keep_first),
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
        (rf"(?i)({_KEY}{_SEPARATOR}{_GAP}){_VALUE}", _keep_key),
        # --password value
        (rf"(?i)(--?[a-z0-9-]*{_WORD}[ \t]+){_VALUE}", _keep_first),
        (rf"(?i)([ \t]--?(?:[a-z0-9-]*-)?{_SHORT_WORD}[ \t]+){_VALUE}", _keep_first),
        # The directive of a configuration file: a line of two words.
        (rf"(?m:^)([ \t]*[a-z0-9_.-]*{_WORD}[ \t]+){_VALUE}(;?[ \t]*(?m:$))", _keep_ends),
        (r"(?m:^)([ \t]*(?:[a-z0-9-]*_)?pass[ \t]+)[^\s:/;]+(;?[ \t]*(?m:$))", _keep_ends),
        # user bob password hunter2, as in .netrc
        (rf"(?i)(\b(?:login|user)[ \t]+\S+[ \t]+[a-z-]*password[ \t]+){_VALUE}", _keep_first),
        # PASSWORD 'hunter2', PASSWORD('hunter2'), IDENTIFIED BY 'hunter2'
        (
            rf"(?i)(\b[a-z_]*(?:password|passwd|passphrase|pwd|secret)(?:[ \t]+|[ \t]*\([ \t]*))(?:{_QUOTED})",
            _keep_first,
        ),
        (rf"(?i)(\bidentified[ \t]+(?:with[ \t]+\S+[ \t]+)?(?:by|as)[ \t]+)(?:{_QUOTED})", _keep_first),
        # <password>hunter2</password>, <entry key="db.password">hunter2</entry>
        (rf"(?i)(<(?:[a-z0-9_.-]+:)?{_KEY}(?:[ \t][^<>\n]*)?>)(?:<!\[CDATA\[[^\n]*?\]\]>|[^<\n]+)", _keep_first),
        (rf"(?i)(\b(?:name|key|id)=[\"']{_KEY}[\"'][^<>\n]*>)[^<\n]+", _keep_first),
        # "name": "DB_PASSWORD", "value": "hunter2"
        (
            rf"(?i)(\b(?:name|key)[\"']?[ \t]*[=:][ \t]*[\"']?{_KEY}[\"']?[, \t]*"
            rf"[\"']?value[\"']?[ \t]*[=:][ \t]*){_VALUE}",
            _keep_first,
        ),
        # Password hashes (crypt(5) and what is like it), and those of /etc/shadow without a sign.
        (r"\$[a-zA-Z0-9][a-zA-Z0-9_-]{0,30}\$[A-Za-z0-9./+=,$*_-]{4,}", _everything),
        (r"\{(?:S?SHA[0-9]*|S?MD5|CRYPT|PBKDF2[A-Z0-9-]*|ARGON2)\}[A-Za-z0-9./+=$,*_-]+", _everything),
        (r"\b(?:pbkdf2_[a-z0-9]+|scrypt|bcrypt(?:_[a-z0-9]+)?|argon2)\$[A-Za-z0-9./+=,$_-]+", _everything),
        (r"((?m:^)[+-]?[a-z_][a-z0-9_.-]*:)[^:\s]{13,}(:[0-9]*:[0-9]*:[0-9]*:)", _keep_ends),
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
    """The text with secrets and personal data replaced by ``[redacted]``; what named them stays, and so do lines.

    Known: values of keys such as password, token, secret or api_key, also on the lines below; Authorization and
    Cookie headers; bearer and JSON Web Tokens; private keys; password hashes; passwords in SQL, XML and directives;
    well-known cloud and forge keys; user and password in URLs; e-mail addresses; payment card numbers.
    """
    text = text.encode("utf-8", "replace").decode()  # RE2 reads UTF-8, which has no half surrogate pairs
    for pattern, replace in _RULES:
        text = pattern.sub(replace, text)
    return "\n".join(_without_values(text.split("\n")))


def may_be_secret(text: str, key: str | None = None) -> bool:
    """Whether a text may not be kept: for what it is, or for what the key before it tells."""
    return redact(text) != text or (key is not None and redact(f"{key}={text}") != f"{key}={text}")


def _without_values(lines: list[str]) -> list[str]:
    """Line by line: the rest of a line that begins with a secret's key, what is indented below it, and the value of
    what a line before gave such a name."""
    found: list[str] = []
    below: int | None = None  # the column of the key whose value goes on below
    items = False  # whether a list in that same column belongs to it
    named: int | None = None  # the column of a name that says secret
    for line in lines:
        if below is None and named is None and not (":" in line or "=" in line or "<" in line):
            found.append(line)  # most lines are none of this
            continue
        stripped = line.strip(" \t\r")
        column = len(_LEADING.match(line).group(0))
        margin = len(line) - len(line.lstrip(" \t"))
        if below is not None and stripped:
            if margin > below or (items and margin == below and stripped.startswith("-")):
                found.append(line[:margin] + REDACTED)
                continue
            below = None
        if named is not None and stripped and (column < named or _NAME_LINE.match(line)):
            named = None
        if _SENSITIVE_NAME_LINE.match(line):
            named = column
        ordinary = _RECAP_LINE.match(line) or _EXCEPTION_LINE.match(line)
        match = None if ordinary else _KEY_LINE.match(line) or _OPEN_TAG_LINE.match(line)
        if match is None and named is not None:
            match = _VALUE_LINE.match(line)
        if match is None:
            found.append(line)
            continue
        key, value = match.group(1), match.group(2)
        below, items = column, not value.strip()
        found.append(line if items else key + REDACTED)
    return found
