"""Files are read as the API server reads them, with the place of every field, and traps of YAML are told."""

from __future__ import annotations

import re
from typing import Any

import pytest

from firstresponder.runbooks.source import Document, Place, Unreadable, read_documents


def read(text: str) -> Document:
    (document,) = read_documents(text)
    return document


def test_every_field_has_the_place_of_its_name_and_an_entry_of_a_list_that_of_its_beginning() -> None:
    document = read("a: 1\nb:\n  c: [x, {d: y}]\n  e.f/g:\n  - h: z\n")
    places = {path: (place.line, place.column) for path, place in document.places.items()}
    assert places == {
        "a": (1, 1),
        "b": (2, 1),
        "b.c": (3, 3),
        "b.c[0]": (3, 7),
        "b.c[1]": (3, 10),
        "b.c[1].d": (3, 11),
        "b.e.f/g": (4, 3),
        "b.e.f/g[0]": (5, 5),
        "b.e.f/g[0].h": (5, 5),
    }


@pytest.mark.parametrize(
    ("path", "line"), [("b.c[1].x", 3), ("b.c[7]", 3), ("b.x.y", 2), ("x", 1), ("", 1), ("b.e.f/g[0].i", 5)]
)
def test_a_field_that_is_missing_stands_where_the_field_around_it_does(path: str, line: int) -> None:
    assert read("a: 1\nb:\n  c: [x, {d: y}]\n  e.f/g:\n  - h: z\n").place(path).line == line


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("80", 80),
        ("-1", -1),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("0x1F", 31),
        ("010", 8),
        ("yes", True),
        ("off", False),
        ("~", None),
        ("2026-03-14", "2026-03-14"),
        ("2026-03-14T03:07:12Z", "2026-03-14T03:07:12Z"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("'80'", "80"),
        ("=", "="),
        ("5m", "5m"),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", 2.0**64),
        ("!!int 5", 5),
    ],
)
def test_a_scalar_is_what_the_api_server_takes_it_for(scalar: str, value: Any) -> None:
    found = read(f"a: {scalar}\n").content["a"]
    assert (found, type(found)) == (value, type(value))


def test_several_documents_and_lists_of_objects_are_read_one_by_one() -> None:
    text = "---\nkind: A\n---\n---\nkind: RunbookList\nitems:\n- kind: B\n- {kind: C}\n...\n"
    found = [(document.content["kind"], document.start.line) for document in read_documents(text)]
    assert found == [("A", 2), ("B", 7), ("C", 8)]


def test_a_list_whose_items_are_not_written_in_it_is_an_object_like_any_other() -> None:
    for text in ("kind: List\n<<: {items: [{kind: A}]}\n", "kind: List\nitems: x\n"):
        assert read(text).content["kind"] == "List"


