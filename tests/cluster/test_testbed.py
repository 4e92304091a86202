"""The testbed itself: what other tests take for granted about the cluster."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from tests.testbed.api import ApiError
from tests.testbed.cluster import ADMIN, ALICE, DANA, MALLORY, OPERATOR, Cluster
from tests.testbed.processes import wait_until
from tests.testbed.proxy import Proxy

REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
CONFIG_MAP = {"metadata": {"name": "note"}, "data": {"text": "kept"}}


def config_maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def user_info(cluster: Cluster, user: str) -> tuple[str, list[str]]:
    info = cluster.api(user).create(REVIEW, {"kind": "SelfSubjectReview"})["status"]["userInfo"]
    return info["username"], [group for group in info["groups"] if group != "system:authenticated"]


def test_the_server_is_the_kubernetes_that_was_asked_for(cluster: Cluster) -> None:
    answer = cluster.api().get("/version")
    assert re.fullmatch(r"v1\.\d+\.\d+", answer["gitVersion"])
    assert int(answer["minor"]) >= 30, "ValidatingAdmissionPolicy is stable since 1.30"


@pytest.mark.parametrize(
    ("user", "groups"),
    [(ADMIN, ["system:masters"]), (ALICE, ["oncall"]), (DANA, ["dba"]), (MALLORY, [])],
)
def test_each_user_is_who_they_say(cluster: Cluster, user: str, groups: list[str]) -> None:
    assert user_info(cluster, user) == (user, groups)


def test_a_user_without_rights_is_refused(cluster: Cluster, namespace: str) -> None:
    with pytest.raises(ApiError, match="cannot create resource") as refusal:
        cluster.api(MALLORY).create(config_maps(namespace), CONFIG_MAP)
    assert refusal.value.code == 403


def test_kubectl_acts_as_the_user_and_reads_nothing_of_the_home_folder(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    assert ALICE in cluster.kubectl("auth", "whoami", user=ALICE).stdout
    cluster.kubectl("get", "namespaces")
    assert list(tmp_path.iterdir()) == []


def test_the_audit_log_counts_each_write_once_with_its_user_and_kind(cluster: Cluster, namespace: str) -> None:
    api = cluster.api()
    api.create(config_maps(namespace), CONFIG_MAP)
    api.patch(f"{config_maps(namespace)}/note", {"data": {"text": "changed"}}, dryRun="All")
    api.get(f"{config_maps(namespace)}/note")
    with pytest.raises(ApiError):
        cluster.api(MALLORY).delete(f"{config_maps(namespace)}/note")

    seen = [
        (write.user, write.verb, write.target, write.name, write.dry_run, write.code)
        for write in cluster.writes(namespace=namespace)
        if write.resource == "configmaps"
    ]
    assert seen == [
        (ADMIN, "create", "configmaps", "note", False, 201),
        (ADMIN, "patch", "configmaps", "note", True, 200),
        (MALLORY, "delete", "configmaps", "note", False, 403),
    ]
    assert all(write.user == MALLORY for write in cluster.writes(namespace=namespace, user=MALLORY))


def test_a_restarted_server_keeps_its_data_and_its_port(cluster: Cluster, namespace: str) -> None:
    url, pid = cluster.url, cluster.api_server.pid
    cluster.api().create(config_maps(namespace), CONFIG_MAP)

    cluster.stop_api_server()
    with pytest.raises(ConnectionRefusedError):
        cluster.api().get("/version")
    cluster.start_api_server()

    assert cluster.url == url
    assert cluster.api_server.pid != pid
    assert cluster.api().get(f"{config_maps(namespace)}/note")["data"] == {"text": "kept"}


def test_what_an_owner_leaves_behind_is_collected(cluster: Cluster, namespace: str) -> None:
    api, path = cluster.api(), config_maps(namespace)
    owner = api.create(path, CONFIG_MAP)["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["name"], "uid": owner["uid"]}
    api.create(path, {"metadata": {"name": "owned", "ownerReferences": [reference]}})
    api.delete(f"{path}/note")
    wait_until(
        lambda: "owned" not in [item["metadata"]["name"] for item in api.get(path)["items"]],
        60,
        "the garbage collector",
    )


def test_a_connection_through_the_proxy_is_cut_while_others_live(cluster: Cluster) -> None:
    with Proxy(("127.0.0.1", cluster.port)) as proxy:
        config = cluster.kubeconfig(port=proxy.port)
        with subprocess.Popen(
            ["kubectl", f"--kubeconfig={config}", "get", "--raw", "/api/v1/namespaces?watch=true"],
            env=cluster.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as watch:
            assert watch.stdout is not None
            assert '"ADDED"' in watch.stdout.readline()
            proxy.cut()
            _, complaint = watch.communicate(timeout=30)
        assert watch.returncode != 0, complaint
        assert cluster.api().get("/readyz") == "ok"


def test_the_project_is_installed_and_its_operator_has_a_token(cluster: Cluster) -> None:
    answer = cluster.api_with(cluster.operator_token()).create(REVIEW, {"kind": "SelfSubjectReview"})
    assert answer["status"]["userInfo"]["username"] == OPERATOR
    assert OPERATOR in cluster.kubectl(f"--kubeconfig={cluster.operator_kubeconfig()}", "auth", "whoami").stdout


@pytest.mark.parametrize(
    ("user", "verb", "allowed"),
    [
        (ALICE, "approve", "yes"),
        (DANA, "approve", "no"),
        (MALLORY, "approve", "no"),
        (DANA, "get", "yes"),
        (MALLORY, "get", "no"),
    ],
)
def test_in_a_fresh_namespace_people_may_do_their_part_only(
    cluster: Cluster, namespace: str, user: str, verb: str, allowed: str
) -> None:
    target = "actionclasses.firstresponder.dev/restart-unit"
    can = cluster.kubectl("auth", "can-i", verb, target, f"--namespace={namespace}", user=user, check=False)
    assert can.stdout.strip() == allowed


@pytest.mark.parametrize("child", [
    'Child([sys.executable, "-m", "stays"], log, cwd=folder)',
    'PreloadedChild("stays", [], log, env=os.environ, cwd=folder)',
])  # fmt: skip
def test_nothing_survives_when_the_testing_process_is_killed(tmp_path: Path, child: str) -> None:
    (tmp_path / "stays.py").write_text('import time\nprint("here", flush=True)\ntime.sleep(600)\n')
    program = textwrap.dedent(
        f"""
        import os, sys, threading, time
        from pathlib import Path
        from tests.testbed.preloaded import PreloadedChild
        from tests.testbed.processes import Child

        folder = Path(sys.argv[1])
        log = folder / "log"

        def start():  # from a thread that ends: the child must outlive the thread, not the process
            child = {child}
            while "here" not in log.read_text():
                time.sleep(0.01)
            print(child.pid, flush=True)

        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
        time.sleep(0.2)
        print("thread ended", flush=True)
        time.sleep(600)
        """
    )
    pid = None
    try:
        with (
            tempfile.TemporaryDirectory() as leavings,  # who is killed leaves its temporary files; a short path
            subprocess.Popen(
                [sys.executable, "-c", program, str(tmp_path)],
                cwd=Path(__file__).parents[2],
                env={**os.environ, "TMPDIR": leavings},
                stdout=subprocess.PIPE,
                text=True,
            ) as parent,
        ):
            try:
                assert parent.stdout is not None
                pid = int(parent.stdout.readline())
                assert parent.stdout.readline() == "thread ended\n"
                assert alive(pid), "it died with the thread that started it"
            finally:
                parent.send_signal(signal.SIGKILL)
        wait_until(lambda: not alive(pid), 60, "the child's end")
    finally:
        if pid is not None and alive(pid):
            os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:  # there is no such process, or it went while we looked
        return False
