"""``kubectl incident stats``: tables that fit, rates with their counts, and JSON with the same numbers."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from firstresponder.api.archive import archive_line
from firstresponder.api.base import Resource
from firstresponder.api.incident import Incident
from firstresponder.cli.kubectl import Cluster
from firstresponder.cli.plugins.incident import main
from firstresponder.cli.views.stats import document, share_text, stats_view
from firstresponder.reporting.statistics import Share, statistics_of
from tests.unit.cli.nowhere import NOWHERE
from tests.unit.reporting.test_archive import NOW, stored
from tests.unit.reporting.test_statistics import (
    aborted,
    by_itself,
    denied,
    fix_failed,
    marked,
    of_type,
    resolved,
    took,
    waiting,
)


def many() -> list[Incident]:
    """Incidents of every end, of two types, some without a runbook."""
    return [
        *(took(resolved(), seconds) for seconds in (60, 90, 381)),
        *(took(by_itself(), 300), denied(), fix_failed(), took(marked(), 360), waiting()),
        of_type("DatabaseConnectionPoolExhausted", denied()),
        of_type("Unheard", aborted()),
    ]


def printed(incidents: list[Incident], width: int) -> str:
    output = io.StringIO()
    Console(file=output, width=width, markup=False, emoji=False, highlight=False).print(
        stats_view(statistics_of(incidents))
    )
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines())


def row(text: str, name: str) -> list[str]:
    """The cells of a row, which stand on several lines, column by column; of the first table that has it."""
    lines = text.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith(name))
    block = lines[first : next((i for i in range(first, len(lines)) if not lines[i]), len(lines))]
    starts = [match.start() for match in re.finditer(r"(?<=  )\S", lines[1])]
    cells = [[line[a:b].strip() for line in block] for a, b in zip([0, *starts], [*starts, None], strict=True)]
    return [" ".join(part for part in cell if part) for cell in cells]


@pytest.mark.parametrize("width", [80, 200])
def test_each_rate_stands_beside_its_counts_and_nothing_is_a_dash(width: int) -> None:
    text = printed(many(), width)
    assert row(text, "HighCPU")[1:] == [
        *("8 1 open", "5 of 7 (71 %) 4 by a fix 1 by itself", "2 of 7 (29 %)", "2 of 5 (40 %)"),
        *("48s 48s 48s", "5m 3m58s 6m21s"),
    ]
    assert row(text, "Unheard")[1:] == ["1", "0 of 1 (0 %)", "1 of 1 (100 %)", "–", "48s 48s 48s", "–"]
    assert row(text, "all")[1:4] == ["10 1 open", "5 of 9 (56 %) 4 by a fix 1 by itself", "4 of 9 (44 %)"]


@pytest.mark.parametrize("width", [80, 200])
def test_nothing_is_wider_than_the_terminal_and_nothing_is_cut(width: int) -> None:
    text = printed(many(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert "DatabaseConnectionPoolExhausted" in re.sub(r"\s+", "", text.split("Escalated most")[1])


def test_revisions_are_named_by_runbook_and_short_digest() -> None:
    ref = resolved().status.runbook_revision_ref
    assert ref is not None
    status = resolved().status.model_copy(
        update={"runbook_revision_ref": ref.model_copy(update={"git_revision": "v1.4.0"})}
    )
    text = printed([resolved().model_copy(update={"status": status}), aborted()], 80)
    revisions = text.split("By runbook revision")[1]
    assert re.search(rf"(?m)^high-cpu .*\n{ref.digest[7:19]} .*\nv1\.4\.0 ", revisions)
    assert "no runbook" in revisions


def test_what_is_escalated_most_comes_with_its_reasons() -> None:
    most = printed(many(), 200).split("Escalated most")[1]
    assert re.search(r"HighCPU +2 of 7 \(29 %\) +ApprovalDenied 1, FixFailed 1", most)
    assert "None was." in printed([resolved()], 80)


def test_without_incidents_there_is_no_table() -> None:
    assert printed([], 80) == "There are no such incidents."


@pytest.mark.parametrize(
    ("share", "text"), [(Share(3, 12), "3 of 12 (25 %)"), (Share(0, 3), "0 of 3 (0 %)"), (Share(0, 0), "–")]
)
def test_a_rate_of_nothing_is_never_a_zero(share: Share, text: str) -> None:
    assert share_text(share) == text


class Full(Cluster):
    """A cluster with some incidents, one of which cannot be read."""

    def __init__(self) -> None:
        super().__init__(NOWHERE, namespace="prod")
        self.everywhere = False

    def items(self, kind: type[Resource], *, everywhere: bool = False) -> Iterator[dict[str, Any]]:
        assert kind is Incident
        self.everywhere = everywhere
        yield from (each.model_dump(by_alias=True, mode="json", exclude_none=True) for each in many())
        yield {"metadata": {"name": "newer"}, "spec": {"kind": "?"}}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Full:
    made = Full()
    monkeypatch.setattr(Cluster, "connect", lambda *_: made)
    return made


def run(*words: str) -> Result:
    result = CliRunner().invoke(main, ["stats", *words], env={"COLUMNS": "80", "FORCE_COLOR": "1"})
    assert result.exception is None, result.exception
    return result


def test_json_has_the_same_numbers(cluster: Full) -> None:
    found = json.loads(run("-o", "json").stdout)
    assert found["total"]["escalated"] == {"count": 4, "of": 9, "rate": 4 / 9}
    types = {each["type"]: each for each in found["types"]}
    assert types["HighCPU"]["incorrect_fixes"] == {"count": 2, "of": 5, "rate": 0.4}
    assert types["HighCPU"]["mttr_seconds"] == {"of": 5, "median": 300, "mean": 238, "maximum": 381}
    assert (types["Unheard"]["incorrect_fixes"]["rate"], types["Unheard"]["mttr_seconds"]) == (None, None)
    assert found["escalated_most"][0]["reasons"] == {"ApprovalDenied": 1, "FixFailed": 1}
    assert {each["runbook"] for each in found["revisions"]} == {"high-cpu", None}


def test_a_git_revision_commands_no_terminal_not_even_in_json() -> None:
    ref = resolved().status.runbook_revision_ref
    assert ref is not None
    hostile = ref.model_copy(update={"git_revision": "v1\x9b2J\u202e"})
    status = resolved().status.model_copy(update={"runbook_revision_ref": hostile})
    found = statistics_of([resolved().model_copy(update={"status": status})])
    (revision,) = document(found)["revisions"]
    assert revision["git_revisions"] == ["v1\\x9b2J\\u202e"]


def test_an_incident_that_cannot_be_read_hides_no_other_and_is_not_hidden(cluster: Full) -> None:
    result = run("--type", "HighCPU")
    assert result.stderr.startswith("Warning: incidents that cannot be read and are not counted: 1 ")
    assert "HighCPU" in result.stdout
    assert "Unheard" not in result.stdout
    assert "\x1b" not in result.output


def test_all_namespaces_and_since_are_honoured(cluster: Full) -> None:
    assert run("--all-namespaces").exit_code == 0
    assert cluster.everywhere
    assert run("--since", "1m").stdout == "There are no such incidents.\n"


def archived(count: int) -> list[str]:
    """Lines of incidents that are no longer in the cluster."""
    return [archive_line(NOW, stored(resolved(), f"uid-of-archived-{each}"), ()) for each in range(count)]


def test_archived_incidents_are_counted_together_with_those_of_the_cluster(cluster: Full, tmp_path: Path) -> None:
    one, other = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    one.write_text("\n".join(archived(2)) + "\n")
    other.write_text("\n".join(archived(3)) + "\n")
    options = ["--all-namespaces", "-o", "json", "--archive", str(one), "--archive", str(other)]
    result = run(*options)
    assert json.loads(result.stdout)["total"]["incidents"] == 10 + 3
    assert "Note: lines that repeat an incident, which was archived more than once and counts once: 2" in result.stderr


def test_an_archive_can_come_from_the_standard_input(cluster: Full) -> None:
    lines = "\n".join(archived(2))
    result = CliRunner().invoke(main, ["stats", "--all-namespaces", "-o", "json", "--archive", "-"], input=lines)
    assert json.loads(result.stdout)["total"]["incidents"] == 10 + 2


def test_a_broken_line_is_named_with_what_to_do(cluster: Full, tmp_path: Path) -> None:
    file = tmp_path / "a\x1b.jsonl"
    file.write_text("\n".join([*archived(1), *(["{"] * 12)]))
    result = run("--all-namespaces", "-o", "json", "--archive", str(file))
    assert json.loads(result.stdout)["total"]["incidents"] == 10 + 1
    warnings = result.stderr.splitlines()[1:]
    where = f"{tmp_path}/a\\x1b.jsonl"
    advice = "is not JSON, or was cut off. It is not counted: copy the file again, or delete the line"
    assert warnings[0] == f"Warning: {where}:2 {advice}"
    assert warnings[10] == "Warning: lines besides these that cannot be read and are not counted: 2"
    assert len(warnings) == 11


@pytest.mark.parametrize(
    ("file", "says"), [("nowhere.jsonl", "--archive: nowhere.jsonl: No such file"), ("/", "'/' is a directory")]
)
def test_an_archive_that_cannot_be_read_is_wrong_usage(cluster: Full, file: str, says: str) -> None:
    result = CliRunner().invoke(main, ["stats", "--archive", file])
    assert (result.exit_code, says in result.stderr) == (2, True)
