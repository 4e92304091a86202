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
    "declines-its-start.service": "ExecStart=/bin/sleep 4242\nExecCondition=/bin/sh -c 'test ! -e /root/die'",
    "held-back.service": f"ExecStart=/bin/sleep 4242\nExecStartPre={WHILE_HELD}",
    "slow-to-stop.service": f"ExecStart=/bin/sleep 4242\nExecStop={WHILE_HELD}\nKillMode=mixed",
    "slow-to-start.service": "ExecStart=/bin/sleep 4242\nExecStartPre=/bin/sleep 5\nExecStopPost=/bin/sleep 3",
    "limited.service": "ExecStart=/bin/sleep 4242\n[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=1h",
    "crash-loop.service": "ExecStart=/bin/sh -c 'test ! -e /root/die && exec sleep 4242'\nRestart=always\n"
    "RestartSec=1\n[Unit]\nStartLimitIntervalSec=0",
    "database.service": "ExecStart=/bin/sleep 4242",
    "declared-client.service": "ExecStart=/bin/sleep 4242\n[Unit]\nPartOf=database.service\nAfter=database.service\n"
    "StartLimitBurst=2\nStartLimitIntervalSec=1h",
    "broken.service": "ExecStart=/bin/false\nType=oneshot",
    "engine.service": "ExecStart=/bin/sleep 4242",
    "queue.service": "ExecStart=/bin/sleep 4242",
    "not-declared-client.service": "ExecStart=/bin/sleep 4242\n[Unit]\nRequires=queue.service",
    "not-declared.service": "ExecStart=/bin/sleep 4242",
}
SLEEP = "[Service]\nExecStart=/bin/sleep 4242\n"
# Each works; what is said of it afterwards would keep it from starting again, or harm more than it.
WOULD_NOT_COME_BACK = {
    "a condition": ("[Unit]\nConditionPathExists=/root/gone", "would not start: ConditionPathExists=/root/gone"),
    "an assertion": ("[Unit]\nAssertPathExists=/root/gone", "would not start: AssertPathExists=/root/gone"),
    "an assertion beside a condition that holds": (
        "[Unit]\nConditionPathExists=/etc\nAssertPathExists=/root/gone",
        "would not start: AssertPathExists=/root/gone",
    ),
    "a unit that must be there": (
        "[Unit]\nRequisite=held-back.service",
        "would not start: Requisite=held-back.service, which is not active",
    ),
    "a unit that failed": (
        "[Unit]\nRequires=broken.service",
        "would not start: Requires=broken.service, which is not active",
    ),
    "a program": ("ExecStart=\nExecStart=/opt/gone serve", "would not start: there is no program /opt/gone"),
    "a program before it": ("ExecStartPre=/opt/gone", "would not start: there is no program /opt/gone"),
    "its environment": ("EnvironmentFile=/etc/default/gone", "there is no EnvironmentFile=/etc/default/gone"),
    "its folder": ("WorkingDirectory=/srv/gone", "would not start: there is no WorkingDirectory=/srv/gone"),
    "its account": ("User=gone", "would not start: there is no User=gone"),
    "its group": ("Group=gone", "would not start: there is no Group=gone"),
    "manual starts": ("[Unit]\nRefuseManualStart=yes", "says RefuseManualStart=yes"),
    "manual stops": ("[Unit]\nRefuseManualStop=yes", "says RefuseManualStop=yes"),
    "a reboot when it fails": ("[Unit]\nFailureAction=reboot", "says FailureAction=reboot"),
    "a reboot when it stops": ("[Unit]\nSuccessAction=poweroff", "says SuccessAction=poweroff"),
    "a reboot at the limit": ("[Unit]\nStartLimitAction=reboot", "says StartLimitAction=reboot"),
    "a task": ("Type=oneshot\nExecStart=\nExecStart=/bin/true", "of Type=oneshot"),
}
MAY_START = (
    "ExecStartPre=-/opt/gone\nEnvironmentFile=-/etc/default/gone\nWorkingDirectory=-/srv/gone\n"
    "Environment=X=1\n[Unit]\nConditionPathExists=/etc\n"
)


@pytest.fixture(scope="module", autouse=True)
def units(host: Host) -> Iterator[None]:
    for name, service in UNITS.items():
        host.write(f"/etc/systemd/system/{name}", f"[Service]\n{service}\n")
    declared = [UNIT, "missing.service", "worker.service", *(name for name in UNITS if not name.startswith("not-"))]
    host.write("/etc/firstresponder/restartable", "".join(f"{name}\n" for name in declared))
    host.write(
        "/etc/systemd/system/engine.socket", "[Unit]\nPartOf=engine.service\n[Socket]\nListenStream=/run/engine\n"
    )
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "start", "broken.service"], check=False)
    yield
    host.run(["systemctl", "stop", "crash-loop.service"])
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
        ("declines-its-start.service", "0", "stopped, and did not start (ActiveState inactive)"),
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


def test_a_unit_that_used_up_its_starts_is_restarted_all_the_same(host: Host, wire: Wire) -> None:
    for _ in range(3):
        host.run(["systemctl", "restart", "limited.service"])
    before = property_of(host, "limited.service", "InvocationID")
    answer, output = restart(wire, "limited.service", before)
    assert answer.fields["exit"] == "0", output
    assert property_of(host, "limited.service", "ActiveState") == "active"
    assert output["after.InvocationID"] == property_of(host, "limited.service", "InvocationID") != before


