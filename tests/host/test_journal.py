"""The journal as real hosts keep it: a zero is told only by a journal that holds all of the time that is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.api.ledger import Moment
from firstresponder.evidence.journal import PROBE
from firstresponder.evidence.patterns import PATTERNS, PatternSet
from firstresponder.evidence.probe import Context, Reason, Unobserved
from tests.host.wire import Wire
from tests.testbed.faults import age_journal
from tests.testbed.hosts import Host

TABLES = Path(__file__).parent.parent / "unit" / "evidence" / "log_lines"
JOURNALD = ("systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald.service")
ERRORS: dict[str, Any] = {"patterns": "errorLines"}


def look(wire: Wire, unit: str, end: Moment | None = None, **arguments: Any) -> dict[str, Any]:
    """What the probe tells of the unit's journal. Raises Unobserved."""
    given = PROBE.arguments(unit=unit, **arguments)
    context = Context(now=float(wire.info()["time"]), timeout=PROBE.timeout, not_before=end)
    done = wire.observe(*PROBE.argv(given, context), seconds=20)
    return PROBE.parse(given, CommandOutput(done.stdout.encode(), done.stderr.encode(), done.returncode), context)


def blind(wire: Wire, unit: str, words: str, reason: Reason, **arguments: Any) -> None:
    with pytest.raises(Unobserved, match=words) as unobserved:
        look(wire, unit, **arguments)
    assert unobserved.value.reason is reason


def say(host: Host, unit: str, *lines: str, settings: str = "") -> None:
    """Have a service of that name print the lines, and end."""
    host.write(f"/run/{unit}.lines", "".join(f"{line}\n" for line in lines))
    service = f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'cat /run/{unit}.lines; sleep 0.5'\n{settings}"
    host.write(f"/run/systemd/system/{unit}", service)
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "start", unit])
    host.run(["journalctl", "--sync"])


@pytest.fixture(autouse=True)
def journald(host: Host) -> Iterator[None]:
    yield
    host.run(["systemctl", "kill", "--signal=CONT", "systemd-journald.service"], check=False)
    host.run(["systemctl", "start", *JOURNALD])


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_journalctl_understands_the_named_patterns(host: Host, wire: Wire, name: PatternSet) -> None:
    rows = [line for line in (TABLES / f"{name}.txt").read_text().splitlines() if not line.startswith("#")]
    unit = f"said-{sorted(PATTERNS).index(name)}.service"
    say(host, unit, *(row.split("\t", 1)[1] for row in rows))
    assert look(wire, unit, match=".", limit=0)["count"] >= len(rows)
    found = look(wire, unit, patterns=name, limit=100)
    assert found["count"] == sum(row.startswith("+") for row in rows)


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ("StandardOutput=append:/var/log/said.log", "goes to a file.*append:/var/log/said.log"),
        ("StandardOutput=file:/var/log/said.log", "goes to a file.*file:/var/log/said.log"),
        ("StandardOutput=truncate:/var/log/said.log", "goes to a file.*truncate:/var/log/said.log"),
        ("StandardError=append:/var/log/said.log", "goes to a file.*StandardError=append:/var/log/said.log"),
        ("StandardOutput=null", "thrown away"),
        ("StandardOutput=kmsg", "kernel's log"),
        ("LogNamespace=said", "journal namespace said"),
        ("LogLevelMax=err", "only what is err or worse"),
    ],
)
def test_a_unit_that_logs_elsewhere_has_no_journal_and_is_told_where_it_logs(
    host: Host, wire: Wire, settings: str, where: str
) -> None:
    say(host, "elsewhere.service", "ERROR boom", settings=settings)
    blind(wire, "elsewhere.service", where, Reason.NOT_FOUND, **ERRORS)


def test_a_unit_is_read_under_its_alias_and_one_that_does_not_exist_is_not(host: Host, wire: Wire) -> None:
    say(host, "named.service", "ERROR boom")
    host.run(["ln", "-sf", "named.service", "/run/systemd/system/alias.service"])
    host.run(["systemctl", "daemon-reload"])
    assert look(wire, "alias.service", **ERRORS)["count"] == 1
    blind(wire, "nobody.service", "not loaded", Reason.NOT_FOUND, **ERRORS)


