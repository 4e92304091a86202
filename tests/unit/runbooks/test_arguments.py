"""Arguments that no host would be asked with are refused before any incident has them."""

from __future__ import annotations

import pytest

from tests.unit.runbooks.refused import GOOD
from tests.unit.runbooks.test_refusals import said


@pytest.mark.parametrize(
    ("look", "problem"),
    [
        (
            "configValue: {path: /etc/shop.yaml, key: db.password}",
            "17:41: spec.diagnostics[1].configValue.key: 'db.password' names a secret, which is never read",
        ),
        (
            "http: {url: 'ftp://shop'}",
            "17:12: spec.diagnostics[1].http.url: 'ftp://shop' is not a URL such as http://10.0.0.3/health",
        ),
        (
            "http: {url: 'http://me:it@shop/'}",
            "17:12: spec.diagnostics[1].http.url: holds a user name or password, which would be shown to everybody",
        ),
        ("disk: {path: var}", "17:12: spec.diagnostics[1].disk.path: 'var' is not an absolute path such as /var/log"),
        (
            "tcp: {host: db, port: 99999}",
            "17:21: spec.diagnostics[1].tcp.port: '99999' is not a port from 1 to 65535",
        ),
        (
            "unit: {unit: 'x; rm -r /srv'}",
            "17:5: spec.diagnostics[1].unit: 'x; rm -r /srv' is not a unit's name such as api-gateway.service",
        ),
        (
            "command: {argv: [cat, /etc/shadow]}",
            "17:27: spec.diagnostics[1].command.argv[1]: '/etc/shadow' is no argument that cat may have here: a file "
            "of the kernel such as /proc/loadavg, /proc/pressure/io or /proc/sys/…",
        ),
        (
            "disk: {path: $(hosts.target.name)}",
            "17:12: spec.diagnostics[1].disk.path: 'target' is not an absolute path such as /var/log "
            "(with the defaults of its parameters)",
        ),
    ],
)
def test_an_argument_that_its_probe_refuses_is_told_with_its_field(look: str, problem: str) -> None:
    assert said(GOOD.replace("command: {argv: [uptime]}", look)) == [problem]


@pytest.mark.parametrize(
    "look",
    [
        "tcp: {host: $(hosts.target.address), port: 5432}",
        "unit: {unit: $(service).service}",
        "http: {url: 'http://$(hosts.target.address)/health'}",
        "journal: {unit: $(service).service}",
        "disk: {path: /srv/$(service)}",
    ],
)
def test_an_argument_that_only_an_incident_completes_is_judged_as_if_one_had(look: str) -> None:
    assert said(GOOD.replace("command: {argv: [uptime]}", look)) == []


def test_a_diagnostic_without_templates_is_judged_beside_a_variable_that_cannot_be_read() -> None:
    text = GOOD.replace("uptime", "kill").replace("disk.usedPercent > limit", "disk.usedPercent >")
    assert [each.split(": ")[1] for each in said(text)] == [
        "spec.diagnostics[1].command.argv[0]",
        "spec.variables[0].expression",
    ]
