"""The pages of the catalogue say what its files say."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from firstresponder.api.runbook import Runbook
from firstresponder.runbooks import reference

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
    named = [*spec["match"]["types"], *spec["match"]["alerts"], *spec.get("verify", {}).get("criteria", [])]
    for part in ("roles", "parameters", "diagnostics", "guards", "hypotheses"):
        named += spec.get(part, [])
    for each in named:
        name = each["name"] if isinstance(each, dict) else each
        assert f"`{name}`" in page, name
    assert re.findall(r"^### (.*)$", page, re.MULTILINE) == [each["name"] for each in spec.get("actions", [])]


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
    _, told = PAGES[f"{path.stem}.md"].split("## When it hands over")
    expected = escalations({name: part for name, part in spec.items() if name != "tests"})
    rows = re.findall(r"^\| .* \| `(\w+)` \| ([^|]*) \| .* \|$", told, re.MULTILINE)
    assert sorted(rows) == sorted((each["reason"], ", ".join(each.get("to", spec["escalateTo"]))) for each in expected)


def test_bounds_templates_and_conditions_are_told_in_words() -> None:
    page = PAGES["high-cpu.md"]
    assert "| `minAvailableMemory` | quantity | `256Mi` | at least `64Mi` |" in page
    assert "Restarts `SERVICE.service`, on the host of role `target`." in page
    assert "`serviceIsTop && (outOfMemory \\|\\| memoryLow \\|\\| repeatedErrors)`" in page
    assert "$(" not in "".join(PAGES.values())
    assert "taken from the alert's label `mountpoint`" in PAGES["disk-full.md"]
    assert "Nothing: it looks, and tells a human." in PAGES["network-diagnostics.md"]
    assert "[disk-full](disk-full.md)" in PAGES["service-unavailable.md"]


def test_a_command_is_shown_word_for_word() -> None:
    changed = copy.deepcopy(document("high-cpu"))
    restart = changed["spec"]["actions"][0]
    del restart["restartUnit"]
    restart["command"] = {"argv": ["/usr/local/sbin/flush-cache", "--all"]}
    restart["approval"]["class"] = "run-command"
    page = reference.page(Runbook.model_validate(changed))
    assert "Runs `/usr/local/sbin/flush-cache --all`, on the host of role `target`." in page
    assert "1 of class `run-command`" in page
