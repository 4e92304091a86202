"""A round of diagnostics: parallel, bounded, and honest about what was not seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any, Never, cast

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.api.hosts import Host
from firstresponder.controller.accounts import Accounts
from firstresponder.controller.diagnostics import Diagnostics
from firstresponder.evidence.config_value import ConfigValueArguments
from firstresponder.evidence.http import HttpArguments
from firstresponder.evidence.journal import JournalArguments
from firstresponder.evidence.memory import MemoryArguments
from firstresponder.hosts.errors import CommandTimedOut, HostUnreachable
from firstresponder.hosts.pool import SshPool
from firstresponder.hosts.target import SshTarget
from firstresponder.incident.facts import Observation
from firstresponder.incident.plan import Observe, ProbeRequest
from firstresponder.kube.credentials import CredentialsUnusable

NOW = datetime(2026, 3, 14, 3, 7, tzinfo=UTC)
INFO = (
    b"machine=0123456789abcdef0123456789abcdef\nboot=11111111-2222-3333-4444-555555555555\n"
    b"uptime=100\ntime=1773457620.5\nactions=restart-unit\nversion=1\n"
)
MEMINFO = b"MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 250 kB\n"


def host(name: str) -> Host:
    return Host.model_validate(
        {
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {
                "address": "10.0.0.1",
                "hostKeys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"],
                "accounts": {"observe": {"user": "fr-observe", "credentialsRef": {"name": "s"}}},
            },
        }
    )


class FakeAccounts:
    """Every host's observing account, but for ``refused``; asking for an acting one is a mistake of the caller."""

    def __init__(self, refused: str = "") -> None:
        self._refused = refused

    async def observing(self, host: Host) -> SshTarget:
        if host.name == self._refused:
            raise CredentialsUnusable("CredentialsMissing", "there is no Secret s: create it")
        return SshTarget(host.name, host.spec.address, 22, tuple(host.spec.host_keys), "fr-observe", "key")


class FakePool:
    """Hosts by name: what they answer, or how they fail; ``barrier`` holds all diagnostics until so many run."""

    def __init__(self, answers: dict[str, Any], together: int = 0) -> None:
        self._answers = answers
        self._barrier = asyncio.Barrier(together) if together else None

    async def run(self, target: SshTarget, stdin: bytes, **_: Any) -> CommandOutput:
        answer = self._answers[target.name]
        if isinstance(answer, Exception):
            raise answer
        if stdin == b"info\n":
            return CommandOutput(INFO, b"", 0)
        if self._barrier is not None:
            await self._barrier.wait()
        found = answer.get(stdin.split(b"\n")[1].decode(), MEMINFO) if isinstance(answer, dict) else answer
        if isinstance(found, Exception):
            raise found
        return CommandOutput(found, b"", 0)


def diagnostics(pool: FakePool, accounts: FakeAccounts | None = None) -> Diagnostics:
    return Diagnostics(cast(SshPool, pool), cast(Accounts, accounts or FakeAccounts()), lambda: NOW)


def memory(name: str, on: str, seconds: float | None = None) -> ProbeRequest:
    return ProbeRequest(name, "target", on, "memory", MemoryArguments(), seconds)


async def test_evidence_comes_in_the_order_that_was_asked_for_with_values_and_source() -> None:
    effect = Observe("r", (memory("one", "b"), memory("two", "a")), ("a", "b"))
    found = await diagnostics(FakePool({"a": {}, "b": {}})).observe(effect, {"a": host("a"), "b": host("b")})
    assert [(each.name, each.host) for each in found.evidence] == [("one", "b"), ("two", "a")]
    first = found.evidence[0]
    assert first.values["availableBytes"] == 250 * 1024
    assert (first.source, first.runbook, first.observed_time) == ("/proc/meminfo", "r", NOW)
    assert first.unavailable is None
    assert {name: info.machine for name, info in found.hosts.items()}.keys() == {"a", "b"}
    assert found.unreachable == {}


async def test_all_diagnostics_of_all_hosts_run_at_the_same_time() -> None:
    effect = Observe("r", tuple(memory(f"{on}{n}", on, 10 + n) for on in "ab" for n in range(3)), ("a", "b"))
    pool = FakePool({"a": {}, "b": {}}, together=6)
    async with asyncio.timeout(10):  # six at once, or never
        found = await diagnostics(pool).observe(effect, {"a": host("a"), "b": host("b")})
    assert len(found.evidence) == 6


