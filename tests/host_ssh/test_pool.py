"""The connection pool against real sshd, and hosts that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import asyncssh
import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.controller.fetch import fetch
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.probe import Context
from firstresponder.expressions import Scope, render_argument
from firstresponder.hosts import pool as pool_module
from firstresponder.hosts.errors import AuthenticationFailed, CommandTimedOut, HostKeyMismatch, HostUnreachable
from firstresponder.hosts.observe import info, run_diagnostic
from firstresponder.hosts.pool import SESSIONS, SshPool
from firstresponder.hosts.target import SshTarget
from tests.host_ssh.conftest import observing, sshd_log, until
from tests.testbed.hosts import Host, Hosts

GENEROUS = 60  # seconds: for what must end by itself, long before


async def run(
    pool: SshPool, target: SshTarget, *argv: str, seconds: float = GENEROUS, max_output: int = 65536
) -> CommandOutput:
    return await run_diagnostic(pool, target, argv, seconds, max_output)


def logins(host: Host) -> int:
    return sum(f"Accepted publickey for {host.observe_user}" in line for line in sshd_log(host))


def processes(host: Host, name: str) -> int:
    return len(host.run(["pgrep", "--full", "--exact", name], check=False).stdout.splitlines())


def port_in(line: str) -> str | None:
    """The client's port in a line of sshd's log: which connection it tells of."""
    found = re.search(r" port ([0-9]+)", line)
    return found[1] if found else None


def a_public_key(kind: str) -> str:
    return " ".join(asyncssh.generate_private_key(kind).export_public_key().decode().split()[:2])


async def test_a_commands_output_and_exit_status_arrive_as_they_are(pool: SshPool, host: Host) -> None:
    output = await run(pool, observing(host), "sh", "-c", "echo out; echo err >&2; exit 7")
    assert output == CommandOutput(b"out\n", b"err\n", 7)


async def test_a_host_that_speaks_ipv6_only_is_reached_and_looked_at(pool: SshPool, hosts: Hosts) -> None:
    """By SSH, by each probe that opens a connection there, and by the operator's own GET."""
    host = hosts.start("web-6", service=None, ipv6_only=True)
    host.write("/srv/health", "{}")
    web = ["python3", "-m", "http.server", "--bind=::", "--directory=/srv", "80"]
    host.run(["systemd-run", "--quiet", "--unit=web", *web])
    target = observing(host)
    assert (await info(pool, target)).machine == host.machine_id
    url = render_argument("http://$(address)/health", Scope({"address": host.address}), {"address"})
    assert url == f"http://[{host.address}]/health"

    async def probed(kind: str, **arguments: Any) -> dict[str, Any]:
        probe, context = PROBES[kind], Context(now=0.0, timeout=10.0)
        given = probe.arguments(**arguments)
        output = await run(pool, target, *probe.argv(given, context), seconds=10)
        return probe.parse(given, output, context)

    async def is_served() -> bool:
        return bool((await probed("tcp", host=host.address, port=80))["open"])

    await until(is_served)
    assert (await probed("http", url=url))["status"] == 200
    assert await probed("tcp", host=host.address, port=22) == {"open": True, "error": ""}
    assert await probed("tcp", host="198.18.0.1", port=22) == {"open": False, "error": "NoRoute"}
    assert (await probed("ping", host=host.address, count=2, size=1452))["lossPercent"] == 0
    assert (await probed("resolve", name=host.address))["addresses"] == [host.address]
    addresses = [each["addresses"] for each in (await probed("interfaces"))["list"] if each["name"] == "eth0"]
    assert f"{host.address}/64" in addresses[0]
    assert (await fetch(url, 10, [host.address]))["status"] == 200

    # A firewall that says "administratively prohibited" (ICMPv6 type 1, code 1).
    rule = "add rule inet faults output ip6 daddr 2001:db8::/32 reject with icmpv6 type admin-prohibited"
    chain = "add chain inet faults output { type filter hook output priority 0; }"
    host.run(["ip", "route", "add", "default", "via", str(ip_network(f"{host.address}/64", strict=False)[1])])
    host.run(["nft", "-f", "-"], stdin=f"add table inet faults\n{chain}\n{rule}\n")
    assert await probed("tcp", host="2001:db8::1", port=80) == {"open": False, "error": "Filtered"}
    host.run(["ip", "route", "add", "prohibit", "2001:db9::/32"])
    assert await probed("tcp", host="2001:db9::1", port=80) == {"open": False, "error": "Filtered"}
    assert await probed("ping", host="2001:db9::1", count=2) == {"lossPercent": 100.0}
    host.stop()


