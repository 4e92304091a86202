"""What a triage costs the host, asked one by one and together.

On a real systemd host of the testbed, over a warm SSH connection, with the operator's own code. The two ways alternate,
so both meet the same load of this machine: the host that is asked one by one says that its program is older.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import yaml
from tests.testbed.hosts import Host, Hosts
from tests.testbed.stage import HIGH_CPU

from benchmarks.figures import NotMeasured, Section
from benchmarks.triage import diagnostics, five, host_cost, resource_of, triage_of
from firstresponder.hosts.pool import SshPool
from firstresponder.incident.plan import Observe

_SAMPLES = 3
_PROGRAM = "/usr/local/libexec/firstresponder-observe"
_STORM = 20


def measure() -> Iterator[Section]:
    with Hosts() as hosts:
        yield asyncio.run(_compared(hosts.start("api-gateway-03")))


async def _compared(host: Host) -> Section:
    section = Section(
        "What a triage costs the host, asked one by one and together",
        "Over a warm connection. Asked one by one, each diagnostic has a confinement of its own; together those share "
        "one that may. Processor time is what the host's control group counts, its sshd included.",
    )
    resource = resource_of(host)
    pool = SshPool()
    looking = diagnostics(pool, [host])
    today = host.read(_PROGRAM)
    programs = {"one by one": today.replace('"version=2"', '"version=1"'), "together": today}

    async def once(effect: Observe) -> None:
        seen = await looking.observe(effect, {host.name: resource})
        if failed := [f"{each.name}: {each.unavailable}" for each in seen.evidence if each.unavailable]:
            raise NotMeasured("\n".join(failed))

    async def storm(effect: Observe) -> None:
        shared = replace(effect, since=datetime.now(UTC))
        await asyncio.gather(*(looking.observe(shared, {host.name: resource}) for _ in range(_STORM)))

    high_cpu = triage_of(yaml.safe_load(HIGH_CPU.read_text()), resource)
    works: dict[str, Callable[[], Awaitable[None]]] = {
        "who the host is": partial(once, Observe("none", (), (host.name,))),
        "five diagnostics": partial(once, five([resource])),
        f"the {len(high_cpu.probes)} of high-cpu": partial(once, high_cpu),
        f"the same for {_STORM} incidents at once": partial(storm, high_cpu),
    }
    await once(five([resource]))
    for _ in range(_SAMPLES):
        section.begin_sample()
        for name, work in works.items():
            for way, program in programs.items():
                host.write(_PROGRAM, program, mode=0o755)
                await asyncio.sleep(1)  # nothing is shared with what was measured before
                wall, cpu = await host_cost(host, work)
                section.record(f"{name}, {way}", "ms", wall)
                section.record(f"{name}, {way}: the host's processor time", "ms", cpu)
    await pool.close()
    return section
