"""Whether the PostgreSQL server on the host accepts connections and answers ``SELECT 1``.

That it does not is an observation, so ``error`` is always there: empty when it does, else Refused (nothing listens),
TooManyClients, InRecovery (or starting up), ShuttingDown, TimedOut or ConnectionClosed.
"""

from __future__ import annotations

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.evidence.field import boolean, text
from firstresponder.evidence.manual_steps import ManualSteps
from firstresponder.evidence.postgres import MESSAGES, manual_steps, query_argv, refusal
from firstresponder.evidence.probe import Context, Probe, text_of, unparseable


class PostgresPingArguments(ApiModel):
    """Whether the PostgreSQL server on the host accepts connections and answers a query."""


def _argv(arguments: PostgresPingArguments, context: Context) -> tuple[str, ...]:
    del arguments
    return query_argv("SELECT 1", context)


def _parse(arguments: PostgresPingArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del arguments, context
    error = refusal(output)
    if error is None and text_of(output.stdout) != "1\n":
        raise unparseable("psql did not print the 1 that was asked for")
    return {"accepting": error is None, "error": error or ""}


PROBE = Probe(
    name="postgresPing",
    arguments=PostgresPingArguments,
    source="psql",
    fields={
        "accepting": boolean("Whether the server accepts connections and answers a query"),
        "error": text(
            "Why not: Refused, TooManyClients, InRecovery, ShuttingDown, TimedOut or ConnectionClosed; "
            "empty when it does"
        ),
    },
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(
        lambda _: {
            "accepting": "true where `1` is printed; false where psql says that the server does not listen, has no "
            "connection left, starts up, recovers, shuts down, is too slow or hangs up; unknown after anything else, "
            "such as a login that is refused",
            "error": f"`''` where it accepts; else by what psql says: {MESSAGES}",
        },
        lambda _, asked: manual_steps("SELECT 1", asked),
    ),
)
