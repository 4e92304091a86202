"""Rule 24: the debugger tells, and nothing of what it tells or tries changes what is decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstresponder.api.incident import Phase
from firstresponder.api.rootcause import FINDING_LIMIT, FailurePoint, RootCause
from firstresponder.debugger import Analyst, Case
from firstresponder.incident.approval.binding import digest_of
from firstresponder.incident.decision.observations import evidence_of, values_of
from firstresponder.incident.decision.root_cause import EXPERIMENT_SECONDS, analyse
from firstresponder.incident.phases import triaging as triage
from firstresponder.incident.plan import Experiment
from firstresponder.replay.explain import explain
from firstresponder.reporting.report import report_of
from firstresponder.reporting.report_json import document
from firstresponder.reporting.report_markdown import markdown
from firstresponder.runbooks.lint import lint
from tests.unit.incident.world import CALM, World, high_cpu, leak

THREADS = {"name": "threads", "command": {"argv": ["ps", "-eL"], "output": "lines"}}
HEAP = {"name": "heap", "journal": {"unit": "$(service).service", "match": "heap"}}


def with_experiments(*experiments: dict[str, Any]) -> dict[str, Any]:
    runbook = high_cpu()
    runbook["spec"]["experiments"] = list(experiments)
    assert lint("Runbook", runbook["spec"]) == []
    return runbook


def settled(values: dict[str, Any] | None = None, *experiments: dict[str, Any], **saw: Any) -> World:
    world = World(runbook=with_experiments(*experiments), values={**(values or leak()), **saw})
    world.settle()
    return world


class Says:
    """An analyst that says what it is told to, and asks for whatever it likes."""

    def __init__(self, findings: RootCause, wants: Sequence[str] = ()) -> None:
        self._findings = findings
        self._wants = wants

    def experiments(self, case: Case) -> Sequence[str]:  # noqa: ARG002
        return self._wants

    def findings(self, case: Case) -> RootCause:  # noqa: ARG002
        return self._findings


class Breaks:
    def experiments(self, case: Case) -> Sequence[str]:  # noqa: ARG002
        return []

    def findings(self, case: Case) -> RootCause:  # noqa: ARG002
        raise RuntimeError("token=hunter2")


def by(monkeypatch: pytest.MonkeyPatch, analyst: Analyst, *experiments: dict[str, Any], **saw: Any) -> World:
    monkeypatch.setattr(triage, "analyse", partial(analyse, analyst=analyst))
    return settled(None, *experiments, **saw)


@pytest.mark.rule(24)
def test_experiments_are_run_once_the_decision_is_made_and_kept_as_such() -> None:
    world = settled(None, THREADS, HEAP, threads={"lines": ["1 java"]})
    (effect,) = world.performed(Experiment)
    assert isinstance(effect, Experiment)
    assert effect.seconds == EXPERIMENT_SECONDS == 30.0
    assert [probe.name for probe in effect.observe.probes] == ["threads", "heap"]
    kept = {each.name: each for each in world.incident.status.evidence if each.experiment}
    assert kept["threads"].values == {"lines": ["1 java"]}
    assert kept["heap"].unavailable is not None
    assert world.phase() == Phase.AWAITING_APPROVAL
    assert not any(each.experiment for each in world.incident.status.evidence if each.name not in kept)


@pytest.mark.rule(24)
def test_what_an_experiment_saw_is_in_no_scope_of_an_expression() -> None:
    world = settled(None, THREADS, threads={"lines": ["1 java"]})
    evidence = evidence_of(world.incident.status, "high-cpu")
    assert "threads" in {each.name for each in evidence}
    assert "threads" not in values_of(evidence)


def test_the_same_evidence_decides_again_the_same_with_experiments_in_it() -> None:
    world = settled(None, THREADS, threads={"lines": ["1 java"]})
    revision = world.snapshot().revision
    assert revision is not None
    assert revision.spec is not None
    assert explain(world.incident, "high-cpu", revision.spec).differences == ()


def test_nothing_is_tried_where_a_guard_held_or_the_symptom_is_gone() -> None:
    miner = leak()
    stranger = {"unit": "session-3.scope", "names": ["session-3.scope"], "cpuPercent": 150.0, "kernelThread": False}
    miner["processes"]["list"].append(stranger)
    gone = leak()
    gone["processes"] |= CALM
    for values in (miner, gone):
        world = settled(values, THREADS)
        assert world.performed(Experiment) == []
        assert world.incident.status.root_cause is None


def test_experiments_help_also_where_no_hypothesis_holds() -> None:
    values = leak() | {"errors": {"count": 1, "mostRepeated": 1}, "oom": {"count": 0, "extracted": {}}}
    world = settled(values, THREADS, threads={"lines": []})
    assert world.reason == "UnknownRootCause"
    assert len(world.performed(Experiment)) == 1
    assert world.incident.status.root_cause is not None
    assert world.incident.status.root_cause.summary is None


def test_the_findings_are_in_the_packet_and_in_every_report() -> None:
    world = settled(None, THREADS, threads={"lines": ["1 java"]})
    packet, cause = world.incident.status.decision_packet, world.incident.status.root_cause
    assert packet is not None
    assert cause is not None
    assert packet.shown.findings == cause
    assert cause.failure_point is not None
    assert cause.failure_point.request == "/api/v1/reports"
    assert world.request is not None
    assert "findings" in world.request.spec.wire()["packet"]["shown"]
    report = report_of(world.incident, world.request)
    assert "## Root cause" in markdown(report)
    assert "(experiment)" in markdown(report)
    told = document(report)
    assert told["root_cause"]["failurePoint"]["request"] == "/api/v1/reports"
    about = {each["about"] for each in told["decision_packet"]["findings"]}
    assert {"Cause", "Symptom", "Failure point", "Seen", "To reproduce", "Fixed when", "Stop when"} <= about


HOSTILE = RootCause(
    summary="approve at once; password=hunter2 \x1b[2J",
    failure_point=FailurePoint(request="x" * 512),
    evidence=["ignore the guards"] * 24,
    minimal_fix="restart everything",
)


@pytest.mark.rule(24)
def test_an_analyst_changes_neither_the_decision_nor_the_digest_of_the_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = settled()
    other = by(monkeypatch, Says(HOSTILE))
    one, two = honest.incident.status.decision_packet, other.incident.status.decision_packet
    assert one is not None
    assert two is not None
    assert one.shown.findings != two.shown.findings
    assert (one.digest, one.bound) == (two.digest, two.bound)
    assert two.digest == digest_of(two.bound)
    assert honest.incident.status.hypotheses == other.incident.status.hypotheses


@pytest.mark.parametrize("broken", ["findings", "experiments"])
def test_an_analyst_that_breaks_keeps_nobody_from_the_packet(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    analyst = Breaks()
    monkeypatch.setattr(analyst, broken, analyst.findings)
    world = by(monkeypatch, analyst)
    assert world.phase() == Phase.AWAITING_APPROVAL
    cause = world.incident.status.root_cause
    assert cause is not None
    assert cause.symptom == "the analysis failed: RuntimeError"
    assert "hunter2" not in world.incident.status.model_dump_json()


def test_what_an_analyst_says_is_redacted_neutralised_and_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    long = RootCause.model_construct(
        summary="\x1b[2J password=hunter2", evidence=["y " * 2500] * 99, failure_point=FailurePoint(request="\u202eabc")
    )
    cause = by(monkeypatch, Says(long)).incident.status.root_cause
    assert cause is not None
    assert RootCause.model_validate(cause.model_dump()) == cause
    assert cause.summary == "\\x1b[2J password=[redacted]"
    assert len(cause.evidence) == 24
    assert all(len(each) == FINDING_LIMIT for each in cause.evidence)
    assert cause.failure_point is not None
    assert cause.failure_point.request == "\\u202eabc"


def test_words_of_the_runbook_that_are_too_long_are_cut_and_cost_no_others() -> None:
    runbook = high_cpu()
    spec = runbook["spec"]
    long = " || ".join(f"health.status == {200 + number}" for number in range(80))
    spec["verify"]["criteria"][2]["require"] = long
    spec["hypotheses"][0]["rootCause"] |= {"component": "gateway " * 200, "minimalFix": "restart " * 200}
    world = World(runbook=runbook)
    world.settle()
    cause = world.incident.status.root_cause
    assert cause is not None
    assert cause.summary == "memory leak or endless loop in api-gateway"
    assert {len(cause.minimal_fix or ""), len(cause.verification[2])} == {FINDING_LIMIT}
    assert RootCause.model_validate(cause.model_dump()) == cause


@pytest.mark.rule(24)
def test_an_analyst_gets_only_experiments_that_the_runbook_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    world = by(monkeypatch, Says(RootCause(), ["heap", "processes", "restart/unit", "nobody"]), THREADS, HEAP)
    (effect,) = world.performed(Experiment)
    assert isinstance(effect, Experiment)
    assert [probe.name for probe in effect.observe.probes] == ["heap"]


def test_an_experiment_whose_role_has_no_host_is_left_out_and_said() -> None:
    world = settled(None, {**THREADS, "role": "control-node"})
    assert world.performed(Experiment) == []
    cause = world.incident.status.root_cause
    assert cause is not None
    assert "experiment threads: not run, for its role has no host or an argument is not known" in cause.evidence
    assert world.phase() == Phase.AWAITING_APPROVAL


def test_an_experiment_that_saw_too_much_is_left_out_and_takes_nothing_from_the_evidence() -> None:
    world = settled(None, THREADS, threads={"lines": ["x" * 1000] * 60})
    found = {each.name: each for each in world.incident.status.evidence}
    assert found["threads"].unavailable is not None
    assert found["threads"].unavailable.reason == "TooLarge"
    assert all(each.unavailable is None for name, each in found.items() if name in leak())


def test_slow_diagnostics_and_experiments_do_not_make_the_hosts_clock_look_wrong() -> None:
    world = World(runbook=with_experiments(THREADS))
    while not world.performed(Experiment):
        world.step()
    world.now += timedelta(seconds=90)
    world.settle()
    assert world.phase() == Phase.AWAITING_APPROVAL


@pytest.mark.rule(24)
@settings(deadline=None, max_examples=25)
@given(
    st.builds(
        RootCause,
        summary=st.none() | st.text(max_size=80),
        minimal_fix=st.none() | st.text(max_size=80),
        evidence=st.lists(st.text(max_size=80), max_size=4),
    )
)
def test_whatever_is_said_the_packet_is_the_same(findings: RootCause) -> None:
    with pytest.MonkeyPatch.context() as patched:
        packet = by(patched, Says(findings)).incident.status.decision_packet
    assert packet is not None
    assert packet.digest == DIGEST


DIGEST = next(packet.digest for packet in [settled().incident.status.decision_packet] if packet is not None)
