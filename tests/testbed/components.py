"""Where the programs of a cluster come from: kube-apiserver, etcd, kube-controller-manager, kubectl.

`KUBEBUILDER_ASSETS`, the convention of controller-runtime's envtest, is honoured first. Without
it one Go program (`kubernetes/main.go`) is built that is all components, told apart by the name
it is called by, and kept in the user's cache, keyed by a hash of its sources. No container
runtime, registry or release download is needed: a Go toolchain and the Go module proxy are.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


class MissingError(Exception):
    """Something is not there that the testbed cannot bring itself; the text says what to do."""


@dataclass(frozen=True)
class Components:
    """A folder with one program per component, named as upstream names them."""

    directory: Path

    def __getitem__(self, name: str) -> Path:
        return self.directory / name

    def __contains__(self, name: str) -> bool:
        return os.access(self[name], os.X_OK)


def cache_directory() -> Path:
    """What is built once and kept: `$XDG_CACHE_HOME/firstresponder`, else below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "firstresponder"


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
    built = Components(_build_directory())
    return built if all(name in built for name in NAMES) else None


def ensure() -> Components:
    """The components, built first when they have to be: minutes once, then nothing.

    Progress goes to standard error. Raises MissingError without a way to build, and when the build fails.
    """
    return available() or _build()


def require_buildable() -> None:
    """Raise MissingError when `ensure` would have to build and could not."""
    if available() is None and shutil.which("go") is None:
        raise MissingError(
            "no Go toolchain and no Kubernetes components: install Go 1.24 or newer, or set "
            "KUBEBUILDER_ASSETS to a folder with kube-apiserver, etcd and kubectl"
        )


def _build_directory() -> Path:
    digest = hashlib.sha256(platform.machine().encode())
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((SOURCE / name).read_bytes())
    return cache_directory() / f"kubernetes-{_kubernetes_version()}-{digest.hexdigest()[:12]}"


def _kubernetes_version() -> str:
    required = re.search(r"^\s*k8s\.io/kubernetes (v[0-9.]+)$", (SOURCE / "go.mod").read_text(), re.MULTILINE)
    assert required, "go.mod requires k8s.io/kubernetes"
    return required[1]


def _build() -> Components:
    require_buildable()
    target = _build_directory()
    target.mkdir(parents=True, exist_ok=True)
    with _only_one(target):
        if built := available():  # somebody else's build, which we waited for
            return built
        binary = target / "kubernetes"
        unfinished = target / "kubernetes.unfinished"
        _go_build(unfinished)
        unfinished.rename(binary)
        for name in NAMES:
            (target / name).unlink(missing_ok=True)
            (target / name).symlink_to(binary.name)
    return Components(target)


@contextlib.contextmanager
def _only_one(target: Path) -> Iterator[None]:
    """Two test runs started together build once: the second waits for the first."""
    with (target / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another build of the Kubernetes components", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _go_build(output: Path) -> None:
    version = _kubernetes_version()
    major, minor = version.removeprefix("v").split(".")[:2]
    stamps = {  # without these clients see v0.0.0
        "k8s.io/component-base/version.gitVersion": version,
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
        "k8s.io/client-go/pkg/version.gitVersion": version,
    }
    flags = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())])
    print(f"Building the Kubernetes {version} components with Go (once, about 10 minutes)", file=sys.stderr)
    _go("mod", "download")
    packages = len(_go("list", "-deps", ".").splitlines())
    _go_compile(["-v", "-buildvcs=false", "-ldflags", flags, "-o", str(output), "."], packages)


def _go_environment() -> dict[str, str]:
    return {**os.environ, "CGO_ENABLED": "0"}


def _go(*arguments: str) -> str:
    done = subprocess.run(
        ["go", *arguments], cwd=SOURCE, env=_go_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise MissingError(f"go {' '.join(arguments)} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _go_compile(arguments: list[str], packages: int) -> None:
    """`go build -v` names each package as it is compiled: that is the progress."""
    progress = _Progress(packages)
    last: deque[str] = deque(maxlen=30)
    with subprocess.Popen(
        ["go", "build", *arguments],
        cwd=SOURCE,
        env=_go_environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as build:
        assert build.stderr is not None
        for line in build.stderr:
            last.append(line)
            progress.step()
    progress.end()
    if build.returncode:
        raise MissingError("go build of the Kubernetes components failed:\n" + "".join(last))


class _Progress:
    """One line that counts up on a terminal; one line now and then in a log."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._terminal = sys.stderr.isatty()
        self._every = 0.2 if self._terminal else 30.0  # seconds
        self._next = time.monotonic() + self._every

    def step(self) -> None:
        self._done += 1
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every
            self._show()

    def end(self) -> None:
        if self._terminal:
            self._show()
            print(file=sys.stderr)

    def _show(self) -> None:
        line = f"  compiled {self._done} of at most {self._total} packages"
        print(
            f"\r{line}" if self._terminal else line,
            end="" if self._terminal else "\n",
            file=sys.stderr,
            flush=True,
        )
