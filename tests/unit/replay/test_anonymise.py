"""Texts without the places that they tell of, and still the same where they tell of the same."""

from __future__ import annotations

import pytest

from firstresponder.replay.anonymise import Places


def hidden(text: str) -> str:
    hosts = [
        ("db-01", "host-1"),
        ("10.0.0.21", "192.0.2.1"),
        ("app", "host-2"),
        ("app.prod.example.com", "192.0.2.2"),
        ("fd00::21", "192.0.2.3"),
    ]
    return Places(("payroll", "shop"), hosts).hidden(text)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("db-01", "host-1"),
        ("DB-01.Prod.Example.Com:5432", "host-1:5432"),
        ("/backup/db-01-2026.sql", "/backup/host-1-2026.sql"),
        ("backup_db-01", "backup_host-1"),
        ("db-010 adb-01", "db-010 adb-01"),
        ("app", "host-2"),
        ("app-worker.service app.service my.app", "app-worker.service app.service my.app"),
        ("app.prod.example.com", "192.0.2.2"),
        ("from ldap.prod.example.com and PROD.example.com", "from other-1 and other-2"),
        ("payroll.service, payroll and /srv/payroll/x", "shop.service, shop and /srv/shop/x"),
        ("http://payroll.internal/", "http://shop.internal/"),
        ("payroll-worker.service", "payroll-worker.service"),
        ("10.0.0.21/24 10.0.0.22/24", "192.0.2.1/24 198.51.100.3/24"),
        (
            "peer:10.0.0.21:80 ip_10.0.0.21. 10.0.0.21-10.0.0.22",
            "peer:192.0.2.1:80 ip_192.0.2.1. 192.0.2.1-198.51.100.3",
        ),
        ("fd00::21 FD00:0::21 [fd00::21]:80 fd00::21: x", "192.0.2.3 192.0.2.3 [192.0.2.3]:80 192.0.2.3: x"),
        ("fe80::1%eth0 ::ffff:10.0.0.9", "2001:db8::3%eth0 2001:db8::4"),
        ("::ffff:10.0.0.9:80", "::ffff:198.51.100.3:80"),
        ("ip-10-0-0-21.ec2.internal IP-10-0-0-22", "192-0-2-1.ec2.internal 198-51-100-3"),
        ("127.0.0.1 ::1 0.0.0.0 ::", "127.0.0.1 ::1 0.0.0.0 ::"),
        ("52:54:00:12:34:56 52:54:00:12:34:57", "00:00:5e:00:53:00 00:00:5e:00:53:01"),
        (
            "12:30:45 1.2.3 a::b::c 2026-01-01T12:30:45Z 300.1.1.1",
            "12:30:45 1.2.3 a::b::c 2026-01-01T12:30:45Z 300.1.1.1",
        ),
    ],
)
def test_names_and_addresses_have_stand_ins_and_all_else_stays(text: str, instead: str) -> None:
    assert hidden(text) == instead


def test_a_host_that_is_called_by_its_address_has_one_stand_in() -> None:
    places = Places(("x", "x"), [("ip-10-0-0-1", "host-1"), ("10.0.0.1", "192.0.2.1")])
    assert places.hidden("ip-10-0-0-1 10.0.0.1 ip-10-0-0-1.ec2.internal") == "host-1 192.0.2.1 host-1"


def test_without_any_host_addresses_have_stand_ins_still() -> None:
    assert Places(("x", "x"), []).hidden("x 10.0.0.1 y") == "x 198.51.100.1 y"
