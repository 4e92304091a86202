"""The CustomResourceDefinitions in ``crds/``, generated from the models.

pydantic speaks JSON Schema; the API server understands only "structural" schemas and silently drops or refuses
the rest. So nothing passes through unseen: a keyword that is not known here, a union, a float, or a string, list
or map without a bound stops the generation with the field's path. Rules:
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from firstresponder.api.base import GROUP, JSON, VERSION, Resource
from firstresponder.api.docstrings import WithFieldDocstrings
from firstresponder.api.kinds import definition_name
from firstresponder.codegen.output import ROOT, to_yaml
from firstresponder.runbooks.models import KINDS

SIZE_LIMIT = 200_000
"""Bytes of JSON. Above 256 KiB a client-side ``kubectl apply`` fails on its own annotation."""

Schema = dict[str, Any]


class SchemaError(Exception):
    """A model that a structural schema cannot say; the text names the field."""


def custom_resource_definition(kind: type[Resource]) -> Schema:
    """The kind's CustomResourceDefinition as it is applied. Raises SchemaError."""
    name = kind.__name__
    fields: Schema = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": _part(kind, "spec", defaults=True),
    }
    root: Schema = {"type": "object", "description": _first_sentence(kind.__doc__), "required": ["spec"]}
    if kind.validations:
        root["x-kubernetes-validations"] = list(kind.validations)
    version: Schema = {"name": VERSION, "served": True, "storage": True}
    if "status" in kind.model_fields:
        fields["status"] = _part(kind, "status", defaults=False)
        version["subresources"] = {"status": {}}
    version["additionalPrinterColumns"] = list(kind.printer_columns)
    version["schema"] = {"openAPIV3Schema": {**root, "properties": fields}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": definition_name(kind)},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": name,
                "listKind": f"{name}List",
                "plural": kind.plural,
                "singular": name.lower(),
                **({"shortNames": list(kind.short_names)} if kind.short_names else {}),
                "categories": ["firstresponder"],
            },
            "versions": [version],
        },
    }
    size = len(json.dumps(definition, separators=(",", ":")))
    if size > SIZE_LIMIT:
        raise SchemaError(f"{name}: {size} bytes of JSON, at most {SIZE_LIMIT} are allowed")
    return definition


def _part(kind: type[Resource], name: str, *, defaults: bool) -> Schema:
    """The schema of ``spec`` or ``status``.

    A status gets no defaults: the operator alone writes it, and a default would come back for every field that
    it takes away.
    """
    model = cast(type[BaseModel], kind.model_fields[name].annotation)
    generated = model.model_json_schema(by_alias=True, schema_generator=WithFieldDocstrings)
    return _Structural(generated.pop("$defs", {}), defaults).node(generated, f"{kind.__name__}.{name}")


def _first_sentence(text: str | None) -> str:
    plain = " ".join((text or "").replace("``", "").split())
    return re.split(r"(?<=\.) ", plain, maxsplit=1)[0]


def _reading_order(keyword: str) -> int:
    """What a node is comes first, what it contains last."""
    first, last = ("description", "type", "format"), ("required", "properties", "items", "additionalProperties")
    if keyword in first:
        return first.index(keyword) - len(first)
    return last.index(keyword) + 1 if keyword in last else 0


class _Structural:
    """Turns what pydantic generates into a structural schema, node by node."""

    def __init__(self, definitions: Schema, defaults: bool) -> None:
        self._definitions = definitions
        self._defaults = defaults

    def node(self, source: Schema, where: str) -> Schema:
        source = self._resolved(source, where)
        result: Schema = {}
        for keyword, value in source.items():
            translate = _KEYWORDS.get(keyword)
            if translate is None:
                raise SchemaError(f"{where}: {keyword!r} has no meaning in a structural schema")
            translate(self, result, value, where)
        _check_type(result, where)
        _check_bound(result, where)
        return {key: result[key] for key in sorted(result, key=_reading_order)}

    def _resolved(self, source: Schema, where: str) -> Schema:
        """The same node with references inlined and the null branch of an optional field dropped."""
        while "$ref" in source or "anyOf" in source:
            rest = {key: value for key, value in source.items() if key not in ("$ref", "anyOf")}
            if "$ref" in source:
                branch = self._definitions[source["$ref"].removeprefix("#/$defs/")]
            else:
                branches = [each for each in source["anyOf"] if each != {"type": "null"}]
                if len(branches) != 1:
                    raise SchemaError(f"{where}: no unions; give one optional property per kind and a rule")
                [branch] = branches
            source = {**branch, **rest}
        return source

    def properties(self, result: Schema, value: Schema, where: str) -> None:
        result["properties"] = {name: self.node(each, f"{where}.{name}") for name, each in value.items()}

    def items(self, result: Schema, value: Schema, where: str) -> None:
        result["items"] = self.node(value, f"{where}[]")
        result.setdefault("x-kubernetes-list-type", "atomic")

    def additional(self, result: Schema, value: Schema | bool, where: str) -> None:
        """``false`` needs no word: whatever is not specified is refused under strict field validation."""
        if value is True:
            raise SchemaError(f"{where}: a map needs the schema of its values")
        if value is not False:
            result["additionalProperties"] = self.node(value, f"{where}{{}}")

    def pattern_properties(self, result: Schema, value: Schema, where: str) -> None:
        """A map whose keys have a form: structural schemas know only rules for that."""
        if len(value) != 1:
            raise SchemaError(f"{where}: one pattern for the keys of a map")
        [(pattern, values)] = value.items()
        result["additionalProperties"] = self.node(values, f"{where}{{}}")
        _add_rule(result, f"self.all(key, key.matches('{pattern}'))", f"every key must match {pattern}")

    def property_names(self, result: Schema, value: Schema, where: str) -> None:
        unknown = value.keys() - {"maxLength", "pattern"}
        if unknown:
            raise SchemaError(f"{where}: no rule is known for {sorted(unknown)} of a map's keys")
        if "maxLength" in value:
            longest = value["maxLength"]
            _add_rule(result, f"self.all(key, key.size() <= {longest})", f"a key has at most {longest} characters")

    def default(self, result: Schema, value: JSON, _where: str) -> None:
        """Absent stays absent: neither null nor an empty list or map is written into people's objects."""
        said = _without_nothing(value)
        if self._defaults and said is not None:
            result["default"] = said

    def type(self, result: Schema, value: str, _where: str) -> None:
        result["type"] = value
        if value == "integer":
            result["format"] = "int64"


