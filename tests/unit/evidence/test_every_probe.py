"""What holds for every probe: it knows, or it says that it does not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstresponder.api.command import CommandOutput
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.field import Kind, Unit
from firstresponder.evidence.model import Diagnostic
from firstresponder.evidence.probe import Reason, Unobserved
from tests.unit.evidence.asking import argv, printed, seen, unseen

ARGUMENTS: dict[str, dict[str, Any]] = {
    "processes": {},
    "journal": {"unit": "api-gateway.service", "match": "error"},
    "memory": {},
    "unit": {"unit": "api-gateway.service"},
    "http": {"url": "http://10.0.0.3/health"},
    "inventory": {"path": "inventories/production", "group": "payroll", "maximum_variable": "payroll_max"},
    "disk": {"path": "/"},
    "directories": {"path": "/var/log", "of": "/"},
    "configValue": {"path": "/etc/payroll/db.yml", "key": "pool_size"},
    "tcp": {"host": "10.0.0.3", "port": 5432},
    "resolve": {"name": "dependency-service"},
    "ping": {"host": "10.0.0.3"},
    "interfaces": {},
    "postgresPing": {},
    "postgresConnections": {"application": "payroll"},
    "command": {"argv": ["uptime"], "output": "json"},
}
LOCALISED: dict[str, CommandOutput] = {
    "processes": printed(
        "=== top 9\ntop - 10:00:00 an 3 Tage\n\n"
        "top - 10:00:01 an 3 Tage\n%CPU(s):  1,2 be,  0,5 sy,  0,0 ni, 98,0 un,  0,1 wa\n\n"
        "PID BENUTZER %CPU %MEM BEFEHL\n  1 root 0,0 0,1 systemd\n=== ps\n 1 0 init.scope\n"
    ),
    "journal": printed("-- Keine Einträge --\njournalctl=1 any={\n"),
    "memory": printed("SpeicherGesamt: 1000 kB\nSpeicherVerfügbar: 250 kB\n"),
    "unit": printed("LadeStatus=geladen\nAktivStatus=aktiv\n"),
    "http": printed("", "status=200\nconnect=0,000211\nseconds=0,003428\nexitcode=0\n"),
    "inventory": printed("[WARNUNG]: Kein Inventar gefunden\n"),
    "disk": printed("1B-Blöcke Benutzt Verfügbar INodes IBenutzt Eingehängt auf\n 100 50 50 10 5 /\n"),
    "directories": printed(
        "of=1 used=4096*100-50\0path=1\x0010\t/var/log\0du=1 sort=0\0",
        "du: Zugriff auf '/var/log/x' nicht möglich: Datei oder Verzeichnis nicht gefunden\n",
    ),
    "configValue": printed("", "cat: /etc/payroll/db.yml: Datei oder Verzeichnis nicht gefunden\n", 1),
    "tcp": printed("read=0\nbash: connect: Verbindungsaufbau abgelehnt\nstatus=1\n"),
    "resolve": printed("read=0\ngetent: Name oder Dienst nicht bekannt\nstatus=2\n"),
    "ping": printed(
        "5 Pakete übertragen, 5 empfangen, 0% Paketverlust, Zeit 812ms\n"
        "Umlaufzeit min/mittel/max/mdev = 0,040/0,043/0,049/0,003 ms\nping=0\n"
    ),
    "interfaces": printed("", 'Gerät "eth0" existiert nicht.\n', 1),
    "postgresPing": printed("", "psql: Fehler: FATAL:  tut mir leid, schon zu viele Verbindungen\n", 2),
    "postgresConnections": printed("", "psql: Fehler: FATAL:  tut mir leid, schon zu viele Verbindungen\n", 2),
    "command": printed(" 10:00:00 an 3 Tage,  1 Benutzer,  Durchschnittslast: 0,00, 0,01, 0,05\n"),
}
"""What the programs might print in another language than the C locale's."""
each_probe = pytest.mark.parametrize("name", ARGUMENTS)


def test_the_catalogue_has_a_probe_for_each_kind_of_diagnostic() -> None:
    assert set(PROBES) == set(Diagnostic.kinds) == set(ARGUMENTS) == set(LOCALISED)
    fields = {field.alias: field for field in Diagnostic.model_fields.values()}
    for name, probe in PROBES.items():
        assert fields[name].annotation == probe.arguments | None


