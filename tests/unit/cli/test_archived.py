"""The report of an incident that is in an archive only."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firstresponder.api.archive import archive_line
from firstresponder.api.incident import Incident
from firstresponder.cli.kubectl import Cluster
from firstresponder.cli.plugins.incident import main
from firstresponder.reporting.report import report_of
from firstresponder.reporting.report_markdown import markdown
from tests.unit.cli.nowhere import NOWHERE
from tests.unit.cli.test_report import resolved
from tests.unit.reporting.test_archive import NOW, stored


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(Cluster, "connect", lambda *_: Cluster(NOWHERE, namespace="shop"))
    world = resolved()
    assert world.request is not None
    body = stored(world.incident, world.incident.metadata.uid)
    earlier = {**body, "status": {}}
    request = world.request.model_dump(by_alias=True, mode="json", exclude_none=True)
    file = tmp_path / "incidents-2026-06.jsonl"
    lines = [archive_line(NOW + timedelta(hours=1), body, [request]), archive_line(NOW, earlier, [])]
    file.write_text("\n".join(lines) + "\n")
    return file


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["report", *words])


def test_it_is_the_report_that_the_cluster_gave(archive: Path) -> None:
    world = resolved()
    before = Incident.model_validate(stored(world.incident, world.incident.metadata.uid))
    result = run(world.incident.name, "--archive", str(archive))
    assert (result.exit_code, result.stdout) == (0, markdown(report_of(before, world.request)))
    assert "alice@example.com" in result.stdout


def test_one_that_is_not_there_is_named_with_its_namespace(archive: Path) -> None:
    result = run("another", "--archive", str(archive))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: no incident another of namespace shop is in these files\n"
