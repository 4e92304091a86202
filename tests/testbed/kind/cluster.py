"""One kind cluster, with people who are known to it, and Helm."""

from __future__ import annotations

import base64
import ipaddress
import os
import subprocess
import sys
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import yaml

from tests.testbed import audit, components, helm, processes
from tests.testbed.api import Api
from tests.testbed.audit import Request
from tests.testbed.cluster import ADMIN, ALICE, DANA, MALLORY
from tests.testbed.hosts import Hosts
from tests.testbed.kind import node_image, programs
from tests.testbed.kind.docker import Docker

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "kind-config.yaml"
GROUPS = {ALICE: ["oncall"], DANA: ["dba"], MALLORY: []}
START_TIMEOUT = "180s"
AUDIT = "/audit"
"""Where the node and the API server in it see the folder of the audit log."""
_AUDITED = {
    "group": "kubeadm.k8s.io",
    "version": "v1beta4",
    "kind": "ClusterConfiguration",
    # kind gives the API server arguments of its own, so ours are added to them.
    "patch": f"""\
- {{op: add, path: /apiServer/extraArgs/-, value: {{name: audit-policy-file, value: {AUDIT}/policy.yaml}}}}
- {{op: add, path: /apiServer/extraArgs/-, value: {{name: audit-log-path, value: {AUDIT}/log}}}}
- {{op: add, path: /apiServer/extraVolumes, value: [{{name: audit, hostPath: {AUDIT}, mountPath: {AUDIT}}}]}}
""",
}


