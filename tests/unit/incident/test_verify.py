"""Verification: a sustained window, not a lucky moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from firstresponder.api.packet import Requirement, VerificationPlan
from firstresponder.incident.snapshot import Sample
from firstresponder.incident.verify import Verdicts, judge, next_look

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
    assert verdict(now=120) is Verdicts.TIMED_OUT


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
    assert next_look(PLAN, [], END) == END + timedelta(seconds=10)
    assert next_look(PLAN, [sample(12)], END) == END + timedelta(seconds=22)
