"""The documents say what the code does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from image.build import archive_path, sbom_path

from firstresponder.api.reasons import EscalationReason
from firstresponder.incident.machine import HANDLERS, TRANSITIONS
from firstresponder.reporting.report_json import document
from tests.unit.cli.test_report import fix_failed, reported, resolved
from tests.unit.incident.world import World

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    ROOT / "host/README.md",
    ROOT / "charts/firstresponder/README.md",
    *sorted(DOCS.rglob("*.md")),
]


def test_the_state_diagram_shows_exactly_the_table_of_transitions() -> None:
    drawn = re.findall(r"^ +(\w+) --> (\w+): \S", (DOCS / "architecture.md").read_text(), re.MULTILINE)
    assert set(drawn) == {(one.value, other.value) for one, others in TRANSITIONS.items() for other in others}
    assert len(drawn) == len(set(drawn))


def test_every_phase_has_a_handler_and_a_row_in_the_table() -> None:
    assert set(HANDLERS) == set(TRANSITIONS)


def test_every_reason_is_explained() -> None:
    explained = re.findall(r"^\| `(\w+)` \|", (DOCS / "reasons.md").read_text(), re.MULTILINE)
    assert explained == [reason.value for reason in EscalationReason]


def _prose(path: Path) -> str:
    """A page without what stands in code."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def _links(path: Path) -> list[tuple[Path, str]]:
    """The files that a page links to, each with the heading there, if any."""
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", _prose(path))
    return [((path.parent / target).resolve() if target else path, anchor) for target, anchor in links]


def _anchors(path: Path) -> set[str]:
    """The headings of a page, as links of GitHub spell them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_documents_lead_somewhere() -> None:
    for path in PAGES:
        for page, anchor in _links(path):
            assert page.exists(), f"{path.relative_to(ROOT)}: {page}"
            assert not anchor or anchor in _anchors(page), f"{path.relative_to(ROOT)}: {page.name}#{anchor}"


def _code(path: Path) -> str:
    """What a page shows as code, piece by piece."""
    text = path.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", text)])


def test_what_documents_tell_people_to_make_is_a_target() -> None:
    rules = re.findall(r"^([a-z][a-z0-9 -]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    for path in PAGES:
        told = set(re.findall(r"^make ([a-z][a-z0-9-]*)", _code(path), re.MULTILINE))
        assert told <= targets, f"{path.relative_to(ROOT)}: {told - targets}"


def test_files_that_make_image_leaves_have_the_names_that_documents_use() -> None:
    made = {f"dist/{path.name}" for path in (archive_path(), sbom_path())}
    for name in ("install.md", "install-kind.md"):
        assert set(re.findall(r"\bdist/[\w.-]+", _code(DOCS / name))) == made, name


def test_make_kind_prints_what_its_page_shows() -> None:
    shown = re.findall(r"^\[ *[\d.]+ s\] (.+)$", _code(DOCS / "install-kind.md"), re.MULTILINE)
    assert shown == re.findall(r'\bsay\("(.+)"\)', (ROOT / "tests/testbed/kind/local.py").read_text())


def test_every_row_of_a_table_has_as_many_cells_as_its_header() -> None:
    for path in DOCS.rglob("*.md"):
        text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
            assert len(cells) == 1, f"{path.relative_to(ROOT)}: {table[:80]}"


def test_every_page_can_be_reached_from_the_entrance() -> None:
    reached, ahead = set[Path](), [DOCS / "README.md"]
    while ahead:
        path = ahead.pop()
        reached.add(path)
        ahead += [page for page, _ in _links(path) if page.suffix == ".md" and page not in reached]
    assert set(DOCS.rglob("*.md")) <= reached


@pytest.mark.parametrize("world", [resolved, fix_failed])
def test_every_field_of_the_reports_json_is_explained(world: Callable[[], World]) -> None:
    told = set(re.findall(r"[`\"](\w+)[`\"]", (DOCS / "reports.md").read_text()))
    report = document(reported(world()))
    for part in (report, report["sli"], report["escalation"] or {}, report["headline"], report["approvals"]):
        assert isinstance(part, dict)
        assert part.keys() <= told, part.keys() - told


def test_documents_that_the_code_refers_to_are_there() -> None:
    for path in (ROOT / "operator").rglob("*.py"):
        for named in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text()):
            assert (ROOT / named).exists(), f"{path.relative_to(ROOT)}: {named}"
