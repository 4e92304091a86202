"""Lint: every problem is named by its field, and the shipped runbooks have none."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from firstresponder.actions.action import kebab
from firstresponder.actions.catalogue import TYPES
from firstresponder.runbooks.lint import lint
from tests.unit.incident.world import disk_full

RUNBOOKS = Path(__file__).parents[3] / "runbooks"
HIGH_CPU: dict[str, Any] = yaml.safe_load((RUNBOOKS / "high-cpu.yaml").read_text())["spec"]
THREADS = {"name": "threads", "command": {"argv": ["ps", "-eL"], "output": "lines"}}

Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_runbook_has_no_problem(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    assert lint(document["kind"], document["spec"]) == []


@pytest.mark.rule(3, 12, 13)
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda s: s.pop("verify"), "spec.verify: missing: "),
        (lambda s: s.pop("otherwise"), "spec.otherwise: missing: "),
        (lambda s: s["variables"][1].update(expression="procesess.x > 1.0"), "spec.variables[1].expression: procesess"),
        (
            lambda s: s["variables"][1].update(expression="cpuHigh"),
            "spec.variables[1].expression: cpuHigh is not known",
        ),
        (lambda s: s["variables"][0].update(name="errors"), "spec.variables[0].name: errors is already"),
        (lambda s: s["parameters"][0].update(name="in"), "spec.parameters[0].name: in is reserved"),
        (lambda s: s["guards"][0].update(when="memory.totalBytes + 1.0"), "spec.guards[0].when: gives a value"),
        (lambda s: s["guards"][0].update(when="has(memory.x)"), "spec.guards[0].when: has() turns evidence"),
        (lambda s: s["guards"][0].update(then={"action": "restart"}), "spec.guards[0].then: must escalate"),
        (lambda s: s["hypotheses"][0].update(when="1 == 2"), "spec.hypotheses[0].when: is always false"),
        (lambda s: s["hypotheses"][0].update(then={"action": "x"}), "spec.hypotheses[0].then.action: x is not among"),
        (lambda s: s["hypotheses"][0].update(then={"runbook": "x"}), "spec.hypotheses[0].then.runbook: only a Triage"),
        (lambda s: s["hypotheses"][0].update(then={}), "spec.hypotheses[0].then: give exactly one of action"),
        (lambda s: s.update(symptom="fever"), "spec.symptom: fever is not among spec.variables"),
        (lambda s: s["diagnostics"][0].update(role="x"), "spec.diagnostics[0].role: x is not among spec.roles"),
        (lambda s: s["diagnostics"][0].update(memory={}), "spec.diagnostics[0]: give exactly one probe"),
        (
            lambda s: s["diagnostics"][4]["http"].update(url="http://$(processes.top.unit)/"),
            "spec.diagnostics[4].http.url: $(processes) comes from evidence",
        ),
        (
            lambda s: s["actions"][0]["restartUnit"].update(unit="$(oom.extracted.request)"),
            "spec.actions[0].restartUnit.unit: $(oom) comes from evidence",
        ),
        (
            lambda s: s["actions"][0]["restartUnit"].update(unit="*.service"),
            "spec.actions[0].restartUnit.unit: '*.service' is not the name of one service",
        ),
        (
            lambda s: s["diagnostics"][1]["journal"].update(match="(("),
            "spec.diagnostics[1].journal.match: not a usable",
        ),
        (
            lambda s: s["actions"][0]["approval"].update(prompt="$(nobody)?"),
            "spec.actions[0].approval.prompt: $(nobody)",
        ),
        (lambda s: s["parameters"][0].update(default=101), "spec.parameters[0].default: 101 is above the maximum"),
        (lambda s: s["verify"].update(window="15m"), "spec.verify.timeout: 15m leaves no room"),
        (lambda s: s["verify"].update(window="10m", initialDelay="6m"), "spec.verify.timeout: 15m leaves no room"),
        (lambda s: s["parameters"][1].update(maximum="15m"), "spec.verify.timeout: 15m leaves no room"),
        (lambda s: s["parameters"][1].pop("maximum"), "spec.verify.window: $(window) has no end: give the parameter"),
        (lambda s: s["verify"].update(window="$(cpuThreshold)"), "spec.verify.window: $(cpuThreshold) is neither"),
        (lambda s: s["verify"].update(interval="0s"), "spec.verify.interval: 0s is no time between two samples"),
        (lambda s: s["verify"].update(window="10s"), "spec.verify.window: 10s can be shorter than the interval"),
        (lambda s: s["verify"].update(interval="500ms"), "spec.verify.interval: 500ms makes more than 1000 samples"),
        (lambda s: s["verify"]["criteria"][0].update(require="1.0"), "spec.verify.criteria[0].require: gives a value"),
        (lambda s: s["actions"][0].update(role="x"), "spec.actions[0].role: x is not among"),
        (
            lambda s: s["variables"][1].update(expression="processes.cup > 1.0"),
            "spec.variables[1].expression: processes has no field cup: did you mean cpu? it has cpu, forksPerSecond",
        ),
        (
            lambda s: s["variables"][1].update(signal="$(memory.free)"),
            "spec.variables[1].signal: memory has no field free",
        ),
        (lambda s: s.update(experiments=[THREADS, THREADS]), "spec.experiments[1].name: threads is already"),
        (
            lambda s: s.update(experiments=[{**THREADS, "name": "errors"}]),
            "spec.experiments[0].name: errors is already",
        ),
        (lambda s: s.update(experiments=[{**THREADS, "role": "x"}]), "spec.experiments[0].role: x is not among"),
        (lambda s: s.update(experiments=[{**THREADS, "memory": {}}]), "spec.experiments[0]: give exactly one probe"),
        (
            lambda s: s.update(experiments=[{"name": "page", "http": {"url": "http://$(oom.extracted.request)/"}}]),
            "spec.experiments[0].http.url: $(oom) comes from evidence",
        ),
        (
            lambda s: s.update(experiments=[{"name": "heap", "journal": {"kernel": True, "extract": {"x": "(("}}}]),
            "spec.experiments[0].journal.extract.x: not a usable",
        ),
        (
            lambda s: (s.update(experiments=[THREADS]), s["hypotheses"][0].update(when="threads.lines.size() > 400")),
            "spec.hypotheses[0].when: threads is not known here",
        ),
        (
            lambda s: (s.update(experiments=[THREADS]), s["guards"][0].update(when="baseline.threads.lines == []")),
            "spec.guards[0].when: baseline has no diagnostic threads; it has",
        ),
        (
            lambda s: (
                s.update(experiments=[THREADS]),
                s["actions"][0]["approval"].update(prompt="$(threads.lines)?"),
            ),
            "spec.actions[0].approval.prompt: $(threads) is not known here",
        ),
        (
            lambda s: s["diagnostics"].append(
                {"name": "load", "command": {"argv": ["uptime"], "output": "jc", "parser": "uptime"}}
            ),
            "spec.diagnostics[6].command.parser: uptime is not among the parsers of jc that are used: dpkg-l, free",
        ),
        (lambda s: s["guards"][0].update(when="'x' in errors"), "spec.guards[0].when: "),
        (lambda s: s.update(surprise=1), "spec.surprise: surprise is not known here: "),
    ],
)
def test_a_problem_is_named_by_its_field(change: Change, problem: str) -> None:
    spec = copy.deepcopy(HIGH_CPU)
    change(spec)
    assert [str(each) for each in lint("Runbook", spec) if str(each).startswith(problem)], lint("Runbook", spec)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda a: a.pop("until"), "until: missing: methods need a condition"),
        (lambda a: a.update(until="1 == 1"), "until: is always true"),
        (lambda a: a.update(until="disk.percent < 80"), "until: disk has no field percent"),
        (lambda a: a["approval"].pop("class"), "approval.class: missing: name the ActionClass of methods"),
        (lambda a: a["methods"][1].update(name="journald-vacuum"), "methods[1].name: journald-vacuum is defined twice"),
        (lambda a: a["methods"][0].update(when="nobody"), "methods[0].when: nobody is not known"),
        (lambda a: a["methods"][0].update(when="disk.usedPercent + 1.0"), "methods[0].when: gives a value"),
        (lambda a: a["methods"][0].update(tmpfilesClean={}), "methods[0]: give exactly one of journalVacuum"),
        (
            lambda a: a["methods"][0]["journalVacuum"].update(olderThan="59m"),
            "methods[0].journalVacuum.olderThan: 59m is less",
        ),
        (
            lambda a: a["methods"][1]["logrotate"].update(config="$(disk.usedPercent)"),
            "methods[1].logrotate.config: $(disk) comes from evidence",
        ),
        (lambda a: a["methods"][1]["logrotate"].update(config="etc/x"), "methods[1].logrotate.config: etc/x is not an"),
        (lambda a: a["rollback"].update(offerInverse=True), "rollback.offerInverse: methods has no inverse"),
        (lambda a: a.update(command={"argv": ["/bin/true"]}), "give exactly one of restartUnit, ansibleScale, methods"),
        (lambda a: a.update(methods=[]), "methods: is empty: "),
    ],
)
def test_a_problem_of_methods_is_named_by_its_field(change: Change, problem: str) -> None:
    spec = disk_full()["spec"]
    assert lint("Runbook", spec) == []
    change(spec["actions"][0])
    assert [str(each) for each in lint("Runbook", spec) if problem in str(each)], lint("Runbook", spec)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda a: a.update(until="cpuHigh"), "until: ansibleScale has no methods"),
        (
            lambda a: a["ansibleScale"].update(current="replicas.number"),
            "ansibleScale.current: replicas has",
        ),
        (
            lambda a: a["ansibleScale"].update(playbook="../x.yml"),
            "ansibleScale.playbook: '../x.yml' is not a path below",
        ),
        (lambda a: a["ansibleScale"].update(inventory="/etc/x"), "ansibleScale.inventory: '/etc/x' is not a path"),
        (
            lambda a: a["ansibleScale"].update(variable="$(replicas.count)"),
            "ansibleScale.variable: $(replicas) comes from evidence",
        ),
        (
            lambda a: a["ansibleScale"].update(variable="ansible_user"),
            "ansibleScale.variable: 'ansible_user' is not the name",
        ),
        (
            lambda a: a["ansibleScale"].update(variable="$(group)`id`"),
            "ansibleScale.variable: 'x`id`' is not the name of a variable",
        ),
        (lambda a: a["ansibleScale"].pop("group"), "ansibleScale.group: missing: "),
        (
            lambda a: a["ansibleScale"].update(group="all"),
            "ansibleScale.group: no inventory diagnostic of role control-node",
        ),
        (
            lambda a: a["ansibleScale"].update(inventory="inventories/test"),
            "ansibleScale.group: no inventory diagnostic",
        ),
        (
            lambda a: a.update(role="target"),
            "ansibleScale.group: no inventory diagnostic of role target counts $(group) of",
        ),
        (lambda a: a["ansibleScale"].update(timeout="soon"), 'ansibleScale.timeout: "soon" is not a duration'),
        (lambda a: a["ansibleScale"].update(timeout="12s"), "ansibleScale.timeout: 12s is not within 13s and 24h"),
    ],
)
def test_a_problem_of_a_scale_is_named_by_its_field(change: Change, problem: str) -> None:
    spec = copy.deepcopy(HIGH_CPU)
    change(spec["actions"][1])
    assert [str(each) for each in lint("Runbook", spec) if problem in str(each)], lint("Runbook", spec)


@pytest.mark.parametrize(
    ("timeout", "usable"), [("4s", False), ("4999ms", False), ("5s", True), ("24h", True), ("1d1s", False)]
)
@pytest.mark.parametrize("kind", ["restartUnit", "command", "methods"])
def test_a_timeout_with_which_every_host_would_refuse_is_a_problem(kind: str, timeout: str, usable: bool) -> None:
    spec = disk_full()["spec"]
    action = spec["actions"][0]
    if kind == "methods":
        action["methods"][2]["timeout"] = timeout
    else:
        del action["methods"], action["until"]
        action[kind] = {
            "timeout": timeout,
            **({"unit": "x.service"} if kind == "restartUnit" else {"argv": ["/bin/x"]}),
        }
    field = "methods[2].timeout" if kind == "methods" else f"{kind}.timeout"
    problem = f"spec.actions[0].{field}: {timeout} is not within 5s and 24h: hosts refuse an order with less or more"
    assert [str(each) for each in lint("Runbook", spec)] == ([] if usable else [problem])


def test_lint_knows_the_time_that_each_program_of_a_host_keeps_for_itself() -> None:
    for path in (RUNBOOKS.parent / "host" / "actions").iterdir():
        settle = int(found[1]) if (found := re.search(r"^settle=(\d+)", path.read_text(), re.MULTILINE)) else 0
        kept = re.search(r"^patience=\$\(\(.* - (\d+)\)\)", path.read_text(), re.MULTILINE)
        assert kept is not None, path
        least = next((kind.least_timeout for kind in TYPES.values() if kebab(kind.name) == path.name), 5)
        assert least > int(kept[1]) + settle, path


@pytest.mark.parametrize("path", ["/etc/ansible/hosts", "../x", "a/../../x", "-x"])
def test_an_inventory_that_is_counted_lies_in_the_project(path: str) -> None:
    spec = copy.deepcopy(HIGH_CPU)
    spec["diagnostics"][5]["inventory"]["path"] = path
    problem = f"spec.diagnostics[5].inventory.path: {path!r} is not a path in the project"
    assert [str(each) for each in lint("Runbook", spec) if str(each).startswith(problem)]


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (["/usr/local/sbin/flush", "--service=$(service)"], None),
        (["flush"], "command.argv: 'flush' is not the absolute path of a program"),
        (["/bin/flush", "two words"], "command.argv: an argument is empty or contains white space"),
        (["/bin/flush", "$(errors.count)"], "command.argv[1]: $(errors) comes from evidence"),
        ([], "command.argv: is empty: "),
    ],
)
def test_a_command_is_linted_word_by_word(argv: list[str], problem: str | None) -> None:
    spec = copy.deepcopy(HIGH_CPU)
    action = spec["actions"][0]
    del action["restartUnit"]
    action["command"] = {"argv": argv}
    action["approval"]["class"] = "run-command"
    found = [str(each) for each in lint("Runbook", spec)]
    assert found == [] if problem is None else any(problem in each for each in found), found


@pytest.mark.rule(1)
def test_a_role_that_is_not_there_is_told_with_what_the_action_looks_at_by_itself() -> None:
    spec = copy.deepcopy(HIGH_CPU)
    spec["actions"][0]["role"] = "x"
    assert any("it also looks at restart/unit there" in str(each) for each in lint("Runbook", spec))


def test_all_problems_are_told_at_once() -> None:
    spec = copy.deepcopy(HIGH_CPU)
    spec["symptom"] = "fever"
    spec["hypotheses"][0]["when"] = "1 == 2"
    assert {problem.field for problem in lint("Runbook", spec)} >= {"spec.symptom", "spec.hypotheses[0].when"}


def test_experiments_may_use_parameters_and_the_incidents_service() -> None:
    spec = copy.deepcopy(HIGH_CPU)
    spec["experiments"] = [THREADS, {"name": "heap", "journal": {"unit": "$(service).service", "since": "$(window)"}}]
    assert lint("Runbook", spec) == []
