"""Probes that look beyond the host's own files: at its database, and at what lies between it and others."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.postgres import query_argv
from firstresponder.evidence.probe import Context
from tests.host.wire import Wire
from tests.testbed import database, faults
from tests.testbed.hosts import Host, Hosts
from tests.testbed.processes import wait_until

CONTEXT = Context(now=0.0, timeout=10.0)


def probed(wire: Wire, kind: str, /, **arguments: Any) -> dict[str, Any]:
    probe = PROBES[kind]
    given = probe.arguments(**arguments)
    done = wire.observe(*probe.argv(given, CONTEXT), seconds=10)
    return probe.parse(given, CommandOutput(done.stdout.encode(), done.stderr.encode(), done.returncode), CONTEXT)


@pytest.fixture(scope="module")
def server(hosts: Hosts) -> Iterator[Host]:
    started = database.start(hosts, connections=8)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def client(hosts: Hosts, server: Host) -> Iterator[Host]:
    """A service that holds 3 of the server's 8 connections."""
    started = database.start_client(hosts, "app-01", server, pool=3)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def on_server(server: Host) -> Iterator[Wire]:
    yield from wired(server)


@pytest.fixture(scope="module")
def on_client(client: Host) -> Iterator[Wire]:
    yield from wired(client)


def wired(host: Host) -> Iterator[Wire]:
    with tempfile.TemporaryDirectory(prefix="fr-") as directory:  # short: it names a socket
        wire = Wire(host, Path(directory))
        yield wire
        wire.disconnect()


# --- The database


def test_a_server_that_answers_and_who_holds_its_connections(client: Host, on_server: Wire) -> None:
    assert probed(on_server, "postgresPing") == {"accepting": True, "error": ""}
    found = probed(on_server, "postgresConnections", application="payroll")
    assert {"tooMany": False, "count": 3, "max": 8, "usedPercent": 37.5, "total": 4}.items() <= found.items()
    assert (found["limitedBy"], found["limit"], found["limitUsed"], found["limitPercent"]) == ("the server", 7, 4, 57.1)
    assert (found["ownPercent"], found["holder"]["application"], found["holder"]["count"]) == (75.0, "payroll", 3)
    assert probed(on_server, "postgresConnections", application="nobody")["count"] == 0


def test_who_holds_the_connections_and_whose_limit_ends_them(server: Host, client: Host, on_server: Wire) -> None:
    idle = "import subprocess, time\nfor _ in range(2): subprocess.Popen(['psql', 'application_name=reports'], "
    idle += "stdin=subprocess.PIPE, text=True, bufsize=1).stdin.write('BEGIN;\\n')\ntime.sleep(600)"
    server.run(["systemd-run", "--quiet", "--unit=reports", "--uid=postgres", "python3", "-c", idle])

    def other() -> dict[str, Any]:
        return probed(on_server, "postgresConnections", application="reports")

    wait_until(lambda: other()["idleInTransaction"] == 2, 60, "reports holding two transactions open")
    assert (other()["holder"]["application"], other()["ownPercent"]) == ("payroll", 33.3)
    database.query(server, "ALTER ROLE payroll CONNECTION LIMIT 3")
    found = probed(on_server, "postgresConnections", application="payroll")
    assert (found["limitedBy"], found["limit"], found["limitPercent"]) == ("role payroll", 3, 100.0)
    database.query(server, "ALTER ROLE payroll CONNECTION LIMIT -1; ALTER DATABASE payroll CONNECTION LIMIT 4")
    found = probed(on_server, "postgresConnections", application="payroll")
    assert (found["limitedBy"], found["limitUsed"]) == ("the server", 6)
    database.query(server, "ALTER DATABASE payroll CONNECTION LIMIT -1")
    server.run(["systemctl", "stop", "reports"])


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE forged ()",
        "SET default_transaction_read_only = off; CREATE TABLE forged ()",
        "COPY (SELECT 1) TO PROGRAM 'touch /tmp/forged'",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'payroll'",
        "ALTER SYSTEM SET max_connections = 1000",
        "SET ROLE postgres",
    ],
)
def test_the_observing_role_changes_nothing(server: Host, client: Host, on_server: Wire, statement: str) -> None:
    before = database.query(
        server, "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE usename = 'payroll'"
    )
    done = on_server.observe(*query_argv(statement, CONTEXT))
    assert done.returncode != 0
    assert "ERROR: " in done.stderr
    after = database.query(server, "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE usename = 'payroll'")
    assert (after, client.health()) == (before, 200)
    assert server.run(["test", "-e", "/tmp/forged"], check=False).returncode != 0


