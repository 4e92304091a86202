"""An incident on a terminal: first what is wrong, what is proposed or happened and what to do, then the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from firstresponder.api.base import duration_text
from firstresponder.api.incident import AttemptReason, Incident, Phase
from firstresponder.cli.views.packet import findings_view, packet_view, reviews_view
from firstresponder.cli.views.terminal import command_line, heading, labelled, pairs
from firstresponder.incident.approval.attempts import attempt_name
from firstresponder.reporting.findings import findings_text
from firstresponder.reporting.quantities import measured_table, quantities
from firstresponder.reporting.report import Report, judged_text, moment, revisions, values_text, where_text

COLOURS = {
    Phase.AWAITING_APPROVAL: "bold yellow",
    Phase.ACTING: "bold yellow",
    Phase.RESOLVED: "bold green",
    Phase.ESCALATED: "bold red",
}
_VERDICTS = {"Holds": "bold green", "Unknown": "bold yellow"}
_EXCERPT_LINES = 5
_STATES = {"Succeeded": "green", "Failed": "bold red", "Indeterminate": "bold red"}


def incident_view(report: Report, now: datetime, flags: Sequence[str] = ()) -> RenderableType:
    """All of the report, the urgent first. ``flags`` are what commands need to reach the caller's cluster."""
    packet = list(_packet(report, now))
    waiting = report.incident.status.phase == Phase.AWAITING_APPROVAL
    return Group(
        *_top(report, flags),
        *_escalation(report),
        *(packet if waiting else []),
        *_attempts(report),
        *_verification(report),
        *_measured(report),
        *_root_cause(report),
        *_verdicts(report),
        *_evidence(report),
        *_timeline(report),
        *_afterwards(report, flags),
        *([] if waiting else packet),
        *_conditions(report),
    )


def _top(report: Report, flags: Sequence[str]) -> Iterator[RenderableType]:
    incident, spec, headline = report.incident, report.incident.spec, report.headline
    phase = incident.status.phase
    yield Text.assemble(
        (f"Incident {incident.name}", "bold"),
        f" (namespace {incident.namespace}): ",
        (phase.value, COLOURS.get(phase, "bold")),
    )
    wrong, to_do = (Text(text, style="bold") for text in (headline.wrong, headline.to_do))
    yield labelled([("Wrong", wrong), (headline.label, headline.happened), ("To do", to_do)])
    if headline.command is not None:
        yield command_line(headline.command, flags)
    rows: list[tuple[str, RenderableType]] = [("Where", where_text(incident))]
    if spec.alert is not None:
        rows.append(("Alert", spec.alert.name))
    for kind, revision in revisions(incident):
        git = f", Git {revision.git_revision}" if revision.git_revision else ""
        rows.append((kind, f"{revision.runbook}, revision {revision.name}{git}"))
    cause = incident.status.root_cause
    if cause is not None and cause.summary:
        rows.append(("Cause", cause.summary))
    yield Text()
    yield labelled(rows)


def _escalation(report: Report) -> Iterator[RenderableType]:
    escalation = report.incident.status.escalation
    if escalation is None:
        return
    # Once it has ended so, the headline says why and what to do; nobody reads that twice.
    why: list[tuple[str, RenderableType]] = [
        ("Human", Text(escalation.human_action, style="bold red")),
        ("Reason", f"{escalation.reason.value}: {escalation.message}"),
    ]
    yield heading(f"Escalated {moment(escalation.time)}")
    yield labelled(
        [
            *(why if report.incident.status.phase != Phase.ESCALATED else ()),
            ("For", ", ".join(escalation.to)),
            *((("Tried", _tried(report)),) if report.incident.status.attempts else ()),
            *((("Verified", verified),) if (verified := _verified(report)) else ()),
        ]
    )


def _tried(report: Report) -> str:
    """Each attempt and its state; its result stands below, and in the message where it is why a human is needed."""
    ends: dict[str | None, str] = {AttemptReason.NEVER_RAN: "never ran", AttemptReason.REFUSED: "refused by the host"}
    attempts = report.incident.status.attempts
    return "; ".join(f"{attempt_name(each)} on {each.host}: {ends.get(each.reason, each.state)}" for each in attempts)


def _verified(report: Report) -> str:
    """The criteria by name; why each came out so stands below."""
    verification = report.incident.status.verification
    if verification is None or not verification.criteria:
        return ""
    unmet = [each.name for each in verification.criteria if not each.holds]
    met = [each.name for each in verification.criteria if each.holds]
    parts = [f"{'not seen to hold' if verification.result == 'Unavailable' else 'not met'}: {', '.join(unmet)}"]
    parts = parts if unmet else []
    parts += [f"met: {', '.join(met)}"] if met else []
    return f"{verification.result or 'going on'}; {'; '.join(parts)}"


def _packet(report: Report, now: datetime) -> Iterator[RenderableType]:
    if report.packet is None:
        return
    yield heading("Decision packet")
    if not report.packet_intact:
        yield Text("The packet does not match its digest: it was changed after it was made.", style="bold red")
    yield packet_view(report.packet, now)
    if report.incident.status.approval_request_ref is not None:  # in mode Observe nobody is asked
        yield reviews_view(report.reviews, report.packet.required_approvals, report.approvals_missing)


