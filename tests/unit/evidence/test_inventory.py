"""Hosts of a group, as ansible-inventory --list prints them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firstresponder.evidence.probe import Reason, Unobserved
from tests.unit.evidence.asking import argv, printed, seen, unseen

ARGUMENTS: dict[str, Any] = {"path": "inventories/production", "group": "payroll", "maximum_variable": "payroll_max"}
HOSTVARS: dict[str, dict[str, Any]] = {
    "app-01": {"payroll_max": 8},
    "app-02": {"payroll_max": 8},
    "app-03": {"payroll_max": 8},
    "db-01": {},
}
INVENTORY: dict[str, Any] = {
    "_meta": {"hostvars": HOSTVARS},
    "all": {"children": ["ungrouped", "payroll", "db"]},
    "payroll": {"hosts": ["app-01", "app-02"], "children": ["payroll_new"]},
    "payroll_new": {"hosts": ["app-02", "app-03"], "children": ["payroll"]},
    "db": {"hosts": ["db-01"]},
}


def inventory(value: Any) -> dict[str, Any]:
    return seen("inventory", printed(json.dumps(value)), **ARGUMENTS)


def with_maximum(**maximum: Any) -> dict[str, Any]:
    changed = {host: {"payroll_max": maximum[host]} if host in maximum else HOSTVARS[host] for host in HOSTVARS}
    return {**INVENTORY, "_meta": {"hostvars": {name.replace("_", "-"): each for name, each in changed.items()}}}


def test_each_host_of_the_group_and_of_those_below_counts_once() -> None:
    assert inventory(INVENTORY) == {"count": 3, "max": 8}


@pytest.mark.parametrize("value", [9, "8", 8.0, True, None])
def test_a_maximum_that_is_not_one_whole_number_everywhere_is_not_known(value: Any) -> None:
    assert inventory(with_maximum(**{"app-02": value})) == {"count": 3}


def test_a_group_that_does_not_exist_is_not_an_empty_one() -> None:
    without = {name: group for name, group in INVENTORY.items() if name != "payroll"}
    unseen("inventory", printed(json.dumps(without)), Reason.NOT_FOUND, "no group 'payroll'", **ARGUMENTS)


@pytest.mark.parametrize("group", [{"hosts": "app-01"}, {"hosts": [1]}, {"children": {"a": 1}}])
def test_a_group_in_another_form_is_not_read(group: Any) -> None:
    output = printed(json.dumps({**INVENTORY, "payroll": group}))
    unseen("inventory", output, Reason.UNPARSEABLE, **ARGUMENTS)


def test_ansible_gets_the_utf_8_locale_that_it_insists_on() -> None:
    assert "LC_ALL=C.UTF-8" in argv("inventory", **ARGUMENTS)[2]


def test_the_path_is_an_argument_of_the_script_and_no_part_of_it() -> None:
    one, other = (argv("inventory", **{**ARGUMENTS, "path": path}) for path in ("inventories/a", "inventories/b"))
    assert one[:-1] == other[:-1]
    assert (one[-1], other[-1]) == ("inventories/a", "inventories/b")


def test_a_broken_inventory_is_not_read() -> None:
    unseen("inventory", printed("[WARNING] no inventory\n"), Reason.UNPARSEABLE, **ARGUMENTS)
    unseen("inventory", printed("{}"), Reason.UNPARSEABLE, **ARGUMENTS)
    unseen("inventory", printed("", "ERROR! it is broken", 1), Reason.FAILED, "it is broken", **ARGUMENTS)


@pytest.mark.parametrize("path", ["-x", "a b", "$(x)", "a,b", "/etc/hosts", "..", "a/../../b"])
def test_a_path_is_a_path(path: str) -> None:
    with pytest.raises(Unobserved, match="path: "):
        argv("inventory", **{**ARGUMENTS, "path": path})
