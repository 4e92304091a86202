"""A rendered page: whoever follows it, knowing nothing else, comes to what the operator comes to."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from firstresponder.replay.test_cases import patched, run_tests
from firstresponder.runbooks.models import Runbook, TriagePlaybook
from firstresponder.runbooks.page import KnownHost, Unusable, page, render_context
from firstresponder.runbooks.parameters import InvalidParameter
from tests.testbed.follower import Page, Verdict, codes, decide

RUNBOOKS = {path.stem: path for path in sorted((Path(__file__).parents[3] / "runbooks").glob("*.yaml"))}
KINDS: dict[str, type[Runbook | TriagePlaybook]] = {"Runbook": Runbook, "TriagePlaybook": TriagePlaybook}


@cache
def shipped(name: str) -> Any:
    return yaml.safe_load(RUNBOOKS[name].read_text())


def runbook(name: str = "high-cpu", change: Any = None) -> Runbook | TriagePlaybook:
    document = copy.deepcopy(shipped(name))
    if change is not None:
        change(document["spec"])
    return KINDS[document["kind"]].model_validate(document)


def rendered(name: str = "high-cpu", change: Any = None, **given: Any) -> str:
    found = runbook(name, change)
    return page(found, render_context(found.spec, **given))


def cases() -> Iterator[Any]:
    for name in RUNBOOKS:
        tests = runbook(name).spec.tests
        for case in tests.cases if tests is not None else ():
            yield pytest.param(name, case.name, id=f"{name}: {case.name}")


@pytest.mark.parametrize(("name", "case_name"), list(cases()))
def test_whoever_follows_the_page_decides_as_the_operator(name: str, case_name: str) -> None:
    spec = runbook(name).spec
    assert spec.tests is not None
    case = next(each for each in spec.tests.cases if each.name == case_name)
    result = next(each for each in run_tests(spec) if each.name == case_name).outcome
    found = patched(spec.tests.evidence[case.given], case.with_)
    verdict = decide(Page(rendered(name)), found)
    hypothesis = next((each for each in spec.hypotheses if each.name == result.cause), None)
    if result.verify_only:
        assert verdict == Verdict("Verify")
    elif result.runbook is not None:
        assert verdict == Verdict("Go on", result.runbook)
    elif hypothesis is not None and hypothesis.then.action is not None:
        # What is judged later (preconditions, counts) is told with the action.
        assert verdict == Verdict("Do", hypothesis.then.action)
    else:
        assert result.escalate is not None
        assert verdict == Verdict("STOP", result.escalate.value)


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("`processes.hostCpuPercent > 80`", "`processes.hostCpuPercent > 98`"),
        ("`oom.count > 0`", "`oom.count > 9`"),
        ("p.cpuPercent > 20", "p.cpuPercent > 200"),
        ("If `cpuShort` is false", "If `noErrors` is false"),
        ("| 50 |", "| 41 |"),
    ],
)
def test_a_page_that_says_something_else_leads_elsewhere(said: str, instead: str) -> None:
    spec = runbook().spec
    assert spec.tests is not None
    text = rendered()
    assert said in text
    evidence = [patched(spec.tests.evidence[each.given], each.with_) for each in spec.tests.cases]
    # Both causes hold, 10 points apart: the margin counts.
    text = text.replace("&& noErrors &&", "&&")
    evidence.append(patched(evidence[0], {"memory": {"availableBytes": 2**40}}))
    changed = text.replace(said, instead).replace("less than 20 points", "less than 15 points")
    assert [decide(Page(text), each) for each in evidence] != [decide(Page(changed), each) for each in evidence]


@pytest.mark.rule(7)
def test_two_causes_that_lead_to_the_same_are_not_ambiguous_whatever_is_recommended_beside() -> None:
    def change(spec: dict[str, Any]) -> None:
        advice = [{"to": ["dba"], "text": "Look at it."}]
        spec["hypotheses"][1] |= {"when": "serviceIsTop", "then": {"action": "restart", "recommendations": advice}}

    spec = runbook(change=change).spec
    assert spec.tests is not None
    found = patched(spec.tests.evidence["busy"], {"oom": {"count": 9}})
    text = rendered(change=change)
    assert decide(Page(text), found) == Verdict("Do", "restart")
    assert "(Recommend to dba: Look at it.)" in text
    assert decide(
        Page(text.replace("| Do `restart` (**Act**). |", "| Do `scale-out` (**Act**). |", 1)), found
    ) == Verdict("STOP", "AmbiguousRootCause")


@pytest.mark.parametrize("name", RUNBOOKS)
def test_a_page_says_how_to_read_each_value_that_a_condition_or_a_text_reads_and_no_other(name: str) -> None:
    text = rendered(name)
    parsed = Page(text)
    looks = {codes(part.title)[0] for part in parsed.sections["Look"][1:]}
    told = {path for part in parsed.sections["Look"][1:] for row in part.table("Value") for path in codes(row[0])}
    spans = re.findall(r"`([^`\n]+)`", text.partition("## Decide")[2])
    read = {
        path
        for span in spans
        for path in re.findall(r"(?:baseline\.)?([a-zA-Z]+(?:\.(?!exists|filter)[a-zA-Z]+)+)", span)
    }
    assert told == {path for path in read if path.partition(".")[0] in looks}


@pytest.mark.parametrize("name", RUNBOOKS)
def test_no_template_is_left_and_every_command_is_for_a_shell(name: str) -> None:
    text = rendered(name)
    for fence in (each for each in MarkdownIt().parse(text) if each.type == "fence"):
        assert fence.info == "sh"
    assert not re.search(r"\$\([A-Za-z][\w.]*\)", text)


def test_what_is_known_stands_in_the_conditions() -> None:
    text = rendered(service="checkout", hosts={"target": KnownHost("c-07", "10.1.0.7", ["checkout.service"])})
    assert "`processes.own.cpuSharePercent >= 50`" in text
    assert "!p.names.exists(n, n in ['checkout.service'])" in text
    assert "10.0.0.3" not in text
    assert r"`memory.availablePercent < 10 \|\| memory.availableBytes < 1048576`" in text
    assert "http://10.1.0.7/health" in text
    assert '--extra-vars "{\\"checkout_instances\\": ${instances:?}}"' in text
    changed = rendered(parameters={"cpuThreshold": 91.5})
    assert "`processes.hostCpuPercent > 91.5`" in changed
    assert "| `cpuThreshold` | `91.5` | `91.5` | number | `1` to `100` |" in changed


def test_a_host_that_nobody_named_stands_there_in_capitals_and_its_units_are_asked_for() -> None:
    text = rendered(hosts={"target": KnownHost("c-07", "c-07")})
    assert "`CONTROL-NODE` stands for the one Host with the labels `firstresponder.dev/role=control-node`" in text
    assert "`hosts.target.expectedUnits` are the units that are expected there: `kubectl get host c-07 -o yaml`" in text
    assert "!p.names.exists(n, n in hosts.target.expectedUnits)" in text
    text = rendered("restore-db-connectivity", service="payroll")
    assert "exec 3<>/dev/tcp/DATABASE/5432" in text
    assert "`service=payroll`" in text


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"hosts": {"taget": KnownHost("x", "x")}}, Unusable, "taget is not a role of this runbook (it has: target, "),
        ({"parameters": {"cpuThreshold": 900}}, InvalidParameter, "spec.parameters.cpuThreshold: 900 is above"),
        ({"parameters": {"fever": 1}}, InvalidParameter, "spec.parameters.fever is not a parameter of this runbook"),
        ({"hosts": {"target": KnownHost("x", "x y")}}, Unusable, "diagnostic health: url: 'http://x y/health' is not"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_name(given: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=re.escape(words)):
        rendered(**given)


def test_without_tests_a_service_has_to_be_given() -> None:
    with pytest.raises(Unusable, match="the runbook has no tests that would name a service: give one"):
        rendered(change=lambda spec: spec.pop("tests"))
    assert "`TARGET`" in rendered(change=lambda spec: spec.pop("tests"), service="api")


HOSTILE = "a | b ` # <script>alert(1)</script> [x](http://evil) **STOP:** $(service) ~~~\n\n# b\n\n```\n\x1b[31m\u202e"


def test_no_text_of_a_runbook_acts_as_markup() -> None:
    def told(text: str) -> Any:
        def change(spec: dict[str, Any]) -> None:
            spec["otherwise"]["escalate"]["humanAction"] = text
            spec["variables"][1]["signal"] = text
            spec["hypotheses"][0]["rootCause"]["summary"] = text
            spec["hypotheses"][0]["followUps"][0]["title"] = text
            spec["actions"][0]["approval"]["prompt"] = text
            spec["actions"][0]["rollback"]["plan"] = text
            spec["actions"][0]["risk"]["userImpact"] = text
            spec["match"] = {"types": [text], "alerts": [text]}
            spec["tests"]["hosts"]["target"]["expectedUnits"] = [text]
            spec["roles"][1]["selector"]["matchLabels"] = {text: "x"}
            spec["diagnostics"][2]["journal"]["extract"]["request"] = text
            evil = {"name": "evil", "type": "string", "default": "x", "minimum": text, "fromAlertLabel": text}
            spec["parameters"].append({**evil, "pattern": f"x|{re.escape(text)}"})
            quoted = "".join(each for each in text if each.isprintable())
            spec["guards"][0]["when"] = f"service == '{quoted}'"
            spec["actions"][1]["ansibleScale"]["current"] = f"service == '{quoted}' ? 1.0 : 2.0"

        return change

    def printed(text: str) -> str:
        found = runbook(change=told(text))
        described = found.metadata.model_copy(update={"annotations": {"kubernetes.io/description": text}})
        found = found.model_copy(update={"metadata": described})
        return page(found, render_context(found.spec))

    def structure(text: str) -> list[str]:
        tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
        inside = (child for token in tokens for child in token.children or [])
        return [f"{each.type} {each.tag}" for each in (*tokens, *inside) if each.type not in {"text", "text_special"}]

    hostile = printed(HOSTILE)
    assert structure(hostile) == structure(printed("harmless"))
    assert all(each.isprintable() for each in hostile.splitlines())


@pytest.mark.parametrize("word", ["x\nreboot", "x\x1b[201~", "x\u202e"])
def test_no_command_has_a_character_that_a_terminal_would_obey(word: str) -> None:
    with pytest.raises(Unusable, match="holds control or invisible characters"):
        rendered(change=lambda spec: spec["roles"][1]["selector"].update(matchLabels={"role": word}))
    with pytest.raises(Unusable, match=r"action restart: .* holds control or invisible characters"):
        rendered(change=lambda spec: spec["actions"][0]["restartUnit"].update(unit=word))


def test_in_mode_observe_an_action_is_only_proposed() -> None:
    text = rendered(change=lambda spec: spec.update(mode="Observe"))
    assert "what follows is only proposed: **STOP:** `ManualActionRequired`." in text
    assert "This runbook has no actions" in rendered("network-diagnostics")


def test_experiments_are_shown_and_said_to_decide_nothing() -> None:
    threads = {"name": "threads", "command": {"argv": ["ps", "-eLf"], "output": "lines"}}
    text = rendered(change=lambda spec: spec.update(experiments=[threads]))
    assert "no condition reads it:\n\n### `threads` on api-gateway-03\n\n```sh\nps -eLf\n```" in text


def test_a_command_is_shown_word_for_word() -> None:
    def change(spec: dict[str, Any]) -> None:
        action = spec["actions"][0]
        del action["restartUnit"]
        action["command"] = {"argv": ["/usr/local/sbin/flush-cache", "--service=$(service)"]}
        action["approval"] = {**copy.deepcopy(action["approval"]), "class": "run-command", "requiredApprovals": 2}

    text = rendered(change=change)
    assert 'sudo /usr/local/sbin/flush-cache --service=api-gateway; echo "status=$?"' in text
    assert "2 people who may approve the class `run-command`" in text


def test_people_who_say_no_or_nothing_in_time_are_the_end_of_it() -> None:
    text = rendered(change=lambda spec: spec["actions"][0]["approval"].update(expiresAfter="20m"))
    said = "Denied: **STOP:** `ApprovalDenied`. Not approved within 20m: **STOP:** `ApprovalExpired`."
    assert f"- **Without it:** {said}\n" in text


def test_nothing_is_played_dry_that_could_turn_the_check_off() -> None:
    text = rendered().partition("### `scale-out`")[2]
    asked, played = text.index("firstresponder-project checks"), text.index("ansible-playbook --check")
    assert asked < text.index("STOP if `status` is not 0.") < played < text.index("It **changes** something.")


def test_whoever_did_nothing_is_told_that_it_did_not_recover() -> None:
    assert "unmet criteria are listed. If nothing was done: **STOP:** `NotRecovered`.\n" in rendered()
    # A Runbook that never acts says itself what then is to be done.
    (failed,) = re.findall("^If it failed: .*$", rendered("network-diagnostics"), re.MULTILINE)
    assert failed.startswith("If it failed: **STOP:** `NotRecovered`. Escalate to on-call: ")
    assert failed.count("NotRecovered") == 1


def test_a_value_that_is_named_beside_a_mention_leaves_no_code_span() -> None:
    def change(spec: dict[str, Any]) -> None:
        action = "Write to team@x.$(processes.top.unit), see #1$(oom.count) and api_$(oom.count)_x."
        spec["verify"]["onFailure"]["escalate"]["humanAction"] = action

    said = "Write to `team@x.processes.top.unit`, see `#1oom.count` and api\\_`oom.count`\\_x. If nothing was done"
    assert said in rendered(change=change)
