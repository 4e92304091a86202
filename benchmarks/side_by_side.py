"""The same five diagnostics on the same hosts, by us and by others, in turns.

Whoever connects is warm: each has asked every host once before it is measured. Ratios are of one turn each, so both of
its parts met the same load of this machine.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from typing import Any

import asyncssh
from tests.testbed.cluster import ALICE, OPERATOR
from tests.testbed.go_build import MissingError
from tests.testbed.hosts import Host, Hosts
from tests.testbed.operator import Operator
from tests.testbed.stage import Stage

from benchmarks import operators
from benchmarks.ansible import USER, Ansible
from benchmarks.figures import NotMeasured, Section, at_least, at_most
from benchmarks.inside import CONFINED, FOLDER, NAMES, Inside, add_scripts
from benchmarks.triage import commands, diagnostics, five, observing, open_incident, resource_of, runbook, start_hosts
from firstresponder.api.command import CommandOutput
from firstresponder.hosts.observe import Command, info, run_together
from firstresponder.hosts.pool import SshPool
from firstresponder.hosts.target import SshTarget

_TURNS = {1: 7, 8: 5, 32: 3}
"""By how many hosts."""
_AT_ONCE = 8
_PROGRAMS = [f"{FOLDER}/{name}" for name in NAMES]
_APART = 1.2
"""Seconds between two looks of ours: what is asked within one second is shared."""

FLOOR = "the floor: the same, started inside of the hosts"
OURS = "our triage, warm"
ASYNCSSH = "a plain asyncssh loop, warm"
AD_HOC = "`ansible` ad hoc, warm: one raw command"
ALERT = "our operator, from apply to the last packet"
RULEBOOK = "`ansible-rulebook`, from the alert to its decision: five raw tasks"


def measure() -> Iterator[Section]:
    with operators.stage() as (stage, folder), Hosts() as hosts:
        fleet = start_hosts(hosts, max(_TURNS))
        for host in fleet:
            add_scripts(host)
            _add_plain_account(host)
            stage.add_host(host)
        with Operator(stage.cluster, stage.namespace, folder / "operator") as operator:
            stage.add_runbook(runbook())
            for number, turns in _TURNS.items():
                yield _compared(stage, operator, fleet[:number], turns)


def _compared(stage: Stage, operator: Operator, fleet: Sequence[Host], turns: int) -> Section:
    number = len(fleet)
    section = Section(
        f"Five diagnostics on {number} host{'s'[: number > 1]}, side by side",
        "`processes` (in which `top` looks for a second), `journal`, `memory`, `unit` and `free`; the hosts share this "
        "machine's processors with whoever asks. An alert is one incident a host for us, and one event for all hosts "
        "for `ansible-rulebook`, whose playbook has five raw tasks. Only we confine what is run.",
    )
    with ExitStack() as stack, asyncio.Runner() as runner:
        shells = [stack.enter_context(Inside(host)) for host in fleet]
        ours = _Ours(fleet)
        loop = runner.run(_Plain.connected(fleet))
        ansible = _started_ansible(section, stack, fleet)
        runner.run(ours.triage())
        runner.run(loop.run())
        _alert(stage, operator, fleet, f"n{number}-unmeasured")
        for turn in range(turns):
            print(f"{number} hosts, turn {turn + 1} of {turns}", file=sys.stderr)
            section.begin_sample()
            floor = _clocked(lambda: _run_inside(shells, _PROGRAMS))
            confined = _clocked(lambda: _run_inside(shells, [CONFINED]))
            triage, triage_cpu = runner.run(_measured(ours.triage))
            time.sleep(_APART)
            _, ssh_cpu = runner.run(_measured(ours.ssh))
            plain, plain_cpu = runner.run(_measured(loop.run))
            packet, operator_cpu = _alert(stage, operator, fleet, f"n{number}-{turn}")
            section.record(FLOOR, "s", floor)
            section.record("the five in our confinement, started inside of the hosts", "s", confined)
            section.record(OURS, "s", triage)
            section.record(ASYNCSSH, "s", plain)
            section.record(ALERT, "s", packet)
            section.record("our triage / the floor", "×", triage / floor, at_most(1.25))
            section.record("our triage / the five in our confinement", "×", triage / confined)
            section.record("the asyncssh loop / the floor", "×", plain / floor)
            section.record("our CPU a host for the SSH part", "ms", ssh_cpu / number, at_most(5))
            section.record("our CPU a host for the triage: SSH, parsing, redaction", "ms", triage_cpu / number)
            section.record("the asyncssh loop's CPU a host", "ms", plain_cpu / number)
            section.record("our operator's CPU a host, from apply to packet", "ms", operator_cpu / number)
            if ansible is not None:
                ad_hoc = _clocked(ansible.ad_hoc)
                rulebook = _clocked(partial(ansible.alert, f"n{number}-{turn}"))
                section.record(AD_HOC, "s", ad_hoc)
                section.record(RULEBOOK, "s", rulebook)
                section.record("`ansible` ad hoc / our triage", "×", ad_hoc / triage)
                section.record("`ansible-rulebook` / our operator", "×", rulebook / packet, at_least(4))
        runner.run(ours.close())
        runner.run(loop.close())
    return section


def _started_ansible(section: Section, stack: ExitStack, fleet: Sequence[Host]) -> Ansible | None:
    """Warm; None where it cannot be had, which the section then says."""
    try:
        ansible = stack.enter_context(Ansible(fleet, fleet[0].observe_key))
        ansible.ad_hoc()
        ansible.start_rulebook()
        ansible.alert("unmeasured")
    except (MissingError, NotMeasured, TimeoutError) as problem:
        section.leave_out("`ansible` and `ansible-rulebook`", " ".join(str(problem).split())[-300:])
        return None
    return ansible


class _Ours:
    """The operator's own code in this process, over one pool."""

    def __init__(self, fleet: Sequence[Host]) -> None:
        self._pool = SshPool()
        self._diagnostics = diagnostics(self._pool, fleet)
        self._resources = {host.name: resource_of(host) for host in fleet}
        self._effect = five(list(self._resources.values()))
        self._targets = [observing(host) for host in fleet]
        self._commands = [list(commands(resource).values()) for resource in self._resources.values()]

    async def triage(self) -> None:
        seen = await self._diagnostics.observe(self._effect, self._resources)
        if failed := [f"{each.name} on {each.host}: {each.unavailable}" for each in seen.evidence if each.unavailable]:
            raise NotMeasured("\n".join(failed))

    async def ssh(self) -> None:
        """What of it is SSH: who the host is, and the five in one request."""
        pairs = zip(self._targets, self._commands, strict=True)
        await asyncio.gather(*(self._ask(target, asked) for target, asked in pairs))

    async def close(self) -> None:
        await self._pool.close()

    async def _ask(self, target: SshTarget, asked: Sequence[Command]) -> None:
        await info(self._pool, target)
        await run_together(self._pool, target, asked, _require)


