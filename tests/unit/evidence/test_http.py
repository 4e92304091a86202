"""HTTP: what answered, and that nothing answered, are both observations."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from firstresponder.api.command import CommandOutput
from firstresponder.evidence.probe import Reason, Unobserved
from firstresponder.safety import LEFT_OUT, REDACTED
from tests.unit.evidence.asking import argv, printed, seen, unseen

URL: dict[str, Any] = {"url": "http://10.0.0.3/health"}


def answered(
    body: str | bytes = "", status: str = "200", code: int = 0, seconds: str = "0.003428", connect: str = "0.000211"
) -> CommandOutput:
    return printed(body, f"\nstatus={status}\nconnect={connect}\nseconds={seconds}\nexitcode={code}\n")


def http(output: CommandOutput) -> dict[str, Any]:
    return seen("http", output, **URL)


def test_a_healthy_answer_is_read() -> None:
    assert http(answered('{"status": "healthy", "up": 3}')) == {
        "ok": True,
        "connected": True,
        "status": 200,
        "latencySeconds": 0.003,
        "error": "",
        "json": {"status": "healthy", "up": 3},
    }


@pytest.mark.parametrize(
    ("status", "ok"), [("199", False), ("204", True), ("299", True), ("302", False), ("503", False)]
)
def test_ok_is_a_status_of_two_hundred_and_some(status: str, ok: bool) -> None:
    assert http(answered(status=status)) == {
        "ok": ok,
        "connected": True,
        "status": int(status),
        "latencySeconds": 0.003,
        "error": "",
    }


@pytest.mark.rule(2)
@pytest.mark.parametrize(
    ("code", "connect", "error"),
    [
        (6, "0.000000", "NameNotResolved"),
        (7, "0.000000", "ConnectionFailed"),
        (28, "0.000000", "TimedOut"),
        (28, "0.000211", "TimedOut"),
        (52, "0.000211", "ConnectionClosed"),
        (60, "0.000211", "TlsFailed"),
    ],
)
def test_no_answer_is_an_observation_without_a_status(code: int, connect: str, error: str) -> None:
    assert http(answered(status="000", code=code, connect=connect)) == {
        "ok": False,
        "connected": connect != "0.000000",
        "error": error,
    }


@pytest.mark.rule(2)
@pytest.mark.parametrize("code", [18, 28, 56, 92])
def test_half_an_answer_is_none_although_its_status_came(code: int) -> None:
    assert http(answered("{", code=code)) == {"ok": False, "connected": True, "error": "AnswerIncomplete"}


def test_a_status_that_http_does_not_have_is_no_answer() -> None:
    assert http(answered(status="999")) == {"ok": False, "connected": True, "error": "BadReply"}


@pytest.mark.parametrize(
    "body", ["", "healthy", "{'status': 'healthy'}", '{"a": NaN}', '{"a": 1', "null", "[" * 5000, b"\xff\xfe"]
)
def test_a_body_that_is_not_json_leaves_json_out(body: str | bytes) -> None:
    values = http(answered(body))
    assert values["ok"]
    assert "json" not in values


def test_a_body_that_is_too_long_leaves_json_out_and_keeps_the_status() -> None:
    body = json.dumps({"a": "x" * 20_000})[: 16 * 1024 + 1]
    assert http(answered(body, code=23)) == {
        "ok": True,
        "connected": True,
        "status": 200,
        "latencySeconds": 0.003,
        "error": "",
    }
    exact = json.dumps({"a": "x" * (16 * 1024 - 9)})
    assert len(exact) == 16 * 1024
    assert "json" in http(answered(exact))
    assert "json" not in http(answered(exact + " "))


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ({"credentials": {"of": {"all": ["swordfish"]}}}, {"credentials": REDACTED}),
        ({"dbPasswords": [{"value": "swordfish"}], "up": True}, {"dbPasswords": REDACTED, "up": True}),
        (
            {"env": [{"Name": "DB_PASSWORD", "Value": "swordfish"}]},
            {"env": [{"Name": "DB_PASSWORD", "Value": REDACTED}]},
        ),
        ({"key": "api_key", "value": 4711, "at": 3}, {"key": "api_key", "value": REDACTED, "at": 3}),
        ({"name": "queue", "value": 7}, {"name": "queue", "value": 7}),
    ],
)
def test_what_stands_below_or_beside_the_name_of_a_secret_is_withheld_in_the_json(body: Any, kept: Any) -> None:
    assert http(answered(json.dumps(body)))["json"] == kept


def test_what_could_be_a_secret_or_is_not_known_leaves_a_mark_in_the_json() -> None:
    body = {
        "status": "degraded",
        "token": "abcdef",
        "nested": {"password": 12345, "owner": "alice@example.com", "left": True},
        "list": ["a", None],
        "mails": ["alice@example.com"],
        "none": None,
        "huge": 2**60,
        "half": "\ud800",
        "alice@example.com": 1,
    }
    assert http(answered(json.dumps(body)))["json"] == {
        "status": "degraded",
        "token": REDACTED,
        "nested": {"password": REDACTED, "owner": REDACTED, "left": True},
        "list": ["a", LEFT_OUT],
        "mails": [REDACTED],
        "huge": LEFT_OUT,
        "half": REDACTED,
        REDACTED: REDACTED,
    }


def test_a_body_cannot_forge_the_account() -> None:
    forged = "status=200\nconnect=0.1\nseconds=0.1\nexitcode=0\n"
    values = http(answered(forged, status="503"))
    assert (values["ok"], values["status"]) == (False, 503)
    unseen("http", printed(forged), Reason.FAILED, **URL)


def test_what_others_say_on_the_error_output_does_no_harm() -> None:
    output = printed("", "sudo: unable to resolve host app-01\nstatus=200\nconnect=0.1\nseconds=0.1\nexitcode=0\n")
    assert http(output)["ok"]


def test_a_curl_that_did_not_come_to_its_end_saw_nothing() -> None:
    unseen("http", printed("{}", "status=200\nconnect=0.1\n"), Reason.FAILED, **URL)
    unseen("http", printed("", "sh: 1: curl: not found\nexitcode=127\n"), Reason.MISSING_PROGRAM, **URL)
    unseen("http", answered(code=2, status="000"), Reason.UNPARSEABLE, "says nothing about the server", **URL)
    unseen("http", answered(code=3, status="000"), Reason.BAD_ARGUMENT, **URL)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://10.0.0.3/",
        "10.0.0.3/health",
        "http:///health",
        "http://a b/",
        "http://10.0.0.3:99999/",
        "--output",
        "http://[::1/",
    ],
)
def test_only_a_url_of_http_is_asked_for(url: str) -> None:
    with pytest.raises(Unobserved, match="is not a URL such as") as unobserved:
        argv("http", url=url)
    assert unobserved.value.reason is Reason.BAD_ARGUMENT


def test_a_url_with_a_password_is_refused_and_the_password_is_not_repeated() -> None:
    with pytest.raises(Unobserved, match="user name or password") as unobserved:
        argv("http", url="http://bob:hunter2@10.0.0.3/")
    assert "hunter2" not in unobserved.value.message


def test_curl_obeys_no_configuration_follows_nothing_and_gives_up_before_we_do() -> None:
    command = argv("http", **URL)
    assert command[4] == "--disable"
    assert "--location" not in command
    assert command[command.index("--max-time") + 1] == "6.0"
    assert command[command.index("--proto") + 1] == "=http,https"
    assert command[-2:] == ("--url", "http://10.0.0.3/health")


@pytest.mark.parametrize(
    "url", ["http://fd00::3/health", "http://fd00::3:80/health", "https://::1", "http://fe80::1%eth0/"]
)
def test_a_bare_ipv6_address_in_a_url_is_refused_with_how_to_write_it(url: str) -> None:
    with pytest.raises(Unobserved, match=r"stands in brackets .* http://\[fd00::3\]/health") as unobserved:
        argv("http", url=url)
    assert unobserved.value.reason is Reason.BAD_ARGUMENT
    assert argv("http", url="http://[fd00::3]:80/health")[-1] == "http://[fd00::3]:80/health"


def test_curl_is_asked_for_nothing_that_debian_11_does_not_know() -> None:
    """curl 7.74: ``%{exitcode}``, ``%{errormsg}`` and ``%{json}`` came later (curl(1), "Available variables")."""
    command = argv("http", **URL)
    asked = set(re.findall(r"%\{(\w+)\}", command[command.index("--write-out") + 1]))
    assert asked == {"stderr", "http_code", "time_connect", "time_total"}
    assert 'echo "exitcode=$?"' in command[2]
