"""Whether a name resolves on the host as programs there resolve it, from ``getent ahosts`` (nsswitch.conf).

That it does not is an observation, so ``error`` is always there: empty when it resolves, else NameNotResolved or
TimedOut. ``addresses`` is left out then.
"""

from __future__ import annotations

import shlex
from ipaddress import ip_address

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import Template
from firstresponder.evidence import bounded_wait
from firstresponder.evidence.argument_checks import require_host
from firstresponder.evidence.field import boolean, text, texts
from firstresponder.evidence.manual_steps import Asked, ManualSteps
from firstresponder.evidence.probe import Context, Probe, failure, text_of, unparseable


class ResolveArguments(ApiModel):
    """Whether a name resolves on the host, and to which addresses."""

    name: Template
    """The name of a host."""


_NOT_FOUND = 2  # getent(1), "EXIT STATUS"


def _argv(arguments: ResolveArguments, context: Context) -> tuple[str, ...]:
    return bounded_wait.argv(context, 'getent ahosts "$1"', require_host("name", arguments.name))


def _parse(arguments: ResolveArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del arguments, context
    ended = bounded_wait.answer(output)
    if ended is None:
        return {"resolved": False, "error": "TimedOut"}
    if ended.exit_status == _NOT_FOUND and not ended.stderr:
        return {"resolved": False, "error": "NameNotResolved"}
    if ended.exit_status != 0:
        raise failure(ended)
    return {"resolved": True, "error": "", "addresses": _addresses(text_of(ended.stderr))}


def _addresses(text: str) -> list[JSON]:
    """Each address once, in the order of preference."""
    found = [line.partition(" ")[0] for line in text.splitlines()]
    try:
        for each in found:
            ip_address(each)
    except ValueError:
        raise unparseable("getent did not print one address a line") from None
    if not found:
        raise unparseable("getent printed no address")
    return list(dict.fromkeys(found))


def _manual_steps(arguments: ResolveArguments, asked: Asked) -> str:
    return bounded_wait.manual_steps(asked, f"getent ahosts {shlex.quote(require_host('name', arguments.name))}")


PROBE = Probe(
    name="resolve",
    arguments=ResolveArguments,
    source="getent ahosts",
    fields={
        "resolved": boolean("Whether the name has an address"),
        "addresses": texts("Each address once, the preferred first; left out when there is none"),
        "error": text("Why not: NameNotResolved or TimedOut; empty when it does"),
    },
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(
        lambda _: {
            "resolved": f"true at `status=0`; false at `status={_NOT_FOUND}` or {bounded_wait.BY_HAND}; else unknown",
            "addresses": "the first column, each address once",
            "error": f"`''` at `status=0`; `NameNotResolved` at `status={_NOT_FOUND}`; `TimedOut` at "
            f"{bounded_wait.BY_HAND}",
        },
        _manual_steps,
    ),
)
