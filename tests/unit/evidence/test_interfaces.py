"""Interfaces and the default route, as iproute2 6.1 prints them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.evidence.probe import Reason
from tests.unit.evidence.asking import printed, seen, unseen

LO = {
    "ifindex": 1,
    "ifname": "lo",
    "flags": ["LOOPBACK", "UP", "LOWER_UP"],
    "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8}],
}
ETH0: dict[str, Any] = {
    "ifindex": 2,
    "ifname": "eth0",
    "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
    "operstate": "UP",
    "addr_info": [
        {"family": "inet", "local": "10.0.0.3", "prefixlen": 24},
        {"family": "inet6", "local": "fd00::3", "prefixlen": 64},
    ],
}
ROUTE: dict[str, Any] = {"dst": "default", "gateway": "10.0.0.1", "dev": "eth0", "flags": []}
ROUTE6: dict[str, Any] = {"dst": "default", "gateway": "fd00::1", "dev": "eth0", "metric": 1024, "flags": []}


def shown(links: Any, routes: Any, routes6: Any = (), end: str = "end\n") -> CommandOutput:
    lists = [json.dumps(each) if each else "[ ]" for each in (links, routes, routes6)]
    return printed("".join(f"{each}\n" for each in lists) + end)


def test_interfaces_and_the_way_out_are_read() -> None:
    assert seen("interfaces", shown([LO, ETH0], [ROUTE], [ROUTE6])) == {
        "defaultRouteUp": True,
        "gateway": "10.0.0.1",
        "list": [
            {"name": "lo", "up": True, "addresses": ["127.0.0.1/8"]},
            {"name": "eth0", "up": True, "addresses": ["10.0.0.3/24", "fd00::3/64"]},
        ],
    }


def test_without_a_default_route_there_is_no_gateway() -> None:
    values = seen("interfaces", shown([LO, ETH0], []))
    assert values["defaultRouteUp"] is False
    assert "gateway" not in values


@pytest.mark.parametrize("flags", [["UP", "NO-CARRIER"], ["BROADCAST"], []])
def test_a_default_route_over_a_link_that_is_down_is_not_up(flags: list[str]) -> None:
    values = seen("interfaces", shown([LO, {**ETH0, "flags": flags}], [{**ROUTE, "flags": ["linkdown"]}]))
    assert (values["defaultRouteUp"], values["gateway"]) == (False, "10.0.0.1")
    assert not values["list"][1]["up"]


@pytest.mark.parametrize("flag", ["linkdown", "dead"])
def test_a_route_that_the_kernel_calls_down_is_down(flag: str) -> None:
    assert seen("interfaces", shown([LO, ETH0], [{**ROUTE, "flags": [flag]}]))["defaultRouteUp"] is False


def test_the_lowest_metric_leads_and_one_that_is_up_before_one_that_is_not() -> None:
    other = {**ROUTE, "gateway": "10.0.0.2", "metric": 50}
    values = seen("interfaces", shown([LO, ETH0], [{**ROUTE, "metric": 100}, other]))
    assert values["gateway"] == "10.0.0.2"
    values = seen("interfaces", shown([LO, ETH0], [{**ROUTE, "metric": 100}, {**other, "flags": ["dead"]}]))
    assert values["gateway"] == "10.0.0.1"


def test_ipv6_alone_is_a_way_out() -> None:
    values = seen("interfaces", shown([LO, ETH0], [], [ROUTE6]))
    assert (values["defaultRouteUp"], values["gateway"]) == (True, "fd00::1")


def test_routes_without_gateway_with_several_hops_or_that_lead_nowhere_are_understood() -> None:
    on_link = {"dst": "default", "dev": "eth0", "flags": []}
    assert seen("interfaces", shown([LO, ETH0], [on_link])).keys() == {"defaultRouteUp", "list"}
    several = {"dst": "default", "flags": [], "nexthops": [{"gateway": "10.0.0.9", "dev": "eth0", "flags": []}]}
    assert seen("interfaces", shown([LO, ETH0], [several]))["gateway"] == "10.0.0.9"
    via = {"dst": "default", "dev": "eth0", "flags": [], "via": {"family": "inet6", "host": "fe80::1"}}
    assert seen("interfaces", shown([LO, ETH0], [via]))["gateway"] == "fe80::1"
    nowhere = {"type": "unreachable", "dst": "default", "dev": "lo", "flags": []}
    assert seen("interfaces", shown([LO, ETH0], [nowhere]))["defaultRouteUp"] is False


@pytest.mark.parametrize(
    "output",
    [
        shown([], []),
        shown([{}], []),
        shown([{"ifname": "eth0"}], []),
        shown([LO], [{"dst": "default"}]),
        shown([LO], ["default"]),
        shown({"ifname": "lo"}, []),
        shown([LO], [], end=""),
        shown([LO], [], end="[]\nend\n"),
        printed("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536\n"),
        printed("[" * 5000),
    ],
)
def test_anything_else_is_not_read(output: CommandOutput) -> None:
    unseen("interfaces", output, Reason.UNPARSEABLE)


def test_an_ip_that_failed_half_way_saw_nothing() -> None:
    unseen("interfaces", printed("[]\n", "Cannot open netlink socket: Permission denied\n", 1), Reason.NO_PERMISSION)
