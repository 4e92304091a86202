"""The debugger has no way to any action, and nothing that it says has a way to a decision."""

from __future__ import annotations

import re
from pathlib import Path

import grimp
import pytest

from firstresponder.api.incident import IncidentStatus
from firstresponder.api.packet import BoundPacket, ShownPacket
from firstresponder.expressions import ExpressionError, compile_condition
from firstresponder.incident.decision.decide import EvaluationInputs, scope_of
from firstresponder.runbooks.symbols import names_in
from tests.unit.incident.world import awaiting_approval

MAY_USE = ("api", "evidence", "expressions", "safety")


def outside(graph: grimp.ImportGraph) -> set[str]:
    """What the debugger imports, directly or through others, that lies outside of what it may use."""
    reached = graph.find_upstream_modules("firstresponder.debugger", as_package=True)
    ours = {module for module in reached if module.startswith("firstresponder.")}
    return {module for module in ours if module.split(".")[1] not in MAY_USE}


@pytest.mark.rule(24)
def test_the_debugger_reaches_nothing_but_models_probes_expressions_and_safety() -> None:
    graph = grimp.build_graph("firstresponder", cache_dir=None)
    assert graph.find_upstream_modules("firstresponder.debugger", as_package=True)
    assert outside(graph) == set()


@pytest.mark.parametrize("importer", ["firstresponder.debugger.from_evidence", "firstresponder.expressions.scope"])
@pytest.mark.parametrize("way", ["incident.plan", "hosts.ledger", "kube.client", "controller.effects"])
def test_a_way_to_an_action_is_noticed_also_when_it_leads_through_others(importer: str, way: str) -> None:
    graph = grimp.build_graph("firstresponder", cache_dir=None)
    graph.add_import(importer=importer, imported=f"firstresponder.{way}")
    assert f"firstresponder.{way}" in outside(graph)


def test_it_uses_no_library_that_reaches_a_host_a_file_or_a_program() -> None:
    graph = grimp.build_graph("firstresponder", include_external_packages=True, cache_dir=None)
    own = {"firstresponder.debugger", *graph.find_children("firstresponder.debugger")}
    used = {each for module in own for each in graph.find_modules_directly_imported_by(module)}
    libraries = {each for each in used if not each.startswith("firstresponder")}
    assert libraries <= {"__future__", "collections", "dataclasses", "re", "typing"}


@pytest.mark.rule(24)
def test_no_expression_has_a_name_for_what_the_debugger_says_or_an_experiment_saw() -> None:
    world = awaiting_approval()
    revision = world.snapshot().revision
    assert revision is not None
    spec = revision.spec
    assert spec is not None
    names = names_in(spec)
    scope = scope_of(
        spec, EvaluationInputs("api-gateway", {}, {}), {"threads": {"count": 9}, "rootCause": {"summary": "x"}}
    )
    for name in ("rootCause", "findings", "experiments", "decisionPacket", "status", "threads"):
        assert name not in names
        assert scope.lookup(name) is None
        with pytest.raises(ExpressionError, match="is not known here"):
            compile_condition(f"{name}.count > 1.0", names)


@pytest.mark.rule(24)
def test_findings_stand_in_the_shown_part_of_a_packet_and_in_no_bound_one() -> None:
    assert "findings" in ShownPacket.model_fields
    assert "RootCause" not in str(BoundPacket.model_json_schema())
    assert "RootCause" in str(IncidentStatus.model_json_schema())


def test_the_contract_of_the_imports_names_every_room_that_acts() -> None:
    text = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    found = re.search(
        r'source_modules = \["firstresponder\.debugger"\]\nforbidden_modules = \[(.*?)\]', text, re.DOTALL
    )
    assert found is not None
    rooms = {path.parent.name for path in (Path(__file__).parents[3] / "operator/firstresponder").glob("*/__init__.py")}
    named = set(re.findall(r'"firstresponder\.(\w+)', found[1]))
    assert rooms - named <= {*MAY_USE, "debugger"}
    assert "actions" in named
