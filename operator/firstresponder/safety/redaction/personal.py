"""Personal data: e-mail addresses, payment cards, bank accounts, phone numbers."""

from __future__ import annotations

from typing import Any

import re2

from firstresponder.safety.redaction.rule import Rule

# Units such as getty@tty1.service look like e-mail addresses; nobody's address ends in these.
_UNIT_SUFFIXES = frozenset(
    {"service", "socket", "scope", "slice", "timer", "mount", "automount", "target", "device", "swap", "path"}
)
_VERSION = re2.compile(r"^v?[0-9]+\.[0-9]")
_NAMED = re2.compile(r"[=:][ \t]*[\"']?$")
_METRIC = re2.compile(r"\}[ \t]+$")
_UNIT = re2.compile(r"^[ \t]*(?:bytes?|[kKMGT]?i?B|ns|us|µs|ms|s|secs?|seconds|records|rows|ticks|cycles|ops)\b")
_DECIMAL = re2.compile(r"^\+[0-9]+\.[0-9]+$")
_NUMBER_BEFORE = re2.compile(r"[0-9][ \t]+$")
_NUMBER_AFTER = re2.compile(r"[ \t]+[0-9]")
_PHONE = r"(?:(?:tele)?(?:phone|t[eé]l|mobile|msisdn|cell|fax|whatsapp|fon|mobil|portable|sms(?:_to)?|call)|handy)"
# How long an IBAN is in each country (ISO 13616).
_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FO GL NL",
    19: "MK SI",
    20: "AT BA EE KZ LT LU XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU",
    31: "MT SC",
    32: "LC",
}
_IBAN_LENGTHS = {country: length for length, countries in _COUNTRIES.items() for country in countries.split()}


def _is_address(match: Any) -> bool:
    """Of a person: units, packages with a version and the login of a forge are written like that too."""
    local, _, domain = match.group().rpartition("@")
    return not (domain.rpartition(".")[2] in _UNIT_SUFFIXES or _VERSION.match(domain) or local == "git")


def _is_card(match: Any) -> bool:
    return _passes_luhn(match.group(1)) and not _is_in_a_table(match)


def _is_card_in_text(match: Any) -> bool:
    """Sixteen digits without groups or name: a card where words stand around them, a quantity where they are alone."""
    around = _before(match, 200) + _after(match, 200)
    named = _NAMED.search(_before(match, 24))  # what has a name is a card by that name or not at all
    return (
        not named
        and not _METRIC.search(_before(match, 24))
        and not _UNIT.match(_after(match, 24))
        and any(character.isalpha() for character in around)
        and not _numbers_beside(match)
        and _passes_luhn(match.group(1))
    )


def _is_in_a_table(match: Any) -> bool:
    """Whether more numbers stand alongside it, as in /proc/stat, whose columns are no groups of a card's digits."""
    return " " in match.group(1) and _numbers_beside(match)


def _numbers_beside(match: Any) -> bool:
    return bool(_NUMBER_BEFORE.search(_before(match, 24)) or _NUMBER_AFTER.match(_after(match, 24)))


def _before(match: Any, length: int) -> str:
    text: str = match.string[max(0, match.start(1) - length) : match.start(1)]
    return text


def _after(match: Any, length: int) -> str:
    text: str = match.string[match.end(1) : match.end(1) + length]
    return text


def _passes_luhn(number: str) -> bool:
    """The check digit that payment cards carry (ISO/IEC 7812-1)."""
    total = 0
    for index, digit in enumerate(reversed([int(character) for character in number if character.isdigit()])):
        doubled = digit * 2 if index % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _is_iban(match: Any) -> bool:
    """The check digits that bank accounts carry (ISO 13616): the number with its letters as 10 to 35 is 1 modulo 97."""
    account = "".join(character for character in match.group(1) if character.isalnum()).upper()
    if _IBAN_LENGTHS.get(account[:2]) != len(account):
        return False
    return int("".join(str(int(each, 36)) for each in account[4:] + account[:4])) % 97 == 1


def _is_phone(match: Any) -> bool:
    """As many digits as a number of a country has with its code (E.164), and no offset such as +0100."""
    number: str = match.group(1)
    if _DECIMAL.match(number):
        return False
    digits = sum(each.isdigit() for each in number)
    return (8 if number.strip(" +0123456789") or " " in number.strip() else 10) <= digits <= 15


def _is_named_phone(match: Any) -> bool:
    number: str = match.group(1)
    return 7 <= sum(each.isdigit() for each in number) <= 15


RULES = (
    Rule(r"[\pL\pN._%+-]+@[\pL\pN-]+(?:\.[\pL\pN-]+)*\.(?:\pL[\pL-]+|xn--[a-z0-9-]+)", _is_address),
    # Payment cards, in groups of digits (4-4-4-4 and up to three more, 4-6-5), behind a name, or 16 digits within a
    # text. A bare number by itself is more often one of bytes, of which one in ten has the check digit too.
    Rule(r"\b([2-6][0-9]{3}(?:(?: [0-9]{4}){3}(?: [0-9]{1,3})?|(?:-[0-9]{4}){3}(?:-[0-9]{1,3})?))\b", _is_card),
    Rule(r"\b(3[47][0-9]{2}(?: [0-9]{6} [0-9]{5}|-[0-9]{6}-[0-9]{5}))\b", _is_card),
    Rule(
        r"(?i)\b(?:[a-z_-]*card(?:[_ -]?(?:number|num|no))?|pan|cc[_-]?(?:number|num|no)?|visa|mastercard|amex)"
        r"(?:[\"']?\]?[ \t]*(?:=>|[:=#>])[ \t]*|[ \t]+)[\"']?([2-6][0-9]{12,18})\b",
        _is_card,
    ),
    Rule(r"(?:^|[\s\"'(<>,;])([2-6][0-9]{15})\b", _is_card_in_text),
    # Bank accounts
    Rule(r"\b([A-Z]{2}[0-9]{2}(?:[A-Z0-9]{11,30}|(?:[ -][A-Z0-9]{4}){2,7}(?:[ -][A-Z0-9]{1,4})?))\b", _is_iban),
    # Phone numbers: with a plus, in the brackets of America, or behind a name. Bare digits are quantities.
    Rule(r"(?:^|[\s\"'(<>,;:=\[/])(\+[1-9][0-9]{0,2}(?:[ .()/-]{0,3}[0-9]){6,13})(?:\b|$)", _is_phone),
    Rule(r"(?:^|[\s\"'>=:])(\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[ -][0-9]{4})\b"),
    Rule(
        rf"(?i)(?:\b|_){_PHONE}(?:[_ .-]?(?:number|num|nr|no|phone))?\.?[\"']?\]?"
        r"[ \t]*(?:=>|[:=>]|is\b|to\b|at\b)?[ \t]*(?:[A-Za-z]{1,12}\()?[\"']?"
        r"(\+?[(]?[0-9](?:[ ./()-]{0,3}[0-9]){6,14})\b",
        _is_named_phone,
    ),
)
