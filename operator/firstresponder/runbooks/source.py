"""A YAML file as documents that know where each of their fields stands.

It is read as kubectl reads it (times and ``1:30`` are text, keys are text), and stricter where YAML lets mistakes
pass: a key twice, a tag such as ``!x``, a key that is a boolean.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from firstresponder.api.base import JSON
from firstresponder.runbooks.problem import Problem
from firstresponder.safety import neutralise, shown

_LONGEST = 3 * 1024 * 1024
"""Characters; the API server takes no larger request."""
_MOST_NODES = 100_000
"""Of one document, aliases followed, and of one file."""

_TOO_MANY = f"has more than {_MOST_NODES} values: split the file"

_TOO_MUCH = (
    f"its aliases (*) make more than {_MOST_NODES} values or {_LONGEST} characters of it: write less of it with aliases"
)

_BOOLEAN = "tag:yaml.org,2002:bool"
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, order=True)
class Place:
    """Line and column, both from 1."""

    line: int
    column: int


class Unreadable(Exception):
    """A text that is not YAML at all: where, and what to do."""

    def __init__(self, place: Place, message: str, field: str = "") -> None:
        super().__init__(message)
        self.place = place
        self.message = message
        self.field = field
        """The path of the field, where it is known."""


@dataclass(frozen=True)
class Document:
    """One document: its content, where each field of it stands, and what is wrong with it as YAML."""

    content: JSON
    start: Place
    places: Mapping[str, Place] = field(repr=False)
    """Field path, such as ``spec.roles[0].name``, to where it stands."""
    problems: Sequence[Problem]
    """What YAML would pass over; the content is what the author must have meant."""

    def place(self, path: str) -> Place:
        """Where the field stands; of one that is missing, where the field around it does."""
        while path not in self.places and path:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.places.get(path, self.start)


def read_documents(text: str) -> list[Document]:
    """The documents of a file, without empty ones; those of a ``kind: List`` one by one. Raises Unreadable."""
    if len(text) > _LONGEST:
        raise Unreadable(Place(1, 1), f"has more than {_LONGEST} characters, more than any API server takes")
    try:
        return [each for node in yaml.compose_all(text, Loader=_Loader) for each in _documents(node, text)]
    except yaml.MarkedYAMLError as error:
        unclosed = error.problem == "found unexpected end of stream"
        mark = error.context_mark if unclosed else error.problem_mark
        raise Unreadable(_place(mark or error.problem_mark), _complaint(error)) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise Unreadable(place, f"the character U+{ord(text[error.position]):04X} is not allowed in YAML") from None
    except RecursionError:
        raise Unreadable(Place(1, 1), "is nested too deeply") from None


def _documents(node: yaml.Node, text: str) -> Iterator[Document]:
    document = _Reader(text).document(node)
    content = document.content
    if content is None:
        return
    items = _items(node) if isinstance(content, dict) and str(content.get("kind")).endswith("List") else None
    if items is not None:
        yield from (_Reader(text).document(item) for item in items)
    else:
        yield document


def _items(node: yaml.Node) -> list[yaml.Node] | None:
    """What stands in the map's own list ``items``, if it has one."""
    lists = (value for key, value in node.value if key.value == "items" and isinstance(value, yaml.SequenceNode))
    return next((value.value for value in lists), None)


