"""Actions that could do harm or could not run, on real hosts: what is approved helps, or says at once why not."""

from __future__ import annotations

import copy
from typing import Any

from tests.e2e import truth
from tests.e2e.scenes import RUNBOOK, Scene, Scenes

UNIT = "api-gateway.service"
KEY = "/etc/firstresponder/authorized_keys/fr-act"


def change(scene: Scene, drop_in: str) -> None:
    """Have the unit say this too."""
    scene.host.write(f"/etc/systemd/system/{UNIT}.d/test.conf", drop_in)
    scene.host.run(["systemctl", "daemon-reload"])


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next((each for each in status.get("conditions", []) if each["type"] == kind), {})
    return found


def test_a_service_at_its_start_limit_is_restarted_and_the_packet_says_what_that_takes(scenes: Scenes) -> None:
    with scenes.open() as scene:
        change(scene, "[Unit]\nStartLimitBurst=2\nStartLimitIntervalSec=1h\n")
        for _ in range(2):
            scene.host.run(["systemctl", "reset-failed", UNIT])
            scene.host.run(["systemctl", "restart", UNIT])
            scene.host.run(["systemctl", "restart", UNIT])
        scene.host.wait_until_healthy()
        before = truth.invocation(scene.host)
        scene.operator()
        incident = scene.incident()
        packet = scene.stage.status(incident)["decisionPacket"]["bound"]["proposedAction"]
        assert "systemctl reset-failed" in packet["notes"][0]
        scene.approve(incident)
        scene.stage.wait_for_phase(incident, "Resolved")
        assert truth.invocation(scene.host) != before
        assert scene.host.health() == 200


def test_a_unit_in_a_crash_loop_is_restarted_though_its_instance_changes_all_the_time(scenes: Scenes) -> None:
    # Its automatic restarts fail from the second on, and one by hand does not, even where an automatic one came
    # between the reset of the count and the restart.
    fails = f'test ! -e /run/loop || test "$(systemctl show -P NRestarts {UNIT})" -le 1'
    service = f"Restart=always\nRestartSec=1\nExecStartPre=/bin/sh -c '{fails}'"
    with scenes.open() as scene:
        change(scene, f"[Unit]\nStartLimitIntervalSec=0\n[Service]\n{service}\n")
        scene.host.run(["systemctl", "restart", UNIT])
        scene.host.wait_until_healthy()
        scene.host.run(["touch", "/run/loop"])

        def is_looping() -> bool:
            scene.host.run(["systemctl", "kill", "--signal=KILL", UNIT], check=False)
            return int(scene.host.run(["systemctl", "show", "-P", "NRestarts", UNIT]).stdout) > 1

        scene.stage.wait(is_looping, "the loop")
        runbook = copy.deepcopy(RUNBOOK)
        runbook["spec"]["variables"][0]["expression"] = "!health.ok"
        runbook["spec"]["hypotheses"][0]["when"] = "degraded"
        scene.operator()
        scene.stage.add_runbook(runbook)
        incident = scene.stage.open_incident("unhealthy-1", type="Unhealthy", summary="it does not answer")
        scene.stage.wait_for_phase(incident, "AwaitingApproval")
        packet = scene.stage.status(incident)["decisionPacket"]["bound"]
        assert packet["orders"][0]["arguments"] == [UNIT]
        assert "bound to no running instance" in packet["proposedAction"]["notes"][1]
        scene.approve(incident)
        scene.stage.wait_for_phase(incident, "Resolved")
        assert scene.host.health() == 200


def test_a_host_that_is_full_from_the_first_look_on_is_triaged_and_acted_on(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.host.fill_disk()
        scene.operator()
        incident = scene.incident()
        scene.approve(incident)
        scene.assert_resolved_by_one_restart(incident)
        scene.host.free_disk()


def test_where_not_even_the_kept_room_is_left_nobody_is_asked(scenes: Scenes) -> None:
    with scenes.open() as scene:
        scene.host.run(["rm", "-r", "/var/lib/firstresponder/claims/.room"])
        scene.host.fill_disk()
        scene.operator()
        scene.stage.add_runbook(RUNBOOK)
        scene.host.degrade()
        incident = scene.stage.open_incident("unhealthy-1", type="Unhealthy", summary="/health answers 503")
        status = scene.escalated(incident, "PreconditionFailed")
        assert "the room kept for orders is used up: free some (df " in status["escalation"]["message"]
        assert "approvalRequestRef" not in status
        scene.host.free_disk()
        scene.assert_nothing_ran()


def test_an_acting_account_that_is_not_accepted_is_reported_at_once_and_once_it_is_the_order_runs(
    scenes: Scenes,
) -> None:
    with scenes.open() as scene:
        scene.operator()
        incident = scene.incident()
        scene.host.run(["mv", KEY, f"{KEY}.away"])
        scene.host.run(["sh", "-c", "pkill -KILL -u fr-act || :"])  # a connection that stands needs no key any more
        scene.approve(incident)

        def delayed() -> bool:
            return condition(scene.stage.status(incident), "Acted").get("reason") == "Delayed"

        scene.stage.wait(delayed, "the first error to be reported")
        status = scene.stage.status(incident)
        assert "has not begun on api-gateway-03: AuthenticationFailed" in condition(status, "Acted")["message"]
        assert status["attempts"][0]["firstError"].startswith("AuthenticationFailed")
        scene.assert_nothing_ran()
        scene.host.run(["mv", f"{KEY}.away", KEY])
        scene.assert_resolved_by_one_restart(incident)


def test_a_restart_that_leaves_the_service_down_says_so_with_its_last_words(scenes: Scenes) -> None:
    with scenes.open() as scene:
        broken = "/bin/sh -c 'test ! -e /run/broken || { echo cannot bind to port 80; exit 1; }'"
        change(scene, f"[Service]\nRestart=no\nExecStartPre={broken}\n")
        scene.operator()
        incident = scene.incident()
        scene.host.run(["touch", "/run/broken"])
        scene.approve(incident)
        status = scene.escalated(incident, "ActionFailed")
        message = status["escalation"]["message"]
        assert "api-gateway.service is failed now (result exit-code)" in message
        assert "cannot bind to port 80" in message
        (attempt,) = status["attempts"]
        assert attempt["after"] in message
        assert f"echo status {attempt['id']} | sudo " in status["escalation"]["humanAction"]