def test_merge_keys_and_aliases_are_followed_as_the_api_server_follows_them() -> None:
    document = read("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: *x\n")
    assert document.content == {"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 3}, "z": {"a": 1, "b": 2}}
    assert document.problems == []


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (
            "a: b: c\n",
            (1, 5),
            "is not YAML: mapping values are not allowed here (quote a text that holds a colon and a space)",
        ),
        (
            "a:\n\tb: 1\n",
            (2, 1),
            "is not YAML: while scanning for the next token: found character '\\t' that cannot start any token "
            "(indent with spaces, not with tabs)",
        ),
        (
            "a: `x`\n",
            (1, 4),
            "is not YAML: while scanning for the next token: found character '`' that cannot start any token "
            "(quote a text that begins with a sign such as @ ` % & * !)",
        ),
        (
            "a: *.log\n",
            (1, 5),
            "is not YAML: while scanning an alias: expected alphabetic or numeric character, but found '.' "
            "(quote a text that begins with a sign such as @ ` % & * !)",
        ),
        (
            "a: [1, 2\nb: 1\n",
            (2, 2),
            "is not YAML: while parsing a flow sequence: expected ',' or ']', but got ':' "
            "(close the bracket, or quote a text that holds one of { } [ ] , ?)",
        ),
        (
            "a: 1\nb: 'x\nc: 1\n",
            (2, 4),
            "is not YAML: while scanning a quoted scalar: found unexpected end of stream (close the quotes)",
        ),
        (
            'a: "C:\\logs"\n',
            (1, 8),
            "is not YAML: while scanning a double-quoted scalar: found unknown escape character 'l' "
            "(write a backslash twice, or put the text in single quotes)",
        ),
        (
            "{{- if .Values.on }}\na: 1\n",
            (1, 3),
            "is not YAML: while parsing a flow node: expected the node content, but found '-' "
            "(render a template, such as a Helm chart, before; or quote a text that begins with {)",
        ),
        ("a: \x07\n", (1, 4), "the character U+0007 is not allowed in YAML"),
        ("a: &a [*a]\n", (1, 4), "its aliases (*) make it endless, or as good as that"),
        ("[" * 5000, (1, 1), "is nested too deeply"),
        ("a: " + "x" * 3145728, (1, 1), "has more than 3145728 characters, more than any API server takes"),
    ],
    ids=[
        "colon",
        "tab",
        "backtick",
        "alias",
        "bracket",
        "quotes",
        "backslash",
        "template",
        "control",
        "cycle",
        "depth",
        "length",
    ],
)
def test_a_text_that_is_no_yaml_is_refused_with_its_place_and_what_helps(
    text: str, place: tuple[int, int], message: str
) -> None:
    with pytest.raises(Unreadable) as refused:
        read_documents(text)
    assert (refused.value.place, refused.value.message) == (Place(*place), message)


def test_a_character_that_json_writes_as_two_is_one_and_half_of_it_is_a_problem() -> None:
    assert read('{"a": "\\ud83d\\ude00"}').content == {"a": "\U0001f600"}
    document = read('{"a": "\\ud83d"}')
    assert [str(each) for each in document.problems] == [
        "a: holds half a character (\\ud800 to \\udfff): write the character itself"
    ]
    assert document.content == {"a": "?"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: !!int x", "a: x is no number that JSON has"),
        ("a: " + "12" * 2500, "a: [redacted] is no number that JSON has"),
        ("a: 1e999", "a: 1e999 is no number that JSON has"),
        ("a: {<<: x}", "a: merges (<<) what is no map: name a map, as in <<: *common"),
        (
            "a: {{ .Values.a }}",
            "a.{ .Values.a }: is a list or a map, and a field's name is text: quote it, or render the template before",
        ),
    ],
)
def test_what_the_api_server_would_not_take_is_a_problem_and_no_surprise(text: str, problem: str) -> None:
    assert [str(each) for each in read(text).problems] == [problem]


def test_aliases_that_multiply_are_stopped() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8))]
    with pytest.raises(Unreadable, match="aliases"):
        read_documents("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "place", "field"),
    [
        (f"a: &a {'x' * 1000}\nb: [{', '.join(['*a'] * 4000)}]\n", (1, 4), r"b\[[0-9]+\]"),
        (
            "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30)),
            (1, 9),
            r"a[0-9]+.*",
        ),
        ("a: &a {k: 1}\n" + f"b: [{', '.join(['{<<: *a}'] * 60_000)}]", (2, None), r".*"),
    ],
    ids=["a large text, many times", "lists that double", "merges"],
)
def test_aliases_that_make_too_much_are_told_with_line_and_field(
    text: str, place: tuple[int, int | None], field: str
) -> None:
    with pytest.raises(Unreadable, match="more than 100000 values") as refused:
        read_documents(text)
    assert refused.value.place.line == place[0]
    assert re.fullmatch(field, refused.value.field)


def test_a_file_of_too_many_values_is_not_called_one_of_aliases() -> None:
    with pytest.raises(Unreadable, match="split the file") as refused:
        read_documents("- 1\n" * 100_001)
    assert refused.value.place.line == 100_000
    assert "alias" not in refused.value.message