async def test_output_that_is_no_valid_text_arrives_unharmed_and_harms_nobody(pool: SshPool, host: Host) -> None:
    sibling = asyncio.create_task(run(pool, observing(host), "sh", "-c", "sleep 1; echo still here"))
    assert (await run(pool, observing(host), "printf", r"\303\050\377\000")).stdout == b"\xc3\x28\xff\x00"
    assert (await sibling).stdout == b"still here\n"


async def test_many_commands_share_one_connection_and_those_beyond_its_sessions_wait(pool: SshPool, host: Host) -> None:
    before = logins(host)
    commands = (run(pool, observing(host), "sh", "-c", f"sleep 0.5; echo {n}") for n in range(SESSIONS + 4))
    outputs = await asyncio.gather(*commands)
    assert [output.stdout for output in outputs] == [f"{n}\n".encode() for n in range(SESSIONS + 4)]
    await run(pool, observing(host), "true")
    assert logins(host) == before + 1


async def test_a_pool_that_asks_for_more_sessions_than_sshd_allows_learns_how_many_those_are(
    pool: SshPool, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "SESSIONS", 100)
    held = "until test -e /etc/all-asked; do sleep 0.1; done"
    commands = (run(pool, observing(host), "sh", "-c", f"{held}; echo {n}") for n in range(12))
    asking = asyncio.gather(*commands)
    async with asyncio.timeout(60):
        while pool.sessions(observing(host)) == 100:  # noqa: ASYNC110 - nothing tells when a limit was learnt
            await asyncio.sleep(0.1)
    host.write("/etc/all-asked", "")
    outputs = await asking
    assert [output.stdout for output in outputs] == [f"{n}\n".encode() for n in range(12)]
    assert pool.sessions(observing(host)) == 10, "sshd's own default"


@contextlib.contextmanager
def hardened(host: Host, settings: str) -> Iterator[None]:
    """sshd with these settings of all accounts, for new connections."""
    path = "/etc/ssh/sshd_config.d/00-hardened.conf"
    restart = ["sh", "-c", "systemctl reset-failed ssh.service; systemctl restart ssh.service"]  # open sessions stay
    host.write(path, f"{settings}\n")
    try:
        host.run(restart)
        yield
    finally:
        host.run(["rm", path])
        host.run(restart)


@pytest.mark.parametrize("sessions", [1, 2, 4])
async def test_a_host_that_allows_few_sessions_runs_every_command_and_its_limit_outlives_the_connection(
    host: Host, sessions: int
) -> None:
    time = [0.0]
    pool = SshPool(now=lambda: time[0])
    with hardened(host, f"MaxSessions {sessions}"):
        for _ in range(2):
            commands = (run(pool, observing(host), "sh", "-c", f"sleep 0.3; echo {n}") for n in range(12))
            outputs = await asyncio.gather(*commands)
            assert [output.stdout for output in outputs] == [f"{n}\n".encode() for n in range(12)]
            assert sessions <= pool.sessions(observing(host)) < SESSIONS
            await pool.close()
    time[0] += pool_module.LEARNED_SECONDS + 1
    assert pool.sessions(observing(host)) == SESSIONS, "the host may have been changed"


