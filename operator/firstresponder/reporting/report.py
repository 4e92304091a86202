"""The report of an incident: everything that its status says, made safe to show, with what the reader must do.

Pure: the same resources give the same report. The terminal, Markdown and JSON forms only lay it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel

from firstresponder.api.approvalrequest import ApprovalRequest
from firstresponder.api.base import JSON, condition, duration_text, format_time
from firstresponder.api.incident import ONCE_MORE, AttemptState, HypothesisResult, Incident, Phase, RevisionReference
from firstresponder.api.packet import DecisionPacket
from firstresponder.incident.approval.binding import approvers, digest_of
from firstresponder.incident.phases.summary import unmet_criteria
from firstresponder.reporting.packet_text import PacketText, packet_text
from firstresponder.safety import look_through, redact, shown
from firstresponder.safety.neutralise import neutralise
from firstresponder.safety.redact import REDACTED
from firstresponder.safety.values import format_value

_LIMIT = 4096
"""Characters of one text; longer ones end in ``…``."""
_FIRST_ENTRIES = 3
_NOT_REDACTED = frozenset({"id", "by"})
"""An attempt's id looks like key material, and who answered is what a report must say."""

M = TypeVar("M", bound=BaseModel)


class Headline(NamedTuple):
    """What somebody who was just woken up reads first."""

    wrong: str
    label: str
    """What ``happened`` is: ``Proposed``, ``Doing`` or ``Happened``."""
    happened: str
    to_do: str
    command: str | None = None
    """The command line for it, if there is one."""


class ReviewText(NamedTuple):
    """One person's answer."""

    user: str
    verdict: str
    comment: str


@dataclass(frozen=True)
class Report:
    """An incident, safe to show."""

    incident: Incident
    """Every text of it is redacted, neutralised and capped. Its packet is not: use ``packet``."""
    headline: Headline
    packet: PacketText | None
    packet_intact: bool
    """Whether the packet's bound part still has the digest that was recorded with it."""
    reviews: tuple[ReviewText, ...]
    approvals_missing: int | None
    """How many approvals the open request still needs; None where the request could not be read."""


def report_of(incident: Incident, request: ApprovalRequest | None = None) -> Report:
    """The report. ``request`` is the incident's ApprovalRequest, if it could be read."""
    look_through(_texts(incident))
    packet = incident.status.decision_packet
    text = packet_text(packet) if packet is not None else None
    people = _reviewers(incident, request)
    status = incident.status.model_copy(update={"decision_packet": None})
    harmless = incident.model_copy(
        update={"spec": _harmless(incident.spec, people), "status": _harmless(status, people)}
    )
    asked = status.approval_request_ref is not None  # in mode Observe nobody is
    missing = outstanding(request) if request is not None else None if text and asked else 0
    return Report(
        incident=harmless,
        headline=_headline(harmless, text, missing),
        packet=text,
        packet_intact=packet is None or _intact(packet),
        reviews=reviews_of(request) if request is not None else (),
        approvals_missing=missing,
    )


def _intact(packet: DecisionPacket) -> bool:
    try:
        return digest_of(packet.bound) == packet.digest
    except ValueError:  # it holds what has no canonical form, so it is none of ours
        return False


def reviews_of(request: ApprovalRequest) -> tuple[ReviewText, ...]:
    """Who answered what so far, by name."""
    return tuple(
        ReviewText(neutralise(user, 256), review.verdict, shown(review.comment or "", 1024))
        for user, review in sorted(request.spec.reviews.items())
    )


def outstanding(request: ApprovalRequest) -> int:
    """How many approvals are still needed."""
    return max(request.spec.required_approvals - len(approvers(request)), 0)


def hosts_text(incident: Incident) -> str:
    """The hosts by name, with their role where it is not the target."""
    names = (each.name if each.role == "target" else f"{each.name} ({each.role})" for each in incident.spec.hosts)
    return ", ".join(names) or "no host named"


def impact_text(incident: Incident) -> str:
    """Whom and what it costs, if anybody said so."""
    impact = incident.spec.impact
    if impact is None:
        return ""
    loss = impact.revenue_loss_per_hour
    parts = [f"{impact.customers} customers" if impact.customers is not None else ""]
    parts.append(f"{loss.amount} {loss.currency} per hour" if loss is not None else "")
    return ", ".join(part for part in parts if part)


def where_text(incident: Incident) -> str:
    """``HighCPU of api-gateway · api-gateway-03 · Critical``, with the impact if anybody said so."""
    spec = incident.spec
    facts = (f"{spec.type} of {spec.service}", hosts_text(incident), spec.severity, impact_text(incident))
    return " · ".join(fact for fact in facts if fact)


