"""Several orders under one approval, and an operator that dies at every moment between them: each ran at most once."""

from __future__ import annotations

import signal

from tests.e2e import truth
from tests.e2e.scenes import Scenes
from tests.testbed import surroundings

DEATHS = (
    "after:write_status:Acting",  # Started of the first is written
    "after:send_order",  # the first ran
    "after:write_status:Acting",  # its outcome is written, and nothing of the second
    "before:observe",  # the fresh look before the second
    "after:write_status:Acting",  # Started of the second is written
    "after:send_order",  # the second ran
    "before:write_status:Verifying",  # its outcome is known
)


def test_an_operator_that_dies_again_and_again_between_two_orders_carries_out_each_once(scenes: Scenes) -> None:
    with scenes.empty() as scene:
        cast = surroundings.small_disk(scene.hosts, scene.stage)
        host = cast[surroundings.REPORTS_HOST]
        surroundings.fill_with_logs(host, journal=4)  # too little for the first order to be enough
        scene.catalogue("disk-full")
        incident = scene.stage.open_incident(
            "disk-1",
            type="DiskFull",
            service=surroundings.REPORTS,
            hosts=[{"role": "target", "name": surroundings.REPORTS_HOST}],
            summary="/var/log is full",
            parameters={"mountPoint": "/var/log", "retention": "2d"},
        )
        scene.stage.wait_for_phase(incident, "AwaitingApproval")
        scene.stage.request_of(incident)
        scene.stop_operators()
        scene.approve(incident)
        for moment in DEATHS:
            assert scene.operator(moment).wait() == -signal.SIGKILL, moment
            assert scene.stage.phase(incident) == "Acting", moment
        scene.operator()
        status = scene.stage.wait_for_phase(incident, "Resolved")
        assert truth.actions(host) == ["journal-vacuum", "logrotate"]
        assert [attempt["state"] for attempt in status["attempts"]] == ["Succeeded", "Succeeded"]
        assert sorted(attempt["id"] for attempt in status["attempts"]) == sorted(truth.claims(host))
        assert truth.runs(host) == 2
