"""What ``kubectl incident describe`` shows, as text."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import partial

import pytest
from click.testing import CliRunner
from rich.console import Console

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.incident import Incident, Phase, Unavailable
from firstresponder.cli.kubectl import Cluster, Refused
from firstresponder.cli.plugins.incident import describe, main
from firstresponder.cli.views.incident import incident_view
from firstresponder.reporting.report import report_of
from tests.unit.cli.nowhere import NOWHERE
from tests.unit.cli.test_report import HOSTILE, fix_failed, miner, resolved, told
from tests.unit.incident.world import START, World, awaiting_approval, incident

waiting = partial(awaiting_approval, incident=incident(summary="CPU above 90 % for 5m on api-gateway-03"))


def rendered(world: World, width: int) -> str:
    output = io.StringIO()
    Console(file=output, width=width, markup=False, emoji=False, highlight=False).print(
        incident_view(report_of(world.incident, world.request), START), crop=False
    )
    return output.getvalue()


def section(text: str, title: str) -> str:
    """One section's text, its blanks folded."""
    found = re.search(rf"(?ms)^{title}.*?(?=^\s*$|\Z)", text)
    assert found is not None, f"there is no section {title}"
    return " ".join(found[0].split())


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("world", [waiting, resolved, fix_failed, miner])
def test_nothing_is_wider_than_the_terminal_and_nothing_is_cut(world: Callable[[], World], width: int) -> None:
    text = rendered(world(), width)
    assert max(len(line) for line in text.splitlines()) <= width
    packet = world().incident.status.decision_packet
    if packet is not None:
        assert packet.digest in re.sub(r"\s+", "", text)


def test_the_first_lines_say_what_is_wrong_what_is_proposed_and_what_to_do() -> None:
    first = rendered(waiting(), 200).splitlines()[:5]
    assert [line.split()[0] for line in first] == ["Incident", "Wrong", "Proposed", "To", "kubectl"]
    assert first[-1].strip() == "kubectl approve high-cpu-1-1 -n prod"


@pytest.mark.parametrize("width", [40, 80])
def test_a_command_is_never_folded_and_leads_to_the_cluster_that_was_asked(width: int) -> None:
    acting = waiting()
    acting.review("alice@example.com")
    while acting.phase() != Phase.ACTING:
        acting.step()
    output = io.StringIO()
    view = incident_view(report_of(acting.incident), START, ("--kubeconfig=/my files/config",))
    Console(file=output, width=width).print(view, crop=False)
    assert (
        '\nkubectl patch incident high-cpu-1 -n prod --type=merge -p \'{"spec":{"abort":true}}\' '
        "'--kubeconfig=/my files/config'\n"
    ) in output.getvalue()


def test_an_escalation_begins_with_why_and_the_human_action_and_says_neither_again() -> None:
    screen = " ".join(rendered(fix_failed(), 120).split())
    top, _, rest = screen.partition("Attempt 1")
    for once in ("FixFailed: not verified within 15m", "Find out why the fix did not help; unmet criteria are listed."):
        assert (top.count(once), once in screen[:600]) == (1, True), once
    assert "Escalated 2026-03-14 03:23:00Z For on-call Tried restart on api-gateway-03" in top
    assert rest


def test_the_parts_come_in_the_order_that_the_help_says() -> None:
    said = " ".join((describe.help or "").split()).partition("Then follow ")[2]
    text, place = rendered(fix_failed(), 120), 0
    for part, heading in (
        ("the escalation", "Escalated"),
        ("the attempts", "Attempt 1"),
        ("the verification", "Verification"),
        ("what was measured", "What was measured"),
        ("the root cause", "Root cause"),
        ("what triage found and saw", "What triage found"),
        ("the timeline", "Timeline"),
        ("the decision packet", "Decision packet"),
        ("the conditions", "Conditions"),
    ):
        assert part in said, part
        said = said.partition(part)[2]
        place = text.index(f"\n{heading}", place)


class WithoutRequests(Cluster):
    """A cluster whose caller may read incidents, and no requests."""

    def __init__(self) -> None:
        super().__init__(NOWHERE, namespace="prod")

    def incident(self, _: str) -> Incident | None:
        return resolved().incident

    def request(self, _: str) -> ApprovalRequest | None:
        raise Refused("approvalrequests is forbidden")


