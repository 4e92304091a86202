"""A content judged: the digest of its revision if it can be used, else its problems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import rfc8785

from firstresponder.api.base import JSON
from firstresponder.runbooks.lint import lint
from firstresponder.runbooks.problem import Problem
from firstresponder.runbooks.revision import digest_of
from firstresponder.safety import shown

_SHOWN_PROBLEMS = 20
_LONGEST_FIELD = 200
_LONGEST_MESSAGE = 1000
"""Characters. What is reported of a runbook must fit into its status, whatever the runbook holds."""


@dataclass(frozen=True)
class Judgement:
    """``digest`` is None where there are problems; ``problem`` is all of them as one text, else empty."""

    digest: str | None
    problem: str = ""


def refused(problem: str) -> Judgement:
    """A content that is not usable as a whole."""
    return Judgement(None, f"spec: {problem}")


def judge(kind: str, spec: Mapping[str, JSON]) -> Judgement:
    """Lint the content of a Runbook or TriagePlaybook. Never raises but for want of memory."""
    try:
        if problems := lint(kind, spec):
            return Judgement(None, _problems_text(problems))
        return Judgement(digest_of({"spec": dict(spec)}))
    except MemoryError:
        raise
    except rfc8785.CanonicalizationError as error:
        return refused(f"cannot be evaluated: it has no digest: {shown(str(error), 500)}")
    except Exception as error:  # one content that nobody foresaw must not stop the incidents of all other runbooks
        return refused(f"cannot be evaluated: {type(error).__name__}: {shown(str(error), 500)}")


def _problems_text(problems: list[Problem]) -> str:
    listed = "; ".join(
        f"{shown(each.field, _LONGEST_FIELD)}: {shown(each.message, _LONGEST_MESSAGE)}"
        for each in problems[:_SHOWN_PROBLEMS]
    )
    more = len(problems) - _SHOWN_PROBLEMS
    return f"{listed}; and {more} more" if more > 0 else listed
