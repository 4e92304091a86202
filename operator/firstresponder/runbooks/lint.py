"""What the schema cannot refuse: expressions, references and bounds of a runbook, all problems at once."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

import re2
from pydantic import BaseModel

from firstresponder.actions.ansible_scale import SHAPES, shape_problem
from firstresponder.actions.catalogue import TYPES
from firstresponder.actions.command import words_problem
from firstresponder.actions.free_space import LEAST_RETENTION
from firstresponder.actions.restart_unit import unit_problem
from firstresponder.api.base import JSON, duration_seconds, duration_text, seconds
from firstresponder.api.diagnostics import Diagnostic
from firstresponder.api.runbook import (
    ACTION_TYPES,
    METHODS,
    Action,
    AnsibleScale,
    Outcome,
    RunbookSpec,
    Triage,
    TriagePlaybookSpec,
)
from firstresponder.evidence.catalogue import PROBES
from firstresponder.expressions import (
    RESERVED_NAMES,
    ExpressionError,
    TemplateError,
    Verdict,
    compile_condition,
    compile_expression,
    template_references,
)
from firstresponder.runbooks.arguments import unusable
from firstresponder.runbooks.complaints import complaints
from firstresponder.runbooks.names import GIVEN, compiled, free_of_evidence, names_in
from firstresponder.runbooks.parameters import check_value
from firstresponder.runbooks.problem import Problem
from firstresponder.runbooks.truth import neither_true_nor_false, variables_that_are_neither
from firstresponder.runbooks.winning import hopeless

_DAY_SECONDS = 86400
_NAMELESS = ("methods", "command")
"""Types that no class is named like: what they may do differs from one to the next."""
_ARGUMENTS = re.compile(
    r"spec\.(diagnostics|experiments|roles|actions\[[0-9]+\]\.(restartUnit|ansibleScale|methods|command))\b"
)
"""Fields whose templates become arguments."""
_APART: Mapping[str, JSON] = {
    "match": {},
    "mode": None,
    "escalateTo": None,
    "otherwise": {"escalate": {"reason": "UnknownRootCause", "humanAction": "Find the cause."}},
    "verify": {
        "window": "1m",
        "timeout": "5m",
        "criteria": [{"name": "any", "require": "service != ''"}],
        "onFailure": {"escalate": {"reason": "FixFailed", "humanAction": "Find the cause."}},
    },
    "tests": None,
}
"""Fields that nothing else rests on, with what stands in for one that does not fit, so that the rest can be judged."""
KNOWLEDGE: Mapping[str, type[RunbookSpec] | type[TriagePlaybookSpec]] = {
    "Runbook": RunbookSpec,
    "TriagePlaybook": TriagePlaybookSpec,
}


def lint(kind: str, spec: Mapping[str, JSON]) -> list[Problem]:
    """Every problem of a Runbook's or TriagePlaybook's ``spec``; empty when it can be used."""
    model = KNOWLEDGE[kind]
    unfit = complaints(model, spec, "spec")
    rest = _without_unfit(model, spec, unfit)
    return [*unfit, *(_problems(model.model_validate(rest)) if rest is not None else ())]


def _without_unfit(
    model: type[Triage], spec: Mapping[str, JSON], unfit: Iterable[Problem]
) -> Mapping[str, JSON] | None:
    """The content without fields that do not fit, where nothing else rests on them; None where something does."""
    fields = {problem.field.removeprefix("spec.").partition(".")[0].partition("[")[0] for problem in unfit}
    known = {info.alias for info in model.model_fields.values()}
    if any(problem.field == "spec" for problem in unfit) or fields & known - _APART.keys():
        return None
    kept = {name: value for name, value in spec.items() if name not in fields}
    return {**kept, **{name: _APART[name] for name in fields & known if _APART[name] is not None}}


def _problems(spec: Triage) -> list[Problem]:
    # Names, probes and actions first: every expression that uses a wrong one would be a problem of its own.
    if first := [*_names(spec), *_probes(spec), *_actions(spec)]:
        return first
    found = [
        *_expressions(spec),
        *_templates(spec),
        *unusable(spec, _looks(spec)),
        *_references(spec),
        *_values(spec),
    ]
    if any(problem.field.startswith("spec.variables") for problem in found):
        return found  # what conditions mean cannot be told
    found += _truths(spec)
    fields = {problem.field for problem in found}
    return [*found, *(problem for problem in _hopeless(spec) if problem.field not in fields)]


def _names(spec: Triage) -> Iterator[Problem]:
    """Diagnostics, variables, parameters and experiments share one set of names."""
    seen: dict[str, str] = dict.fromkeys(GIVEN, "a name that every runbook has")
    given = {
        "parameters": [parameter.name for parameter in spec.parameters],
        "diagnostics": [diagnostic.name for diagnostic in spec.diagnostics],
        "variables": [variable.name for variable in spec.variables],
        "experiments": [experiment.name for experiment in _experiments(spec)],
    }
    for field, names in given.items():
        for index, name in enumerate(names):
            path = f"spec.{field}[{index}].name"
            if name in RESERVED_NAMES:
                yield Problem(path, f"{name} is reserved by the expression language: use another name")
            elif name in seen:
                yield Problem(path, f"{name} is already {seen[name]}: use another name")
            seen[name] = f"the name of an entry of spec.{field}"
    for field in ("roles", "guards", "hypotheses", "actions"):
        found: set[str] = set()
        for index, entry in enumerate(getattr(spec, field, [])):
            if entry.name in found:
                yield Problem(f"spec.{field}[{index}].name", f"{entry.name} is there twice")
            found.add(entry.name)


def _looks(spec: Triage) -> Iterator[tuple[str, Diagnostic]]:
    """Field path of everything that is looked at: diagnostics, and the debugger's experiments."""
    for index, diagnostic in enumerate(spec.diagnostics):
        yield f"spec.diagnostics[{index}]", diagnostic
    for index, experiment in enumerate(_experiments(spec)):
        yield f"spec.experiments[{index}]", experiment


