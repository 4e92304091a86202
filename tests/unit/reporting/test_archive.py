"""Incidents out of an archive: each once, as it was last, and the same figures as before they were archived."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from firstresponder.api.archive import archive_line
from firstresponder.api.incident import Incident
from firstresponder.reporting.archive import Archive
from firstresponder.reporting.statistics import statistics_of
from tests.unit.reporting.test_statistics import aborted, by_itself, denied, fix_failed, marked, of_type, resolved, took

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def stored(incident: Incident, uid: str, **metadata: Any) -> dict[str, Any]:
    """The incident as the API server has it."""
    body = incident.model_dump(by_alias=True, mode="json", exclude_none=True)
    known = {"uid": uid, "creationTimestamp": "2026-03-14T03:07:12Z", "namespace": "shop"}
    return {**body, "metadata": {**body["metadata"], **known, **metadata}}


def many() -> list[dict[str, Any]]:
    """Ended incidents of every kind."""
    ended = [
        *(took(resolved(), seconds) for seconds in (60, 90, 381)),
        *(took(by_itself(), 300), denied(), fix_failed(), took(marked(), 360)),
        of_type("Unheard", aborted()),
    ]
    return [stored(each, f"uid-{number}") for number, each in enumerate(ended)]


def lines(bodies: Iterable[dict[str, Any]], now: datetime = NOW) -> list[bytes]:
    return [archive_line(now, body, ()).encode() + b"\n" for body in bodies]


def read(bodies: Iterable[dict[str, Any]]) -> list[Incident]:
    return [Incident.model_validate(each) for each in bodies]


@pytest.mark.parametrize("archived", [0, 3, 8])
def test_figures_are_the_same_however_many_were_archived(archived: int) -> None:
    bodies = many()
    archive = Archive()
    archive.read("a.jsonl", lines(bodies[:archived]))
    assert (archive.repeated, archive.broken) == (0, [])
    counted = archive.beside(read(bodies[archived:]), "shop")
    assert statistics_of(counted) == statistics_of(read(bodies))
    assert statistics_of(counted, kind="Unheard") == statistics_of(read(bodies), kind="Unheard")


def test_an_incident_with_several_lines_counts_once_as_it_was_last_whatever_their_order() -> None:
    [first, *_] = many()
    last = {**first, "spec": {**first["spec"], "type": "Changed"}}
    earlier, later = lines([first]), lines([last], NOW + timedelta(hours=1))
    for order in (earlier + later, later + earlier):
        archive = Archive()
        archive.read("a.jsonl", order)
        assert [each.spec.type for each in archive.beside([], None)] == ["Changed"]
        assert archive.repeated == 1


def test_an_incident_that_is_still_stored_counts_as_it_is_stored() -> None:
    [first, *_] = many()
    archive = Archive()
    archive.read("a.jsonl", lines([{**first, "spec": {**first["spec"], "type": "Before"}}]))
    assert archive.beside(read([first]), "shop") == read([first])


def test_those_of_other_namespaces_are_left_out_where_one_is_asked_for() -> None:
    [first, second, *_] = many()
    archive = Archive()
    archive.read("a.jsonl", lines([first, stored(Incident.model_validate(second), "uid-1", namespace="web")]))
    assert [each.metadata.uid for each in archive.beside([], "web")] == ["uid-1"]
    assert len(archive.beside([], None)) == 2


BROKEN = {
    "cut off": (lines(many())[0][:-200], "is not JSON, or was cut off"),
    "no UTF-8": (b'{"\xff": 1}', "is not JSON, or was cut off"),
    "something else": (b'{"a": 1}', "is no archived incident: archived: Field required"),
    "nothing": (b"null", "is no archived incident: the line: "),
    "a list": (b"[1]", "is no archived incident: the line: "),
    "not stored": (
        json.dumps({"archived": "2026-06-01T00:00:00Z", "incident": {"spec": {"type": "A", "service": "b"}}}).encode(),
        "is no archived incident: the line: Value error, incident.metadata has no uid",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_line_is_named_with_its_number_and_hides_no_other(kind: str) -> None:
    line, problem = BROKEN[kind]
    good = lines(many())
    archive = Archive()
    archive.read("a.jsonl", [good[0], b"\n", line + b"\n", good[1]])
    [broken] = archive.broken
    assert (broken.file, broken.number) == ("a.jsonl", 3)
    assert broken.problem.startswith(problem)
    assert len(archive.incidents) == 2


def test_of_a_whole_year_only_what_is_counted_is_kept() -> None:
    archive = Archive()
    archive.read("a.jsonl", lines(many()))
    assert all(not each.incident.status.timeline for each in archive.incidents.values())


def test_one_incident_is_read_whole_with_its_requests() -> None:
    [first, second, *_] = many()
    named = {**first, "metadata": {**first["metadata"], "name": "the-one"}}
    archive = Archive("the-one")
    archive.read("a.jsonl", lines([named, second]))
    [found] = archive.incidents.values()
    assert found.incident == Incident.model_validate(named)
    assert found.incident.status.timeline
