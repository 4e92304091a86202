"""The chart says what the code says, and its values are what its schema allows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import yaml
from image.build import project_version

from firstresponder.codegen import chart
from firstresponder.codegen.output import ROOT

SCHEMA = json.loads((chart.CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((chart.CHART / "values.yaml").read_text())


def test_what_is_generated_of_the_chart_is_what_the_code_says() -> None:
    for path, text in chart.files().items():
        assert path.read_text() == text, f"{path.name}: run `make generate`"


def test_the_kinds_of_the_chart_are_those_of_the_project() -> None:
    of_the_chart, of_the_project = chart.CHART / "crds", ROOT / "crds"
    assert {path.name for path in of_the_chart.iterdir()} == {path.name for path in of_the_project.iterdir()}
    for path in of_the_project.iterdir():
        assert (of_the_chart / path.name).read_text() == path.read_text(), path.name


def test_chart_and_operator_have_the_version_of_the_project() -> None:
    about = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())
    assert (about["version"], about["appVersion"]) == (project_version(), project_version())


def test_three_values_are_a_companys_own_and_all_others_have_a_default() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    missing = {error.message for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(VALUES)}
    assert missing == {
        "'repository' is a required property",
        "'watchedNamespaces' is a required property",
        "'approvers' is a required property",
    }


def nodes(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, node in schema.get("properties", {}).items():
        if name != "global":
            yield f"{path}{name}", node
            yield from nodes(node, f"{path}{name}.")


def test_every_value_is_described_and_an_unknown_one_is_refused_on_every_level() -> None:
    for path, node in nodes(SCHEMA):
        assert "properties" in node or node.get("description", "").endswith("."), path
        assert "properties" not in node or node["additionalProperties"] is False, path
    assert SCHEMA["additionalProperties"] is False


def test_braces_of_a_manifest_are_not_taken_for_a_template() -> None:
    assert chart._as_is("a: '{{ x }}'") == "a: '{{ \"{{\" }} x }}'"