class _Plain:
    """What one writes in an afternoon: asyncssh, a connection a host, all commands at once, nothing confined."""

    def __init__(self, connections: Sequence[asyncssh.SSHClientConnection], exit_stack: AsyncExitStack) -> None:
        self._connections = connections
        self._exit = exit_stack

    @classmethod
    async def connected(cls, fleet: Sequence[Host]) -> _Plain:
        stack = AsyncExitStack()
        connecting = (stack.enter_async_context(_connection(host)) for host in fleet)
        return cls(await asyncio.gather(*connecting), stack)

    async def run(self) -> None:
        running = (connection.run(each, check=True) for connection in self._connections for each in _PROGRAMS)
        await asyncio.gather(*running)

    async def close(self) -> None:
        await self._exit.aclose()


def _connection(host: Host) -> asyncssh.misc._ACMWrapper[asyncssh.SSHClientConnection]:
    known = asyncssh.import_known_hosts(f"{host.address} {host.host_public_key}\n")
    return asyncssh.connect(
        host.address,
        username=USER,
        client_keys=[str(host.observe_key)],
        known_hosts=known,
        config=None,
        agent_path=None,
    )


def _add_plain_account(host: Host) -> None:
    """An account for those who log in with a shell, as they need it."""
    host.run(
        ["useradd", "--create-home", "--password", "*", "--groups", "systemd-journal", "--shell", "/bin/bash", USER]
    )
    key = host.observe_key.with_suffix(".pub").read_text()
    host.write(f"/home/{USER}/.ssh/authorized_keys", key)


def _run_inside(shells: Sequence[Inside], programs: Sequence[str]) -> None:
    for shell in shells:
        shell.start(programs)
    for shell in shells:
        shell.wait()


def _alert(stage: Stage, operator: Operator, fleet: Sequence[Host], name: str) -> tuple[float, float]:
    """Seconds from the first incident to the last ApprovalRequest, and milliseconds of the operator's CPU."""
    by_host = {host: f"{name}-{host.name}" for host in fleet}
    spent = operators.cpu_seconds(operator.pid)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda host: open_incident(stage, by_host[host], host), fleet))
    operators.wait_for_all(stage, list(by_host.values()), lambda status: bool(_request_of(status)))
    spent = operators.cpu_seconds(operator.pid) - spent
    times = operators.creation_times(stage)
    requests = [_request_of(stage.status(each)) for each in by_host.values()]
    begin = min(times[ALICE, "incidents", each] for each in by_host.values())
    end = max(times[OPERATOR, "approvalrequests", each] for each in requests)
    for each in by_host.values():  # or the next ones would wait for them
        stage.cluster.api().delete(stage.path("incidents", each))
    return (end - begin).total_seconds(), spent * 1000


def _request_of(status: Mapping[str, Any]) -> str:
    reference = status.get("approvalRequestRef", {})
    return str(reference["name"]) if reference.get("uid") else ""


def _clocked(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


async def _measured(work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Seconds of wall time, and milliseconds of this process's CPU."""
    began, used = time.perf_counter(), time.process_time()
    await work()
    return time.perf_counter() - began, (time.process_time() - used) * 1000


def _require(number: int, output: CommandOutput) -> None:
    if output.exit_status != 0:
        raise NotMeasured(f"{NAMES[number]} ended with {output.exit_status}: {output.stderr.decode()}")
