"""The programs of a node and of kind, all from one Go module."""

from __future__ import annotations

from pathlib import Path

from tests.testbed.go_build import GoBuild, required_version

SOURCE = Path(__file__).parent / "node"
_CONTAINERD = "github.com/containerd/containerd/v2"
_PLUGINS = "github.com/containernetworking/plugins/plugins"
PACKAGES = (
    f"{_CONTAINERD}/cmd/containerd",
    f"{_CONTAINERD}/cmd/containerd-shim-runc-v2",
    f"{_CONTAINERD}/cmd/ctr",
    f"{_PLUGINS}/ipam/host-local",
    f"{_PLUGINS}/main/loopback",
    f"{_PLUGINS}/main/ptp",
    f"{_PLUGINS}/meta/portmap",
    "sigs.k8s.io/kind",
    "./coredns",
    "./pause",
)


def build() -> GoBuild:
    """containerd, the plugins of its network, CoreDNS, pause, and kind."""
    return GoBuild(
        f"kind-{required_version(SOURCE, 'sigs.k8s.io/kind')}",
        SOURCE,
        packages=PACKAGES,
        programs=tuple(Path(package).name for package in PACKAGES),
        takes="about 5 minutes",
        tags=("no_aufs", "no_btrfs", "no_devmapper", "no_zfs"),
        stamps=((f"{_CONTAINERD}/version.Version", required_version(SOURCE, _CONTAINERD)),),
    )
