"""The test cases of the Runbooks in files: what was expected, what came out, and where each case stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from firstresponder.replay.test_cases import CaseResult, in_words, run_tests
from firstresponder.runbooks.manifest import Finding, Manifest
from firstresponder.runbooks.models import RUNBOOK_SPECS
from firstresponder.runbooks.problem import Problem
from firstresponder.runbooks.source import Place


@dataclass(frozen=True)
class TestRun:
    """One Runbook or TriagePlaybook: its cases, or why they were not run."""

    manifest: Manifest
    problems: Sequence[Finding]
    results: Sequence[CaseResult] = ()

    @property
    def name(self) -> str:
        return self.manifest.name or f"{self.manifest.file}:{self.manifest.document.start.line}"

    @property
    def passed(self) -> bool:
        return not self.problems and all(result.passed for result in self.results)

    def line(self, index: int) -> int:
        """The line of a case."""
        return self._place(index).line

    @property
    def differences(self) -> list[Finding]:
        """Each difference of each case, with the place of the case."""
        return [finding for index in range(len(self.results)) for finding in self.differences_of(index)]

    def differences_of(self, index: int) -> list[Finding]:
        """Those of one case."""
        result = self.results[index]
        return [
            Finding(self.manifest.file, self._place(index), Problem(result.name, each)) for each in result.differences
        ]

    def _place(self, index: int) -> Place:
        return self.manifest.document.place(f"spec.tests.cases[{index}]")


def test_runs_of(judged: Iterable[tuple[Manifest, Sequence[Finding]]]) -> list[TestRun]:
    """Every Runbook and TriagePlaybook tested, and whatever was refused by lint."""
    return [
        _test_run(manifest, problems) for manifest, problems in judged if problems or manifest.kind in RUNBOOK_SPECS
    ]


def _test_run(manifest: Manifest, problems: Sequence[Finding]) -> TestRun:
    if problems:
        return TestRun(manifest, problems)
    results = run_tests(manifest.spec)
    if not results:
        nothing = Problem("spec.tests.cases", "no test case: add one for each cause")
        return TestRun(manifest, [manifest.finding(nothing)])
    return TestRun(manifest, (), results)


def said(result: CaseResult) -> tuple[str, str]:
    """What was expected and what came out, of the fields that the case expects; a line for each."""
    expected, outcome = result.expected.wire(), result.outcome.wire()
    return _text(expected), _text({field: outcome.get(field) for field in expected})


def _text(fields: dict[str, object]) -> str:
    return "\n".join(f"{field} {in_words(value)}" for field, value in fields.items())
