"""A real Kubernetes API server on loopback: etcd, kube-apiserver and the controllers that matter.

Ready in seconds, without containers, nodes or a kubelet; pods would stay Pending, and the operator
runs beside it as a process with its own ServiceAccount's token. Everything it writes lies in one
state folder of its own, kubeconfigs included: `~/.kube` is neither read nor written.
"""

from __future__ import annotations

import csv
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from tests.testbed import audit, certificates, components, processes
from tests.testbed.api import Api, ApiError
from tests.testbed.audit import Request
from tests.testbed.processes import Child, wait_until

ADMIN = "admin@example.com"
ALICE = "alice@example.com"
"""On call."""
DANA = "dana@example.com"
"""Database administrator."""
MALLORY = "mallory@example.com"
"""Known to the cluster, but without any right."""
OPERATOR = audit.OPERATOR
_CONTROLLER_MANAGER = "system:kube-controller-manager"

_GROUPS = {
    ADMIN: ["system:masters"],
    ALICE: ["oncall"],
    DANA: ["dba"],
    MALLORY: [],
    _CONTROLLER_MANAGER: [],
}

# Deleting a namespace and what its owner left behind, default ServiceAccounts, and type checking
# of admission policies. There are no nodes, so nothing else would have work.
_CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "validatingadmissionpolicy-status-controller",
)

# A socket that only the owner of the state folder can reach, and no port to find free. Relative to
# the programs' working directory: a socket's whole path must fit into 108 bytes.
_ETCD = "unix://etcd.sock"

# Collect garbage less often than Go's programs do by themselves: a test's cluster has memory to spare, not processors.
_GO = {"GOGC": "400", **os.environ}

_ROOT = Path(__file__).parents[2]
_PEOPLE = Path(__file__).with_name("people.yaml")
_LEASES = Path(__file__).with_name("leases.yaml")
_START_TIMEOUT = 60.0  # seconds; 3 are usual, a busy machine is slower


