"""What takes processors and memory, on a real host: by unit, under any name of it, and who it is."""

from __future__ import annotations

import time
from typing import Any

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.probe import Context
from tests.host.wire import Wire
from tests.testbed.hosts import Host
from tests.testbed.processes import wait_until

MIB = 1024**2
PROBE = PROBES["processes"]


def look(wire: Wire, **arguments: Any) -> dict[str, Any]:
    context = Context(now=time.time(), timeout=30.0)
    given = PROBE.arguments(**arguments)
    done = wire.observe(*PROBE.argv(given, context), seconds=30)
    output = CommandOutput(done.stdout.encode(), done.stderr.encode(), done.returncode)
    return PROBE.parse(given, output, context)


def unit(values: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in values["units"] if each["unit"] == name]
    return dict(found)


def run_unit(host: Host, name: str, script: str) -> None:
    host.run(["systemd-run", "--quiet", f"--unit={name}", "--property=Nice=19", "sh", "-c", script])


def test_forty_workers_of_a_unit_are_summed_by_it(host: Host, wire: Wire) -> None:
    workers = "for _ in $(seq 40); do (while :; do :; done) & done; wait"
    run_unit(host, "workers.service", workers)
    try:
        values = look(wire)
    finally:
        host.run(["systemctl", "stop", "workers.service"])
    workers_unit = unit(values, "workers.service")
    assert workers_unit["processes"] == 41
    each = [one["cpuPercent"] for one in values["list"] if one.get("unit") == "workers.service"]
    assert max(each) < workers_unit["cpuPercent"] / 5
    assert values["topUnit"] == workers_unit


def test_processes_that_live_for_milliseconds_count_for_their_unit(host: Host, wire: Wire) -> None:
    run_unit(host, "forker.service", "while :; do /bin/true; done")
    try:
        values = look(wire)
    finally:
        host.run(["systemctl", "stop", "forker.service"])
    shell = next(one for one in values["list"] if one.get("unit") == "forker.service")
    assert unit(values, "forker.service")["cpuPercent"] > shell["cpuPercent"]
    assert values["forksPerSecond"] > 20


def test_memory_that_many_processes_hold_together_is_that_of_their_unit(host: Host, wire: Wire) -> None:
    hold = f"import os, time; held = b'x' * {24 * MIB}; open(f'/tmp/held-{{os.getpid()}}', 'w'); time.sleep(600)"
    run_unit(host, "holders.service", f'for _ in $(seq 13); do python3 -c "{hold}" & done; wait')
    try:
        held = ["sh", "-c", "ls /tmp/held-* 2>/dev/null | wc -l"]
        wait_until(lambda: int(host.run(held).stdout) == 13, 60, "the memory held")
        values = look(wire, sort_by="memory")
        total = int(host.read("/proc/meminfo").split()[1]) * 1024
    finally:
        host.run(["systemctl", "stop", "holders.service"])
        host.run(["sh", "-c", "rm -f /tmp/held-*"])
    percent = unit(values, "holders.service")["memoryPercent"]
    assert percent >= 100 * 13 * 24 * MIB / total - 0.1
    assert percent < 100 * 13 * 48 * MIB / total
    assert all(one["memoryPercent"] < percent / 5 for one in values["list"] if one.get("unit") == "holders.service")


@pytest.mark.parametrize("name", ["gateway.service", "api-gateway.service"])
def test_a_unit_is_found_under_each_of_its_names(host: Host, wire: Wire, name: str) -> None:
    host.write("/etc/systemd/system/api-gateway.service.d/alias.conf", "[Install]\nAlias=gateway.service\n")
    host.run(["systemctl", "daemon-reload"])
    host.run(["ln", "-sf", "/etc/systemd/system/api-gateway.service", "/etc/systemd/system/gateway.service"])
    host.run(["systemctl", "daemon-reload"])
    try:
        values = look(wire, unit=name)
    finally:
        host.run(["rm", "/etc/systemd/system/gateway.service", "/etc/systemd/system/api-gateway.service.d/alias.conf"])
        host.run(["systemctl", "daemon-reload"])
    assert values["own"]["unit"] == "api-gateway.service"
    assert set(values["own"]["names"]) == {"api-gateway.service", "gateway.service"}
    assert values["own"]["processes"] >= 1


def test_what_a_unit_takes_that_is_not_there_is_unknown(wire: Wire) -> None:
    assert "own" not in look(wire, unit="no-such.service")


@pytest.mark.rule(4)
def test_a_stranger_beside_a_busier_service_is_told_by_name(host: Host, wire: Wire) -> None:
    run_unit(host, "workers.service", "for _ in $(seq 8); do (while :; do :; done) & done; wait")
    host.mine()
    try:
        values = look(wire)
    finally:
        host.run(["systemctl", "stop", "workers.service"])
        host.run(["pkill", "kworkerds"], check=False)
    miners = [one for one in values["list"] if "./kworkerds" in one.get("commandLine", "")]
    assert miners
    assert all("workers.service" not in one["names"] for one in miners)
    assert all(one["since"] <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) for one in miners)
    assert all(one["parent"] for one in miners)
