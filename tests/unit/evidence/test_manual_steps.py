"""What a person runs instead of a probe: nothing else than the probe, and each field of it can be read."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.manual_steps import Asked, command_line
from firstresponder.evidence.probe import Reason, Unobserved
from tests.unit.evidence.asking import argv
from tests.unit.evidence.test_every_probe import ARGUMENTS

each_probe = pytest.mark.parametrize("name", ARGUMENTS)


def commands(name: str, /, *, verifying: bool = False, **changed: Any) -> str:
    probe = PROBES[name]
    arguments = {**ARGUMENTS[name], **changed}
    if probe.manual_steps.commands is None:
        return command_line(argv(name, **arguments))
    return probe.manual_steps.commands(probe.arguments(**arguments), Asked(10.0, verifying))


@each_probe
def test_every_field_can_be_read(name: str) -> None:
    probe = PROBES[name]
    told = probe.manual_steps.fields(probe.arguments(**ARGUMENTS[name]))
    assert told.keys() == probe.fields.keys()
    assert all(each and "\n" not in each for each in told.values())


@pytest.mark.parametrize(
    ("name", "field", "words"),
    [
        *(("journal", field, "No journal files") for field in ("count", "perMinute", "mostRepeated")),
        *(("directories", field, "any complaint") for field in ("totalBytes", "sharePercent", "paths")),
        *(("processes", field, "PID 1 is not there") for field in ("top", "list")),
        ("http", "ok", "else"),
        ("postgresConnections", "tooMany", "else"),
        ("postgresPing", "accepting", "after anything else"),
        ("tcp", "open", "else"),
        ("resolve", "resolved", "else"),
    ],
)
def test_what_could_not_be_seen_is_unknown_and_no_good_news(name: str, field: str, words: str) -> None:
    told = PROBES[name].manual_steps.fields(PROBES[name].arguments(**ARGUMENTS[name]))[field]
    assert re.search(rf"unknown (after|where)? ?.*{words}|{words}.* unknown", told), told


@each_probe
@pytest.mark.parametrize("verifying", [False, True])
def test_the_commands_are_for_a_shell_which_finds_no_fault_in_them(name: str, verifying: bool) -> None:
    text = f"#!/bin/bash\nended=0\n{commands(name, verifying=verifying)}\n"
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    # `ended` is only for those that read a journal; "$1" in single quotes is awk's.
    ignored = "--exclude=SC2034,SC2016"
    found = subprocess.run(["shellcheck", ignored, "-"], input=text, text=True, capture_output=True, check=False)
    assert found.stdout == ""


@each_probe
def test_the_commands_run_the_programs_of_the_probe(name: str) -> None:
    programs = {"disk": {"df"}, "directories": {"du"}}.get(name) or {
        word
        for word in re.findall(
            r"\b[a-z]+(?:-[a-z]+)*\b",
            " ".join(argv(name, **ARGUMENTS[name])).replace("/proc/uptime", "").replace("systemctl cat", "systemctl"),
        )
        if word in KNOWN
    }
    assert programs
    assert all(re.search(rf"\b{program}\b", commands(name)) for program in programs)


KNOWN = {
    "top",
    "ps",
    "journalctl",
    "cat",
    "systemctl",
    "curl",
    "ansible-inventory",
    "getent",
    "ping",
    "ip",
    "psql",
    "uptime",
    "tcp",
}


@pytest.mark.parametrize(
    ("name", "changed", "reason"),
    [
        ("unit", {"unit": "x; rm -rf /"}, Reason.BAD_ARGUMENT),
        ("journal", {"unit": "-x"}, Reason.BAD_ARGUMENT),
        ("http", {"url": "http://bob:secret@10.0.0.3/"}, Reason.BAD_ARGUMENT),
        ("tcp", {"host": "-x"}, Reason.BAD_ARGUMENT),
        ("tcp", {"port": 70000}, Reason.BAD_ARGUMENT),
        ("resolve", {"name": "a b"}, Reason.BAD_ARGUMENT),
        ("ping", {"host": "$(id)"}, Reason.BAD_ARGUMENT),
        ("disk", {"path": "etc"}, Reason.BAD_ARGUMENT),
        ("directories", {"of": "etc"}, Reason.BAD_ARGUMENT),
        ("inventory", {"path": "../x"}, Reason.BAD_ARGUMENT),
        ("configValue", {"key": "password"}, Reason.WITHHELD),
        ("command", {"argv": ["rm", "-rf", "/"]}, Reason.BAD_ARGUMENT),
    ],
)
def test_what_the_probe_refuses_no_person_is_told_to_run(name: str, changed: Any, reason: Reason) -> None:
    with pytest.raises(Unobserved) as unobserved:
        commands(name, **changed)
    assert unobserved.value.reason == reason


def test_a_verification_reads_a_journal_from_the_end_of_the_action_on_and_no_further_back_than_the_probe() -> None:
    text = commands("journal", verifying=True, since="1m")
    shown = text.replace("$(date +%s)", "$now").splitlines()[0] + "; echo $since"
    for ended, since in ((1000, 1000), (100, 940), (1010, 1010)):
        script = f"now=1000; ended={ended}; {shown}"
        done = subprocess.run(["bash", "-c", script], text=True, capture_output=True, check=True)
        assert int(done.stdout) == since


def test_what_may_hold_quotes_stays_one_word() -> None:
    assert command_line(["psql", "--command=SELECT 'x'"]) == "psql \"--command=SELECT 'x'\""


@given(st.lists(st.text(alphabet="ab '\"$`\\!*~#|&;()<>=\n", max_size=12), min_size=1, max_size=4))
def test_a_shell_reads_the_words_that_were_meant(words: list[str]) -> None:
    assert shlex.split(command_line(words)) == words


EVIL = (
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    '"; touch pwned; "',
    "x' $(touch pwned) '",
    "; touch pwned",
)


@each_probe
def test_no_argument_becomes_a_command_of_its_own(name: str, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in ("bash", "timeout", "touch"):
        (programs / program).symlink_to(f"/usr/bin/{program}")
    place = tmp_path / "place"
    place.mkdir()
    for field, usual in ARGUMENTS[name].items():
        for evil in EVIL:
            changed = [*usual, evil] if isinstance(usual, list) else f"{usual}{evil}"
            try:
                text = commands(name, verifying=True, **{field: changed})
            except (Unobserved, ValidationError):
                continue
            subprocess.run(
                [programs / "bash", "-c", f"ended=0\n{text}"],
                cwd=place,
                env={"PATH": str(programs)},
                capture_output=True,
                check=False,
            )
            assert list(place.iterdir()) == [], text
