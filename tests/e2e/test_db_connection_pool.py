"""A service that runs out of database connections: because the server has no more, or because it leaks them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e import records, truth
from tests.e2e.scenes import EmptyScene, Scenes
from tests.testbed import database
from tests.testbed.hosts import Host
from tests.testbed.processes import wait_until

pytestmark = pytest.mark.slow

SERVICE = f"{database.CLIENT}.service"


@contextmanager
def connected(scenes: Scenes) -> Iterator[tuple[EmptyScene, Host, Host]]:
    """A scene, the host of a server that takes 20 connections, and the host of a service that holds 4 of them."""
    with scenes.empty() as scene:
        server = database.start(scene.hosts, connections=20)
        client = database.start_client(scene.hosts, "app-01", server)
        scene.stage.add_host(server, labels={"firstresponder.dev/role": "database", "service": database.CLIENT})
        scene.stage.add_host(client)
        scene.catalogue("db-connection-pool")
        yield scene, server, client


def demand(server: Host, client: Host, *, limit: int, pool: int) -> None:
    """Start the service again with so big a pool, of which the server gives it no more than `limit`."""
    database.query(server, f"ALTER ROLE {database.CLIENT} CONNECTION LIMIT {limit}")
    client.run(["sed", "--in-place", f"s/^pool_size:.*/pool_size: {pool}/", f"/etc/{database.CLIENT}/db.yml"])
    client.run(["systemctl", "restart", SERVICE])


def report(scene: EmptyScene, client: Host) -> str:
    def complaining() -> bool:
        journal = client.run(["journalctl", f"--unit={SERVICE}", "--output=cat"]).stdout
        return journal.count("connection pool exhausted") > 10

    scene.stage.wait(complaining, "payroll to complain")
    return scene.stage.open_incident(
        "pool-1",
        type="DBConnectionPoolExhausted",
        service=database.CLIENT,
        hosts=[{"role": "target", "name": "app-01"}],
        summary="payroll gets no database connections",
        parameters={"errorsPerMinute": 1},
    )


def holding(status: dict[str, Any]) -> list[str]:
    return [each["name"] for each in status["hypotheses"] if each["verdict"] == "Holds"]


def test_leaked_connections_are_freed_by_a_restart_after_approval(scenes: Scenes) -> None:
    with connected(scenes) as (scene, server, client):
        client.order("leak")
        incident = report(scene, client)
        packet = scene.stage.wait_for_phase(incident, "AwaitingApproval")["decisionPacket"]
        assert packet["bound"]["proposedAction"]["target"] == SERVICE
        signals = " ".join(each["signal"] for each in packet["shown"]["evidence"])
        assert "errors persist with only 5 of 19 connections in use, 4 of them by payroll" in signals
        before = truth.invocation(client, SERVICE)
        scene.approve(incident)
        status = scene.stage.wait_for_phase(incident, "Resolved")
        assert "connection-leak" in holding(status)
        assert (truth.actions(server), truth.actions(client)) == ([], ["restart-unit"])
        assert truth.invocation(client, SERVICE) != before
        assert client.health() == 200
        assert {"connections: limit", "errors: rate"} <= records.plotted(scene.stage, incident)


@pytest.mark.parametrize(
    ("limit", "seen", "cause"),
    [
        (18, {"tooMany": False, "count": 18, "max": 20, "usedPercent": 90, "ownPercent": 94.7}, "pool-exhaustion"),
        (-1, {"tooMany": True}, "no-slot-left"),
    ],
    ids=["one slot is left to look through", "not one slot is left"],
)
def test_exhaustion_is_seen_and_never_answered_by_a_restart(
    scenes: Scenes, limit: int, seen: dict[str, Any], cause: str
) -> None:
    with connected(scenes) as (scene, server, client):
        demand(server, client, limit=limit, pool=20)
        before = truth.invocation(client, SERVICE)
        status = scene.stage.wait_until_ended(report(scene, client))  # there is no control node that could scale
        assert status["phase"] == "Escalated"
        assert cause in holding(status)
        [connections] = [each["values"] for each in status["evidence"] if each["name"] == "connections"]
        assert seen.items() <= connections.items()
        [pool] = [each["values"] for each in status["evidence"] if each["name"] == "pool"]
        assert pool == {"value": "20"}
        assert [each["to"] for each in status["recommendations"]] == [["dba"]]
        assert truth.actions(server) == truth.actions(client) == []
        assert truth.invocation(client, SERVICE) == before


def test_a_limit_of_the_services_own_role_is_left_to_the_dba(scenes: Scenes) -> None:
    with connected(scenes) as (scene, server, client):
        demand(server, client, limit=12, pool=14)
        status = scene.escalated(report(scene, client), "ManualActionRequired")
        assert "limit-of-role-or-database" in holding(status)
        assert status["escalation"]["humanAction"].startswith("Judge the limit of role payroll (12)")
        assert status["escalation"]["to"] == ["dba"]
        assert truth.actions(server) == truth.actions(client) == []


def test_a_database_that_is_down_is_no_exhausted_pool_and_did_not_recover(scenes: Scenes) -> None:
    with connected(scenes) as (scene, server, client):
        database.stop(server)
        wait_until(lambda: client.health() == 503, 60, "payroll missing its database")
        incident = scene.stage.open_incident(
            "pool-1",
            type="DBConnectionPoolExhausted",
            service=database.CLIENT,
            hosts=[{"role": "target", "name": "app-01"}],
            summary="payroll gets no database connections",
        )
        status = scene.escalated(incident, "ManualActionRequired")
        assert status["escalation"]["message"] == "the cause is database-down, which the runbook leaves to people"
        assert truth.actions(server) == truth.actions(client) == []
