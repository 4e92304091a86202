"""The analyst that invents nothing: the runbook's words, filled in and completed by what the evidence shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from firstresponder.api.incident import Evidence, HypothesisResult
from firstresponder.api.rootcause import FailurePoint, RootCause
from firstresponder.api.runbook import Action, RunbookSpec
from firstresponder.debugger.analyst import Case
from firstresponder.evidence.patterns import is_error_line
from firstresponder.expressions import render_text, template_references
from firstresponder.safety import is_withheld
from firstresponder.safety.values import format_value

_TARGET = "target"
_VALUES_SHOWN = 300
_LOOKS = 4
"""How many diagnostics are listed as a way to see it again."""

_METHODS = r"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)"
_REQUEST = re.compile(rf"\b{_METHODS} (/[^\s?#\"'<>]{{0,200}})")
_REFUSED = re.compile(rf"\b{_METHODS} /[^\s\"]{{0,500}}(?: HTTP/[0-9.]+)?\"? (?:[-=]> )?4[0-9][0-9]\b")
_RELEASE = re.compile(r"\b(?:release|version)[=: ]{1,2}\"?(v?[0-9][0-9A-Za-z.+_-]{0,63})", re.IGNORECASE)
_VERSION = re.compile(r"\bv?[0-9]{1,6}(?:\.[0-9]{1,6}){1,3}(?:[-+][0-9A-Za-z.]{1,32})?\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Sighting:
    """A request that the log lines of one diagnostic name."""

    request: str
    named_by: Evidence
    lines: int
    """How many of the kept lines name it."""
    kept: int


class FromEvidence:
    """Works from what is there: the runbook, the verdicts, log lines, and the state of units."""

    def experiments(self, case: Case) -> Sequence[str]:
        """All that the runbook declares: its author knows what helps."""
        return [each.name for each in case.spec.experiments] if isinstance(case.spec, RunbookSpec) else []

    def findings(self, case: Case) -> RootCause:
        host = _host(case)
        near = _near(case, host)
        sighting = _sighting(near)
        text = case.cause.root_cause if case.cause is not None else None
        # Not checked for length: whoever asks cuts to size, and a long word must not cost all the others.
        return RootCause.model_construct(
            summary=_filled(case, text.summary) if text is not None else None,
            symptom=_symptom(case),
            failure_point=FailurePoint.model_construct(
                component=_known(case, text.component if text is not None else None) or case.service,
                host=host,
                release=_known(case, text.release if text is not None else None) or _release(near),
                request=_known(case, text.request if text is not None else None)
                or (sighting.request if sighting is not None else None),
            ),
            evidence=[
                *_verdicts(case, "Holds"),
                *([_seen(sighting)] if sighting is not None else []),
                *self._experiments(case),
                *_verdicts(case, "Unknown"),
                *_verdicts(case, "Refuted"),
            ],
            reproduction=_reproduction(case, near, sighting),
            minimal_fix=_minimal_fix(case),
            verification=_verification(case),
            stop_conditions=_stop_conditions(case),
        )

    def _experiments(self, case: Case) -> Iterator[str]:
        """What each experiment saw; one that was asked for and has no evidence was never run."""
        ran = {each.name: each for each in case.experiments or ()}
        for name in self.experiments(case):
            if name not in ran:
                yield f"experiment {name}: not run, for its role has no host or an argument is not known"
            elif (why := ran[name].unavailable) is not None:
                yield f"experiment {name}: nothing seen: {why.reason}: {why.message}"
            else:
                # Tables too: an experiment was asked for what it shows.
                seen = {field: value for field, value in ran[name].values.items() if field != "lines"}
                yield f"experiment {name}: {format_value(seen, _VALUES_SHOWN)}"


def _filled(case: Case, template: str) -> str:
    return render_text(template, case.scope)


def _known(case: Case, template: str | None) -> str | None:
    """The template's text when all that it names is known; half a name would lead people astray."""
    if template is None or any(case.scope.lookup(path) is None for path in template_references(template)):
        return None
    return _filled(case, template)


