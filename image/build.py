"""`make image`: Debian's Python, the locked libraries and the operator, as an image archive in `dist/`.

Its SBOM lies beside it.

    python -m image.build [--name registry.example.com/firstresponder]

Debian's packages come through apt, the libraries through uv, as `requirements.lock` has them; nothing is run as root,
and no container engine is needed. There is no shell in the image, and nothing that installs anything: whoever breaks
into the operator finds Python alone.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from image import archive, debian, sbom
from image.run import BuildError, run

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
NAME = "localhost/firstresponder"

PYTHON = "python3.11"
PACKAGES = (  # of Debian 12: Python, and the libraries that it and the wheels are linked with
    "libbz2-1.0",
    "libc6",
    "libcrypt1",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libssl3",
    "libstdc++6",
    "libuuid1",
    "python3.11-minimal",
    "zlib1g",
)
NOT_NEEDED = ("./usr/share", "./usr/lib/binfmt.d", "./usr/lib/*/gconv", f"./usr/lib/{PYTHON}/test")
LIBRARIES = Path("usr/local/lib") / PYTHON / "dist-packages"
USER = 65532
"""Nobody: the operator needs no rights on its own machine."""


def config(version: str, revision: str) -> dict[str, Any]:
    """What a container of the image runs, and what the image says of itself."""
    return {
        "User": f"{USER}:{USER}",
        "WorkingDir": "/",
        "Entrypoint": [f"/usr/bin/{PYTHON}", "-m", "firstresponder.main"],
        "Env": ["PATH=/usr/bin", "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"],
        "Labels": {
            "org.opencontainers.image.title": "First Responder",
            "org.opencontainers.image.description": "A Kubernetes operator that takes the page first",
            "org.opencontainers.image.version": version,
            "org.opencontainers.image.revision": revision,
            "org.opencontainers.image.licenses": "Apache-2.0",
        },
    }


def project_version() -> str:
    """The version in pyproject.toml."""
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version


def archive_path() -> Path:
    """Where the archive lies once it is made."""
    return DIST / f"firstresponder-{project_version()}-image.tar"


def sbom_path() -> Path:
    """Where its SBOM lies."""
    return archive_path().with_suffix(".cdx.json")


def build(name: str = NAME) -> Path:
    """Make the image `name`, with the project's version as its tag, and its SBOM.

    Returns the archive. Raises BuildError.
    """
    if platform.machine() not in archive.ARCHITECTURES:
        raise BuildError(f"the image is made for {' and '.join(archive.ARCHITECTURES)}, this is {platform.machine()}")
    DIST.mkdir(exist_ok=True)
    version, created = project_version(), int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct"))
    with tempfile.TemporaryDirectory(dir=DIST) as folder:
        base, libraries, program = layers = [Path(folder) / each for each in ("base", "libraries", "program")]
        packages = _unpack_python(base)
        lock = _install_libraries(libraries / LIBRARIES)
        _install_program(program / LIBRARIES)
        _compile(base, layers)
        identity = archive.write(
            archive_path(),
            layers,
            config(version, _git("rev-parse", "HEAD")),
            [f"{name}:{version}"],
            machine=platform.machine(),
            created=created,
        )
        image = sbom.Image(name, version, identity, created)
        sbom.write(sbom_path(), image, [libraries / LIBRARIES, program / LIBRARIES], lock, packages)
    return archive_path()


def _unpack_python(root: Path) -> list[debian.Package]:
    """Debian's Python as its packages hold it: nothing is installed, so no package's scripts are needed."""
    packages = debian.unpack(root, PACKAGES, NOT_NEEDED)
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/passwd").write_text(f"root:x:0:0:root:/:\nnonroot:x:{USER}:{USER}:nonroot:/:\n")
    (root / "etc/group").write_text(f"root:x:0:\nnonroot:x:{USER}:\n")
    return packages


def _install_libraries(target: Path) -> sbom.Lock:
    """The libraries that the operator imports, in the locked versions; not what develops or draws.

    Returns which they are, with the files that they may be unpacked from.
    """
    wanted = target.parent / "pylock.toml"
    target.mkdir(parents=True)
    python = ["--python-version=3.11", f"--python-platform={platform.machine()}-unknown-linux-gnu"]
    file = ["--format=pylock.toml", f"--output-file={wanted}"]
    _uv("pip", "compile", "--quiet", "--constraint=requirements.lock", *python, *file, "pyproject.toml")
    lock = tomllib.loads(wanted.read_text())
    require_locked(lock)
    exactly = ["--require-hashes", "--only-binary=:all:", "--no-compile-bytecode", "--link-mode=copy"]
    _uv("pip", "install", "--quiet", *exactly, *python, f"--target={target}", f"--requirements={wanted}")
    wanted.unlink()
    _remove_how_it_was_installed(target)
    return lock


def require_locked(lock: sbom.Lock) -> None:
    """Raise BuildError unless all wheels are of requirements.lock.

    As a constraint it holds versions only, and the index may offer other files of them.
    """
    locked = set(re.findall(r"--hash=sha256:(\w+)", (ROOT / "requirements.lock").read_text()))
    for package in lock["packages"]:
        for wheel in package.get("wheels", ()):
            if wheel["hashes"]["sha256"] not in locked:
                raise BuildError(f"{wheel['url']} is not in requirements.lock: make lock")


def _install_program(target: Path) -> None:
    ready = ["--no-deps", "--no-build-isolation", "--no-compile-bytecode", "--link-mode=copy"]
    _uv("pip", "install", "--quiet", *ready, f"--python={sys.executable}", f"--target={target}", str(ROOT))
    _remove_how_it_was_installed(target)


def _remove_how_it_was_installed(target: Path) -> None:
    """What tells of this machine: programs that begin with the path of its Python, records of times and places."""
    shutil.rmtree(target / "bin", ignore_errors=True)
    (target / ".lock").unlink(missing_ok=True)
    for pattern in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"):
        for record in target.glob(f"*.dist-info/{pattern}"):
            record.unlink()


def _compile(base: Path, layers: Sequence[Path]) -> None:
    """Byte code for everything, by the image's own Python: no container of it has where to keep its own.

    It is taken as it is and never compared with its source, so it holds nothing of when it was made.
    """
    for layer in layers:
        said = ["-q", "--invalidation-mode=unchecked-hash", "-s", str(layer), "-p", "/"]
        folders = [layer / "usr/lib" / PYTHON, layer / LIBRARIES]
        _python(base, "-m", "compileall", *said, *(str(folder) for folder in folders if folder.exists()))
    path = os.pathsep.join(str(layer / LIBRARIES) for layer in layers[1:])
    _python(base, "-c", "import firstresponder.main", PYTHONPATH=path)


def _python(base: Path, *arguments: str, **environment: str) -> None:
    """Run the image's Python where it lies, by its own loader with its own libraries."""
    [loader] = (base / "usr/lib").glob("*-linux-gnu/ld-linux-*.so.*")
    program = [str(loader), "--library-path", str(loader.parent), str(base / "usr/bin" / PYTHON)]
    alone = {"PYTHONHOME": str(base / "usr"), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    run([*program, *arguments], env={**alone, **environment})


def _uv(*arguments: str) -> None:
    own = ROOT / ".venv/uv/bin/uv"
    run([shutil.which("uv") or str(own), *arguments], cwd=ROOT)


def _git(*arguments: str) -> str:
    return run(["git", *arguments], cwd=ROOT).strip()


@click.command(help=__doc__)
@click.option("--name", default=NAME, show_default=True, help="The image's name, with the registry it goes to.")
def main(name: str) -> None:
    try:
        made = build(name)
    except BuildError as problem:
        click.echo(f"error: {problem}", err=True)
        sys.exit(1)
    click.echo(f"{made.relative_to(ROOT)}: {name}:{project_version()}, {made.stat().st_size / 1e6:.0f} MB")
    click.echo(f"{sbom_path().relative_to(ROOT)}: what is in it")


if __name__ == "__main__":
    main()
