"""Which host plays which role: named by the incident, or found by the labels of Hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firstresponder.api.hosts import Host
from firstresponder.api.incident import HostAssignment, RoleAssignment
from firstresponder.api.runbook import Role
from firstresponder.incident.inventory import Inventory


@dataclass(frozen=True)
class RoleAssignments:
    """Role → host for the roles that have one; the others and why they have none."""

    hosts: Mapping[str, Host]
    missing: Mapping[str, str]
    ambiguous: Mapping[str, str]
    named: frozenset[str]
    """Roles that the incident itself gave to a host: without them there is nothing to triage."""


def assign_roles(
    roles: Sequence[Role], assignments: Sequence[HostAssignment], hosts: Inventory, service: str
) -> RoleAssignments:
    """Rule 1: a selector that matches no Host leaves its role empty; several matches are ambiguous."""
    named = {assignment.role: assignment.name for assignment in assignments}
    found: dict[str, Host] = {}
    missing: dict[str, str] = {}
    ambiguous: dict[str, str] = {}
    for role in roles:
        if role.name in named:
            host = hosts.get(named[role.name])
            if host is None:
                missing[role.name] = f"there is no Host named {named[role.name]} in this namespace: create it"
            else:
                found[role.name] = host
            continue
        if role.selector is None:
            missing[role.name] = f"the incident names no host for the role {role.name} (spec.hosts)"
            continue
        wanted = {key: value.replace("$(service)", service) for key, value in role.selector.match_labels.items()}
        matches = hosts.labelled(wanted)
        labels = ", ".join(f"{key}={value}" for key, value in sorted(wanted.items()))
        if len(matches) == 1:
            found[role.name] = matches[0]
        elif not matches:
            missing[role.name] = f"no Host has the labels {labels}"
        else:
            names = ", ".join(host.name for host in matches)
            ambiguous[role.name] = f"several Hosts have the labels {labels} of the role {role.name}: {names}"
    return RoleAssignments(found, missing, ambiguous, frozenset(named))


def assignment_changed(roles: Sequence[RoleAssignment], hosts: Mapping[str, Host]) -> str | None:
    """Why ``hosts`` (role → host) are not the machines that triage observed; None when they are.

    A machine is known by its pinned keys: its Host may have been given to another one since, of the same name.
    """
    for before in roles:
        host = hosts.get(before.role)
        if host is None or host.name != before.name:
            return f"the host of role {before.role} is no longer {before.name}"
        if host.spec.host_keys != before.host_keys:
            return f"Host {before.name} pins other keys than in triage: it may be another machine"
    return None