def revisions(incident: Incident) -> list[tuple[str, RevisionReference]]:
    """What led and decided, in that order, each with what it is called."""
    status = incident.status
    both = (("Playbook", status.playbook_revision_ref), ("Runbook", status.runbook_revision_ref))
    return [(kind, revision) for kind, revision in both if revision is not None]


def judged_text(incident: Incident, verdict: HypothesisResult) -> str:
    """What was evaluated, by name; with whose it is where a playbook's and a runbook's stand side by side."""
    owner = f", of {verdict.runbook}" if verdict.runbook is not None and len(revisions(incident)) > 1 else ""
    return f"{verdict.name}{owner}"


def values_text(values: dict[str, JSON], limit: int = 600) -> str:
    """What a diagnostic saw, on one line: ``hostCpuPercent=97, top.unit=api-gateway.service``."""
    return neutralise(", ".join(_flat(values, "")), limit)


def _flat(value: JSON, path: str) -> list[str]:
    match value:
        case dict():
            inner = f"{path}." if path else ""
            return [part for key in sorted(value) for part in _flat(value[key], f"{inner}{key}")]
        case list():
            first = ", ".join(format_value(each, 120) for each in value[:_FIRST_ENTRIES])
            more = f" … {len(value)} in all" if len(value) > _FIRST_ENTRIES else ""
            return [f"{path}=[{first}{more}]"]
        case None:
            return [f"{path} unknown"]
        case _:
            return [f"{path}={format_value(value, 120)}"]


def moment(time: datetime) -> str:
    """``2026-03-14 03:07:12Z``."""
    return format_time(time).replace("T", " ")


def _reviewers(incident: Incident, request: ApprovalRequest | None) -> frozenset[str]:
    """Everybody who answered, as far as the request or the timeline says."""
    named = {user for entry in incident.status.timeline if entry.by for user in entry.by.split(", ")}
    return frozenset(named | set(request.spec.reviews if request is not None else ()))


def _harmless(model: M, people: frozenset[str]) -> M:
    """The model with every free text redacted, neutralised and capped; the rest is bounded by the schema."""
    return model.model_copy(update={name: _safe(name, value, people) for name, value in model})


def _texts(value: Any) -> Iterator[str]:
    """Every text in a model, and what stands under a key that others chose as it is looked at with that key."""
    match value:
        case Enum():
            return
        case str():
            yield value
        case BaseModel():
            for _, each in value:
                yield from _texts(each)
        case dict():
            for key, each in value.items():
                yield str(key)
                yield from (f"{key}={each}",) if isinstance(each, str) else ()
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)


def _safe(name: str, value: Any, people: frozenset[str]) -> Any:
    match value:
        case Enum():
            return value
        case str() if name in _NOT_REDACTED:
            return neutralise(value, _LIMIT)
        case str():
            return _redacted(value, people, lines=name == "excerpt")
        case BaseModel():
            return _harmless(value, people)
        case dict():
            return {shown(str(key), 256): _shown_field(str(key), each, people) for key, each in value.items()}
        case list():
            return [_safe(name, each, people) for each in value]
        case _:
            return value


def _shown_field(key: str, value: Any, people: frozenset[str]) -> Any:
    """What stands under a key that others chose, hidden where that key says that it is secret."""
    if isinstance(value, str) and redact(f"{key}={value}") == f"{key}={REDACTED}":
        return REDACTED
    return _safe("", value, people)


def _redacted(text: str, people: frozenset[str], *, lines: bool) -> str:
    """As ``shown``, but for the names of those who answered: they look like addresses, and must be shown."""
    names = "|".join(re.escape(person) for person in sorted(people, key=len, reverse=True) if person)
    if not names:
        return shown(text, _LIMIT, lines=lines)
    # Names stand by themselves: bob@example.com is not the end of jacob@example.com.
    parts = re.split(rf"(?<![\w.%+-])({names})(?![\w-])", text)
    pieces = (part if index % 2 else redact(part) for index, part in enumerate(parts))
    return neutralise("".join(pieces), _LIMIT, lines=lines)


