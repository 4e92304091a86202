"""Objects of files: each against its own kind, and all of them together."""

from __future__ import annotations

import pytest

from firstresponder.api.base import Resource
from firstresponder.codegen.crds import custom_resource_definition
from firstresponder.runbooks.manifest import judge, read_manifests
from firstresponder.runbooks.models import Runbook, TriagePlaybook
from firstresponder.runbooks.schema_errors import FORMS
from tests.unit.codegen.test_crds import nodes, schema_of
from tests.unit.runbooks.refused import GOOD
from tests.unit.runbooks.test_refusals import said

OTHER = GOOD.replace("name: full", "name: other").replace("types: [Full]", "types: [Other]")
RESTART = """\
  actions:
  - name: restart
    restartUnit: {unit: $(service).service}
    risk: {}
    rollback: {plan: Stop.}
    approval: {prompt: Restart it.}
"""
CLASS = """\
apiVersion: firstresponder.dev/v1alpha1
kind: ActionClass
metadata: {name: restart-unit}
spec: {description: Restarts., risk: Low, actionTypes: [restartUnit]}
"""
PLAYBOOK = """\
apiVersion: firstresponder.dev/v1alpha1
kind: TriagePlaybook
metadata: {name: slow}
spec:
  match: {types: [Slow]}
  roles: [{name: target}]
  diagnostics: [{name: disk, disk: {path: /}}]
  hypotheses:
  - name: disk
    likelihood: 50
    when: disk.usedPercent > 90
    rootCause: {summary: disk}
    then: {runbook: full}
  otherwise: {escalate: {reason: UnknownRootCause, humanAction: Look.}}
"""


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("kind: Runbook", "kind: Runbok", "2:1: kind: Runbok is not known here: did you mean Runbook? known are "),
        ("kind: Runbook\n", "", "1:1: kind: missing: Incident or ApprovalRequest or Runbook or "),
        (
            "v1alpha1",
            "v1",
            "1:1: apiVersion: firstresponder.dev/v1 is not known here: did you mean firstresponder.dev/",
        ),
        ("firstresponder.dev/v1alpha1", "v1", "1:1: apiVersion: v1 is not known here: known are firstresponder.dev/"),
        ("  name: full\n", "", "3:1: metadata.name: missing: the object's name"),
        ("name: full", "name: Full", '4:3: metadata.name: "Full" is not a name such as high-cpu: lower case letters,'),
        (
            "name: full",
            f"name: {'x' * 201}",
            "4:3: metadata.name: metadata.name has at most 200 characters: the names of its revisions begin with it",
        ),
        (
            "name: full",
            "name: full\n  annotations: {checked: true}",
            '5:17: metadata.annotations.checked: true is a boolean in YAML, and text is needed: quote it, as in "true"',
        ),
        ("kind: Runbook", "kind: [Runbook]", "2:1: kind: ['Runbook'] is not known here: "),
        ("spec:\n", "sepc:\n", "5:1: sepc: sepc is not known here: did you mean spec? known are apiVersion, kind, "),
    ],
)
def test_what_is_wrong_around_the_spec_is_told(old: str, new: str, problem: str) -> None:
    assert GOOD.count(old) == 1
    assert [each for each in said(GOOD.replace(old, new)) if each.startswith(problem)], said(GOOD.replace(old, new))


def test_a_content_that_is_nested_too_deeply_is_told_and_nothing_else_of_it() -> None:
    deep = GOOD.replace("spec:\n", f"spec:\n  tests: {{evidence: {{a: {{b: {'[' * 250}{']' * 250}}}}}}}\n")
    assert said(deep) == ["5:1: spec: is nested too deeply: take some of its lists and maps apart"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a\n- b\n", "1:1: is no object: one begins with apiVersion, kind, metadata and spec"),
        ("# nothing\n---\n", "1:1: holds no object"),
        ("apiVersion: firstresponder.dev/v1alpha1\nkind: Runbook\nmetadata: {name: x}\n", "1:1: spec: missing: "),
    ],
)
def test_a_file_without_an_object_is_a_problem(text: str, problem: str) -> None:
    assert [each for each in said(text) if each.startswith(problem)], said(text)