def _experiments(spec: Triage) -> list[Diagnostic]:
    return spec.experiments if isinstance(spec, RunbookSpec) else []


def _probes(spec: Triage) -> Iterator[Problem]:
    for path, diagnostic in _looks(spec):
        if len(diagnostic.given) != 1:
            given = ", ".join(diagnostic.given) or "none"
            yield Problem(path, f"give exactly one probe (given: {given})")


def _actions(spec: Triage) -> Iterator[Problem]:
    """Each action of exactly one type, with what that type needs."""
    for index, action in enumerate(spec.actions if isinstance(spec, RunbookSpec) else ()):
        path = f"spec.actions[{index}]"
        if len(action.given) != 1:
            given = ", ".join(action.given) or "none"
            yield Problem(path, f"give exactly one of {', '.join(ACTION_TYPES)} (given: {given})")
            continue
        if action.methods is not None and action.until is None:
            yield Problem(f"{path}.until", "missing: methods need a condition that skips the rest when it is true")
        if action.methods is None and action.until is not None:
            yield Problem(f"{path}.until", f"{action.type} has no methods that it could skip: leave it out")
        if action.type in _NAMELESS and action.approval.action_class is None:
            yield Problem(f"{path}.approval.class", f"missing: name the ActionClass of {action.type}")
        if action.rollback.offer_inverse and action.ansible_scale is None:
            yield Problem(f"{path}.rollback.offerInverse", f"{action.type} has no inverse: only ansibleScale has one")
        names = [method.name for method in action.methods or ()]
        for number, method in enumerate(action.methods or ()):
            where = f"{path}.methods[{number}]"
            if len(method.given) != 1:
                given = ", ".join(method.given) or "none"
                yield Problem(where, f"give exactly one of {', '.join(METHODS)} (given: {given})")
            if method.name in names[:number]:
                yield Problem(f"{where}.name", f"{method.name} is there twice")


def _conditions(spec: Triage) -> Iterator[tuple[str, str]]:
    """Field path and source of every expression that must be true or false."""
    for index, guard in enumerate(spec.guards):
        yield f"spec.guards[{index}].when", guard.when
    for index, hypothesis in enumerate(spec.hypotheses):
        yield f"spec.hypotheses[{index}].when", hypothesis.when
    if isinstance(spec, RunbookSpec):
        for index, action in enumerate(spec.actions):
            for number, precondition in enumerate(action.preconditions):
                yield f"spec.actions[{index}].preconditions[{number}].require", precondition.require
            for number, method in enumerate(action.methods or ()):
                yield f"spec.actions[{index}].methods[{number}].when", method.when
            if action.until is not None:
                yield f"spec.actions[{index}].until", action.until
        for index, criterion in enumerate(spec.verify.criteria):
            yield f"spec.verify.criteria[{index}].require", criterion.require
        for index, failure in enumerate(spec.verify.fail_when):
            yield f"spec.verify.failWhen[{index}].when", failure.when


