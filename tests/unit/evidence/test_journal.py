"""Journal messages: counted all, kept few, and a journal that cannot be read is never an empty one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.api.diagnostics import JournalArguments
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.probe import Reason, Unobserved
from tests.unit.evidence.asking import NOW, argv, context, printed, seen, unseen

UNIT: dict[str, Any] = {"unit": "api-gateway.service"}


def entry(message: Any, time: float = NOW - 1) -> str:
    fields = {"__CURSOR": "s=1", "__REALTIME_TIMESTAMP": str(round(time * 1e6)), "_BOOT_ID": "b", "MESSAGE": message}
    return json.dumps(fields) + "\n"


def read(*lines: str, status: int = 0, any_entry: str = "{", stderr: str = "") -> CommandOutput:
    """The output of our script after journalctl printed these lines."""
    return printed(f"{''.join(lines)}journalctl={status} any={any_entry}\n", stderr)


def journal(*messages: Any, **arguments: Any) -> dict[str, Any]:
    return seen("journal", read(*map(entry, messages)), **(UNIT | arguments))


@pytest.mark.rule(18)
def test_all_matches_count_and_the_newest_are_kept() -> None:
    values = journal(*(f"line {number}" for number in range(100)), limit=2)
    assert values["count"] == 100
    assert values["lines"] == ["line 98", "line 99"]
    assert journal("a", "b", limit=0)["lines"] == []


def test_messages_that_differ_only_in_numbers_are_the_same() -> None:
    values = journal("worker 17 died at 0xdeadbeef", "worker 4 died at 0xfeedf00d", "started", "id 3f2a-99 gone")
    assert values["mostRepeated"] == 2
    assert journal("alpha", "beta", "alpha")["mostRepeated"] == 2


@pytest.mark.rule(18)
def test_the_rate_is_per_minute_really_looked_at() -> None:
    assert journal(*["x"] * 30, since="10m")["perMinute"] == 3.0
    assert journal(*["x"] * 30, since="10s")["perMinute"] == 30.0
    values = seen("journal", read(*[entry("x")] * 30), not_before=NOW - 120, **UNIT, since="10m")
    assert values["perMinute"] == 15.0


@pytest.mark.rule(16)
def test_a_journal_is_read_from_the_given_moment_on() -> None:
    assert f"--since=@{NOW - 600:.6f}" in argv("journal", **UNIT, since="10m")
    assert f"--since=@{NOW - 5:.6f}" in argv("journal", not_before=NOW - 5, **UNIT, since="10m")
    assert f"--since=@{NOW - 600:.6f}" in argv("journal", not_before=NOW - 900, **UNIT, since="10m")


@pytest.mark.rule(16)
def test_what_was_logged_before_that_moment_does_not_count_although_the_journal_gave_it() -> None:
    output = read(entry("before", NOW - 9.000001), entry("at", NOW - 9), entry("after", NOW - 1))
    assert seen("journal", output, not_before=NOW - 9, **UNIT)["lines"] == ["at", "after"]


def test_no_match_is_a_zero() -> None:
    empty = {"count": 0, "perMinute": 0.0, "lines": [], "mostRepeated": 0, "extracted": {}}
    assert seen("journal", read(status=1), **UNIT, match="x") == empty
    assert seen("journal", read(), **UNIT) == empty


@pytest.mark.rule(2)
@pytest.mark.parametrize(
    ("output", "reason"),
    [
        # As systemd 252 says it; the status differs with what else there was to read.
        (read("No journal files were opened due to insufficient permissions.\n", status=1), Reason.NO_PERMISSION),
        (read("Hint: You are currently not seeing messages from other users and the system.\n",
              "      Users in groups 'adm', 'systemd-journal' can see all messages.\n",
              "      Pass -q to turn off this notice.\n"), Reason.NO_PERMISSION),
        (read("Hint: You are currently not seeing messages from the system.\n", entry("mine")), Reason.NO_PERMISSION),
        (read("No journal files were found.\n"), Reason.FAILED),
        (read("Journal file /var/log/journal/x uses an unsupported feature, ignoring file.\n"), Reason.FAILED),
        (read('Bad pattern "(": missing closing parenthesis\n', status=1), Reason.BAD_ARGUMENT),
        (read("sh: 1: journalctl: not found\n", status=127), Reason.MISSING_PROGRAM),
        (read(status=2), Reason.FAILED),
        (read(entry("x"), status=1), Reason.FAILED),
        # A host that keeps no journal.
        (read(any_entry=""), Reason.NOT_FOUND),
        (read(status=1, any_entry="N"), Reason.NOT_FOUND),
        # Stopped at its time limit: systemd-run gives 1, as journalctl does when nothing matches.
        (printed("", "", 1), Reason.FAILED),
        (printed(entry("x"), "", 1), Reason.FAILED),
        (printed(entry("journalctl=0 any={")[:-5], "", 1), Reason.FAILED),
        (printed(entry("x") + "journalctl=", "", 1), Reason.FAILED),
        (read("{not json\n"), Reason.UNPARSEABLE),
        (read('{"MESSAGE": "x"}\n'), Reason.UNPARSEABLE),
        (read('{"MESSAGE": "x", "__REALTIME_TIMESTAMP": "gestern"}\n'), Reason.UNPARSEABLE),
        (read("{" * 3000 + "\n"), Reason.UNPARSEABLE),
    ],
)  # fmt: skip
def test_a_journal_that_could_not_be_read_whole_is_never_an_empty_one(output: CommandOutput, reason: Reason) -> None:
    unseen("journal", output, reason, **UNIT, match="x")


def test_without_a_pattern_status_1_is_a_failure() -> None:
    unseen("journal", read(status=1), Reason.FAILED, **UNIT)


def test_what_others_say_on_the_error_output_does_no_harm() -> None:
    assert seen("journal", read(entry("x"), stderr="sudo: unable to resolve host app-01\n"), **UNIT)["count"] == 1


def test_a_message_of_bytes_or_of_several_values_is_read() -> None:
    assert journal([104, 105, 255])["lines"] == ["hi�"]
    assert journal(["first", [104, 105]])["lines"] == [r"first\nhi"]


def test_a_message_that_was_not_printed_counts_and_says_nothing_about_the_others() -> None:
    values = journal("x", None, "x", extract={"word": "x"})
    assert values["count"] == 3
    assert values["lines"] == ["x", "x"]
    assert "mostRepeated" not in values
    assert "extracted" not in values


def test_kept_lines_are_redacted_harmless_and_bounded() -> None:
    assert journal("\x1b[31mpassword=hunter2")["lines"] == [r"\x1b[31mpassword=[redacted]"]
    long = journal(*["y " * 5000] * 50, limit=50)["lines"]
    assert {len(line) for line in long} == {1024}
    assert len(long) == 16


def test_the_text_found_most_often_is_extracted() -> None:
    messages = ["GET /a failed", "POST /api/v1/reports OutOfMemoryError", "GET /api/v1/reports", "nothing"]
    values = journal(*messages, extract={"request": r"(?:GET|POST) (/[\w/-]+)", "kind": "[A-Za-z]+Error", "no": "zz"})
    assert values["extracted"] == {"request": "/api/v1/reports", "kind": "OutOfMemoryError"}


def test_an_extracted_text_is_whole_and_without_secrets_or_left_out() -> None:
    extract = {"all": "(?:user|path) (.*)"}
    assert journal("user alice@example.com", extract=extract)["extracted"] == {}
    assert journal("path /" + "x-" * 128, extract=extract)["extracted"] == {}
    assert journal("path /" + "x-" * 127, extract=extract)["extracted"] == {"all": "/" + "x-" * 127}


def test_a_group_that_took_no_part_extracts_nothing() -> None:
    assert journal("b", extract={"x": "(a)|b"})["extracted"] == {}


def test_a_pattern_that_re2_does_not_know_is_the_runbooks_fault() -> None:
    unseen("journal", read(entry("x")), Reason.BAD_ARGUMENT, r"extract\.x", **UNIT, extract={"x": r"(a)\1"})


def test_the_command_never_depends_on_quoting() -> None:
    command = argv("journal", unit="api-gateway.service", match='"; reboot; $(id) `id`')
    assert command[:2] == ("sh", "-c")
    assert command[2].startswith('journalctl "$@" 2>&1; ')
    assert command[2] == argv("journal", kernel=True)[2]
    assert command[-1] == '--grep="; reboot; $(id) `id`'
    assert "--unit=api-gateway.service" in command
    assert "--case-sensitive=yes" in command


def test_the_kernels_messages_are_asked_for_as_such() -> None:
    command = argv("journal", kernel=True)
    assert "--dmesg" in command
    assert not any(element.startswith("--unit") for element in command)


@pytest.mark.parametrize("arguments", [{}, {"unit": "a.service", "kernel": True}])
def test_unit_and_kernel_exclude_each_other(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give unit or kernel: true"):
        JournalArguments(**arguments)


def test_arguments_that_cannot_be_used_are_named() -> None:
    with pytest.raises(Unobserved, match="is not a unit's name"):
        argv("journal", unit="*.service")
    rendered = JournalArguments(unit="a.service").model_copy(update={"since": "soon"})
    with pytest.raises(Unobserved, match="since: 'soon' is not a duration"):
        PROBES["journal"].argv(rendered, context())


def test_a_clock_that_went_back_before_the_end_of_the_action_shows_no_journal_and_not_an_empty_one() -> None:
    with pytest.raises(Unobserved, match="clock"):
        argv("journal", not_before=NOW + 5, **UNIT)
    unseen("journal", read(), Reason.FAILED, "clock", not_before=NOW + 5, **UNIT)
