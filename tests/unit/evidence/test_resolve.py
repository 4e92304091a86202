"""Names, as getent ahosts resolves them."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.evidence.probe import Reason, Unobserved
from tests.unit.evidence.asking import argv, printed, seen, unseen

NAME: dict[str, Any] = {"name": "dependency-service"}
FOUND = "198.18.0.9      STREAM dependency-service\n" + "".join(
    f"{line}\n"
    for line in (
        *("198.18.0.9      DGRAM  ", "198.18.0.9      RAW    "),
        *("fd00::9         STREAM ", "fd00::9         DGRAM  ", "fd00::9         RAW    "),
    )
)


def asked(text: str = "", status: int = 0, read: int = 1) -> CommandOutput:
    return printed(f"read={read}\n{text}status={status}\n")


def test_each_address_is_there_once_in_order() -> None:
    assert seen("resolve", asked(FOUND), **NAME) == {
        "resolved": True,
        "error": "",
        "addresses": ["198.18.0.9", "fd00::9"],
    }


def test_a_name_that_does_not_resolve_has_an_error_and_no_addresses() -> None:
    assert seen("resolve", asked(status=2), **NAME) == {"resolved": False, "error": "NameNotResolved"}


def test_a_resolver_that_does_not_answer_is_an_observation() -> None:
    assert seen("resolve", printed("read=142\n"), **NAME) == {"resolved": False, "error": "TimedOut"}


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (asked(""), Reason.UNPARSEABLE),
        (asked("dependency-service\n"), Reason.UNPARSEABLE),
        (asked("198.18.0.9 STREAM\nunerwartet\n"), Reason.UNPARSEABLE),
        (asked("getent: no such database\n", status=2), Reason.FAILED),
        (asked("", status=1), Reason.FAILED),
        (asked("bash: line 1: getent: command not found\n", status=127), Reason.MISSING_PROGRAM),
        (printed(f"read=1\n{FOUND}"), Reason.UNPARSEABLE),
    ],
)
def test_anything_else_says_nothing_about_the_name(output: CommandOutput, reason: Reason) -> None:
    unseen("resolve", output, reason, **NAME)


def test_the_name_is_an_argument_of_a_constant_script() -> None:
    assert argv("resolve", **NAME)[3:] == ("bash", "6.0", "dependency-service")
    with pytest.raises(Unobserved, match="name: "):
        argv("resolve", name="x; id")
