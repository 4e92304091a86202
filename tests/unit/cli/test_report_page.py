"""The report as a page: what it says and draws, and that nobody's text can do anything in it."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from firstresponder.api.incident import Incident
from firstresponder.cli.commands import report as commands
from firstresponder.cli.kubectl import Refused
from firstresponder.cli.views.plots import Action, TimeAxis, described, figure
from firstresponder.cli.views.report_page import _renderer, page
from firstresponder.evidence.field import Unit
from firstresponder.reporting.report import report_of
from firstresponder.reporting.thresholds import Threshold
from tests.unit.cli.test_report import HOSTILE, fix_failed, miner, resolved, told
from tests.unit.incident import test_methods
from tests.unit.incident.world import START, World, awaiting_approval
from tests.unit.reporting.test_quantities import quantity

SCRIPT = "<script>alert(1)</script>"
HOSTILES = [HOSTILE, SCRIPT, "</style></svg>" + SCRIPT, '"><svg onload=alert(1)>', "$x^2$ ]]> -->"]
ACTIVE = {"script", "link", "img", "a", "iframe", "object", "embed", "form", "base", "image", "foreignobject"}


class Page(HTMLParser):
    """A page as a list of elements and as the texts in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(world: World, incident: Incident | None = None) -> str:
    revision = world.snapshot().revision
    assert revision is not None
    return page(report_of(incident or world.incident, world.request), revision.spec)


@cache
def resolved_page() -> str:
    return page_of(resolved())


@pytest.mark.parametrize("world", [resolved, fix_failed, miner, awaiting_approval])
def test_a_page_has_no_script_and_nothing_to_fetch(world: Callable[[], World]) -> None:
    text = page_of(world())
    found = Page(text)
    tags = {tag for tag, _ in found.elements}
    assert not tags & {
        "script",
        "link",
        "img",
        "a",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
        "image",
        "foreignobject",
    }
    for _, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on") or name in {"src", "href", "action"}]
        assert (attributes.get("xlink:href") or "#").startswith("#")
    assert "@import" not in text
    assert [each for each in re.findall(r"url\(([^)]*)\)", text) if not each.startswith("#")] == []


def test_a_page_s_policy_lets_nothing_be_fetched_and_nothing_run() -> None:
    [policy] = [each for each in Page(resolved_page()).named("meta") if each.get("http-equiv")]
    assert policy["http-equiv"] == "Content-Security-Policy"
    directives = dict(
        (policy["content"] or "").split(" ", 1) for policy["content"] in str(policy["content"]).split("; ")
    )
    assert directives == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert resolved_page().index("Content-Security-Policy") < resolved_page().index("<style>")


@pytest.mark.parametrize("text", HOSTILES)
@pytest.mark.parametrize("world", [resolved, fix_failed])
def test_hostile_text_changes_nothing_of_the_page_s_structure(world: Callable[[], World], text: str) -> None:
    honest = world()
    hostile, harmless = (Page(page_of(honest, told(honest, each))) for each in (text, "harmless"))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in harmless.elements]
    assert [set(attributes) for _, attributes in hostile.elements] == [set(a) for _, a in harmless.elements]


def test_what_the_report_does_not_use_is_not_rendered_even_where_a_text_was_not_escaped() -> None:
    text = (
        f"{SCRIPT}\n\n<b>x</b> [a](https://x.example) ![i](https://x.example/i) <https://x.example>\n\n[a]: /b\n\n[a]"
    )
    assert {tag for tag, _ in Page(_renderer().render(text)).elements} == {"p"}


