"""Rates and times over many incidents: what they count, and what they never say."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

import pytest

from firstresponder.api.base import duration_seconds
from firstresponder.api.incident import Incident, Phase
from firstresponder.reporting.statistics import RevisionKey, Share, Times, figures, statistics_of
from tests.unit.incident.world import START, World, awaiting_approval, incident, recovered


@cache
def resolved() -> Incident:
    """By a fix."""
    world = awaiting_approval()
    world.review("alice@example.com")
    world.settle()
    world.values = recovered()
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED
    return world.incident


@cache
def by_itself() -> Incident:
    world = World(values=recovered())
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED
    return world.incident


@cache
def fix_failed() -> Incident:
    world = awaiting_approval()
    world.review("alice@example.com")
    world.settle()
    world.pass_time(minutes=16)
    assert world.phase() == Phase.ESCALATED
    return world.incident


@cache
def denied() -> Incident:
    world = awaiting_approval()
    world.review("alice@example.com", "Denied")
    world.settle()
    assert world.phase() == Phase.ESCALATED
    return world.incident


@cache
def aborted() -> Incident:
    world = World(incident=incident(abort=True))
    world.settle()
    assert world.phase() == Phase.ESCALATED
    return world.incident


@cache
def marked() -> Incident:
    """A fix that was verified, and that a human found wrong."""
    spec = resolved().spec.model_copy(update={"fix_incorrect": True})
    metadata = resolved().metadata.model_copy(update={"generation": 2})
    world = World(incident=resolved().model_copy(update={"spec": spec, "metadata": metadata}), now=START)
    world.settle()
    return world.incident


@cache
def waiting() -> Incident:
    return awaiting_approval().incident


def of_type(kind: str, some: Incident) -> Incident:
    return some.model_copy(update={"spec": some.spec.model_copy(update={"type": kind})})


def took(some: Incident, seconds: int) -> Incident:
    assert some.status.sli is not None
    sli = some.status.sli.model_copy(update={"mttr_seconds": seconds})
    return some.model_copy(update={"status": some.status.model_copy(update={"sli": sli})})


def detected_ago(some: Incident, age: str) -> Incident:
    assert some.status.sli is not None
    moment = START - timedelta(seconds=duration_seconds(age))
    sli = some.status.sli.model_copy(update={"detection_time": moment})
    return some.model_copy(update={"status": some.status.model_copy(update={"sli": sli})})


def test_of_nothing_there_is_no_figure() -> None:
    nothing = figures([])
    assert (nothing.incidents, nothing.escalated.rate, nothing.incorrect.rate) == (0, None, None)
    assert (nothing.time_to_detect, nothing.time_to_resolve) == (None, None)
    assert statistics_of([]).types == ()


def test_an_open_incident_is_counted_and_is_in_no_rate_and_in_no_time() -> None:
    assert waiting().status.sli is not None
    alone, alongside = figures([waiting()]), figures([waiting(), resolved()])
    assert (alone.incidents, alone.open, alone.escalated.rate, alone.time_to_detect) == (1, 1, None, None)
    assert (alongside.incidents, alongside.open, alongside.escalated, alongside.resolved) == (
        2,
        1,
        Share(0, 1),
        Share(1, 1),
    )
    assert alongside.time_to_detect is not None
    assert alongside.time_to_detect.of == 1


def test_a_failed_fix_whose_way_back_is_still_on_offer_is_open() -> None:
    status = fix_failed().status.model_copy(update={"phase": Phase.AWAITING_APPROVAL})
    found = figures([fix_failed().model_copy(update={"status": status})])
    assert (found.open, found.escalated.of, found.incorrect.of) == (1, 0, 0)


def test_resolved_ones_are_told_apart_by_whether_anything_was_done() -> None:
    found = figures([resolved(), resolved(), by_itself(), denied()])
    assert (found.resolved, found.by_fix, found.by_itself) == (Share(3, 4), 2, 1)


def test_denied_and_aborted_ones_are_in_the_escalation_rate_though_no_fix_was_tried() -> None:
    found = figures([resolved(), denied(), aborted(), fix_failed()])
    assert found.escalated == Share(3, 4)
    assert found.escalated.rate == 0.75


def test_the_false_action_rate_is_of_fixes_that_were_judged() -> None:
    found = figures([resolved(), by_itself(), denied(), aborted(), fix_failed(), marked()])
    assert found.incorrect == Share(2, 3)
    assert figures([by_itself(), denied()]).incorrect.rate is None


def test_times_are_of_those_that_have_one() -> None:
    some = [took(resolved(), seconds) for seconds in (60, 90, 600)]
    assert figures([*some, denied()]).time_to_resolve == Times(of=3, median=90, mean=250, maximum=600)
    detected = figures([*some, denied()]).time_to_detect
    assert detected is not None
    assert (detected.of, detected.median) == (4, 48)
    assert figures([denied()]).time_to_resolve is None


def test_types_and_revisions_are_told_apart_and_add_up() -> None:
    led = resolved().status.runbook_revision_ref
    assert led is not None
    newer = led.model_copy(update={"digest": f"sha256:{'e' * 64}", "git_revision": "v2"})
    of_newer = resolved().model_copy(
        update={"status": resolved().status.model_copy(update={"runbook_revision_ref": newer})}
    )
    unknown = incident(type="Unheard").model_copy(update={"status": aborted().status})
    some = [detected_ago(resolved(), "2d"), detected_ago(fix_failed(), "1d"), of_newer, unknown]
    found = statistics_of(some)
    assert [(name, each.incidents) for name, each in found.types] == [("HighCPU", 3), ("Unheard", 1)]
    assert [(each.revision, each.git_revisions, each.figures.incidents) for each in found.revisions] == [
        (RevisionKey("high-cpu", newer.digest), ("v2",), 1),
        (RevisionKey("high-cpu", led.digest), (), 2),
        (None, (), 1),
    ]
    assert found.total.incidents == 4


def test_where_only_a_playbook_was_used_it_is_the_revision() -> None:
    ref = resolved().status.runbook_revision_ref
    status = denied().status.model_copy(update={"runbook_revision_ref": None, "playbook_revision_ref": ref})
    (one,) = statistics_of([denied().model_copy(update={"status": status})]).revisions
    assert one.revision is not None
    assert one.revision.runbook == "high-cpu"


def test_the_types_escalated_most_come_first_with_their_reasons() -> None:
    some = [of_type("DiskFull", resolved()), denied(), fix_failed(), denied(), of_type("MemoryLeak", aborted())]
    ranked = statistics_of(some).escalated_most
    assert [(each.type, each.escalated) for each in ranked] == [("HighCPU", Share(3, 3)), ("MemoryLeak", Share(1, 1))]
    assert ranked[0].reasons == (("ApprovalDenied", 2), ("FixFailed", 1))


@pytest.mark.parametrize(("age", "counted"), [("1d", 3), ("6h", 2), ("30m", 1)])
def test_since_counts_those_detected_within_it(age: str, counted: int) -> None:
    some = [detected_ago(resolved(), each) for each in ("5m", "5h", "23h", "40d")]
    found = statistics_of(some, since=START - timedelta(seconds=duration_seconds(age)))
    assert found.total.incidents == counted


def test_an_incident_that_nobody_has_begun_counts_from_what_is_known() -> None:
    untouched = incident()
    assert untouched.status.sli is None
    assert statistics_of([untouched], since=START - timedelta(minutes=1)).total.incidents == 1
    assert statistics_of([untouched], since=START).total.incidents == 0


def test_of_one_type_only_that_one_is_counted() -> None:
    found = statistics_of([resolved(), of_type("DiskFull", denied())], kind="DiskFull")
    assert (found.total.incidents, [name for name, _ in found.types]) == (1, ["DiskFull"])
