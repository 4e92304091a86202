"""Debian packages as folders of files: what apt gives for this machine's release, unpacked and not installed."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image.run import run

MERGED = ("bin", "lib", "lib64", "sbin")  # links into /usr, as on every Debian since 12


@dataclass(frozen=True)
class Package:
    """A package that was unpacked."""

    name: str
    version: str
    architecture: str
    release: str
    """As in debian-12."""
    source: str
    """What it was built from: the source package, `@`, and its version."""
    sha256: str


def unpack(root: Path, packages: Sequence[str], without: Sequence[str] = ()) -> list[Package]:
    """Unpack packages into a new folder `root`, but for what `without` matches (patterns of tar, from "./").

    No package's scripts are run, and nothing that it depends on comes by itself. Raises BuildError.
    """
    for link in MERGED:
        (root / "usr" / link).mkdir(parents=True)
        (root / link).symlink_to(f"usr/{link}")
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        run(["apt-get", "--quiet", "download", "-o", "APT::Sandbox::User=root", *packages], cwd=Path(folder))
        skipped = [f"--exclude={pattern}" for pattern in without]
        files = sorted(Path(folder).glob("*.deb"))
        for package in files:
            with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as content:
                extract = ["tar", "--extract", "--keep-directory-symlink", "--no-same-owner", *skipped]
                run([*extract, f"--directory={root}"], stdin=content.stdout)
        return [_package(file) for file in files]


def _package(file: Path) -> Package:
    fields = ["${Package}", "${Version}", "${Architecture}", "${source:Package}@${source:Version}"]
    said = run(["dpkg-deb", "--show", f"--showformat={'|'.join(fields)}", str(file)])
    name, version, architecture, source = said.split("|")
    system = platform.freedesktop_os_release()
    release = f"{system['ID']}-{system['VERSION_ID']}"
    return Package(name, version, architecture, release, source, hashlib.sha256(file.read_bytes()).hexdigest())
