"""The SBOM beside an image says what is in its layers; tests/kind holds that of the real image to its archive."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from image import sbom
from image.debian import Package
from image.run import BuildError

IMAGE = sbom.Image("example.com/it", "1.2.3", f"sha256:{'ab' * 32}", created=86400)
ZLIB = Package("zlib1g", "1:1.2.13-5+b1", "amd64", "debian-12", "zlib@1:1.2.13-5", "c0" * 32)
INDEX = "https://example.com/packages"
LOCK: sbom.Lock = {
    "packages": [
        {
            "name": "some-thing",
            "wheels": [
                {
                    "url": f"{INDEX}/some_thing-2.0-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
                    "hashes": {"sha256": "01" * 32},
                },
                {"url": f"{INDEX}/some_thing-2.0-py3-none-any.whl", "hashes": {"sha256": "02" * 32}},
            ],
        },
        {"name": "for-another-platform", "wheels": []},
    ]
}


def install(libraries: Path, name: str, version: str, licence: str, *tags: str) -> None:
    """What an installer leaves in an image of a wheel."""
    folder = libraries / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: {licence}\n"
    )
    (folder / "WHEEL").write_text("Wheel-Version: 1.0\n" + "".join(f"Tag: {tag}\n" for tag in tags))


@pytest.fixture
def libraries(tmp_path: Path) -> list[Path]:
    of_others, own = tmp_path / "libraries", tmp_path / "program"
    tags = ("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux2014_x86_64")
    install(of_others, "Some_Thing", "2.0", "Apache-2.0 AND MIT", *tags)
    install(own, "it", "1.2.3", "Apache-2.0", "py3-none-any")
    return [of_others, own]


def write(libraries: list[Path], image: sbom.Image = IMAGE) -> str:
    target = libraries[0].parent / "it.cdx.json"
    sbom.write(target, image, libraries, LOCK, [ZLIB])
    return target.read_text()


def components(text: str) -> dict[str, dict[str, Any]]:
    """By purl, and by reference where it has none."""
    return {each.get("purl", each["bom-ref"]): each for each in json.loads(text)["components"]}


def test_it_lists_what_was_installed_and_unpacked_and_nothing_that_is_only_locked(libraries: list[Path]) -> None:
    assert components(write(libraries)).keys() == {
        "pkg:pypi/some-thing@2.0",
        "pkg:generic/it@1.2.3",
        "pkg:deb/debian/zlib1g@1:1.2.13-5%2Bb1?arch=amd64&distro=debian-12&upstream=zlib%401:1.2.13-5",
        "debian-12",
    }


def test_a_library_has_its_licence_and_the_hash_of_the_wheel_that_it_was_unpacked_from(libraries: list[Path]) -> None:
    library = components(write(libraries))["pkg:pypi/some-thing@2.0"]
    assert library["hashes"] == [{"alg": "SHA-256", "content": "01" * 32}]
    assert library["licenses"] == [{"expression": "Apache-2.0 AND MIT"}]


def test_a_library_that_comes_from_no_locked_wheel_is_an_error(libraries: list[Path]) -> None:
    (libraries[0] / "Some_Thing-2.0.dist-info/WHEEL").write_text("Wheel-Version: 1.0\nTag: cp311-cp311-musllinux_1_2\n")
    with pytest.raises(BuildError, match="some-thing"):
        write(libraries)


def test_it_is_valid_cyclonedx(libraries: list[Path]) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(write(libraries)) is None


def test_the_same_image_has_the_same_sbom_and_another_image_another_serial_number(libraries: list[Path]) -> None:
    first = write(libraries)
    assert write(libraries) == first
    assert json.loads(first)["metadata"]["timestamp"] == "1970-01-02T00:00:00+00:00"

    other = write(libraries, replace(IMAGE, id=f"sha256:{'cd' * 32}"))
    assert UUID(json.loads(other)["serialNumber"]) != UUID(json.loads(first)["serialNumber"])


def test_it_says_which_image_it_is_of_and_what_it_does_not_cover(libraries: list[Path]) -> None:
    metadata = json.loads(write(libraries))["metadata"]
    assert (metadata["component"]["name"], metadata["component"]["version"]) == ("example.com/it", "1.2.3")
    assert metadata["component"]["properties"] == [{"name": "firstresponder:image-id", "value": IMAGE.id}]
    assert metadata["properties"] == [{"name": "firstresponder:not-covered", "value": sbom.NOT_COVERED}]
