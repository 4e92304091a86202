"""The at-most-once protocol holds, and each of its rules is needed."""

from dataclasses import dataclass, fields, replace

import pytest

from tests.model.protocol import Model, Outcome, Rules, State, Violation, World
from tests.model.search import Exploration, explore

Explored = Exploration[State, Violation]


CALM = World(snapshots_restored=False, ledger_wiped=False)


@dataclass(frozen=True)
class Counterexample:
    """What goes wrong without some rules of the protocol, in a world no worse than it takes."""

    mistake: str
    without: tuple[str, ...]
    finds: Violation
    world: World = CALM

    def __str__(self) -> str:
        return f"{self.mistake}: without {' and '.join(self.without)}".replace(" ", "_")


SNAPSHOTS = replace(CALM, snapshots_restored=True)
WIPED = replace(CALM, ledger_wiped=True)
SILENT_HOST = World(host_answers=False)

LISTED = [
    Counterexample("absent taken for never started", ("never_ran_needs_seal",), Violation.FALSE_OUTCOME),
    Counterexample("boot read at send time", ("boot_from_packet",), Violation.RAN_TWICE),
    Counterexample("snapshot restored", ("order_bound_to_boot",), Violation.RAN_TWICE, SNAPSHOTS),
    Counterexample("claim lost", ("order_bound_to_boot", "claim_durable"), Violation.RAN_TWICE),
    Counterexample("dead claim replayed", ("dead_claim_refused",), Violation.RAN_TWICE),
    Counterexample("dead claim called never ran", ("dead_claim_indeterminate",), Violation.FALSE_OUTCOME),
    Counterexample("expiry checked by the operator only", ("host_checks_expiry",), Violation.RAN_EXPIRED),
    Counterexample("request read but not consumed", ("request_consumed",), Violation.RAN_DENIED),
    Counterexample("no precondition on the Incident", ("incident_precondition",), Violation.RAN_ABORTED),
    Counterexample("random ids", ("id_from_order",), Violation.RAN_TWICE),
    Counterexample("sent before Started is stored", ("started_before_order",), Violation.RAN_UNRECORDED),
    Counterexample("claimed before the unit exists", ("claim_inside_unit",), Violation.ACTED_AFTER_OUTCOME),
]
FURTHER = [
    Counterexample("approval not asked for", ("approval_required",), Violation.RAN_UNAPPROVED),
    Counterexample("no precondition on the request", ("request_precondition",), Violation.RAN_DENIED),
    Counterexample("lost reply taken for stored", ("lost_reply_read_again",), Violation.RAN_UNRECORDED),
    Counterexample("seal looked for beforehand only", ("one_mkdir_decides",), Violation.FALSE_OUTCOME),
    Counterexample("ledger wiped", ("claim_also_in_run",), Violation.RAN_TWICE, WIPED),
    Counterexample("running given up", ("running_waited_for",), Violation.ACTED_AFTER_OUTCOME),
    Counterexample("sealed after a rollback", ("never_ran_in_started_boot",), Violation.FALSE_OUTCOME, SNAPSHOTS),
    Counterexample("absent before its expiry called never ran", ("absence_needs_expiry",), Violation.FALSE_OUTCOME),
    Counterexample("absent after a rollback", ("absence_in_started_boot",), Violation.FALSE_OUTCOME, SNAPSHOTS),
    Counterexample("outcome written blindly", ("outcome_precondition",), Violation.OUTCOME_CHANGED),
    Counterexample("silent host waited for", ("silence_ends_indeterminate",), Violation.NO_OUTCOME, SILENT_HOST),
]


def without(*rules: str) -> Rules:
    return replace(Rules(), **dict.fromkeys(rules, False))


@pytest.fixture(scope="module")
def protocol() -> Explored:
    """The whole space with every rule on."""
    return explore(Model())


def test_with_every_rule_the_whole_space_holds(protocol: Explored, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nat-most-once protocol: {protocol}")
    assert not protocol.violations, str(protocol)


def test_once_faults_rest_every_run_comes_to_an_end_with_an_outcome(protocol: Explored) -> None:
    assert not protocol.circle()
    assert protocol.ends
    assert all(end.outcome for end in protocol.ends)


def test_the_space_holds_every_outcome_with_and_without_a_run(protocol: Explored) -> None:
    """Else the invariants would hold because nothing ever happens."""
    assert {(end.outcome, end.runs) for end in protocol.ends} == {
        (Outcome.NOT_STARTED, 0),
        (Outcome.NEVER_RAN, 0),
        (Outcome.RESULT, 1),
        (Outcome.INDETERMINATE, 0),
        (Outcome.INDETERMINATE, 1),
    }


def test_a_host_that_never_answers_ends_indeterminate() -> None:
    silent = explore(Model(world=SILENT_HOST))
    assert not silent.violations, str(silent)
    assert not silent.circle()
    assert {end.outcome for end in silent.ends} == {Outcome.NOT_STARTED, Outcome.INDETERMINATE}


def test_an_acting_account_that_never_works_can_be_known_to_have_run_nothing() -> None:
    barred = explore(Model(world=World(acting_account_works=False, ledger_wiped=False, snapshots_restored=False)))
    assert not barred.violations, str(barred)
    assert not barred.circle()
    assert {end.outcome for end in barred.ends} == {Outcome.NOT_STARTED, Outcome.NEVER_RAN, Outcome.INDETERMINATE}
    assert not any(end.runs for end in barred.ends)


def test_bound_to_its_boot_an_order_is_safe_even_if_the_disk_forgets() -> None:
    forgetful = explore(Model(without("claim_durable")))
    assert not forgetful.violations, str(forgetful)


def test_a_durable_claim_alone_keeps_an_unbound_order_from_running_twice_but_not_its_outcome_true() -> None:
    unbound = explore(Model(without("order_bound_to_boot"), CALM))
    assert Violation.RAN_TWICE not in unbound.violations, str(unbound)
    assert Violation.ACTED_AFTER_OUTCOME in unbound.violations, str(unbound)


@pytest.mark.parametrize("wrong", LISTED + FURTHER, ids=str)
def test_without_its_rule_the_search_finds(wrong: Counterexample) -> None:
    seen = explore(Model(without(*wrong.without), wrong.world), until=wrong.finds)
    assert wrong.finds in seen.violations, f"{wrong.finds} was not found: {seen}"
    print(seen)


def test_every_rule_has_a_counterexample() -> None:
    assert {rule.name for rule in fields(Rules)} == {rule for wrong in LISTED + FURTHER for rule in wrong.without}


def test_every_invariant_can_fail() -> None:
    assert {wrong.finds for wrong in LISTED + FURTHER} == set(Violation)
