"""A type of action or a diagnostic is one file and its line in the catalogue: everything else knows it from there.

Made-up ones are added to a copy of the package that way, and it is asked what it makes of them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
FILES = {
    "evidence/container.py": "evidence_container.txt",
    "actions/restart_container.py": "actions_restart_container.txt",
    "actions/resize_group.py": "actions_resize_group.txt",
}
LINES = {
    "evidence": ("command.PROBE", "command.PROBE, container.PROBE"),
    "actions": ("command.TYPE", "command.TYPE, restart_container.TYPE, resize_group.TYPE"),
}
"""What stands in each catalogue, and what is written for it."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, with the types that are made up."""
    folder = tmp_path_factory.mktemp("copy") / "operator"
    copy = folder / "firstresponder"
    shutil.copytree(ROOT / "operator" / "firstresponder", copy, ignore=shutil.ignore_patterns("__pycache__"))
    for path, source in FILES.items():
        assert not (copy / path).exists()
        shutil.copy(HERE / source, copy / path)
    for part, (before, after) in LINES.items():
        catalogue = copy / part / "catalogue.py"
        text = catalogue.read_text()
        assert text.count(before) == 1
        modules = ", ".join(Path(path).stem for path in FILES if path.startswith(part))
        line = f"from firstresponder.{part} import {modules}\nfrom firstresponder.{part}."
        catalogue.write_text(text.replace(before, after).replace(f"from firstresponder.{part}.", line, 1))
    return folder


@pytest.fixture(scope="module")
def told(package: Path) -> Any:
    environment = {**os.environ, "PYTHONPATH": f"{package}:{ROOT}"}
    command = [sys.executable, "-m", "tests.unit.made_up.told"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=package, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_nothing_is_wrong_with_a_runbook_that_uses_them(told: Any) -> None:
    assert told["lint"]["good"] == []


@pytest.mark.parametrize(
    ("mistake", "problem"),
    [
        (
            "evidence in an argument",
            r"restartContainer.container: \$\(processes\) comes from evidence, which no argument may use",
        ),
        ("an argument that no host takes", "restartContainer.container: 'a b' is not a container's name"),
        ("a time-out", "restartContainer.timeout: 6s is not within 7s and 24h"),
        ("an unknown field", "restartContainer.name: name is not known here: .*known are container, timeout"),
        ("an inverse", "restartContainer has no inverse: only ansibleScale or resizeGroup has one"),
        ("two types", "give exactly one of .*, restartContainer, resizeGroup .*given: restartContainer, resizeGroup"),
        ("no class", "approval.class: missing: name the ActionClass of resizeGroup"),
        ("a number", r"resizeGroup.desired: \+ cannot be applied to box.running, which is true or false"),
        ("a field of the diagnostic", "resizeGroup.current: box has no field memory: did you mean memoryBytes"),
        (
            "an argument of the diagnostic",
            r"diagnostics\[\d\].container.container: 'a b' is not a container's name",
        ),
        (
            "evidence in the diagnostic",
            r"diagnostics\[\d\].container.container: \$\(processes\) comes from evidence",
        ),
        ("a pattern of the diagnostic", r"spec.diagnostics\[\d\].container.label: not a usable regular expression"),
    ],
)
def test_lint_refuses_what_it_refuses_of_every_type(told: Any, mistake: str, problem: str) -> None:
    assert re.search(problem, "\n".join(told["lint"][mistake])), told["lint"][mistake]


def test_a_packet_orders_what_the_type_asks_a_host_for(told: Any) -> None:
    order = told["packet"]["orders"][0]
    assert (order["action"], order["arguments"]) == ("restart-container", ["web", "first"])
    assert (told["packet"]["actionClass"], told["packet"]["proposedAction"]["target"]) == ("restart-container", "web")


def test_a_packet_binds_the_count_of_a_type_that_changes_one(told: Any) -> None:
    packet = told["packet of a count"]
    assert packet["orders"][0]["arguments"] == ["web", "4", "5"]
    unchanged = {"name": "count-unchanged", "require": "(box.memoryBytes) == 4.0"}
    assert unchanged in [{"name": each["name"], "require": each["require"]} for each in packet["preconditions"]]


def test_just_before_acting_the_type_says_whether_its_order_still_fits(told: Any) -> None:
    assert told["recheck"].startswith("PacketSuperseded: ")
    assert "web is another instance now" in told["recheck"]
    assert told["recheck of a count"] == "PacketSuperseded: there are 5 instances now, not 4"


def test_a_decision_is_explained_and_made_again(told: Any) -> None:
    conclusion, _, differences = told["explain"]
    assert (conclusion, differences) == (
        "cause memory-leak: propose restart (restart container web on api-gateway-03)",
        [],
    )
    _, judged, differences = told["explain of a count"]
    assert [each for each in judged if each[0] == "Count"] == [
        ["Count", "current", "4"],
        ["Count", "desired", "5"],
        ["Count", "minimum", "1"],
        ["Count", "maximum", "7"],
    ]
    assert differences == []


def test_the_page_tells_a_person_what_to_run_and_how_to_read_it(told: Any) -> None:
    assert "sudo podman restart web" in told["page"]
    assert "podman inspect web" in told["page"]
    assert "`restart-container`" in told["page"]
    assert "Instances" in told["page of a count"]
    assert "box.memoryBytes + 1.0`, a whole number from 1 to" in told["page of a count"]
    assert "| `box.memoryBytes` | `MemUsage` |" in told["page of a count"]


def test_references_schemas_and_classes_have_them(told: Any) -> None:
    for field in ("actions[].restartContainer.container", "diagnostics[].container.label"):
        assert f"`{field}`" in told["reference"]
    for rule in (
        "has(self.command), has(self.restartContainer), has(self.resizeGroup)].filter",
        "has(self.ansibleScale) || has(self.resizeGroup) || !has(self.rollback.offerInverse)",
        "has(self.command) || has(self.resizeGroup)) || has(self.approval.class)",
        "has(self.command), has(self.container)].filter",
    ):
        assert rule in told["crd"]
    assert "## container" in told["diagnostics"]
    assert "Remembered over time: `memoryBytes`." in told["diagnostics"]
    assert "name: restart-container" in told["classes"]


def test_no_other_code_names_a_single_type() -> None:
    """Of the real ones, in Python: the catalogue is the only place that knows what there is."""
    package = ROOT / "operator" / "firstresponder"
    named = re.compile(
        r"\b(ansible_scale|ansibleScale|AnsibleScale|restart_unit|RestartUnit|free_space|JournalVacuum)\b"
    )
    code = [path for path in package.rglob("*.py") if path.parent.name != "actions"]
    found = [path.relative_to(package) for path in code if named.search(path.read_text())]
    assert found == []
