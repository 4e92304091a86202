"""The triage that is measured: the runbook `busy.yaml`, as an operator runs it and as its five diagnostics alone."""

from __future__ import annotations

import asyncio
import copy
import shlex
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import yaml
from tests.testbed.hosts import Host, Hosts
from tests.testbed.stage import Stage

from firstresponder.api.hosts import Host as HostResource
from firstresponder.controller.accounts import Accounts
from firstresponder.controller.diagnostics import Diagnostics
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.probe import Context
from firstresponder.hosts.observe import Command
from firstresponder.hosts.pool import SshPool
from firstresponder.hosts.target import SshTarget
from firstresponder.incident.decision.observations import evaluation_inputs, observe
from firstresponder.incident.plan import Observe
from firstresponder.runbooks.models import RunbookSpec

SERVICE = "api-gateway"
_SETTLED = 0.3  # seconds; what the host still does after it has answered belongs to it
_RUNBOOK = Path(__file__).with_name("busy.yaml")


def runbook(number: int | None = None) -> dict[str, Any]:
    """The runbook for the type Busy; a number gives one of a type of its own that reads another part of the journal."""
    document: dict[str, Any] = copy.deepcopy(yaml.safe_load(_RUNBOOK.read_text()))
    if number is not None:
        document["metadata"]["name"] = f"busy-{number}"
        document["spec"]["match"] = {"types": [f"Busy{number}"]}
        journal = next(each["journal"] for each in document["spec"]["diagnostics"] if "journal" in each)
        journal["since"] = f"{10 + number}m"
    return document


def start_hosts(hosts: Hosts, number: int) -> list[Host]:
    """So many prepared hosts, each with the service."""
    return [hosts.start(f"{SERVICE}-{each:02}") for each in range(number)]


def open_incident(stage: Stage, name: str, host: Host, kind: str = "Busy") -> str:
    role = {"role": "target", "name": host.name}
    return stage.open_incident(name, type=kind, service=SERVICE, hosts=[role])


def observing(host: Host) -> SshTarget:
    """The observing account of a host."""
    key = host.observe_key.read_text()
    return SshTarget(host.name, host.address, host.port, (host.host_public_key,), host.observe_user, key)


def diagnostics(pool: SshPool, hosts: Sequence[Host]) -> Diagnostics:
    """The operator's own code, with keys that are files here and in no Secret."""
    targets = {host.name: observing(host) for host in hosts}

    class Files:
        async def observing(self, resource: HostResource) -> SshTarget:
            return targets[resource.name]

    return Diagnostics(pool, cast(Accounts, Files()), lambda: datetime.now(UTC))


def resource_of(host: Host) -> HostResource:
    accounts = {"observe": {"user": host.observe_user, "credentialsRef": {"name": "keys"}}}
    spec = {"address": host.address, "hostKeys": [host.host_public_key], "accounts": accounts}
    return HostResource.model_validate({"metadata": {"name": host.name, "namespace": "benchmark"}, "spec": spec})


def triage_of(document: Mapping[str, Any], resource: HostResource) -> Observe:
    """All that a runbook has observed on its target: its diagnostics, and what its actions add."""
    spec = RunbookSpec.model_validate(document["spec"])
    parameters = {each.name: each.default for each in spec.parameters}
    roles = {"target": resource}
    return observe(document["metadata"]["name"], spec, evaluation_inputs(SERVICE, parameters, roles), roles)


def five(resources: Sequence[HostResource]) -> Observe:
    """The five diagnostics on each of these hosts, as one round."""
    document = runbook()
    names = {each["name"] for each in document["spec"]["diagnostics"]}
    rounds = [triage_of(document, resource) for resource in resources]
    probes = tuple(each for one in rounds for each in one.probes if each.name in names)
    return Observe("five", probes, tuple(resource.name for resource in resources))


def commands(resource: HostResource) -> dict[str, Command]:
    """What the five diagnostics run on a host, by their names."""
    found = {}
    for request in five([resource]).probes:
        probe = PROBES[request.probe]
        argv = tuple(probe.argv(request.arguments, Context(now=time.time(), timeout=probe.timeout)))
        found[request.name] = Command(argv, probe.timeout, probe.max_output, probe.request)
    return found


def as_script(command: Command) -> str:
    """A program that is this command and nothing else, for whoever can only name one."""
    return f"#!/bin/sh\nexec {shlex.join(command.argv)}\n"


async def host_cost(host: Host, work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Milliseconds of wall time and of the host's processors that some work takes."""
    used, began = host.cpu_seconds(), time.perf_counter()
    await work()
    took = time.perf_counter() - began
    await asyncio.sleep(_SETTLED)
    return took * 1000, (host.cpu_seconds() - used) * 1000
