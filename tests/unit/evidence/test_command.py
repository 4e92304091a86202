"""A program of the policy: what it printed, whole and unaltered, or nothing."""

from __future__ import annotations

from typing import Any

import jc
import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.command import JC_PARSERS
from firstresponder.evidence.probe import Reason, Unobserved
from firstresponder.safety import REDACTED
from tests.unit.evidence.asking import argv, printed, seen, unseen

UPTIME: dict[str, Any] = {"argv": ["uptime"]}


def test_text_is_what_was_printed() -> None:
    text = " 10:00:00 up 3 days,  1 user,  load average: 0.00, 0.01, 0.05\n"
    assert seen("command", printed(text), **UPTIME) == {"text": text.removesuffix("\n")}
    assert seen("command", printed("a\n\n b\n"), **UPTIME)["text"] == "a\n\n b"


def test_lines_are_what_was_printed_line_by_line() -> None:
    assert seen("command", printed("a\n\n b\n"), **UPTIME, output="lines") == {"lines": ["a", "", " b"]}


def test_json_comes_without_what_could_be_a_secret() -> None:
    output = printed('[{"unit": "x.service", "token": "abc", "mtu": 1500}]')
    kept = [{"unit": "x.service", "token": REDACTED, "mtu": 1500}]
    assert seen("command", output, **UPTIME, output="json") == {"json": kept}
    unseen("command", printed('"alice@example.com"'), Reason.WITHHELD, **UPTIME, output="json")


@pytest.mark.parametrize(("output", "value"), [("text", ""), ("lines", [])])
def test_a_program_that_ended_well_and_had_nothing_to_say_observed_that(output: str, value: Any) -> None:
    assert seen("command", printed(""), **UPTIME, output=output) == {output: value}


def test_a_program_that_only_complained_observed_nothing() -> None:
    for output in ("text", "lines", "json"):
        unseen("command", printed("", "x: Permission denied\n"), Reason.NO_PERMISSION, **UPTIME, output=output)
    unseen("command", printed("half", "x: no\n", 1), Reason.FAILED, **UPTIME)


@pytest.mark.parametrize("text", ["", "null", "{", "10:00 up 3 days", "[" * 5000])
def test_what_is_not_json_is_not_read_as_json(text: str) -> None:
    unseen("command", printed(text), Reason.UNPARSEABLE, **UPTIME, output="json")


@pytest.mark.parametrize("text", ["run --password hunter2\n", "by alice@example.com\n", "TOKEN=abc\n"])
@pytest.mark.parametrize("output", ["text", "lines"])
def test_text_with_what_could_be_a_secret_is_withheld_whole(text: str, output: str) -> None:
    unseen("command", printed(f"fine\n{text}"), Reason.WITHHELD, **UPTIME, output=output)


@pytest.mark.parametrize("text", ["\x1b[2J\n", "a\0b\n", "\u202e\n"])
def test_control_characters_are_not_evidence(text: str) -> None:
    unseen("command", printed(text), Reason.UNPARSEABLE, **UPTIME)


def test_an_output_that_would_be_cut_is_not_kept() -> None:
    assert PROBES["command"].max_output == 16 * 1024
    unseen("command", CommandOutput(b"x" * 20_000, b"", None, truncated=True), Reason.TRUNCATED, **UPTIME)


def test_only_what_the_policy_knows_is_sent_to_a_host() -> None:
    assert argv("command", argv=["free", "-b"]) == ("free", "-b")
    for refused in (["rm", "-rf", "/"], ["sh", "-c", "id"], ["systemctl", "restart", "x.service"]):
        with pytest.raises(Unobserved, match=r"argv\[[0-9]\]: ") as unobserved:
            argv("command", argv=refused)
        assert unobserved.value.reason is Reason.BAD_ARGUMENT


FREE: dict[str, Any] = {"argv": ["free", "-b"], "output": "jc", "parser": "free"}
TABLE = """\
               total        used        free      shared  buff/cache   available
Mem:     25276510208  1131458560 20274110464    12689408  4213493760 24145051648
Swap:              0           0           0
"""


def test_a_table_is_read_by_a_parser_of_jc() -> None:
    memory, swap = seen("command", printed(TABLE), **FREE)["jc"]
    assert (memory["type"], memory["available"], swap["total"]) == ("Mem", 24145051648, 0)


def test_a_table_comes_without_what_could_be_a_secret_and_without_nulls() -> None:
    sysctl: dict[str, Any] = {"argv": ["sysctl", "-a"], "output": "jc", "parser": "sysctl"}
    text = "kernel.hostname = api-03\nkernel.token = abc\n"
    assert seen("command", printed(text), **sysctl) == {"jc": {"kernel.hostname": "api-03", "kernel.token": REDACTED}}


@pytest.mark.parametrize("parser", sorted(JC_PARSERS))
@pytest.mark.parametrize("stdout", ["", "\n", "garbage\n", "{}\n", "\0\xff"])
def test_a_table_that_a_parser_cannot_read_or_finds_empty_is_not_an_observation(parser: str, stdout: str) -> None:
    arguments: dict[str, Any] = {**FREE, "parser": parser}
    unseen("command", printed(stdout), Reason.UNPARSEABLE, **arguments)
    unseen("command", printed("", "x: Permission denied\n"), Reason.NO_PERMISSION, **arguments)
    unseen("command", printed(TABLE, truncated=True), Reason.TRUNCATED, **arguments)


def test_a_localised_table_answers_to_none_of_the_names_that_are_asked_for() -> None:
    table = TABLE.replace("total", "gesamt").replace("used", "benutzt").replace("free", "frei")
    rows = seen("command", printed(table.replace("Mem:", "Spei:")), **FREE)["jc"]
    assert not {"total", "used", "free"} & rows[0].keys()
    assert rows[0]["type"] != "Mem"


def test_only_parsers_that_are_known_to_be_strict_are_used() -> None:
    for parser in ("uptime", "xml", "date", "nobody"):
        with pytest.raises(Unobserved, match="parser: ") as unobserved:
            argv("command", argv=["free"], output="jc", parser=parser)
        assert unobserved.value.reason is Reason.BAD_ARGUMENT
    assert {each.replace("-", "_") for each in JC_PARSERS} <= set(jc.parser_mod_list(show_hidden=True))
