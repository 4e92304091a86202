"""Secrets that are known by their form: private keys, password hashes, tokens."""

from __future__ import annotations

from typing import Any

from firstresponder.safety.redaction.rule import BLANK, Rule, any_of
from firstresponder.safety.redaction.words import is_mixed

_HEXADECIMAL = frozenset("0123456789abcdef")
_DIGESTS = (64, 96, 128)  # in hexadecimal digits, of SHA-256, SHA-384 and SHA-512


def _is_base64(match: Any) -> bool:
    """A digest is so long and of these digits alone, a separator is all the same."""
    line: str = match.group(1)
    return len(set(line)) > 1 and not (len(line) in _DIGESTS and set(line) <= _HEXADECIMAL)


def _is_key_material(match: Any) -> bool:
    """Public keys begin with the length of their type, and are no secret."""
    text: str = match.group(1)
    return is_mixed(text) and not text.startswith("AAAA")


_END = r"-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----"

RULES = (
    # A private key block, also when its end was cut off.
    Rule(rf"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?:[^{BLANK}]*?{_END}|[A-Za-z0-9+/=\s\\:,.()@>|-]*)"),
    Rule(r"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----[^\x01]*?---- END SSH2 ENCRYPTED PRIVATE KEY ----"),
    # One line of such a block, as a log shows it line by line; a path begins with a slash.
    Rule(r"(?m:^)[ \t]*[+-]?[ \t]*([A-Za-z0-9+][A-Za-z0-9+/]{59,}={0,2})[ \t\r]*(?m:$)", _is_base64),
    Rule(r"[\s|>:]([A-Za-z0-9+][A-Za-z0-9+/]{59,}={0,2})[ \t\r]*(?m:$)", _is_key_material),
    Rule(r"[\"']((?:[A-Za-z0-9+/]{64}|[A-Za-z0-9+/]{70}|[A-Za-z0-9+/]{76}))[\"']", _is_key_material),
    # Password hashes (crypt(5) and what is like it), and those of frameworks and databases.
    Rule(
        r"(?:^|[^A-Za-z0-9_])(\$(?:[0-9][a-z]?|2[abxy]|g?y|apr1|md5|sha[0-9]{1,3}|argon2(?:id|i|d)|scrypt|s[0-9]"
        r"|pbkdf2[a-z0-9-]*|bcrypt[a-z0-9-]*|[PHSB]|krb5[a-z]*|ml|dcc2|NT)\$[A-Za-z0-9./+=,$*_-]{4,})"
    ),
    Rule(
        any_of(
            r"\{(?:S?SHA[0-9]*|S?MD5|CRYPT|PBKDF2[A-Z0-9-]*|ARGON2|NT|LANMAN|BLF-CRYPT|SHA[0-9]+-CRYPT)\}[A-Za-z0-9./+=$,*_-]+",
            r"\b(?:pbkdf2_[a-z0-9]+|scrypt|bcrypt(?:_[a-z0-9]+)?|argon2)\$[A-Za-z0-9./+=,$_-]+",
            r"\b(?:scrypt|pbkdf2)(?::[a-z0-9]+){1,4}\$[A-Za-z0-9./+=$_-]{8,}",
            r"\bSCRAM-SHA-(?:1|256|512)\$[0-9]+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=:]+",
            r"\bmd5[0-9a-f]{32}\b",
            r"\*[0-9A-F]{40}\b",
            r"\b[0-9a-fA-F]{32}:[0-9a-fA-F]{32}(?::::|\b)",
        )
    ),
    # JSON Web Tokens (RFC 7519): the header always begins with {"
    Rule(r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)*"),
)
