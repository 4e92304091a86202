"""The page of each kind: its examples can be applied, and it knows every condition, reason and Event of the code.

What the code can say is read out of its syntax: whoever writes a reason anywhere, and no page tells of it, fails here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import GROUP, Resource
from firstresponder.api.incident import AttemptReason, ConditionType, Incident, IncidentStatus, TimelineEvent
from firstresponder.api.kinds import KINDS
from firstresponder.api.reasons import EscalationReason
from firstresponder.evidence.probe import Reason
from firstresponder.kube.approval_policy import POLICY
from firstresponder.replay.test_cases import run_tests
from firstresponder.runbooks.manifest import judge, read_manifests
from firstresponder.runbooks.models import RUNBOOK_SPECS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "firstresponder"
ENUMS = {each.__name__: each for each in (AttemptReason, ConditionType, EscalationReason, TimelineEvent)}
ESCALATIONS = {reason.value for reason in EscalationReason}
ANY_ESCALATION = "*reason*"
"""How a page says: one of docs/reasons.md."""

Said = tuple[str, str, str]
"""A condition's type, status and reason."""


def page(kind: type[Resource]) -> str:
    return (ROOT / "docs" / "kinds" / f"{kind.__name__.lower()}.md").read_text()


def conditions(kind: str) -> set[Said]:
    """What a page's table of conditions holds."""
    text = (ROOT / "docs" / "kinds" / f"{kind}.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (True|False|Unknown) \| (`\w+`|\*\w+\*) \|", text, re.MULTILINE)
    return {(condition, status, reason.strip("`")) for condition, status, reason in rows}


