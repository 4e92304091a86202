"""What a scene leaves behind when something in it cannot be begun: nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, cast

import pytest

from tests.e2e import scenes
from tests.e2e.scenes import EmptyScene, Scene
from tests.testbed.api import ApiError
from tests.testbed.cluster import Cluster


class Machine:
    """A cluster and hosts that remember what was done with them, and that fail at one point."""

    def __init__(self, fails: str) -> None:
        self.fails = fails
        self.done: list[str] = []

    def do(self, what: str) -> None:
        if what == self.fails:
            raise RuntimeError(f"{what} failed")
        self.done.append(what)

    def cluster(self) -> Cluster:
        api = SimpleNamespace(
            create=lambda *_: self.do("create namespace"),
            delete=lambda *_: self.do("delete namespace"),
            get=self.get,
        )
        found: Any = SimpleNamespace(
            api=lambda: api, watch=lambda _: self.do("watch"), operator_kubeconfig=lambda **_: Path("/nowhere")
        )
        return cast(Cluster, found)

    def get(self, path: str) -> dict[str, Any]:
        raise ApiError(503, "ServiceUnavailable", f"nobody answers {path}")

    def hosts(self) -> Any:
        machine = self

        class Hosts:
            def __enter__(self) -> Self:
                machine.do("begin hosts")
                return self

            def __exit__(self, *_: object) -> None:
                machine.do("end hosts")

            def start(self, _: str) -> None:
                machine.do("start host")

        return Hosts


BEGUN = ["create namespace", "watch", "begin hosts"]
ENDED = ["end hosts", "delete namespace"]


def test_the_hosts_and_the_namespace_go_when_an_operator_cannot_be_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine("launch")
    monkeypatch.setattr(scenes, "Hosts", machine.hosts())
    monkeypatch.setattr("tests.testbed.operator.Operator.launch", lambda _: machine.do("launch"))
    with pytest.raises(RuntimeError, match="launch failed") as failed, EmptyScene(machine.cluster(), tmp_path) as scene:
        scene.operator()
    assert machine.done == BEGUN + ENDED
    assert failed.value.__notes__ == ["The operator's log:\n"]


@pytest.mark.parametrize(
    ("fails", "done"),
    [
        ("watch", ["create namespace", "delete namespace"]),
        ("begin hosts", ["create namespace", "watch", "delete namespace"]),
        ("start host", BEGUN + ENDED),
        ("end hosts", [*BEGUN, "start host", "delete namespace"]),
    ],
)
def test_what_was_begun_ends_wherever_a_scene_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, done: list[str]
) -> None:
    machine = Machine(fails)
    monkeypatch.setattr(scenes, "Hosts", machine.hosts())
    monkeypatch.setattr("tests.testbed.stage.Stage.add_host", lambda *_: None)
    monkeypatch.setattr("tests.e2e.truth.invocation", lambda _: "1")
    monkeypatch.setattr("tests.e2e.records.assert_records", lambda _: None)
    with pytest.raises(RuntimeError, match=f"{fails} failed"), Scene(machine.cluster(), tmp_path):
        pass
    assert machine.done == done
