"""Templates: one pass, for people or for machines, never confused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstresponder.expressions import (
    ForbiddenValue,
    MissingValue,
    Scope,
    TemplateError,
    render_argument,
    render_text,
    template_references,
)
from firstresponder.safety.values import format_number

SCOPE = Scope(
    {
        "service": "api-gateway",
        "hosts": {"target": {"name": "api-gateway-03", "expectedUnits": ["a.service", "b.service"]}},
        "processes": {"hostCpuPercent": 97.0, "top": {"unit": "\x1b[31mx"}},
        "errors": {"count": 3, "perMinute": 12.345, "line": "sent token=abc $(service)"},
        "yes": True,
        "desired": 6.0,
        "share": 0.333333333,
        "two": "a\nb",
    }
)


def test_a_text_shows_values_as_people_write_them() -> None:
    template = "CPU $(processes.hostCpuPercent) %, $(errors.perMinute) a minute on $(hosts.target.name): $(yes)"
    assert render_text(template, SCOPE) == "CPU 97 %, 12.3 a minute on api-gateway-03: true"
    assert render_text("$(hosts.target.expectedUnits)", SCOPE) == "[a.service, b.service]"


@pytest.mark.rule(12)
def test_a_missing_value_in_a_text_is_a_question_mark() -> None:
    assert render_text("$(service): $(oom.extracted.request)", SCOPE) == "api-gateway: ?"


def test_a_value_in_a_text_is_neutralised_and_redacted() -> None:
    assert render_text("$(processes.top.unit)", SCOPE) == r"\x1b[31mx"
    assert render_text("$(errors.line)", SCOPE) == "sent token=[redacted] $(service)"


def test_what_was_put_in_is_never_expanded_again() -> None:
    scope = Scope({"a": "$(b)", "b": "secret"})
    assert render_text("$(a)", scope) == "$(b)"
    assert render_argument("$(a)", scope, {"a", "b"}) == "$(b)"
    assert render_text("$$(a)", scope) == "$(a)"


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("10.0.0.3", "http://10.0.0.3:8080/health"),
        ("fd00::3", "http://[fd00::3]:8080/health"),
        ("::1", "http://[::1]:8080/health"),
        ("dependency-service", "http://dependency-service:8080/health"),
    ],
)
def test_an_ipv6_address_that_becomes_the_host_of_a_url_is_put_in_brackets(address: str, url: str) -> None:
    scope = Scope({"hosts": {"target": {"address": address}}, "port": 8080})
    assert render_argument("http://$(hosts.target.address):$(port)/health", scope, {"hosts", "port"}) == url
    assert render_text("http://$(hosts.target.address):$(port)/health", scope) == url
    assert render_argument("$(hosts.target.address)", scope, {"hosts"}) == address


@given(st.text(max_size=30))
def test_a_value_that_looks_like_a_template_stays_text(value: str) -> None:
    assert "CANARY" not in render_text("<$(a)>", Scope({"a": value + "$(b)", "b": "CANARY"}))


def test_an_argument_takes_values_exactly_as_they_are() -> None:
    allowed = {"service", "desired", "share", "yes"}
    assert render_argument("$(service).service", SCOPE, allowed) == "api-gateway.service"
    assert render_argument("$(desired)", SCOPE, allowed) == "6"
    assert render_argument("$(share)", SCOPE, allowed) == "0.333333333"
    assert render_argument("--$(yes)", SCOPE, allowed) == "--true"


@pytest.mark.rule(12)
def test_a_missing_value_in_an_argument_stops_the_step() -> None:
    with pytest.raises(MissingValue, match=r"\$\(service\.x\) is not known") as stopped:
        render_argument("a $(service.x)", SCOPE, {"service"})
    assert stopped.value.path == "service.x"


@pytest.mark.rule(12, 13)
@pytest.mark.parametrize("path", ["processes.top.unit", "errors.count", "nowhere"])
def test_evidence_in_an_argument_stops_the_step(path: str) -> None:
    with pytest.raises(ForbiddenValue, match="comes from evidence") as stopped:
        render_argument(f"$({path})", SCOPE, {"service"})
    assert stopped.value.path == path


@pytest.mark.parametrize("path", ["two", "hosts.target", "hosts.target.expectedUnits"])
def test_an_argument_is_one_line_of_text_or_one_number(path: str) -> None:
    with pytest.raises(ForbiddenValue):
        render_argument(f"$({path})", SCOPE, {"two", "hosts"})


@pytest.mark.parametrize("template", ["$(a b)", "$()", "$(a", "$(a.)", "$(1a)", "$(a-b)", "$(a $(b))"])
def test_a_malformed_reference_is_refused(template: str) -> None:
    for use in (template_references, lambda each: render_text(each, SCOPE)):
        with pytest.raises(TemplateError, match=r"is not a reference such as \$\(service\)"):
            use(template)


def test_the_references_of_a_template() -> None:
    assert template_references("$(a)$(b.c_d)x $$(e) $5 $(a)") == {"a", "b.c_d"}
    assert template_references("nothing $ here") == frozenset()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (97.0, "97"),
        (12.345, "12.3"),
        (99.96, "100"),
        (0.0432, "0.0432"),
        (4.5678, "4.57"),
        (-3.0, "-3"),
        (0.0, "0"),
        (2147483648.0, "2147483648"),
        (1e20, "1e+20"),
    ],
)
def test_numbers_have_no_more_digits_than_matter(number: float, text: str) -> None:
    assert format_number(number) == text