class PoolOfToday(FakePool):
    """Hosts whose program runs diagnostics together; keeps what they were asked, and answers one by one."""

    def __init__(self) -> None:
        super().__init__({})
        self.asked: list[bytes] = []
        self.begun = asyncio.Event()
        """Whether a diagnostic was."""

    async def run(
        self,
        target: SshTarget,  # noqa: ARG002 - there is one
        stdin: bytes,
        *,
        received: Callable[[bytes], None] | None = None,
        **_: Any,
    ) -> CommandOutput:
        self.asked.append(stdin)
        if stdin != b"info\n":
            self.begun.set()
        await asyncio.sleep(0.01)
        if stdin == b"info\n":
            return CommandOutput(INFO.replace(b"version=1", b"version=2"), b"", 0)
        if received is None:
            return CommandOutput(MEMINFO, b"", 0)
        answer = b""
        for number in range(stdin.count(b"\nrun ")):
            result = b"result %d 0 no %d 0\n%s" % (number, len(MEMINFO), MEMINFO)
            received(result)
            answer += result
            await asyncio.sleep(0)
        return CommandOutput(answer, b"", 0)


class Clock:
    """Each look at it is a second later."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> datetime:
        self.looks += 1
        return NOW + timedelta(seconds=self.looks)


async def test_a_round_is_one_request_to_a_host_and_each_evidence_says_when_it_was_observed() -> None:
    pool = PoolOfToday()
    looking = Diagnostics(cast(SshPool, pool), cast(Accounts, FakeAccounts()), Clock())
    probes = tuple(memory(f"m{n}", "a", 10 + n) for n in range(5))
    found = await looking.observe(Observe("r", probes, ("a",)), {"a": host("a")})
    assert [request.split(b"\n")[0] for request in pool.asked] == [b"info", b"together"]
    assert [each.unavailable for each in found.evidence] == [None] * 5
    assert len({each.observed_time for each in found.evidence}) == 5


def wall() -> datetime:
    """A clock that goes as the event loop's does."""
    return NOW + timedelta(seconds=asyncio.get_running_loop().time())


async def test_a_storm_of_incidents_of_one_host_asks_it_once_and_all_have_the_evidence() -> None:
    pool = PoolOfToday()
    looking = Diagnostics(cast(SshPool, pool), cast(Accounts, FakeAccounts()), wall)
    probes = tuple(memory(f"m{n}", "a", 10 + n) for n in range(3))
    read = wall()

    async def triage(n: int) -> Observation:
        await asyncio.sleep(0.001 * n)  # most find the questions begun
        return await looking.observe(Observe("r", probes, ("a",), since=read), {"a": host("a")})

    storm = await asyncio.gather(*(triage(n) for n in range(20)))
    assert [request.split(b"\n")[0] for request in pool.asked] == [b"info", b"together"]
    times = {tuple(each.observed_time for each in found.evidence) for found in storm}
    assert len(times) == 1, "it is the time of the observation, not of who had it"
    began = [found.start_time - read for found in storm]
    assert max(began) - min(began) < timedelta(milliseconds=1), "and so is when it began"
    assert all(found.evidence[0].values["availableBytes"] == 250 * 1024 for found in storm)


@pytest.mark.parametrize("since", [None, timedelta(seconds=0.5)], ids=["before acting", "after the last look"])
async def test_a_look_takes_nothing_that_was_begun_before_it_allows(since: timedelta | None) -> None:
    pool = PoolOfToday()
    looking = Diagnostics(cast(SshPool, pool), cast(Accounts, FakeAccounts()), wall)
    probes, read = (memory("one", "a"),), wall()

    async def look(since: datetime | None) -> Observation:
        return await looking.observe(Observe("r", probes, ("a",), since=since), {"a": host("a")})

    triage = asyncio.create_task(look(read))
    await pool.begun.wait()  # and not answered yet
    fresh, seen = await look(read + since if since is not None else None), await triage
    assert sorted(request.split(b"\n")[0] for request in pool.asked) == [*[b"info"] * 2, *[b"run 10"] * 2]
    assert fresh.evidence[0].observed_time > seen.evidence[0].observed_time
    assert fresh.start_time > seen.start_time


