"""What confinement and transport add to the smallest diagnostic: `free`, on a host of the testbed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from tests.testbed.hosts import Host, Hosts

from benchmarks.figures import NotMeasured, Section, at_most
from benchmarks.triage import host_cost, observing
from firstresponder.api.command import CommandOutput
from firstresponder.hosts.observe import Command, run_diagnostic, run_together
from firstresponder.hosts.pool import SshPool

_SAMPLES = 15
_FREE = Command(("free",), timeout=10, max_output=65536)
_CLOCKED = 'begin=$EPOCHREALTIME; "$@" >/dev/null; end=$EPOCHREALTIME; echo $((${end/./} - ${begin/./}))'


def measure() -> Iterator[Section]:
    with Hosts() as hosts:
        yield asyncio.run(_measured(hosts.start("api-gateway-03")))


async def _measured(host: Host) -> Section:
    section = Section(
        "`free`, alone and as a diagnostic",
        "Wall time on one host of the testbed, whose processors are this machine's. The first two are started and "
        "timed inside of it. Processor time is what the host's control group counts, its sshd included.",
    )
    pool, target = SshPool(), observing(host)

    async def one() -> None:
        _require(await run_diagnostic(pool, target, _FREE.argv, _FREE.timeout, _FREE.max_output))

    async def five_together() -> None:
        await run_together(pool, target, [_FREE] * 5, lambda _, output: _require(output))

    await one()  # opens the connection
    for _ in range(_SAMPLES):
        section.begin_sample()
        section.record("`free` on the host", "ms", _inside(host, "free"))
        bare = ("systemd-run", "--quiet", "--collect", "--pipe", "--wait", "free")
        section.record("`free` in a bare `systemd-run`", "ms", _inside(host, *bare))
        wall, cpu = await host_cost(host, one)
        section.record("as a diagnostic over a warm connection", "ms", wall)
        section.record("the host's processor time for it", "ms", cpu)
        wall, cpu = await host_cost(host, five_together)
        section.record("five of them at once", "ms", wall, at_most(150))
        section.record("the host's processor time for the five", "ms", cpu, at_most(60))
    await pool.close()
    return section


def _inside(host: Host, *argv: str) -> float:
    """Milliseconds from its start to its end, by a shell of the host."""
    return int(host.run(["bash", "-c", _CLOCKED, "bash", *argv]).stdout) / 1000


def _require(output: CommandOutput) -> None:
    if output.exit_status != 0:
        raise NotMeasured(f"free ended with {output.exit_status}: {output.stderr.decode()}")
