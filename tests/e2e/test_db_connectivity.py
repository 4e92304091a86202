"""A service and its real PostgreSQL: the server dies, fills its disk, is cut off, is taken up by others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.e2e import truth
from tests.e2e.scenes import EmptyScene, Scenes
from tests.testbed import database, faults
from tests.testbed.api import ApiError
from tests.testbed.cluster import ALICE, DANA
from tests.testbed.hosts import Host

pytestmark = pytest.mark.slow

SERVICE = f"{database.CLIENT}.service"


@contextmanager
def connected(
    scenes: Scenes, *, connections: int = 20, pool: int = 4, reconnect: bool = True
) -> Iterator[tuple[EmptyScene, Host, Host]]:
    """A scene, the server's host and the service's host, everything well."""
    with scenes.empty() as scene:
        server = database.start(scene.hosts, connections=connections)
        client = database.start_client(scene.hosts, "app-01", server, pool=pool, reconnect=reconnect)
        scene.stage.add_host(server, labels={"firstresponder.dev/role": "database", "service": database.CLIENT})
        scene.stage.add_host(client)
        scene.catalogue("restore-db-connectivity")
        yield scene, server, client


def report(scene: EmptyScene) -> str:
    return scene.stage.open_incident(
        "db-1",
        type="DBConnectivity",
        service=database.CLIENT,
        hosts=[{"role": "target", "name": "app-01"}],
        summary="payroll cannot reach its database",
        parameters={"dbUnit": database.UNIT},
    )


def handed_over(scene: EmptyScene, server: Host, client: Host, cause: str, to: list[str]) -> dict[str, object]:
    """The status of an incident that ends with this cause in human hands, nothing having been changed."""
    units = [(server, database.UNIT), (client, SERVICE)]
    before = [truth.invocation(host, unit) for host, unit in units]
    status = scene.escalated(report(scene), "ManualActionRequired")
    assert cause in status["escalation"]["message"]
    assert status["escalation"]["to"] == to
    assert "decisionPacket" not in status
    assert truth.actions(server) == truth.actions(client) == []
    assert [truth.invocation(host, unit) for host, unit in units] == before
    return status


@pytest.mark.parametrize("end", [database.crash, database.stop], ids=["it was killed", "it was stopped"])
def test_a_database_that_is_down_is_started_after_a_dbas_approval(scenes: Scenes, end: Callable[[Host], None]) -> None:
    with connected(scenes) as (scene, server, client):
        before, untouched = truth.invocation(server, database.UNIT), truth.invocation(client, SERVICE)
        end(server)
        scene.stage.wait(lambda: client.health() == 503, "payroll to suffer")
        incident = report(scene)
        packet = scene.stage.wait_for_phase(incident, "AwaitingApproval")["decisionPacket"]
        proposed = {
            "name": "restart-database",
            "type": "restartUnit",
            "target": database.UNIT,
            "host": "db-01",
            "role": "database",
        }
        assert proposed.items() <= packet["bound"]["proposedAction"].items()
        assert packet["bound"]["actionClass"] == "restart-database"
        assert packet["bound"]["acknowledge"] == ["nobody stopped it on purpose"]
        signals = " ".join(each["signal"] for each in packet["shown"]["evidence"])
        assert "the database accepts no connections (Refused)" in signals
        assert f"{database.UNIT} on db-01 is " in signals

        with pytest.raises(ApiError, match="may not approve actionclasses/restart-database"):
            scene.approve(incident, user=ALICE)
        assert truth.actions(server) == []
        scene.approve(incident, user=DANA)
        status = scene.stage.wait_for_phase(incident, "Resolved")
        assert (truth.actions(server), truth.actions(client)) == (["restart-unit"], [])
        assert [attempt["state"] for attempt in status["attempts"]] == ["Succeeded"]
        assert truth.invocation(server, database.UNIT) != before
        assert truth.invocation(client, SERVICE) == untouched
        assert client.health() == 200


def test_a_database_whose_log_speaks_of_corruption_is_not_touched(scenes: Scenes) -> None:
    with connected(scenes) as (scene, server, client):
        database.corrupt(server)
        database.crash(server)
        status = handed_over(scene, server, client, "possible-corruption", ["dba", "on-call"])
        assert "Do not restart before a DBA looked" in str(status["escalation"])


def test_a_database_that_stopped_on_a_full_disk_is_left_to_the_dba(scenes: Scenes) -> None:
    with connected(scenes) as (scene, server, client):
        server.fill_disk()
        database.crash(server)
        handed_over(scene, server, client, "database-disk-full", ["dba"])


def test_a_path_that_is_cut_is_told_apart_from_a_database_that_is_down(scenes: Scenes) -> None:
    with connected(scenes) as (scene, server, client):
        faults.drop(server, "input", f"tcp dport {database.PORT}")
        status = handed_over(scene, server, client, "network-path", ["on-call"])
        assert "Check routes and firewall between app-01 and db-01:5432" in str(status["escalation"])


def test_connections_that_are_all_taken_are_left_to_the_dba(scenes: Scenes) -> None:
    with connected(scenes, connections=8, pool=7) as (scene, server, client):
        handed_over(scene, server, client, "too-many-clients", ["dba"])


def test_a_service_that_holds_on_to_dead_connections_is_restarted_after_approval(scenes: Scenes) -> None:
    with connected(scenes, reconnect=False) as (scene, server, client):
        server.run(["systemctl", "restart", database.UNIT])
        untouched, before = truth.invocation(server, database.UNIT), truth.invocation(client, SERVICE)
        scene.stage.wait(lambda: client.health() == 503, "payroll to suffer")
        incident = report(scene)
        packet = scene.stage.wait_for_phase(incident, "AwaitingApproval")["decisionPacket"]
        assert packet["bound"]["proposedAction"]["target"] == SERVICE
        assert packet["bound"]["actionClass"] == "restart-unit"
        scene.approve(incident)
        scene.stage.wait_for_phase(incident, "Resolved")
        assert (truth.actions(server), truth.actions(client)) == ([], ["restart-unit"])
        assert truth.invocation(server, database.UNIT) == untouched
        assert truth.invocation(client, SERVICE) != before
        assert client.health() == 200


@pytest.mark.rule(5)
def test_a_database_that_is_well_again_is_watched_and_nothing_else(scenes: Scenes) -> None:
    with connected(scenes) as (scene, server, client):
        scene.stage.wait_for_phase(report(scene), "Resolved")
        assert truth.actions(server) == truth.actions(client) == []
