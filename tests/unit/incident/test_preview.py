"""What a dry run printed, as it is shown: no secret survives in any form that files have, and no cut goes unsaid."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstresponder.actions.catalogue import TYPES
from firstresponder.api.ledger import PreviewAnswer
from firstresponder.api.packet import Preview
from firstresponder.incident.approval.preview import preview_of, preview_problem
from firstresponder.incident.budget import size
from tests.unit.incident.world import BOOT

RECAP = ("PLAY RECAP *********", "localhost : ok=3 changed=1 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0")
LIMIT = 64 * 1024


def previewed(output: Sequence[str], *, truncated: bool = False) -> Preview:
    answer = PreviewAnswer(boot=BOOT, result="success", exit_status=0, truncated=truncated, output=tuple(output))
    return preview_of(TYPES["ansibleScale"], "control-1", "ansible-scale", answer)


def told(output: Sequence[str], *, truncated: bool = False) -> str:
    answer = PreviewAnswer(boot=BOOT, result="exit-code", exit_status=2, truncated=truncated, output=tuple(output))
    return preview_problem(answer, BOOT) or ""


# Whatever a secret looks like: it begins so that it cannot be part of anything else.
WORDS = st.text("ABCXYZabcxyz0189!#%^*+._-", min_size=5, max_size=30).map(lambda text: f"Zq7{text}")
HASHES = st.text("ABCXYZabcxyz0189./", min_size=22, max_size=60).map(lambda text: f"Zq7{text}")
KEY_LINES = st.text("ABCXYZabcxyz0189+/", min_size=61, max_size=61).map(lambda text: f"Zq7{text}")

CARRIERS = [
    *((WORDS, carrier) for carrier in (
        ["DB_PASS={}"],
        ["export PGPASSWORD={}"],
        ["Environment=DB_PASS={}"],
        ["pass: {}"],
        ["  psk={}"],
        ["password: {} {}"],
        ["password:", "  {}"],
        ["- password:", "    {}"],
        ["password: >-", "  one", "", "  {}"],
        ["tokens:", "- {}"],
        ["- name: DB_PASSWORD", "  value: {}"],
        ["  name: DB_PASSWORD", "  value: {}"],
        ['  "name": "API_TOKEN",', '  "value": "{}"'],
        ['{{"name": "API_TOKEN", "value": "{}"}}'],
        ["ALTER ROLE api WITH LOGIN PASSWORD '{}';"],
        ["CREATE USER api IDENTIFIED BY '{}';"],
        ["requirepass {}"],
        ["masterauth {}"],
        ["<password>{}</password>"],
        ["  <db:password>{}</db:password>"],
        ['<property name="password" value="{}"/>'],
        ['"password": "{}",'],
        ["password = '{}'"],
        ["url: postgres://api:{}@db"],
        ["Authorization: Basic {}"],
    )),
    *((HASHES, carrier) for carrier in (
        ["root:$6$salt${}:19000:0:99999:7:::"],
        ["root:$y$j9T$salt${}:19000:0:99999:7:::"],
        ["admin:$apr1$salt${}"],
        ["admin:$2b$12${}"],
        ["admin:{{SSHA}}{}"],
        ["bob:{}:19000:0:99999:7:::"],
    )),
    *((KEY_LINES, carrier) for carrier in (
        ["{}", "{}"],
        ["-----BEGIN RSA PRIVATE KEY-----", "{}", "short{}", "-----END RSA PRIVATE KEY-----"],
    )),
]  # fmt: skip


@pytest.mark.parametrize(("secrets", "carrier"), CARRIERS, ids=[carrier[0] for _, carrier in CARRIERS])
@given(data=st.data())
def test_no_secret_survives_in_any_carrier_whatever_the_sign_of_the_difference(
    secrets: st.SearchStrategy[str], carrier: list[str], data: st.DataObject
) -> None:
    secret = data.draw(secrets)
    for sign in ("+", "-", " ", ""):
        assert_does_not_survive(secret, carrier, sign)


def assert_does_not_survive(secret: str, carrier: list[str], sign: str) -> None:
    lines = [sign + line.format(*[secret] * line.count("{}")) for line in carrier]
    assert any(secret in line for line in lines)
    text = previewed(["--- before", "+++ after", *lines, *RECAP]).text
    assert "Zq7" not in text
    shown = text.split("\n")
    assert len(shown) == len(lines) + 4
    assert [line[: len(sign)] for line in shown[2:-2]] == [sign] * len(lines)
    assert tuple(shown[-2:]) == RECAP
    assert "Zq7" not in told(lines)


def test_a_value_that_changes_on_the_line_after_its_key_is_hidden_before_and_after() -> None:
    lines = [
        " env:",
        " - name: DB_PASSWORD",
        "-  value: hunter1",
        "+  value: hunter2",
        " psk:",
        "-  hunter1",
        "+  hunter2",
    ]
    assert previewed([*lines, *RECAP]).text.split("\n")[:-2] == [
        " env:",
        " - name: DB_PASSWORD",
        "-  value: [redacted]",
        "+  value: [redacted]",
        " psk:",
        "-  [redacted]",
        "+  [redacted]",
    ]


@pytest.mark.parametrize(
    "line", ["+passive: on", "+compass=north", "-passed=3", "+ExecStart=/bin/x --pass-through y", "+instances: 6"]
)
def test_an_ordinary_line_of_a_difference_stays_as_it_is(line: str) -> None:
    assert previewed([line, *RECAP]).text.split("\n")[0] == line


def test_all_that_fits_is_shown() -> None:
    lines = ["+x y" * 500] * 32
    preview = previewed([*lines, *RECAP])
    assert (preview.text, preview.incomplete) == ("\n".join([*lines, *RECAP]), False)


@pytest.mark.parametrize(
    "line",
    ["+" + "x " * 33_000, "+" + "é" * 33_000, "+" + "<" * 11_000, "+" + "\x01" * 16_400, "+" + '"' * 33_000],
    ids=["long", "of many bytes", "of many bytes when stored", "of escapes", "of quotes"],
)
def test_what_takes_more_than_the_limit_when_stored_is_cut_and_called_incomplete(line: str) -> None:
    preview = previewed([*RECAP, line])
    assert preview.text.endswith("…")
    assert LIMIT - 16 < size(preview.text) <= LIMIT + 2
    assert preview.incomplete
    assert "64 KiB" in (preview.why or "")


def test_a_failure_is_told_by_the_last_lines() -> None:
    text = told([*(f"line {number}" for number in range(20)), "fatal: no"])
    assert text.startswith("exit status 2; it printed at the end: line 9\nline 10\n")
    assert text.endswith("line 19\nfatal: no")


def test_of_a_failure_too_the_line_at_which_the_host_cut_it_is_not_shown() -> None:
    text = told(["TASK [x]", "fatal: no", "+key: AKIA0123456"], truncated=True)
    assert text.endswith("of which only the beginning is known: TASK [x]\nfatal: no")


def test_a_secret_that_begins_before_the_last_lines_is_known_in_them() -> None:
    key = ["-----BEGIN PRIVATE KEY-----", *(f"Zq7{number}" for number in range(30))]
    assert "Zq7" not in told(key)
    assert "Zq7" not in told([f"+{line}" for line in key])