def test_a_server_without_a_slot_left_and_one_that_is_down(server: Host, client: Host, on_server: Wire) -> None:
    client.run(["sed", "--in-place", "s/^pool_size:.*/pool_size: 9/", "/etc/payroll/db.yml"])
    client.run(["systemctl", "restart", "payroll.service"])
    wait_until(lambda: client.health() == 503, 60, "payroll asking for too many")
    assert probed(on_server, "postgresPing") == {"accepting": False, "error": "TooManyClients"}
    assert probed(on_server, "postgresConnections", application="payroll") == {"tooMany": True}
    database.stop(server)
    assert probed(on_server, "postgresPing") == {"accepting": False, "error": "Refused"}
    server.run(["systemctl", "start", database.UNIT])


# --- The network between hosts


def test_a_way_that_is_open_refused_dropped_or_not_there(server: Host, client: Host, on_client: Wire) -> None:
    assert probed(on_client, "ping", host=server.address, count=5)["lossPercent"] == 0
    assert probed(on_client, "tcp", host=server.address, port=22) == {"open": True, "error": ""}
    assert probed(on_client, "tcp", host=server.address, port=1) == {"open": False, "error": "Refused"}
    faults.drop(server, "input", "tcp dport 1")
    assert probed(on_client, "tcp", host=server.address, port=1) == {"open": False, "error": "TimedOut"}
    faults.mend(server)
    assert probed(on_client, "tcp", host="203.0.113.9", port=1) == {"open": False, "error": "NoRoute"}
    assert probed(on_client, "ping", host="203.0.113.9", count=2) == {"lossPercent": 100.0}
    assert probed(on_client, "interfaces")["defaultRouteUp"] is False


def test_packets_that_are_lost_are_counted(server: Host, client: Host, on_client: Wire) -> None:
    faults.lose(client, 50, server.address)
    assert 0 < probed(on_client, "ping", host=server.address, count=20)["lossPercent"] < 100
    faults.mend(client)


def test_an_answer_whose_large_packets_are_lost_is_reached_and_does_not_arrive(
    server: Host, client: Host, on_client: Wire
) -> None:
    server.write("/srv/health", "x" * 6035)
    web = ["python3", "-m", "http.server", "--directory=/srv", "8000"]
    server.run(["systemd-run", "--quiet", "--unit=web", *web])
    wait_until(lambda: probed(on_client, "tcp", host=server.address, port=8000)["open"], 60, "a server of large files")
    url = f"http://{server.address}:8000/health"
    assert probed(on_client, "http", url=url)["status"] == 200
    faults.drop(client, "input", "ip length > 1000")
    assert probed(on_client, "http", url=url) == {"ok": False, "connected": True, "error": "AnswerIncomplete"}
    assert probed(on_client, "ping", host=server.address, count=3, size=1452) == {"lossPercent": 100.0}
    assert probed(on_client, "ping", host=server.address, count=3)["lossPercent"] == 0
    faults.mend(client)


def test_a_dependency_behind_the_default_gateway(hosts: Hosts, client: Host, on_client: Wire) -> None:
    other = hosts.start("dependency-01", service=faults.DEPENDENCY)
    faults.depend(client, other)
    link = probed(on_client, "interfaces")
    assert (link["defaultRouteUp"], link["gateway"]) == (True, other.address)
    assert probed(on_client, "ping", host="default-gateway", count=5)["lossPercent"] == 0
    assert probed(on_client, "resolve", name=faults.DEPENDENCY)["addresses"] == [faults.ELSEWHERE]
    assert probed(on_client, "resolve", name="nowhere.invalid") == {"resolved": False, "error": "NameNotResolved"}
    assert probed(on_client, "http", url=f"http://{faults.DEPENDENCY}/health")["status"] == 200
    other.order("fail")
    answer = probed(on_client, "http", url=f"http://{faults.DEPENDENCY}/health")
    assert (answer["ok"], answer["status"]) == (False, 500)
    other.stop()
