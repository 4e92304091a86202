"""Secrets and personal data never survive, and ordinary log lines do."""

from __future__ import annotations

import base64
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstresponder.safety import look_through, redact

PRIVATE_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\nAAAA\n-----END OPENSSH PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("login failed password=hunter2 user=bob", "hunter2"),
        ("password: hunter2", "hunter2"),
        ('{"user":"bob","password":"hun ter2","x":1}', "ter2"),
        (r'{"password":"hun\"ter2"}', "ter2"),
        ("{'db_password': 'hunter2'}", "hunter2"),
        ('password="hunter2 cut off here', "cut off"),
        ("PGPASSWORD=hunter2 psql", "hunter2"),
        ("password=hun,ter;2&x(y", "ter"),
        ("spring.datasource.password = hunter2", "hunter2"),
        ("api_key=abcdef", "abcdef"),
        ("X-Api-Key: abcdef", "abcdef"),
        ("client_secret=abc access_token=def", "def"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "wJalr"),
        ("run --password hunter2 --verbose", "hunter2"),
        ("run --api-token=abc", "abc"),
        ("\x1b[36mpassword\x1b[0m=\x1b[31mhunter2\x1b[0m", "hunter2"),
        ("GET /x?token=abcdef HTTP/1.1", "abcdef"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("authorization=Digest username=bob, response=6629fae4", "6629fae4"),
        ('{"Authorization": "Bearer abc.def"}', "abc.def"),
        ("sent bearer abc123", "abc123"),
        ("Set-Cookie: session=abc; HttpOnly", "abc"),
        (f"before {PRIVATE_KEY} after", "b3BlbnNzaC1rZXk"),
        (PRIVATE_KEY[:60], "b3Blb"),
        ("MIIEpAIBAAKCAQEA" * 4, "MIIEp"),
        (f"jwt {JWT}.", "SflKx"),
        ("key AKIAIOSFODNN7EXAMPLE used", "AKIAIOSFODNN7EXAMPLE"),
        ("AIzaSyA-1234567890abcdefghijklmnopqrstu", "1234567890"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghij"),
        ("xoxb-123456789012-abcdef", "123456789012"),
        ("sk_live_abcdefghijklmnop1234", "abcdefghij"),
        ("postgres://bob:hunter2@db:5432/x", "hunter2"),
        ("postgres://bob:p@ss@db/x", "ss@"),
        ("redis://:hunter2@cache", "hunter2"),
        ("mail from alice.smith+x@example.co.uk failed", "alice"),
        ("mail from zoë@exämple.com", "zoë"),
        ("card 4111 1111 1111 1111 declined", "1111"),
        ("card 5500-0000-0000-0004", "0004"),
        ("pan=378282246310005", "378282246310005"),
        ("PASSWORD=HUNTER2", "HUNTER2"),
        ("DB_PASS=hunter2", "hunter2"),
        ("pass: hunter2", "hunter2"),
        ("dbPass: hunter2", "hunter2"),
        ("wpa_psk=hunter2", "hunter2"),
        ("PresharedKey = hunter2", "hunter2"),
        ("run --pass hunter2", "hunter2"),
        ("keytool -storepass hunter2", "hunter2"),
        ("requirepass hunter2", "hunter2"),
        ("  rootpw hunter2;", "hunter2"),
        ("auth_pass hunter2", "hunter2"),
        ("machine db login bob password hunter2", "hunter2"),
        ("password: correct horse battery staple", "battery"),
        ("- password: correct horse", "horse"),
        ("password:\n  hunter2", "hunter2"),
        ("password: |\n  first\n\n  hunter2\nuser: bob", "hunter2"),
        ("passwords:\n- one\n- hunter2", "hunter2"),
        ('"password":\n  "hunter2"', "hunter2"),
        ("password: !vault |\n  hunter2", "hunter2"),
        ("- name: DB_PASSWORD\n  value: hunter2", "hunter2"),
        ("- name: DB_PASSWORD\n  optional: false\n  value: hun ter2", "ter2"),
        ("- name: DB_PASSWORD\n  value:\n    hunter2", "hunter2"),
        ('{\n  "name": "DB_PASSWORD",\n  "value": "hunter2"\n}', "hunter2"),
        ('[{"name": "DB_PASS", "value": "hunter2"}]', "hunter2"),
        ('<property name="password" value="hunter2"/>', "hunter2"),
        ('<entry key="db.password">hunter2</entry>', "hunter2"),
        ("<db><password>hunter2</password></db>", "hunter2"),
        ("<password><![CDATA[hunter2]]></password>", "hunter2"),
        ("<password>\n  hunter2\n</password>", "hunter2"),
        ("CREATE USER bob WITH PASSWORD 'hunter2'", "hunter2"),
        ("SET PASSWORD FOR 'bob' = PASSWORD('hunter2')", "hunter2"),
        ("CREATE USER bob IDENTIFIED BY 'hunter2'", "hunter2"),
        ("IDENTIFIED WITH mysql_native_password BY 'hunter2'", "hunter2"),
        ("root:$6$salt$Qf3abcdefgh/x.:19000:0:99999:7:::", "Qf3"),
        ("admin:$apr1$salt$Qf3abcdefgh/x.", "Qf3"),
        ("hash $2y$10$Qf3abcdefgh/x.", "Qf3"),
        ("$argon2id$v=19$m=65536,t=2,p=1$c2FsdA$Qf3abc", "Qf3"),
        ("$y$j9T$salt$Qf3abcdefgh", "Qf3"),
        ("bob:{SSHA}Qf3abcdefgh=", "Qf3"),
        ("pbkdf2_sha256$260000$salt$Qf3abcdefgh=", "Qf3"),
        ("bob:abJnggxhB/yWI:19000:0:99999:7:::", "abJnggxh"),
        ("-" + "MIIEpAIBAAKCAQEA" * 4, "MIIEp"),
        ("+" + "MIIEpAIBAAKCAQEA" * 4, "MIIEp"),
    ],
)
def test_a_secret_is_hidden(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in redact(text)
    assert "[redacted]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "java.lang.OutOfMemoryError: Java heap space while serving GET /api/v1/reports",
        "getty@tty1.service: Succeeded. postgresql@15-main.service user@1000.service",
        "2026-03-14T03:07:12.123456Z pid 4111111 took 1741921632123456 us",
        "order 4111111111111112 stored",
        "https://host/path?x=1",
        "/api/v1/reports/quarterly/2026/regions/emea/customers/summary/all",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "password changed by the administrator",
        "Failed password for root from 10.0.0.9 port 4711 ssh2",
        "passed=3 failed=0 bypassed=1",
        "passive: true",
        "compass=north",
        "rsync --pass-through x --passive y",
        "proxy_pass http://backend;",
        "systemd-ask-password-console.service: Succeeded.",
        "password-db-1 : ok=3 changed=2 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0",
        "token-api : ok=3    changed=2    unreachable=0    failed=0",
        "com.shop.InvalidTokenException: \n\tat com.shop.Login.check(Login.java:12)",
        "- name: api\n  value: 3",
        "- name: DB_PASSWORD\n- name: replicas\n  value: 3",
        "cost $5 and $HOME/$x",
        "root:x:0:0:root:/root:/bin/bash",
        "",
    ],
)
def test_an_ordinary_line_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_what_named_the_secret_stays() -> None:
    assert redact("user=bob password=hunter2 host=db") == "user=bob password=[redacted] host=db"
    assert redact("postgres://bob:hunter2@db/x") == "postgres://[redacted]@db/x"


