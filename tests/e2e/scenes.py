"""Scenes that play at the same time: a host whose service leaks, a namespace that knows it, and operators for both.

A test that takes the fixture `scenes` shares nothing with its neighbours but the cluster, and mostly waits: for
windows, restarts, time-outs. The first of a module starts all that were selected, a few at once; each then reports
its own end. Such tests take no other fixture, and leave the cluster as it is for the others.
"""

from __future__ import annotations

import copy
import inspect
import json
import re
import secrets
import subprocess
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeGuard

import pytest
import yaml

from tests.e2e import records, truth
from tests.testbed.api import ApiError
from tests.testbed.cluster import ALICE, Cluster
from tests.testbed.hosts import Hosts
from tests.testbed.operator import Operator
from tests.testbed.stage import RUNBOOKS, Stage, quick, shipped

AT_ONCE = 3
"""Enough to fill the waiting of one with the work of others, beside what other test files do meanwhile."""
RUNBOOK: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("unhealthy.yaml").read_text())


def patient(interval: str) -> dict[str, Any]:
    """RUNBOOK with an interval between two looks, and much time to verify: many incidents are looked at on a busy
    machine, and nobody looks while nobody leads."""
    changed = copy.deepcopy(RUNBOOK)
    changed["spec"]["verify"] |= {"interval": interval, "window": interval, "timeout": "10m"}
    return changed


def plays(item: pytest.Item) -> TypeGuard[pytest.Function]:
    """Whether a test takes the fixture `scenes`, and no other fixture brings it."""
    return isinstance(item, pytest.Function) and "scenes" in inspect.signature(item.obj).parameters


class Moment:
    """A moment at which an operator is held until the test lets it go on."""

    def __init__(self, point: str, file: Path) -> None:
        self.point = point
        self._file = file

    def __str__(self) -> str:
        return f"{self.point}@{self._file}"

    @property
    def reached(self) -> bool:
        return self._file.exists()

    def pass_by(self) -> None:
        """Let the operator go on. Nothing when it is not there."""
        self._file.unlink(missing_ok=True)


