"""Passwords that programs take in short options or in places of their own."""

from __future__ import annotations

from typing import Any

import re2

from firstresponder.safety.redaction.rule import Rule, any_of
from firstresponder.safety.redaction.words import ARGUMENT, GAP, QUOTED, is_no_secret

_START = r"(?:^|[\s\"'/\[(\x00;|&`$=:>@])"
_REST = r"[^|;&\n]*?"
_NEXT = rf"{GAP}({ARGUMENT})"
_NEXT_OR_JOINED = rf"(?:{GAP})?({ARGUMENT})"
_EQUALS = rf"(?:{GAP}|=)"

# The program, and what of its arguments a password follows.
_OPTIONS = (
    (
        r"mysql|mysqldump|mysqladmin|mysqlimport|mysqlcheck|mariadb|mariadb-[a-z]+|mycli",
        rf"-p([^\s\"',\x00-][^\s\x00]*|{QUOTED})",
    ),
    (r"redis-cli|valkey-cli|redis-benchmark|keydb-cli", rf"(?:-a|--pass){_NEXT}"),
    (r"curl|wget|https?|xh", rf"(?:-u|-a|--user|--proxy-user|--auth){_EQUALS}?[\"']?[^\s:\"'\x00]*:([^\s\"'\x00]+)"),
    (r"curl|wget", rf"(?:-b|--cookie){GAP}[\"']?[^\s=\"']+=([^\s\"']+)"),
    (r"smbclient|mount|net|rpcclient|winexe|smbget|smbmap|wmic", rf"-U{_EQUALS}?[\"']?[^\s%\"'\x00]+%([^\s\"'\x00]+)"),
    (r"ldap(?:search|modify|add|delete|whoami|passwd|compare)", rf"-w{_NEXT_OR_JOINED}"),
    (r"mongo|mongosh|mongo(?:dump|restore|export|import)|cqlsh|isql|beeline", rf"-p{_NEXT_OR_JOINED}"),
    (r"sqlcmd|bcp|ipmitool|mosquitto_(?:pub|sub)|zip|unzip|osql|zipcloak|tsql", rf"-P{_NEXT_OR_JOINED}"),
    (
        r"docker|podman|nerdctl|helm|oc|az|buildah|skopeo|cf|ibmcloud|oras|crane",
        rf"login\b{_REST}{GAP}[\"']?-p{_NEXT}",
    ),
    (
        r"skopeo|crictl|ctr|buildah|podman|oras|crane|etcdctl",
        rf"--(?:src-|dest-)?(?:creds|user){_EQUALS}[^\s:]+:({ARGUMENT})",
    ),
    (r"crackmapexec|nxc|evil-winrm|hydra|ncftp(?:get|put|ls)?", rf"-p{_NEXT}"),
    (r"7za?|7zz|rar|unrar", rf"-h?p([^\s\"'\x00-][^\s\"'\x00]*|{QUOTED})"),
    (r"plink|pscp|psftp|putty|kitty", rf"-pw{_NEXT}"),
    (r"x?freerdp[0-9]?|wfreerdp|mstsc", rf"/p:({ARGUMENT})"),
    (r"lftp", rf"-u{GAP}[^\s,\"']+,({ARGUMENT})"),
    (r"sqlplus|rman|expdp|impdp|sqlldr", r"[A-Za-z0-9_$#]+/([^\s\"'@/]+)@"),
    (r"rabbitmqctl", rf"(?:add_user|change_password|authenticate_user){GAP}\S+{_NEXT}"),
    (r"htpasswd", rf"-[a-mo-zA-Z]*b[a-mo-zA-Z]*{GAP}{ARGUMENT}{GAP}{ARGUMENT}{_NEXT}"),
    (r"htpasswd", rf"-[a-zA-Z]*(?:nb|bn)[a-zA-Z]*{GAP}{ARGUMENT}{_NEXT}"),
    (r"net", rf"use{GAP}{_REST}/user:\S+{GAP}([^/\s]\S*)"),
    (r"net", rf"use{GAP}\S+{GAP}\\\\\S+{GAP}([^/\s]\S*)"),
    (r"vault", rf"login{GAP}([^-\s][^\s=]+)"),
    (r"nmcli", rf"(?:password|[a-z0-9.-]*psk){_NEXT}"),
    (r"snmp(?:walk|get|set|bulkwalk|bulkget|trap|table)", rf"-[cAX]{_NEXT_OR_JOINED}"),
    (r"mc|mcli", rf"(?:alias{GAP}set|config{GAP}host{GAP}add){GAP}\S+{GAP}\S+{_NEXT}{_NEXT}"),
    (r"ssh-keygen", rf"-[NP]{_NEXT}"),
    (r"kinit|gpg2?|openssl", rf"(?:-pass(?:in|out)?[ \t=]+|-k[ \t]+)(?:pass:)?({ARGUMENT})"),
    (r"usermod|useradd|chpasswd", rf"-p{_NEXT}"),
    (r"aws", rf"configure{GAP}set{GAP}aws_(?:secret_access_key|session_token){_NEXT}"),
    (r"kubectl|oc", rf"--from-literal(?:=|[ \t]+)[\"']?[^\s=]+=({ARGUMENT})"),
)
# Where nothing may stand between the words.
_PHRASES = (
    rf"\bsshpass[\"']?{GAP}-p{_EQUALS}?({ARGUMENT})",
    rf"\bnet(?:\.exe)?{GAP}user{GAP}[A-Za-z0-9_.-]+{GAP}([^/\s]*[0-9]\S*)",
    rf"\bwpa_passphrase{GAP}{ARGUMENT}{_NEXT}",
)
# What is given on standard input: echo x | sudo -S, echo bob:x | chpasswd, kinit bob <<< x
_READS = (
    r"(?:sudo[ \t]+(?:-[a-zA-Z]*S|--stdin)"
    r"|(?:sudo[ \t]+)?(?:chpasswd|passwd|docker login|helm registry login|smbpasswd|cryptsetup))"
)
_INPUTS = (
    rf"\b(?:echo|printf)(?:[ \t]+-[a-z]+)*[ \t]+({QUOTED}|\S+)[ \t]*\|[ \t]*{_READS}",
    rf"\b(?:kinit|cryptsetup|passwd|chpasswd|sudo|docker|su)\b{_REST}<<<[ \t]*({ARGUMENT})",
)
# Of switches and routers.
_CONFIGURED = (
    r"(?i)\b(?:snmp-server[ \t]+community|r[ow][ \t]?community6?|(?:tacacs|radius)-server[ \t]+key"
    r"|enable[ \t]+(?:secret|password))[ \t]+(?:[0-9][ \t]+)?(\S+)"
)

_NUMBERS = re2.compile(r"^[\"']?(?:[0-9.:,-]+(?:/(?:tcp|udp))?|[./~$].*)[\"']?$")


def _of_program(programs: str, option: str) -> str:
    return rf"{_START}(?:{programs})(?:\.exe)?{GAP}(?:{_REST}{GAP})?[\"']?{option}"


def _is_given(match: Any) -> bool:
    return not any(is_no_secret("", each) for each in match.groups() if each)


def _is_no_number(match: Any) -> bool:
    """Ports and processes are given by -p too."""
    return not _NUMBERS.match(match.group(1)) and _is_given(match)


RULES = (
    Rule(any_of(*(_of_program(*each) for each in _OPTIONS), *_PHRASES), _is_given),
    # -u bob -p x, of whatever program
    Rule(rf"[ \t\"']-(?:u|-user(?:name)?){GAP}{ARGUMENT}{GAP}[\"']?-p{_NEXT}", _is_no_number),
    Rule(any_of(*_INPUTS)),
    Rule(r"\bpass:([^\s\"']{4,})"),
    Rule(_CONFIGURED, _is_given),
    # ipsec.secrets
    Rule(rf"\b(?:PSK|EAP|XAUTH)[ \t]+({QUOTED})"),
)
