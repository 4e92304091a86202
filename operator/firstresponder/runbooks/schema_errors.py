"""A content that does not fit its model: what pydantic complains of, in words for the author.

What a missing field is for, and which fields there are, is what the models say of themselves (their docstrings).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from firstresponder.api import base, diagnostics
from firstresponder.api.base import JSON
from firstresponder.api.docstrings import WithFieldDocstrings
from firstresponder.runbooks.problem import Problem
from firstresponder.safety import shown

FORMS = {
    TypeAdapter(kind).json_schema()["pattern"]: words
    for kind, words in (
        (base.Label, "lower case letters, digits and dashes, as in memory-leak"),
        (base.ObjectName, "a name such as high-cpu: lower case letters, digits, dashes and dots"),
        (base.Identifier, "letters and digits that begin with a letter, as in cpuHigh"),
        (base.Reason, "a word in CamelCase"),
        (base.ServiceName, "a service's name such as api-gateway"),
        (base.Duration, "a duration such as 30s, 5m or 1h30m"),
        (base.ApprovalPeriod, "a duration of at most 23h in hours, minutes and seconds, such as 30m or 1h30m"),
        (base.Digest, "a digest: sha256: and 64 hexadecimal digits"),
        (base.HostKeyText, "a public host key such as ssh-ed25519 AAAA…"),
        (diagnostics.DurationTemplate, "a duration such as 30s or 5m, or $(PARAMETER)"),
        (diagnostics.Template, "one line of printable ASCII"),
        (diagnostics.Port, "a port from 1 to 65535, or $(PARAMETER)"),
    )
}
"""Regular expressions of the models, in words."""

Schema = Mapping[str, Any]


def complaints(model: type[BaseModel], content: Mapping[str, JSON], field: str) -> tuple[Problem, ...]:
    """Every problem that the model has with the content of ``field``, as strictly as the API server reads it."""
    try:
        model.model_validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        return tuple(_problem(model, field, each) for each in error.errors())
    return ()


def _problem(model: type[BaseModel], field: str, error: ErrorDetails) -> Problem:
    path = field
    for part in error["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{shown(part, 256)}"
    return Problem(path, _words(model, error))


def _words(model: type[BaseModel], error: ErrorDetails) -> str:
    value, context = error["input"], error.get("ctx", {})
    text = shown(json.dumps(value, ensure_ascii=False), 80)
    match error["type"]:
        case "missing":
            return f"missing: write it, for it says {_purpose(model, error['loc'])}"
        case "json_invalid":  # JSON can be read as deep as this only
            return "is nested too deeply: take some of its lists and maps apart"
        case "extra_forbidden":
            return unknown(str(error["loc"][-1]), list(_node_at(model, error["loc"][:-1]).get("properties", {})))
        case _ if value is None:
            return "is empty: write what it stands for, or leave the field out"
        case "string_type" if isinstance(value, bool | int | float):
            kind = "a boolean" if isinstance(value, bool) else "a number"
            return f'{text} is {kind} in YAML, and text is needed: quote it, as in "{text}"'
        case "string_type":
            return f"{text} is not text"
        case "int_type" | "int_from_float":
            return f"{text} is not a whole number{_unquoted(value)}"
        case "bool_type":
            return f"{text} is neither true nor false{_unquoted(value)}"
        case "list_type":
            return f"{text} is not a list: write each entry after a dash"
        case "dict_type" | "model_type" | "model_attributes_type":
            return f"{text} is not a map: write each field with its name"
        case "literal_error" | "enum":
            return unknown(str(value), _choices(_node_at(model, error["loc"])))
        case "string_pattern_mismatch":
            if form := FORMS.get(context["pattern"]):
                return f"{text} is not {form}"
            return f"{text} does not match {context['pattern']}: it says {_purpose(model, error['loc'])}"
        case "string_too_short" | "too_short":
            return f"is empty: fill it, for it says {_purpose(model, error['loc'])}"
        case "string_too_long":
            return f"has {len(str(value))} characters: at most {context['max_length']} are allowed"
        case "too_long":
            return f"has {len(value)} entries: at most {context['max_length']} are allowed"
        case "greater_than_equal":
            return f"{text} is too small: at least {context['ge']}"
        case "less_than_equal":
            return f"{text} is too large: at most {context['le']}"
        case "value_error":
            return str(context["error"])
    return f"{text}: {error['msg']}"


def _purpose(model: type[BaseModel], location: Sequence[str | int]) -> str:
    """What the field says, and what it can be."""
    node = _node_at(model, location)
    description = " ".join(str(node.get("description", "what its name says")).split()).rstrip(".")
    choices = f"; one of {', '.join(_choices(node))}" if _choices(node) else ""
    sentence = description if description[1:2].isupper() else f"{description[:1].lower()}{description[1:]}"
    return f"{sentence}{choices}"


def unknown(name: str, known: Sequence[str]) -> str:
    """That there is no such name, which one may be meant, and which there are."""
    close = difflib.get_close_matches(name, known, n=1)
    advice = f"did you mean {close[0]}? " if close else ""
    return f"{shown(name, 80)} is not known here: {advice}known are {', '.join(known) or 'none'}"


def _unquoted(value: JSON) -> str:
    return ": take the quotes away" if isinstance(value, str) and _is_plain(value) else ""


def _is_plain(text: str) -> bool:
    return text in ("true", "false") or text.lstrip("-").isdigit()


@lru_cache(maxsize=16)
def _schema_of(model: type[BaseModel]) -> Schema:
    return model.model_json_schema(by_alias=True, schema_generator=WithFieldDocstrings)


def _node_at(model: type[BaseModel], location: Sequence[str | int]) -> Schema:
    """The schema of the field at a place; an empty one where the models say nothing of it."""
    schema = _schema_of(model)
    node = schema
    for part in location:
        node = _resolved(schema, node)
        if isinstance(part, int):
            node = node.get("items", {})
        elif part in node.get("properties", {}):
            node = node["properties"][part]
        else:
            patterns = list(node.get("patternProperties", {}).values())
            node = patterns[0] if patterns else node.get("additionalProperties") or {}
    return _resolved(schema, node)


def _resolved(schema: Schema, node: Schema) -> Schema:
    """The node without references and without the null of what may be left out; its own description goes first."""
    while "$ref" in node or "anyOf" in node:
        branch: Schema = next((each for each in node.get("anyOf", [node]) if each != {"type": "null"}), {})
        if "$ref" in branch:
            branch = schema["$defs"][branch["$ref"].removeprefix("#/$defs/")]
        node = {**branch, **{key: value for key, value in node.items() if key == "description"}}
    return node


def _choices(node: Schema) -> list[str]:
    return [str(each) for each in node.get("enum", [node["const"]] if "const" in node else [])]
