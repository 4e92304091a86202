"""Hosts of a group in an Ansible inventory, and a declared maximum, from ``ansible-inventory --list``.

``count`` counts each host of the group and of its child groups once. ``max`` is the value of ``maximumVariable`` when
every host of the group has the same whole number; else it is not known.

The path is relative to the project that the host declares in ``/etc/firstresponder/ansible``, as an action's is.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import Template
from firstresponder.evidence.field import number
from firstresponder.evidence.manual_steps import Asked, ManualSteps
from firstresponder.evidence.probe import Context, Probe, Reason, Unobserved, completed, unparseable
from firstresponder.safety.markdown import code


class InventoryArguments(ApiModel):
    """Hosts of a group in an Ansible inventory, and a declared maximum."""

    path: Template
    """The inventory's path, relative to the Ansible project that the host declares; a template."""
    group: Template
    """The group whose hosts are counted; a template."""
    maximum_variable: Template
    """The group's variable that declares the most hosts allowed; a template."""


# Ansible refuses the C locale that diagnostics run in; C.UTF-8 differs from it in nothing but UTF-8. A part of the
# inventory that cannot be read would otherwise only be warned of, and its hosts be missing.
_LIST = (
    'project=$(sed -n s/^project=//p /etc/firstresponder/ansible) && cd "${project:?is not declared}" && '
    "exec env LC_ALL=C.UTF-8 ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=1 "
    'ansible-inventory --inventory "$1" --list'
)


def _argv(arguments: InventoryArguments, context: Context) -> tuple[str, ...]:
    del context
    return ("sh", "-c", _LIST, "inventory", _path(arguments))


def _path(arguments: InventoryArguments) -> str:
    """Raises Unobserved(BadArgument)."""
    if not re.fullmatch(r"(?![-/])[A-Za-z0-9_./-]+", arguments.path) or ".." in arguments.path.split("/"):
        text = f"{arguments.path!r} is not a path in the project, such as inventories/production"
        raise Unobserved(Reason.BAD_ARGUMENT, text, "path")
    return arguments.path


def _parse(arguments: InventoryArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del context
    try:
        groups = json.loads(completed(output))
        variables = groups["_meta"]["hostvars"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise unparseable("ansible-inventory did not print an inventory") from None
    if not isinstance(groups.get(arguments.group), dict):
        raise Unobserved(Reason.NOT_FOUND, f"the inventory has no group {arguments.group!r}")
    hosts = _hosts(groups, arguments.group)
    values: dict[str, JSON] = {"count": len(hosts)}
    maximum = _common(variables, hosts, arguments.maximum_variable)
    if maximum is not None:
        values["max"] = maximum
    return values


def _hosts(groups: dict[str, Any], group: str) -> set[str]:
    """The hosts of the group and of all groups below it."""
    hosts: set[str] = set()
    waiting, seen = [group], {group}
    while waiting:
        entry = groups.get(waiting.pop(), {})
        hosts |= _names(entry, "hosts")
        children = _names(entry, "children") - seen
        seen |= children
        waiting += children
    return hosts


def _names(entry: Any, field: str) -> set[str]:
    names = entry.get(field, []) if isinstance(entry, dict) else None
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise unparseable("a group of the inventory is not a map of hosts and children")
    return set(names)


def _common(variables: dict[str, Any], hosts: set[str], name: str) -> int | None:
    """The whole number that the variable has on every one of the hosts, or None."""
    try:
        found = [variables[host][name] for host in hosts]
    except (KeyError, TypeError):
        return None
    if not found or any(isinstance(each, bool) or not isinstance(each, int) for each in found):
        return None
    first: int = found[0]
    return first if all(each == first for each in found) else None


def _manual_steps(arguments: InventoryArguments, asked: Asked) -> str:
    del asked
    return f"({_LIST.replace(chr(34) + '$1' + chr(34), shlex.quote(_path(arguments)))})"


def _read_by_hand(arguments: InventoryArguments) -> dict[str, str]:
    group, variable = code(arguments.group), code(arguments.maximum_variable)
    return {
        "count": f"the `hosts` of {group} and of the groups below it (`children`), each once",
        "max": f"{variable} of these hosts under `hostvars`; unknown unless all have the same whole number",
    }


PROBE = Probe(
    name="inventory",
    arguments=InventoryArguments,
    source="ansible-inventory",
    fields={
        "count": number("Hosts of the group and of the groups below it, each once", measured=True),
        "max": number("The declared maximum of hosts; left out unless all hosts of the group agree on it"),
    },
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(_read_by_hand, _manual_steps),
    timeout=30.0,
    max_output=4 * 1024 * 1024,
)
