"""Verifying: every criterion true in every sample across a window, or a human is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from firstresponder.api.base import seconds
from firstresponder.api.incident import CriterionResult
from firstresponder.api.packet import Requirement, VerificationPlan
from firstresponder.api.runbook import RunbookSpec, Triage
from firstresponder.expressions import Scope, Verdict, render_argument
from firstresponder.incident.decide import Setting, scope_of
from firstresponder.incident.snapshot import Sample
from firstresponder.runbooks.names import compiled, free_of_evidence, names_in


class Verdicts(Enum):
    """What the samples say so far."""

    PASSED = auto()
    FAILED = auto()
    TIMED_OUT = auto()
    UNDECIDED = auto()


@dataclass(frozen=True)
class Progress:
    """What the samples say, and each criterion as it stands."""

    verdict: Verdicts
    criteria: tuple[CriterionResult, ...]
    message: str = ""


def verification_plan(spec: RunbookSpec, setting: Setting) -> VerificationPlan:
    """How a fix by this runbook is verified, parameters filled in. Raises TemplateError."""
    verify = spec.verify
    window = render_argument(verify.window, scope_of(spec, setting, {}), free_of_evidence(spec))
    return VerificationPlan(
        initial_delay=verify.initial_delay,
        interval=verify.interval,
        window=window,
        timeout=verify.timeout,
        criteria=[Requirement(name=each.name, require=each.require) for each in verify.criteria],
        fail_when=list(verify.fail_when),
    )


def take_sample(spec: Triage, plan: VerificationPlan, scope: Scope, at: datetime) -> Sample:
    """The criteria judged on one round of evidence; unknown is None."""
    names = names_in(spec)
    verdicts: dict[str, bool | None] = {}
    because: dict[str, str] = {}
    for criterion in plan.criteria:
        expression = compiled(criterion.require, names)
        verdict = expression.verdict(scope)
        verdicts[criterion.name] = None if verdict is Verdict.UNKNOWN else verdict is Verdict.TRUE
        because[criterion.name] = expression.explain(scope)
    failing = (each.name for each in plan.fail_when if compiled(each.when, names).verdict(scope) is Verdict.TRUE)
    failed = next(failing, None)
    return Sample(at, verdicts, because, failed)


def _good_since(plan: VerificationPlan, samples: Sequence[Sample], name: str | None) -> datetime | None:
    """Since when a criterion (all, for None) has held without a break; None if it does not hold now."""
    largest_gap = 2 * seconds(plan.interval)
    since: datetime | None = None
    later: datetime | None = None
    for sample in reversed(samples):
        holds = all(sample.verdicts.values()) if name is None else sample.verdicts.get(name) is True
        if not holds or (later is not None and later - sample.time > largest_gap):
            break
        since = later = sample.time
    return since


def judge(plan: VerificationPlan, samples: Sequence[Sample], ended: datetime, now: datetime) -> Progress:
    """Rules 16 and 17. ``ended`` is the recorded end of the action; samples before its delay do not count."""
    begin = ended + seconds(plan.initial_delay)
    counted = [sample for sample in samples if sample.time >= begin]
    last = counted[-1] if counted else None
    criteria = tuple(
        CriterionResult(
            name=criterion.name,
            require=criterion.require,
            holds=last is not None and last.verdicts.get(criterion.name) is True,
            because=(last.because.get(criterion.name, "") if last is not None else "not sampled yet")[:2048],
            since=_good_since(plan, counted, criterion.name),
        )
        for criterion in plan.criteria
    )
    if last is not None and last.failed is not None:
        return Progress(Verdicts.FAILED, criteria, f"failWhen {last.failed} is true")
    since = _good_since(plan, counted, None)
    if since is not None and last is not None and last.time - since >= seconds(plan.window):
        return Progress(Verdicts.PASSED, criteria, f"all criteria held for {plan.window}")
    if now >= ended + seconds(plan.timeout):
        unmet = ", ".join(each.name for each in criteria if not each.holds) or "the window"
        return Progress(Verdicts.TIMED_OUT, criteria, f"not verified within {plan.timeout}: {unmet}")
    return Progress(Verdicts.UNDECIDED, criteria)


def next_look(plan: VerificationPlan, samples: Sequence[Sample], ended: datetime) -> datetime:
    """When the next sample is due."""
    if not samples:
        return ended + seconds(plan.initial_delay)
    return samples[-1].time + seconds(plan.interval)


def unmet(plan: VerificationPlan, sample: Sample) -> list[str]:
    """The criteria that do not hold in one sample."""
    return [criterion.name for criterion in plan.criteria if sample.verdicts.get(criterion.name) is not True]
