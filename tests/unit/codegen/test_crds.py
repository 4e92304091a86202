"""The generated CRDs: nothing that a structural schema cannot say passes through unseen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field, StringConstraints

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import ApiModel, Free, FreeMap, Identifier, Label, Resource, ShortText, StatusModel
from firstresponder.api.incident import IMMUTABLE, Incident, IncidentSpec
from firstresponder.codegen import crds as generate
from firstresponder.codegen import output
from firstresponder.codegen.crds import SchemaError, custom_resource_definition
from firstresponder.runbooks.models import KINDS

Schema = dict[str, Any]


def schema_of(definition: Schema) -> Schema:
    found: Schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def spec_of(spec: type[ApiModel]) -> Schema:
    """The generated schema of a kind with this spec."""

    class Thing(Resource):
        """A thing."""

        plural: ClassVar[str] = "things"
        spec: Any

    Thing.model_fields["spec"].annotation = spec
    found: Schema = schema_of(custom_resource_definition(Thing))["properties"]["spec"]
    return found


def nodes(schema: Schema, where: str) -> Iterator[tuple[str, Schema]]:
    yield where, schema
    for name, each in schema.get("properties", {}).items():
        yield from nodes(each, f"{where}.{name}")
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            yield from nodes(schema[keyword], f"{where}[]")


def test_what_lies_in_crds_is_what_the_models_say() -> None:
    for path, text in generate.files().items():
        assert path.read_text() == text, f"{path.name}: run `make generate`"


def test_a_drifted_file_is_named_and_fails_the_check(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(output, "ROOT", tmp_path)
    (tmp_path / "crds").mkdir()
    (tmp_path / "crds/same.yaml").write_text("same")
    (tmp_path / "crds/old.yaml").write_text("old")
    wanted = {tmp_path / "crds" / name: text for name, text in [("same.yaml", "same"), ("old.yaml", "new")]}

    assert not output.write(wanted, check=True)
    assert capsys.readouterr().err == "crds/old.yaml differs from what the code says: run make generate\n"
    assert not output.write(wanted, check=False)
    assert output.write(wanted, check=True)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_value_of_every_kind_is_typed_and_bounded(kind: type[Resource]) -> None:
    definition = custom_resource_definition(kind)
    parts = schema_of(definition)["properties"]
    for part in ("spec", "status"):
        for where, node in nodes(parts.get(part, {"type": "object"}), part):
            free = node.get("x-kubernetes-preserve-unknown-fields")
            either = node.get("x-kubernetes-int-or-string")
            assert node.get("type") in ("string", "integer", "boolean", "array", "object") or free or either, where
            assert "$ref" not in node and "anyOf" not in node and "title" not in node, where
            assert "default" not in node or (part == "spec" and node["default"] not in (None, [], {})), where
            if node.get("type") == "string":
                assert {"maxLength", "enum", "format"} & node.keys(), where
            if node.get("type") == "array":
                assert "maxItems" in node, where
            if "additionalProperties" in node:
                assert "maxProperties" in node, where
    assert len(json.dumps(definition)) < generate.SIZE_LIMIT


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_is_found_under_the_category_and_shows_its_age(kind: type[Resource]) -> None:
    spec = custom_resource_definition(kind)["spec"]
    assert spec["names"]["categories"] == ["firstresponder"]
    assert spec["scope"] == "Namespaced"
    assert spec["versions"][0]["additionalPrinterColumns"][-1]["name"] == "Age"
    assert ("status" in kind.model_fields) == ("subresources" in spec["versions"][0])


def test_conditions_are_a_map_by_type_and_other_lists_of_a_status_are_atomic() -> None:
    status = schema_of(custom_resource_definition(Incident))["properties"]["status"]
    assert status["properties"]["conditions"]["x-kubernetes-list-map-keys"] == ["type"]
    kinds = {
        where: node["x-kubernetes-list-type"] for where, node in nodes(status, "status") if node.get("type") == "array"
    }
    assert kinds.pop("status.conditions") == "map"
    assert set(kinds.values()) == {"atomic"}


def test_every_field_of_an_incident_is_either_immutable_or_meant_to_change() -> None:
    fields = {info.alias for info in IncidentSpec.model_fields.values()}
    assert fields - set(IMMUTABLE) == {"parameters", "abort", "fixIncorrect"}


def test_every_field_of_an_approval_request_but_its_reviews_is_required_and_immutable() -> None:
    # A rule on an optional field is not asked when the field appears, so required is part of immutable.
    spec = schema_of(custom_resource_definition(ApprovalRequest))["properties"]["spec"]
    assert set(spec["required"]) == spec["properties"].keys() - {"reviews"}
    for name in spec["required"]:
        rules = [each["rule"] for each in spec["properties"][name]["x-kubernetes-validations"]]
        assert rules == ["self == oldSelf"], name


def test_an_optional_field_is_absent_and_never_null() -> None:
    class Spec(ApiModel):
        note: ShortText | None = None
        notes: Annotated[list[ShortText], Field(max_length=2)] = Field(default=[])
        level: Literal["Low", "High"] = "Low"

    fields = spec_of(Spec)["properties"]
    assert fields["note"] == {"type": "string", "maxLength": 256}
    assert "default" not in fields["notes"]
    assert fields["level"]["default"] == "Low"


def test_a_status_gets_no_defaults() -> None:
    class Status(StatusModel):
        level: Literal["Low", "High"] = "Low"

    class Thing(Resource):
        plural: ClassVar[str] = "things"
        spec: ApiModel = ApiModel()
        status: Any = None

    Thing.model_fields["status"].annotation = Status
    status = schema_of(custom_resource_definition(Thing))["properties"]["status"]
    assert status["properties"]["level"] == {"type": "string", "enum": ["Low", "High"]}


def test_a_constant_is_an_enum_and_exclusive_bounds_move_by_one() -> None:
    class Spec(ApiModel):
        kind: Literal["Only"]
        number: Annotated[int, Field(gt=0, lt=10)]

    fields = spec_of(Spec)["properties"]
    assert fields["kind"] == {"type": "string", "enum": ["Only"]}
    assert fields["number"] == {"type": "integer", "format": "int64", "minimum": 1, "maximum": 9}


def test_the_form_of_a_maps_keys_becomes_a_rule() -> None:
    class Spec(ApiModel):
        names: Annotated[dict[Identifier, Label], Field(max_length=4)]

    rules = [each["rule"] for each in spec_of(Spec)["properties"]["names"]["x-kubernetes-validations"]]
    assert rules == ["self.all(key, key.matches('^[a-zA-Z][a-zA-Z0-9]*$'))", "self.all(key, key.size() <= 63)"]


def test_a_set_is_a_list_of_type_set() -> None:
    class Spec(ApiModel):
        names: Annotated[set[Label], Field(max_length=4)]

    assert spec_of(Spec)["properties"]["names"]["x-kubernetes-list-type"] == "set"


def test_docstrings_of_classes_and_fields_become_descriptions_of_one_sentence() -> None:
    class Spec(ApiModel):
        """What is asked for. And more."""

        bare: ShortText
        level: ShortText
        """From ``0`` up; higher is worse. Nobody needs it."""

    generated = spec_of(Spec)
    assert generated["description"] == "What is asked for."
    assert generated["properties"]["level"]["description"] == "From 0 up; higher is worse."
    assert "description" not in generated["properties"]["bare"]


def test_kubectl_explain_has_a_sentence_for_every_field() -> None:
    silent = [
        f"{where}.{name}"
        for kind in KINDS
        for part in ("spec", "status")
        for where, node in nodes(
            schema_of(custom_resource_definition(kind))["properties"].get(part, {}), f"{kind.__name__}.{part}"
        )
        for name, field in node.get("properties", {}).items()
        if not field.get("description")
    ]
    assert silent == []


class Unbounded(ApiModel):
    value: str


class Endless(ApiModel):
    value: list[ShortText]


class Sprawling(ApiModel):
    value: dict[str, ShortText]


class Untyped(ApiModel):
    value: Annotated[list[Any], Field(max_length=2)]


class Either(ApiModel):
    value: int | ShortText


class Fractional(ApiModel):
    value: float


class Stepped(ApiModel):
    value: Annotated[int, Field(multiple_of=5)]


class Nested(ApiModel):
    value: Annotated[list[Unbounded], Field(max_length=2)]


class Short(ApiModel):
    value: Annotated[dict[Annotated[str, StringConstraints(min_length=2)], ShortText], Field(max_length=2)]


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        (Unbounded, r"Thing\.spec\.value: a string needs max_length"),
        (Endless, r"Thing\.spec\.value: a list needs max_length"),
        (Sprawling, r"Thing\.spec\.value: a map needs max_length"),
        (Untyped, r"Thing\.spec\.value\[\]: a value needs a type"),
        (Either, r"Thing\.spec\.value: no unions"),
        (Fractional, r"Thing\.spec\.value: no floating point numbers"),
        (Stepped, r"Thing\.spec\.value: 'multipleOf' has no meaning in a structural schema"),
        (Nested, r"Thing\.spec\.value\[\]\.value: a string needs max_length"),
        (Short, r"Thing\.spec\.value: no rule is known for \['minLength'\] of a map's keys"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_what_a_structural_schema_cannot_say_stops_the_generation_with_the_field(
    model: type[ApiModel], complaint: str
) -> None:
    with pytest.raises(SchemaError, match=complaint):
        spec_of(model)


def test_free_values_keep_what_is_in_them() -> None:
    class Spec(ApiModel):
        values: FreeMap
        anything: Free = None

    fields = spec_of(Spec)["properties"]
    assert fields["values"] == {"type": "object", "maxProperties": 64, "x-kubernetes-preserve-unknown-fields": True}
    assert fields["anything"] == {"x-kubernetes-preserve-unknown-fields": True}