def test_of_a_line_that_quotes_a_secret_the_rest_stays() -> None:
    assert redact("'password=hunter2' does not match") == "'password=[redacted]' does not match"


def test_what_follows_a_secret_on_its_own_lines_stays() -> None:
    block = "db:\n  password: |\n    hunter2\n    more\n  user: bob\n"
    assert redact(block) == "db:\n  password: [redacted]\n    [redacted]\n    [redacted]\n  user: bob\n"
    listed = "- name: DB_PASS\n  value: x\n- name: HOST\n  value: db\n"
    assert redact(listed) == "- name: DB_PASS\n  value: [redacted]\n- name: HOST\n  value: db\n"


def test_lines_stay_lines() -> None:
    text = f"a\n{PRIVATE_KEY}\npassword:\n  x\n\n  y\n"
    assert redact(text).count("\n") == text.count("\n")


def test_redacting_twice_changes_nothing_more() -> None:
    once = redact(f"password=hunter2 a@example.com {PRIVATE_KEY} {JWT}")
    assert redact(once) == once


def test_half_a_surrogate_pair_is_no_way_out() -> None:
    assert "hunter2" not in redact("\ud800 password=hunter2")


PIECES = st.lists(
    st.sampled_from(
        [
            *("password", "token", "DB_PASS", "Authorization", "--password", "mysql -p", "curl -u a:", "name", "value"),
            *(
                "=",
                ": ",
                " => ",
                " ",
                "\n",
                "\n  ",
                '"',
                "'",
                '\\"',
                "\\n",
                "%3D",
                "%22",
                "&quot;",
                ",",
                "{",
                "}",
                "[",
                "]",
            ),
            *(
                "\x1b[31m",
                "\x1b[0m",
                "\x00",
                "\x01",
                "\x02",
                "\\u0022",
                "&#02;",
                "://",
                "@",
                "/",
                "<password>",
                "</",
                "- ",
            ),
            *(
                "hunter2",
                "Zm9v",
                "cGFzc3dvcmQ9aHVudGVyMg==",
                "alice@example.com",
                "4111 1111 1111 1111",
                "+49 151 1234567",
            ),
            *(
                "[redacted]",
                "[redacted",
                "-----BEGIN PRIVATE KEY-----",
                JWT,
                "AKIAIOSFODNN7EXAMPLE",
                "$6$salt$Qf3abcdefgh",
            ),
        ]
    ),
    max_size=14,
)


