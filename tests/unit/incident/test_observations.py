"""What to look at: templates are filled in wherever an argument has them, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.api.runbook import Role
from firstresponder.expressions import TemplateError
from firstresponder.incident.decision import observations as look
from firstresponder.runbooks.models import RunbookSpec
from tests.unit.incident.world import high_cpu, host


def looked(diagnostic: dict[str, Any]) -> dict[str, Any]:
    written = {**high_cpu()["spec"], "diagnostics": [diagnostic, *high_cpu()["spec"]["diagnostics"]]}
    spec = RunbookSpec.model_validate(written)
    hosts = {"target": host()}
    inputs = look.evaluation_inputs("api-gateway", {each.name: each.default for each in spec.parameters}, hosts)
    return look.observe("high-cpu", spec, inputs, hosts).probes[0].arguments.wire()


def test_each_element_of_a_list_is_filled_in() -> None:
    command = {"argv": ["systemctl", "list-dependencies", "$(service).service"], "output": "lines"}
    assert looked({"name": "more", "command": command}) == {
        "argv": ["systemctl", "list-dependencies", "api-gateway.service"],
        "output": "lines",
    }


@pytest.mark.rule(12, 13)
def test_no_element_of_a_list_may_come_from_evidence() -> None:
    with pytest.raises(TemplateError, match="no argument may use"):
        looked({"name": "more", "command": {"argv": ["ls", "$(oom.extracted.request)"]}})


def test_what_has_no_template_stays_as_it_is() -> None:
    assert looked({"name": "more", "tcp": {"host": "$(service)", "port": 80}}) == {"host": "api-gateway", "port": "80"}


@pytest.mark.rule(1)
def test_what_needs_the_address_of_a_role_without_a_host_is_not_looked_at() -> None:
    written = high_cpu()["spec"]
    path = {"name": "path", "tcp": {"host": "$(hosts.spare.address)", "port": 22}}
    spec = RunbookSpec.model_validate({**written, "diagnostics": [path, *written["diagnostics"]]})
    hosts = {"target": host()}
    inputs = look.evaluation_inputs("api-gateway", {each.name: each.default for each in spec.parameters}, hosts)
    with pytest.raises(TemplateError, match="spare"):  # of a role that the runbook does not know
        look.observe("high-cpu", spec, inputs, hosts)
    spec.roles.append(Role(name="spare"))
    probes = look.observe("high-cpu", spec, inputs, hosts).probes
    assert "path" not in {each.name for each in probes}
    assert "processes" in {each.name for each in probes}