def test_other_kinds_of_ours_are_checked_against_their_model_and_those_of_others_are_not() -> None:
    assert said(CLASS.replace("Low", "low")) == [
        "4:32: spec.risk: low is not known here: did you mean Low? known are Low, Medium, High"
    ]
    manifests, _ = read_manifests("x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    assert manifests[0].foreign
    assert judge(manifests) == []


@pytest.mark.parametrize(
    ("value", "field", "message"),
    [
        ("likelihood: 60", "likelihood: 101", "28:5: spec.hypotheses[0].likelihood: 101 is too large: at most 100"),
        (
            "likelihood: 60",
            "likelihood: '60'",
            '28:5: spec.hypotheses[0].likelihood: "60" is not a whole number: take the quotes away',
        ),
        (
            "likelihood: 60",
            "likelihood: 6.5",
            "28:5: spec.hypotheses[0].likelihood: 6.5 is not a whole number",
        ),
        (
            "  symptom: isFull",
            "  symptom: is-full",
            '21:3: spec.symptom: "is-full" is not letters and digits that begin',
        ),
        (
            "window: 1m",
            "window:",
            "40:5: spec.verify.window: is empty: write what it stands for, or leave the field out",
        ),
        (
            "timeout: 5m",
            "timeout: soon",
            '41:5: spec.verify.timeout: "soon" is not a duration such as 30s, 5m or 1h30m',
        ),
        (
            "timeout: 5m",
            "timeout: 300",
            "41:5: spec.verify.timeout: 300 is a number in YAML, and text is needed: quote",
        ),
        (
            "match: {types: [Full]}",
            "match: Full",
            '6:3: spec.match: "Full" is not a map: write each field with its name',
        ),
        ("types: [Full]", "types: Full", '6:11: spec.match.types: "Full" is not a list: write each entry after a dash'),
        (
            "reason: UnknownRootCause, humanAction: Find it.",
            "reason: unknown, humanAction: Find it.",
            "38:16: spec.otherwise.escalate.reason: unknown is not known here: known are UnknownIncidentType, ",
        ),
        ("type: number", "type: float", "11:5: spec.parameters[0].type: float is not known here: known are number, "),
    ],
)
def test_what_does_not_fit_the_model_is_said_in_words(value: str, field: str, message: str) -> None:
    assert GOOD.count(value) == 1
    assert [each for each in said(GOOD.replace(value, field)) if each.startswith(message)], said(
        GOOD.replace(value, field)
    )


@pytest.mark.parametrize("kind", [Runbook, TriagePlaybook], ids=lambda kind: kind.__name__)
def test_every_regular_expression_of_an_authors_field_has_words(kind: type[Resource]) -> None:
    spec = schema_of(custom_resource_definition(kind))["properties"]["spec"]
    wordless = {where for where, node in nodes(spec, "spec") if "pattern" in node and node["pattern"] not in FORMS}
    assert wordless <= {"spec.diagnostics[].command.parser", "spec.experiments[].command.parser"}  # a closed list


def test_two_objects_of_one_name_are_told() -> None:
    assert said(f"{GOOD}---\n{GOOD.replace('[Full]', '[Else]')}") == [
        "51:3: metadata.name: Runbook full is in full.yaml:1 already: rename one of them"
    ]
    assert said(f"{GOOD}---\n{GOOD.replace('name: full', 'name: full' + chr(10) + '  namespace: b')}") == []


def test_two_runbooks_for_one_incident_are_told() -> None:
    assert said(f"{GOOD}---\n{OTHER.replace('[Other]', '[Other, Full]')}") == [
        "53:26: spec.match.types[1]: Full is matched by Runbook full in full.yaml:1 too, and two that match are "
        "AmbiguousRunbook: remove it from one of them"
    ]
    assert said(f"{GOOD}---\n{OTHER}") == []


def test_the_runbook_that_a_playbook_leads_to_is_looked_for_where_runbooks_are_given() -> None:
    assert said(PLAYBOOK) == []
    assert said(f"{PLAYBOOK}---\n{GOOD}") == []
    assert said(f"{PLAYBOOK}---\n{OTHER}") == [
        "13:12: spec.hypotheses[0].then.runbook: full is not among the Runbooks of these files (other)"
    ]


POLICY = """\
apiVersion: firstresponder.dev/v1alpha1
kind: EscalationPolicy
metadata: {name: default}
spec: {contacts: [{name: on-call}, {name: dba}]}
"""


def test_contacts_are_looked_for_where_an_escalation_policy_is_given() -> None:
    runbook = GOOD.replace("  match: {types: [Full]}\n", "  match: {types: [Full]}\n  escalateTo: [on-cal]\n").replace(
        "humanAction: Rotate.", "humanAction: Rotate., to: [dba, dbas]"
    )
    assert said(runbook) == []
    who = "is not among the contacts of EscalationPolicy default in these files (dba, on-call)"
    assert said(f"{runbook}---\n{POLICY}") == [
        f"7:16: spec.escalateTo[0]: on-cal {who}",
        f"32:85: spec.hypotheses[0].then.escalate.to[1]: dbas {who}",
    ]


def test_the_class_of_an_action_is_looked_for_where_classes_are_given() -> None:
    runbook = f"{GOOD}{RESTART}"
    assert said(runbook) == []
    assert said(f"{runbook}---\n{CLASS}") == []
    assert said(f"{runbook}---\n{CLASS.replace('name: restart-unit', 'name: restarts')}") == [
        "52:5: spec.actions[0].approval.class: restart-unit is not among the ActionClasses of these files (restarts)"
    ]
    assert said(f"{runbook}---\n{CLASS.replace('[restartUnit]', '[command]')}") == [
        "52:5: spec.actions[0].approval.class: the ActionClass restart-unit is not for restartUnit "
        "(its actionTypes: command)"
    ]
