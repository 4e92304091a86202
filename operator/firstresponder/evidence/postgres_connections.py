"""Who holds the connections to the PostgreSQL server on the host, and whose limit ends them first.

A service gets no connection when the server has none left, or when its role or its database has reached a limit of its
own (``ALTER ROLE … CONNECTION LIMIT``, ``ALTER DATABASE …``): each is read, and the one that is nearest to its end
is reported. Slots that the server reserves for superusers and for ``pg_use_reserved_connections`` are of no use to
others. The limits that count are those of the roles and databases that the application itself uses; while it holds no
connection nobody knows them, and the limits of all count.

``tooMany`` is always there: true when we were refused for want of a slot, and then it is all that is known. The names
of all applications are asked for and ours is picked out here, so the query is constant.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import ConfigDict, Field

from firstresponder.api.base import JSON, ApiModel
from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import Template
from firstresponder.evidence.field import NUMBER, TEXT, boolean, number, record, table, text
from firstresponder.evidence.manual_steps import ManualSteps
from firstresponder.evidence.postgres import APPLICATION, TOO_MANY, manual_steps, query_argv, refusal
from firstresponder.evidence.probe import Context, Probe, Reason, Unobserved, failure, text_of, unparseable
from firstresponder.safety import shown
from firstresponder.safety.markdown import code


class PostgresConnectionsArguments(ApiModel):
    """Connections of one application to the PostgreSQL server on the host, against the server's maximum."""

    application: Template
    """The application_name that its connections bear."""


NAME_LIMIT = 63
"""Bytes of an application_name that the server keeps."""
_HOLDERS = 5

# Without pg_read_all_stats the kind of others' backends is not shown, and they would not be counted. A superuser is
# bound by no limit of a role or database (InitPostgres); reserved_connections came with PostgreSQL 16.
_QUERY = (
    "SELECT json_build_object('seesAll', pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), "
    "'max', current_setting('max_connections')::int, "
    "'reserved', current_setting('superuser_reserved_connections')::int "
    "+ coalesce(current_setting('reserved_connections', true), '0')::int, "
    "'roles', (SELECT coalesce(json_object_agg(rolname, rolconnlimit), '{}') FROM pg_roles "
    "WHERE rolconnlimit >= 0 AND NOT rolsuper), "
    "'databases', (SELECT coalesce(json_object_agg(datname, datconnlimit), '{}') FROM pg_database "
    "WHERE datconnlimit >= 0), "
    "'connections', (SELECT json_agg(each) FROM (SELECT application_name AS application, usename AS role, "
    "datname AS database, count(*) AS count, count(*) FILTER (WHERE state LIKE 'idle in transaction%') "
    "AS \"idleInTransaction\", count(*) FILTER (WHERE state = 'idle') AS idle FROM pg_stat_activity "
    "WHERE backend_type = 'client backend' GROUP BY 1, 2, 3) AS each))"
)

_Count = Annotated[int, Field(ge=0)]


class _Group(ApiModel):
    """Connections of one application, role and database; the server names neither before a session is set up."""

    model_config = ConfigDict(strict=True)

    application: str | None
    role: str | None
    database: str | None
    count: Annotated[int, Field(ge=1)]
    idle_in_transaction: _Count
    idle: _Count


class _Answer(ApiModel):
    """What the query gives."""

    model_config = ConfigDict(strict=True)

    sees_all: bool
    max: Annotated[int, Field(ge=1)]
    reserved: _Count
    roles: dict[str, _Count]
    databases: dict[str, _Count]
    connections: list[_Group]


@dataclass(frozen=True)
class _Limit:
    """One number of connections that ends before another can be opened."""

    name: str
    maximum: int
    groups: tuple[_Group, ...]
    """Who takes of it."""

    @property
    def used(self) -> int:
        return sum(each.count for each in self.groups)

    @property
    def percent(self) -> float:
        return min(100 * self.used / self.maximum, 100.0) if self.maximum else 100.0


def _argv(arguments: PostgresConnectionsArguments, context: Context) -> tuple[str, ...]:
    if len(arguments.application) > NAME_LIMIT:
        raise Unobserved(Reason.BAD_ARGUMENT, f"PostgreSQL keeps {NAME_LIMIT} characters of a name", "application")
    return query_argv(_QUERY, context)


def _parse(arguments: PostgresConnectionsArguments, output: CommandOutput, context: Context) -> dict[str, JSON]:
    del context
    error = refusal(output)
    if error == "TooManyClients":
        return {"tooMany": True}
    if error is not None:
        raise failure(output)
    answer = _answer(text_of(output.stdout))
    own = [each for each in answer.connections if each.application == arguments.application]
    nearest = max(_limits(answer, own), key=lambda limit: limit.percent)
    count = _total(own)
    holders = sorted(nearest.groups, key=lambda each: -each.count)
    by_application = Counter[str]()
    for each in nearest.groups:
        by_application[each.application or ""] += each.count
    return {
        "tooMany": False,
        "count": count,
        "idleInTransaction": sum(each.idle_in_transaction for each in own),
        "max": answer.max,
        "total": _total(answer.connections),
        "usedPercent": round(100 * count / answer.max, 1),
        "totalPercent": round(_server(answer).percent, 1),
        "limit": nearest.maximum,
        "limitedBy": shown(nearest.name, NAME_LIMIT + 16),
        "limitUsed": nearest.used,
        "limitPercent": round(nearest.percent, 1),
        "ownPercent": round(100 * by_application[arguments.application] / nearest.used, 1) if nearest.used else 0.0,
        "holder": _holder(holders[0]) if holders else {},
        "holders": [_holder(each) for each in holders[:_HOLDERS]],
    }


