"""High impact: people are notified at once, and the work goes on (rule 22)."""

from __future__ import annotations

from firstresponder.api.escalationpolicy import HighImpact
from firstresponder.api.incident import Impact
from firstresponder.incident.plan import Event


def impact_event(heavy: str) -> Event:
    """The Event that reports it."""
    return Event("HighImpact", f"{heavy}; triage goes on meanwhile", warning=True)


def high_impact(impact: Impact | None, thresholds: HighImpact) -> str | None:
    """What is at or beyond a threshold, in words; None when nothing is.

    A loss in another currency than the threshold's cannot be compared, so it is reported: unknown is not harmless.
    """
    if impact is None:
        return None
    found = []
    customers, limit = impact.customers, thresholds.customers
    if customers is not None and limit is not None and customers >= limit:
        found.append(f"{customers} customers affected (threshold {limit})")
    loss, bound = impact.revenue_loss_per_hour, thresholds.revenue_loss_per_hour
    if loss is not None and bound is not None:
        loss_text = f"{loss.amount} {loss.currency} lost per hour"
        if loss.currency != bound.currency:
            found.append(f"{loss_text} (the threshold is in {bound.currency})")
        elif loss.amount >= bound.amount:
            found.append(f"{loss_text} (threshold {bound.amount})")
    return "; ".join(found) or None
