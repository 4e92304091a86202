"""The debugger's findings in words: one reading of them for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from firstresponder.api.rootcause import FINDING_LIMIT, FailurePoint, RootCause
from firstresponder.safety import shown


def findings_text(findings: RootCause | None) -> tuple[tuple[str, str], ...]:
    """A label and what is said, the cause first; a label comes again for each of several sentences."""
    if findings is None:
        return ()
    said: list[tuple[str, Sequence[str | None]]] = [
        ("Cause", [findings.summary or "not found"]),
        ("Symptom", [findings.symptom]),
        ("Failure point", [_place(findings.failure_point)]),
        ("Seen", findings.evidence),
        ("To reproduce", findings.reproduction),
        ("Minimal fix", [findings.minimal_fix]),
        ("Fixed when", findings.verification),
        ("Stop when", findings.stop_conditions),
    ]
    return tuple((label, shown(text, FINDING_LIMIT)) for label, texts in said for text in texts if text)


def _place(point: FailurePoint | None) -> str | None:
    if point is None:
        return None
    parts = {"component": point.component, "host": point.host, "release": point.release, "request": point.request}
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value) or None
