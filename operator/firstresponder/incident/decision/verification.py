"""Verifying: every criterion true in every sample across a window, or the incident is escalated."""

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
from firstresponder.incident.decision.decide import EvaluationInputs, explain_expression, scope_of
from firstresponder.incident.facts import Sample
from firstresponder.runbooks.symbols import compiled, free_of_evidence, names_in


class Verdicts(Enum):
    """What the samples say so far."""

    PASSED = auto()
    FAILED = auto()
    TIMED_OUT = auto()
    UNSEEN = auto()
    """Time is over, and nothing but ignorance stood in the way."""
    UNDECIDED = auto()


@dataclass(frozen=True)
class Progress:
    """What the samples say, and each criterion as it stands."""

    verdict: Verdicts
    criteria: tuple[CriterionResult, ...]
    message: str = ""


def verification_plan(spec: RunbookSpec, inputs: EvaluationInputs) -> VerificationPlan:
    """How a fix by this runbook is verified, parameters filled in. Raises TemplateError."""
    verify = spec.verify
    window = render_argument(verify.window, scope_of(spec, inputs, {}), free_of_evidence(spec))
    return VerificationPlan(
        initial_delay=verify.initial_delay,
        interval=verify.interval,
        window=window,
        timeout=verify.timeout,
        criteria=[Requirement(name=each.name, require=each.require) for each in verify.criteria],
        fail_when=list(verify.fail_when),
    )


SYMPTOM_ABSENT = "symptom-absent"
"""The criterion that the symptom is not there, alongside the runbook's own."""


def watch_plan(spec: RunbookSpec, inputs: EvaluationInputs) -> VerificationPlan:
    """How it is seen that an incident is over on which nothing was acted (rule 5): the runbook's criteria hold, and
    all the time the symptom is not there. Raises TemplateError."""
    plan = verification_plan(spec, inputs)
    taken = {each.name for each in plan.criteria}
    name = next(each for each in (SYMPTOM_ABSENT, *(f"{SYMPTOM_ABSENT}-{n}" for n in range(99))) if each not in taken)
    absent = Requirement(name=name, require=f"!({spec.symptom})")
    return plan.model_copy(update={"criteria": [*plan.criteria, absent]})


def symptom_returned(plan: VerificationPlan, samples: Sequence[Sample]) -> str | None:
    """What was seen when the symptom came back; None while it stays away or is unknown. ``plan`` is a watch's."""
    absent = plan.criteria[-1].name
    last = samples[-1] if samples else None
    if last is None or last.verdicts.get(absent) is not False:
        return None
    return last.because.get(absent, "")


def not_recovering(plan: VerificationPlan, samples: Sequence[Sample], ended: datetime) -> str | None:
    """That, and when, the first two looks were unwell, with the criteria that were false at both; None if they were
    not: a symptom that is not there while the service is unwell is no recovery, and nobody should wait for the time-out
    to hear of it."""
    counted = [sample for sample in samples if sample.time >= ended + seconds(plan.initial_delay)][:2]
    if len(counted) < 2:
        return None
    first, second = counted
    names = [each.name for each in plan.criteria]
    unwell = [name for name in names if first.verdicts.get(name) is False and second.verdicts.get(name) is False]
    if not unwell:
        return None
    reasons = ", ".join(_with_because(name, second) for name in unwell)
    return f"at two samples in a row ({first.time:%T}Z and {second.time:%T}Z) the service was unwell: {reasons}"[:1500]


def take_sample(spec: Triage, plan: VerificationPlan, scope: Scope, at: datetime) -> Sample:
    """The criteria evaluated on one round of evidence; unknown is None."""
    names = names_in(spec)
    verdicts: dict[str, bool | None] = {}
    because: dict[str, str] = {}
    for criterion in plan.criteria:
        expression = compiled(criterion.require, names)
        verdict = expression.verdict(scope)
        verdicts[criterion.name] = None if verdict is Verdict.UNKNOWN else verdict is Verdict.TRUE
        because[criterion.name] = explain_expression(spec, scope, criterion.require)
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


