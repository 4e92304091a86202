"""The documents say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from firstresponder.api.reasons import EscalationReason
from firstresponder.incident.machine import HANDLERS, TRANSITIONS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_the_state_diagram_shows_exactly_the_table_of_transitions() -> None:
    drawn = re.findall(r"^ +(\w+) --> (\w+): \S", (DOCS / "architecture.md").read_text(), re.MULTILINE)
    assert set(drawn) == {(one.value, other.value) for one, others in TRANSITIONS.items() for other in others}
    assert len(drawn) == len(set(drawn))


def test_every_phase_has_a_handler_and_a_row_in_the_table() -> None:
    assert set(HANDLERS) == set(TRANSITIONS)


def test_every_reason_is_explained() -> None:
    explained = re.findall(r"^\| `(\w+)` \|", (DOCS / "reasons.md").read_text(), re.MULTILINE)
    assert explained == [reason.value for reason in EscalationReason]


def test_links_between_documents_lead_somewhere() -> None:
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "host" / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.relative_to(ROOT)}: {target}"


def test_documents_that_the_code_refers_to_are_there() -> None:
    for path in (ROOT / "operator").rglob("*.py"):
        for named in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text()):
            assert (ROOT / named).exists(), f"{path.relative_to(ROOT)}: {named}"