def _server(answer: _Answer) -> _Limit:
    return _Limit("the server", max(answer.max - answer.reserved, 0), tuple(answer.connections))


def _limits(answer: _Answer, own: list[_Group]) -> list[_Limit]:
    """Those that the application meets, the server's own first."""
    roles = {each.role for each in own} if own else set(answer.roles)
    databases = {each.database for each in own} if own else set(answer.databases)
    return [
        _server(answer),
        *(
            _Limit(f"role {name}", maximum, tuple(each for each in answer.connections if each.role == name))
            for name, maximum in answer.roles.items()
            if name in roles
        ),
        *(
            _Limit(f"database {name}", maximum, tuple(each for each in answer.connections if each.database == name))
            for name, maximum in answer.databases.items()
            if name in databases
        ),
    ]


def _total(groups: Iterable[_Group]) -> int:
    return sum(each.count for each in groups)


def _holder(group: _Group) -> dict[str, JSON]:
    return {
        "application": shown(group.application or "(no name)", NAME_LIMIT),
        "role": shown(group.role or "(none yet)", NAME_LIMIT),
        "database": shown(group.database or "(none yet)", NAME_LIMIT),
        "count": group.count,
        "idle": group.idle,
        "idleInTransaction": group.idle_in_transaction,
    }


def _answer(printed: str) -> _Answer:
    try:
        answer = _Answer.model_validate(json.loads(printed))
    except (ValueError, RecursionError):  # pydantic's error is a ValueError
        raise unparseable("psql did not print one line of JSON with the connections") from None
    if not answer.sees_all:
        raise Unobserved(Reason.NO_PERMISSION, "fr_observe may not see all connections: GRANT pg_monitor TO fr_observe")
    # Our own connection has to be among them.
    if all(each.application != APPLICATION for each in answer.connections):
        raise unparseable("the server's connections cannot be all: ours is not among them")
    return answer


def _read_by_hand(arguments: PostgresConnectionsArguments) -> dict[str, str]:
    own = f"the entries of `connections` whose `application` is {code(arguments.application)}"
    limit = (
        "of the limits (the server's, `max` less `reserved`; `roles` and `databases` of the same entries, or all of "
        "them where there are none) the one that is used up most"
    )
    return {
        "tooMany": f"true where psql says {TOO_MANY}, and all else is unknown then; false where it prints a line of "
        "JSON; else unknown",
        "count": f"the sum of `count` of {own}, 0 where there are none; unknown unless `seesAll` is `true`",
        "idleInTransaction": f"the sum of `idleInTransaction` of {own}",
        "max": "the number behind `max`",
        "total": "the sum of `count` of all `connections`",
        "usedPercent": "100 × `count` / `max`, with one decimal",
        "totalPercent": "100 × the sum of `count` / (`max` less `reserved`), with one decimal, 100 at most",
        "limit": limit,
        "limitedBy": f"whose that is: {limit}",
        "limitUsed": f"the sum of `count` of all that fall under it: {limit}",
        "limitPercent": "100 × `limitUsed` / `limit`, with one decimal, 100 at most",
        "ownPercent": f"of those under that limit, how many in 100 are {own}",
        "holder": "of those under that limit the entry with the largest `count`",
        "holders": f"the {_HOLDERS} largest of them",
    }


_HOLDER = {
    "application": TEXT,
    "role": TEXT,
    "database": TEXT,
    "count": NUMBER,
    "idle": NUMBER,
    "idleInTransaction": NUMBER,
}

PROBE = Probe(
    name="postgresConnections",
    arguments=PostgresConnectionsArguments,
    source="psql, pg_stat_activity",
    fields={
        "tooMany": boolean("Whether the server had no free connection for us; then nothing else is known"),
        "count": number("Client connections that bear the name", measured=True),
        "idleInTransaction": number("Those of them that hold a transaction open and do nothing"),
        "max": number("`max_connections`"),
        "total": number("Client connections of everybody"),
        "usedPercent": number("100 · count / max, in percent", measured=True),
        "totalPercent": number("100 · total / (max less what the server reserves), in percent"),
        "limit": number("The limit that the application meets first: the server's, its role's or its database's"),
        "limitedBy": text("Whose that is: `the server`, `role NAME` or `database NAME`"),
        "limitUsed": number("Client connections of everybody that count towards it"),
        "limitPercent": number("100 · limitUsed / limit, in percent", measured=True),
        "ownPercent": number("The application's part of limitUsed, in percent"),
        "holder": record("Who holds most of them: `application`, `role`, `database`, `count`, `idle`, …", **_HOLDER),
        "holders": table(f"The {_HOLDERS} who hold most, likewise", **_HOLDER),
    },
    quoted=("holder", "holders"),
    argv=_argv,
    parse=_parse,
    manual_steps=ManualSteps(_read_by_hand, lambda _, asked: manual_steps(_QUERY, asked)),
    max_output=256 * 1024,
)
