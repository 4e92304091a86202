"""The page of a report in a real browser: laid out, its figures drawn, and nothing asked of the network."""

from __future__ import annotations

import html
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import Chromium
from tests.unit.cli.test_report import HOSTILE, fix_failed, miner, resolved, told
from tests.unit.cli.test_report_page import page_of

# What the browser made of the page, measured in it. It stands in for a reader's eyes, so only in these tests.
MEASURE = """<script>
const box = each => { const at = each.getBoundingClientRect(); return [at.left, at.top, at.right, at.bottom]; };
const result = {
  wide: document.documentElement.scrollWidth, window: window.innerWidth,
  paper: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
  headings: [...document.querySelectorAll("h1, h2")].map(each => each.textContent),
  figures: [...document.querySelectorAll("figure")].map(figure => ({
    caption: figure.querySelector("figcaption b").textContent,
    box: box(figure.querySelector("svg")),
    points: [...figure.querySelectorAll("g.points use")].map(box),
    lines: [...figure.querySelectorAll("g.limit path")].map(box),
    actions: [...figure.querySelectorAll("g.action path")].map(box),
    ink: getComputedStyle(figure.querySelector("text")).fill,
    data: getComputedStyle(figure.querySelector("g.line path")).stroke,
  })),
};
const told = document.createElement("pre");
told.id = "measured"; told.textContent = JSON.stringify(result); parent.document.body.append(told);
</script>"""
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
LEAKS = (
    '<img src="http://image.invalid/a.png"><link rel="stylesheet" href="http://style.invalid/a.css">'
    '<script src="http://script.invalid/a.js"></script><iframe src="http://frame.invalid/"></iframe>'
    '<style>p { background: url("http://background.invalid/a.png"); }</style>'
)


@pytest.fixture
def chromium(tmp_path: Path) -> Chromium:
    return Chromium(tmp_path)


def written(directory: Path, text: str) -> Path:
    path = directory / "report.html"
    path.write_text(text)
    return path


def measured(directory: Path, text: str, *, width: int = 1200, dark: bool = False) -> dict[str, Any]:
    """The page as the browser lays it out in a frame of this width; a window cannot be as narrow as a phone."""
    page = POLICY.sub("", text).replace("</body>", f"{MEASURE}</body>")
    frame = f'<iframe style="border: 0; width: {width}px; height: 4000px" srcdoc="{html.escape(page)}"></iframe>'
    holder = written(directory, f'<meta name="color-scheme" content="light dark">{frame}')
    shown = Chromium(directory).shown(holder, dark=dark)
    [found] = re.findall(r'<pre id="measured">(.*?)</pre>', shown, re.DOTALL)
    result: dict[str, Any] = json.loads(html.unescape(found))
    return result


@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_is_laid_out_and_each_figure_shows_its_points(tmp_path: Path, width: int) -> None:
    world = resolved()
    found = measured(tmp_path, page_of(world), width=width)
    assert found["window"] == width
    assert found["wide"] <= width, "nothing is wider than the window"
    assert found["headings"][:3] == ["Incident high-cpu-1", "What was measured", "Root cause"]
    figures = {each["caption"]: each for each in found["figures"]}
    assert list(figures) == ["processes: host CPU", "errors: count", "oom: count", "memory: available"]
    for name, title in (
        ("processes.hostCpuPercent", "processes: host CPU"),
        ("memory.availableBytes", "memory: available"),
    ):
        values = [each.values[name] for each in world.incident.status.samples if name in each.values]
        figure = figures[title]
        left, top, right, bottom = figure["box"]
        assert right - left > 300
        assert bottom - top > 100
        assert len(figure["points"]) == len(values)
        assert all(left <= x and right >= z and top <= y <= bottom for x, y, z, _ in figure["points"])


def test_points_stand_in_the_order_of_time_as_high_as_they_were_measured(tmp_path: Path) -> None:
    world = resolved()
    values = [each.values["processes.hostCpuPercent"] for each in world.incident.status.samples]
    [cpu] = [each for each in measured(tmp_path, page_of(world))["figures"] if "CPU" in each["caption"]]
    places = [((x + z) / 2, (y + w) / 2) for x, y, z, w in cpu["points"]]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    for (value, (_, height)), (later, (_, other)) in pairwise(zip(values, places, strict=True)):
        assert (value > later, value < later) == (height < other - 0.5, height > other + 0.5)
    [[_, limit, *_]] = cpu["lines"]
    assert places[0][1] < limit < places[-1][1], "the threshold lies between before and after"
    [[begin, _, end, _]] = cpu["actions"]
    assert places[1][0] - 1 <= begin < end <= places[2][0] + 1, "it was done between the last look before and the next"


@pytest.mark.parametrize("dark", [True, False])
def test_page_and_figures_follow_the_reader_s_scheme(tmp_path: Path, *, dark: bool) -> None:
    found = measured(tmp_path, page_of(resolved()), dark=dark)

    def brightness(colour: str) -> float:
        return sum(map(float, re.findall(r"[0-9.]+", colour)[:3])) / 3

    light = 255 - brightness(found["paper"]) if dark else brightness(found["paper"])
    assert light > 220
    for figure in found["figures"]:
        for colour in (figure["ink"], figure["data"], found["ink"]):
            assert abs(brightness(colour) - brightness(found["paper"])) > 60, colour


@pytest.mark.parametrize("world", [resolved, fix_failed, miner])
def test_the_page_asks_nothing_of_the_network(chromium: Chromium, tmp_path: Path, world: Any) -> None:
    text = page_of(world())
    assert "What was measured" in chromium.shown(written(tmp_path, text))
    assert [url for url in chromium.requests() if not url.startswith("file:")] == []


def test_a_page_that_would_ask_something_of_the_network_is_seen_to(chromium: Chromium, tmp_path: Path) -> None:
    chromium.shown(written(tmp_path, POLICY.sub("", page_of(resolved())).replace("</main>", f"{LEAKS}</main>")))
    asked = {url.split("/")[2] for url in chromium.requests() if url.startswith("http")}
    assert asked == {f"{each}.invalid" for each in ("image", "style", "script", "frame", "background")}


def test_the_page_s_policy_refuses_whatever_would_be_asked(chromium: Chromium, tmp_path: Path) -> None:
    shown = chromium.shown(written(tmp_path, page_of(resolved()).replace("</main>", f"{LEAKS}</main>")))
    assert "image.invalid" in shown
    assert [url for url in chromium.requests() if url.startswith("http")] == []


def test_hostile_text_runs_nothing_and_asks_nothing(chromium: Chromium, tmp_path: Path) -> None:
    attack = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">" + HOSTILE
    world = resolved()
    unguarded = POLICY.sub("", page_of(world, told(world, attack)))
    shown = chromium.shown(written(tmp_path, unguarded))
    assert "<title>Incident high-cpu-1: Resolved</title>" in shown
    assert "owned" in shown, "it is shown"
    assert [url for url in chromium.requests() if not url.startswith("file:")] == []
