"""What the models say of their fields: the string below a field, as its description in a schema.

Python forgets these strings when it compiles, so they are read from the sources. Where there are none, as in an image
of byte code alone, a schema has no such descriptions.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue


class WithFieldDocstrings(GenerateJsonSchema):
    """Takes the string below a field as the field's description."""

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        generated = super().model_schema(schema)
        for name, text in _field_docstrings(schema["cls"]).items():
            if name in generated.get("properties", {}):
                generated["properties"][name]["description"] = text
        return generated


@cache  # a model stands in many others
def _field_docstrings(model: type[BaseModel]) -> Mapping[str, str]:
    found = {}
    for base in reversed(model.__mro__):
        if not issubclass(base, BaseModel) or base is BaseModel:
            continue
        try:
            source = inspect.getsource(base)
        except OSError:  # of a model that no source defines, or without sources
            continue
        definition = cast(ast.ClassDef, ast.parse(textwrap.dedent(source)).body[0])
        for field, text in zip(definition.body, definition.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and field.target.id in model.model_fields
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
            ):
                info = model.model_fields[field.target.id]
                found[info.alias or to_camel(field.target.id)] = inspect.cleandoc(str(text.value.value))
    return found
