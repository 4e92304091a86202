"""Orders, seals and questions over SSH to a real ledger."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from firstresponder.api.ledger import HostInfo, LedgerState, attempt_id
from firstresponder.api.packet import Order
from firstresponder.hosts import ledger
from firstresponder.hosts.observe import info
from firstresponder.hosts.pool import SshPool
from tests.host_ssh.conftest import acting, observing, until
from tests.testbed.hosts import Host


@pytest.fixture
async def about(pool: SshPool, host: Host) -> HostInfo:
    return await info(pool, observing(host))


def order(host: Host, about: HostInfo, incident: str, *, uptime: int | None = None) -> str:
    return Order(
        host=about.machine,
        boot=about.boot,
        action="restart-unit",
        arguments=[f"{host.service}.service"],
        timeout_seconds=60,
        not_after=int(about.time) + 600,
        not_after_uptime=about.uptime + 600 if uptime is None else uptime,
        incident=incident,
        attempt=1,
    ).text("sha256:" + "0" * 64)


def starts(host: Host) -> int:
    host.run(["journalctl", "--sync"])
    journal = host.run(["journalctl", "--boot", "--output=cat", f"--unit={host.service}.service", "--grep=^Started "])
    return len(journal.stdout.splitlines())


def test_a_prepared_host_says_who_it_is(host: Host, about: HostInfo) -> None:
    assert (about.machine, about.boot) == (host.machine_id, host.boot_id())
    assert "restart-unit" in about.actions


async def test_an_order_sent_many_times_at_once_and_again_runs_once(pool: SshPool, host: Host, about: HostInfo) -> None:
    before = starts(host)
    text = order(host, about, "sent-many-times")
    answers = await asyncio.gather(*(ledger.send_order(pool, acting(host), text, 90) for _ in range(4)))
    answers.append(await ledger.send_order(pool, acting(host), text, 90))
    assert starts(host) == before + 1
    assert {answer.state for answer in answers} <= {LedgerState.RUNNING, LedgerState.FINISHED, LedgerState.ABSENT}
    final = answers[-1]
    assert (final.state, final.refused) == (LedgerState.FINISHED, "claimed")
    assert (final.result, final.exit_status, final.claim_boot) == ("success", 0, about.boot)
    assert final.claimed_at is not None
    assert final.finished_at is not None
    assert float(final.claimed_at) < float(final.finished_at)
    assert any(line.startswith("result=restarted") for line in final.output)
    assert await ledger.status(pool, acting(host), attempt_id(text)) == replace(final, refused=None)


async def test_a_sealed_order_never_runs(pool: SshPool, host: Host, about: HostInfo) -> None:
    before = starts(host)
    text = order(host, about, "sealed")
    attempt = attempt_id(text)
    assert (await ledger.status(pool, acting(host), attempt)).state is LedgerState.ABSENT
    sealed = await ledger.seal(pool, acting(host), attempt)
    assert (sealed.state, sealed.sealed_boot) == (LedgerState.SEALED, about.boot)
    answer = await ledger.send_order(pool, acting(host), text, 90)
    assert (answer.state, answer.refused) == (LedgerState.SEALED, "claimed")
    assert starts(host) == before


async def test_a_seal_that_comes_too_late_tells_the_result(pool: SshPool, host: Host, about: HostInfo) -> None:
    text = order(host, about, "sealed-too-late")
    await ledger.send_order(pool, acting(host), text, 90)
    assert (await ledger.seal(pool, acting(host), attempt_id(text))).state is LedgerState.FINISHED


async def test_an_expired_order_is_refused_and_stays_absent(pool: SshPool, host: Host, about: HostInfo) -> None:
    before = starts(host)
    answer = await ledger.send_order(pool, acting(host), order(host, about, "expired", uptime=1), 90)
    assert (answer.state, answer.refused) == (LedgerState.ABSENT, "expired (uptime)")
    assert starts(host) == before


async def test_an_answer_cut_off_by_the_network_is_unknown_and_learnt_later(
    pool: SshPool, host: Host, about: HostInfo
) -> None:
    host.hold_starts()
    text = order(host, about, "cut-off")
    attempt = attempt_id(text)

    async def claimed() -> bool:
        return (await ledger.status(pool, acting(host), attempt)).state is not LedgerState.ABSENT

    async def finished() -> bool:
        return (await ledger.status(pool, acting(host), attempt)).state is LedgerState.FINISHED

    sending = asyncio.create_task(ledger.send_order(pool, acting(host), text, 5))
    await until(claimed)
    host.cut()
    host.let_start_go_on()
    try:
        answer = await sending
        assert (answer.state, answer.refused) == (None, None)
        assert answer.error
    finally:
        host.restore()
    await until(finished)
    assert (await ledger.status(pool, acting(host), attempt)).exit_status == 0


async def test_without_its_rule_of_sudo_the_acting_account_says_so_and_the_observing_one_is_told(
    pool: SshPool, host: Host, about: HostInfo
) -> None:
    text = order(host, about, "no-rule")
    attempt = attempt_id(text)
    rule = "/etc/sudoers.d/firstresponder"
    kept = host.read(rule)
    host.write(rule, "".join(line + "\n" for line in kept.splitlines() if "fr-act" not in line), mode=0o440)
    try:
        for answer in (
            await ledger.status(pool, acting(host), attempt),
            await ledger.send_order(pool, acting(host), text, 90),
        ):
            assert answer.state is None
            assert "exit status 1: sudo: " in answer.error
        told = await ledger.status_as_observer(pool, observing(host), attempt)
    finally:
        host.write(rule, kept, mode=0o440)
    assert (told.state, told.boot, told.by_observer) == (LedgerState.ABSENT, about.boot, True)
    assert told.uptime is not None
    assert told.uptime >= about.uptime
