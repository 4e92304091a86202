"""The page as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from firstresponder.actions.action import kebab
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Action, Parameter, Role, Runbook, RunbookSpec, Triage, TriagePlaybook
from firstresponder.expressions import format_number
from firstresponder.runbooks.page.act import actions
from firstresponder.runbooks.page.decide import decision
from firstresponder.runbooks.page.look import looks
from firstresponder.runbooks.page.occasion import Occasion
from firstresponder.runbooks.page.outcome import halt, recommended, told
from firstresponder.runbooks.page.verify import verification
from firstresponder.runbooks.seen import conditions_read, paths_read
from firstresponder.safety import neutralise
from firstresponder.safety.markdown import code, fenced, items, prose, table

_DESCRIPTION = "kubernetes.io/description"
_LONGEST = 8192

_RULES = f"""\
- **Unknown is no answer.** Could not look is not a no: a command that is refused, fails, hangs, is not there or prints
  something else than it should leaves its values unknown. `a && b` is false if one of them is false, `a || b` is true
  if one of them is true, whatever the other one is. Everything else that reads what is unknown is unknown.
- **STOP** means: do nothing more, and hand over (at the end of this page). What nobody can judge is a STOP too:
  {halt(EscalationReason.EVIDENCE_UNAVAILABLE)}
- Nothing is changed but under **Act**, where there is one, and there nothing without the agreement of others, and
  nothing twice."""


def page(runbook: Runbook | TriagePlaybook, occasion: Occasion) -> str:
    """One Markdown document. Raises Unusable where a value of the occasion fits no command."""
    return "\n\n".join(_blocks(runbook, occasion)) + "\n"


def description(runbook: Runbook | TriagePlaybook) -> str:
    """What it is for, in Markdown: its annotation ``kubernetes.io/description``; empty where it has none."""
    text = runbook.metadata.annotations.get(_DESCRIPTION, "")
    return prose(neutralise(" ".join(text.split()), _LONGEST)) if text else ""


def _blocks(runbook: Runbook | TriagePlaybook, occasion: Occasion) -> Iterator[str]:
    spec = occasion.spec
    yield f"# {prose(runbook.metadata.name)}"
    if told_of_it := description(runbook):
        yield told_of_it
    alerts = f", and for alerts named {_codes(spec.match.alerts)}" if spec.match.alerts else ""
    yield (
        f"For incidents of type {_codes(spec.match.types)}{alerts}. These are the steps and the criteria of "
        f"{type(runbook).__name__} {code(runbook.metadata.name)}, to be followed by hand, from the top to the bottom."
    )
    yield _RULES
    yield from _setting(occasion)
    paths = paths_read(spec)
    yield "## Look"
    yield (
        "You need a login that may read there: members of the group `systemd-journal` see the journal, a role with "
        "`pg_monitor` sees all of a database's connections; `sudo` where it is written. Keep what each command prints. "
        "In every shell first:"
    )
    yield fenced("export LC_ALL=C", "sh")
    yield from looks(occasion, spec.diagnostics, paths)
    yield from decision(occasion)
    if isinstance(spec, RunbookSpec):
        if spec.experiments:
            yield "For whoever has to find the cause, once it is decided; no condition reads it:"
            yield from looks(occasion, spec.experiments, {})
        yield from actions(occasion, spec)
        yield from verification(occasion, spec)
    yield from _hand_over(spec)
    yield from _afterwards(occasion)


def _setting(occasion: Occasion) -> Iterator[str]:
    spec = occasion.spec
    yield "## What this page is made for"
    yield items(("Service", code(occasion.service)))
    declared = {role.name: _declared(spec, role) for role in spec.roles}
    rows = []
    for role in spec.roles:
        host = occasion.hosts[role.name]
        units = _codes(host.expected_units) or "none" if host.expected_units is not None else "not known here"
        rows.append((code(role.name), *_host(occasion, role), units, _codes(declared[role.name]) or "–"))
    yield table(("Role", "Host", "Address", "Expected units", "Actions that it declares for the operator"), rows)
    read = conditions_read(spec)
    for role in spec.roles:
        if role.name in occasion.unknown:
            name = code(occasion.hosts[role.name].name)
            yield f"{name} stands for {_which(occasion, role)}: write its name and its address there."
        if occasion.hosts[role.name].expected_units is None and f"hosts.{role.name}.expectedUnits" in read:
            yield (
                f"{code(f'hosts.{role.name}.expectedUnits')} are the units that are expected on it: "
                f"{code(f'kubectl get host {occasion.hosts[role.name].name} -o yaml')}, or ask who runs it."
            )
    if spec.parameters:
        parameters = (
            (
                code(each.name),
                code(occasion.parameters.text[each.name]),
                code(_value(occasion.parameters.values[each.name])),
                each.type,
                _bounds(each),
            )
            for each in spec.parameters
        )
        yield table(("Parameter", "Value", "In conditions", "Type", "Bounds"), parameters)


def _host(occasion: Occasion, role: Role) -> tuple[str, str]:
    host = occasion.hosts[role.name]
    return code(host.name), code(host.address)


def _which(occasion: Occasion, role: Role) -> str:
    if role.selector is None:
        return "the host that the incident is about"
    labels = ", ".join(code(f"{key}={occasion.argument(value)}") for key, value in role.selector.match_labels.items())
    return f"the one Host with the labels {labels}"


def _declared(spec: Triage, role: Role) -> list[str]:
    """The host's actions that those of the runbook need, as files of host/actions are named."""
    own = [action for action in (spec.actions if isinstance(spec, RunbookSpec) else ()) if action.role == role.name]
    return sorted({kebab(kind) for action in own for kind in _kinds(action)})


def _kinds(action: Action) -> list[str]:
    return [action.type] if action.methods is None else [kind for method in action.methods for kind in method.given]


def _value(value: object) -> str:
    return format_number(value) if isinstance(value, int | float) else f"'{value}'"


def _bounds(parameter: Parameter) -> str:
    match parameter.minimum, parameter.maximum:
        case None, None:
            bounds = []
        case least, None:
            bounds = [f"at least {code(str(least))}"]
        case None, most:
            bounds = [f"at most {code(str(most))}"]
        case least, most:
            bounds = [f"{code(str(least))} to {code(str(most))}"]
    if parameter.pattern is not None:
        bounds.append(f"matches {code(parameter.pattern)}")
    if parameter.from_alert_label is not None:
        bounds.append(f"taken from the alert's label {code(parameter.from_alert_label)} if the incident gives none")
    return "; ".join(bounds) or "–"


def _hand_over(spec: Triage) -> Iterator[str]:
    yield "## Hand over"
    yield (
        f"Wherever nobody else is named, tell {told(spec.escalate_to)}. Say what is wrong and since when, the reason "
        "behind STOP, what each command printed, but no secrets, what you judged true, false and unknown, what was "
        "changed and how that ended, and what they have to decide."
    )


def _afterwards(occasion: Occasion) -> Iterator[str]:
    rows: list[tuple[str, str, str]] = [
        (code(each.name), follow_up.type, occasion.text(follow_up.title))
        for each in occasion.spec.hypotheses
        for follow_up in each.follow_ups
    ]
    rows += [
        (code(each.name), "Recommendation", text)
        for each in occasion.spec.hypotheses
        for text in recommended(occasion, each.then.recommendations)
    ]
    if rows:
        yield "## Afterwards"
        yield table(("Cause", "Kind", "What"), rows)


def _codes(words: Iterable[str]) -> str:
    return ", ".join(code(word) for word in words)
