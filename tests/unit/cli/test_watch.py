"""``kubectl incident watch``: what it tells of an incident that goes on, and through what it keeps following."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import timedelta
from fnmatch import fnmatchcase

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from firstresponder.api.incident import Incident, Phase, TimelineEvent
from firstresponder.cli import follow
from firstresponder.cli.kubectl import Cluster, NoAnswer, Refused, Unreadable
from firstresponder.cli.plugins.incident import main
from firstresponder.cli.views.watch import Story
from firstresponder.incident.status import with_timeline_entry
from firstresponder.reporting.report import report_of
from tests.unit.cli.nowhere import NOWHERE
from tests.unit.cli.test_report import HOSTILE, fix_failed, miner, resolved, told
from tests.unit.incident.world import START, World, awaiting_approval, incident, recovered

Step = Incident | Exception | None
"""What the API server does next: a state, a failure, or the end of the incident by deletion."""


def lived() -> list[Incident]:
    """All states of one incident, from its creation to its resolution."""
    world, states = World(), [incident()]
    while world.phase() != Phase.AWAITING_APPROVAL or world.request is None:
        world.step()
        states.append(world.incident)
    world.review("alice@example.com", comment="go")
    while world.phase() != Phase.VERIFYING:
        world.step()
        states.append(world.incident)
    world.values = recovered()
    world.pass_time(minutes=6)
    return [*states, world.incident]


def printed(states: list[Incident], width: int = 200) -> str:
    output, story = io.StringIO(), Story()
    console = Console(file=output, width=width, markup=False, emoji=False, highlight=False)
    for state in states:
        for line in story.news(report_of(state)):
            console.print(line, crop=False)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines())


def test_a_whole_incident_is_told_once_in_its_order() -> None:
    expected = [
        "Incident high-cpu-1 (namespace prod): HighCPU of api-gateway · api-gateway-03 · Warning",
        "           → Pending           Nothing yet; the operator has not begun.",
        "2026-03-14 (UTC)",
        "03:07:12Z  Detected            HighCPU on api-gateway",
        "03:08:00Z  TriageStarted       Runbook high-cpu, revision high-cpu-*",
        "           → Triaging          Diagnostics are running. Nothing was changed.",
        "03:08:00Z  TriageCompleted     cause: memory-leak",
        "03:08:00Z  ApprovalRequested   Restart api-gateway on api-gateway-03; is a brief impact acceptable?",
        "           → AwaitingApproval",
        "Proposed   restart api-gateway.service on api-gateway-03, because: memory leak or endless loop in "
        "api-gateway. Nothing was changed.",
        "To do      Read the packet and approve or deny it before 2026-03-14 03:38:00Z:",
        "kubectl approve high-cpu-1-1 -n prod",
        "03:08:00Z  ApprovalGranted     by alice@example.com: go",
        "03:08:00Z  ActionStarted       restart api-gateway.service on api-gateway-03",
        "           → Acting            restart api-gateway.service on api-gateway-03: approved and started.",
        "03:08:00Z  ActionCompleted     restart on api-gateway-03: Succeeded. restarted",
        "           → Verifying         restart api-gateway.service on api-gateway-03: done. Whether all is well is "
        "being verified.",
        "03:??:??Z  VerificationPassed  *",
        "03:??:??Z  Resolved            *",
        "           → Resolved",
        "Happened   restart api-gateway.service on api-gateway-03: done, verified.",
        "To do      Nothing now. Later: Fix memory leak in api-gateway /api/v1/reports; *",
    ]
    lines = [line for line in printed(lived()).splitlines() if line]
    assert [line for line, pattern in zip(lines, expected, strict=True) if not fnmatchcase(line, pattern)] == []


def test_a_state_that_is_seen_again_is_not_told_again() -> None:
    states = lived()
    assert printed([state for state in states for _ in range(2)]) == printed(states)


def test_states_that_were_missed_lose_no_entry() -> None:
    states = lived()
    entries = re.findall(r"(?m)^\d\d:\d\d:\d\dZ  .*$", printed([states[0], states[-1]]))
    assert entries == re.findall(r"(?m)^\d\d:\d\d:\d\dZ  .*$", printed(states))


def test_entries_that_were_dropped_or_shortened_meanwhile_do_not_make_others_new() -> None:
    state = lived()[-1]
    timeline = state.status.timeline
    cut = state.status.model_copy(
        update={"timeline": [timeline[0], timeline[-1].model_copy(update={"details": "…"})], "timeline_dropped": 7}
    )
    later = state.model_copy(
        update={
            "status": with_timeline_entry(
                cut, START + timedelta(hours=1), TimelineEvent.FIX_MARKED_INCORRECT, "by a person"
            )
        }
    )
    assert printed([state, later]).count("VerificationPassed") == 1
    assert printed([state, later]).splitlines()[-1] == "04:08:00Z  FixMarkedIncorrect  by a person"
    assert printed([later]).splitlines()[1] == "7 entries in the middle were dropped"


def test_a_new_packet_is_a_new_question_though_the_phase_is_the_same() -> None:
    first = awaiting_approval().incident
    ref = first.status.approval_request_ref
    assert ref is not None
    second = first.model_copy(
        update={
            "status": first.status.model_copy(
                update={"approval_request_ref": ref.model_copy(update={"name": "high-cpu-1-2"})}
            )
        }
    )
    told_twice = printed([first, second, second])
    assert told_twice.count("→ AwaitingApproval") == 1
    assert re.findall("kubectl approve (.*) -n prod", told_twice) == ["high-cpu-1-1", "high-cpu-1-2"]


def test_an_escalation_ends_with_what_a_human_has_to_do() -> None:
    assert printed([miner().incident]).splitlines()[-1] == (
        "To do      Investigate a possible compromise of api-gateway-03. `kubectl incident explain high-cpu-1 -n prod` "
        "shows each condition and the values behind it. (for security)"
    )


def test_the_first_line_says_whom_it_costs_what() -> None:
    costly = incident(impact={"customers": 1200, "revenueLossPerHour": {"amount": 5000, "currency": "EUR"}})
    assert printed([costly]).splitlines()[0] == (
        "Incident high-cpu-1 (namespace prod): HighCPU of api-gateway · api-gateway-03 · Warning · "
        "1200 customers, 5000 EUR per hour"
    )


@pytest.mark.parametrize("width", [80, 200])
def test_nothing_is_wider_than_the_terminal_but_commands_and_nothing_is_cut(width: int) -> None:
    text = printed([*lived(), fix_failed().incident], width)
    assert max(len(line) for line in text.splitlines() if not line.startswith("kubectl ")) <= width
    assert "…" not in text
    unfolded = " ".join(printed(lived(), 200).split())
    assert " ".join(printed(lived(), width).split()) == unfolded


def test_hostile_text_neither_commands_the_terminal_nor_forges_a_line() -> None:
    honest, hostile = (printed([told(fix_failed(), text)], width=100_000) for text in ("x", HOSTILE))
    assert "\x1b" not in hostile
    assert "\u202e" not in hostile
    assert len(hostile.splitlines()) == len(honest.splitlines())


class Scripted(Cluster):
    """A cluster that plays states and failures in their order; each look and each watch takes what is next."""

    def __init__(self, looks: list[Step], watches: list[list[Step]]) -> None:
        super().__init__(NOWHERE, namespace="prod")
        self.looks = looks
        self.watches = watches

    def incident(self, _: str) -> Incident | None:
        step = self.looks.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    def changes(self, incident: Incident, within: int) -> Iterator[tuple[str, Incident]]:
        assert within == 60
        for step in self.watches.pop(0):
            if isinstance(step, Exception):
                raise step
            yield ("MODIFIED", step) if step is not None else ("DELETED", incident)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "_PAUSE", 0.0)


def watched(monkeypatch: pytest.MonkeyPatch, cluster: Cluster, *words: str) -> Result:
    monkeypatch.setattr(Cluster, "connect", lambda *_: cluster)
    result = CliRunner().invoke(main, ["watch", "high-cpu-1", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def cut() -> NoAnswer:
    return NoAnswer("no answer from https://a:1: cut")


def test_the_exit_status_says_how_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watched(monkeypatch, Scripted([resolved().incident], [])).exit_code == 0
    assert watched(monkeypatch, Scripted([fix_failed().incident], [])).exit_code == 1
    changing = Scripted([awaiting_approval().incident], [[resolved().incident]])
    assert watched(monkeypatch, changing).exit_code == 0


def test_a_watch_that_is_cut_or_ends_is_begun_again_from_a_fresh_look(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *_, last = states = lived()
    middle = states[len(states) // 2]
    cluster = Scripted(
        [first, cut(), Refused("not yet ready"), middle, middle, last], [[cut()], [], [Refused("starting")]]
    )
    result = watched(monkeypatch, cluster)
    assert result.exit_code == 0
    assert result.stdout.count("Detected") == 1
    assert result.stderr == ("no answer from https://a:1: cut; trying again\nThe API server answers again.\n")


def test_a_watch_that_ends_as_soon_as_it_begins_is_not_begun_again_without_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    states = lived()
    cluster = Scripted([states[0], states[0], states[-1]], [[], []])
    assert watched(monkeypatch, cluster).exit_code == 0
    assert len(pauses) == 2


def test_a_state_that_this_plugin_cannot_read_is_told_at_once_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = Unreadable("Incident: status.phase: not known (is this plugin older than the operator?)")
    result = watched(monkeypatch, Scripted([incident(), unknown], [[unknown]]))
    assert (result.exit_code, result.stderr) == (1, f"Error: {unknown.message}\n")


def test_an_api_server_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "_GIVE_UP", 0.0)
    result = watched(monkeypatch, Scripted([incident(), cut()], [[cut()]]))
    assert (result.exit_code, result.stderr) == (2, "Error: no answer from https://a:1: cut\n")


def test_at_the_beginning_no_answer_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watched(monkeypatch, Scripted([cut()], [])).exit_code == 2
    nothing = watched(monkeypatch, Scripted([None], []))
    assert (nothing.exit_code, nothing.stderr) == (1, "Error: there is no incident high-cpu-1 in namespace prod\n")


def another() -> Incident:
    """Another incident of the same name."""
    made = incident()
    return made.model_copy(update={"metadata": made.metadata.model_copy(update={"uid": "another"})})


@pytest.mark.parametrize(
    ("looks", "watches", "more"),
    [
        ([incident(), None], [[None]], ""),
        ([incident(), None], [[cut()]], ""),
        ([incident(), another()], [[None]], ", and another one has its name now"),
        ([incident(), another()], [[cut()]], ", and another one has its name now"),
    ],
)
def test_a_deleted_incident_is_told_as_such_also_where_another_took_its_name(
    monkeypatch: pytest.MonkeyPatch, looks: list[Step], watches: list[list[Step]], more: str
) -> None:
    result = watched(monkeypatch, Scripted(looks, watches))
    assert (result.exit_code, result.stderr) == (1, f"Error: incident high-cpu-1 in namespace prod was deleted{more}\n")


def test_after_the_timeout_it_says_that_the_incident_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    result = watched(monkeypatch, Scripted([awaiting_approval().incident], []), "--timeout", "0s")
    assert result.exit_code == 2
    assert result.stderr == "Error: incident high-cpu-1 is still AwaitingApproval; it goes on\n"


def test_ctrl_c_ends_the_following_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Scripted):
        def changes(self, *_: object, **__: object) -> Iterator[tuple[str, Incident]]:
            raise KeyboardInterrupt

    result = watched(monkeypatch, Interrupted([incident()], []))
    assert result.exit_code == 130
    assert result.stderr == (
        "\nNo longer followed; the incident goes on. Again: kubectl incident watch high-cpu-1 -n prod\n"
    )


@pytest.mark.parametrize("words", [["watch", "--timeout", "0s"], ["describe"]])
def test_a_command_is_told_whole_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    for command in ("watch.line_console", "describe.console"):
        monkeypatch.setattr(f"firstresponder.cli.commands.{command}", lambda: Console(width=20))
    here = Scripted([awaiting_approval().incident], [])
    monkeypatch.setattr(here, "request", lambda _: None)
    monkeypatch.setattr(Cluster, "connect", lambda *_: here)
    result = CliRunner().invoke(main, [*words, "high-cpu-1"])
    assert "\nkubectl approve high-cpu-1-1 -n prod\n" in result.stdout


def test_commands_that_are_told_lead_to_the_cluster_that_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Scripted([awaiting_approval().incident], [])
    here.flags = ("--context=staging",)
    told_here = watched(monkeypatch, here, "--timeout", "0s")
    assert "\nkubectl approve high-cpu-1-1 -n prod --context=staging\n" in told_here.stdout


@pytest.mark.parametrize("name", ["incident/high-cpu-1", "inc/high-cpu-1", "incidents.firstresponder.dev/high-cpu-1"])
def test_a_name_may_be_written_as_kubectl_prints_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    class Asked(Scripted):
        def incident(self, name: str) -> Incident | None:
            assert name == "high-cpu-1"
            return super().incident(name)

    monkeypatch.setattr(Cluster, "connect", lambda *_: Asked([awaiting_approval().incident], []))
    result = CliRunner().invoke(main, ["watch", name, "--timeout", "0s"])
    assert result.stderr == "Error: incident high-cpu-1 is still AwaitingApproval; it goes on\n"
