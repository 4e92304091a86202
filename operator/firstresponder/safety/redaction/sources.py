"""Passwords in the names of data sources and in files with fields of their own."""

from __future__ import annotations

from typing import Any

import re2

from firstresponder.safety.redaction.rule import BLANK, Rule
from firstresponder.safety.redaction.words import is_no_secret

_START = rf"(?:^|[\s\"'=({BLANK}>])"
_USER = r"[A-Za-z0-9_.-]+"
_HOST = r"(?:[A-Za-z0-9.-]+:[0-9]{2,5}|localhost|[0-9]+(?:\.[0-9]+){3})"
_NAME_OF_A_SERVICE = re2.compile(r"^[A-Za-z_.-]+$")
_PORT = re2.compile(r"^[^:]*:[0-9]{1,5}/")


def _is_a_login(match: Any) -> bool:
    """Whether what stands before the @ of a URL lets in: actors and services are addressed like that too."""
    scheme, user = match.group("key").lower(), match.group("user")
    if ":" in user or scheme.startswith(("http", "ftp")):
        return not _PORT.match(user)
    return not _NAME_OF_A_SERVICE.match(user)


def _is_of_a_host(match: Any) -> bool:
    """Digests of images are written like that: nginx:1.25@sha256:…"""
    return not match.group("key").startswith(("sha256:", "sha512:")) and not is_no_secret("", match.group(1))


def _names_a_host(match: Any) -> bool:
    host = match.group("key").partition(":")[0]
    return host.count(".") == 3 or any(each.isalpha() or each == "*" for each in host)


# scheme://user:password@host
URLS = (
    Rule(r"(?i)\b(?P<key>[a-z][a-z0-9+.-]*)://(?P<user>[^\s/\"'<>`]*)@", _is_a_login),
    Rule(r"(?i)\b(?P<key>[a-z][a-z0-9+.-]*)://(?P<user>[^\s/@:\"'<>`]*:[^\s@\"'<>`]+)@", _is_a_login),
)
RULES = (
    # user:password@tcp(host)/name, user:password@host:5432
    Rule(rf"\b{_USER}:([^\s:@/\"']+)@(?:tcp|unix)?\(?[A-Za-z0-9_./-]+(?::[0-9]{{2,5}})?\)?/[A-Za-z0-9_-]"),
    Rule(rf"{_START}{_USER}:([^\s:@/\"'<>]{{3,}})@(?P<key>{_HOST})\b", _is_of_a_host),
    Rule(rf"{_START}{_USER}:([^\s:@/\"'<>]{{3,}}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[a-z]{{2,}})\b"),
    # jdbc:oracle:thin:user/password@host
    Rule(r"\b(?:thin|oci):[A-Za-z0-9_$#]+/([^\s/@\"']+)@"),
    # host:port:database:user:password, a line of .pgpass
    Rule(
        r"(?:(?m:^)|[\s\"'=])(?P<key>[A-Za-z0-9_.*-]+:(?:[0-9]{2,5}|\*):[A-Za-z0-9_.*-]+:[A-Za-z_*][A-Za-z0-9_.*-]*:)"
        r"((?:[^\s:\"'\\]|\\.)+)(?:(?m:$)|[\s\"'])",
        _names_a_host,
    ),
    # name:hash:…, a line of /etc/shadow
    Rule(r"(?m:^)[+-]?[a-z_][a-z0-9_.-]*:([^:\s]{13,}):[0-9]*:[0-9]*:[0-9]*:"),
    # WIFI:S:name;T:WPA;P:password;; as a QR code has it
    Rule(r"\bWIFI:(?:[^\n]*;)?P:([^;\n]+)"),
)