class _Loader(yaml.SafeLoader):
    """The scalars that the API server's YAML knows; all else is text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - this is how PyYAML is configured
        first: [(tag, pattern) for tag, pattern in resolvers if tag in (_BOOLEAN, _MERGE, "tag:yaml.org,2002:null")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise Unreadable(_place(self.peek_event().start_mark), _TOO_MANY)  # type: ignore[no-untyped-call]
        return super().compose_node(parent, index)


_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o?[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(f"^({_INTEGER.pattern})$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(f"^({_FLOAT.pattern}|{_NOT_FINITE.pattern})$"), list("-+.0123456789")
)


class _Reader:
    """Turns the nodes of one document into its content."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._nodes = 0
        self._characters = 0
        self._places: dict[str, Place] = {}
        self._problems: list[Problem] = []

    def document(self, node: yaml.Node) -> Document:
        content = self._value(node, "", frozenset())
        return Document(content, _place(node.start_mark), self._places, self._problems)

    def _value(self, node: yaml.Node, path: str, around: frozenset[int]) -> JSON:
        self._nodes += 1
        if isinstance(node, yaml.ScalarNode):
            self._characters += len(node.value)
        if id(node) in around:
            raise Unreadable(_place(node.start_mark), "its aliases (*) make it endless, or as good as that", path)
        if self._nodes > _MOST_NODES or self._characters > _LONGEST:
            raise Unreadable(_place(node.start_mark), _TOO_MUCH, path)
        around |= {id(node)}
        match node:
            case yaml.MappingNode():
                return self._map(node, path, around)
            case yaml.SequenceNode():
                return [self._entry(each, f"{path}[{index}]", around) for index, each in enumerate(node.value)]
            case _:
                return self._scalar(node, path)

    def _entry(self, node: yaml.Node, path: str, around: frozenset[int]) -> JSON:
        self._places[path] = _place(node.start_mark)
        return self._value(node, path, around)

    def _map(self, node: yaml.MappingNode, path: str, around: frozenset[int]) -> dict[str, JSON]:
        values: dict[str, JSON] = {}
        merged: dict[str, JSON] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                for each in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                    found = self._value(each, path, around)
                    if not isinstance(found, dict):
                        self._problem(path, "merges (<<) what is no map: name a map, as in <<: *common")
                        continue
                    merged = {**found, **merged}
                continue
            key = self._key(key_node, path)
            below = f"{path}.{key}" if path else key
            if key in values:
                again = _place(key_node.start_mark).line
                self._problem(below, f"is there again in line {again}: take one of the two out")
                continue
            self._places[below] = _place(key_node.start_mark)
            values[key] = self._value(value_node, below, around)
        return {**merged, **values}

    def _key(self, node: yaml.Node, path: str) -> str:
        key = self._unicode(str(node.value), path) if isinstance(node, yaml.ScalarNode) else self._written(node)
        below = f"{path}.{key}" if path else key
        if not isinstance(node, yaml.ScalarNode):
            self._problem(
                below, "is a list or a map, and a field's name is text: quote it, or render the template before"
            )
        elif node.tag == _BOOLEAN:
            self._problem(below, f'{key} is a boolean in YAML, and a field\'s name is text: quote it, as in "{key}"')
        return key

    def _scalar(self, node: yaml.Node, path: str) -> JSON:
        text = self._unicode(str(node.value), path)
        match node.tag.removeprefix("tag:yaml.org,2002:"):
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() in ("true", "yes", "on")
            case "int" | "float":
                if (number := _number(text)) is None:
                    self._problem(path, f"{shown(text, 80)} is no number that JSON has")
                    return text
                return number
        self._problem(
            path, f"begins with {shown(node.tag, 40)}, a tag in YAML, and would lose it: quote the whole text"
        )
        return self._written(node)

    def _unicode(self, text: str, path: str) -> str:
        """The text with the pairs of escapes joined that JSON writes some characters with (UTF-16)."""
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._problem(path, "holds half a character (\\ud800 to \\udfff): write the character itself")
            return text.encode(errors="replace").decode()

    def _written(self, node: yaml.Node) -> str:
        return self._text[node.start_mark.index : node.end_mark.index]

    def _problem(self, path: str, message: str) -> None:
        self._problems.append(Problem(path, message))


def _number(text: str) -> int | float | None:
    """As the API server takes it, whose integers have 64 bits; None where there is no such number."""
    if _INTEGER.fullmatch(text) and len(text) < 32 and -(2**63) <= (whole := _integer(text)) < 2**64:
        return whole
    number = float(text) if _FLOAT.fullmatch(text) else math.nan
    return number if math.isfinite(number) else None


def _integer(text: str) -> int:
    digits = text.lower().lstrip("+-")
    base = 16 if digits.startswith("0x") else 8 if len(digits) > 1 and digits.startswith("0") else 10
    return int(digits.removeprefix("0o"), base) * (-1 if text.startswith("-") else 1)


def _place(mark: yaml.Mark | None) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)


_ADVICE = (
    ("mapping values are not allowed", "quote a text that holds a colon and a space"),
    (r"'\\t'", "indent with spaces, not with tabs"),
    ("cannot start any token|alias|anchor|tag|directive", "quote a text that begins with a sign such as @ ` % & * !"),
    ("expected ',' or", "close the bracket, or quote a text that holds one of { } [ ] , ?"),
    ("escape", "write a backslash twice, or put the text in single quotes"),
    ("quoted scalar", "close the quotes"),
    (
        "expected the node content",
        "render a template, such as a Helm chart, before; or quote a text that begins with {",
    ),
    ("expected <block end>|could not find expected ':'|expected alphabetic", "check the indentation of this line"),
)


def _complaint(error: yaml.MarkedYAMLError) -> str:
    """The library's complaint, and what usually helps."""
    problem = neutralise(": ".join(filter(None, (error.context, error.problem))), 300)
    advice = next((f" ({words})" for pattern, words in _ADVICE if re.search(pattern, problem)), "")
    return f"is not YAML: {problem}{advice}"