async def test_a_host_that_cannot_be_reached_is_told_and_takes_nothing_from_the_others() -> None:
    effect = Observe("r", (memory("one", "dead"), memory("two", "a")), ("a", "dead"))
    pool = FakePool({"a": {}, "dead": HostUnreachable("ConnectionRefused", "fr-observe@dead: refused")})
    found = await diagnostics(pool).observe(effect, {"a": host("a"), "dead": host("dead")})
    assert found.unreachable == {"dead": "fr-observe@dead: refused"}
    assert set(found.hosts) == {"a"}
    one, two = found.evidence
    assert one.unavailable is not None
    assert (one.unavailable.reason, one.values) == ("ConnectionRefused", {})
    assert two.unavailable is None


async def test_a_diagnostic_that_runs_out_of_time_is_unavailable_and_its_host_is_not_unreachable() -> None:
    slow = CommandTimedOut("TimedOut", "no complete answer within 10 s")
    found = await diagnostics(FakePool({"a": {"cat": slow, "sh": slow}})).observe(
        Observe("r", (memory("one", "a"),), ("a",)), {"a": host("a")}
    )
    assert found.unreachable == {}
    (one,) = found.evidence
    assert one.unavailable is not None
    assert one.unavailable.reason == "TimedOut"


async def test_a_host_that_is_not_registered_and_one_without_credentials_are_told() -> None:
    effect = Observe("r", (memory("one", "a"), memory("two", "ghost")), ("a", "ghost"))
    found = await diagnostics(FakePool({"a": {}}), FakeAccounts(refused="a")).observe(effect, {"a": host("a")})
    assert found.unreachable == {"a": "there is no Secret s: create it", "ghost": "there is no Host named ghost"}
    assert [each.unavailable.reason for each in found.evidence if each.unavailable] == [
        "CredentialsMissing",
        "HostMissing",
    ]


async def test_output_that_is_not_what_the_probe_expects_is_unavailable_with_a_harmless_excerpt() -> None:
    nonsense = b"\x1b[31mpassword=hunter2\n" + b"x" * 100_000
    found = await diagnostics(FakePool({"a": {"cat": nonsense, "sh": nonsense}})).observe(
        Observe("r", (memory("one", "a"),), ("a",)), {"a": host("a")}
    )
    (one,) = found.evidence
    assert one.unavailable is not None
    assert one.excerpt is not None
    assert "hunter2" not in one.excerpt
    assert "\x1b" not in one.excerpt
    assert len(one.excerpt) <= 2000


async def test_nothing_of_a_file_is_shown_whether_its_value_was_found_or_not() -> None:
    file = b"pool_size: 20\ninner_setting: hunter2\n"
    for key in ("pool_size", "nothing"):
        arguments = ConfigValueArguments(path="/etc/payroll/db.yml", key=key)
        request = ProbeRequest("pool", "target", "a", "configValue", arguments, None)
        found = await diagnostics(FakePool({"a": file})).observe(Observe("r", (request,), ("a",)), {"a": host("a")})
        (one,) = found.evidence
        assert one.excerpt is None
        assert "hunter2" not in one.model_dump_json()
        assert one.values == ({"value": "20"} if key == "pool_size" else {})


async def test_output_that_nobody_foresaw_is_unavailable_and_no_exception() -> None:
    # Half a surrogate pair, which no journald writes: the regular expressions cannot read it.
    times = b'"__REALTIME_TIMESTAMP": "1893456000000000", "__MONOTONIC_TIMESTAMP": "1", "_BOOT_ID": "b"'
    facts = b'#unit LoadState=loaded\n#newest {%s}\n#oldest {%s, "__CURSOR": ";i=1;"}\n#span 300000000\n' % (
        times,
        times,
    )
    line = b'%s{%s, "MESSAGE": "\\ud800"}\n#status 0\n#end\n' % (facts, times)
    journal = JournalArguments(unit="api.service", since="5m", extract={"request": "GET (.*)"})
    request = ProbeRequest("oom", "target", "a", "journal", journal, None)
    seen = await diagnostics(FakePool({"a": line})).observe(Observe("high-cpu", (request,), ("a",)), {"a": host("a")})
    (evidence,) = seen.evidence
    assert evidence.unavailable is not None
    assert (evidence.unavailable.reason, evidence.values) == ("Unparseable", {})