def first_cells(kind: str, header: str) -> set[str]:
    """The words in code of the first column of the table with that header."""
    text = (ROOT / "docs" / "kinds" / f"{kind}.md").read_text()
    table = text.partition(f"| {header} |")[2].partition("\n\n")[0]
    return {word for line in table.splitlines()[2:] for word in re.findall(r"[`*](\w+)[`*]", line.split(" | ")[0])}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _calls(room: str, name: str) -> Iterator[tuple[ast.Call, ast.AST]]:
    """Every call of a function or class of that name below a room, and the function that it stands in."""
    paths = [PACKAGE / room] if room.endswith(".py") else sorted((PACKAGE / room).rglob("*.py"))
    for path in paths:
        for function in ast.walk(_tree(path)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and getattr(call.func, "id", getattr(call.func, "attr", "")) == name:
                    yield call, function


def _strings(node: ast.AST, around: ast.AST) -> set[str]:
    """The texts that an expression can be, as far as the function around it tells."""
    match node:
        case ast.Constant(value=str() as text):
            return {text}
        case ast.IfExp(body=one, orelse=other):
            return _strings(one, around) | _strings(other, around)
        case ast.Attribute(value=ast.Name(id=enum), attr=name) if enum in ENUMS:
            return {ENUMS[enum][name].value}
        case ast.Attribute(value=inner, attr="value"):
            return _strings(inner, around)
        case ast.Name(id=name):
            return {text for each in _given(name, around) for text in _strings(each, around)}
        case _:
            return set()


def _given(name: str, around: ast.AST) -> Iterator[ast.AST]:
    """What a function gives to a name, by assignment or by turns."""
    for each in ast.walk(around):
        match each:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                yield value
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
                yield value
            case ast.For(target=ast.Name(id=target), iter=ast.Tuple(elts=values)) if target == name:
                yield from values


def _arguments(room: str, name: str, *positions: int) -> Iterator[tuple[set[str], ...]]:
    """The texts that those arguments of each such call can be."""
    for call, function in _calls(room, name):
        if len(call.args) > max(positions):
            yield tuple(_strings(call.args[position], function) for position in positions)


def _conditions(room: str, name: str, condition: int, status: int, reason: int) -> set[Said]:
    """What each such call can make of a condition; the positions are those of its arguments."""
    return {
        (one, value, ANY_ESCALATION if why in ESCALATIONS and one != "Closed" else why)
        for types, values, reasons in _arguments(room, name, condition, status, reason)
        for one in types
        for value in values
        for why in reasons or {ANY_ESCALATION}
    }


def _texts(room: str, name: str, position: int) -> set[str]:
    return {text for (texts,) in _arguments(room, name, position) for text in texts}


def _transport_reasons() -> set[str]:
    """Why a host could not be asked."""
    problems = ("HostUnreachable", "HostKeyMismatch", "AuthenticationFailed", "CommandTimedOut", "CredentialsUnusable")
    found = {text for room in ("hosts", "kube") for name in problems for text in _texts(room, name, 0)}
    by_error = [each for each in ast.walk(_tree(PACKAGE / "hosts" / "pool.py")) if isinstance(each, ast.AnnAssign)]
    table = next(each for each in by_error if getattr(each.target, "id", "") == "_REASONS")
    return found | {
        each.value for each in ast.walk(table) if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_has_a_page_in_four_parts_with_a_link_to_its_fields(kind: type[Resource]) -> None:
    text = page(kind)
    assert text.startswith(f"# {kind.__name__}\n")
    parts = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert parts == ["Writing it", "Working with it", "Debugging it", "Its status"]
    assert f"](../reference/{kind.__name__.lower()}.md)" in text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_example_can_be_applied(kind: type[Resource]) -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```$", page(kind), re.MULTILINE | re.DOTALL)
    own = [each for text in examples for each in yaml.safe_load_all(text) if each["apiVersion"].startswith(GROUP)]
    assert [each["kind"] for each in own] == ([] if kind.__name__ == "ApprovalRequest" else [kind.__name__])
    for text in examples:
        manifests, unreadable = read_manifests(kind.__name__, text)
        assert [*map(str, unreadable), *(str(each) for _, found in judge(manifests) for each in found)] == []
        for manifest in manifests:
            if manifest.kind in RUNBOOK_SPECS:
                assert [each for each in run_tests(manifest.spec) if not each.passed] == []


def test_the_page_of_incidents_knows_every_condition_and_reason() -> None:
    said = _conditions("incident", "with_condition", 3, 4, 5)
    said.discard(("Acted", "Unknown", ANY_ESCALATION))  # by the outcome's own reasons, which follow
    said |= {
        ("Triaged", "True", text if text == "HostUnreachable" or text not in ESCALATIONS else ANY_ESCALATION)
        for text in _texts("incident", "_with_triaged", 3)
    }
    states = {"SUCCEEDED": "True", "FAILED": "False", "INDETERMINATE": "Unknown"}
    for call, _ in _calls("incident/phases/acting.py", "Outcome"):
        match call.args:
            case [ast.Attribute(value=ast.Name(id="AttemptState"), attr=state), ast.Attribute() as reason, _]:
                said |= {("Acted", states[state], text) for text in _strings(reason, call)}
    said |= {("Acted", "Unknown", reason) for reason in _texts("incident/phases/acting.py", "indeterminate", 0)}
    said |= {("Triaged", "True", ANY_ESCALATION)}
    assert len(said) > 25
    assert conditions("incident") == said


def test_the_page_of_incidents_knows_every_field_of_its_status() -> None:
    fields = {str(field.alias) for field in IncidentStatus.model_fields.values()} - {"conditions"}
    assert len(fields) > 20
    assert [name for name in sorted(fields) if f"`{name}`" not in page(Incident)] == []


def test_the_page_of_incidents_knows_every_event() -> None:
    said = _texts("incident", "Event", 0) | _texts("controller/effects.py", "record", 2)
    assert len(said) > 7
    assert first_cells("incident", "Event | type | when") == said | {"reason"}


def test_the_page_of_policies_knows_every_event() -> None:
    said = _texts("controller/retention.py", "_record", 2)
    assert len(said) == 2
    assert first_cells("escalationpolicy", "Event | type | when") == said


def test_the_page_of_incidents_knows_every_entry_of_the_timeline() -> None:
    said = _texts("incident", "with_timeline_entry", 2)
    assert said == set(TimelineEvent)
    assert first_cells("incident", "entry of the timeline | meaning") == said


def test_the_page_of_incidents_knows_why_nothing_was_observed() -> None:
    said = {reason.value for reason in Reason} | _transport_reasons() | _texts("controller", "HostError", 0)
    said |= _texts("hosts", "NotPrepared", 0) | _texts("hosts", "RequestRefused", 0)
    assert len(said) > 20
    assert first_cells("incident", "reason | what it means | what to do") == said


def test_the_page_of_requests_knows_every_condition_and_reason() -> None:
    said = {each for each in _conditions("controller/effects.py", "_with", 1, 2, 3) if each[2] != ANY_ESCALATION}
    closed = _texts("incident", "CloseRequest", 1) | {"Denied", "Expired"}
    said |= {each for why in closed for each in (("Approved", "False", why), ("Closed", "True", why))}
    assert conditions("approvalrequest") == said


def test_the_page_of_requests_knows_every_refusal_of_the_policy() -> None:
    text = page(ApprovalRequest)
    rules = POLICY["spec"]["validations"]
    literal = [part for rule in rules for part in [rule.get("message")] if part]
    built = [part for rule in rules for part in re.findall(r"'([^']+)'", rule.get("messageExpression", ""))]
    assert len(literal) > 5
    assert len(built) > 3
    for part in [*literal, *(each.strip(" :/") for each in built)]:
        assert part in text, part


@pytest.mark.parametrize("kind", ["runbook", "triageplaybook"])
def test_the_pages_of_runbooks_know_every_condition_and_reason(kind: str) -> None:
    tuples = [
        each for each in ast.walk(_tree(PACKAGE / "controller" / "runbook_catalogue.py")) if isinstance(each, ast.Tuple)
    ]
    first = {text for each in tuples if each.elts for text in _strings(each.elts[0], each)}
    types = {"Ready", "Stalled"}
    assert types < first
    assert {(one, reason) for one, _, reason in conditions(kind)} == {
        (one, reason) for one in types for reason in first - types
    }


def test_the_page_of_hosts_knows_every_condition_and_reason() -> None:
    tuples = [each for each in ast.walk(_tree(PACKAGE / "controller" / "hosts.py")) if isinstance(each, ast.Tuple)]
    verdicts = {
        reason
        for each in tuples
        if len(each.elts) == 3 and _strings(each.elts[0], each) & {"True", "False", "Unknown"}
        for reason in _strings(each.elts[1], each)
    }
    verdicts |= _texts("hosts", "NotPrepared", 0) | _texts("hosts", "RequestRefused", 0)
    verdicts -= {"False"}  # of the type's own Literal
    assert {reason for _, _, reason in conditions("host")} == verdicts | {"*why*"}
    why = first_cells("host", "reason | what it means | what to do")
    assert why == _transport_reasons() | {"NotPrepared", "Refused"}


def test_kinds_without_conditions_say_so() -> None:
    for kind in KINDS:
        if "status" not in kind.model_fields:
            assert "It has none" in page(kind)
