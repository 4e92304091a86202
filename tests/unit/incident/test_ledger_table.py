"""The protocol's table, row by row: what a ledger's answer permits."""

from __future__ import annotations

import pytest

from firstresponder.api.incident import AttemptState
from firstresponder.api.ledger import LedgerAnswer, LedgerState
from firstresponder.incident.phases.acting import Circumstances, Step, judge

BOOT, OTHER = "boot-1", "boot-2"


def circumstances(**changes: object) -> Circumstances:
    values = {"boot": BOOT, "expired": False, "aborted": False, "hopeless": False, "refusal": "", "sealing": False}
    return Circumstances(**(values | changes))  # type: ignore[arg-type]


def answer(state: LedgerState | None, boot: str = BOOT, **more: object) -> LedgerAnswer:
    return LedgerAnswer(state=state, boot=boot, **more)  # type: ignore[arg-type]


def finished(**more: object) -> LedgerAnswer:
    return LedgerAnswer(state=LedgerState.FINISHED, code="exited", **({"boot": BOOT} | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "at", "step"),
    [
        (answer(LedgerState.RUNNING), {}, Step.WAIT),
        (answer(LedgerState.RUNNING), {"hopeless": True}, Step.WAIT),
        (answer(LedgerState.ABSENT), {}, Step.SEND),
        (answer(LedgerState.ABSENT), {"expired": True}, Step.SEAL),
        (answer(LedgerState.ABSENT), {"aborted": True}, Step.SEAL),
        (answer(LedgerState.ABSENT), {"expired": True, "sealing": True}, Step.WAIT),
        (answer(LedgerState.ABSENT, refused="busy"), {"refusal": "busy"}, Step.WAIT),
        (answer(LedgerState.ABSENT, refused="busy"), {"refusal": "busy", "aborted": True}, Step.SEAL),
        (answer(LedgerState.ABSENT, uptime=9, error="no login"), {}, Step.WAIT),
        (answer(LedgerState.ABSENT, uptime=9, error="no login"), {"aborted": True}, Step.WAIT),
        (answer(LedgerState.ABSENT, uptime=9, error="no login"), {"expired": True, "hopeless": True}, Step.WAIT),
        (answer(None, refused="busy"), {"refusal": "busy"}, Step.WAIT),
        (answer(None, refused="ledger error line 3"), {"refusal": "ledger error line 3"}, Step.SEAL),
        (answer(None), {}, Step.WAIT),
        (answer(None), {"refusal": "ledger error", "sealing": True}, Step.WAIT),
    ],
)
def test_an_attempt_without_a_known_end_is_waited_for_sent_or_sealed(
    given: LedgerAnswer, at: dict[str, object], step: Step
) -> None:
    assert judge(given, circumstances(**at)) == (step, None)


@pytest.mark.parametrize(
    ("given", "at", "state", "reason"),
    [
        (finished(result="success", exit_status=0), {}, AttemptState.SUCCEEDED, "Succeeded"),
        (finished(result="exit-code", exit_status=65), {}, AttemptState.FAILED, "Refused"),
        (finished(result="exit-code", exit_status=70), {}, AttemptState.FAILED, "ExitStatus"),
        (finished(result="exit-code", exit_status=75), {}, AttemptState.INDETERMINATE, "NotFinished"),
        (finished(result="timeout"), {}, AttemptState.INDETERMINATE, "Interrupted"),
        (finished(result="signal"), {}, AttemptState.INDETERMINATE, "Interrupted"),
        (answer(LedgerState.CLAIMED), {}, AttemptState.INDETERMINATE, "Interrupted"),
        (answer(LedgerState.CLAIMED, OTHER), {}, AttemptState.INDETERMINATE, "Interrupted"),
        (answer(LedgerState.ABSENT, uptime=9), {"spent": True}, AttemptState.FAILED, "NeverRan"),
        (answer(LedgerState.ABSENT, OTHER, uptime=9), {"spent": True}, AttemptState.INDETERMINATE, "HostRebooted"),
        (answer(LedgerState.ABSENT, OTHER), {}, AttemptState.INDETERMINATE, "HostRebooted"),
        (answer(LedgerState.SEALED, OTHER), {}, AttemptState.INDETERMINATE, "HostRebooted"),
        (answer(LedgerState.SEALED, sealed_boot=OTHER), {}, AttemptState.INDETERMINATE, "HostRebooted"),
        (answer(LedgerState.SEALED, sealed_boot=BOOT), {"expired": True}, AttemptState.FAILED, "NeverRan"),
        (answer(None), {"hopeless": True}, AttemptState.INDETERMINATE, "HostSilent"),
        (
            answer(LedgerState.ABSENT),
            {"hopeless": True, "expired": True, "sealing": True},
            "Indeterminate",
            "HostSilent",
        ),
    ],
)
def test_an_end_is_recorded_only_as_far_as_it_is_known(
    given: LedgerAnswer, at: dict[str, object], state: AttemptState, reason: str
) -> None:
    step, outcome = judge(given, circumstances(**at))
    assert step is Step.RECORD
    assert outcome is not None
    assert (outcome.state, outcome.reason) == (state, reason)


def test_a_finished_attempt_is_believed_whatever_boot_the_host_is_in_now() -> None:
    step, outcome = judge(finished(result="success", exit_status=0, boot=OTHER), circumstances())
    assert step is Step.RECORD
    assert outcome is not None
    assert outcome.state == AttemptState.SUCCEEDED
