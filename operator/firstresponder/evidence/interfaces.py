"""Network interfaces of the host and its default route, from ``ip -json``.

``defaultRouteUp``: there is a default route (IPv4 or IPv6) over an interface that is up and has a carrier.
``gateway`` is where it leads, left out when it leads to no gateway. In ``list``, ``up`` means up with a carrier, and
``addresses`` have their prefix length (``10.0.0.3/24``).
"""

from __future__ import annotations

import json
from typing import Any

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.evidence.field import BOOLEAN, TEXT, boolean, table, text, texts
from firstresponder.evidence.manual_steps import ManualSteps
from firstresponder.evidence.probe import Context, Probe, completed, unparseable


class InterfacesArguments(ApiModel):
    """Network interfaces of the host and its default route."""


# A kernel without IPv6 has no table of it to show. The last line proves that all came to its end.
_SCRIPT = (
    "ip -json address && ip -json -4 route show default && "
    'if [ -e /proc/net/if_inet6 ]; then ip -json -6 route show default; else echo "[]"; fi && echo end'
)


def _argv(arguments: InterfacesArguments, context: Context) -> tuple[str, ...]:
    del arguments, context
    return ("sh", "-c", _SCRIPT)


def _parse(arguments: InterfacesArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del arguments, context
    links, *tables = _lists(completed(output))
    try:
        found = [_interface(each) for each in links if each]  # ip prints {} for what it leaves out
        hops = [hop for table in tables for hop in _hops(table)]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise unparseable("ip did not print interfaces and routes as JSON of iproute2") from None
    if not found:
        raise unparseable("ip printed no interface, not even lo")
    up = {each["name"] for each in found if each["up"]}
    usable = [hop for hop in hops if hop["dev"] in up and not {"dead", "linkdown"} & set(hop["flags"])]
    gateways = [hop["gateway"] for hop in usable + hops if hop["gateway"]]
    values: dict[str, JSON] = {"defaultRouteUp": bool(usable), "list": found}
    if gateways:
        values["gateway"] = gateways[0]
    return values


def _lists(text: str) -> list[list[Any]]:
    """The three lists that the script prints before ``end``."""
    found, position = [], 0
    try:
        for _ in range(3):
            value, end = json.JSONDecoder().raw_decode(text, position)
            position = text.index("\n", end) + 1
            found.append(value)
    except (ValueError, RecursionError):
        raise unparseable("ip did not print JSON") from None
    if text[position:] != "end\n" or not all(isinstance(each, list) for each in found):
        raise unparseable("ip did not print three lists and come to its end")
    return found


def _interface(link: dict[str, Any]) -> dict[str, Any]:
    addresses = [f"{_text(each['local'])}/{int(each['prefixlen'])}" for each in link["addr_info"] if each]
    return {
        "name": _text(link["ifname"]),
        "up": {"UP", "LOWER_UP"} <= set(link["flags"]),
        "addresses": addresses,
    }


def _hops(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where the default routes of one table lead, the preferred first."""
    routes = [each for each in table if each and each.get("type", "unicast") == "unicast"]
    hops = []
    for route in sorted(routes, key=lambda each: int(each.get("metric", 0))):
        for hop in route.get("nexthops", [route]):
            gateway = hop.get("gateway") or hop.get("via", {}).get("host")
            hops.append(
                {
                    "dev": _text(hop["dev"]),
                    "flags": [_text(flag) for flag in hop.get("flags", [])],
                    "gateway": None if gateway is None else _text(gateway),
                }
            )
    return hops


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


PROBE = Probe(
    name="interfaces",
    arguments=InterfacesArguments,
    source="ip",
    fields={
        "defaultRouteUp": boolean("Whether there is a default route over an interface that is up and has a carrier"),
        "gateway": text("Where it leads; left out when it leads to no gateway"),
        "list": table(
            "The interfaces, each with `name`, `up` (with a carrier) and `addresses` (with prefix length)",
            name=TEXT,
            up=BOOLEAN,
            addresses=texts(),
        ),
    },
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(
        lambda _: {
            "defaultRouteUp": "true where a line begins with `default`, has neither `dead` nor `linkdown`, and the "
            "interface behind its `dev` has `UP` and `LOWER_UP` in `ip address`",
            "gateway": "the address behind `via` of that line; unknown where it has none",
            "list": "the interfaces of `ip address`: `name`, `up` (`UP` and `LOWER_UP`), `addresses` (behind `inet` "
            "and `inet6`)",
        },
        lambda _, __: "ip address\nip -4 route show default\nip -6 route show default",
    ),
    max_output=1024 * 1024,
)
