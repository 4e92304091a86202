"""The pages of the catalogue say what its files say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from firstresponder.codegen import runbooks as reference

RUNBOOKS = sorted((Path(__file__).parents[3] / "runbooks").glob("*.yaml"))
PAGES = {path.name: text for path, text in reference.files().items()}


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(next(path for path in RUNBOOKS if path.stem == name).read_text())
    return found


def test_what_lies_in_docs_is_what_the_catalogue_says_and_nothing_else() -> None:
    for path, text in reference.files().items():
        assert path.read_text() == text, f"{path.name}: run `make generate`"
        assert {each.name for each in path.parent.iterdir()} == PAGES.keys()


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_a_page_names_all_that_its_runbook_matches_looks_at_decides_and_proposes(path: Path) -> None:
    spec, page = document(path.stem)["spec"], PAGES[f"{path.stem}.md"]
    named = [*spec["match"]["types"], *spec["match"].get("alerts", []), *spec.get("verify", {}).get("criteria", [])]
    for part in ("roles", "parameters", "diagnostics", "guards", "hypotheses", "actions"):
        named += spec.get(part, [])
    for each in named:
        name = each["name"] if isinstance(each, dict) else each
        assert f"`{name}`" in page, name


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_a_page_tells_every_reason_of_its_runbook_and_who_is_told(path: Path) -> None:
    def escalations(part: Any) -> list[dict[str, Any]]:
        if isinstance(part, list):
            return [found for each in part for found in escalations(each)]
        if not isinstance(part, dict):
            return []
        own = [part["escalate"]] if isinstance(part.get("escalate"), dict) else []
        return own + [found for each in part.values() for found in escalations(each)]

    spec = document(path.stem)["spec"]
    expected = escalations({name: part for name, part in spec.items() if name != "tests"})
    told = re.findall(r"\*\*STOP:\*\* `(\w+)`\. Escalate to ([^:]*):", PAGES[f"{path.stem}.md"])
    assert sorted(told) == sorted((each["reason"], ", ".join(each.get("to", spec["escalateTo"]))) for each in expected)


def test_bounds_are_told_in_words() -> None:
    assert "| `minAvailableMemory` | `1Mi` | `1048576` | quantity | at least `1` |" in PAGES["high-cpu.md"]
    assert "taken from the alert's label `mountpoint`" in PAGES["disk-full.md"]