@pytest.mark.parametrize(("change", "reason"), WOULD_NOT_COME_BACK.values(), ids=WOULD_NOT_COME_BACK.keys())
def test_a_service_that_works_is_not_stopped_when_it_would_not_come_back(
    host: Host, wire: Wire, change: str, reason: str
) -> None:
    host.write("/etc/systemd/system/worker.service", SLEEP)
    host.run(["rm", "-rf", "/etc/systemd/system/worker.service.d"])
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "start", "worker.service"])
    before = property_of(host, "worker.service", "InvocationID")
    section = "" if change.startswith("[") else "[Service]\n"
    host.write("/etc/systemd/system/worker.service.d/change.conf", f"{section}{change}\n")
    host.run(["systemctl", "daemon-reload"])
    answer, output = restart(wire, "worker.service", before)
    assert answer.fields["exit"] == "65"
    assert reason in output["refused"]
    assert property_of(host, "worker.service", "InvocationID") == before
    assert property_of(host, "worker.service", "ActiveState") == "active"


def test_what_a_start_can_do_without_does_not_keep_a_service_from_its_restart(host: Host, wire: Wire) -> None:
    host.run(["rm", "-rf", "/etc/systemd/system/worker.service.d"])
    host.write("/etc/systemd/system/worker.service", f"{SLEEP}{MAY_START}")
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "start", "worker.service"])
    answer, output = restart(wire, "worker.service")
    assert answer.fields["exit"] == "0", output


def test_a_restart_that_would_take_along_what_nobody_declared_stops_nothing(host: Host, wire: Wire) -> None:
    host.run(["systemctl", "start", "queue.service", "not-declared-client.service"])
    before = [property_of(host, unit, "InvocationID") for unit in ("queue.service", "not-declared-client.service")]
    answer, output = restart(wire, "queue.service")
    assert answer.fields["exit"] == "65"
    assert output["refused"].startswith("not-declared-client.service would be restarted along with it")
    after = [property_of(host, unit, "InvocationID") for unit in ("queue.service", "not-declared-client.service")]
    assert after == before
    host.run(["systemctl", "stop", "not-declared-client.service"])
    answer, output = restart(wire, "queue.service")
    assert answer.fields["exit"] == "0", output


def test_what_is_declared_and_restarted_along_comes_back_too(host: Host, wire: Wire) -> None:
    host.run(["systemctl", "start", "database.service"])
    for _ in range(2):
        host.run(["systemctl", "restart", "declared-client.service"])
    before = property_of(host, "declared-client.service", "InvocationID")
    answer, output = restart(wire, "database.service")
    assert answer.fields["exit"] == "0", output
    assert property_of(host, "declared-client.service", "ActiveState") == "active"
    assert property_of(host, "declared-client.service", "InvocationID") != before


def test_a_socket_that_is_part_of_a_service_is_restarted_along_with_it(host: Host, wire: Wire) -> None:
    host.run(["systemctl", "start", "engine.socket", "engine.service"])
    answer, output = restart(wire, "engine.service")
    assert answer.fields["exit"] == "0", output
    assert property_of(host, "engine.socket", "ActiveState") == "active"


def test_a_unit_in_a_crash_loop_is_restarted_whatever_instance_it_is_at(host: Host, wire: Wire) -> None:
    host.write("/root/die", "")
    host.run(["systemctl", "start", "crash-loop.service"])
    wait_until(lambda: int(property_of(host, "crash-loop.service", "NRestarts")) > 1, 60, "it loops")
    host.run(["rm", "/root/die"])
    answer, output = restart(wire, "crash-loop.service")
    assert answer.fields["exit"] == "0", output
    assert property_of(host, "crash-loop.service", "ActiveState") == "active"


def test_giving_up_names_the_job_that_goes_on_and_does_not_cancel_it(host: Host, wire: Wire) -> None:
    host.run(["systemctl", "start", "slow-to-stop.service"])
    host.run(["touch", "/root/held"])
    before = property_of(host, "slow-to-stop.service", "InvocationID")
    answer, output = restart(wire, "slow-to-stop.service", timeout=12)
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


OWN_NAME = "gateway.service is another name of api-gateway.service, under which it has to be ordered"


@pytest.mark.parametrize(
    ("listed", "ordered", "refused"),
    [
        ("api-gateway.service", "api-gateway.service", None),
        ("gateway.service", "api-gateway.service", None),
        ("api-gateway.service", "gateway.service", OWN_NAME),
        ("gateway.service", "gateway.service", OWN_NAME),
        ("other.service", "api-gateway.service", "unit not declared restartable on this host"),
    ],
)
def test_a_unit_is_declared_under_any_of_its_names_and_ordered_under_its_own(
    host: Host, wire: Wire, listed: str, ordered: str, refused: str | None
) -> None:
    declared = "/etc/firstresponder/restartable"
    before = host.read(declared)
    host.run(["ln", "-sf", f"/etc/systemd/system/{UNIT}", "/etc/systemd/system/gateway.service"])
    host.run(["systemctl", "daemon-reload"])
    host.write(declared, f"{listed}\n")
    try:
        answer, output = restart(wire, ordered)
    finally:
        host.write(declared, before)
        host.run(["rm", "/etc/systemd/system/gateway.service"])
        host.run(["systemctl", "daemon-reload"])
    assert answer.fields["exit"] == ("0" if refused is None else "65")
    assert output.get("refused") == refused
