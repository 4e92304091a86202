"""Keys, webhooks and command lines of vendors: made up here by each one's documented form, and never anybody's."""

from __future__ import annotations

import random
import string

import pytest

from firstresponder.safety import REDACTED, redact

ALPHANUMERIC = string.ascii_letters + string.digits
HEXADECIMAL = "0123456789abcdef"


def made(length: int, alphabet: str = ALPHANUMERIC) -> str:
    return "".join(random.Random(length * 7919).choices(alphabet, k=length))  # noqa: S311 - a test's words


KEYS = {
    "npm": f"npm_{made(36)}",
    "pypi": f"pypi-{made(80)}",
    "docker": f"dckr_pat_{made(27)}",
    "sendgrid": f"SG.{made(22)}.{made(43)}",
    "openai": f"sk-{made(48)}",
    "openai project": f"sk-proj-{made(64)}",
    "anthropic": f"sk-ant-api03-{made(60)}",
    "hugging face": f"hf_{made(34)}",
    "vault": f"hvs.{made(90)}",
    "vault of before": f"s.{made(24)}",
    "slack app": f"xapp-1-{made(40)}",
    "gitlab runner": f"glrt-{made(20)}",
    "gitlab runner of before": f"GR1348941{made(20)}",
    "digital ocean": f"dop_v1_{made(64, HEXADECIMAL)}",
    "shopify": f"shpat_{made(32, HEXADECIMAL)}",
    "grafana": f"glsa_{made(32)}_{made(8, HEXADECIMAL)}",
    "age": f"AGE-SECRET-KEY-1{made(58, string.ascii_uppercase + string.digits)}",
    "stripe webhook": f"whsec_{made(32)}",
}
PLACES = ["{}", "key {} was used", "--api {}", '{{"value": "{}"}}', "https://h.example/{}/x", "a={};b", "'{}'", "({})"]


@pytest.mark.parametrize("vendor", KEYS)
@pytest.mark.parametrize("place", PLACES)
def test_a_key_that_its_vendor_marks_by_a_prefix_is_hidden_wherever_it_stands(vendor: str, place: str) -> None:
    assert KEYS[vendor] not in redact(place.format(KEYS[vendor]))
    assert REDACTED in redact(place.format(KEYS[vendor]))


@pytest.mark.parametrize(
    "line",
    [
        "mysql -u app -p{} shop",
        "mysqldump --single-transaction -uapp -p{} shop",
        "sshpass -p {} ssh app@h",
        "redis-cli -h cache -a {} ping",
        "curl -s -u app:{} http://h/",
        "curl --user app:{} http://h/",
        "ldapsearch -x -D cn=admin -w {} -b dc=x",
        "mongosh -u app -p {} shop",
        "smbclient //h/share -U app%{}",
        "db.example.com:5432:shop:app:{}",
        "app:{}@tcp(db:3306)/shop?parseTime=true",
        "app:{}@db.example.com:5432/shop",
        "https://hooks.slack.com/services/T000/B000/{}",
        "https://discord.com/api/webhooks/123/{}",
        "https://api.telegram.org/bot123456:{}",
        "https://x.blob.core.windows.net/c/b?sv=2024&sig={}%3D",
        "https://b.s3.amazonaws.com/k?X-Amz-Signature={}",
        "DefaultEndpointsProtocol=https;AccountName=x;AccountKey={}==;EndpointSuffix=y",
    ],
)
def test_a_password_in_a_place_that_a_program_has_for_it_is_hidden(line: str) -> None:
    secret = made(24)
    assert secret not in redact(line.format(secret))


@pytest.mark.parametrize(
    "line",
    [
        "Received block blk_-1608999687919862906 of size 67108864 from /10.250.14.224",
        "session opened for user root(uid=0) by (uid=0)",
        "npm run build -- --watch",
        "nginx: worker process is shutting down",
        "mysql: ready for connections. Version: '8.0.36' socket: '/run/mysqld/mysqld.sock' port: 3306",
        "mysql -u app --port 3306 shop",
        "curl -s http://10.0.0.3/health",
        "redis-cli info memory",
        "10.0.0.3:5432 accepted",
        "2026-03-14T03:07:12Z INFO pool: 7 of 10 in use",
        "task-3 finished in 0:00:05",
        "s.append(x)",
        "docs.example.com/guide",
    ],
)
def test_lines_of_programs_that_hold_no_secret_stay_as_they_are(line: str) -> None:
    assert redact(line) == line