def _without_nothing(value: JSON) -> JSON:
    """A default without nulls, empty lists and empty maps; None when nothing is left."""
    if isinstance(value, dict):
        value = {key: said for key, each in value.items() if (said := _without_nothing(each)) is not None}
    return None if value in ([], {}) else value


def _same(name: str) -> Callable[[_Structural, Schema, JSON, str], None]:
    def copy(_structural: _Structural, result: Schema, value: JSON, _where: str) -> None:
        result[name] = value

    return copy


def _description(_structural: _Structural, result: Schema, value: str, _where: str) -> None:
    result["description"] = _first_sentence(value)


def _const(_structural: _Structural, result: Schema, value: JSON, _where: str) -> None:
    result["enum"] = [value]


def _exclusive(bound: str, step: int) -> Callable[[_Structural, Schema, JSON, str], None]:
    def translate(_structural: _Structural, result: Schema, value: JSON, _where: str) -> None:
        result[bound] = int(value) + step

    return translate


def _unique(_structural: _Structural, result: Schema, value: bool, _where: str) -> None:
    if value:
        result["x-kubernetes-list-type"] = "set"


def _drop(_structural: _Structural, _result: Schema, _value: JSON, _where: str) -> None:
    """pydantic's titles repeat the field's name."""


_KEYWORDS: dict[str, Callable[[_Structural, Schema, Any, str], None]] = {
    **{
        name: _same(name)
        for name in (
            "enum",
            "pattern",
            "format",
            "minimum",
            "maximum",
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
            "minProperties",
            "maxProperties",
            "required",
            "x-kubernetes-list-type",
            "x-kubernetes-list-map-keys",
            "x-kubernetes-map-type",
            "x-kubernetes-preserve-unknown-fields",
            "x-kubernetes-int-or-string",
            "x-kubernetes-validations",
        )
    },
    "type": _Structural.type,
    "title": _drop,
    "description": _description,
    "default": _Structural.default,
    "const": _const,
    "exclusiveMinimum": _exclusive("minimum", +1),  # integers only: other numbers are refused
    "exclusiveMaximum": _exclusive("maximum", -1),
    "uniqueItems": _unique,
    "properties": _Structural.properties,
    "items": _Structural.items,
    "additionalProperties": _Structural.additional,
    "patternProperties": _Structural.pattern_properties,
    "propertyNames": _Structural.property_names,
}


def _add_rule(result: Schema, rule: str, message: str) -> None:
    result["x-kubernetes-validations"] = [
        *result.get("x-kubernetes-validations", []),
        {"rule": rule, "message": message},
    ]


def _check_type(node: Schema, where: str) -> None:
    """Every value has one type, and none is a floating point number (api conventions: no floats)."""
    free = node.get("x-kubernetes-preserve-unknown-fields", False)
    if node.get("type") == "number":
        raise SchemaError(f"{where}: no floating point numbers; take an integer with its unit in the name")
    if "type" not in node and not free and not node.get("x-kubernetes-int-or-string", False):
        raise SchemaError(f"{where}: a value needs a type")


def _check_bound(node: Schema, where: str) -> None:
    """CEL's cost estimate assumes the largest possible value, so without bounds a rule is refused."""
    free = node.get("x-kubernetes-preserve-unknown-fields", False)
    match node.get("type"):
        case "string" if not ({"maxLength", "enum", "format"} & node.keys()):
            raise SchemaError(f"{where}: a string needs max_length")
        case "array" if "maxItems" not in node or "items" not in node:
            raise SchemaError(f"{where}: a list needs max_length and the type of its items")
        case "object" if ("additionalProperties" in node or free) and "maxProperties" not in node:
            raise SchemaError(f"{where}: a map needs max_length")


def files() -> dict[Path, str]:
    """The generated files with their content."""
    return {ROOT / "crds" / f"{kind.plural}.yaml": to_yaml([custom_resource_definition(kind)]) for kind in KINDS}