def _fields(spec: Triage, path: str, references: Iterable[str]) -> Iterator[Problem]:
    """Fields that no probe gives would be unknown for ever, and so would an experiment."""
    probes = {diagnostic.name: PROBES[diagnostic.probe] for diagnostic in spec.diagnostics}
    for reference in sorted(references):
        name, _, rest = reference.removeprefix("baseline.").partition(".")
        field = rest.partition(".")[0]
        if reference.startswith("baseline.") and name not in probes:
            yield Problem(path, f"baseline has no {name}: it holds what spec.diagnostics saw, and nothing else")
        if name in probes and field and field not in probes[name].fields:
            known = ", ".join(sorted(probes[name].fields))
            yield Problem(path, f"{name} ({probes[name].name}) has no field {field}; it has {known}")


def _expressions(spec: Triage) -> Iterator[Problem]:
    names = names_in(spec)
    evidence = {diagnostic.name for diagnostic in spec.diagnostics} | {"baseline"}
    known = names - {variable.name for variable in spec.variables}
    for index, variable in enumerate(spec.variables):
        try:
            expression = compile_expression(variable.expression, known, evidence)
        except ExpressionError as error:
            yield Problem(f"spec.variables[{index}].expression", str(error))
        else:
            yield from _fields(spec, f"spec.variables[{index}].expression", expression.references)
        known |= {variable.name}
    for path, source in _conditions(spec):
        try:
            expression = compile_condition(source, names, evidence)
        except ExpressionError as error:
            yield Problem(path, str(error))
            continue
        if expression.constant is not None and expression.constant is not Verdict.UNKNOWN:
            yield Problem(path, f"is always {expression.constant.value}, whatever is seen: correct it, or take it out")
        yield from _fields(spec, path, expression.references)
    if isinstance(spec, RunbookSpec):
        for index, action in enumerate(spec.actions):
            if action.ansible_scale is None:
                continue
            for field in ("current", "desired", "maximum"):
                path = f"spec.actions[{index}].ansibleScale.{field}"
                try:
                    expression = compile_expression(getattr(action.ansible_scale, field), names, evidence)
                except ExpressionError as error:
                    yield Problem(path, str(error))
                else:
                    yield from _fields(spec, path, expression.references)


def _truths(spec: Triage) -> Iterator[Problem]:
    variables = variables_that_are_neither(spec)
    symptom = [("spec.symptom", spec.symptom)] if isinstance(spec, RunbookSpec) else []
    for path, source in (*symptom, *_conditions(spec)):
        with contextlib.suppress(ExpressionError):  # reported where the expression stands
            if message := neither_true_nor_false(spec, compiled(source, names_in(spec)), variables):
                yield Problem(path, message)


def _hopeless(spec: Triage) -> list[Problem]:
    with contextlib.suppress(ExpressionError):  # reported where the expression stands
        return list(hopeless(spec))
    return []


def _texts(path: str, model: BaseModel) -> Iterator[tuple[str, str]]:
    """Field path and value of every string under a model that may hold ``$(…)``."""
    for name, field in type(model).model_fields.items():
        yield from _text(f"{path}.{field.alias or name}", getattr(model, name))


def _text(path: str, value: object) -> Iterator[tuple[str, str]]:
    match value:
        case str() if "$(" in value:
            yield path, value
        case BaseModel():
            yield from _texts(path, value)
        case list():
            for index, each in enumerate(value):
                yield from _text(f"{path}[{index}]", each)


def _templates(spec: Triage) -> Iterator[Problem]:
    """Templates name what exists; arguments use nothing that comes from evidence (rules 12 and 13)."""
    names = names_in(spec)
    try:
        arguments = free_of_evidence(spec)
    except ExpressionError:
        return  # reported where the expression stands
    for path, template in _texts("spec", spec.model_copy(update={"tests": None})):
        is_argument = bool(_ARGUMENTS.match(path))
        try:
            roots = {reference.partition(".")[0] for reference in template_references(template)}
        except TemplateError as error:
            yield Problem(path, str(error))
            continue
        yield from _fields(spec, path, template_references(template))
        for root in sorted(roots - names):
            yield Problem(path, f"$({root}) is not known here: known names are {', '.join(sorted(names))}")
        for root in sorted((roots & names) - arguments) if is_argument else ():
            yield Problem(path, f"$({root}) comes from evidence, which no argument may use")


