"""The report of an incident: what it says, in which words, and that nobody's text can do anything in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, RenderableType

from firstresponder.api.incident import DiagnosticResult, Incident, Phase
from firstresponder.cli.views.incident import incident_view
from firstresponder.cli.views.packet import packet_view
from firstresponder.reporting.report import Report, report_of, values_text
from firstresponder.reporting.report_json import document
from firstresponder.reporting.report_markdown import markdown
from firstresponder.safety.markdown import code, prose
from firstresponder.safety.neutralise import neutralise
from tests.unit.incident import test_methods, test_scale
from tests.unit.incident.test_playbook import BUSY, unavailable
from tests.unit.incident.world import World, awaiting_approval, dry_run, incident, leak, recovered, restarted

HOSTILE = (
    "# heading\n## more\n- item\n[link](https://evil.example) ![image](https://evil.example/x.png) <b>html</b>\n"
    "| a | b |\n|---|---|\n```\nfence\n``` `code` **bold** <https://evil.example> "
    "\\| \\\\| www.evil.example &amp; ~~x~~\n"
    "\x1b[31m\u202egnp.exe 1. one"
)


def reported(world: World) -> Report:
    return report_of(world.incident, world.request)


@cache
def resolved() -> World:
    world = awaiting_approval()
    world.review("alice@example.com", comment="go")
    world.settle()
    world.values = recovered()
    world.pass_time(minutes=6)
    assert world.phase() == Phase.RESOLVED
    return world


@cache
def fix_failed() -> World:
    world = restarted()
    world.pass_time(minutes=16)
    return world


@cache
def miner() -> World:
    values = leak()
    values["processes"]["list"].append(
        {"cpuPercent": 150.0, "unit": "session-3.scope", "names": ["session-3.scope"], "kernelThread": False}
    )
    world = World(values=values)
    world.settle()
    return world


def test_the_headline_of_a_waiting_incident_says_what_is_proposed_why_and_how_to_answer() -> None:
    headline = reported(awaiting_approval(incident=incident(summary="CPU above 90 %"))).headline
    assert headline.wrong == "CPU above 90 %"
    assert headline.label == "Proposed"
    assert "restart api-gateway.service on api-gateway-03" in headline.happened
    assert "memory leak" in headline.happened
    assert "2026-03-14 03:38:00Z" in headline.to_do
    assert headline.command == "kubectl approve high-cpu-1-1 -n prod"


def test_an_approved_packet_asks_nothing_more_of_the_reader() -> None:
    world = awaiting_approval()
    world.review("alice@example.com")
    assert reported(world).headline.command is None


def test_a_headline_without_a_summary_names_type_service_and_host() -> None:
    assert reported(awaiting_approval()).headline.wrong == "HighCPU on api-gateway (api-gateway-03)"


def test_the_headline_of_an_escalation_puts_the_human_action_and_whom_into_what_to_do() -> None:
    headline = reported(miner()).headline
    assert headline.happened.startswith("SecurityIncident: ")
    assert headline.happened.endswith("Nothing was changed.")
    assert headline.to_do == (
        "Investigate a possible compromise of api-gateway-03. `kubectl incident explain high-cpu-1 -n prod` shows each "
        "condition and the values behind it. (for security)"
    )


def test_nothing_was_changed_is_not_said_once_something_was_tried() -> None:
    happened = reported(fix_failed()).headline.happened
    assert "after the action restart of api-gateway.service on api-gateway-03: not met" in happened
    assert "Nothing was changed" not in happened


def test_a_started_action_can_be_stopped_by_the_command_shown() -> None:
    world = awaiting_approval()
    world.review("alice@example.com")
    while world.phase() != Phase.ACTING:
        world.step()
    command = reported(world).headline.command
    assert command is not None
    assert json.loads(command.split(" -p ")[1].strip("'")) == {"spec": {"abort": True}}


def test_a_resolved_incident_leaves_only_its_follow_ups_to_do() -> None:
    headline = reported(resolved()).headline
    assert headline.happened == "restart api-gateway.service on api-gateway-03: done, verified."
    assert "Fix memory leak in api-gateway /api/v1/reports" in headline.to_do


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_a_headline_even_with_an_empty_status(phase: Phase) -> None:
    bare = incident()
    headline = report_of(bare.model_copy(update={"status": bare.status.model_copy(update={"phase": phase})})).headline
    assert all([headline.wrong, headline.happened, headline.to_do])


def test_the_json_of_a_resolved_incident_has_the_fields_of_an_incident_record() -> None:
    record = document(reported(resolved()))
    assert record["incident_id"] == "high-cpu-1"
    assert record["service"] == "api-gateway"
    assert [entry["event"] for entry in record["timeline"]] == [
        "alert_fired",
        "triage_started",
        "triage_completed",
        "approval_requested",
        "approval_granted",
        "fix_started",
        "fix_completed",
        "verification_passed",
        "resolved",
    ]
    by_event = {entry["event"]: entry for entry in record["timeline"]}
    assert by_event["triage_started"]["agent"] is True
    assert by_event["triage_completed"]["root_cause"] == "memory_leak"
    assert by_event["approval_requested"]["action"] == "restart api-gateway.service on api-gateway-03"
    assert by_event["approval_granted"]["approved_by"] == "alice@example.com"
    assert by_event["approval_granted"]["channel"] == "ApprovalRequest high-cpu-1-1"
    assert by_event["fix_completed"]["rollout"] == "successful"
    assert set(by_event["verification_passed"]["criteria"]) == {"cpu", "no-new-errors", "healthy"}
    assert (by_event["verification_passed"]["cpu"], by_event["verification_passed"]["status"]) == ("12 %", "healthy")
    assert (record["resolution_time"], record["resolved_by"], record["escalated"]) == ("5m58s", "agent", False)
    assert record["follow_up"] == {"ticket": None, "title": "Fix memory leak in api-gateway /api/v1/reports"}
    assert record["sli"] == {
        "incident_id": "high-cpu-1",
        "detected_at": "2026-03-14T03:07:12Z",
        "agent_started_at": "2026-03-14T03:08:00Z",
        "resolved_at": "2026-03-14T03:13:10Z",
        "escalated": False,
        "fix_correct": True,
        "mttd_seconds": 48,
        "mttr_seconds": 310,
    }
    assert record["escalation"] is None


def test_the_json_tells_what_was_measured_round_by_round_and_in_three_numbers() -> None:
    record = document(reported(resolved()))
    [cpu] = [each for each in record["measured"] if each["name"] == "processes.hostCpuPercent"]
    assert cpu == {
        "name": "processes.hostCpuPercent",
        "runbook": "high-cpu",
        "host": "api-gateway-03",
        "unit": "percent",
        "in_triage": 97.5,
        "before_action": 97.5,
        "afterwards": 12.0,
    }
    assert record["samples"][0]["stage"] == "Triage"
    assert record["samples"][0]["values"]["memory.availableBytes"] == 2147483648
    assert record["samples_dropped"] == 0


def test_markdown_tells_cause_tries_measurements_follow_ups_and_service_level_before_the_packet() -> None:
    text = markdown(reported(resolved()))
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "# Incident high-cpu-1: Resolved",
        "## What was measured",
        "## Root cause",
        "## What was tried",
        "### Attempt 1: restart on api-gateway-03",
        "## Verification",
        "## Follow-ups",
        "## Service level",
        "## Decision packet",
        "## What triage found",
        "## Evidence",
        "## Timeline",
    ]
    assert "- **Where:** HighCPU of api-gateway · api-gateway-03 · Warning · namespace prod\n" in text
    assert "| processes: host CPU | api-gateway-03 | 97.5 % | 97.5 % | 12 % |" in text
    assert "Nothing; nothing was changed on any host." in markdown(reported(miner()))


def test_markdown_puts_the_packet_first_while_people_are_asked() -> None:
    text = markdown(reported(awaiting_approval()))
    assert text.index("## Decision packet") < text.index("## What was measured") < text.index("## Root cause")
    assert "What was tried" not in text


def test_a_playbook_that_led_is_named_with_its_revision_and_what_it_judged() -> None:
    world = unavailable(BUSY)
    world.settle()
    report = reported(world)
    led, decided = world.incident.status.playbook_revision_ref, world.incident.status.runbook_revision_ref
    assert led is not None
    assert decided is not None
    text, screen = markdown(report), on_terminal(incident_view(report, world.now), 200)
    assert f"- **Playbook:** service-unavailable, revision `{led.digest}`\n- **Runbook:** high-cpu" in text
    assert "| Hypothesis `busy, of service-unavailable` | 80 |" in text
    assert re.search(rf"Playbook +service-unavailable, revision {led.name}", screen)
    assert re.search(r"Hypothesis busy, of .*\nservice-unavailable \(80\) ", screen)
    record = document(report)
    assert record["playbook_revision"]["digest"] == led.digest
    assert record["runbook_revision"]["digest"] == decided.digest
    alone = reported(resolved())
    assert "| Hypothesis `memory-leak` | 60 |" in markdown(alone)
    assert document(alone)["playbook_revision"] is None


def test_the_json_packet_has_the_fields_of_a_decision_packet() -> None:
    packet = document(reported(awaiting_approval()))["decision_packet"]
    assert packet["proposed_action"] == {
        "type": "restart_service",
        "target": "api-gateway.service",
        "host": "api-gateway-03",
    }
    assert {"source": "oom (journal)", "signal": "out of memory × 9 in the journal"} in packet["evidence"]
    assert (
        "memory-leak: cpuHigh && serviceIsTop && (outOfMemory || memoryLow || repeatedErrors)"
        in packet["preconditions"]
    )
    assert set(packet["risk"]) == {"blast_radius", "user_impact", "data_risk"}
    assert packet["rollback_plan"].startswith("STOP and escalate")
    assert "errors.count == 0" in " ".join(packet["verification"])
    assert packet["requires_approval"] is True
    assert packet["approval_prompt"] == "Restart api-gateway on api-gateway-03; is a brief impact acceptable?"


def test_the_json_escalation_can_be_handed_over_by_itself() -> None:
    record = document(reported(fix_failed()))
    block = record["escalation"]
    assert (block["incident_id"], block["escalation_reason"]) == ("high-cpu-1", "fix_failed")
    assert block["human_action_required"].startswith(
        "Find out why the fix did not help; unmet criteria are listed. On "
    )
    assert block["timeline"] == record["timeline"]
    assert "memory-leak" in block["diagnostic_results"]
    assert "restart on api-gateway-03: Succeeded" in block["attempted_fix"]
    assert "cpu" in block["verification_result"]
    assert (record["escalated"], record["resolved_by"], record["resolution_time"]) == (True, None, None)


def test_what_a_hypothesis_and_a_diagnostic_of_one_name_came_to_is_both_handed_over() -> None:
    world = fix_failed()
    escalation = world.incident.status.escalation
    assert escalation is not None
    blind = DiagnosticResult(name="memory-leak", result="not observed: no answer")
    both = escalation.model_copy(update={"diagnostic_results": [*escalation.diagnostic_results, blind]})
    status = world.incident.status.model_copy(update={"escalation": both})
    results = document(report_of(world.incident.model_copy(update={"status": status})))["escalation"]
    told = results["diagnostic_results"]["memory-leak"]
    assert told.startswith("Hypothesis Holds: ")
    assert told.endswith("; not observed: no answer")


def test_a_clock_that_was_set_back_makes_no_time_negative() -> None:
    world = resolved()
    sli = world.incident.status.sli
    assert sli is not None
    assert sli.resolution_time is not None
    later = sli.model_copy(update={"detection_time": sli.resolution_time + timedelta(seconds=5)})
    status = world.incident.status.model_copy(update={"sli": later})
    assert document(report_of(world.incident.model_copy(update={"status": status})))["resolution_time"] == "0s"


def test_an_incident_that_recovered_by_itself_was_not_resolved_by_the_agent() -> None:
    world = World(values=recovered())
    world.settle()
    world.pass_time(minutes=6)
    assert document(reported(world))["resolved_by"] == "itself"


@pytest.mark.parametrize("change", [{"rollback_plan": "none"}, {"required_approvals": 2**60}])
def test_a_packet_changed_after_it_was_made_is_told(change: dict[str, Any]) -> None:
    world = awaiting_approval()
    packet = world.incident.status.decision_packet
    assert packet is not None
    changed = packet.model_copy(update={"bound": packet.bound.model_copy(update=change)})
    status = world.incident.status.model_copy(update={"decision_packet": changed})
    report = report_of(world.incident.model_copy(update={"status": status}))
    assert not report.packet_intact
    assert "does not match its digest" in markdown(report)
    assert reported(world).packet_intact


def test_methods_that_were_not_needed_are_not_called_done() -> None:
    world = test_methods.after_the_first()
    world.values["disk"]["usedPercent"] = 60.0
    world.settle()
    world.pass_time(minutes=3)
    assert world.phase() == Phase.RESOLVED
    assert "done (logrotate-force not needed), verified" in reported(world).headline.happened


def test_the_packet_of_a_scale_shows_the_counts_and_an_incomplete_preview_loudly() -> None:
    world = test_scale.waiting(preview=dry_run(skipped=2))
    report = reported(world)
    action = document(report)["decision_packet"]["proposed_action"]
    assert action == {
        "type": "scale_service",
        "target": "api-gateway",
        "host": "control-1",
        "tool": "ansible-playbook",
        "current_count": 4,
        "desired_count": 6,
        "desired_delta": "+2",
    }
    assert report.packet is not None
    for width in (80, 200):
        screen = on_terminal(packet_view(report.packet, world.now), width)
        assert "4 → 6 (+2)" in screen
        assert screen.count("INCOMPLETE: 2 tasks were skipped") == 2
        assert "+instances: 6" in screen
        assert max(len(line) for line in screen.splitlines()) <= width
    assert "**INCOMPLETE: 2 tasks were skipped" in markdown(report)
    (preview,) = document(report)["decision_packet"]["preview"]
    assert "2 tasks were skipped" in preview["incomplete"]


def test_the_packet_of_several_methods_shows_each_order_and_what_skips_the_rest() -> None:
    world = test_methods.waiting()
    report = reported(world)
    assert report.packet is not None
    screen = on_terminal(packet_view(report.packet, world.now), 80)
    assert "by journald-vacuum, logrotate-force" in screen
    assert "2 of 2, only after the one before succeeded" in screen
    assert "disk.usedPercent < 80; checked before each method" in screen
    packet = document(report)["decision_packet"]
    assert packet["proposed_action"]["type"] == "free_disk_space"
    assert packet["proposed_action"]["methods"] == ["journald_vacuum", "logrotate_force"]
    assert packet["until"] == "disk.usedPercent < 80"
    assert len(packet["orders"]) == 2


def test_a_way_back_is_told_with_the_failure_that_it_follows() -> None:
    world = test_scale.offered()
    report = reported(world)
    assert "undo scale-out" in report.headline.happened
    assert "Tried before: scale-out on control-1: Succeeded" in report.headline.happened
    assert report.headline.command == "kubectl approve high-cpu-1-2 -n prod"
    screen = on_terminal(incident_view(report, world.now), 80)
    assert "FixFailed: not verified within 15m" in screen
    assert "a human takes over, regardless of the outcome" in " ".join(screen.split())


def test_in_observe_mode_no_approval_is_missing() -> None:
    world = World()
    world.runbook["spec"]["mode"] = "Observe"
    world.settle()
    report = reported(world)
    assert (report.packet is not None, report.approvals_missing) == (True, 0)
    assert "approvals given" not in on_terminal(incident_view(report, world.now), 80)


def on_terminal(view: RenderableType, width: int) -> str:
    screen = Console(width=width, markup=False, emoji=False, highlight=False)
    with screen.capture() as captured:
        screen.print(view)
    return captured.get()


def told(world: World, text: str) -> Incident:
    """The same incident, with this text wherever somebody outside of the operator can put some."""
    alert = {"name": "password=hunter2 " + text[:100], "labels": {"x": text}}
    spec = incident(summary="token: hunter2 " + text, alert=alert).spec
    status: dict[str, Any] = world.incident.status.model_dump(by_alias=True, mode="json", exclude_none=True)
    for entry in status["timeline"]:
        entry["details"] = text
    for each in status["hypotheses"]:
        each["because"] = text
    status["recommendations"] = [{"to": ["on-call"], "text": text}]
    status["evidence"].append({**status["evidence"][0], "unavailable": {"reason": "Failed", "message": text}})
    for each in status["evidence"]:
        each["values"] = {"line | x": text, "nested": {"list": [text, text]}}
    for each in status.get("attempts", []):
        each["message"], each["proof"] = text, ["``` `" + text, text]
    for each in status["conditions"]:
        each["message"] = text
    status["rootCause"]["summary"] = text
    for each in status["followUps"]:
        each["title"] = text[:200]
    for each in status.get("verification", {}).get("criteria", []):
        each["because"] = text
    if "escalation" in status:
        for field in ("message", "humanAction", "attemptedFix", "verificationResult"):
            status["escalation"][field] = text
        for each in status["escalation"]["diagnosticResults"]:
            each["result"] = text
    shown = status["decisionPacket"]["shown"]
    shown["approvalPrompt"] = shown["rootCause"] = text
    for each in shown["evidence"]:
        each["signal"] = text
    body = world.incident.model_dump(by_alias=True, mode="json", exclude_none=True)
    return Incident.model_validate({**body, "spec": spec.wire(), "status": status})


def texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, each in value.items():
                yield key
                yield from texts(each)
        case list():
            for each in value:
                yield from texts(each)


@pytest.mark.parametrize("world", [resolved, fix_failed])
def test_no_control_character_and_no_secret_of_others_gets_into_a_report(world: Any) -> None:
    report = report_of(told(world(), HOSTILE))
    for text in [*texts(document(report)), markdown(report)]:
        assert not {c for c in text if c in "\x1b\u202e"}, text
        assert "hunter2" not in text
    assert "\\x1b" in markdown(report), "it is shown, not dropped"


def test_what_stands_under_a_key_is_hidden_whatever_that_key_is_called() -> None:
    world = resolved()
    values = {"id": "carl@example.com", "by": "password=hunter2", "token": "hunter2", "password=hunter2": 1.0}
    evidence = [world.incident.status.evidence[0].model_copy(update={"values": {**values, "state": "up"}})]
    status = world.incident.status.model_copy(update={"evidence": evidence, "parameters": {"apiToken": "hunter2"}})
    report = report_of(world.incident.model_copy(update={"status": status}))
    told = document(report)
    [seen] = [each["values"] for each in told["evidence"]]
    assert set(seen.values()) == {"[redacted]", "password=[redacted]", 1.0, "up"}
    for text in [*texts(told), markdown(report)]:
        assert "hunter2" not in text
        assert "carl@example.com" not in text


def structure(text: str) -> list[str]:
    """What a renderer makes of it: every block and inline token, without the texts."""

    def kinds(tokens: list[Token]) -> Iterator[str]:
        for token in tokens:
            if token.type not in {"text", "code_inline", "text_special", "softbreak"}:
                yield f"{token.type} {token.tag}"
            yield from kinds(token.children or [])

    return list(kinds(MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)))


@pytest.mark.parametrize("world", [awaiting_approval, resolved, fix_failed])
def test_hostile_text_changes_nothing_of_the_markdown_s_structure(world: Any) -> None:
    honest = world()
    found = structure(markdown(report_of(told(honest, HOSTILE))))
    assert found == structure(markdown(report_of(told(honest, "harmless"))))
    assert not [kind for kind in found if kind.startswith(("link", "image", "html"))]


MARKUP_TEXT = st.text(alphabet="a1 #`*_[]()<>|\\!-+.:/~&=$@\n\twh", max_size=40)


@given(MARKUP_TEXT)
def test_prose_renders_as_itself(text: str) -> None:
    clean = neutralise(text, 1000)
    for prefix in ("", "- **Label:** ", "# "):
        tokens = MarkdownIt("commonmark").enable("strikethrough").parse(prefix + prose(clean))
        inline = next(token for token in tokens if token.type == "inline")
        said = "".join(child.content for child in inline.children or [])
        assert said.removeprefix("Label:").strip() == (clean.strip() or "–")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("ask @shop/security (or @bob)!", "ask `@shop/security` (or `@bob`)!"),
        ("write to bob@example.com.", "write to `bob@example.com`."),
        ("fixes #12, GH-12 and shop/api#3", "fixes `#12`, `GH-12` and `shop/api#3`"),
        ("as in !7 and e83c5163", "as in `!7` and `e83c5163`"),
        ("well :+1: (:tada:)", "well `:+1`: (`:tada`:)"),
        ("`@bob` |@bob|", "`` `@bob` `` `|@bob|`"),
        ("at 03:08:00, 20 @ 5 of #x, 1234567 bytes", "at 03:08:00, 20 @ 5 of \\#x, 1234567 bytes"),
    ],
)
def test_prose_tells_nobody_and_refers_to_nothing_where_it_is_pasted(text: str, written: str) -> None:
    assert prose(text) == written


@given(MARKUP_TEXT)
def test_a_code_span_renders_as_itself_and_keeps_its_cell(text: str) -> None:
    clean = neutralise(text, 1000)
    tokens = MarkdownIt("commonmark").parse(f"x {code(clean)} y")
    spans = [child for child in tokens[1].children or [] if child.type == "code_inline"]
    assert [span.content.strip() for span in spans] == ([clean.strip()] if clean.strip() else [])


def test_reviewers_are_named_though_their_names_look_like_addresses() -> None:
    report = reported(resolved())
    assert [review.user for review in report.reviews] == ["alice@example.com"]
    assert "alice@example.com" in markdown(report)
    approved = next(each for each in report.incident.status.conditions if each.type == "Approved")
    assert approved.message == "approved by alice@example.com"


def test_who_denied_is_named_and_other_addresses_are_not() -> None:
    world = awaiting_approval()
    world.review("alice@example.com", "Denied", "ask malice@example.com or bob@example.com")
    world.settle()
    report = reported(world)
    who = "the action restart of api-gateway.service on api-gateway-03 was denied by alice@example.com"
    said = f"{who}: ask [redacted] or [redacted]"
    assert said in report.headline.happened
    assert report.incident.status.escalation is not None
    assert report.incident.status.escalation.message == said


def test_the_attempt_id_can_be_compared_with_the_host_s_ledger() -> None:
    world = resolved()
    assert document(reported(world))["attempts"][0]["id"] == world.runs[0]


def test_values_are_told_on_one_line_with_the_first_of_many() -> None:
    processes = [{"pid": n, "unit": "a.service"} for n in range(9)]
    told = values_text({"hostCpuPercent": 97.0, "ok": False, "list": processes, "top": {"unit": "a.service"}})
    assert told == (
        "hostCpuPercent=97, list=[{pid: 0, unit: a.service}, {pid: 1, unit: a.service}, {pid: 2, unit: a.service}"
        " … 9 in all], ok=false, top.unit=a.service"
    )
