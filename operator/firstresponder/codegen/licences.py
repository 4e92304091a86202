"""docs/licences.md: what the operator and the plugins are made of, and under which licences, as the packages say.

Every distribution that ``pyproject.toml`` asks for at run time and what those ask for in turn, as
``requirements.lock`` installed them here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from firstresponder.codegen.output import ROOT, page_note

_PAGE = ROOT / "docs/licences.md"
_PROJECT = "firstresponder"
_IN_THE_IMAGE = {"extra": "", "python_version": "3.11", "python_full_version": "3.11.0"}
"""What markers of requirements are judged by, whatever Python generates the page."""
_INTRODUCTION = """\
# Licences

First Responder is licensed under the [Apache License 2.0](../LICENSE). At run time the operator and the plugins need
the packages below; in the image the text of each licence lies beside its package, in `*.dist-info`. Debian's Python and
the libraries that it is linked with are under the licences of the `copyright` files of their Debian packages.
"""


def files() -> Mapping[Path, str]:
    """The page, by its path."""
    return {_PAGE: "\n".join(_lines())}


def _lines() -> Iterator[str]:
    yield page_note("the locked packages")
    yield _INTRODUCTION
    yield "| package | version | licence |\n|---|---|---|"
    found = _needed(_PROJECT)
    del found[_PROJECT]
    for name, package in sorted(found.items()):
        yield f"| {name} | {package.version} | {licence(package)} |"
    yield ""


def _needed(name: str) -> dict[str, Distribution]:
    """A distribution and all that it needs at run time, by name."""
    found: dict[str, Distribution] = {}
    names = [name]
    while names:
        name = canonicalize_name(names.pop())
        if name in found:
            continue
        package = found[name] = distribution(name)
        wanted = map(Requirement, package.requires or ())
        names += [each.name for each in wanted if each.marker is None or each.marker.evaluate(_IN_THE_IMAGE)]
    return found


def licence(package: Distribution) -> str:
    """What a package says of its licence: an SPDX expression, else in words. Raises ValueError where it has none."""
    metadata = package.metadata
    classifiers = [each.split(" :: ")[-1] for each in metadata.get_all("Classifier", []) if each.startswith("License")]
    said = [*metadata.get_all("License-Expression", []), *metadata.get_all("License", []), *classifiers]
    if not any(said):
        raise ValueError(f"{metadata['Name']} names no licence: look it up, and do not ship it before")
    first: str = next(filter(None, said))
    return first.strip().splitlines()[0]