def _outcomes(spec: Triage) -> Iterator[tuple[str, Outcome]]:
    for index, guard in enumerate(spec.guards):
        yield f"spec.guards[{index}].then", guard.then
    for index, hypothesis in enumerate(spec.hypotheses):
        yield f"spec.hypotheses[{index}].then", hypothesis.then
    yield "spec.otherwise", spec.otherwise
    if isinstance(spec, RunbookSpec):
        yield "spec.verify.onFailure", spec.verify.on_failure
        for index, action in enumerate(spec.actions):
            for number, precondition in enumerate(action.preconditions):
                if precondition.otherwise is not None:
                    yield f"spec.actions[{index}].preconditions[{number}].otherwise", precondition.otherwise


def _references(spec: Triage) -> Iterator[Problem]:
    """Roles, actions, the symptom: what is named must be there."""
    roles = {role.name for role in spec.roles}
    known_roles = ", ".join(sorted(roles))
    for path, diagnostic in _looks(spec):
        if diagnostic.role not in roles:
            yield Problem(f"{path}.role", f"{diagnostic.role} is not among spec.roles ({known_roles})")
    actions = {action.name for action in spec.actions} if isinstance(spec, RunbookSpec) else set()
    for path, outcome in _outcomes(spec):
        given = [each for each in (outcome.action, outcome.runbook, outcome.escalate) if each is not None]
        if len(given) != 1:
            yield Problem(path, "give exactly one of action, runbook or escalate")
        elif not path.startswith("spec.hypotheses") and outcome.escalate is None:
            yield Problem(path, "must escalate: only a hypothesis that holds can lead to an action")
        elif outcome.action is not None and outcome.action not in actions:
            names = ", ".join(sorted(actions)) or "none"
            yield Problem(f"{path}.action", f"{outcome.action} is not among spec.actions ({names})")
        elif outcome.runbook is not None and isinstance(spec, RunbookSpec):
            yield Problem(f"{path}.runbook", "only a TriagePlaybook can lead to another runbook")
    if isinstance(spec, RunbookSpec):
        if spec.symptom not in {variable.name for variable in spec.variables}:
            yield Problem("spec.symptom", f"{spec.symptom} is not among spec.variables")
        for index, action in enumerate(spec.actions):
            if action.role not in roles:
                brought = ", ".join(each.name for each in TYPES[action.type].companions(action))
                also = f"; it also looks at {brought} there" if brought else ""
                text = f"{action.role} is not among spec.roles ({known_roles}){also}"
                yield Problem(f"spec.actions[{index}].role", text)


def _regex_problem(pattern: str) -> str | None:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        detail = error.args[0]
        text = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
        return f"not a usable regular expression: {text}"
    return None


def _values(spec: Triage) -> Iterator[Problem]:
    """Defaults within their own bounds, patterns that compile, a verification that can succeed."""
    for index, parameter in enumerate(spec.parameters):
        try:
            check_value(parameter, parameter.default)
        except (ValueError, re2.error) as error:
            yield Problem(f"spec.parameters[{index}].default", str(error))
    for path, diagnostic in _looks(spec):
        if diagnostic.journal is not None:
            patterns = {"match": diagnostic.journal.match, **diagnostic.journal.extract}
            for name, pattern in patterns.items():
                if pattern is None:
                    continue
                if message := _regex_problem(pattern):
                    field = "match" if name == "match" else f"extract.{name}"
                    yield Problem(f"{path}.journal.{field}", message)
    if isinstance(spec, RunbookSpec):
        yield from _argument_values(spec)
        yield from _verification(spec)


_MOST_SAMPLES = 1000
"""Of one window. More of them would be forgotten before it is over."""


