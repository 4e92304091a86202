"""The decision packet on a terminal: what is proposed and why first, what is bound word for word last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from firstresponder.api.base import duration_text
from firstresponder.cli.views.terminal import labelled, pairs
from firstresponder.reporting.packet_text import PacketText, PreviewText
from firstresponder.reporting.report import ReviewText, moment

_SHOWN_ELSEWHERE = frozenset({"Cause", "Fixed when", "Stop when"})
"""Findings that the packet says itself, and binds."""


def packet_view(packet: PacketText, now: datetime) -> RenderableType:
    """The packet, all of it: nothing that the digest covers is left out or cut."""
    analysis = [(label, text) for label, text in packet.findings if label not in _SHOWN_ELSEWHERE]
    rows: list[tuple[str, RenderableType]] = [
        ("Proposed", Group(Text(packet.action, style="bold yellow"), Text(f"“{packet.prompt}”"))),
    ]
    rows += [("Preview", _incomplete(each, "; see below")) for each in packet.previews if each.gap]
    if packet.counts is not None:
        current, desired = packet.counts
        rows.append(("Instances", f"{current} → {desired} ({desired - current:+d})"))
    if packet.notes:
        rows.append(("Note", Group(*map(Text, packet.notes))))
    if packet.methods:
        rows.append(("Methods", Group(*(Text(f"{n}. {method}") for n, method in enumerate(packet.methods, 1)))))
    if packet.until:
        rows.append(("Until", f"{packet.until}; checked before each method: once true, those left are skipped"))
    if packet.tool:
        rows.append(("Tool", packet.tool))
    rows += [
        ("Why", Group(Text(packet.cause, style="bold"), *_seen(packet))),
        ("Analysis", Group(Text("by the debugger, not covered by the digest:", style="dim"), findings_view(analysis))),
        ("Risk", pairs(packet.risk)),
        ("Rollback", packet.rollback),
        ("Checked", _said("just before acting; nothing runs unless all are true:", packet.preconditions)),
        ("Verified", _said(f"{packet.sampling}:", packet.criteria) if packet.criteria else packet.sampling),
    ]
    if packet.fail_when:
        rows.append(("Failed", _said("at once if one of these is true:", packet.fail_when)))
    if packet.parameters:
        rows.append(("Parameters", ", ".join(f"{name}={value}" for name, value in packet.parameters)))
    rows += [("You accept", text) for text in packet.acknowledge]
    rows += [
        ("Class", f"{packet.action_class}, hypothesis {packet.hypothesis}"),
        ("Expires", _expiry(packet.expiration_time, now)),
        ("Runbook", packet.runbook_digest),
        ("Host key", packet.host_key),
        ("Digest", packet.digest),
    ]
    return Group(labelled(rows), *_previews(packet), *_orders(packet))


def _seen(packet: PacketText) -> Iterator[RenderableType]:
    if packet.evidence:
        yield _said("as triage saw it:", packet.evidence)


def _previews(packet: PacketText) -> Iterator[RenderableType]:
    for preview in packet.previews:
        yield labelled([("Preview", f"{preview.title}, which changed nothing:")])
        if preview.gap:
            yield labelled([("", _incomplete(preview, "."))])
        yield _indented(preview.text)


def _incomplete(preview: PreviewText, end: str) -> Text:
    return Text(f"INCOMPLETE: {preview.gap}{end}", style="bold red")


def _orders(packet: PacketText) -> Iterator[RenderableType]:
    many = len(packet.orders) > 1
    for number, order in enumerate(packet.orders, 1):
        what = f"{number} of {len(packet.orders)}, only after the one before succeeded" if many and number > 1 else ""
        what = what or (f"1 of {len(packet.orders)}" if many else "")
        yield labelled([("Order", f"{f'{what}: ' if what else ''}exactly what the host would receive:")])
        yield _indented(order.rstrip("\n"))


def _indented(text: str) -> RenderableType:
    return Padding(Text(text), (0, 0, 0, 2))


def findings_view(findings: Sequence[tuple[str, str]]) -> RenderableType:
    """The debugger's findings, each label once."""
    before = ["", *(label for label, _ in findings)]
    return pairs(
        [("" if label == last else label, text) for (label, text), last in zip(findings, before, strict=False)]
    )


def reviews_view(reviews: Sequence[ReviewText], required: int, missing: int | None) -> RenderableType:
    """Who answered so far, and what is still needed, where that is known."""
    if missing is None:
        return labelled([("Approvals", "not known: the request is gone, or you may not read it")])
    colours = {"Approved": "green", "Denied": "bold red"}
    lines = [
        Text.assemble(
            (review.verdict, colours.get(review.verdict, "")),
            f" by {review.user}",
            f": {review.comment}" if review.comment else "",
        )
        for review in reviews
    ]
    needed = f"{required - missing} of {required} approvals given" + (f", {missing} still needed" if missing else "")
    return labelled([("Approvals", Group(Text(needed), *lines))])


def _said(introduction: str, rows: Sequence[tuple[str, str]]) -> RenderableType:
    return Group(Text(introduction, style="dim"), pairs(rows))


def _expiry(expiration: datetime, now: datetime) -> str:
    left = int((expiration - now).total_seconds())
    return f"{moment(expiration)} (in {duration_text(left)})" if left > 0 else f"{moment(expiration)} (over)"
