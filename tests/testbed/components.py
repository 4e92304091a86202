"""Where the programs of a cluster come from: kube-apiserver, etcd, kube-controller-manager, kubectl.

`KUBEBUILDER_ASSETS`, the convention of controller-runtime's envtest, is honoured first. Without
it one Go program (`kubernetes/main.go`) is built that is all components, told apart by the name
it is called by. No container runtime, registry or release download is needed: a Go toolchain and
the Go module proxy are.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.go_build import GoBuild, MissingError, required_version

SOURCE = Path(__file__).parent / "kubernetes"
NAMES = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubeadm",
    "kubectl",
    "kubelet",
)
INDISPENSABLE = ("etcd", "kube-apiserver", "kubectl")


@dataclass(frozen=True)
class Components:
    """A folder with one program per component, named as upstream names them."""

    directory: Path

    def __getitem__(self, name: str) -> Path:
        return self.directory / name

    def __contains__(self, name: str) -> bool:
        return os.access(self[name], os.X_OK)


def available() -> Components | None:
    """The components without building anything, or None.

    Raises MissingError when `KUBEBUILDER_ASSETS` is set to a folder that lacks what a cluster needs.
    envtest's folders have no kube-controller-manager; a cluster of such runs without it.
    """
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        given = Components(Path(assets))
        if lacking := [name for name in INDISPENSABLE if name not in given]:
            raise MissingError(
                f"KUBEBUILDER_ASSETS={assets} has no {', '.join(lacking)}: point it to a folder with "
                f"{', '.join(INDISPENSABLE)}, or unset it to build them with Go"
            )
        return given
    own = kubernetes()
    return Components(own.directory) if own.available else None


def ensure() -> Components:
    """The components, built first when they have to be: minutes once, then nothing.

    Progress goes to standard error. Raises MissingError without a way to build, and when the build fails.
    """
    require_buildable()
    return available() or Components(kubernetes().ensure())


def require_buildable() -> None:
    """Raise MissingError when `ensure` would have to build and could not."""
    if available() is None and shutil.which("go") is None:
        raise MissingError(
            "no Go toolchain and no Kubernetes components: install Go 1.24 or newer, or set "
            "KUBEBUILDER_ASSETS to a folder with kube-apiserver, etcd and kubectl"
        )


def version() -> str:
    """The version of Kubernetes that is built."""
    return required_version(SOURCE, "k8s.io/kubernetes")


def kubernetes() -> GoBuild:
    """All components as one program."""
    major, minor = version().removeprefix("v").split(".")[:2]
    return GoBuild(
        f"kubernetes-{version()}",
        SOURCE,
        packages=(".",),
        programs=NAMES,
        takes="about 10 minutes",
        stamps=(  # without these clients see v0.0.0
            ("k8s.io/component-base/version.gitVersion", version()),
            ("k8s.io/component-base/version.gitMajor", major),
            ("k8s.io/component-base/version.gitMinor", minor),
            ("k8s.io/client-go/pkg/version.gitVersion", version()),
        ),
        one_binary="kubernetes",
    )
