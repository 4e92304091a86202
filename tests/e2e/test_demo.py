"""The demo as the README promises it, to its end."""

from __future__ import annotations

import re

import pytest

from tests.e2e.visitor import demo

pytestmark = [pytest.mark.quiet, pytest.mark.slow]


def test_the_demo_leads_a_leak_to_a_verified_fix() -> None:
    status, text, complaints = demo("--approve=yes")
    assert status == 0, text + complaints
    told = ["The operator triages", "The decision packet", "The operator acts", "The report", "Ended as it must."]
    assert [each for each in told if each in text] == told
    assert "restart api-gateway.service on api-gateway-03" in text
    assert "ApprovalGranted by alice@example.com" in text
    assert "  api-gateway-03: restart-unit" in text
    (samples,) = re.findall(r"Passed: (\d+) samples, window 1m", text)
    assert int(samples) >= 4


def test_the_demo_of_a_miner_needs_no_approver_and_changes_nothing() -> None:
    status, text, complaints = demo("--scenario=miner")
    assert status == 0, text + complaints
    assert "SecurityIncident" in text
    assert "  none on any host" in text
