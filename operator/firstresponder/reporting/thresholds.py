"""What a runbook makes of the quantities that were measured: which of them it reads, and where it draws the line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firstresponder.api.incident import Incident
from firstresponder.api.runbook import RunbookSpec, Triage
from firstresponder.reporting.quantities import Quantity, is_amount
from firstresponder.runbooks.parameters import InvalidParameter, recorded, resolve
from firstresponder.runbooks.symbols import expressions_behind


@dataclass(frozen=True)
class Threshold:
    """Where a criterion draws the line."""

    criterion: str
    value: float


def worth_plotting(found: Sequence[Quantity], runbook: str, spec: Triage | None) -> tuple[Quantity, ...]:
    """Those that were measured more than once; of one diagnostic what the runbook's expressions read, or the first."""
    read = _read(spec) if spec is not None else frozenset()
    chosen: dict[tuple[str, str], list[Quantity]] = {}
    for each in found:
        if len(each.points) > 1:
            chosen.setdefault((each.runbook, each.name.partition(".")[0]), []).append(each)
    return tuple(
        quantity
        for (owner, _), of_one in chosen.items()
        for quantity in ([each for each in of_one if owner == runbook and each.name in read] or of_one[:1])
    )


def _read(spec: Triage) -> frozenset[str]:
    judged = [variable.expression for variable in spec.variables]
    judged += [each.when for each in spec.guards]
    judged += [each.when for each in spec.hypotheses]
    if isinstance(spec, RunbookSpec):
        judged += [each.require for each in spec.verify.criteria]
        judged += [each.when for each in spec.verify.fail_when]
    return frozenset().union(*(each.references for each in expressions_behind(spec, judged)))


def thresholds(incident: Incident, spec: RunbookSpec) -> dict[str, list[Threshold]]:
    """By a quantity's name: the numbers and parameters that the criteria compare it with, directly or by variables."""
    status = incident.status
    try:
        parameters = resolve(spec.parameters, recorded(spec.parameters, status.parameters)).values
    except InvalidParameter:  # it ended before its parameters were known
        parameters = {}
    found: dict[str, list[Threshold]] = {}
    for criterion in spec.verify.criteria:
        for expression in expressions_behind(spec, [criterion.require]):
            for each in expression.comparisons:
                value = parameters.get(each.against) if isinstance(each.against, str) else each.against
                if is_amount(value):
                    found.setdefault(each.path, []).append(Threshold(criterion.name, float(value)))
    return found