def test_what_is_measured_is_a_number_whose_name_says_its_unit() -> None:
    measured = {name: probe.fields[name] for probe in PROBES.values() for name in probe.measures}
    assert {name for name, field in measured.items() if field.kind is not Kind.NUMBER or Unit.of(name) is None} == set()
    assert {"hostCpuPercent", "availableBytes", "usedPercent", "count", "latencySeconds"} <= measured.keys()


@each_probe
def test_a_command_can_be_sent_to_a_host(name: str) -> None:
    command = argv(name, **ARGUMENTS[name])
    assert PROBES[name].request != "run" or command[0].isalpha() or "-" in command[0]
    assert all(element.isascii() and element.isprintable() for element in command)


@pytest.mark.rule(2)
@each_probe
@pytest.mark.parametrize("stdout", ["", "\n", "garbage\n", "{}\n", "\0\xff"])
def test_nothing_or_garbage_is_not_an_observation(name: str, stdout: str) -> None:
    if (name, stdout) == ("command", "{}\n"):
        pytest.skip("an empty map is what a program may print")
    for status in (0, 1, 255):
        with pytest.raises(Unobserved):
            seen(name, printed(stdout, status=status), **ARGUMENTS[name])


@pytest.mark.rule(2)
@each_probe
def test_a_lost_session_is_not_an_observation(name: str) -> None:
    unseen(name, printed("anything", status=None), Reason.CONNECTION_LOST, **ARGUMENTS[name])


@pytest.mark.rule(2)
@each_probe
def test_cut_output_is_not_an_observation(name: str) -> None:
    unseen(name, printed("anything", truncated=True), Reason.TRUNCATED, **ARGUMENTS[name])
    unseen(name, printed("anything", status=None, truncated=True), Reason.TRUNCATED, **ARGUMENTS[name])


@each_probe
def test_localised_output_is_not_an_observation(name: str) -> None:
    with pytest.raises(Unobserved):
        seen(name, LOCALISED[name], **ARGUMENTS[name])


@each_probe
def test_no_probe_leaves_the_c_locale_that_the_host_runs_it_in(name: str) -> None:
    locales = re.findall(r"\b(?:LC_[A-Z]+|LANG(?:UAGE)?)=\S*", " ".join(argv(name, **ARGUMENTS[name])))
    assert set(locales) <= {"LC_ALL=C.UTF-8"}  # the same words and numbers, for a program that needs UTF-8
    program = (Path(__file__).parents[3] / "host" / "firstresponder-observe").read_text()
    assert re.search(r"^ +--setenv=LC_ALL=C ", program, re.MULTILINE)
    assert program.index("export LC_ALL=C ") < program.index("systemd-run")


@each_probe
def test_a_refused_command_is_not_an_observation(name: str) -> None:
    output = printed("", "firstresponder-observe: refused: not a request\n", 78)
    unseen(name, output, Reason.REFUSED, "not a request", **ARGUMENTS[name])


@each_probe
def test_a_missing_program_is_named(name: str) -> None:
    output = printed("", "Failed to find executable x: No such file or directory\n", 1)
    unseen(name, output, Reason.MISSING_PROGRAM, "find executable", **ARGUMENTS[name])


@each_probe
def test_a_command_that_the_host_stopped_or_could_not_start_saw_nothing(name: str) -> None:
    stopped = printed("", "firstresponder-observe: /usr/bin/sh: stopped after 10 s\n", 124)
    unseen(name, stopped, Reason.TIMED_OUT, "stopped after 10 s", **ARGUMENTS[name])
    unseen(name, printed("", "", 217), Reason.FAILED, r"could not start it \(status 217\)", **ARGUMENTS[name])


@each_probe
def test_what_a_program_complains_about_is_harmless_to_show(name: str) -> None:
    output = printed("", "\x1b[31mpassword=hunter2 is wrong\n", 5)
    with pytest.raises(Unobserved) as unobserved:
        seen(name, output, **ARGUMENTS[name])
    assert "hunter2" not in unobserved.value.message
    assert "\x1b" not in unobserved.value.message


@pytest.mark.rule(2)
@each_probe
@given(st.binary(max_size=300), st.binary(max_size=80), st.sampled_from([0, 1, 2, 127, 255, None]))
def test_whatever_is_printed_the_probe_answers_or_says_why_not(
    name: str, stdout: bytes, stderr: bytes, status: int | None
) -> None:
    try:
        values = seen(name, printed(stdout, stderr.decode("latin-1"), status), **ARGUMENTS[name])
    except Unobserved as unobserved:
        assert unobserved.message
    else:
        assert None not in values.values()
