"""Whether a value is one that a probe could have given."""

from __future__ import annotations

import pytest

from firstresponder.api.base import JSON
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.field import Field, Kind, value_problem


def field(probe: str, name: str) -> Field:
    return PROBES[probe].fields[name]


@pytest.mark.parametrize(
    ("probe", "name", "value"),
    [
        ("disk", "usedPercent", 90),
        ("disk", "usedPercent", 90.5),
        ("http", "ok", False),
        ("http", "json", {"anything": [1, "two", None]}),
        ("http", "json", []),
        ("resolve", "addresses", ["10.0.0.1"]),
        ("interfaces", "list", [{"name": "eth0", "up": True, "addresses": ["10.0.0.1/24"]}, {}]),
        ("journal", "extracted", {"whatever the runbook names": "x"}),
    ],
)
def test_what_a_probe_could_give_fits(probe: str, name: str, value: JSON) -> None:
    assert value_problem(field(probe, name), value, name) is None


@pytest.mark.parametrize(
    ("probe", "name", "value", "said"),
    [
        ("disk", "usedPercent", "90", ("usedPercent", "is a number, not a text")),
        ("disk", "usedPercent", True, ("usedPercent", "is a number, not true or false")),
        ("disk", "usedPercent", None, ("usedPercent", "is a number, not null")),
        ("http", "ok", 1, ("ok", "is true or false, not a number")),
        ("resolve", "addresses", ["10.0.0.1", 5], ("addresses[1]", "is a text, not a number")),
        ("interfaces", "list", {}, ("list", "is a list, not a map")),
        ("interfaces", "list", [{"nme": "eth0"}], ("list[0].nme", "is not known; there is addresses, name, up")),
        ("interfaces", "list", [{"addresses": [1]}], ("list[0].addresses[0]", "is a text, not a number")),
        ("journal", "extracted", {"request": 5}, ("extracted.request", "is a text, not a number")),
    ],
)
def test_what_no_probe_gives_is_named_with_its_place(probe: str, name: str, value: JSON, said: tuple[str, str]) -> None:
    assert value_problem(field(probe, name), value, name) == said


def test_every_list_and_map_of_a_probe_says_what_it_holds() -> None:
    for probe in PROBES.values():
        for name, each in probe.fields.items():
            assert each.meaning, f"{probe.name}.{name}"
            assert (each.entries is not None) == (each.kind is Kind.LIST), f"{probe.name}.{name}"
            assert (each.members is not None) == (each.kind is Kind.MAP), f"{probe.name}.{name}"
