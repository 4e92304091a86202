"""What of the evidence a runbook's conditions and texts read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from firstresponder.actions.catalogue import methods_of, scaling_of
from firstresponder.api.runbook import RunbookSpec, Triage
from firstresponder.expressions import template_references
from firstresponder.runbooks.symbols import compiled, names_in


def paths_read(spec: Triage) -> dict[str, list[str]]:
    """Diagnostic → the dotted paths below it that a condition, a count or a text reads, sorted."""
    return _below(spec, conditions_read(spec) | {path for text in _texts(spec) for path in template_references(text)})


def paths_judged(spec: Triage) -> dict[str, list[str]]:
    """The same of conditions and counts alone: what a decision rests on."""
    return _below(spec, conditions_read(spec))


def _below(spec: Triage, paths: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {diagnostic.name: set() for diagnostic in spec.diagnostics}
    for path in paths:
        name, _, rest = path.removeprefix("baseline.").partition(".")
        if name in found and rest:
            found[name].add(rest)
    return {name: sorted(rests) for name, rests in found.items()}


def conditions_read(spec: Triage) -> set[str]:
    """The dotted paths that a condition or a count reads, such as ``hosts.target.expectedUnits``."""
    return {path for source in _expressions(spec) for path in compiled(source, names_in(spec)).references}


def _expressions(spec: Triage) -> Iterator[str]:
    yield from (each.expression for each in spec.variables)
    yield from (each.when for each in spec.guards)
    yield from (each.when for each in spec.hypotheses)
    if not isinstance(spec, RunbookSpec):
        return
    for action in spec.actions:
        yield from (each.require for each in action.preconditions)
        if (ways := methods_of(action)) is not None:
            yield from (method.when for method in ways.methods)
            yield ways.until
        if (scaling := scaling_of(action)) is not None:
            yield from scaling.numbers.values()
    yield from (each.require for each in spec.verify.criteria)
    yield from (each.when for each in spec.verify.fail_when)


def _texts(spec: Triage) -> Iterator[str]:
    """Every text but those of the diagnostics, which read no evidence, and of the tests."""
    document = spec.wire()
    for name in ("diagnostics", "experiments", "tests"):
        document.pop(name, None)
    yield from _strings(document)


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str() if "$(" in value:
            yield value
        case dict():
            for each in value.values():
                yield from _strings(each)
        case list():
            for each in value:
                yield from _strings(each)
