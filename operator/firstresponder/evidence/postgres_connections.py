"""Connections of one application to the PostgreSQL server on the host, from ``pg_stat_activity``.

``count`` are the client connections that bear the application's name, ``max`` is ``max_connections`` and
``usedPercent`` is 100 · count / max. ``tooMany`` is always there: true when we were refused for want of a slot, and
then it is all that is known. The names of all applications are asked for and ours is picked out here, so the query
is constant.
"""

from __future__ import annotations

import json

from firstresponder.api.base import JSON
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import PostgresConnectionsArguments
from firstresponder.evidence.by_hand import ByHand
from firstresponder.evidence.postgres import APPLICATION, TOO_MANY, by_hand, query_argv, refusal
from firstresponder.evidence.probe import Context, Probe, Reason, Unit, Unobserved, failure, text_of, unparseable
from firstresponder.safety.markdown import code

NAME_LIMIT = 63
"""Bytes of an application_name that the server keeps."""

# Without pg_read_all_stats the kind of others' backends is not shown, and they would not be counted.
_QUERY = (
    "SELECT json_build_object('seesAll', pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), "
    "'max', current_setting('max_connections')::int, 'connections', (SELECT json_object_agg(name, number) FROM "
    "(SELECT application_name AS name, count(*) AS number FROM pg_stat_activity "
    "WHERE backend_type = 'client backend' GROUP BY 1) AS each))"
)


def _argv(arguments: PostgresConnectionsArguments, context: Context) -> tuple[str, ...]:
    if len(arguments.application) > NAME_LIMIT:
        raise Unobserved(Reason.BAD_ARGUMENT, f"application: PostgreSQL keeps {NAME_LIMIT} characters of a name")
    return query_argv(_QUERY, context)


def _parse(arguments: PostgresConnectionsArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del context
    error = refusal(output)
    if error == "TooManyClients":
        return {"tooMany": True}
    if error is not None:
        raise failure(output)
    maximum, connections = _answer(text_of(output.stdout))
    count = connections.get(arguments.application, 0)
    return {"tooMany": False, "count": count, "max": maximum, "usedPercent": round(100 * count / maximum, 1)}


def _answer(text: str) -> tuple[int, dict[str, int]]:
    """The maximum, and the number of connections by application."""
    try:
        match json.loads(text):
            case {"seesAll": bool(sees_all), "max": int(maximum), "connections": dict(connections)}:
                pass
            case _:
                raise ValueError
    except (ValueError, RecursionError):
        raise unparseable("psql did not print one line of JSON with the connections") from None
    if not sees_all:
        raise Unobserved(Reason.NO_PERMISSION, "fr_observe may not see all connections: GRANT pg_monitor TO fr_observe")
    numbers = connections.values()
    # Our own connection has to be among them.
    if maximum < 1 or APPLICATION not in connections or not all(type(each) is int and each > 0 for each in numbers):
        raise unparseable("the server's connections and their maximum cannot be true")
    return maximum, connections


def _read_by_hand(arguments: PostgresConnectionsArguments) -> dict[str, str]:
    return {
        "tooMany": f"true where psql says {TOO_MANY}, and all else is unknown then; false where it prints a line of "
        "JSON; else unknown",
        "count": f"the number behind {code(arguments.application)} under `connections`, 0 where it is not there; not "
        "known unless `seesAll` is `true`",
        "max": "the number behind `max`",
        "usedPercent": "100 × `count` / `max`, with one decimal",
    }


PROBE = Probe(
    name="postgresConnections",
    arguments=PostgresConnectionsArguments,
    source="psql, pg_stat_activity",
    fields={
        "tooMany": "Whether we were refused for want of a connection; then nothing else is known",
        "count": "Client connections that bear the name",
        "max": "`max_connections`",
        "usedPercent": "100 · count / max, in percent",
    },
    measures={"usedPercent": Unit.PERCENT, "count": Unit.COUNT},
    argv=_argv,
    parse=_parse,
    by_hand=ByHand(_read_by_hand, lambda _, asked: by_hand(_QUERY, asked)),
    max_output=256 * 1024,
)
