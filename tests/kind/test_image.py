"""The operator's image as `make image` leaves it, and the SBOM beside it: each says what the other does."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from image import build
from packageurl import PackageURL
from packaging.utils import canonicalize_name


@pytest.fixture(scope="module", autouse=True)
def made() -> None:
    build.build()


def in_the_archive() -> Iterator[str]:
    """The path of each file in the image."""
    with tarfile.open(build.archive_path()) as whole:
        for member in whole:
            if member.name.endswith("/layer.tar"):
                with tarfile.open(fileobj=whole.extractfile(member)) as layer:
                    yield from layer.getnames()


def image_id() -> str:
    """As container engines show it."""
    with tarfile.open(build.archive_path()) as whole:
        manifest = whole.extractfile("manifest.json")
        assert manifest is not None
        return f"sha256:{json.load(manifest)[0]['Config'].removesuffix('.json')}"


def sbom() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(build.sbom_path().read_text())
    return found


def listed(*types: str) -> list[tuple[str, str]]:
    """The components of these types of purl: name and version."""
    purls = [PackageURL.from_string(each["purl"]) for each in sbom()["components"] if "purl" in each]
    return sorted((each.name, each.version or "") for each in purls if each.type in types)


def test_it_lists_the_distributions_that_are_in_the_archive_no_more_and_no_less() -> None:
    found = [re.search(r"/([^/]+)-([^/-]+)\.dist-info/METADATA$", name) for name in in_the_archive()]
    assert listed("pypi", "generic") == sorted((canonicalize_name(each[1]), each[2]) for each in found if each)
    assert listed("generic") == [("firstresponder", build.project_version())]


def test_it_lists_the_packages_of_debian_that_the_archive_is_made_of() -> None:
    assert [name for name, _ in listed("deb")] == sorted(build.PACKAGES)


def test_each_library_comes_from_a_locked_file() -> None:
    locked = (build.ROOT / "requirements.lock").read_text()
    libraries = [each for each in sbom()["components"] if each["bom-ref"].startswith("pkg:pypi/")]
    assert libraries
    for library in libraries:
        [digest] = library["hashes"]
        assert f"--hash=sha256:{digest['content']}" in locked, library["purl"]


def test_it_names_the_image_and_is_valid_cyclonedx() -> None:
    assert {"name": "firstresponder:image-id", "value": image_id()} in sbom()["metadata"]["component"]["properties"]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(build.sbom_path().read_text()) is None


def test_made_again_both_are_the_same() -> None:
    before = image_id(), build.sbom_path().read_bytes()
    build.build()
    assert (image_id(), build.sbom_path().read_bytes()) == before
