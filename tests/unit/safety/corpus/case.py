"""What the corpus consists of."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

WINDOW = 6
"""So much of a secret in a row is too much of it."""


@dataclass(frozen=True)
class Keyed:
    """A value with a name."""

    key: str
    value: str


@dataclass(frozen=True)
class Text:
    """Something that is secret by itself, or a phrase around it."""

    text: str
    secret: str


@dataclass(frozen=True)
class Command:
    """A command line and what of it is secret."""

    argv: tuple[str, ...]
    secret: str


@dataclass(frozen=True)
class Lines:
    """Lines of a file, one of which holds it."""

    text: str
    secret: str


Item = Keyed | Text | Command | Lines


@dataclass(frozen=True)
class Kind:
    """``made`` draws one; ``aside`` asks for names that redaction was not written by."""

    name: str
    made: Callable[[random.Random, bool], Item]
    claimed: bool = True
    only: frozenset[str] = frozenset()
    """The places where it occurs, where that is not all of its form."""


@dataclass(frozen=True)
class Case:
    kind: Kind
    place: str
    text: str
    secret: str
    """As it stands in the text."""

    def survives(self, redacted: str) -> bool:
        size = min(WINDOW, len(self.secret))
        windows = {self.secret[start : start + size] for start in range(len(self.secret) - size + 1)}
        around = self.text.replace(self.secret, "\n")
        return any(each in redacted and each not in around for each in windows)