async def test_a_command_that_waits_for_its_turn_does_not_use_up_its_own_time(pool: SshPool, host: Host) -> None:
    with hardened(host, "MaxSessions 1"):
        commands = (run(pool, observing(host), "sleep", "2", seconds=4) for _ in range(5))
        assert [output.exit_status for output in await asyncio.gather(*commands)] == [0] * 5


async def test_a_host_that_opens_no_session_at_all_is_told_as_such(pool: SshPool, host: Host) -> None:
    with hardened(host, "MaxSessions 0"):
        with pytest.raises(HostUnreachable, match="look at MaxSessions for fr-observe") as problem:
            await run(pool, observing(host), "true")
        assert problem.value.reason == "SessionRefused"
    await pool.close()


@pytest.mark.parametrize(
    ("harm", "mend", "words"),
    [
        ("chage --expiredate 2020-01-01 fr-observe", "chage --expiredate -1 fr-observe", "account has expired"),
        ("echo Back at noon >/etc/nologin", "rm /etc/nologin", "Back at noon"),
    ],
    ids=["expired", "nologin"],
)
async def test_a_login_that_the_host_ends_is_told_in_the_hosts_words_and_with_what_to_do(
    pool: SshPool, host: Host, harm: str, mend: str, words: str
) -> None:
    host.run(["sh", "-c", harm])
    try:
        with pytest.raises(HostUnreachable) as problem:
            await run(pool, observing(host), "true")
    finally:
        host.run(["sh", "-c", mend])
    assert problem.value.reason == "LoginEnded"
    assert words in problem.value.message
    assert "install --check" in problem.value.message


async def test_each_account_has_its_own_connection(pool: SshPool, host: Host, other_host: Host) -> None:
    assert (await info(pool, observing(host))).machine == host.machine_id
    assert (await info(pool, observing(other_host))).machine == other_host.machine_id
    assert (await info(pool, observing(host))).os.startswith("Debian GNU/Linux ")


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
async def test_a_host_with_another_key_is_not_even_told_who_we_are(pool: SshPool, host: Host, kind: str) -> None:
    before = len(sshd_log(host))
    wrong = replace(observing(host), host_keys=(a_public_key(kind),))
    with pytest.raises(HostKeyMismatch, match="Find out why before you change anything"):
        await run(pool, wrong, "true")

    async def seen() -> bool:
        """sshd tells of those who leave before they say who they are."""
        return any("[preauth]" in line for line in (await asyncio.to_thread(sshd_log, host))[before:])

    await until(seen)
    log = sshd_log(host)
    ports = {port_in(line) for line in log[before:] if "[preauth]" in line}
    assert not [line for line in log if port_in(line) in ports and ("Accepted" in line or "user" in line)]


async def test_one_right_key_among_the_pinned_ones_is_enough(pool: SshPool, host: Host) -> None:
    target = replace(observing(host), host_keys=(a_public_key("ecdsa-sha2-nistp256"), host.host_public_key))
    assert (await run(pool, target, "true")).exit_status == 0


async def test_a_refused_key_is_not_tried_again_for_a_minute(host: Host) -> None:
    def attempts() -> int:
        return sum("authenticating user" in line and "[preauth]" in line for line in sshd_log(host))

    async def tried(times: int) -> bool:
        """sshd tells of an attempt when it has noticed that the client went."""
        return await asyncio.to_thread(attempts) == before + times

    time = [0.0]
    pool = SshPool(now=lambda: time[0])
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    target = replace(observing(host), private_key=stranger)
    before = attempts()
    for _ in range(3):
        with pytest.raises(AuthenticationFailed):
            await run(pool, target, "true")
    assert (await run(pool, observing(host), "true")).exit_status == 0, "another key is not concerned"
    await until(lambda: tried(1))
    time[0] += 61
    with pytest.raises(AuthenticationFailed):
        await run(pool, target, "true")
    await until(lambda: tried(2))
    await pool.close()


async def test_nobody_listening_is_told_as_refused(pool: SshPool, host: Host) -> None:
    with pytest.raises(HostUnreachable) as problem:
        await run(pool, replace(observing(host), port=1), "true")
    assert problem.value.reason == "ConnectionRefused"


