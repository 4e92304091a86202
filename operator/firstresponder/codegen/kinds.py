"""A table of every field of every kind, in docs/reference/.

The tables are made of the CustomResourceDefinitions, so that they say what the API server holds people to, in the
words that ``kubectl explain`` has too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import TypeAdapter

from firstresponder.api.base import GROUP, VERSION, ApprovalPeriod, Duration, Resource
from firstresponder.codegen.crds import Schema, custom_resource_definition
from firstresponder.codegen.output import ROOT, page_note
from firstresponder.runbooks.models import KINDS

_INTRODUCTION = """\
# {kind}: every field

{description} How to work with it is described in [{kind}](../kinds/{page}.md).

`apiVersion: {group}/{version}`, `kind: {kind}`; namespaced; with kubectl: {names}.
Behind a list `[]` stands for each element, behind a map `.*` for each value. Bounds are in brackets: of a number, of
the characters of a text, of the entries of a list or map. What is *needed* is so wherever the object around it is
written.
"""

_FORMS = {TypeAdapter(form).json_schema()["pattern"]: "duration" for form in (Duration, ApprovalPeriod)}
"""Patterns that have a name among people, as in ``30s`` or ``1h30m``."""


def page(kind: type[Resource]) -> str:
    """The tables of one kind: its fields, the rules between them, and what ``kubectl get`` shows."""
    return "\n".join(_page(kind))


def _page(kind: type[Resource]) -> Iterator[str]:
    definition = custom_resource_definition(kind)["spec"]
    [version] = definition["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    names = definition["names"]
    yield page_note() + "\n"
    yield _INTRODUCTION.format(
        kind=kind.__name__,
        description=schema["description"],
        page=page_name(kind),
        group=GROUP,
        version=VERSION,
        names=", ".join(f"`{name}`" for name in (names["plural"], names["singular"], *names.get("shortNames", ()))),
    )
    rules = list(_rules("", schema))
    for part in ("spec", "status"):
        if part in schema["properties"]:
            yield f"## {part}\n"
            yield f"{schema['properties'][part]['description']}\n"
            yield _fields(part, schema["properties"][part], rules)
    if rules:
        yield "## Rules\n"
        yield "What else the API server refuses, and what it says then.\n"
        rows = ((f"`{where}`", rule["message"], f"`{rule['rule']}`") for where, rule in rules)
        yield table(("Field", "Refused with", "Must be true (CEL)"), rows)
    yield "## Columns of kubectl get\n"
    columns = version["additionalPrinterColumns"]
    rows = (
        (each["name"], f"`{each['jsonPath']}`", "" if "priority" not in each else "with `-o wide`") for each in columns
    )
    yield table(("Column", "Shows", ""), rows)


def page_name(kind: type[Resource]) -> str:
    """The name that pages about this kind have, without their ending."""
    return kind.__name__.lower()


def _fields(part: str, schema: Schema, rules: list[tuple[str, Schema]]) -> str:
    """One row a field; how it may change is said only where something may not."""
    bound = [(where, rule) for where, rule in rules if where.startswith(f"{part}.") and "oldSelf" in rule["rule"]]
    header = ["Field", "Type"]
    if part == "spec":
        header.append("Default")
    if bound:
        header.append("Changes")
    rows = []
    for path, node, needed in _nodes("", schema):
        row = [f"`{path}`", _type(node)]
        if part == "spec":
            row.append("needed" if needed else _default(node))
        if bound:
            row.append(_changes(f"{part}.{path}", bound))
        rows.append((*row, node["description"]))
    return table((*header, "Meaning"), rows)


def _nodes(path: str, schema: Schema) -> Iterator[tuple[str, Schema, bool]]:
    """Every field below a schema in the order of reading: its path, its schema, whether it is needed."""
    for name, node in schema.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield below, node, name in schema.get("required", ())
        yield from _nodes(f"{below}{_step(node)}", _inner(node))


def _inner(node: Schema) -> Schema:
    """The schema of a list's elements or of a map's values; of anything else the schema itself."""
    inner: Schema = node.get("items") or node.get("additionalProperties") or node
    return inner


def _step(node: Schema) -> str:
    if "items" in node:
        return "[]"
    return ".*" if "additionalProperties" in node else ""


def _rules(path: str, node: Schema) -> Iterator[tuple[str, Schema]]:
    """Every rule of a schema and of what is below it, with the path of the field that it is about."""
    for rule in node.get("x-kubernetes-validations", ()):
        yield f"{path}{rule.get('fieldPath', '')}" or "metadata.name", rule
    for name, below in node.get("properties", {}).items():
        yield from _rules(f"{path}.{name}" if path else name, below)
    if (inner := _inner(node)) is not node:
        yield from _rules(f"{path}{_step(node)}", inner)


def _changes(path: str, bound: list[tuple[str, Schema]]) -> str:
    """How a field may change once its object is there."""
    for where, rule in bound:
        if path == where or path.startswith((f"{where}.", f"{where}[")):
            return "never" if "immutable" in rule["message"] else "by the rules"
    return "freely"


def _type(node: Schema) -> str:
    """A structural schema in words, with its bounds."""
    if "enum" in node:
        return " or ".join(f"`{each}`" for each in node["enum"])
    match node.get("type"):
        case "array":
            keys = node.get("x-kubernetes-list-map-keys")
            unique = f", one for each `{keys[0]}`" if keys else ""
            return f"list ({_bounds(node, 'Items')}) of {_inside(node['items'])}{unique}"
        case "object" if "additionalProperties" in node:
            return f"map ({_bounds(node, 'Properties')}) to {_inside(node['additionalProperties'])}"
        case "object" if "x-kubernetes-preserve-unknown-fields" in node:
            return f"map ({_bounds(node, 'Properties')})"
        case "integer" if "minimum" in node or "maximum" in node:
            return f"integer ({_bounds(node, '')})"
        case "string" if node.get("format") == "date-time":
            return "time"
        case "string" if node.get("pattern") in _FORMS:
            return _FORMS[node["pattern"]]
        case "string":
            form = f", `{node['pattern']}`" if "pattern" in node else ""
            return f"text ({_bounds(node, 'Length')}){form}"
        case None:
            return "any value"
        case kind:
            return str(kind)


def _inside(node: Schema) -> str:
    return "objects" if "properties" in node else _type(node)


def _bounds(node: Schema, of: str) -> str:
    """The bounds of a number, or of the size of a text, list or map."""
    least, most = (node.get(f"{bound}{of}" if of else f"{bound}imum") for bound in ("min", "max"))
    if least is None or (of and least == 0):
        return f"at most {most}"
    return f"at least {least}" if most is None else f"{least} to {most}"


def _default(node: Schema) -> str:
    match node.get("default"):
        case None:
            return "–"
        case bool() as said:
            return f"`{str(said).lower()}`"
        case dict() as said:
            return f"`{', '.join(f'{name}: {value}' for name, value in said.items())}`"
        case list() as said:
            return ", ".join(f"`{value}`" for value in said)
        case said:
            return f"`{said}`"


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table of Markdown; a pipe in a cell is escaped."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def files() -> dict[Path, str]:
    """The generated pages with their content."""
    return {ROOT / "docs" / "reference" / f"{page_name(kind)}.md": page(kind) for kind in KINDS}
