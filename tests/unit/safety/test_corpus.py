"""What redaction hides and what it spares, measured on a corpus that is drawn from a seed."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firstresponder.safety import look_through, redact
from firstresponder.safety.redaction.vendors import KEYS
from tests.unit.safety.corpus.case import Case
from tests.unit.safety.corpus.clean import clean
from tests.unit.safety.corpus.draw import cases
from tests.unit.safety.corpus.kinds import KINDS, VENDORS
from tests.unit.safety.corpus.places import COMMAND, KEYED, LINES, TEXT

CLAIMED, ALL, DAMAGE = 0.99, 0.90, 0.005
"""At least so much of what docs/security.md claims is hidden, and of all; at most so many clean lines change."""
SECURITY = Path(__file__).parents[3] / "docs" / "security.md"


@dataclass
class Measured:
    found: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    first: dict[str, Case] = field(default_factory=dict)
    """One that was not hidden, of each kind."""

    def add(self, drawn: Iterable[Case]) -> Measured:
        for case in drawn:
            self.total[case.kind.name] += 1
            if case.survives(redact(case.text)):
                self.first.setdefault(case.kind.name, case)
            else:
                self.found[case.kind.name] += 1
        return self

    def recall(self, *, claimed: bool = False) -> float:
        names = [kind.name for kind in KINDS if kind.claimed or not claimed]
        return sum(self.found[each] for each in names) / sum(self.total[each] for each in names)

    def rows(self) -> Iterator[str]:
        for kind in KINDS:
            total, share = self.total[kind.name], self.found[kind.name] / self.total[kind.name]
            yield f"{kind.name:42} {'claimed' if kind.claimed else '':8} {total:6} {share:8.2%}"
        for title, claimed in (("all that is claimed", True), ("all", False)):
            total = sum(self.total[kind.name] for kind in KINDS if kind.claimed or not claimed)
            yield f"{title:42} {'':8} {total:6} {self.recall(claimed=claimed):8.2%}"

    def missed(self) -> str:
        claimed = {kind.name for kind in KINDS if kind.claimed}
        return "\n".join(f"{name}, {each.place}: {each.text!r}" for name, each in self.first.items() if name in claimed)


def damaged(lines: Iterable[str]) -> tuple[list[str], int]:
    """Clean lines that redaction changes, and how many were tried."""
    tried = list(lines)
    return [f"{each}\n  {redact(each)}" for each in tried if redact(each) != each], len(tried)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_corpus_is_hidden_as_far_as_the_docs_claim_and_clean_lines_stay(capsys: pytest.CaptureFixture[str]) -> None:
    usual = Measured().add(cases(6, seed=1))
    aside = Measured().add(cases(3, seed=2, aside=True))
    harmed, tried = damaged(clean(20, seed=1))
    with capsys.disabled():
        print("", *usual.rows(), sep="\n")
        print(f"{'under names that redaction does not list':42} {'':8} {aside.total.total():6} {aside.recall():8.2%}")
        print(f"{'clean lines changed':42} {'':8} {tried:6} {len(harmed) / tried:8.2%}")
    assert usual.total.total() + aside.total.total() >= 20_000
    for measured in (usual, aside):
        assert measured.recall(claimed=True) >= CLAIMED, measured.missed()
        assert measured.recall() >= ALL, measured.missed()
    for kind in KINDS:
        if kind.claimed:
            assert usual.found[kind.name] >= CLAIMED * usual.total[kind.name], usual.first[kind.name]
    assert len(harmed) <= DAMAGE * tried, "\n".join(harmed)


def test_a_sample_of_the_corpus_is_hidden_and_clean_lines_stay() -> None:
    sample = Measured().add(list(cases(1, seed=3))[::3])
    assert sample.recall(claimed=True) >= CLAIMED, sample.missed()
    assert sample.recall() >= ALL, sample.missed()
    harmed, tried = damaged(clean(1, seed=3))
    assert len(harmed) <= DAMAGE * tried, "\n".join(harmed)


def test_redacting_the_corpus_twice_changes_nothing_more_and_lines_stay_lines() -> None:
    for case in list(cases(1, seed=4))[::4]:
        once = redact(case.text)
        assert redact(once) == once, case
        assert once.count("\n") == case.text.count("\n"), case


def test_texts_that_are_looked_through_together_come_out_as_they_do_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = sys.modules[redact.__module__]
    monkeypatch.setattr(module, "_harmless", {})
    drawn = [case.text for case in list(cases(1, seed=5))[::2]]
    drawn += [line for text in drawn for line in text.split("\n")] + list(clean(1, seed=5))
    for number in range(0, len(drawn), 200):
        texts = drawn[number : number + 200]
        look_through(texts)
        known = list(module._harmless)
        module._harmless.clear()
        assert [text for text in known if redact(text) != text] == []
        module._harmless.clear()
        # And it is of use: of one line that is harmless, mostly that was found out.
        found = sum(len(text) <= 200 and text.isprintable() and redact(text) == text for text in set(texts))
        assert len(known) >= 0.6 * found
        module._harmless.clear()


def test_what_the_docs_claim_of_vendors_is_known() -> None:
    row = next(line for line in SECURITY.read_text().splitlines() if "that a vendor marks by a prefix" in line)
    named = row.split("|")[2].strip().split(", ")
    assert set(named) <= {each for names in KEYS for each in names.split(", ")}
    kinds = {each for kind in VENDORS for each in kind.name.split(", ")}
    assert not [each for each in named if not any(kind.startswith(each) for kind in kinds)]


def test_the_corpus_has_many_kinds_and_places() -> None:
    assert len(KINDS) >= 60
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert all(len(places) >= 8 for places in (KEYED, TEXT, COMMAND, LINES))