def judge(
    plan: VerificationPlan, samples: Sequence[Sample], ended: datetime, now: datetime, after: str = ""
) -> Progress:
    """Rules 16 and 17. ``ended`` is the recorded end of the action; samples before its delay do not count. ``after``
    names the action, for people."""
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
        when = next((each.when for each in plan.fail_when if each.name == last.failed), "")
        text = f"failWhen {last.failed} was true{_after(after)} at {last.time:%T}Z: {when}"
        return Progress(Verdicts.FAILED, criteria, text)
    since = _good_since(plan, counted, None)
    if since is not None and last is not None and last.time - since >= seconds(plan.window):
        return Progress(Verdicts.PASSED, criteria, f"all criteria held for {plan.window}")
    end = ended + seconds(plan.timeout)
    if now < end:
        return Progress(Verdicts.UNDECIDED, criteria)
    if only_ignorance(counted, end - seconds(plan.window)):
        text = f"not verified within {plan.timeout}{_after(after)}: {_not_seen(criteria, last)}{_last_false(counted)}"
        return Progress(Verdicts.UNSEEN, criteria, text)
    text = f"not verified within {plan.timeout}{_after(after)}: {_unmet_at(plan, criteria, last)}"
    return Progress(Verdicts.TIMED_OUT, criteria, text)


def _after(action: str) -> str:
    return f" after {action}" if action else ""


def _with_because(name: str, sample: Sample) -> str:
    because = sample.because.get(name, "")
    return f"{name} ({because})" if because else name


def stopped_at(plan: VerificationPlan, samples: Sequence[Sample], progress: Progress) -> str:
    """What was known when verification was ended before its end."""
    if not samples:
        return "no sample was taken before"
    unmet = [each.name for each in progress.criteria if not each.holds]
    return _unmet_at(plan, progress.criteria, samples[-1]) if unmet else f"all was well at {samples[-1].time:%T}Z"


def _unmet_at(plan: VerificationPlan, criteria: Sequence[CriterionResult], last: Sample | None) -> str:
    """What was not met at the last sample, and when that was."""
    unmet = [each.name for each in criteria if not each.holds]
    if last is None or not unmet:
        return f"at the last sample all was well, but not yet for {plan.window} without a break"
    reasons = ", ".join(_with_because(name, last) for name in unmet)
    return f"not met at {last.time:%T}Z: {reasons}"[:1500]


def _last_false(samples: Sequence[Sample]) -> str:
    """The criteria that were false when any was known to be false for the last time; empty where none ever was."""
    last = next((each for each in reversed(samples) if False in each.verdicts.values()), None)
    if last is None:
        return ""
    reasons = ", ".join(_with_because(name, last) for name, verdict in last.verdicts.items() if verdict is False)
    return f". Last known to be false, at {last.time:%T}Z: {reasons}"[:500]


def only_ignorance(samples: Sequence[Sample], begin: datetime) -> bool:
    """Whether nothing was seen to be wrong from ``begin`` on, the last window before time was over: what was false
    before may have become true unseen. What is Unknown although every diagnostic saw something is not well either."""
    return not any(_shows_trouble(each) for each in samples if each.time >= begin)


def _shows_trouble(sample: Sample) -> bool:
    return any(verdict is False or (verdict is None and not sample.unseen) for verdict in sample.verdicts.values())


def _not_seen(criteria: Sequence[CriterionResult], last: Sample | None) -> str:
    """What could not be seen, with the reason where it is known."""
    if last is None:
        return "no sample was taken"
    blind = [each.name for each in criteria if last.verdicts.get(each.name) is None]
    if not blind:
        return "there were gaps between the samples, so nobody knows whether the criteria held all the time"
    names = f"{', '.join(blind)} could not be seen"
    return f"{names}: {'; '.join(last.unseen)}"[:1200] if last.unseen else names


def next_sample_time(plan: VerificationPlan, samples: Sequence[Sample], ended: datetime) -> datetime:
    """When the next sample is due."""
    if not samples:
        return ended + seconds(plan.initial_delay)
    return samples[-1].time + seconds(plan.interval)