@given(PIECES.map("".join) | st.text(max_size=80))
def test_whatever_the_text_redacting_twice_changes_nothing_more_and_lines_stay_lines(text: str) -> None:
    once = redact(text)
    assert redact(once) == once
    assert once.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        r'{"detail":"{\"password\":\"hunter2\"}"}',
        r'{"a":"{\"b\":\"{\\\"password\\\":\\\"hunter2\\\"}\"}"}',
        r"request failed: {\"user\":\"bob\",\"password\":\"hunter2\"",
        "GET /x?next=%2Flogin%3Fpassword%3Dhunter2",
        "body=%7B%22password%22%3A%22hunter2%22%7D",
        "%257B%2522password%2522%253A%2522hunter2%2522%257D",
        "&lt;password&gt;hunter2&lt;/password&gt;",
        "pass\x1b[0mword=hunter2",
        r"\u001b[31mpassword\u001b[0m=hunter2",
        "#033[31mpass#033[0mword=hunter2",
        "pass\u200bword=hunter2",
        r'{"config":"db:\n  password: |\n    hunter2\n"}',
        r'{"log":"machine h\nlogin bob\npassword hunter2\n"}',
        '"id","body"\n"3","{""password"":""hunter2""}"',
    ],
)
def test_escapes_encodings_and_colours_are_seen_through(text: str) -> None:
    assert "hunter2" not in redact(text)


def test_base64_is_hidden_where_it_stands_for_a_secret_and_only_there() -> None:
    secret = base64.b64encode(b"DB_HOST=db\nDB_PASSWORD=hunter2\n").decode()
    harmless = base64.b64encode(b"DB_HOST=db\nDB_PORT=5432 and so on\n").decode()
    assert redact(f"data {secret} end") == "data [redacted] end"
    assert redact(f"data {harmless} end") == f"data {harmless} end"
    login = base64.b64encode(b"bob:hunter2").decode()
    assert redact(f"sent Basic {login}") == "sent Basic [redacted]"


def test_what_escapes_hide_stands_in_the_text_as_it_was() -> None:
    text = r'{"detail":"{\"user\":\"bob\",\"password\":\"hunter2\",\"n\":1}"}'
    assert redact(text) == r'{"detail":"{\"user\":\"bob\",\"password\":[redacted],\"n\":1}"}'


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("IBAN DE89370400440532013000", "0532013000"),
        ("to DE89 3704 0044 0532 0130 00 today", "0532"),
        ("call +49 151 12345678", "12345678"),
        ("call +1 (415) 555-2671", "2671"),
        ("phone: 0151 1234567", "1234567"),
        ('{"mobile":"06 12 34 56 78"}', "56 78"),
    ],
)
def test_bank_accounts_and_phone_numbers_are_hidden(text: str, secret: str) -> None:
    assert secret not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "DE89370400440532013001",  # the check digits are wrong
        "offset +100 of 3000",
        "2026-03-14 10:22:33 +0200 m=+26.856583003",
        "mobile clients: 12",
        "block blk_-4111111111111111 of size 67108864",
    ],
)
def test_quantities_are_neither_accounts_nor_phone_numbers(text: str) -> None:
    assert redact(text) == text


def test_of_texts_that_are_looked_through_together_only_what_is_plain_and_harmless_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = sys.modules[redact.__module__]
    monkeypatch.setattr(module, "_harmless", {})
    secret = ["password=hunter2", "bob@example.com", "token", "hunter2"]
    other = ["two\nlines", "an escape \\u0041", "it was [redacted]", "\x1b[1mbold", "x" * 201]
    look_through([*secret, *other, "api-gateway.service", "host CPU 97.5 % > 80 %"])
    assert set(module._harmless) == {"token", "hunter2", "api-gateway.service", "host CPU 97.5 % > 80 %"}
    assert redact("token\nhunter2") == "token\nhunter2"


def test_no_text_that_holds_a_secret_is_remembered_and_a_harmless_one_is_looked_through_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_through = []
    module = sys.modules[redact.__module__]
    original = module._looked_through

    def counted(text: str) -> str:
        looked_through.append(text)
        return str(original(text))

    monkeypatch.setattr(module, "_looked_through", counted)
    monkeypatch.setattr(module, "_harmless", {})
    for text in ("password=hunter2", "unit=once-only.service") * 3:
        assert redact(text) == ("unit=once-only.service" if "unit" in text else "password=[redacted]")
    assert looked_through.count("password=hunter2") == 3
    assert looked_through.count("unit=once-only.service") == 1


def test_only_so_many_harmless_texts_are_remembered_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules[redact.__module__]
    monkeypatch.setattr(module, "_harmless", {})
    monkeypatch.setattr(module, "_REMEMBERED", 3)
    for number in range(5):
        redact(f"unit-{number}.service")
    assert list(module._harmless) == [f"unit-{number}.service" for number in (2, 3, 4)]
