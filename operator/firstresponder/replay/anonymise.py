"""Where an incident was, out of texts: names and addresses of hosts, each always replaced by the same.

Known by name are the incident's own hosts and its service; any address is known by its form, and so is any host of
the domain of one of ours. A name of another host that says no domain cannot be distinguished from a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

_IPV4 = r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9]|\.[0-9])"
_COLONS = r"(?<![0-9A-Za-z:])[0-9A-Fa-f]*:[0-9A-Fa-f:]*:(?:[0-9A-Fa-f:.]*[0-9A-Fa-f:])?"
"""IPv6 and hardware addresses, times, and what else has two colons."""
_HARDWARE = re.compile(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")
_UNIT_ENDINGS = ("service", "socket", "scope", "slice", "timer", "mount")


class Places:
    """What stands for each place. Stand-ins are names and addresses for documentation (RFC 5737, 3849, 7042)."""

    def __init__(self, service: tuple[str, str], hosts: Iterable[tuple[str, str]]) -> None:
        """Pairs of what was there and what stands for it; a host has one for its name and one for its address."""
        self._service = service[1]
        self._names: dict[str, str] = {}
        self._addresses: dict[IPv4Address | IPv6Address, str] = {}
        self._hardware: dict[str, str] = {}
        self._others: dict[str, str] = {}
        domains = set()
        for place, stand_in in hosts:
            if (address := _address(place)) is not None:
                self._addresses.setdefault(address, stand_in)
                continue
            first, _, domain = place.lower().partition(".")
            self._names.setdefault(place.lower(), stand_in)
            self._names.setdefault(first, stand_in)
            domains |= {domain} if "." in domain else set()
        named = _whole(service[0])
        ways = {
            "ipv4": _IPV4,
            "colons": _COLONS,
            "unit": rf"{named}(?=(?:\.(?:{'|'.join(_UNIT_ENDINGS)}))?(?!\.?\w))",
            "host": rf"(?P<name>{_any(map(_part_or_whole, self._names))})(?P<domain>(?:\.[a-z0-9-]+)*)",
            "dashed": r"(?<![a-z0-9])ip(?:-[0-9]{1,3}){4}(?![0-9])",
            "other": rf"(?<![\w.-])(?:[a-z0-9-]+\.)*(?:{_any(map(re.escape, domains))})(?![\w-])",
            "service": named,
        }
        self._pattern = re.compile("|".join(f"(?P<{way}>{each})" for way, each in ways.items()), re.IGNORECASE)

    def hidden(self, text: str) -> str:
        """The text with everything replaced that shows where it comes from."""
        return self._pattern.sub(self._replaced, text)

    def _replaced(self, match: re.Match[str]) -> str:
        word = match[0]
        match match.lastgroup:
            case "ipv4":
                return self._addressed(word)
            case "dashed":  # as clouds name hosts by their address: ip-10-0-0-3
                return self._addressed(word[3:].replace("-", ".")).replace(".", "-")
            case "colons":
                return self._with_colons(word)
            case "unit" | "service":
                return self._service
            case "other":
                return self._others.setdefault(word.lower(), f"other-{len(self._others) + 1}")
        # app.service is a unit, whatever hosts are called.
        return word if match["domain"].endswith(_UNIT_ENDINGS) else self._names[match["name"].lower()]

    def _with_colons(self, text: str) -> str:
        end = len(text.rstrip(":"))
        for address, rest in ((text, ""), (text[:end], text[end:])):
            if _address(address) is not None:
                return self._addressed(address) + rest
        if _HARDWARE.fullmatch(text):
            return self._hardware.setdefault(text.lower(), f"00:00:5e:00:53:{len(self._hardware):02x}")
        return re.sub(_IPV4, lambda match: self._addressed(match[0]), text)

    def _addressed(self, text: str) -> str:
        address = _address(text)
        if address is None or address.is_loopback or address.is_unspecified:
            return text
        first = IPv4Address("198.51.100.1") if address.version == 4 else IPv6Address("2001:db8::1")
        return self._addresses.setdefault(address, str(first + len(self._addresses)))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _any(patterns: Iterable[str]) -> str:
    """Any of them, the longest first; none of none."""
    return "|".join(sorted(patterns, key=len, reverse=True)) or r"(?!)"


def _part_or_whole(name: str) -> str:
    """A name such as db-01 is known as a part of a longer one, one such as app only as a word of its own."""
    numbered = re.search("[0-9]", name) and re.search("[a-z]", name)
    return rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])" if numbered else _whole(name)


def _whole(name: str) -> str:
    return rf"(?<![\w.-]){re.escape(name)}(?![\w-])"