def _verification(spec: RunbookSpec) -> Iterator[Problem]:
    """A window that can be held, whatever an incident makes of it: sampled often, and over before the time-out."""
    verify = spec.verify
    try:
        shortest, longest = _bounds(spec, verify.window)
    except ValueError as error:
        yield Problem("spec.verify.window", str(error))
        return
    delay, interval = seconds(verify.initial_delay), seconds(verify.interval)
    if not interval:
        yield Problem("spec.verify.interval", f"{verify.interval} is no time between two samples: make it longer")
        return
    if shortest < interval:
        text = f"{verify.window} can be shorter than the interval of {verify.interval}: one sample is no window"
        yield Problem("spec.verify.window", text)
    most = duration_text(math.ceil(longest.total_seconds()))
    if longest / interval > _MOST_SAMPLES:
        text = f"{verify.interval} makes more than {_MOST_SAMPLES} samples of a window of {most}: make it longer"
        yield Problem("spec.verify.interval", text)
    if delay + longest >= seconds(verify.timeout):
        room = f"an initialDelay of {verify.initial_delay} and a window of up to {most}"
        yield Problem("spec.verify.timeout", f"{verify.timeout} leaves no room for {room}: make it longer")


def _bounds(spec: RunbookSpec, window: str) -> tuple[timedelta, timedelta]:
    """The shortest and the longest that a window can be. Raises ValueError."""
    if "$(" not in window:
        return seconds(window), seconds(window)
    named = re.fullmatch(r"\$\(([A-Za-z][A-Za-z0-9]*)\)", window)
    parameter = next((each for each in spec.parameters if named is not None and each.name == named[1]), None)
    if parameter is None or parameter.type != "duration":
        raise ValueError(f"{window} is neither a duration nor $(NAME) of a parameter of type duration")
    if parameter.maximum is None:
        raise ValueError(f"{window} has no end: give the parameter {parameter.name} a maximum")
    least = parameter.minimum if parameter.minimum is not None else "0s"
    return seconds(str(least)), seconds(str(parameter.maximum))


def _argument_values(spec: RunbookSpec) -> Iterator[Problem]:
    """Arguments that are written out and that no host would accept."""
    for index, action in enumerate(spec.actions):
        path = f"spec.actions[{index}]"
        restart = action.restart_unit
        if restart is not None and "$(" not in restart.unit and (problem := unit_problem(restart.unit)):
            yield Problem(f"{path}.restartUnit.unit", problem)
        if action.command is not None:
            words = tuple(map(_filled, action.command.argv))
            if not action.command.argv[0].startswith("$(") and (problem := words_problem(words)):
                yield Problem(f"{path}.command.argv", problem)
        for number, method in enumerate(action.methods or ()):
            where = f"{path}.methods[{number}]"
            vacuum, rotate = method.journal_vacuum, method.logrotate
            if (
                vacuum is not None
                and "$(" not in vacuum.older_than
                and duration_seconds(vacuum.older_than) < LEAST_RETENTION
            ):
                yield Problem(f"{where}.journalVacuum.olderThan", f"{vacuum.older_than} is less than the least of 1h")
            if rotate is not None and not rotate.config.startswith(("/", "$(")):
                yield Problem(f"{where}.logrotate.config", f"{rotate.config} is not an absolute path")
        if action.ansible_scale is not None:
            yield from _scale(spec, action, action.ansible_scale, f"{path}.ansibleScale")
        yield from _timeouts(action, path)


def _filled(template: str) -> str:
    """What a template becomes is not known here; it is judged again when the packet is made."""
    return re.sub(r"\$\([^()]*\)", "x", template)


def _scale(spec: RunbookSpec, action: Action, scale: AnsibleScale, path: str) -> Iterator[Problem]:
    for field in SHAPES:
        if problem := shape_problem(field, _filled(getattr(scale, field))):
            yield Problem(f"{path}.{field}", problem)
    counted = [each.inventory for each in spec.diagnostics if each.inventory is not None and each.role == action.role]
    if (scale.inventory, scale.group) not in [(each.path, each.group) for each in counted]:
        text = f"no inventory diagnostic of role {action.role} counts {scale.group} of {scale.inventory}: add one"
        yield Problem(f"{path}.group", text)


def _timeouts(action: Action, path: str) -> Iterator[Problem]:
    """Every time-out that an order gets: no host begins what it could not see the end of."""
    least = TYPES[action.type].least_timeout
    given = {
        f"{path}.{action.type}.timeout": action.restart_unit or action.ansible_scale or action.command,
        **{f"{path}.methods[{number}].timeout": each for number, each in enumerate(action.methods or ())},
    }
    for field, model in given.items():
        if model is not None and not least <= duration_seconds(model.timeout) <= _DAY_SECONDS:
            text = f"{model.timeout} is not within {least}s and 24h: hosts refuse an order with less or more"
            yield Problem(field, text)