def test_hostile_names_in_a_forged_status_change_nothing_of_the_page_s_structure() -> None:
    world = resolved()

    def forged(name: str) -> Page:
        status = world.incident.status.model_dump(by_alias=True, mode="json", exclude_none=True)
        for each in status["samples"]:
            each["values"] = {f"{name}.hostCpuPercent": 1.0}
        for each in status["attempts"]:
            each["action"] = name
        body = world.incident.model_dump(by_alias=True, mode="json", exclude_none=True)
        return Page(page_of(world, Incident.model_validate({**body, "status": status})))

    hostile, harmless = forged('"></svg>' + SCRIPT), forged("harmless")
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in harmless.elements]
    assert SCRIPT in hostile.text, "it is shown, not dropped"


def test_hostile_names_of_criteria_are_drawn_as_text() -> None:
    found = quantity("a.count", Unit.COUNT, ("Triage", 1), ("Verification", 2))
    axis = TimeAxis([found], [])
    name = '"></text></svg>' + SCRIPT + "$\\frac{1}{2}$"
    drawn = figure(found, axis, [], [Threshold(name, 1)])
    assert "script" not in {tag for tag, _ in Page(drawn).elements}
    assert f"{name}: 1" in map(unescape, re.findall(r"<text[^>]*>([^<]*)</text>", drawn)), "and no formula"


def test_the_page_shows_each_point_and_tells_the_stages_apart() -> None:
    world = resolved()
    stages = Counter(each.stage for each in world.incident.status.samples if "processes.hostCpuPercent" in each.values)
    [drawn] = [each for each in re.findall(r"<figure>.*?</figure>", resolved_page(), re.DOTALL) if "host CPU" in each]
    for stage, count in stages.items():
        [points] = re.findall(rf'<g class="points {stage.lower()}">(.*?)</g>\s*</g>', drawn, re.DOTALL)
        assert points.count("<use ") == count, stage
    assert drawn.count('class="action"') == 1
    assert drawn.count('class="limit"') == 1
    assert "cpu: 80 %" in Page(drawn).text


def test_the_words_of_a_line_stand_where_the_curve_is_farther_from_it() -> None:
    def anchor(first: float, last: float) -> str:
        found = quantity("a.count", Unit.COUNT, ("Triage", first), ("Verification", last))
        drawn = figure(found, TimeAxis([found], []), [], [Threshold("none", 0)])
        [style] = re.findall(r'<text style="([^"]*)"[^>]*>none: 0</text>', drawn)
        return "end" if "text-anchor: end" in style else "start"

    assert (anchor(9, 0), anchor(0, 9)) == ("start", "end")


def test_a_criterion_draws_no_line_in_what_another_runbook_s_diagnostic_of_the_same_name_measured() -> None:
    world = resolved()
    rounds = [each.model_copy(update={"runbook": "another"}) for each in world.incident.status.samples]
    status = world.incident.status.model_copy(update={"samples": rounds})
    drawn = page_of(world, world.incident.model_copy(update={"status": status}))
    assert "host CPU" in drawn
    assert 'class="limit"' not in drawn


def test_every_figure_has_a_text_alternative_that_tells_the_numbers() -> None:
    found = Page(resolved_page())
    figures = [each for each in found.named("svg") if each.get("role") == "img"]
    assert len(figures) == len(found.named("figure")) == 4
    [cpu] = [each["aria-label"] or "" for each in figures if "host CPU" in (each["aria-label"] or "")]
    assert "host CPU on api-gateway-03: 97.5 % at 03:08:00 UTC, 12 % at 03:13:10 UTC" in cpu
    assert "criterion cpu compares it with 80 %" in cpu
    assert found.named("title")
    assert found.named("desc")


def test_no_two_elements_of_a_page_share_an_id() -> None:
    ids = Counter(attributes["id"] for _, attributes in Page(resolved_page()).elements if "id" in attributes)
    assert [name for name, count in ids.items() if count > 1] == []


def test_the_same_incident_gives_the_same_page() -> None:
    assert page_of(resolved()) == page_of(resolved())
    assert not re.search(r"20(?!26-03-14)[0-9]{2}-[0-9]{2}-[0-9]{2}T", resolved_page()), "no date but the incident's"


