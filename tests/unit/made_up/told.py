"""What a package of its own says of types that were added to it, as JSON. Run by the test, with that package."""

from __future__ import annotations

import json
from typing import Any

from firstresponder.codegen import crds, diagnostics, kinds, manifests
from firstresponder.replay.explain import explain
from firstresponder.runbooks.lint import lint
from firstresponder.runbooks.models import Runbook
from firstresponder.runbooks.page import page, render_context
from tests.unit.incident.world import DECLARED, World, action_class, approved, awaiting_approval, high_cpu, leak

RESTART: dict[str, Any] = {"name": "restart", "restartContainer": {"container": "web"}}
RESIZE: dict[str, Any] = {
    "name": "restart",
    "resizeGroup": {
        "group": "web",
        "current": "box.memoryBytes",
        "desired": "box.memoryBytes + 1.0",
        "maximum": "box.memoryBytes + 3.0",
    },
}
BOX = {"name": "box", "container": {"container": "web"}}


def runbook(action: dict[str, Any], **box: Any) -> dict[str, Any]:
    """high-cpu, whose restart is this action and which looks at a container too."""
    document = high_cpu()
    spec = document["spec"]
    spec["diagnostics"].append({**BOX, **box})
    before = next(each for each in spec["actions"] if each["name"] == "restart")
    common = {key: value for key, value in before.items() if key not in ("restartUnit", "preconditions")}
    spec["actions"] = [{**common, **action} if each is before else each for each in spec["actions"]]
    return document


def problems(document: dict[str, Any]) -> list[str]:
    return [f"{each.field}: {each.message}" for each in lint("Runbook", document["spec"])]


def world(document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    box = {"running": True, "id": "first", "memoryBytes": 4}
    values = {**leak(), "box": box, "restart/container": box}
    classes = {
        "restart-container": action_class("restart-container", "restartContainer"),
        "groups": action_class("groups", "resizeGroup"),
    }
    declared = (*DECLARED, "restart-container", "resize-group")
    return {"runbook": document, "values": values, "classes": classes, "declared": declared, **changes}


def packet(made: World) -> Any:
    assert made.incident.status.decision_packet is not None
    return made.incident.status.decision_packet.bound.wire()


def after_another_start(document: dict[str, Any], **now: Any) -> str:
    """Why an order does not run any more, once what was seen of the container is something else."""
    made = approved(**world(document))
    made.values = {**made.values, "restart/container": now, "box": now}
    made.settle()
    assert made.incident.status.escalation is not None
    return f"{made.reason}: {made.incident.status.escalation.message}"


def explained(made: World) -> Any:
    found = explain(made.incident, "high-cpu", Runbook.model_validate(made.runbook).spec)
    return [found.conclusion, [(each.kind, each.name, each.verdict) for each in found.judged], found.differences]


def main() -> None:
    group = {**RESIZE, "approval": {"class": "groups", "prompt": "?"}, "rollback": {"plan": "-", "offerInverse": True}}
    restart, resize = runbook(RESTART), runbook(group)
    restarting, resizing = awaiting_approval(**world(restart)), awaiting_approval(**world(resize))
    spec = Runbook.model_validate(restart).spec
    classes = next(text for path, text in manifests.files().items() if path.name == "actionclasses.yaml")
    told = {
        "lint": {
            "good": [*problems(restart), *problems(resize)],
            "evidence in an argument": problems(
                runbook({**RESTART, "restartContainer": {"container": "$(processes.top.unit)"}})
            ),
            "an argument that no host takes": problems(runbook({**RESTART, "restartContainer": {"container": "a b"}})),
            "a time-out": problems(runbook({**RESTART, "restartContainer": {"container": "web", "timeout": "6s"}})),
            "an unknown field": problems(runbook({**RESTART, "restartContainer": {"container": "web", "name": "x"}})),
            "an inverse": problems(runbook({**RESTART, "rollback": {"plan": "-", "offerInverse": True}})),
            "two types": problems(runbook({**RESTART, "resizeGroup": RESIZE["resizeGroup"]})),
            "no class": problems(runbook(RESIZE)),
            "a number": problems(
                runbook({**group, "resizeGroup": {**group["resizeGroup"], "desired": "box.running + 1.0"}})
            ),
            "a field of the diagnostic": problems(
                runbook({**group, "resizeGroup": {**group["resizeGroup"], "current": "box.memory"}})
            ),
            "an argument of the diagnostic": problems(runbook(RESTART, container={"container": "a b"})),
            "evidence in the diagnostic": problems(
                runbook(RESTART, container={"container": "$(processes.top.command)"})
            ),
            "a pattern of the diagnostic": problems(runbook(RESTART, container={"container": "web", "label": "("})),
        },
        "packet": packet(restarting),
        "packet of a count": packet(resizing),
        "recheck": after_another_start(restart, running=True, id="second", memoryBytes=4),
        "recheck of a count": after_another_start(resize, running=True, id="first", memoryBytes=5),
        "explain": explained(restarting),
        "explain of a count": explained(resizing),
        "page": page(Runbook.model_validate(restart), render_context(spec)),
        "page of a count": page(Runbook.model_validate(resize), render_context(Runbook.model_validate(resize).spec)),
        "reference": kinds.page(type(Runbook.model_validate(restart))),
        "crd": json.dumps(crds.custom_resource_definition(type(Runbook.model_validate(restart)))),
        "diagnostics": diagnostics.page(),
        "classes": classes,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
