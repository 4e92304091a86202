"""The page of diagnostics says what the models and probes say."""

from __future__ import annotations

import re

from firstresponder.codegen import diagnostics as reference
from firstresponder.evidence import catalogue
from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.patterns import PATTERNS


def test_what_lies_in_docs_is_what_the_code_says() -> None:
    for path, text in reference.files().items():
        assert path.read_text() == text, f"{path.name}: run `make generate`"


def test_every_diagnostic_has_its_arguments_its_fields_and_its_bounds_on_the_page() -> None:
    page, _, _ = reference.page().partition("## Named patterns")
    sections = dict(zip(*[iter(re.split(r"^## (\w+)$", page, flags=re.MULTILINE)[1:])] * 2, strict=True))
    assert set(sections) == set(PROBES)
    for name, text in sections.items():
        probe = catalogue.PROBES[name]
        own = text.replace(probe.notes, "")
        rows = dict(re.findall(r"^\| `(\w+)` \|(?:.*\|)? ([^|]+) \|$", own, re.MULTILINE))
        arguments = {field.alias for field in probe.arguments.model_fields.values()}
        assert rows.keys() == arguments | probe.fields.keys(), name
        assert all(len(meaning) > 3 for meaning in rows.values()), name
        assert f"Time-out: {probe.timeout:g} s." in text


def test_every_named_pattern_is_explained_on_the_page() -> None:
    _, _, text = reference.page().partition("## Named patterns")
    assert set(re.findall(r"^\| `(\w+)` \| .{60,} \|$", text, re.MULTILINE)) == set(PATTERNS)


def test_types_defaults_and_needed_arguments_are_told_in_words() -> None:
    page = reference.page()
    assert "| `limit` | integer, 0 to 100 | `20` |" in page
    assert "| `from` | `host` or `operator` | `host` |" in page
    assert "| `since` | duration | `10m` |" in page
    assert "| `port` | port | needed |" in page
    assert "| `kernel` | boolean | `false` |" in page
    assert "| `extract` | map of names to text | – |" in page
