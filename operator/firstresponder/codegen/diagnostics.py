"""The page of all diagnostics, in docs/diagnostics.md.

What is said there of a diagnostic, its arguments and its fields is what stands in the code alongside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from firstresponder.api.diagnostics import DurationTemplate
from firstresponder.api.docstrings import WithFieldDocstrings
from firstresponder.codegen.kinds import table
from firstresponder.codegen.output import ROOT, page_note
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.patterns import PATTERNS
from firstresponder.evidence.probe import Probe

_INTRODUCTION = """\
# Diagnostics

What a runbook can observe, under `spec.diagnostics` and `spec.experiments`. All of it is read-only, runs in parallel,
and speaks the C locale. Each entry has a `name`, a `role` (default `target`), a `timeout` (default: the diagnostic's
own, below) and exactly one of the following. A text argument may hold `$(…)` templates, free of evidence.

A diagnostic reports a field or leaves it out. Where it saw nothing at all (no answer, time-out, output cut off or
unreadable) every field is unknown, and unknown is never an answer. Output beyond the limit counts as nothing seen.
"""

_PATTERNS = """\
## Named patterns of log lines

What `patterns` of a journal can be. Each knows the words of runtimes, pools and servers in any case, with the
boundaries of words, and takes a count of zero for none; [the tables](../tests/unit/evidence/log_lines) hold the lines
that each must find and must not find, with the programs that print them. With a `match` in addition, a message counts
if either finds it: put a service's own words there.

That a named pattern finds nothing shows no more than that nobody used these words. A criterion should never rest on
it alone.
"""

_DURATION = TypeAdapter(DurationTemplate).json_schema()["pattern"]


def page() -> str:
    """The page, in the order of the alphabet."""
    sections = [line for name in sorted(PROBES) for line in _section(PROBES[name])]
    named = table(("`patterns`", "Recognised"), ((f"`{name}`", each.finds) for name, each in PATTERNS.items()))
    return "\n".join([page_note() + "\n", _INTRODUCTION, *sections, _PATTERNS, named])


def _section(probe: Probe[Any]) -> Iterator[str]:
    yield f"## {probe.name}\n"
    yield f"{_plain(probe.arguments.__doc__ or '')}\n"
    yield f"Source: {probe.source}. Time-out: {probe.timeout:g} s. Output: at most {_size(probe.max_output)}.\n"
    schema = probe.arguments.model_json_schema(by_alias=True, schema_generator=WithFieldDocstrings)
    arguments = [
        (f"`{name}`", _type(argument), _default(name, argument, schema), _plain(argument.get("description", "")))
        for name, argument in schema.get("properties", {}).items()
    ]
    if arguments:
        yield table(("Argument", "Type", "Default", "Meaning"), arguments)
    yield table(("Field", "Meaning"), ((f"`{name}`", field.meaning) for name, field in probe.fields.items()))
    if probe.notes:
        yield f"{probe.notes}\n"
    if probe.measures:
        yield f"Remembered over time: {', '.join(f'`{name}`' for name in probe.measures)}.\n"


def _type(schema: dict[str, Any]) -> str:
    """A JSON schema in the words of people who write runbooks."""
    if "anyOf" in schema:  # an optional one
        [schema] = [each for each in schema["anyOf"] if each != {"type": "null"}]
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    if "x-kubernetes-int-or-string" in schema:
        return "port"
    match schema["type"]:
        case "integer":
            return f"integer, {schema['minimum']} to {schema['maximum']}"
        case "array":
            return f"list of {_type(schema['items'])}"
        case "object":
            [values] = schema.get("patternProperties", {"": schema.get("additionalProperties")}).values()
            return f"map of names to {_type(values)}"
        case "string" if schema.get("pattern") == _DURATION:
            return "duration"
        case "string":
            return "text"
        case kind:
            return str(kind)


def _default(name: str, argument: dict[str, Any], schema: dict[str, Any]) -> str:
    if name in schema.get("required", []):
        return "needed"
    default = argument.get("default")
    if default in (None, [], {}):
        return "–"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _size(size: int) -> str:
    return f"{size // 2**20} MiB" if size >= 2**20 else f"{size // 2**10} KiB"


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("``", "`")).strip()


def files() -> dict[Path, str]:
    """The generated page with its content."""
    return {ROOT / "docs" / "diagnostics.md": page()}
