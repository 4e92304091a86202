"""The page as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from firstresponder.actions.catalogue import TYPES
from firstresponder.api.reasons import EscalationReason
from firstresponder.api.runbook import Parameter, Role, Runbook, RunbookSpec, Triage, TriagePlaybook
from firstresponder.runbooks.evidence_paths import conditions_read, paths_read
from firstresponder.runbooks.page.act import actions
from firstresponder.runbooks.page.decide import decision
from firstresponder.runbooks.page.look import looks
from firstresponder.runbooks.page.outcome import halt, names_of, recommendations_of
from firstresponder.runbooks.page.render_context import RenderContext
from firstresponder.runbooks.page.verify import verification
from firstresponder.safety import neutralise
from firstresponder.safety.markdown import code, fenced, items, prose, table
from firstresponder.safety.values import format_number

_DESCRIPTION = "kubernetes.io/description"
_LONGEST = 8192

_RULES = f"""\
- **Unknown is neither true nor false.** If a command is refused, fails, hangs, is missing or prints something
  unexpected, its values are unknown. `a && b` is false if either is false, and `a || b` is true if either is true, even
  when the other is unknown. Everything else that reads an unknown value is unknown.
- **STOP** means: do nothing more, and escalate (at the end of this page). Stop also at anything that you cannot decide:
  {halt(EscalationReason.EVIDENCE_UNAVAILABLE)}
- Change nothing except under **Act**, and there only what is approved, and only once."""


def page(runbook: Runbook | TriagePlaybook, context: RenderContext) -> str:
    """One Markdown document. Raises Unusable where a value of the occasion fits no command."""
    return "\n\n".join(_blocks(runbook, context)) + "\n"


def description(runbook: Runbook | TriagePlaybook) -> str:
    """What it is for, in Markdown: its annotation ``kubernetes.io/description``; empty where it has none."""
    text = runbook.metadata.annotations.get(_DESCRIPTION, "")
    return prose(neutralise(" ".join(text.split()), _LONGEST)) if text else ""


def _blocks(runbook: Runbook | TriagePlaybook, context: RenderContext) -> Iterator[str]:
    spec = context.spec
    yield f"# {prose(runbook.metadata.name)}"
    if described := description(runbook):
        yield described
    alerts = f", and for alerts named {_codes(spec.match.alerts)}" if spec.match.alerts else ""
    yield (
        f"For incidents of type {_codes(spec.match.types)}{alerts}. These are the steps and the criteria of "
        f"{type(runbook).__name__} {code(runbook.metadata.name)}, to follow by hand from top to bottom."
    )
    yield _RULES
    yield from _scope(context)
    paths = paths_read(spec)
    yield "## Look"
    yield (
        "You need a login that may read there: members of the group `systemd-journal` see the journal, a role with "
        "`pg_monitor` sees all of a database's connections; use `sudo` where it is written. Keep the output of each "
        "command. Run this first in every shell:"
    )
    yield fenced("export LC_ALL=C", "sh")
    yield from looks(context, spec.diagnostics, paths)
    yield from decision(context)
    if isinstance(spec, RunbookSpec):
        if spec.experiments:
            yield "To find the root cause, once the decision is made; no condition reads it:"
            yield from looks(context, spec.experiments, {})
        yield from actions(context, spec)
        yield from verification(context, spec)
    yield from _escalation(spec)
    yield from _afterwards(context)


def _scope(context: RenderContext) -> Iterator[str]:
    spec = context.spec
    yield "## Scope"
    yield items(("Service", code(context.service)))
    declared = {role.name: _declared(spec, role) for role in spec.roles}
    rows = []
    for role in spec.roles:
        host = context.hosts[role.name]
        units = _codes(host.expected_units) or "none" if host.expected_units is not None else "not known here"
        rows.append((code(role.name), *_host(context, role), units, _codes(declared[role.name]) or "–"))
    yield table(("Role", "Host", "Address", "Expected units", "Actions that it declares"), rows)
    read = conditions_read(spec)
    for role in spec.roles:
        if role.name in context.unknown:
            name = code(context.hosts[role.name].name)
            yield f"{name} stands for {_which(context, role)}: replace it with its name or address."
        if context.hosts[role.name].expected_units is None and f"hosts.{role.name}.expectedUnits" in read:
            yield (
                f"{code(f'hosts.{role.name}.expectedUnits')} are the units that are expected there: "
                f"{code(f'kubectl get host {context.hosts[role.name].name} -o yaml')}, or ask its owner."
            )
    if spec.parameters:
        parameters = (
            (
                code(each.name),
                code(context.parameters.text[each.name]),
                code(_value(context.parameters.values[each.name])),
                each.type,
                _bounds(each),
            )
            for each in spec.parameters
        )
        yield table(("Parameter", "Value", "In conditions", "Type", "Bounds"), parameters)


def _host(context: RenderContext, role: Role) -> tuple[str, str]:
    host = context.hosts[role.name]
    return code(host.name), code(host.address)


def _which(context: RenderContext, role: Role) -> str:
    if role.selector is None:
        return "the host that the incident is about"
    labels = ", ".join(code(f"{key}={context.argument(value)}") for key, value in role.selector.match_labels.items())
    return f"the one Host with the labels {labels}"


def _declared(spec: Triage, role: Role) -> list[str]:
    """The host's actions that those of the runbook need, as files of host/actions are named."""
    own = [action for action in (spec.actions if isinstance(spec, RunbookSpec) else ()) if action.role == role.name]
    return sorted({name for action in own for name in TYPES[action.type].declared(action)})


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


def _escalation(spec: Triage) -> Iterator[str]:
    yield "## Escalate"
    yield (
        f"Where this page names nobody else, escalate to {names_of(spec.escalate_to)}. Report what is wrong and since "
        "when, the reason after STOP, the output of each command (no secrets), what was true, false and unknown, what "
        "was changed with what result, and what has to be decided."
    )


def _afterwards(context: RenderContext) -> Iterator[str]:
    rows: list[tuple[str, str, str]] = [
        (code(each.name), follow_up.type, context.text(follow_up.title))
        for each in context.spec.hypotheses
        for follow_up in each.follow_ups
    ]
    rows += [
        (code(each.name), "Recommendation", text)
        for each in context.spec.hypotheses
        for text in recommendations_of(context, each.then.recommendations)
    ]
    if rows:
        yield "## Afterwards"
        yield table(("Cause", "Kind", "What"), rows)


def _codes(words: Iterable[str]) -> str:
    return ", ".join(code(word) for word in words)