async def test_an_argument_that_cannot_be_sent_is_unavailable() -> None:
    # As a template may make it: rendered arguments are not checked by the schema again.
    arguments = JournalArguments(unit="api.service").model_copy(update={"match": "a\nb"})
    request = ProbeRequest("one", "target", "a", "journal", arguments, None)
    found = await diagnostics(FakePool({"a": {}})).observe(Observe("r", (request,), ("a",)), {"a": host("a")})
    (one,) = found.evidence
    assert one.unavailable is not None
    assert one.unavailable.reason == "BadArgument"


class HangingPool(FakePool):
    """Hosts that answer who they are and nothing else, or not even that."""

    def __init__(self, *silent: str) -> None:
        super().__init__({})
        self._silent = silent

    async def run(self, target: SshTarget, stdin: bytes, **_: Any) -> CommandOutput:
        if stdin == b"info\n" and target.name not in self._silent:
            return CommandOutput(INFO, b"", 0)
        return await _never()


async def _never() -> Never:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


async def test_what_has_not_answered_within_the_time_of_all_is_left_out_and_said() -> None:
    async def hangs(url: str, seconds: float, hosts: Collection[str]) -> dict[str, Any]:
        return await _never()

    http = ProbeRequest("page", "target", None, "http", HttpArguments(url="http://x/", from_="operator"), None)
    probes = (memory("one", "a"), memory("two", "silent"), http)
    looking = Diagnostics(
        cast(SshPool, HangingPool("silent")), cast(Accounts, FakeAccounts()), lambda: NOW, fetch=hangs
    )
    async with asyncio.timeout(30):  # nothing here ever answers: without a bound it would wait for ever
        found = await looking.observe(
            Observe("r", probes, ("a", "silent")), {name: host(name) for name in ("a", "silent")}, within=0.05
        )
    assert [each.name for each in found.evidence] == ["one", "two", "page"]
    for each in found.evidence:
        assert each.unavailable is not None
        assert each.unavailable.reason == "TimedOut"
        assert each.unavailable.message == "no answer within the time that all of them had together"


async def test_what_answered_within_the_time_of_all_is_kept() -> None:
    found = await diagnostics(FakePool({"a": {}})).observe(
        Observe("r", (memory("one", "a"),), ("a",)), {"a": host("a")}, within=30.0
    )
    assert [each.unavailable for each in found.evidence] == [None]


async def test_the_operator_looks_itself_without_asking_any_host() -> None:
    asked = []

    async def answers(url: str, seconds: float, hosts: Collection[str]) -> dict[str, Any]:
        asked.append((url, seconds, list(hosts)))
        return {"ok": True, "status": 200}

    request = ProbeRequest("page", "target", None, "http", HttpArguments(url="http://x/", from_="operator"), 3.0)
    looking = Diagnostics(cast(SshPool, FakePool({})), cast(Accounts, FakeAccounts()), lambda: NOW, fetch=answers)
    found = await looking.observe(Observe("r", (request,), ()), {"a": host("a")})
    (page,) = found.evidence
    assert asked == [("http://x/", 3.0, ["10.0.0.1"])]
    assert (page.values, page.source, page.host) == ({"ok": True, "status": 200}, "operator", None)
    assert (found.hosts, found.unreachable) == ({}, {})


async def test_a_url_that_the_operator_must_not_ask_is_a_piece_of_evidence_that_says_so() -> None:
    arguments = HttpArguments(url="http://169.254.169.254/", from_="operator")
    request = ProbeRequest("page", "target", None, "http", arguments, None)
    (page,) = (await diagnostics(FakePool({})).observe(Observe("r", (request,), ()), {})).evidence
    assert page.unavailable is not None
    assert page.unavailable.reason == "NotAllowed"


async def test_whatever_the_operators_look_raises_is_a_piece_of_evidence() -> None:
    async def breaks(url: str, seconds: float, hosts: Collection[str]) -> dict[str, Any]:
        raise RuntimeError("token=hunter2")

    request = ProbeRequest("page", "target", None, "http", HttpArguments(url="http://x/", from_="operator"), None)
    looking = Diagnostics(cast(SshPool, FakePool({})), cast(Accounts, FakeAccounts()), lambda: NOW, fetch=breaks)
    (page,) = (await looking.observe(Observe("r", (request,), ()), {})).evidence
    assert page.unavailable is not None
    assert (page.unavailable.reason, page.unavailable.message) == (
        "Unparseable",
        "it could not be read: RuntimeError",
    )