def test_colours_are_the_page_s_so_that_they_follow_its_scheme() -> None:
    drawn = "".join(re.findall(r"<svg role.*?</svg>", resolved_page(), re.DOTALL))
    assert re.findall(r"#[0-9a-f]{6}\b", re.sub(r"#m[0-9a-f]+|url\(#[^)]*\)", "", drawn)) == []
    assert {"--ink", "--faint", "--rule", "--data", "--limit", "--action"} <= set(
        re.findall(r"var\((--[a-z]+)\)", drawn)
    )


def test_an_incident_that_was_measured_once_has_no_figures_and_says_so() -> None:
    found = Page(page_of(miner()))
    assert found.named("figure") == []
    assert "Measured once, in triage" in found.text
    assert "Escalated" in found.text


def test_every_method_that_ran_is_an_action_of_its_own() -> None:
    world = test_methods.after_the_first()
    world.settle()
    world.values["disk"]["usedPercent"] = 60.0
    world.pass_time(minutes=3)
    drawn = page_of(world)
    assert drawn.count('class="action"') == 2 * drawn.count("<figure>") + 1, "in each figure, and once in the legend"


def test_without_the_runbook_revision_there_are_figures_without_thresholds() -> None:
    drawn = page(report_of(resolved().incident), None)
    assert "<figure>" in drawn
    assert 'class="limit"' not in drawn


def test_a_long_wait_for_an_approval_is_drawn_shorter_than_it_was() -> None:
    hours = timedelta(hours=5)
    early = quantity("a.count", Unit.COUNT, ("Triage", 1))
    points = [early.points[0]]
    for second in range(0, 310, 10):
        later = quantity("a.count", Unit.COUNT, ("Verification", 2)).points[0]
        points.append(later.__class__(START + hours + timedelta(seconds=second), "Verification", 2.0))
    found = early.__class__(early.runbook, early.name, early.unit, early.host, tuple(points))
    action = Action("restart", START + hours - timedelta(seconds=5), START + hours)
    axis = TimeAxis([found], [action])
    assert axis.wait == (START, START + hours - timedelta(seconds=5))
    assert axis.place(START) == 0
    assert axis.place(points[-1].time) == pytest.approx(1)
    assert axis.place(action.begin) == pytest.approx(0.25)
    places = [axis.place(each.time) for each in points]
    assert places == sorted(places)
    assert "… 4h59m55s …" in figure(found, axis, [action], [])


def test_a_short_wait_is_drawn_as_long_as_it_was() -> None:
    found = quantity("a.count", Unit.COUNT, *((("Triage", 1.0),) * 5))
    axis = TimeAxis([found], [])
    assert axis.wait is None
    assert [axis.place(each.time) for each in found.points] == [0, 0.25, 0.5, 0.75, 1]
    assert axis.ticks == [found.points[0].time, found.points[-1].time]


def test_a_figure_of_one_moment_can_be_drawn() -> None:
    found = quantity("a.count", Unit.COUNT, ("Triage", 0))
    assert "points triage" in figure(found, TimeAxis([found], []), [], [])


def test_a_figure_is_described_by_its_numbers() -> None:
    found = quantity("memory.availableBytes", Unit.BYTES, ("Triage", 2**30), ("Verification", 2**31))
    said = described(found, [Threshold("enough", 3 * 2**29)])
    assert said == (
        "1 GiB at 03:08:00 UTC, 2 GiB at 03:08:01 UTC; 2 measurements, the least 1 GiB; the most 2 GiB; "
        "criterion enough compares it with 1.5 GiB"
    )


def test_without_matplotlib_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("firstresponder.cli.views.report_page", "firstresponder.cli.views.plots"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    cluster: Any = None
    with pytest.raises(Refused, match=re.escape("pip install 'firstresponder[html]'")):
        commands._page(cluster, report_of(resolved().incident))
