"""The action restart-unit: one restart, refused or proven."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.host.wire import Answer, Wire
from tests.testbed.hosts import Host
from tests.testbed.processes import wait_until

UNIT = "api-gateway.service"

WHILE_HELD = "/bin/sh -c 'while [ -e /root/held ]; do sleep 0.1; done'"
# Units that go wrong in the ways that a plain exit status of systemctl does not tell, or not in time.
UNITS = {
    "dies-soon.service": "ExecStart=/bin/sh -c 'test -e /root/die || exec sleep 4242; sleep 1'",
    "cannot-start.service": "ExecStart=/bin/sleep 4242\nExecStartPre=/bin/sh -c 'test ! -e /root/die'",
    "skips-its-start.service": "ExecStart=/bin/sleep 4242\n[Unit]\nConditionPathExists=!/root/die",
    "held-back.service": f"ExecStart=/bin/sleep 4242\nExecStartPre={WHILE_HELD}",
    "slow-to-stop.service": f"ExecStart=/bin/sleep 4242\nExecStop={WHILE_HELD}\nKillMode=mixed",
    "slow-to-start.service": "ExecStart=/bin/sleep 4242\nExecStartPre=/bin/sleep 5\nExecStopPost=/bin/sleep 3",
    "not-declared.service": "ExecStart=/bin/sleep 4242",
}


@pytest.fixture(scope="module", autouse=True)
def units(host: Host) -> Iterator[None]:
    for name, service in UNITS.items():
        host.write(f"/etc/systemd/system/{name}", f"[Service]\n{service}\n")
    declared = [UNIT, "missing.service", *(name for name in UNITS if name != "not-declared.service")]
    host.write("/etc/firstresponder/restartable", "".join(f"{name}\n" for name in declared))
    host.run(["systemctl", "daemon-reload"])
    yield
    host.run(["rm", "-f", "/root/die", "/root/held"])


def property_of(host: Host, unit: str, name: str) -> str:
    return host.run(["systemctl", "show", "--value", f"--property={name}", unit]).stdout.strip()


def restart(wire: Wire, *arguments: str, timeout: int = 60) -> tuple[Answer, dict[str, str]]:
    answer = wire.act(wire.order("restart-unit", *arguments).but(timeout=timeout).text)
    assert answer.state == "finished", answer
    lines = [line.partition("=")[::2] for line in answer.output]
    return answer, {key: value for key, value in lines if key != "journal"}


def test_a_restart_is_proven_by_a_new_invocation_that_stays(host: Host, wire: Wire) -> None:
    host.leak()
    before = property_of(host, UNIT, "InvocationID")
    answer, output = restart(wire, UNIT, before)
    assert answer.fields["exit"] == "0"
    after = property_of(host, UNIT, "InvocationID")
    assert output["before.InvocationID"] == before != after
    assert output["after.InvocationID"] == output["settled.InvocationID"] == after
    assert output["settled.ActiveState"] == "active"
    assert output["systemctl"] == "0"
    assert output["result"] == f"restarted {before} -> {after}"
    assert host.health() == 200


def test_a_restart_shows_the_journal_of_its_own_job(host: Host, wire: Wire) -> None:
    answer, output = restart(wire, UNIT)
    assert output["job"].isdigit()
    records = [line.removeprefix("journal=") for line in answer.output if line.startswith("journal=")]
    assert [record.split()[0] for record in records] == ["Stopping", "Stopped", "Started"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("not-declared.service",), "unit not declared restartable on this host"),
        (("missing.service",), "unit is not loaded"),
        ((UNIT, "0" * 32), "unit is no longer the instance that was approved"),
        (("api-gateway",), "not the name of a service unit"),
        (("-H root@elsewhere.service",), "not the name of a service unit"),
        (("--help.service",), "not the name of a service unit"),
        (("multi-user.target",), "not the name of a service unit"),
        (("*.service",), "not the name of a service unit"),
        ((), "takes a unit and, optionally, its InvocationID"),
        ((UNIT, "", "now"), "takes a unit and, optionally, its InvocationID"),
    ],
)
def test_nothing_is_restarted_that_was_not_declared_and_approved(
    host: Host, wire: Wire, arguments: tuple[str, ...], reason: str
) -> None:
    before = property_of(host, UNIT, "InvocationID")
    answer, output = restart(wire, *arguments)
    assert (answer.fields["exit"], output) == ("65", {"refused": reason})
    assert property_of(host, UNIT, "InvocationID") == before


def test_an_order_that_could_not_wait_for_the_restart_does_not_begin_it(host: Host, wire: Wire) -> None:
    before = property_of(host, UNIT, "InvocationID")
    answer, output = restart(wire, UNIT, timeout=4)
    assert answer.fields["exit"] == "65"
    assert output == {"refused": "the time-out leaves no time to wait for a restart"}
    assert property_of(host, UNIT, "InvocationID") == before


def test_a_unit_with_a_queued_job_is_left_to_that_job(host: Host, wire: Wire) -> None:
    host.run(["touch", "/root/held"])
    host.run(["systemctl", "start", "--no-block", "held-back.service"])
    job = property_of(host, "held-back.service", "Job")
    answer, output = restart(wire, "held-back.service")
    assert (answer.fields["exit"], output) == ("65", {"refused": f"another job is queued: {job}"})
    host.run(["systemctl", "stop", "held-back.service"])
    host.run(["rm", "/root/held"])


@pytest.mark.parametrize(
    ("unit", "systemctl", "result"),
    [
        ("dies-soon.service", "0", "restarted, then left the active state"),
        ("cannot-start.service", "1", "stopped, and did not start (ActiveState failed)"),
        ("skips-its-start.service", "0", "stopped, and did not start (ActiveState inactive)"),
    ],
)
def test_a_service_that_does_not_come_up_is_a_failure_whatever_systemctl_says(
    host: Host, wire: Wire, unit: str, systemctl: str, result: str
) -> None:
    host.run(["rm", "-f", "/root/die"])
    host.run(["systemctl", "start", unit])
    host.write("/root/die", "")
    answer, output = restart(wire, unit)
    assert answer.fields["exit"] == "70"
    assert output["systemctl"] == systemctl
    assert output["result"] == result


def test_giving_up_names_the_job_that_goes_on_and_does_not_cancel_it(host: Host, wire: Wire) -> None:
    host.run(["systemctl", "start", "slow-to-stop.service"])
    host.run(["touch", "/root/held"])
    before = property_of(host, "slow-to-stop.service", "InvocationID")
    answer, output = restart(wire, "slow-to-stop.service", timeout=6)
    assert answer.fields["exit"] == "75"
    assert output["job"] == output["after.Job"] == re.findall(r"job (\d+) goes on", output["result"])[0]
    host.run(["rm", "/root/held"])

    def restarted() -> bool:
        now = property_of(host, "slow-to-stop.service", "InvocationID")
        return property_of(host, "slow-to-stop.service", "ActiveState") == "active" and now != before

    wait_until(restarted, 60, "systemd finishes the job")


def test_a_restart_whose_place_another_job_takes_has_no_known_end(host: Host, wire: Wire) -> None:
    host.run(["systemctl", "start", "slow-to-start.service"])
    # Somebody stops the unit while the restart waits for its start.
    stop = "until systemctl is-active --quiet slow-to-start.service; do sleep 0.1; done;"
    stop += "until [ $(systemctl show -P ActiveState slow-to-start.service) = activating ]; do sleep 0.1; done;"
    stop += "systemctl stop slow-to-start.service"
    host.run(["systemd-run", "--quiet", "--collect", "/bin/sh", "-c", stop])
    answer, output = restart(wire, "slow-to-start.service")
    assert answer.fields["exit"] == "75"
    assert "canceled" in output["transaction"]
    assert output["result"] == f"job {output['after.Job']} took the place of the restart and goes on"


def test_a_restart_of_which_systemd_says_no_more_has_no_known_end(host: Host, wire: Wire) -> None:
    # It went to its end, and then systemd is not to be asked, as while a host goes down.
    deaf = '#!/bin/sh\nif [ -e /run/deaf ] && [ "$1" = show ]; then exit 1; fi\n'
    deaf += '/usr/bin/systemctl "$@" || exit\nif [ "$1" = restart ]; then touch /run/deaf; fi\n'
    order = wire.order("restart-unit", UNIT)
    try:
        host.write("/usr/sbin/systemctl", deaf, mode=0o755)
        assert wire.act(order.text).refused == "ledger error: systemd does not say what runs"
    finally:
        host.run(["rm", "-f", "/usr/sbin/systemctl", "/run/deaf"])
    wait_until(lambda: wire.act(f"status {order.id}\n").state == "finished", 60, "the end of the order")
    answer = wire.act(f"status {order.id}\n")
    assert answer.fields["exit"] == "75"
    assert answer.output[-1] == "result=systemd does not say what became of it"