@pytest.mark.parametrize("command", ["describe", "report"])
def test_who_may_not_read_requests_reads_the_incident_and_is_told_what_is_not_known(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(Cluster, "connect", lambda *_: WithoutRequests())
    result = CliRunner().invoke(main, [command, "high-cpu-1"])
    assert result.exit_code == 0
    assert result.stderr == "Warning: who answered is not known: approvalrequests is forbidden\n"
    assert "approvals given" not in result.stdout
    assert ("Approvals  not known: the request is gone, or you may not read it" in result.stdout) == (
        command == "describe"
    )


def test_a_waiting_incident_shows_its_packet_before_the_details_and_others_after_them() -> None:
    waits, over = rendered(waiting(), 120), rendered(resolved(), 120)
    assert waits.index("Decision packet") < waits.index("What triage found")
    assert over.index("Attempt 1") < over.index("Verification: Passed") < over.index("Decision packet")


def test_attempt_verification_verdicts_evidence_and_timeline_are_told() -> None:
    text = rendered(resolved(), 200)
    assert "State Succeeded Result restarted" in section(text, "Attempt 1")
    assert "no-new-errors yes errors.count = 0" in section(text, "Verification")
    assert "Hypothesis legitimate-load (50) Refuted" in section(text, "What triage found")
    assert "hostCpuPercent=97.5" in section(text, "Evidence")
    assert "03:08:00Z ApprovalGranted by alice@example.com: go" in section(text, "Timeline")


def test_what_could_not_be_observed_says_why() -> None:
    world = World(unreachable={"api-gateway-03": "connection timed out after 10 s"})
    world.settle()
    assert "not observed: NotReachable: connection timed out after 10 s" in section(rendered(world, 200), "Evidence")


def test_the_output_of_a_failed_diagnostic_is_shown_and_that_of_others_is_not() -> None:
    world = waiting()
    seen, *rest = world.incident.status.evidence
    blind = seen.model_copy(
        update={"unavailable": Unavailable(reason="ExitStatus", message="exit status 1"), "excerpt": "top: no tty\nbye"}
    )
    others = [each.model_copy(update={"excerpt": "raw output"}) for each in rest]
    status = world.incident.status.model_copy(update={"evidence": [blind, *others]})
    text = rendered(World(incident=world.incident.model_copy(update={"status": status})), 200)
    assert "not observed: ExitStatus: exit status 1 top: no tty bye" in section(text, "Evidence")
    assert "raw output" not in text


_TITLES = r"(?m)^(?:Escalated|Attempt|Verification:|What triage|Evidence|Timeline|Decision)"


@pytest.mark.parametrize("width", [80, 200])
def test_hostile_text_neither_commands_the_terminal_nor_forges_a_section(width: int) -> None:
    honest, hostile = (
        rendered(World(incident=told(fix_failed(), text)), width) for text in ("x", HOSTILE + "\nEvidence")
    )
    assert "\x1b" not in hostile
    assert "\u202e" not in hostile
    assert re.findall(_TITLES, hostile) == re.findall(_TITLES, honest)


def test_what_was_measured_is_told_before_at_and_after_the_action() -> None:
    block = section(rendered(resolved(), 120), "What was measured")
    assert "Quantity On In triage Just before acting At the end" in block
    assert "processes: host CPU api-gateway-03 97.5 % 97.5 % 12 %" in block
    assert "In triage processes" in section(rendered(miner(), 120), "What was measured"), "and no column of dashes"


@pytest.mark.parametrize(
    ("world", "said"),
    [
        (resolved, "Detected → begun in 48s, begun → resolved in 5m10s, the fix was right"),
        (fix_failed, "Detected → begun in 48s, escalated, the fix was wrong"),
        (miner, "Detected → begun in 48s, escalated"),
    ],
)
def test_the_service_level_is_told_at_every_end(world: Callable[[], World], said: str) -> None:
    assert f"\n{said}" in re.sub(r" +\n", "\n", rendered(world(), 120)) + "\n"
