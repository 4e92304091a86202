"""What a status comes to in words: what was tried, what was verified, what was seen."""

from __future__ import annotations

from firstresponder.api.incident import DiagnosticResult, IncidentStatus, Verification
from firstresponder.incident.approval.attempts import attempt_name


def attempted_fix(status: IncidentStatus) -> str | None:
    """One sentence a try: what was done where, and how it ended."""
    texts = []
    for attempt in status.attempts:
        text = f"{attempt_name(attempt)} on {attempt.host}: {attempt.state}"
        texts.append(f"{text} ({attempt.message})" if attempt.message else text)
    return "; ".join(texts) or None


def unmet_criteria(verification: Verification) -> list[str]:
    """The criteria that did not hold at the last look, each with why."""
    return [f"{each.name} ({each.because})" for each in verification.criteria if not each.holds]


def verification_result(status: IncidentStatus) -> str | None:
    """Which criteria held and which did not, if verification was begun."""
    verification = status.verification
    if verification is None:
        return None
    if not verification.criteria:
        return "no sample was taken"
    unmet = unmet_criteria(verification)
    met = [each.name for each in verification.criteria if each.holds]
    failed = {"Stopped": "stopped; not met at the last sample: ", "Unavailable": "not seen to hold: "}
    parts = [failed.get(verification.result or "", "failed: ") + ", ".join(unmet)] if unmet else []
    return "; ".join([*parts, *(["held: " + ", ".join(met)] if met else [])])


def diagnostic_results(status: IncidentStatus) -> list[DiagnosticResult]:
    """Each verdict with why, and each diagnostic that saw nothing."""
    verdicts = [
        DiagnosticResult(name=each.name, result=f"{each.kind} {each.verdict}: {each.because}"[:2048])
        for each in status.hypotheses
    ]
    blind = [
        DiagnosticResult(name=each.name, result=f"not observed: {each.unavailable.message}"[:2048])
        for each in status.evidence
        if each.unavailable is not None
    ]
    return [*verdicts, *blind]