class Cluster:
    """One running cluster. `Cluster.start` makes it; as a context manager it stops at the end."""

    def __init__(self, programs: components.Components, state: Path, options: Sequence[str] = ()) -> None:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.state = state.resolve()
        self._reserved = _reserved_port()
        self.port: int = self._reserved.getsockname()[1]
        self._programs = programs
        self._options = options
        self._certificates = certificates.issue(self.state)
        self._authority = self._certificates.authority.read_text()
        self._tokens = {user: secrets.token_urlsafe(24) for user in _GROUPS}
        self._write_tokens()
        (self.state / "audit-policy.yaml").write_text(audit.POLICY)
        self.etcd = self._start_etcd()
        self.api_server = self._launch_api_server()
        self.controller_manager: Child | None = None
        self.default_namespace = "default"
        """The namespace that the kubeconfigs written from now on are in."""

    @classmethod
    def start(cls, state: Path, *, empty: bool = False, options: Sequence[str] = ()) -> Cluster:
        """A cluster with the project's manifests applied, unless it is to be `empty`, ready for use.

        `state` is a folder for this cluster alone; `options` are the API server's, in addition to ours. Raises
        MissingError without the programs, TimeoutError when a program does not come up, with the end of its output.
        """
        cluster = cls(components.ensure(), state, options)
        try:
            cluster._wait_ready()
            if not empty:
                cluster.install()
            cluster._start_controllers()  # after install: they learn the CRDs by reading, not by waiting
        except BaseException:
            cluster.stop()
            raise
        return cluster

    def stop(self) -> None:
        """End every program at once. Logs stay in the state folder, the database does not."""
        for child in (self.controller_manager, self.api_server, self.etcd):
            if child is not None:
                child.kill()
        self._reserved.close()
        shutil.rmtree(self.state / "etcd", ignore_errors=True)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- Talking to it ------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def api(self, user: str = ADMIN) -> Api:
        """The API as `user` (one of this module's people) sees it."""
        return self.api_with(self._tokens[user])

    def api_with(self, token: str) -> Api:
        """The API as the holder of a bearer token sees it, for example the operator."""
        return Api("127.0.0.1", self.port, self._authority, token)

    def kubeconfig(self, user: str = ADMIN, *, port: int | None = None) -> Path:
        """A kubeconfig file for `user`; `port` leads it through a proxy instead."""
        return self._write_kubeconfig(user, {"token": self._tokens[user]}, port)

    def operator_kubeconfig(self, *, port: int | None = None, seconds: int = 3600) -> Path:
        """A kubeconfig file whose token, in a file of its own as in a pod, is the operator's."""
        self.write_operator_token(self.operator_token_file, seconds)
        return self._write_kubeconfig(OPERATOR, {"tokenFile": str(self.operator_token_file)}, port)

    @property
    def operator_token_file(self) -> Path:
        """Where the operator reads its token, again when it was renewed."""
        return self.state / "operator.token"

    def write_operator_token(self, path: Path, seconds: int = 3600) -> None:
        """Put a fresh token of the operator's ServiceAccount into `path`, valid `seconds` (at least 600)."""
        _put(path, self.operator_token(seconds))

    def operator_token(self, seconds: int = 3600) -> str:
        """A token of the operator's ServiceAccount from the TokenRequest API."""
        namespace, name = OPERATOR.split(":")[2:]
        answer = self.api().create(
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": seconds},
            },
        )
        token: str = answer["status"]["token"]
        return token

    def environment(self, user: str = ADMIN) -> dict[str, str]:
        """The environment in which kubectl and its plugins act as `user` and touch nothing of yours."""
        path = [str(self._programs.directory), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
        return {
            **os.environ,
            "PATH": os.pathsep.join(path),
            "KUBECONFIG": str(self.kubeconfig(user)),
            "KUBECACHEDIR": os.devnull,  # remember nothing: tests change which versions are served
            "KUBERC": "off",
        }

    def kubectl(
        self, *arguments: str | Path, user: str = ADMIN, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as `user`. Raises AssertionError with its complaint when it fails and `check`."""
        kubectl = self._programs["kubectl"]
        return processes.run([kubectl, *arguments], self.environment(user), stdin=stdin or "", check=check)

    def install(self) -> None:
        """Apply `crds/`, `deploy/` and `leases.yaml` as an administrator would, refusing unknown fields.

        Applying again restores what a test took away. Returns when the kinds are served and the
        approval policy is enforced, both of which take a moment.
        """
        self.apply(_ROOT / "deploy", _LEASES, _ROOT / "crds")
        wait_until(self._kinds_served, 60, "the CRDs", self.api_server)
        wait_until(self._policies_enforced, 60, "enforcement of the admission policies", self.api_server)

    def watch(self, namespace: str) -> None:
        """Let the operator work in a namespace, and the people of this module do there what they may.

        Applies `deploy/watched-namespace/`, as an administrator would for each namespace, and `people.yaml`.
        Returns when they may.
        """
        self.apply(_ROOT / "deploy" / "watched-namespace", _PEOPLE, namespace=namespace)
        last = {"verb": "approve", "resource": "actionclasses", "name": "run-command"}  # granted after everything else
        self.wait_until_allowed({"user": ALICE, "groups": _GROUPS[ALICE]}, namespace, last)

    def wait_until_allowed(self, who: Mapping[str, Any], namespace: str, what: Mapping[str, str]) -> None:
        """Wait until the API server goes by a role that was just granted: it learns of one as any client does.

        `who` and `what` as in a SubjectAccessReview; `what` is about one of our kinds.
        """
        about = {"group": "firstresponder.dev", "namespace": namespace, **what}
        review = {"kind": "SubjectAccessReview", "spec": {**who, "resourceAttributes": about}}
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        wait_until(lambda: bool(self.api().create(path, review)["status"]["allowed"]), 60, f"the right to {what}")

    def apply(self, *sources: Path, namespace: str | None = None) -> None:
        """Server-side apply of files and folders, refusing unknown fields, as an administrator.

        `namespace` is for objects that name none.
        """
        files = [f"--filename={source}" for source in sources]
        into = [f"--namespace={namespace}"] if namespace else []
        self.kubectl("apply", "--server-side", "--force-conflicts", "--validate=strict", *into, *files)

    def _kinds_served(self) -> bool:
        definitions = self.api().get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
        return all(
            any(
                condition["type"] == "Established" and condition["status"] == "True"
                for condition in definition["status"].get("conditions") or []
            )
            for definition in definitions
        )

    def _policies_enforced(self) -> bool:
        """Whether each policy (and it alone) refuses what it is there to refuse."""
        version, digest = "firstresponder.dev/v1alpha1", "sha256:" + "0" * 64
        in_somebody_elses_name = {
            "apiVersion": version,
            "kind": "ApprovalRequest",
            "metadata": {"name": "is-the-policy-enforced"},
            "spec": {
                "incidentRef": {"name": "none", "uid": "none"},
                "actionClass": "none",
                "packet": {},
                "packetDigest": digest,
                "requestedBy": "nobody",
                "requiredApprovals": 1,
                "expirationTime": "2000-01-01T00:00:00Z",
            },
        }
        with_a_finalizer = {
            "apiVersion": version,
            "kind": "Incident",
            "metadata": {"name": "is-the-policy-enforced", "finalizers": ["example.com/never"]},
            "spec": {"type": "None", "service": "none"},
        }
        return self._refused("approvalrequests", in_somebody_elses_name, "spec.requestedBy must be") and self._refused(
            "incidents", with_a_finalizer, "starts without owner references and finalizers"
        )

    def _refused(self, resource: str, body: dict[str, Any], words: str) -> bool:
        try:
            path = f"/apis/firstresponder.dev/v1alpha1/namespaces/default/{resource}"
            self.api().create(path, body, dryRun="All")
        except ApiError as refusal:
            if refusal.code == 404:  # Established comes a moment before the kind is served
                return False
            if words not in refusal.message:
                raise
            return True
        return False

    # --- What it recorded ---------------------------------------------------------------------

    def writes(self, *, namespace: str | None = None, user: str | None = None) -> list[Request]:
        """The writes recorded so far, in order, refused ones and dry runs included."""
        return [each for each in self.requests(namespace=namespace, user=user) if each.is_write]

    def requests(self, *, namespace: str | None = None, user: str | None = None) -> list[Request]:
        """All writes and the reads of the operator that were answered before the call, in order."""
        audit.wait_until_written(self._audit_log, self.api())
        return [
            each
            for each in audit.requests(self._audit_log)
            if (namespace is None or each.namespace == namespace) and (user is None or each.user == user)
        ]

    # --- Doing it harm ------------------------------------------------------------------------

    def stop_api_server(self) -> None:
        """Kill the API server: every connection breaks, new ones are refused."""
        self.api_server.kill()

    def start_api_server(self) -> None:
        """Start it again on the same port with the same data, and wait until it is ready."""
        self.api_server = self._launch_api_server()
        self._wait_ready()

    def restart_api_server(self) -> None:
        """Kill and start the API server; about 3 seconds without one."""
        self.stop_api_server()
        self.start_api_server()

    # --- The programs -------------------------------------------------------------------------

    @property
    def _audit_log(self) -> Path:
        return self.state / "audit.log"

    def _start_etcd(self) -> Child:
        return Child(
            [
                self._programs["etcd"],
                "--data-dir=etcd",
                f"--listen-client-urls={_ETCD}",
                f"--advertise-client-urls={_ETCD}",
                "--listen-peer-urls=unix://etcd-peer.sock",
                # Survives a kill of any process; only a crash of the whole machine would lose data.
                "--unsafe-no-fsync",
                "--log-level=warn",
            ],
            self.state / "etcd.log",
            env=_GO,
            cwd=self.state,
        )

    def _launch_api_server(self) -> Child:
        return Child(
            [
                self._programs["kube-apiserver"],
                f"--etcd-servers={_ETCD}",
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",  # else it needs a machine with a default route
                f"--secure-port={self.port}",
                "--permit-port-sharing",  # with who keeps it reserved
                f"--cert-dir={self.state}",
                f"--tls-cert-file={self._certificates.serving_certificate}",
                f"--tls-private-key-file={self._certificates.serving_key}",
                "--service-cluster-ip-range=10.255.255.0/24",
                "--endpoint-reconciler-type=none",
                "--authorization-mode=Node,RBAC",
                f"--token-auth-file={self.state}/tokens.csv",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={self._certificates.token_key}",
                f"--service-account-signing-key-file={self._certificates.token_key}",
                f"--audit-policy-file={self.state}/audit-policy.yaml",
                f"--audit-log-path={self._audit_log}",
                *self._options,
            ],
            self.state / "kube-apiserver.log",
            env=_GO,
            cwd=self.state,
        )

    def _start_controllers(self) -> None:
        """Without a kube-controller-manager (envtest has none) owners' leavings are never collected."""
        if "kube-controller-manager" not in self._programs:
            return
        self.controller_manager = Child(
            [
                self._programs["kube-controller-manager"],
                f"--kubeconfig={self.kubeconfig(_CONTROLLER_MANAGER)}",
                f"--controllers={','.join(_CONTROLLERS)}",
                # As on a real cluster the garbage collector acts under its own name.
                "--use-service-account-credentials",
                f"--service-account-private-key-file={self._certificates.token_key}",
                "--leader-elect=false",
                "--secure-port=0",
            ],
            self.state / "kube-controller-manager.log",
            env=_GO,
        )

    def _wait_ready(self) -> None:
        wait_until(self._ready, _START_TIMEOUT, "the API server", self.etcd, self.api_server)

    def _ready(self) -> bool:
        try:
            ready: bool = self.api().request("GET", "/readyz", timeout=2) == "ok"
            # /readyz is true a moment before the authorizer has read the roles; until then
            # everybody but an administrator is refused.
            self.api(_CONTROLLER_MANAGER).get("/api/v1/namespaces", limit="1")
            return ready
        except (ApiError, OSError, HTTPException):
            return False

    def _write_tokens(self) -> None:
        path = self.state / "tokens.csv"
        path.touch(mode=0o600)
        with path.open("w", newline="") as file:
            for user, groups in _GROUPS.items():
                # An empty fourth column would be a group whose name is empty.
                columns = [",".join(groups)] if groups else []
                csv.writer(file).writerow([self._tokens[user], user, user, *columns])

    def _write_kubeconfig(self, user: str, credentials: dict[str, Any], port: int | None) -> Path:
        through = "" if port is None else f"-{port}"
        path = self.state / f"{user.replace(':', '-')}{through}.kubeconfig"
        name = "firstresponder-testbed"
        cluster = {
            "server": f"https://127.0.0.1:{port or self.port}",
            "certificate-authority": str(self._certificates.authority),
        }
        context = {"cluster": name, "user": user, "namespace": self.default_namespace}
        _put(
            path,
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": name, "cluster": cluster}],
                    "users": [{"name": user, "user": credentials}],
                    "contexts": [{"name": name, "context": context}],
                    "current-context": name,
                }
            ),
        )
        return path


def _put(path: Path, secret: str) -> None:
    """Make or replace a file that only its owner may read; whoever reads it meanwhile sees all of it."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    new.touch(mode=0o600)
    new.write_text(secret)
    new.replace(path)


def _reserved_port() -> socket.socket:
    """Holds a free port of loopback, on which only who shares ports with us can listen: our API server.

    It takes no connections itself. While it is open nobody else gets the port, neither another cluster nor any
    client, also while the API server is being restarted.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(("127.0.0.1", 0))
    return held
