"""Debian packages as folders of files: what apt gives for this machine's release, unpacked and not installed."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from image.run import run

MERGED = ("bin", "lib", "lib64", "sbin")  # links into /usr, as on every Debian since 12


def unpack(root: Path, packages: Sequence[str], without: Sequence[str] = ()) -> None:
    """Unpack packages into a new folder `root`, but for what `without` matches (patterns of tar, from "./").

    No package's scripts are run, and nothing that it depends on comes by itself. Raises BuildError.
    """
    for link in MERGED:
        (root / "usr" / link).mkdir(parents=True)
        (root / link).symlink_to(f"usr/{link}")
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        run(["apt-get", "--quiet", "download", "-o", "APT::Sandbox::User=root", *packages], cwd=Path(folder))
        skipped = [f"--exclude={pattern}" for pattern in without]
        for package in sorted(Path(folder).glob("*.deb")):
            with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as content:
                extract = ["tar", "--extract", "--keep-directory-symlink", "--no-same-owner", *skipped]
                run([*extract, f"--directory={root}"], stdin=content.stdout)