class KindCluster:
    """A running cluster. `KindCluster.start` makes it; as a context manager it is removed at the end."""

    def __init__(self, directory: Path, docker: Docker) -> None:
        self.directory = directory
        self.docker = docker
        self._config = yaml.safe_load(CONFIG.read_text())
        self.name: str = self._config["name"]

    @classmethod
    def start(cls, directory: Path) -> Self:
        """A new cluster, ready. `directory` is for it alone. Raises MissingError with what this machine lacks."""
        directory.mkdir(parents=True, exist_ok=True)
        cluster = cls(directory, Docker.start(directory))
        try:
            cluster._create()
        except BaseException:
            cluster.stop()
            raise
        return cluster

    def stop(self) -> None:
        """End it with all that runs in it, and leave no data of it."""
        self._kind("delete", "cluster", f"--name={self.name}", check=False)
        self.docker.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def nodes(self) -> list[str]:
        return self._kind("get", "nodes", f"--name={self.name}").stdout.split()

    def on_control_plane(self, *command: str) -> str:
        """What a program prints that is run on the control plane's node."""
        return self.docker.run("exec", self._control_plane, *command).stdout

    def requests(self, user: str) -> list[Request]:
        """All that one user asked of the API server before the call, as in tests/testbed/audit.py."""
        audit.wait_until_written(self._audit / "log", self.api())
        return [each for each in audit.requests(self._audit / "log") if each.user == user]

    def join(self, hosts: Hosts) -> None:
        """Let pods reach hosts of the testbed, whose network then sees Docker's own address."""
        hosts.connect(self.docker.pid)

    def load(self, archive: Path) -> None:
        """Give every node the images of an archive, as `kind load image-archive` does."""
        for node in self.nodes:
            with archive.open("rb") as images:
                take = ["ctr", "--namespace=k8s.io", "images", "import", "--all-platforms", "-"]
                self.docker.run("exec", "--interactive", node, *take, stdin=images)

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """A kubeconfig file for one of the testbed's people, with a certificate of the cluster's own authority."""
        path = self.directory / f"{user}.kubeconfig"
        if not path.exists():
            named = [f"--client-name={user}", *(f"--org={group}" for group in GROUPS[user])]
            made = self.docker.run("exec", self._control_plane, "kubeadm", "kubeconfig", "user", *named).stdout
            config = yaml.safe_load(made)
            config["clusters"][0]["cluster"]["server"] = self._server
            path.touch(mode=0o600)
            path.write_text(yaml.safe_dump(config))
        return path

    def api(self, user: str = ADMIN) -> Api:
        """The API as one of the testbed's people sees it."""
        config = yaml.safe_load(self.kubeconfig(user).read_text())
        who = config["users"][0]["user"]
        pair = self.directory / f"{user}.pem"
        pair.touch(mode=0o600)
        pair.write_bytes(b"".join(base64.b64decode(who[f"client-{part}-data"]) for part in ("certificate", "key")))
        authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
        server = urlsplit(self._server)
        assert server.hostname is not None and server.port is not None
        return Api(server.hostname, server.port, authority, certificate=pair)

    def environment(self, user: str = ADMIN) -> dict[str, str]:
        """The environment in which kubectl, its plugins and Helm act as `user`."""
        own = self.docker.environment()
        path = os.pathsep.join([*map(str, self.programs), own["PATH"]])
        return {**own, "PATH": path, "KUBECONFIG": str(self.kubeconfig(user))}

    @property
    def programs(self) -> list[Path]:
        """The folders of kubectl, of its plugins, and of Helm."""
        return [components.ensure().directory, Path(sys.executable).parent, helm.ensure().parent]

    def kubectl(
        self, *arguments: str | Path, user: str = ADMIN, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as `user`. Raises AssertionError with its complaint when it fails and `check`."""
        kubectl = components.ensure()["kubectl"]
        return processes.run([kubectl, *arguments], self.environment(user), stdin=stdin, check=check)

    def helm(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Helm as an administrator."""
        return helm.run(*arguments, home=self.directory / "helm", environment=self.environment(), check=check)

    def _create(self) -> None:
        """As kind-config.yaml says, but reached where Docker is (its loopback is not this machine's), and audited."""
        self._kind("delete", "cluster", f"--name={self.name}")  # of a run that could not end in good order
        self._audit.mkdir(exist_ok=True)
        (self._audit / "policy.yaml").write_text(audit.POLICY)
        [control_plane, *workers] = self._config["nodes"]
        shared = {"hostPath": str(self._audit.resolve()), "containerPath": AUDIT}
        config = {
            **self._config,
            "networking": {"apiServerAddress": self.docker.address, "apiServerPort": 6443},
            "nodes": [{**control_plane, "extraMounts": [shared]}, *workers],
            "kubeadmConfigPatchesJSON6902": [_AUDITED],
        }
        file = self.directory / "kind-config.yaml"
        file.write_text(yaml.safe_dump(config))
        said = [f"--config={file}", f"--image={node_image.name()}", f"--kubeconfig={self._admin}"]
        self._kind("create", "cluster", *said, f"--wait={START_TIMEOUT}")
        self._lead_to_each_others_pods()

    def _lead_to_each_others_pods(self) -> None:
        """Routes between the nodes, which the network plugin of kind's own image brings by itself."""
        for node in self.api().get("/api/v1/nodes")["items"]:
            [address] = [
                each["address"]
                for each in node["status"]["addresses"]
                if each["type"] == "InternalIP" and ipaddress.ip_address(each["address"]).version == 4
            ]
            for other in self.nodes:
                if other != node["metadata"]["name"]:
                    route = ["ip", "route", "replace", node["spec"]["podCIDR"], "via", address]
                    self.docker.run("exec", other, *route)

    @property
    def _audit(self) -> Path:
        return self.directory / "audit"

    @property
    def _admin(self) -> Path:
        """The kubeconfig that kind writes."""
        return self.directory / f"{ADMIN}.kubeconfig"

    @property
    def _control_plane(self) -> str:
        return f"{self.name}-control-plane"

    @property
    def _server(self) -> str:
        config = yaml.safe_load(self._admin.read_text())
        server: str = config["clusters"][0]["cluster"]["server"]
        return server

    def _kind(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {**self.docker.environment(), "KUBECONFIG": str(self._admin)}
        return processes.run([programs.build().ensure() / "kind", *arguments], environment, check=check)
