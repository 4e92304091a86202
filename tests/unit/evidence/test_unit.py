"""The state of a unit, as systemctl show of systemd 252 prints it."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.evidence.probe import Reason, Unobserved
from tests.unit.evidence.asking import argv, printed, seen, unseen

UNIT = "api-gateway.service"
RUNNING = """\
TimeoutStartUSec=1min 30s
TimeoutStopUSec=5s
MainPID=74
Result=success
NRestarts=2
LoadState=loaded
ActiveState=active
SubState=running
Job=
InvocationID=0ab23b4d51924cdd9e632cd015fa0b00
"""


def unit(output: str) -> dict[str, Any]:
    return seen("unit", printed(output), unit=UNIT)


def changed(name: str, value: str) -> str:
    return "".join(
        f"{name}={value}\n" if line.startswith(f"{name}=") else line for line in RUNNING.splitlines(keepends=True)
    )


def test_a_running_service_is_read() -> None:
    assert unit(RUNNING) == {
        "loadState": "loaded",
        "activeState": "active",
        "subState": "running",
        "result": "success",
        "invocationID": "0ab23b4d51924cdd9e632cd015fa0b00",
        "nRestarts": 2,
        "mainPID": 74,
        "job": 0,
        "timeoutStartSeconds": 90.0,
        "timeoutStopSeconds": 5.0,
    }


def test_a_queued_job_is_seen() -> None:
    assert unit(changed("Job", "876"))["job"] == 876


def test_what_a_unit_does_not_have_is_left_out() -> None:
    assert "invocationID" not in unit(changed("InvocationID", ""))
    socket = "Result=success\nLoadState=loaded\nActiveState=active\nSubState=listening\nJob=\nInvocationID=\n"
    assert unit(socket) == {
        "loadState": "loaded",
        "activeState": "active",
        "subState": "listening",
        "result": "success",
        "job": 0,
    }


def test_a_unit_that_does_not_exist_is_an_observation() -> None:
    assert unit(changed("LoadState", "not-found"))["loadState"] == "not-found"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5.0),
        ("1min 30s", 90.0),
        ("2min 3.500000s", 123.5),
        ("1h 1ms", 3600.001),
        ("250us", 0.00025),
        ("1d", 86400.0),
        ("1month 1w", 2629800.0 + 604800.0),
        ("0", 0.0),
    ],
)
def test_time_spans_are_read_as_systemd_writes_them(text: str, seconds: float) -> None:
    assert unit(changed("TimeoutStopUSec", text))["timeoutStopSeconds"] == seconds


def test_infinity_is_left_out_and_not_a_number() -> None:
    assert "timeoutStartSeconds" not in unit(changed("TimeoutStartUSec", "infinity"))


@pytest.mark.parametrize(
    "output",
    [
        changed("TimeoutStopUSec", "1 Minute 30 Sekunden"),
        changed("TimeoutStopUSec", "1min  30s"),
        changed("MainPID", "-1"),
        changed("MainPID", "vierundsiebzig"),
        changed("InvocationID", "$(reboot)"),
        changed("ActiveState", "aktiv und gesund!"),
        RUNNING.replace("LoadState=loaded\n", ""),
        RUNNING + RUNNING,
        RUNNING + "no property\n",
    ],
)
def test_another_form_is_not_read(output: str) -> None:
    with pytest.raises(Unobserved) as unobserved:
        unit(output)
    assert unobserved.value.reason is Reason.UNPARSEABLE


def test_a_bus_that_does_not_answer_is_not_an_observation() -> None:
    unseen("unit", printed("", "Failed to connect to bus: Permission denied", 1), Reason.NO_PERMISSION, unit=UNIT)
    unseen("unit", printed("", "Failed to connect to bus: Connection refused", 1), Reason.FAILED, unit=UNIT)


def test_warnings_of_others_beside_a_success_do_no_harm() -> None:
    output = printed(RUNNING, "sudo: unable to resolve host app-01: Name or service not known\n")
    assert seen("unit", output, unit=UNIT)["activeState"] == "active"


def test_the_unit_is_never_taken_for_an_option() -> None:
    assert argv("unit", unit="-.mount")[-2:] == ("--", "-.mount")


@pytest.mark.parametrize("name", ["*.service", "api-gateway", "a.service b.service", "a/b.service", "", ".service"])
def test_what_is_no_name_of_one_unit_is_refused(name: str) -> None:
    with pytest.raises((Unobserved, ValueError), match=r"is not a unit's name|at least 1"):
        argv("unit", unit=name)


@pytest.mark.parametrize(
    ("text", "seen_as"),
    [
        ("API gateway 2.4.1", "API gateway 2.4.1"),
        ("a = b", "a = b"),
        ("", None),
        ("login with password=hunter2", None),
        ("\x1b[31mred", None),
        ("x" * 257, None),
    ],
)
def test_a_description_is_whole_and_harmless_or_left_out(text: str, seen_as: str | None) -> None:
    assert unit(f"{RUNNING}Description={text}\n").get("description") == seen_as
