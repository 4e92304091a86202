"""Test cases that could not be decided, or not fail, are told."""

from __future__ import annotations

import pytest

from tests.unit.runbooks.refused import GOOD, TESTS
from tests.unit.runbooks.test_refusals import said


def test_cases_that_fit_the_runbook_are_no_problem() -> None:
    assert said(GOOD + TESTS) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "hosts: {target:",
            "hosts: {database:",
            "49:13: spec.tests.hosts.database: database is not among spec.roles (target)",
        ),
        (
            "full: {disk:",
            "full: {disc:",
            "51:14: spec.tests.evidence.full.disc: disc is not among spec.diagnostics (disk, load)",
        ),
        (
            "inodesUsedPercent: 1}",
            "inodes: 1}",
            "51:38: spec.tests.evidence.full.disk.inodes: inodes is not among the fields of disk (availableBytes, "
            "availablePercent, inodesCounted, inodesUsedPercent, mountPoint, sizeBytes, usedBytes, usedPercent)",
        ),
        (
            "given: full, with",
            "given: busy, with",
            "53:23: spec.tests.cases[0].given: busy is not among spec.tests.evidence (full)",
        ),
        (
            "with: {disk: {mountPoint: /}}",
            "with: {dsik: null}",
            "53:43: spec.tests.cases[0].with.dsik: dsik is not among spec.diagnostics (disk, load)",
        ),
        (
            "with: {disk: {mountPoint: /}}",
            "with: {disk: /}",
            "53:43: spec.tests.cases[0].with.disk: is no map: write each field that was seen, with its value",
        ),
        (
            "unmet: [free]",
            "unmet: [fee]",
            "53:76: spec.tests.cases[0].expect.unmet: fee is not among spec.verify.criteria (free)",
        ),
        (
            "cause: logs",
            "cause: log",
            "54:42: spec.tests.cases[1].expect.cause: log is not among spec.hypotheses (logs, rest)",
        ),
        (
            "cause: logs",
            "action: restart",
            "54:42: spec.tests.cases[1].expect.action: restart is not among spec.actions (none)",
        ),
        (
            "expect: {cause: logs}",
            "expect: {}",
            "54:33: spec.tests.cases[1].expect: expects nothing, so it could not fail: write what must come out",
        ),
        (
            "name: logs, given",
            "name: nothing, given",
            "54:8: spec.tests.cases[1].name: nothing is the name of cases[0] too: use another one",
        ),
    ],
)
def test_a_case_that_does_not_fit_is_told(old: str, new: str, problem: str) -> None:
    assert TESTS.count(old) == 1
    assert said(GOOD + TESTS.replace(old, new)) == [problem]
