"""Test cases as JUnit XML, which continuous integration shows: a suite for each Runbook, a test for each case.

What lint refuses, or has no case, is an error of a test named ``lint``. No time is given, for none is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from firstresponder.cli.test_runs import TestRun
from firstresponder.runbooks.manifest import Finding
from firstresponder.safety import neutralise

_LONGEST = 4096


def junit(found: Sequence[TestRun], unreadable: Sequence[Finding]) -> str:
    """The XML, without a character that XML does not have."""
    root = ElementTree.Element("testsuites", name="kubectl runbook test")
    for each in found:
        suite = _suite(root, each.name, each.manifest.file)
        _refused(suite, each.name, each.problems)
        for index, result in enumerate(each.results):
            case = _case(suite, each.name, result.name, each.manifest.file, each.line(index))
            if not result.passed:
                _add_findings(case, "failure", "; ".join(result.differences), each.differences_of(index))
    for finding in unreadable:
        _refused(_suite(root, finding.file, finding.file), finding.file, [finding])
    for element in (*root, root):
        for counted, name in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
            element.set(counted, str(len(element.findall(f".//{name}"))))
    ElementTree.indent(root)
    declaration = '<?xml version="1.0" encoding="UTF-8"?>'
    return f"{declaration}\n{ElementTree.tostring(root, encoding='unicode')}"


def _suite(root: ElementTree.Element, name: str, file: str) -> ElementTree.Element:
    return ElementTree.SubElement(root, "testsuite", name=_text(name), file=_text(file))


def _case(suite: ElementTree.Element, runbook: str, name: str, file: str, line: int) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite, "testcase", classname=_text(runbook), name=_text(name), file=_text(file), line=str(line)
    )


def _refused(suite: ElementTree.Element, runbook: str, problems: Sequence[Finding]) -> None:
    if problems:
        case = _case(suite, runbook, "lint", problems[0].file, problems[0].place.line)
        _add_findings(case, "error", "it cannot be tested", problems)


def _add_findings(case: ElementTree.Element, kind: str, message: str, findings: Sequence[Finding]) -> None:
    element = ElementTree.SubElement(case, kind, message=_text(message))
    element.text = "\n".join(_text(str(finding)) for finding in findings)


def _text(text: str) -> str:
    return neutralise(text, _LONGEST)
