"""The JSON Schemas accept the catalogue, refuse what does not fit, and tell editors what each field is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from firstresponder.api.base import Resource
from firstresponder.codegen import schemas
from firstresponder.runbooks.models import KINDS, Runbook
from firstresponder.runbooks.source import read_documents
from tests.unit.runbooks.refused import GOOD, REFUSALS

ROOT = Path(__file__).parents[3]
FILES = [*sorted((ROOT / "runbooks").glob("*.yaml")), *sorted((ROOT / "examples").glob("*.yaml"))]


def errors(schema: dict[str, Any], content: Any) -> list[str]:
    found = Draft7Validator(schema).iter_errors(content)
    return [f"{error.json_path}: {error.message}" for error in found]


def fields(schema: Any) -> list[tuple[str, dict[str, Any]]]:
    """Every field under a schema, by name."""
    if isinstance(schema, list):
        return [each for inner in schema for each in fields(inner)]
    if not isinstance(schema, dict):
        return []
    own = list(schema.get("properties", {}).items())
    return own + [each for inner in schema.values() for each in fields(inner)]


def test_what_lies_in_schemas_is_what_the_models_say() -> None:
    for path, text in schemas.files().items():
        assert path.read_text() == text, f"{path.name}: run `make generate`"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_schema_is_one_and_says_only_what_json_schema_knows(kind: type[Resource]) -> None:
    schema = schemas.json_schema(kind)
    Draft7Validator.check_schema(schema)
    assert "x-kubernetes" not in json.dumps(schema)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_editor_shows_what_every_field_is(kind: type[Resource]) -> None:
    spec = schemas.json_schema(kind)["properties"]["spec"]
    assert [name for name, field in fields(spec) if not field.get("description")] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_shipped_file_fits_the_schema_that_its_first_line_names(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named is not None, first
    schema = json.loads((path.parent / named[1]).read_text())
    content = yaml.safe_load(path.read_text())
    assert schema["title"] == content["kind"]
    assert errors(schema, content) == []


def test_a_good_runbook_fits() -> None:
    assert errors(schemas.json_schema(Runbook), yaml.safe_load(GOOD)) == []


@pytest.mark.parametrize(
    "refusal", [each for each in REFUSALS if each.by == "schema"], ids=lambda refusal: refusal.name
)
def test_what_the_api_server_refuses_is_underlined_in_the_editor(refusal: Any) -> None:
    (document,) = read_documents(refusal.text)
    assert len(errors(schemas.json_schema(Runbook), document.content)) == 1


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (
            "likelihood: 60",
            "likelihood: 101",
            "$.spec.hypotheses[0].likelihood: 101 is greater than the maximum of 100",
        ),
        ("type: number", "type: float", "$.spec.parameters[0].type: 'float' is not one of ['number', 'integer', "),
        ("timeout: 5m", "timeout: soon", "$.spec.verify.timeout: 'soon' does not match "),
        ("name: full", "nam: full", "$.metadata: {'nam': 'full'} is not valid under any of the given schemas"),
        ("v1alpha1", "v1", "$.apiVersion: 'firstresponder.dev/v1alpha1' was expected"),
        (
            "spec:\n",
            "spec:\n  surprise: 1\n",
            "$.spec: Additional properties are not allowed ('surprise' was unexpected)",
        ),
    ],
)
def test_a_broken_runbook_is_refused_with_its_field(old: str, new: str, error: str) -> None:
    assert GOOD.count(old) == 1
    (found,) = errors(schemas.json_schema(Runbook), yaml.safe_load(GOOD.replace(old, new)))
    assert found.startswith(error)


def test_a_port_is_a_number_or_the_name_of_a_parameter() -> None:
    text = GOOD.replace("command: {argv: [uptime]}", "tcp: {host: db, port: PORT}")
    for port, fits in ((5432, True), ("$(dbPort)", True), (0, False), ("$db", False)):
        content = yaml.safe_load(text.replace("PORT", str(port)))
        assert (errors(schemas.json_schema(Runbook), content) == []) is fits, port
