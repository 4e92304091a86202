"""What an administrator gets wrong, and what then says so: the API server, Helm, or the operator in its pod."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kind.conftest import WATCHED
from tests.kind.test_installed import pods
from tests.kind.test_replicas import NAMESPACE
from tests.testbed.kind import release
from tests.testbed.kind.cluster import KindCluster
from tests.testbed.processes import wait_until

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(autouse=True)
def put_right(kind: KindCluster) -> Iterator[None]:
    """Afterwards the release is again what the other tests find."""
    yield
    release.upgrade(kind, [WATCHED])


def test_events_name_the_secret_of_the_archive_that_is_missing(kind: KindCluster) -> None:
    """The pods that were there go on, as far as they can."""
    before = {pod["metadata"]["name"] for pod in pods(kind)}
    values = ["archive.http.url=https://archive.example.com/incidents", "archive.http.tokenSecret=archive-token"]
    kind.helm(
        "upgrade", release.NAME, release.CHART, NAMESPACE, "--reuse-values", *(f"--set={each}" for each in values)
    )

    def complains() -> bool:
        return 'secret "archive-token" not found' in kind.kubectl("events", NAMESPACE, "--types=Warning").stdout

    wait_until(complains, 60, "an event that names the Secret")
    running = {pod["metadata"]["name"] for pod in pods(kind) if pod["status"]["phase"] == "Running"}
    assert running == before


def test_helm_names_a_watched_namespace_that_does_not_exist_and_how_to_make_it(kind: KindCluster) -> None:
    with pytest.raises(AssertionError, match="there is no namespace stage: kubectl create namespace stage"):
        release.upgrade(kind, [WATCHED, "stage"])


def test_helm_test_names_the_namespace_where_the_role_is_missing_and_what_grants_it(kind: KindCluster) -> None:
    kind.kubectl("delete", "rolebinding", "firstresponder-operator", f"--namespace={WATCHED}")
    said = kind.helm("test", release.NAME, NAMESPACE, "--logs", "--timeout=120s", check=False)
    assert said.returncode != 0
    grants = f"kubectl apply --server-side --namespace {WATCHED} --filename deploy/watched-namespace/"
    assert f"it has no rights in namespace {WATCHED}: " in said.stdout
    assert grants in said.stdout
