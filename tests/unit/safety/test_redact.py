"""Secrets and personal data never survive, and ordinary log lines do."""

from __future__ import annotations

import pytest

from firstresponder.safety import redact

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
        "",
    ],
)
def test_an_ordinary_line_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_what_named_the_secret_stays() -> None:
    assert redact("user=bob password=hunter2 host=db") == "user=bob password=[redacted] host=db"
    assert redact("postgres://bob:hunter2@db/x") == "postgres://[redacted]@db/x"


def test_redacting_twice_changes_nothing_more() -> None:
    once = redact(f"password=hunter2 a@example.com {PRIVATE_KEY} {JWT}")
    assert redact(once) == once


def test_half_a_surrogate_pair_is_no_way_out() -> None:
    assert "hunter2" not in redact("\ud800 password=hunter2")
