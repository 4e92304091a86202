"""The image of a kind node: Debian with containerd, the kubelet, and the images of the control plane.

The images hold one program that is every component by the name it is called by (tests/testbed/kubernetes), so all of
them are one layer.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from image import archive, debian
from image.run import run

from tests.testbed import components
from tests.testbed.debian import codename, mirror
from tests.testbed.kind import programs

FILES = Path(__file__).parent / "files"
PACKAGES = (
    "conntrack",
    "dbus",
    "iproute2",
    "iptables",
    "kmod",
    "mount",
    "procps",
    "runc",
    "systemd",
    "systemd-sysv",
)
KUBE_PROXY_NEEDS = (  # iptables and what it is linked with
    "iptables",
    "libc6",
    "libip4tc2",
    "libip6tc2",
    "libmnl0",
    "libnetfilter-conntrack3",
    "libnfnetlink0",
    "libnftnl11",
    "libxtables12",
)
BY_ANOTHER_NAME = ("", "-restore", "-save")  # of iptables and ip6tables, which are one program
LABEL = "firstresponder.dev/node"
# A node is a container: there is nothing to mount, no console and no device to wait for.
NOT_STARTED = (
    "usr/lib/systemd/system/multi-user.target.wants/*",
    "usr/lib/systemd/system/sockets.target.wants/*initctl*",
    "usr/lib/systemd/system/sockets.target.wants/*udev*",
    "usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
    "etc/systemd/system/*.wants/*",
)
REMOVED = ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/cache/apt/archives/*.deb", "var/lib/apt/lists/*")


def name() -> str:
    """The image's name, with a hash of what goes into it as its tag."""
    digest = hashlib.sha256("\n".join([*PACKAGES, *KUBE_PROXY_NEEDS, *NOT_STARTED, *REMOVED, codename()]).encode())
    digest.update(programs.build().directory.name.encode() + components.kubernetes().directory.name.encode())
    for path in sorted(each for each in (*FILES.rglob("*"), Path(__file__)) if each.is_file()):
        digest.update(path.read_bytes())
    return f"localhost/kind-node:{components.version()}-{digest.hexdigest()[:12]}"


def write(target: Path) -> None:
    """Make the image's archive at `target`. Raises MissingError or BuildError."""
    node, kubernetes = programs.build().ensure(), components.kubernetes().ensure()
    print("Making the image of a kind node (once, about two minutes)", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        root = Path(folder) / "root"
        _debian(root)
        for program in ("containerd", "containerd-shim-runc-v2", "ctr"):
            _install(node / program, root / "usr/local/bin")
        for plugin in ("host-local", "loopback", "portmap", "ptp"):
            _install(node / plugin, root / "opt/cni/bin")
        _install(kubernetes / "kubernetes", root / "usr/bin")
        for component in ("kubeadm", "kubectl", "kubelet"):
            (root / "usr/bin" / component).symlink_to("kubernetes")
        images = _images_of_kubeadm(kubernetes / "kubeadm")
        _write_images(root / "kind/images", images, Path(folder))
        _configure(root, pause=next(image for image in images if "/pause:" in image))
        config = {
            "Entrypoint": ["/usr/local/bin/entrypoint", "/sbin/init"],
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "container=docker"],
            "Labels": {LABEL: name()},
            "StopSignal": "SIGRTMIN+3",
        }
        archive.write(target, [root], config, [name()], machine=platform.machine(), owners=True)


def _debian(root: Path) -> None:
    alone = ["unshare", "--mount", "--propagation=private"]  # what debootstrap mounts dies with it
    include = f"--include={','.join(PACKAGES)}"
    run([*alone, "debootstrap", "--variant=minbase", include, codename(), str(root), mirror()])
    for pattern in (*NOT_STARTED, *REMOVED):
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _configure(root: Path, pause: str) -> None:
    shutil.copytree(FILES, root, dirs_exist_ok=True)
    containerd = root / "etc/containerd/config.toml"
    containerd.write_text(containerd.read_text().replace("PAUSE_IMAGE", pause))
    (root / "kind/version").write_text(components.version())
    (root / "etc/kubernetes/manifests").mkdir(parents=True)
    journal = root / "etc/systemd/journald.conf"
    journal.write_text(f"{journal.read_text()}ReadKMsg=no\n")
    masked = ("console-getty.service", "getty.target", "systemd-binfmt.service", "systemd-logind.service")
    run(["systemctl", f"--root={root}", "--quiet", "mask", *masked])
    run(["systemctl", f"--root={root}", "--quiet", "enable", "containerd.service", "kubelet.service"])
    run(["systemctl", f"--root={root}", "--quiet", "set-default", "multi-user.target"])


def _images_of_kubeadm(kubeadm: Path) -> list[str]:
    """The images that kubeadm will ask for, with their tags."""
    return run([str(kubeadm), "config", "images", "list", f"--kubernetes-version={components.version()}"]).split()


def _write_images(folder: Path, images: list[str], scratch: Path) -> None:
    folder.mkdir(parents=True)
    node, kubernetes = programs.build().directory, components.kubernetes().directory
    tools, components_root, dns, pause = (scratch / name for name in ("tools", "components", "dns", "pause"))
    debian.unpack(tools, KUBE_PROXY_NEEDS, ("./usr/share", "./usr/lib/*/gconv"))
    for program in ("iptables", "ip6tables"):
        for suffix in BY_ANOTHER_NAME:
            link = tools / "usr/sbin" / f"{program}{suffix}"
            link.unlink(missing_ok=True)
            link.symlink_to("xtables-nft-multi")
    _install(kubernetes / "kubernetes", components_root / "usr/local/bin")
    for component in components.NAMES:
        (components_root / "usr/local/bin" / component).symlink_to("kubernetes")
    _install(node / "coredns", dns)
    _install(node / "pause", pause)

    def of(*names: str) -> list[str]:
        return [image for image in images if image.partition(":")[0].rpartition("/")[2] in names]

    machine = platform.machine()
    path = {"Env": ["PATH=/usr/local/bin:/usr/sbin"]}
    archive.write(folder / "kubernetes.tar", [tools, components_root], path, of(*components.NAMES), machine=machine)
    archive.write(folder / "coredns.tar", [dns], {"Entrypoint": ["/coredns"]}, of("coredns"), machine=machine)
    nobody = {"Entrypoint": ["/pause"], "User": "65535:65535"}
    archive.write(folder / "pause.tar", [pause], nobody, of("pause"), machine=machine)


def _install(program: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(program, folder)
