"""Verification: a sustained window, not a lucky moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from firstresponder.api.packet import Requirement, VerificationPlan
from firstresponder.incident.decision.verification import Verdicts, judge, next_sample_time
from firstresponder.incident.facts import Sample

END = datetime(2026, 1, 1, tzinfo=UTC)
PLAN = VerificationPlan(
    initial_delay="10s",
    interval="10s",
    window="30s",
    timeout="2m",
    criteria=[Requirement(name="well", require="true"), Requirement(name="calm", require="true")],
)


def sample(second: float, well: bool | None = True, calm: bool | None = True, failed: str | None = None) -> Sample:
    return Sample(END + timedelta(seconds=second), {"well": well, "calm": calm}, {}, failed)


def verdict(*samples: Sample, now: float | None = None) -> Verdicts:
    at = END + timedelta(seconds=now if now is not None else (samples[-1].time - END).total_seconds())
    return judge(PLAN, samples, END, at).verdict


@pytest.mark.rule(16)
def test_all_criteria_in_every_sample_across_the_window_pass() -> None:
    good = [sample(second) for second in (10, 20, 30, 40)]
    assert verdict(*good[:3]) is Verdicts.UNDECIDED
    assert verdict(*good) is Verdicts.PASSED


@pytest.mark.rule(16)
@pytest.mark.parametrize("bad", [sample(30, well=False), sample(30, calm=None)])
def test_one_false_or_unknown_sample_restarts_the_window(bad: Sample) -> None:
    samples = [sample(10), sample(20), bad, sample(40), sample(50), sample(60)]
    assert verdict(*samples) is Verdicts.UNDECIDED
    assert verdict(*samples, sample(70)) is Verdicts.PASSED


@pytest.mark.rule(16)
def test_a_gap_of_more_than_two_intervals_restarts_the_window() -> None:
    assert verdict(sample(10), sample(30), sample(40)) is Verdicts.PASSED
    assert verdict(sample(10), sample(31), sample(41)) is Verdicts.UNDECIDED


@pytest.mark.rule(16)
def test_samples_before_the_initial_delay_do_not_count() -> None:
    assert verdict(sample(0), sample(9), sample(19), sample(29), sample(38)) is Verdicts.UNDECIDED


def test_no_evidence_is_not_success() -> None:
    assert verdict(now=119) is Verdicts.UNDECIDED
    assert verdict(now=120) is Verdicts.UNSEEN


def blind(second: float, well: bool | None = None) -> Sample:
    unseen = ("health (curl on api-03): ConnectionLost: the session ended",)
    return replace(sample(second, well=well), unseen=unseen)


@pytest.mark.rule(16)
@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([blind(second) for second in range(10, 120, 10)], Verdicts.UNSEEN),
        ([sample(10, well=False), *(blind(second) for second in range(20, 120, 10))], Verdicts.UNSEEN),
        ([*(blind(second) for second in range(10, 110, 10)), sample(115)], Verdicts.UNSEEN),
        ([sample(10), sample(20), sample(118)], Verdicts.UNSEEN),
        ([sample(118)], Verdicts.UNSEEN),
        ([blind(100), sample(110, calm=False)], Verdicts.TIMED_OUT),
        ([sample(90, well=False), *(blind(second) for second in range(100, 120, 10))], Verdicts.TIMED_OUT),
        ([replace(blind(110), verdicts={"well": None, "calm": False})], Verdicts.TIMED_OUT),
        ([sample(second, well=None) for second in range(10, 120, 10)], Verdicts.TIMED_OUT),
    ],
    ids=[
        "nothing seen", "false long before", "seen again at the end", "a break", "one look", "false at the end",
        "false in the last window", "one unseen, one false", "unknown though all was seen",
    ],
)  # fmt: skip
def test_a_fix_is_wrong_only_if_something_was_seen_to_be_wrong_in_the_last_window(
    samples: list[Sample], expected: Verdicts
) -> None:
    assert verdict(*samples, now=120) is expected


def test_what_could_not_be_seen_is_named_with_probe_host_and_reason() -> None:
    message = judge(PLAN, [blind(110)], END, END + timedelta(seconds=120)).message
    assert "well could not be seen: health (curl on api-03): ConnectionLost: the session ended" in message


@pytest.mark.rule(16)
def test_a_time_out_names_what_was_unmet() -> None:
    progress = judge(PLAN, [sample(110, well=False)], END, END + timedelta(seconds=120))
    assert progress.verdict is Verdicts.TIMED_OUT
    assert "well" in progress.message
    assert "calm" not in progress.message


@pytest.mark.rule(17)
def test_a_true_fail_condition_fails_at_once_but_only_after_the_delay() -> None:
    assert verdict(sample(5, failed="worse")) is Verdicts.UNDECIDED
    assert verdict(sample(10, failed="worse")) is Verdicts.FAILED


def test_the_next_look_is_an_interval_after_the_last() -> None:
    assert next_sample_time(PLAN, [], END) == END + timedelta(seconds=10)
    assert next_sample_time(PLAN, [sample(12)], END) == END + timedelta(seconds=22)
