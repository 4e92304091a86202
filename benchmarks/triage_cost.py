"""What a triage costs the host, asked one by one and together: ``python -m benchmarks.triage_cost``.

On a real systemd host of the testbed (as root), over a warm SSH connection, with the operator's own code. The two ways
alternate, so both meet the same load of this machine: the host that is asked one by one says that its program is older.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import cast

import yaml
from tests.testbed.hosts import Host, Hosts
from tests.testbed.stage import RUNBOOKS

from benchmarks.machine import machine
from firstresponder.api.hosts import Host as HostResource
from firstresponder.controller.accounts import Accounts
from firstresponder.controller.diagnostics import Diagnostics
from firstresponder.evidence.command import CommandArguments
from firstresponder.hosts.pool import SshPool
from firstresponder.hosts.target import SshTarget
from firstresponder.incident.decision.observations import evaluation_inputs, observe
from firstresponder.incident.plan import Observe, ProbeRequest
from firstresponder.runbooks.models import RunbookSpec

ROUNDS = 15
PROGRAM = "/usr/local/libexec/firstresponder-observe"
STORM = 20
SETTLED = 0.3  # seconds; what the host still does after it has answered belongs to it


class Observing:
    """The observing account of one host, whose key is a file here and in no Secret."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def observing(self, resource: HostResource) -> SshTarget:
        host = self._host
        key = host.observe_key.read_text()
        return SshTarget(resource.name, host.address, host.port, (host.host_public_key,), host.observe_user, key)


def resource_of(host: Host) -> HostResource:
    accounts = {"observe": {"user": host.observe_user, "credentialsRef": {"name": "keys"}}}
    spec = {"address": host.address, "hostKeys": [host.host_public_key], "accounts": accounts}
    return HostResource.model_validate({"metadata": {"name": host.name, "namespace": "benchmark"}, "spec": spec})


def triage(resource: HostResource) -> Observe:
    """What the runbook high-cpu looks at on its target."""
    runbook = yaml.safe_load((RUNBOOKS / "high-cpu.yaml").read_text())
    spec = RunbookSpec.model_validate(runbook["spec"])
    parameters = {each.name: each.default for each in spec.parameters}
    cast = {"target": resource}
    return observe("high-cpu", spec, evaluation_inputs("api-gateway", parameters, cast), cast)


def five_plain(resource: HostResource) -> Observe:
    argv = (["free"], ["free", "-b"], ["free", "-k"], ["free", "-m"], ["free", "-w"])
    requests = [
        ProbeRequest(f"free{n}", "target", resource.name, "command", CommandArguments(argv=each, output="text"), None)
        for n, each in enumerate(argv)
    ]
    return Observe("five", tuple(requests), (resource.name,))


async def measured(host: Host, work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Milliseconds of wall time and of the host's processors."""
    used, began = host.cpu_seconds(), time.perf_counter()
    await work()
    took = time.perf_counter() - began
    await asyncio.sleep(SETTLED)
    return took * 1000, (host.cpu_seconds() - used) * 1000


async def compare(host: Host) -> None:
    resource = resource_of(host)
    pool = SshPool()
    looking = Diagnostics(pool, cast(Accounts, Observing(host)), lambda: datetime.now(UTC))
    today = host.read(PROGRAM)
    programs = {"one by one": today.replace('"version=2"', '"version=1"'), "together": today}

    async def once(effect: Observe) -> None:
        seen = await looking.observe(effect, {host.name: resource})
        if failed := [f"{each.name}: {each.unavailable}" for each in seen.evidence if each.unavailable]:
            raise SystemExit("\n".join(failed))

    async def storm(effect: Observe) -> None:
        known = asyncio.get_running_loop().time()
        looks = (looking.observe(effect, {host.name: resource}, since=known) for _ in range(STORM))
        await asyncio.gather(*looks)

    nothing = Observe("none", (), (host.name,))
    works: dict[str, Callable[[], Awaitable[None]]] = {"who the host is, alone": partial(once, nothing)}
    for name, effect in (("five plain diagnostics", five_plain(resource)), ("triage of high-cpu", triage(resource))):
        works[f"{name} ({len(effect.probes)}, and who the host is)"] = partial(once, effect)
    shared = Observe("high-cpu", triage(resource).probes, (host.name,), shared=True)
    works[f"the same for {STORM} incidents at once"] = partial(storm, shared)

    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(ROUNDS):
        for way, program in programs.items():
            host.write(PROGRAM, program, mode=0o755)
            for name, work in works.items():
                await asyncio.sleep(1)  # nothing is shared with what was measured before
                found.setdefault((name, way), []).append(await measured(host, work))
    await pool.close()

    print(f"{'':48}{'wall time, ms':>24}{'processor time, ms':>24}")
    print(f"{'':48}{'least':>12}{'median':>12}{'least':>12}{'median':>12}")
    for (name, way), times in sorted(found.items(), key=lambda each: list(works).index(each[0][0])):
        walls, cpus = zip(*times, strict=True)
        numbers = (min(walls), statistics.median(walls), min(cpus), statistics.median(cpus))
        print(f"{name}\n{'  ' + way:48}" + "".join(f"{number:12.0f}" for number in numbers))


def main() -> None:
    with Hosts() as hosts:
        host = hosts.start("api-gateway-03")
        systemd = host.run(["systemctl", "--version"]).stdout.splitlines()[0]
        print(f"{machine()}, {systemd}, {ROUNDS} rounds")
        asyncio.run(compare(host))


if __name__ == "__main__":
    main()
