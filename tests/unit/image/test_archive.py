"""What is in an image archive, and that it depends on what is in the folders alone."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path
from typing import Any

from image import archive


def folder(path: Path, **files: str) -> Path:
    path.mkdir()
    for name, content in files.items():
        (path / name).write_text(content)
    return path


def read(image: Path, name: str) -> bytes:
    with tarfile.open(image) as whole:
        content = whole.extractfile(name)
        assert content is not None
        return content.read()


def manifest(image: Path) -> dict[str, Any]:
    [only] = json.loads(read(image, "manifest.json"))
    assert isinstance(only, dict)
    return only


def make(tmp_path: Path, *layers: Path, name: str = "image.tar", **options: Any) -> Path:
    image = tmp_path / name
    archive.write(image, layers, {"User": "1:1"}, ["example.com/it:1"], machine="x86_64", **options)
    return image


def test_each_folder_is_a_layer_in_order_and_its_digest_is_that_of_its_content(tmp_path: Path) -> None:
    image = make(tmp_path, folder(tmp_path / "base", one="1"), folder(tmp_path / "program", two="2"), created=86400)
    found = manifest(image)
    said = json.loads(read(image, found["Config"]))

    layers = [read(image, name) for name in found["Layers"]]
    assert said["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    (tmp_path / "layer").write_bytes(layers[0])
    with tarfile.open(tmp_path / "layer") as first:
        assert first.getnames() == ["one"]
    assert found["RepoTags"] == ["example.com/it:1"]
    assert said["config"] == {"User": "1:1"}
    assert (said["architecture"], said["created"]) == ("amd64", "1970-01-02T00:00:00Z")
    assert found["Config"] == f"{hashlib.sha256(read(image, found['Config'])).hexdigest()}.json"


def test_when_and_by_whom_files_were_made_does_not_matter(tmp_path: Path) -> None:
    base = folder(tmp_path / "base", b="2", a="1")
    before = make(tmp_path, base).read_bytes()
    (base / "a").unlink()
    (base / "a").write_text("1")
    for path in base.iterdir():
        os.utime(path, (1, 1))
        if os.geteuid() == 0:
            os.chown(path, 1234, 1234)
    assert make(tmp_path, base, name="again.tar").read_bytes() == before


def test_files_belong_to_root_unless_their_owners_are_kept(tmp_path: Path) -> None:
    base = folder(tmp_path / "base", a="1")
    mine = (os.geteuid(), os.getegid())
    if os.geteuid() == 0:
        mine = (1234, 1234)
        os.chown(base / "a", *mine)
    for owners, expected in ((False, (0, 0)), (True, mine)):
        image = make(tmp_path, base, owners=owners)
        (tmp_path / "layer").write_bytes(read(image, manifest(image)["Layers"][0]))
        with tarfile.open(tmp_path / "layer") as layer:
            assert [(each.uid, each.gid) for each in layer] == [expected]
