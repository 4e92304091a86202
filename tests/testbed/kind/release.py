"""First Responder in a kind cluster, as docs/install.md installs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from image import build

from tests.testbed.kind.cluster import ROOT, KindCluster

CHART = ROOT / "charts" / "firstresponder"
NAME = "firstresponder"
NAMESPACE = "first-responder"
APPROVERS = {
    "ansible-scale": ["oncall"],
    "free-disk-space": ["oncall"],
    "restart-database": ["dba"],
    "restart-unit": ["oncall"],
    "run-command": ["oncall"],
}
WAITING = (f"--namespace={NAMESPACE}", "--wait", "--timeout=180s")  # until the operator is ready; twenty are usual


def prepare(cluster: KindCluster, watched: Sequence[str]) -> None:
    """Give the nodes the operator's image, and make the namespaces. Raises BuildError."""
    cluster.load(build.build())
    for namespace in (NAMESPACE, *watched):
        cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")


def install(cluster: KindCluster, watched: Sequence[str]) -> None:
    """Install the chart and wait until the operator is ready. Raises AssertionError, with what its pod says."""
    try:
        cluster.helm("install", NAME, CHART, _values(cluster, watched), *WAITING)
    except AssertionError as error:
        for question in ("describe pods", "logs deployment/firstresponder-operator --tail=30"):
            said = cluster.kubectl("--namespace", NAMESPACE, *question.split(), check=False)
            error.add_note(said.stdout + said.stderr)
        raise


def upgrade(cluster: KindCluster, watched: Sequence[str], *more: str) -> None:
    """Upgrade the release to other values, and wait until all pods are the new ones."""
    cluster.helm("upgrade", NAME, CHART, _values(cluster, watched), *more, *WAITING)


def uninstall(cluster: KindCluster) -> None:
    """Remove the release and wait until its operators are gone; the pod of `helm test` stays."""
    cluster.helm("uninstall", NAME, *WAITING)
    gone = ["--for=delete", "pods", "--selector=app.kubernetes.io/component=operator", "--timeout=60s"]
    cluster.kubectl("wait", "--namespace", NAMESPACE, *gone)


def _values(cluster: KindCluster, watched: Sequence[str]) -> str:
    """The three values that a company must set."""
    own = {"image": {"repository": build.NAME}, "watchedNamespaces": list(watched), "approvers": APPROVERS}
    file: Path = cluster.directory / "values.yaml"
    file.write_text(yaml.safe_dump(own))
    return f"--values={file}"
