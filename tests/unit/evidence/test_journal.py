"""Journal messages: counted all, kept few, and a journal that cannot be read is never an empty one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from firstresponder.api.base import duration_seconds
from firstresponder.api.command import CommandOutput
from firstresponder.api.ledger import Moment
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.journal import JournalArguments
from firstresponder.evidence.patterns import PATTERNS
from firstresponder.evidence.probe import Context, Reason, Unobserved
from firstresponder.safety import LEFT_OUT, REDACTED
from tests.unit.evidence.asking import NOW, argv, context, printed, seen, unseen

UNIT: dict[str, Any] = {"unit": "api-gateway.service"}


BOOT = "b" * 32
UP = 90_000.0
"""Seconds since the boot at NOW."""
SHOWN = {"Id": "api-gateway.service", "LoadState": "loaded", "StandardOutput": "journal", "StandardError": "inherit",
         "LogNamespace": "", "LogLevelMax": "-1"}  # fmt: skip


def record(message: Any, time: float, up: float, boot: str = BOOT, number: int = 7) -> str:
    return json.dumps(
        {
            "__CURSOR": f"s=1;i={number:x};b={boot};m={round(up * 1e6):x}",
            "__REALTIME_TIMESTAMP": str(round(time * 1e6)),
            "__MONOTONIC_TIMESTAMP": str(round(up * 1e6)),
            "_BOOT_ID": boot,
            "MESSAGE": message,
        }
    )


def entry(message: Any, time: float = NOW - 1) -> str:
    return record(message, time, UP - NOW + time) + "\n"


def read(
    *lines: str,
    status: int = 0,
    newest: str | None = None,
    oldest: str | None = None,
    span: float = 600,
    facts: Sequence[str] = (),
    stderr: str = "",
    **unit: str,
) -> CommandOutput:
    """The output of our script after journalctl printed these lines."""
    head = [
        f"newest {record('COMMAND=firstresponder-observe', NOW, UP) if newest is None else newest}",
        f"span {round(span * 1e6)}",
        "set 0",
        f"oldest {record('Linux version', NOW - 86_000, 1, number=1) if oldest is None else oldest}",
        f"file {NOW - 0.1} yes /var/log/journal/m/system.journal",
        *(f"unit {name}={value}" for name, value in (SHOWN | unit).items()),
        *facts,
    ]
    begin = "".join(f"#{fact}\n" for fact in head)
    return printed(f"{begin}{''.join(lines)}#status {status}\n#end\n", stderr)


def journal(*messages: Any, **arguments: Any) -> dict[str, Any]:
    since = duration_seconds(arguments.get("since", "10m"))
    return seen("journal", read(*map(entry, messages), span=since), **(UNIT | arguments))


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
    values = seen("journal", read(*[entry("x")] * 30, span=120), **UNIT, since="10m")
    assert values["perMinute"] == 15.0


@pytest.mark.rule(16)
def test_a_journal_is_read_from_the_end_of_the_action_by_the_clock_that_nobody_can_set() -> None:
    assert argv("journal", **UNIT, since="10m")[4:10] == (
        f"{NOW * 1e6:.0f}",
        "600000000",
        "0",
        "0",
        "unknown",
        UNIT["unit"],
    )
    boot = "-".join(("b" * 8, "b" * 4, "b" * 4, "b" * 4, "b" * 12))
    end = Moment(NOW - 5, UP - 5, boot)
    probe = PROBES["journal"]
    command = probe.argv(probe.arguments(**UNIT), Context(now=NOW, timeout=10.0, not_before=end))
    assert command[6:9] == (f"{(NOW - 5) * 1e6:.0f}", f"{(UP - 5) * 1e6:.0f}", BOOT)


@pytest.mark.rule(16)
def test_what_was_logged_before_the_span_does_not_count_although_the_journal_gave_it() -> None:
    output = read(entry("before", NOW - 9.000001), entry("at", NOW - 9), entry("after", NOW - 1), span=9)
    assert seen("journal", output, **UNIT)["lines"] == ["at", "after"]


@pytest.mark.rule(16)
def test_an_error_that_was_logged_before_the_clock_was_set_ahead_still_counts() -> None:
    """Its record bears the time of before, an hour ago by now; what it bears of the other clock is a minute ago."""
    early = record("boom", NOW - 3660, UP - 60) + "\n"
    assert seen("journal", read(early), **UNIT)["count"] == 1
    late = record("boom", NOW + 3000, UP - 660) + "\n"
    assert seen("journal", read(late), **UNIT)["count"] == 0


def test_records_of_an_earlier_boot_are_told_by_the_clock() -> None:
    output = read(
        record("too early", NOW - 700, 99_000, "a" * 32) + "\n", record("late", NOW - 500, 99_200, "a" * 32) + "\n"
    )
    assert seen("journal", output, **UNIT)["lines"] == ["late"]


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
        (read("Journal file /var/log/journal/m/system@1.journal is truncated, ignoring file.\n"), Reason.FAILED),
        (read("find: '/var/log/journal/m': Permission denied\n"), Reason.NO_PERMISSION),
        (read("Journal file /var/log/journal/x uses an unsupported feature, ignoring file.\n"), Reason.FAILED),
        (read('Bad pattern "(": missing closing parenthesis\n', status=1), Reason.BAD_ARGUMENT),
        (read("sh: 1: journalctl: not found\n", status=127), Reason.MISSING_PROGRAM),
        (read(status=2), Reason.FAILED),
        (read(entry("x"), status=1), Reason.FAILED),
        # A host that keeps no journal, and one where journalctl says why it is not to be seen.
        (printed("#newest \n#end\n"), Reason.NOT_FOUND),
        (printed("#newest \nNo journal files were opened due to insufficient permissions.\n#end\n"),
         Reason.NO_PERMISSION),
        (printed("#newest \nsh: 1: journalctl: not found\n#end\n"), Reason.MISSING_PROGRAM),
        # Stopped at its time limit: systemd-run gives 1, as journalctl does when nothing matches.
        (printed("", "", 1), Reason.FAILED),
        (printed(entry("x"), "", 1), Reason.FAILED),
        (printed(read().stdout[:-5], "", 1), Reason.FAILED),
        (printed(read(entry("#end")).stdout[:-20], "", 1), Reason.FAILED),
        # journald stopped, or stands still: its newest record is older than the look.
        (read(newest=record("x", NOW - 0.001, UP)), Reason.FAILED),
        # Records of the time that is read were removed, or nobody knows.
        (read(oldest=record("x", NOW - 599, UP - 599)), Reason.FAILED),
        (read(oldest=""), Reason.FAILED),
        # A file that was written in that time and may not be read; journalctl does not mention it.
        (read(facts=[f"file {NOW - 60} no /var/log/journal/m/system@1.journal"]), Reason.NO_PERMISSION),
        (read("{not json\n"), Reason.UNPARSEABLE),
        (read('{"MESSAGE": "x"}\n'), Reason.UNPARSEABLE),
        (read('{"MESSAGE": "x", "__REALTIME_TIMESTAMP": "gestern"}\n'), Reason.UNPARSEABLE),
        (read("{" * 3000 + "\n"), Reason.UNPARSEABLE),
    ],
)  # fmt: skip
def test_a_journal_that_could_not_be_read_whole_is_never_an_empty_one(output: CommandOutput, reason: Reason) -> None:
    unseen("journal", output, reason, **UNIT, match="x")


@pytest.mark.parametrize(
    ("shown", "where"),
    [
        ({"StandardOutput": "null"}, "thrown away"),
        ({"StandardOutput": "journal", "StandardError": "null"}, r"thrown away.*StandardError=null"),
        ({"StandardOutput": "append"}, r"goes to a file.*StandardOutput=append:/var/log/app\.log"),
        ({"StandardOutput": "file"}, "goes to a file"),
        ({"StandardOutput": "truncate"}, "goes to a file"),
        ({"StandardError": "append"}, r"goes to a file.*StandardError=append"),
        ({"StandardOutput": "tty"}, "terminal"),
        ({"StandardOutput": "kmsg"}, "kernel's log"),
        ({"StandardOutput": "kmsg+console"}, "kernel's log"),
        ({"StandardOutput": "socket"}, "socket"),
        ({"StandardOutput": "fd"}, "descriptor"),
        ({"StandardOutput": "something-new"}, "elsewhere"),
        ({"LogNamespace": "payroll"}, "journal namespace payroll"),
        ({"LogLevelMax": "3"}, "only what is err or worse"),
        ({"LoadState": "not-found"}, "not loaded"),
        ({"LoadState": "bad-setting"}, "not loaded"),
    ],
)
@pytest.mark.rule(2)
def test_a_unit_that_logs_elsewhere_has_no_journal_and_the_message_says_where_it_logs(
    shown: dict[str, Any], where: str
) -> None:
    output = read(facts=["sink Output append:/var/log/app.log"], **shown)
    unseen("journal", output, Reason.NOT_FOUND, where, **UNIT, match="x")


def test_where_both_streams_reach_the_journal_it_is_read_whatever_else_they_reach() -> None:
    assert seen("journal", read(StandardOutput="journal+console"), **UNIT)["count"] == 0
    assert seen("journal", read(LogLevelMax="6"), **UNIT)["count"] == 0
    without = read(facts=[])
    bare = without.stdout.replace(b"#unit StandardOutput=journal\n#unit StandardError=inherit\n", b"")
    assert seen("journal", printed(bare), unit="backup.timer")["count"] == 0


@pytest.mark.parametrize("level", ["err", "3", "notice"])
def test_a_journal_that_keeps_only_what_is_worse_than_a_program_prints_is_none(level: str) -> None:
    unseen("journal", read(facts=[f"store {level}"]), Reason.NOT_FOUND, "MaxLevelStore", **UNIT)
    assert seen("journal", read(facts=[f"store {level}", "store info"]), **UNIT)["count"] == 0


def test_what_journald_dropped_of_the_unit_was_not_seen() -> None:
    dropped = f"dropped {record('Suppressed 4242 messages from api-gateway.service', NOW - 9, UP - 9)}"
    unseen("journal", read(facts=[dropped]), Reason.TRUNCATED, "Suppressed 4242", **UNIT)
    other = f"dropped {record('Suppressed 4242 messages from other.service', NOW - 9, UP - 9)}"
    assert seen("journal", read(facts=[other]), **UNIT)["count"] == 0


def test_a_file_that_ended_before_the_time_that_is_read_does_no_harm_whatever_is_wrong_with_it() -> None:
    path = "/var/log/journal/m/system@1.journal"
    facts = [f"file {NOW - 4000} no {path}", f"file {NOW - 5000} yes {path}~"]
    complaints = (
        f"Journal file {path} is truncated, ignoring file.\n",
        f"Journal file {path}~ corrupted, ignoring file.\n",
    )
    assert seen("journal", read(*complaints, entry("x"), facts=facts), **UNIT)["count"] == 1
    unseen("journal", read(*complaints, facts=facts, span=4500), Reason.FAILED, "truncated", **UNIT, since="75m")


def test_a_journal_that_was_never_cut_reaches_back_to_its_own_beginning() -> None:
    young = record("first", NOW - 30, UP - 30, number=1)
    assert seen("journal", read(oldest=young), **UNIT)["count"] == 0


def test_a_unit_is_read_by_the_name_that_systemd_has_for_it() -> None:
    """Under an alias journalctl finds nothing."""
    assert '--unit=$(systemctl show --property=Id --value -- "$unit")' in argv("journal", **UNIT)[2]


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


def test_an_extracted_text_is_whole_and_without_secrets_or_a_mark_stands_for_it() -> None:
    extract = {"all": "(?:user|path) (.*)"}
    assert journal("user alice@example.com", extract=extract)["extracted"] == {"all": REDACTED}
    assert journal("path /" + "x-" * 128, extract=extract)["extracted"] == {"all": LEFT_OUT}
    assert journal("path /" + "x-" * 127, extract=extract)["extracted"] == {"all": "/" + "x-" * 127}


def test_a_group_that_took_no_part_extracts_nothing() -> None:
    assert journal("b", extract={"x": "(a)|b"})["extracted"] == {}


def test_a_pattern_that_re2_does_not_know_is_the_runbooks_fault() -> None:
    unseen("journal", read(entry("x")), Reason.BAD_ARGUMENT, r"extract\.x", **UNIT, extract={"x": r"(a)\1"})


def test_the_command_never_depends_on_quoting() -> None:
    command = argv("journal", unit="api-gateway.service", match='"; reboot; $(id) `id`')
    assert command[:2] == ("sh", "-c")
    assert command[2] == argv("journal", kernel=True)[2]
    assert command[-1] == '--grep="; reboot; $(id) `id`'
    assert "api-gateway.service" in command
    assert "--case-sensitive=yes" in command


def test_the_kernels_messages_are_asked_for_as_such() -> None:
    command = argv("journal", kernel=True)
    assert command[9:] == ("", "_TRANSPORT=kernel")


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
    unseen("journal", read(span=-5), Reason.FAILED, "clock", **UNIT)


def test_a_named_pattern_and_an_own_one_find_what_either_finds() -> None:
    named = PATTERNS["poolExhausted"].expression
    assert argv("journal", **UNIT, patterns="poolExhausted")[-1] == f"--grep={named}"
    both = argv("journal", **UNIT, patterns="poolExhausted", match="(?i)no session for")[-1]
    assert both == f"--grep=(?:{named})|(?:(?i)no session for)"


def test_an_own_pattern_that_a_parameter_leaves_empty_is_none_and_never_one_that_finds_everything() -> None:
    empty = JournalArguments(unit="a.service", match="$(own)").model_copy(update={"match": ""})
    with pytest.raises(Unobserved, match="every message"):
        PROBES["journal"].argv(empty, context())
    alongside = empty.model_copy(update={"patterns": "errorLines"})
    assert PROBES["journal"].argv(alongside, context())[-1] == f"--grep={PATTERNS['errorLines'].expression}"
