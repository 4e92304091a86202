"""What a field of a probe's value is: its kind, and what it means for people.

Lint holds expressions and recorded evidence against it: a comparison of a number with a text can never be true, and a
test whose evidence no probe could give shows nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from firstresponder.api.base import JSON


class Kind(StrEnum):
    """The kinds of values that expressions distinguish; each in words for people."""

    BOOLEAN = "true or false"
    NUMBER = "a number"
    TEXT = "a text"
    LIST = "a list"
    MAP = "a map"
    ANY = "whatever is found there"
    """Decided by a host's program or service, not by the probe."""


class Unit(StrEnum):
    """What a measured number counts."""

    PERCENT = "percent"
    BYTES = "bytes"
    COUNT = "count"
    PER_MINUTE = "per minute"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"

    @classmethod
    def of(cls, field: str) -> Unit | None:
        """The unit that a field's name ends in, as names in the Kubernetes API do; None where it says none."""
        name = field[:1].upper() + field[1:]
        return next((unit for ending, unit in _ENDINGS.items() if name.endswith(ending)), None)


_ENDINGS = {
    "Percent": Unit.PERCENT,
    "Bytes": Unit.BYTES,
    "Count": Unit.COUNT,
    "PerMinute": Unit.PER_MINUTE,
    "Seconds": Unit.SECONDS,
    "Ms": Unit.MILLISECONDS,
}


@dataclass(frozen=True)
class Field:
    """One field. ``measured`` is a number that people want to see over time; its name ends in its unit. ``entries`` is
    what a list holds; ``members`` what a map holds by name, or under every name."""

    kind: Kind
    meaning: str = ""
    measured: bool = False
    entries: Field | None = None
    members: Mapping[str, Field] | Field | None = None

    def below(self, name: str) -> Field | None:
        """What the map holds under a name; None where it can hold nothing there."""
        if self.kind is Kind.ANY:
            return ANY
        if isinstance(self.members, Field):
            return self.members
        return (self.members or {}).get(name)


BOOLEAN, NUMBER, TEXT, ANY = (Field(kind) for kind in (Kind.BOOLEAN, Kind.NUMBER, Kind.TEXT, Kind.ANY))


def boolean(meaning: str) -> Field:
    return Field(Kind.BOOLEAN, meaning)


def number(meaning: str, *, measured: bool = False) -> Field:
    return Field(Kind.NUMBER, meaning, measured)


def text(meaning: str) -> Field:
    return Field(Kind.TEXT, meaning)


def anything(meaning: str) -> Field:
    return Field(Kind.ANY, meaning)


def texts(meaning: str = "") -> Field:
    """A list of texts."""
    return Field(Kind.LIST, meaning, entries=TEXT)


def record(meaning: str, **members: Field) -> Field:
    """A map with these members, each of which may be left out."""
    return Field(Kind.MAP, meaning, members=members)


def texts_by_name(meaning: str) -> Field:
    """A map whose names the runbook gives."""
    return Field(Kind.MAP, meaning, members=TEXT)


def table(meaning: str, **members: Field) -> Field:
    """A list of maps with these members."""
    return Field(Kind.LIST, meaning, entries=record("", **members))


def value_problem(field: Field, value: JSON, path: str) -> tuple[str, str] | None:
    """The dotted path within a value that no probe could have given, and why; None where all of it fits."""
    if field.kind is Kind.ANY:
        return None
    if kind_of(value) is not field.kind:
        return path, f"is {field.kind}, not {kind_of(value) or 'null'}"
    if isinstance(value, list) and field.entries is not None:
        found = (value_problem(field.entries, each, f"{path}[{index}]") for index, each in enumerate(value))
        return next((each for each in found if each is not None), None)
    if isinstance(value, dict):
        for name, each in value.items():
            member = field.below(name)
            if member is None:
                known = ", ".join(sorted(field.members)) if isinstance(field.members, Mapping) else ""
                return f"{path}.{name}", f"is not known; there is {known}"
            if (problem := value_problem(member, each, f"{path}.{name}")) is not None:
                return problem
    return None


def kind_of(value: JSON) -> Kind | None:
    """The kind of a JSON value; None for null, which no probe gives."""
    match value:
        case bool():
            return Kind.BOOLEAN
        case int() | float():
            return Kind.NUMBER
        case str():
            return Kind.TEXT
        case list():
            return Kind.LIST
        case dict():
            return Kind.MAP
    return None
