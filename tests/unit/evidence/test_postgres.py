"""PostgreSQL, with what psql 15 printed against a real server in each of these states."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.evidence.probe import Reason, Unobserved
from tests.unit.evidence.asking import argv, printed, seen, unseen

PAYROLL: dict[str, Any] = {"application": "payroll"}
SOCKET = 'psql: error: connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: '
LOCALLY = "\n\tIs the server running locally and accepting connections on that socket?\n"


def refused(text: str) -> CommandOutput:
    return printed("", f"{SOCKET}{text}", 2)


TOO_MANY = [
    "FATAL:  sorry, too many clients already\n",
    "FATAL:  remaining connection slots are reserved for non-replication superuser connections\n",
    "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute\n",
]
REFUSALS = [
    *((text, "TooManyClients") for text in TOO_MANY),
    ("FATAL:  the database system is starting up\n", "InRecovery"),
    ("FATAL:  the database system is in recovery mode\n", "InRecovery"),
    ("FATAL:  the database system is not yet accepting connections\n", "InRecovery"),
    ("FATAL:  the database system is shutting down\n", "ShuttingDown"),
    (f"No such file or directory{LOCALLY}", "Refused"),
    (f"Connection refused{LOCALLY}", "Refused"),
    ("timeout expired\n", "TimedOut"),
    (
        "server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally\n",
        "ConnectionClosed",
    ),
]
NOT_OURS = [
    'FATAL:  Peer authentication failed for user "fr_observe"\n',
    'FATAL:  role "fr_observe" does not exist\n',
    'FATAL:  role "fr_observe" is not permitted to log in\n',
    'FATAL:  no pg_hba.conf entry for host "[local]", user "fr_observe", database "postgres", no encryption\n',
    "fe_sendauth: no password supplied\n",
]


def test_a_server_that_answers_is_accepting_and_has_no_error() -> None:
    assert seen("postgresPing", printed("1\n")) == {"accepting": True, "error": ""}


@pytest.mark.rule(2)
@pytest.mark.parametrize(("text", "error"), REFUSALS)
def test_a_server_that_refuses_is_an_observation_with_its_error(text: str, error: str) -> None:
    assert seen("postgresPing", refused(text)) == {"accepting": False, "error": error}


@pytest.mark.parametrize("text", NOT_OURS)
def test_a_role_that_may_not_log_in_says_nothing_about_the_server(text: str) -> None:
    unseen("postgresPing", refused(text), Reason.NO_PERMISSION, "host/README.md")
    unseen("postgresConnections", refused(text), Reason.NO_PERMISSION, "host/README.md", **PAYROLL)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (refused("FATAL:  tut mir leid, schon zu viele Verbindungen\n"), Reason.FAILED),
        (refused('FATAL:  too many connections for role "fr_observe"\n'), Reason.FAILED),
        (refused('FATAL:  database "postgres" does not exist\n'), Reason.FAILED),
        (printed("", "ERROR:  canceling statement due to statement timeout\n", 1), Reason.FAILED),
        (printed("", "FATAL:  sorry, too many clients already\n", 2), Reason.FAILED),
        (printed("", f"{SOCKET}{TOO_MANY[0]}", 1), Reason.FAILED),
        (printed("2\n"), Reason.UNPARSEABLE),
    ],
)
def test_a_failure_that_is_not_known_is_no_observation(output: CommandOutput, reason: Reason) -> None:
    unseen("postgresPing", output, reason)


def held(application: str | None, count: int, **other: Any) -> dict[str, Any]:
    """Connections of one application as its own role to a database of its own, unless said otherwise."""
    name = application or "nobody"
    group = {"application": application, "role": name, "database": name, "count": count, "idle": 0}
    return {**group, "idleInTransaction": 0, **other}


OURS = held("first-responder", 1, role="fr_observe", database="postgres")
ANSWER: dict[str, Any] = {
    "seesAll": True,
    "max": 100,
    "reserved": 3,
    "roles": {},
    "databases": {},
    "connections": [held("payroll", 90, idle=50), held("pay roll'\"", 2), held("", 1, role=None, database=None), OURS],
}


def told(**changes: Any) -> CommandOutput:
    return printed(json.dumps({**ANSWER, **changes}) + "\n")


def connections(application: str = "payroll", **changes: Any) -> dict[str, Any]:
    return seen("postgresConnections", told(**changes), application=application)


def test_the_applications_connections_are_counted_against_the_servers_maximum() -> None:
    values = connections()
    assert (values["tooMany"], values["count"], values["max"], values["usedPercent"]) == (False, 90, 100, 90.0)
    assert connections("pay roll'\"")["count"] == 2


def test_what_the_server_reserves_is_of_no_use_to_a_service() -> None:
    values = connections()
    assert (values["total"], values["limit"], values["limitedBy"]) == (94, 97, "the server")
    assert values["limitPercent"] == values["totalPercent"] == 96.9
    assert connections(reserved=100)["limitPercent"] == 100.0


def test_the_largest_holder_is_named_with_what_it_does_with_them() -> None:
    greedy = held("reports", 9, role="analyst", database="warehouse", idleInTransaction=7, idle=1)
    values = connections(max=13, connections=[greedy, OURS])
    assert (values["count"], values["ownPercent"], values["limitPercent"]) == (0, 0.0, 100.0)
    assert values["holder"] == values["holders"][0] == greedy
    assert connections()["ownPercent"] == 95.7


@pytest.mark.parametrize(
    ("limits", "limited_by", "limit", "used", "percent"),
    [
        ({"roles": {"payroll": 1}}, "role payroll", 1, 1, 100.0),
        ({"databases": {"payroll": 2}}, "database payroll", 2, 1, 50.0),
        ({"roles": {"payroll": 0}}, "role payroll", 0, 1, 100.0),
        ({"roles": {"somebody-else": 1}}, "the server", 97, 2, 2.1),
    ],
)
def test_a_limit_of_the_role_or_the_database_ends_first(
    limits: dict[str, Any], limited_by: str, limit: int, used: int, percent: float
) -> None:
    values = connections(connections=[held("payroll", 1), OURS], **limits)
    found = (values["limitedBy"], values["limit"], values["limitUsed"], values["limitPercent"])
    assert found == (limited_by, limit, used, percent)


def test_while_the_application_holds_none_every_limit_could_be_its_own() -> None:
    values = connections(connections=[held("other", 3, role="shared"), OURS], roles={"shared": 3})
    assert (values["count"], values["limitedBy"], values["limitPercent"]) == (0, "role shared", 100.0)


def test_an_application_without_connections_has_none() -> None:
    values = connections("other")
    assert (values["count"], values["usedPercent"], values["ownPercent"]) == (0, 0.0, 0.0)


def test_the_name_of_a_holder_is_harmless_to_show() -> None:
    values = connections(connections=[held("a\x1b[2J", 5), OURS])
    assert values["holder"]["application"] == r"a\x1b[2J"


@pytest.mark.rule(2)
@pytest.mark.parametrize("text", TOO_MANY)
def test_no_slot_for_us_is_an_observation_and_all_that_is_known(text: str) -> None:
    assert seen("postgresConnections", refused(text), **PAYROLL) == {"tooMany": True}


@pytest.mark.parametrize("text", [text for text, error in REFUSALS if error != "TooManyClients"])
def test_a_server_that_is_down_has_not_too_many_connections(text: str) -> None:
    with pytest.raises(Unobserved):
        seen("postgresConnections", refused(text), **PAYROLL)


def test_a_role_that_does_not_see_all_connections_cannot_count_them() -> None:
    unseen("postgresConnections", told(seesAll=False), Reason.NO_PERMISSION, "GRANT pg_monitor", **PAYROLL)


@pytest.mark.parametrize(
    "output",
    [
        told(connections=None),
        told(connections=[held("payroll", 95)]),
        told(connections=[held("payroll", 0), OURS]),
        told(connections=[{**held("payroll", 1), "count": "95"}, OURS]),
        told(connections=[{**held("payroll", 1), "count": True}, OURS]),
        told(roles={"payroll": -1}),
        told(reserved=None),
        told(max=0),
        told(max="100"),
        told(seesAll=1),
        printed(told().stdout[:-9]),
        printed("[" * 5000),
    ],
)
def test_an_answer_in_another_form_is_not_read(output: CommandOutput) -> None:
    unseen("postgresConnections", output, Reason.UNPARSEABLE, **PAYROLL)


def test_no_argument_of_a_runbook_reaches_the_server() -> None:
    hostile = argv("postgresConnections", application="x'; DROP TABLE t; --")
    assert hostile == argv("postgresConnections", **PAYROLL)
    assert "DROP" not in " ".join(hostile)


def test_a_name_that_the_server_would_have_cut_is_refused() -> None:
    argv("postgresConnections", application="x" * 63)
    with pytest.raises(Unobserved, match="63 characters"):
        argv("postgresConnections", application="x" * 64)


@pytest.mark.parametrize("name", ["postgresPing", "postgresConnections"])
def test_it_asks_as_its_own_role_read_only_and_with_bounded_waits(name: str) -> None:
    command = argv(name, **(PAYROLL if name == "postgresConnections" else {}))
    assert command[3:5] == ("sh", "psql")
    assert {"--no-psqlrc", "--no-password"} <= set(command)
    [connection] = [each for each in command if each.startswith("--dbname=")]
    assert "user=fr_observe " in connection
    assert "connect_timeout=5 " in connection
    assert "default_transaction_read_only=on" in connection
    assert "statement_timeout=3000" in connection
    assert "host=" not in connection