def _headline(incident: Incident, packet: PacketText | None, missing: int | None) -> Headline:
    """What is proposed, being done or over, and what the reader must do about it."""
    spec, status = incident.spec, incident.status
    wrong = spec.summary or f"{spec.type} on {spec.service} ({hosts_text(incident)})"
    action = packet.action if packet is not None else "no action"
    match status.phase:
        case Phase.PENDING:
            text = "Nothing yet; the operator has not begun."
            return Headline(wrong, "Happened", text, "Wait. If it stays so, no operator is running.")
        case Phase.TRIAGING:
            text = "Diagnostics are running. Nothing was changed."
            return Headline(wrong, "Doing", text, "Wait for the result of triage.")
        case Phase.AWAITING_APPROVAL:
            cause = f", because: {packet.cause}" if packet is not None else ""
            to_do, command = _approval(incident, packet, missing)
            done = status.escalation.attempted_fix if status.escalation is not None else None
            before = f"Tried before: {done}." if done else "Nothing was changed."
            return Headline(wrong, "Proposed", f"{action}{cause}. {before}", to_do, command)
        case Phase.ACTING:
            stop = f"kubectl patch incident {incident.name} -n {incident.namespace} --type=merge"
            return Headline(
                wrong,
                "Doing",
                f"{action}: approved and started.{_delay(incident)}",
                "Wait. What has not begun on the host can still be stopped:",
                f'{stop} -p \'{{"spec":{{"abort":true}}}}\'',
            )
        case Phase.VERIFYING:
            if status.escalation is not None:
                text = f"{status.escalation.message.rstrip('.')}. The rollback is being prepared."
                return Headline(wrong, "Doing", text, "Wait; you are asked soon whether to roll the fix back.")
            done = (
                f"{action}: done{_not_needed(incident, packet)}"
                if status.attempts
                else "The symptom was not there at triage; nothing was changed"
            )
            text = f"{done}. Whether all is well is being verified{_window(incident)}.{_so_far(incident)}"
            return Headline(wrong, "Doing", text, "Wait for the verification.")
        case Phase.RESOLVED:
            done = f"{action}: done{_not_needed(incident, packet)}, verified."
            if status.sli is not None and status.sli.fix_correct is False:
                text = f"{done} It was marked as a wrong fix afterwards."
                return Headline(
                    wrong, "Happened", text, "Find the real cause; the timeline says who marked it, or why."
                )
            text = (
                done
                if status.attempts
                else "The symptom was not there, and stayed away while it was watched; nothing was changed."
            )
            later = "; ".join(each.title for each in status.follow_ups)
            return Headline(wrong, "Happened", text, f"Nothing now. Later: {later}" if later else "Nothing.")
        case Phase.ESCALATED if status.escalation is not None:
            over = status.escalation
            text = f"{over.reason.value}: {over.message.rstrip('.')}."
            if not status.attempts:
                text += " Nothing was changed."
            to_do, once_more, command = over.human_action.partition(ONCE_MORE)
            to_do = f"{to_do.rstrip()} (for {', '.join(over.to) or 'on-call'})"
            if once_more:
                return Headline(wrong, "Happened", text, f"{to_do} {once_more}", command.strip())
            return Headline(wrong, "Happened", text, to_do)
        case _:
            return Headline(wrong, "Happened", "The status does not say.", "Look at it by hand.")


def _delay(incident: Incident) -> str:
    """What keeps the present order from being sent or asked about."""
    acted = condition(incident.status.conditions, "Acted")
    return f" Delayed: {acted.message}" if acted is not None and acted.reason == "Delayed" else ""


def _approval(incident: Incident, packet: PacketText | None, missing: int | None) -> tuple[str, str | None]:
    approved = condition(incident.status.conditions, "Approved")
    if approved is not None and approved.reason == "ApprovalGateUnsafe":
        return f"Restore the approval gate; nothing runs before: {approved.message}", None
    if missing == 0:
        return "Nothing: it is approved. The operator checks everything once more and acts.", None
    ref = incident.status.approval_request_ref
    until = f" before {moment(packet.expiration_time)}" if packet is not None else ""
    return (
        f"Read the packet and approve or deny it{until}:",
        f"kubectl approve {ref.name if ref is not None else incident.name} -n {incident.namespace}",
    )


def _not_needed(incident: Incident, packet: PacketText | None) -> str:
    """The methods that were left out because the target was met before them."""
    left = packet.methods[len(incident.status.attempts) :] if packet is not None else ()
    return f" ({', '.join(left)} not needed)" if left else ""


def _window(incident: Incident) -> str:
    verification = incident.status.verification
    return f" for {duration_text(verification.window_seconds)}" if verification is not None else ""


def _so_far(incident: Incident) -> str:
    """What verification has come to, and by when it ends."""
    verification = incident.status.verification
    if verification is None or verification.observed_time is None or verification.deadline is None:
        return ""
    unmet = unmet_criteria(verification)
    what = f"not met: {', '.join(unmet)}" if unmet else "all criteria are met"
    return f" At {moment(verification.observed_time)} {what}. It has until {moment(verification.deadline)}."


def succeeded(incident: Incident) -> bool:
    """Whether an action of the operator ended well, or was found to have done what it was for."""
    sli = incident.status.sli
    verified = sli is not None and sli.fix_correct is True
    return verified or any(attempt.state == AttemptState.SUCCEEDED for attempt in incident.status.attempts)
