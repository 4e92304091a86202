"""The report as Markdown (GitHub flavour), for tickets and chat.

Texts come from hosts, alerts and people. What a machine said stands in code spans, where nothing is markup; prose
is escaped. So no text can add a heading, a link, an image, a table cell or HTML.
"""

from __future__ import annotations

from collections.abc import Iterator

from firstresponder.api.base import duration_text
from firstresponder.api.incident import Escalation, Phase
from firstresponder.incident.approval.attempts import attempt_name
from firstresponder.reporting.findings import findings_text
from firstresponder.reporting.packet_text import PacketText
from firstresponder.reporting.quantities import measured_table, quantities
from firstresponder.reporting.report import Report, judged_text, moment, revisions, values_text, where_text
from firstresponder.safety.markdown import code, fenced, items, prose, table


def markdown(report: Report) -> str:
    """The report as one Markdown document."""
    incident = report.incident
    title = f"# Incident {prose(incident.name)}: {incident.status.phase}"
    return "\n\n".join([title, *(block for _, block in sections(report))]) + "\n"


def sections(report: Report) -> Iterator[tuple[str, str]]:
    """The document without its title, as blocks, each with the name of its section. While people are asked, the packet
    comes before what it rests on; afterwards, what became of it comes first."""
    asked = report.incident.status.phase == Phase.AWAITING_APPROVAL
    for name, section in (
        ("top", _top),
        ("escalation", _escalation_section),
        *((("packet", _packet_section),) if asked else ()),
        ("measured", _measured_section),
        ("cause", _cause_section),
        ("attempts", _attempts_section),
        ("verification", _verification_section),
        ("afterwards", _after_section),
        *(() if asked else (("packet", _packet_section),)),
        ("verdicts", _verdicts_section),
        ("evidence", _evidence_section),
        ("timeline", _timeline_section),
    ):
        yield from ((name, block) for block in section(report))


def _top(report: Report) -> Iterator[str]:
    incident, status, headline = report.incident, report.incident.status, report.headline
    cause = status.root_cause.summary if status.root_cause is not None else None
    facts = [
        ("Wrong", prose(headline.wrong)),
        *((("Cause", prose(cause)),) if cause else ()),
        (headline.label, prose(headline.happened)),
        ("To do", prose(headline.to_do) + (f" {code(headline.command)}" if headline.command is not None else "")),
        ("Where", prose(f"{where_text(incident)} · namespace {incident.namespace}")),
    ]
    if (alert := incident.spec.alert) is not None:
        facts.append(("Alert", code(alert.name)))
    for kind, revision in revisions(incident):
        git = f", Git {code(revision.git_revision)}" if revision.git_revision else ""
        facts.append((kind, f"{prose(revision.runbook)}, revision {code(revision.digest)}{git}"))
    yield items(*facts)


def _escalation_section(report: Report) -> Iterator[str]:
    escalation: Escalation | None = report.incident.status.escalation
    if escalation is None:
        return
    yield "## Escalation"
    yield items(
        ("Human action required", prose(escalation.human_action)),
        ("For", prose(", ".join(escalation.to))),
        ("Reason", f"{escalation.reason.value}: {prose(escalation.message)}"),
        ("When", moment(escalation.time)),
        ("Attempted fix", prose(escalation.attempted_fix or "none; nothing was changed")),
        ("Verification", prose(escalation.verification_result or "not begun")),
    )


def _packet_section(report: Report) -> Iterator[str]:
    packet: PacketText | None = report.packet
    if packet is None:
        return
    yield "## Decision packet"
    if not report.packet_intact:
        yield "**The packet does not match its digest: it was changed after it was made.**"
    yield items(
        ("Proposed action", prose(packet.action)),
        *((("Tool", code(packet.tool)),) if packet.tool else ()),
        *(("Note", prose(note)) for note in packet.notes),
        *((("Skipped once true", code(packet.until)),) if packet.until else ()),
        ("Question", prose(packet.prompt)),
        ("Cause", prose(packet.cause)),
        *((kind.capitalize(), prose(text)) for kind, text in packet.risk),
        ("Rollback", prose(packet.rollback)),
        *(("Accepted with an approval", prose(text)) for text in packet.acknowledge),
        ("Action class", code(packet.action_class)),
        ("Approvals needed", str(packet.required_approvals)),
        ("Expires", moment(packet.expiration_time)),
        ("Digest", code(packet.digest)),
    )
    if packet.evidence:
        yield table(("Evidence", "Signal"), ((code(source), code(signal)) for source, signal in packet.evidence))
    yield table(
        ("Must be true just before acting", "Expression"),
        ((code(name), code(expression)) for name, expression in packet.preconditions),
    )
    yield f"Verification: {prose(packet.sampling)}."
    if packet.criteria:
        yield table(("Criterion", "Expression"), ((code(name), code(require)) for name, require in packet.criteria))
    for preview in packet.previews:
        gap = f"**INCOMPLETE: {prose(preview.gap)}.** " if preview.gap else ""
        yield f"{gap}Preview, {prose(preview.title)}, which changed nothing:\n\n{fenced(preview.text)}"
    for number, order in enumerate(packet.orders, 1):
        which = f" ({number} of {len(packet.orders)})" if len(packet.orders) > 1 else ""
        yield f"The order{which}, exactly as the host receives it:\n\n{fenced(order)}"
    if report.reviews:
        rows = ((code(each.user), each.verdict, code(each.comment)) for each in report.reviews)
        yield table(("Reviewer", "Verdict", "Comment"), rows)


