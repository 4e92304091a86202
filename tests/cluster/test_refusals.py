"""What lint refuses never serves an incident: the API server refuses it, or the operator says Ready=False."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from firstresponder.api.base import condition
from firstresponder.runbooks.models import Runbook
from firstresponder.runbooks.source import read_documents
from tests.testbed.api import ApiError
from tests.testbed.operator import Operator
from tests.testbed.stage import Stage
from tests.unit.runbooks.refused import REFUSALS, Refusal

BY_SCHEMA = [each for each in REFUSALS if each.by == "schema"]
BY_OPERATOR = [each for each in REFUSALS if each.by == "operator"]


def stalled(stage: Stage, name: str) -> bool:
    return stage.condition("runbooks", name, "Stalled") == "True"


def content(refusal: Refusal, name: str) -> Any:
    (document,) = read_documents(refusal.text)
    return {**document.content, "metadata": {"name": name}}


@pytest.mark.parametrize("refusal", BY_SCHEMA, ids=lambda refusal: refusal.name)
def test_the_api_server_refuses_it_and_names_the_field(stage: Stage, refusal: Refusal) -> None:
    runbook = content(refusal, "refused")
    with pytest.raises(ApiError) as refused:
        stage.cluster.api().create(stage.path("runbooks"), runbook, fieldValidation="Strict")
    assert refusal.said[0].split(": ")[1] in refused.value.message


def test_the_operator_says_of_each_what_lint_says(stage: Stage, operator: Operator) -> None:
    names = {f"refused-{number}": refusal for number, refusal in enumerate(BY_OPERATOR)}
    for name, refusal in names.items():
        stage.apply(content(refusal, name))
    for name, refusal in names.items():
        stage.wait(partial(stalled, stage, name), refusal.name)
        conditions = Runbook.model_validate(stage.get("runbooks", name)).status.conditions
        ready = condition(conditions, "Ready")
        assert ready is not None and (ready.status, ready.reason) == ("False", "InvalidRunbook"), refusal.name
        assert ready.message == "; ".join(each.split(": ", 1)[1] for each in refusal.said)
    assert operator.running