def _host(case: Case) -> str | None:
    """Where it fails: the host that all diagnostics behind the cause looked at, else the target."""
    roles = {each.role for each in case.spec.diagnostics if each.name in case.rests_on}
    role = roles.pop() if len(roles) == 1 else _TARGET
    return case.hosts.get(role, case.hosts.get(_TARGET))


def _near(case: Case, host: str | None) -> list[Evidence]:
    """What was seen there, also from the operator: first what the cause rests on, for the rest may be noise."""
    seen = [each for each in case.evidence if each.unavailable is None and each.host in {host, None}]
    return sorted(seen, key=lambda each: each.name not in case.rests_on)


def _lines(evidence: Evidence) -> list[str]:
    lines = evidence.values.get("lines")
    return [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []


def _most_frequent(pattern: re.Pattern[str], lines: Sequence[str]) -> str | None:
    """What the pattern finds in the most lines; of several the first in the alphabet, so that it is always the same."""
    found = Counter(text for line in lines for text in set(pattern.findall(line)))
    return min(found, key=lambda text: (-found[text], text), default=None)


def _failing(evidence: Evidence) -> list[str]:
    """The kept lines that report a failure; a request that was answered well reproduces nothing."""
    return [line for line in _lines(evidence) if is_error_line(line) or _REFUSED.search(line)]


def _sighting(near: Sequence[Evidence]) -> _Sighting | None:
    """The failing request that the log names most: as the runbook extracts it, else as HTTP servers write one."""
    for finds in (_extracted_request, lambda each: _most_frequent(_REQUEST, _failing(each))):
        for each in near:
            if request := finds(each):
                lines = _lines(each)
                return _Sighting(request, each, sum(request in line for line in lines), len(lines))
    return None


def _extracted(evidence: Evidence, *names: str) -> str | None:
    extracted = evidence.values.get("extracted")
    found = (extracted.get(name) for name in names) if isinstance(extracted, dict) else ()
    return next((text for text in found if isinstance(text, str) and not is_withheld(text)), None)


def _extracted_request(evidence: Evidence) -> str | None:
    """As the runbook extracts it; not one that the kept lines name only where it was answered well."""
    request = _extracted(evidence, "request")
    named = request is not None and any(request in line for line in _lines(evidence))
    return None if named and not any(request in line for line in _failing(evidence) if request) else request


def _release(near: Sequence[Evidence]) -> str | None:
    """The release as the runbook extracts it, as the log names it, or as the unit's description does."""
    for each in near:
        if found := _extracted(each, "release", "version") or _most_frequent(_RELEASE, _lines(each)):
            return found
    for each in near:
        described = _VERSION.search(str(each.values.get("description", "")))
        if described is not None:
            return described[0]
    return None


def _symptom(case: Case) -> str | None:
    if not isinstance(case.spec, RunbookSpec):
        return None
    name = case.spec.symptom
    signal = next((each.signal for each in case.spec.variables if each.name == name), None)
    because = next((each.because for each in case.verdicts if each.kind == "Symptom"), None)
    said = _filled(case, signal) if signal is not None else because
    return f"{name}: {said}" if said else name


def _verdicts(case: Case, verdict: str) -> list[str]:
    """The hypotheses with that verdict, the cause before the others."""
    found = [each for each in case.verdicts if each.kind == "Hypothesis" and each.verdict == verdict]
    cause = case.cause.name if case.cause is not None else None
    word = {"Holds": "", "Unknown": "cannot be evaluated: ", "Refuted": "ruled out: "}[verdict]
    return [f"{word}{each.name}: {each.because}" for each in sorted(found, key=lambda each: each.name != cause)]


def _seen(sighting: _Sighting) -> str:
    """Where the request is named, and how often."""
    source, count = sighting.named_by, sighting.named_by.values.get("count")
    whole = f" ({format_value(count, 32)} in all)" if isinstance(count, int | float) else ""
    often = f"in {sighting.lines} of the {sighting.kept} newest lines" if sighting.lines else "in the lines"
    return f"{sighting.request} is named {often} of {source.name}{whole} {_from(source)}"


def _from(evidence: Evidence) -> str:
    return f"on {evidence.host}" if evidence.host is not None else "from the operator"


def _reproduction(case: Case, near: Sequence[Evidence], sighting: _Sighting | None) -> list[str]:
    steps = []
    if sighting is not None:
        line = re.compile(rf"\b{_METHODS} {re.escape(sighting.request)}")
        request = _most_frequent(line, _lines(sighting.named_by)) or sighting.request
        steps.append(f"send {request} to {case.service} on a host without production traffic; {_seen(sighting)}")
    else:
        behind = [each for each in near if each.name in case.rests_on][:_LOOKS]
        steps += [f"look at {_what(case, each)} {_from(each)}: {_values(each)}" for each in behind]
    if isinstance(case.spec, RunbookSpec):
        name = case.spec.symptom
        expression = next((each.expression for each in case.spec.variables if each.name == name), name)
        steps.append(f"it is there again when {name} is true: {expression}")
    return steps


def _what(case: Case, evidence: Evidence) -> str:
    """The diagnostic with the arguments that were given, as a person would ask for it."""
    diagnostic = next((each for each in case.spec.diagnostics if each.name == evidence.name), None)
    if diagnostic is None:
        return evidence.name
    given = diagnostic.arguments.model_dump(by_alias=True, exclude_defaults=True, mode="json")
    arguments = ", ".join(f"{name} {_argument(case, value)}" for name, value in given.items())
    return f"{evidence.name} ({diagnostic.probe}{f': {arguments}' if arguments else ''})"


def _argument(case: Case, value: Any) -> str:
    return _filled(case, value) if isinstance(value, str) else format_value(value, 120)


def _values(evidence: Evidence) -> str:
    """What was seen, but for lists: of log lines, processes, folders, addresses."""
    values = {name: value for name, value in evidence.values.items() if not isinstance(value, list)}
    return format_value(values, _VALUES_SHOWN)


def _action(case: Case) -> Action | None:
    wanted = case.cause.then.action if case.cause is not None else None
    actions = case.spec.actions if isinstance(case.spec, RunbookSpec) else []
    return next((each for each in actions if each.name == wanted), None)


def _minimal_fix(case: Case) -> str | None:
    """The runbook's word, else what follows from the cause, else what has to be found out first."""
    if case.cause is not None:
        if (fix := _known(case, case.cause.root_cause.minimal_fix)) is not None:
            return fix
        outcome = case.cause.then
        if outcome.escalate is not None:
            return _filled(case, outcome.escalate.human_action)
        return f"{outcome.action}, as proposed" if outcome.action is not None else None
    return _to_find_out([each for each in case.verdicts if each.kind == "Hypothesis"])


def _to_find_out(hypotheses: Sequence[HypothesisResult]) -> str | None:
    blind = next((each for each in hypotheses if each.verdict == "Unknown"), None)
    if blind is not None:
        return f"find out first whether it is {blind.name}: {blind.because}"
    holding = [each.name for each in hypotheses if each.verdict == "Holds"]
    if len(holding) > 1:
        return f"find out first which it is: {', '.join(holding)}"
    return None


def _verification(case: Case) -> list[str]:
    if not isinstance(case.spec, RunbookSpec):
        return []
    return [f"{each.name}: {each.require}" for each in case.spec.verify.criteria]


def _stop_conditions(case: Case) -> list[str]:
    """When to leave it alone: a guard, the rollback, and the signs that it got worse."""
    stops = [f"{each.name}: {each.when}" for each in case.spec.guards]
    if not isinstance(case.spec, RunbookSpec):
        return stops
    verify, action = case.spec.verify, _action(case)
    stops += [f"{each.name}: {each.when}" for each in verify.fail_when]
    stops.append(f"the criteria do not hold for {_filled(case, verify.window)} within {verify.timeout}")
    if action is not None:
        stops.append(f"it gets worse: {_filled(case, action.rollback.plan)}")
    return stops
