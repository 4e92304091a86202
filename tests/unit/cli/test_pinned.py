"""The runbook that an incident was triaged with, read back: exactly that, or a refusal that says why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from firstresponder.api.base import JSON
from firstresponder.cli.commands.report import _page
from firstresponder.cli.kubectl import Refused
from firstresponder.cli.pinned import pinned
from firstresponder.reporting.report import report_of
from firstresponder.runbooks.models import Runbook
from firstresponder.runbooks.revision import digest_of
from tests.unit.incident.test_measurements import resolved
from tests.unit.incident.world import high_cpu, incident


class Store:
    """A cluster that holds one revision."""

    def __init__(self, data: Mapping[str, JSON] | None) -> None:
        self.data = data

    def revision(self, name: str) -> Mapping[str, JSON] | None:
        del name
        return self.data


def read(data: Mapping[str, JSON] | None, *, recorded: Mapping[str, JSON] | None = None) -> tuple[Any, Any]:
    """An incident that recorded the digest of ``data`` (or of what is ``recorded``), and its cluster."""
    found = resolved().incident
    ref = found.status.runbook_revision_ref
    assert ref is not None
    ref = ref.model_copy(update={"digest": digest_of(recorded or data or {})})
    status = found.status.model_copy(update={"runbook_revision_ref": ref})
    return Store(data), found.model_copy(update={"status": status})


def test_it_is_what_the_incident_recorded() -> None:
    cluster, found = read({"spec": high_cpu()["spec"]})
    assert pinned(cluster, found) == ("high-cpu", Runbook.model_validate(high_cpu()).spec)


@pytest.mark.parametrize("data", [None, {}, {"spec": {}}, {"spec": {"changed": True}}, {"spec": {"nan": float("nan")}}])
def test_one_that_is_gone_or_was_changed_is_refused(data: Any) -> None:
    cluster, found = read(data, recorded={"spec": high_cpu()["spec"]})
    with pytest.raises(Refused, match="is gone or no longer holds what the incident recorded"):
        pinned(cluster, found)


def test_one_of_a_version_that_wrote_runbooks_in_another_way_is_refused_and_a_page_does_without() -> None:
    cluster, found = read({"spec": {**high_cpu()["spec"], "older\x1b": 1}})
    with pytest.raises(Refused, match=re.escape(r"spec.older\x1b: Extra inputs are not permitted (was it stored by")):
        pinned(cluster, found)
    drawn = _page(cluster, report_of(found))
    assert "<figure>" in drawn
    assert 'class="limit"' not in drawn


def test_one_without_a_spec_is_refused_by_that_name() -> None:
    cluster, found = read({"other": 1})
    with pytest.raises(Refused, match="spec: Input should be a valid dictionary"):
        pinned(cluster, found)


def test_an_incident_that_ended_before_triage_has_none() -> None:
    cluster, _ = read(None)
    with pytest.raises(Refused, match="has no runbook"):
        pinned(cluster, incident())