class EmptyScene:
    """A namespace of its own, and prepared hosts and operators as a test asks for them."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster = cluster
        self.directory = directory
        self.namespace = f"test-{directory.name}"
        self.stage = Stage(cluster, self.namespace)
        self._operators: list[Operator] = []

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self.cluster.api().create("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
            undo.callback(self.cluster.api().delete, f"/api/v1/namespaces/{self.namespace}")
            self.cluster.watch(self.namespace)
            self.hosts = undo.enter_context(Hosts())
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._undo as undo:
            if error is None:
                undo.callback(records.assert_records, self.stage)
            for operator in self._operators:
                undo.callback(operator.kill)
            if error is not None:
                self._tell(error)

    def _tell(self, error: BaseException) -> None:
        """Add to the error what the operators and the incidents say of it, as far as they can be asked."""
        for operator in self._operators:
            operator.kill()
            error.add_note(f"The operator's log:\n{operator.log}")
        with suppress(OSError, ApiError):
            found = self.cluster.api().get(self.stage.path("incidents"))["items"]
            error.add_note(yaml.safe_dump({each["metadata"]["name"]: each.get("status") for each in found}))

    def operator(
        self,
        *moments: Moment | str,
        interrupted: str = "tests.testbed.crashing",
        port: int | None = None,
        lease: str | None = None,
        options: Sequence[str] = (),
    ) -> Operator:
        """Start an operator: killed at a moment that is text (see tests/testbed/crashing.py), held at a Moment.

        `interrupted` is the program when there are moments; `port` that of a proxy to the API server; `lease` the
        Lease that it shares with others, or else it leads whatever they do.
        """
        program = (interrupted, ",".join(map(str, moments))) if moments else ("firstresponder.main",)
        directory = self.directory / f"operator-{len(self._operators)}"
        operator = Operator(
            self.cluster,
            self.namespace,
            directory,
            program=program,
            port=port,
            preloaded=True,
            lease=lease,
            options=options,
        )
        self._operators.append(operator)
        operator.start()
        return operator

    def stop_operators(self) -> None:
        for operator in self._operators:
            operator.stop()

    def catalogue(self, *names: str) -> None:
        """Have a running operator accept these files of runbooks/, with seconds for their windows."""
        self.operator()
        for name in names:
            self.stage.add_runbook(quick(shipped(RUNBOOKS / f"{name}.yaml")))

    def moment(self, point: str) -> Moment:
        return Moment(point, self.directory / f"{re.sub('[^a-z]+', '-', point.lower())}-{secrets.token_hex(2)}")

    def approve(self, incident: str, *, user: str = ALICE) -> None:
        self.stage.review(self.stage.request_of(incident), user=user)

    def wait_until_reached(self, *moments: Moment) -> None:
        for moment in moments:
            self.stage.wait(lambda: moment.reached, f"the operator to be at {moment.point}")  # noqa: B023

    def statistics(self) -> dict[str, Any]:
        """What `kubectl incident stats` tells alice of this namespace."""
        told = self.cluster.kubectl("incident", "stats", "-n", self.namespace, "-o", "json", user=ALICE).stdout
        found: dict[str, Any] = json.loads(told)
        return found

    def escalated(self, incident: str, reason: str) -> dict[str, Any]:
        """The status of an incident that must end in the hands of a human for this reason."""
        status = self.stage.wait_until_ended(incident)
        assert status["phase"] == "Escalated", status.get("attempts")
        assert status["escalation"]["reason"] == reason, status["escalation"]
        return status


class Scene(EmptyScene):
    """A prepared host whose service leaks, known to the namespace, and what tests do with it."""

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self.host = self.hosts.start("api-gateway-03")
            self.stage.add_host(self.host)
            self.first_invocation = truth.invocation(self.host)
        except BaseException as error:  # a scene that did not begin is not asked to end
            super().__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            with suppress(OSError, subprocess.SubprocessError):  # the host may be frozen, or down
                ledger = ["sh", "-c", "tail -n +1 /var/lib/firstresponder/claims/*/*"]
                error.add_note(f"The host's ledger:\n{self.host.run(ledger, check=False, timeout=5).stdout}")
        super().__exit__(kind, error, trace)

    def incident(self, runbook: dict[str, Any] = RUNBOOK) -> str:
        """An incident about the leaking host that waits for approval."""
        self.stage.add_runbook(runbook)
        self.host.degrade()
        incident = self.stage.open_incident("unhealthy-1", type="Unhealthy", summary="/health answers 503")
        self.stage.wait_for_phase(incident, "AwaitingApproval")
        self.stage.request_of(incident)
        return incident

    # What must be true at the end

    def assert_restarted_once(self, incident: str) -> None:
        """The host was restarted once, by the one attempt that status tells of."""
        (attempt,) = self.stage.status(incident)["attempts"]
        assert truth.claims(self.host) == [attempt["id"]]
        assert attempt["state"] == "Succeeded", attempt
        assert truth.starts(self.host) == 2
        now = truth.invocation(self.host)
        assert now != self.first_invocation
        assert attempt["proof"][-1] == f"result=restarted {self.first_invocation} -> {now}"

    def assert_resolved_by_one_restart(self, incident: str) -> None:
        self.stage.wait_for_phase(incident, "Resolved")
        self.assert_restarted_once(incident)
        assert self.host.health() == 200

    def assert_nothing_ran(self) -> None:
        """No claim was ever made, and the service is still the instance that it was."""
        assert truth.begun(self.host) == []
        assert truth.starts(self.host) == 1
        assert truth.invocation(self.host) == self.first_invocation


class Scenes:
    """The stage crew of one module: opens scenes, and plays those of its tests at the same time."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self._cluster = cluster
        self._directory = directory
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="scene")
        self._playing: dict[str, Future[None]] = {}

    def open(self) -> Scene:
        """A scene to be used as a context manager."""
        return Scene(self._cluster, self._new_directory())

    def empty(self) -> EmptyScene:
        """A scene without a host yet."""
        return EmptyScene(self._cluster, self._new_directory())

    def _new_directory(self) -> Path:
        directory = self._directory / secrets.token_hex(4)
        directory.mkdir()
        return directory

    def play(self, item: pytest.Function) -> None:
        """Wait for the end of one test; the first call starts all of its module."""
        if not self._playing:
            module = item.getparent(pytest.Module)
            for other in item.session.items:
                if other.getparent(pytest.Module) is module and plays(other):
                    arguments = other.callspec.params if hasattr(other, "callspec") else {}
                    self._playing[other.nodeid] = self._pool.submit(other.obj, scenes=self, **arguments)
        self._playing[item.nodeid].result()

    def end(self) -> None:
        """Begin nothing more, and wait for what plays."""
        self._pool.shutdown(cancel_futures=True)
