"""The shipped analyst: the runbook's words, completed by the evidence and by nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from firstresponder.api.incident import Evidence, HypothesisResult, Unavailable
from firstresponder.api.rootcause import RootCause
from firstresponder.debugger import Case, FromEvidence
from firstresponder.incident.decision.decide import EvaluationInputs, scope_of
from firstresponder.runbooks.models import RunbookSpec, TriagePlaybookSpec
from firstresponder.runbooks.symbols import diagnostics_behind

NOW = datetime(2026, 3, 14, 3, 8, tzinfo=UTC)
LINE = "java.lang.OutOfMemoryError: Java heap space at GET /api/v1/reports?from=2026 (id 7)"


def runbook(**changes: Any) -> RunbookSpec:
    """A leak of a service that has a database: two roles, three journals, one probe of a port."""
    return RunbookSpec.model_validate(
        {
            "match": {"types": ["Leak"]},
            "roles": [{"name": "target"}, {"name": "database"}],
            "diagnostics": [
                {"name": "access", "journal": {"unit": "$(service).service", "limit": 50}},
                {"name": "oom", "journal": {"unit": "$(service).service", "match": "OutOfMemory", "limit": 5}},
                {"name": "dbLog", "role": "database", "journal": {"unit": "postgresql.service"}},
                {"name": "path", "tcp": {"host": "db-01", "port": 5432}},
            ],
            "variables": [
                {"name": "sick", "expression": "oom.count > 0.0", "signal": "OutOfMemoryError × $(oom.count)"}
            ],
            "symptom": "sick",
            "guards": [
                {
                    "name": "corrupt",
                    "when": "dbLog.count > 99.0",
                    "then": {"escalate": {"reason": "SecurityIncident", "humanAction": "Look."}},
                }
            ],
            "hypotheses": [
                {
                    "name": "leak",
                    "likelihood": 60,
                    "when": "oom.count > 2.0",
                    "rootCause": {"summary": "leak in $(service)"},
                    "then": {"action": "restart"},
                },
                {
                    "name": "database-slow",
                    "likelihood": 30,
                    "when": "dbLog.count > 2.0",
                    "rootCause": {"summary": "slow database"},
                    "then": {"escalate": {"reason": "ManualActionRequired", "humanAction": "Ask the DBA."}},
                },
            ],
            "otherwise": {"escalate": {"reason": "UnknownRootCause", "humanAction": "Look."}},
            "actions": [
                {
                    "name": "restart",
                    "restartUnit": {"unit": "$(service).service"},
                    "risk": {},
                    "rollback": {"plan": "STOP and call"},
                    "approval": {"prompt": "Restart?"},
                }
            ],
            "experiments": [{"name": "threads", "command": {"argv": ["ps", "-eL"], "output": "lines"}}],
            "verify": {
                "window": "5m",
                "timeout": "15m",
                "criteria": [{"name": "quiet", "require": "oom.count == 0.0"}],
                "failWhen": [{"name": "worse", "when": "oom.count > 1000.0"}],
                "onFailure": {"escalate": {"reason": "FixFailed", "humanAction": "Look."}},
            },
            **changes,
        }
    )


def seen(name: str, role: str = "target", **values: Any) -> Evidence:
    host = {"target": "api-03", "database": "db-01"}[role]
    return Evidence(
        name=name, runbook="leak", source="journalctl", role=role, host=host, observed_time=NOW, values=values
    )


def blind(name: str) -> Evidence:
    return seen(name).model_copy(update={"unavailable": Unavailable(reason="TimedOut", message="no answer")})


EVIDENCE = (seen("oom", count=9, lines=[LINE] * 5), seen("access", count=80, lines=["GET /favicon.ico 404"] * 50))


def verdict(name: str, said: str, kind: str = "Hypothesis") -> HypothesisResult:
    return HypothesisResult.model_validate({"name": name, "kind": kind, "verdict": said, "because": f"{name} because"})


def case(*evidence: Evidence, spec: RunbookSpec | None = None, cause: str | None = "leak", **more: Any) -> Case:
    spec = spec or runbook()
    hypothesis = next((each for each in spec.hypotheses if each.name == cause), None)
    values = {each.name: each.values for each in evidence if each.unavailable is None}
    hosts = {"target": {"name": "api-03"}, "database": {"name": "db-01"}}
    verdicts = [verdict("sick", "Holds", "Symptom"), verdict("database-slow", "Refuted")]
    return Case(
        **{
            "service": "api",
            "spec": spec,
            "hosts": {"target": "api-03", "database": "db-01"},
            "evidence": evidence,
            "verdicts": [*verdicts, verdict("leak", "Holds" if hypothesis is not None else "Refuted")],
            "cause": hypothesis,
            "rests_on": diagnostics_behind(spec, [hypothesis.when if hypothesis is not None else spec.symptom]),
            "scope": scope_of(spec, EvaluationInputs("api", {}, hosts), values),
            **more,
        }
    )


def findings(*evidence: Evidence, **more: Any) -> RootCause:
    return FromEvidence().findings(case(*evidence, **more))


def request(*evidence: Evidence, **more: Any) -> str | None:
    point = findings(*evidence, **more).failure_point
    return point.request if point is not None else None


def release(*evidence: Evidence) -> str | None:
    point = findings(*evidence).failure_point
    return point.release if point is not None else None


def test_the_leaking_endpoint_is_named_from_the_log_although_the_runbook_does_not_mention_it() -> None:
    found = findings(*EVIDENCE)
    assert found.failure_point is not None
    assert found.failure_point.request == "/api/v1/reports"
    assert "/api/v1/reports is named in 5 of the 5 newest lines of oom (9 in all) on api-03" in found.evidence
    assert found.reproduction[0].startswith("send GET /api/v1/reports to api on a host without production traffic")


def test_what_the_runbook_extracts_counts_more_than_what_lines_look_like() -> None:
    extracted = seen("oom", count=9, extracted={"request": "/api/v1/export"}, lines=[LINE])
    assert request(extracted, EVIDENCE[1]) == "/api/v1/export"
    other = seen("access", count=9, extracted={"request": "/api/v1/export"}, lines=[])
    assert request(EVIDENCE[0], other) == "/api/v1/export"


def test_a_louder_log_that_the_cause_does_not_rest_on_is_no_match_for_the_one_that_it_does() -> None:
    assert request(*EVIDENCE) == request(*reversed(EVIDENCE)) == "/api/v1/reports"
    assert request(seen("oom", count=9, lines=["heap space"] * 5), EVIDENCE[1]) == "/favicon.ico"


@pytest.mark.parametrize(
    "line", ["GET /api/rooms/17 200", '10.0.0.5 - - "GET /api/rooms/17 HTTP/1.1" 200 157', "GET /api/rooms/17 errors=0"]
)
def test_a_request_that_was_answered_well_is_not_to_be_sent_again(line: str) -> None:
    assert request(seen("oom", count=9, lines=[line] * 5)) is None
    assert request(seen("oom", count=9, lines=[line] * 5, extracted={"request": "/api/rooms/17"})) is None
    assert request(seen("oom", count=9, lines=[line] * 5 + ["GET /api/rooms/4 500"])) == "/api/rooms/4"


def test_a_request_that_another_host_logged_is_not_named() -> None:
    elsewhere = seen("dbLog", "database", count=9, lines=["GET /elsewhere"] * 5)
    assert request(elsewhere) is None


def test_of_requests_that_are_named_as_often_the_same_one_is_always_told() -> None:
    lines = ["ERROR GET /b", "ERROR POST /a"]
    assert request(seen("oom", lines=lines)) == request(seen("oom", lines=lines[::-1])) == "/a"


def test_the_runbooks_own_word_comes_first_unless_it_holds_something_unknown() -> None:
    def worded(text: str) -> RunbookSpec:
        leak = runbook().hypotheses[0]
        cause = leak.root_cause.model_copy(update={"request": text, "component": text, "release": text})
        return runbook().model_copy(update={"hypotheses": [leak.model_copy(update={"root_cause": cause})]})

    assert request(*EVIDENCE, spec=worded("POST /import")) == "POST /import"
    assert request(*EVIDENCE, spec=worded("$(oom.extracted.request)")) == "/api/v1/reports"
    point = findings(spec=worded("v$(oom.count)")).failure_point
    assert point is not None
    assert (point.component, point.release, point.request) == ("api", None, None)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"lines": ["start version=2.4.1", "release 2.4.1", "version: 2.4.0"]}, "2.4.1"),
        ({"lines": ["nothing"], "extracted": {"release": "2026.3"}}, "2026.3"),
        ({"lines": ["converted 3.5 GB"]}, None),
        ({"lines": "version=1"}, None),
    ],
)
def test_a_release_is_read_from_log_lines_that_call_it_so(values: dict[str, Any], expected: str | None) -> None:
    assert release(seen("oom", **values)) == expected


def test_a_release_is_read_from_the_description_of_a_unit_when_no_log_tells_it() -> None:
    unit = seen("restart/unit", loadState="loaded", description="API gateway v2.4.1-rc1 of 10 nodes")
    assert release(unit) == "v2.4.1-rc1"
    assert release(unit, seen("oom", lines=["version=2.5.0"])) == "2.5.0"
    assert release(seen("restart/unit", description="API gateway")) is None


def test_it_fails_where_everything_behind_the_cause_was_seen() -> None:
    hosts = {cause: findings(*EVIDENCE, cause=cause).failure_point for cause in ("leak", "database-slow")}
    assert {cause: point.host for cause, point in hosts.items() if point is not None} == {
        "leak": "api-03",
        "database-slow": "db-01",
    }


def test_without_a_request_the_looks_behind_the_cause_are_the_way_to_see_it_again() -> None:
    leak = runbook().hypotheses[0].model_copy(update={"when": "!path.open"})
    spec = runbook().model_copy(update={"hypotheses": [leak]})
    found = findings(seen("path", open=False, error="Refused"), spec=spec)
    assert found.reproduction == [
        "look at path (tcp: host db-01, port 5432) on api-03: {open: false, error: Refused}",
        "it is there again when sick is true: oom.count > 0.0",
    ]


def test_what_the_operator_saw_itself_is_a_look_too() -> None:
    leak = runbook().hypotheses[0].model_copy(update={"when": "!path.open"})
    spec = runbook().model_copy(update={"hypotheses": [leak]})
    outside = seen("path", open=False).model_copy(update={"host": None})
    steps = findings(outside, spec=spec).reproduction
    assert steps[0] == "look at path (tcp: host db-01, port 5432) from the operator: {open: false}"


def test_criteria_guards_and_the_way_back_become_the_end_and_the_stops() -> None:
    found = findings(*EVIDENCE)
    assert found.verification == ["quiet: oom.count == 0.0"]
    assert found.stop_conditions == [
        "corrupt: dbLog.count > 99.0",
        "worse: oom.count > 1000.0",
        "the criteria do not hold for 5m within 15m",
        "it gets worse: STOP and call",
    ]
    assert found.symptom == "sick: OutOfMemoryError × 9"
    assert found.minimal_fix == "restart, as proposed"
    assert findings(*EVIDENCE, cause="database-slow").minimal_fix == "Ask the DBA."


def test_the_cause_is_told_before_what_speaks_against_the_others() -> None:
    found = findings(seen("oom", count=9))
    assert found.summary == "leak in api"
    assert found.evidence == [
        "leak: leak because",
        "experiment threads: not run, for its role has no host or an argument is not known",
        "ruled out: database-slow: database-slow because",
    ]


def test_without_a_cause_it_says_what_has_to_be_found_out() -> None:
    unknown = [verdict("leak", "Refuted"), verdict("database-slow", "Unknown")]
    found = findings(*EVIDENCE, cause=None, verdicts=unknown)
    assert found.summary is None
    assert found.minimal_fix == "find out first whether it is database-slow: database-slow because"
    assert "cannot be evaluated: database-slow: database-slow because" in found.evidence
    both = [verdict("leak", "Holds"), verdict("database-slow", "Holds")]
    assert findings(cause=None, verdicts=both).minimal_fix == "find out first which it is: leak, database-slow"
    assert findings(cause=None).minimal_fix is None


def test_it_asks_for_every_experiment_and_tells_what_each_saw() -> None:
    assert FromEvidence().experiments(case()) == ["threads"]
    saw = findings(experiments=[seen("threads", count=400, lines=["raw"])]).evidence
    assert "experiment threads: {count: 400}" in saw
    missed = findings(experiments=[blind("threads")]).evidence
    assert "experiment threads: nothing seen: TimedOut: no answer" in missed


def test_what_was_not_observed_says_nothing() -> None:
    assert request(blind("oom").model_copy(update={"values": {"lines": [LINE]}})) is None


def test_a_playbook_has_hypotheses_but_no_symptom_and_nothing_to_verify() -> None:
    shared = {
        name: value
        for name, value in runbook().wire().items()
        if name in {"match", "roles", "diagnostics", "variables", "guards", "otherwise"}
    }
    led = {**runbook().wire()["hypotheses"][1]}
    spec = TriagePlaybookSpec.model_validate({**shared, "hypotheses": [led]})
    found = findings(spec=spec, cause="database-slow", rests_on=frozenset({"dbLog"}))
    assert (found.summary, found.symptom, found.verification) == ("slow database", None, [])
    assert found.stop_conditions == ["corrupt: dbLog.count > 99.0"]


def test_the_same_case_gives_the_same_findings() -> None:
    assert findings(*EVIDENCE) == findings(*EVIDENCE)
