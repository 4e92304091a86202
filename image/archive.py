"""Image archives, as `docker load`, `podman load` and `ctr images import` read them.

What is in an archive depends on what is in the folders alone, and not on when or by whom it is written.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""What `uname -m` says, and how images call it."""


def write(
    archive: Path,
    layers: Sequence[Path],
    config: Mapping[str, Any],
    tags: Sequence[str],
    *,
    machine: str,
    created: int = 0,
    owners: bool = False,
) -> str:
    """Make or replace `archive`: an image of one layer for each folder, the lowest first. Returns the image's id.

    `config` is the image specification's (User, Entrypoint, Labels, …), `created` is in seconds since the epoch. All
    files belong to root, unless `owners` keeps whom they belong to.
    """
    moment = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        packed = [_pack(layer, Path(folder) / str(number), owners) for number, layer in enumerate(layers)]
        digests = [_digest(layer) for layer in packed]
        image = _json(
            {
                "architecture": ARCHITECTURES[machine],
                "os": "linux",
                "created": moment,
                "config": config,
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
                "history": [{"created": moment}] * len(digests),
            }
        )
        digest = hashlib.sha256(image).hexdigest()
        config_name = f"{digest}.json"
        names = [f"{digest}/layer.tar" for digest in digests]
        manifest = _json([{"Config": config_name, "RepoTags": list(tags), "Layers": names}])
        with _replacing(archive) as target, tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as whole:
            for name, content in ((config_name, image), ("manifest.json", manifest)):
                whole.addfile(_member(name, len(content)), io.BytesIO(content))
            for name, layer in zip(names, packed, strict=True):
                with layer.open("rb") as source:
                    whole.addfile(_member(name, layer.stat().st_size), source)
    return f"sha256:{digest}"


def _pack(folder: Path, target: Path, owners: bool) -> Path:
    def anybodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime = 0
        member.uname = member.gname = ""
        if not owners:
            member.uid = member.gid = 0
        return member

    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as layer:
        for path in sorted(folder.iterdir()):
            layer.add(path, path.name, filter=anybodys)  # in the order of names, all the way down
    return target


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when all of it was written."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("wb") as file:
        yield file
    unfinished.replace(path)
