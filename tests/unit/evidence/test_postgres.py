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


ANSWER: dict[str, Any] = {
    "seesAll": True,
    "max": 100,
    "connections": {"payroll": 95, "pay roll'\"": 2, "": 1, "first-responder": 1},
}


def told(**changes: Any) -> CommandOutput:
    return printed(json.dumps({**ANSWER, **changes}) + "\n")


def test_the_applications_connections_are_counted_against_the_servers_maximum() -> None:
    assert seen("postgresConnections", told(), **PAYROLL) == {
        "tooMany": False,
        "count": 95,
        "max": 100,
        "usedPercent": 95.0,
    }
    assert seen("postgresConnections", told(), application="pay roll'\"")["count"] == 2


def test_an_application_without_connections_has_none() -> None:
    values = seen("postgresConnections", told(), application="other")
    assert (values["count"], values["usedPercent"]) == (0, 0.0)


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
        told(connections={"payroll": 95}),
        told(connections={**ANSWER["connections"], "payroll": "95"}),
        told(connections={**ANSWER["connections"], "payroll": True}),
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
    assert command[0] == "psql"
    assert {"--no-psqlrc", "--no-password"} <= set(command)
    [connection] = [each for each in command if each.startswith("--dbname=")]
    assert "user=fr_observe " in connection
    assert "connect_timeout=5 " in connection
    assert "default_transaction_read_only=on" in connection
    assert "statement_timeout=3000" in connection
    assert "host=" not in connection