async def test_output_beyond_the_limit_is_cut_and_the_command_given_up(pool: SshPool, host: Host) -> None:
    output = await run(pool, observing(host), "yes", max_output=1000)
    assert output == CommandOutput(b"y\n" * 500, b"", None, truncated=True)
    assert (await run(pool, observing(host), "echo", "on")).stdout == b"on\n"


async def test_output_of_exactly_the_limit_is_whole(pool: SshPool, host: Host) -> None:
    output = await run(pool, observing(host), "printf", "12345", max_output=5)
    assert output == CommandOutput(b"12345", b"", 0)


async def test_a_command_that_takes_too_long_is_given_up_alone(pool: SshPool, host: Host) -> None:
    sibling = asyncio.create_task(run(pool, observing(host), "sh", "-c", "sleep 4; echo done"))
    with pytest.raises(CommandTimedOut):
        await run(pool, observing(host), "sleep", "30", seconds=1)
    assert (await sibling).stdout == b"done\n"


async def test_commands_given_up_do_not_use_up_the_hosts_sessions(pool: SshPool, host: Host) -> None:
    for _ in range(3):
        slow = (run(pool, observing(host), "sleep", "30", seconds=1) for _ in range(SESSIONS))
        outcomes = await asyncio.gather(*slow, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {CommandTimedOut}
    assert (await run(pool, observing(host), "true")).exit_status == 0


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
async def test_a_frozen_host_costs_its_own_commands_and_delays_no_other(
    pool: SshPool, host: Host, other_host: Host, warm: bool
) -> None:
    if warm:
        await run(pool, observing(host), "true")
    host.freeze()
    try:
        frozen = asyncio.create_task(run(pool, observing(host), "true"))
        assert (await run(pool, observing(other_host), "echo", "well")).stdout == b"well\n"
        assert not frozen.done()
        with pytest.raises(CommandTimedOut):
            await run(pool, observing(host), "true", seconds=1)
        frozen.cancel()
    finally:
        host.thaw()
    assert (await run(pool, observing(host), "true")).exit_status == 0


async def test_a_command_whose_connection_is_cut_has_no_exit_status(
    pool: SshPool, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "KEEPALIVE_SECONDS", 1)
    command = asyncio.create_task(run(pool, observing(host), "sh", "-c", "echo begun; sleep 54", seconds=50))

    async def begun() -> bool:
        return await asyncio.to_thread(processes, host, "sleep 54") == 1

    await until(begun)
    host.cut()
    try:
        assert await command == CommandOutput(b"begun\n", b"", None)
    finally:
        host.restore()
    assert (await run(pool, observing(host), "true")).exit_status == 0


async def test_the_pool_finds_a_host_again_that_rebooted(pool: SshPool, host: Host) -> None:
    before = (await info(pool, observing(host))).boot
    await asyncio.to_thread(host.reboot, hard=True)
    after = await info(pool, observing(host))
    assert after.boot == host.boot_id() != before


async def test_a_waiting_caller_that_gives_up_does_not_take_the_connection_from_the_others(
    pool: SshPool, host: Host
) -> None:
    impatient = asyncio.create_task(run(pool, observing(host), "true"))
    patient = asyncio.create_task(run(pool, observing(host), "echo", "here"))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).stdout == b"here\n"


async def test_a_connection_that_nobody_uses_is_closed(
    pool: SshPool, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "IDLE_SECONDS", 0.2)

    async def closed() -> bool:
        told = await asyncio.to_thread(sshd_log, host)
        return any("Disconnected from user" in line and port_in(line) == mine for line in told)

    await run(pool, observing(host), "sleep", "1")
    mine = [port_in(line) for line in sshd_log(host) if f"Accepted publickey for {host.observe_user}" in line][-1]
    await until(closed)
    assert (await run(pool, observing(host), "true")).exit_status == 0
