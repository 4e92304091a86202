"""Go programs of the testbed, built once from the Go module proxy and kept in the user's cache.

Each is a folder with go.mod, go.sum and what little is our own; a hash of it is part of where its programs are kept.
No release is downloaded: registries of packages hold sources, and everything here comes from one of those.
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


class MissingError(Exception):
    """Something is not there that the testbed cannot bring itself; the text says what to do."""


def cache_directory() -> Path:
    """What is built once and kept: `$XDG_CACHE_HOME/firstresponder`, else below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "firstresponder"


@dataclass(frozen=True)
class GoBuild:
    """What is built of one folder, and which programs that gives."""

    name: str
    source: Path
    packages: tuple[str, ...]
    programs: tuple[str, ...]
    takes: str
    """How long the first build takes, for people."""
    tags: tuple[str, ...] = ()
    stamps: tuple[tuple[str, str], ...] = ()
    """Variables that the linker sets, mostly versions."""
    one_binary: str | None = None
    """The only binary that comes out, which is all programs by the name it is called by."""

    def ensure(self) -> Path:
        """The folder of the programs, built first when it has to be, with progress on standard error.

        Raises MissingError without a way to build, and when the build fails.
        """
        target = self.directory
        if not self.available:
            self.require_buildable()
            cache_directory().mkdir(parents=True, exist_ok=True)
            with only_one(target, self.name):
                if not self.available:  # else somebody else built, while we waited
                    self._build(target)
        return target

    @property
    def available(self) -> bool:
        return all(os.access(self.directory / program, os.X_OK) for program in self.programs)

    def require_buildable(self) -> None:
        """Raise MissingError when `ensure` would have to build and could not."""
        if not self.available and shutil.which("go") is None:
            raise MissingError(f"no Go toolchain to build {self.name}: install Go 1.26 or newer")

    @property
    def directory(self) -> Path:
        digest = hashlib.sha256(platform.machine().encode())
        files = {path for pattern in ("go.mod", "go.sum", "**/*.go") for path in self.source.glob(pattern)}
        for path in sorted(files):
            digest.update(path.read_bytes())
        return cache_directory() / f"{self.name}-{digest.hexdigest()[:12]}"

    def _build(self, target: Path) -> None:
        print(f"Building {self.name} with Go (once, {self.takes})", file=sys.stderr)
        unfinished = target.with_name(f"{target.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        self._go("mod", "download")
        tags = f"-tags={','.join(self.tags)}"
        total = len(set(self._go("list", tags, "-deps", *self.packages).splitlines()))
        flags = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in self.stamps)])
        output = f"-o={unfinished}/"  # a folder: each binary gets the name of its package
        self._compile([tags, "-v", "-buildvcs=false", "-ldflags", flags, output, *self.packages], total)
        if self.one_binary is not None:
            for program in self.programs:
                (unfinished / program).symlink_to(self.one_binary)
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)

    def _go(self, *arguments: str) -> str:
        argv = ["go", *arguments]
        done = subprocess.run(argv, cwd=self.source, env=_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise MissingError(f"{' '.join(argv)} failed: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def _compile(self, arguments: list[str], packages: int) -> None:
        """`go build -v` names each package as it is compiled: that is the progress."""
        progress = _Progress(packages)
        last: deque[str] = deque(maxlen=30)
        with subprocess.Popen(
            ["go", "build", *arguments],
            cwd=self.source,
            env=_environment(),
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
            raise MissingError(f"go build of {self.name} failed:\n" + "".join(last))


def required_version(source: Path, module: str) -> str:
    """The version of a module that the go.mod in `source` requires."""
    required = re.search(
        rf"^(?:require)?\s*{re.escape(module)} (v[0-9.]+)(?: // indirect)?$",
        (source / "go.mod").read_text(),
        re.MULTILINE,
    )
    assert required, f"go.mod requires {module}"
    return required[1]


def _environment() -> dict[str, str]:
    return {**os.environ, "CGO_ENABLED": "0"}


@contextlib.contextmanager
def only_one(target: Path, what: str) -> Iterator[None]:
    """Two runs started together build once: the second waits for the first."""
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Waiting for another build of {what}", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
