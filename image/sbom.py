"""The SBOM of an image, in CycloneDX: what is in its layers, and from which files it came.

It holds nothing but what the image, its packages and the lock say, so the same image has the same SBOM, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import HeaderParser
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.tags import parse_tag
from packaging.utils import canonicalize_name, parse_wheel_filename

from firstresponder.codegen.licences import licence
from image.debian import Package
from image.run import BuildError

NOT_COVERED = (
    "The licences of Debian's packages, and what the authors of a wheel compiled or copied into it; "
    "some wheels say that in *.dist-info/sboms of the image."
)

Lock = Mapping[str, Any]
"""A pylock.toml (PEP 751)."""


@dataclass(frozen=True)
class Image:
    """What the SBOM is of."""

    name: str
    version: str
    id: str
    """As container engines show it: the digest of its configuration, which names the digests of all layers."""
    created: int
    """In seconds since the epoch."""


def write(target: Path, image: Image, libraries: Sequence[Path], lock: Lock, packages: Sequence[Package]) -> None:
    """Make or replace `target`: the distributions in the folders `libraries`, and Debian's packages."""
    whole = Component(
        type=ComponentType.CONTAINER,
        name=image.name,
        version=image.version,
        bom_ref="image",
        properties=[Property(name="firstresponder:image-id", value=image.id)],
    )
    said = [Property(name="firstresponder:not-covered", value=NOT_COVERED)]
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, image.id),
        metadata=BomMetaData(component=whole, timestamp=datetime.fromtimestamp(image.created, UTC), properties=said),
        components=[*_distributions(libraries, lock), *map(_package, packages), *_systems(packages)],
    )
    bom.register_dependency(whole, bom.components)
    target.write_text(JsonV1Dot6(bom).output_as_string(indent=2) + "\n")


def _distributions(libraries: Sequence[Path], lock: Lock) -> Iterator[Component]:
    locked = {package["name"]: package for package in lock["packages"]}
    for found in distributions(path=[str(folder) for folder in libraries]):
        name = canonicalize_name(found.metadata["Name"])
        yield _locked(found, locked[name]) if name in locked else _own(found)


def _locked(found: Distribution, locked: Mapping[str, Any]) -> Component:
    purl = PackageURL("pypi", name=locked["name"], version=found.version)
    return _component(purl, hashes=_sha256(_wheel_digest(found, locked)), licenses=[_licence(found)])


def _own(found: Distribution) -> Component:
    """What no index has: the project itself."""
    purl = PackageURL("generic", name=canonicalize_name(found.metadata["Name"]), version=found.version)
    return _component(purl, type=ComponentType.APPLICATION, licenses=[_licence(found)])


def _wheel_digest(found: Distribution, locked: Mapping[str, Any]) -> str:
    """Of the file that a distribution was unpacked from: of those that are locked, the one that has its tags."""
    said = HeaderParser().parsestr(found.read_text("WHEEL") or "").get_all("Tag", [])
    tags = {each for tag in said for each in parse_tag(tag)}
    for wheel in locked["wheels"]:
        if parse_wheel_filename(_file_name(wheel))[-1] == tags:
            digest: str = wheel["hashes"]["sha256"]
            return digest
    raise BuildError(f"{locked['name']} says that it is a wheel for {', '.join(said)}, and none such is locked")


def _file_name(wheel: Mapping[str, Any]) -> str:
    return unquote(Path(urlsplit(wheel["url"]).path).name)


def _package(package: Package) -> Component:
    qualifiers = {
        "arch": package.architecture,
        "distro": package.release,
        "upstream": package.source,  # what scanners look vulnerabilities up by
    }
    system, _, _ = package.release.partition("-")
    purl = PackageURL("deb", system, package.name, package.version, qualifiers)
    return _component(purl, hashes=_sha256(package.sha256))


def _systems(packages: Sequence[Package]) -> Iterator[Component]:
    """What the packages are of: without it scanners do not know whose vulnerabilities to look up."""
    for release in sorted({package.release for package in packages}):
        name, _, version = release.partition("-")
        yield Component(type=ComponentType.OPERATING_SYSTEM, name=name, version=version, bom_ref=release)


def _component(purl: PackageURL, **more: Any) -> Component:
    return Component(name=purl.name, version=purl.version, purl=purl, bom_ref=purl.to_string(), **more)


def _sha256(digest: str) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=digest)]


def _licence(found: Distribution) -> Any:
    return LicenseFactory().make_from_string(licence(found))