def test_a_journald_that_stands_still_or_is_stopped_shows_no_zero(host: Host, wire: Wire) -> None:
    say(host, "quiet.service", "ready")
    assert look(wire, "quiet.service", **ERRORS)["count"] == 0
    host.run(["systemctl", "kill", "--signal=STOP", "systemd-journald.service"])
    blind(wire, "quiet.service", "journald has written nothing", Reason.FAILED, **ERRORS)
    host.run(["systemctl", "kill", "--signal=CONT", "systemd-journald.service"])
    assert look(wire, "quiet.service", **ERRORS)["count"] == 0
    host.run(["systemctl", "stop", *JOURNALD])
    blind(wire, "quiet.service", "journald has written nothing", Reason.FAILED, **ERRORS)


def test_what_journald_drops_of_a_service_that_floods_it_makes_no_count(host: Host, wire: Wire) -> None:
    limits = "LogRateLimitIntervalSec=1\nLogRateLimitBurst=10\n"
    say(host, "flood.service", *(f"line {number}" for number in range(500)), settings=limits)
    time.sleep(1.1)
    host.run(["systemctl", "start", "flood.service"])  # the first message after it says what was dropped before
    host.run(["journalctl", "--sync"])
    blind(wire, "flood.service", "Suppressed", Reason.TRUNCATED, **ERRORS)


def test_an_error_before_the_clock_jumped_ahead_is_seen_while_verifying(host: Host, wire: Wire) -> None:
    """The clock of a host is this machine's: what was written before is made an hour older instead."""
    say(host, "named.service", "ERROR before the action")
    uptime = float(host.read("/proc/uptime").split()[0])
    clock = float(host.run(["date", "+%s.%N"]).stdout)
    time.sleep(0.2)
    say(host, "named.service", "ERROR after the action")
    host.run(["journalctl", "--rotate"])
    age_journal(host, "/var/log/journal/*/*@*.journal", 3600)
    say(host, "named.service", "ready")
    end = Moment(clock - 3600, uptime, host.boot_id())
    assert look(wire, "named.service", end, **ERRORS)["lines"] == ["ERROR after the action"]
    unset = Moment(clock, uptime, host.boot_id())
    assert look(wire, "named.service", unset, **ERRORS)["lines"] == ["ERROR after the action"]


def test_an_unreadable_archive_matters_only_where_it_holds_what_is_read(host: Host, wire: Wire) -> None:
    say(host, "named.service", "ERROR boom")
    host.run(["journalctl", "--rotate"])
    archives = "/var/log/journal/*/*@*.journal"
    host.run(["sh", "-c", f"setfacl --remove-all {archives}; chmod 600 {archives}"])
    blind(wire, "named.service", "may not read", Reason.NO_PERMISSION, **ERRORS)
    host.run(["sh", "-c", f"touch --date='2 hours ago' {archives}"])
    time.sleep(1.2)
    assert look(wire, "named.service", since="1s", **ERRORS)["count"] == 0
    host.run(["sh", "-c", f"chmod 644 {archives}; for f in {archives}; do echo broken >$f; done"])
    blind(wire, "named.service", "ignoring file", Reason.FAILED, since="1s", **ERRORS)
    host.run(["sh", "-c", f"touch --date='2 hours ago' {archives}"])
    assert look(wire, "named.service", since="1s", **ERRORS)["count"] == 0


def test_a_journal_whose_older_records_were_removed_shows_no_zero_for_that_time(host: Host, wire: Wire) -> None:
    say(host, "named.service", "ERROR boom")
    host.run(["journalctl", "--rotate"])
    host.run(["journalctl", "--vacuum-time=1s", "--vacuum-files=1"])
    say(host, "named.service", "ready")
    blind(wire, "named.service", "does not reach back", Reason.FAILED, **ERRORS)
