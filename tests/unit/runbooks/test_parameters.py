"""Parameters: typed, bounded, refused by name, never clamped."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.api.runbook import Parameter
from firstresponder.runbooks.parameters import InvalidParameter, recorded, resolve


def parameter(**fields: Any) -> Parameter:
    return Parameter.model_validate({"name": "p", **fields})


def test_a_default_is_used_unless_overridden() -> None:
    declared = [parameter(type="number", default=80)]
    assert resolve(declared, {}).values == {"p": 80.0}
    assert resolve(declared, {"p": 90}).text == {"p": "90"}


@pytest.mark.parametrize(
    ("fields", "value", "seen"),
    [
        ({"type": "quantity", "default": "1"}, "256Mi", 268435456.0),
        ({"type": "duration", "default": "1m"}, "1h30m", "1h30m"),
        ({"type": "integer", "default": 1}, 3, 3.0),
        ({"type": "hostname", "default": "a"}, "db-01.example.com", "db-01.example.com"),
        ({"type": "path", "default": "/"}, "/var/log", "/var/log"),
    ],
)
def test_a_value_is_seen_in_the_form_that_expressions_use(fields: dict[str, Any], value: Any, seen: Any) -> None:
    assert resolve([parameter(**fields)], {"p": value}).values["p"] == seen


@pytest.mark.rule(21)
@pytest.mark.parametrize(
    ("fields", "value", "word"),
    [
        ({"type": "number", "default": 1, "minimum": 1}, 0.5, "below the minimum of 1"),
        ({"type": "number", "default": 1, "maximum": 9}, 10, "above the maximum of 9"),
        ({"type": "number", "default": 1}, True, "not a number"),
        ({"type": "number", "default": 1}, "7", "not a number"),
        ({"type": "integer", "default": 1}, 1.5, "not a whole number"),
        ({"type": "duration", "default": "5m", "maximum": "30m"}, "31m", "above the maximum of 30m"),
        ({"type": "duration", "default": "5m"}, "soon", "not a duration"),
        ({"type": "quantity", "default": "1"}, "many", "not a quantity"),
        ({"type": "hostname", "default": "a"}, "a b", "does not match"),
        ({"type": "hostname", "default": "a"}, "-rf", "does not match"),
        ({"type": "path", "default": "/"}, "../etc", "does not match"),
        ({"type": "string", "default": "a", "pattern": "[a-z]+"}, "a;b", "does not match"),
        ({"type": "string", "default": "a"}, "a\nb", "does not match"),
        ({"type": "string", "default": "a"}, 3, "not a string"),
    ],
)
def test_a_value_out_of_type_or_bounds_is_refused_with_its_name(fields: dict[str, Any], value: Any, word: str) -> None:
    with pytest.raises(InvalidParameter) as error:
        resolve([parameter(**fields)], {"p": value})
    assert "spec.parameters.p" in str(error.value)
    assert word in str(error.value)


@pytest.mark.rule(21)
def test_an_unknown_parameter_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(InvalidParameter, match=r"spec\.parameters\.q is not a parameter .*declares: p"):
        resolve([parameter(type="number", default=1)], {"q": 1})


@pytest.mark.parametrize(
    ("kind", "value"),
    [("number", 1234567.25), ("number", 80), ("integer", 3), ("quantity", "1.5Gi"), ("duration", "5m")],
)
def test_what_was_recorded_gives_the_same_values_again(kind: str, value: Any) -> None:
    declared = [parameter(type=kind, default=value)]
    first = resolve(declared, {})
    assert resolve(declared, recorded(declared, first.text)) == first


def labelled(**fields: Any) -> Parameter:
    return parameter(fromAlertLabel="mountpoint", **fields)


def test_a_label_of_the_alert_is_the_value_where_the_incident_gives_none() -> None:
    declared = [labelled(type="path", default="/")]
    assert resolve(declared, {}, {"mountpoint": "/var"}).values == {"p": "/var"}
    assert resolve(declared, {"p": "/srv"}, {"mountpoint": "/var"}).values == {"p": "/srv"}
    for labels in ({}, {"mountpoint": ""}, {"other": "/var"}):
        assert resolve(declared, {}, labels).values == {"p": "/"}


@pytest.mark.parametrize(
    ("kind", "text", "seen"), [("number", "-1.5", -1.5), ("integer", "7", 7.0), ("string", "7", "7")]
)
def test_a_labels_text_is_read_by_the_parameters_type(kind: str, text: str, seen: Any) -> None:
    default = "a" if kind == "string" else 1
    resolved = resolve([labelled(type=kind, default=default)], {}, {"mountpoint": text})
    assert resolved.values == {"p": seen}
    assert resolve(
        [labelled(type=kind, default=default)], recorded([labelled(type=kind, default=default)], resolved.text)
    ) == (resolved)


@pytest.mark.parametrize(
    ("fields", "text", "word"),
    [
        ({"type": "path", "default": "/"}, "../etc", "does not match"),
        ({"type": "path", "default": "/"}, "/var\n", "does not match"),
        ({"type": "path", "default": "/", "pattern": "/(var|srv)"}, "/etc", "does not match"),
        ({"type": "number", "default": 1, "maximum": 9}, "10", "above the maximum"),
        ({"type": "number", "default": 1}, "nan", "not a number"),
        ({"type": "number", "default": 1}, "1e400", "not a number"),
        ({"type": "integer", "default": 1}, "1.5", "not a whole number"),
        ({"type": "string", "default": "a"}, "password=hunter2\x1b", "does not match"),
    ],
)
def test_a_label_is_checked_like_any_override_and_named_without_secrets(
    fields: dict[str, Any], text: str, word: str
) -> None:
    with pytest.raises(InvalidParameter) as error:
        resolve([labelled(**fields)], {}, {"mountpoint": text})
    assert "spec.alert.labels.mountpoint (p)" in str(error.value)
    assert word in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("pattern", ["(", r"(\pL{100}){10}"])
def test_a_pattern_that_cannot_be_used_refuses_every_value_in_words(pattern: str) -> None:
    declared = [parameter(type="string", default="a", pattern=pattern)]
    with pytest.raises(InvalidParameter, match="not a usable regular expression"):
        resolve(declared, {"p": "b"})
