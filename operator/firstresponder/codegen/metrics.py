"""docs/metrics.md: every metric by name, type and labels, as the code declares it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from firstresponder.codegen.output import ROOT, page_note
from firstresponder.metrics.process import METRICS

_PAGE = ROOT / "docs/metrics.md"
_INTRODUCTION = """\
# Metrics

Each replica serves `/metrics` for Prometheus on its health port, 8080 in the pod. Names and labels stay, and labels are
bounded: no host, service, user or incident is among them. A counter ends in `_total`; a histogram has `_count`, `_sum`
and `_bucket`. Metrics of the process itself (`process_*`, `python_*`) are there too.

The chart's network policy lets nobody but the kubelet reach the operator's pod. Let your Prometheus in, by the
namespace where it runs:

```yaml
networkPolicy:
  metricsFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
```
"""
_SSH_FAILS = 'firstresponder_ssh_seconds_count{what="connect",outcome!="Answered"}'
_QUESTIONS = (
    ("Does one replica lead?", "`sum(firstresponder_leader)` is 1"),
    (
        "Does the approval gate hold? Nothing is acted on where it does not",
        "`min by (namespace) (firstresponder_approval_gate_holds)` is 1 where a leader watches",
    ),
    ("Does work wait?", "`max(firstresponder_queue_oldest_seconds)` stays below some seconds"),
    ("Does work fail?", "`sum by (kind) (rate(firstresponder_reconcile_errors_total[5m]))` is 0; the log says why"),
    ("Are hosts out of reach, and why?", f"`sum by (outcome) (rate({_SSH_FAILS}[5m]))`"),
    (
        "What does the API server refuse?",
        '`sum by (verb, resource, code) (rate(firstresponder_api_request_seconds_count{code!~"2.."}[5m]))`',
    ),
)


def files() -> Mapping[Path, str]:
    """The page, by its path."""
    return {_PAGE: "\n".join(_lines())}


def _lines() -> Iterator[str]:
    yield page_note("operator/firstresponder/metrics/process.py")
    yield _INTRODUCTION
    yield "| metric | type | labels | what it says |\n|---|---|---|---|"
    for each in METRICS:
        yield f"| `{each.name}` | {each.type} | {', '.join(f'`{label}`' for label in each.labels)} | {each.meaning} |"
    yield "\n## What to look at\n\n| question | query |\n|---|---|"
    for question, query in _QUESTIONS:
        yield f"| {question} | {query} |"
    yield ""
