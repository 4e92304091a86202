"""The cases of the corpus, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.unit.safety.corpus.case import Case
from tests.unit.safety.corpus.kinds import KINDS
from tests.unit.safety.corpus.places import places


def cases(each: int, seed: int, *, aside: bool = False) -> Iterator[Case]:
    """So many of each kind in each place; ``aside`` with names that redaction was not written by."""
    for kind in KINDS:
        rng = random.Random(f"{seed} {kind.name}")  # noqa: S311 - a test's words
        for place in places(kind.made(rng, aside)):
            if kind.only and place not in kind.only:
                continue
            for _ in range(each):
                item = kind.made(rng, aside)
                text, secret = places(item)[place](rng, item)
                assert secret in text, (kind.name, place, text, secret)
                yield Case(kind, place, text, secret)