def _attempts(report: Report) -> Iterator[RenderableType]:
    for attempt in report.incident.status.attempts:
        yield heading(f"Attempt {attempt.ordinal}: {attempt_name(attempt)} on {attempt.host}")
        ended = moment(attempt.completion_time) if attempt.completion_time is not None else "not known"
        yield labelled(
            [
                ("State", Text(attempt.state.value, style=_STATES.get(attempt.state.value, "yellow"))),
                ("Result", attempt.message or attempt.reason or "not known yet"),
                ("Time", f"{moment(attempt.start_time)} to {ended} (by the host's clock)"),
                ("Attempt", attempt.id),
            ]
        )
        if attempt.after:
            yield labelled([("After it", attempt.after)])
        if attempt.proof:
            yield labelled([("Proof", "from the host:")])
            yield Padding(Text("\n".join(attempt.proof)), (0, 0, 0, 2))


def _verification(report: Report) -> Iterator[RenderableType]:
    verification = report.incident.status.verification
    if verification is None:
        return
    window = duration_text(verification.window_seconds)
    yield heading(f"Verification: {verification.result or 'going on'}")
    yield Text(f"{verification.samples} samples; all criteria must hold for {window}")
    table = _table("Criterion", "Holds", "Because")
    for each in verification.criteria:
        since = f" (since {moment(each.since)})" if each.since is not None else ""
        holds = Text("yes", style="green") if each.holds else Text("no", style="bold red")
        table.add_row(Text(each.name), holds, Text(f"{each.because}{since}"))
    yield table


def _measured(report: Report) -> Iterator[RenderableType]:
    found = quantities(report.incident)
    if not found:
        return
    yield heading("What was measured")
    header, rows = measured_table(found)
    table = _table(*header)
    for row in rows:
        table.add_row(*map(Text, row))
    yield table


def _root_cause(report: Report) -> Iterator[RenderableType]:
    findings = findings_text(report.incident.status.root_cause)
    if findings:
        yield heading("Root cause")
        yield findings_view(findings)


def _verdicts(report: Report) -> Iterator[RenderableType]:
    verdicts = report.incident.status.hypotheses
    if not verdicts:
        return
    yield heading("What triage found")
    table = _table("Judged", "Verdict", "Because")
    for each in verdicts:
        likelihood = f" ({each.likelihood})" if each.likelihood is not None else ""
        table.add_row(
            Text(f"{each.kind} {judged_text(report.incident, each)}{likelihood}"),
            Text(each.verdict, style=_VERDICTS.get(each.verdict, "")),
            Text(each.because),
        )
    yield table


def _evidence(report: Report) -> Iterator[RenderableType]:
    evidence = report.incident.status.evidence
    if not evidence:
        return
    yield heading("Evidence")
    table = _table("Name", "Host", "Seen")
    for each in evidence:
        if each.unavailable is not None:
            # What a diagnostic printed instead of an answer often says why.
            said = "".join(f"\n{line}" for line in (each.excerpt or "").splitlines()[:_EXCERPT_LINES])
            seen = Text(f"not observed: {each.unavailable.reason}: {each.unavailable.message}{said}", style="yellow")
        else:
            seen = Text(values_text(each.values))
        name = each.name if each.name == each.source else f"{each.name} ({each.source})"
        name = f"{name}, experiment" if each.experiment else name
        table.add_row(Text(name), Text(each.host or each.role), seen)
    yield table


def _conditions(report: Report) -> Iterator[RenderableType]:
    conditions = report.incident.status.conditions
    if not conditions:
        return
    yield heading("Conditions")
    table = _table("Condition", "Status", "Reason", "Message")
    for each in conditions:
        table.add_row(Text(each.type), Text(each.status), Text(each.reason), Text(each.message))
    yield table


def _timeline(report: Report) -> Iterator[RenderableType]:
    status = report.incident.status
    if not status.timeline:
        return
    yield heading("Timeline (UTC)")
    table = _table("Time", "Event", "Details")
    day = None
    for each in status.timeline:
        date, clock = moment(each.time).split(" ")
        by = f"by {each.by}" if each.by is not None else ""
        details = ": ".join(part for part in (by, each.details) if part)
        table.add_row(Text(clock if date == day else f"{date}\n{clock}"), Text(each.event), Text(details))
        day = date
    yield table
    if status.timeline_dropped:
        yield Text(f"{status.timeline_dropped} entries in the middle were dropped")


def _afterwards(report: Report, flags: Sequence[str]) -> Iterator[RenderableType]:
    status, sli = report.incident.status, report.incident.status.sli
    after: list[tuple[str, str]] = [(each.type, each.title) for each in status.follow_ups]
    after += [(f"For {', '.join(each.to)}", each.text) for each in status.recommendations]
    if after:
        yield heading("Follow-ups")
        yield pairs(after)
    if sli is not None and sli.mttd_seconds is not None:
        parts = [f"Detected → begun in {duration_text(sli.mttd_seconds)}"]
        if sli.mttr_seconds is not None:
            parts.append(f"begun → resolved in {duration_text(sli.mttr_seconds)}")
        parts += ["escalated"] if sli.escalated else []
        parts += [f"the fix was {'right' if sli.fix_correct else 'wrong'}"] if sli.fix_correct is not None else []
        yield Text(f"\n{', '.join(parts)}")
    if status.phase == Phase.RESOLVED and sli is not None and sli.fix_correct:
        yield Text("\nShould the fix turn out to be wrong, mark it, so that it counts in the false-action rate:")
        yield command_line(_mark_incorrect(report.incident), flags)


def _mark_incorrect(incident: Incident) -> str:
    patch = '{"spec":{"fixIncorrect":true}}'
    return f"kubectl patch incident {incident.name} -n {incident.namespace} --type=merge \\\n    -p '{patch}'"


def _table(*columns: str) -> Table:
    """Columns side by side; only the last one takes what is left, every one folds rather than hides."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in columns[:-1]:
        table.add_column(column, overflow="fold", max_width=32)
    table.add_column(columns[-1], overflow="fold", ratio=1)
    return table