def _attempts_section(report: Report) -> Iterator[str]:
    status = report.incident.status
    if status.attempts or status.escalation is not None:
        yield "## What was tried"
    if status.escalation is not None and not status.attempts:
        yield "Nothing; nothing was changed on any host."
    for attempt in status.attempts:
        yield f"### Attempt {attempt.ordinal}: {prose(attempt_name(attempt))} on {prose(attempt.host)}"
        ended = moment(attempt.completion_time) if attempt.completion_time is not None else "not known"
        yield items(
            ("State", attempt.state.value),
            ("Result", code(attempt.message or attempt.reason or "")),
            ("Exit status", str(attempt.exit_code) if attempt.exit_code is not None else "none"),
            ("Started", moment(attempt.start_time)),
            ("Ended", f"{ended} (the host's clock)"),
            ("Attempt id", code(attempt.id)),
        )
        if attempt.after:
            yield f"After it: {prose(attempt.after)}"
        if attempt.proof:
            yield f"Proof from the host:\n\n{fenced(chr(10).join(attempt.proof))}"


def _verification_section(report: Report) -> Iterator[str]:
    verification = report.incident.status.verification
    if verification is None:
        return
    window = duration_text(verification.window_seconds)
    yield "## Verification"
    yield f"{verification.result or 'Not decided'}: {verification.samples} samples, window {window}."
    rows = (
        (
            code(each.name),
            "holds" if each.holds else "does not hold",
            code(each.because),
            moment(each.since) if each.since is not None else "–",
        )
        for each in verification.criteria
    )
    yield table(("Criterion", "At the end", "Because", "Since"), rows)


def _measured_section(report: Report) -> Iterator[str]:
    found = quantities(report.incident)
    if not found:
        return
    yield "## What was measured"
    header, rows = measured_table(found)
    yield table(header, ((prose(title), prose(host), *amounts) for title, host, *amounts in rows))


def _cause_section(report: Report) -> Iterator[str]:
    findings = findings_text(report.incident.status.root_cause)
    if findings:
        yield "## Root cause"
        yield table(("About", "Finding"), ((label, code(text)) for label, text in findings))


def _verdicts_section(report: Report) -> Iterator[str]:
    verdicts = report.incident.status.hypotheses
    if not verdicts:
        return
    yield "## What triage found"
    rows = (
        (
            f"{each.kind} {code(judged_text(report.incident, each))}",
            str(each.likelihood) if each.likelihood is not None else "–",
            each.verdict,
            code(each.because),
        )
        for each in verdicts
    )
    yield table(("Judged", "Likelihood", "Verdict", "Because"), rows)


def _evidence_section(report: Report) -> Iterator[str]:
    evidence = report.incident.status.evidence
    if not evidence:
        return
    yield "## Evidence"
    rows = (
        (
            code(each.name) + (" (experiment)" if each.experiment else ""),
            code(each.source),
            code(each.host or each.role),
            f"{moment(each.observed_time)}{' (cut)' if each.truncated else ''}",
            code(values_text(each.values))
            if each.unavailable is None
            else f"not observed: {code(f'{each.unavailable.reason}: {each.unavailable.message}')}",
        )
        for each in evidence
    )
    yield table(("Name", "Source", "Host", "When", "Values"), rows)


def _timeline_section(report: Report) -> Iterator[str]:
    status = report.incident.status
    if not status.timeline:
        return
    yield "## Timeline"
    rows = ((moment(each.time), code(each.event), code(each.by or ""), code(each.details)) for each in status.timeline)
    yield table(("When", "Event", "By", "Details"), rows)
    if status.timeline_dropped:
        yield f"{status.timeline_dropped} entries in the middle were dropped."


def _after_section(report: Report) -> Iterator[str]:
    status = report.incident.status
    if status.follow_ups or status.recommendations:
        yield "## Follow-ups"
        yield items(
            *((each.type, prose(each.title)) for each in status.follow_ups),
            *((f"Recommended to {prose(', '.join(each.to))}", prose(each.text)) for each in status.recommendations),
        )
    if (sli := status.sli) is not None:
        yield "## Service level"
        yield items(
            ("Detected", moment(sli.detection_time)),
            ("Resolved", moment(sli.resolution_time) if sli.resolution_time is not None else "no"),
            ("Time to detect", duration_text(sli.mttd_seconds) if sli.mttd_seconds is not None else "–"),
            ("Time to resolve", duration_text(sli.mttr_seconds) if sli.mttr_seconds is not None else "–"),
            ("Escalated", "yes" if sli.escalated else "no"),
            ("Fix correct", {True: "yes", False: "no", None: "–"}[sli.fix_correct]),
        )
