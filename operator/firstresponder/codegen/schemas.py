"""JSON Schemas for editors, in ``schemas/``, a file a kind.

They are made of the CustomResourceDefinitions, so an editor accepts what the API server accepts, but for what only
rules in CEL say: ``kubectl runbook lint`` knows those too. A file names its schema in its first line:
``# yaml-language-server: $schema=../schemas/runbook.json``.
"""

from __future__ import annotations

import json
from pathlib import Path

from firstresponder.api.base import API_VERSION, JSON, Resource
from firstresponder.codegen.crds import Schema, custom_resource_definition
from firstresponder.codegen.output import ROOT
from firstresponder.runbooks.models import KINDS

_DIALECT = "http://json-schema.org/draft-07/schema#"
"""The one that YAML editors know best."""
_METADATA: Schema = {
    "description": "Name, namespace, labels and annotations, as every Kubernetes object has them.",
    "type": "object",
    "anyOf": [{"required": ["name"]}, {"required": ["generateName"]}],
    "properties": {
        "name": {"type": "string", "description": "The object's name.", "maxLength": 253},
        "generateName": {"type": "string", "description": "The beginning of a name that the API server makes."},
        "namespace": {"type": "string", "description": "The namespace; otherwise that of kubectl's context."},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


def json_schema(kind: type[Resource]) -> Schema:
    """The JSON Schema of a file that holds one object of the kind."""
    (version,) = custom_resource_definition(kind)["spec"]["versions"]
    root: Schema = version["schema"]["openAPIV3Schema"]
    fields = {
        "apiVersion": {"const": API_VERSION},
        "kind": {"const": kind.__name__},
        "metadata": _METADATA,
        "spec": _node(root["properties"]["spec"]),
        "status": {"type": "object", "description": "Written by the operator."},
    }
    return {
        "$schema": _DIALECT,
        "title": kind.__name__,
        "description": root["description"],
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
        "properties": fields,
    }


def _node(structural: Schema) -> Schema:
    """A structural schema without the words that only Kubernetes has."""
    node: Schema = {
        keyword: _below(keyword, value) for keyword, value in structural.items() if not keyword.startswith("x-")
    }
    if node.get("type") == "integer":
        node.pop("format")  # int64, which no editor knows
    if structural.get("x-kubernetes-int-or-string"):
        node["type"] = ["integer", "string"]
    free = structural.get("x-kubernetes-preserve-unknown-fields", False)
    if node.get("type") == "object" and not free:
        node.setdefault("additionalProperties", False)
    return node


def _below(keyword: str, value: JSON) -> JSON:
    match keyword:
        case "properties":
            return {name: _node(each) for name, each in value.items()}
        case "items" | "additionalProperties":
            return _node(value)
    return value


def files() -> dict[Path, str]:
    """The generated files with their content."""
    return {
        ROOT / "schemas" / f"{kind.__name__.lower()}.json": json.dumps(json_schema(kind), indent=1, ensure_ascii=False)
        + "\n"
        for kind in KINDS
    }
