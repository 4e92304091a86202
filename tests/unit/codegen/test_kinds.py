"""The tables of fields say what the CustomResourceDefinitions hold people to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import Resource
from firstresponder.api.hosts import Host
from firstresponder.api.incident import IMMUTABLE, Incident
from firstresponder.codegen import kinds as reference
from firstresponder.codegen.crds import custom_resource_definition
from firstresponder.runbooks.models import KINDS, Runbook


def _schema(kind: type[Resource]) -> dict[str, Any]:
    schema: dict[str, Any] = custom_resource_definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _rows(kind: type[Resource], part: str) -> dict[str, list[str]]:
    """Each field's other cells, by its path."""
    section = reference.page(kind).partition(f"## {part}\n")[2].partition("\n## ")[0]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("| `")]
    return {path.strip(" `"): [each.strip() for each in rest] for path, *rest in cells}


def _count(node: dict[str, Any]) -> int:
    """The fields of a schema, whatever they are below."""
    inner = node.get("items") or node.get("additionalProperties") or node
    return sum(1 + _count(each) for each in inner.get("properties", {}).values())


def _rules(node: Any) -> Iterator[dict[str, Any]]:
    """Every rule of a schema, wherever it stands."""
    for key, value in node.items() if isinstance(node, dict) else ():
        yield from value if key == "x-kubernetes-validations" else _rules(value)


def test_what_lies_in_docs_is_what_the_models_say() -> None:
    for path, text in reference.files().items():
        assert path.read_text() == text, f"{path.name}: run `make generate`"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_has_a_row_with_a_type_and_a_meaning(kind: type[Resource]) -> None:
    for part in ("spec", "status"):
        schema = _schema(kind)["properties"].get(part, {})
        rows = _rows(kind, part)
        assert len(rows) == _count(schema)
        assert all(len(cell) > 1 for row in rows.values() for cell in (row[0], row[-1]) if cell != "–")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_rule_is_told_with_its_message(kind: type[Resource]) -> None:
    section = reference.page(kind).partition("## Rules\n")[2].replace("\\|", "|")
    rules = list(_rules(_schema(kind)))
    assert all(f"| {rule['message']} | `{rule['rule']}` |" in section for rule in rules)
    assert section.partition("\n## ")[0].count("` |\n") == len(rules)


def test_bounds_defaults_and_needed_fields_are_told_in_words() -> None:
    rows = _rows(Host, "spec")
    assert rows["port"][:2] == ["integer (1 to 65535)", "`22`"]
    assert rows["hostKeys"][0].startswith("list (1 to 8) of text (16 to 2048), `^")
    assert rows["accounts.observe.user"][1] == "needed"
    assert rows["accounts.act"][1] == "–"
    runbook = _rows(Runbook, "spec")
    assert runbook["mode"][:2] == ["`Approve` or `Observe`", "`Approve`"]
    assert runbook["escalateTo"][1] == "`on-call`"
    assert runbook["verify.interval"][:2] == ["duration", "`15s`"]
    assert runbook["roles"][0] == "list (1 to 16) of objects, one for each `name`"
    assert runbook["tests.evidence"][0] == "map (at most 32) to map (at most 64)"
    assert _rows(Incident, "status")["phase"][0].endswith("`Resolved` or `Escalated`")


def test_what_may_not_change_is_told_with_all_that_is_below_it() -> None:
    rows = _rows(Incident, "spec")
    never = {path for path, row in rows.items() if row[2] == "never"}
    assert {path for path in never if not re.search(r"[.\[]", path)} == set(IMMUTABLE)
    assert {"hosts[].role", "alert.labels", "impact.revenueLossPerHour.amount"} <= never
    assert {path for path, row in rows.items() if row[2] == "by the rules"} == {"abort", "fixIncorrect"}
    assert rows["parameters"][2] == "freely"
    asked = _rows(ApprovalRequest, "spec")
    assert {path for path, row in asked.items() if row[2] != "never"} == {path for path in asked if "reviews" in path}


def test_columns_and_short_names_are_told() -> None:
    page = reference.page(Incident)
    assert "with kubectl: `incidents`, `incident`, `inc`." in page
    assert "| Request | `.status.approvalRequestRef.name` | with `-o wide` |" in page
